// SPDX-License-Identifier: BSD-3-Clause
/* Which rules the five-tuple kernel can have, and what they ask of a frame. */
#include "tuple_lanes.h"

#include <errno.h>

#include "base/util.h"
#include "bits.h"
#include "image_impl.h"
#include "match/rule.h"

/* The lists of a rule, whose elements are combined. */
enum { SRC, DST, SPORT, DPORT, PROTO, LISTS };

/* The protocols of a rule, where they are a list. */
struct protos {
	uint8_t v[TUPLE_LANES_OF_RULE];
	size_t n;
	bool any;
};

static int
list_protos(const struct scope_more *more, struct protos *ret)
{
	ret->n = 0;
	ret->any = more == NULL || !more->has_proto;
	for (uint32_t p = 0; !ret->any && p <= UINT8_MAX; p++) {
		if ((more->proto[p / 64] >> p % 64 & 1) == 0)
			continue;
		if (ret->n == DIM(ret->v))
			return -E2BIG;
		ret->v[ret->n++] = (uint8_t)p;
	}
	return 0;
}

static bool
is_for_ip4(const struct match_prefixes *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].addr.family != 4)
			return false;
	return true;
}

static struct tuple_prefix
prefix_of(const struct match_prefixes *list, size_t i)
{
	const struct ip_prefix *p = &list->v[i];
	struct tuple_prefix r = {0, 0};

	if (list->any)
		return r;
	r.len = p->len;
	r.addr = p->len == 0 ? 0 : load_be32(p->addr.bytes) & UINT32_MAX << (32 - p->len);
	return r;
}

static struct u16_range
range_of(const struct match_ranges *list, size_t i)
{
	return list->n == 0 ? (struct u16_range){0, UINT16_MAX} : list->v[i];
}

/* One rule on its way to lanes: as a whole, and, where fragments may match, as a later one. */
struct maker {
	const struct match_scope *scope;
	struct protos protos;
	struct tuple_lane *ret;
	int n;
};

static void
add_lane(struct maker *m, uint32_t rule, const struct scope_test *test, const size_t i[LISTS],
	bool late)
{
	const struct match_scope *s = m->scope;
	const struct match_ranges any = {NULL, 0};
	const struct u16_range sport = range_of(late ? &any : &s->sport, i[SPORT]);
	const struct u16_range dport = range_of(late ? &any : &s->dport, i[DPORT]);
	const uint32_t ip4 = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), proto = PKT_KEY_PROTO(0xff);
	uint32_t mask = test->mask | ip4, val = test->val | PKT_KEY_FAMILY(4);

	if (!m->protos.any) {
		mask |= proto;
		val |= PKT_KEY_PROTO(m->protos.v[i[PROTO]]);
	}
	m->ret[m->n++] = (struct tuple_lane){
		.rule = rule,
		.at = {prefix_of(&s->src, i[SRC]), prefix_of(&s->dst, i[DST])},
		.ports_lo = {sport.lo, dport.lo},
		.ports_hi = {sport.hi, dport.hi},
		.meta = (uint16_t)(val >> 16),
		.meta_mask = (uint16_t)(mask >> 16),
	};
}

/* Each combination of the elements of lists. */
static int
add_lanes(struct maker *m, uint32_t rule, const struct scope_test *test, bool late)
{
	const struct match_scope *s = m->scope;
	const size_t n[LISTS] = {
		s->src.any ? 1 : s->src.n,
		s->dst.any ? 1 : s->dst.n,
		late ? 1 : MAX(s->sport.n, 1),
		late ? 1 : MAX(s->dport.n, 1),
		m->protos.any ? 1 : m->protos.n,
	};
	const uint32_t family = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);
	size_t all = 1, i[LISTS] = {0};

	/* What never holds, or only for IPv6. */
	if ((test->val & ~test->mask) != 0 || (test->val & family & ~PKT_KEY_FAMILY(4)) != 0)
		return 0;
	for (int k = 0; k < LISTS; k++) {
		if (n[k] > TUPLE_LANES_OF_RULE)
			return -E2BIG;
		all *= n[k];
	}
	if (all + (size_t)m->n > TUPLE_LANES_OF_RULE)
		return -E2BIG;
	for (; all > 0; all--) {
		add_lane(m, rule, test, i, late);
		for (int k = 0; k < LISTS && ++i[k] == n[k]; k++)
			i[k] = 0;
	}
	return 0;
}

int
tuple_lanes(const struct match_image *im, const struct match_rule *rules, uint32_t rule,
	struct tuple_lane ret[TUPLE_LANES_OF_RULE])
{
	const struct match_entry *e = &im->entries[rule];
	const struct scope_more *more = e->scope.more;
	const struct scope_test *test = &e->scope.test;
	const struct match_scope *s = &rules[rule].scope;
	const uint32_t family = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);
	struct maker m = {.scope = s, .ret = ret};
	bool ip4 = !s->src.any || !s->dst.any;

	/* A rule for some of the device's ports would need to be asked when it is found. */
	if (e->run != MATCH_RUN_NONE || e->ports != UINT64_MAX || list_protos(more, &m.protos) < 0)
		return -E2BIG;
	if ((!s->src.any && !is_for_ip4(&s->src)) || (!s->dst.any && !is_for_ip4(&s->dst)))
		return -E2BIG;
	/* What never holds is, too. */
	ip4 = ip4 || (test->val & ~test->mask) != 0 ||
		((test->mask & family) == family && (test->val & family) == PKT_KEY_FAMILY(4));
	if (!ip4 || add_lanes(&m, rule, test, false) < 0)
		return -E2BIG;
	if (more != NULL && more->late.mask != 0 && add_lanes(&m, rule, &more->late, true) < 0)
		return -E2BIG;
	return m.n;
}

uint32_t
tuple_choose(
	const struct match_image *im, const struct match_rule *rules, uint32_t min, bool *ret_take)
{
	struct tuple_lane lanes[TUPLE_LANES_OF_RULE];
	uint32_t n = 0, costly = 0;

	for (uint32_t i = 0; i < im->n; i++) {
		ret_take[i] = tuple_lanes(im, rules, i, lanes) >= 0;
		n += ret_take[i];
		/* 30 ns one by one where the comparison holds, else 2. */
		costly += ret_take[i] && im->entries[i].scope.more != NULL;
	}
	if (min == 1)
		return n;
	if (n < min && costly == 0)
		return 0;
	return n > TUPLE_FEW && bits_hash_is_better(rules, im->n, ret_take) ? 0 : n;
}
