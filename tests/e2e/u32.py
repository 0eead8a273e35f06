# SPDX-License-Identifier: BSD-3-Clause
"""u32 tests, judged by iptables: what its u32 match counts, our programs match.

Random tests stand in a raw table, as they are and behind "!"; frame by frame the
kernel's counters are held against `sluice gen u32` run by `sluice filter`. Texts that
iptables refuses are refused, and texts that it takes are taken.
"""

import random

import frames
import lab

SRC4, DST4, MARK4 = "10.78.0.1", "10.78.0.2", "10.78.255.255"
SRC6, DST6, MARK6 = "2001:db8:78::1", "2001:db8:78::2", "2001:db8:78::ffff"
TESTS = 400 if lab.LONG else 120
FRAMES = 150 if lab.LONG else 50
WORD = 0xFFFFFFFF

TEXTS = """
0=1|0 = 1|0>>22&0x3C@0>>24=0|0=1:2,3|0=2:1|010=8|0=0x|-1=1|0= -1|+0=1|0=4294967296|0=1,|0=1&&|0==1
0=1 1|0&1|=1|| 0=1 |0<<32=1|0>>99=1|0<<31=1|0=1&0=1|0=1&&&0=1|0=08|0=0b1|0=1,,2|0=1:2:3
0= 1 : 2 , 3 && 4 = 5|0	=1|0=:1|0 < 1=1|0<<-1=1|0=1:|0&0xff&&=1|0=99999999999999999999|x=1|0@=1
0= 0x FF|0X10=1|0=1;|0=1 && |0=0xffffffff|0=0x100000000|0=037777777777|0=040000000000|0=1:-2|4 5=1
0@@1=1|0&&1=1|0=1&&0=2&&0=3|0>1=1|0=1,2,3,4,5,6,7,8,9,10|0=1,2,3,4,5,6,7,8,9,10,11|0= + 1|0=+|0 |0=
0&1&2&3&4&5&6&7&8&9=1|0&1&2&3&4&5&6&7&8&9&10=1|0=1=2|0=0x1g|0=1 &&0=1|0=1& &0=1|(0)=1|0=!1|0^1=1
"""


def many(n):
    """A text with @n tests."""
    return "&&".join(["0=1"] * n)


def evaluate(steps, data):
    """The value of a location, None outside: only to choose values that can match."""
    at = value = 0
    for op, number in steps:
        if op == "&":
            value &= number
        elif op == "<<":
            value = value << number & WORD
        elif op == ">>":
            value >>= number
        else:
            at += value if op == "@" else 0
            if at + number + 4 > len(data):
                return None
            value = int.from_bytes(data[at + number:at + number + 4], "big")
    return value


def one_test(rng, data):
    """A "location = value" that @data often satisfies."""
    steps = [("", rng.choice((0, 0, 0, 2, 4, 6, 8, 9, rng.randrange(60), rng.randrange(1 << 32))))]
    for _ in range(rng.randrange(6)):
        op = rng.choice(("&", "&", "<<", ">>", "@", "@"))
        if op == "@" and rng.randrange(5):
            steps.append(("&", rng.choice((0x3C, 0x1F, 0x07))))
        number = {"&": rng.choice((0xFF, 0xFFFF, 0x0F00, 0x3FFF, rng.randrange(1 << 32))),
                  "@": rng.choice((0, 4, 8, 12, rng.randrange(40), rng.randrange(1 << 32)
                                   if rng.randrange(8) == 0 else 20))}
        steps.append((op, number.get(op, rng.randrange(32))))
    steps = steps[:10]
    value = evaluate(steps, data) or 0
    low, high = max(0, value - rng.randrange(3)), min(WORD, value + rng.randrange(3))
    ranges = [rng.choice((f"{value}", f"{value:#x}", f"{low}:{high}", f"0:{high}"))]
    for _ in range(rng.choice((0, 0, 1, 3))):
        a, b = rng.randrange(1 << 32), rng.randrange(1 << 32)
        ranges.insert(rng.randrange(len(ranges) + 1), rng.choice((f"{a}", f"{a:#x}:{b:#x}")))
    blank = rng.choice(("", " "))
    return (blank.join(f"{op}{blank}{number:#x}" for op, number in steps).strip() +
            f"{blank}={blank}" + ",".join(ranges))


