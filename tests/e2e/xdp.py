#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`sluice xdp` drops on a veth what sluiced drops: the same frames are sent to a
daemon and to an interface that runs the program made of the same rules. What
survives, the counters of every rule and the totals are equal, and are what
`sluice replay` says of a savefile with these frames."""

import collections
import json
import os
import random
import struct

import frames
import lab
import xdp_world
from usual import PORT, TAP, af_packet, section

CLANG = "clang-14"
BPFFS = "/sys/fs/bpf"
RULE_KEYS = ("packets", "bytes", "dropped", "would_drop")
CONF = "[protect]\npeers = 10.1.1.1, 2001:db8:1::1\n\n"


def bpftool(*argv, ns=None, **kw):
    """bpftool, in @ns; not by "ip netns exec", which hides the BPF file system."""
    into = ["nsenter", f"--net={ns.path}"] if ns else []
    return lab.run(*into, "bpftool", *argv, **kw)


class Pins:
    """Folders of the BPF file system for programs and maps of an object."""

    def __init__(self, name):
        # systemd mounts it; others may not.
        if not os.path.ismount(BPFFS):
            os.makedirs(BPFFS, exist_ok=True)
            lab.run("mount", "-t", "bpf", "bpf", BPFFS)
        self.progs = f"{BPFFS}/slu-{os.getpid()}-{name}"
        self.maps = self.progs + "-maps"

    def remove(self):
        for folder in (self.progs, self.maps):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                os.unlink(os.path.join(folder, name))
            if os.path.isdir(folder):
                os.rmdir(folder)

    def load(self, obj, *more, maps=True):
        """@maps: pin them, too, which bpftool does not do where one has a pin by name."""
        said = bpftool("prog", "loadall", obj, self.progs, "type", "xdp", *more,
                       *(("pinmaps", self.maps) if maps else ()), check=False)
        lab.check(said.returncode == 0, f"{obj} is loaded: {said.stderr[-1500:]}")

    def attach(self, ns, dev):
        bpftool("net", "attach", "xdp", "pinned", self.progs + "/sluice_xdp", "dev", dev, ns=ns)


class Machine:
    """An interface with a program on it."""

    def __init__(self, it, name, rules, how):
        self.it, self.obj, self.pins = it, it.file(f"{name}.o"), Pins(name)
        self.world, self.edge = it.ns(f"w{name}"), it.ns(f"e{name}")
        it.veth(self.world, "w0", self.edge, "x0")
        make(it, rules, self.obj, how)
        try:
            self.pins.load(self.obj)
            self.pins.attach(self.edge, "x0")
        except BaseException:
            self.unload()
            raise
        self.wire, self.sink = self.world.wire("w0"), self.edge.wire("x0")

    def unload(self):
        """Nothing of it stays."""
        self.pins.remove()

    def dump(self, name):
        """A map of the program, as bpftool shows it."""
        return bpftool("-j", "map", "dump", "pinned", f"{self.pins.maps}/{name}").stdout

    def rules(self):
        """Counters by the names of the rules."""
        said = lab.run(lab.binary("sluice"), "xdp", "--counters", self.obj, "--json",
                       input=self.dump("sluice_counters"))
        return json.loads(said.stdout)["rules"]

    def totals(self):
        """rx, dropped, passed."""
        entry, = json.loads(self.dump("sluice_stats"))
        sums = [0] * (len(entry["values"][0]["value"]) // 8)
        for cpu in entry["values"]:
            raw = bytes(int(x, 16) for x in cpu["value"])
            sums = [a + b for a, b in zip(sums, struct.unpack(f"<{len(sums)}Q", raw))]
        return {"rx": sums[0], "dropped": sums[2], "passed": sums[3]}


def make(it, rules, obj, how, *more):
    """The object of @rules: made by us, or by clang from our C."""
    sluice = lab.binary("sluice")
    if how == "ebpf":
        lab.run(sluice, "xdp", "-r", rules, "-w", obj, *more)
        return
    source = it.file("rules.c")
    lab.run(sluice, "xdp", "-r", rules, "-f", "c", "-w", source, *more)
    lab.run(CLANG, "-O2", "-g", "-target", "bpf", "-c", source, "-o", obj, timeout=300)


class Daemon:
    """sluiced on an interface of its own."""

    def __init__(self, it, text):
        self.world, self.edge, self.server = it.ns("wd"), it.ns("ed"), it.ns("sd")
        it.veth(self.world, "w0", self.edge, "e0")
        base = section(PORT, af_packet("e0"), f"tap:{TAP}", exception_netns=self.server.name)
        self.daemon = it.sluiced(base + text, ns=self.edge)
        self.server.ip("link", "set", TAP, "up")
        self.wire, self.sink = self.world.wire("w0"), self.server.wire(TAP)

    def settle(self):
        lab.settled(lambda: (self.world.counters("w0")["tx_packets"],
                             lab.accounted(self.daemon.port(PORT))))


def plain(frame):
    """DPDK's af_packet driver puts an outer 802.1ad tag back as 802.1Q."""
    return frame[:12] + b"\x81\x00" + frame[14:] if frame[12:14] == b"\x88\xa8" else frame


