// SPDX-License-Identifier: BSD-3-Clause
/*
 * Conditions in their simplest form, and what some of them say of another one.
 * Saying nothing is always allowed; what is said must be right.
 */
#include "base/util.h"
#include "sym_impl.h"

#define FACTS_MAX 96 /* looked at for one question */

static uint32_t
bits_of(const struct sym_node *n)
{
	return n->umax == 0 ? 0 : UINT32_MAX >> __builtin_clz(n->umax);
}

/*
 * jeq on "(x alu k) & mask == val": the same asked of x. False when the form
 * cannot be undone; then nothing is changed. @never: no value does it.
 */
static bool
peel(const struct sym_node **node, uint32_t *mask, uint32_t *val, bool *never)
{
	const struct sym_node *n = *node;
	const uint32_t k = n->op == SYM_ALU ? n->b->k : n->k;

	/* x + k: the low bits of a sum depend on low bits alone. */
	if (n->op == SYM_SUM) {
		if ((*mask & (*mask + 1)) != 0)
			return false;
		*val = (*val - k) & *mask;
		*node = n->a;
		return true;
	}
	if (n->op != SYM_ALU || n->b->op != SYM_CONST)
		return false;
	switch ((enum cbpf_alu_op)n->alu) {
	case CBPF_ALU_AND:
		*never = (*val & ~k) != 0;
		*mask &= k;
		break;
	case CBPF_ALU_OR:
		*never = (*val & k) != (*mask & k);
		*mask &= ~k;
		*val &= ~k;
		break;
	case CBPF_ALU_XOR: *val ^= k & *mask; break;
	case CBPF_ALU_LSH:
		*never = k >= 32 ? *val != 0 : (*val & ~(UINT32_MAX << k)) != 0;
		*mask = k < 32 ? *mask >> k : 0;
		*val = k < 32 ? *val >> k : 0;
		break;
	case CBPF_ALU_RSH:
		*never = k >= 32 ? *val != 0 : (*val & ~(UINT32_MAX >> k)) != 0;
		*mask = k < 32 ? *mask << k : 0;
		*val = k < 32 ? *val << k : 0;
		break;
	case CBPF_ALU_ADD:
	case CBPF_ALU_SUB:
	case CBPF_ALU_MUL:
	case CBPF_ALU_DIV:
	case CBPF_ALU_MOD: return false;
	}
	*node = n->a;
	return true;
}

enum sym_truth
sym_atom_eq(struct sym_pool *p, struct sym_val v, uint32_t mask, uint32_t val, bool neg,
	struct sym_atom *ret)
{
	const struct sym_node *node = sym_node_of(p, v);
	bool never = (val & ~mask) != 0;

	if (node->op == SYM_CONST)
		return ((node->k & mask) == val) != neg ? SYM_ALWAYS : SYM_NEVER;
	while (!never && peel(&node, &mask, &val, &never))
		;
	/* Bits that the value never has. */
	if ((val & ~bits_of(node)) != 0)
		never = true;
	mask &= bits_of(node);
	if (never || mask == 0)
		return (!never && val == 0) != neg ? SYM_ALWAYS : SYM_NEVER;
	/* One bit that is not 0 is 1. */
	if (neg && (mask & (mask - 1)) == 0) {
		val ^= mask;
		neg = false;
	}
	*ret = (struct sym_atom){
		.kind = SYM_EQ, .neg = neg, .mask = mask, .val = val, .node = node};
	return SYM_OPEN;
}

enum sym_truth
sym_atom_range(struct sym_pool *p, struct sym_val v, uint32_t lo, uint32_t hi, struct sym_atom *ret)
{
	uint32_t low;

	if (lo > hi)
		return SYM_NEVER;
	if (v.node == NULL)
		return lo <= v.add && v.add <= hi ? SYM_ALWAYS : SYM_NEVER;
	if (hi - lo == UINT32_MAX)
		return SYM_ALWAYS;
	/* An aligned block of values is a masked comparison. */
	low = hi - lo;
	if (v.add == 0 && (low & (low + 1)) == 0 && (lo & low) == 0)
		return sym_atom_eq(p, v, ~low, lo, false, ret);
	*ret = (struct sym_atom){
		.kind = SYM_RANGE,
		.mask = v.add - lo,
		.val = hi - lo,
		.node = v.node,
	};
	return SYM_OPEN;
}

/* What is known of a value: bits, and an interval. */
struct known {
	uint32_t mask, val;
	uint32_t lo, hi;
	bool numbers; /* some of it is of a fact with a number that differs within a shape */
};

