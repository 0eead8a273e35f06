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

struct probe {
	const struct match_image *im;
	const struct search *s; /* the frames, and their keys */
	uint32_t n; /* frames */
	uint32_t port;
	/* Items with (flags & refuse_mask) == refuse_val are not for these frames. */
	uint8_t refuse_mask, refuse_val;

	const struct pkt_view *view[MATCH_BURST];
	uint32_t best[MATCH_BURST] __attribute__((aligned(64))); /* or MATCH_NONE */
	uint32_t from[MATCH_BURST]; /* rules before it are not looked for */
	uint8_t want[MATCH_BURST]; /* bits that a rule's state must have */

	/* What a program of a space gets. room: bytes from which 8 can be read, caplen - 7 or 0. */
	const uint8_t *data[SPACES][MATCH_BURST];
	uint32_t caplen[SPACES][MATCH_BURST], room[SPACES][MATCH_BURST];
	uint32_t len[SPACES][MATCH_BURST];
	uint32_t pos[WINDOWS_MAX][MATCH_BURST]; /* of those in found[]; or PROBE_NOWHERE */
	uint64_t found[WINDOWS_MAX]; /* by window: frames */
};

/* 8 bytes of which some may not be there; those are 0. */
static inline uint64_t
probe_load_edge(const uint8_t *data, uint32_t caplen, int32_t at)
{
	uint64_t v = 0;

	for (int b = 0; b < 8; b++) {
		const int64_t p = (int64_t)at + b;

		if (p >= 0 && p < caplen)
			v |= (uint64_t)data[p] << 8 * b;
	}
	return v;
}

/* The 8 bytes of frame @i at window @win of space @space, + @off. */
static inline uint64_t
probe_load(const struct probe *p, uint32_t i, uint32_t win, uint32_t space, int32_t off)
{
	const uint32_t at = p->pos[win][i] + (uint32_t)off;
	uint64_t v;

	if (at < p->room[space][i]) {
		memcpy(&v, p->data[space][i] + at, sizeof(v));
		return v;
	}
	return probe_load_edge(p->data[space][i], p->caplen[space][i], (int32_t)at);
}

static inline uint64_t
probe_key_word(const struct probe *p, uint32_t i)
{
	return p->s->key[i] | (uint64_t)p->view[i]->sport << 32;
}

#endif
