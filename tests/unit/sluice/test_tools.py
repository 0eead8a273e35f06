#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_tools.py SLUICE [unittest options]: what looks at captures: pcap2hex, hex2pcap and offset,
on built frames and on every capture of the folder SLUICE_CORPUS. tshark reads what they wrote."""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import captures as cap

SLUICE = None
SLL, SLL2, NULL, LOOP, IPV4, IPV6, USB = 113, 276, 0, 108, 228, 229, 189
QUERY = cap.dns("itqvmnszeluzoj.www.example.uk")
Q4, Q6 = cap.udp4(QUERY), cap.udp6(QUERY)


def sluice(*args, data=b"", raw=False):
    """Run it; (status, stdout, stderr) as text, or stdout as bytes with raw=True."""
    done = subprocess.run([SLUICE, *args], input=data, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout if raw else done.stdout.decode(), done.stderr.decode()


class Case(unittest.TestCase):
    """A folder of its own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-tools-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name, data):
        """A file in the folder with @data in it."""
        where = pathlib.Path(self.folder.name) / name
        where.write_bytes(data)
        return str(where)

    def says(self, out, *args, data=b""):
        """That this call prints exactly @out."""
        self.assertEqual(sluice(*args, data=data), (0, out, ""))

    def fails(self, status, sentence, *args, data=b"", out=""):
        """That this call ends with @status and says exactly @sentence."""
        self.assertEqual(sluice(*args, data=data), (status, out, "sluice" + sentence + "\n"))


def sll(frame, device=1):
    """@frame as captured on "any"."""
    return struct.pack(">HHH8s", 0, device, 6, frame[6:12] + b"\1\2") + frame[12:]


def sll2(frame):
    """The same in the second version."""
    return frame[12:14] + struct.pack(">HIHBB8s", 0, 3, 1, 0, 6, frame[6:12] + b"\1\2") + frame[14:]


COOKED = struct.pack(">HH", 1, 6) + b"\2" * 6 + b"\1\2"  # what both leave of their addresses
BARE = b"\0" * 12

# A frame of a link type, and what it is as untagged Ethernet.
NORMAL = (
    ("ether", cap.ETHER, Q4, Q4),
    ("tag", cap.ETHER, cap.vlan(Q4), Q4),
    ("two tags", cap.ETHER, cap.vlan(cap.vlan(Q6)), Q6),
    ("tagged ARP", cap.ETHER, cap.vlan(cap.ARP), cap.ARP),
    ("cut in the tag", cap.ETHER, cap.vlan(Q4)[:17], cap.vlan(Q4)[:17]),
    ("cut in the header", cap.ETHER, Q4[:13], Q4[:13]),
    ("cut in IP", cap.ETHER, cap.vlan(Q4)[:30], Q4[:26]),
    ("cooked", SLL, sll(Q4), COOKED + Q4[12:]),
    ("cooked, tag", SLL, sll(cap.vlan(Q4)), COOKED + Q4[12:]),
    ("cooked, ARP", SLL, sll(cap.ARP), COOKED + cap.ARP[12:]),
    ("cooked, cut", SLL, sll(Q4)[:15], sll(Q4)[:15]),
    ("cooked 2", SLL2, sll2(Q6), COOKED + Q6[12:]),
    ("cooked 2, tag", SLL2, sll2(cap.vlan(Q6)), COOKED + Q6[12:]),
    ("cooked 2, cut", SLL2, sll2(Q6)[:19], sll2(Q6)[:19]),
    ("raw 4", cap.RAW, Q4[14:], BARE + Q4[12:]),
    ("raw 6", cap.RAW, Q6[14:], BARE + Q6[12:]),
    ("raw, neither", cap.RAW, b"\x55" * 20, b"\x55" * 20),
    ("IPv4", IPV4, Q4[14:], BARE + Q4[12:]),
    ("IPv6", IPV6, Q6[14:], BARE + Q6[12:]),
    ("null", NULL, b"\2\0\0\0" + Q4[14:], BARE + Q4[12:]),
    ("null, other order", NULL, b"\0\0\0\x1e" + Q6[14:], BARE + Q6[12:]),
    ("loop", LOOP, b"\0\0\0\2" + Q4[14:], BARE + Q4[12:]),
)


