#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's life: start without privileges, counters, reload, end; and after
each of them nothing is left that was not there before."""

import json
import os
import random
import signal
import stat

import frames
import lab

NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
RULE = "[rule flood]\nmatch = dns *.www.example.uk\naction = drop\n"
OTHER = "[rule other]\nmatch = dns *.example.net\naction = drop\n"


def queries(rng, zone, n):
    """@n queries for random names of @zone."""
    return [frames.dns4(f"{frames.random_label(rng)}.{zone}", frames.random_ip(rng),
                        "192.0.2.53", ident=i) for i in range(n)]


def open_dir(it):
    """Let other users into the lab's folder."""
    os.chmod(it.dir, 0o777)


def savefile_conf(it, traffic, rules=RULE):
    """A port that reads @traffic from a savefile and writes survivors to another."""
    frames.write_pcap(it.file("in.pcap"), traffic)
    return (f"[port edge0]\ndevice = net_pcap0,rx_pcap={it.file('in.pcap')},"
            f"tx_pcap={it.file('out.pcap')}\nexception = port:edge0\n"
            f"[protect]\nvital = no\n"
            f"[sample]\nrate = 1/1\n"
            f"[sink all]\nfile = {it.file('samples.pcapng')}\n{rules}")


def handled(daemon, n):
    """Wait until all @n frames of the savefile are in the books; the port's counters."""
    return lab.until(lambda: (lambda p: p if lab.accounted(p) == n else None)(
        next(iter(daemon.ask("stats")["ports"].values()))), 20, f"{n} frames handled")


def savefile_as_nobody():
    """An unprivileged user runs it on a savefile: dropped, passed and sampled are right."""
    rng = random.Random(frames.seed())
    bad, good = queries(rng, "www.example.uk", 700), queries(rng, "example.uk", 300)
    traffic = bad + good
    rng.shuffle(traffic)
    with lab.Lab("life") as it:
        open_dir(it)
        daemon = it.sluiced(savefile_conf(it, traffic), wrap=NOBODY)
        lab.equal(os.stat(f"/proc/{daemon.pid}").st_uid, 65534, "runs as nobody")
        port = handled(daemon, len(traffic))
        lab.equal((port["rx"], port["dropped"], port["passed"], port["sampled"]),
                  (1000, 700, 300, 1000), "rx, dropped, passed, sampled")
        rule = daemon.ask("stats")["rules"]["flood"]
        lab.equal((rule["packets"], rule["dropped"], rule["mode"]), (700, 700, "enforce"), "rule")
        lab.check(rule["last_hit_s"] > 1600000000, "the time of the last hit")
        lab.equal(rule["source"].rsplit(":", 1)[0], daemon.conf_path, "where the rule stands")
        mode = os.stat(daemon.socket_path).st_mode
        lab.equal(stat.S_IMODE(mode), 0o660, "mode of the control socket")

        lab.equal(daemon.stop(), 0, "exit status after SIGTERM")
        lab.check(not os.path.exists(daemon.socket_path), "the socket's file is gone")
        lab.equal(sorted(frames.read_pcap(it.file("out.pcap"))), sorted(good), "survivors")
        log = daemon.log()
        lab.check("port edge0: rx 1000, dropped 700, limited 0, passed 300" in log, log)
        out = lab.run("tshark", "-r", it.file("samples.pcapng"), "-T", "fields", "-e",
                      "frame.comment").stdout.splitlines()
        lab.equal(len(out), 1000, "samples written")
        lab.equal(sum("verdict=drop" in x and "rule=flood" in x for x in out), 700,
                  "samples of drops")


def reload_good_and_bad():
    """SIGHUP and the socket put new rules in force; a bad file changes nothing."""
    rng = random.Random(frames.seed())
    with lab.Lab("life") as it:
        base = savefile_conf(it, queries(rng, "www.example.uk", 100), rules="")
        daemon = it.sluiced(base + RULE)
        handled(daemon, 100)

        said = daemon.reload(base + RULE + OTHER)
        lab.check(any(x.startswith("RELOADING") for x in said), f"told {said}")
        lab.check("STATUS=reloaded" in said, f"told {said}")
        rules = daemon.ask("stats")["rules"]
        lab.equal(sorted(rules), ["flood", "other"], "rules after a good reload")
        lab.equal(rules["flood"]["dropped"], 100, "counters go on through a reload")

        for text, want in BAD_RELOADS:
            said = daemon.reload(base + RULE + OTHER + text)
            status = [x for x in said if x.startswith("STATUS=reload refused")]
            lab.check(status and want in status[0], f"{text!r}: told {said}, expected {want!r}")
            lab.equal(sorted(daemon.ask("stats")["rules"]), ["flood", "other"],
                      f"rules after {text!r}")
        said = daemon.reload((base + RULE).replace("[sample]\n", "[sample]\nsnaplen = 200\n"))
        lab.check(said[-1].endswith("a restart is needed to change [sample] snaplen"), f"told {said}")

        daemon.write(base + OTHER + "[rule flood]\naction = drop\nmatch = dns nonsense..name\n")
        try:
            daemon.ask("reload")
            raise AssertionError("a bad file must be refused")
        except lab.LabError as e:
            lab.check("sluiced" in str(e) and ".ini:" in str(e), f"says where: {e}")
        daemon.write(base + OTHER)
        lab.equal(daemon.ask("reload")["ok"], True, "a good file by the socket")
        rules = daemon.ask("stats")["rules"]
        lab.equal(sorted(rules), ["flood", "other"], "no rule that was refused has counters")
        lab.equal((rules["other"]["mode"], rules["flood"]["mode"]), ("enforce", "removed"),
                  "a rule that went keeps its counters")
        lab.equal(rules["flood"]["dropped"], 100, "counters of a rule that went")

        daemon.write(base + RULE)
        os.unlink(daemon.conf_path)
        lab.check("reload refused" in "".join(daemon.reload()), "no file: refused")
        lab.equal(daemon.stop(), 0, "exit status")


