# SPDX-License-Identifier: BSD-3-Clause
"""Frames for the end-to-end tests: builders with right checksums, raw sockets
on an interface of a namespace, and savefiles. Standard library only."""

import errno
import ipaddress
import os
import random
import select
import socket
import struct
import time

ETH_P_ALL = 0x0003
ETH_IP, ETH_ARP, ETH_VLAN, ETH_QINQ, ETH_IP6 = 0x0800, 0x0806, 0x8100, 0x88A8, 0x86DD
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
BROADCAST = "ff:ff:ff:ff:ff:ff"

PCAP_HEADER = 24  # bytes before a savefile's first record
SOL_PACKET = 263
PACKET_STATISTICS, PACKET_AUXDATA, PACKET_OUTGOING = 6, 8, 4
SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6


def mac(text):
    """The six bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ether(payload, kind, src_mac="02:00:00:00:00:01", dst_mac="02:00:00:00:00:02", tags=(),
          pad=True):
    """An Ethernet frame; @tags: (tpid, tci), outermost first; padded to 60 bytes."""
    frame = mac(dst_mac) + mac(src_mac)
    for tpid, tci in tags:
        frame += struct.pack("!HH", tpid, tci)
    frame += struct.pack("!H", kind) + payload
    return frame.ljust(60, b"\0") if pad else frame


def ipv4(payload, proto, src, dst, ttl=64, ident=0, frag=0, options=b"", length=None):
    """An IPv4 datagram; @frag is the flags-and-offset field; @length overrides the true one."""
    ihl = 20 + len(options)
    total = ihl + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | ihl // 4, 0, total, ident, frag, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(payload, proto, src, dst, hops=64):
    """An IPv6 datagram without extension headers."""
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), proto, hops,
                       socket.inet_pton(socket.AF_INET6, src),
                       socket.inet_pton(socket.AF_INET6, dst)) + payload


def _pseudo(src, dst, proto, length):
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if a.version == 4:
        return a.packed + b.packed + struct.pack("!BBH", 0, proto, length)
    return a.packed + b.packed + struct.pack("!IHBB", length, 0, 0, proto)


def udp(payload, src, dst, sport, dport):
    """A UDP datagram with its checksum, for IPv4 and IPv6."""
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    csum = checksum(_pseudo(src, dst, UDP, 8 + len(payload)) + head + payload) or 0xFFFF
    return head[:6] + struct.pack("!H", csum) + payload


def tcp(payload, src, dst, sport, dport, flags=0x02, seq=1, ack=0, window=65535, options=b""):
    """A TCP segment with its checksum; a SYN by default."""
    options = options.ljust(-(-len(options) // 4) * 4, b"\0")
    off = (20 + len(options)) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, off << 4, flags, window, 0, 0)
    seg = head + options + payload
    csum = checksum(_pseudo(src, dst, TCP, len(seg)) + seg)
    return seg[:16] + struct.pack("!H", csum) + seg[18:]


def dns_query(name, qtype=1, ident=0, edns_do=False):
    """A DNS query for @name, class IN."""
    wire = b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split(".")) + b"\0"
    opt = struct.pack("!BHHIH", 0, 41, 1232, 0x8000, 0) if edns_do else b""
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 1 if opt else 0) + wire + \
        struct.pack("!HH", qtype, 1) + opt


def udp4(payload, src, dst, sport, dport, **kw):
    """Ether/IPv4/UDP in one go; keywords go to ether()."""
    return ether(ipv4(udp(payload, src, dst, sport, dport), UDP, src, dst), ETH_IP, **kw)


def udp6(payload, src, dst, sport, dport, **kw):
    """Ether/IPv6/UDP in one go; keywords go to ether()."""
    return ether(ipv6(udp(payload, src, dst, sport, dport), UDP, src, dst), ETH_IP6, **kw)


def dns4(name, src, dst, sport=12345, ident=0, edns_do=False, **kw):
    """A DNS query over UDP and IPv4."""
    return udp4(dns_query(name, ident=ident, edns_do=edns_do), src, dst, sport, 53, **kw)


def arp(op, sha, spa, tha, tpa, **kw):
    """An ARP packet: @op 1 asks, 2 answers."""
    body = struct.pack("!HHBBH6s4s6s4s", 1, ETH_IP, 6, 4, op, mac(sha), socket.inet_aton(spa),
                       mac(tha), socket.inet_aton(tpa))
    kw.setdefault("src_mac", sha)
    kw.setdefault("dst_mac", BROADCAST if op == 1 else tha)
    return ether(body, ETH_ARP, **kw)


def random_label(rng, n=12):
    """A label of letters and digits."""
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=n))


def random_ip(rng):
    """A unicast address nobody in the lab has."""
    return f"{rng.randrange(20, 120)}.{rng.randrange(256)}.{rng.randrange(256)}" \
        f".{rng.randrange(1, 255)}"


def seed():
    """The seed of this run, printed: SLUICE_SEED sets it."""
    value = int(os.environ.get("SLUICE_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {value}", flush=True)
    return value


def write_pcap(path, frames, linktype=1):
    """A savefile of @frames, a microsecond apart."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, linktype))
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", 1700000000 + i // 1000000, i % 1000000,
                                len(frame), len(frame)) + frame)


