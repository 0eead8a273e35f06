// SPDX-License-Identifier: BSD-3-Clause
#include "scope.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"
#include "prefixes.h"

/* A scope under construction: what is asked of every frame, and of which kind of frame. */
struct builder {
	const struct match_rule *rule;
	struct arena *arena;
	struct scope_test test, late;
	bool never; /* two demands contradict each other */
	bool has_late;
	bool has_more;
	struct scope_more more;
};

/* A test that never holds: a value with a bit that the mask removes. */
static const struct scope_test test_never = {0, 1};

static void
ask(struct builder *b, struct scope_test *t, uint32_t mask, uint32_t val)
{
	if (!scope_tests_meet(*t, (struct scope_test){mask, val}))
		b->never = true;
	t->mask |= mask;
	t->val |= val;
}

static void
ask_both(struct builder *b, uint32_t mask, uint32_t val)
{
	ask(b, &b->test, mask, val);
	ask(b, &b->late, mask, val);
}

static int
order_ranges(const void *pa, const void *pb)
{
	const struct u16_range *a = pa, *b = pb;

	return (int)a->lo - (int)b->lo;
}

/* A sorted copy of @list without overlaps. */
static int
tidy_ranges(const struct match_ranges *list, struct arena *arena, struct match_ranges *ret)
{
	struct u16_range *v = arena_zalloc(arena, (list->n + 1) * sizeof(*v));
	size_t kept = 0;

	if (v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		v[i] = list->v[i];
	qsort(v, list->n, sizeof(*v), order_ranges);
	for (size_t i = 0; i < list->n; i++) {
		if (kept > 0 && v[i].lo <= v[kept - 1].hi + 1)
			v[kept - 1].hi = MAX(v[kept - 1].hi, v[i].hi);
		else
			v[kept++] = v[i];
	}
	ret->v = v;
	ret->n = kept;
	return 0;
}

static void
ask_family(struct builder *b)
{
	const struct match_rule *r = b->rule;
	const struct match_scope *s = &r->scope;

	if (s->family != 0)
		ask_both(b, PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), PKT_KEY_FAMILY(s->family));
	if (s->proto.n > 0 || !s->src.any || !s->dst.any)
		ask_both(b, KEY_IP, KEY_IP);
	if (r->scope_only)
		return;
	if (r->link == MATCH_LINK_ETHER) {
		b->never |= r->prog[0] == NULL;
		return;
	}
	ask_both(b, KEY_IP, KEY_IP);
	/* A family without a program never matches, later fragments included. */
	if (r->prog[0] == NULL)
		ask_both(b, PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), PKT_KEY_FAMILY(6));
	if (r->prog[1] == NULL)
		ask_both(b, PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), PKT_KEY_FAMILY(4));
}

static void
ask_proto(struct builder *b)
{
	const struct match_ranges *proto = &b->rule->scope.proto;

	if (proto->n == 0)
		return;
	if (proto->n == 1 && proto->v[0].lo == proto->v[0].hi) {
		b->never |= proto->v[0].lo > UINT8_MAX;
		ask_both(b, PKT_KEY_PROTO(0xff), PKT_KEY_PROTO(proto->v[0].lo & 0xff));
		return;
	}
	for (size_t i = 0; i < proto->n; i++)
		for (unsigned int p = proto->v[i].lo; p <= MIN(proto->v[i].hi, UINT8_MAX); p++)
			b->more.proto[p / 64] |= UINT64_C(1) << p % 64;
	b->more.has_proto = true;
	b->has_more = true;
}

/* Ask for the ports of @list, in ret; @in_key: a single one is the key's. */
static int
ask_ports(struct builder *b, const struct match_ranges *list, bool in_key, struct match_ranges *ret)
{
	if (list->n == 0)
		return 0;
	/* Where no ports are, as in later fragments, none is right. */
	ask(b, &b->test, PKT_KEY_FLAGS(PKT_PORTS), PKT_KEY_FLAGS(PKT_PORTS));
	if (in_key && list->n == 1 && list->v[0].lo == list->v[0].hi) {
		ask(b, &b->test, PKT_KEY_DPORT(0xffff), PKT_KEY_DPORT(list->v[0].lo));
		return 0;
	}
	b->has_more = true;
	return tidy_ranges(list, b->arena, ret);
}

static void
ask_fragments(struct builder *b)
{
	const uint32_t fragment = PKT_KEY_FLAGS(PKT_FRAGMENT),
		       later = PKT_KEY_FLAGS(PKT_FRAG_LATER);

	switch (b->rule->scope.fragments) {
	case MATCH_FRAG_DEFAULT:
		/* Ports are asked for by ask_ports(). */
		if (b->rule->generated && !b->rule->scope_only)
			ask(b, &b->test, later, 0);
		break;
	case MATCH_FRAG_ONLY:
	case MATCH_FRAG_MATCH:
		if (b->rule->scope.fragments == MATCH_FRAG_ONLY)
			ask(b, &b->test, fragment, fragment);
		ask(b, &b->test, later, 0);
		ask(b, &b->late, later, later);
		b->has_late = true;
		break;
	case MATCH_FRAG_NEVER: ask(b, &b->test, fragment, 0); break;
	}
}

