# SPDX-License-Identifier: BSD-3-Clause
"""Documents as they stand: every command of their console blocks is run, in order, in an empty
folder, those behind a # in a namespace, and what each prints is what is printed there."""

import os
import re
import sys

import lab


class Step:
    """One command of a document, and the lines that are to follow."""

    def __init__(self, line, number):
        self.root, self.lines, self.number = line[0] == "#", [line[2:]], number
        self.output = []

    def command(self):
        """What a shell is to run."""
        return "\n".join(self.lines) + "\n"


def steps(text):
    """Each step of the document with its place: (step, first line of output, line behind it)."""
    found, inside = [], False
    for number, line in enumerate(text.split("\n")):
        if line.startswith("```"):
            inside = line == "```console"
        elif not inside:
            continue
        elif re.match(r"[$#] ", line):
            found.append([Step(line, number + 1), number + 1, number + 1])
        elif re.match(r">( |$)", line) and not found[-1][0].output:
            found[-1][0].lines.append(line[2:])
            found[-1][1:] = [number + 1, number + 1]
        else:
            found[-1][0].output.append(line)
            found[-1][2] = number + 1
    return found


def printed(step, ns, folder):
    """What @step prints; blanks at the ends of lines do not show on a terminal."""
    env = {**os.environ, "SRC": lab.ROOT, "LC_ALL": "C.UTF-8", "TZ": "UTC",
           "PATH": os.path.dirname(lab.binary("sluice")) + ":" + os.environ["PATH"]}
    argv = ["bash", "--norc", "-c", "exec 2>&1\n" + step.command()]
    p = lab.run(*(ns.argv(*argv) if step.root else argv), cwd=folder, env=env, check=False)
    lab.check(p.returncode == 0,
              f"line {step.number}: {step.command()}exit {p.returncode}: {p.stdout}{p.stderr}")
    return [line.rstrip() for line in p.stdout.split("\n")[:-1]]


def walk(path, least, least_root, update=False):
    """All of the document at @path, which has @least steps or more, @least_root of them root's."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found, new = steps(text), text.split("\n")
    lab.check(len(found) >= least and sum(s.root for s, _, _ in found) >= least_root,
              "the document has steps")
    shown = []
    with lab.Lab("walk") as it:
        ns, folder = it.ns("walk"), it.file("folder")
        os.mkdir(folder)
        for step, _, _ in found:
            shown.append(printed(step, ns, folder))
            if not update:
                lab.equal(shown[-1], step.output, f"line {step.number}: {step.command()}")
    print(f"  {len(found)} commands, {sum(map(len, shown))} lines of output", flush=True)
    for (_, first, behind), lines in zip(reversed(found), reversed(shown)):
        new[first:behind] = lines
    if update:
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(new))
    lab.equal("\n".join(new), text if not update else "\n".join(new), "the whole document")


def main(walk_it, *tests):
    """Run the tests; with --update write into the document what the commands print now."""
    if sys.argv[1:] == ["--update"]:
        walk_it(update=True)
    else:
        lab.main(walk_it, *tests)
