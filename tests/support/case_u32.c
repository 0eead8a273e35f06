// SPDX-License-Identifier: BSD-3-Clause
/*
 * u32: the machine of iptables-extensions(8), which has a place A, an offset B and a
 * value C, executed on the test's text as it stands. tests/e2e/u32.py asks the
 * kernel's own match.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case_priv.h"

/* The number at *@s, which is moved behind it and the blanks around it. */
static uint32_t
number(const char **s)
{
	char *end;
	const uint32_t v = (uint32_t)strtoul(*s, &end, 0);

	*s = end + strspn(end, " \t\n\v\f\r");
	return v;
}

static bool
take(const char **s, const char *word)
{
	if (strncmp(*s, word, strlen(word)) != 0)
		return false;
	*s += strlen(word);
	return true;
}

/* The word at @at + @off; false outside the packet. Sums are exact. */
static bool
fetch(const uint8_t *p, uint32_t len, uint64_t at, uint32_t off, uint32_t *ret)
{
	if (at + off + 4 > len)
		return false;
	*ret = load_be32(p + at + off);
	return true;
}

/* One "location = value" at *@s. */
static enum case_verdict
test(const char **s, const uint8_t *p, uint32_t len)
{
	uint64_t a = 0;
	uint32_t c = 0;
	bool inside = fetch(p, len, a, number(s), &c), found = false;

	while (!take(s, "=")) {
		if (take(s, "&")) {
			c &= number(s);
		} else if (take(s, "<<")) {
			c <<= number(s);
		} else if (take(s, ">>")) {
			c >>= number(s);
		} else if (take(s, "@")) {
			a += c;
			inside &= fetch(p, len, a, number(s), &c);
		} else {
			abort();
		}
	}
	do {
		const uint32_t min = number(s), max = take(s, ":") ? number(s) : min;

		found |= c >= min && c <= max;
	} while (take(s, ","));
	return !inside ? CASE_OUTSIDE : found ? CASE_YES : CASE_NO;
}

/* With "!" a load outside is a test that fails like another; else it ends all. */
static enum case_verdict
judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const bool invert = strcmp(c->argv[0], "!") == 0;
	const char *s = c->argv[c->argc - 1];
	enum case_verdict v;

	do
		v = test(&s, p, len);
	while (v == CASE_YES && take(&s, "&&"));
	return !invert ? v : v == CASE_YES ? CASE_NO : CASE_YES;
}

/* ---- patterns ---- */

static uint32_t
put_number(struct rng *rng, char *s, uint32_t v)
{
	switch (rng_below(rng, 12)) {
	case 0: return (uint32_t)sprintf(s, "0X%X", v);
	case 1: return (uint32_t)sprintf(s, "0%o", v);
	case 2: return (uint32_t)sprintf(s, " %u\t", v);
	case 3: return (uint32_t)sprintf(s, "+%u", v);
	case 4:
	case 5:
	case 6: return (uint32_t)sprintf(s, "0x%x", v);
	default: return (uint32_t)sprintf(s, "%u", v);
	}
}

/* A location; *@c becomes what it gives on the datagram that the seed makes. */
static uint32_t
put_location(struct rng *rng, char *s, const uint8_t *p, uint32_t len, uint32_t *c)
{
	const uint32_t steps = rng_below(rng, 5);
	uint32_t n = 0, v, off = one_in(rng, 20) ? (uint32_t)rng_next(rng) : rng_below(rng, 50);
	uint64_t a = 0;

	n += put_number(rng, s, off);
	*c = 0;
	(void)fetch(p, len, a, off, c);
	for (uint32_t i = 0; i < steps; i++)
		switch (rng_below(rng, 5)) {
		case 0:
			v = one_in(rng, 2)       ? 0xff
				: one_in(rng, 2) ? 0xffff
						 : (uint32_t)rng_next(rng);
			n += (uint32_t)sprintf(s + n, "&");
			n += put_number(rng, s + n, v);
			*c &= v;
			break;
		case 1:
			v = rng_below(rng, 32);
			n += (uint32_t)sprintf(s + n, "<<");
			n += put_number(rng, s + n, v);
			*c <<= v;
			break;
		case 2:
			v = rng_below(rng, 32);
			n += (uint32_t)sprintf(s + n, ">>");
			n += put_number(rng, s + n, v);
			*c >>= v;
			break;
		default: /* often small enough to stay within */
			if (!one_in(rng, 6)) {
				n += (uint32_t)sprintf(s + n, "&0x1f");
				*c &= 0x1f;
			}
			off = rng_below(rng, 20);
			n += (uint32_t)sprintf(s + n, "@");
			n += put_number(rng, s + n, off);
			a += *c;
			*c = 0;
			(void)fetch(p, len, a, off, c);
			break;
		}
	return n;
}

static uint32_t
put_value(struct rng *rng, char *s, uint32_t c)
{
	const uint32_t ranges = 1 + rng_below(rng, 3), right = rng_below(rng, ranges);
	uint32_t n = 0;

	for (uint32_t i = 0; i < ranges; i++) {
		/* A range around the value; or one that need not hold, and may be empty. */
		const uint32_t low = rng_below(rng, 3), high = rng_below(rng, 3);
		const uint32_t min =
			i == right ? (c >= low ? c - low : 0) : (uint32_t)rng_next(rng);
		const uint32_t max = i == right ? (c <= UINT32_MAX - high ? c + high : c)
						: (uint32_t)rng_next(rng);

		n += (uint32_t)sprintf(s + n, "%s", i > 0 ? "," : "");
		n += put_number(rng, s + n, min);
		if (min == max || one_in(rng, 6))
			continue;
		n += (uint32_t)sprintf(s + n, ":");
		n += put_number(rng, s + n, max);
	}
	return n;
}

static uint32_t
own_datagram(const struct gencase *c, uint8_t *p)
{
	struct rng own = {c->seed};
	const uint32_t n = 8 + rng_below(&own, 60);

	return case_headers(&own, c, p, 17, n) + n;
}

static void
pattern(struct rng *rng, struct gencase *c)
{
	const uint32_t tests = one_in(rng, 2) ? 1 : 1 + rng_below(rng, 3);
	uint8_t p[GENCASE_FRAME_MAX];
	const uint32_t len = own_datagram(c, p);
	char text[2000];
	uint32_t n = 0, value;

	if (one_in(rng, 4))
		case_word(c, "!");
	for (uint32_t i = 0; i < tests; i++) {
		n += (uint32_t)sprintf(text + n, "%s", i > 0 ? "&&" : "");
		n += put_location(rng, text + n, p, len, &value);
		n += (uint32_t)sprintf(text + n, one_in(rng, 3) ? " = " : "=");
		n += put_value(rng, text + n, value);
	}
	case_word(c, "%.*s", (int)n, text);
}

static uint32_t
frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	uint32_t len = own_datagram(c, p);
	const uint32_t from = c->opts.family == 4 ? 1 : 0;

	for (uint32_t i = rng_below(rng, 3); i > 0; i--)
		flip_bit(rng, p + from, one_in(rng, 2) ? 24 : len - from);
	if (one_in(rng, 8))
		len = 20 + rng_below(rng, len - 19);
	return len;
}

const struct case_type case_u32 = {
	.name = "u32", .pattern = pattern, .frame = frame, .judge = judge};
