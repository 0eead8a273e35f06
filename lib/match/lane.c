// SPDX-License-Identifier: BSD-3-Clause
/* From conditions on values to computations with a test. */
#include "lane.h"

#include "base/util.h"
#include "item.h"
#include "match/sym.h"
#include "windows.h"

#define BITS_MIN 6 /* of a word; a test that more frames pass is not worth it */
#define BITS_LEAST 2 /* of arithmetic, where the alternative is to run the program */

/* A computation under construction. */
struct making {
	struct items *items;
	struct sight sight;
	struct lane lane;
};

static bool
leaf(struct making *m, const struct sym_node *n, struct lane_value *ret)
{
	int32_t off;
	int win;

	if (n->op != SYM_LOAD || n->k > ITEM_OFF_MAX)
		return false;
	win = windows_of_load(m->items, m->sight, n, &off);
	/* Of a walk's many places none is the one. */
	if (win < 0 || m->items->windows[win].steps_win != 0)
		return false;
	ret->win = (uint8_t)win;
	ret->size = n->size;
	ret->off = (int16_t)off;
	return true;
}

/* ---- operators ---- */

static bool
is_sum(uint8_t kind)
{
	return kind == LANE_ADD || kind == LANE_ADD_VALUE || kind == LANE_SUB_VALUE;
}

static bool
is_xor(uint8_t kind)
{
	return kind == LANE_XOR || kind == LANE_XOR_VALUE;
}

/* Whether the order of @a and @b does not matter. */
static bool
commute(uint8_t a, uint8_t b)
{
	return (is_sum(a) && is_sum(b)) || (is_xor(a) && is_xor(b));
}

/* Add @more, of the same kind, to what @o does. False: that cannot be said. */
static bool
join(struct lane_op *o, const struct lane_op *more)
{
	switch ((enum lane_op_kind)o->kind) {
	case LANE_ADD: o->k += more->k; return true;
	case LANE_MUL: o->k *= more->k; return true;
	case LANE_AND: o->k &= more->k; return true;
	case LANE_XOR: o->k ^= more->k; return true;
	case LANE_SHIFT:
		if (o->k + more->k > 31)
			return false;
		o->k += more->k;
		return true;
	case LANE_ADD_VALUE:
	case LANE_SUB_VALUE:
	case LANE_XOR_VALUE:
	case LANE_KINDS: return false;
	}
	return false;
}

/*
 * @op behind all others. Of those that may come in any order constants are the last,
 * and one.
 */
static bool
put(struct making *m, struct lane_op op)
{
	struct lane *l = &m->lane;
	uint32_t at = l->n_ops;

	/* (r + a) * k is r * k + a * k, which one step does. */
	if (op.kind == LANE_MUL && at > 0 && l->ops[at - 1].kind == LANE_ADD) {
		const struct lane_op sum = {.kind = LANE_ADD, .k = l->ops[at - 1].k * op.k};

		l->n_ops--;
		return put(m, op) && put(m, sum);
	}
	while (at > 0 && lane_has_value(&l->ops[at - 1]) && commute(l->ops[at - 1].kind, op.kind))
		at--;
	if (at > 0 && l->ops[at - 1].kind == op.kind && join(&l->ops[at - 1], &op))
		return true;
	if (l->n_ops == LANE_OPS_MAX)
		return false;
	at = l->n_ops++;
	for (; at > 0 && lane_has_value(&op) && !lane_has_value(&l->ops[at - 1]) &&
		commute(l->ops[at - 1].kind, op.kind);
		at--)
		l->ops[at] = l->ops[at - 1];
	l->ops[at] = op;
	return true;
}

static bool
put_constant(struct making *m, enum lane_op_kind kind, uint32_t k)
{
	return put(m, (struct lane_op){.kind = (uint8_t)kind, .k = k});
}

/* r >> @n. */
static bool
put_shift(struct making *m, uint32_t n)
{
	return n < 32 && (n == 0 || put_constant(m, LANE_SHIFT, n));
}

