#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_formats.py SLUICE [unittest options]: programs from any format to any other and back,
what tcpdump prints, and what C compilers say of programs as C."""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from share import SHARE, environment

SLUICE = None
BOTH_WAYS = ("xt", "asm", "ddd", "c-array", "json")
GENERATED = (
    ("dns", "*.www.example.uk"), ("dns", "-i", "a.b.uk", "**.c.uk"), ("dns_validate",),
    ("-6", "dns", "*{4-9}.a.uk"), ("-n", "suffix", "0102030405"), ("ntp",),
    ("payload", "--end", "text:xyzzy"), ("memcached",), ("syn_validate",),
    ("p0f", "*:64:0:*:mss*20,10:mss,sok,ts,nop,ws:df,id+:0"),
    ("tcpdump", "tcp[13] & 2 != 0 or (ip[2:2] - ((ip[0] & 0xf) << 2)) > 40"),
)
EXPRESSIONS = ("udp port 53", "ip and tcp dst portrange 1-1024", "ip6 or icmp", "len > 100",
               "tcp[tcpflags] & tcp-syn != 0", "ip[8] % 7 = 3 or ip[0] & 0xf ^ 5 != 0",
               "(tcp[12] >> 2) * 2 > 40", "not host 192.0.2.1")


def sluice(*args, text=""):
    """What it prints."""
    return subprocess.run([SLUICE, *args], input=text, capture_output=True, text=True,
                          timeout=60, check=True, env=environment()).stdout


def shown(fmt, text):
    """What dis makes of what need not be a program."""
    done = subprocess.run([SLUICE, "dis", "-f", fmt], input=text, capture_output=True, text=True,
                          timeout=60, check=False, env=environment())
    assert done.returncode == (2 if done.stderr else 0), done
    return done.stdout


def generate(words, fmt):
    """A program of GENERATED in the format @fmt."""
    options = list(itertools.takewhile(lambda x: x[0] == "-", words))
    rest = words[len(options):]
    return sluice("gen", *options, "-f", fmt, rest[0], "--", *rest[1:])


class Objects(unittest.TestCase):
    """-f ebpf; tests/e2e/ebpf.py loads what it writes."""

    def binary(self, *args, text=""):
        """Standard output of sluice, as bytes."""
        return subprocess.run([SLUICE, *args], input=text.encode(), capture_output=True,
                              timeout=60, check=True).stdout

    def test_same_object(self):
        """gen writes what asm and dis make of its program, but for the family that it is for."""
        words = ("tcpdump", "udp port 53")
        made = self.binary("gen", "-f", "ebpf", *words)
        self.assertEqual(made[:5], b"\x7fELF\2")
        for name in (b"socket_filter", b"xdp_drop", b"Dual BSD/GPL", b".BTF.ext"):
            self.assertIn(name, made)
        text = sluice("gen", *words)
        self.assertEqual(self.binary("asm", "-f", "ebpf", text=text), made)
        self.assertEqual(self.binary("dis", "-f", "ebpf", "--link", "raw", text=text), made)
        ether = self.binary("asm", "-f", "ebpf", "--link", "ether", text=text)
        self.assertLess(len(ether), len(made))
        self.assertNotEqual(self.binary("gen", "-6", "-f", "ebpf", "suffix", "00"),
                            self.binary("gen", "-f", "ebpf", "suffix", "00"))

    def test_named_links(self):
        words = ("tcpdump", "--", "--link", "EN10MB", "udp port 53")
        self.assertEqual(self.binary("gen", "-f", "ebpf", *words),
                         self.binary("gen", "-o", "14", "-f", "ebpf", "tcpdump", "udp port 53"))
        for command, sentence in ((("gen", "-f", "ebpf"), "an XDP program sees Ethernet"),
                                  (("iptables", "-w", "-"), "show a program the IP header"),
                                  (("iptables", "-p", "-w", "-"), "show a program the IP header"),
                                  (("nft",), "show a program the IP header")):
            bad = subprocess.run([SLUICE, *command, "tcpdump", "--", "--link", "PPP", "udp"],
                                 capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((bad.returncode, bad.stdout), (2, ""))
            self.assertIn(sentence, bad.stderr)

    def test_refused(self):
        bad = subprocess.run([SLUICE, "asm", "-f", "ebpf", "--link", "wifi"], input="ret #0",
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(bad.returncode, 2)
        self.assertIn("expected raw or ether, got 'wifi'", bad.stderr)
        bad = subprocess.run([SLUICE, "asm", "-f", "c"], input="div #0\nret a", capture_output=True,
                             text=True, timeout=60, check=False)
        self.assertEqual((bad.returncode, bad.stderr),
                         (2, "sluice asm: instruction 1 divides by the constant 0\n"))
        ours, theirs = os.openpty()
        bad = subprocess.run([SLUICE, "gen", "-f", "ebpf", "suffix", "00"], stdout=theirs,
                             stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        os.close(theirs)
        os.close(ours)
        self.assertEqual(bad.returncode, 2)
        self.assertIn("terminal", bad.stderr)


class Formats(unittest.TestCase):
    """sluice asm and dis."""

    def test_all_to_all(self):
        pairs = 0
        for words in random.sample(GENERATED, max(3, len(GENERATED) // SHARE)):
            # libpcap leaves numbers behind that nothing reads, and a text cannot say.
            numbers = json.loads(sluice("asm", "-f", "json", text=generate(words, "asm")))
            numbers = numbers["instructions"]
            self.assertGreater(len(numbers), 1)
            plain = {fmt: sluice("asm", "-f", fmt, text=json.dumps({"instructions": numbers}))
                     for fmt in BOTH_WAYS}
            for source, target in itertools.product(BOTH_WAYS, BOTH_WAYS):
                command = ("asm", "dis")[pairs % 2]
                got = sluice(command, "-f", target, text=plain[source])
                self.assertEqual(got, plain[target], f"{words}: {source} to {target}")
                pairs += 1
            for source in BOTH_WAYS:
                self.assertEqual(sluice("asm", "-f", "c", text=plain[source]),
                                 generate(words, "c"), words)
        print(f"{pairs} conversions")

    def test_random_programs(self):
        seed = int(os.environ.get("SLUICE_SEED", random.randrange(2 ** 32)))
        print(f"SLUICE_SEED={seed}")
        rng = random.Random(seed)
        codes = [x[0] for x in json.loads(generate(GENERATED[-1], "json"))["instructions"]]
        for _ in range(150 if os.environ.get("SLUICE_LONG") == "1" else 15 // SHARE):
            n = rng.randrange(1, 40)
            rows = [[rng.choice(codes + [0x07, 0x87, 0x84, 0x0c, 0x60, 0x02]), 0, 0,
                     rng.choice((0, 3, 15, 2 ** 31 - 1, rng.randrange(16)))] for _ in range(n)]
            for i, row in enumerate(rows):
                if row[0] & 7 == 5:
                    row[0] = 0x15
                    row[1], row[2] = (rng.randrange(min(n - i, 255)) for _ in "tf")
                elif row[0] in (0x07, 0x87, 0x84, 0x0c, 0x80, 0x81, 0x1d, 0x3d, 0x1c) or \
                        row[0] & 0xf == 0xc:
                    row[3] = 0 # what nothing reads has no place in a text
            rows = [row for row in rows[:-1] if row[0] != 0x16] + [[6, 0, 0, 1]]
            for i, row in enumerate(rows): # shorter now
                left = len(rows) - 1 - i
                row[1], row[2] = (min(x, max(left - 1, 0)) for x in row[1:3])
            text = json.dumps({"instructions": rows})
            first = shown("json", text)
            self.assertEqual(json.loads(first)["instructions"], rows)
            for path in rng.sample(list(itertools.permutations(("asm", "ddd", "c-array"))), 2):
                last = first
                for fmt in (*path, "json"):
                    last = shown(fmt, last)
                self.assertEqual(last, first, path)

    def test_no_program(self):
        """asm refuses what no engine runs; dis shows it and says so."""
        def convert(*args, text):
            got = subprocess.run([SLUICE, *args], input=text, capture_output=True, text=True, check=False)
            return got.returncode, got.stdout, got.stderr

        for text, why, seen in (
                ("2,177 0 0 0,21 5 9 1", "instruction 2 jumps 9 instructions ahead, but only 0 follow",
                 "\tldxb 4*([0]&0xf)\n\t; 0x15 5 9 0x1\n"),
                ("1,65535 0 0 0", "instruction 1 has the unknown opcode 0xffff", "\t; 0xffff 0 0 0x0\n"),
                ("2,52 0 0 0,6 0 0 1", "instruction 1 divides by the constant 0", "\tdiv #0\n\tret #1\n"),
                ("1,48 0 0 0", "instruction 1 is the last and no return", "\tldb [0]\n")):
            for fmt in BOTH_WAYS + ("c", "ebpf"):
                self.assertEqual(convert("asm", "-f", fmt, text=text), (2, "", f"sluice asm: {why}\n"))
            self.assertEqual(convert("dis", text=text), (2, seen, f"sluice dis: {why}\n"))
            self.assertEqual(convert("dis", "-f", "xt", text=text), (2, text + "\n", f"sluice dis: {why}\n"))
            for fmt in ("c", "ebpf"):
                self.assertEqual(convert("dis", "-f", fmt, text=text), (2, "", f"sluice dis: {why}\n"))

    def test_tcpdump_prints(self):
        for expr in EXPRESSIONS:
            told = [subprocess.run(["tcpdump", "-y", "RAW", how, expr], capture_output=True,
                                   text=True, check=True).stdout for how in ("-d", "-dd", "-ddd")]
            for fmt in BOTH_WAYS + ("c",):
                got = {sluice("asm", "-f", fmt, text=x) for x in told}
                self.assertEqual(len(got), 1, f"{expr} as {fmt}")
            self.assertEqual(sluice("asm", "-f", "ddd", text=told[0]), told[2])

    def test_shift_for_linux(self):
        text = "ldb [1]\ntax\nld #1\nlsh x\nret a\n"
        n = int(sluice("asm", "-f", "xt", text=text).split(",")[0])
        self.assertGreater(n, 5) # a test for 32 stands in front
        self.assertEqual(int(sluice("asm", "-f", "ddd", text=text).split("\n")[0]), 5)
        once = sluice("asm", "-f", "xt", text=text)
        self.assertEqual(sluice("asm", "-f", "xt", text=once), once)
        text = text.replace("tax", "and #31\ntax")
        self.assertEqual(sluice("asm", "-f", "xt", text=text).split(",")[0], "6")
        full = "".join(f"st M[{i}]\n" for i in range(16)) + "ldb [1]\ntax\nlsh x\nret a\n"
        got = subprocess.run([SLUICE, "asm"], input=full, capture_output=True, text=True,
                             check=False)
        self.assertEqual(got.returncode, 2)
        self.assertIn("which Linux needs a free word of M[] for", got.stderr)

    def test_compilers(self):
        programs = [generate(words, "c") for words in GENERATED]
        programs += [sluice("gen", "-f", "c", "tcpdump", "--", x) for x in EXPRESSIONS]
        with tempfile.TemporaryDirectory(prefix="sluice-c-") as folder:
            path = os.path.join(folder, "all.c")
            with open(path, "w", encoding="ascii") as f:
                for i, text in enumerate(programs):
                    f.write(text.replace("filter(", f"filter{i}("))
            compilers = [x for x in ("gcc", "clang", "clang-14") if shutil.which(x)]
            self.assertGreater(len(compilers), 0)
            for compiler in compilers:
                for level in ("-O0", "-O2"):
                    got = subprocess.run([compiler, "-Wall", "-Wextra", "-Wshadow", level, "-c",
                                          "-o", "/dev/null", path], capture_output=True,
                                         text=True, timeout=120, check=False)
                    self.assertEqual((got.returncode, got.stderr), (0, ""), compiler)

    def test_json_refused(self):
        for text, place in (('{"instructions":[]}', "1:18"), ('{"x":[[6,0,0,0]]}', "1:2"),
                            ('{"instructions":[[6,0,0]]}', "1:24"),
                            ('{"instructions":[[6,0,0,0]]', "1:28"),
                            ('{"instructions":[[6,0,0,0]],"more":1}', "1:28"),
                            ('{"instructions":[[6,0,0,4294967296]]}', "1:25"),
                            ('{"instructions":[[6,0,256,0]]}', "1:23"),
                            ('{"instructions":[[6,0,0,0],]}', "1:28")):
            got = subprocess.run([SLUICE, "dis"], input=text, capture_output=True, text=True,
                                 check=False)
            self.assertEqual((got.returncode, got.stdout), (2, ""), text)
            self.assertIn(f"-:{place}: ", got.stderr, text)


if __name__ == "__main__":
    SLUICE = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
