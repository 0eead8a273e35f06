/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_SCAN_H
#define CBPF_SCAN_H

/* A cursor over program text that knows its place. Used by the readers only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/insn.h"

struct diag;

struct scan {
	const char *p;
	const char *line_start;
	unsigned int line; /* counted from 1 */
	struct diag *diag;
};

/* A growing list of instructions; freed with mem_free(list.v). */
struct insn_list {
	struct cbpf_insn *v;
	size_t n, cap;
};

void scan_init(struct scan *s, const char *text, struct diag *diag);

/* What is skipped beside blanks and newlines. */
enum scan_comments {
	SCAN_PLAIN, /* nothing */
	SCAN_C, /* the two comments of C */
	SCAN_ASM, /* these, and from ';' to the end of the line */
};

int scan_skip(struct scan *s, enum scan_comments comments);

/* Refuse: the sentence is "@want expected, but @what came", quoting what stands at the cursor. */
int scan_fail(const struct scan *s, const char *want);

/* Read an unsigned number up to @max: decimal, 0x, 0b or octal with a leading 0. */
int scan_number(struct scan *s, const char *want, uint32_t max, uint32_t *ret);

/* The same, decimal only: "010" is ten. */
int scan_decimal(struct scan *s, const char *want, uint32_t max, uint32_t *ret);

/* The next character, when it is @c, is taken. */
bool scan_take(struct scan *s, char c);

/* Append; -E2BIG behind CBPF_MAX_INSNS, -ENOMEM. */
int insn_list_add(struct insn_list *list, const struct cbpf_insn *in, const struct scan *s);

#endif
