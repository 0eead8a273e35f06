#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_docs.py SLUICE SOURCE_ROOT DOCS_FOLDER [SLUICED]: the manual and the bash completion
say what --help says, no more and no less; mandoc and shellcheck find nothing in them."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SLUICE, ROOT, DOCS, SLUICED = None, None, None, None


def run(*argv, **more):
    """Standard output of a command that must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, **more)
    if done.returncode != 0:
        raise AssertionError(f"{argv}: {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def page(name):
    """A page as its readers see it: {section: lines}."""
    text = run("mandoc", "-Tutf8", "-O", "width=1000", str(DOCS / name))
    text = re.sub(".\b", "", text)
    sections, lines = {}, []
    for line in text.split("\n")[1:]:
        if re.match(r"[A-Z\[]", line) and "(" not in line:
            lines = sections.setdefault(line, [])
        lines.append(line)
    return sections


def squeeze(text):
    """@text with single blanks."""
    return " ".join(text.split())


def listed(lines, depth=7):
    """What a section lists: [(term, what is said of it)]."""
    found = []
    for line in lines[1:]:
        indent = len(line) - len(line.lstrip())
        if indent == depth:
            found.append((squeeze(line), ""))
        elif indent > depth and found:
            term, text = found[-1]
            found[-1] = (term, squeeze(text + " " + line))
    return found


def help_of(*argv):
    """(options [(term, help)], examples [(command, help)], all of it) of a program's --help."""
    text = run(*argv, "--help")
    options, examples, head = [], [], ""
    for line in text.split("\n"):
        head = line if re.match(r"\S", line) else head
        m = re.match(r"  (?:(-\w), |    )(--\S+(?: \S+)*?)(?:  +| (?=[A-Z][a-z]))(\S.*)$", line) \
            or re.match(r"  (?:(-\w), |    )(--\S+(?: \S+)?) (\S.*)$", line)
        if m and head != "Examples:":
            options.append(((m[1] + ", " if m[1] else "") + m[2], squeeze(m[3])))
        elif head == "Examples:" and re.match(r"  \S", line):
            examples.append([squeeze(line), ""])
        elif head == "Examples:" and line.startswith("      "):
            examples[-1][1] += squeeze(line)
    return options, [tuple(e) for e in examples], text


def commands():
    """[(name, sentence)] of sluice --help."""
    return re.findall(r"^  ([a-z]\S*) +(\S.*)$", run(SLUICE, "--help"), re.M)


def generators():
    """[(name, sentence)] of sluice gen --list."""
    return [tuple(line.split(None, 1)) for line in run(SLUICE, "gen", "--list").splitlines()]


def complete(words, program="sluice", folder=None, before=""):
    """What bash proposes for the last of @words."""
    script = 'source "$0"; COMP_CWORD=$(($# - 1)); COMP_WORDS=("$@"); COMPREPLY=()\n' \
        f'{before}\n_{program}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    out = run("bash", "--norc", "--noprofile", "-u", "-c", script,
              str(DOCS / program), program, *words, cwd=folder)
    return [x for x in out.split("\n") if x]


def names_of(options):
    """-x and --long of what help_of() found."""
    return sorted(w.split()[0] for term, _ in options for w in term.split(", "))


