// SPDX-License-Identifier: BSD-3-Clause
/* dns_validate and syn_validate: a query or a SYN in order, with something changed. */
#include <string.h>

#include "case_priv.h"

static void
strict_pattern(struct rng *rng, struct gencase *c)
{
	if (one_in(rng, 2))
		case_word(c, "%s", one_in(rng, 2) ? "--strict" : "-s");
}

static bool
is_strict(const struct gencase *c)
{
	return c->argc > 0;
}

/* ---- dns_validate ---- */

static uint32_t
query_frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	const uint32_t l4 = case_headers(rng, c, p, 17, 8 + 40);
	uint8_t *dns = p + l4 + 8;

	store_be16(p + l4 + 4, one_in(rng, 4) ? 28 : 29);
	store_be16(dns + 2, one_in(rng, 2) ? 0x0100 : 0);
	memcpy(dns + 4, "\0\1\0\0\0\0\0\1", 8);
	if (one_in(rng, 2))
		flip_bit(rng, dns + 2, 10);
	return l4 + 8 + 40;
}

static enum case_verdict
query_judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const uint8_t *udp = p + case_l4(c, p), *dns = udp + 8;
	const uint16_t allowed = is_strict(c) ? 0x0070 : 0x0370;

	(void)len;
	return load_be16(udp + 4) < 29 || (load_be16(dns + 2) & ~allowed) != 0 ||
			load_be16(dns + 4) != 1 || load_be16(dns + 6) != 0 ||
			load_be16(dns + 8) != 0 || load_be16(dns + 10) > 1
		? CASE_YES
		: CASE_NO;
}

/* ---- syn_validate ---- */

static uint32_t
syn_frame(struct rng *rng, const struct gencase *c, uint8_t *p)
{
	static const char options[][21] = {"\2\4\5\xb4\4\2\x8\xa\1\2\3\4\0\0\0\0\1\3\3\7",
		"\1\1\1\1\1\1\1\1\2\4\5\xb4\xfd\2\xfd\2\0\xff\xff\xff",
		"\2\4\5\xb4\1\1\1\1\0\0\0\0\1\1\1\1\1\1\1\1",
		"\xfd\x10\1\2\1\2\1\2\1\2\1\2\1\2\1\2\2\4\5\xb4",
		"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\2\4\5\xb4",
		"\2\4\5\xb4\3\3\7\1\1\1\1\1\1\1\1\1\1\1\1\0"};
	const uint32_t l4 = case_headers(rng, c, p, 6, 60);
	const uint32_t n = one_in(rng, 4) ? 40 : 20;
	uint8_t *tcp = p + l4;

	tcp[12] = (uint8_t)((20 + n) << 2);
	tcp[13] = 2;
	memcpy(tcp + 20, options[rng_below(rng, DIM(options))], 20);
	if (n == 40)
		memcpy(tcp + 40, options[rng_below(rng, DIM(options))], 20);
	if (one_in(rng, 12))
		store_be16(tcp + 2 * rng_below(rng, 2), 0);
	for (uint32_t i = rng_below(rng, 3); i > 0; i--)
		flip_bit(rng, tcp + 12, 8 + n);
	if (one_in(rng, 8)) /* … or in the length of the datagram */
		flip_bit(rng, p + (c->opts.family == 4 ? 3 : 5), 1);
	return l4 + 60;
}

static bool
options_are_bad(const uint8_t *o, uint32_t n)
{
	bool mss = false;

	for (uint32_t i = 0; i < n;) {
		if (o[i] == 0)
			break;
		if (o[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= n || o[i + 1] < 2 || i + o[i + 1] > n)
			return true;
		if (o[i] == 2 && o[i + 1] != 4)
			return true;
		mss |= o[i] == 2;
		i += o[i + 1];
	}
	return !mss;
}

static enum case_verdict
syn_judge(const struct gencase *c, const uint8_t *p, uint32_t len)
{
	const uint32_t l4 = case_l4(c, p);
	const uint8_t *tcp = p + l4;
	const uint32_t total = c->opts.family == 4 ? load_be16(p + 2) : load_be16(p + 4) + 40u;
	const uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;

	(void)len;
	if ((tcp[13] & 0x12) != 0x02)
		return CASE_NO;
	if ((tcp[13] & 0x05) != 0 || header < 20 || l4 + header > total)
		return CASE_YES;
	if (is_strict(c) &&
		((tcp[13] & 0x28) != 0 || (tcp[12] & 0x0e) != 0 || load_be16(tcp) == 0 ||
			load_be16(tcp + 2) == 0 || load_be16(tcp + 14) == 0))
		return CASE_YES;
	return options_are_bad(tcp + 20, header - 20) ? CASE_YES : CASE_NO;
}

const struct case_type case_dns_validate = {.name = "dns_validate",
	.extensions = true,
	.pattern = strict_pattern,
	.frame = query_frame,
	.judge = query_judge};
const struct case_type case_syn_validate = {.name = "syn_validate",
	.extensions = true,
	.pattern = strict_pattern,
	.frame = syn_frame,
	.judge = syn_judge};
