// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

#include <errno.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"

#include "claim.h"
#include "eal.h"
#include "takeover.h"
#include "tun.h"

/*
 * Buffers of one queue: its rings, some bursts on their way, the pool's cache;
 * a savefile that is looped over wants one for each of its frames, too.
 */
#define POOL_MIN 4095
#define POOL_LOOP 8191
#define POOL_SPARE 1024
#define POOL_CACHE 256
#define ROOM_MIN 2048 /* bytes of a frame in one buffer */

/* Put "port NAME: " before what @diag says. */
static int
named(const struct port *p, int err, struct diag *diag)
{
	char msg[sizeof(diag->msg)];

	if (diag == NULL)
		return err;
	snprintf(msg, sizeof(msg), "port %s: %.440s", p->name, diag->msg);
	return diag_fail(diag, err, "%s", msg);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
port_init(struct port *p, const struct dp_port_conf *conf, uint16_t number, struct diag *diag)
{
	int r;

	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", conf->name);
	p->number = number;
	p->queues = conf->queues;
	p->exception = conf->exception;
	p->mtu = conf->mtu;
	p->rx_ring = conf->rx_ring;
	p->tx_ring = conf->tx_ring;
	p->promiscuous = conf->promiscuous;
	p->multicast = conf->multicast;
	p->policer_pps = conf->policer_pps;
	p->policer_burst = conf->policer_burst;
	p->ethdev = PORT_NONE;
	p->companion = PORT_NONE;
	p->carrier = -1;
	memset(p->tap_fds, 0xff, sizeof(p->tap_fds));
	p->iface_claim = p->tap_claim = -1;

	if (conf->queues < 1 || conf->queues > DP_QUEUES_MAX)
		return diag_fail(diag, -EINVAL, "port %s: queues = %u: expected 1 to %d", p->name,
			conf->queues, DP_QUEUES_MAX);
	r = dev_parse(conf->device, conf->queues, conf->rx_ring, &p->spec, diag);
	return r < 0 ? named(p, r, diag) : 0;
}

/* Attach @args as a device of the virtual bus, or find the PCI device. */
static int
probe(const char *name, const char *args, bool pci, uint16_t *ret_ethdev, struct diag *diag)
{
	char error[256];
	int r;

	if (rte_eth_dev_get_port_by_name(name, ret_ethdev) == 0) {
		if (pci)
			return 0;
		return diag_fail(diag, -EBUSY, "device '%s' is used by another port", name);
	}
	if (pci)
		return diag_fail(diag, -ENODEV,
			"no DPDK driver took '%s': bind it (dpdk-devbind.py -b vfio-pci %s)", name,
			name);
	eal_error_clear();
	r = rte_dev_probe(args);
	if (r < 0 || rte_eth_dev_get_port_by_name(name, ret_ethdev) != 0) {
		eal_error_get(error, sizeof(error));
		return diag_fail(diag, r < 0 ? r : -ENODEV, "DPDK does not take device '%s'%s%s",
			args, error[0] != '\0' ? ": " : "", error);
	}
	return 0;
}

int
port_take(struct port *p, bool takeover, struct diag *diag)
{
	struct afp_mark mark;
	int r;

	/* Before the device: from its first frame on, only we handle them. */
	if (takeover && dev_copies(&p->spec)) {
		r = claim_take("takeover", p->spec.iface, &p->iface_claim, diag);
		if (r == 0)
			r = takeover_begin(p->spec.iface, diag);
		if (r < 0)
			return named(p, r, diag);
		p->taken_over = true;
	}
	afp_mark(&mark);
	r = probe(p->spec.name, p->spec.args, p->spec.pci, &p->ethdev, diag);
	if (r < 0)
		return named(p, r, diag);
	if (dev_copies(&p->spec)) {
		r = afp_find(&mark, if_nametoindex(p->spec.iface), &p->afp);
		if (r < 0)
			return diag_fail(
				diag, r, "port %s: cannot find the driver's sockets", p->name);
	}
	memset(&p->base, 0, sizeof(p->base));
	return 0;
}

/*
 * As rte_pktmbuf_pool_create(), but with every buffer right behind the one before
 * where no hardware reads them. net_af_xdp counts on that: it tells the kernel of
 * n times a buffer's size, whereas by default none straddles a page (without
 * hugepages each then has a page of its own), and of the buffers beyond what it
 * told the kernel refuses every frame without a word: seen to lose 1,937 of 2,000.
 */
static struct rte_mempool *
pool_new(const struct port *p, const char *name, uint32_t n, uint16_t room)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = room};
	const unsigned int flags = p->spec.pci ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	struct rte_mempool *pool;

	pool = rte_mempool_create_empty(name, n, sizeof(struct rte_mbuf) + room, POOL_CACHE,
		sizeof(priv), rte_eth_dev_socket_id(p->ethdev), flags);
	if (pool == NULL)
		return NULL;
	rte_pktmbuf_pool_init(pool, &priv);
	if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) < 0 ||
		rte_mempool_populate_default(pool) < 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	(void)rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