# What a reload must refuse, and what it says.
BAD_RELOADS = [
    ("[rule flood]\nmatch = dns a.example\naction = drop\n", "flood"),
    ("[rule x]\nmatch = dns a.example\naction = drip\n", "drip"),
    ("[rulez x]\nmatch = all\n", "rulez"),
    ("[rule x]\naction = drop\nmatsch = all\n", "match"),
    ("[rule x]\naction = drop\nmatch = nonsense 1 2\n", "nonsense"),
    ("[rule never]\nmatch = all\naction = count\n[sink two]\nfile = /nonexistent/dir/x.pcapng\n", "/nonexistent/dir"),
    ("[port more]\ndevice = net_null0\nexception = none\n", "restart"),
]


def samples_in(path):
    """How many samples a file holds."""
    return len(lab.run("tshark", "-r", path, "-T", "fields", "-e", "frame.number")
               .stdout.splitlines())


def sinks_change():
    """A reload opens, closes and changes sinks; those that stay go on in their file."""
    rng = random.Random(frames.seed())
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        base = ("[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"
                f"[protect]\nvital = no\n[sample]\nrate = 1/1\n{RULE}")
        one, two = it.file("one.pcapng"), it.file("two.pcapng")
        sinks = [f"[sink one]\nfile = {one}\n", f"[sink two]\nfile = {two}\n"]
        daemon = it.sluiced(base + sinks[0], ns=edge)
        wire, sent = world.wire("w0"), 0

        def send(n):
            nonlocal sent
            sent += n
            wire.send(queries(rng, "www.example.uk", n))
            lab.until(lambda: daemon.ask("stats")["ports"]["edge0"]["sampled"] == sent, 10,
                      "sampled")

        send(10)
        lab.check("STATUS=reloaded" in daemon.reload(base + sinks[0] + sinks[1]), "both")
        send(10)
        lab.check("STATUS=reloaded" in daemon.reload(base + sinks[1]), "two alone")
        lab.equal(samples_in(one), 20, "samples of a closed sink")
        send(10)
        changed = base + sinks[1] + "comments = no\n"
        lab.check("STATUS=reloaded" in daemon.reload(changed), "changed")
        lab.equal(samples_in(two), 20, "samples before the change, not moved yet")
        send(10)
        lab.until(lambda: os.path.exists(two + ".1"), 10, "the first sample to rotate")
        lab.equal(samples_in(two + ".1"), 20, "samples before the change, rotated away")
        for keep in (3, 4, 5):
            said = daemon.reload(f"{changed}keep = {keep}\n[sink three]\nfile = /nonexistent/x\n")
            lab.check("refused" in "".join(said), "refused")
        send(10)
        lab.equal(daemon.stop(), 0, "exit status")
        lab.equal(samples_in(two), 20, "samples after the change")
        lab.check(not os.path.exists(one + ".1"), "a sink that stays is not rotated")
        lab.check(not os.path.exists(two + ".2"), "refused reloads rotate nothing")


