// SPDX-License-Identifier: BSD-3-Clause
/*
 * A worker hands over some thousand samples a second, in bursts when an attack
 * fills every burst; the collector looks every few milliseconds. Each side keeps
 * its own copy of the other's index and reads the shared one only when the copy
 * says full or empty, so that in the steady state neither pulls the other's
 * cache line.
 */
#include "sample/ring.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/util.h"

/* What the producer writes. Indices count up for ever; a slot is index & mask. */
struct producer {
	_Atomic size_t head; /* next to fill; the consumer reads it */
	size_t tail_seen; /* the consumer's tail when last looked at */
	_Atomic uint64_t lost; /* read by anybody */
};

/* What the consumer writes. */
struct consumer {
	_Atomic size_t tail; /* next to read; the producer reads it */
	size_t head_seen; /* the producer's head when last looked at */
};

struct sample_ring {
	/* Constant. */
	size_t mask;
	size_t slot_bytes;
	uint32_t snaplen; /* bytes */
	uint8_t *slots;

	alignas(BASE_CACHE_LINE) struct producer p;
	alignas(BASE_CACHE_LINE) struct consumer c;
};

int
sample_ring_new(size_t n_slots, uint32_t snaplen, struct sample_ring **ret_ring)
{
	struct sample_ring *ring;
	size_t slot_bytes;

	if (n_slots == 0 || (n_slots & (n_slots - 1)) != 0 || snaplen < 64 || snaplen > 65535)
		return -EINVAL;
	slot_bytes = sizeof(struct sample_rec) + snaplen;
	slot_bytes = (slot_bytes + BASE_CACHE_LINE - 1) & ~(size_t)(BASE_CACHE_LINE - 1);
	if (n_slots > SIZE_MAX / slot_bytes)
		return -EINVAL;

	ring = mem_zalloc_aligned(BASE_CACHE_LINE, sizeof(*ring));
	if (ring == NULL)
		return -ENOMEM;
	ring->slots = mem_zalloc_aligned(BASE_CACHE_LINE, n_slots * slot_bytes);
	if (ring->slots == NULL) {
		mem_free(ring);
		return -ENOMEM;
	}
	ring->mask = n_slots - 1;
	ring->slot_bytes = slot_bytes;
	ring->snaplen = snaplen;
	*ret_ring = ring;
	return 0;
}

void
sample_ring_free(struct sample_ring *ring)
{
	if (ring == NULL)
		return;
	mem_free(ring->slots);
	mem_free(ring);
}

uint32_t
sample_ring_snaplen(const struct sample_ring *ring)
{
	return ring->snaplen;
}

static struct sample_rec *
slot(const struct sample_ring *ring, size_t index)
{
	return (struct sample_rec *)(void *)(ring->slots + (index & ring->mask) * ring->slot_bytes);
}

struct sample_rec *
sample_ring_reserve(struct sample_ring *ring)
{
	struct producer *p = &ring->p;
	size_t head = atomic_load_explicit(&p->head, memory_order_relaxed);

	if (head - p->tail_seen > ring->mask) {
		/* Pairs with the release in sample_ring_release(): the slot was read. */
		p->tail_seen = atomic_load_explicit(&ring->c.tail, memory_order_acquire);
		if (head - p->tail_seen > ring->mask) {
			uint64_t lost = atomic_load_explicit(&p->lost, memory_order_relaxed);

			atomic_store_explicit(&p->lost, lost + 1, memory_order_relaxed);
			return NULL;
		}
	}
	return slot(ring, head);
}

void
sample_ring_commit(struct sample_ring *ring)
{
	size_t head = atomic_load_explicit(&ring->p.head, memory_order_relaxed);

	/* Pairs with the acquire in sample_ring_peek(): the record is complete. */
	atomic_store_explicit(&ring->p.head, head + 1, memory_order_release);
}

const struct sample_rec *
sample_ring_peek(struct sample_ring *ring)
{
	struct consumer *c = &ring->c;
	size_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

	if (tail == c->head_seen) {
		/* Pairs with the release in sample_ring_commit(). */
		c->head_seen = atomic_load_explicit(&ring->p.head, memory_order_acquire);
		if (tail == c->head_seen)
			return NULL;
	}
	return slot(ring, tail);
}

void
sample_ring_release(struct sample_ring *ring)
{
	size_t tail = atomic_load_explicit(&ring->c.tail, memory_order_relaxed);

	/* Pairs with the acquire in sample_ring_reserve(). */
	atomic_store_explicit(&ring->c.tail, tail + 1, memory_order_release);
}

uint64_t
sample_ring_lost(const struct sample_ring *ring)
{
	return atomic_load_explicit(&ring->p.lost, memory_order_relaxed);
}
