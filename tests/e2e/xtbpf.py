# SPDX-License-Identifier: BSD-3-Clause
"""Padded, trailered and over-long frames: bytecode gives the kernel's verdict.

The same programs stand in a raw table (iptables -m bpf) and in rules files. Frame
by frame the kernel's counters are held against `sluice filter --verdicts`. Where
the kernel throws a frame away before any table sees it (a length that lies beyond
the frame, or below the header), and for all others too, the verdict is also that
of an interpreter here, which is shown what the rules say that a program sees. The
generators that read a datagram's end or length (suffix, payload, p0f) stand there
as rules of their own, with their scope.
"""

import random
import struct

import frames
import lab

SRC4, DST4, MARK4 = "10.77.0.1", "10.77.0.2", "10.77.255.255"
SRC6, DST6, MARK6 = "2001:db8:77::1", "2001:db8:77::2", "2001:db8:77::ffff"
TAIL = b"0123456789abcxyzzy" # a payload of N bytes is the last N of these
IPTABLES_BYTECODE_MAX = 64 # instructions

# Opcodes by name, as far as the programs below use them (the kernel's filter.h).
LD_W, LD_H, LD_B, LD_WX, LD_HX, LD_BX = 0x20, 0x28, 0x30, 0x40, 0x48, 0x50
LD_LEN, LDX_MSH, LDX_IMM, LD_IMM = 0x80, 0xB1, 0x01, 0x00
SUB, AND, ADD_X, TAX, RET, RET_A = 0x14, 0x54, 0x0C, 0x07, 0x06, 0x16
JEQ, JGT = 0x15, 0x25


# Rules by generator: arguments of sluice gen, and the protocol of its scope.
SYN = "*:64:0:1460:8192,2:mss,nop,ws"
GENERATED = {
    "gen-suffix": ("suffix -- 7a7a79", None),
    "gen-suffix-2": ("suffix -- 78 79", None),
    "gen-payload-end": ("payload -- --end text:xyzzy", "udp"),
    "gen-payload-before": ("payload -- --before-end 2 7a", "udp"),
    "gen-payload-at": ("payload -- --at 1 7x", "udp"),
    "gen-payload-tcp": ("payload -- --tcp --end 7a7a79", "tcp"),
    "gen-p0f": (f"p0f -- {SYN}::0", "tcp"),
    "gen-p0f-payload": (f"p0f -- {SYN}::+", "tcp"),
}
PROTOCOLS = {"udp": frames.UDP, "tcp": frames.TCP}


def generated(family, words):
    """What sluice gen makes of @words."""
    line = lab.run(lab.binary("sluice"), "gen", *(["-6"] if family == 6 else []),
                   *words.split()).stdout
    return [tuple(map(int, x.split())) for x in line.strip().split(",")[1:]]


def suffix(text):
    """The datagram ends with @text."""
    n = len(text)
    code = [(LD_LEN, 0, 0, 0), (SUB, 0, 0, n), (TAX, 0, 0, 0)]
    for i, byte in enumerate(text):
        code += [(LD_BX, 0, 0, i), (JEQ, 0, 2 * (n - 1 - i) + 1, byte)]
    return code + [(RET, 0, 0, 65535), (RET, 0, 0, 0)]


def tcpdump(expr):
    """What libpcap makes of @expr for raw IP."""
    lines = lab.run("tcpdump", "-y", "RAW", "-ddd", expr).stdout.split("\n")[1:]
    return [tuple(map(int, x.split())) for x in lines if x]


