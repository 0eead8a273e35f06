#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_replay.py SLUICE [unittest options]: what sluice replay says of built frames, by hand,
by sluice filter, by tcpdump; its errors by their sentences."""

import collections
import json
import os
import random
import subprocess
import sys
import unittest

import captures as cap
import command
from command import SLUICE, sluice


RULES = """
[protect]
peers = 192.0.2.1
[set ten]
prefixes = 10.0.0.0/8
[rule seen]
proto = udp
action = count
order = 10
[rule tried]
dst = ten
action = drop
mode = shadow
order = 20
[rule ours]
src = 192.0.2.1
dport = 5353
proto = udp
action = pass
order = 30
[rule dns]
match = dns *.www.example.uk
action = drop
order = 40
[rule arp]
expr = arp
link = ether
action = drop
order = 50
[rule bgp]
proto = tcp
action = drop
order = 60
[rule off]
match = all
action = drop
enabled = no
[rule elsewhere]
match = all
action = drop
locations = ams
[rule unarmed]
dst = nobody
action = drop
[set nobody]
prefixes =
"""

QUERY = cap.dns("x.www.example.uk")
ARP = cap.ARP[:21] + b"\1" + cap.ARP[22:]
BGP = cap.udp4(b"\0" * 12, sport=179, dport=40000)
BGP = BGP[:23] + b"\6" + BGP[24:]
# Frame, its line, the rules that it reaches and matches.
FRAMES = (
    (cap.udp4(QUERY), "drop dns shadow=tried", "seen tried dns"),
    (cap.udp4(QUERY, dst="11.0.0.1"), "drop dns", "seen dns"),
    (cap.udp6(QUERY), "drop dns", "seen dns"),
    (cap.vlan(cap.udp4(QUERY)), "drop dns shadow=tried", "seen tried dns"),
    (cap.udp4(QUERY, dport=5353), "pass ours shadow=tried", "seen tried ours"),
    (cap.udp4(cap.dns("www.example.uk")), "pass - shadow=tried", "seen tried"),
    (cap.ARP, "pass arp protected", "arp"),
    (BGP, "pass bgp shadow=tried protected", "tried bgp"),
    (b"", "pass -", ""),
    (b"\0" * 60, "pass -", ""),
)
LINES = "".join(line + "\n" for _, line, _ in FRAMES)


class Case(command.Case):
    """A folder of its own, and how it is asked."""

    def answer(self, *args, data=b""):
        status, out, err = sluice("replay", "--json", *args, data=data)
        self.assertEqual((status, err), (0, ""))
        return json.loads(out)


class ByHand(Case):
    """Frames whose verdicts stand above."""

    def test_verdicts(self):
        rules = self.path("r.ini", RULES)
        data = cap.pcap([frame for frame, _, _ in FRAMES])
        self.assertEqual(sluice("replay", "-r", rules, "--verdicts", data=data), (0, LINES, ""))
        # Over the burst, and over several files.
        many = self.path("m.pcap", cap.pcap([frame for frame, _, _ in FRAMES] * 13))
        got = sluice("replay", "-r", rules, "--verdicts", many, "-", many, data=data)
        self.assertEqual(got, (0, LINES * 27, ""))

    def test_counts(self):
        rules = self.path("r.ini", RULES)
        one = self.path("1.pcap", cap.pcap([cap.ARP]))
        two = self.path("2.pcap", cap.pcap([frame for frame, _, _ in FRAMES] * 20))
        got = self.answer("-r", rules, one, two)
        self.assertEqual((got["version"], got["files"], got["frames"]), (1, 2, 201))
        self.assertEqual({k: v["frames"] for k, v in got["verdicts"].items()},
                         {"pass": 121, "drop": 80, "limit": 0})
        hits = collections.Counter(x for _, _, rules in FRAMES for x in rules.split())
        self.assertEqual({k: v["packets"] for k, v in got["rules"].items()},
                         {**{k: 20 * n for k, n in hits.items()}, "arp": 21, "off": 0,
                          "elsewhere": 0, "unarmed": 0})
        self.assertEqual({k: v["state"] for k, v in got["rules"].items() if v["state"] != "on"},
                         {"off": "disabled", "elsewhere": "elsewhere", "unarmed": "unarmed"})
        tried, dns, arp = (got["rules"][x] for x in ("tried", "dns", "arp"))
        self.assertEqual((tried["dropped"], tried["would_drop"], tried["would_drop_passed"]),
                         (0, 100, 60))
        self.assertEqual((dns["dropped"], dns["protected"]), (80, 0))
        self.assertEqual((arp["dropped"], arp["protected"]), (0, 21))
        self.assertEqual(got["notes"]["vital"]["arp"], 21)
        self.assertEqual(got["notes"]["vital"]["bgp"], 20)
        self.assertEqual(arp["example"], {"file": one, "frame": 1})
        self.assertEqual(got["rules"]["ours"]["example"], {"file": two, "frame": 5})
        self.assertEqual((dns["first_hit_s"], dns["last_hit_s"]),
                         (1700000000, 1700000193.000193))
        self.assertEqual(dns["dport"], [{"key": "udp/53", "packets": 80, "bytes": 20 * (62 * 3 + 82)}])
        self.assertEqual([(x["key"], x["packets"]) for x in dns["destination"]],
                         [("10.0.0.1", 40), ("11.0.0.1", 20), ("2001::1", 20)])
        self.assertEqual([(x["key"], x["packets"], x["dropped"])
                          for x in got["traffic"]["destination"]],
                         [("10.0.0.1", 100, 40), ("11.0.0.1", 20, 20), ("2001::1", 20, 20)])

    def test_text(self):
        rules = self.path("r.ini", RULES)
        data = cap.pcap([frame for frame, _, _ in FRAMES])
        status, out, err = sluice("replay", "-r", rules, "-t1", data=data)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("10 frames, 532 B, in 1 file; 2023-11-14 22:13:20.000 UTC, 9.000 s\n", out)
        self.assertRegex(out, r"(?m)^drop +4 +40\.0 % ")
        self.assertRegex(out, r"(?m)^dns +drop +enforce +on +4 +40\.0 % +268 B +4 +0 +0\.000 s +3\.000 s$")
        self.assertIn("             2 others ", out)
        self.assertIn(f"dns ({rules}:21), first at -:1\n", out)
        # Columns stand below each other.
        head = next(x for x in out.split("\n") if x.startswith("RULE"))
        for line in out.split("\n"):
            if line.startswith(("dns ", "seen ", "elsewhere ")) and "(" not in line:
                self.assertEqual(len(line), len(head), line)

    def test_location_and_no_rules(self):
        rules = self.path("r.ini", RULES)
        data = cap.pcap([frame for frame, _, _ in FRAMES])
        got = self.answer("-r", rules, "--location", "ams", data=data)
        self.assertEqual(got["rules"]["elsewhere"]["state"], "on")
        got = self.answer("-r", self.path("e.ini", ""), data=data)
        self.assertEqual((got["rules"], got["verdicts"]["pass"]["frames"]), ({}, len(FRAMES)))
        got = self.answer("-r", rules, data=cap.pcap([]))
        self.assertEqual((got["frames"], got["first_s"]), (0, None))
        self.assertEqual(sluice("replay", "-r", rules, data=cap.pcap([]))[0], 0)

    def test_vital(self):
        frames = cap.pcap([cap.ARP] * 40)  # a second between them
        data = frames[:24] + b"".join(frames[24 + i * 58:40 + i * 58][:0] + b"\0\0\x53\x65" + bytes(4)
                                      + frames[32 + i * 58:82 + i * 58] for i in range(40))
        rules = "[rule arp]\nexpr = arp\nlink = ether\naction = drop\n"
        for protect, want in (("", (0, 40)), ("vital = no", (40, 0)), ("vital_rate = off", (0, 40)),
                              ("vital_rate = 10 pps", (24, 16))):
            path = self.path("p.ini", f"[protect]\n{protect}\n{rules}")
            rule = self.answer("-r", path, data=data)["rules"]["arp"]
            self.assertEqual((rule["dropped"], rule["protected"]), want, protect)
        self.assertEqual(self.answer("-r", path, data=frames)["rules"]["arp"]["protected"], 40)

    def test_transparent_overflow(self):
        rules = "".join(f"[rule c{i}]\nmatch = all\naction = count\n" for i in range(20))
        path = self.path("o.ini", rules + "[rule d]\nmatch = all\naction = drop\n")
        got = self.answer("-r", path, data=cap.pcap([cap.udp4(b"x")] * 3))
        self.assertEqual([x["packets"] for x in got["rules"].values()], [3] * 16 + [0] * 4 + [3])
        self.assertEqual(got["notes"]["transparent_overflow"], 3)
        self.assertEqual(sum(x["example"] is None for x in got["rules"].values()), 4)

    def test_errors(self):
        rules = self.path("r.ini", RULES)
        for sentence, args in (
                ("expected -r RULES; see sluice replay --help", ()),
                ("--json and --verdicts: expected one of them", ("-r", rules, "--json", "--verdicts")),
                ("--top: expected a number from 0 to 100, got '101'", ("-r", rules, "--top", "101")),
                ("cannot open '/nonexistent': No such file or directory", ("-r", rules, "/nonexistent")),
                ("/nonexistent.ini: cannot open: No such file or directory", ("-r", "/nonexistent.ini"))):
            status, out, err = sluice("replay", *args, data=cap.pcap([]))
            self.assertEqual((status, out), (2, ""))
            self.assertEqual(err, f"sluice replay: {sentence}\n")

    def test_unknown_link(self):
        """A link type of which nothing is known: no IP, and said so."""
        got = self.answer("-r", self.path("r.ini", RULES), data=cap.pcap([cap.udp4(b"x")] * 3, dlt=195))
        self.assertEqual((got["notes"]["unknown_link"], got["notes"]["not_ip"]), (3, 3))

    def test_broken_file(self):
        """What was there is told."""
        rules = self.path("r.ini", RULES)
        data = cap.pcap([frame for frame, _, _ in FRAMES])[:-3]
        status, out, err = sluice("replay", "-r", rules, "--json", data=data)
        self.assertEqual((status, json.loads(out)["frames"]), (2, len(FRAMES) - 1))
        self.assertRegex(err, "^sluice replay: .+\n$")

    def test_closed_pipe_and_full_disk(self):
        rules = self.path("r.ini", RULES)
        many = self.path("m.pcap", (lambda one: one[:24] + one[24:] * 50000)(cap.pcap([cap.ARP])))
        for how in ("--verdicts", "--json"):
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run([SLUICE, "replay", "-r", rules, how, many], stdout=write,
                                  stderr=subprocess.PIPE, check=False)
            os.close(write)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            with open("/dev/full", "wb") as full:
                done = subprocess.run([SLUICE, "replay", "-r", rules, how, many], stdout=full,
                                      stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr), (1,
                b"sluice replay: cannot write to standard output: No space left on device\n"))


class Judged(Case):
    """Random traffic, by other programs."""

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("SLUICE_SEED", "0") or 0) or random.randrange(1, 2**32)
        print(f"seed {seed}", flush=True)
        self.rng = random.Random(seed)
        self.frames = [self.frame() for _ in range(3000)]
        self.file = self.path("f.pcap", cap.pcap(self.frames))

    def frame(self):
        rng = self.rng
        if rng.random() < 0.05:
            return cap.ARP
        payload = cap.dns(rng.choice(("a.", "b.")) + rng.choice(("www.", "")) + "example.uk")
        ports = {"sport": rng.choice((53, 1234)), "dport": rng.choice((53, 5353))}
        if rng.random() < 0.3:
            return cap.udp6(payload, **ports)
        return cap.udp4(payload, dst=f"10.0.0.{rng.randrange(4)}", **ports)

    def test_filter_and_tcpdump(self):
        exprs = ("udp port 53", "ip dst 10.0.0.1", "ip6 and src port 53", "udp dst port 5353",
                 "greater 64")
        for round_ in range(8):
            chosen = self.rng.sample(exprs, 3)
            actions = [self.rng.choice(("drop", "pass", "drop\nmode = shadow", "count"))
                       for _ in chosen]
            rules = self.path(f"{round_}.ini", "[protect]\nvital = no\n" + "".join(
                f"[rule r{i}]\nexpr = {e}\naction = {a}\n"
                for i, (e, a) in enumerate(zip(chosen, actions))))
            got = self.answer("-r", rules, self.file)
            # Frame by frame from what tcpdump says of each expression alone.
            left = list(range(len(self.frames)))
            dropped = 0
            for i, (expr, action) in enumerate(zip(chosen, actions)):
                alone = self.path("alone.ini", f"[rule m]\nexpr = {expr}\naction = drop\n")
                _, out, _ = sluice("filter", "-r", alone, "--verdicts", self.file)
                hit = [line == "m" for line in out.split()]
                count = subprocess.run(["tcpdump", "-nr", self.file, "-w", "-", f"({expr}) and (ip or ip6)"],
                                       capture_output=True, check=True).stdout
                if "greater" not in expr:  # of the frame there, of the datagram here
                    self.assertEqual(sum(hit), cap.count(count), expr)
                mine = [f for f in left if hit[f]]
                rule = got["rules"][f"r{i}"]
                self.assertEqual(rule["packets"], len(mine), (chosen, actions))
                if action == "drop":
                    dropped += len(mine)
                    self.assertEqual(rule["dropped"], len(mine))
                if action in ("drop", "pass"):
                    left = [f for f in left if not hit[f]]
            self.assertEqual(got["verdicts"]["drop"]["frames"], dropped)
            self.assertEqual(got["verdicts"]["pass"]["frames"], len(self.frames) - dropped)
            _, out, _ = sluice("replay", "-r", rules, "--verdicts", self.file)
            deciding = collections.Counter(x.split()[1] for x in out.split("\n") if x)
            for i, action in enumerate(actions):
                if action in ("drop", "pass"):
                    self.assertEqual(deciding[f"r{i}"], got["rules"][f"r{i}"]["packets"])
            for kind in ("destination", "protocol"):
                for name, rule in got["rules"].items():
                    total = sum(x["packets"] for x in rule[kind])
                    self.assertEqual(total, rule["packets"], (name, kind))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
