# SPDX-License-Identifier: BSD-3-Clause
"""Savefiles for tests: frames to write, and how many a file holds by its own account."""

import struct

ETHER, RAW = 1, 101


def pcap(frames, dlt=ETHER):
    """A pcap file with these frames, each of bytes or (bytes, length on the wire)."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, dlt)
    for number, frame in enumerate(frames):
        data, wire = frame if isinstance(frame, tuple) else (frame, len(frame))
        out += struct.pack("<IIII", 1_700_000_000 + number, number, len(data), wire) + data
    return out


def udp4(payload, sport=1234, dport=53, dst="10.0.0.1", frag=0, pad=0):
    """An Ethernet frame with an IPv4 UDP datagram, @pad bytes behind it."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 1, frag, 64, 17, 0,
                     bytes([192, 0, 2, 1]), bytes(int(b) for b in dst.split(".")))
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    return b"\2" * 12 + b"\x08\x00" + ip + udp + payload + b"\0" * pad


def udp6(payload, sport=1234, dport=53):
    """The same in IPv6."""
    ip = struct.pack(">IHBB16s16s", 0x60000000, 8 + len(payload), 17, 64, b"\x20\x01" + b"\0" * 14,
                     b"\x20\x01" + b"\0" * 13 + b"\1\1")
    udp = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    return b"\2" * 12 + b"\x86\xdd" + ip + udp + payload


def vlan(frame, vid=7):
    """@frame with an 802.1Q tag."""
    return frame[:12] + struct.pack(">HH", 0x8100, vid) + frame[12:]


ARP = b"\xff" * 6 + b"\2" * 6 + b"\x08\x06" + b"\0" * 28
TAIL = b"\0\1\0\1"


def dns(name):
    """The payload of a query for @name."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + TAIL


def link(data):
    """The link type of @data, a pcap file."""
    return struct.unpack_from(">I" if data[:1] == b"\xa1" else "<I", data, 20)[0]


def frames(data):
    """The frames of @data, a pcap file; None for anything else."""
    magic = data[:4]
    if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return frames_pcap(data, "<")
    if magic in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        return frames_pcap(data, ">")
    return None


def frames_pcap(data, order):
    """Records until the file ends, each cut at the file's snapshot length, as libpcap does."""
    at, out = 24, []
    snaplen = struct.unpack_from(order + "I", data, 16)[0] or len(data)
    while at + 16 <= len(data):
        caplen = struct.unpack_from(order + "I", data, at + 8)[0]
        if at + 16 + caplen > len(data):
            break
        out.append(data[at + 16:at + 16 + min(caplen, snaplen)])
        at += 16 + caplen
    return out


def count(data):
    """How many whole frames @data, a pcap file, holds; None for anything else."""
    found = frames(data)
    return None if found is None else len(found)
