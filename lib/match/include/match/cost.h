/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_COST_H
#define MATCH_COST_H

/*
 * What rules cost, measured: for each a frame is made of its own constants and
 * looked up in the image, in bursts of 32 of them, the best of several rounds. So
 * it is what a flood of frames that the rule matches costs, filter only, with
 * image and frames in the cache. Takes the measuring thread's processor for up to
 * MATCH_COST_MS; rules for which there was no time are told from their neighbours'.
 *
 * Any thread; the image may be in use meanwhile.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/report.h"

struct match_image;
struct match_rule;
struct sbuf;

#define MATCH_COST_MS 300

struct match_rule_cost {
	double ns; /* a frame */
	bool measured; /* else its neighbour's of the same kernel */
	bool hit; /* the rule was what the look-up found: not out of force, nor behind another one */
};

struct match_cost {
	size_t n; /* rules */
	struct match_rule_report *reports;
	struct match_rule_cost *rules;
	double miss_ns; /* frames that miss rules by one bit, and match none */
	double mean_ns, worst_ns; /* of all rules */
	uint32_t worst; /* the rule */
	size_t bytes; /* of the image */
	uint32_t n_tables;
};

/*
 * Measure @image, which was made of @rules. Returns 0 or -ENOMEM; *@ret is to be
 * freed with match_cost_fini().
 */
int match_cost_measure(
	const struct match_image *image, const struct match_rule *rules, struct match_cost *ret);
void match_cost_fini(struct match_cost *cost);

/*
 * Append a table: the image, the passes, a line a rule. @only: one rule, or
 * MATCH_NONE for all. Names by rules[].name.
 */
void match_cost_text(const struct match_image *image, const struct match_rule *rules,
	const struct match_cost *cost, uint32_t only, struct sbuf *out);

/* The same as members of a JSON object: "image":{…},"rules":{…}. */
void match_cost_json(const struct match_image *image, const struct match_rule *rules,
	const struct match_cost *cost, uint32_t only, struct sbuf *out);

#endif