def expected(it, rules, sent):
    """The frames that pass by `sluice replay`."""
    savefile = it.file("sent.pcap")
    frames.write_pcap(savefile, sent)
    said = lab.run(lab.binary("sluice"), "replay", "-r", rules, "--verdicts", savefile)
    verdicts = said.stdout.split("\n")[:-1]
    lab.equal(len(verdicts), len(sent), "verdicts of sluice replay")
    return [plain(f) for f, v in zip(sent, verdicts) if v.startswith("pass")]


def same(sink, survivors, who):
    """What arrives at @sink, in any order: vital frames go first."""
    got = collections.Counter(plain(f) for f in sink.receive(len(survivors), 5))
    want = collections.Counter(survivors)
    for frame in sorted((got - want) + (want - got)):
        raise AssertionError(f"{who}: {got[frame]} of {want[frame]} times passed: {frame.hex()}")


def compare(tag, text, sent, hows):
    """Everything about @sent under the rules in @text."""
    with lab.Lab(tag) as it:
        text = CONF + text
        rules = it.file("rules.ini", text)
        survivors = expected(it, rules, sent)
        daemon = Daemon(it, text)
        machines = {}
        try:
            for how in hows:
                machines[how] = Machine(it, how, rules, how)
            for m in (daemon, *machines.values()):
                for i in range(0, len(sent), 500):
                    m.wire.send(sent[i:i + 500], 20000)
                    if m is daemon:
                        daemon.settle()
            same(daemon.sink, survivors, "sluiced")
            want = daemon.daemon.stats()
            for how, m in machines.items():
                judge(how, m, want, survivors)
            port = want["ports"][PORT]
            print(f"  {len(sent)} frames, {len(want['rules'])} rules: dropped {port['dropped']}, "
                  f"passed {port['passed']}; equal for sluiced, sluice replay"
                  + "".join(f", {how}" for how in machines), flush=True)
        finally:
            for m in machines.values():
                m.unload()
    return port["dropped"]


def judge(how, m, want, survivors):
    """One program against the daemon."""
    same(m.sink, survivors, how)
    port = want["ports"][PORT]
    lab.equal(m.totals(), {"rx": port["rx"], "dropped": port["dropped"], "passed": port["passed"]},
              f"{how}: totals")
    rules = m.rules()
    lab.equal(sorted(rules), sorted(want["rules"]), f"{how}: names")
    for name, rule in want["rules"].items():
        lab.equal({k: rules[name][k] for k in RULE_KEYS}, {k: rule[k] for k in RULE_KEYS},
                  f"{how}: rule {name}")


def given():
    """A ruleset with a bit of everything, by both ways to an object."""
    rng = random.Random(frames.seed())
    dropped = compare("xdpgiven", xdp_world.GIVEN, xdp_world.frames_of(rng, 2000), ("ebpf", "c"))
    lab.check(dropped > 200, "some frames are dropped")


def made_up():
    """Rulesets made at random."""
    rng = random.Random(frames.seed())
    for i in range(25 if lab.LONG else 2):
        text = xdp_world.rules(rng, rng.randrange(2, 30))
        # clang takes its time.
        compare("xdprandom", text, xdp_world.frames_of(rng, 1500), ("ebpf", "c") if i < 5 else ("ebpf",))


