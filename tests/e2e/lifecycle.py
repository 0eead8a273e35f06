#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The lab itself: it carries frames unchanged, and nothing of it outlives a test,
however the test ends."""

import os
import signal
import subprocess
import sys

import frames
import lab


def carries_frames():
    """Tagged, padded and long frames arrive as sent, once."""
    sent = [
        frames.dns4("a.example.uk", "192.0.2.1", "192.0.2.2"),
        frames.udp6(b"x", "2001:db8::1", "2001:db8::2", 1, 2),
        frames.dns4("b.example.uk", "192.0.2.1", "192.0.2.2", tags=[(frames.ETH_VLAN, 5)]),
        frames.dns4("c.example.uk", "192.0.2.1", "192.0.2.2",
                    tags=[(frames.ETH_QINQ, 6), (frames.ETH_VLAN, 7)]),
        frames.ether(os.urandom(1500), 0x1234),
    ]
    with lab.Lab("lab") as it:
        a, b = it.ns("a"), it.ns("b")
        it.veth(a, "a0", b, "b0")
        wa, wb = a.wire("a0"), b.wire("b0")
        wa.send(sent)
        lab.equal(wb.receive(len(sent), 5), sent, "frames received")
        lab.equal(wb.drain(), [], "frames beyond those sent")
        lab.equal(b.counters("b0")["rx_packets"], len(sent), "frames counted")


BODY = """
import select, sys
import lab
with lab.Lab("leak") as it:
    ns = it.ns("a")
    p = it.spawn("tail", "-f", "/dev/null", ns=ns)
    print(ns.name, p.pid, it.dir, flush=True)
    if sys.argv[1] == "raise":
        raise ValueError("on purpose")
    select.select([], [], [])
"""


def _there(path):
    # A process that has ended and that nobody has asked for yet is gone, too.
    try:
        with open(os.path.join(path, "stat"), encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except NotADirectoryError:
        return True
    except FileNotFoundError:
        return os.path.exists(path)


def _leftovers(how):
    """Run a lab in a process of its own, end it by @how; its things, and which are left."""
    with subprocess.Popen([sys.executable, "-c", BODY, str(how)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True,
                          cwd=os.path.dirname(os.path.abspath(__file__))) as p:
        name, pid, folder = p.stdout.readline().split()
        if how != "raise":
            p.send_signal(how)
        p.wait(20)
        lab.check(p.returncode != 0, "an interrupted lab must not look like a good one")
    things = {"process": f"/proc/{pid}", "namespace": f"/run/netns/{name}", "folder": folder}
    return things, sorted(k for k, path in things.items() if _there(path))


def leaves_nothing():
    """An exception, Ctrl-C, SIGTERM, SIGHUP: all is taken down."""
    for how in ("raise", signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        lab.equal(_leftovers(how)[1], [], f"left after {how}")


def sweeps_after_kill():
    """SIGKILL: the processes end with the lab, all else goes with the next one."""
    things, left = _leftovers(signal.SIGKILL)
    lab.check("namespace" in left, "nobody could have removed the namespace yet")
    with lab.Lab("lab"):
        still = [k for k, path in things.items() if _there(path)]
    lab.equal(still, [], "left after the next lab")


lab.main(carries_frames, leaves_nothing, sweeps_after_kill)
