// SPDX-License-Identifier: BSD-3-Clause
#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"

#define QUOTE_MAX 60 /* bytes of the user's text that a message repeats */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *
skip_blanks(const char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

static int
digit_value(char c, unsigned int base)
{
	unsigned int v;

	if (c >= '0' && c <= '9')
		v = (unsigned int)(c - '0');
	else if (c >= 'a' && c <= 'f')
		v = (unsigned int)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		v = (unsigned int)(c - 'A') + 10;
	else
		return -1;
	return v < base ? (int)v : -1;
}

/*
 * A number at *@cursor, which moves behind it also when that is over 64 bits
 * (-ERANGE), so that callers still see what follows. -EINVAL: no number there.
 */
static int
scan_u64(const char **cursor, uint64_t *ret)
{
	const char *s = *cursor;
	unsigned int base = 10;
	bool fits = true;
	uint64_t v = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (digit_value(*s, base) < 0)
		return -EINVAL;
	for (; digit_value(*s, base) >= 0; s++) {
		uint64_t d = (uint64_t)digit_value(*s, base);

		fits = fits && v <= (UINT64_MAX - d) / base;
		v = v * base + d;
	}
	*cursor = s;
	*ret = v;
	return fits ? 0 : -ERANGE;
}

int
parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret, struct diag *diag)
{
	const char *p = skip_blanks(s);
	uint64_t v;
	int r = scan_u64(&p, &v);

	if (r != -EINVAL && *skip_blanks(p) != '\0')
		r = -EINVAL;
	if (r == 0 && (v < min || v > max))
		r = -ERANGE;
	if (r == -EINVAL)
		return diag_fail(diag, r, "expected a number, got '%.*s'", QUOTE_MAX, s);
	if (r == -ERANGE)
		return diag_fail(diag, r, "expected a number from %llu to %llu, got '%.*s'",
			(unsigned long long)min, (unsigned long long)max, QUOTE_MAX, s);
	*ret = v;
	return 0;
}

int
parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret, struct diag *diag)
{
	uint64_t v;
	int r = parse_u64(s, min, max, &v, diag);

	if (r == 0)
		*ret = (uint32_t)v;
	return r;
}

int
parse_hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
parse_is_digit(int c, int base)
{
	const int digit = parse_hex_digit(c);

	return digit >= 0 && digit < base;
}

int
parse_bool(const char *s, bool *ret, struct diag *diag)
{
	if (strcmp(s, "yes") == 0)
		*ret = true;
	else if (strcmp(s, "no") == 0)
		*ret = false;
	else
		return diag_fail(diag, -EINVAL, "expected yes or no, got '%.*s'", QUOTE_MAX, s);
	return 0;
}

