#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The books balance exactly, against counters that are not ours: the kernel's of
the generator's end of the veth and of the TAP; at three rates, with two queues,
both ways, and while the deciding rule changes under traffic."""

import random
import threading

import frames
import lab
from usual import DROP_WWW, PORT, SERVER_IP, TAP, WORLD_IP, Site, af_packet, af_xdp

RELOADS = 50


def mixed(rng, mac, count):
    """Frames of many flows, half of them for the rule of DROP_WWW."""
    return [frames.dns4(frames.random_label(rng) + (".www" if i % 2 else "") + ".example.uk",
                        frames.random_ip(rng), SERVER_IP, sport=rng.randrange(1024, 65536),
                        ident=i & 0xFFFF, dst_mac=mac) for i in range(count)]


def three_rates(queues=1, device=af_packet, lossless_pps=20000):
    """Counted frames at two paces and as fast as they can be sent; up to @lossless_pps the
    receive ring holds what comes while the worker waits for its turn on a busy machine."""
    rng = random.Random(frames.seed())
    scale = 10 if lab.LONG else 1
    with lab.Lab("books") as it:
        site = Site(it, queues=queues, device=device)
        expected = 0
        for pps, count in ((1000, 500), (20000, 20000), (0, 100000)):
            batch = mixed(rng, site.mac, 1000) * (count * scale // 1000)
            if not batch:
                batch = mixed(rng, site.mac, count * scale)
            before = site.daemon.port(PORT)
            site.wire.send(batch, pps)
            expected += len(batch)
            lab.equal(site.sent(), expected, "frames that the veth counted")
            after = site.balanced()
            print(f"  {queues} queues, {len(batch)} frames at {pps or 'full'} pps: {after}",
                  flush=True)
            if 0 < pps <= lossless_pps:
                lab.equal(after["dropped"] - before["dropped"], len(batch) // 2,
                          "frames dropped at a rate that loses none")
                lab.equal(after["passed"] - before["passed"], len(batch) // 2,
                          "frames passed at a rate that loses none")
        rule = site.daemon.rule("random-subdomains")
        lab.equal(rule["dropped"], after["dropped"], "the rule's own count")
        lab.equal(rule["packets"], after["dropped"], "the rule's matches")


def two_queues():
    """As above, over a fanout of two queues and two workers."""
    three_rates(queues=2)


def xdp():
    """As above, over an XDP socket, whose losses the driver counts."""
    three_rates(device=af_xdp, lossless_pps=1000)


def way_back():
    """What the kernel sends through the TAP arrives in the world, counted."""
    rng = random.Random(frames.seed())
    count = 20000 if lab.LONG else 5000
    with lab.Lab("books") as it:
        site = Site(it)
        tap = site.server.wire(TAP)
        batch = [frames.udp4(b"answer %d" % i, SERVER_IP, WORLD_IP, 53, rng.randrange(1024, 65536),
                             dst_mac=site.wire.mac) for i in range(count)]
        tap.send(batch, 10000)
        lab.settled(lambda: (site.server.counters(TAP)["tx_packets"],
                             site.world.counters("w0")["rx_packets"]))
        port, kernel = site.daemon.port(PORT), site.server.counters(TAP)
        print(f"  {count} frames: {port}", flush=True)
        lab.equal(kernel["tx_packets"] + kernel["tx_dropped"], count, "frames given to the TAP")
        lab.equal(port["kernel_rx"], kernel["tx_packets"], "frames taken from the TAP")
        lab.equal(port["tx"] + port["lost"]["tx_full"], port["kernel_rx"], "tx + tx_full")
        lab.equal(site.world.counters("w0")["rx_packets"], port["tx"], "frames in the world")
        got = site.wire.drain()
        lab.equal((len(got), site.wire.lost()), (port["tx"], 0), "frames a socket got, not got")
        rest = iter(batch)
        lab.check(all(frame in rest for frame in got), "each as it was sent, in order")
        lab.equal(port["rx"], 0, "frames of ours that came back in")


def rules(first, second):
    """Two rules for the same frames; the one with the smaller order decides."""
    return "".join(DROP_WWW.replace("random-subdomains", name) + f"order = {order}\n"
                   for name, order in ((first, 10), (second, 20)))


def reloads():
    """The deciding rule changes 50 times under traffic; no frame is without a verdict."""
    rng = random.Random(frames.seed())
    with lab.Lab("books") as it:
        site = Site(it, rules=rules("left", "right"))
        batch = mixed(rng, site.mac, 2000)
        stop, rounds = threading.Event(), 0

        def traffic():
            nonlocal rounds
            while not stop.is_set():
                site.wire.send(batch, 20000)
                rounds += 1

        sending = lab.background(traffic)
        try:
            for i in range(RELOADS):
                order = ("left", "right") if i % 2 else ("right", "left")
                before = site.daemon.rule(order[0])["dropped"]
                said = site.reload(rules(*order))
                lab.check("STATUS=reloaded" in said, f"reload {i}: {said}")
                lab.until(lambda: site.daemon.rule(order[0])["dropped"] > before, 10,
                          f"after reload {i} the rule {order[0]} decides")
        finally:
            stop.set()
            sending()
        port = site.balanced()
        by_rule = {k: r["dropped"] for k, r in site.daemon.stats()["rules"].items()}
        print(f"  {rounds * len(batch)} frames, {RELOADS} reloads: {by_rule}", flush=True)
        lab.equal(port["rx"], rounds * len(batch), "frames received; none may be lost")
        lab.equal(port["dropped"], rounds * len(batch) // 2, "frames dropped: every second one")
        lab.equal(port["passed"], rounds * len(batch) // 2, "frames passed: the others")
        lab.equal(sum(by_rule.values()), port["dropped"], "the sum over both rules")
        lab.check(min(by_rule.values()) > 0, "both rules were seen to decide")


lab.main(three_rates, two_queues, xdp, way_back, reloads)
