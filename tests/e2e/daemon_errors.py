#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the daemon says when it cannot start: one line that says what to do, the
right exit status, and nothing half-started is left."""

import os
import re
import sys

import lab

NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
PORT = "[port p0]\ndevice = net_null0\nexception = none\n"
VETH = "[port p0]\ndevice = net_af_packet0,iface=e0\nexception = tap:sluice0\n"

# Without touching the machine: name, text, what the line must say. Status 2.
BAD_FILES = [
    ("unknown section", PORT + "[prot x]\n", r":4: .*prot.*port|:4: .*port"),
    ("unknown key", PORT + "queue = 1\n", r":4: .*queues"),
    ("value out of range", PORT + "queues = 1000\n", r":4: .*1000"),
    ("no value", PORT + "queues\n", r":4:"),
    ("not a rate", PORT + "[sample]\nrate = often\n", r":5: .*often"),
    ("CPU list is no list", PORT + "lcores = 1-\n", r":4: .*"),
    ("CPUs not as many as queues", PORT + "queues = 2\nlcores = 0\n", r"lcores|queues"),
    ("bad rule", PORT + "[rule x]\naction = drop\nmatch = dns a..b\n", r":6: "),
    ("bad expression", PORT + "[rule x]\naction = drop\nexpr = udp and and\n", r":6: "),
    ("rule for no port", PORT + "[rule x]\nmatch = all\naction = drop\nport = p1\n", r":7: .*p1"),
    ("unknown set", PORT + "[rule x]\nmatch = all\naction = drop\ndst = victims\n",
     r":7: .*victims"),
    ("rule's file is missing", PORT + "[rule x]\naction = drop\nfile = none.asm\n",
     r":6: .*none.asm"),
    ("two of a name", PORT + 2 * "[rule x]\nmatch = all\naction = drop\n", r":7: .*x"),
    ("no action", PORT + "[rule x]\nmatch = all\n", r":4: .*action"),
    ("no port", "[node]\nname = x\n", r"port NAME"),
    ("exception to no port", "[port p0]\ndevice = net_null0\nexception = port:p9\n", r"p9"),
    ("no device", "[port p0]\nexception = none\n", r"device"),
    ("socket path too long", PORT + f"[control]\nsocket = /tmp/{'x' * 120}\n", r"socket|long"),
]


def one_line(text, what):
    """The one line of an error that @text must be, with neither level nor name."""
    lines = [x for x in text.splitlines() if not re.match(r"<[4-7]>", x)]
    lab.equal(len(lines), 1, f"{what}: lines of {text!r}")
    lab.check(re.match(r"(<3>|sluiced: )\S", lines[0]), f"{what}: {lines[0]!r}")
    return re.sub(r"^(<3>|sluiced: )", "", lines[0])


class Bench:
    """A namespace with one end of a veth pair, and starts that are to fail in it."""

    def __init__(self, it):
        self.it = it
        self.world, self.edge = it.ns("world"), it.ns("edge")
        it.veth(self.world, "w0", self.edge, "e0")
        self.dir = it.file("try")
        os.mkdir(self.dir)
        os.chmod(it.dir, 0o755)
        os.chmod(self.dir, 0o777)
        self.conf = os.path.join(self.dir, "s.ini")
        self.socket = os.path.join(self.dir, "s.sock")

    def write(self, text):
        if "[control]" not in text:
            text += f"[control]\nsocket = {self.socket}\n"
        if "[eal]" not in text:
            text += "[eal]\nhugepages = no\n"
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *args, wrap=()):
        return self.edge.run(*wrap, lab.binary("sluiced"), *args, check=False, timeout=30)

    def fails(self, what, text, status, says, wrap=(), args=None, taps=()):
        """A start with @text ends with @status, and its line matches @says."""
        self.write(text)
        before = sorted(os.listdir(self.dir))
        p = self.start(*(args or ("-c", self.conf)), wrap=wrap)
        lab.equal(p.returncode, status, f"{what}: exit status ({p.stderr.strip()})")
        line = one_line(p.stderr, what)
        lab.check(re.search(says, line), f"{what}: {line!r}, expected {says!r}")
        lab.equal(sorted(os.listdir(self.dir)), before, f"{what}: files left")
        lab.equal(self.edge.ruleset(), "", f"{what}: nft left")
        lab.equal(sorted(self.edge.devices()), sorted(["lo", "e0", *taps]),
                  f"{what}: interfaces left")


def bad_files():
    """-t and a start say the same; -t needs no privilege."""
    with lab.Lab("errors") as it:
        bench = Bench(it)
        for what, text, says in BAD_FILES:
            bench.fails(what, text, 2, says)
            bench.fails(what + " (-t)", text, 2, says, wrap=NOBODY,
                        args=("-t", "-c", bench.conf))
        bench.fails("no such file", PORT, 2, r"nothing\.ini", args=("-c", "/nothing.ini"))
        bench.fails("a folder", PORT, 2, r"try", args=("-c", bench.dir))
        bench.write(PORT)
        os.chmod(bench.conf, 0o600)
        p = bench.start("-t", "-c", bench.conf, wrap=NOBODY)
        lab.equal(p.returncode, 2, "unreadable file: exit status")
        lab.check("ermission" in one_line(p.stderr, "unreadable"), p.stderr)
        os.chmod(bench.conf, 0o644)
        os.mkdir(os.path.join(bench.dir, "conf.d"))
        with open(os.path.join(bench.dir, "conf.d", "10-x.ini"), "w", encoding="utf-8") as f:
            f.write("[rule x]\naction = drop\nmatch = nonsense\n")
        bench.fails("a file in conf.d", PORT, 2, r"conf\.d/10-x\.ini:3: ")


def usage():
    """Options: unknown ones, -V, -t, --print-config, all as nobody."""
    with lab.Lab("errors") as it:
        bench = Bench(it)
        for what, args in (("unknown option", ["-x"]), ("unknown long option", ["--frob"]),
                           ("no argument", ["-c"]), ("a word too many", ["start"])):
            bench.fails(what, PORT, 2, r"option|argument", args=args, wrap=NOBODY)
        bench.write(PORT)
        p = bench.start("-V", wrap=NOBODY)
        lab.check(p.returncode == 0 and re.fullmatch(r"sluiced \d+\.\d+\.\d+\n", p.stdout),
                  f"-V: {p.stdout!r} {p.stderr!r}")
        p = bench.start("-t", "-c", bench.conf, wrap=NOBODY)
        lab.equal((p.returncode, p.stderr), (0, ""), "-t of a good file")
        p = bench.start("--print-config", wrap=NOBODY)
        lab.equal((p.returncode, p.stderr), (0, ""), "--print-config")
        for section in ("[node]", "[port", "[sample]", "[sink", "[protect]", "[control]",
                        "[set", "[rule"):
            lab.check(section in p.stdout, f"--print-config has {section}")
        bench.write(p.stdout)
        p = bench.start("-t", "-c", bench.conf, wrap=NOBODY)
        lab.equal(p.returncode, 0, f"what --print-config prints is valid: {p.stderr}")
        # A check that waits for its input can be ended.
        ends = os.pipe()
        p = bench.edge.run("timeout", "-k", "5", "1", lab.binary("sluiced"), "-t", "-c", "-",
                           check=False, timeout=30, stdin=ends[0])
        lab.equal(p.returncode, 124, "-t is ended by SIGTERM, not only by SIGKILL")
        for end in ends:
            os.close(end)
        p = bench.start("--help", wrap=NOBODY)
        lab.check(p.returncode == 0 and "--print-config" in p.stdout, "--help")


def machine_lacks():
    """Right files, wrong machine."""
    with lab.Lab("errors") as it:
        bench = Bench(it)
        cpu = max(os.sched_getaffinity(0)) + 100
        bench.fails("a CPU that is not there", PORT + f"lcores = {cpu}\n", 2, rf"{cpu}")
        bench.fails("main CPU that is not there",
                    PORT + f"[eal]\nhugepages = no\nmain_lcore = {cpu}\n", 2, rf"{cpu}")
        bench.fails("no such interface", VETH.replace("e0", "e9"), 1, r"p0.*e9")
        bench.fails("no such driver", PORT.replace("net_null0", "net_bogus0"), 1,
                    r"p0.*net_bogus0")
        bench.fails("no such PCI device", PORT.replace("net_null0", "0000:ff:1f.7"), 1,
                    r"p0.*0000:ff:1f\.7")
        bench.fails("no such savefile", PORT.replace("net_null0", "net_pcap0,rx_pcap=/none"), 1,
                    r"p0.*/none")
        bench.fails("no permission", VETH, 1, r"p0.*(root|CAP_NET|ermi)", wrap=NOBODY)
        bench.fails("no folder for samples",
                    PORT + "[sink s]\nfile = /nonexistent/x.pcapng\n", 1,
                    r"sink s.*/nonexistent/x\.pcapng")
        bench.fails("no folder for the socket",
                    PORT + "[control]\nsocket = /nonexistent/x.sock\n", 1, r"/nonexistent")
        bench.fails("not enough hugepages",
                    PORT + "[eal]\nhugepages = yes\nmemory = 900 GiB\n", 1, r"nr_hugepages")

        # By itself it goes on without, and says so once.
        with open("/proc/meminfo", encoding="ascii") as f:
            info = dict(line.split(":", 1) for line in f)
        mib = int(info["HugePages_Free"]) * int(info["Hugepagesize"].split()[0]) // 1024 + 256
        daemon = it.sluiced(PORT + f"[eal]\nhugepages = auto\nmemory = {mib} MiB\n")
        lab.equal(daemon.log().count("not enough free hugepages"), 1, daemon.log())
        lab.equal(daemon.stop(), 0, "exit status")


def taken():
    """What somebody else has: the TAP, the control socket; and they are unharmed."""
    with lab.Lab("errors") as it:
        bench = Bench(it)
        bench.edge.ip("tuntap", "add", "dev", "sluice0", "mode", "tap")
        holder = it.spawn(sys.executable, "-c", HOLD, ns=bench.edge)
        lab.until(lambda: "held" in holder.log(), 10, "TAP held")
        bench.fails("TAP in use", VETH, 1, r"p0.*sluice0", taps=["sluice0"])
        holder.stop()

        daemon = it.sluiced(PORT)
        bench.fails("control socket in use",
                    PORT + f"[control]\nsocket = {daemon.socket_path}\n", 1,
                    r"in use|other|already", taps=["sluice0"])
        lab.equal(daemon.ask("stats")["version"], 1, "the other daemon answers")
        lab.equal(daemon.stop(), 0, "exit status")


def interface_taken():
    """A second daemon on an interface or a TAP is refused; the first keeps what it has.
    Interfaces whose names differ only in what nft takes for no letter are two."""
    two = VETH + "queues = 2\nlcores = 0,1\n"
    with lab.Lab("errors") as it:
        bench = Bench(it)
        it.veth(bench.world, "w1", bench.edge, "e@0")
        first = it.sluiced(two + "[eal]\nhugepages = no\n", ns=bench.edge)
        rules = bench.edge.ruleset()
        for what, text in (("interface", two.replace("sluice0", "sluice1")),
                           ("TAP", two.replace("=e0", "=e@0"))):
            bench.write(text)
            p = bench.start("-c", bench.conf)
            lab.equal(p.returncode, 1, f"{what}: exit status")
            lab.check(re.search(rf"p0.*already used by another sluiced \(process {first.pid}\)",
                                one_line(p.stderr, what)), f"{what}: {p.stderr!r}")
            lab.equal(bench.edge.ruleset(), rules, f"{what}: the first one's table")
        it.veth(bench.world, "w2", bench.edge, "e_0")
        others = [it.sluiced(VETH.replace("=e0", "=" + iface).replace("sluice0", tap), ns=bench.edge)
                  for iface, tap in (("e@0", "sluice2"), ("e_0", "sluice3"))]
        lab.equal(bench.edge.ruleset().count("table"), 3, "tables of three interfaces")
        for other in others:
            lab.equal(other.stop(), 0, "exit status")
        lab.equal(bench.edge.ruleset(), rules, "the first one's table")
        lab.equal(first.stop(), 0, "exit status")
        lab.equal(bench.edge.ruleset(), "", "no table is left")


HOLD = """
import fcntl, select, struct
f = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(f, 0x400454ca, struct.pack("16sH22x", b"sluice0", 0x1002))
print("held", flush=True)
select.select([], [], [])
"""


lab.main(bad_files, usage, machine_lacks, taken, interface_taken)
