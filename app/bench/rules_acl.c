// SPDX-License-Identifier: BSD-3-Clause
/* DPDK's own classifier of five-tuples, asked in bursts, right on the IP headers. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_malloc.h>
#include <rte_vect.h>

/* rte_acl.h defines it, too, and so as ours. */
#undef DIM
#include "rules.h"

enum { PROTO, SRC, DST, SPORT, DPORT, FIELDS };

/* Offsets from an IPv4 header without options, which all frames here have. */
static const struct rte_acl_field_def defs[FIELDS] = {
	{RTE_ACL_FIELD_TYPE_BITMASK, 1, PROTO, 0, 9},
	{RTE_ACL_FIELD_TYPE_MASK, 4, SRC, 1, 12},
	{RTE_ACL_FIELD_TYPE_MASK, 4, DST, 2, 16},
	{RTE_ACL_FIELD_TYPE_RANGE, 2, SPORT, 3, 20},
	{RTE_ACL_FIELD_TYPE_RANGE, 2, DPORT, 3, 22},
};

RTE_ACL_RULE_DEF(tuple_rule, FIELDS);

static void
set_prefix(struct rte_acl_field *field, const struct match_prefixes *p)
{
	if (p->any)
		return;
	field->value.u32 = load_be32(p->v[0].addr.bytes);
	field->mask_range.u32 = p->v[0].len;
}

static void
set_range(struct rte_acl_field *field, const struct match_ranges *r)
{
	field->value.u16 = r->n > 0 ? r->v[0].lo : 0;
	field->mask_range.u16 = r->n > 0 ? r->v[0].hi : UINT16_MAX;
}

static int
add_rules(struct rte_acl_ctx *ctx, const struct rules_input *in)
{
	for (size_t i = 0; i < in->n; i++) {
		const struct match_scope *s = &in->rules[i].scope;
		struct tuple_rule rule = {.data = {.category_mask = 1}};
		int r;

		rule.data.priority = (int32_t)(in->n - i);
		rule.data.userdata = (uint32_t)i + 1;
		if (s->proto.n > 0) {
			rule.field[PROTO].value.u8 = (uint8_t)s->proto.v[0].lo;
			rule.field[PROTO].mask_range.u8 = 0xff;
		}
		set_prefix(&rule.field[SRC], &s->src);
		set_prefix(&rule.field[DST], &s->dst);
		set_range(&rule.field[SPORT], &s->sport);
		set_range(&rule.field[DPORT], &s->dport);
		r = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&rule, 1);
		if (r < 0)
			return r;
	}
	return 0;
}

static size_t
heap_bytes(void)
{
	struct rte_malloc_socket_stats stats;

	return rte_malloc_get_socket_stats(0, &stats) == 0 ? stats.heap_allocsz_bytes : 0;
}

static int
acl_make(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY])
{
	const struct rte_acl_param param = {.name = "bench",
		.socket_id = 0,
		.rule_size = RTE_ACL_RULE_SZ(FIELDS),
		.max_rule_num = (uint32_t)in->n};
	struct rte_acl_config config = {.num_categories = 1, .num_fields = FIELDS};
	const size_t before = heap_bytes();
	struct rte_acl_ctx *ctx;
	int r;

	/* Else it leaves AVX-512 alone. */
	(void)rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512);
	ctx = rte_acl_create(&param);
	if (ctx == NULL)
		return -ENOMEM;
	memcpy(config.defs, defs, sizeof(defs));
	r = add_rules(ctx, in);
	if (r == 0)
		r = rte_acl_build(ctx, &config);
	if (r < 0) {
		(void)snprintf(why, RULES_WHY, "rte_acl: %s", strerror(-r));
		rte_acl_free(ctx);
		return r;
	}
	ret->handle = ctx;
	ret->bytes = heap_bytes() - before;
	return 0;
}

static void
acl_run(const struct rules_made *m, const struct rules_frames *f, uint32_t from, uint32_t n,
	uint32_t *ret)
{
	for (uint32_t i = 0; i < n; i += RULES_BURST) {
		const uint8_t *data[RULES_BURST];

		for (uint32_t k = 0; k < RULES_BURST; k++)
			data[k] = f->datagrams[from + i + k].data;
		(void)rte_acl_classify(m->handle, data, ret + i, RULES_BURST, 1);
		/* 0 is none, and so becomes RULES_NONE. */
		for (uint32_t k = 0; k < RULES_BURST; k++)
			ret[i + k]--;
	}
}

static void
acl_fini(struct rules_made *m)
{
	rte_acl_free(m->handle);
}

const struct rules_engine rules_rte_acl = {
	.key = "rte_acl",
	.help = "DPDK's rte_acl (five-tuples alone)",
	.max_rules = SIZE_MAX,
	.tuples_only = true,
	.make = acl_make,
	.run = acl_run,
	.fini = acl_fini,
};
