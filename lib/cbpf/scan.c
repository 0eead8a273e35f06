// SPDX-License-Identifier: BSD-3-Clause
#include "scan.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/vec.h"
#include "cbpf/prog.h"

void
scan_init(struct scan *s, const char *text, struct diag *diag)
{
	*s = (struct scan){.p = text, .line_start = text, .line = 1, .diag = diag};
}

static void
advance(struct scan *s)
{
	if (*s->p++ == '\n') {
		s->line++;
		s->line_start = s->p;
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int
skip_block_comment(struct scan *s)
{
	const struct scan start = *s;

	advance(s);
	advance(s);
	while (!(s->p[0] == '*' && s->p[1] == '/')) {
		if (*s->p == '\0')
			return diag_fail_at(s->diag, -EINVAL, start.line,
				(unsigned int)(start.p - start.line_start) + 1,
				"this comment is not closed");
		advance(s);
	}
	s->p += 2;
	return 0;
}

int
scan_skip(struct scan *s, enum scan_comments comments)
{
	int r;

	for (;;) {
		if (is_blank(*s->p)) {
			advance(s);
		} else if ((comments == SCAN_ASM && *s->p == ';') ||
			(comments != SCAN_PLAIN && s->p[0] == '/' && s->p[1] == '/')) {
			s->p += strcspn(s->p, "\n");
		} else if (comments != SCAN_PLAIN && s->p[0] == '/' && s->p[1] == '*') {
			r = skip_block_comment(s);
			if (r < 0)
				return r;
		} else {
			return 0;
		}
	}
}

int
scan_fail(const struct scan *s, const char *want)
{
	unsigned int col = (unsigned int)(s->p - s->line_start) + 1;
	size_t n = strcspn(s->p, " \t\r\n,;");

	if (*s->p == '\0')
		return diag_fail_at(
			s->diag, -EINVAL, s->line, col, "%s expected, but the text ends", want);
	if (n == 0)
		n = 1;
	if (n > 32)
		n = 32;
	if (*s->p == '\n' || *s->p == '\r')
		return diag_fail_at(
			s->diag, -EINVAL, s->line, col, "%s expected, but the line ends", want);
	return diag_fail_at(
		s->diag, -EINVAL, s->line, col, "%s expected, but '%.*s' came", want, (int)n, s->p);
}

static bool
is_word(char c)
{
	return parse_is_digit(c, 16) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		c == '_';
}

/* The digits of base @base at @p, which stands behind any prefix. */
static int
number_at(struct scan *s, const char *p, int base, const char *want, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;

	if (!parse_is_digit(*p, base))
		return scan_fail(s, want);
	for (; parse_is_digit(*p, base); p++) {
		v = v * (unsigned int)base + (unsigned int)parse_hex_digit(*p);
		if (v > max)
			return diag_fail_at(s->diag, -EINVAL, s->line,
				(unsigned int)(s->p - s->line_start) + 1,
				"%s expected, but the number that came is above %u", want, max);
	}
	if (is_word(*p))
		return scan_fail(s, want);
	s->p = p;
	*ret = (uint32_t)v;
	return 0;
}

int
scan_number(struct scan *s, const char *want, uint32_t max, uint32_t *ret)
{
	const char *p = s->p;

	if (p[0] == '0' && (p[1] | 0x20) == 'x')
		return number_at(s, p + 2, 16, want, max, ret);
	if (p[0] == '0' && (p[1] | 0x20) == 'b')
		return number_at(s, p + 2, 2, want, max, ret);
	if (p[0] == '0' && parse_is_digit(p[1], 8))
		return number_at(s, p + 1, 8, want, max, ret);
	return number_at(s, p, 10, want, max, ret);
}

int
scan_decimal(struct scan *s, const char *want, uint32_t max, uint32_t *ret)
{
	return number_at(s, s->p, 10, want, max, ret);
}

bool
scan_take(struct scan *s, char c)
{
	if (*s->p != c || c == '\0')
		return false;
	s->p++;
	return true;
}

int
insn_list_add(struct insn_list *list, const struct cbpf_insn *in, const struct scan *s)
{
	struct cbpf_insn *slot;

	if (list->n == CBPF_MAX_INSNS)
		return diag_fail_at(s->diag, -E2BIG, s->line, 0,
			"the program has more than %d instructions", CBPF_MAX_INSNS);
	slot = vec_push(list);
	if (slot == NULL)
		return diag_fail(s->diag, -ENOMEM, "out of memory");
	*slot = *in;
	return 0;
}
