/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_WALK_H
#define MATCH_HASH_WALK_H

/* Frames on a walk, for hash_steps.h and for processors that have a walk_on() of their own. */

#include <stdint.h>

#include "match/image.h"

#define WALK_ROOM (MATCH_BURST + 8) /* whole vectors are written */

/* One behind the other, and where the filter let some of them stop. */
struct walkers {
	const uint8_t *place[WALK_ROOM], *end[WALK_ROOM], *stop[WALK_ROOM];
	uint64_t frame[WALK_ROOM], stopped[WALK_ROOM];
	uint32_t n, n_stopped;
};

_Static_assert(sizeof(void *) == 8, "lanes are as wide as places");

#endif
