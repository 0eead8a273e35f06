# SPDX-License-Identifier: BSD-3-Clause
"""Objects of `sluice gen|asm -f ebpf`, by those who load them.

bpftool, ip link and xdp-loader put the XDP program on a veth: what arrives behind
it is what `sluice filter` says does not match. iptables takes the socket filter
pinned, beside the same program as bytecode: both match the same packets.
"""

import ctypes
import os
import random

import frames
import lab

SRC4, DST4, SRC6, DST6 = "10.78.0.1", "10.78.0.2", "2001:db8:78::1", "2001:db8:78::2"
NAMES = ("x.www.example.uk", "www.example.uk", "x.y.www.example.uk", "x.example.uk",
         "X.WWW.example.uk", "x.www.example.com", "a-b_c.www.example.uk")
PROGRAMS = (
    ("dns", "--", "*.www.example.uk"),
    ("dns", "--", "-i", "*.www.example.uk", "*.example.uk"),
    ("-n", "dns", "--", "*.www.example.uk"),
    ("suffix", "7a7a79"),
    ("tcpdump", "udp port 53 and greater 60"),
    ("payload", "--", "--end", "text:zzy"),
)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
BPFFS = "/sys/fs/bpf"


def own_mounts():
    """A /sys/fs/bpf for this process and its children only."""
    libc = ctypes.CDLL(None, use_errno=True)
    for failed, what in ((lambda: libc.unshare(CLONE_NEWNS), "unshare"),
                         (lambda: libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
                          "private mounts"),
                         (lambda: libc.mount(b"bpf", BPFFS.encode(), b"bpf", 0, None), BPFFS)):
        if failed() != 0:
            raise OSError(ctypes.get_errno(), what)


def within(ns, *argv, **kw):
    """Run in @ns, with our mounts: ip netns exec would hide them."""
    return lab.run("nsenter", f"--net={ns.path}", *argv, **kw)


def sluice(*argv):
    """What sluice prints."""
    return lab.run(lab.binary("sluice"), *argv).stdout


def write_object(path, *argv):
    """Let sluice write an object file to @path."""
    with open(path, "wb") as f:
        lab.subprocess.run([lab.binary("sluice"), *argv], stdout=f, check=True, timeout=60)
    return path


def make(rng, mac, most_tags=2):
    """Queries that match and just miss, in all wrappings, and what is none."""
    made = []
    for name in NAMES:
        query = frames.dns_query(name)
        for payload in (query, query[:-5], query + b"zzy", query[:-1] + b"y"):
            tags = [(frames.ETH_VLAN, rng.randrange(1, 4000))] * rng.randrange(most_tags + 1)
            made.append(frames.udp4(payload, SRC4, DST4, 1234, 53, dst_mac=mac, tags=tags))
            made.append(frames.udp6(payload, SRC6, DST6, 1234, 53, dst_mac=mac, tags=tags))
            ip = frames.ipv4(frames.udp(payload, SRC4, DST4, 1, 53), frames.UDP, SRC4, DST4,
                             options=b"\1" * 4 * rng.randrange(3), ttl=rng.choice((60, 64)))
            made.append(frames.ether(ip + rng.choice((b"", b"zzy", b"z" * 18)), frames.ETH_IP,
                                     dst_mac=mac))
    made.append(frames.arp(1, "02:00:00:00:00:01", SRC4, "00:00:00:00:00:00", DST4))
    made += [frames.udp4(b"z" * n + b"zzy", SRC4, DST4, 9, 80, dst_mac=mac) for n in range(20)]
    return made


def untouched(verdicts, sent):
    """The frames that do not match."""
    return [f for f, v in zip(sent, verdicts) if v == "-"]


def by_ip(edge, path, mode):
    """ip link with the program of section xdp."""
    within(edge, "ip", "link", "set", "dev", "e0", mode, "obj", path, "sec", "xdp")
    return lambda: edge.ip("link", "set", "dev", "e0", mode, "off")


def by_bpftool(edge, path, pins):
    """bpftool loads all, then attaches one."""
    lab.run("bpftool", "prog", "loadall", path, pins)
    within(edge, "bpftool", "net", "attach", "xdp", "pinned", f"{pins}/xdp_drop", "dev", "e0")

    def off():
        within(edge, "bpftool", "net", "detach", "xdp", "dev", "e0")
        for name in os.listdir(pins):
            os.unlink(f"{pins}/{name}")
        os.rmdir(pins)
    return off


def by_xdp_loader(edge, path):
    """xdp-loader, which may put its dispatcher before the program."""
    within(edge, "xdp-loader", "load", "e0", path, "-n", "xdp_drop")
    return lambda: within(edge, "xdp-loader", "unload", "-a", "e0")


LOADERS = {
    "ip link xdp": lambda edge, path: by_ip(edge, path, "xdp"),
    "ip link xdpgeneric": lambda edge, path: by_ip(edge, path, "xdpgeneric"),
    "bpftool": lambda edge, path: by_bpftool(edge, path, f"{BPFFS}/loaded"),
    "xdp-loader": by_xdp_loader,
}


