/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_VEC_H
#define MATCH_LIST_VEC_H

/* The vectors of the list kernel, of LIST_WIDTH bytes, of which each file defines its own. */

#include "list.h"

typedef uint32_t list_vec __attribute__((vector_size(LIST_WIDTH), may_alias));

#define LIST_LANES (LIST_WIDTH / 4) /* frames in a vector */
#define LIST_GROUP (LIST_VECS * LIST_LANES) /* frames that go at once */

/* Machine code asks LIST_PACKETS frames at once; its results of RUN_LANES lanes are a vector. */
#define RUN_TIMES (MATCH_BURST / LIST_PACKETS)
#define RUN_LANES (LIST_WIDTH / (uint32_t)sizeof(uint16_t))

/* Of frames that go at once, by lane: for whom the test holds. */
struct list_holds {
	uint16_t v[RUN_TIMES][LIST_BLOCK + RUN_LANES] __attribute__((aligned(64)));
};

/* Of all frames of @times times: for whom the test of @lane holds. */
static inline uint64_t
list_holds_for(const struct list_holds *h, uint32_t lane, uint32_t times)
{
	uint64_t frames = 0;

	for (uint32_t k = 0; k < times; k++)
		frames |= (uint64_t)h->v[k][lane] << LIST_PACKETS * k;
	return frames;
}

/* Lanes that decide alone. */
struct list_sure {
	const struct list_holds *holds;
	const uint32_t *rules; /* of lanes from the first on */
	uint32_t times;
	uint32_t first, some; /* bit i: lane number first + i in @holds */
	uint64_t frames; /* for whom they do */
};

#endif
