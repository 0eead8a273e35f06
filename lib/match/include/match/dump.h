/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_DUMP_H
#define MATCH_DUMP_H

/* Rules on their way into an image, as text for people, at each stage. Any thread. */

#include <stdint.h>

struct match_image;
struct match_rule;
struct sbuf;

enum match_stage {
	MATCH_STAGE_PATHS, /* what programs ask on each way to a match */
	MATCH_STAGE_ITEMS, /* the same and the scope as masked words */
	MATCH_STAGE_CLUSTERS, /* items that one hash tells apart */
	MATCH_STAGE_TABLES, /* the image's tables */
	MATCH_STAGE_KERNELS, /* what finds each rule */
	MATCH_STAGES, /* all of them */
};

/* "paths", …; NULL for MATCH_STAGES. */
const char *match_stage_name(enum match_stage stage);

/*
 * Append @stage, or all, of @image, which was made of @rules. The stages before
 * the tables are gone through once more. @only: what concerns this rule, or
 * MATCH_NONE for all. Returns 0 or -ENOMEM.
 */
int match_dump(const struct match_image *image, const struct match_rule *rules,
	enum match_stage stage, uint32_t only, struct sbuf *out);

#endif
