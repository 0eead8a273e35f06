# SPDX-License-Identifier: BSD-3-Clause
"""Every generator's programs in xt_bpf: all are accepted, and count what we say they match.

Programs of all generators, expressions, and mutations of both stand in one raw table;
frames that were built to match them or just miss, half of them with bytes behind the
datagram, pass all of them. iptables-nft's and -legacy's counters are held against our
interpreter's. 100 programs for each family, 600 with SLUICE_LONG=1.
"""

import glob
import os

import frames
import lab

PROGRAMS = 600 if lab.LONG else 100
CHUNK = 100 # frames between two marks: no queue on the way is shorter
OURS6, MARK4, MARK6 = "2001:db8::1", "10.77.255.255", "2001:db8:77::ffff"


def cases(it, family, seed):
    """The frames' datagrams, and [matches, bytecode] of each program."""
    tool, = glob.glob(os.path.join(lab.BUILD, "tests", "engines", "xt_cases"))
    folder = it.file(f"cases{family}")
    os.makedirs(folder, exist_ok=True)
    lab.run(tool, str(seed), str(PROGRAMS), folder)
    sent = frames.read_pcap(os.path.join(folder, f"{family}.pcap"))
    with open(os.path.join(folder, f"{family}.txt"), encoding="ascii") as f:
        lines = [line.strip().split(" ", 1) for line in f]
    return sent, [(int(n), code) for n, code in lines]


def table(tool, family, programs):
    """Shell commands: marks, strangers, all that is left, then the programs."""
    stranger = f"! -s {OURS6}" if family == 6 else "-s 127.0.0.9"
    rules = [f"-d {MARK4 if family == 4 else MARK6} -j ACCEPT", f"{stranger} -j ACCEPT", ""]
    rules += [f"-m bpf --bytecode '{code}'" for _, code in programs]
    return "".join(f"{tool} -w -t raw -A PREROUTING {rule}\n" for rule in rules)


def judge(family, backend):
    """One family by one iptables."""
    seed = frames.seed()
    tool = f"ip{'6' if family == 6 else ''}tables-{backend}"
    with lab.Lab("xtmany") as it:
        sent, programs = cases(it, family, seed)
        out, edge = it.ns("o"), it.ns("e")
        it.veth(out, "o0", edge, "e0")
        if family == 6:
            edge.ipv6("e0")
        edge.run("sh", "-e", input=table(tool, family, programs))
        mac, wire = edge.mac("e0"), out.wire("o0")
        kind = frames.ETH_IP if family == 4 else frames.ETH_IP6
        mark = frames.udp4(b"", "10.77.0.1", MARK4, 1, 1, dst_mac=mac) if family == 4 else \
            frames.udp6(b"", OURS6, MARK6, 1, 1, dst_mac=mac)

        def counters():
            text = edge.run(f"{tool}-save", "-c", "-t", "raw").stdout
            return [int(x[1:x.index(":")]) for x in text.split("\n") if x.startswith("[")]

        lab.equal(counters(), [0] * (len(programs) + 3), "counters before")
        for i in range(0, len(sent), CHUNK):
            wire.send([frames.ether(x, kind, dst_mac=mac) for x in sent[i:i + CHUNK]] + [mark])
            lab.until(lambda n=i // CHUNK + 1: counters()[0] >= n, 10, "the mark passes")
        got = counters()
        wire.close()
    lab.equal(got[2], len(sent), "frames that came to the table")
    for (want, code), n in zip(programs, got[3:]):
        lab.equal(n, want, f"SLUICE_SEED={seed}: matches of {code}")
    hits = sum(got[3:])
    print(f"IPv{family}, {backend}: {len(programs)} programs accepted, {len(sent)} frames, "
          f"{hits} of {len(programs) * len(sent)} match")
    lab.check(len(programs) >= PROGRAMS * 9 // 10, "enough programs")
    lab.check(hits > len(sent), "enough match")


def ipv4_nft():
    """iptables-nft."""
    judge(4, "nft")


def ipv4_legacy():
    """iptables-legacy."""
    judge(4, "legacy")


def ipv6_nft():
    """ip6tables-nft."""
    judge(6, "nft")


def ipv6_legacy():
    """ip6tables-legacy."""
    judge(6, "legacy")


lab.main(ipv4_nft, ipv4_legacy, ipv6_nft, ipv6_legacy)
