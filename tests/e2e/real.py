#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What people do with a network goes through port and exception path and back:
ARP, ND, ICMP, a download over TCP, DNS; with real programs at both ends."""

import hashlib
import os

import lab
import servers
from usual import SERVER_IP, SERVER_IP6, TAP, WORLD_IP, WORLD_IP6, Site

DOWNLOAD = 100 << 20


def neighbour(ns, address, dev):
    """The MAC that the kernel of @ns resolved @address to, or None."""
    out = ns.ip("neigh", "show", address, "dev", dev).stdout.split()
    return out[out.index("lladdr") + 1] if "lladdr" in out else None


def ping():
    """ARP, ND and ICMP: both families, from both ends, no answer missing."""
    with lab.Lab("real") as it:
        site = Site(it)
        site.address(v6=True)
        for ns, address in ((site.world, SERVER_IP), (site.world, SERVER_IP6),
                            (site.server, WORLD_IP), (site.server, WORLD_IP6)):
            out = ns.run("ping", "-n", "-q", "-c", 20, "-i", 0.01, "-W", 2, "-s", 1000,
                         address).stdout
            lab.check(" 20 received" in out and "dup" not in out, f"ping {address}: {out}")
        mac = site.edge.mac("e0")
        for address in (SERVER_IP, SERVER_IP6):
            lab.equal(neighbour(site.world, address, "w0"), mac, f"MAC of {address}")
        lab.equal(site.server.mac(TAP), mac, "the TAP has the NIC's MAC")
        for address in (WORLD_IP, WORLD_IP6):
            lab.equal(neighbour(site.server, address, TAP), site.world.mac("w0"),
                      f"MAC of {address}")


def download():
    """100 MB over HTTP, both families; what arrives has the right checksum."""
    with lab.Lab("real") as it:
        site = Site(it)
        site.address(v6=True)
        data = os.urandom(1 << 20) * (DOWNLOAD >> 20)
        folder = it.file("www")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "wb") as f:
            f.write(data)
        want = hashlib.sha256(data).hexdigest()
        for address, host in ((SERVER_IP, SERVER_IP), (SERVER_IP6, f"[{SERVER_IP6}]")):
            servers.http(it, site.server, address, folder)
            got = it.file("got")
            out = site.world.run("curl", "-sS", "--fail", "--max-time", 120, "-o", got, "-w",
                                 "%{speed_download}", f"http://{host}:8080/data",
                                 timeout=150).stdout
            print(f"  {host}: {float(out) * 8 / 1e6:.0f} Mbit/s", flush=True)
            with open(got, "rb") as f:
                lab.equal(hashlib.file_digest(f, "sha256").hexdigest(), want, "SHA-256")


def dns():
    """kdig asks knotd: UDP and TCP, both families; the rule takes only what it says."""
    with lab.Lab("real") as it:
        site = Site(it)
        site.address(v6=True)
        servers.knot(it, site.server, [SERVER_IP, SERVER_IP6], asker=site.world)
        for address in (SERVER_IP, SERVER_IP6):
            for more in ("+notcp", "+tcp"):
                out = site.world.run("kdig", f"@{address}", more, "+short", "+retry=0", "+time=2",
                                     "api.example.uk", "A").stdout
                lab.equal(out, "192.0.2.81\n", f"answer of {address} {more}")
            out = site.world.run("kdig", f"@{address}", "+notcp", "+retry=0", "+time=1",
                                 "x.www.example.uk", "A", check=False)
            lab.check(out.returncode != 0 and "NXDOMAIN" not in out.stdout,
                      f"{address} answered what the rule drops: {out.stdout}")
        lab.equal(site.daemon.rule("random-subdomains")["dropped"], 2, "queries dropped")


lab.main(ping, download, dns)
