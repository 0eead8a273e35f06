/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_BUNDLE_H
#define MATCH_BUNDLE_H

/*
 * Bundles: tables of one protocol that a frame is looked up in at once, each of their keys in a
 * lane of one vector. In mixed rulesets a burst has some frames for each table, and most have
 * nothing there: eight frames at a time leave most lanes empty, and one table behind another
 * costs what it takes to begin each time. Each table is a lane. Fans (fan.h), which have many
 * keys of one table, are asked on their own.
 *
 * All words lie in two lines of 64 bytes, each at a place of a window. It is for processors that
 * have a vector for this (hash_bundle.h); others have no bundles.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "hash.h"

struct match_index;
struct probe;

#define BUNDLE_LANES 8
#define BUNDLE_LINES 2 /* windows of a bundle */
#define BUNDLE_WORDS 2 /* of a lane; tables that hash more are asked on their own */
#define BUNDLE_LANES_MIN 3 /* fewer cost as much frame by frame as one behind another */

struct bundle_table {
	const struct hash_table *table;
	uint64_t slots; /* the byte of bits of its lane */
	uint8_t number; /* in the index */
	uint8_t test;
};

struct bundle {
	/* By lane. Words that it has not add nothing to the sum that is hashed. */
	uint64_t word[BUNDLE_WORDS][BUNDLE_LANES]; /* which of the lines', one behind the other */
	uint64_t mask[BUNDLE_WORDS][BUNDLE_LANES], seed[BUNDLE_WORDS][BUNDLE_LANES];
	uint64_t buckets[BUNDLE_LANES]; /* as hash_table.bucket_mask */
	uint64_t tags[BUNDLE_LANES]; /* addresses, in units of a bucket's */
	const uint32_t (*places[BUNDLE_LANES])[HASH_SLOTS];
	const struct hash_table *keys[BUNDLE_LANES]; /* what lanes are of */
	struct bundle_line {
		int32_t off, last; /* of its first and last word */
		uint8_t win;
	} lines[BUNDLE_LINES];
	uint32_t n_lines, n_words, n_lanes, n_tables;
	struct bundle_table tables[BUNDLE_LANES]; /* by first rule */
} __attribute__((aligned(BASE_CACHE_LINE)));

/*
 * The bundles of @ix: *@ret_n of them, freed with mem_free(), and *@ret_apart, bit k: table k is
 * in none. Returns 0 or -ENOMEM.
 */
int bundles_new(const struct match_index *ix, struct bundle **ret_bundles, uint32_t *ret_n,
	uint64_t *ret_apart);

/*
 * The kernel: lower @p->best for the frames in @alive, of which @has[] says for each test of the
 * index which it holds for. Windows are found where somebody needs them.
 */
typedef void (*bundle_probe_fn)(
	const struct bundle *b, struct probe *p, const uint64_t *has, uint64_t alive);
void bundle_probe_avx512(
	const struct bundle *b, struct probe *p, const uint64_t *has, uint64_t alive);

#endif
