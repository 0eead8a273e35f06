/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_SBUF_H
#define BASE_SBUF_H

/*
 * A growing string. Errors are sticky: after a failed allocation every append
 * does nothing and sbuf_ok() is false, so that a writer checks once, at its end.
 * One thread per object.
 */

#include <stdbool.h>
#include <stddef.h>

struct sbuf {
	char *s; /* NUL-terminated once anything was appended, else NULL */
	size_t len; /* bytes, without the NUL */
	size_t cap;
	bool failed;
};

#define SBUF_INIT \
	{ \
		NULL, 0, 0, false \
	}

void sbuf_add(struct sbuf *b, const void *bytes, size_t n);
void sbuf_adds(struct sbuf *b, const char *s);
void sbuf_addc(struct sbuf *b, char c);
void sbuf_addf(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Append text of others for people to read: a control character becomes \xNN, so
 * that it neither ends a line nor talks to the terminal. Those of ISO 8859 are
 * found as UTF-8 has them.
 */
void sbuf_add_printable(struct sbuf *b, const char *s);

/* False when an append ran out of memory. */
bool sbuf_ok(const struct sbuf *b);

/* The text, never NULL. Valid until the next append. */
const char *sbuf_str(const struct sbuf *b);

/* Hand the text (mem_free() it) to the caller and empty @b; NULL when not ok. */
char *sbuf_take(struct sbuf *b);

void sbuf_fini(struct sbuf *b);

#endif
