# SPDX-License-Identifier: BSD-3-Clause
"""Rules and frames for xdp.py that have something to do with each other: few
addresses, ports and names, headers of all kinds, and lies in them."""

import struct

import frames
import lab

GIVEN = """
[set some4]
prefixes = 10.1.0.0/16, 10.2.2.0/24, 10.3.3.3, 10.9.0.0/16, 10.10.0.0/16, 10.11.0.0/16

[set some6]
prefixes = 2001:db8:1::/48, 2001:db8:2::2, 2001:db8:a::/48, 2001:db8:b::/48, 2001:db8:c::/48

[rule watch-udp]
proto = udp
action = count

[rule watch-dns]
match = dns -i **.example.uk
action = drop
mode = shadow

[rule let-through]
src = 10.1.1.1
dport = 53, 1234
action = pass

[rule subdomains]
match = dns *.www.example.uk
dst = some4, some6
action = drop

[rule tails]
match = suffix 7878797a
action = drop
mode = shadow

[rule fragments]
dst = some4
fragments = only
action = drop

[rule no-fragments]
proto = tcp
fragments = never
dport = 80
action = drop

[rule later-too]
proto = udp
sport = 1234
fragments = match
dst = some6
action = drop

[rule tagged]
expr = vlan 7
link = ether
action = drop

[rule far]
expr = ip[8] < 31 or ip6[7] < 31
action = drop

[rule syns]
match = syn_validate
action = drop

[rule off]
match = all
enabled = no
action = drop

[rule elsewhere]
match = all
locations = ams
action = drop

[rule icmp]
proto = icmp, icmp6
action = drop

[rule arp]
expr = arp
link = ether
action = drop

[rule bgp]
proto = tcp
dport = 179
action = drop

[rule rest]
match = all
action = count
"""

NAMES = ("x.www.example.uk", "www.example.uk", "a.b.example.uk", "a.com", "example.com")
PORTS = (53, 53, 80, 1234, 5353, 179, 3784)


def address(rng, family):
    """10.1-3.1-3.1-3 and 2001:db8:1-3::1-3."""
    if family == 4:
        return "10." + ".".join(str(rng.randrange(1, 4)) for _ in range(3))
    return f"2001:db8:{rng.randrange(1, 4)}::{rng.randrange(1, 4)}"


def payload(rng):
    """A query, or bytes with a tail that a rule looks for."""
    if rng.random() < .5:
        return frames.dns_query(rng.choice(NAMES), edns_do=rng.random() < .3)
    return rng.randbytes(rng.randrange(40)) + b"xxyz"


def segment(rng, src, dst, family):
    """Protocol and bytes of L4."""
    kind, sport, dport = rng.randrange(10), rng.choice(PORTS), rng.choice(PORTS)
    if kind == 0:
        return (frames.ICMP if family == 4 else frames.ICMP6), \
            struct.pack("!BBHI", rng.choice((0, 8, 128, 3)), 0, 0, 1) + payload(rng)
    if kind < 4:
        options = b"\x02\x04\x05\xb4" if rng.random() < .5 else b""
        return frames.TCP, frames.tcp(payload(rng), src, dst, sport, dport, options=options,
                                      flags=rng.choice((2, 2, 18, 16, 0, 63)))
    if kind == 4:
        return rng.choice((47, 132, 136, 50)), rng.randbytes(rng.randrange(24))
    return frames.UDP, frames.udp(payload(rng), src, dst, sport, dport)


def datagram4(rng):
    src, dst = address(rng, 4), address(rng, 4)
    proto, body = segment(rng, src, dst, 4)
    frag = 0
    if rng.random() < .2:
        frag = (0x2000 if rng.random() < .6 else 0) | (rng.randrange(9) if rng.random() < .6 else 0)
    options = b"\1" * 4 * rng.randrange(11) if rng.random() < .2 else b""
    return frames.ipv4(body, proto, src, dst, ttl=rng.choice((64, 64, 30, 255)), frag=frag,
                       options=options)


def datagram6(rng):
    src, dst = address(rng, 6), address(rng, 6)
    proto, body = segment(rng, src, dst, 6)
    if rng.random() < .15:
        offset = rng.randrange(9) if rng.random() < .5 else 0
        body = struct.pack("!BBHI", proto, 0, offset << 3 | rng.randrange(2), 1) + body
        proto = 44
    for _ in range(rng.choice((0, 0, 0, 1, 2, 3, 9))):
        kind, units = rng.choice((0, 43, 60, 51)), rng.randrange(3)
        size = 8 * units + 8 if kind != 51 else 4 * (units + 2)
        body = struct.pack("!BB", proto, units) + b"\1" * (size - 2) + body
        proto = kind
    return frames.ipv6(body, proto, src, dst, hops=rng.choice((64, 64, 30, 255)))


def spoil(rng, frame, at):
    """A small lie: in the length, in a header, or the end is missing."""
    frame = bytearray(frame)
    where = at + (4 if frame[at] >> 4 == 6 else 2)
    kind = rng.randrange(5)
    if kind == 0:
        was, = struct.unpack_from("!H", frame, where)
        struct.pack_into("!H", frame, where, (was + rng.randrange(-20, 21)) & 0xFFFF)
    elif kind == 1:
        struct.pack_into("!H", frame, where, rng.choice((0, rng.randrange(48))))
    elif kind == 2:
        frame[rng.randrange(at, len(frame))] = rng.randrange(256)
    elif kind == 3:
        frame[at + rng.randrange(min(40, len(frame) - at))] ^= 1 << rng.randrange(8)
    else:
        # The kernel keeps a frame to itself that ends within its tags, or right behind them.
        del frame[rng.randrange(at + 4, len(frame) + 1):]
    return bytes(frame)