static int
make_pools(struct port *p, struct diag *diag)
{
	const uint32_t room = MAX(ROOM_MIN, p->spec.frame_bytes) + RTE_PKTMBUF_HEADROOM;
	const uint32_t want = p->rx_ring + p->tx_ring + POOL_SPARE;
	const uint32_t n = MAX(want, p->spec.loops ? POOL_LOOP : POOL_MIN);

	for (uint16_t q = 0; q < p->queues; q++) {
		char name[RTE_MEMPOOL_NAMESIZE];

		snprintf(name, sizeof(name), "sluice-%u-%u", p->ethdev, q);
		p->pools[q] = pool_new(p, name, n, (uint16_t)MIN(room, UINT16_MAX));
		if (p->pools[q] == NULL)
			return diag_fail(diag, -ENOMEM,
				"port %s: no memory for %u buffers: raise [eal] memory", p->name,
				n);
	}
	return 0;
}

/* What the device shall do, as far as it can. */
static void
choose_modes(struct port *p, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	const uint64_t hash = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

	memset(conf, 0, sizeof(*conf));
	if (p->queues > 1 && (info->flow_type_rss_offloads & hash) != 0) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & hash;
	}
	conf->rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
}

static int
setup_queues(struct port *p, uint16_t n_tx, const struct rte_eth_dev_info *info,
	const struct rte_eth_conf *conf, struct diag *diag)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t rx_ring = (uint16_t)MIN(p->rx_ring, UINT16_MAX);
	uint16_t tx_ring = (uint16_t)MIN(p->tx_ring, UINT16_MAX);
	const int socket = rte_eth_dev_socket_id(p->ethdev);
	int r;

	r = rte_eth_dev_adjust_nb_rx_tx_desc(p->ethdev, &rx_ring, &tx_ring);
	if (r < 0)
		return diag_fail(diag, r, "port %s: bad ring sizes", p->name);
	rx.offloads = conf->rxmode.offloads;
	tx.offloads = conf->txmode.offloads;
	for (uint16_t q = 0; q < p->queues; q++) {
		r = rte_eth_rx_queue_setup(
			p->ethdev, q, rx_ring, (unsigned int)socket, &rx, p->pools[q]);
		if (r < 0)
			return diag_fail(
				diag, r, "port %s: receive queue %u: %s", p->name, q, strerror(-r));
	}
	for (uint16_t q = 0; q < n_tx; q++) {
		r = rte_eth_tx_queue_setup(p->ethdev, q, tx_ring, (unsigned int)socket, &tx);
		if (r < 0)
			return diag_fail(diag, r, "port %s: transmit queue %u: %s", p->name, q,
				strerror(-r));
	}
	if (p->spec.ring_frames == 0 && p->spec.kind == DEV_OTHER)
		p->spec.ring_frames = rx_ring;
	return 0;
}

/* The driver's own idea of the MTU stays where it takes any frame anyway. */
static int
set_mtu(struct port *p, struct diag *diag)
{
	uint16_t now = 0;
	int r;

	if (p->mtu == 0 || (rte_eth_dev_get_mtu(p->ethdev, &now) == 0 && now == p->mtu))
		return 0;
	r = rte_eth_dev_set_mtu(p->ethdev, (uint16_t)MIN(p->mtu, UINT16_MAX));
	if (r == 0 || r == -ENOTSUP)
		return 0;
	return diag_fail(diag, r, "port %s: the device does not take mtu = %u%s", p->name, p->mtu,
		p->spec.kind == DEV_AF_PACKET ? "; larger frames need framesz= in device" : "");
}

/* Statistics are kept from here; a driver may have counted before. */
static void
losses_read(struct port *p, struct port_losses *ret)
{
	struct rte_eth_stats st;

	memset(ret, 0, sizeof(*ret));
	memset(&st, 0, sizeof(st));
	if (p->ethdev == PORT_NONE || rte_eth_stats_get(p->ethdev, &st) != 0)
		return;
	switch (p->spec.kind) {
	case DEV_AF_PACKET:
		/* Without a buffer it leaves the frame in the ring: nothing is lost yet. */
		ret->missed = afp_drops(&p->afp);
		ret->unsent = st.oerrors;
		return;
	case DEV_PCAP_FILE:
	case DEV_PCAP_IFACE:
		/* ierrors: a long frame, and no buffer for its rest. */
		ret->missed = st.imissed;
		ret->nombuf = st.rx_nombuf + st.ierrors;
		ret->unsent = p->spec.kind == DEV_PCAP_IFACE ? st.oerrors : 0;
		return;
	case DEV_OTHER:
		ret->missed = st.imissed;
		ret->nombuf = st.rx_nombuf;
		return;
	}
}

