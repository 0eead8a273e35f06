#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`sluice xdp` as a command: what it refuses and how, what it writes, patches and lists."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SLUICE = ""
CLANG = shutil.which("clang-14") or shutil.which("clang")

RULES = """[node]
location = lhr

[set victims]
prefixes = 198.51.100.0/24, 2001:db8::/32

[set none]
prefixes =

[rule subdomains]
match = dns *.www.example.uk
dst = victims
action = drop

[rule elsewhere]
expr = udp port 123
locations = ams, fra
action = drop

[rule here]
expr = udp port 389
locations = lhr, ams
action = drop

[rule off]
expr = icmp
enabled = no
action = count

[rule unarmed]
dst = none
action = drop
"""


def run(*argv, **kw):
    return subprocess.run([SLUICE, "xdp", *argv], capture_output=True, timeout=60, check=False, **kw)


class Xdp(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="slu-xdp-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.rules = self.write("rules.ini", RULES)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def refused(self, status, text, *argv, **kw):
        p = run(*argv, **kw)
        self.assertEqual(p.returncode, status, p.stderr)
        self.assertIn(text, p.stderr.decode())
        self.assertEqual(p.stdout, b"")
        self.assertEqual(p.stderr.count(b"\n"), 1, p.stderr)

    def refused_rule(self, rule, text, *argv):
        """The rule is refused with its place, and no file is made."""
        path = self.write("bad.ini", "[rule good]\nproto = udp\naction = drop\n\n" + rule)
        out = self.path("bad.o")
        self.refused(2, text, "-r", path, "-w", out, *argv)
        self.assertIn(f"{path}:", run("-r", path, "-w", out, *argv).stderr.decode())
        self.assertEqual(sorted(os.listdir(self.dir)), ["bad.ini", "rules.ini"])

    def object(self, *argv):
        out = self.path("rules.o")
        p = run("-r", self.rules, "-w", out, *argv)
        self.assertEqual((p.returncode, p.stderr, p.stdout), (0, b"", b""))
        return out

    def states(self, obj):
        """Name: state, of --list."""
        p = run("--list", obj)
        self.assertEqual(p.returncode, 0, p.stderr)
        lines = p.stdout.decode().split("\n")
        at = lines[0].index("STATE"), lines[0].index("LOCATIONS")
        return {x.split()[1]: x[at[0]:at[1]].strip() for x in lines[1:] if x}

    def test_rules_that_need_a_daemon_are_refused_by_place(self):
        self.refused_rule("[rule a]\nproto = udp\naction = drop\nttl = 1 h\n", "[rule a]: nothing ends its ttl")
        self.refused_rule("[rule a]\nproto = udp\naction = drop\nwhen = attack\n", "when")
        self.refused_rule("[rule a]\nproto = udp\naction = limit 10 pps\n", "limit")
        self.refused_rule("[port p]\ndevice = net_null0\nexception = none\n\n[rule a]\nproto = udp\naction = drop\nport = p\n",
                          "say with --port")

    def test_a_ttl_is_taken_when_asked_for(self):
        path = self.write("ttl.ini", "[rule a]\nproto = udp\naction = drop\nttl = 1 h\n")
        self.assertEqual(run("-r", path, "-w", self.path("ttl.o"), "--no-ttl").returncode, 0)

    def test_bad_usage(self):
        obj = self.object()
        self.refused(2, "expected one of -r RULES", "-w", "-")
        self.refused(2, "expected one of -r RULES", "-r", self.rules, "--list", obj)
        self.refused(2, "expected ebpf or c", "-r", self.rules, "-f", "asm")
        self.refused(2, "go with --patch", "-r", self.rules, "--disable", "here")
        self.refused(2, "go with -r", "--list", obj, "--hook", "x")
        self.refused(2, "go with -r and --patch", "--list", obj, "-w", "x")
        self.refused(2, "go with -r and --patch", "--counters", obj, "--location", "x")
        self.refused(2, "--json goes with --counters", "-r", self.rules, "--json")
        self.refused(2, "there is no [port nope]", "-r", self.rules, "--port", "nope", "-w", "-")
        self.refused(2, "hook: expected a path", "-r", self.rules, "--hook", "/sys/fs/bpf/a-b", "-w", "-")
        self.refused(2, "hook: expected a path", "-r", self.rules, "--hook", "/sys/fs/bpf/" + 16 * "a", "-w", "-")
        self.refused(2, "--sample", "-r", self.rules, "--sample", "7", "-w", "-")
        self.refused(2, "--snaplen", "-r", self.rules, "--snaplen", "0", "-w", "-")
        self.refused(2, "there is no rule 'hero'; did you mean 'here'?", "--patch", obj, "--enable", "hero")
        self.refused(2, "expected an object made by sluice xdp", "--list", self.rules)
        self.refused(2, "expected an object made by sluice xdp", "--list", SLUICE)

    def test_a_file_is_written_whole_or_not_at_all(self):
        self.refused(1, "cannot write", "-r", self.rules, "-w", self.path("nowhere/rules.o"))
        obj = self.object()
        with open(obj, "rb") as f:
            before = f.read()
        self.refused(2, "there is no rule", "--patch", obj, "--disable", "subdomains", "--disable", "nope")
        with open(obj, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertEqual(sorted(os.listdir(self.dir)), ["rules.ini", "rules.o"])

    def test_a_file_stays_private(self):
        obj = self.object()
        os.chmod(obj, 0o600)
        self.assertEqual(run("--patch", obj, "--disable", "here").returncode, 0)
        self.assertEqual(os.stat(obj).st_mode & 0o7777, 0o600)
        mask = os.umask(0o077)
        self.addCleanup(os.umask, mask)
        self.assertEqual(run("-r", self.rules, "-w", self.path("new.o")).returncode, 0)
        self.assertEqual(os.stat(self.path("new.o")).st_mode & 0o7777, 0o600)

    def test_the_same_rules_give_the_same_bytes(self):
        with open(self.object(), "rb") as f:
            first = f.read()
        self.assertEqual(run("-r", self.rules).stdout, first)
        self.assertEqual(first[:4], b"\x7fELF")

    def patch(self, obj):
        """States follow the file, --location and --patch."""
        self.assertEqual(self.states(obj), {
            "subdomains": "in force", "elsewhere": "other location", "here": "in force",
            "off": "disabled", "unarmed": "disabled"})
        moved = self.path("moved.o")
        p = run("--patch", obj, "-l", "fra", "-d", "subdomains", "-e", "off", "-w", moved)
        self.assertEqual((p.returncode, p.stderr), (0, b""))
        self.assertEqual(self.states(moved), {
            "subdomains": "disabled", "elsewhere": "in force", "here": "other location",
            "off": "in force", "unarmed": "disabled"})
        self.assertEqual(self.states(obj)["here"], "in force")
        self.assertEqual(run("--patch", moved, "--location", "nowhere").returncode, 0)
        self.assertEqual(self.states(moved)["elsewhere"], "other location")
        with open(obj, "rb") as f, open(moved, "rb") as g:
            a, b = f.read(), g.read()
        self.assertEqual(len(a), len(b))
        self.assertLessEqual(sum(x != y for x, y in zip(a, b)), 5)

    def test_an_object_can_be_patched(self):
        self.patch(self.object())

    def test_only_who_can_sample_is_told_to(self):
        obj = self.object()
        self.refused(2, "the object cannot sample", "--patch", obj, "--sample", "1/10")
        self.assertEqual(run("-r", self.rules, "-w", obj, "--sample", "off").returncode, 0)
        self.assertEqual(run("--patch", obj, "--sample", "1/10").returncode, 0)
        self.assertEqual(run("-r", self.rules, "--sample", "1/10").stdout, pathlib.Path(obj).read_bytes())

    def test_names_are_names(self):
        obj = pathlib.Path(self.object())
        made = obj.read_bytes()
        self.assertEqual(made.count(b"\0subdomains\0"), 1)
        for name in (b'sub"domain', b"sub\x1bdomain", b"subdomai\xc3\xa4"):
            obj.write_bytes(made.replace(b"\0subdomains\0", b"\0" + name + b"\0"))
            self.refused(2, "names in the object are damaged", "--list", str(obj))

    def test_locations_are_printable(self):
        obj = pathlib.Path(self.object())
        made = obj.read_bytes()
        self.assertIn(b"lhr, ams\0", made)
        obj.write_bytes(made.replace(b"lhr, ams\0", b"lh\x1b[31m\n\0"))
        p = run("--list", str(obj))
        self.assertEqual((p.returncode, p.stderr), (0, b""))
        self.assertIn(b"  lh\\x1b[31m\\x0a\n", p.stdout)

    def test_help_asks_for_maps_by_id(self):
        """A name is that of several maps where several objects are loaded; bpftool refuses it then."""
        shown = run("--help").stdout.decode()
        self.assertIn("map dump id ", shown)
        self.assertIn("map update id ", shown)
        self.assertNotRegex(shown, r"map \w+ name")

    def test_counters_by_name(self):
        obj = self.object()
        number = [f"0x{x:02x}" for x in (7, 1, 0, 0, 0, 0, 0, 0)]
        values = [{"cpu": c, "value": number * 6} for c in range(2)]
        dump = [{"key": ["0x02", "0x00", "0x00", "0x00"], "values": values}]
        p = run("--counters", obj, "--json", input=json.dumps(dump).encode())
        if b"built without jansson" in p.stderr:
            self.skipTest("built without jansson")
        self.assertEqual(p.returncode, 0, p.stderr)
        rules = json.loads(p.stdout)["rules"]
        self.assertEqual(rules["here"]["packets"], 2 * 263)
        self.assertEqual(rules["off"]["dropped"], 0)
        p = run("--counters", obj, input=json.dumps(dump).encode())
        self.assertIn(b"here", p.stdout)
        for bad in (b"", b"[", b"{}", b"[1]", b'[{"key":["0x00"],"values":[]}]'):
            self.refused(2, "expected the output of bpftool", "--counters", obj, input=bad)
        dump[0]["key"][0] = "0x63"
        self.refused(2, "more slots", "--counters", obj, input=json.dumps(dump).encode())

    @unittest.skipUnless(CLANG, "clang is not installed")
    def test_the_c_compiles_without_a_warning_and_can_be_patched(self):
        source, obj = self.path("rules.c"), self.path("rules-c.o")
        self.assertEqual(run("-r", self.rules, "-f", "c", "-w", source, "--sample", "1/10",
                             "--hook", "/sys/fs/bpf/hook").returncode, 0)
        p = subprocess.run([CLANG, "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
                            "-target", "bpf", "-c", source, "-o", obj], capture_output=True, check=False)
        self.assertEqual((p.returncode, p.stderr), (0, b""))
        self.patch(obj)
        self.assertEqual(run("--patch", obj, "--sample", "1/100").returncode, 0)


if __name__ == "__main__":
    SLUICE = sys.argv.pop(1)
    unittest.main()
