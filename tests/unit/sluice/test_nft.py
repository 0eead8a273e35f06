#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_nft.py SLUICE [unittest options]: the text of sluice nft's scripts, line by line, and its
errors by their sentences. tests/e2e/nft.py asks nft and the kernel what the scripts do."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import command
from command import SLUICE

NAME = re.compile(r"[A-Za-z0-9._-]+")


def nft(*args):
    """Run it; (status, stdout, stderr)."""
    return command.sluice("nft", *args)


class Case(command.Case):
    """A folder of its own, and how it is asked."""

    def script(self, text, *args):
        """The script for a file of rules."""
        status, out, err = nft("-r", self.path("r.ini", text), *args)
        self.assertEqual((status, err), (0, ""))
        return out

    def lines(self, keys, *args, action="drop"):
        """The conditions of one rule, what follows cut off."""
        out = self.script(f"[rule r]\n{keys}\naction = {action}\n", *args)
        return [re.split(r" ?counter| ?jump", x)[0].strip() for x in out.split("\n")
                if ('comment "r"' in x or "jump x_r" in x)]

    def fails(self, sentence, *args, text=None):
        if text is not None:
            args = ("-r", self.path("r.ini", text), *args)
        self.assertEqual(nft(*args), (2, "", f"sluice nft: {sentence}\n"))


class Scopes(Case):
    """Keys of a rule."""

    def test_families(self):
        self.assertEqual(self.lines("match = all"), [""])
        self.assertEqual(self.lines("family = 4"), ["meta nfproto ipv4"])
        self.assertEqual(self.lines("family = 4", "--family", "ip"), [""])
        self.assertEqual(self.lines("family = 4", "--family", "ip6"), [])
        self.assertEqual(self.lines("proto = udp"), ["meta l4proto 17"])
        self.assertEqual(self.lines("proto = udp, 1-5, tcp"), ["meta l4proto { 17, 1-5, 6 }"])

    def test_ports(self):
        late = " ip frag-off & 0x1fff == 0"
        self.assertEqual(self.lines("proto = udp\ndport = 53"), [
            "meta nfproto ipv4 meta l4proto 17 th dport 53 @th,56,8 >= 0" + late,
            "meta nfproto ipv6 meta l4proto 17 th dport 53 @th,40,24 >= 0"])
        self.assertEqual(self.lines("sport = 1-5, 9\ndport = 7\nfamily = 6"), [
            f"meta nfproto ipv6 meta l4proto {protos} th sport {{ 1-5, 9 }} th dport 7 @th,{last},24 >= 0"
            for protos, last in (("6", 136), ("{ 17, 136 }", 40), ("{ 33, 132 }", 72))])

    def test_addresses(self):
        out = self.script("[set a]\nprefixes = 192.0.2.0/24, 2001:db8::1, 10.0.0.0/8\n"
                          "[rule r]\nsrc = a\ndst = 1.2.3.4, 2001:db8::/64\naction = drop\n"
                          "[rule s]\ndst = a\nfamily = 4\naction = pass\n")
        self.assertIn("\tset v4_a {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\tauto-merge\n"
                      "\t\telements = { 192.0.2.0/24, 10.0.0.0/8 }\n\t}\n", out)
        self.assertEqual(out.count("set v4_a {"), 1)
        self.assertIn("\t\tmeta nfproto ipv4 ip saddr @v4_a ip daddr { 1.2.3.4/32 } counter drop", out)
        self.assertIn("\t\tmeta nfproto ipv6 ip6 saddr @v6_a ip6 daddr { 2001:db8::/64 } counter", out)
        self.assertIn('\t\tmeta nfproto ipv4 ip daddr @v4_a counter accept comment "s"\n', out)
        # A set without elements yet is made; a long list becomes one.
        out = self.script("[set e]\nprefixes =\n[rule r]\ndst = e\naction = drop\n")
        self.assertIn("\tset v6_e {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t\tauto-merge\n\t}\n", out)
        many = ", ".join(f"10.0.{i}.0/24" for i in range(20))
        out = self.script(f"[rule r]\ndst = {many}\naction = drop\n")
        self.assertEqual(out.count("10.0."), 20)
        self.assertIn("ip daddr @v4r_r_daddr counter", out)

    def test_fragments(self):
        self.assertEqual(self.lines("fragments = only\nfamily = 4"), [
            "meta nfproto ipv4 ip frag-off & 0x1fff != 0",
            "meta nfproto ipv4 ip frag-off & 0x3fff == 0x2000"])
        self.assertEqual(self.lines("fragments = never\nfamily = 6"), [
            "meta nfproto ipv6 exthdr frag missing",
            "meta nfproto ipv6 frag frag-off == 0 frag more-fragments == 0"])
        self.assertEqual(self.lines("fragments = match\nfamily = 4\nproto = udp\ndport = 7"), [
            "meta nfproto ipv4 ip frag-off & 0x1fff != 0 meta l4proto 17",
            "meta nfproto ipv4 ip frag-off & 0x1fff == 0 meta l4proto 17 th dport 7 @th,56,8 >= 0"])

    def test_verdicts(self):
        for action, tail in (("drop", "counter drop"), ("pass", "counter accept"), ("count", "counter"),
                             ("drop\nmode = shadow", "counter")):
            out = self.script(f"[rule r]\nmatch = all\naction = {action}\n")
            self.assertIn(f"\n\t\t{tail} comment \"r\"\n", out)
        out = self.script("[rule r]\nfragments = only\naction = count\n")
        self.assertEqual(out.count('counter return comment "r"'), 4)
        out = self.script("[rule r]\nmatch = all\naction = drop\nenabled = no\n"
                          "[rule s]\nmatch = all\naction = drop\nlocations = ams\n")
        self.assertIn("# r: left out: disabled\n\t\t# s: left out: elsewhere\n", out)
        self.assertNotIn("counter", out)
        out = self.script("[rule r]\nmatch = all\naction = drop\nttl = 6 h\n")
        self.assertIn("\n\t\t# r: its ttl does not run here\n\t\tcounter drop", out)


