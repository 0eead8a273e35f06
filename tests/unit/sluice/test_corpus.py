#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_corpus.py SLUICE RULES: every capture of the folder SLUICE_CORPUS through the offline
datapath, by each engine: one line for each frame that the file holds by its own account, the
same by all engines, and nothing on stderr, where a sanitizer would report."""

import collections
import os
import pathlib
import subprocess
import sys

import captures as cap

SKIPPED = 77


def verdicts(sluice, rules, engine, files):
    """The lines for all frames of @files, or None after saying what is wrong."""
    done = subprocess.run([sluice, "filter", "-r", rules, "--verdicts", "--engine", engine, *files],
                          capture_output=True, timeout=120, check=False)
    if done.returncode != 0 or done.stderr:
        print(f"{engine}: {files[0]}…: exit {done.returncode}: {done.stderr.decode()[:2000]}")
        return None
    return done.stdout.decode().splitlines()


ENGINES = ("interp", "jit", "match")


def judge(sluice, rules, files):
    """The lines for @files by all engines, or None after saying what is wrong."""
    by_engine = [verdicts(sluice, rules, engine, files) for engine in ENGINES]
    wants = [cap.count(path.read_bytes()) for path in files]
    if None in by_engine:
        return None
    if any(lines != by_engine[0] for lines in by_engine):
        print(f"{files[0]}…: the engines differ")
        return None
    if None not in wants and len(by_engine[0]) != sum(wants):
        print(f"{files[0]}…: {len(by_engine[0])} lines for {sum(wants)} frames")
        return None
    return by_engine[0]


def main():
    sluice, rules = sys.argv[1:3]
    folder = os.environ.get("SLUICE_CORPUS")
    if not folder:
        print("SLUICE_CORPUS does not name a folder of captures")
        return SKIPPED
    files = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix in (".pcap", ".pcapng"))
    own = [path for path in files if cap.count(path.read_bytes()) is not None]
    rest = [path for path in files if path not in own]
    lines = []
    for some in (own, rest):
        got = judge(sluice, rules, some) if some else []
        if got is None:
            # Which of them it is: one by one.
            for path in some:
                judge(sluice, rules, [path])
            return 1
        lines += got
    seen = collections.Counter(lines)
    names = [line.split()[1].rstrip("]") for line in pathlib.Path(rules).read_text().splitlines()
             if line.startswith("[rule ")]
    unseen = [name for name in names if seen[name] == 0]
    print(f"{len(files)} files, {len(lines)} frames; {dict(seen)}; never seen: {unseen}")
    return 1 if unseen or not files else 0


sys.exit(main())
