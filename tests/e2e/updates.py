#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rules change one by one under traffic: each change holds from the moment it is
told, no frame is lost or counted twice, rules that stay go on counting, and the
daemon asks the kernel for nothing that interrupts a polling worker."""

import random
import re
import signal
import threading

import frames
import lab
from usual import DROP_WWW, PORT, Site

RULES = 400
CHANGES = 100 if lab.LONG else 40
# What makes the kernel interrupt the CPUs of a process's other threads.
STALLS = "munmap,mprotect,madvise,mremap,membarrier,process_madvise"


def rule(i, order=1000):
    return (f"[rule r{i}]\nmatch = dns -i *.z{i}.example\naction = drop\norder = {order}\n")


def query(rng, i, ident):
    return frames.dns4(f"{frames.random_label(rng)}.z{i}.example", frames.random_ip(rng),
                       "192.0.2.53", ident=ident)


def traced(it, daemon):
    """strace on the daemon, once it is attached."""
    path = it.file("stalls.txt")
    tracer = it.spawn("strace", "-f", "-e", f"trace={STALLS}", "-o", path, "-p", daemon.pid)
    lab.until(lambda: "attached" in tracer.log(), 10, "strace is attached")
    return tracer, path


class Flood(threading.Thread):
    """Frames for one rule that stays, all the time."""

    def __init__(self, wire, rng):
        super().__init__(daemon=True)
        self.wire, self.end, self.sent = wire, threading.Event(), 0
        self.burst = [frames.dns4(f"{frames.random_label(rng)}.www.example.uk",
                                  frames.random_ip(rng), "192.0.2.53") for _ in range(20)]

    def run(self):
        while not self.end.wait(0.005):
            self.wire.send(self.burst)
            self.sent += len(self.burst)

    def stop(self):
        self.end.set()
        self.join()


def one_by_one():
    """Rules come, go, and move; every one is hit right after it came."""
    rng = random.Random(frames.seed())
    there = list(range(RULES))
    with lab.Lab("upd") as it:
        site = Site(it, rules=DROP_WWW + "".join(rule(i) for i in there))
        dropped, sent = {}, 0

        def send(numbers):
            nonlocal sent
            site.wire.send([query(rng, i, sent & 0xffff) for i in numbers])
            sent += len(numbers)
            for i in numbers:
                dropped[i] = dropped.get(i, 0) + (i in there)

        send(rng.sample(there, 50)) # all that is done once is done
        site.reload(DROP_WWW + "".join(rule(i) for i in there[1:]))
        there.pop(0)
        site.balanced()
        tracer, path = traced(it, site.daemon)
        flood = Flood(site.world.wire("w0"), rng)
        flood.start()
        for k in range(CHANGES):
            kind = rng.choice(("add", "add", "delete", "move"))
            if kind == "add":
                there.insert(rng.randrange(len(there) + 1), RULES + k)
            else:
                gone = there.pop(rng.randrange(len(there)))
                if kind == "move":
                    there.insert(rng.randrange(len(there) + 1), gone)
            told = site.reload(DROP_WWW + "".join(rule(i) for i in there))
            lab.check("STATUS=reloaded" in told, f"change {k}: {told}")
            # The new one, some that were there, and one that is gone.
            send([there[0], RULES + k, *rng.sample(there, 5), rng.randrange(RULES)])
            until = site.sent()
            lab.until(lambda n=until: lab.accounted(site.daemon.port(PORT)) >= n, 10, "read")
        flood.stop()
        tracer.stop(signal.SIGINT)
        port = site.balanced()
        rules = site.daemon.stats()["rules"]
        for i, n in dropped.items():
            name = f"r{i}"
            lab.equal(rules[name]["dropped"] if name in rules else 0, n, f"dropped by {name}")
        lab.equal(rules["random-subdomains"]["dropped"], flood.sent, "dropped by the rule that stays")
        lab.equal(port["dropped"], sum(dropped.values()) + flood.sent, "dropped")
        with open(path, encoding="utf-8") as f:
            calls = [x for x in f if re.search(r"\b(" + STALLS.replace(",", "|") + r")\(", x)]
        lab.equal(calls, [], "calls that interrupt workers")
        print(f"  {CHANGES} changes, {sent} frames, {sum(dropped.values())} dropped, and a flood of "
              f"{flood.sent}")


lab.main(one_by_one)
