/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SIEVE_H
#define MATCH_SIEVE_H

/*
 * A sieve in front of tables that look at one window: which of up to eight of them
 * may have something for a frame, all at once. Payloads at several offsets are in
 * as many tables, of which a frame is likely to be in one or none.
 *
 * A table's lane has bits by one of the words that the table hashes, and by a byte
 * beside what is hashed of it: 0 where no item has that. A sieve only ever says what a table cannot have, so that who knows
 * how to get through it pays what tables cost without one.
 */

#include <stdint.h>

#include "base/util.h"
#include "hash.h"
#include "item.h"

#define SIEVE_TABLES 8
#define SIEVE_MIN 3 /* tables; fewer are looked up as fast */
#define SIEVE_WORDS 8 /* of 8 bytes from off on */
#define SIEVES_MAX 8

struct sieve {
	/* By lane. */
	uint64_t word[SIEVE_TABLES]; /* which of the words */
	uint64_t mask[SIEVE_TABLES];
	uint64_t base[SIEVE_TABLES]; /* the first of its bits */
	uint64_t bits[SIEVE_TABLES]; /* mask of the numbers of its bits, but for: */
	/* The lowest bits of the number, where most items ask for a byte that is not hashed. */
	uint64_t shift[SIEVE_TABLES], low[SIEVE_TABLES];
	uint64_t *filter;
	uint64_t seed;
	int32_t off;
	uint8_t win;
	uint32_t n; /* lanes */
	struct scope_test test; /* of all tables */
	size_t bytes; /* of memory */
} __attribute__((aligned(BASE_CACHE_LINE)));

/*
 * Make sieves for those of the @n_tables tables made of @clusters that are worth one, and set
 * their sieve and lane. @ret_sieves, from the heap, has *@ret_n of them, to be ended by
 * sieves_free() also after a failure. Returns 0 or -ENOMEM.
 */
int sieves_new(struct hash_table *tables, uint32_t n_tables, const struct items *items,
	const struct cluster *clusters, uint64_t seed, enum hash_fault fault,
	struct sieve **ret_sieves, uint32_t *ret_n);
void sieves_free(struct sieve *sieves, uint32_t n);

/*
 * The kernel: of the frames in @some, for which the window is found, those that table k's lane
 * lets through are left in @ret_pass[k].
 */
typedef void (*sieve_probe_fn)(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES]);
void sieve_probe_c(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES]);
void sieve_probe_avx2(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES]);
void sieve_probe_avx512(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES]);

#endif