class Programs(Case):
    """What becomes of programs."""

    def four(self, keys):
        return [x.removeprefix("meta nfproto ipv4 ") for x in
                self.lines(keys + "\nfamily = 4")]

    def code(self, *words):
        """Conditions of a program that begins with these and matches behind the last."""
        return self.four(f"bytecode = {len(words) + 2}," + ",".join(words) + ",6 0 0 1,6 0 0 0")

    def test_comparisons(self):
        for words, want in (
                (("48 0 0 8", "21 0 1 64"), "@nh,64,8 == 0x40"),
                (("48 0 0 8", "21 1 0 64"), "@nh,64,8 & 0xff != 0x40"),
                (("40 0 0 2", "37 0 1 100"), "@nh,16,16 >= 101"),
                (("40 0 0 2", "37 1 0 100"), "@nh,16,16 <= 100"),
                (("40 0 0 2", "53 0 2 100", "53 1 0 200"), "@nh,16,16 >= 100 @nh,16,16 <= 199"),
                (("48 0 0 9", "69 0 1 6"), "@nh,72,8 & 0x6 != 0x0"),
                (("48 0 0 9", "69 1 0 6"), "@nh,72,8 & 0x06 == 0x00"),
                (("32 0 0 12", "84 0 0 4294967040", "21 0 1 3221225984"), "@nh,96,24 == 0xc00002"),
                (("128 0 0 0", "53 0 1 60"), "meta length >= 60")):
            self.assertEqual(self.code(*words), [want], words)

    def test_header_walk(self):
        """L4 by the header's length; bytes that are only loaded must be there, too."""
        self.assertEqual(self.four("bytecode = 6,177 0 0 0,72 0 0 2,21 0 2 53,80 0 0 30,6 0 0 1,6 0 0 0\n"
                                   "fragments = never"),
                         ["ip frag-off & 0x3fff == 0 @th,16,16 == 0x0035 @th,240,8 >= 0"])
        out = self.four("match = dns a.b")
        self.assertEqual(out, ["meta l4proto 17 th dport 53 ip frag-off & 0x1fff == 0 "
                               "@th,160,40 == 0x0161016200"])
        self.assertEqual(self.four("expr = udp dst port 53"), [
            "@nh,48,32 & 0x1fff00ff == 0x00000011 @th,16,16 == 0x0035"])
        # Later fragments run a program that does not ask, and Linux shows them no L4.
        self.assertEqual(self.code("177 0 0 0", "72 0 0 2", "21 0 1 53"), ["meta nfproto ipv4"])

    def test_split_at_128_bits(self):
        name = ".".join(c * 9 for c in "abcde")
        line, = self.four(f"match = dns {name}")
        windows = re.findall(r"@th,(\d+),(\d+) == 0x([0-9a-f]+)", line)
        self.assertEqual([int(n) for _, n, _ in windows], [128, 128, 128, 24])
        wire = b"".join(b"\t" + c.encode() * 9 for c in "abcde") + b"\0"
        self.assertEqual("".join(x for _, _, x in windows), wire.hex())
        at = 160
        for start, bits, _ in windows:
            self.assertEqual(int(start), at)
            at += int(bits)

    def test_ipv6(self):
        lines = self.lines("match = dns -i a.b\nfamily = 6")
        self.assertEqual(lines, ["meta nfproto ipv6 meta l4proto 17 th dport 53 "
                                 "@th,176,24 >= 0 @th,160,40 & 0xffdfffdfff == 0x0141014200"])
        self.assertEqual(self.lines("expr = ip6[7] > 60\nfamily = 6"),
                         ["meta nfproto ipv6 @nh,56,8 >= 61"])
        # What was compiled for the other family is left out.
        self.assertEqual(self.lines("expr = ip6[7] > 60", "-f", "ip"), [])

    def test_xt(self):
        out = self.script("[rule r]\nmatch = dns *.b\naction = drop\n[rule n]\nmatch = suffix 00\n"
                          "mode = shadow\naction = drop\n")
        self.assertIn("# 4 rules of xt_bpf, which nft cannot read, are put by sluice nft --apply", out)
        self.assertRegex(out, r"\tchain x_r_1 \{\n\t\t# xt_bpf, \d+ instructions, drop\n\t\}")
        self.assertRegex(out, r"\tchain x_n_1 \{\n\t\t# xt_bpf, \d+ instructions, counted\n\t\}")
        self.assertIn("ip6 nexthdr != { 0, 43, 44, 51, 60 } jump x_r_2\n", out)
        self.assertIn("# r: IPv6 packets with extension headers do not match\n", out)

    def test_limits(self):
        code = "".join(f",64 0 0 {4 * i},29 0 {89 - 3 * i} 0,7 0 0 0" for i in range(30))
        text = f"[rule r]\nbytecode = 92{code},6 0 0 1,6 0 0 0\naction = drop\nfamily = 4\n"
        self.assertRegex(self.script(text), r"# xt_bpf, \d+ instructions \(it takes 64\) as eBPF, drop\n")
        ether = "[rule e]\nexpr = arp\nlink = ether\naction = drop\n"
        why = "rule e: link = ether, and behind this hook there is no Ethernet header"
        self.fails(f"{self.folder.name}/r.ini:5: {why}", text="[rule a]\nproto = udp\naction = drop\n\n" + ether)
        out = self.script(ether + "[rule s]\nmatch = all\naction = drop\n", "--skip")
        self.assertIn(f"\n\t\t# e: left out: {why}\n\t\tcounter drop comment \"s\"\n", out)


