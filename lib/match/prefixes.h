/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PREFIXES_H
#define MATCH_PREFIXES_H

/*
 * A list of prefixes, from a handful to some millions, asked whether it has an
 * address. Immutable once made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct match_prefixes;
struct prefixes;

#define PREFIXES_BURST_MAX 64

/* Compile @list into memory of @arena. Returns 0 or -ENOMEM. */
int prefixes_new(
	const struct match_prefixes *list, struct arena *arena, const struct prefixes **ret_set);

/* True when the address at @addr (4 or 16 bytes by @family) is in @set. */
bool prefixes_has(const struct prefixes *set, uint8_t family, const uint8_t *addr);

/*
 * As prefixes_has() for the addresses @addr[0] to @addr[@n - 1], all of @family,
 * n <= PREFIXES_BURST_MAX: a level of the tree for all of them at a time, so that their cache misses
 * overlap. Returns a mask of those that are in @set, bit i for addr[i].
 */
uint64_t prefixes_have(
	const struct prefixes *set, uint8_t family, const uint8_t *const *addr, uint32_t n);

#endif
