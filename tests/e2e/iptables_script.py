# SPDX-License-Identifier: BSD-3-Clause
"""Generated scripts in a namespace: nothing matches before an address is given, queries
are dropped after, and nothing is left after --delete; by iptables-nft and -legacy."""

import os
import re

import frames
import lab

FLOODED = {4: "192.0.2.53", 6: "2001:db8::53"}
QUIET = {4: "192.0.2.54", 6: "2001:db8::54"}
WORLD = {4: "192.0.2.1", 6: "2001:db8::1"}
MARK_PORT = 9999
HOSTILE = ("'; touch pwned; '", "$(touch pwned)", "`touch pwned`", "\"; touch pwned; \"",
           "a\ntouch pwned\n", "\\", "'\\''", "# shellcheck disable=all", "-j ACCEPT",
           "%s%n", "\x01\x7f\xe2\x80\x9d", "a'b\"c$d`e\\f\n*?[!~")


class Site:
    """world --veth--> edge, which runs the scripts and has all the addresses."""

    def __init__(self, it, backend, family):
        self.it, self.backend, self.family = it, backend, family
        self.world = it.ns(f"w{backend}{family}")
        self.edge = it.ns(f"e{backend}{family}")
        it.veth(self.world, "w0", self.edge, "e0")
        if family == 6:
            self.edge.ipv6("e0")
        for addr in (FLOODED[family], QUIET[family]):
            self.edge.ip("addr", "add", addr + ("/24" if family == 4 else "/64"), "dev", "e0",
                         *(["nodad"] if family == 6 else []))
        self.edge.ip(f"-{family}", "route", "add", "default", "via", WORLD[family], "dev", "e0")
        self.tool = f"ip{'6' if family == 6 else ''}tables-{backend}"
        # What the scripts leave is counted here.
        self.table("-A", "INPUT", "-p", "udp", "--dport", "53", "-j", "ACCEPT")
        self.table("-A", "INPUT", "-p", "udp", "--dport", MARK_PORT, "-j", "ACCEPT")
        self.wire = self.world.wire("w0")
        self.mac = self.edge.mac("e0")
        self.clean = self.saved()

    def table(self, *args):
        return self.edge.run(self.tool, "-w", *args).stdout

    def saved(self):
        """All tables without counters and comments, and all sets."""
        text = self.edge.run(f"{self.tool}-save").stdout
        lines = [re.sub(r" \[\d+:\d+\]", "", x) for x in text.split("\n") if x[:1] != "#"]
        return lines, self.edge.run("ipset", "list", "-name").stdout.split()

    def generate(self, *args):
        """A script; its path."""
        six = ["-6"] if self.family == 6 else []
        out = lab.run(lab.binary("sluice"), args[0], *six, *args[1:], cwd=self.it.dir).stdout
        m = re.fullmatch(r"Generated file '(.*)'\n", out)
        lab.check(m is not None, f"what sluice says: {out!r}")
        return os.path.join(self.it.dir, m[1])

    def script(self, path, *args, check=True, cwd=None, **env):
        """Run one."""
        env = {**os.environ, "IPTABLES": self.tool, **env}
        return self.edge.run(path, *args, check=check, cwd=cwd, env=env)

    def query(self, name, to, port=53):
        udp = frames.udp4 if self.family == 4 else frames.udp6
        return udp(frames.dns_query(name), WORLD[self.family], to[self.family], 12345, port,
                   dst_mac=self.mac)

    def counts(self, chain="INPUT"):
        """Packets of each rule of a chain."""
        return [int(x.split()[0]) for x in self.table("-vnxL", chain).split("\n")[2:] if x]

    def send(self, names, chain="INPUT", first=()):
        """@first and queries for @names, to both addresses and another port: packets by rule."""
        before, marks = self.counts(chain), self.counts()[-1]
        sent = list(first) + [self.query(name, to, port) for name in names
                for to, port in ((FLOODED, 53), (QUIET, 53), (FLOODED, 5353))]
        self.wire.send(sent + [self.query("mark", QUIET, MARK_PORT)])
        lab.until(lambda: self.counts()[-1] > marks, 10, "the last frame has come")
        return [b - a for a, b in zip(before, self.counts(chain))]

    def offer(self, proto, segment):
        """One datagram; how many the first rule took."""
        ip, kind = (frames.ipv4, frames.ETH_IP) if self.family == 4 else \
            (frames.ipv6, frames.ETH_IP6)
        datagram = ip(segment, proto, WORLD[self.family], FLOODED[self.family])
        return self.send((), first=[frames.ether(datagram, kind, dst_mac=self.mac)])[0]

    def gone(self, path):
        """--delete removes all, and can be said again."""
        for _ in range(2):
            self.script(path, "--delete")
            lab.equal(self.saved(), self.clean, "what --delete left")


