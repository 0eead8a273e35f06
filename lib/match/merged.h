/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_MERGED_H
#define MATCH_MERGED_H

/* The first match of a burst across all tables of an image and the rules that go one by one. */

#include <stdint.h>

#include "probe.h"
#include "search.h"

/*
 * Begin with @n frames of @views: those that @which names, NULL: the first ones.
 * p->from[] and p->want[] are to be set for each, and p->again.
 */
void merged_init(struct probe *p, const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t port);

/* The frames of @p that have to go through the rules alone, by merged_first_odd(). */
uint64_t merged_odd(const struct probe *p);

/* For each frame in @alive p->best[]: its first rule from p->from[] on, or MATCH_NONE. */
void merged_first(struct probe *p, uint64_t alive);

/*
 * The same for one frame, @v, that goes alone: of one that search_is_odd() generated rules see the
 * datagram without extension headers; a straight way leaves out others, too. @want: bits that a
 * rule's state must have.
 */
uint32_t merged_first_odd(const struct match_image *im, const struct pkt_view *v, uint32_t port,
	uint32_t from, uint8_t want);

/* Find those of @windows, a bit each, that are not found for all frames in @some. */
void merged_need_windows(struct probe *p, uint32_t windows, uint64_t some);

/* The numbers i < p->n with v[i] == @x; @v is one of the aligned arrays of struct probe. */
uint64_t merged_equal(const struct probe *p, const uint32_t *v, uint32_t x);
uint64_t merged_at_most(const struct probe *p, const uint32_t *v, uint32_t x); /* v[i] <= x */

#endif
