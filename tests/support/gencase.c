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

void
gencase_frame(struct rng *rng, const struct gencase *c, struct gencase_frame *ret)
{
	uint8_t *ip = ret->bytes + c->opts.l3_off;

	for (uint32_t i = 0; i < c->opts.l3_off; i++)
		ret->bytes[i] = (uint8_t)rng_next(rng);
	if (types[c->index]->link != NULL)
		types[c->index]->link(rng, c, ip);
	ret->len = c->opts.l3_off + types[c->index]->frame(rng, c, ip);
	if (ret->len > GENCASE_FRAME_MAX)
		abort();
}

bool
gencase_wants(const struct gencase *c, const struct gencase_frame *f)
{
	const enum case_verdict v =
		types[c->index]->judge(c, f->bytes + c->opts.l3_off, f->len - c->opts.l3_off);

	return v != CASE_OUTSIDE && (v == CASE_YES) != c->opts.negate;
}
