// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel in plain C. */
#include "hash.h"

#define HASH_PROBE hash_probe_c
#define HASH_STEPS hash_steps_c

/* Bit s: slot s has @tag. */
static inline uint32_t
hash_tags(const struct hash_bucket *b, uint16_t tag)
{
	uint32_t found = 0;

	for (uint32_t s = 0; s < HASH_SLOTS; s++)
		found |= (uint32_t)(b->tags[s] == tag) << s;
	return found;
}

#include "hash_probe.h"
