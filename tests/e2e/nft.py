# SPDX-License-Identifier: BSD-3-Clause
"""sluice nft in a namespace: nft takes the script, what it cannot read is put over netlink,
and after real frames each rule has counted what sluice replay counts; nothing is left after
--delete, and in a table of others nothing else is touched."""

import json
import os
import random
import re
import socket
import struct

import frames
import lab

SRC = {4: ("198.51.100.7", "192.0.2.9"), 6: ("2001:db8:1::7", "2001:db8:2::9")}
DST = {4: ("192.0.2.53", "192.0.2.77"), 6: ("2001:db8::53", "2001:db8::77")}
MARK = "203.0.113.99"
NAMES = ("a.www.example.uk", "bb.www.example.uk", "A.wWw.example.uk", "www.example.uk",
         "a.www.example.com", "x.example.org")
SCTP, UDPLITE = 132, 136
EXTS_MAX = 8  # extension headers that Sluice steps over; nft has no bound

HEAD = f"""
[set victims]
prefixes = {DST[4][0]}, {DST[6][0]}
[set sources]
prefixes = 198.51.100.0/24, 198.51.100.0/28, 10.0.0.0/8, 2001:db8:1::/48
[set empty]
prefixes =
[rule mark]
dst = {MARK}
action = count
"""
# What a rule may match by; each alone is a rule of the first round.
PROGRAMS = (
    "match = dns *.www.example.uk",
    "match = dns -i a.www.example.uk",
    "match = dns -n a.www.example.uk",
    "match = dns a.www.example.uk x.example.org",
    "match = dns_validate",
    "match = suffix 7a7a79",
    "match = payload --at 2 0100/fff0",
    "match = payload --tcp --at 0 text:GET",
    "match = syn_validate --strict",  # too long for xt_bpf but as eBPF
    "match = p0f 4:64:0:1460:65535,*:mss:id-:0\nfamily = 4",
    "expr = udp dst port 53",
    "expr = greater 100",
    "expr = tcp[13] & 2 != 0",
    "expr = icmp[icmptype] == 8",
    "expr = ip[8] < 60 and ip[8] != 7",
    "expr = ip6[7] > 60",
    "expr = net 192.0.2.0/24 and not host 192.0.2.77",
    "expr = udp[8:4] = 0x7a7a7a7a",
    "bytecode = 5,177 0 0 0,64 0 0 12,21 0 1 16777216,6 0 0 1,6 0 0 0",  # also of later fragments
    "bytecode = 5,177 0 0 0,80 0 0 40,21 1 0 7,6 0 0 1,6 0 0 0",  # negated, behind short packets
    "bytecode = 4,48 0 0 60,21 1 0 122,6 0 0 1,6 0 0 0",
    "bytecode = 2,128 0 0 0,22 0 0 0",
    "match = all",
    "proto = udp",
    "proto = tcp, 132-136",
    "dport = 53",
    "sport = 53, 1000-2000\nproto = udp",
    "dport = 7-60\nproto = 6, 132",
    "src = sources",
    "dst = victims\nsrc = sources",
    "dst = empty",
    "fragments = only",
    "fragments = never\ndport = 53",
    "fragments = match\nmatch = dns -i a.www.example.uk",
    "fragments = match\nproto = udp\ndport = 53",
    "family = 6",
    "family = 4\nproto = icmp, tcp",
)


def ip6_ext(kind, following):
    """Next header and bytes of an IPv6 datagram's rest behind an extension header."""
    proto, rest = following
    return kind, struct.pack("!BB", proto, 0) + b"\x01\x04\0\0\0\0" + rest


