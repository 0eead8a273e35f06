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
#define FAN_PIECES 4 /* of the 8 bytes of a key, two of which it hashes */
#define FAN_PIECE_BITS 16

#define FAN_MIN 3 /* clusters; fewer are looked up as fast one by one */

/* The window that makes @c, if there are FAN_MIN of it, a part of a fan; or WINDOW_OF_KEY. */
uint32_t fan_window(const struct items *items, const struct cluster *c);

/* How many of the @n clusters @c have each window as of fan_window(); none has WINDOW_OF_KEY. */
void fan_count(
	const struct items *items, const struct cluster *c, uint32_t n, uint32_t ret[WINDOWS_MAX]);

/*
 * The pass: of the *@n clusters @c, in the order of their first rule, those that are worth it
 * become fans, in the same order. @keys_free: so many keys cost next to nothing.
 * Memory of @arena. Returns 0 or -ENOMEM.
 */
int fans(const struct items *items, struct cluster *c, uint32_t *n, uint32_t keys_free,
	struct arena *arena);

#endif
