#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_cli.py SLUICE SOURCE_ROOT [unittest options]: the command line, as its users meet it:
every error it can have by its sentence and exit status, what filter says of built frames by
every engine, what stats makes of a daemon's answer."""

import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import unittest

import captures as cap
from command import SLUICE, Case, read_until, sluice

ROOT = None
XT_UDP = "4,48 0 0 23,21 0 1 17,6 0 0 65535,6 0 0 0"  # byte 9 of an IPv4 header behind Ethernet
XT_UDP_RAW = "4,48 0 0 9,21 0 1 17,6 0 0 65535,6 0 0 0"
ENGINES = ("interp", "jit", "match")


class Usage(Case):
    """Words that are wrong."""

    def test_no_command(self):
        self.fails(2, ": expected a command; see sluice --help")

    def test_unknown_command(self):
        self.fails(2, ": unknown command 'fliter'; did you mean 'filter'?", "fliter")
        self.fails(2, ": unknown command 'something'; see sluice --help", "something")

    def test_unknown_option(self):
        self.fails(2, " filter: unknown option '--verdict'; did you mean '--verdicts'?",
                   "filter", "--verdict")
        self.fails(2, " filter: unknown option '--zzz'; see sluice filter --help", "filter", "--zzz")
        self.fails(2, " stats: unknown option '-x'; see sluice stats --help", "stats", "-x")

    def test_what_is_quoted_stays_on_the_line(self):
        self.fails(2, r": unknown command 'a\x0ab\x1b[31m\x7fä'; see sluice --help",
                   "a\nb\x1b[31m\x7fä")
        self.fails(2, r" gen: column 1: u32: expected a number from 0 to 0xffffffff, got 'x\x0ay'", "gen", "u32", "x\ny")

    def test_names_of_files_are_printable(self):
        """Also where no error quotes them."""
        rules = self.path("a\x1b[2J\nb.ini", "[rule r]\nproto = 17\naction = drop\n")
        frames = self.path("c\x9b.pcap", cap.pcap([cap.udp4(b"x")]))
        shown = [x.replace("\x1b", "\\x1b").replace("\n", "\\x0a").replace("\x9b", "\\xc2\\x9b")
                 for x in (rules, frames)]
        self.assertEqual(sluice("check", rules), (0, f"{shown[0]}: 0 ports, 1 rules, no error\n", ""))
        twice = pathlib.Path(rules).read_text(encoding="utf-8") + "[rule s]\nproto = 17\naction = drop\n"
        pathlib.Path(rules).write_text(twice, encoding="utf-8")
        self.assertIn(f"\n{shown[0]}:4: ", sluice("check", rules)[1])
        self.assertIn(f"\nr ({shown[0]}:1), first at {shown[1]}:1\n", sluice("replay", "-r", rules, frames)[1])
        self.assertIn(f"at       {shown[1]}:1, ", sluice("explain", "-r", rules, frames)[1])

    def test_values(self):
        self.fails(2, " filter: expected a value behind '-b'; see sluice filter --help", "filter", "-b")
        self.fails(2, " filter: expected a value behind '--rules'; see sluice filter --help",
                   "filter", "--rules")
        self.fails(2, " filter: no value expected in '--verdicts=x'; see sluice filter --help",
                   "filter", "--verdicts=x")
        self.fails(2, " filter: given twice: '-e'; see sluice filter --help",
                   "filter", "-e", "ip", "-e", "ip6")

    def test_operands(self):
        self.fails(2, " check: expected FILE…; see sluice check --help", "check")
        self.fails(2, " stats: unexpected argument 'now'; see sluice stats --help", "stats", "now")

    def test_help(self):
        for args in (("--help",), ("help",), ("check", "--help"), ("filter", "-h"), ("stats", "--help")):
            status, out, err = sluice(*args)
            self.assertEqual((status, err), (0, ""))
            self.assertTrue(out.startswith("Usage: sluice"))
        self.assertIn("--verdicts", sluice("filter", "--help")[1])
        self.assertRegex(sluice("--version")[1], r"^sluice \d+\.\d+")

    def test_closed_pipe_and_full_disk(self):
        for args in (("--help",), ("check", os.path.join(ROOT, "conf/demo.ini"))):
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run([SLUICE, *args], stdout=write, stderr=subprocess.PIPE, check=False)
            os.close(write)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SLUICE, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"sluice: cannot write to standard output: "
                                      b"No space left on device\n")