/* The values that range @a allows, as an interval that does not wrap; false: it does. */
static bool
range_of(const struct sym_atom *a, uint32_t *ret_lo, uint32_t *ret_hi)
{
	*ret_lo = 0 - a->mask;
	*ret_hi = *ret_lo + a->val;
	return *ret_lo <= *ret_hi;
}

/* What the bytes that @f fixes, ours or some beside them, say of the bits of @n. */
static void
learn_bits(struct known *k, const struct sym_node *n, const struct sym_atom *f)
{
	uint64_t mask = f->mask, val = f->val;
	int64_t behind;

	if (f->node != n) {
		/* Bytes by which the fact's load ends behind ours. */
		behind = (int64_t)f->node->k + f->node->size - n->k - n->size;
		if (behind >= 4 || behind <= -4)
			return;
		mask = behind >= 0 ? mask >> 8 * behind : mask << -8 * behind;
		val = behind >= 0 ? val >> 8 * behind : val << -8 * behind;
	}
	mask &= bits_of(n);
	k->numbers |= mask != 0 && f->of_shape != 0;
	k->val = (uint32_t)((k->val & ~mask) | (val & mask));
	k->mask |= (uint32_t)mask;
}

static void
learn(struct known *k, const struct sym_node *n, const struct sym_atom *f)
{
	uint32_t lo, hi;

	if (f->kind == SYM_EQ && !f->neg) {
		learn_bits(k, n, f);
	} else if (f->kind == SYM_RANGE && f->node == n && range_of(f, &lo, &hi)) {
		k->lo = MAX(k->lo, lo);
		k->hi = MIN(k->hi, hi);
		k->numbers |= f->of_shape != 0;
	}
}

/* Whether something known of @x, which is not @n, may say something of @n: bytes of one place. */
static bool
is_beside(const struct sym_node *x, const struct sym_node *n)
{
	return n->op == SYM_LOAD && x->op == SYM_LOAD && x->a == n->a;
}

static enum sym_truth
judge_eq(const struct known *k, const struct sym_atom *a)
{
	if (((k->val ^ a->val) & k->mask & a->mask) != 0)
		return SYM_NEVER;
	if ((a->mask & ~k->mask) == 0)
		return SYM_ALWAYS;
	if (a->mask == bits_of(a->node) && (a->val < k->lo || a->val > k->hi))
		return SYM_NEVER;
	return SYM_OPEN;
}

static enum sym_truth
judge_range(const struct known *k, const struct sym_atom *a)
{
	const uint32_t free_bits = bits_of(a->node) & ~k->mask;
	const uint32_t min = MAX(k->lo, k->val), max = MIN(k->hi, k->val | free_bits);
	uint32_t lo, hi;

	if (range_of(a, &lo, &hi)) {
		if (max < lo || min > hi)
			return SYM_NEVER;
		return lo <= min && max <= hi ? SYM_ALWAYS : SYM_OPEN;
	}
	/* It is all but hi + 1 .. lo - 1. */
	if (max <= hi || min >= lo)
		return SYM_ALWAYS;
	return min > hi && max < lo ? SYM_NEVER : SYM_OPEN;
}

bool
sym_same_atom(const struct sym_atom *a, const struct sym_atom *b)
{
	return a->kind == b->kind && a->node == b->node && a->b == b->b && a->mask == b->mask &&
		a->val == b->val;
}

static enum sym_truth
flip(enum sym_truth t, bool neg)
{
	if (t == SYM_OPEN || !neg)
		return t;
	return t == SYM_ALWAYS ? SYM_NEVER : SYM_ALWAYS;
}

enum sym_truth
sym_decide(const struct sym_fact *facts, const struct sym_atom *atom, bool *ret_numbers)
{
	const struct sym_node *n = atom->node;
	struct known k = {0, 0, 0, n->umax, atom->of_shape != 0};
	enum sym_truth t = SYM_OPEN;

	for (int i = 0; facts != NULL && i < FACTS_MAX; facts = facts->before, i++) {
		const struct sym_atom *f = &facts->atom;

		/* Most are of something else. */
		if (f->node != n) {
			if (is_beside(f->node, n))
				learn(&k, n, f);
			continue;
		}
		if (sym_same_atom(f, atom)) {
			*ret_numbers = f->of_shape != 0 || atom->of_shape != 0;
			return f->neg == atom->neg ? SYM_ALWAYS : SYM_NEVER;
		}
		learn(&k, n, f);
	}
	if (atom->kind == SYM_EQ)
		t = judge_eq(&k, atom);
	else if (atom->kind == SYM_RANGE)
		t = judge_range(&k, atom);
	*ret_numbers = t != SYM_OPEN && k.numbers;
	return flip(t, atom->neg);
}