def one_rule(site):
    """sluice iptables: before, after, twice, removed."""
    path = site.generate("iptables", "dns", "--", "*.example.uk")
    lab.equal(os.path.basename(path), f"bpf_dns_ip{site.family}_any_example_uk.sh", "its name")
    lab.equal(os.stat(path).st_mode & 0o7777, 0o750, "its mode")
    names = ["a.example.uk", "bb.example.uk", "example.uk", "a.example.com"]
    wrong = site.script(path, "nonsense", check=False)
    lab.check(wrong.returncode != 0, "an address that is none")
    lab.equal(site.saved(), site.clean, "what a failed run left")
    site.script(path)
    lab.equal(site.send(names), [0, 8, 1], "without an address: dropped, passed, mark")
    site.script(path, FLOODED[site.family])
    lab.equal(site.send(names), [2, 6, 1], "with an address: dropped, passed, mark")
    applied = site.saved()
    lab.equal(applied[1], [f"bpf_dns_ip{site.family}_any_example_uk"], "sets")
    site.script(path, FLOODED[site.family])
    lab.equal(site.saved(), applied, "what a second run changed")
    site.gone(path)
    lab.equal(site.send(names), [8, 1], "removed: passed, mark")


def negated(site):
    """-n, preset addresses, -c, a place, an interface, several words as the program."""
    path = site.generate("iptables", "-n", "-c", "it's \"$HOME\"", "-i", FLOODED[site.family],
                         "-w", "negated.sh", "dns", "--", "*.example.uk")
    site.script(path, INPUTPLACE="2", IPTABLES=f"nice -n 0 {site.tool}")
    lab.check("it's \"$HOME\"" in site.table("-vnL", "INPUT"), "the comment as it was given")
    # The first rule takes all of them; the second is ours.
    lab.equal(site.send(["a.example.uk", "x.org"]), [4, 0, 1], "behind: passed, dropped, mark")
    site.gone(path)
    site.script(path)
    lab.equal(site.send(["a.example.uk", "x.org", "y.org"]), [2, 4, 1], "negated")
    site.gone(path)
    site.script(path, DEFAULTINT="lo")
    lab.equal(site.send(["x.org"]), [0, 2, 1], "of another interface")
    wrong = site.script(path, "--delete", check=False)
    lab.check(wrong.returncode != 0 and "in use" in wrong.stderr,
              f"the set of a rule that was not found: {wrong.stderr}")
    site.script(path, "--delete", DEFAULTINT="lo")
    lab.equal(site.saved(), site.clean, "what --delete left")


def chain(site):
    """sluice iptables-chain: accept, drop some; accept, drop any."""
    path = site.generate("iptables-chain", "-a", "www.example.uk", "-a", "ns1.example.uk", "-d",
                         "*.example.uk", "-w", "uk")
    lab.equal(os.path.basename(path), f"uk_ip{site.family}.sh", "its name")
    names = ["www.example.uk", "NS1.example.uk", "a.example.uk", "x.org"]
    site.script(path)
    lab.equal(site.send(names, "UK"), [0, 0, 0, 0], "without an address")
    site.script(path, FLOODED[site.family])
    applied = site.saved()
    lab.equal(applied[1], [f"uk_ip{site.family}"], "sets")
    lab.equal(site.send(names, "UK"), [1, 1, 1, 1], "accepted, accepted, dropped, returned")
    site.script(path)
    lab.equal(site.saved(), applied, "what a second run changed")
    site.gone(path)
    path = site.generate("iptables-chain", "--accept=www.example.uk", "--drop", "any", "-w", "uk",
                         "-i", FLOODED[site.family])
    site.table("-N", "UK") # as an interrupted run leaves it
    site.script(path)
    lab.equal(site.send(names, "UK"), [1, 3, 0], "accepted, dropped, returned")
    lab.equal(site.send(names), [4, 4, 1], "jumped, passed, mark")
    site.gone(path)


