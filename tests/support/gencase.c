// SPDX-License-Identifier: BSD-3-Clause
#include "gencase.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "case_priv.h"

static const struct case_type *const types[] = {
	&case_dns,
	&case_dns_validate,
	&case_p0f,
	&case_payload,
	&case_suffix,
	&case_syn_validate,
	&case_ntp,
	&case_ssdp,
	&case_sip,
	&case_cldap,
	&case_memcached,
	&case_tcpdump,
	&case_u32,
};

const char *
gencase_name(size_t i)
{
	return i < DIM(types) ? types[i]->name : NULL;
}

void
case_word(struct gencase *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (c->argc == GENCASE_WORDS)
		abort();
	va_start(ap, fmt);
	n = vsnprintf(c->text[c->argc], GENCASE_TEXT, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= GENCASE_TEXT)
		abort();
	c->argv[c->argc] = c->text[c->argc];
	c->argc++;
}

bool
case_has(const struct gencase *c, const char *text)
{
	for (int i = 0; i < c->argc; i++)
		if (strcmp(c->argv[i], text) == 0)
			return true;
	return false;
}

const char *
case_value(const struct gencase *c, const char *text)
{
	for (int i = 0; i + 1 < c->argc; i++)
		if (strcmp(c->argv[i], text) == 0)
			return c->argv[i + 1];
	return NULL;
}

uint32_t
case_l4(const struct gencase *c, const uint8_t *p)
{
	return c->opts.family == 4 ? (p[0] & 15u) * 4 : 40;
}

uint32_t
case_headers(struct rng *rng, const struct gencase *c, uint8_t *p, uint8_t proto, uint32_t l4_len)
{
	const uint32_t ihl = c->opts.family == 4 && one_in(rng, 4) ? 6 + rng_below(rng, 10) : 5;
	const uint32_t l4 = c->opts.family == 4 ? 4 * ihl : 40;

	for (uint32_t i = 0; i < l4 + l4_len; i++)
		p[i] = (uint8_t)rng_next(rng);
	if (c->opts.family == 4) {
		p[0] = (uint8_t)(0x40 | ihl);
		store_be16(p + 2, (uint16_t)(l4 + l4_len));
		store_be16(p + 6, one_in(rng, 2) ? 0x4000 : 0);
		p[9] = proto;
	} else {
		p[0] = 0x60;
		store_be16(p + 4, (uint16_t)l4_len);
		p[6] = proto;
	}
	if (proto == 17)
		store_be16(p + l4 + 4, (uint16_t)l4_len);
	return l4;
}

/* What is looked for behind extension headers. */
static uint8_t
case_proto(const struct gencase *c)
{
	return strcmp(c->type, "syn_validate") == 0 || case_has(c, "--tcp") ? 6 : 17;
}

void
gencase_random(struct rng *rng, size_t i, struct gencase *ret)
{
	static const uint32_t offs[] = {0, 0, 14, 16, 18, 5};

	for (;;) {
		struct gen_out out = {0};
		struct diag diag = {0};
		int r;

		*ret = (struct gencase){.index = i,
			.type = types[i]->name,
			.seed = rng_next(rng),
			.opts = {.family = one_in(rng, 2) ? 4 : 6,
				.l3_off = offs[rng_below(rng, DIM(offs))],
				.negate = one_in(rng, 5)}};
		ret->opts.extensions =
			types[i]->extensions && ret->opts.family == 6 && one_in(rng, 2);
		types[i]->pattern(rng, ret);
		r = gen_run(ret->type, &ret->opts, ret->argc, ret->argv, &out, &diag);
		gen_out_fini(&out);
		if (r == 0)
			return;
		/* A pattern may be too long, or impossible where its row says so. */
		if (r != -E2BIG && !types[i]->may_refuse) {
			(void)fprintf(stderr, "%s", ret->type);
			for (int w = 0; w < ret->argc; w++)
				(void)fprintf(stderr, " '%s'", ret->argv[w]);
			(void)fprintf(stderr, ": %s\n", diag.msg);
			abort();
		}
	}
}

/* ---- extension headers of IPv6 (RFC 8200, RFC 4302) ---- */

