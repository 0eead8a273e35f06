#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_iptables.py SLUICE [unittest options]: the scripts of iptables and iptables-chain as
text: their names, options, what they are refused with. That they work is shown end to end."""

import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

SLUICE = None
LONG_DNS = [f"*.a{i}.b{i}.c{i}.d{i}" for i in range(20)]


class Case(unittest.TestCase):
    """A folder of its own, in which sluice runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-ipt-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def sluice(self, *args):
        """(status, stdout, stderr)."""
        done = subprocess.run([SLUICE, *args], cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def makes(self, name, *args):
        """That this call makes the script @name and nothing else; its text."""
        before = set(os.listdir(self.folder))
        self.assertEqual(self.sluice(*args), (0, f"Generated file '{name}'\n", ""))
        self.assertEqual(set(os.listdir(self.folder)), before | {name})
        path = self.folder / name
        self.assertEqual(path.stat().st_mode & 0o7777, 0o750)
        return path.read_text(encoding="ascii")

    def fails(self, status, sentence, *args):
        """That this call says exactly that and leaves no file."""
        before = sorted(os.listdir(self.folder))
        self.assertEqual(self.sluice(*args), (status, "", f"sluice {sentence}\n"))
        self.assertEqual(sorted(os.listdir(self.folder)), before)


def rule_of(text):
    """The options of the rule in INPUT, without the program."""
    body = re.search(r"^rule\(\) \{\n(.*?)\n\}", text, re.M | re.S)[1].split(" \\\n")
    return [x.strip() for x in body if "--bytecode" not in x][1:]


class Iptables(Case):
    """sluice iptables."""

    def test_names(self):
        for name, args in (
                ("bpf_dns_ip4_any_example_uk", ["dns", "*.example.uk"]),
                ("bpf_dns_ip4_any_example_uk", ["dns", "--", "-i", ".*.example.uk."]),
                ("bpf_dns_ip6_a_example_uk_any_b_uk", ["-6", "dns", "--", "a.example.uk", "*.b.uk"]),
                ("bpf_dns_ip4_ax2ax_b_xx4x9x_uk", ["dns", "--", "a%2a?.b.*{4-9}.uk"]),
                ("bpf_dns_ip4_example_xx", ["dns", "--", "example.**"]),
                ("bpf_dns_validate_ip4", ["dns_validate"]),
                ("bpf_dns_validate_ip4_strict", ["dns_validate", "--", "--strict"]),
                ("bpf_suffix_ip4_6162", ["suffix", "--", "6162"]),
                ("bpf_ntp_ip6_response", ["-6", "ntp", "--", "--response"])):
            text = self.makes(name + ".sh", "iptables", *args)
            self.assertIn(f"create {name[:31]} hash:net family inet{'6' * ('-6' in args)}\n", text)
            self.assertIn(f"-m set --match-set {name[:31]} dst \\\n", text)
            self.assertIn(f"#     ./{name}.sh --delete\n", text)
            os.unlink(self.folder / (name + ".sh"))

    def test_program_and_default_comment(self):
        for family in ([], ["-6"]):
            for negate in ([], ["-n"]):
                text = self.sluice("iptables", *family, *negate, "-w", "-", "dns", "--", "*.a.uk")[1]
                bytecode = self.sluice("gen", *family, *negate, "dns", "--", "*.a.uk")[1].strip()
                self.assertIn(f'-m bpf --bytecode "{bytecode}" \\\n', text)
                words = " ".join([*family, *negate, "dns -- *.a.uk"])
                self.assertIn(f"-m comment --comment '{words}' \\\n", text)
                self.assertIn(f"IPTABLES:-ip{'6' * len(family)}tables}}", text)

    def test_scope(self):
        common = ["-i \"${interface}\""]
        for args, scope in (
                (["dns", "a.uk"], ["-p udp --dport 53"]),
                (["ntp", "--", "--response"], ["-p udp --sport 123"]),
                (["payload", "--", "--tcp", "00"], ["-p tcp", "! -f"]),
                (["suffix", "00"], ["! -f"]),
                (["tcpdump", "icmp"], [])):
            rule = rule_of(self.sluice("iptables", "-w", "-", *args)[1])
            self.assertEqual(rule[:-3], common + scope)
            self.assertEqual(rule[-1], "-j DROP")
        self.assertNotIn("! -f", self.sluice("iptables", "-6", "-w", "-", "suffix", "00")[1])

    def test_options(self):
        text = self.makes("x", "iptables", "-w", "x", "-c", "it's", "-i", "192.0.2.1", "--ip",
                          "198.51.100.0/24", "--negate", "dns", "--", "a.uk")
        self.assertIn("--comment $'it\\'s' \\\n", text)
        self.assertRegex(text, r"for ip in 192\.0\.2\.1 198\.51\.100\.0/24 \"\$@\"; do")
        self.assertIn("match-set bpf_dns_ip4_a_uk dst", text)
        self.assertIn("#     sluice iptables -n -c $'it\\'s' -i 192.0.2.1 -i 198.51.100.0/24 "
                      "-w x dns -- a.uk\n", text)
        status, out, err = self.sluice("iptables", "-w", "-", "dns", "a.uk")
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith("#!/bin/bash\n") and out.endswith("esac\n"))
        self.assertIn("#     ./bpf_dns_ip4_a_uk.sh --delete\n", out)

    def test_set(self):
        name = "a" * 31
        text = self.makes("x", "iptables", "-w", "x", "--set", name, "dns", "a.uk")
        self.assertIn(f"create {name} hash:net", text)
        self.assertIn(f"#     sluice iptables -s {name} -w x dns -- a.uk\n", text)
        for bad in (name + "a", "", "-a", "a b", "a$b"):
            self.fails(2, "iptables: --set: expected a name of at most 31 of A-Z, a-z, 0-9, '_', '.' and "
                          f"'-', with neither of the last in front, got '{bad}'",
                       "iptables", f"--set={bad}", "dns", "a.uk")
        text = self.makes("x", "iptables", "-s", "b", "-p", "-w", "x", "payload", "66" * 100)
        self.assertIn('"${objects}/b"', text)

    def test_no_prefix_of_length_0(self):
        for six, whole, halves in (((), "0.0.0.0/0", "0.0.0.0/1 and 128.0.0.0/1"),
                                   (("-6",), "::/0", "::/1 and 8000::/1")):
            self.fails(2, f"iptables: -i: an ipset takes no prefix of length 0, got '{whole}'; "
                          f"its halves are {halves}", "iptables", *six, "-i", whole, "dns", "a.uk")

    def test_a_first_run_that_fails_leaves_nothing(self):
        tool = self.folder / "tool"
        sets = self.folder / "sets"
        sets.mkdir()
        # Sets are files, and there is never a rule; a rule or an address of the word FAIL is refused,
        # or, in a script that is to be stopped, stops it.
        tool.write_text("""#!/bin/bash
case "$*" in
*"list -name") ls "${SETS}" ;;
*" create "*) touch "${SETS}/b" ;;
"destroy b") rm "${SETS}/b" ;;
*" -C "*) exit 1 ;;
*${FAIL}*)
	[ "${STOP}" = yes ] || exit 3
	kill "${PPID}"
	;;
esac
""", encoding="ascii")
        tool.chmod(0o755)
        self.makes("x", "iptables", "-w", "x", "-s", "b", "dns", "a.uk")

        def run(fail, *args, stop="no"):
            env = {**os.environ, "IPTABLES": str(tool), "IPSET": str(tool), "SETS": str(sets), "FAIL": fail,
                   "STOP": stop}
            done = subprocess.run(["./x", *args], cwd=self.folder, env=env, timeout=60, check=False)
            return done.returncode, os.listdir(sets)

        self.assertEqual(run("-I INPUT"), (3, []))
        self.assertEqual(run("192.0.2.300", "192.0.2.300"), (3, []))
        self.assertEqual(run("-I INPUT", stop="yes"), (-signal.SIGTERM, []))
        self.assertEqual(run("none", "192.0.2.3"), (0, ["b"]))
        self.assertEqual(run("192.0.2.300", "192.0.2.300"), (3, ["b"]))
        self.assertEqual(run("none", "--delete"), (0, []))

    def test_replaces(self):
        path = self.folder / "old"
        path.write_text("old\n", encoding="ascii")
        os.symlink("old", self.folder / "link")
        self.sluice("iptables", "-w", "link", "dns", "a.uk")
        self.assertTrue((self.folder / "link").is_symlink())
        self.assertTrue(path.read_text(encoding="ascii").startswith("#!"))
        self.assertEqual(path.stat().st_mode & 0o7777, 0o750)
        before = path.read_bytes()
        self.fails(2, "iptables: '/dev/null' is no regular file; -w - writes to standard output",
                   "iptables", "-w", "/dev/null", "dns", "a.uk")
        self.fails(2, "iptables: '.' is no regular file; -w - writes to standard output",
                   "iptables", "-w", ".", "dns", "a.uk")
        self.fails(1, "iptables: cannot write 'none/x': No such file or directory",
                   "iptables", "-w", "none/x", "dns", "a.uk")
        self.fails(2, self.refusal("a..uk"), "iptables", "-w", "old", "dns", "a..uk")
        self.assertEqual(path.read_bytes(), before)

    def refusal(self, pattern):
        """What gen says of a pattern, as iptables has to say it."""
        return self.sluice("gen", "dns", "--", pattern)[2].strip().replace("sluice gen", "iptables")

    def length(self, *args):
        """Instructions that gen makes of these words."""
        return int(self.sluice("gen", *args)[1].split(",")[0])

    def refuses(self, *args):
        """That it says how long the program is."""
        self.fails(2, f"iptables: {args[-1]:.200}: the program has {self.length('--shrink', *args)} "
                      "instructions; iptables' bpf match takes at most 64; --object-pinned "
                      "takes more", "iptables", *args)

    def test_too_long(self):
        self.refuses("dns", "--", *LONG_DNS)
        sizes = {self.length(name, "--", n * "66"): (name, n)
                 for name in ("payload", "suffix") for n in range(100, 130)}
        name, n = sizes[64]
        self.makes(f"bpf_{name}_ip4_{n * '66'}.sh", "iptables", name, "--", n * "66")
        self.assertIn('--bytecode "64,', self.sluice("iptables", "-w-", name, n * "66")[1])
        name, n = sizes[min(size for size in sizes if size > 64)]
        self.refuses(name, n * "66")

    def test_made_to_fit(self):
        words = ["dns", "--", *(f"*.a{i}.example.com" for i in range(9))]
        long = self.sluice("gen", "-f", "json", *words)[1]
        text = self.makes("x", "iptables", "-w", "x", *words)
        n = int(re.search(r'--bytecode "(\d+),', text)[1])
        self.assertLessEqual(n, 64)
        self.assertEqual(len(json.loads(long)["instructions"]), n)
        self.assertIn(f"; {n} instructions, made of ", text)

    def test_objects_of_names_that_begin_alike(self):
        for end in ("com", "org"):
            text = self.sluice("iptables", "-p", "-w", "-", "dns", f"*.www.example-one.{end}")[1]
            self.assertIn("create bpf_dns_ip4_any_www_examplexone hash:net", text)
            self.assertIn(f'"${{objects}}/bpf_dns_ip4_any_www_examplexone_{end}"', text)
        names = set()
        for end in ("uk", "eu"):
            text = self.sluice("iptables", "-p", "-w", "-", "dns", *3 * [3 * (60 * "a" + ".")], f"a.{end}")[1]
            names.add(re.search(r'--object-pinned "\$\{objects\}/(.*)"', text)[1])
        self.assertEqual([len(x) for x in names], [200, 200])

    def test_object_pinned(self):
        text = self.makes("x", "iptables", "--object-pinned", "-w", "x", "syn_validate")
        self.assertIn('-m bpf --object-pinned "${objects}/bpf_syn_validate_ip4" \\\n', text)
        self.assertNotIn("--bytecode", text)
        self.assertIn("#     sluice iptables --object-pinned -w x syn_validate --\n", text)
        packed = re.search(r"object_load bpf_syn_validate_ip4 <<'END'\n(.*?)END\n", text, re.S)[1]
        made = subprocess.run([SLUICE, "gen", "-f", "ebpf", "syn_validate"], capture_output=True,
                              check=True).stdout
        unpacked = base64.b64decode(packed)
        self.assertEqual(unpacked[:4], b"\x7fELF")
        self.assertEqual(len(unpacked), len(made))
        text = self.makes("n.m_ip4.sh", "iptables-chain", "-p", "-w", "n.m", "-a", "**.a.uk", "-d",
                          "any", "-d", "b.uk")
        self.assertEqual(re.findall(r'--object-pinned "\$\{objects\}/(.*)"', text),
                         ["N_M_ip4_0", "N_M_ip4_2"])
        self.assertEqual(re.findall(r'\n\t\t"\$\{objects\}/(\w*)"', text),
                         ["N_M_ip4_0", "N_M_ip4_2"])
        subprocess.run(["shellcheck", "x", "n.m_ip4.sh"], cwd=self.folder, check=True)

    def test_long_file_names(self):
        self.makes(255 * "a", "iptables", "-w", 255 * "a", "dns", "a.uk")
        self.fails(1, f"iptables: cannot write '{256 * 'a'}': File name too long",
                   "iptables", "-w", 256 * "a", "dns", "a.uk")

    def test_refused(self):
        self.fails(2, "iptables: expected TYPE [--] [ARGUMENT…]; see sluice iptables --help",
                   "iptables")
        self.fails(2, "iptables: there is no generator 'dsn'; did you mean 'dns'?",
                   "iptables", "dsn", "a.uk")
        self.fails(2, "iptables: -i: expected an IPv6 address or prefix, got '192.0.2.1'",
                   "iptables", "-6", "-i", "192.0.2.1", "dns", "a.uk")
        self.fails(2, "iptables: -c: a comment has no control characters",
                   "iptables", "-c", "a\nb", "dns", "a.uk")
        self.fails(2, "iptables: -c: expected a comment of at most 255 bytes, got 256",
                   "iptables", "-c", 256 * "a", "dns", "a.uk")
        self.assertEqual(self.sluice("iptables", "-i", "x; id", "dns", "a.uk")[0], 2)
        many = [word for i in range(257) for word in ("-i", "192.0.2.1")]
        self.fails(2, "iptables: given too often: '-i'; see sluice iptables --help",
                   "iptables", *many, "dns", "a.uk")

    def test_long_comment_is_cut(self):
        text = self.sluice("iptables", "-w", "-", "suffix", "--", 160 * "0")[1]
        self.assertIn(f"--comment 'suffix -- {160 * '0'}' \\\n", text)
        text = self.sluice("iptables", "-w", "-", "tcpdump", "--", "ip or " + 300 * " " + "ip6")[1]
        self.assertIn(f"--comment '{('tcpdump -- ip or ' + 300 * ' ')[:255]}' \\\n", text)