def programs(family):
    """Name and instructions of each program."""
    header = [(LDX_MSH, 0, 0, 0)] if family == 4 else [(LDX_IMM, 0, 0, 40)]
    made = {
        "suffix-zzy": suffix(b"zzy"),
        "suffix-xyzzy": suffix(b"xyzzy"),
        "suffix-0": suffix(b"\0"),
        "suffix-z": suffix(b"z"),
        "payload-z": header + [(LD_BX, 0, 0, 9), (JEQ, 0, 1, ord("z")), (RET, 0, 0, 1),
                               (RET, 0, 0, 0)],
        "payload-word": header + [(LD_WX, 0, 0, 8), (RET, 0, 0, 1)],
        "len-over": [(LD_LEN, 0, 0, 0), (JGT, 0, 1, 40 if family == 4 else 55), (RET, 0, 0, 1),
                     (RET, 0, 0, 0)],
        "len-odd": [(LD_LEN, 0, 0, 0), (AND, 0, 0, 1), (RET_A, 0, 0, 0)],
        "byte-45": [(LD_B, 0, 0, 45), (RET, 0, 0, 1)],
        "word-42": [(LD_W, 0, 0, 42), (RET, 0, 0, 1)],
        "dns": header + [
            (LD_IMM, 0, 0, 20), (ADD_X, 0, 0, 0), (TAX, 0, 0, 0), (LD_BX, 0, 0, 0),
            (ADD_X, 0, 0, 0), (0x04, 0, 0, 1), (TAX, 0, 0, 0),
            (LD_WX, 0, 0, 0), (JEQ, 0, 5, 0x07657861), (LD_WX, 0, 0, 4), (JEQ, 0, 3, 0x6D706C65),
            (LD_WX, 0, 0, 8), (JEQ, 0, 1, 0x02756B00), (RET, 0, 0, 65535), (RET, 0, 0, 0)],
        "expr-port": tcpdump("udp port 53"),
        "expr-less": tcpdump("less 46"),
        "expr-udp-len": tcpdump("udp[4:2] > 12 and udp[12] > 0x30"),
    }
    if family == 4:
        made["expr-last"] = tcpdump("ip[ip[2:2]-1] = 0x79")
    for name, (words, _) in GENERATED.items():
        made[name] = generated(family, words)
    return made


def bytecode(code):
    """The text that xt_bpf and rules files take."""
    return f"{len(code)}," + ",".join(" ".join(map(str, x)) for x in code)


class Outside(Exception):
    """A load outside the packet: no match."""


def interpret(code, data, length):
    """What a program returns; @data is what is there, @length what "len" reads."""
    def load(at, n):
        if at < 0 or at + n > len(data):
            raise Outside
        return int.from_bytes(data[at:at + n], "big")

    size = {0x00: 4, 0x08: 2, 0x10: 1}
    a = x = pc = 0
    mem = [0] * 16
    try:
        while True:
            op, jt, jf, k = code[pc]
            pc += 1
            source = x if op & 8 else k
            kind, mode = op & 7, op & 0xE0
            if op == LDX_MSH:
                x = 4 * (load(k, 1) & 15)
            elif kind in (0, 1):
                at = {0x20: k, 0x40: x + k}.get(mode)
                value = {0x00: k, 0x60: mem[k & 15], 0x80: length}.get(mode)
                value = load(at, size[op & 0x18]) if at is not None else value
                a, x = (value, x) if kind == 0 else (a, value)
            elif kind == 2:
                mem[k] = a
            elif kind == 3:
                mem[k] = x
            elif kind == 4:
                if op & 0xF0 in (0x30, 0x90):
                    if source == 0:
                        return 0
                    a = a // source if op & 0xF0 == 0x30 else a % source
                    continue
                a = {0x00: a + source, 0x10: a - source, 0x20: a * source, 0x40: a | source,
                     0x50: a & source, 0x60: a << (source & 31), 0x70: a >> (source & 31),
                     }[op & 0xF0] & 0xFFFFFFFF
            elif kind == 5:
                way = op & 0xF0
                if way == 0:
                    pc += k
                else:
                    pc += jt if {0x10: a == source, 0x20: a > source, 0x30: a >= source,
                                 0x40: bool(a & source)}[way] else jf
            elif kind == 6:
                return a if op & 0x18 == 0x10 else k
            else:
                a, x = (x, x) if op & 0x80 else (a, a)
    except Outside:
        return 0


def shown(frame, family):
    """The datagram in @frame as rules of link raw see it: its bytes, and "len"."""
    data = frame[14:]
    if family == 4:
        ihl, length = 4 * (data[0] & 15), struct.unpack_from("!H", data, 2)[0]
        if length < ihl:
            length = len(data)
    else:
        length = 40 + struct.unpack_from("!H", data, 4)[0]
        if length == 40:
            length = len(data)
    return data[:length], length


def scope_holds(name, frame, family):
    """Whether the protocol is that of the rule."""
    proto = GENERATED.get(name, (None, None))[1]
    return proto is None or frame[14 + (9 if family == 4 else 6)] == PROTOCOLS[proto]


