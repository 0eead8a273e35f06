#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The main job, shown: what scripts/run does once everything is built.

As root, a lab of three network namespaces:

    world: clients, generator --veth--> edge: sluiced --TAP--> server: knotd

Without privilege (--no-root), the same daemon reading a capture. Standard
library only. The last line printed is one JSON object."""

import argparse
import json
import os
import re
import shutil
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
sys.dont_write_bytecode = True

import frames  # noqa: E402
import lab  # noqa: E402
import servers  # noqa: E402

PORT = "edge0"
RULE = "random-subdomains"
SERVER, WORLD = "192.0.2.53", "192.0.2.1"
EDGE_MAC = "02:00:00:00:00:02"
CLIENT_QPS = 500
RULE_TEXT = f"""
[rule {RULE}]
match = dns *.www.example.uk
action = drop
"""
QUESTIONS = "example.uk SOA\nwww.example.uk A\nexample.uk MX\napi.example.uk A\nmail.example.uk A\n"


def say(text):
    print(text, flush=True)


class Table:
    """The live table: one row a second, from `sluice stats --json --watch`."""

    ROW = "{:>4}  {:<20} {:>10} {:>10} {:>10} {:>9} {:>9}  {}"

    def __init__(self):
        self.phase = ""
        self.last = None
        self.start = None

    def head(self):
        say(self.ROW.format("s", "phase", "rx/s", "dropped/s", "passed/s", "sampled/s", "lost/s",
                            "dropped by rule, lost by reason"))

    def row(self, stats):
        """One line of statistics in, one row out; the first is only a base."""
        now, last, self.last = stats, self.last, stats
        self.start = stats["time_s"] if self.start is None else self.start
        if last is None or now["time_s"] <= last["time_s"]:
            return
        span = now["time_s"] - last["time_s"]
        port, before = now["ports"][PORT], last["ports"][PORT]

        def rate(new, old):
            return round((new - old) / span)

        lost = {k: rate(n, before["lost"].get(k, 0)) for k, n in port["lost"].items()}
        rules = {k: rate(r["dropped"], last["rules"].get(k, {}).get("dropped", 0))
                 for k, r in now["rules"].items()}
        why = " ".join(f"{k}={n:,}" for k, n in [*rules.items(), *lost.items()] if n)
        say(self.ROW.format(
            round(now["time_s"] - self.start), self.phase,
            *(f"{rate(port[k], before[k]):,}" for k in ("rx", "dropped", "passed", "sampled")),
            f"{sum(lost.values()):,}", why or "-"))

    def follow(self, watch):
        """Print a row for each line of the program @watch, until it ends."""
        def body():
            for line in watch.popen.stdout:
                self.row(json.loads(line))
        threading.Thread(target=body, daemon=True).start()


def capture(path, kind, count):
    """A savefile of queries: dns-flood for random names below www.example.uk, from random
    sources, asking for signatures; dns-mixed as clients ask them."""
    lab.run(lab.binary("sluice-bench"), "frames", "--kind", kind, "--count", count, "--sources",
            "random", "--dst", SERVER, "--dst-mac", EDGE_MAC, "-w", path,
            *(["--edns-do"] if kind == "dns-flood" else []), timeout=300)


def config(device, exception, samples, cpu, main_cpu, more=""):
    """The daemon's configuration without rules; @exception may bring further keys."""
    return f"""[node]
name = lab

[port {PORT}]
device = {device}
queues = 1
lcores = {cpu}
exception = {exception}

[sample]
rate = 1/1000

[sink samples]
type = pcapng
file = {samples}

[eal]
hugepages = no
main_lcore = {main_cpu}
{more}
"""


