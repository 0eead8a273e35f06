#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bump in the wire: two ports that are each other's exception path. Everything
passes unchanged both ways, and rules hold on each side."""

import random

import frames
import lab
from usual import af_packet, section

RULES = """
[rule from-left]
match = dns *.left.example.uk
port = left
action = drop

[rule from-right]
match = dns *.right.example.uk
port = right
action = drop
"""


class Bump:
    """left --veth-- mid (sluiced) --veth-- right"""

    def __init__(self, it):
        self.left, self.mid, self.right = it.ns("left"), it.ns("mid"), it.ns("right")
        it.veth(self.left, "l0", self.mid, "p0")
        it.veth(self.mid, "p1", self.right, "r0")
        self.daemon = it.sluiced(
            section("left", af_packet("p0"), "port:right") +
            section("right", af_packet("p1").replace("packet0", "packet1"), "port:left") + RULES,
            ns=self.mid)
        self.a, self.b = self.left.wire("l0"), self.right.wire("r0")

    def both(self, from_left, from_right, pps=10000):
        """Send both ways at once; what arrived right and left when all is quiet."""
        sending = lab.background(self.a.send, from_left, pps)
        self.b.send(from_right, pps)
        sending()
        lab.settled(lambda: (self.right.counters("r0")["rx_packets"],
                             self.left.counters("l0")["rx_packets"]))
        return self.b.drain(), self.a.drain()


def assorted(rng, count):
    """Frames of all sizes and kinds, of which no rule takes any."""
    made = []
    for i in range(count):
        size = rng.choice((0, 4, 18, 46, rng.randrange(1473), 1400))
        tags = rng.choice(((), (), ((frames.ETH_VLAN, rng.randrange(4096)),),
                           ((frames.ETH_VLAN, rng.randrange(4096)),
                            (frames.ETH_VLAN, rng.randrange(4096)))))
        body, a, b = rng.randbytes(size), frames.random_ip(rng), frames.random_ip(rng)
        macs = {"src_mac": f"02:00:00:00:01:{i % 256:02x}", "tags": tags,
                "dst_mac": rng.choice((frames.BROADCAST, "01:00:5e:00:00:01",
                                       "02:00:00:00:02:01"))}
        made.append(rng.choice((
            lambda: frames.udp4(body, a, b, 1000, 2000, **macs),
            lambda: frames.udp6(body[:1400], "2001:db8::1", "2001:db8::2", 1, 2, **macs),
            lambda: frames.ether(frames.ipv4(frames.tcp(body[:1400], a, b, 80, i), frames.TCP, a,
                                             b, options=b"\x01" * 4), frames.ETH_IP, **macs),
            lambda: frames.ether(body[:1500], 0x88B5, **macs),
            lambda: frames.arp(1, macs["src_mac"], a, "00:00:00:00:00:00", b),
            # Padded behind its IP length with what is not zero.
            lambda: frames.udp4(b"pad", a, b, 5, 6, pad=False, **macs) + rng.randbytes(30),
        ))())
    return made


def by_kind(got):
    """@got with ARP first, otherwise in the same order."""
    def is_arp(frame):
        at = 12
        while frame[at:at + 2] == b"\x81\0":
            at += 4
        return frame[at:at + 2] == b"\x08\x06"
    return [f for f in got if is_arp(f)] + [f for f in got if not is_arp(f)]


def unchanged():
    """Sizes, VLAN tags, padding: byte for byte, both ways at once. Vital frames (here ARP)
    may overtake others; within each kind the order stays."""
    rng = random.Random(frames.seed())
    count = 20000 if lab.LONG else 3000
    with lab.Lab("bump") as it:
        bump = Bump(it)
        there, back = assorted(rng, count), assorted(rng, count)
        got_right, got_left = bump.both(there, back)
        for got, sent, side in ((got_right, there, "right"), (got_left, back, "left")):
            lab.equal(len(got), len(sent), f"frames that arrived {side}")
            for i, (g, s) in enumerate(zip(by_kind(got), by_kind(sent))):
                lab.check(g == s, f"{side}, frame {i} of {len(s)} bytes: {s.hex()} arrived as "
                          f"{g.hex()}")
        for name in ("left", "right"):
            port = bump.daemon.port(name)
            lab.equal((port["rx"], port["passed"], port["tx"]), (count,) * 3,
                      f"rx, passed, tx of {name}")


def rules_on_each_side():
    """A rule of one port takes nothing that comes in by the other."""
    with lab.Lab("bump") as it:
        bump = Bump(it)
        sent = [frames.dns4(f"n{i}.{side}.example.uk", "192.0.2.1", "192.0.2.2", ident=i)
                for i in range(500) for side in ("left", "right", "other")]
        got_right, got_left = bump.both(sent, sent)
        lab.check(got_right == [f for i, f in enumerate(sent) if i % 3 != 0],
                  f"right got {len(got_right)} of 1000 frames")
        lab.check(got_left == [f for i, f in enumerate(sent) if i % 3 != 1],
                  f"left got {len(got_left)} of 1000 frames")
        for rule in ("from-left", "from-right"):
            lab.equal(bump.daemon.rule(rule)["dropped"], 500, f"dropped by {rule}")


lab.main(unchanged, rules_on_each_side)