class Pcap2hex(Case):
    """Frames as text."""

    def test_normal(self):
        for what, dlt, frame, want in NORMAL:
            with self.subTest(what):
                self.says(want.hex() + "\n", "pcap2hex", data=cap.pcap([frame], dlt=dlt))
                self.says(frame.hex() + "\n", "pcap2hex", "-n", data=cap.pcap([frame], dlt=dlt))

    def test_ascii(self):
        every = bytes(range(256))
        dots = "".join(chr(c) if 0x21 <= c <= 0x7e else "." for c in every)
        self.says(f"{every.hex()}\t{dots}\n", "pcap2hex", "--ascii", "--no-normalize",
                  data=cap.pcap([every]))
        out = sluice("pcap2hex", "-a", data=cap.pcap([sll(Q4)], dlt=SLL))[1]
        self.assertTrue(out.endswith("itqvmnszeluzoj.www.example.uk.....\n"), out)

    def test_several_files(self):
        one, two = self.path("1.pcap", cap.pcap([Q4])), self.path("2.pcap", cap.pcap([Q6, b""]))
        self.says(f"{Q4.hex()}\n{Q6.hex()}\n\n", "pcap2hex", one, two)
        self.says(f"{Q6.hex()}\n\n{Q4.hex()}\n", "pcap2hex", two, "-", data=cap.pcap([Q4]))

    def test_refused(self):
        self.fails(2, " pcap2hex: '-': link type USB_LINUX cannot be made Ethernet; "
                      "--no-normalize prints it as it is", "pcap2hex",
                   data=cap.pcap([b"\0"], dlt=USB))
        self.fails(2, " pcap2hex: cannot open '/nonexistent': No such file or directory",
                   "pcap2hex", "/nonexistent")
        status, out, err = sluice("pcap2hex", data=cap.pcap([Q4, Q4])[:-3])
        self.assertEqual((status, out), (2, Q4.hex() + "\n"))
        self.assertIn("'-', behind frame 1: ", err)


class Hex2pcap(Case):
    """Frames from text."""

    def test_text(self):
        text = (b"# comment 00\n;another\n\n \t \n" + Q4.hex().encode() + b"\tascii \xff 00\n  " +
                Q6.hex().upper().encode() + b"  \r\n\t00 \t #\n00")
        status, out, err = sluice("hex2pcap", data=text, raw=True)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(cap.frames(out), [Q4, Q6, b"\0", b"\0"])
        self.assertEqual(struct.unpack("<II", out[24:32]), (0, 0))

    def test_link(self):
        for name, number in (("EN10MB", 1), ("en10mb", 1), ("LINUX_SLL2", 276), ("105", 105)):
            out = sluice("hex2pcap", "--link", name, data=b"00", raw=True)[1]
            self.assertEqual(struct.unpack("<I", out[20:24])[0], number)
        self.fails(2, " hex2pcap: --link: expected a link type's name or number, such as EN10MB, "
                      "got 'token ring'", "hex2pcap", "-l", "token ring")

    def test_refused(self):
        text = self.path("a.hex", b"00\n# 0\n 0\n")
        for data, place, why in (
                (b"00\n# 0\n 0\n", "3:3", "the second digit of a byte, got the line's end"),
                (b"00\n0x00", "2:2", "the second digit of a byte, got 'x'"),
                (b"0011\n00 11\n", "2:4", "hexadecimal digits, a tab or the line's end, got '1'"),
                (b"\xff", "1:1", "hexadecimal digits, a tab or the line's end, "
                                 "got the byte 0xff")):
            status, _, err = sluice("hex2pcap", data=data, raw=True)
            self.assertEqual((status, err), (2, f"sluice hex2pcap: -:{place}: expected {why}\n"))
        self.assertIn(f" {text}:3:3: ", sluice("hex2pcap", text, raw=True)[2])
        status, _, err = sluice("hex2pcap", self.folder.name, raw=True)
        self.assertEqual(status, 2)
        self.assertIn("it is a directory", err)
        status, out, err = sluice("hex2pcap", data=b"11\n" + b"00" * 262145, raw=True)
        self.assertEqual((status, cap.frames(out)), (2, [b"\x11"]))
        self.assertEqual(err, "sluice hex2pcap: -:2:524290: a frame has at most 262144 bytes\n")


