/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_EXCEPTION_H
#define DP_EXCEPTION_H

/*
 * One queue's exception path: where survivors go, and where what is to go out by
 * the port's wire comes from. Used by one worker only.
 *
 * Frames are never changed on the way, whatever kind takes them.
 */

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* One transmit queue of a device, used by one worker only. */
struct wire {
	uint16_t ethdev, queue;
	uint32_t max_bytes; /* frames above it the driver would lose without a word */
};

struct exc_ops;

struct exc {
	const struct exc_ops *ops;
	int fd; /* TAP: its queue, borrowed; else -1 */
	struct wire wire; /* another port, or a companion device */
	uint16_t segs; /* TAP: buffers that the largest frame takes */
	struct rte_mempool *pool; /* TAP: for what is read */
	struct rte_mbuf *spare; /* TAP: the chain to read into next, or NULL */
};

/* All survivors are lost. */
void exc_none_init(struct exc *e);
/* @mtu: of the TAP; larger frames are not read */
void exc_tap_init(struct exc *e, int fd, uint32_t mtu, struct rte_mempool *pool);
/* Another port's wire; nothing comes back. */
void exc_port_init(struct exc *e, const struct wire *wire);
/* A device that speaks to the kernel, both ways; receive queue wire->queue. */
void exc_companion_init(struct exc *e, const struct wire *wire);
void exc_fini(struct exc *e);

/*
 * Hand over @n frames (all of them are gone afterwards, taken or not).
 *
 * @ret_bytes:	bytes of those taken
 *
 * Returns how many were taken.
 */
uint16_t exc_send(struct exc *e, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes);

/* Take up to @max frames that are to go out by the port's wire. Never blocks. */
uint16_t exc_recv(struct exc *e, struct rte_mbuf **pkts, uint16_t max);

/* True when something can come back at all. */
bool exc_two_way(const struct exc *e);

/* As exc_send(), to a wire. */
uint16_t wire_send(const struct wire *w, struct rte_mbuf **pkts, uint16_t n, uint64_t *ret_bytes);

#endif