class Show:
    """The lab and its four phases."""

    def __init__(self, it, args, samples):
        self.it, self.args, self.samples = it, args, samples
        every = lab.cpus()
        self.worker_cpu = every[-1]
        # All but the worker's; with one CPU they have to share it.
        self.other_cpus = every[:-1] or every
        self.world, self.edge, self.server = it.ns("world"), it.ns("edge"), it.ns("server")
        self.table = Table()
        self.daemon = None
        self.replay = None

    def device(self):
        if self.args.device == "af_xdp":
            return "net_af_xdp0,iface=e0,busy_budget=0"
        return "net_af_packet0,iface=e0,blocksz=1048576,framecnt=16384"

    def conf(self, rule):
        where = "none" if self.args.unplugged else \
            f"tap:sluice0\nexception_netns = {self.server.name}"
        return config(self.device(), where, self.samples, self.worker_cpu,
                      self.other_cpus[0]) + (RULE_TEXT if rule else "")

    def build(self):
        """Namespaces, veth, daemon, server; returns when a client gets an answer."""
        self.it.veth(self.world, "w0", self.edge, "e0")
        self.edge.ip("link", "set", "e0", "address", EDGE_MAC)
        self.world.ip("addr", "add", f"{WORLD}/24", "dev", "w0")
        # A worker has its CPU for itself in use; here it shares it with what else runs.
        self.daemon = self.it.sluiced(self.conf(rule=False), ns=self.edge, nice=-10)
        # From here on everything the lab starts stays off the worker's CPU.
        os.sched_setaffinity(0, self.other_cpus)
        if self.args.unplugged:
            self.server.ip("addr", "add", f"{SERVER}/24", "dev", "lo")
        else:
            self.server.ip("addr", "add", f"{SERVER}/24", "dev", "sluice0")
            self.server.ip("link", "set", "sluice0", "up")
            self.server.ip("route", "add", "default", "via", WORLD)
        # The server is reached through sluiced and in no other way; nice 19, so that what
        # it spends on the flood is what it lacks for the clients.
        servers.knot(self.it, self.server, [SERVER], sign=True, nice=19,
                     asker=self.server if self.args.unplugged else self.world)
        watch = self.it.spawn(lab.binary("sluice"), "stats", "--json", "--watch", "--socket",
                              self.daemon.socket_path, pipe=True)
        self.table.follow(watch)

    def clients(self, phase):
        """Legitimate load for one phase; the share of the queries due that was answered in 1 s."""
        self.table.phase = phase
        seconds, due = self.args.seconds, CLIENT_QPS * self.args.seconds
        p = self.it.spawn(
            "dnsperf", "-s", SERVER, "-d", self.it.file("questions", QUESTIONS), "-Q", CLIENT_QPS,
            "-l", seconds, "-t", 1, "-c", 20, "-q", 2 * CLIENT_QPS, ns=self.world, nice=-15)
        p.wait(seconds + 30)
        log = p.log()
        if "Queries sent" not in log:
            raise lab.LabError(f"dnsperf: {log.strip()}")
        good = re.search(r"NOERROR (\d+)", log)
        share = int(good.group(1)) / due if good else 0.0
        say(f"      {phase}: {share:.1%} of the {due} queries due were answered within 1 s")
        return round(min(share, 1.0), 4)

    def start_flood(self, path):
        self.table.phase = "flood begins"
        # In bursts of 64 with sleep between them: frame by frame it would spin, and take from
        # the server and the clients the CPU that they share with it.
        self.replay = self.it.spawn(
            "tcpreplay", "-q", "-K", "--loop", 0, "--pps", self.args.pps, "-T", "nano",
            "--pps-multi", 64, "-i", "w0", path, ns=self.world, nice=-10)
        enough = self.sent() + self.args.pps // 10
        lab.until(lambda: self.sent() > enough or not self.replay.alive(), 20,
                  "the generator sends")
        if not self.replay.alive():
            raise lab.LabError(f"tcpreplay ended: {self.replay.log().strip()}")

    def rule_in(self):
        """Load the rule while traffic flows; returns when a client gets an answer again."""
        self.table.phase = "reload"
        start = time.monotonic()
        self.daemon.reload(self.conf(rule=True))
        loaded = time.monotonic()
        lab.until(lambda: self.daemon.rule(RULE)["dropped"] > 0, 10, "the rule drops")
        # What the server still has in its queue from before delays it a little longer.
        text = "no client was answered for 5 s"
        while not self.args.unplugged and time.monotonic() < loaded + 5:
            if servers.ask(self.world, SERVER, "example.uk", seconds=1, qtype=6):
                text = f"a client answered {1000 * (time.monotonic() - loaded):.0f} ms later"
                break
        say(f"      the rule was in force {1000 * (loaded - start):.0f} ms after the reload began, "
            f"{text}")

    def sent(self):
        """Frames that the world sent, by the kernel's counter of its end of the veth."""
        return self.world.counters("w0")["tx_packets"]

    def books(self):
        """Both sides' figures when nothing is on its way any more."""
        def read():
            return self.sent(), lab.accounted(self.daemon.port(PORT))
        lab.settled(read)
        while True:
            # A stray ARP probe between the two readings would look like a loss.
            before, stats, after = self.sent(), self.daemon.stats(), self.sent()
            if before == after:
                return after, stats

    def run(self, flood):
        """The four phases; the figures for the last line."""
        out = {}
        self.build()
        self.table.head()
        out["answered_quiet"] = self.clients("quiet")
        self.start_flood(flood)
        sent, since = self.sent(), time.monotonic()
        out["answered_flood"] = self.clients("flood, no rule")
        self.rule_in()
        out["answered_rule"] = self.clients("flood, rule")
        out["flood_pps"] = round((self.sent() - sent) / (time.monotonic() - since) -
                                 CLIENT_QPS)
        self.replay.stop()
        again = self.clients("quiet again")
        sent, stats = self.books()
        return out, again, sent, stats


