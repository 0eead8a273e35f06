/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_STRAIGHT_H
#define MATCH_STRAIGHT_H

/*
 * The straight way: where an image is nothing but tables of one window each, of which one may
 * be walked to, and no item asks more than its run and numbers in it, or on the way to it, a
 * burst goes from views to answers stage by stage, with AVX-512 eight frames at once, with AVX2 four, and nothing
 * is kept of it but what the next stage takes. That is what rules of one kind come to, names,
 * signatures, suffixes, and so what a flood meets. merged.c answers the same, whatever an image is.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "match/image.h"

struct match_image;
struct match_index;
struct pkt_view;

#define STRAIGHT_TABLES_MAX 4

/* Whether @ix is of this kind. */
bool straight_fits(const struct match_index *ix);

/* Whether @ix is nothing but so few five-tuples that all are compared: tuple.h has its way. */
bool straight_fits_few(const struct match_index *ix);

/*
 * For each of @n frames of @views, those that @which names, NULL: the first ones, its first
 * rule of all to @ret, or MATCH_NONE. Returns those that have to go alone, by
 * merged_first_odd(), of which @ret says nothing.
 */
typedef uint64_t (*straight_fn)(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);
uint64_t straight_c(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);
uint64_t straight_avx2(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);
uint64_t straight_avx512(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);

#define STRAIGHT_EIGHT(k) k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6, k + 7

/* Whether @which are @n frames that lie one behind the other, from the first one on. */
static inline bool
straight_in_row(const uint8_t *which, uint32_t n)
{
	static const uint8_t row[MATCH_BURST] = {STRAIGHT_EIGHT(0), STRAIGHT_EIGHT(8),
		STRAIGHT_EIGHT(16), STRAIGHT_EIGHT(24), STRAIGHT_EIGHT(32), STRAIGHT_EIGHT(40),
		STRAIGHT_EIGHT(48), STRAIGHT_EIGHT(56)};

	return memcmp(which, row, n) == 0;
}

#endif