static int
ask_prefixes(struct builder *b, const struct match_prefixes *list, struct scope_sets *sets,
	const struct prefixes **ret_set)
{
	struct scope_set *slot;
	size_t i;
	int r;

	if (list->any)
		return 0;
	b->has_more = true;
	i = ((uintptr_t)list->v / 16 * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (sets->n_slots - 1);
	for (;; i = (i + 1) & (sets->n_slots - 1)) {
		slot = &sets->slots[i];
		if (slot->set == NULL)
			break;
		if (slot->v == list->v && slot->n == list->n) {
			*ret_set = slot->set;
			return 0;
		}
	}
	r = prefixes_new(list, b->arena, &slot->set);
	if (r < 0)
		return r;
	slot->v = list->v;
	slot->n = list->n;
	*ret_set = slot->set;
	return 0;
}

static int
ask_all(struct builder *b, struct scope_sets *sets)
{
	const struct match_scope *s = &b->rule->scope;
	int r;

	ask_family(b);
	ask_proto(b);
	ask_fragments(b);
	r = ask_ports(b, &s->sport, false, &b->more.sport);
	if (r == 0)
		r = ask_ports(b, &s->dport, true, &b->more.dport);
	if (r == 0)
		r = ask_prefixes(b, &s->src, sets, &b->more.src);
	if (r == 0)
		r = ask_prefixes(b, &s->dst, sets, &b->more.dst);
	return r;
}

int
scope_new(const struct match_rule *rule, struct arena *arena, struct scope_sets *sets,
	struct scope *ret_scope)
{
	struct builder b = {.rule = rule, .arena = arena};
	struct scope_more *more = NULL;
	int r = ask_all(&b, sets);

	if (r < 0)
		return r;
	/*
	 * "never" may come from a demand on ports, which later fragments are not
	 * asked for; but ports contradict nothing that is asked of both.
	 */
	if (b.never)
		b.test = b.late = test_never;
	if (b.has_more || b.has_late) {
		more = arena_zalloc(arena, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		*more = b.more;
		more->late = b.has_late ? b.late : test_never;
	}
	ret_scope->test = b.test;
	ret_scope->more = more;
	return 0;
}

static bool
ranges_have(const struct match_ranges *ranges, uint16_t port)
{
	const struct u16_range *v = ranges->v;
	size_t n = ranges->n;

	/* The last range that starts at or before port, if any does. */
	while (n > 1) {
		const size_t half = n / 2;

		v += v[half].lo <= port ? half : 0;
		n -= half;
	}
	return v->lo <= port && port <= v->hi;
}

/* Protocols and ports. */
static bool
lists_hold(const struct scope_more *more, const struct pkt_view *v, bool late)
{
	if (more->has_proto && (more->proto[v->proto / 64] >> v->proto % 64 & 1) == 0)
		return false;
	if (!late) {
		if (more->sport.n > 0 && !ranges_have(&more->sport, v->sport))
			return false;
		if (more->dport.n > 0 && !ranges_have(&more->dport, v->dport))
			return false;
	}
	return true;
}

/* Of the frames in @some those whose source or destination address is in @set. */
static uint64_t
addresses_hold(
	const struct prefixes *set, bool source, const struct pkt_view *const *v, uint64_t some)
{
	uint64_t hold = 0;

	for (uint8_t family = 4; family <= 6; family += 2) {
		const uint8_t *addr[PREFIXES_BURST_MAX];
		uint8_t place[PREFIXES_BURST_MAX];
		uint32_t n = 0;

		for (uint64_t m = some; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);

			place[n] = (uint8_t)i;
			addr[n] = source ? pkt_src(v[i]) : pkt_dst(v[i]);
			n += v[i]->family == family;
		}
		for (uint64_t m = prefixes_have(set, family, addr, n); m != 0; m &= m - 1)
			hold |= UINT64_C(1) << place[__builtin_ctzll(m)];
	}
	return hold;
}

uint64_t
scope_more_hold(
	const struct scope_more *more, const struct pkt_view *const *v, uint32_t n, bool late)
{
	uint64_t some = 0;

	for (uint32_t i = 0; i < n; i++)
		some |= (uint64_t)lists_hold(more, v[i], late) << i;
	if (more->dst != NULL)
		some = addresses_hold(more->dst, false, v, some);
	if (more->src != NULL)
		some = addresses_hold(more->src, true, v, some);
	return some;
}

bool
scope_ports_hold(const struct scope_more *more, const struct pkt_view *v)
{
	if (more->has_proto && (more->proto[v->proto / 64] >> v->proto % 64 & 1) == 0)
		return false;
	if (more->sport.n > 0 && !ranges_have(&more->sport, v->sport))
		return false;
	return more->dport.n == 0 || ranges_have(&more->dport, v->dport);
}

bool
scope_lists_hold(const struct scope_more *more, const struct pkt_view *v)
{
	if (more->dst != NULL && !prefixes_has(more->dst, v->family, pkt_dst(v)))
		return false;
	return more->src == NULL || prefixes_has(more->src, v->family, pkt_src(v));
}

bool
scope_more_holds(const struct scope_more *more, const struct pkt_view *v, bool late)
{
	if (more->has_proto && (more->proto[v->proto / 64] >> v->proto % 64 & 1) == 0)
		return false;
	return (late || scope_ports_hold(more, v)) && scope_lists_hold(more, v);
}

int
scope_sets_init(struct scope_sets *sets, size_t n, struct arena *arena)
{
	const size_t n_slots = MAX(16, power_of_2(2 * n));

	sets->slots = arena_zalloc(arena, n_slots * sizeof(*sets->slots));
	sets->n_slots = n_slots;
	return sets->slots != NULL ? 0 : -ENOMEM;
}
