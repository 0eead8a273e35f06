// SPDX-License-Identifier: BSD-3-Clause
#include "exception.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"

#define IOV_MAX_SEGS 64 /* 64 KiB in the smallest buffers in use */
#define ETHER_HEAD_MAX 22 /* with two tags */

struct exc_ops {
	uint16_t (*send)(struct exc *e, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes);
	uint16_t (*recv)(struct exc *e, struct rte_mbuf **pkts, uint16_t max);
	bool two_way;
};

/*
 * Move frames that the driver would throw away without telling to the end.
 * Returns how many remain. Survivors are few, and such frames fewer.
 */
static uint16_t
set_aside_long(const struct wire *w, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t keep = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (m->pkt_len > w->max_bytes) {
			rte_pktmbuf_free(m);
			continue;
		}
		pkts[keep++] = m;
	}
	return keep;
}

uint16_t
wire_send(const struct wire *w, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	uint16_t sent;

	n = set_aside_long(w, pkts, n);
	/* Before they are sent: afterwards they are not ours to look at. */
	for (uint16_t i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	sent = n == 0 ? 0 : rte_eth_tx_burst(w->ethdev, w->queue, pkts, n);
	for (uint16_t i = sent; i < n; i++)
		bytes -= pkts[i]->pkt_len;
	if (sent < n)
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	*ret_bytes = bytes;
	return sent;
}

static uint16_t
recv_nothing(struct exc *e, struct rte_mbuf **pkts, uint16_t max)
{
	(void)e;
	(void)pkts;
	(void)max;
	return 0;
}

static uint16_t
none_send(struct exc *e, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes)
{
	(void)e;
	rte_pktmbuf_free_bulk(pkts, n);
	*ret_bytes = 0;
	return 0;
}

static uint16_t
port_send(struct exc *e, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes)
{
	return wire_send(&e->wire, pkts, n, ret_bytes);
}

static uint16_t
companion_recv(struct exc *e, struct rte_mbuf **pkts, uint16_t max)
{
	return rte_eth_rx_burst(e->wire.ethdev, e->wire.queue, pkts, max);
}

/* Write one frame to the TAP; true when the kernel took it. */
static bool
tap_write(int fd, const struct rte_mbuf *m)
{
	struct iovec iov[IOV_MAX_SEGS];
	int n = 0;

	if (m->nb_segs == 1)
		return write(fd, rte_pktmbuf_mtod(m, const void *), m->data_len) ==
			(ssize_t)m->data_len;
	if (m->nb_segs > IOV_MAX_SEGS)
		return false;
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
		iov[n].iov_base = rte_pktmbuf_mtod(s, void *);
		iov[n].iov_len = s->data_len;
		n++;
	}
	return writev(fd, iov, n) == (ssize_t)m->pkt_len;
}

static uint16_t
tap_send(struct exc *e, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	uint16_t taken = 0;

	for (uint16_t i = 0; i < n; i++) {
		const bool ok = tap_write(e->fd, pkts[i]);

		taken += ok;
		bytes += ok ? pkts[i]->pkt_len : 0;
	}
	rte_pktmbuf_free_bulk(pkts, n);
	*ret_bytes = bytes;
	return taken;
}

/* A chain of e->segs empty buffers in e->spare. */
static bool
tap_make_spare(struct exc *e)
{
	struct rte_mbuf *seg[IOV_MAX_SEGS];

	if (e->spare != NULL)
		return true;
	if (rte_pktmbuf_alloc_bulk(e->pool, seg, e->segs) != 0)
		return false;
	for (uint16_t i = 0; i + 1 < e->segs; i++)
		seg[i]->next = seg[i + 1];
	e->spare = seg[0];
	return true;
}

/* Read one frame into the spare chain, which becomes the frame. NULL: there is none. */
static struct rte_mbuf *
tap_read(struct exc *e)
{
	struct iovec iov[IOV_MAX_SEGS];
	struct rte_mbuf *m, *s, *rest;
	uint32_t left;
	ssize_t len;
	int n = 0;

	if (!tap_make_spare(e))
		return NULL;
	for (s = e->spare; s != NULL; s = s->next) {
		iov[n].iov_base = rte_pktmbuf_mtod(s, void *);
		iov[n].iov_len = rte_pktmbuf_tailroom(s);
		n++;
	}
	len = n == 1 ? read(e->fd, iov[0].iov_base, iov[0].iov_len) : readv(e->fd, iov, n);
	if (len <= 0)
		return NULL;

	m = e->spare;
	e->spare = NULL;
	m->pkt_len = (uint32_t)len;
	left = (uint32_t)len;
	for (s = m, n = 0;; s = s->next, n++) {
		s->data_len = (uint16_t)MIN(left, iov[n].iov_len);
		left -= s->data_len;
		if (left == 0 || s->next == NULL)
			break;
	}
	m->pkt_len -= left;
	m->nb_segs = (uint16_t)(n + 1);
	rest = s->next;
	s->next = NULL;
	for (s = rest; s != NULL; s = rest) {
		rest = s->next;
		s->next = NULL;
		rte_pktmbuf_free_seg(s);
	}
	return m;
}

static uint16_t
tap_recv(struct exc *e, struct rte_mbuf **pkts, uint16_t max)
{
	uint16_t n = 0;

	while (n < max) {
		struct rte_mbuf *m = tap_read(e);

		if (m == NULL)
			break;
		pkts[n++] = m;
	}
	return n;
}

static const struct exc_ops none_ops = {none_send, recv_nothing, false};
static const struct exc_ops port_ops = {port_send, recv_nothing, false};
static const struct exc_ops companion_ops = {port_send, companion_recv, true};
static const struct exc_ops tap_ops = {tap_send, tap_recv, true};

void
exc_none_init(struct exc *e)
{
	*e = (struct exc){.ops = &none_ops, .fd = -1};
}

void
exc_port_init(struct exc *e, const struct wire *wire)
{
	*e = (struct exc){.ops = &port_ops, .fd = -1, .wire = *wire};
}

void
exc_companion_init(struct exc *e, const struct wire *wire)
{
	*e = (struct exc){.ops = &companion_ops, .fd = -1, .wire = *wire};
}

void
exc_tap_init(struct exc *e, int fd, uint32_t mtu, struct rte_mempool *pool)
{
	const uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	const uint32_t segs = (mtu + ETHER_HEAD_MAX + room - 1) / room;

	*e = (struct exc){.ops = &tap_ops, .fd = fd, .pool = pool};
	e->segs = (uint16_t)MAX(1, MIN(segs, IOV_MAX_SEGS));
}

void
exc_fini(struct exc *e)
{
	struct rte_mbuf *next;

	for (struct rte_mbuf *s = e->spare; s != NULL; s = next) {
		next = s->next;
		s->next = NULL;
		rte_pktmbuf_free_seg(s);
	}
	e->spare = NULL;
}

uint16_t
exc_send(struct exc *e, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes)
{
	return e->ops->send(e, pkts, n, ret_bytes);
}

uint16_t
exc_recv(struct exc *e, struct rte_mbuf **pkts, uint16_t max)
{
	return e->ops->recv(e, pkts, max);
}

bool
exc_two_way(const struct exc *e)
{
	return e->ops->two_way;
}