/* Configure the device with p->intr as it is; may be done again. */
static int
configure(struct port *p, struct diag *diag)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	uint16_t n_tx;
	int r;

	r = rte_eth_dev_info_get(p->ethdev, &info);
	if (r < 0)
		return diag_fail(diag, r, "port %s: the driver does not describe it", p->name);
	if (p->queues > info.max_rx_queues || p->n_tx > info.max_tx_queues)
		return diag_fail(diag, -EINVAL,
			"port %s: the device has %u receive and %u transmit queues; %u and %u are "
			"needed",
			p->name, info.max_rx_queues, info.max_tx_queues, p->queues, p->n_tx);
	/* Drivers expect one, whether it is used or not. */
	n_tx = MAX(p->n_tx, MIN(1, info.max_tx_queues));
	choose_modes(p, &info, &conf);
	conf.intr_conf.rxq = p->intr;
	r = rte_eth_dev_configure(p->ethdev, p->queues, n_tx, &conf);
	if (r < 0)
		return diag_fail(diag, r, "port %s: the driver refuses %u queues: %s", p->name,
			p->queues, strerror(-r));
	r = set_mtu(p, diag);
	if (r == 0)
		r = setup_queues(p, n_tx, &info, &conf, diag);
	return r;
}

int
port_configure(struct port *p, struct diag *diag)
{
	int r;

	r = make_pools(p, diag);
	if (r < 0)
		return r;
	/* Ask for receive interrupts; a driver may refuse now or when it starts. */
	p->intr = p->spec.kind == DEV_OTHER;
	r = configure(p, diag);
	if (r < 0 && p->intr) {
		p->intr = false;
		r = configure(p, diag);
	}
	if (r == 0)
		losses_read(p, &p->base);
	return r;
}

/* virtio-user with the kernel's vhost-net: a device of its own behind the port. */
static int
open_companion(
	struct port *p, const struct dp_port_conf *conf, const uint8_t *mac, struct diag *diag)
{
	struct rte_eth_conf modes;
	char name[32], args[256];
	int r;

