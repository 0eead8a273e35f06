# SPDX-License-Identifier: BSD-3-Clause
"""Real servers for a lab: a name server and a web server, each in a namespace."""

import os
import socket
import sys

import frames
import lab

ZONE = """$ORIGIN example.uk.
$TTL 300
@ SOA ns admin 1 3600 900 604800 300
@ NS ns
@ MX 10 mail
ns A 192.0.2.53
mail A 192.0.2.25
www A 192.0.2.80
api A 192.0.2.81
api AAAA 2001:db8::81
"""
RRSIG = b"\0\x2e\0\x01"  # type and class of a signature
KNOT = """server:
    rundir: {home}
    listen: [ {listen} ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: {home}
zone:
  - domain: example.uk
    storage: {home}
    file: example.uk.zone
    {signing}
"""


def knot(it, ns, addresses, asker=None, sign=False, **kw):
    """Start knotd for example.uk in @ns; returns when it answers @asker (a namespace).

    @sign: sign every answer to who asks for it, on line: makes them dear."""
    home = it.file(f"knot{it.serial()}")
    os.mkdir(home)
    for name, text in (("example.uk.zone", ZONE), ("knot.conf", KNOT.format(
            home=home, listen=", ".join(f"{a}@53" for a in addresses),
            signing="module: mod-onlinesign" if sign else ""))):
        with open(os.path.join(home, name), "w", encoding="utf-8") as f:
            f.write(text)
    proc = it.spawn("knotd", "-c", os.path.join(home, "knot.conf"), ns=ns, **kw)
    def answers():
        if not proc.alive():
            raise lab.LabError(f"knotd ended: {proc.log().strip()}")
        answer = ask(asker or ns, addresses[0], "example.uk", qtype=6, edns_do=sign)
        # Where a module fails knotd goes on without it.
        if answer and sign and RRSIG not in answer:
            raise lab.LabError(f"knotd does not sign: {proc.log().strip()}")
        return answer
    lab.until(answers, 20, "the name server answers")
    return proc


def ask(ns, server, name, seconds=0.2, **kw):
    """One DNS query over UDP from @ns; the answer, or None after @seconds."""
    with ns.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.sendto(frames.dns_query(name, **kw), (server, 53))
            return sock.recv(4096)
        except OSError:
            return None


def http(it, ns, address, folder, port=8080):
    """Serve @folder; returns when connections are taken."""
    proc = it.spawn(sys.executable, "-m", "http.server", port, "--bind", address,
                    "--directory", folder, "--protocol", "HTTP/1.1", ns=ns)

    def listens():
        if not proc.alive():
            raise lab.LabError(f"http.server ended: {proc.log().strip()}")
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return where in ns.run("ss", "-Hltn").stdout.split()
    lab.until(listens, 20, "the web server listens")
    return proc
