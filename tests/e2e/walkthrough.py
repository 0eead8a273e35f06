# SPDX-License-Identifier: BSD-3-Clause
"""docs/walkthrough.md as it stands, see document.py.

walkthrough.py --update writes into the document what the commands print now."""

import os

import document
import lab

DOCUMENT = os.path.join(lab.ROOT, "docs", "walkthrough.md")


def walk(update=False):
    """All of it."""
    document.walk(DOCUMENT, 31, 16, update)


def story():
    """The article's figures are among what is compared."""
    with open(DOCUMENT, encoding="utf-8") as f:
        outputs = [s.output for s, _, _ in document.steps(f.read())]
    for figure in (["9997"], ["3"], ["0 DROP", "10000 ACCEPT"], ["9997 DROP", "3 ACCEPT"]):
        lab.check(figure in outputs, f"the document shows {figure}")


document.main(walk, story)
