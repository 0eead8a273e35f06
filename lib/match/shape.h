/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SHAPE_H
#define MATCH_SHAPE_H

/*
 * Shapes: items whose words have the same masks at the same places, and which are for the same
 * frames. What partition() makes clusters of.
 */

#include <stdbool.h>
#include <stdint.h>

#include "item.h"

struct arena;

/* Frames of one kind: of TCP, UDP or ICMP, to a port that many rules ask for; -1: of any. */
struct frames_of {
	int proto, port;
};

#define SHAPE_PORT_MIN 32 /* items that ask for a port, to be many */

struct shape {
	const struct item *like; /* one of them */
	uint32_t number; /* as they were found */
	uint32_t first, n; /* in order[] */
	uint32_t bits;
	struct frames_of frames;
	bool has_start; /* its items look at what is in front of L4 */
};

struct shapes {
	uint32_t *order; /* item numbers by shape */
	struct shape *v; /* from the most frequent on */
	uint32_t n;
};

/* Find those of @items. Memory of @arena. Returns 0 or -ENOMEM. */
int shapes_find(const struct items *items, struct arena *arena, struct shapes *ret);

static inline uint64_t
shape_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

/* Bits that the @n words @w ask. */
static inline uint32_t
shape_bits(const struct item_word *w, uint32_t n)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < n; i++)
		bits += (uint32_t)__builtin_popcountll(w[i].mask);
	return bits;
}

#endif
