# SPDX-License-Identifier: BSD-3-Clause
"""sluice replay against the daemon: the same frames under the same rules, every counter of
every rule, what is dropped, passed, protected and noted."""

import json
import random
import struct

import frames
import lab

PEER, OURS, VICTIM = "192.0.2.1", "192.0.2.2", "198.51.100.53"
SIX, VICTIM6 = "2001:db8::1", "2001:db8::53"
RULES = (
    "match = dns *.www.example.uk",
    "match = dns -n a.www.example.uk",
    "match = suffix 7a79",
    "expr = udp dst port 53 and greater 60",
    "expr = vlan 7\nlink = ether",
    "expr = arp\nlink = ether",
    "match = all",
    "proto = tcp",
    "dport = 53",
    "fragments = only",
    "fragments = match\nmatch = dns *.www.example.uk",
    "dst = victims",
    "src = 192.0.2.0/24\ndport = 179, 53",
    "family = 6",
    "bytecode = 4,48 0 0 8,53 0 1 60,6 0 0 65535,6 0 0 0",
)
COUNTERS = ("packets", "bytes", "dropped", "limited", "would_drop", "would_drop_passed", "protected")
NOTES = ("truncated", "malformed", "transparent_overflow")


def traffic(rng, n):
    """All that rules tell apart, vital frames, and some that are cut or lie."""
    made = []
    while len(made) < n:
        name = rng.choice(("a.www.example.uk", "b.www.example.uk", "example.uk"))
        query = frames.dns_query(name) + rng.choice((b"", b"zy"))
        kind = rng.randrange(10)
        tags = ((frames.ETH_VLAN, rng.choice((7, 8))),) * rng.choice((0, 0, 0, 1, 2))
        if kind == 0:
            frame = frames.arp(1, "02:00:00:00:00:01", PEER, "00:00:00:00:00:00", OURS)
        elif kind == 1:
            segment = frames.tcp(b"x", rng.choice((PEER, "203.0.113.9")), OURS, 40000, 179, flags=16)
            frame = frames.ether(frames.ipv4(segment, frames.TCP, PEER, OURS), frames.ETH_IP)
        elif kind == 2:
            solicit = struct.pack("!BBHI", rng.choice((135, 136)), 0, 0, 0) + b"\0" * 16
            frame = frames.ether(frames.ipv6(solicit, frames.ICMP6, SIX, VICTIM6,
                                             hops=rng.choice((255, 64))), frames.ETH_IP6)
        elif kind == 3:
            segment = frames.udp(query, SIX, VICTIM6, 1, 53)
            frame = frames.ether(frames.ipv6(segment, frames.UDP, SIX, VICTIM6), frames.ETH_IP6, tags=tags)
        else:
            dst = rng.choice((VICTIM, OURS))
            segment = frames.udp(query, PEER, dst, 1, rng.choice((53, 53, 80)))
            ip = frames.ipv4(segment, frames.UDP, PEER, dst, ttl=rng.choice((64, 50)),
                             frag=rng.choice((0, 0, 0, 0x2000, 9)),
                             length=rng.choice((None,) * 8 + (0, 5000)))
            frame = frames.ether(ip, frames.ETH_IP, tags=tags, pad=rng.random() < 0.8)
        if rng.random() < 0.1:
            frame = frame[:rng.randrange(14, len(frame))]
        made.append(frame)
    return made


def ruleset(rng):
    """Random rules in random order."""
    text = f"[set victims]\nprefixes = {VICTIM}, {VICTIM6}\n"
    for i, keys in enumerate(rng.sample(RULES, rng.randrange(1, len(RULES)))):
        action = rng.choice(("drop", "drop", "pass", "count", "drop\nmode = shadow", "pass\nmode = shadow"))
        if keys == "match = all" and "mode" not in action:
            action = "count"
        text += f"[rule r{i}]\n{keys}\naction = {action}\norder = {rng.randrange(2000)}\n"
    return text


def same_counters():
    """Rulesets of all kinds, vital frames protected or not."""
    rng = random.Random(frames.seed())
    batch = traffic(rng, 2000)
    for i in range(20 if lab.LONG else 5):
        with lab.Lab("replay") as it:
            sent = it.file("in.pcap")
            frames.write_pcap(sent, batch)
            protect = "vital = no" if i % 3 == 2 else f"peers = {PEER}\nvital_rate = off"
            conf = it.file("conf.ini", "[port edge0]\n"
                           f"device = net_pcap0,rx_pcap={sent},tx_pcap={it.file('out.pcap')}\n"
                           f"exception = port:edge0\n[protect]\n{protect}\n{ruleset(rng)}")
            with open(conf, encoding="utf-8") as f:
                daemon = it.sluiced(f.read())

            def handled(daemon=daemon):
                port = daemon.port()
                return port if lab.accounted(port) == len(batch) else None
            port = lab.until(handled, 20, "all frames handled")
            rules = daemon.stats()["rules"]
            out = lab.run(lab.binary("sluice"), "replay", "--json", "-r", conf, sent).stdout
            got = json.loads(out)
            lab.equal({k: [v[c] for c in COUNTERS] for k, v in got["rules"].items()},
                      {k: [v[c] for c in COUNTERS] for k, v in rules.items()},
                      f"counters of the rules; {open(conf, encoding='utf-8').read()}")
            lab.equal(list(got["rules"]), list(rules), "the rules' order")
            lab.equal([got["verdicts"][x]["frames"] for x in ("drop", "pass", "limit")],
                      [port[x] for x in ("dropped", "passed", "limited")], "dropped, passed, limited")
            lab.equal([got["notes"][x] for x in NOTES], [port["notes"][x] for x in NOTES], f"{NOTES}")
            lab.equal(sum(x["protected"] for x in got["rules"].values()), port["notes"]["protected"],
                      "protected frames")
            print(f"  {len(rules)} rules: {got['verdicts']}, protected {port['notes']['protected']}",
                  flush=True)


lab.main(same_counters)