#define EXTENSIONS_MAX 8
#define EXTENSIONS_ROOM 600 /* bytes */

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AH = 51, DESTINATION = 60 };

/* Bytes of the header of @type at @p, 0: it is none. */
static uint32_t
extension_len(uint8_t type, const uint8_t *p)
{
	switch (type) {
	case HOP_BY_HOP:
	case ROUTING:
	case DESTINATION: return (p[1] + 1u) * 8;
	case AH: return (p[1] + 2u) * 4;
	case FRAGMENT: return 8;
	default: return 0;
	}
}

/* Put headers between IP and what follows it; now and then one that ends the way there. */
static uint32_t
add_extensions(struct rng *rng, uint8_t *ip, uint32_t len)
{
	static const uint8_t kinds[] = {HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION};
	const uint32_t n = one_in(rng, 20) ? 8 + rng_below(rng, 2) : rng_below(rng, 4);
	uint8_t room[EXTENSIONS_ROOM], *next = &ip[6];
	uint8_t last = ip[6];
	uint32_t used = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *h = room + used;

		*next = one_in(rng, 40) ? 135 : kinds[rng_below(rng, DIM(kinds))];
		memset(h, 0, 64);
		h[1] = (uint8_t)rng_below(rng, 5);
		if (*next == FRAGMENT)
			store_be16(h + 2, one_in(rng, 10) ? 0x0008 : one_in(rng, 2));
		used += *next == 135 ? 8 : extension_len(*next, h);
		next = h;
	}
	*next = last;
	memmove(ip + 40 + used, ip + 40, len - 40);
	memcpy(ip + 40, room, used);
	store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + used));
	return len + used;
}

/*
 * The datagram at @ip without its extension headers, in @out. False when what is
 * behind them cannot be told: a later fragment, another protocol, too many headers.
 */
static bool
strip_extensions(const uint8_t *ip, uint32_t len, uint8_t proto, uint8_t *out)
{
	uint8_t type = ip[6];
	uint32_t at = 40, n;

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		n = extension_len(type, ip + at);
		if (n == 0)
			break;
		if (type == FRAGMENT && (load_be16(ip + at + 2) & 0xfff8) != 0)
			return false;
		type = ip[at];
		at += n;
	}
	if (type != proto || at > len)
		return false;
	memcpy(out, ip, 40);
	memcpy(out + 40, ip + at, len - at);
	out[6] = type;
	store_be16(out + 4, (uint16_t)(load_be16(ip + 4) - (at - 40)));
	return true;
}

void
gencase_frame(struct rng *rng, const struct gencase *c, struct gencase_frame *ret)
{
	uint8_t *ip = ret->bytes + c->opts.l3_off;

	for (uint32_t i = 0; i < c->opts.l3_off; i++)
		ret->bytes[i] = (uint8_t)rng_next(rng);
	if (types[c->index]->link != NULL)
		types[c->index]->link(rng, c, ip);
	ret->len = types[c->index]->frame(rng, c, ip);
	if (c->opts.extensions && ret->len >= 40)
		ret->len = add_extensions(rng, ip, ret->len);
	ret->len += c->opts.l3_off;
	if (ret->len > GENCASE_FRAME_MAX)
		abort();
}

bool
gencase_wants(const struct gencase *c, const struct gencase_frame *f)
{
	const uint8_t *ip = f->bytes + c->opts.l3_off;
	uint32_t len = f->len - c->opts.l3_off;
	uint8_t plain[GENCASE_FRAME_MAX];
	enum case_verdict v;

	if (c->opts.extensions) {
		if (!strip_extensions(ip, len, case_proto(c), plain))
			return false; /* negated, too: it is not what the pattern is of */
		len -= (uint32_t)(load_be16(ip + 4) - load_be16(plain + 4));
		ip = plain;
	}
	v = types[c->index]->judge(c, ip, len);
	return v != CASE_OUTSIDE && (v == CASE_YES) != c->opts.negate;
}

bool
gencase_excused(const struct gencase *c, const struct gencase_frame *f)
{
	const struct case_type *type = types[c->index];

	return type->excused != NULL && type->excused(c, f, gencase_wants(c, f));
}
