/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RULES_NAMES_H
#define RULES_NAMES_H

/*
 * Numbered names: the n-th new name gets number n. For rules, sets and counter
 * slots, of which there may be 10,000s, so a hash table (private to lib/rules).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct names {
	struct arena arena; /* the names themselves */
	struct {
		const char **v; /* by number */
		size_t n, cap;
	} list;
	uint32_t *table; /* number + 1, 0 is free; open addressing */
	size_t table_size; /* a power of two, or 0 */
};

/* The number of @name; false when it has none. */
bool names_find(const struct names *names, const char *name, uint32_t *ret_number);

/* The number of @name, new if it has none (*@ret_new). Returns 0, -ENOMEM. */
int names_add(struct names *names, const char *name, uint32_t *ret_number, bool *ret_new);
void names_fini(struct names *names);

/* FNV-1a of @n bytes on top of @hash; start with NAMES_HASH_START. */
#define NAMES_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t names_hash(uint64_t hash, const void *bytes, size_t n);

#endif
