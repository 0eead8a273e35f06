/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_FLOOD_H
#define MATCH_FLOOD_H

/* Whether most of what was found for a burst is one item. */

#include <stddef.h>

#include "hash.h"

/* So many frames with one item take less together than one by one. */
#define FLOOD_MIN 12

/* What two of three are; or NULL. */
static inline const struct hash_item *
two_of_three(const struct hash_item *a, const struct hash_item *b, const struct hash_item *c)
{
	return a == b || a == c ? a : b == c ? b : NULL;
}

#endif