def random_tests(rng, datagrams):
    """The texts, each with "!" or without."""
    made = []
    for _ in range(TESTS):
        data = rng.choice(datagrams)
        n = rng.choice((1, 1, 1, 2, 3, 10))
        made.append((rng.randrange(4) == 0, "&&".join(one_test(rng, data) for _ in range(n))))
    return made


def make(rng, family, mac):
    """Frames of UDP and TCP with IP options, of every length, some with a bit changed."""
    made = []
    for i in range(FRAMES):
        payload = rng.randbytes(rng.choice((0, 1, 2, 3, 4, 7, 8, 20, 60, rng.randrange(200))))
        src, dst = (SRC4, DST4) if family == 4 else (SRC6, DST6)
        if rng.randrange(2):
            segment, proto = frames.udp(payload, src, dst, rng.choice((53, 1024)), 53), frames.UDP
        else:
            segment, proto = frames.tcp(payload, src, dst, 1024 + i, 80), frames.TCP
        if rng.randrange(6) == 0:
            # Datagrams that end within or near their header. Not with a payload length
            # of 0 in IPv6: there Linux cuts off what pads a frame, and Sluice does not.
            segment, proto = payload or (b"" if family == 4 else b"\0"), 253
        if family == 4:
            datagram = frames.ipv4(segment, proto, src, dst, ttl=rng.randrange(1, 256),
                                   ident=rng.randrange(1 << 16),
                                   options=b"\1" * 4 * rng.choice((0, 0, 0, 1, 10)))
        else:
            datagram = frames.ipv6(segment, proto, src, dst, hops=rng.randrange(1, 256))
        made.append(frames.ether(datagram, frames.ETH_IP if family == 4 else frames.ETH_IP6,
                                 dst_mac=mac))
    return made


def datagram_of(frame, family):
    """What the match sees: no padding."""
    data = frame[14:]
    length = int.from_bytes(data[2:4], "big") if family == 4 else \
        40 + int.from_bytes(data[4:6], "big")
    return data[:length]


def quote(text):
    """A word for iptables-restore."""
    return '"' + text + '"'


class Tables:
    """The tests in the raw table of a namespace, and what they counted."""

    def __init__(self, ns, family, backend, tests):
        self.ns = ns
        tool = f"ip{'6' if family == 6 else ''}tables-{backend}"
        self.save = tool + "-save"
        src, mark = (SRC4, MARK4) if family == 4 else (SRC6, MARK6)
        rules = [f"-A PREROUTING -d {mark} -j ACCEPT", f"-A PREROUTING ! -s {src} -j ACCEPT",
                 "-A PREROUTING"]
        rules += [f"-A PREROUTING -m u32 {'! ' if invert else ''}--u32 {quote(text)}"
                  for invert, text in tests]
        ns.run(tool + "-restore", input="*raw\n" + "\n".join(rules) + "\nCOMMIT\n")

    def counters(self):
        """Packets of each rule, in order."""
        out = self.ns.run(self.save, "-c", "-t", "raw").stdout.split("\n")
        return [int(x[1:x.index(":")]) for x in out if x.startswith("[")]