def result(figures, sent, stats, samples):
    """The object of the last line."""
    port = stats["ports"][PORT]
    keys = ("flood_pps", "answered_quiet", "answered_flood", "answered_rule")
    return {**{k: figures[k] for k in keys},
            **{k: port[k] for k in ("rx", "dropped", "passed", "sampled")},
            "lost": lab.lost_inward(port),
            "unaccounted": sent - lab.accounted(port),
            "samples_file": samples}


def in_words(out, sent, limited):
    """The summary that people read."""
    lost = sum(out["lost"].values())
    say("")
    say(f"{sent:,} frames were sent; the flood ran at {out['flood_pps']:,} packets/s.")
    say(f"Sluice received {out['rx']:,}: dropped {out['dropped']:,} by rule, limited {limited:,}, "
        f"passed {out['passed']:,} on, lost {lost:,}" +
        (": " + ", ".join(f"{n:,} {k}" for k, n in out["lost"].items() if n) if lost else "") +
        f". Unaccounted for: {out['unaccounted']:,}.")
    say(f"{out['sampled']:,} samples are in {out['samples_file']} (read it with tshark or "
        "tcpdump; the comments carry verdict and rule).")


def as_root(args, samples):
    """The lab."""
    with lab.Lab("run") as it:
        flood = it.file("flood.pcap")
        capture(flood, "dns-flood", 200000)
        show = Show(it, args, samples)
        figures, again, sent, stats = show.run(flood)
        out = result(figures, sent, stats, samples)
        show.daemon.stop()
    # For who called sudo to read.
    if os.environ.get("SUDO_UID", "").isdigit():
        os.chown(samples, int(os.environ["SUDO_UID"]), -1)
    in_words(out, sent, stats["ports"][PORT]["limited"])
    say(f"Of the real clients' queries {figures['answered_quiet']:.1%} were answered in quiet, "
        f"{figures['answered_flood']:.1%} under the flood without a rule, "
        f"{figures['answered_rule']:.1%} with the rule, {again:.1%} after the flood.")
    return out


def without_root(args, samples):
    """The same daemon on a capture; survivors and samples go to files."""
    survivors = os.path.join(os.path.dirname(samples), "run-survivors.pcap")
    with lab.Lab("run") as it:
        every, empty = it.file("all.pcap"), it.file("empty.pcap")
        flood, legitimate = 100000 * args.seconds, 10000 * args.seconds
        capture(every, "dns-flood", flood)
        capture(it.file("clients.pcap"), "dns-mixed", legitimate)
        with open(every, "ab") as to, open(it.file("clients.pcap"), "rb") as f:
            f.seek(frames.PCAP_HEADER)
            shutil.copyfileobj(f, to)
        frames.write_pcap(empty, [])
        cpu = lab.cpus()
        conf = config(f"net_pcap0,rx_pcap={every}", "port:wire0\npolicer = off", samples,
                      cpu[-1], cpu[0],
                      f"""
[port wire0]
device = net_pcap1,rx_pcap={empty},tx_pcap={survivors}
lcores = {cpu[-1]}
exception = none
""") + RULE_TEXT
        daemon = it.sluiced(conf)
        start = time.monotonic()
        lab.until(lambda: lab.accounted(daemon.port(PORT)) >= flood + legitimate, 120,
                  "the capture is read")
        took = time.monotonic() - start
        stats = daemon.stats()
        daemon.stop()
    figures = dict.fromkeys(("answered_quiet", "answered_flood", "answered_rule"))
    figures["flood_pps"] = round(flood / took)
    out = result(figures, flood + legitimate, stats, samples)
    in_words(out, flood + legitimate, stats["ports"][PORT]["limited"])
    say(f"Survivors are in {survivors}.")
    return out


def main():
    ap = argparse.ArgumentParser(prog="scripts/run", add_help=False)
    ap.add_argument("--seconds", type=int, default=5)
    ap.add_argument("--pps", type=int, default=220000)
    ap.add_argument("--device", choices=("af_packet", "af_xdp"), default="af_packet")
    ap.add_argument("--unplugged", action="store_true")
    ap.add_argument("--no-root", action="store_true")
    ap.add_argument("--out", required=True)
    args = ap.parse_args()
    samples = os.path.join(os.path.abspath(args.out), "run-samples.pcapng")
    try:
        out = (without_root if args.no_root else as_root)(args, samples)
    except lab.LabError as e:
        sys.exit(f"scripts/run: {e}")
    print(json.dumps(out), flush=True)


main()
