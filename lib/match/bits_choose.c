// SPDX-License-Identifier: BSD-3-Clause
/* Which rules the bit-vector kernel is to have. */
#include "bits.h"
#include "image_impl.h"
#include "match/rule.h"

/* Prefixes of a rule; a longer list is looked up by itself, see prefixes.h. */
#define PREFIXES_MAX 4096

static bool
can_have(const struct match_image *im, const struct match_rule *rules, uint32_t r)
{
	const struct match_scope *s = &rules[r].scope;

	return im->entries[r].run == MATCH_RUN_NONE && (s->src.any || s->src.n <= PREFIXES_MAX) &&
		(s->dst.any || s->dst.n <= PREFIXES_MAX);
}

/* What a hash table sees of a scope: rules of one shape can share one. */
struct shape {
	uint8_t src_len, dst_len;
	bool src, dst, sport, dport, proto;
};

#define SHAPES_FEW 3

static struct shape
shape_of(const struct match_scope *s)
{
	return (struct shape){
		.src_len = s->src.any || s->src.n == 0 ? 0 : s->src.v[0].len,
		.dst_len = s->dst.any || s->dst.n == 0 ? 0 : s->dst.v[0].len,
		.src = !s->src.any,
		.dst = !s->dst.any,
		.sport = s->sport.n > 0,
		.dport = s->dport.n > 0,
		.proto = s->proto.n > 0,
	};
}

static bool
same_shape(const struct shape *a, const struct shape *b)
{
	return a->src_len == b->src_len && a->dst_len == b->dst_len && a->src == b->src &&
		a->dst == b->dst && a->sport == b->sport && a->dport == b->dport &&
		a->proto == b->proto;
}

static bool
is_exact(const struct match_ranges *r)
{
	return r->n == 0 || (r->n == 1 && r->v[0].lo == r->v[0].hi);
}

bool
bits_hash_is_better(const struct match_rule *rules, size_t n, const bool *take)
{
	struct shape few[SHAPES_FEW];
	uint32_t n_few = 0;

	for (size_t i = 0; i < n; i++) {
		const struct match_scope *s = &rules[i].scope;
		const struct shape shape = shape_of(s);
		uint32_t k = 0;

		if (!take[i])
			continue;
		if (!is_exact(&s->sport) || !is_exact(&s->dport) || s->src.n > 1 || s->dst.n > 1)
			return false;
		while (k < n_few && !same_shape(&few[k], &shape))
			k++;
		if (k < n_few)
			continue;
		if (n_few == SHAPES_FEW)
			return false;
		few[n_few++] = shape;
	}
	return true;
}

uint32_t
bits_choose(const struct match_image *im, const struct match_rule *rules, uint32_t min,
	const bool *taken, bool *ret_take)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < im->n; i++) {
		ret_take[i] = !taken[i] && can_have(im, rules, i);
		n += ret_take[i];
	}
	return n < min || (min > 1 && bits_hash_is_better(rules, im->n, ret_take)) ? 0 : n;
}