def read_pcap(path):
    """The frames of a little-endian savefile (what net_pcap and write_pcap() write)."""
    with open(path, "rb") as f:
        data = f.read()
    magic, = struct.unpack_from("<I", data)
    if magic not in (0xA1B2C3D4, 0xA1B23C4D):
        raise ValueError(f"{path}: not a little-endian savefile")
    frames, at = [], PCAP_HEADER
    while at < len(data):
        caplen, = struct.unpack_from("<I", data, at + 8)
        frames.append(data[at + 16:at + 16 + caplen])
        at += 16 + caplen
    return frames


class Wire:
    """A raw socket on one interface. Made through Namespace.wire()."""

    def __init__(self, sock, dev):
        self.sock = sock
        self.dev = dev
        sock.bind((dev, ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.mac = ":".join(f"{b:02x}" for b in sock.getsockname()[4])

    def send(self, frames, pps=0):
        """Send every frame once; at @pps if given. Blocks; retries what the kernel refused."""
        start, nap = time.monotonic(), select.poll()
        for i, frame in enumerate(frames):
            if pps and i % 32 == 0:
                ahead = start + i / pps - time.monotonic()
                if ahead > 0.001:
                    nap.poll(ahead * 1000)
            self._send_one(frame)

    def _send_one(self, frame):
        # veth answers a full backlog with ENOBUFS and does not count the frame as sent.
        deadline = time.monotonic() + 10
        while True:
            try:
                self.sock.send(frame)
                return
            except OSError as e:
                if e.errno != errno.ENOBUFS or time.monotonic() > deadline:
                    raise
                select.poll().poll(1)

    def receive(self, count, seconds):
        """Up to @count incoming frames within @seconds, tags where they were on the wire."""
        got, deadline = self.drain(count), time.monotonic() + seconds
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        while len(got) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                break
            got += self.drain(count - len(got))
        return got

    def drain(self, count=1 << 62):
        """What has arrived until now, up to @count frames; does not wait."""
        got = []
        while len(got) < count:
            try:
                data, anc, _, addr = self.sock.recvmsg(65535, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if addr[2] != PACKET_OUTGOING:
                got.append(_with_tag(data, anc))
        return got

    def lost(self):
        """Frames this socket had no room for, since the last call."""
        return struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def close(self):
        self.sock.close()


def _with_tag(data, anc):
    # The kernel takes the outermost tag out of the frame and puts it beside it.
    for level, kind, raw in anc:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", raw[:20])
            if status & VLAN_VALID:
                tpid = tpid if status & VLAN_TPID_VALID else ETH_VLAN
                return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data