class Scripts(Case):
    """Tables, chains, names, errors."""

    def test_own_table(self):
        out = self.script("[rule r]\nmatch = all\naction = drop\n")
        self.assertEqual(out, "#!/usr/sbin/nft -f\n# Made by sluice nft. Counters stand at the rules' names.\n\n"
                              "table inet sluice\ndelete table inet sluice\ntable inet sluice {\n\tchain rules {\n"
                              "\t\ttype filter hook prerouting priority -300; policy accept;\n"
                              "\t\tcounter drop comment \"r\"\n\t}\n}\n")
        out = self.script("[rule r]\nmatch = all\naction = drop\n", "-d")
        self.assertTrue(out.endswith("\ntable inet sluice\ndelete table inet sluice\n"))

    def test_table_of_others(self):
        rules = "[set v]\nprefixes = 1.2.3.4\n[rule r]\ndst = v\nfragments = only\naction = drop\n"
        out = self.script(rules, "--table", "filter", "--hook", "input", "--priority", "-5", "-f", "ip")
        self.assertIn("\ncreate set ip filter v4_v { type ipv4_addr; flags interval; auto-merge; }\n"
                      "create chain ip filter r_r\n"
                      "create chain ip filter rules { type filter hook input priority -5; policy accept; }\n", out)
        self.assertNotIn("delete", out)
        out = self.script(rules, "--table", "filter", "--hook", "none", "--chain", "x")
        self.assertIn("create chain inet filter x\n", out)
        self.assertNotIn(" hook ", out)
        out = self.script(rules, "--table", "filter", "--delete")
        for what in ("chain inet filter rules", "chain inet filter r_r", "set inet filter v4_v"):
            self.assertIn(f"delete {what}\n", out)
        self.assertNotIn("delete table", out)

    def test_generator(self):
        status, out, err = nft("dns", "--", "a.b")
        self.assertEqual((status, err), (0, ""))
        self.assertIn('\t\tmeta nfproto ipv4 meta l4proto 17 th dport 53 ip frag-off & 0x1fff == 0 '
                      '@th,160,40 == 0x0161016200 counter drop comment "dns_a.b"\n', out)
        out = nft("-6", "--dst", "2001:db8::1", "-D", "2001:db8::/64", "-A", "count", "-N", "n.1",
                     "dns", "a.b")[1]
        self.assertIn("ip6 daddr { 2001:db8::1/128, 2001:db8::/64 } @th,176,24 >= 0 @th,160,40 == 0x0161016200 counter "
                      'comment "n.1"\n', out)

    def test_hostile_names(self):
        for word in ('"; flush ruleset; "', "a\nflush ruleset", "$(touch x)", "`x`", "a;b", "{", "}", "#",
                     "\\", "é", "'", "a" * 300):
            status, out, err = nft("payload", "--", "text:" + word)
            if status != 0:
                self.assertEqual(out, "")
                continue
            self.assertEqual(err, "")
            for comment in re.findall(r"comment (.*)", out):
                self.assertRegex(comment, r'^"[A-Za-z0-9._-]{1,64}"$')
            self.assertNotIn("flush", re.sub(r'comment ".*"', "", out))
            for option in ("--table", "--chain", "--name"):
                if not NAME.fullmatch(word) or len(word) > 64:
                    got = nft(option, word, "dns", "a.b")
                    self.assertEqual(got[:2], (2, ""))
                    self.assertIn(f"sluice nft: {option}: expected a letter, then up to 63", got[2])
                    self.assertRegex(got[2], r", got '[^\n]*'\n\Z")

    def test_words_of_nft_are_no_names(self):
        for option in ("--table", "--chain"):
            for word in ("accept", "auto-merge", "destroy", "ip6", "lshift", "rt0", "set", "xt"):
                self.assertEqual(nft(option, word, "dns", "a.b"),
                                 (2, "", f"sluice nft: {option}: '{word}' is a word of nft's own, "
                                         "which they take for no name; expected another one\n"))
            for word in ("sets", "Set", "a", "xu"):
                self.assertEqual(nft(option, word, "dns", "a.b")[0], 0)

    def test_apply_reaches_nft_without_standard_input(self):
        rules = self.path("ok.ini", "[rule r]\nproto = udp\naction = drop\n")
        got = self.path("got", "")
        tool = self.path("tool", f"#!/bin/sh\ncat >'{got}'\n")
        os.chmod(tool, 0o755)
        script = nft("-r", rules)[1]
        for redirect in ("", " <&-"):
            pathlib.Path(got).write_text("", encoding="ascii")
            done = subprocess.run(["sh", "-c", f'exec "$@"{redirect}', "sh", SLUICE, "nft", "-r", rules, "--apply"],
                                  env={**os.environ, "NFT": tool}, capture_output=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
            self.assertEqual(pathlib.Path(got).read_text(encoding="utf-8"), script)

    def test_errors(self):
        rules = self.path("ok.ini", "[rule r]\nmatch = all\naction = drop\n")
        for sentence, args in (
                ("expected -r RULES or a generator; see sluice nft --help", ()),
                ("expected -r RULES or a generator; see sluice nft --help", ("-r", rules, "dns", "a.b")),
                ("-6, -n, --dst, --action and --name are a generator's, not of -r", ("-6", "-r", rules)),
                ("--family: expected inet, ip or ip6, got 'netdev'", ("-f", "netdev", "-r", rules)),
                ("--hook: expected prerouting, input, forward, output, postrouting or none, got 'ingress'",
                 ("-k", "ingress", "-r", rules)),
                ("--priority: expected a number, got 'x'", ("-p", "x", "-r", rules)),
                ("--chain: r_ and x_ begin the names of the rules' own chains", ("-c", "r_x", "-r", rules)),
                ("--action: expected drop, pass or count, got 'x'", ("-A", "x", "dns", "a.b")),
                ("--dst: expected IPv4, got '::1'", ("-D", "::1", "dns", "a.b"))):
            self.fails(sentence, *args)
        status, out, err = nft("frob", "x")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("frob", err)

    def test_closed_pipe_and_full_disk(self):
        rules = self.path("ok.ini", "".join(f"[rule r{i}]\ndport = {i}\naction = drop\n" for i in range(900)))
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([SLUICE, "nft", "-r", rules], stdout=write, stderr=subprocess.PIPE, check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SLUICE, "nft", "-r", rules], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr), (
            1, b"sluice nft: cannot write to standard output: No space left on device\n"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
