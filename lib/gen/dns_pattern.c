// SPDX-License-Identifier: BSD-3-Clause
#include "dns_pattern.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"

#define MASK_ANY 0xff /* the byte does not matter, but must be there */
#define MASK_CASE 0x20

/* A pattern being read; @text[@pos..@end) is what is left of it. */
struct reader {
	const char *text;
	size_t pos, end;
	bool ignore_case;
	bool free_suffix; /* a trailing "**" stood behind @end */
	bool free_label; /* … glued to the last label, whose length is then open */
	struct dns_pattern *p;
	struct diag *diag;
};

static int
fail_at(struct reader *rd, size_t pos, const char *what)
{
	return diag_fail_at(rd->diag, -EINVAL, rd->diag != NULL ? rd->diag->line : 0,
		(unsigned int)pos + 1, "'%.100s': %s", rd->text, what);
}

/* Add a byte to the run that is being collected, or begin one. */
static int
add_byte(struct reader *rd, size_t pos, uint8_t val, uint8_t mask)
{
	struct dns_pattern *p = rd->p;
	struct dns_part *last = p->n_parts > 0 ? &p->parts[p->n_parts - 1] : NULL;

	if (p->min_len >= DNS_NAME_MAX)
		return fail_at(
			rd, pos, "a name has at most 255 bytes, a length for each label included");
	if (last == NULL || last->kind != DNS_BYTES) {
		last = &p->parts[p->n_parts++];
		*last = (struct dns_part){.kind = DNS_BYTES, .first = p->n_bytes};
	}
	p->val[p->n_bytes] = val | mask;
	p->mask[p->n_bytes] = mask;
	p->n_bytes++;
	p->min_len++;
	last->n++;
	return 0;
}

/* The character at *@pos, which is moved behind it. */
static int
read_char(struct reader *rd, size_t *pos, uint8_t *ret_val, uint8_t *ret_mask)
{
	const char c = rd->text[*pos];
	int hi, lo;

	*ret_mask = rd->ignore_case ? MASK_CASE : 0;
	if (c == '%') {
		hi = *pos + 1 < rd->end ? parse_hex_digit(rd->text[*pos + 1]) : -1;
		lo = *pos + 2 < rd->end ? parse_hex_digit(rd->text[*pos + 2]) : -1;
		if (hi < 0 || lo < 0)
			return fail_at(rd, *pos, "two hexadecimal digits must follow '%'");
		*ret_val = (uint8_t)(hi << 4 | lo);
		*pos += 3;
		return 0;
	}
	if ((unsigned char)c <= ' ' || c == 0x7f)
		return fail_at(rd, *pos, "blanks and control characters are written as %XX");
	if (c == '?')
		*ret_mask = MASK_ANY;
	*ret_val = (uint8_t)c;
	(*pos)++;
	return 0;
}

/* A label of which each character is compared, and its length before it. */
static int
read_plain(struct reader *rd, size_t end, bool open_length)
{
	uint8_t val[DNS_LABEL_MAX], mask[DNS_LABEL_MAX];
	const size_t start = rd->pos;
	size_t n = 0;
	int r;

	while (rd->pos < end) {
		if (n == DNS_LABEL_MAX)
			return fail_at(rd, rd->pos, "a label has at most 63 bytes");
		r = read_char(rd, &rd->pos, &val[n], &mask[n]);
		if (r < 0)
			return r;
		n++;
	}
	if (n == 0 && !open_length)
		return fail_at(rd, start, "a label is empty");

	r = add_byte(rd, start, (uint8_t)n, open_length ? MASK_ANY : 0);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_byte(rd, start, val[i], mask[i]);
	return r;
}

/* The decimal number at *@pos, at most 255. */
static int
read_length(struct reader *rd, size_t *pos, size_t end, uint8_t *ret)
{
	const size_t start = *pos;
	unsigned int v = 0;

	while (*pos < end && isdigit((unsigned char)rd->text[*pos])) {
		v = v * 10 + (unsigned int)(rd->text[*pos] - '0');
		if (v > UINT8_MAX)
			return fail_at(rd, start, "a length in '*{MIN-MAX}' is at most 255");
		(*pos)++;
	}
	if (*pos == start)
		return fail_at(rd, start, "expected a length, as in '*{4-255}'");
	*ret = (uint8_t)v;
	return 0;
}

