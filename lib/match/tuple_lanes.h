/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_TUPLE_LANES_H
#define MATCH_TUPLE_LANES_H

/* What struct tuple is made of: the lanes of a rule. */

#include "tuple.h"

struct tuple_prefix {
	uint32_t addr;
	uint8_t len;
};

struct tuple_lane {
	uint32_t rule;
	struct tuple_prefix at[TUPLE_SIDES];
	struct tuple_ports ports_lo, ports_hi;
	uint16_t meta, meta_mask;
	uint8_t side; /* where it stands */
};

/* A rule with more is for another kernel. */
#define TUPLE_LANES_OF_RULE 8

/*
 * The lanes of rule @rule of @im. Returns how many, 0 where no frame can match it, or
 * -E2BIG where they would be too many, or the rule is not for IPv4 alone.
 */
int tuple_lanes(const struct match_image *im, const struct match_rule *rules, uint32_t rule,
	struct tuple_lane ret[TUPLE_LANES_OF_RULE]);

#endif