class Maker:
    """Random frames that every kernel shows to a table."""

    def __init__(self, rng, mac):
        self.rng, self.mac = rng, mac

    def segment(self, src, dst):
        """Protocol and bytes of L4, sometimes cut."""
        rng = self.rng
        sport, dport = rng.choice((53, 1234, 40000)), rng.choice((53, 53, 7, 80))
        payload = rng.choice((frames.dns_query(rng.choice(NAMES)), b"GET / HTTP", b"zzzzzzy" * 3,
                              b"zz", b"", b"xyzzy" * 30, frames.dns_query(NAMES[0]) + b"zzy"))
        kind = rng.randrange(12)
        if kind < 6:
            proto, data = frames.UDP, frames.udp(payload, src, dst, sport, dport)
        elif kind < 8:
            options = rng.choice((b"", b"\x02\x04\x05\xb4", b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + b"\0" * 8))
            proto = frames.TCP
            data = frames.tcp(payload, src, dst, sport, dport, flags=rng.choice((2, 16, 18, 3)),
                              options=options)
        elif kind < 9:
            proto, data = frames.ICMP, struct.pack("!BBHI", rng.choice((8, 0)), 0, 0, 1) + payload
        else:
            proto = rng.choice((SCTP, UDPLITE, 33, 47))
            data = struct.pack("!HHII", sport, dport, 1, 2) + payload
        return proto, data[:rng.randrange(1, 24)] if rng.random() < 0.1 else data

    def ipv4(self, src, dst, segment):
        rng = self.rng
        proto, data = segment
        frag = rng.choice((0, 0, 0, 0, 0x4000, 0x2000, 10, 0x2005))
        if frag & 0x2000:
            data = data[:len(data) // 8 * 8]
        options = b"\x01\x01\x01\x01" * rng.choice((0, 0, 0, 1, 3))
        return frames.ipv4(data, proto, src, dst, ttl=rng.choice((64, 59, 7, 128)), frag=frag,
                           options=options)

    def ipv6(self, src, dst, segment):
        rng = self.rng
        proto, data = segment
        kind = rng.randrange(8)
        if kind == 0:
            proto, data = 44, struct.pack("!BBHI", proto, 0, rng.choice((0, 1, 0x50, 0x51)), 9) + data
        if kind == 1:
            proto, data = ip6_ext(60, (proto, data))
        if kind in (1, 2):
            proto, data = ip6_ext(0, (proto, data))
        return frames.ipv6(data, proto, src, dst, hops=rng.choice((64, 58, 255)))

    def frame(self):
        """Padded or with a trailer, as the wire has it."""
        rng = self.rng
        family = rng.choice((4, 6))
        src, dst = rng.choice(SRC[family]), rng.choice(DST[family])
        build = self.ipv4 if family == 4 else self.ipv6
        datagram = build(src, dst, self.segment(src, dst))
        trailer = rng.choice((b"", b"", b"zzy", b"\1\0\0\0" * 8))
        return frames.ether(datagram + trailer, frames.ETH_IP if family == 4 else frames.ETH_IP6,
                            dst_mac=self.mac, pad=rng.random() < 0.7)


def has_exts(frame):
    """An IPv6 datagram whose L4 does not stand right behind its header."""
    return frame[12:14] == b"\x86\xdd" and frame[20] in (0, 43, 44, 51, 60)


class Edge:
    """world --veth--> edge, which has the table."""

    def __init__(self, it, name):
        self.it = it
        self.world, self.ns = it.ns("w" + name), it.ns("e" + name)
        it.veth(self.world, "w0", self.ns, "e0")
        self.ns.ipv6("e0")
        self.mac = self.ns.mac("e0")
        self.wire = self.world.wire("w0")
        self.mark = frames.udp4(b"", SRC[4][0], MARK, 1, 1, dst_mac=self.mac)

    def sluice(self, *args, **kw):
        """Run sluice nft in the namespace."""
        return self.ns.run(lab.binary("sluice"), "nft", *args, **kw)

    def table(self, family="inet", name="sluice"):
        """The rules of a table, as nft's JSON."""
        out = self.ns.run("nft", "-j", "list", "table", family, name).stdout
        return [x["rule"] for x in json.loads(out)["nftables"] if "rule" in x]

    def counters(self, **kw):
        """Packets by comment."""
        counts = {}
        for rule in self.table(**kw):
            packets = [x["counter"]["packets"] for x in rule["expr"] if "counter" in x]
            if packets:
                name = rule.get("comment", "")
                counts[name] = counts.get(name, 0) + packets[0]
        return counts

    def send(self, batch, **kw):
        """Frames, then a mark; the counters once that has come."""
        before = self.counters(**kw)["mark"]
        self.wire.send(batch + [self.mark])
        lab.until(lambda: self.counters(**kw)["mark"] > before, 10, "the mark has come")
        return self.counters(**kw)


def replayed(it, rules, batch):
    """What sluice replay says each rule matches."""
    file = it.file("sent.pcap")
    frames.write_pcap(file, batch)
    out = lab.run(lab.binary("sluice"), "replay", "--json", "-r", rules, file).stdout
    return {k: v["packets"] for k, v in json.loads(out)["rules"].items()}


def rule_text(rules, name):
    """The section of a rule."""
    with open(rules, encoding="utf-8") as f:
        return f.read().split(f"[rule {name}]\n")[1].split("[")[0]


def compare(edge, rules, batch):
    """Apply, send, compare; how much was matched natively and by xt_bpf."""
    script = edge.sluice("-r", rules).stdout
    edge.ns.run("nft", "-c", "-f", "-", input=script)
    edge.sluice("-r", rules, "--apply")
    got = edge.send(batch)
    batch = batch + [edge.mark]
    want = replayed(edge.it, rules, batch)
    without = replayed(edge.it, rules, [x for x in batch if not has_exts(x)])
    counts = {}
    for name, packets in want.items():
        # The one thing that is otherwise, and the script says so.
        if f"# {name}: IPv6 packets with extension headers do not match" in script:
            packets = without[name]
        if f"# {name}: matches nothing here" in script:
            lab.equal(packets, 0, f"what {name} matches, which the script says is nothing")
            continue
        lab.equal(got[name], packets, f"packets of {name}, by nft, of {rule_text(rules, name)}:\n"
                  + "\n".join(x for x in script.split("\n") if f'"{name}"' in x or f"_{name}" in x))
        how = re.search(rf"chain x_{name}_.*\n.*(xt_bpf|eBPF)", script)
        how = how[1] if how else "native"
        counts[how] = counts.get(how, 0) + packets
        counts["rules " + how] = counts.get("rules " + how, 0) + 1
    return counts


def each_alone():
    """Every kind of program and scope, counting."""
    rng = random.Random(frames.seed())
    total = {}
    with lab.Lab("nft") as it:
        edge = Edge(it, "a")
        batch = [Maker(rng, edge.mac).frame() for _ in range(4000 if lab.LONG else 800)]
        for start in range(0, len(PROGRAMS), 12):
            rules = HEAD + "".join(f"[rule p{i}]\n{text}\naction = count\n" for i, text in
                                   list(enumerate(PROGRAMS))[start:start + 12])
            for key, n in compare(edge, it.file("rules.ini", rules), batch).items():
                total[key] = total.get(key, 0) + n
    print(f"{len(batch)} frames, {total}", flush=True)
    lab.check(total["rules native"] > 24 and total["rules xt_bpf"] >= 4, "rules of both kinds")


def deciding():
    """Random rules that drop, pass, count and look, in order; a table per family."""
    rng = random.Random(frames.seed())
    total = {}
    with lab.Lab("nft") as it:
        edge = Edge(it, "d")
        batch = [Maker(rng, edge.mac).frame() for _ in range(600)]
        for _ in range(40 if lab.LONG else 8):
            rules = HEAD
            for i, text in enumerate(rng.sample(PROGRAMS, 10)):
                # Where a rule differs, all behind it would.
                action = rng.choice(("drop", "pass", "count", "drop\nmode = shadow"))
                if text.startswith("match") and action != "count" and text != "match = all":
                    action = "drop\nmode = shadow"
                rules += f"[rule d{i}]\n{text}\naction = {action}\n"
            for key, n in compare(edge, it.file("rules.ini", rules), batch).items():
                total[key] = total.get(key, 0) + n
    print(f"{len(batch)} frames, {total}", flush=True)


def exts_of(datagram):
    """The kinds of an IPv6 datagram's extension headers."""
    kind, at, kinds = datagram[6], 40, []
    while kind in (0, 43, 44, 51, 60) and at + 8 <= len(datagram):
        kinds.append(kind)
        words = 8 * (datagram[at + 1] + 1) if kind != 51 else 4 * (datagram[at + 1] + 2)
        kind, at = datagram[at], at + (8 if kind == 44 else words)
    return kinds


def kernel_takes(datagram):
    """The datagram with a right checksum, or None: the kernel would throw it away."""
    if len(datagram) >= 20 and datagram[0] >> 4 == 4:
        ihl, length = 4 * (datagram[0] & 15), struct.unpack_from("!H", datagram, 2)[0]
        if not 20 <= ihl <= length <= len(datagram):
            return None
        # Options may be anything, and anything may be refused.
        head = datagram[:10] + b"\0\0" + datagram[12:20] + b"\x01" * (ihl - 20)
        src, dst = head[12], head[16]
        if not (0 < src < 127 and 0 < dst < 127):
            head = head[:12] + socket.inet_aton(SRC[4][0]) + socket.inet_aton(DST[4][0]) + head[20:]
        head = head[:10] + struct.pack("!H", frames.checksum(head)) + head[12:]
        return head + datagram[ihl:]
    if len(datagram) >= 40 and datagram[0] >> 4 == 6:
        length = struct.unpack_from("!H", datagram, 4)[0]
        kinds = exts_of(datagram)
        if not 0 < length <= len(datagram) - 40 or datagram[6] == 0:
            return None
        # The help says that nft sees these otherwise; far() and late() hold that it does.
        if 51 in kinds or len(kinds) > EXTS_MAX or kinds.count(44) > 1:
            return None
        addresses = b"".join(socket.inet_pton(socket.AF_INET6, x[6][0]) for x in (SRC, DST))
        return datagram[:8] + addresses + datagram[40:]
    return None


def generators():
    """Random patterns of every generator: the kernel takes each, and counts what it matches."""
    seed = frames.seed()
    count, per_rules = 3000 if lab.LONG else 520, 13
    lines = lab.run(os.path.join(lab.BUILD, "tests", "support", "gencases"), seed, count, 6).stdout.split("\n")
    cases = []
    for line in lines:
        if line.startswith("match"):
            cases.append((line.replace("\t", "\n"), []))
        elif line:
            cases[-1][1].append(kernel_takes(bytes.fromhex(line)))
    total = {}
    with lab.Lab("nft") as it:
        edge = Edge(it, "g")
        for start in range(0, len(cases), per_rules):
            some = cases[start:start + per_rules]
            rules = HEAD + "".join(f"[rule g{i}]\n{text}\naction = count\n"
                                   for i, (text, _) in enumerate(some))
            batch = [frames.ether(x, frames.ETH_IP if x[0] >> 4 == 4 else frames.ETH_IP6, dst_mac=edge.mac)
                     for _, made in some for x in made if x is not None and len(x) <= 1500]
            for key, n in compare(edge, it.file("rules.ini", rules), batch).items():
                total[key] = total.get(key, 0) + n
            total["frames"] = total.get("frames", 0) + len(batch)
    print(f"{count} patterns, {total}", flush=True)
    lab.check(total["rules native"] > count // 5 and total["rules xt_bpf"] > count // 20, "of both kinds")


def far():
    """What stands behind more extension headers than Sluice steps over, nft still finds."""
    texts = ("match = payload -6 -n --udp --at 2 text:xy", "match = u32 -6 -n 48=0x12345678",
             "family = 6\nproto = udp", "family = 6\nproto = udp\ndport = 53")
    src, dst = SRC[6][0], DST[6][0]
    with lab.Lab("nft") as it:
        edge = Edge(it, "f")
        rules = it.file("rules.ini", HEAD + "".join(f"[rule f{i}]\n{x}\naction = count\n"
                                                    for i, x in enumerate(texts)))
        edge.sluice("-r", rules, "--apply")
        for n in range(EXTS_MAX + 5):
            rest = frames.UDP, frames.udp(b"query", src, dst, 1234, 53)
            for _ in range(n):
                rest = ip6_ext(60, rest)
            frame = frames.ether(frames.ipv6(rest[1], rest[0], src, dst), frames.ETH_IP6, dst_mac=edge.mac)
            before, want = edge.counters(), replayed(it, rules, [frame])
            got = edge.send([frame])
            for i, text in enumerate(texts):
                lab.equal((want[f"f{i}"], got[f"f{i}"] - before[f"f{i}"]), (int(n <= EXTS_MAX), 1),
                          f"replay and nft of {text}, behind {n} extension headers")


def late():
    """Later fragments have no L4, even where the kernel takes the IPv6 header for it."""
    texts = ("proto = udp\nsport = 24576\ndport = 53", "match = payload -6 --udp --at 0 00",
             "match = payload -6 -n --udp --at 0 text:xy", "match = dns_validate -6", "match = u32 -6 0=0:0xffffffff")
    src, dst = SRC[6][0], DST[6][0]
    with lab.Lab("nft") as it:
        edge = Edge(it, "l")
        rules = it.file("rules.ini", HEAD + "".join(f"[rule f{i}]\n{x}\nfamily = 6\naction = count\n"
                                                    for i, x in enumerate(texts)))
        edge.sluice("-r", rules, "--apply")
        for offsets in ((), (0,), (1,), (8,), (9,), (0, 0), (0, 8), (1, 9), (8, 0)):
            data, proto = frames.udp(b"\0query", src, dst, 0x6000, 53), frames.UDP
            for off in reversed(offsets):
                data, proto = struct.pack("!BBHI", proto, 0, off, 7) + data, 44
            # Taken for UDP, this header has the ports that are asked for, and zeros behind.
            datagram = bytearray(frames.ipv6(data, proto, src, dst))
            struct.pack_into("!I", datagram, 0, 0x60000035)
            frame = frames.ether(bytes(datagram), frames.ETH_IP6, dst_mac=edge.mac)
            before, want = edge.counters(), replayed(it, rules, [frame])
            got = edge.send([frame])
            for i, text in enumerate(texts):
                # Where no L4 is asked for, the first fragment header decides.
                other = offsets and not offsets[0] & ~7 and any(x & ~7 for x in offsets) and "u32" in text
                lab.equal(got[f"f{i}"] - before[f"f{i}"], want[f"f{i}"] + bool(other),
                          f"nft of {text}, behind fragment headers {offsets}")


def undone():
    """--delete takes away what was made, in its own table and in one of others."""
    with lab.Lab("nft") as it:
        edge = Edge(it, "u")
        rules = it.file("rules.ini", HEAD + "".join(
            f"[rule u{i}]\n{text}\naction = drop\n" for i, text in enumerate(PROGRAMS[:12])))
        before = edge.ns.ruleset()
        edge.sluice("-r", rules, "--apply")
        edge.sluice("-r", rules, "--apply")
        lab.check("xt match bpf" in edge.ns.ruleset().replace('"', ""), "nft lists xt_bpf")
        for _ in range(2):
            edge.sluice("-r", rules, "--delete", "--apply")
            lab.equal(edge.ns.ruleset(), before, "what --delete left")
        theirs = "table inet filter {\n set v4_victims2 { type ipv4_addr; }\n chain mine {\n" \
            "  type filter hook input priority 0; policy accept;\n  counter\n }\n chain x_other { }\n}\n"
        edge.ns.run("nft", "-f", "-", input=theirs)
        before = edge.ns.ruleset()
        for args in (("--table", "filter"), ("--table", "filter", "--hook", "none", "--chain", "ours")):
            edge.sluice("-r", rules, *args, "--apply")
            counts = edge.counters(name="filter") if "none" not in args else {"u0": 0}
            lab.check("u0" in counts, "rules in the table of others")
            again = edge.sluice("-r", rules, *args, "--apply", check=False)
            lab.equal(again.returncode, 1, "a second time in a table of others")
            edge.sluice("-r", rules, *args, "--delete", "--apply")
            lab.equal(edge.ns.ruleset(), before, "what --delete left")
        # A chain of theirs is not taken for ours.
        clash = edge.sluice("-r", rules, "--table", "filter", "--chain", "mine", "--apply", check=False)
        lab.equal(clash.returncode, 1, "a chain that is there")
        lab.equal(edge.ns.ruleset(), before, "the table of others")


def one_rule():
    """A generator's rule, for addresses."""
    with lab.Lab("nft") as it:
        edge = Edge(it, "o")
        for family, six in ((4, ()), (6, ("-6",))):
            edge.ns.run("nft", "add", "table", "inet", "t")
            args = (*six, "--dst", DST[family][0], "--name", "one", "dns", "--", "*.www.example.uk")
            edge.sluice("--apply", *args)
            udp, kind = (frames.udp4, 4) if family == 4 else (frames.udp6, 6)
            batch = [udp(frames.dns_query(name), SRC[kind][0], to, 1234, port, dst_mac=edge.mac)
                     for name in NAMES for to in DST[kind] for port in (53, 54)]
            edge.wire.send(batch)
            lab.until(lambda: edge.counters()["one"] >= 2, 10, "the queries have come")
            lab.settled(lambda: edge.counters()["one"])
            lab.equal(edge.counters()["one"], 2, "queries dropped")
            edge.sluice("--delete", "--apply", *args)


def refused():
    """What the kernel or nft refuses is told, and nothing is left."""
    with lab.Lab("nft") as it:
        edge = Edge(it, "r")
        rules = it.file("rules.ini", HEAD + "[rule w]\nmatch = dns *.example.uk\naction = drop\n")
        empty = edge.ns.ruleset()
        got = edge.sluice("-r", rules, "--apply", check=False, env={**os.environ, "NFT": "/bin/false"})
        lab.equal((got.returncode, got.stderr), (1, "sluice nft: /bin/false did not take the script\n"),
                  "a tool that fails")
        got = edge.sluice("-r", rules, "--apply", check=False, env={**os.environ, "NFT": "/bin/true"})
        lab.equal(got.returncode, 1, "chains that are not there")
        lab.check("the kernel knows no table inet sluice" in got.stderr, got.stderr)
        got = edge.sluice("-r", rules, "--apply", check=False, env={**os.environ, "NFT": "/nonexistent"})
        lab.equal((got.returncode, got.stderr),
                  (1, "sluice nft: cannot run '/nonexistent': No such file or directory\n"), "no tool")
        lab.equal(edge.ns.ruleset(), empty, "what is left")


lab.main(generators, each_alone, deciding, far, late, undone, one_rule, refused)
