#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every rule of scripts/lint refuses its bad example, at the lines it should, and nothing else.

tests/lint/bad/RULE/ is a small tree laid out as the project's; findings.expect
in it lists PATH:LINE of what the rule must find there.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LINT = HERE.parent.parent / "scripts" / "lint"
STYLE = HERE.parent.parent / ".clang-format"


def lint(*args):
    return subprocess.run([sys.executable, LINT, *args], capture_output=True, text=True, check=False)


def main():
    rules = lint("--list").stdout.split()
    examples = sorted(p.name for p in (HERE / "bad").iterdir())
    number = failed = 0
    print(f"1..{len(set(rules) | set(examples))}")
    for rule in sorted(set(rules) | set(examples)):
        number += 1
        why = ""
        if rule not in examples:
            why = "has no bad example"
        elif rule not in rules:
            why = "is no rule"
        else:
            example = HERE / "bad" / rule
            with tempfile.TemporaryDirectory() as tmp:
                root = pathlib.Path(tmp) / "tree"
                shutil.copytree(example, root)
                shutil.copy(STYLE, root)
                p = lint("--only", rule, "--root", str(root))
            want = sorted(set((example / "findings.expect").read_text().split()))
            got = sorted({":".join(line.split(":")[:2]) for line in p.stdout.splitlines()})
            if p.returncode != 1:
                why = f"exit status {p.returncode}, not 1: {p.stderr.strip()}"
            elif not want:
                why = "the example expects nothing"
            elif got != want:
                why = f"expected {want}, found {got}"
        failed += bool(why)
        print(f"{'not ok' if why else 'ok'} {number} - {rule}")
        if why:
            print(f"# {rule}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
