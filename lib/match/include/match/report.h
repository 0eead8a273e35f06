/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_REPORT_H
#define MATCH_REPORT_H

/* What rules were compiled to, for people. Any thread, any time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct match_image;
struct sbuf;

enum match_kernel {
	MATCH_KERNEL_NEVER, /* its conditions contradict each other */
	MATCH_KERNEL_ONE_BY_ONE,
	MATCH_KERNEL_HASH,
	MATCH_KERNEL_BITS,
	MATCH_KERNEL_TUPLE,
	MATCH_KERNEL_LIST,
	MATCH_KERNEL_CHAIN, /* all rules in one function */
	MATCH_KERNELS
};

struct match_rule_report {
	uint8_t kernel; /* enum match_kernel; of several the slowest */
	uint32_t table; /* of MATCH_KERNEL_HASH: the first one's number */
	uint32_t items; /* in all tables */
	uint32_t bytes; /* of items */
	uint32_t runs; /* items behind which the rule's program is asked */
	uint32_t chain; /* items compared for a frame that matches, at most */
	bool interpreted; /* the others' programs were too long to compile this one's, too */
};

/*
 * The reports of all rules: @ret has match_image_count() of them. O(rules). Returns 0;
 * -ENOMEM, never of an image that was built whole.
 */
int match_image_report(const struct match_image *image, struct match_rule_report *ret);

/*
 * What is wrong with a rule, found while the image was built: an earlier rule, or
 * several together, take all its frames (rules that decide, are enforced and
 * enabled, on all ports, and that only an operator ends); or it never matches.
 */
enum match_finding_kind { MATCH_FINDING_SHADOWED, MATCH_FINDING_NEVER };

enum match_why_never {
	MATCH_NEVER_SCOPE, /* keys of its scope contradict each other */
	MATCH_NEVER_SRC, /* no source address is in its list */
	MATCH_NEVER_DST,
	MATCH_NEVER_PROGRAM, /* the program returns 0 for every packet */
	MATCH_NEVER_BOTH, /* program and scope contradict each other, or the program itself */
};

#define MATCH_BY_MAX 4

struct match_finding {
	uint32_t rule;
	uint8_t kind; /* enum match_finding_kind */
	uint8_t why; /* enum match_why_never */
	bool decides; /* pass or drop, and enforced; else it counts */
	uint32_t n_by; /* rules that take its frames; the first MATCH_BY_MAX of them are in by[] */
	uint32_t by[MATCH_BY_MAX];
};

/*
 * By rule, *@ret_n of them; none where an update made the image. *@ret_cut: there
 * was too much to look at, some may be missing.
 */
const struct match_finding *match_image_findings(
	const struct match_image *image, size_t *ret_n, bool *ret_cut);

/*
 * Append @f as one sentence without full stop: "rule b can never decide: rule a
 * covers it". Rules by @name_of(@ctx, index).
 */
void match_finding_text(const struct match_finding *f,
	const char *(*name_of)(const void *ctx, uint32_t index), const void *ctx, struct sbuf *out);

/* What the build took, pass by pass, *@ret_n of them in the order run; none of an update. */
struct match_pass_report {
	const char *name;
	uint64_t us; /* on the clock */
};
const struct match_pass_report *match_image_passes(const struct match_image *image, size_t *ret_n);

/* "hash", … */
const char *match_kernel_name(enum match_kernel kernel);

/* That of @report's kernel, or "interpreted" for a rule by itself that is. */
const char *match_report_kernel(const struct match_rule_report *report);

#endif
