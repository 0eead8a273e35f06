/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PROBE_H
#define MATCH_PROBE_H

/*
 * A burst on its way through the tables of an image: of each frame what tables
 * are asked for, and the first rule found so far. On one worker's stack, filled
 * as far as it is used.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "image_impl.h"
#include "item.h"
#include "match/image.h"
#include "pkt/view.h"
#include "search.h"

/* A window that a frame has not: no offset gets from here into a frame. */
#define PROBE_NOWHERE 0x80000000u

/* What a program of a space gets. */
struct probe_data {
	const uint8_t *bytes;
	uint32_t caplen;
};

/* Whether 8 bytes can be read at @at, which may be PROBE_NOWHERE or wrapped. */
static inline bool
probe_has_word(const struct probe_data *d, uint32_t at)
{
	return (uint64_t)at + 8 <= d->caplen;
}

struct probe {
	const struct match_image *im;
	const struct pkt_view *views; /* the caller's */
	uint32_t n; /* frames */
	uint32_t port;
	/*
	 * Items for which words do not say all: (flags ^ flip) & ask_flags. Where
	 * ITEM_GENERATED is in ask_flags only generated rules are looked for, with it
	 * in flip, or only the others.
	 */
	uint8_t ask_flags, flip;
	bool only_late; /* of rules one by one: as later fragments, without a program */

	const struct pkt_view *view[MATCH_BURST];
	/* Up to the next multiple of SEARCH_KEYS behind @n, keys are set and mean nothing. */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t best[MATCH_BURST] __attribute__((aligned(64))); /* or MATCH_NONE */
	uint32_t from[MATCH_BURST]
		__attribute__((aligned(64))); /* rules before it are not looked for */
	uint8_t want[MATCH_BURST]; /* bits that a rule's state must have */
	struct probe_data data[SPACES][MATCH_BURST];
	uint32_t pos[WINDOWS_MAX][MATCH_BURST]; /* of those in found[]; or PROBE_NOWHERE */
	uint64_t found[WINDOWS_MAX]; /* by window: frames */
};

/* What "ld #len" reads in space @space. */
static inline uint32_t
probe_len(const struct probe *p, uint32_t i, uint32_t space)
{
	return space == SPACE_RAW ? p->view[i]->l3_len : p->view[i]->wirelen;
}

/* 8 bytes of which some may not be there; those are 0. A call, to keep loops free of it. */
uint64_t probe_load_edge(const struct probe_data *d, int32_t at);

/* The 8 bytes of frame @i at window @win of space @space, + @off. */
static inline uint64_t
probe_load(const struct probe *p, uint32_t i, uint32_t win, uint32_t space, int32_t off)
{
	const struct probe_data *d = &p->data[space][i];
	const uint32_t at = p->pos[win][i] + (uint32_t)off;
	uint64_t v;

	if (probe_has_word(d, at)) {
		memcpy(&v, d->bytes + at, sizeof(v));
		return v;
	}
	return probe_load_edge(d, (int32_t)at);
}

static inline uint64_t
probe_key_word(const struct probe *p, uint32_t i)
{
	return p->key[i] | (uint64_t)p->view[i]->sport << 32;
}

#endif
