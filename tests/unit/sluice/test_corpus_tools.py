#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_corpus_tools.py SLUICE RULES: every capture of the folder SLUICE_CORPUS through every
tool that reads one: filter by bytecode, expression, assembler and rules, by each engine, on the
frame and on the datagram, negated; pcap2hex and hex2pcap back, parsedns, offset, replay,
explain. They agree with each other, and nothing but sluice's own lines is on stderr, where a
sanitizer would report."""

import os
import pathlib
import subprocess
import sys
import tempfile

import captures as cap
from share import environment, share_of

SKIPPED = 77
SLUICE, RULES = sys.argv[1:3]
KNOWN = (cap.ETHER, cap.RAW, 0, 12, 14, 108, 113, 228, 229, 276)
BYTECODE = "6,40 0 0 12,21 0 2 2048,48 0 0 23,21 1 0 17,6 0 0 0,6 0 0 65535"
RAW = "4,48 0 0 9,21 0 1 17,6 0 0 65535,6 0 0 0"
ASM = "ldh [12]\njneq #0x800, no\nldxb 4*([14]&0xf)\nldb [x+14]\njge #1, yes, no\n" \
      "yes: ret #65535\nno: ret #0\n"
EXPRESSIONS = ("ip or ip6", "greater 100", "udp port 53")
BATCH = 400_000  # bytes of arguments

failures = []


def wrong(what):
    failures.append(what)
    print(what)


def sluice(*args, data=None, may=(0,)):
    """Standard output of sluice; its exit status must be one of @may, all on stderr its own."""
    done = subprocess.run([SLUICE, *map(str, args)], input=data, capture_output=True, timeout=120,
                          check=False, env=environment())
    told = done.stderr.decode(errors="replace").splitlines()
    own = [line for line in told if line.startswith(f"sluice {args[0]}: ")]
    if done.returncode not in may or own != told or (done.returncode == 0) != (not told):
        wrong(f"{[str(a)[:80] for a in args[:9]]}: exit {done.returncode}: {told[:30]}")
    return done.stdout


def engines(*args):
    """The verdicts by all engines, which are the same."""
    lines = [sluice("filter", *args[0], "--verdicts", "--engine", engine, *args[1]).decode().split()
             for engine in ("interp", "jit", "match")]
    if not lines[0] == lines[1] == lines[2]:
        wrong(f"{args[0]}: the engines differ")
    return lines[0]


def each_program(files, known, asm):
    """One line a frame, by every kind of program; returns how many frames there are."""
    n = len(sluice("filter", "--verdicts", *files).split())
    for how in (("-b", BYTECODE), ("-c", asm), ("-r", RULES)):
        lines = engines(how, files)
        if len(lines) != n or set(lines) == {"-"}:
            wrong(f"{how}: {len(lines)} lines for {n} frames, {set(lines)}")
    for how in (("-b", RAW), *(("-e", e) for e in ("udp", "ip6", "tcp[13] & 2 != 0"))):
        lines = engines((*how, "--link", "raw"), known)
        if set(lines) != {"match", "-"}:
            wrong(f"{how}: {set(lines)}")
    return n


def by_link(files):
    """Files by the link type that they have in the savefile that filter writes, and those that
    hold frames."""
    groups, full = {}, []
    for path in files:
        written = sluice("filter", path)
        groups.setdefault(cap.link(written), []).append(path)
        if cap.count(written) > 0:
            full.append(path)
    return groups, full


def each_link(files, asm):
    """Written frames: what matches and what does not are all; an expression may be refused."""
    total = cap.count(sluice("filter", *files))
    programs = [(("-b", BYTECODE), (0,)), (("-c", asm), (0,)), (("-r", RULES), (0,))]
    programs += [(("-e", expression), (0, 2)) for expression in EXPRESSIONS]
    for how, may in programs:
        out = [sluice("filter", *how, *flag, *files, may=may) for flag in ((), ("-v",))]
        if all(out) and sum(map(cap.count, out)) != total:
            wrong(f"{files[0].name}…: {how}: {[cap.count(o) for o in out]} of {total} frames")


def batches(words):
    """@words in groups that fit a command line."""
    group, size = [], 0
    for word in words:
        if size + len(word) > BATCH and group:
            yield group
            group, size = [], 0
        group.append(word)
        size += len(word)
    if group:
        yield group


def hexadecimal(files, known):
    """To digits and back, and each frame as a DNS message."""
    text = sluice("pcap2hex", "--no-normalize", *files)
    back = sluice("hex2pcap", data=text)
    if sluice("pcap2hex", "--no-normalize", "-", data=back) != b"".join(
            line + b"\n" for line in text.splitlines() if line):
        wrong("hex2pcap: other frames than pcap2hex printed")
    for flags in ((), ("--ascii",), ("--scrub",), ("--ascii", "--key", "x", "--no-normalize")):
        sluice("pcap2hex", *flags, *known)
    # A word of the command line holds 128 KiB.
    words = [w for w in text.decode().split() if len(w) < 100_000]
    for group in batches(words):
        sluice("parsedns", *group, may=(0, 2))
    return len(text.splitlines())


def offsets(files, n):
    for flags, lines in (((), n), (("-r", "-p", "-s"), n), (("-i", "-s"), None)):
        out = sluice("offset", *flags, "\\x00\\x01", *files)
        if lines is not None and out.count(b"\n") != lines:
            wrong(f"offset {flags}: {out.count(10)} lines for {n} frames")


def rulesets(commands, files, full, n):
    """replay over all; explain of the first frame of those that hold one."""
    if "replay" in commands:
        lines = sluice("replay", "-r", RULES, "--verdicts", *files).count(b"\n")
        if lines != n:
            wrong(f"replay: {lines} lines for {n} frames")
        sluice("replay", "-r", RULES, *files)
    if "explain" in commands:
        for path in share_of(full):
            sluice("explain", "-r", RULES, f"{path}:1")


def main():
    folder = os.environ.get("SLUICE_CORPUS")
    if not folder:
        print("SLUICE_CORPUS does not name a folder of captures")
        return SKIPPED
    files = sorted(p for p in pathlib.Path(folder).iterdir() if p.suffix in (".pcap", ".pcapng"))
    commands = sluice("--help").decode()
    commands = [line.split()[0] for line in commands.splitlines() if line.startswith("  ")]
    with tempfile.TemporaryDirectory() as tmp:
        asm = pathlib.Path(tmp) / "a.bpf"
        asm.write_text(ASM)
        groups, full = by_link(files)
        for some in share_of(list(groups.values())):
            each_link(some, asm)
        known = [path for link in KNOWN for path in groups.get(link, [])]
        n = each_program(files, known, asm)
    if hexadecimal(files, known) != n:
        wrong("pcap2hex: not one line a frame")
    offsets(files, n)
    rulesets(commands, files, full, n)
    print(f"{len(files)} files of {len(groups)} link types, {len(known)} of types that are parsed, "
          f"{n} frames")
    return 1 if failures or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