def vital(rng):
    """ARP, LACP, LLDP, ND, BFD, BGP, and what only looks like them."""
    kind = rng.randrange(7)
    six = ("2001:db8:1::1", "2001:db8:2::2")
    if kind == 0:
        return frames.arp(rng.choice((1, 2)), "02:00:00:00:00:01", "10.1.1.1",
                          "02:00:00:00:00:02", "10.1.1.2")
    if kind == 1:
        return frames.ether(bytes(46), 0x8809,
                            dst_mac=rng.choice(("01:80:c2:00:00:02", "01:80:c2:00:00:03")))
    if kind == 2:
        return frames.ether(bytes(46), 0x88CC,
                            dst_mac=rng.choice(("01:80:c2:00:00:0e", "02:00:00:00:00:02")))
    if kind == 3:
        body = struct.pack("!BBHI", rng.choice((133, 135, 136, 137, 138)), rng.choice((0, 0, 1)),
                           0, 0) + bytes(16)
        return frames.ether(frames.ipv6(body, frames.ICMP6, *six, hops=rng.choice((255, 64))),
                            frames.ETH_IP6)
    if kind == 4:
        return frames.ether(frames.ipv4(frames.udp(bytes(24), "10.2.2.2", "10.1.1.2", 49152, 3784),
                                        frames.UDP, "10.2.2.2", "10.1.1.2",
                                        ttl=rng.choice((255, 64))), frames.ETH_IP)
    if kind == 5:
        src = rng.choice(six)
        return frames.ether(frames.ipv6(frames.tcp(b"", src, six[1], 40000, 179), frames.TCP, src,
                                        six[1]), frames.ETH_IP6)
    src = rng.choice(("10.1.1.1", "10.2.2.2"))
    return frames.ether(frames.ipv4(frames.tcp(b"", src, "10.3.3.3", 179, 40000), frames.TCP, src,
                                    "10.3.3.3"), frames.ETH_IP)


def frame_of(rng):
    """One frame."""
    if rng.random() < .05:
        return vital(rng)
    tags = [(rng.choice((frames.ETH_VLAN, frames.ETH_QINQ)), rng.randrange(5, 9))
            for _ in range(rng.choice((0, 0, 0, 0, 0, 1, 1, 2, 3)))]
    six = rng.random() < .4
    body = datagram6(rng) if six else datagram4(rng)
    made = frames.ether(body, frames.ETH_IP6 if six else frames.ETH_IP, tags=tags,
                        pad=rng.random() < .8)
    if rng.random() < .15:
        made += rng.choice((b"z", b"xxyz", rng.randbytes(1 + rng.randrange(20))))
    if rng.random() < .2:
        made = spoil(rng, made, 14 + 4 * len(tags))
    return made


def frames_of(rng, count):
    """@count frames that a veth carries."""
    return [f for f in (frame_of(rng) for _ in range(count)) if len(f) <= 1514]


MATCHES = ("match = dns *.www.example.uk", "match = dns -i **.example.uk a.com",
           "match = dns_validate", "match = suffix 7878797a", "match = syn_validate",
           "match = payload -- -4 7878797a", "expr = udp port 53", "expr = tcp[13] & 2 != 0",
           "expr = ip[8] > 60 or ip6[7] > 60", "expr = less 61", "expr = host 10.1.2.3",
           "expr = net 2001:db8:1::/48", "expr = icmp or icmp6", "expr = ip[ip[2:2]-4:4] = 0x7878797a",
           "expr = vlan 7 and udp\nlink = ether", "expr = arp\nlink = ether",
           "expr = ether[12:2] = 0x86dd\nlink = ether", "match = all", "")
SCOPES = (("family", ("4", "6")), ("proto", ("udp", "tcp", "icmp, icmp6, 40-60", "0-255")),
          ("sport", ("53", "0-1233, 5000-6000", "53, 80, 179, 1234, 3784, 5353")),
          ("dport", ("53", "80", "1-100, 1200-1300", "1, 3, 5, 53, 80, 100-2000")),
          ("src", ("a", "b", "10.1.0.0/16, 2001:db8:1::/48", "10.3.3.3")),
          ("dst", ("a", "b", "10.2.0.0/15", "2001:db8:2::/48, 10.0.0.0/8")),
          ("fragments", ("match", "only", "never")))
SETS = """[set a]
prefixes = 10.1.1.0/24, 10.2.2.2, 10.3.0.0/16, 2001:db8:2::/48

[set b]
prefixes = {}, 2001:db8:1::1, 2001:db8:1::3, 2001:db8:3::2, 2001:db8:7::/48, ::/8

"""


def a_rule(rng, number):
    """The text of one rule, which may contradict itself."""
    text = f"[rule r{number}]\naction = {rng.choice(('drop', 'drop', 'pass', 'count', 'count'))}\n"
    if rng.random() < .3:
        text += "mode = shadow\n"
    if rng.random() < .1:
        text += "enabled = no\n"
    if rng.random() < .3:
        text += f"order = {rng.randrange(990, 1010)}\n"
    for key, values in SCOPES:
        if rng.random() < .25:
            text += f"{key} = {rng.choice(values)}\n"
    return text + rng.choice(MATCHES) + "\n\n"


def rules(rng, count):
    """@count rules that are right."""
    sets = SETS.format(", ".join(f"10.{i % 4}.{i % 5}.{i}" for i in range(1, 200, 3)))
    text = sets
    for number in range(count):
        while True:
            rule = a_rule(rng, number)
            if lab.run(lab.binary("sluice"), "check", "-", input=sets + rule,
                       check=False).returncode == 0:
                break
        text += rule
    return text
