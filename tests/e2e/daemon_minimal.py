#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A daemon built with the required libraries only: it drops, says what it lacks,
and refuses what it cannot do."""

import random

import frames
import lab

RULE = "[rule flood]\nmatch = dns *.www.example.uk\naction = drop\n"


def drops_without_json():
    """No control socket, and the log says so; rules, survivors and the summary are the same."""
    rng = random.Random(frames.seed())
    names = ["a.www.example.uk"] * 70 + ["example.uk"] * 30
    rng.shuffle(names)
    traffic = [frames.dns4(x, frames.random_ip(rng), "192.0.2.53") for x in names]
    with lab.Lab("minimal") as it:
        frames.write_pcap(it.file("in.pcap"), traffic)
        daemon = it.sluiced(f"[port edge0]\ndevice = net_pcap0,rx_pcap={it.file('in.pcap')},"
                            f"tx_pcap={it.file('out.pcap')}\nexception = port:edge0\n"
                            f"[protect]\nvital = no\n[sink s]\nfile = {it.file('s.pcapng')}\n"
                            + RULE)
        lab.check("built without libjansson" in daemon.log(), daemon.log())
        lab.check("STATUS=reloaded" in daemon.reload(), "a reload needs no socket")
        lab.equal(daemon.stop(), 0, "exit status")
        lab.check("rx 100, dropped 70" in daemon.log(), daemon.log())
        lab.equal(len(frames.read_pcap(it.file("out.pcap"))), 30, "survivors")


def takes_over_only_with_nft():
    """An interface is not half taken: without libnftables only takeover = no starts."""
    with lab.Lab("minimal") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        conf = "[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = none\n"
        try:
            it.sluiced(conf, ns=edge)
            raise AssertionError("it must not start")
        except lab.LabError as e:
            lab.check("ended (1)" in str(e) and "libnftables" in str(e), str(e))
        lab.equal(it.sluiced(conf + "takeover = no\n", ns=edge).stop(), 0, "exit status")


lab.main(drops_without_json, takes_over_only_with_nft)
