/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PREFIXES_H
#define MATCH_PREFIXES_H

/*
 * A list of prefixes as sorted, disjoint ranges of addresses. From a handful to
 * some millions: a look-up is a binary search, for large IPv4 lists within the
 * ranges that share the address's first 16 bits. Immutable once made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct match_prefixes;

struct prefixes_range4 {
	uint32_t lo, hi; /* host order, inclusive */
};

/* An IPv6 address as a number. */
struct prefixes_addr6 {
	uint64_t hi, lo;
};

struct prefixes_range6 {
	struct prefixes_addr6 lo, hi; /* inclusive */
};

struct prefixes {
	const struct prefixes_range4 *v4;
	const struct prefixes_range6 *v6;
	uint32_t n4, n6;
	/* Number of the first range whose lo has these first 16 bits or more, 65537 of them, or NULL. */
	const uint32_t *index4;
};

/* Compile @list into memory of @arena. Returns 0 or -ENOMEM. */
int prefixes_new(
	const struct match_prefixes *list, struct arena *arena, const struct prefixes **ret_set);

/* True when the address at @addr (4 or 16 bytes by @family) is in @set. */
bool prefixes_has(const struct prefixes *set, uint8_t family, const uint8_t *addr);

#endif