def switches():
    """enforce off lets everything through at once and counts; the sample rate changes."""
    rng = random.Random(frames.seed())
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        daemon = it.sluiced("[port edge0]\ndevice = net_af_packet0,iface=e0\n"
                            "exception = tap:sluice0\n[protect]\nvital = no\n"
                            f"[sample]\nrate = off\n{RULE}", ns=edge)
        wire = world.wire("w0")

        def send(n):
            before = daemon.ask("stats")["ports"]["edge0"]
            wire.send(queries(rng, "www.example.uk", n))
            lab.until(lambda: daemon.ask("stats")["ports"]["edge0"]["rx"] >= before["rx"] + n,
                      10, "frames received")
            after = lab.settled(lambda: daemon.ask("stats")["ports"]["edge0"])
            return tuple(after[k] - before[k] for k in ("dropped", "passed", "sampled"))

        lab.equal(send(50), (50, 0, 0), "enforced: dropped, passed, sampled")
        lab.equal(daemon.ask("enforce", state="off")["state"], "off", "answer")
        lab.equal(send(50), (0, 50, 0), "not enforced")
        daemon.ask("enforce", state="on")
        daemon.ask("sample", rate="1/1")
        lab.equal(send(50), (50, 0, 50), "enforced again, all sampled")
        for cmd, args in (("enforce", {"state": "maybe"}), ("sample", {"rate": "2"}),
                          ("sample", {"rate": "1/1", "port": "none"}), ("sample", {}),
                          ("enforce", {"state": 7}), ("nonsense", {})):
            try:
                daemon.ask(cmd, **args)
                raise AssertionError(f"{cmd} {args} must be refused")
            except lab.LabError:
                pass
        lab.equal(daemon.stop(), 0, "exit status")


def ends_clean():
    """SIGTERM and SIGINT: the TAP stays without carrier, the takeover is gone."""
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        for sig in (signal.SIGTERM, signal.SIGINT):
            daemon = it.sluiced("[port edge0]\ndevice = net_af_packet0,iface=e0\n"
                                "exception = tap:sluice0\n", ns=edge)
            lab.check("e0" in edge.ruleset(), "taken over while it runs")
            lab.equal(daemon.stop(sig), 0, f"exit status after {sig}")
            lab.equal(edge.ruleset(), "", "no nft table is left")
            lab.check("sluice0" in edge.devices(), "the TAP stays")
            edge.ip("link", "set", "sluice0", "up")
            link, = json.loads(edge.ip("-j", "link", "show", "dev", "sluice0").stdout)
            lab.check("NO-CARRIER" in link["flags"], f"without carrier: {link['flags']}")


def mends_a_crash():
    """After SIGKILL the next start works and leaves nothing of the dead one."""
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        conf = ("[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"
                f"[control]\nsocket = {it.file('fixed.sock')}\n")
        daemon = it.sluiced(conf, ns=edge)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(10)
        daemon = it.sluiced(conf, ns=edge)
        lab.equal(edge.ruleset().count("table"), 1, "one table while it runs")
        lab.equal(daemon.stop(), 0, "exit status")
        lab.equal(edge.ruleset(), "", "no nft table is left")
        lab.check(not os.path.exists(it.file("fixed.sock")), "no socket is left")


