// SPDX-License-Identifier: BSD-3-Clause
/*
 * The way forward. An edge is tried in thought: what would the instructions
 * behind it do, with what is known here? Where all that is read further on is
 * as it was, the edge can lead there at once:
 *
 *	jeq #7, next, no		jeq #7, next, other
 *  no:	ldx M[0]		=>
 *	ldb [x + 0]	(in A, and X is M[0])
 *	jeq #7, yes, other
 */
#include "shrink.h"

#define AHEAD_STEPS 96 /* instructions tried in thought, for each edge */

static uint32_t
held(const struct state *s, unsigned int bit)
{
	return bit < CBPF_MEM_WORDS ? s->m[bit] : bit == CBPF_MEM_WORDS ? s->a : s->x;
}

/* All that @live names is known and the same. */
static bool
agree(const struct state *a, const struct state *b, uint32_t live)
{
	for (; live != 0; live &= live - 1) {
		const unsigned int bit = (unsigned int)__builtin_ctz(live);

		if (held(a, bit) != held(b, bit) || held(a, bit) == 0)
			return false;
	}
	return true;
}

/* The furthest node that an edge to @to may lead to instead, coming with @now. */
static uint32_t
thread(struct shrink *s, uint32_t to, const struct state *now)
{
	struct state then = *now;
	uint32_t best = to;

	for (int i = 0; i < AHEAD_STEPS; i++) {
		const struct gnode *n = &s->g.v[to];

		if (node_is_ret(n))
			break;
		if (node_is_branch(n)) {
			const int holds = flow_decide(&s->vals, &then, n);

			if (holds < 0)
				break;
			to = holds ? n->t : n->f;
		} else {
			if (!node_is_skip(n)) {
				if (!flow_is_safe(&s->vals, &then, n))
					break;
				flow_step(&s->vals, &then, n);
			}
			to = n->t;
		}
		if (agree(now, &then, s->ahead[to].live))
			best = to;
	}
	return best;
}

static uint32_t
follow(struct shrink *s, uint32_t to, const struct state *now)
{
	const uint32_t best = thread(s, to, now);

	state_meet(&s->vals, &s->in[best], now, best);
	return best;
}

/* "OP x" with a known X is "OP #k". It may turn out to end the program. */
static void
use_constant(struct gnode *n, uint32_t k)
{
	const uint32_t op = n->code & 0xf0u;

	if (node_divides_by_x(n) && k == 0) {
		*n = (struct gnode){CBPF_CODE_RET_K, 0, 0, 0};
		return;
	}
	if (node_class(n) == 4 && (op == 0x60 || op == 0x70) && k >= 32) {
		n->code = CBPF_CODE_LD_IMM;
		n->k = 0;
		return;
	}
	n->code &= ~8u;
	n->k = k;
}

/* "ld [x + k]" with a known X is "ld [k]". */
static void
use_place(struct gnode *n, uint32_t x)
{
	if ((uint64_t)x + n->k >= 0x80000000u)
		return;
	n->code = (n->code & ~0x60u) | 0x20u;
	n->k += x;
}

/*
 * A word of M[] that a register holds too, or that was loaded from a fixed place,
 * needs no memory: the store may turn out idle.
 */
static void
use_source(struct shrink *s, struct gnode *n, const struct state *now)
{
	const uint32_t v = now->m[n->k];
	const struct val *from = &s->vals.v[v];

	if (v == 0)
		return;
	if (n->code == CBPF_CODE_LDX_MEM) {
		if (now->a == v)
			n->code = CBPF_CODE_TAX;
		return;
	}
	if (now->x == v) {
		n->code = CBPF_CODE_TXA;
	} else if (from->kind == VAL_LOAD && from->a == 0 && from->k < 0x80000000u &&
		now->abs_end >= from->k + from->op) {
		n->code = from->op == 4 ? CBPF_CODE_LD_W_ABS
			: from->op == 2 ? CBPF_CODE_LD_H_ABS
					: CBPF_CODE_LD_B_ABS;
		n->k = from->k;
	}
}

/* Say the same more simply. */
static void
simplify(struct shrink *s, struct gnode *n, const struct state *now)
{
	uint32_t k, v;

	if (val_is_const(&s->vals, now->x, &k)) {
		if (node_takes_x(n))
			use_constant(n, k);
		else if (node_is_ind(n))
			use_place(n, k);
	}
	if (n->code == CBPF_CODE_LD_MEM || n->code == CBPF_CODE_LDX_MEM)
		use_source(s, n, now);
	if (node_is_ret(n) || node_is_branch(n) || !flow_is_safe(&s->vals, now, n))
		return;
	v = flow_result(&s->vals, now, n);
	if ((node_sets(n) & (LIVE_A | LIVE_X)) == 0 || !val_is_const(&s->vals, v, &k))
		return;
	n->code = (node_sets(n) & LIVE_A) != 0 ? CBPF_CODE_LD_IMM : CBPF_CODE_LDX_IMM;
	n->k = k;
}

static bool
changes_nothing(struct shrink *s, const struct gnode *n, const struct state *now)
{
	const uint32_t sets = node_sets(n);
	const uint32_t v = flow_result(&s->vals, now, n);

	return v != 0 && flow_is_safe(&s->vals, now, n) &&
		held(now, (unsigned int)__builtin_ctz(sets)) == v;
}

static void
forward_branch(struct shrink *s, struct gnode *n, const struct state *now)
{
	const int holds = flow_decide(&s->vals, now, n);
	struct state then;

	if (holds >= 0) {
		n->code = GRAPH_SKIP;
		n->t = n->f = follow(s, holds ? n->t : n->f, now);
		return;
	}
	then = *now;
	flow_learn(&s->vals, &then, n, true);
	n->t = follow(s, n->t, &then);
	then = *now;
	flow_learn(&s->vals, &then, n, false);
	n->f = follow(s, n->f, &then);
}

static void
forward_node(struct shrink *s, uint32_t i)
{
	struct gnode *n = &s->g.v[i];
	struct state now = s->in[i];

	if (!node_is_skip(n))
		simplify(s, n, &now);
	if (node_is_ret(n)) {
		if (n->code == CBPF_CODE_RET_A && val_is_const(&s->vals, now.a, &n->k))
			n->code = CBPF_CODE_RET_K;
		return;
	}
	if (node_is_branch(n)) {
		forward_branch(s, n, &now);
		return;
	}
	if (!node_is_skip(n)) {
		if (changes_nothing(s, n, &now))
			n->code = GRAPH_SKIP;
		else
			flow_step(&s->vals, &now, n);
	}
	n->t = n->f = follow(s, n->t, &now);
}

void
shrink_forward(struct shrink *s)
{
	state_init(&s->vals, &s->in[s->g.entry]);
	for (uint32_t i = 0; i < s->g.n; i++)
		if (s->in[i].reached)
			forward_node(s, i);
}