def pass_through(wire, behind, sent, want, what):
    """Of @sent exactly @want arrives."""
    behind.drain()
    wire.send(sent)
    got = behind.receive(len(want), 10)
    lab.equal([f.hex() for f in got], [f.hex() for f in want], f"what passes {what}")
    lab.equal(behind.receive(1, 0.05), [], f"nothing more passes {what}")


def xdp():
    """Loaded by each loader, XDP drops what matches and nothing else."""
    rng = random.Random(frames.seed())
    dropped = 0
    with lab.Lab("ebpf") as it:
        out, edge = it.ns("out"), it.ns("edge")
        it.veth(out, "o0", edge, "e0")
        wire, behind = out.wire("o0"), edge.wire("e0")
        sent = make(rng, edge.mac("e0"))
        savefile = it.file("sent.pcap")
        frames.write_pcap(savefile, sent)
        for number, words in enumerate(PROGRAMS):
            text = it.file("program.txt", sluice("gen", *words))
            verdicts = sluice("filter", "--link", "raw", "-b", open(text).read(), "--verdicts",
                              savefile).split()
            want = untouched(verdicts, sent)
            path = write_object(it.file(f"raw{number}.o"), "asm", "-f", "ebpf", text)
            for name, load in LOADERS.items():
                off = load(edge, path)
                pass_through(wire, behind, sent, want, f"{' '.join(words)} by {name}")
                off()
            dropped += len(sent) - len(want)
        # With an offset the program gets the frame from its first byte.
        words = ("-o", "14", "dns", "--", "*.www.example.uk")
        verdicts = sluice("filter", "-b", sluice("gen", *words), "--verdicts", savefile).split()
        path = write_object(it.file("ether.o"), "gen", "-f", "ebpf", *words)
        off = by_ip(edge, path, "xdp")
        pass_through(wire, behind, sent, untouched(verdicts, sent), "a program for frames")
        off()
        # Without, one for IPv4 sees no IPv6.
        path = write_object(it.file("four.o"), "gen", "-f", "ebpf", "-n", "suffix", "ff")
        off = by_ip(edge, path, "xdp")
        pass_through(wire, behind, sent,
                     [f for f in sent if b"\x86\xdd" in f[12:26] or f[12:14] == b"\x08\x06"],
                     "a program for IPv4")
        off()
        wire.close()
        behind.close()
    print(f"{len(PROGRAMS)} programs, {len(LOADERS)} loaders, {len(sent)} frames, {dropped} "
          "dropped by each")
    lab.check(dropped > len(sent), "enough to judge by")


def iptables(family, backend):
    """The pinned program and its bytecode match the same packets."""
    rng = random.Random(frames.seed())
    total = 0
    with lab.Lab("ebpf") as it:
        out, edge = it.ns("out"), it.ns("edge")
        it.veth(out, "o0", edge, "e0")
        if family == 6:
            edge.ipv6("e0")
        sent = make(rng, edge.mac("e0"), most_tags=0)
        save = f"ip{'6' if family == 6 else ''}tables-{backend}-save"
        add = [save[:-len("-save")], "-w", "-t", "raw", "-A", "PREROUTING"]
        source = SRC4 if family == 4 else SRC6
        within(edge, *add, "!", "-s", source, "-j", "ACCEPT")
        for number, words in enumerate(PROGRAMS):
            options = ("-6",) if family == 6 else ()
            code = ["-m", "bpf", "--bytecode", sluice("gen", *options, *words).strip()]
            path = write_object(it.file(f"{number}.o"), "gen", "-f", "ebpf", *options, *words)
            # iptables-legacy looks at all pins again with every new rule.
            pin = f"{BPFFS}/{family}-{backend}-{number}"
            lab.run("bpftool", "prog", "load", path, pin)
            pinned = ["-m", "bpf", "--object-pinned", pin]
            for match in (code, pinned, code + pinned):
                within(edge, *add, *match)
        within(edge, *add, "-j", "ACCEPT")
        wire = out.wire("o0")
        wire.send(sent)
        wire.close()

        def counters():
            lines = within(edge, save, "-c", "-t", "raw").stdout.split("\n")
            return [int(x[1:x.index(":")]) for x in lines if x.startswith("[")][1:]
        got = lab.settled(counters)
        lab.check(got[-1] >= 4 * len(NAMES), f"packets reach the table: {got}")
        for number, words in enumerate(PROGRAMS):
            code, pinned, both = got[3 * number:3 * number + 3]
            lab.check(code == pinned == both > 0,
                      f"{words}: {code} by bytecode, {pinned} pinned, {both} by both")
            total += pinned
    print(f"IPv{family}, {backend}: {len(PROGRAMS)} programs, {got[-1]} packets, {total} matches")


def pinned_ipv4_nft():
    """iptables-nft -m bpf --object-pinned."""
    iptables(4, "nft")


def pinned_ipv4_legacy():
    """iptables-legacy."""
    iptables(4, "legacy")


def pinned_ipv6_nft():
    """ip6tables-nft."""
    iptables(6, "nft")


def pinned_ipv6_legacy():
    """ip6tables-legacy."""
    iptables(6, "legacy")


lab.need_root()
own_mounts()
lab.main(xdp, pinned_ipv4_nft, pinned_ipv4_legacy, pinned_ipv6_nft, pinned_ipv6_legacy)