/* A unit and what one of it is worth. */
struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit *
unit_find(const struct unit *units, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/*
 * NUMBER [BLANKS] UNIT [BLANKS]. Copies the unit, without blanks, into @unit, also
 * when the number is over 64 bits (-ERANGE).
 */
static int
scan_with_unit(const char *s, uint64_t *ret, char *unit, size_t unit_size)
{
	const char *p = skip_blanks(s);
	size_t len;
	int r;

	r = scan_u64(&p, ret);
	if (r == -EINVAL)
		return r;
	p = skip_blanks(p);
	len = strlen(p);
	while (len > 0 && is_blank(p[len - 1]))
		len--;
	if (len >= unit_size)
		return -EINVAL;
	memcpy(unit, p, len);
	unit[len] = '\0';
	return r;
}

/* A number with a unit of @units; @what and @example make the message. */
static int
parse_scaled(const char *s, const struct unit *units, size_t n, const char *what, uint64_t *ret,
	struct diag *diag)
{
	const struct unit *u = NULL;
	char unit[16];
	uint64_t v;
	int r = scan_with_unit(s, &v, unit, sizeof(unit));

	if (r != -EINVAL) {
		u = unit_find(units, n, unit);
		if (u == NULL)
			r = -EINVAL;
		else if (v > UINT64_MAX / u->factor)
			r = -ERANGE;
	}
	if (r < 0 || u == NULL)
		return diag_fail(diag, r, "expected %s, got '%.*s'", what, QUOTE_MAX, s);
	*ret = v * u->factor;
	return 0;
}

int
parse_duration_ms(const char *s, uint64_t *ret_ms, struct diag *diag)
{
	static const struct unit units[] = {
		{"ms", 1},
		{"s", 1000},
		{"min", 60000},
		{"h", 3600000},
		{"d", 86400000},
	};

	return parse_scaled(
		s, units, DIM(units), "a duration such as '30 s' (ms, s, min, h, d)", ret_ms, diag);
}

int
parse_bytes(const char *s, uint64_t *ret_bytes, struct diag *diag)
{
	static const struct unit units[] = {
		{"B", 1},
		{"KiB", UINT64_C(1) << 10},
		{"MiB", UINT64_C(1) << 20},
		{"GiB", UINT64_C(1) << 30},
	};

	return parse_scaled(s, units, DIM(units), "a size such as '64 MiB' (B, KiB, MiB, GiB)",
		ret_bytes, diag);
}

int
parse_rate(const char *s, struct parse_rate *ret, struct diag *diag)
{
	static const struct unit prefixes[] = {
		{"", 1},
		{"k", 1000},
		{"M", 1000000},
		{"G", 1000000000},
	};
	char unit[16];
	char prefix[16] = "";
	const char *u = unit;
	const struct unit *p;
	uint64_t v;
	size_t plen = 0;
	int r = scan_with_unit(s, &v, unit, sizeof(unit));

	if (r == -EINVAL)
		goto bad;
	if (*u == 'k' || *u == 'M' || *u == 'G')
		prefix[plen++] = *u++;
	prefix[plen] = '\0';
	u = skip_blanks(u);
	p = unit_find(prefixes, DIM(prefixes), prefix);
	if (p == NULL || (strcmp(u, "pps") != 0 && strcmp(u, "bps") != 0)) {
		r = -EINVAL;
		goto bad;
	}
	if (r == -ERANGE || v > UINT64_MAX / p->factor) {
		r = -ERANGE;
		goto bad;
	}
	ret->per_s = v * p->factor;
	ret->unit = *u == 'p' ? PARSE_PPS : PARSE_BPS;
	return 0;
bad:
	return diag_fail(diag, r, "expected a rate such as '500k pps' or '2 Gbps', got '%.*s'",
		QUOTE_MAX, s);
}

int
parse_one_in(const char *s, uint32_t *ret_n, struct diag *diag)
{
	const char *piece = s, *cursor = s;
	uint32_t n = 0;
	size_t len = 0;
	int r = 0;

	(void)parse_next(&cursor, '\0', &piece, &len);
	if ((len == 3 && memcmp(piece, "off", 3) == 0) || (len == 1 && *piece == '0')) {
		*ret_n = 0;
		return 0;
	}
	if (len < 3 || piece[0] != '1' || piece[1] != '/' || is_blank(piece[2]))
		r = -EINVAL;
	else
		r = parse_u32(piece + 2, 1, UINT32_C(1) << 31, &n, NULL);
	if (r < 0)
		return diag_fail(diag, r,
			"expected '1/N' with N from 1 to 2147483648, or 'off', got '%.*s'",
			QUOTE_MAX, s);
	*ret_n = n;
	return 0;
}

int
parse_range(const char *s, uint16_t min, uint16_t max, struct u16_range *ret, struct diag *diag)
{
	const char *p = skip_blanks(s);
	uint64_t lo, hi;
	int r = scan_u64(&p, &lo);
	int r2 = 0;

	hi = lo;
	p = skip_blanks(p);
	if (r != -EINVAL && *p == '-') {
		p = skip_blanks(p + 1);
		r2 = scan_u64(&p, &hi);
	}
	if (r == -EINVAL || r2 == -EINVAL || *skip_blanks(p) != '\0')
		return diag_fail(diag, -EINVAL,
			"expected a number or a range such as 1024-65535, got '%.*s'", QUOTE_MAX,
			s);
	if (r < 0 || r2 < 0 || lo < min || hi > max || lo > hi)
		return diag_fail(diag, -ERANGE,
			"expected a number or a rising range within %u-%u, got '%.*s'", min, max,
			QUOTE_MAX, s);
	ret->lo = (uint16_t)lo;
	ret->hi = (uint16_t)hi;
	return 0;
}

bool
parse_next(const char **cursor, char sep, const char **ret_piece, size_t *ret_len)
{
	const char *s = *cursor;
	const char *end;

	if (s == NULL)
		return false;
	end = strchr(s, sep);
	*cursor = end != NULL ? end + 1 : NULL;
	if (end == NULL)
		end = s + strlen(s);
	s = skip_blanks(s);
	while (end > s && is_blank(end[-1]))
		end--;
	*ret_piece = s;
	*ret_len = end > s ? (size_t)(end - s) : 0;
	return true;
}

#define NEAR_MAX 48 /* bytes of a name that are compared */

/* Edits (insert, delete, replace) from @a to @b, by Wagner and Fischer's rows. */
static size_t
edits(const char *a, const char *b)
{
	size_t na = strnlen(a, NEAR_MAX), nb = strnlen(b, NEAR_MAX);
	size_t row[NEAR_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, replace);
		}
	}
	return row[nb];
}

const char *
parse_nearest(const char *name, const char *const *names, size_t n)
{
	size_t limit = MAX(strlen(name) / 3, (size_t)2);
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t e = edits(name, names[i]);

		if (e <= limit && e < strlen(names[i])) {
			best = names[i];
			if (e == 0)
				return best;
			limit = e - 1;
		}
	}
	return best;
}
