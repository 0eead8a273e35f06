/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_REPORT_H
#define MATCH_REPORT_H

/* What rules were compiled to, for people. Any thread, any time. */

#include <stddef.h>
#include <stdint.h>

struct match_image;
struct sbuf;

enum match_kernel {
	MATCH_KERNEL_NEVER, /* its conditions contradict each other */
	MATCH_KERNEL_ONE_BY_ONE,
	MATCH_KERNEL_HASH,
	MATCH_KERNEL_BITS,
	MATCH_KERNELS
};

struct match_rule_report {
	uint8_t kernel; /* enum match_kernel; of several the slowest */
	uint32_t table; /* of MATCH_KERNEL_HASH: the first one's number */
	uint32_t items; /* in all tables */
	uint32_t bytes; /* of items */
	uint32_t runs; /* items behind which the rule's program is asked */
	uint32_t chain; /* items compared for a frame that matches, at most */
};

/*
 * The reports of all rules: @ret has match_image_count() of them. O(rules). Returns 0;
 * -ENOMEM, never of an image that was built whole.
 */
int match_image_report(const struct match_image *image, struct match_rule_report *ret);

/* "hash", … */
const char *match_kernel_name(enum match_kernel kernel);

/*
 * Append the image as text: a line for the whole, one for each table, one for
 * each rule by @name_of(@ctx, index).
 */
void match_image_dump(const struct match_image *image,
	const char *(*name_of)(const void *ctx, uint32_t index), const void *ctx, struct sbuf *out);

#endif