class Check(Case):
    """Configurations and rules files."""

    def test_examples(self):
        for name in ("sluiced.ini", "demo.ini", "rules/dns-random-subdomains.ini",
                     "rules/reflection.ini", "rules/shadow.ini"):
            path = os.path.join(ROOT, "conf", name)
            status, out, err = sluice("check", path)
            self.assertEqual((status, err), (0, ""), name)
            self.assertRegex(out, r": \d+ ports, \d+ rules, no error$")

    def test_bad(self):
        bad = self.path("bad.ini", "[rule a]\nmatch = all\nacton = drop\n")
        self.fails(2, f" check: {bad}:3: unknown key 'acton' in [rule]; did you mean 'action'?",
                   "check", bad)
        bad = self.path("long.ini", "[rule a]\naction = drop\n\ncomment = " + 65536 * "x" + "\n")
        self.fails(2, f" check: {bad}:4: expected a line of at most 65536 bytes, got 65546", "check", bad)
        bad = self.path("ctl.ini", "[port a]\ndevice = net_null0\nexception = none\nmode = burst\n")
        self.fails(2, f" check: {bad}:4: mode = burst is not in this version; expected always",
                   "check", bad)

    def test_unreadable(self):
        self.fails(2, " check: /nonexistent.ini: cannot open: No such file or directory",
                   "check", "/nonexistent.ini")
        self.fails(2, f" check: {self.folder.name}: cannot read: Is a directory",
                   "check", self.folder.name)

    def test_conf_d_and_several(self):
        one = self.path("one.ini", "[port a]\ndevice = net_null0\nexception = none\n")
        part = self.path("conf.d/b.ini", "[rule r]\nport = b\naction = drop\n")
        two = self.path("other/two.ini", "[rule r]\nmatch = all\naction = drop\n")
        status, out, err = sluice("check", one, two)
        self.assertEqual(status, 2)
        self.assertEqual(err, f"sluice check: {part}:2: port: there is no [port b]\n")
        self.assertEqual(out, f"{two}: 0 ports, 1 rules, no error\n")

    def test_check_tells_what_rules_cost(self):
        """A line or a member a rule; each stage on its way, alone or all together."""
        path = self.path("cost.ini", "".join(
            f"[rule r{i}]\nmatch = dns *.host{i:03}.uk\naction = drop\n" for i in range(40)))
        status, out, err = sluice("check", "--cost", path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(sum(line.startswith("r") for line in out.splitlines()), 40)
        status, out, err = sluice("check", "--cost", "--json", "--rule", "r3", path)
        self.assertEqual((status, err), (0, ""))
        got = json.loads(out)
        self.assertEqual((list(got["rules"]), got["image"]["rules"]), (["r3"], 40))
        status, out, err = sluice("check", "--dump", path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(re.findall("(?m)^== (\\w+)", out),
                         ["paths", "items", "clusters", "tables", "kernels"])
        for stage in ("paths", "items", "clusters", "tables", "kernels"):
            part = sluice("check", "--dump", "--stage", stage, path)[1].split("\n", 1)[1]
            self.assertIn(part, out)
        for args, sentence in ((("--cost", "--rule", "x"), "there is no rule 'x'"),
                               (("--dump", "--stage", "x"),
                                "expected paths, items, clusters, tables or kernels, got 'x'")):
            status, _, err = sluice("check", *args, path)
            self.assertEqual((status, err), (2, f"sluice check: {sentence}\n"))
        self.fails(2, " check: --stage: expected --dump, too", "check", "--stage", "paths", path)
        self.fails(2, " check: --rule: expected --dump or --cost, too", "check", "--rule", "r1", path)
        self.fails(2, " check: --json: expected --cost, and no --dump", "check", "--json", path)
        self.fails(2, " rules: expected cost or dump, got 'x'", "rules", "x")

    def test_check_tells_of_rules_that_never_decide(self):
        """Behind one that takes all their frames, or with conditions that exclude each other."""
        path = self.path("shadowed.ini", """[rule wide]
proto = udp
dport = 53
action = drop
[rule narrow]
match = dns www.example.uk
action = drop
[rule never]
bytecode = 1,6 0 0 0
action = count
[rule later]
match = dns www.example.uk
action = count
order = 5
""")
        status, out, err = sluice("check", path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.splitlines()[1:], [
            f"{path}:5: rule narrow can never decide: rule wide covers it ({path}:1)",
            f"{path}:8: rule never can never match: its program returns 0 for every packet"])

    def test_stdin(self):
        status, out, err = sluice("check", "-", data=b"[rule r]\nmatch = all\naction = drop\n")
        self.assertEqual((status, out, err), (0, "-: 0 ports, 1 rules, no error\n", ""))


@unittest.skipIf(os.geteuid() != 0, "only root can become nobody")
class Permission(Case):
    """What a user who may not gets told."""

    NOBODY = 65534

    def as_nobody(self, *args):
        """Run a copy that nobody may run, wherever the build folder is."""
        os.chmod(self.folder.name, 0o755)
        copy = self.path("sluice")
        shutil.copy(SLUICE, copy)
        done = subprocess.run([copy, *args], capture_output=True, timeout=60, check=False,
                              user=self.NOBODY, group=self.NOBODY, extra_groups=[])
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_files(self):
        for name, args in (("a.ini", ("check",)), ("a.ini", ("filter", "-r")), ("p.bpf", ("filter", "-c"))):
            secret = self.path(name, "secret")
            os.chmod(secret, 0o600)
            self.assertEqual(self.as_nobody(*args, secret),
                             (2, "", f"sluice {args[0]}: {secret}: cannot open: Permission denied\n"))
        secret = self.path("a.pcap", PCAP)
        os.chmod(secret, 0o600)
        self.assertEqual(self.as_nobody("filter", secret),
                         (2, "", f"sluice filter: cannot open '{secret}': Permission denied\n"))

    def test_socket(self):
        if "built without jansson" in sluice("stats", "-S", "/nonexistent")[2]:
            self.skipTest("built without jansson")
        path = self.path("s.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(1)
            os.chmod(path, 0o660)
            self.assertEqual(self.as_nobody("stats", "-S", path),
                             (1, "", f"sluice stats: no permission to use {path}; "
                                     "be root, or a member of the group sluice\n"))


RULES = """
[set ten]
prefixes = 10.0.0.0/8
[rule dns]
match = dns *.www.example.uk
action = drop
[rule tagged]
expr = vlan 7
link = ether
action = count
mode = shadow
[rule fragment]
fragments = only
dst = ten
action = pass
when = attack
[rule off]
match = all
action = drop
enabled = no
order = 0
[rule elsewhere]
match = all
action = drop
locations = ams
order = 1
[rule arp]
expr = arp
link = ether
action = drop
"""

QUERY = cap.dns("x.www.example.uk")
FRAMES = (
    (cap.udp4(QUERY), "dns"),
    (cap.udp6(QUERY), "dns"),
    (cap.vlan(cap.udp4(QUERY)), "dns"),
    (cap.vlan(cap.udp4(b"x")), "tagged"),
    (cap.udp4(QUERY, dport=5353), "-"),
    (cap.udp4(cap.dns("www.example.uk")), "-"),
    (cap.udp4(QUERY, frag=100), "fragment"),
    (cap.udp4(QUERY, frag=0x2000), "dns"),
    (cap.udp4(QUERY, frag=100, dst="11.0.0.1"), "-"),
    (cap.ARP, "arp"),
    ((cap.udp4(QUERY)[:40], 200), "-"),
    (b"", "-"),
    (b"\0" * 5, "-"),
)
PCAP = cap.pcap([frame for frame, _ in FRAMES])
WANT = "".join(name + "\n" for _, name in FRAMES)


class Filter(Case):
    """Frames in, frames or verdicts out."""

    def test_verdicts_by_every_engine(self):
        rules = self.path("r.ini", RULES)
        for engine in ENGINES:
            got = sluice("filter", "-r", rules, "--verdicts", "--engine", engine, data=PCAP)
            self.assertEqual(got, (0, WANT, ""), engine)

    def test_location(self):
        rules = self.path("r.ini", RULES)
        with_node = self.path("n.ini", "[node]\nlocation = ams\n" + RULES)
        everything = "elsewhere\n" * len(FRAMES)
        got = sluice("filter", "-r", rules, "--verdicts", "--location", "ams", data=PCAP)
        self.assertEqual(got, (0, everything, ""))
        got = sluice("filter", "-r", with_node, "--verdicts", data=PCAP)
        self.assertEqual(got, (0, everything, ""))
        got = sluice("filter", "-r", with_node, "--verdicts", "--location=lhr", data=PCAP)
        self.assertEqual(got, (0, WANT, ""))

    def test_one_program(self):
        asm = self.path("p.bpf", "ldb [23]\njneq #17, no\nret #65535\nno: ret #0\n")
        xt = self.path("p.xt", XT_UDP + ",\n")
        is_udp4 = [frame[12:14] == b"\x08\x00" if isinstance(frame, bytes) else True
                   for frame, _ in FRAMES]
        want = "".join("match\n" if yes else "-\n" for yes in is_udp4)
        for how in (("-b", XT_UDP), ("-c", asm), ("-c", xt), ("-e", "ip proto 17"), ("-bs", "")):
            if how[0] == "-bs":
                how = ("-b" + XT_UDP,)
            for engine in ENGINES:
                got = sluice("filter", *how, "--verdicts", "--engine", engine, data=PCAP)
                self.assertEqual(got, (0, want, ""), (how, engine))

    def test_link_raw(self):
        frames = [cap.udp4(b"x"), cap.vlan(cap.udp4(b"x")), cap.ARP, cap.udp6(b"x")]
        for how in (("-b", XT_UDP_RAW), ("-e", "ip and udp")):
            for engine in ENGINES:
                got = sluice("filter", *how, "--link", "raw", "--verdicts", "--engine", engine,
                             data=cap.pcap(frames))
                self.assertEqual(got, (0, "match\nmatch\n-\n-\n", ""), (how, engine))
        # What stands behind the datagram is not there for a program of link raw.
        length = "4,128 0 0 0,21 0 1 29,6 0 0 65535,6 0 0 0"
        got = sluice("filter", "-b", length, "--link", "raw", "--verdicts",
                     data=cap.pcap([cap.udp4(b"x", pad=17), cap.udp4(b"xy", pad=16)]))
        self.assertEqual(got, (0, "match\n-\n", ""))

    def test_frames_out(self):
        frames = [cap.udp4(b"x"), cap.ARP, cap.udp6(b"x"), (cap.udp4(b"y")[:30], 99)]
        data = cap.pcap(frames)
        two = self.path("two.pcap", data)

        def kept(*args):
            status, out, err = sluice("filter", *args, data=data, raw=True)
            self.assertEqual((status, err), (0, ""))
            again = self.path("again.pcap", out)
            hexes = subprocess.run(["tcpdump", "-r", again, "-xx", "-t", "-n"], capture_output=True,
                                   check=True).stdout
            return cap.count(out), out[40:], hexes

        count, out, _ = kept("-e", "arp")
        self.assertEqual((count, out), (1, cap.ARP))
        self.assertEqual(kept("-v", "-e", "arp")[0], 3)
        self.assertEqual(kept()[0], 4)
        self.assertEqual(kept("-e", "ip", two, "-")[0], 4)
        self.assertEqual(kept("-e", "ip6", "--", two)[0], 1)

    def test_pcapng(self):
        text = self.path("a.pcap", PCAP)
        ng = self.path("a.pcapng")
        if subprocess.run(["editcap", "-F", "pcapng", text, ng], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("editcap is missing")
        rules = self.path("r.ini", RULES)
        self.assertEqual(sluice("filter", "-r", rules, "--verdicts", ng), (0, WANT, ""))

    def test_usage(self):
        rules = self.path("r.ini", RULES)
        self.fails(2, " filter: expected one of -b, -e, -c and -r, got 2 of them",
                   "filter", "-e", "ip", "-r", rules)
        self.fails(2, " filter: --link: expected raw, got 'ether'", "filter", "--link", "ether")
        self.fails(2, " filter: --link: each rule of -r has its own link",
                   "filter", "--link", "raw", "-r", rules)
        self.fails(2, " filter: --engine: expected interp, jit or match, got 'fast'",
                   "filter", "--engine", "fast")
        self.fails(2, " filter: --location: expected -r RULES with it", "filter", "--location", "x")
        self.fails(2, " filter: --invert says which frames are written, --verdicts writes none",
                   "filter", "-v", "--verdicts")

    def test_expression_of_ethernet(self):
        status, _, err = sluice("filter", "--link", "raw", "-e", "ether host 00:00:5e:00:53:01",
                                data=cap.pcap([FRAMES[0][0]]))
        self.assertEqual(status, 2)
        self.assertTrue(err.startswith("sluice filter: '-': -e: 'ether host 00:00:5e:00:53:01': needs Ethernet, "
                                       "which --link raw takes away ("), err)
        status, _, err = sluice("gen", "tcpdump", "arp")
        self.assertEqual(status, 2)
        self.assertTrue(err.startswith("sluice gen: 'arp': needs Ethernet: --link EN10MB, "), err)

    def test_bad_programs(self):
        asm = self.path("p.bpf", "ldb [9]\nfrob\n")
        status, out, err = sluice("filter", "-c", asm)
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err.startswith(f"sluice filter: {asm}:2:1: "), err)
        for how in (("-b", "1,6 0 0"), ("-b", "1,48 0 0 9"), ("-e", "nonsense"), ("-e", "")):
            status, out, err = sluice("filter", *how, data=PCAP)
            self.assertEqual((status, out), (2, ""), how)
            self.assertIn(how[0] + ": ", err)
        self.fails(2, " filter: /nonexistent: cannot open: No such file or directory",
                   "filter", "-c", "/nonexistent")
        self.fails(2, " filter: /nonexistent.ini: cannot open: No such file or directory",
                   "filter", "-r", "/nonexistent.ini")

    def test_bad_files(self):
        good = self.path("a.pcap", PCAP)
        status, out, err = sluice("filter", "/nonexistent.pcap")
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(err, "sluice filter: cannot open '/nonexistent.pcap': "
                              "No such file or directory\n")
        status, _, err = sluice("filter", self.folder.name)
        self.assertEqual(status, 2)
        self.assertIn("it is a directory", err)
        status, _, err = sluice("filter", data=b"not a savefile at all")
        self.assertEqual(status, 2)
        self.assertIn("'-' is no savefile", err)
        # A file that breaks off: its whole frames have their verdicts.
        rules = self.path("r.ini", RULES)
        status, out, err = sluice("filter", "-r", rules, "--verdicts", data=PCAP[:-7])
        self.assertEqual((status, out), (2, "".join(WANT.splitlines(True)[:-1])))
        self.assertIn("behind frame 12", err)
        raw = self.path("raw.pcap", cap.pcap([b"\x45" + 19 * b"\0"], dlt=cap.RAW))
        status, out, err = sluice("filter", good, raw, raw=True)
        self.assertEqual((status, cap.count(out)), (2, len(FRAMES)))
        self.assertIn(b"one savefile cannot hold both".decode(), err)
        other = self.path("other.pcap", cap.pcap([b"\0" * 20], dlt=105))
        self.fails(2, f" filter: '{other}': --link raw: "
                   "link type IEEE802_11 (105) is none that can be removed",
                   "filter", "-b", XT_UDP_RAW, "--link", "raw", other)

    def test_snaplen(self):
        """Of several files none is cut at the first one's snapshot length."""
        short = bytearray(cap.pcap([cap.udp4(b"x" * 20)]))
        short[16:20] = (62).to_bytes(4, "little")
        files = (self.path("short.pcap", bytes(short)),
                 self.path("long.pcap", cap.pcap([cap.udp4(b"y" * 99)])))
        one = sluice("filter", files[0], raw=True)[1]
        self.assertEqual(int.from_bytes(one[16:20], "little"), 62)
        both = sluice("filter", *files, raw=True)[1]
        self.assertEqual(cap.frames(both), [cap.udp4(b"x" * 20), cap.udp4(b"y" * 99)])

    def test_live_pipe(self):
        """Frames and verdicts come before more input does."""
        frame = FRAMES[0][0]
        rules = self.path("live.ini", "[rule r]\nproto = 250\naction = drop\n")
        for args, want, dlt in ((("filter",), frame, cap.ETHER), (("filter",), frame, 105),
                                (("filter", "--verdicts"), b"match\n", cap.ETHER),
                                (("replay", "--verdicts", "-r", rules), b"pass -\n", cap.ETHER)):
            with subprocess.Popen([SLUICE, *args], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as proc:
                proc.stdin.write(cap.pcap([frame], dlt=dlt))
                proc.stdin.flush()
                read_until(proc.stdout, want)
                proc.stdin.close()
                self.assertEqual(proc.wait(timeout=30), 0)

    def test_cut_meanwhile(self):
        """A file that somebody cuts while it is read ends with a sentence, not a signal."""
        path = self.path("cut.pcap", cap.pcap([cap.udp4(b"x" * 900)] * 4000))
        with subprocess.Popen([SLUICE, "filter", path], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, bufsize=0) as proc:
            first = proc.stdout.read(1)  # the rest waits: a pipe holds less than that
            os.truncate(path, 1_500_000)
            out, err = proc.communicate(timeout=30)
        self.assertEqual(proc.returncode, 2)
        self.assertIn(b"the file breaks off", err)
        self.assertGreater(cap.count(first + out), 200)

    def test_closed_pipe(self):
        many = self.path("many.pcap", cap.pcap([cap.udp4(b"x" * 200)] * 5000))
        for args in (("filter", many), ("filter", "--verdicts", many)):
            with subprocess.Popen([SLUICE, *args], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as proc:
                proc.stdout.read(10)
                proc.stdout.close()
                self.assertEqual(proc.stderr.read(), b"")
                self.assertEqual(proc.wait(timeout=60), 0)
        for args in (("filter", many), ("filter", "--verdicts", many)):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([SLUICE, *args], stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(b"cannot write to standard output: No space left on device", done.stderr)


LATER, FIRST = 100, 0x2000  # fragment offset 100; more fragments follow
Q4, Q6 = cap.udp4(QUERY), cap.udp6(QUERY)

# What the keys of one rule say to one frame, row by row.
SEMANTICS = (
    # generators bring their scope, which named ports replace
    ("match = dns *.www.example.uk", Q4, True),
    ("match = dns *.www.example.uk", Q6, True),
    ("match = dns *.www.example.uk\nfamily = 4", Q6, False),
    ("match = dns -6 *.www.example.uk", Q4, False),
    ("match = dns -6 *.www.example.uk", Q6, True),
    ("match = dns *.www.example.uk\ndport = 5353", Q4, False),
    ("match = dns *.www.example.uk\ndport = 5353", cap.udp4(QUERY, dport=5353), True),
    ("match = dns *.www.example.uk\ndport = any\nsport = 53",
     cap.udp4(QUERY, sport=53, dport=999), True),
    ("match = dns *.www.example.uk\ndport = any\nsport = 53", Q4, False),
    ("match = dns *.www.example.uk\ndst = 10.0.0.0/8", Q4, True),
    ("match = dns *.www.example.uk\ndst = 10.0.0.0/8", Q6, False),
    ("match = -n dns *.www.example.uk", Q4, False),
    ("match = -n dns *.www.example.uk", cap.udp4(cap.dns("a.b.c.d.e")), True),
    # fragments
    ("match = dns *.www.example.uk", cap.udp4(QUERY, frag=LATER), False),
    ("match = dns *.www.example.uk", cap.udp4(QUERY, frag=FIRST), True),
    ("proto = udp", cap.udp4(b"x", frag=LATER), True),
    ("proto = udp\ndport = 53", cap.udp4(b"x", frag=LATER), False),
    ("proto = udp\ndport = 53\nfragments = match", cap.udp4(b"x", frag=LATER), True),
    ("proto = tcp\ndport = 53\nfragments = match", cap.udp4(b"x", frag=LATER), False),
    ("match = dns a.b\nfragments = match", cap.udp4(b"x", frag=LATER), True),
    ("match = dns a.b\nfragments = match", cap.udp4(b"x"), False),
    ("proto = udp\nfragments = only", cap.udp4(b"x"), False),
    ("proto = udp\nfragments = only", cap.udp4(b"x", frag=LATER), True),
    ("proto = udp\nfragments = only", cap.udp4(b"x", frag=FIRST), True),
    ("proto = udp\nfragments = never", cap.udp4(b"x"), True),
    ("proto = udp\nfragments = never", cap.udp4(b"x", frag=FIRST), False),
    ("proto = udp\nfragments = never", cap.udp4(b"x", frag=LATER), False),
    # link, and what each sees of tags, padding and frames that are not IP
    ("expr = udp", cap.vlan(Q4), True),
    ("expr = udp\nlink = ether", cap.vlan(Q4), False),
    ("expr = vlan and udp\nlink = ether", cap.vlan(Q4), True),
    ("expr = arp\nlink = ether", cap.ARP, True),
    ("match = all", cap.ARP, True),
    ("family = 4", cap.ARP, False),
    ("bytecode = " + XT_UDP_RAW, cap.ARP, False),
    ("expr = len = 29", cap.udp4(b"x", pad=17), True),
    ("expr = len = 60\nlink = ether", cap.udp4(b"x", pad=17), True),
    # families hold for both, unless one is named
    ("expr = udp port 53", Q4, True),
    ("expr = udp port 53", Q6, True),
    ("expr = udp port 53\nfamily = 6", Q4, False),
    ("bytecode = " + XT_UDP_RAW + "\nfamily = 6", Q4, False),
    ("dport = 53, 100-200", Q6, True),
    ("dport = 1-52, 54-65535", Q6, False),
    ("src = 192.0.2.1\ndst = 10.0.0.1", Q4, True),
    ("src = 192.0.2.2\ndst = 10.0.0.1", Q4, False),
    ("src = 2001::/16", Q6, True),
    # what filter does not look at
    ("match = all\nmode = shadow", Q4, True),
    ("match = all\nwhen = attack", Q4, True),
    ("match = all\nttl = 1 s", Q4, True),
    ("match = all\nenabled = no", Q4, False),
    ("match = all\nlocations = lhr", Q4, False),
    ("match = all\nport = anything", Q4, True),
)


class Semantics(Case):
    """One rule and one frame, by every engine."""

    def test_rows(self):
        for number, (keys, frame, matches) in enumerate(SEMANTICS):
            rules = self.path(f"{number}.ini", f"[rule r]\naction = drop\n{keys}\n")
            for engine in ENGINES:
                with self.subTest(keys=keys, engine=engine):
                    got = sluice("filter", "-r", rules, "--verdicts", "--engine", engine,
                                 data=cap.pcap([frame]))
                    self.assertEqual(got, (0, "r\n" if matches else "-\n", ""))


SLL = bytes.fromhex("0000 0001 0006 020000000001 0000")
SLL2 = bytes.fromhex("0000 00000002 0001 00 06 020000000001 0000")
LINKS = (  # number in the file, what stands before IPv4, before IPv6
    (cap.ETHER, b"\2" * 12 + b"\x08\x00", b"\2" * 12 + b"\x86\xdd"),
    (cap.RAW, b"", b""),
    (12, b"", b""),
    (14, b"", b""),
    (228, b"", None),
    (229, None, b""),
    (0, b"\2\0\0\0", b"\x1e\0\0\0"),
    (0, b"\0\0\0\2", b"\0\0\0\x0a"),
    (108, b"\0\0\0\2", b"\0\0\0\x18"),
    (113, SLL + b"\x08\x00", SLL + b"\x86\xdd"),
    (276, b"\x08\x00" + SLL2, b"\x86\xdd" + SLL2),
)


class Links(Case):
    """Every link type that is taken apart, and savefiles as others write them."""

    def test_links(self):
        rules = self.path("r.ini", RULES)
        for number, four, six in LINKS:
            frames = [four + FRAMES[0][0][14:]] if four is not None else []
            frames += [six + FRAMES[1][0][14:]] if six is not None else []
            data = cap.pcap([*frames, b"\xff"], dlt=number)
            want = "dns\n" * len(frames) + "-\n"
            got = sluice("filter", "-r", rules, "--verdicts", data=data)
            self.assertEqual(got, (0, want, ""), number)
            xt = sluice("gen", "dns", "*.www.example.uk")[1] if four is not None else \
                sluice("gen", "-6", "dns", "*.www.example.uk")[1]
            out = sluice("filter", "--link", "raw", "-b", xt, data=data, raw=True)[1]
            self.assertEqual(cap.frames(out), frames[:1], number)
            out = sluice("filter", "--link", "raw", "-e", "udp", data=data, raw=True)[1]
            self.assertEqual(cap.frames(out), frames, number)

    def test_nanoseconds(self):
        """Times are kept, of both byte orders, and by -v as well."""
        for order in "<>":
            data = struct.pack(order + "IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1) + \
                struct.pack(order + "IIII", 4_000_000_000, 123_456_789, 4, 60) + b"abcd"
            want = struct.pack("<IIII", 4_000_000_000, 123_456_789, 4, 60) + b"abcd"
            for how in ((), ("-v", "-e", "greater 1000")):
                self.assertEqual(sluice("filter", *how, data=data, raw=True)[1][24:], want)

    def test_pcapng_interfaces(self):
        """Frames of several interfaces, each with its own unit of time and snapshot length."""
        def block(kind, body):
            body += b"\0" * (-len(body) % 4)
            size = struct.pack("<I", 12 + len(body))
            return struct.pack("<I", kind) + size + body + size

        def packet(interface, time, frame):
            return block(6, struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF,
                                        len(frame), len(frame)) + frame)

        def interface(linktype, snaplen, resolution):
            return block(1, struct.pack("<HHIHHI", linktype, 0, snaplen, 9, 1, resolution))

        frames = [frame for frame, _ in FRAMES]
        start = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        data = start + interface(1, 96, 9) + interface(1, 0, 6)
        data += packet(0, 1_700_000_000_123_456_789, frames[0])
        data += packet(1, 1_700_000_000_123_456, frames[1])
        out = sluice("filter", data=data, raw=True)[1]
        self.assertEqual(cap.frames(out), frames[:2])
        self.assertEqual(struct.unpack_from("<II", out, 24), (1_700_000_000, 123_456_789))
        self.assertEqual(struct.unpack_from("<II", out, 40 + len(frames[0])),
                         (1_700_000_000, 123_456_000))
        status, out, err = sluice("filter", "--verdicts", data=data + interface(113, 0, 6))
        self.assertEqual((status, out), (2, "match\n" * 2))
        self.assertEqual(err, "sluice filter: '-', behind frame 2: an interface of link type "
                              "LINUX_SLL; those before have EN10MB, and one file is read as one\n")


def answer(number):
    """What the daemon says the @number-th time it is asked."""
    return {
        "ok": True, "version": 1, "time_s": 1_700_000_000.125 + number,
        "ports": {"edge0": {
            "rx": 1000 + 200_000 * number, "rx_bytes": 1, "dropped": 199_000 * number, "limited": 0,
            "passed": 1000 * number, "sampled": 200 * number, "tx": 5,
            "lost": {"rx_missed": 3, "tx_full": 0}, "notes": {"truncated": 0, "malformed": 2}}},
        "rules": {"random-subdomains": {
            "packets": 199_000 * number, "bytes": 1, "dropped": 199_000 * number, "limited": 0,
            "would_drop": 0, "last_hit_s": 0, "mode": "enforce", "state": "on", "source": "x:1"}},
    }


class Stats(Case):
    """The daemon's numbers; the daemon is a thread here."""

    def serve(self, answers):
        """A socket whose one client gets these @answers, one a request, and then an end."""
        path = self.path("s.sock")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(1)

        def run():
            with server, server.accept()[0] as end, end.makefile("rwb") as stream:
                for text in answers:
                    request = stream.readline()
                    if not request:
                        return
                    assert json.loads(request) == {"cmd": "stats"}
                    stream.write(text.encode() + b"\n")
                    try:
                        stream.flush()
                    except BrokenPipeError:
                        return

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return path

    def setUp(self):
        super().setUp()
        if "built without jansson" in sluice("stats", "-S", "/nonexistent")[2]:
            self.skipTest("built without jansson")

    def test_json(self):
        path = self.serve([json.dumps(answer(1))])
        status, out, err = sluice("stats", "--json", "-S", path)
        want = answer(1)
        del want["ok"]
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(json.loads(out), want)
        self.assertEqual(out.count("\n"), 1)

    def test_table(self):
        path = self.serve([json.dumps(answer(n)) for n in (1, 2)])
        status, out, err = sluice("stats", "--socket", path)
        lines = out.splitlines()
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(lines[0].split(),
                         ["PORT", "rx", "dropped", "limited", "passed", "sampled", "tx", "lost"])
        self.assertEqual(lines[1].split(), ["edge0", "401000", "398000", "0", "2000", "400", "5", "3"])
        self.assertEqual(lines[2].split(),
                         ["packets/s", "200.0k", "199.0k", "0", "1000", "200", "0", "0"])
        self.assertEqual(lines[3], "  lost: rx_missed 3")
        self.assertEqual(lines[4], "  notes: malformed 2")
        self.assertEqual(lines[7].split(), ["random-subdomains", "398000", "199.0k", "398000", "0",
                                            "enforce", "on", "never"])

    def test_watch(self):
        path = self.serve([json.dumps(answer(n)) for n in range(3)])
        status, out, err = sluice("stats", "--watch", "-S", path)
        lines = out.splitlines()
        self.assertEqual(status, 1)
        self.assertEqual(err, "sluice stats: sluiced closed the connection without an answer\n")
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^\d\d:\d\d:\d\d  rx  200.0k  dropped  199.0k .* packets/s$")

    def test_watch_json_until_the_pipe_closes(self):
        path = self.serve([json.dumps(answer(n)) for n in range(9)])
        with subprocess.Popen([SLUICE, "stats", "--watch", "--json", "-S", path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as proc:
            first = json.loads(proc.stdout.readline())
            second = json.loads(proc.stdout.readline())
            proc.stdout.close()
            self.assertEqual((proc.stderr.read(), proc.wait(timeout=30)), (b"", 0))
        self.assertEqual(second["ports"]["edge0"]["rx"] - first["ports"]["edge0"]["rx"], 200_000)

    def test_errors(self):
        self.fails(1, " stats: no daemon answers at /nonexistent; is sluiced running, "
                      "with this [control] socket?", "stats", "-S", "/nonexistent")
        path = self.serve([json.dumps({"ok": False, "error": "not now"})])
        self.fails(1, " stats: not now", "stats", "-S", path, "--json")

    def test_other_versions(self):
        path = self.serve([json.dumps(answer(1) | {"version": 2})])
        self.fails(1, " stats: the daemon's statistics are not of version 1; "
                      "are sluice and sluiced of one version?", "stats", "-S", path, "--json")


if __name__ == "__main__":
    ROOT = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