DROP_UDP = """
[rule to-80]
proto = udp
dport = 80
action = drop
locations = lhr

[rule rest]
proto = udp
action = count
"""
TO_80 = frames.udp4(b"x", "10.1.1.1", "10.1.1.2", 1000, 80)
TO_81 = frames.udp4(b"y" * 40, "10.1.1.1", "10.1.1.2", 1000, 81)


class Bench:
    """A veth without a program, and an object of DROP_UDP."""

    def __init__(self, it, *more, how="ebpf"):
        self.it = it
        self.world, self.edge = it.ns("world"), it.ns("edge")
        it.veth(self.world, "w0", self.edge, "x0")
        self.rules, self.obj = it.file("rules.ini", DROP_UDP), it.file("rules.o")
        make(it, self.rules, self.obj, how, *more)
        self.wire, self.sink = self.world.wire("w0"), self.edge.wire("x0")

    def passes(self):
        """Which of the two frames pass."""
        self.sink.drain()
        self.wire.send([TO_80, TO_81])
        got = self.sink.receive(2, 0.5)
        return tuple(f in got for f in (TO_80, TO_81))


def switches():
    """A rule is switched by a map at run time, by location and name in the object."""
    pins = Pins("switch")
    with lab.Lab("xdpswitch") as it:
        try:
            b = Bench(it, "--location", "ams")
            pins.load(b.obj)
            pins.attach(b.edge, "x0")
            lab.equal(b.passes(), (True, True), "at another location")
            for state, want in ((1, (False, True)), (2, (True, True)), (1, (False, True)),
                                (0, (True, True))):
                bpftool("map", "update", "pinned", pins.maps + "/sluice_switch", "key", 0, 0, 0, 0,
                        "value", state, 0, 0, 0)
                lab.equal(b.passes(), want, f"with the switch at {state}")
            b.edge.ip("link", "set", "dev", "x0", "xdp", "off")
            pins.remove()
            for patch, want in ((("--location", "lhr"), (False, True)),
                                (("--disable", "to-80"), (True, True)),
                                (("--enable", "to-80"), (False, True))):
                lab.run(lab.binary("sluice"), "xdp", "--patch", b.obj, *patch)
                pins.load(b.obj)
                pins.attach(b.edge, "x0")
                lab.equal(b.passes(), want, f"patched {patch}")
                b.edge.ip("link", "set", "dev", "x0", "xdp", "off")
                pins.remove()
        finally:
            pins.remove()


def loaders():
    """ip link, bpftool and xdp-loader take the object, whoever made it."""
    for how in ("ebpf", "c"):
        with lab.Lab("xdploaders") as it:
            b = Bench(it, "--location", "lhr", how=how)
            b.edge.ip("link", "set", "dev", "x0", "xdp", "obj", b.obj, "sec", "xdp")
            lab.equal(b.passes(), (False, True), f"{how} by ip link")
            b.edge.ip("link", "set", "dev", "x0", "xdp", "off")
            lab.equal(b.passes(), (True, True), f"{how} gone")
            b.edge.run("xdp-loader", "load", "x0", b.obj, "-s", "xdp")
            lab.equal(b.passes(), (False, True), f"{how} by xdp-loader")
            b.edge.run("xdp-loader", "unload", "x0", "--all")
            lab.equal(b.passes(), (True, True), f"{how} gone again")


def chained():
    """A ruleset of several programs, by bpftool and ip link ... pinned."""
    pins = Pins("chained")
    many = "".join(f"[rule n{i}]\nmatch = dns -i **.n{i}.example.uk\n"
                   "action = drop\n\n" for i in range(12))
    with lab.Lab("xdpchained") as it:
        try:
            b = Bench(it)
            rules = it.file("many.ini", many + DROP_UDP)
            said = lab.run(lab.binary("sluice"), "xdp", "-r", rules, "--location", "lhr", "-w", b.obj)
            lab.check("programs" in said.stderr, "it says that there are several programs")
            pins.load(b.obj)
            count = len([x for x in os.listdir(pins.progs) if x.startswith("sluice_xdp")])
            lab.check(count > 1, f"{count} programs")
            lab.run("nsenter", f"--net={b.edge.path}", "ip", "link", "set", "dev", "x0", "xdp",
                    "pinned", pins.progs + "/sluice_xdp")
            lab.equal(b.passes(), (False, True), "the last program decides")
            last = frames.dns4("a.b.n11.example.uk", "10.1.1.1", "10.1.1.2")
            b.sink.drain()
            b.wire.send([last, TO_81])
            lab.equal(b.sink.receive(2, 0.5), [TO_81], "a rule on the way decides")
            print(f"  {count} programs", flush=True)
        finally:
            pins.remove()


