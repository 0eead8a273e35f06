/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAMPLE_RING_H
#define SAMPLE_RING_H

/*
 * Samples on their way from a worker to the collector: one ring of fixed-size
 * slots per worker, one producer, one consumer, plain memory. When it is full
 * the sample is lost and counted, never the packet.
 *
 * The producer makes a record in place (reserve, fill, commit), the consumer
 * reads it in place (peek, release). Both sides never block.
 */

#include <stddef.h>
#include <stdint.h>

struct sample_ring;

/* One sample: a frame's first bytes and what became of it. */
struct sample_rec {
	uint64_t time_ns; /* since 1970 */
	uint32_t wirelen; /* bytes */
	uint32_t caplen; /* bytes at data, at most the ring's snaplen */
	uint32_t slot; /* deciding rule's slot, or UINT32_MAX */
	uint32_t shadow_slot; /* first shadow rule that matched, or UINT32_MAX */
	uint32_t weight; /* how many frames it stands for: N of 1-in-N */
	uint16_t port; /* port number */
	uint16_t queue;
	uint8_t verdict; /* enum match_verdict_kind */
	uint8_t pad[3];
	uint8_t data[];
};

/* @n_slots: a power of two; @snaplen: 64..65535 bytes. Returns 0, -EINVAL, -ENOMEM. */
int sample_ring_new(size_t n_slots, uint32_t snaplen, struct sample_ring **ret_ring);
void sample_ring_free(struct sample_ring *ring);
uint32_t sample_ring_snaplen(const struct sample_ring *ring);

/* Producer: the next free record, or NULL when the ring is full (then it is counted as lost). */
struct sample_rec *sample_ring_reserve(struct sample_ring *ring);
/* Producer: make the reserved record visible. Pairs with the acquire in sample_ring_peek(). */
void sample_ring_commit(struct sample_ring *ring);

/* Consumer: the oldest record, or NULL. Valid until sample_ring_release(). */
const struct sample_rec *sample_ring_peek(struct sample_ring *ring);
void sample_ring_release(struct sample_ring *ring);

/* Samples lost because the ring was full. Written by the producer, read by anybody. */
uint64_t sample_ring_lost(const struct sample_ring *ring);

#endif
