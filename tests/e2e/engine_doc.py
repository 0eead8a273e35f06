# SPDX-License-Identifier: BSD-3-Clause
"""docs/engine.md's worked example as it stands, see document.py.

engine_doc.py --update writes into the document what the commands print now."""

import os

import document
import lab

DOCUMENT = os.path.join(lab.ROOT, "docs", "engine.md")


def example(update=False):
    """All of it."""
    document.walk(DOCUMENT, 8, 0, update)


def passes():
    """The document's table has every pass of lib/match/index.c, in its order."""
    with open(os.path.join(lab.ROOT, "lib", "match", "index.c"), encoding="utf-8") as f:
        table = f.read().split("} passes[] = {", 1)[1].split("};", 1)[0]
    names = [line.split('"')[1] for line in table.splitlines() if line.strip().startswith("{")]
    with open(DOCUMENT, encoding="utf-8") as f:
        told = [line.split("|")[1].strip() for line in f if line.startswith("| ")]
    lab.check(len(names) > 5, "passes")
    lab.equal([t for t in told if t in names], names, "passes of the document")


document.main(example, passes)