def kernel_verdicts(it, family, backend, rng):
    """The frames, the tests, and for each frame which tests match it in the kernel."""
    out, edge = it.ns(f"o{family}{backend}"), it.ns(f"e{family}{backend}")
    it.veth(out, "o0", edge, "e0")
    if family == 6:
        edge.ipv6("e0")
    mac = edge.mac("e0")
    sent = make(rng, family, mac)
    tests = random_tests(rng, [datagram_of(x, family) for x in sent])
    tables = Tables(edge, family, backend, tests)
    wire = out.wire("o0")
    if family == 4:
        mark = frames.udp4(b"", SRC4, MARK4, 1, 1, dst_mac=mac)
    else:
        mark = frames.udp6(b"", SRC6, MARK6, 1, 1, dst_mac=mac)
    before, verdicts = tables.counters(), []
    for frame in sent:
        wire.send([frame, mark])

        def passed(marks=before[0] + 1):
            got = tables.counters()
            return got if got[0] >= marks else None
        now = lab.until(passed, 10, "the mark passes the table")
        step = [b - a for a, b in zip(before, now)]
        lab.check(step[:3] == [1, 0, 1], f"one frame, then one mark: {step[:3]}")
        verdicts.append([n == 1 for n in step[3:]])
        before = now
    wire.close()
    return sent, tests, verdicts


def compare(family, backend):
    """All tests on all frames of one family, by one iptables."""
    rng = random.Random(frames.seed())
    with lab.Lab("u32") as it:
        sent, tests, kernel = kernel_verdicts(it, family, backend, rng)
        savefile = it.file("sent.pcap")
        frames.write_pcap(savefile, sent)
        matched, middling = 0, 0
        for i, (invert, text) in enumerate(tests):
            words = ["!", text] if invert else [text]
            code = lab.run(lab.binary("sluice"), "gen", "u32", "--", *words).stdout
            got = lab.run(lab.binary("sluice"), "filter", "--link", "raw", "-b", code,
                          "--verdicts", savefile).stdout.split("\n")[:-1]
            ours = [line == "match" for line in got]
            theirs = [verdict[i] for verdict in kernel]
            for frame, a, b in zip(sent, ours, theirs):
                lab.equal(a, b, f"{words}, judged by {backend}, on {frame.hex()}")
            lab.equal(len(ours), len(sent), "verdicts")
            matched += sum(theirs)
            middling += 0 < sum(theirs) < len(theirs)
    pairs = len(tests) * len(sent)
    print(f"IPv{family}, {backend}: {len(tests)} tests, {len(sent)} frames, "
          f"{matched} of {pairs} match, {middling} tests match some")
    lab.check(pairs // 20 < matched < pairs - pairs // 20, "enough to judge by")
    lab.check(middling > len(tests) // 12, "tests that tell frames apart")


def ipv4_nft():
    """IPv4, iptables-nft."""
    compare(4, "nft")


def ipv4_legacy():
    """IPv4, iptables-legacy."""
    compare(4, "legacy")


def ipv6_nft():
    """IPv6, ip6tables-nft."""
    compare(6, "nft")


def refused():
    """Texts: taken by both or refused by both."""
    texts = [x for line in TEXTS.strip("\n").split("\n") for x in line.split("|")]
    texts += [many(10), many(11), "0=1&&" + many(10)]
    taken = 0
    with lab.Lab("u32") as it:
        ns = it.ns("texts")
        for text in texts:
            theirs = ns.run("iptables-nft", "-t", "raw", "-A", "PREROUTING", "-m", "u32", "--u32",
                            text, check=False)
            ours = lab.run(lab.binary("sluice"), "gen", "u32", "--", text, check=False)
            lab.equal(ours.returncode == 0, theirs.returncode == 0,
                      f"'{text}': {ours.stderr} {theirs.stderr}")
            if ours.returncode != 0:
                lab.check(ours.returncode == 2 and "column" in ours.stderr,
                          f"'{text}': the place of what is wrong: {ours.stderr}")
            taken += ours.returncode == 0
    print(f"{len(texts)} texts, {taken} taken")
    lab.check(len(texts) // 4 < taken < len(texts) * 3 // 4, "texts of both kinds")


lab.main(ipv4_nft, ipv4_legacy, ipv6_nft, refused)