def others(site):
    """A generator of each scope: iptables take it, it drops, and it goes."""
    udp, src, dst = frames.UDP, WORLD[site.family], FLOODED[site.family]
    xyzzy = frames.tcp(b"xyzzy", src, dst, 1, 80)
    longest = b"f" * (111 if site.family == 4 else 115) # 64 instructions
    whole = frames.udp(longest, src, dst, 1, 80)
    ab, query = frames.udp(b"ab", src, dst, 1, 80), frames.udp(b"ab", src, dst, 1, 53)
    for proto, segment, words in (
            (udp, ab, ("suffix", "6162")),
            (frames.TCP, xyzzy, ("payload", "--tcp", "--end", "text:xyzzy")),
            (udp, whole, ("payload", longest.hex())),
            (udp, query, ("dns_validate", "--strict")),
            (udp, query, ("tcpdump", "udp port 53")),
            (frames.TCP, None, ("p0f", "*:64:0:*:mss*20,*:mss::0")),
            (udp, None, ("ntp", "--response"))):
        path = site.generate("iptables", words[0], "--", *words[1:])
        site.script(path, dst)
        lab.equal(site.saved()[1], [os.path.basename(path)[:-len(".sh")][:31]], f"set of {words}")
        if segment is not None:
            lab.equal(site.offer(proto, segment), 1, f"dropped by {words}")
        site.script(path)
        lab.equal(len(site.counts()), 3, f"rules after a second run of {words}")
        site.gone(path)


def alike(site):
    """Scripts whose sets' names are cut to the same one do not arm each other."""
    one = site.generate("iptables", "dns", "--", "a.long.name.www.example.uk")
    other = site.generate("iptables", "dns", "--", "a.long.name.www.example.com")
    flooded = FLOODED[site.family]
    names = ["a.long.name.www.example.uk", "a.long.name.www.example.com"]
    site.script(one)
    applied = site.saved()
    got = site.script(other, flooded, check=False)
    lab.check(got.returncode == 1 and "another rule has the ipset" in got.stderr and "--set" in got.stderr,
              f"a set of another rule: {got.returncode}, {got.stderr}")
    lab.equal(site.saved(), applied, "what a refused script changed")
    lab.equal(site.send(names), [0, 4, 1], "not armed by the other's address: dropped, passed, mark")
    other = site.generate("iptables", "-s", "example_com", "-w", "com.sh", "dns", "--", names[1])
    site.script(other, flooded)
    lab.equal(site.send(names), [1, 0, 3, 1], "dropped by com, by uk, passed, mark")
    # The same rule of another interface may have the set.
    site.script(one, DEFAULTINT="lo")
    site.script(one, "--delete", DEFAULTINT="lo", check=False)
    site.script(other, "--delete")
    site.gone(one)
    one, other = (site.generate("iptables-chain", "-d", x, "-w", y) for x, y in (("a.uk", "uk"), ("b.uk", "UK")))
    site.script(one, flooded)
    applied = site.saved()
    got = site.script(other, flooded, check=False)
    lab.check(got.returncode == 1 and "another rule has the chain UK" in got.stderr, f"a chain of another: {got}")
    lab.equal(site.saved(), applied, "what a refused script changed")
    site.gone(one)
    site.script(other, flooded)
    site.gone(other)