def kernel_sees(frame, family):
    """Whether the lengths let a frame come as far as a table."""
    have = len(frame) - 14
    if family == 4:
        length = struct.unpack_from("!H", frame, 16)[0]
        return 20 <= length <= have
    return 40 + struct.unpack_from("!H", frame, 18)[0] <= have


def datagram(family, payload, dport, delta):
    """Ether/IP/UDP with an IP length that is @delta off."""
    src, dst = (SRC4, DST4) if family == 4 else (SRC6, DST6)
    segment = frames.udp(payload, src, dst, 12345, dport)
    if family == 4:
        return frames.ipv4(segment, frames.UDP, src, dst, length=28 + len(payload) + delta)
    ip = frames.ipv6(segment, frames.UDP, src, dst)
    return ip[:4] + struct.pack("!H", len(segment) + delta) + ip[6:]


def segment(family, payload, delta):
    """A SYN of the signature's stack, with an IP length that is @delta off."""
    src, dst = (SRC4, DST4) if family == 4 else (SRC6, DST6)
    tcp = frames.tcp(payload, src, dst, 12345, 80, window=8192,
                     options=bytes.fromhex("020405b401030302"))
    if family == 4:
        return frames.ipv4(tcp, frames.TCP, src, dst, ident=7, length=20 + len(tcp) + delta)
    ip = frames.ipv6(tcp, frames.TCP, src, dst)
    return ip[:4] + struct.pack("!H", len(tcp) + delta) + ip[6:]


def make(rng, family, mac):
    """The frames: payloads of 0..18 bytes and queries, with paddings, trailers, lengths."""
    kind = frames.ETH_IP if family == 4 else frames.ETH_IP6
    deltas = [d for d in range(-20, 21) if d != 0]
    payloads = [TAIL[len(TAIL) - n:] for n in range(19)]
    queries = [frames.dns_query(n) for n in ("x.example.uk", "x.example.com")]
    off = payloads if lab.LONG else [payloads[n] for n in (0, 1, 5, 18)] + queries[:1]
    made = []

    def add(payload, dport=53, delta=0, tail=b""):
        # An IPv6 payload length cannot be below 0, and 0 is a jumbogram's, not a wrong one.
        if family == 4 or 8 + len(payload) + delta > 0:
            made.append(frames.ether(datagram(family, payload, dport, delta) + tail, kind,
                                     dst_mac=mac))

    def add_syn(payload, delta=0, tail=b""):
        made.append(frames.ether(segment(family, payload, delta) + tail, kind, dst_mac=mac))

    for payload in (b"", b"z", b"xyzzy", TAIL):
        for tail in (b"", b"\0" * 6, b"xyzzy", rng.randbytes(1 + rng.randrange(30))):
            add_syn(payload, tail=tail)
        for delta in deltas:
            add_syn(payload, delta=delta)
            add_syn(payload, delta=delta, tail=b"zzy")
    for payload in payloads + queries:
        for tail in (b"", b"z" * 18, b"xyzzy", rng.randbytes(1 + rng.randrange(30))):
            add(payload, tail=tail)
    for payload in off:
        for delta in deltas:
            add(payload, dport=rng.choice((53, 80)), delta=delta)
            add(payload, delta=delta, tail=b"zzy")
    return made


class Tables:
    """The programs in the raw table of a namespace, and what they counted."""

    def __init__(self, ns, family, backend, made):
        self.ns = ns
        self.save = f"ip{'6' if family == 6 else ''}tables-{backend}-save"
        tool = self.save[:-len("-save")]
        src, mark = (SRC4, MARK4) if family == 4 else (SRC6, MARK6)
        add = [tool, "-w", "-t", "raw", "-A", "PREROUTING"]
        ns.run(*add, "-d", mark, "-j", "ACCEPT")
        ns.run(*add, "!", "-s", src, "-j", "ACCEPT")
        ns.run(*add)
        for name, code in made.items():
            proto = GENERATED.get(name, (None, None))[1]
            lab.check(len(code) <= IPTABLES_BYTECODE_MAX, "a program is too long for xt_bpf")
            ns.run(*add, *(["-p", proto] if proto else []), "-m", "bpf", "--bytecode",
                   bytecode(code))

    def counters(self):
        """Packets of each rule, in order: marks, strangers, all, programs."""
        out = self.ns.run(self.save, "-c", "-t", "raw").stdout.split("\n")
        return [int(x[1:x.index(":")]) for x in out if x.startswith("[")]

    def wait(self, marks):
        """The counters once @marks marks have passed."""
        def passed():
            got = self.counters()
            return got if got[0] >= marks else None
        return lab.until(passed, 10, f"mark {marks} passes the table")