class Manual(unittest.TestCase):
    """Pages."""

    def test_pages(self):
        want = {"sluice.1", "sluice-rules.5"} | {f"sluice-{name}.1" for name, _ in commands()}
        if SLUICED:
            want |= {"sluiced.8", "sluiced.ini.5"}
        self.assertEqual({p.name for p in DOCS.iterdir() if re.search(r"\.\d$", p.name)}, want)

    def test_mandoc(self):
        for path in sorted(DOCS.glob("*.[1-8]")):
            done = subprocess.run(["mandoc", "-T", "lint", str(path)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout + done.stderr, "", path.name)

    def test_commands(self):
        self.assertEqual([(re.sub(r"^sluice-(.*)\(1\)$", r"\1", term), text)
                          for term, text in listed(page("sluice.1")["COMMANDS"])], commands())

    def test_each_command(self):
        for name, sentence in commands():
            with self.subTest(name):
                got, (options, examples, text) = page(f"sluice-{name}.1"), help_of(SLUICE, name)
                self.assertEqual(squeeze(got["NAME"][1]),
                                 f"sluice-{name} - {sentence.rstrip('.')}")
                usage = re.match(r"Usage: (.*)\n", text)[1]
                self.assertEqual(squeeze(got["SYNOPSIS"][1]), squeeze(usage))
                self.assertEqual(listed(got["OPTIONS"]), options)
                self.assertGreater(len(options), 0)
                said = squeeze(" ".join(got["DESCRIPTION"][1:]))
                body = squeeze(text.split("\n\n", 1)[1].split("\n\n  ", 1)[0])
                self.assertEqual(said, squeeze(body.split(" -h, --help", 1)[0]))
                shown = [squeeze(x) for x in got.get("EXAMPLES", [""])[1:] if x]
                self.assertEqual(shown, [w for command, told in examples for w in (told, command)])
                for command, _ in examples:
                    self.assertRegex(command, r"\bsluice \w|^\./")
                status = " ".join(t + " " + w for t, w in listed(got["EXIT STATUS"]))
                self.assertRegex(status, "^0 .* 1 .* 2 ")

    def test_generators(self):
        text = " ".join(page("sluice-gen.1")["GENERATORS"])
        for name, sentence in generators():
            self.assertIn(f" {name} {sentence} ", squeeze(text) + " ")
            usage = run(SLUICE, "gen", name, "--", "--help").split("Usage: ", 1)[1]
            self.assertIn(squeeze(usage), squeeze(text))

    def keys(self, kinds):
        """(section, key) of every line of conf/sluiced.ini that has one, commented out or not."""
        found, section = [], None
        for line in (ROOT / "conf/sluiced.ini").read_text().split("\n"):
            if m := re.match(r";?\[(\w+)", line):
                section = m[1]
            elif m := re.match(r";?([a-z_]+) =", line):
                found.append((section, m[1]))
        return sorted(f for f in found if (f[0] in ("set", "rule")) == kinds)

    def page_keys(self, name):
        return sorted((re.match(r"\[(\w+)", section)[1], term.split()[0])
                      for section, lines in page(name).items() if section[0] == "["
                      for term, _ in listed(lines) if re.match(r"\w+ = ", term))

    def test_rules(self):
        self.assertEqual(self.page_keys("sluice-rules.5"), self.keys(True))

    def test_rules_examples(self):
        lines = [x.strip() for x in page("sluice-rules.5")["EXAMPLES"]]
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as rules:
            rules.write("\n".join(x for x in lines if re.match(r"\[|[a-z]+ = ", x)) + "\n")
            rules.flush()
            self.assertIn("2 rules", run(SLUICE, "check", rules.name))

    def test_daemon(self):
        if not SLUICED:
            return
        self.assertEqual(self.page_keys("sluiced.ini.5"), self.keys(False))
        self.assertEqual(listed(page("sluiced.8")["OPTIONS"]), help_of(SLUICED)[0])


class Completion(unittest.TestCase):
    """Words that bash proposes."""

    def test_shellcheck(self):
        for name in ("sluice", *(["sluiced"] if SLUICED else [])):
            run("shellcheck", str(DOCS / name))
            self.assertIn(f"complete -F _{name} {name}",
                          run("bash", "--norc", "-c", 'source "$0"; complete -p', str(DOCS / name)))

    def test_commands(self):
        self.assertEqual(complete([""]), [n for n, _ in commands()] + ["--help", "--version"])
        self.assertEqual(complete(["hex"]), ["hex2pcap"])
        self.assertEqual(complete(["nothing", ""]), [])

    def test_options(self):
        for name, _ in commands():
            with self.subTest(name):
                self.assertEqual(sorted(complete([name, "-"])), names_of(help_of(SLUICE, name)[0]))
        self.assertEqual(complete(["filter", "--verd"]), ["--verdicts"])
        self.assertEqual(complete(["filter", "x.pcap", "--verd"]), ["--verdicts"])
        self.assertEqual(complete(["filter", "--", "--verd"]), [])

    def test_generators(self):
        names = [n for n, _ in generators()]
        for words in (["gen"], ["gen", "-6"], ["gen", "-o", "14"], ["gen", "-f", "asm"],
                      ["iptables", "-i", "192.0.2.1"], ["gen", "--format", "=", "c"],
                      ["nft", "-A", "drop"]):
            self.assertEqual(complete([*words, ""]), names)
        self.assertEqual(complete(["gen", "dns", ""]), [])
        for name in names:
            proposed = complete(["gen", name, "--", "-"])
            usage = run(SLUICE, "gen", name, "--", "--help")
            self.assertEqual(set(proposed), set(re.findall(r"--[a-z][a-z-]*", usage)) | {"--help"})

    def test_values(self):
        formats = re.search(r"--format FORMAT +Write (.*); default",
                            run(SLUICE, "gen", "--help"))[1]
        formats = re.split(r",? or |, ", formats)
        self.assertGreater(len(formats), 5)
        self.assertEqual(complete(["gen", "-f", ""]), formats)
        self.assertEqual(complete(["dis", "--format", "x"]), ["xt"])
        self.assertEqual(complete(["dis", "--format", "=", "x"]), ["xt"])
        self.assertEqual(complete(["dis", "--format", "="]), formats)
        self.assertEqual(complete(["filter", "--engine", ""]), ["interp", "jit", "match"])
        self.assertEqual(complete(["filter", "--link", ""]), ["raw"])
        self.assertEqual(complete(["xdp", "-f", ""]), ["ebpf", "c"])
        self.assertEqual(complete(["filter", "-e", ""]), [])
        self.assertEqual(complete(["hex2pcap", "--link", ""]), [])

    def test_files(self):
        with tempfile.TemporaryDirectory(prefix="sluice-docs-") as folder:
            for name in ("a b.pcap", "a.pcap", "rules.ini"):
                pathlib.Path(folder, name).touch()
            for words in (["filter"], ["filter", "-r"], ["filter", "x.pcap"], ["check"],
                          ["offset", "string"], ["dis"], ["explain"], ["xdp", "--list"], ["filter", "--rules", "="]):
                self.assertEqual(sorted(complete([*words, "a"], folder=folder)),
                                 ["a b.pcap", "a.pcap"], words)
            self.assertEqual(complete(["offset", "a"], folder=folder), [])
            if SLUICED:
                self.assertEqual(complete(["-c", "r"], "sluiced", folder), ["rules.ini"])

    def test_daemon(self):
        if SLUICED:
            self.assertEqual(sorted(complete(["-"], "sluiced")), names_of(help_of(SLUICED)[0]))


if __name__ == "__main__":
    SLUICE, ROOT, DOCS = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    SLUICED = sys.argv[4] if len(sys.argv) > 4 else None
    os.environ["LC_ALL"] = "C.UTF-8"
    unittest.main(argv=sys.argv[:1], verbosity=2)
