#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bump in the wire: two ports that are each other's exception path. Everything
passes unchanged both ways, and rules hold on each side."""

import random

import frames
import lab
from usual import af_packet, af_xdp, section

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

    def __init__(self, it, device=af_packet):
        self.left, self.mid, self.right = it.ns("left"), it.ns("mid"), it.ns("right")
        it.veth(self.left, "l0", self.mid, "p0")
        it.veth(self.mid, "p1", self.right, "r0")
        self.daemon = it.sluiced(
            section("left", device("p0", unit=0), "port:right") +
            section("right", device("p1", unit=1), "port:left") + RULES,
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


def assorted(rng, count, tpids=(frames.ETH_VLAN,)):
    """Frames of all sizes and kinds, of which no rule takes any; outer tags of @tpids."""
    made = []
    for i in range(count):
        outer = (rng.choice(tpids), rng.randrange(4096))
        tags = rng.choice(((), (), (outer,), (outer, (frames.ETH_VLAN, rng.randrange(4096)))))
        # A full frame may have one tag more, of 802.1Q, to be sent by a raw socket.
        size = rng.choice((0, 4, 18, 46, rng.randrange(1464), 1464 if tags else 1472))
        body, a, b = rng.randbytes(size), frames.random_ip(rng), frames.random_ip(rng)
        macs = {"src_mac": f"02:00:00:00:01:{i % 256:02x}", "tags": tags,
                "dst_mac": rng.choice((frames.BROADCAST, "01:00:5e:00:00:01",
                                       "02:00:00:00:02:01"))}
        made.append(rng.choice((
            lambda: frames.udp4(body, a, b, 1000, 2000, **macs),
            lambda: frames.udp6(body[:1400], "2001:db8::1", "2001:db8::2", 1, 2, **macs),
            lambda: frames.ether(frames.ipv4(frames.tcp(body[:1400], a, b, 80, i), frames.TCP, a,
                                             b, options=b"\x01" * 4), frames.ETH_IP, **macs),
            lambda: frames.ether(body, 0x88B5, **macs),
            lambda: frames.arp(1, macs["src_mac"], a, "00:00:00:00:00:00", b),
            # Padded behind its IP length with what is not zero.
            lambda: frames.udp4(b"pad", a, b, 5, 6, pad=False, **macs) + rng.randbytes(30),
        ))())
    return made


def by_kind(got):
    """@got with ARP first, otherwise in the same order."""
    def is_arp(frame):
        at = 12
        while frame[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
            at += 4
        return frame[at:at + 2] == b"\x08\x06"
    return [f for f in got if is_arp(f)] + [f for f in got if not is_arp(f)]


def compare(device, count, tpids, pps):
    """Send assorted frames both ways at once; each arrives as it was, byte for byte.

    Vital frames (here ARP) may overtake others; within each kind the order stays."""
    rng = random.Random(frames.seed())
    with lab.Lab("bump") as it:
        bump = Bump(it, device)
        there, back = assorted(rng, count, tpids), assorted(rng, count, tpids)
        got_right, got_left = bump.both(there, back, pps)
        for got, sent, side in ((got_right, there, "right"), (got_left, back, "left")):
            lab.equal(len(got), len(sent), f"frames that arrived {side}")
            for i, (g, s) in enumerate(zip(by_kind(got), by_kind(sent))):
                lab.check(g == s, f"{side}, frame {i} of {len(s)} bytes: {s.hex()} arrived as "
                          f"{g.hex()}")
        for name in ("left", "right"):
            port = bump.daemon.port(name)
            lab.equal((port["rx"], port["passed"], port["tx"]), (count,) * 3,
                      f"rx, passed, tx of {name}")


def unchanged():
    """Sizes, VLAN tags, padding. Outer tags are 802.1Q: DPDK's af_packet driver puts the
    outermost tag, which the kernel took out of the frame, back in as 0x8100 whatever it was."""
    compare(af_packet, 20000 if lab.LONG else 3000, (frames.ETH_VLAN,), 10000)


def unchanged_af_xdp():
    """The same over a device that leaves frames alone, with 802.1ad (QinQ) tags, too."""
    compare(af_xdp, 20000 if lab.LONG else 2000, (frames.ETH_VLAN, frames.ETH_QINQ), 4000)


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


lab.main(unchanged, unchanged_af_xdp, rules_on_each_side)