def hooked(path, *how, maps):
    """The hook's programs get the frames by action, in the layout of xdpcap."""
    pins, watcher = Pins("main"), Pins("watch")
    with lab.Lab("xdphook") as it:
        try:
            b = Bench(it, "--location", "lhr", "--hook", path)
            watch, rules = it.file("watch.o"), it.file("all.ini", "[rule all]\nmatch = all\naction = count\n")
            make(it, rules, watch, "ebpf")
            watcher.load(watch)
            pins.load(b.obj, *how, maps=maps)
            shown = json.loads(bpftool("-j", "map", "show", "pinned", path).stdout)
            lab.equal({k: shown[k] for k in ("type", "bytes_key", "bytes_value", "max_entries")},
                      {"type": "prog_array", "bytes_key": 4, "bytes_value": 4, "max_entries": 5},
                      "what xdpcap looks for")
            bpftool("map", "update", "pinned", path, "key", 1, 0, 0, 0,
                    "value", "pinned", watcher.progs + "/sluice_xdp")
            pins.attach(b.edge, "x0")
            b.passes()
            b.passes()
            entry, = json.loads(bpftool("-j", "map", "dump", "pinned",
                                        watcher.maps + "/sluice_counters").stdout)
            seen = sum(int(c["value"][0], 16) for c in entry["values"])
            lab.equal(seen, 2, "frames that were dropped, seen behind the hook")
        finally:
            pins.remove()
            watcher.remove()


def hook():
    """A hook that the loader makes by its name, and one that somebody else has made."""
    name = f"slu_{os.getpid()}"
    path, folder = f"{BPFFS}/{name}", f"{BPFFS}/slu-{os.getpid()}-hooks"
    try:
        hooked(path, maps=False)
        os.mkdir(folder)
        bpftool("map", "create", f"{folder}/{name}", "type", "prog_array", "key", 4, "value", 4,
                "entries", 5, "name", name)
        hooked(f"{folder}/{name}", "map", "name", name, "pinned", f"{folder}/{name}", maps=True)
    finally:
        for made in (path, f"{folder}/{name}"):
            if os.path.exists(made):
                os.unlink(made)
        if os.path.isdir(folder):
            os.rmdir(folder)


def samples():
    """Sampled frames come out with verdict and rule."""
    pins = Pins("samples")
    with lab.Lab("xdpsamples") as it:
        try:
            b = Bench(it, "--location", "lhr", "--sample", "1/1", "--snaplen", "64")
            pins.load(b.obj)
            pins.attach(b.edge, "x0")
            tool = it.spawn("bpftool", "-j", "map", "event_pipe", "pinned",
                            pins.maps + "/sluice_samples")
            lab.until(lambda: samples_of(tool, b) >= 4, 20, "samples of four frames")
            tool.stop()
            got = [bytes(e["data"]) for e in
                   json.loads(tool.log().replace("Stopping...\n", ""))]
            lab.check(len(got) >= 4, f"{len(got)} samples in {tool.log()[-500:]}")
            for event in got:
                _, wire, cap, slot, shadow, weight, action = struct.unpack_from("<Q6I", event)
                want = TO_80 if slot == 0 else TO_81
                lab.equal((wire, cap, shadow, weight), (len(want), min(64, len(want)), 0xFFFFFFFF, 1),
                          "lengths")
                lab.equal(action, 1 if slot == 0 else 2, "action")
                lab.equal(event[32:32 + cap], want[:cap], "bytes")
            lab.equal({struct.unpack_from("<I", e, 16)[0] for e in got}, {0, 0xFFFFFFFF}, "rules")
        finally:
            pins.remove()


def samples_of(tool, b):
    """Send two frames; how many samples have come."""
    b.passes()
    return tool.log().count('"data"')


if __name__ == "__main__":
    lab.main(given, made_up, switches, loaders, chained, hook, samples)