def pinned(site):
    """--object-pinned: programs that bytecode is too short for, as eBPF that the script loads."""
    objects = site.it.file("objects")
    os.mkdir(objects)
    lab.run("mount", "-t", "bpf", "bpf", objects)
    usual = set(os.listdir(objects)) # what the kernel itself puts there

    def here():
        return sorted(set(os.listdir(objects)) - usual)

    try:
        src, dst = WORLD[site.family], FLOODED[site.family]
        plain = frames.tcp(b"", src, dst, 1, 80)
        usable = frames.tcp(b"", src, dst, 1, 80, options=bytes.fromhex("020405b4"))
        path = site.generate("iptables", "--object-pinned", "syn_validate")
        site.script(path, OBJECTS=objects)
        lab.equal(site.offer(frames.TCP, plain), 0, "without an address")
        site.script(path, dst, OBJECTS=objects)
        lab.equal(here(), [f"bpf_syn_validate_ip{site.family}"], "objects")
        applied = site.saved()
        lab.equal(site.offer(frames.TCP, plain), 1, "a SYN without MSS")
        lab.equal(site.offer(frames.TCP, usable), 0, "a SYN with one")
        site.script(path, dst, OBJECTS=objects)
        lab.equal(site.saved(), applied, "what a second run changed")
        os.unlink(os.path.join(objects, here()[0]))
        for _ in range(2):
            site.script(path, "--delete", OBJECTS=objects)
            lab.equal((site.saved(), here()), (site.clean, []), "what --delete left")
        # Many labels deep; that is why it is long.
        path = site.generate("iptables-chain", "-p", "-a", "www.example.uk", "-d", "**.example.uk",
                             "-w", "deep.uk")
        site.script(path, dst, OBJECTS=objects)
        lab.equal(site.send(["www.example.uk", "a.example.uk", "a.b.c.example.uk", "example.uk"],
                            "DEEP.UK"), [1, 2, 1], "accepted, dropped, returned")
        lab.equal(here(), [f"DEEP_UK_ip{site.family}_{n}" for n in (0, 1)], "objects")
        site.script(path, "--delete", OBJECTS=objects)
        lab.equal((site.saved(), here()), (site.clean, []), "what --delete left")
    finally:
        lab.run("umount", objects)


def hostile(site):
    """Text of users stays text: in names, comments and the kernel; shellcheck agrees."""
    folder = site.it.file("hostile")
    os.mkdir(folder)
    run = []
    for i, text in enumerate(HOSTILE):
        for name, *args in (("pattern", "iptables", "dns", "--", text),
                            ("note", "iptables", "-c", text, "dns", "--", "a.uk"),
                            ("bytes", "iptables", "payload", "--", "--end", f"text:{text}"),
                            ("chain", "iptables-chain", "-a", text, "-d", "any"),
                            (text, "iptables", "dns", "--", "a.uk")):
            name = name if name == text else f"{name}{i}"
            got = lab.run(lab.binary("sluice"), args[0], "-w", name, *args[1:], check=False,
                          cwd=folder)
            lab.check(got.returncode in (0, 2) or "No such file" in got.stderr,
                      f"{args}: {got.stderr}")
            if got.returncode == 0 and name != text and i % 4 == 0:
                run.append(f"./{name}" if args[0] == "iptables" else f"./{name}_ip4.sh")
    scripts = [os.path.join(".", x) for x in os.listdir(folder)]
    lab.check(len(scripts) > 3 * len(HOSTILE), f"enough texts make a script: {len(scripts)}")
    lab.run("shellcheck", *scripts, cwd=folder)
    for path in run:
        site.script(path, cwd=folder)
        site.script(path, "--delete", cwd=folder)
    lab.equal(site.saved(), site.clean, "what is left")
    lab.equal(sorted(os.path.join(".", x) for x in os.listdir(folder)), sorted(scripts),
              "what running them made")
    print(f"  {len(scripts)} scripts, {len(run)} of them run", flush=True)


def nft4():
    """IPv4, iptables-nft."""
    with lab.Lab("iptables") as it:
        site = Site(it, "nft", 4)
        for part in (one_rule, negated, chain, others, alike, pinned, hostile):
            part(site)


def legacy4():
    """IPv4, iptables-legacy."""
    with lab.Lab("iptables") as it:
        site = Site(it, "legacy", 4)
        for part in (one_rule, negated, chain, others, alike, pinned):
            part(site)


def nft6():
    """IPv6, ip6tables-nft."""
    with lab.Lab("iptables") as it:
        site = Site(it, "nft", 6)
        for part in (one_rule, chain, others, alike, pinned):
            part(site)


def legacy6():
    """IPv6, ip6tables-legacy."""
    with lab.Lab("iptables") as it:
        site = Site(it, "legacy", 6)
        for part in (one_rule, chain, pinned):
            part(site)


lab.main(nft4, legacy4, nft6, legacy6)
