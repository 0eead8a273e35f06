#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A frame that Sluice dropped reaches nobody, a survivor arrives exactly once: a
socket, a raw socket and a packet counter in every namespace."""

import os
import signal
import socket

import frames
import lab
from usual import DROP_WWW, SERVER_IP, TAP, WORLD_IP, Site

COUNTER = """
table inet seen {
	counter dns { }
	chain in {
		type filter hook prerouting priority -300;
		udp dport 53 counter name dns
	}
}
"""


class Ears:
    """What one namespace hears of DNS queries, three ways."""

    def __init__(self, ns, dev):
        self.ns, self.dev = ns, dev
        ns.nft(COUNTER)
        self.socket = ns.open_socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, frames.SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind(("", 53))
        self.socket.setblocking(False)
        self.raw = ns.wire(dev) if dev else None

    def heard(self):
        """Payloads that the socket got, DNS frames on the device, the packet counter."""
        payloads = []
        while True:
            try:
                payloads.append(self.socket.recv(2048))
            except BlockingIOError:
                break
        on_wire = [f for f in self.raw.drain() if f[36:38] == b"\0\x35"] if self.raw else []
        return payloads, on_wire, self.ns.nft_counter("inet", "seen", "dns")


def queries(mac, count):
    """Survivors and frames for the rule, in turn, each with a number of its own."""
    return [frames.dns4(f"q{i}{'.www' if i % 2 else ''}.example.uk", WORLD_IP, SERVER_IP,
                        sport=20000 + i % 1000, ident=i, dst_mac=mac) for i in range(count)]


def payload(frame):
    """The DNS message in one of queries(): behind Ethernet, IPv4 and UDP headers."""
    return frame[42:]


def listen(site):
    """Ears in all three namespaces, the edge with the server's own address, as a
    kernel that still got the frames would have it."""
    site.address()
    site.edge.ip("addr", "add", f"{SERVER_IP}/32", "dev", "e0")
    return Ears(site.world, None), Ears(site.edge, "e0"), Ears(site.server, TAP)


def exactly_once():
    """Each survivor once, at the server; each dropped frame nowhere."""
    count = 20000 if lab.LONG else 4000
    with lab.Lab("deliver") as it:
        site = Site(it)
        world, edge, server = listen(site)
        sent = queries(site.mac, count)
        site.wire.send(sent, 20000)
        port = site.balanced()
        want = sorted(map(payload, sent[0::2]))
        lab.equal(port["dropped"], count // 2, "frames dropped")
        payloads, on_wire, counter = server.heard()
        lab.check(sorted(payloads) == want,
                  f"the server's socket got {len(payloads)} datagrams, {len(set(payloads))} "
                  f"different, of {len(want)} survivors")
        lab.check(on_wire == sent[0::2], f"the TAP carried {len(on_wire)} frames, in order and "
                  f"unchanged, of {len(want)}")
        lab.equal(counter, len(want), "packets counted in the server's namespace")
        payloads, _, counter = edge.heard()
        lab.equal((len(payloads), counter), (0, 0), "what the edge's own kernel got")
        payloads, _, counter = world.heard()
        lab.equal((len(payloads), counter), (0, 0), "what came back to the world")


def unplugged():
    """Without exception path nobody gets anything, and the books say where it went."""
    with lab.Lab("deliver") as it:
        site = Site(it, exception="none")
        site.edge.ip("addr", "add", f"{SERVER_IP}/32", "dev", "e0")
        ears = [Ears(ns, None) for ns in (site.world, site.edge, site.server)]
        site.wire.send(queries(site.mac, 2000), 20000)
        port = site.balanced()
        lab.equal((port["dropped"], port["passed"], port["lost"]["exception_full"]),
                  (1000, 0, 1000), "dropped, passed, exception_full")
        lab.equal([(len(p), c) for p, _, c in (e.heard() for e in ears)], [(0, 0)] * 3,
                  "what the namespaces got")


def passive_tap():
    """takeover = no: the edge's kernel gets all, dropped or not. So the others would hear."""
    with lab.Lab("deliver") as it:
        site = Site(it, takeover="no")
        _, edge, server = listen(site)
        site.wire.send(queries(site.mac, 1000), 20000)
        site.balanced()
        lab.equal((len(edge.heard()[0]), len(server.heard()[0])), (1000, 500),
                  "datagrams at edge and server")
        lab.check("takeover = no" in site.daemon.log(),
                  "the log says that it is only a copy")


def given_back():
    """After the daemon's end, and at the next start after a hard end, nothing of it is left."""
    with lab.Lab("deliver") as it:
        site = Site(it)
        lab.check("drop" in site.edge.ruleset(), "the interface is taken over")
        lab.equal(site.daemon.stop(), 0, "exit status after SIGTERM")
        lab.equal(site.edge.ruleset(), "", "nft rules left")
        killed = it.sluiced(site.base, ns=site.edge)
        lab.check("drop" in site.edge.ruleset(), "the interface is taken over")
        killed.stop(signal.SIGKILL)
        if os.path.exists(killed.socket_path):
            os.unlink(killed.socket_path)
        again = it.sluiced(site.base + DROP_WWW, ns=site.edge)
        site.server.ip("link", "set", TAP, "up")
        lab.equal(site.edge.ruleset().count("drop"), 1, "nft rules after the restart")
        before = site.server.counters(TAP)["rx_packets"]
        site.wire.send(queries(site.mac, 1000), 20000)
        lab.until(lambda: again.port()["rx"] == 1000, 10, "the new daemon gets all frames")
        lab.settled(lambda: again.port()["passed"])
        lab.equal(site.server.counters(TAP)["rx_packets"] - before, 500, "survivors on the TAP")
        lab.equal(again.stop(), 0, "exit status after SIGTERM")
        lab.equal(site.edge.ruleset(), "", "nft rules left")


lab.main(exactly_once, unplugged, passive_tap, given_back)
