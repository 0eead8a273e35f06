// SPDX-License-Identifier: BSD-3-Clause
/* suffix and payload: bytes with wildcards at a place of the datagram. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case_priv.h"

struct bytes {
	uint8_t val[64], mask[64];
	uint32_t n;
};

static uint8_t
digit(char c, uint8_t *mask)
{
	*mask = c == 'x' || c == '?' ? 0 : 15;
	return *mask == 0 ? 0 : (uint8_t)strtoul((const char[]){c, '\0'}, NULL, 16);
}

/* "0a1x/ff0f" or "text:abc"; with a mask, its bits count besides the digits' own. */
static void
parse(const char *text, struct bytes *b)
{
	const char *slash = strchr(text, '/');
	const size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	uint8_t hi, lo;

	b->n = 0;
	if (strncmp(text, "text:", 5) == 0) {
		b->n = (uint32_t)n - 5;
		memcpy(b->val, text + 5, b->n);
		memset(b->mask, 0xff, b->n);
		return;
	}
	for (size_t i = 0; i < n; i += 2, b->n++) {
		b->val[b->n] = (uint8_t)(digit(text[i], &hi) << 4);
		b->val[b->n] |= digit(text[i + 1], &lo);
		b->mask[b->n] = (uint8_t)(hi << 4 | lo);
		if (slash != NULL)
			b->mask[b->n] &=
				(uint8_t)(digit(slash[1 + i], &hi) << 4 | digit(slash[2 + i], &hi));
	}
}

/* Hexadecimal text: now and then an x, now and then a mask. */
static void
random_text(struct rng *rng, bool with_mask, char *s)
{
	static const char digits[] = "0123456789abcdef";
	const uint32_t n = 1 + rng_below(rng, 20);
	const bool wild = one_in(rng, 3), mask = with_mask && one_in(rng, 2);

	for (uint32_t i = 0; i < 2 * n; i++)
		*s++ = i > 0 && wild && one_in(rng, 3) ? "x?"[rng_below(rng, 2)]
						       : digits[rng_below(rng, 16)];
	if (mask) {
		*s++ = '/';
		*s++ = 'f'; /* one digit at least is asked */
		for (uint32_t i = 1; i < 2 * n; i++)
			*s++ = one_in(rng, 3) ? digits[rng_below(rng, 16)] : 'f';
	}
	*s = '\0';
}

/* In half of the frames the pattern stands where it should, in others with a bit changed. */
static void
plant(struct rng *rng, const struct bytes *b, uint8_t *p, uint32_t low, int64_t at)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (at + i >= low) /* what says where the payload starts is left alone */
			p[at + i] = (uint8_t)((p[at + i] & ~b->mask[i]) | (b->val[i] & b->mask[i]));
	if (one_in(rng, 2) && at >= low)
		flip_bit(rng, p + at, b->n);
}

static bool
equal(const struct bytes *b, const uint8_t *p)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (((p[i] ^ b->val[i]) & b->mask[i]) != 0)
			return false;
	return true;
}

/* ---- suffix ---- */

static void
suffix_pattern(struct rng *rng, struct gencase *c)
{
	char text[64 * 2 + 1];

	random_text(rng, false, text);
	if (one_in(rng, 4) && strlen(text) > 2) {
		/* Several words are one pattern. */
		case_word(c, "%.2s", text);
		case_word(c, "%s", text + 2);
		return;
	}
	case_word(c, "%s", text);
}

static void
suffix_bytes(const struct gencase *c, struct bytes *b)
{
	char text[GENCASE_TEXT];

	(void)snprintf(text, sizeof(text), "%s%s", c->argv[0], c->argc > 1 ? c->argv[1] : "");
	parse(text, b);
}

static uint32_t
suffix_frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const uint32_t n = rng_below(rng, 30);
	const uint32_t l4 = case_headers(rng, c, p, 17, 8 + n);
	const uint32_t len = one_in(rng, 10) ? rng_below(rng, 20) : l4 + 8 + n;
	struct bytes b;

	suffix_bytes(c, &b);
	plant(rng, &b, p, 1, (int64_t)len - b.n);
	return len;
}

static enum case_verdict
suffix_judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	struct bytes b;

	suffix_bytes(c, &b);
	/* The offset says where IP starts; the packet, which ends here, starts before it. */
	if (len + c->opts.l3_off < b.n)
		return CASE_OUTSIDE;
	return equal(&b, p + len - b.n) ? CASE_YES : CASE_NO;
}

/* ---- payload ---- */

static void
payload_pattern(struct rng *rng, struct gencase *c)
{
	char text[64 * 4 + 2];

	case_word(c, "%s", one_in(rng, 2) ? "--tcp" : "--udp");
	switch (rng_below(rng, 4)) {
	case 0: break;
	case 1: case_word(c, "--end"); break;
	case 2:
		case_word(c, "--at");
		case_word(c, "%u", rng_below(rng, 12));
		break;
	default:
		case_word(c, "--before-end");
		case_word(c, "%u", rng_below(rng, 12));
		break;
	}
	random_text(rng, true, text);
	if (one_in(rng, 4))
		(void)snprintf(text, sizeof(text), "text:%.*s", (int)(1 + rng_below(rng, 9)),
			"xyzzy-Foo Bar");
	case_word(c, "%s", text);
}

static int64_t
payload_at(const struct gencase *c, const uint8_t *p, uint32_t len, const struct bytes *b,
	uint32_t *ret_start)
{
	const char *at = case_value(c, "--at"), *before = case_value(c, "--before-end");
	const uint32_t l4 = case_l4(c, p);
	const uint32_t header = case_has(c, "--tcp") ? (p[l4 + 12] >> 4) * 4u : 8;

	*ret_start = l4 + header;
	if (before != NULL || case_has(c, "--end"))
		return (int64_t)len - b->n - (before != NULL ? strtol(before, NULL, 10) : 0);
	return (int64_t)l4 + header + (at != NULL ? strtol(at, NULL, 10) : 0);
}

static uint32_t
payload_frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const bool tcp = case_has(c, "--tcp");
	const uint32_t header = tcp ? 20 + 4 * rng_below(rng, 11) : 8;
	/* Negated, no load may miss. */
	const uint32_t n = (c->opts.negate ? 40 : 0) + rng_below(rng, 50);
	const uint32_t l4 = case_headers(rng, c, p, tcp ? 6 : 17, header + n);
	struct bytes b;
	uint32_t start;
	int64_t at;

	if (tcp)
		p[l4 + 12] = (uint8_t)(header << 2);
	parse(c->argv[c->argc - 1], &b);
	at = payload_at(c, p, l4 + header + n, &b, &start);
	plant(rng, &b, p, start, at);
	return l4 + header + n;
}

static enum case_verdict
payload_judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	struct bytes b;
	uint32_t start;
	int64_t at;

	parse(c->argv[c->argc - 1], &b);
	at = payload_at(c, p, len, &b, &start);
	return at >= start && at + b.n <= len && equal(&b, p + at) ? CASE_YES : CASE_NO;
}

const struct case_type case_suffix = {
	.name = "suffix", .pattern = suffix_pattern, .frame = suffix_frame, .judge = suffix_judge};
const struct case_type case_payload = {.name = "payload",
	.extensions = true,
	.pattern = payload_pattern,
	.frame = payload_frame,
	.judge = payload_judge};