	if (access("/dev/vhost-net", R_OK | W_OK) < 0)
		return diag_fail(diag, -ENOTSUP,
			"port %s: exception = virtio-user needs /dev/vhost-net (modprobe vhost-net): "
			"%s; exception = tap works without",
			p->name, strerror(errno));
	snprintf(name, sizeof(name), "net_virtio_user%u", p->number);
	snprintf(args, sizeof(args),
		"%s,path=/dev/vhost-net,iface=%s,queues=%u,queue_size=1024,"
		"mac=%02x:%02x:%02x:%02x:%02x:%02x",
		name, conf->exception_name, p->queues, mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
	r = probe(name, args, false, &p->companion, diag);
	if (r < 0)
		return named(p, r, diag);
	memset(&modes, 0, sizeof(modes));
	r = rte_eth_dev_configure(p->companion, p->queues, p->queues, &modes);
	for (uint16_t q = 0; q < p->queues && r == 0; q++) {
		r = rte_eth_rx_queue_setup(p->companion, q, 1024, 0, NULL, p->pools[q]);
		if (r == 0)
			r = rte_eth_tx_queue_setup(p->companion, q, 1024, 0, NULL);
	}
	if (r < 0)
		return diag_fail(diag, r, "port %s: virtio-user: %s", p->name, strerror(-r));
	return 0;
}

int
port_open_exception(struct port *p, const struct dp_port_conf *conf, struct diag *diag)
{
	struct rte_ether_addr mac;
	struct tun_conf tun;
	int r;

	if (p->exception == DP_EXC_NONE || p->exception == DP_EXC_PORT)
		return 0;
	r = rte_eth_macaddr_get(p->ethdev, &mac);
	if (r < 0)
		return diag_fail(diag, r, "port %s: the device has no MAC address", p->name);
	if (p->exception == DP_EXC_VIRTIO_USER)
		return open_companion(p, conf, mac.addr_bytes, diag);

	tun = (struct tun_conf){
		.name = conf->exception_name,
		.netns = conf->exception_netns,
		.queues = p->queues,
		.uid = conf->exception_uid,
		.mac = mac.addr_bytes,
		.mtu = p->mtu,
	};
	r = tun_open(&tun, p->tap_fds, &p->tap_claim, diag);
	return r < 0 ? named(p, r, diag) : 0;
}

int
port_start(struct port *p, struct diag *diag)
{
	char error[256];
	int r;

	eal_error_clear();
	r = rte_eth_dev_start(p->ethdev);
	if (r < 0 && p->intr) {
		p->intr = false;
		r = configure(p, diag);
		if (r < 0)
			return r;
		r = rte_eth_dev_start(p->ethdev);
	}
	if (r < 0) {
		eal_error_get(error, sizeof(error));
		return diag_fail(diag, r, "port %s: the device does not start: %s%s%s", p->name,
			strerror(-r), error[0] != '\0' ? ": " : "", error);
	}
	p->started = true;
	if (p->companion != PORT_NONE) {
		r = rte_eth_dev_start(p->companion);
		if (r < 0)
			return diag_fail(diag, r, "port %s: virtio-user does not start: %s",
				p->name, strerror(-r));
	}
	/* A driver without these switches receives everything anyway. */
	if (p->promiscuous)
		(void)rte_eth_promiscuous_enable(p->ethdev);
	if (p->multicast)
		(void)rte_eth_allmulticast_enable(p->ethdev);
	return 0;
}

void
port_close_gate(struct port *p)
{
	afp_close_gate(&p->afp);
}

void
port_stop(struct port *p)
{
	if (!p->started)
		return;
	port_losses_get(p, &p->last);
	p->started = false;
	if (p->taken_over)
		takeover_end(p->spec.iface);
	p->taken_over = false;
	if (p->promiscuous)
		(void)rte_eth_promiscuous_disable(p->ethdev);
	p->afp.n = 0; /* the driver closes its sockets now */
	(void)rte_eth_dev_stop(p->ethdev);
	if (p->companion != PORT_NONE)
		(void)rte_eth_dev_stop(p->companion);
	port_follow_link(p);
}

static void
remove_ethdev(uint16_t *ethdev)
{
	struct rte_eth_dev_info info;

	if (*ethdev == PORT_NONE)
		return;
	if (rte_eth_dev_info_get(*ethdev, &info) == 0) {
		(void)rte_eth_dev_close(*ethdev);
		if (info.device != NULL)
			(void)rte_dev_remove(info.device);
	}
	*ethdev = PORT_NONE;
}

void
port_close(struct port *p)
{
	port_stop(p);
	if (p->taken_over)
		takeover_end(p->spec.iface);
	p->taken_over = false;
	remove_ethdev(&p->companion);
	remove_ethdev(&p->ethdev);
	for (uint16_t q = 0; q < DP_QUEUES_MAX; q++) {
		close_fd(&p->tap_fds[q]);
		rte_mempool_free(p->pools[q]);
		p->pools[q] = NULL;
	}
	close_fd(&p->tap_claim);
	close_fd(&p->iface_claim);
}

void
port_losses_get(struct port *p, struct port_losses *ret)
{
	if (!p->started) {
		*ret = p->last;
		return;
	}
	losses_read(p, ret);
	ret->missed -= p->base.missed;
	ret->nombuf -= p->base.nombuf;
	ret->unsent -= p->base.unsent;
}

/* Carrier of a kernel interface: drivers that copy from it say "up" whatever it does. */
static bool
iface_running(const char *iface)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;
	bool up = false;

	if (fd < 0)
		return false;
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, iface, strnlen(iface, IFNAMSIZ - 1));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
		up = (ifr.ifr_flags & IFF_UP) != 0 && (ifr.ifr_flags & IFF_RUNNING) != 0;
	close(fd);
	return up;
}

bool
port_link(const struct port *p, uint32_t *ret_mbps)
{
	struct rte_eth_link link;

	*ret_mbps = 0;
	if (p->ethdev == PORT_NONE || !p->started)
		return false;
	memset(&link, 0, sizeof(link));
	if (rte_eth_link_get_nowait(p->ethdev, &link) < 0)
		return false;
	if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		*ret_mbps = link.link_speed;
	if (dev_copies(&p->spec))
		return iface_running(p->spec.iface);
	return link.link_status == RTE_ETH_LINK_UP;
}

void
port_follow_link(struct port *p)
{
	uint32_t mbps;
	const int up = port_link(p, &mbps);

	if (p->tap_fds[0] < 0 || p->carrier == up)
		return;
	if (tun_carrier_set(p->tap_fds[0], up != 0) == 0)
		p->carrier = up;
}

uint32_t
port_tx_max(const struct port *p)
{
	return p->spec.frame_bytes != 0 ? p->spec.frame_bytes : UINT32_MAX;
}