class Chain(Case):
    """sluice iptables-chain."""

    def test_chain(self):
        text = self.makes("example_com_ip6.sh", "iptables-chain", "-6", "-d", "any", "-a",
                          "www.Example.com", "-a", "ns1.example.com", "-i", "2001:db8::1", "-w",
                          "example_com")
        self.assertEqual(rule_of(text), [
            "-i \"${interface}\"", "-p udp --dport 53", "-m set --match-set example_com_ip6 dst",
            "-j EXAMPLE_COM"])
        entries = re.findall(r"-A EXAMPLE_COM (.*?)-j (\w+)$", text, re.M | re.S)
        self.assertEqual([x[1] for x in entries], ["ACCEPT", "ACCEPT", "DROP", "RETURN"])
        for (options, _), name in zip(entries, ("www.Example.com", "ns1.example.com")):
            bytecode = self.sluice("gen", "-6", "dns", "--", "-i", name)[1].strip()
            self.assertIn(f'--bytecode "{bytecode}"', options)
            self.assertIn(f"--comment 'dns -- -i {name}'", options)
        self.assertNotIn("bytecode", entries[2][0])
        self.assertIn("create example_com_ip6 hash:net family inet6\n", text)
        self.assertIn("for ip in 2001:db8::1 \"$@\"; do", text)

    def test_refused(self):
        self.fails(2, "iptables-chain: expected a name for script and chain, by -w",
                   "iptables-chain", "-d", "any")
        self.fails(2, "iptables-chain: expected patterns, by --accept or --drop",
                   "iptables-chain", "-w", "x")
        for name in ("a b", "a/b", "-", "..", "", "$(id)", "a\n", "\u00e9"):
            status, out, err = self.sluice("iptables-chain", "-w", name, "-d", "any")
            self.assertEqual((status, out), (2, ""), name)
            self.assertIn("expected a name of A-Z", err)
        self.fails(2, "iptables-chain: -w: expected a name of at most 27 bytes, got 28",
                   "iptables-chain", "-w", 28 * "a", "-d", "any")
        self.fails(2, "iptables-chain: -w: INPUT is a name of iptables' own",
                   "iptables-chain", "-w", "input", "-d", "any")
        status, out, err = self.sluice("iptables-chain", "-w", "x", "-d", 16 * "**.abc." + "uk")
        self.assertEqual((status, out), (2, ""))
        self.assertNotEqual(err, "")
        self.assertEqual(os.listdir(self.folder), [])
        self.makes(27 * "a" + "_ip4.sh", "iptables-chain", "-w", 27 * "a", "-d", "any")


if __name__ == "__main__":
    SLUICE = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
