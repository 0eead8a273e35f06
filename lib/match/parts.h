/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PARTS_H
#define MATCH_PARTS_H

/*
 * Images that updates made: of several parts, each compiled at another time. The
 * first is the large one, with what it was built of; those behind it are small and
 * have what was added since. Rules that are gone stay in their part, switched off
 * for good.
 *
 * Each part has its rules in the caller's order, so that its first match is the
 * first of its own, and its number only has to be translated: rank[] of a part
 * rises. Of all parts' matches the one with the smallest rank is the image's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "image_impl.h"
#include "probe.h"

#define PARTS_MAX 3

struct match_part {
	struct match_image *im; /* without parts and leaves */
	/* By the part's rules: the caller's index; of those that are gone that of the next. */
	uint32_t *rank;
	uint32_t first; /* the smallest rank of a rule; MATCH_NONE: all are gone */
	uint32_t n_live;
};

struct match_parts {
	struct match_part v[PARTS_MAX];
	uint32_t n; /* 2 at least, or 1 with rules that are gone or changed */
	uint32_t *place; /* by the caller's index, see parts_place() */
};

/* Where rule @index of the caller's is: the part's number, and the rule's there. */
static inline uint32_t
parts_place(const struct match_parts *parts, uint32_t index, uint32_t *ret_number)
{
	_Static_assert(MATCH_RULES_MAX <= 1 << 24, "fits");
	*ret_number = parts->place[index] & 0xffffff;
	return parts->place[index] >> 24;
}

static inline uint32_t
parts_make_place(uint32_t part, uint32_t number)
{
	return part << 24 | number;
}

/* NULL is allowed; what is NULL in it, too. */
void parts_free(struct match_parts *parts);

void parts_enable(const struct match_image *im, uint32_t index, bool enabled);

/* Whether part @k is asked as a chain, one that leaves nothing to tables; or its index is asked. */
bool parts_is_chain(const struct match_parts *parts, uint32_t k);

/* A burst on its way through the parts. all: only from, want, again, best and n. */
struct parts_probe {
	const struct match_parts *parts;
	struct probe all;
	struct probe part[PARTS_MAX]; /* of those that are no chains */
};

/* As merged_init(), merged_odd(), merged_first() and merged_first_odd(), of an image with parts. */
void parts_init(struct parts_probe *p, const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t port);
uint64_t parts_odd(const struct parts_probe *p, const struct match_image *im);
void parts_first(struct parts_probe *p, uint64_t alive);
uint32_t parts_first_odd(const struct match_image *im, const struct pkt_view *v, uint32_t port,
	uint32_t from, uint8_t want);

#endif
