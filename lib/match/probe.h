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

/* The offset of a window that a frame has not: nothing gets from here into a frame. */
#define PROBE_NOWHERE 0x80000000u

/*
 * Where a window is: its first byte, how many there are from it to the end of what
 * was captured (less than 0: it starts behind), and its offset. No frame has 2 GiB.
 */
struct probe_at {
	const uint8_t *bytes;
	int32_t left; /* INT32_MIN: nowhere */
	uint32_t pos; /* PROBE_NOWHERE: nowhere */
};

_Static_assert(sizeof(struct probe_at) == 16, "indexed by a shift");

/* What a frame must have that 8 bytes can be read at @off of a window. */
struct probe_bound {
	int32_t left;
	uint32_t pos;
};

static inline struct probe_bound
probe_bound(int32_t off)
{
	return (struct probe_bound){off + 8, off < 0 ? (uint32_t)-off : 0};
}

static inline bool
probe_within(const struct probe_at *at, struct probe_bound bound)
{
	return at->left >= bound.left && at->pos >= bound.pos;
}

struct probe {
	const struct match_image *im;
	const struct pkt_view *views; /* the caller's */
	uint32_t n; /* frames */
	uint32_t port;
	uint8_t steps[MATCH_BURST]; /* to the places of the WINDOW_STEPS that is asked about */
	/*
	 * Items for which words do not say all: (flags ^ flip) & ask_flags. Where
	 * ITEM_GENERATED is in ask_flags only generated rules are looked for, with it
	 * in flip, or only the others.
	 */
	uint8_t ask_flags, flip;
	bool again; /* some from[] is not 0, or some want[] not MATCH_STATE_ENABLED */
	bool only_late; /* of rules one by one: as later fragments, without a program */

	const struct pkt_view *view[MATCH_BURST];
	/* Up to the next multiple of SEARCH_KEYS behind @n, keys are set and mean nothing. */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t best[MATCH_BURST] __attribute__((aligned(64))); /* or MATCH_NONE */
	uint32_t from[MATCH_BURST]
		__attribute__((aligned(64))); /* rules before it are not looked for */
	uint8_t want[MATCH_BURST]; /* bits that a rule's state must have */
	struct probe_at at[WINDOWS_MAX][MATCH_BURST]; /* of those in found[] */
	uint64_t found[WINDOWS_MAX]; /* by window: frames */
};

/* What "ld #len" reads in space @space. */
static inline uint32_t
probe_len(const struct probe *p, uint32_t i, uint32_t space)
{
	return space == SPACE_RAW ? p->view[i]->l3_len : p->view[i]->wirelen;
}

/* 8 bytes of which some may not be there; those are 0. A call, to keep loops free of it. */
uint64_t probe_load_edge(const struct probe_at *at, int32_t off);

/* The 8 bytes at window @at, + @off. */
static inline uint64_t
probe_load(const struct probe_at *at, int32_t off)
{
	uint64_t v;

	if (!probe_within(at, probe_bound(off)))
		return probe_load_edge(at, off);
	memcpy(&v, at->bytes + off, sizeof(v));
	return v;
}

/* Whether @e, which goes by its scope and program, is one of those that are looked for. */
static inline bool
probe_wants(const struct probe *p, const struct match_entry *e)
{
	const bool generated =
		e->generated && (e->run == MATCH_RUN_RAW || e->run == MATCH_RUN_RAW_ONE);

	return (p->ask_flags & ITEM_GENERATED) == 0 || generated == (p->flip != 0);
}

static inline uint64_t
probe_key_word(const struct probe *p, uint32_t i)
{
	return p->key[i] | (uint64_t)p->view[i]->sport << 32;
}

#endif
