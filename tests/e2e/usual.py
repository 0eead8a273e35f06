# SPDX-License-Identifier: BSD-3-Clause
"""The usual lab: world --veth--> edge (sluiced) --TAP--> server.

Nothing in the namespaces sends a frame by itself until address() is called, so
that every frame that is counted was sent by the test."""

import lab

PORT, TAP = "edge0", "sluice0"
WORLD_IP, SERVER_IP = "192.0.2.1", "192.0.2.53"
WORLD_IP6, SERVER_IP6 = "2001:db8::1", "2001:db8::53"
DROP_WWW = """
[rule random-subdomains]
match = dns *.www.example.uk
action = drop
"""


def af_packet(dev, queues=1, unit=0):
    """A device string with rings that hold what a test sends in one go."""
    return f"net_af_packet{unit},iface={dev},qpairs={queues},blocksz=1048576,framecnt=16384"


def af_xdp(dev, queues=1, unit=0):
    """The same device by XDP; its rings are small (2,048 frames)."""
    return f"net_af_xdp{unit},iface={dev},queue_count={queues}"


def section(name, device, exception, **keys):
    """A [port] section; the policer is off unless asked for."""
    keys = {"policer": "off", **keys}
    return f"[port {name}]\ndevice = {device}\nexception = {exception}\n" + \
        "".join(f"{k} = {v}\n" for k, v in keys.items()) + "\n"


class Site:
    """Made inside a Lab; @keys go to the [port] section."""

    def __init__(self, it, rules=DROP_WWW, queues=1, exception="tap", device=af_packet, **keys):
        self.it = it
        self.world, self.edge, self.server = it.ns("world"), it.ns("edge"), it.ns("server")
        it.veth(self.world, "w0", self.edge, "e0", queues=queues)
        if exception == "tap":
            exception = f"tap:{TAP}"
            keys["exception_netns"] = self.server.name
        keys["queues"] = queues
        self.base = section(PORT, device("e0", queues), exception, **keys)
        self.daemon = it.sluiced(self.base + rules, ns=self.edge)
        if exception != "none":
            self.server.ip("link", "set", TAP, "up")
        self.mac = self.edge.mac("e0")
        self.wire = self.world.wire("w0")

    def reload(self, rules):
        """Change the rules under traffic."""
        return self.daemon.reload(self.base + rules)

    def address(self, v6=False):
        """Give world and server the addresses of one link."""
        for ns, dev, v4, six in ((self.world, "w0", WORLD_IP, WORLD_IP6),
                                 (self.server, TAP, SERVER_IP, SERVER_IP6)):
            ns.ip("addr", "add", f"{v4}/24", "dev", dev)
            if v6:
                ns.ipv6(dev)
                ns.ip("addr", "add", f"{six}/64", "dev", dev, "nodad")

    def sent(self):
        """What the world sent, by the kernel's counter of its end of the veth."""
        return self.world.counters("w0")["tx_packets"]

    def balanced(self):
        """Wait for quiet; every frame sent is accounted for and the kernel got what passed.

        Returns the port's counters."""
        def read():
            return self.sent(), lab.accounted(self.daemon.port(PORT))
        sent, accounted = lab.settled(read)
        port = self.daemon.port(PORT)
        lab.equal(accounted, sent, f"frames accounted for of those sent ({port})")
        lost = lab.lost_inward(port)
        taken = sum(n for k, n in lost.items() if k.startswith("exception"))
        lab.equal(port["rx"], port["dropped"] + port["limited"] + port["passed"] + taken,
                  "rx against what became of it")
        if TAP in self.server.devices():
            lab.equal(self.server.counters(TAP)["rx_packets"], port["passed"],
                      "frames that the kernel counted on the TAP, of those passed")
        return port
