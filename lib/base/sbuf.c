// SPDX-License-Identifier: BSD-3-Clause
#include "base/sbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Room for @n more bytes and the NUL. */
static bool
grow(struct sbuf *b, size_t n)
{
	size_t cap = b->cap != 0 ? b->cap : 64;
	char *s;

	if (b->failed)
		return false;
	if (n < b->cap - b->len)
		return true;
	while (cap - b->len <= n) {
		if (cap > SIZE_MAX / 2) {
			b->failed = true;
			return false;
		}
		cap *= 2;
	}
	s = mem_realloc(b->s, cap);
	if (s == NULL) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void
sbuf_add(struct sbuf *b, const void *bytes, size_t n)
{
	if (!grow(b, n))
		return;
	if (n > 0)
		memcpy(b->s + b->len, bytes, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void
sbuf_adds(struct sbuf *b, const char *s)
{
	sbuf_add(b, s, strlen(s));
}

void
sbuf_addc(struct sbuf *b, char c)
{
	sbuf_add(b, &c, 1);
}

void
sbuf_addf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !grow(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* Bytes of the control character at @s, 0 when there is none. */
static size_t
control_len(const unsigned char *s)
{
	if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
		return 2;
	return s[0] < ' ' || s[0] == 0x7f;
}

void
sbuf_add_printable(struct sbuf *b, const char *s)
{
	for (size_t n; *s != '\0'; s += n) {
		const unsigned char *c = (const unsigned char *)s;

		n = control_len(c);
		for (size_t i = 0; i < n; i++)
			sbuf_addf(b, "\\x%02x", c[i]);
		if (n == 0) {
			sbuf_addc(b, *s);
			n = 1;
		}
	}
}

bool
sbuf_ok(const struct sbuf *b)
{
	return !b->failed;
}

const char *
sbuf_str(const struct sbuf *b)
{
	return b->s != NULL ? b->s : "";
}

char *
sbuf_take(struct sbuf *b)
{
	char *s;

	sbuf_add(b, "", 0);
	if (b->failed) {
		sbuf_fini(b);
		return NULL;
	}
	s = b->s;
	*b = (struct sbuf)SBUF_INIT;
	return s;
}

void
sbuf_fini(struct sbuf *b)
{
	mem_free(b->s);
	*b = (struct sbuf)SBUF_INIT;
}