def status_of(pid, task=None):
    """/proc/PID/status as a dictionary."""
    with open(f"/proc/{pid}/task/{task or pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def drops_root():
    """[control] user: two capabilities stay in one thread, none elsewhere; all still works."""
    rng = random.Random(frames.seed())
    with lab.Lab("life") as it:
        open_dir(it)
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        conf = ("[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"
                f"[protect]\nvital = no\n[sink s]\nfile = {it.file('s.pcapng')}\n"
                f"[control]\nuser = nobody\nsocket = {it.file('n.sock')}\n")
        daemon = it.sluiced(conf, ns=edge)
        daemon.socket_path = it.file("n.sock")
        main = status_of(daemon.pid)
        lab.equal(main["Uid"].split(), ["65534"] * 4, "user")
        lab.equal(main["Gid"].split(), ["65534"] * 4, "group")
        lab.equal(main["Groups"].split(), [], "further groups")
        caps = (1 << 12) | (1 << 13) # CAP_NET_ADMIN, CAP_NET_RAW
        lab.equal((int(main["CapEff"], 16), int(main["CapPrm"], 16)), (caps, caps), "kept")
        lab.equal(main["NoNewPrivs"], "1", "no new privileges")
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            of = status_of(daemon.pid, task)
            lab.equal(of["Uid"].split(), ["65534"] * 4, f"user of {of['Name']}")
            if int(task) != daemon.pid:
                # The first thing that a thread does.
                lab.until(lambda task=task: int(status_of(daemon.pid, task)["CapPrm"], 16) == 0, 10,
                          f"{of['Name']} has no capabilities")
        lab.equal(os.stat(it.file("s.pcapng")).st_uid, 65534, "whose the samples are")

        lab.check("STATUS=reloaded" in daemon.reload(conf + RULE), "reload")
        world.wire("w0").send(queries(rng, "www.example.uk", 20))
        lab.until(lambda: daemon.ask("stats")["ports"]["edge0"]["dropped"] == 20, 10, "dropped")
        lab.equal(daemon.stop(), 0, "exit status")
        lab.equal(edge.ruleset(), "", "no nft table is left")
        lab.check(not os.path.exists(it.file("n.sock")), "no socket is left")


def protects_anew():
    """[protect] changes by a reload: ARP lives, dies, lives under a rule that drops all."""
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        conf = ("[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"
                "[rule all]\nmatch = all\nlink = ether\naction = drop\n")
        daemon = it.sluiced(conf, ns=edge)
        wire = world.wire("w0")
        arp = frames.arp(1, "02:00:00:00:00:01", "192.0.2.1", "00:00:00:00:00:00", "192.0.2.2")

        def send(n):
            """n ARP requests: (dropped, passed, protected at the rule)."""
            def now():
                stats = daemon.ask("stats")
                p, r = stats["ports"]["edge0"], stats["rules"]["all"]
                return p["rx"], p["dropped"], p["passed"], r["protected"]
            before = now()
            wire.send([arp] * n)
            lab.until(lambda: now()[0] >= before[0] + n, 10, "received")
            return tuple(a - b for a, b in zip(lab.settled(now), before))[1:]

        lab.equal(send(10), (0, 10, 10), "protected")
        lab.check("STATUS=reloaded" in daemon.reload(conf + "[protect]\nvital = no\n"), "reload")
        lab.equal(send(10), (10, 0, 0), "not protected")
        lab.check("STATUS=reloaded" in daemon.reload(conf + "[protect]\nvital_rate = 1 pps\n"),
                  "reload")
        got = send(40)
        lab.check(got[0] > 0 and got[1] > 0, f"beyond its bucket it is an ordinary frame: {got}")
        lab.check("STATUS=reloaded" in daemon.reload(conf), "reload")
        lab.equal(send(10), (0, 10, 10), "protected again")
        lab.equal(daemon.stop(), 0, "exit status")


def rules_end():
    """A ttl ends a rule, and it stays over after a reload and a restart."""
    rng = random.Random(frames.seed())
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        conf = ("[port edge0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"
                f"[node]\nstate = {it.dir}\n[protect]\nvital = no\n{RULE}ttl = 3 s\n{OTHER}")
        daemon = it.sluiced(conf, ns=edge)
        wire = world.wire("w0")

        def send(n):
            before = daemon.ask("stats")["ports"]["edge0"]
            wire.send(queries(rng, "www.example.uk", n))
            return lab.until(lambda: (lambda p: (p["dropped"] - before["dropped"],
                                                 p["passed"] - before["passed"])
                                      if lab.accounted(p) - lab.accounted(before) >= n else None)(
                daemon.ask("stats")["ports"]["edge0"]), 10, "received")

        def state():
            return daemon.ask("stats")["rules"]["flood"]["state"]

        lab.equal((state(), send(10)), ("on", (10, 0)), "before it ends")
        lab.until(lambda: state() == "expired", 10, "the rule ends")
        lab.until(lambda: send(1) == (0, 1), 5, "frames pass")
        lab.check("STATUS=reloaded" in daemon.reload(), "reload")
        lab.equal((state(), send(10)), ("expired", (0, 10)), "after a reload")
        lab.equal(daemon.ask("stats")["rules"]["other"]["state"], "on", "a rule without ttl")
        daemon.stop()
        daemon = it.sluiced(conf, ns=edge)
        lab.equal((state(), send(10)), ("expired", (0, 10)), "after a restart")
        daemon.reload(conf.replace("3 s", "300 s"))
        lab.equal((state(), send(10)), ("on", (10, 0)), "a changed text starts anew")
        lab.equal(daemon.stop(), 0, "exit status")


def stops_while_starting():
    """SIGTERM at any moment of the start ends it cleanly."""
    with lab.Lab("life") as it:
        world, edge = it.ns("world"), it.ns("edge")
        it.veth(world, "w0", edge, "e0")
        conf = it.file("s.ini", "[port edge0]\ndevice = net_af_packet0,iface=e0\n"
                       f"exception = tap:sluice0\n[control]\nsocket = {it.file('s.sock')}\n"
                       "[eal]\nhugepages = no\n")
        for delay_ms in range(0, 600 if lab.LONG else 400, 10 if lab.LONG else 50):
            proc = it.spawn(lab.binary("sluiced"), "-c", conf, ns=edge)
            try:
                proc.wait(delay_ms / 1000)
            except lab.LabError:
                pass # it is still starting, or it runs
            # Before main() a signal is the loader's to handle: that is no start of ours.
            status = proc.stop()
            lab.check(status in (0, -signal.SIGTERM), f"after {delay_ms} ms: exit {status}: "
                      + proc.log())
            lab.equal(edge.ruleset(), "", f"after {delay_ms} ms: nft")
            if status == 0:
                lab.check(not os.path.exists(it.file("s.sock")), f"after {delay_ms} ms: socket")


lab.main(savefile_as_nobody, reload_good_and_bad, sinks_change, switches, ends_clean, mends_a_crash,
         drops_root, protects_anew, rules_end, stops_while_starting)
