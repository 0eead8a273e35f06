/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SIEVE_H
#define MATCH_SIEVE_H

/*
 * A sieve: what keeps most frames from tables in which they have nothing. In mixed rulesets a
 * burst's frames are asked by ten tables, each of which takes as long for eight frames of it as
 * for one, and hardly ever has something. Of what a table hashes 4 bytes tell nearly as well that
 * it has nothing: they are none of its few values, or miss one of two bits in its filter. What is
 * asked for all tables before the first, 16 frames at once, takes a fifth of what looking them up
 * takes, and most are left out for the burst.
 *
 * Fans are not asked about: they begin with a filter themselves.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "item.h"

struct cluster;
struct items;
struct match_index;
struct probe;

#define SIEVE_NEAR 32 /* words that two vectors hold */
#define SIEVE_NEAR_SHIFT 27

/* What 4 bytes of a word say of one table. */
struct sieve_key {
	/*
	 * By hash, 1 << (32 - shift) words: bits of a filter of items, or, if @exact, values of items,
	 * of which no two have one hash; where there is none, one that has another hash.
	 */
	const uint32_t *slots;
	uint64_t from; /* the first one's bit in the word */
	uint32_t mask, mul; /* of the 4 bytes, first one lowest; mul is odd and secret */
	uint32_t shift; /* of a hash to the number of its word */
	int32_t left; /* bytes that items ask for, at least, from the window on */
	uint8_t table; /* its number in the index */
	bool exact;
};

/* 8 bytes at @off of a window. Frames that have less of it get through. */
struct sieve_word {
	int32_t off;
	int32_t left, before; /* that there must be from the window on, and in front of it */
	uint32_t first, n; /* of its keys */
};

struct sieve_window {
	uint64_t tables; /* bit k: table k is asked about */
	uint32_t first, n; /* of its words */
	uint8_t win;
};

struct sieve {
	struct sieve_key *keys; /* by word */
	struct sieve_word *words; /* by window */
	uint32_t n_keys, n_words, n_windows;
	struct sieve_window windows[WINDOWS_MAX];
	uint64_t tables; /* bit k: table k is asked about */
	size_t bytes; /* of memory */
	uint32_t slots[] __attribute__((aligned(BASE_CACHE_LINE)));
};

/*
 * The sieve of the tables of @ix, which were made of @clusters of @items, in the same order;
 * *@ret_sieve is not written to where there is nothing to be asked, and freed with mem_free().
 * @seed: that nobody else knows. Returns 0 or -ENOMEM.
 */
int sieve_new(const struct match_index *ix, const struct items *items,
	const struct cluster *clusters, uint64_t seed, struct sieve **ret_sieve);

/*
 * The kernel: for each table that is asked about take from @may[], by table, the frames that have
 * nothing there. Windows are found where somebody needs them.
 */
typedef void (*sieve_fn)(const struct sieve *s, struct probe *p, uint64_t *may);
void sieve_avx512(const struct sieve *s, struct probe *p, uint64_t *may);

/* The hash of @v, 4 bytes, under @key. */
static inline uint32_t
sieve_hash(const struct sieve_key *key, uint32_t v)
{
	return (v & key->mask) * key->mul;
}

#endif
