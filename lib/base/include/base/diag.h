/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stddef.h>

/*
 * Why an input was refused, and where. Filled by whatever parses, printed by
 * app/. Start from {0}; the first failure is kept by convention, because every
 * parser returns at its first failure. One thread per object.
 */
struct diag {
	char file[256]; /* "" when the input is no file; cut if longer */
	unsigned int line; /* 1-based; 0 when the input has no lines */
	unsigned int col; /* 1-based; 0 when unknown */
	char msg[512]; /* what was expected and what came; no trailing newline */
};

/*
 * Fill @d->msg and return @err, so that callers can return it. The place in @d
 * is left as it is. NULL for @d is allowed and stores nothing.
 */
int diag_fail(struct diag *d, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with the place in a text: @line and @col count from 1, 0 is unknown. */
int diag_fail_at(struct diag *d, int err, unsigned int line, unsigned int col, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Name the file that @d speaks of, unless it already names one. */
void diag_set_file(struct diag *d, const char *file);

/*
 * Write "FILE:LINE:COL: MSG" with the parts that are known into @buf (at most
 * @size bytes with the NUL). Returns @buf.
 */
const char *diag_format(const struct diag *d, char *buf, size_t size);

#endif
