// SPDX-License-Identifier: BSD-3-Clause
/* What tests say, and where ways meet. */
#include <string.h>

#include "base/util.h"
#include "flow.h"
#include "graph.h"

enum { TEST_EQ = 0x10, TEST_GT = 0x20, TEST_GE = 0x30, TEST_SET = 0x40 };

/* What is known of one value: bounds, and bits that are 0. */
struct known {
	uint32_t lo, hi, zeros;
};

static void
narrow(struct known *w, const struct fact *f)
{
	switch (f->code & 0xf0) {
	case TEST_EQ:
		if (f->holds) {
			w->lo = MAX(w->lo, f->k);
			w->hi = MIN(w->hi, f->k);
		}
		break;
	case TEST_GT:
		if (f->holds)
			w->lo = MAX(w->lo, f->k < UINT32_MAX ? f->k + 1 : f->k);
		else
			w->hi = MIN(w->hi, f->k);
		break;
	case TEST_GE:
		if (f->holds)
			w->lo = MAX(w->lo, f->k);
		else
			w->hi = MIN(w->hi, f->k > 0 ? f->k - 1 : 0);
		break;
	default:
		if (!f->holds)
			w->zeros |= f->k;
		else
			w->lo = MAX(w->lo, 1u);
		break;
	}
}

static uint32_t
possible_bits(const struct known *w)
{
	return (w->hi == 0 ? 0 : UINT32_MAX >> __builtin_clz(w->hi)) & ~w->zeros;
}

static int
decide_known(const struct known *w, uint32_t code, uint32_t k)
{
	switch (code & 0xf0) {
	case TEST_EQ:
		if (k < w->lo || k > w->hi || (k & w->zeros) != 0)
			return 0;
		return w->lo == w->hi ? 1 : -1;
	case TEST_GT: return w->lo > k ? 1 : w->hi <= k ? 0 : -1;
	case TEST_GE: return w->lo >= k ? 1 : w->hi < k ? 0 : -1;
	default:
		if (w->lo == w->hi)
			return (w->lo & k) != 0;
		if ((k & possible_bits(w)) == 0)
			return 0;
		return w->lo > 0 && (possible_bits(w) & ~k) == 0 ? 1 : -1;
	}
}

/* What an earlier test of the same value says at once. */
static int
decide_by(const struct fact *f, uint32_t code, uint32_t k)
{
	if (f->code == code && f->k == k)
		return f->holds;
	if (f->code != code || (code & 8) != 0 || (code & 0xf0) != TEST_SET)
		return -1;
	if (f->holds)
		return (f->k & ~k) == 0 ? 1 : -1;
	return (k & ~f->k) == 0 ? 0 : -1;
}

int
flow_decide(const struct vals *vs, const struct state *s, const struct gnode *n)
{
	uint32_t code = n->code;
	uint32_t k = n->k;
	struct known w = {0, UINT32_MAX, 0};

	if (s->a == 0 || (node_takes_x(n) && s->x == 0))
		return -1;
	if (node_takes_x(n)) {
		k = s->x;
		if (val_is_const(vs, s->x, &k))
			code &= ~8u;
		else if (s->a == s->x && (code & 0xf0) != TEST_SET)
			return (code & 0xf0) != TEST_GT;
	}
	w.lo = vs->v[s->a].lo;
	w.hi = vs->v[s->a].hi;
	for (size_t i = 0; i < s->n_facts; i++) {
		const struct fact *f = &s->facts[i];
		int got;

		if (f->v != s->a)
			continue;
		got = decide_by(f, code, k);
		if (got >= 0)
			return got;
		if ((f->code & 8) == 0)
			narrow(&w, f);
	}
	/* Bounds that contradict each other: no run comes here. */
	if ((code & 8) != 0 || w.lo > w.hi)
		return -1;
	return decide_known(&w, code, k);
}

void
flow_learn(const struct vals *vs, struct state *s, const struct gnode *n, bool holds)
{
	struct fact f = {s->a, n->k, n->code, holds};

	if (s->a == 0 || (node_takes_x(n) && s->x == 0))
		return;
	if (node_takes_x(n)) {
		f.k = s->x;
		if (val_is_const(vs, s->x, &f.k))
			f.code &= ~8u;
	}
	if (s->n_facts == FLOW_FACTS) {
		memmove(s->facts, s->facts + 1, sizeof(s->facts) - sizeof(s->facts[0]));
		s->n_facts--;
	}
	s->facts[s->n_facts++] = f;
}

void
state_init(struct vals *vs, struct state *s)
{
	static const struct gnode zero = {CBPF_CODE_LD_IMM, 0, 0, 0};

	memset(s, 0, sizeof(*s));
	s->a = s->x = flow_result(vs, s, &zero);
	s->reached = true;
}

static bool
same_fact(const struct fact *a, const struct fact *b)
{
	return a->v == b->v && a->k == b->k && a->code == b->code && a->holds == b->holds;
}

static void
meet_facts(struct state *in, const struct state *s)
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < in->n_facts; i++)
		for (uint8_t j = 0; j < s->n_facts; j++)
			if (same_fact(&in->facts[i], &s->facts[j])) {
				in->facts[n++] = in->facts[i];
				break;
			}
	in->n_facts = n;
}

static void
meet_reach(struct state *in, const struct state *s)
{
	uint8_t n = 0;

	in->abs_end = MIN(in->abs_end, s->abs_end);
	for (uint8_t i = 0; i < in->n_reach; i++)
		for (uint8_t j = 0; j < s->n_reach; j++)
			if (in->reach[i].base == s->reach[j].base) {
				in->reach[n] = in->reach[i];
				in->reach[n].end = MIN(in->reach[n].end, s->reach[j].end);
				n++;
				break;
			}
	in->n_reach = n;
}

/* A value where @a and @b meet. */
static uint32_t
meet_value(struct vals *vs, uint32_t a, uint32_t b, uint32_t at, uint32_t where)
{
	struct val *v;
	uint32_t lo, hi, phi;

	if (a == b || a == 0 || b == 0)
		return a == b ? a : 0;
	lo = MIN(vs->v[a].lo, vs->v[b].lo);
	hi = MAX(vs->v[a].hi, vs->v[b].hi);
	phi = val_phi(vs, at, where);
	v = &vs->v[phi];
	if (phi != 0) {
		v->lo = lo;
		v->hi = hi;
	}
	return phi;
}

void
state_meet(struct vals *vs, struct state *in, const struct state *s, uint32_t at)
{
	if (!in->reached) {
		*in = *s;
		return;
	}
	for (uint32_t i = 0; i < CBPF_MEM_WORDS; i++)
		in->m[i] = meet_value(vs, in->m[i], s->m[i], at, i);
	in->a = meet_value(vs, in->a, s->a, at, CBPF_MEM_WORDS);
	in->x = meet_value(vs, in->x, s->x, at, CBPF_MEM_WORDS + 1);
	meet_facts(in, s);
	meet_reach(in, s);
}