/* "*" or "*{MIN-MAX}", up to @end. */
static int
read_star(struct reader *rd, size_t end)
{
	struct dns_part *part = &rd->p->parts[rd->p->n_parts];
	size_t pos = rd->pos + 1;
	uint8_t min = 0, max = UINT8_MAX;
	int r;

	if (pos < end) {
		pos++; /* the brace, seen by the caller */
		r = read_length(rd, &pos, end, &min);
		if (r < 0)
			return r;
		if (pos >= end || rd->text[pos] != '-')
			return fail_at(rd, pos, "expected '-', as in '*{4-255}'");
		pos++;
		r = read_length(rd, &pos, end, &max);
		if (r < 0)
			return r;
		if (pos >= end || rd->text[pos] != '}')
			return fail_at(rd, pos, "expected '}', as in '*{4-255}'");
		if (pos + 1 != end)
			return fail_at(rd, pos + 1, "a label ends with '*{MIN-MAX}'");
		if (min > max)
			return fail_at(
				rd, rd->pos + 2, "the smaller length comes first in '*{MIN-MAX}'");
	}
	/* Two bytes at least: a length and a character. */
	if (rd->p->min_len > DNS_NAME_MAX - 2)
		return fail_at(rd, rd->pos,
			"a name has at most 255 bytes, a length for each label included");
	*part = (struct dns_part){.kind = DNS_STAR, .min = min, .max = max};
	rd->p->n_parts++;
	rd->p->min_len += (uint16_t)(1 + (min > 1 ? min : 1));
	rd->pos = end;
	return 0;
}

/* One label up to @end, which is the end of the text when @last. */
static int
read_label(struct reader *rd, size_t end, bool last)
{
	const char *s = rd->text + rd->pos;
	const size_t n = end - rd->pos;
	const bool open_length = last && rd->free_label;

	if (n == 2 && memcmp(s, "**", 2) == 0) {
		if (rd->p->n_parts > 0)
			return fail_at(
				rd, rd->pos, "'**' stands first or last; '%2a%2a' is two stars");
		rd->p->parts[rd->p->n_parts++] = (struct dns_part){.kind = DNS_MANY};
		rd->pos = end;
		return 0;
	}
	if (n >= 1 && s[0] == '*' && (n == 1 || s[1] == '{')) {
		if (open_length)
			return fail_at(
				rd, rd->pos, "write '*.**' for a label and anything behind it");
		return read_star(rd, end);
	}
	return read_plain(rd, end, open_length);
}

/* Remove blanks and dots around the name and a trailing "**". */
static void
trim(struct reader *rd)
{
	while (rd->pos < rd->end && isspace((unsigned char)rd->text[rd->pos]))
		rd->pos++;
	while (rd->end > rd->pos && isspace((unsigned char)rd->text[rd->end - 1]))
		rd->end--;
	while (rd->pos < rd->end && rd->text[rd->pos] == '.')
		rd->pos++;
	if (rd->end - rd->pos >= 2 && memcmp(rd->text + rd->end - 2, "**", 2) == 0) {
		rd->end -= 2;
		rd->free_suffix = true;
		rd->free_label = rd->end == rd->pos || rd->text[rd->end - 1] != '.';
	}
	while (rd->end > rd->pos && rd->text[rd->end - 1] == '.')
		rd->end--;
}

int
dns_pattern_parse(
	const char *text, bool ignore_case, struct dns_pattern *ret_pattern, struct diag *diag)
{
	struct dns_pattern p = {.n_parts = 0};
	struct reader rd = {
		.text = text,
		.end = strlen(text),
		.ignore_case = ignore_case,
		.p = &p,
		.diag = diag,
	};
	int r = 0;

	trim(&rd);
	/* An empty name is the root, and with "**" any name at all. */
	if (rd.pos == rd.end && rd.free_label)
		r = read_plain(&rd, rd.end, true);
	while (r == 0 && rd.pos < rd.end) {
		const char *dot = memchr(rd.text + rd.pos, '.', rd.end - rd.pos);
		const size_t end = dot != NULL ? (size_t)(dot - rd.text) : rd.end;

		r = read_label(&rd, end, dot == NULL);
		if (dot != NULL)
			rd.pos = end + 1;
	}
	p.open_end = rd.free_suffix;
	if (r == 0 && !rd.free_suffix)
		r = add_byte(&rd, rd.end, 0, 0);
	if (r == 0)
		*ret_pattern = p;
	return r;
}
