// SPDX-License-Identifier: BSD-3-Clause
#include "conf_keys.h"

#include "base/util.h"

#define PORT(field) offsetof(struct conf_port, pub.field)
#define SINK(field) offsetof(struct ctl_sink, field)
#define CONF(field) offsetof(struct ctl_conf, field)
#define RESTART true
#define RELOAD false
#define NEEDED true
#define MAY false

/*
 * Every key, and nothing that is not here: the loader, --print-config,
 * conf/sluiced.ini and the man page expand this table. Ranges are written as
 * values of the key.
 *
 *   X(section, key, tier, type, offset, restart, needed, "type", range, "default", "help")
 */
/* clang-format off */
#define CONF_KEYS(X) \
	X(node, name, MUST, str, CONF(node_name), RELOAD, MAY, \
	  "NAME", NULL, "", \
	  "Name of this node in samples and statistics; left out: the host's name.") \
	X(node, location, MUST, str, CONF(location), RELOAD, MAY, \
	  "NAME", NULL, "", \
	  "Where the node stands; rules can be limited to locations.") \
	X(node, state, LEAVE, str, CONF(state_dir), RESTART, MAY, \
	  "PATH", NULL, "/var/lib/sluice", \
	  "Folder for what outlives a restart, such as when rules with a ttl end.") \
	X(port, device, MUST, device, 0, RESTART, NEEDED, \
	  "PCI address or virtual device with arguments", NULL, "", \
	  "The NIC to take, as DPDK names it; net_af_packetN,iface=IF works on any interface.") \
	X(port, exception, MUST, exception, 0, RESTART, NEEDED, \
	  "tap:NAME|virtio-user:NAME|port:NAME|none", NULL, "", \
	  "Where survivors go: to the kernel through a TAP or virtio-user, to another port's wire, or nowhere.") \
	X(port, exception_netns, LEAVE, netns, 0, RESTART, MAY, \
	  "NAME", NULL, "", \
	  "Network namespace that the TAP is made in; left out: the daemon's own.") \
	X(port, mode, LEAVE, mode, 0, RESTART, MAY, \
	  "always", NULL, "always", \
	  "Whether the port is ours all the time; burst (only while the gate is open) is not in this version.") \
	X(port, queues, SPEED, u16, PORT(queues), RESTART, MAY, \
	  "NUMBER", "1 - 64", "1", \
	  "Receive queues, each with a worker that polls it.") \
	X(port, lcores, SPEED, lcores, 0, RESTART, MAY, \
	  "CPU, CPU-CPU, …", NULL, "", \
	  "CPUs of the workers, one per queue, may repeat; left out: chosen at start.") \
	X(port, mtu, LEAVE, u32, PORT(mtu), RESTART, MAY, \
	  "BYTES", "68 - 9600", "1500", \
	  "Largest IP packet; larger frames arrive scattered where the driver can.") \
	X(port, promiscuous, LEAVE, promiscuous, 0, RESTART, MAY, \
	  "auto|yes|no", NULL, "auto", \
	  "Take frames for other MAC addresses too; auto is yes with exception = port:NAME, else no.") \
	X(port, multicast, LEAVE, bool, PORT(multicast), RESTART, MAY, \
	  "yes|no", NULL, "yes", \
	  "Take all multicast frames, as IPv6 ND and LACP need.") \
	X(port, rx_ring, SPEED, u32, PORT(rx_ring), RESTART, MAY, \
	  "DESCRIPTORS", "0 - 32768", "0", \
	  "Size of a receive ring; 0 is the driver's choice.") \
	X(port, tx_ring, SPEED, u32, PORT(tx_ring), RESTART, MAY, \
	  "DESCRIPTORS", "0 - 32768", "0", \
	  "Size of a transmit ring; 0 is the driver's choice.") \
	X(port, policer, SPEED, rate, PORT(policer_pps), RESTART, MAY, \
	  "RATE pps|off", NULL, "400k pps", \
	  "Survivors let through a second, as the kernel takes 0.5 to 1 Mpps a queue; more are counted and dropped.") \
	X(port, policer_burst, LEAVE, u32, PORT(policer_burst), RESTART, MAY, \
	  "PACKETS", "0 - 1048576", "0", \
	  "How many may come at once; 0 is 10 ms of policer, at least 64.") \
	X(port, takeover, LEAVE, bool, PORT(takeover), RESTART, MAY, \
	  "yes|no", NULL, "yes", \
	  "On devices that only copy frames, keep the kernel from handling the originals.") \
	X(sample, rate, SPEED, one_in, CONF(sample_one_in), RELOAD, MAY, \
	  "1/N|off", NULL, "1/1000", \
	  "Share of all frames, dropped and passed alike, that is copied into a sample.") \
	X(sample, snaplen, LEAVE, u32, CONF(sample_snaplen), RESTART, MAY, \
	  "BYTES", "64 - 65535", "128", \
	  "Bytes of a frame that a sample keeps.") \
	X(sink, type, LEAVE, sink_type, 0, RELOAD, MAY, \
	  "pcapng", NULL, "pcapng", \
	  "Kind of sink; sflow is not in this version.") \
	X(sink, file, MUST, str, SINK(file), RELOAD, NEEDED, \
	  "PATH", NULL, "", \
	  "File that samples are written to; one that is there is rotated away first.") \
	X(sink, rotate, LEAVE, size, SINK(rotate_bytes), RELOAD, MAY, \
	  "SIZE|off", "64 KiB - 1024 GiB", "64 MiB", \
	  "Size at which the file is put aside and a new one begun.") \
	X(sink, keep, LEAVE, u32, SINK(keep), RELOAD, MAY, \
	  "NUMBER", "0 - 10000", "8", \
	  "Files kept besides the open one.") \
	X(sink, comments, LEAVE, bool, SINK(comments), RELOAD, MAY, \
	  "yes|no", NULL, "yes", \
	  "Write verdict, rule, port and weight of each frame as its comment.") \
	X(gate, on, LEAVE, rate, CONF(gate.on_pps), RELOAD, MAY, \
	  "RATE pps", "1 pps - 1000G pps", "500k pps", \
	  "Rate to one destination at which an attack begins; read by burst mode, which is not in this version.") \
	X(gate, off, LEAVE, rate, CONF(gate.off_pps), RELOAD, MAY, \
	  "RATE pps", "0 pps - 1000G pps", "100k pps", \
	  "Rate below which it ends; read by burst mode, which is not in this version.") \
	X(gate, total_on, LEAVE, rate, CONF(gate.total_on_pps), RELOAD, MAY, \
	  "RATE pps|off", NULL, "off", \
	  "Rate of a whole port that is an attack; read by burst mode, which is not in this version.") \
	X(gate, prefix_on, LEAVE, rate, CONF(gate.prefix_on_pps), RELOAD, MAY, \
	  "RATE pps|off", NULL, "off", \
	  "Rate to a /24 or /48 that is an attack; read by burst mode, which is not in this version.") \
	X(gate, hold, LEAVE, duration, CONF(gate.hold_ms), RELOAD, MAY, \
	  "DURATION", "0 s - 1 d", "30 s", \
	  "How long the rate must stay below off; read by burst mode, which is not in this version.") \
	X(protect, vital, LEAVE, bool, CONF(vital), RELOAD, MAY, \
	  "yes|no", NULL, "yes", \
	  "Keep rules from dropping plausible ARP, ND, LACP, LLDP, BFD and BGP frames within their rate.") \
	X(protect, peers, MUST, peers, 0, RELOAD, MAY, \
	  "ADDRESS, …", NULL, "", \
	  "BGP and BFD neighbours.") \
	X(protect, gtsm, LEAVE, bool, CONF(gtsm), RELOAD, MAY, \
	  "yes|no", NULL, "no", \
	  "BGP frames are vital only with TTL 255 (RFC 5082).") \
	X(protect, vital_rate, LEAVE, rate32, CONF(vital_pps), RELOAD, MAY, \
	  "RATE pps|off", NULL, "10k pps", \
	  "Protected frames of each class a second and queue; more are ordinary frames.") \
	X(control, socket, LEAVE, str, CONF(control_socket), RESTART, MAY, \
	  "PATH", NULL, "/run/sluice/control.sock", \
	  "The socket that the command sluice talks to.") \
	X(control, http, LEAVE, http, CONF(http), RESTART, MAY, \
	  "ADDRESS:PORT", NULL, "", \
	  "Where metrics are to be had over HTTP; checked only, as this version serves none.") \
	X(control, user, MUST, str, CONF(user), RESTART, MAY, \
	  "NAME", NULL, "", \
	  "User to run as after the start; left out: whoever started the daemon.") \
	X(eal, hugepages, SPEED, huge, 0, RESTART, MAY, \
	  "auto|yes|no", NULL, "auto", \
	  "Whether to use hugepages; auto takes them where enough are free.") \
	X(eal, memory, SPEED, mib, CONF(memory_mib), RESTART, MAY, \
	  "SIZE|off", "64 MiB - 1024 GiB", "off", \
	  "Memory for packets; off is by need.") \
	X(eal, main_lcore, SPEED, main_lcore, 0, RESTART, MAY, \
	  "CPU", "0 - 1023", "", \
	  "CPU of the control thread; left out: any that no worker has.")
/* clang-format on */

#define X(section, key, tier, type, offset, restart, needed, typetext, range, def, help) \
	{#section, #key, INI_##tier, typetext, range, def, help},
static const struct ini_key keys[] = {CONF_KEYS(X)};
#undef X

#define X(section, key, tier, type, offset, restart, needed, typetext, range, def, help) \
	{&conf_##type, offset, restart, needed},
const struct conf_field conf_fields[] = {CONF_KEYS(X)};
#undef X

_Static_assert(DIM(conf_fields) == DIM(keys), "one field behind every key");

const struct ini_key *
ctl_conf_keys(size_t *ret_n)
{
	*ret_n = DIM(keys);
	return keys;
}

const char *
ctl_conf_key_note(size_t i)
{
	static const char *const notes[2][2] = {
		{"", "A change needs a restart."},
		{"Has to be given.", "Has to be given; a change needs a restart."},
	};

	return notes[conf_fields[i].needed][conf_fields[i].restart];
}
