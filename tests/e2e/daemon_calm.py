#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The daemon when nothing happens and when something does at once: idle it costs
next to nothing, the first burst is not lost; a full disk costs samples only."""

import os
import random

import frames
import lab

PORT = ("[port edge0]\ndevice = net_af_packet0,iface=e0,qpairs={n},blocksz=1048576,"
        "framecnt=16384\nqueues = {n}\nexception = tap:sluice0\n[protect]\nvital = no\n")
RULE = "[rule flood]\nmatch = dns *.www.example.uk\naction = drop\n"


def veth_daemon(it, conf, **kw):
    """Two namespaces, the daemon on one end: (wire into it, daemon)."""
    world, edge = it.ns("world"), it.ns("edge")
    it.veth(world, "w0", edge, "e0")
    return world.wire("w0"), it.sluiced(conf, ns=edge, **kw)


def edge_port(daemon):
    """The port's counters, now."""
    return daemon.ask("stats")["ports"]["edge0"]


def queries(rng, zone, n):
    return [frames.dns4(f"{frames.random_label(rng)}.{zone}", frames.random_ip(rng),
                        "192.0.2.53", ident=i & 0xffff) for i in range(n)]


def cpu_s(pid):
    """CPU seconds of a process, all threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_idle(daemon, seconds):
    """Let @seconds go by while watching that the daemon lives."""
    try:
        daemon.wait(seconds)
    except lab.LabError:
        return
    raise AssertionError(f"the daemon ended: {daemon.log()}")


def idle_and_burst():
    """Idle under 5 % of a core, with one queue and two; then 2,000 frames at once: none lost."""
    rng = random.Random(frames.seed())
    seconds = 20 if lab.LONG else 3
    for queues in (1, 2):
        with lab.Lab("calm") as it:
            wire, daemon = veth_daemon(it, PORT.format(n=queues) + RULE)
            wait_idle(daemon, 0.5) # the start's own work
            before = cpu_s(daemon.pid)
            wait_idle(daemon, seconds)
            share = (cpu_s(daemon.pid) - before) / seconds
            print(f"  {queues} queues idle: {100 * share:.1f} % of a core", flush=True)
            lab.check(share < 0.05, f"{queues} queues: {100 * share:.1f} % of a core when idle")

            for round_ in range(20 if lab.LONG else 4):
                before = edge_port(daemon)
                wire.send(queries(rng, "www.example.uk", 2000))
                lab.until(lambda: edge_port(daemon)["rx"]
                          >= before["rx"] + 2000, 10, f"burst {round_} received whole")
                after = lab.settled(lambda: edge_port(daemon))
                lab.equal(after["rx"] - before["rx"], 2000, f"burst {round_}: rx")
                lab.equal(after["dropped"] - before["dropped"], 2000, f"burst {round_}: dropped")
                lab.equal(sum(after["lost"].values()), 0, f"burst {round_}: lost")
            lab.equal(daemon.stop(), 0, "exit status")


def disk_full():
    """The samples' disk fills up: told once, counted, traffic goes on; with room it mends."""
    rng = random.Random(frames.seed())
    with lab.Lab("calm") as it:
        disk = it.file("disk")
        os.mkdir(disk)
        # In the mount namespace that ip netns exec makes: it goes with the daemon.
        small = ("sh", "-c", f"mount -t tmpfs -o size=2m none {disk} && "
                 f'head -c 1900k /dev/zero >{disk}/ballast && exec "$@"', "sh")
        conf = PORT.format(n=1) + (
            f"[sample]\nrate = 1/1\n[sink s]\nfile = {disk}/s.pcapng\nrotate = off\n" + RULE)
        wire, daemon = veth_daemon(it, conf, wrap=small)
        seen = f"/proc/{daemon.pid}/root{disk}"

        def send(n):
            before = edge_port(daemon)["rx"]
            wire.send(queries(rng, "www.example.uk", n))
            lab.until(lambda: edge_port(daemon)["rx"] >= before + n, 10, "frames received")

        for _ in range(3):
            send(2000)
        lab.until(lambda: "cannot write" in daemon.log(), 10, "the full disk is told")
        port = lab.settled(lambda: edge_port(daemon))
        lab.equal((port["rx"], port["dropped"], sum(port["lost"].values())), (6000, 6000, 0),
                  "traffic is not affected")
        with open(f"{seen}/s.pcapng", "rb") as f:
            copy = f.read()
        with open(it.file("copy.pcapng"), "wb") as f:
            f.write(copy)
        read = lab.run("tshark", "-r", it.file("copy.pcapng"), "-T", "fields", "-e",
                       "frame.number")
        lab.equal(read.stderr.count("cut short"), 0, "the file ends at a whole block")
        lab.check(100 < len(read.stdout.splitlines()) < 6000, "some samples were written")

        os.unlink(f"{seen}/ballast")

        def mended():
            send(10)
            return "can be written again" in daemon.log()
        lab.until(mended, 20, "with room it writes again")
        lab.equal(daemon.stop(), 0, "exit status")
        told = [x for x in daemon.log().splitlines() if "cannot write" in x]
        lab.equal(len(told), 1, f"lines about the full disk: {daemon.log()}")
        lab.check("sink s" in told[0] and "No space left" in told[0], told[0])


lab.main(idle_and_burst, disk_full)