/* The exponent of @k where it is a power of two, else -1. */
static int
log2_of(uint32_t k)
{
	return k != 0 && (k & (k - 1)) == 0 ? __builtin_ctz(k) : -1;
}

/* r alu @k. */
static bool
put_number(struct making *m, enum cbpf_alu_op op, uint32_t k)
{
	switch (op) {
	case CBPF_ALU_ADD: return put_constant(m, LANE_ADD, k);
	case CBPF_ALU_SUB: return put_constant(m, LANE_ADD, 0 - k);
	case CBPF_ALU_MUL: return put_constant(m, LANE_MUL, k);
	case CBPF_ALU_LSH: return put_constant(m, LANE_MUL, k < 32 ? UINT32_C(1) << k : 0);
	case CBPF_ALU_RSH: return put_shift(m, k);
	case CBPF_ALU_AND: return put_constant(m, LANE_AND, k);
	case CBPF_ALU_OR: return put_constant(m, LANE_AND, ~k) && put_constant(m, LANE_XOR, k);
	case CBPF_ALU_XOR: return put_constant(m, LANE_XOR, k);
	case CBPF_ALU_DIV: return log2_of(k) >= 0 && put_shift(m, (uint32_t)log2_of(k));
	case CBPF_ALU_MOD: return log2_of(k) >= 0 && put_constant(m, LANE_AND, k - 1);
	}
	return false;
}

/* r alu the value @n; or, @turned, the value alu r. */
static bool
put_operand(struct making *m, enum cbpf_alu_op op, const struct sym_node *n, bool turned)
{
	struct lane_op o = {0};

	if (!leaf(m, n, &o.v))
		return false;
	if (op == CBPF_ALU_XOR)
		o.kind = LANE_XOR_VALUE;
	else if (op == CBPF_ALU_ADD || (op == CBPF_ALU_SUB && turned))
		o.kind = LANE_ADD_VALUE;
	else if (op == CBPF_ALU_SUB)
		o.kind = LANE_SUB_VALUE;
	else
		return false;
	return (op != CBPF_ALU_SUB || !turned || put_constant(m, LANE_MUL, UINT32_MAX)) &&
		put(m, o);
}

#define DEPTH_MAX 32

/* The computation of @n: a chain, of which every operator but the first has one operand at hand. */
static bool
compute(struct making *m, const struct sym_node *n, int depth)
{
	if (depth == DEPTH_MAX)
		return false;
	if (n->op == SYM_SUM)
		return compute(m, n->a, depth + 1) && put_constant(m, LANE_ADD, n->k);
	if (n->op == SYM_LOAD)
		return leaf(m, n, &m->lane.start);
	if (n->op != SYM_ALU)
		return false;
	if (n->b->op == SYM_CONST)
		return compute(m, n->a, depth + 1) &&
			put_number(m, (enum cbpf_alu_op)n->alu, n->b->k);
	if (n->a->op == SYM_CONST)
		return n->alu == CBPF_ALU_SUB && compute(m, n->b, depth + 1) &&
			put_constant(m, LANE_MUL, UINT32_MAX) && put_constant(m, LANE_ADD, n->a->k);
	if (n->b->op == SYM_LOAD)
		return compute(m, n->a, depth + 1) &&
			put_operand(m, (enum cbpf_alu_op)n->alu, n->b, false);
	return n->a->op == SYM_LOAD && compute(m, n->b, depth + 1) &&
		put_operand(m, (enum cbpf_alu_op)n->alu, n->a, true);
}

/* ---- the test ---- */

/* The odd number whose product with @k, which is odd, is 1. */
static uint32_t
inverse(uint32_t k)
{
	uint32_t r = k; /* right in 3 bits, then in twice as many each time */

	for (int i = 0; i < 4; i++)
		r *= 2 - k * r;
	return r;
}