class Offset(Case):
    """Where a string is."""

    def test_rows(self):
        frames = [b"abcabc", b"xx", b"c\0\t\\", b"ca"]
        data = cap.pcap(frames)
        for args, want in (
                (("c",), "2\n-1\n0\n0\n"),
                (("-r", "c"), "-4\n-3\n-4\n-2\n"),
                (("-i", "c"), "2\n0\n0\n"),
                (("-p", "c"), "2\t6162\n-1\t7878\n0\t\n0\t\n"),
                (("-s", "c"), "2\t63616263\n-1\t7878\n0\t6300095c\n0\t6361\n"),
                (("-rpsi", "ca"), "-4\t6162\t63616263\n-2\t\t6361\n"),
                (("-ps", "abcd"), "-1\t616263616263\n-1\t7878\n-1\t6300095c\n-1\t6361\n"),
                (("-i", r"\x00\t\\"), "1\n"), (("-i", r"\0\11\134"), "1\n"),
                (("-i", r"\x63\x00"), "0\n"), (("-i", r"\q"), ""), (("-i", "--", "-"), "")):
            with self.subTest(args):
                self.says(want, "offset", *args, data=data)

    def test_refused(self):
        self.fails(2, " offset: expected STRING [FILE…]; see sluice offset --help", "offset")
        self.fails(2, " offset: expected bytes to look for, got none", "offset", "")
        self.fails(2, r" offset: column 4: expected two hexadecimal digits behind \x in 'a\x0'",
                   "offset", r"a\x0")
        self.fails(2, " offset: cannot open '/nonexistent': No such file or directory",
                   "offset", "x", "/nonexistent")


class Pipes(Case):
    """A reader that goes, a disk that is full."""

    def test_closed_pipe_and_full_disk(self):
        many = self.path("many.pcap", cap.pcap([cap.udp4(b"x" * 900)] * 3000))
        text = self.path("many.hex", sluice("pcap2hex", many, raw=True)[1])
        for args in (("pcap2hex", many), ("hex2pcap", text), ("offset", "-ps", "x", many)):
            with subprocess.Popen([SLUICE, *args], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as proc:
                proc.stdout.read(10)
                proc.stdout.close()
                self.assertEqual((proc.stderr.read(), proc.wait(timeout=60)), (b"", 0), args)
            with open("/dev/full", "wb") as full:
                done = subprocess.run([SLUICE, *args], stdout=full, stderr=subprocess.PIPE,
                                      check=False)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(b"cannot write to standard output: No space left on device", done.stderr)


@unittest.skipUnless(shutil.which("tshark"), "tshark is missing")
class Tshark(Case):
    """What was made Ethernet reads as the original does."""

    def fields(self, data):
        """What tshark says of @data, a savefile."""
        done = subprocess.run(["tshark", "-n", "-r", self.path("t.pcap", data), "-T", "fields",
                               *(f"-e{f}" for f in ("ip.src", "ipv6.dst", "udp.srcport", "dns.id",
                                                    "dns.qry.name", "arp.opcode"))],
                              capture_output=True, check=True)
        return done.stdout

    def test_same_fields(self):
        for dlt in (cap.ETHER, SLL, SLL2, NULL):
            frames = [f for what, d, f, _ in NORMAL if d == dlt and "cut" not in what and
                      what != "raw, neither"]
            data = cap.pcap(frames, dlt=dlt)
            again = sluice("hex2pcap", data=sluice("pcap2hex", data=data, raw=True)[1], raw=True)[1]
            self.assertEqual(self.fields(again), self.fields(data), dlt)
            self.assertIn(b"itqvmnszeluzoj", self.fields(again))


@unittest.skipUnless(os.environ.get("SLUICE_CORPUS"), "SLUICE_CORPUS names no folder of captures")
class Corpus(Case):
    """All captures there are."""

    def test_round_trip(self):
        folder = pathlib.Path(os.environ["SLUICE_CORPUS"])
        files = sorted(p for p in folder.iterdir() if p.suffix in (".pcap", ".pcapng"))
        own = {p: cap.frames(p.read_bytes()) for p in files}
        own = {p: frames for p, frames in own.items() if frames is not None}
        want = [f for frames in own.values() for f in frames]
        self.assertGreater(len(want), 1000)
        status, text, err = sluice("pcap2hex", "-n", *own)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(text, "".join(f.hex() + "\n" for f in want))
        status, out, err = sluice("hex2pcap", data=text.encode(), raw=True)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(cap.frames(out), [f for f in want if f])

    def test_normalized(self):
        """Every file, alone where it may be refused: exit status 0 or 2, with a line why."""
        folder = pathlib.Path(os.environ["SLUICE_CORPUS"])
        files = sorted(p for p in folder.iterdir() if p.suffix in (".pcap", ".pcapng"))
        many = [p for p in files if cap.frames(p.read_bytes()) is not None and
                cap.link(p.read_bytes()) in (cap.ETHER, SLL, SLL2, NULL, LOOP, cap.RAW, IPV4, IPV6)]
        self.assertEqual(sluice("pcap2hex", "-a", *many, raw=True)[::2], (0, ""))
        for path in set(files) - set(many):
            status, _, err = sluice("pcap2hex", "-a", str(path), raw=True)
            self.assertIn((status, err.count("\n")), ((0, 0), (2, 1)), (path, err))


if __name__ == "__main__":
    SLUICE = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
