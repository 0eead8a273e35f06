#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_explain.py SLUICE [unittest options]: what sluice explain says of a frame and of rules
on it: by hand; the verdict of each rule against sluice filter with that rule alone; what is
named as the test that fails, by putting what it wants into the frame."""

import json
import os
import pathlib
import random
import re
import sys
import unittest

import captures as cap
import command
from command import sluice


RULES = """
[set ten]
prefixes = 10.0.0.0/8
[rule dns]
match = dns -i *.www.example.uk
action = drop
[rule ports]
proto = udp
sport = 53, 1000-1100
dport = 7
action = drop
[rule six]
family = 6
action = count
[rule fragments]
fragments = only
action = pass
[rule to-ten]
dst = ten
src = 198.51.100.0/24, 2001:db8::/32
action = drop
mode = shadow
[rule big]
expr = greater 1000
action = drop
[rule far]
bytecode = 3,64 0 0 100,21 0 0 1,6 0 0 65535
action = drop
[rule arp]
expr = arp
link = ether
action = drop
[rule ping]
expr = icmp[icmptype] == 8
action = drop
[rule off]
match = all
action = drop
enabled = no
"""

QUERY = cap.dns("x.www.example.uk")


class Case(command.Case):
    """A folder of its own, and how it is asked."""

    def answer(self, *args, data=b""):
        status, out, err = sluice("explain", "--json", *args, data=data)
        self.assertEqual((status, err), (0, ""))
        return json.loads(out)

    def whys(self, *args):
        """By rule: "yes", or why not in short."""
        got = self.answer(*args)["rules"]
        return {x["rule"]: "yes" if x["matches"] else
                f"{x['why']['key']}: {x['why']['wanted']}: {x['why']['seen']}" for x in got}


class ByHand(Case):
    """Frames and rules whose verdicts are known."""

    def test_scope(self):
        rules = self.path("r.ini", RULES)
        want = {"dns": "yes", "ports": "sport: 53, 1000-1100: 1234", "six": "family: 6: 4",
                "fragments": "fragments: a fragment: no fragment",
                "to-ten": "src: 198.51.100.0/24, 2001:db8::/32: 192.0.2.1",
                "big": "program: at least 1000: 62", "far": "program: bytes 100 to 103: 62 bytes",
                "arp": "program: 2054 (0x0806): 2048 (0x0800)",
                "ping": "program: 1 (0x01): 17 (0x11)", "off": "yes"}
        self.assertEqual(self.whys("-r", rules, cap.udp4(QUERY).hex()), want)
        # Padding is not seen; tags are not in the way.
        self.assertEqual(self.whys("-r", rules, cap.udp4(QUERY, pad=60).hex()), want)
        self.assertEqual(self.whys("-r", rules, cap.vlan(cap.udp4(QUERY)).hex()),
                         {**want, "arp": "program: 2054 (0x0806): 33024 (0x8100)"})
        got = self.whys("-r", rules, cap.udp4(QUERY, sport=1000).hex())
        self.assertEqual(got["ports"], "dport: 7: 53")
        got = self.whys("-r", rules, cap.udp6(QUERY).hex())
        self.assertEqual((got["dns"], got["six"]), ("yes", "yes"))
        got = self.whys("-r", rules, cap.udp4(QUERY, frag=100).hex())
        self.assertEqual((got["dns"], got["fragments"]),
                         ("fragments: no later fragment: a later fragment", "yes"))
        self.assertEqual(got["ports"], "ports: a header with ports: a later fragment")
        got = self.whys("-r", rules, cap.ARP.hex())
        self.assertEqual((got["arp"], got["six"], got["far"]),
                         ("yes", "IP: an IP header: none", "IP: an IP header: none"))
        got = self.whys("-r", rules, "0000")
        self.assertEqual(got["six"], "IP: an IP header: a truncated frame")

    def test_program(self):
        """The instruction with its comment, the place, the field."""
        rules = self.path("r.ini", RULES)
        frame = cap.udp4(QUERY.replace(b"example", b"exbmple"))
        why = self.answer("-r", rules, "--rule", "dns", frame.hex())["rules"][0]["why"]
        self.assertEqual(why["comment"], r"16 bytes: \x03www\x07example\x02uk\x00")
        self.assertRegex(why["text"], "^jneq #0x[0-9a-f]+, lb_0$")
        bytes_ = frame[14 + why["offset"]:14 + why["offset"] + why["size"]]
        self.assertIn(b"b", bytes_)
        self.assertIn("0x" + bytes_.hex().lstrip("0"), why["seen"])
        ping = self.answer("-r", rules, "--rule", "ping", cap.udp4(QUERY).hex())["rules"][0]
        self.assertEqual((ping["why"]["field"], ping["why"]["offset"]), ("protocol", 9))
        file = self.path("p.bpf", "; only UDP\nldb [9]\njneq #17, no\n; to port 7\n"
                                  "ldh [22]\njeq #7, yes, no\nyes: ret #1\nno: ret #0\n")
        rule = self.path("f.ini", f"[rule f]\nfile = {file}\naction = drop\n")
        why = self.answer("-r", rule, cap.udp4(QUERY).hex())["rules"][0]["why"]
        self.assertEqual(why, {"key": "program", "wanted": "7 (0x0007)", "seen": "53 (0x0035)",
                               "instruction": 4, "text": "jeq #7, yes, no", "comment": "to port 7",
                               "offset": 22, "size": 2, "field": "destination port"})

    def test_programs_alone(self):
        udp = cap.udp4(QUERY).hex()
        self.assertEqual(self.whys("-e", "udp port 53", udp), {"match": "yes"})
        self.assertEqual(self.whys("-e", "udp port 99", udp),
                         {"match": "program: 99 (0x0063): 53 (0x0035)"})
        xt = "4,48 0 0 9,21 0 1 17,6 0 0 65535,6 0 0 0"
        self.assertEqual(self.whys("-b", xt, "--link", "raw", udp), {"match": "yes"})
        self.assertEqual(self.whys("-b", xt, udp), {"match": "program: 17 (0x11): 2 (0x02)"})
        self.assertEqual(self.whys("-b", xt, "--link", "raw", cap.ARP.hex()),
                         {"match": "IP: an IP header: none"})
        for code, want in (("1,6 0 0 0", "a result: 0"), ("2,48 0 0 12,22 0 0 0", None),
                           ("3,1 0 0 0,60 0 0 0,6 0 0 1", "a divisor: 0"),
                           ("4,48 0 0 0,69 0 1 1,6 0 0 1,6 0 0 0", "some bit of 0x01: 0x02"),
                           ("4,48 0 0 0,69 1 0 2,6 0 0 1,6 0 0 0", "no bit of 0x02: 0x02"),
                           ("4,48 0 0 0,37 0 1 9,6 0 0 1,6 0 0 0", "over 9 (0x09): 2 (0x02)"),
                           ("4,48 0 0 0,53 1 0 1,6 0 0 1,6 0 0 0", "below 1 (0x01): 2 (0x02)"),
                           ("5,48 0 0 0,84 0 0 1,21 0 1 1,6 0 0 1,6 0 0 0",
                            "1 (0x01): 0 (0x00) = 0x2 & 0x1"),
                           ("5,1 0 0 3,48 0 0 0,29 0 1 0,6 0 0 1,6 0 0 0",
                            "3 (0x03), what x is: 2 (0x02)")):
            got = self.whys("-b", code, udp)["match"]
            self.assertEqual(got, "yes" if want is None else "program: " + want, code)

    def test_parse(self):
        got = self.answer(cap.vlan(cap.vlan(cap.udp4(QUERY, pad=3), 5), 6).hex())
        self.assertEqual(got["link"]["tag"], ["6 (0x8100)", "5 (0x8100)"])
        self.assertEqual(got["ip"], {"version": 4, "source": "192.0.2.1", "destination": "10.0.0.1",
                                     "protocol": "udp", "ttl": 64, "at_byte": 22, "length": 62,
                                     "header": 20, "id": "0x0001"})
        self.assertEqual(got["udp"], {"source_port": 1234, "destination_port": 53, "at_byte": 42,
                                      "length": 42, "captured": 42})
        self.assertEqual(got["notes"], {"bytes_behind_the_datagram": 3})
        got = self.answer(cap.udp4(QUERY, frag=100).hex())
        self.assertEqual(got["ip"]["fragment"], "later, from byte 800")
        got = self.answer(cap.udp4(QUERY)[:40].hex())
        self.assertIn("truncated", got["notes"])
        self.assertEqual(got["ip"]["captured"], 26)
        self.assertEqual(self.answer(cap.ARP.hex())["link"]["type"], "0x0806")
        # A datagram, by its looks or because that is said.
        for args in ((), ("--dlt", "RAW"), ("-l12",)):
            got = self.answer(*args, cap.udp6(QUERY)[14:].hex())
            self.assertEqual((got["frame"]["link_type"], got["ip"]["version"]), ("RAW", 6))
        got = self.answer("-l", "EN10MB", cap.udp6(QUERY)[14:].hex())
        self.assertEqual(got["ip"]["version"], "none")

    def test_hex_as_pasted(self):
        frame = cap.udp4(QUERY).hex()
        want = self.answer(frame)
        pairs = re.findall("..", frame)
        for text in (frame.upper(), " ".join(pairs), ":".join(pairs), frame + "\t..ascii. \"x",
                     frame + "\n"):
            self.assertEqual(self.answer(text), want)
        line = sluice("pcap2hex", "--ascii", data=cap.pcap([cap.udp4(QUERY)]))[1]
        self.assertEqual(self.answer(line), want)

    def test_files(self):
        frames = [cap.udp4(QUERY), cap.ARP, cap.udp6(QUERY)]
        file = self.path("a.pcap", cap.pcap(frames))
        self.assertEqual(self.answer(file)["ip"]["version"], 4)
        got = self.answer(file + ":3")
        self.assertEqual((got["ip"]["version"], got["number"], got["file"]), (6, 3, file))
        self.assertEqual(got["time_ns"], 1700000002000002000)
        self.assertEqual(self.answer("--", "-:2", data=cap.pcap(frames))["link"]["type"], "0x0806")
        with_colon = self.path("b:7", cap.pcap(frames))
        self.assertEqual(self.answer(with_colon)["number"], 1)
        self.assertEqual(self.answer(with_colon + ":2")["number"], 2)
        hexname = pathlib.Path(self.folder.name) / "beef"
        hexname.write_bytes(cap.pcap(frames))
        self.assertIn("at       beef:1, ", sluice("explain", "beef", cwd=self.folder.name)[1])

    def test_verdict(self):
        rules = self.path("r.ini", RULES)
        frame = cap.udp4(QUERY).hex()
        self.assertEqual(self.answer("-r", rules, frame)["verdict"],
                         {"verdict": "drop", "rule": "dns", "shadow": "-", "protected": False})
        got = self.answer("-r", rules, cap.ARP[:42].hex())
        self.assertEqual((got["verdict"]["verdict"], got["verdict"]["protected"], got["vital"]),
                         ("pass", True, "arp"))
        out = sluice("explain", "-r", rules, frame)[1]
        self.assertRegex(out, r"(?m)^dns +matches +drop +enforce +on$")
        self.assertRegex(out, r"(?m)^ports +no +drop +enforce +on\n    sport: wanted 53, 1000-1100, seen 1234$")
        self.assertTrue(out.endswith("\nverdict  drop, by dns\n"))
        out = sluice("explain", "-r", rules, "--trace", "--rule", "big", frame)[1]
        self.assertRegex(out, r"\n    >    2  a=0000003e x=00000000  j")

    def test_errors(self):
        rules = self.path("r.ini", RULES)
        one = self.path("1.pcap", cap.pcap([cap.ARP]))
        for sentence, args in (
                ("expected HEX|FILE[:N]; see sluice explain --help", ()),
                ("expected hexadecimal digits or a savefile's name", ("",)),
                ("column 4: expected the second digit of a byte", ("abc",)),
                ("column 5: expected hexadecimal digits or a savefile's name, got 'abcdxy'", ("abcdxy",)),
                ("cannot open 'nothing': No such file or directory", ("nothing",)),
                (f"'{one}' has 1 frame, not 2", (one + ":2",)),
                (f"{one}:x: the frame behind ':': expected a number, got 'x'", (one + ":x",)),
                ("--dlt: a savefile has its own link type", ("-l", "RAW", one)),
                ("--dlt: expected a link type's name or number, such as EN10MB, got 'X'", ("-l", "X", "00")),
                ("--rule: there is no rule 'x'", ("-r", rules, "--rule", "x", "00")),
                ("--rule: expected -r RULES with it", ("--rule", "x", "00")),
                ("--location: expected -r RULES with it", ("--location", "x", "00")),
                ("--link: expected raw, got 'x'", ("--link", "x", "00")),
                ("--link: each rule of -r has its own link", ("--link", "raw", "-r", rules, "00")),
                ("--trace and --json: expected one of them", ("--trace", "--json", "00")),
                ("expected one of -b, -e, -c and -r, got 2 of them", ("-b", "x", "-e", "ip", "00"))):
            self.assertEqual(sluice("explain", *args), (2, "", f"sluice explain: {sentence}\n"))


class Property(Case):
    """Random rules on random frames."""

    NUMBER = re.compile(r"(0x)?([0-9a-f]+)")

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("SLUICE_SEED", "0") or 0) or random.randrange(1, 2**32)
        print(f"seed {seed}", flush=True)
        self.rng = random.Random(seed)

    def frame(self):
        rng = self.rng
        if rng.random() < 0.05:
            return cap.ARP
        payload = cap.dns(rng.choice(("a.", "bc.")) + rng.choice(("www.", "wwx.")) + "example.uk")
        ports = {"sport": rng.choice((53, 1234)), "dport": rng.choice((53, 5353))}
        frame = cap.udp6(payload, **ports) if rng.random() < 0.3 else \
            cap.udp4(payload, frag=rng.choice((0, 0, 0, 0x2000, 9)), **ports)
        if rng.random() < 0.2:
            frame = cap.vlan(frame)
        if rng.random() < 0.3:
            frame = bytearray(frame)
            for _ in range(rng.randrange(1, 4)):
                frame[rng.randrange(12, len(frame))] ^= 1 << rng.randrange(8)
            frame = bytes(frame)
        return frame[:rng.randrange(len(frame))] if rng.random() < 0.15 else frame

    def rule(self):
        rng = self.rng
        keys = [rng.choice((
            "match = dns *.www.example.uk", "match = dns -n a.www.example.uk",
            "match = dns -i *.www.example.uk a.wwx.**", "match = suffix 0001",
            "expr = udp dst port 53", "expr = ip and not port 5353", "expr = greater 60",
            "expr = vlan 7\nlink = ether", "match = dns_validate", "match = all",
            "bytecode = 4,48 0 0 8,53 0 1 60,6 0 0 65535,6 0 0 0"))]
        keys += [x for x in ("dst = 10.0.0.0/8", "fragments = " + rng.choice(("match", "only", "never")))
                 if rng.random() < 0.2]
        if "link" not in keys[0] and rng.random() < 0.2:
            keys.append("family = " + rng.choice("46"))
            if "family = 6" in keys and "dst = 10.0.0.0/8" in keys:
                keys.remove("dst = 10.0.0.0/8")
        return "\n".join(keys)

    def filter_says(self, text, frames):
        path = self.path("alone.ini", f"[rule r]\n{text}\naction = drop\n")
        status, out, err = sluice("filter", "-r", path, "--verdicts", data=cap.pcap(frames))
        self.assertEqual((status, err), (0, ""), text)
        return [x == "r" for x in out.split()]

    def test_against_filter(self):
        rules, frames, moved = [], [self.frame() for _ in range(60)], 0
        while len(rules) < 25:
            text = self.rule()
            check = sluice("check", "-", data=f"[rule r]\n{text}\naction = drop\n".encode())
            if check[0] == 0:
                rules.append(text)
        path = self.path("r.ini", "".join(f"[rule r{i}]\n{x}\naction = count\n"
                                          for i, x in enumerate(rules)))
        says = [self.filter_says(x, frames) for x in rules]
        file = self.path("f.pcap", cap.pcap(frames))
        for i, frame in enumerate(frames):
            got = self.answer("-r", path, f"{file}:{i + 1}")
            self.assertEqual([x["matches"] for x in got["rules"]], [x[i] for x in says])
            for text, rule in zip(rules, got["rules"]):
                why = rule["why"]
                self.assertEqual(rule["matches"], why is None)
                if why is None or why.get("offset") is None or "of" in why["wanted"] or \
                        "bytes" in why["seen"]:
                    continue
                moved += self.put_wanted(text, frame, got, rule)
        self.assertGreater(moved, 20)

    def put_wanted(self, text, frame, got, rule):
        """Write what a test wants where it looked: it does not fail any more. 1, or 0: not tried."""
        why = rule["why"]
        if "&" in why["seen"] or "|" in why["seen"]:
            return 0
        word = why["wanted"].split(" (")[0]
        value = int(word.split()[-1], 0)
        value += {"not": 1, "over": 1, "below": -1}.get(word.split()[0], 0)
        start = 0 if "link = ether" in text else got["ip"]["at_byte"]
        at = start + why["offset"]
        if not 0 <= value < 1 << 8 * why["size"] or at + why["size"] > len(frame):
            return 0
        if "extension headers" in got["ip"]:
            return 0
        mended = frame[:at] + value.to_bytes(why["size"], "big") + frame[at + why["size"]:]
        path = self.path("one.ini", f"[rule r]\n{text}\naction = count\n")
        after = self.answer("-r", path, mended.hex())["rules"][0]["why"]
        self.assertTrue(after is None or after["key"] != "program" or
                        after["instruction"] != why["instruction"] or
                        (after.get("offset"), after["seen"]) != (why["offset"], why["seen"]),
                        (text, frame.hex(), why, after))
        return 1


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