/* Ask before the last operator of @l what is asked behind it. False: there is no such test. */
static bool
undo(struct lane *l)
{
	const struct lane_op *o = &l->ops[l->n_ops - 1];
	const bool lowest =
		(l->mask & (l->mask + 1)) == 0; /* no bit is asked above one that is not */
	const uint32_t zeros = o->k != 0 ? (uint32_t)__builtin_ctz(o->k) : 31;
	uint32_t mask = l->mask, val = l->val;

	switch ((enum lane_op_kind)o->kind) {
	case LANE_ADD: val -= o->k; break;
	case LANE_XOR: val ^= o->k; break;
	case LANE_AND: mask &= o->k; break;
	case LANE_MUL:
		mask >>= zeros;
		val = (val >> zeros) * inverse(o->k >> zeros);
		break;
	case LANE_SHIFT:
		mask <<= o->k;
		val <<= o->k;
		break;
	case LANE_ADD_VALUE:
	case LANE_SUB_VALUE:
	case LANE_XOR_VALUE:
	case LANE_KINDS: return false;
	}
	/* Carries come from bits below. */
	if ((o->kind == LANE_ADD || o->kind == LANE_MUL) && !lowest)
		return false;
	/* What no r gives is left as it is. */
	if ((o->kind == LANE_AND && (l->val & ~o->k) != 0) ||
		(o->kind == LANE_MUL && (o->k == 0 || (l->val & ~(UINT32_MAX << zeros)) != 0)) ||
		(o->kind == LANE_SHIFT && val >> o->k != l->val) || mask == 0)
		return false;
	l->mask = mask;
	l->val = val & mask;
	l->n_ops--;
	return true;
}

/* (r & @mask) == @val. */
static bool
test(struct making *m, uint32_t mask, uint32_t val)
{
	struct lane *l = &m->lane;

	l->mask = mask;
	l->val = val;
	while (l->n_ops > 0 && undo(l))
		;
	l->bits = (uint8_t)__builtin_popcount(l->mask);
	return l->bits >= BITS_LEAST;
}

bool
lane_of_atom(struct items *items, struct sight sight, const struct sym_atom *atom, struct lane *ret)
{
	struct making m = {.items = items, .sight = sight};

	if (atom->neg)
		return false;
	if (atom->kind == SYM_EQ) {
		if (!compute(&m, atom->node, 0) || !test(&m, atom->mask, atom->val))
			return false;
	} else if (atom->kind == SYM_REL_EQ) {
		const bool turned = atom->node->op == SYM_LOAD;

		/* The difference is 0. */
		if (!compute(&m, turned ? atom->b : atom->node, 0) ||
			!put_operand(&m, CBPF_ALU_SUB, turned ? atom->node : atom->b, false) ||
			!test(&m, UINT32_MAX, 0))
			return false;
	} else {
		return false;
	}
	*ret = m.lane;
	return true;
}

/* What nearly every frame has: protocols, versions, lengths of headers, zeros. */
static bool
is_common(const struct items *items, const struct lane *l, uint16_t val)
{
	const struct window *w = &items->windows[l->start.win];

	if (val == 0)
		return true;
	if (w->kind != WINDOW_START)
		return false;
	if (w->space == SPACE_ETHER)
		return l->start.off >= 12 && l->start.off < 24;
	return l->bits <= 8 && l->start.off < 10;
}

bool
lane_of_word(
	const struct items *items, const struct item_word *word, uint32_t which, struct lane *ret)
{
	const uint16_t mask = __builtin_bswap16((uint16_t)(word->mask >> 16 * which));
	const uint16_t val = __builtin_bswap16((uint16_t)(word->val >> 16 * which));

	if (word->win == WINDOW_OF_KEY || items->windows[word->win].steps_win != 0 ||
		__builtin_popcount(mask) < BITS_MIN)
		return false;
	*ret = (struct lane){
		.start = {word->win, 2, (int16_t)(word->off + 2 * (int)which)},
		.mask = mask,
		.val = val,
		.bits = (uint8_t)__builtin_popcount(mask),
	};
	return !is_common(items, ret, val);
}

bool
lane_possible(const struct items *items, const struct item *it)
{
	struct lane lane;

	for (uint32_t k = 0; k < 4u * it->n_words; k++)
		if (lane_of_word(items, &it->words[k / 4], k % 4, &lane))
			return true;
	return it->lane != NULL;
}