def kernel_verdicts(it, family, backend, made, sent_of):
    """For each frame None, or which programs match in the kernel."""
    out, edge = it.ns(f"o{family}{backend}"), it.ns(f"e{family}{backend}")
    it.veth(out, "o0", edge, "e0")
    if family == 6:
        edge.ipv6("e0")
    mac = edge.mac("e0")
    sent = sent_of(mac)
    tables = Tables(edge, family, backend, made)
    wire = out.wire("o0")
    if family == 4:
        mark = frames.udp4(b"", SRC4, MARK4, 1, 1, dst_mac=mac)
    else:
        mark = frames.udp6(b"", SRC6, MARK6, 1, 1, dst_mac=mac)
    before, verdicts = tables.counters(), []
    for frame in sent:
        wire.send([frame, mark])
        now = tables.wait(before[0] + 1)
        step = [b - a for a, b in zip(before, now)]
        lab.check(step[2] <= 1 and step[0] == 1, f"one frame, then one mark: {step}")
        verdicts.append([n == 1 for n in step[3:]] if step[2] else None)
        before = now
    wire.close()
    return sent, verdicts


def sluice_verdicts(it, names, codes, sent):
    """For each frame which programs match, by sluice, each in a rules file of its own."""
    savefile = it.file("sent.pcap")
    frames.write_pcap(savefile, sent)
    columns = []
    for name, code in zip(names, codes):
        what = f"match = {GENERATED[name][0].replace(' -- ', ' ')}" if name in GENERATED \
            else f"bytecode = {bytecode(code)}"
        rules = it.file("rules.ini", f"[rule {name}]\n{what}\naction = drop\n")
        got = lab.run(lab.binary("sluice"), "filter", "-r", rules, "--verdicts", savefile)
        lines = got.stdout.split("\n")[:-1]
        lab.equal(len(lines), len(sent), f"verdicts of {name}")
        lab.check(set(lines) <= {name, "-"}, f"verdicts of {name}: {set(lines)}")
        columns.append([line == name for line in lines])
    return list(zip(*columns))


def compare(family, backend):
    """All programs on all frames of one family, by one iptables."""
    rng = random.Random(frames.seed())
    made = programs(family)
    names, codes = list(made), list(made.values())
    with lab.Lab("xtbpf") as it:
        sent, kernel = kernel_verdicts(it, family, backend, made,
                                       lambda mac: make(rng, family, mac))
        ours = sluice_verdicts(it, names, codes, sent)
    seen = matched = 0
    hits = dict.fromkeys(names, 0)
    for frame, want, got in zip(sent, kernel, ours):
        lab.equal(want is not None, kernel_sees(frame, family), f"the table sees {frame.hex()}")
        for i, name in enumerate(names):
            model = scope_holds(name, frame, family) and \
                interpret(codes[i], *shown(frame, family)) != 0
            lab.equal(got[i], model, f"{name} on {frame.hex()}")
            if want is not None:
                lab.equal(got[i], want[i], f"{name}, judged by the kernel, on {frame.hex()}")
                matched += want[i]
                hits[name] += want[i]
        seen += want is not None
    print(f"IPv{family}, {backend}: {len(sent)} frames, {seen} seen by the kernel, "
          f"{len(names)} programs, {matched} of {seen * len(names)} match")
    lab.check(seen > len(sent) // 3 and seen * len(names) // 10 < matched, "enough to judge by")
    lab.check(all(hits[x] > 0 for x in GENERATED), f"each generator's rule matches: {hits}")


def ipv4_nft():
    """Padding, trailers and lengths of IPv4, iptables-nft."""
    compare(4, "nft")


def ipv4_legacy():
    """The same, iptables-legacy."""
    compare(4, "legacy")


def ipv6_nft():
    """Trailers and lengths of IPv6, ip6tables-nft."""
    compare(6, "nft")


def ipv6_legacy():
    """The same, ip6tables-legacy."""
    compare(6, "legacy")


lab.main(ipv4_nft, ipv4_legacy, ipv6_nft, ipv6_legacy)
