// SPDX-License-Identifier: BSD-3-Clause
/* Whether what one scope allows is within what another one allows: lists and ranges. */
#include <string.h>

#include "base/util.h"
#include "cover.h"
#include "image_impl.h"
#include "item.h"
#include "match/rule.h"

/* Pairs of prefixes that are compared; of longer lists only equal ones are seen. */
#define PREFIX_PAIRS_MAX 1024

/* Whether @lo to @hi is within ranges of @a, one behind the other. */
static bool
range_within(const struct match_ranges *a, uint32_t lo, uint32_t hi)
{
	bool again = true;

	/* Ranges come in any order and may overlap: each round gets further or ends. */
	while (again) {
		again = false;
		for (size_t i = 0; i < a->n; i++) {
			if (a->v[i].lo > lo || lo > a->v[i].hi)
				continue;
			if (a->v[i].hi >= hi)
				return true;
			lo = a->v[i].hi + 1u;
			again = true;
		}
	}
	return false;
}

/* Of lists where none is "any". */
static bool
ranges_within(const struct match_ranges *a, const struct match_ranges *b, uint32_t *cost)
{
	if (a->n == 0)
		return true;
	if (b->n == 0)
		return false;
	for (size_t i = 0; i < b->n; i++) {
		*cost += (uint32_t)a->n;
		if (!range_within(a, b->v[i].lo, b->v[i].hi))
			return false;
	}
	return true;
}

static bool
prefix_within(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len && ip_prefix_has(a, b->addr.family, b->addr.bytes);
}

static bool
same_prefixes(const struct match_prefixes *a, const struct match_prefixes *b, uint32_t *cost)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n && a->v != b->v; i++) {
		++*cost;
		if (a->v[i].len != b->v[i].len || a->v[i].addr.family != b->v[i].addr.family ||
			memcmp(a->v[i].addr.bytes, b->v[i].addr.bytes,
				sizeof(a->v[i].addr.bytes)) != 0)
			return false;
	}
	return true;
}

static bool
prefixes_within(const struct match_prefixes *a, const struct match_prefixes *b, uint32_t *cost)
{
	if (a->any)
		return true;
	if (b->any)
		return false;
	if (same_prefixes(a, b, cost))
		return true;
	if (a->n > PREFIX_PAIRS_MAX || b->n > PREFIX_PAIRS_MAX || a->n * b->n > PREFIX_PAIRS_MAX)
		return false;
	for (size_t i = 0; i < b->n; i++) {
		size_t k = 0;

		while (k < a->n && !prefix_within(&a->v[k], &b->v[i]))
			k++;
		*cost += (uint32_t)k;
		if (k == a->n)
			return false;
	}
	return true;
}

bool
cover_scope(const struct match_rule *a, const struct match_rule *b, uint32_t *cost)
{
	const struct match_scope *x = &a->scope, *y = &b->scope;

	return (x->family == 0 || x->family == y->family) && x->ports == UINT64_MAX &&
		x->fragments == y->fragments && ranges_within(&x->proto, &y->proto, cost) &&
		ranges_within(&x->sport, &y->sport, cost) &&
		ranges_within(&x->dport, &y->dport, cost) &&
		prefixes_within(&x->src, &y->src, cost) && prefixes_within(&x->dst, &y->dst, cost);
}

/* What item @x asks of the bits @mask of the key, all of them, as *@ret; false: not of all. */
static bool
key_of(const struct item *x, uint64_t mask, uint64_t *ret)
{
	const struct item_word *w = x->words;

	if (x->n_words == 0 || w->win != WINDOW_OF_KEY || (w->mask & mask) != mask)
		return false;
	*ret = w->val & mask;
	return true;
}

/* Whether the ports in @a include all that @b has, or the one that @x has at @shift of the key. */
static bool
ports_within(const struct match_ranges *a, const struct match_ranges *b, const struct item *x,
	uint32_t shift, uint32_t *cost)
{
	uint64_t port;

	if (a->n == 0 || (b != NULL && b->n > 0))
		return a->n == 0 || ranges_within(a, b, cost);
	if (!key_of(x, UINT64_C(0xffff) << shift, &port))
		return false;
	*cost += (uint32_t)a->n;
	return range_within(a, (uint32_t)(port >> shift), (uint32_t)(port >> shift));
}

static bool
protos_within(const struct scope_more *a, const struct scope_more *b, const struct item *x)
{
	uint64_t proto;

	if (!a->has_proto)
		return true;
	if (b != NULL && b->has_proto) {
		for (size_t i = 0; i < DIM(a->proto); i++)
			if ((b->proto[i] & ~a->proto[i]) != 0)
				return false;
		return true;
	}
	if (!key_of(x, PKT_KEY_PROTO(0xff), &proto))
		return false;
	proto /= PKT_KEY_PROTO(1);
	return (a->proto[proto / 64] >> proto % 64 & 1) != 0;
}

bool
cover_rest(const struct match_image *im, const struct match_rule *rules, const struct item *y,
	const struct item *x, uint32_t *cost)
{
	const struct scope_more *a = im->entries[y->rule].scope.more;
	const struct scope_more *b = im->entries[x->rule].scope.more;
	const struct match_scope *s = &rules[y->rule].scope, *t = &rules[x->rule].scope;

	if ((y->flags & ITEM_RANGES) != 0 &&
		(!protos_within(a, b, x) ||
			!ports_within(&a->sport, b != NULL ? &b->sport : NULL, x, 32, cost) ||
			!ports_within(&a->dport, b != NULL ? &b->dport : NULL, x, 0, cost)))
		return false;
	return (y->flags & ITEM_LISTS) == 0 ||
		(prefixes_within(&s->src, &t->src, cost) &&
			prefixes_within(&s->dst, &t->dst, cost));
}

bool
cover_sees_same(const struct item *y, const struct item *x)
{
	const struct item_word *key = x->words;
	const uint64_t family = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);

	if (((y->flags ^ x->flags) & ITEM_GENERATED) == 0)
		return true;
	if (x->n_words > 0 && key->win == WINDOW_OF_KEY && (key->mask & family) == family &&
		(key->val & family) == PKT_KEY_FAMILY(4))
		return true;
	if ((y->flags & ITEM_GENERATED) != 0 || y->n_needs > 0)
		return false;
	for (uint32_t i = 0; i < y->n_words; i++) {
		const struct item_word *w = &y->words[i];
		const uint64_t other = w->off == 0 ? UINT64_C(0x00ffffff00000000) : 0;

		if (w->win != WINDOW_OF_KEY &&
			(w->win != WINDOW_OF_START(SPACE_RAW) || w->off < 0 || w->off > 32 ||
				(w->mask & other) != 0))
			return false;
	}
	return true;
}
