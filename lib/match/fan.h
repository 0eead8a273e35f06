/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_FAN_H
#define MATCH_FAN_H

/*
 * Fans: clusters that look at one window become one, whose table is looked up by
 * several keys of a frame at once. Payloads at several offsets, under many masks, are in
 * as many clusters, of which a frame is likely to be in one or none.
 */

#include <stdint.h>

#include "base/mem.h"
#include "item.h"

#define FAN_KEYS 8 /* of a frame that are hashed at once: a vector has so many words */
#define FAN_KEYS_MAX 16
#define FAN_WORDS 8 /* of 8 bytes, in which all words of all items lie */

/*
 * The pass: of the *@n clusters @c, in the order of their first rule, those that are worth it
 * become fans, in the same order, of no more than @keys_max keys but for one a cluster.
 * Memory of @arena. Returns 0 or -ENOMEM.
 */
int fans(const struct items *items, struct cluster *c, uint32_t *n, uint32_t keys_max,
	struct arena *arena);

#endif
