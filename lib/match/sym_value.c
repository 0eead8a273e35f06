// SPDX-License-Identifier: BSD-3-Clause
/* Conditions on quotients and remainders, as conditions on what is divided. */
#include "base/util.h"
#include "sym_impl.h"

/* Whether @a asks for one result of "x op k" with a number k. */
static bool
is_result(const struct sym_atom *a, enum cbpf_alu_op op)
{
	const struct sym_node *n = a->node;

	/* All bits that the result can have are asked. */
	return a->kind == SYM_EQ && !a->neg && n->op == SYM_ALU && n->alu == op &&
		n->b->op == SYM_CONST && n->b->k != 0 && a->mask >= n->umax &&
		(a->mask & (a->mask + 1)) == 0;
}

/* The atom of @path that asks for a result of @op on what @like divides, by the same number. */
static const struct sym_atom *
partner(const struct sym_path *path, const struct sym_node *like, enum cbpf_alu_op op)
{
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const struct sym_atom *a = &path->atoms[i];

		if (is_result(a, op) && a->node->a == like->a && a->node->b == like->b)
			return a;
	}
	return NULL;
}

/*
 * x / k == q and x % k == r		->	x == q * k + r
 * x / k == q				->	q * k <= x <= q * k + k - 1
 */
static enum sym_truth
undo_division(const struct sym_path *path, const struct sym_atom *a, struct sym_atom *ret)
{
	const struct sym_node *x = a->node->a;
	const uint32_t k = a->node->b->k;
	const uint64_t lo = (uint64_t)a->val * k;
	const struct sym_atom *rest = partner(path, a->node, CBPF_ALU_MOD);

	if (lo > x->umax || (rest != NULL && lo + rest->val > x->umax))
		return SYM_NEVER;
	*ret = (struct sym_atom){.kind = SYM_RANGE,
		.node = x,
		.mask = 0 - (uint32_t)lo,
		.val = (uint32_t)MIN(k - 1, UINT32_MAX - lo)};
	if (rest != NULL)
		*ret = (struct sym_atom){.kind = SYM_EQ,
			.node = x,
			.mask = x->umax == 0 ? 0 : UINT32_MAX >> __builtin_clz(x->umax),
			.val = (uint32_t)lo + rest->val};
	return SYM_OPEN;
}

/*
 * The atom of @path that says all of @x, with what it is in *@ret_val: by itself, or a
 * quotient whose remainder is asked, too. NULL: none does.
 */
static const struct sym_atom *
says(const struct sym_path *path, const struct sym_node *x, uint64_t *ret_val)
{
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const struct sym_atom *is = &path->atoms[i];

		if (is->kind == SYM_EQ && !is->neg && is->node == x && is->mask >= x->umax &&
			(is->mask & (is->mask + 1)) == 0) {
			*ret_val = is->val;
			return is;
		}
	}
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const struct sym_atom *is = &path->atoms[i], *rest;

		if (!is_result(is, CBPF_ALU_DIV) || is->node->a != x)
			continue;
		rest = partner(path, is->node, CBPF_ALU_MOD);
		if (rest == NULL)
			continue;
		*ret_val = (uint64_t)is->val * is->node->b->k + rest->val;
		return is;
	}
	return NULL;
}

/*
 * Whether @a, of a value "x op k", holds where @path says what x is; SYM_OPEN: it
 * does not say, or says it by @a.
 */
static enum sym_truth
of_known(const struct sym_path *path, const struct sym_atom *a)
{
	const struct sym_node *n = a->node;
	uint64_t x = 0;
	const struct sym_atom *by = says(path, n->a, &x);
	uint32_t v;

	if (by == NULL || by == a)
		return SYM_OPEN;
	if (x > n->a->umax || !cbpf_alu((enum cbpf_alu_op)n->alu, (uint32_t)x, n->b->k, &v))
		return SYM_NEVER;
	return ((v & a->mask) == a->val) != a->neg ? SYM_ALWAYS : SYM_NEVER;
}

enum sym_truth
sym_atom_of_value(const struct sym_path *path, uint32_t i, struct sym_atom *ret)
{
	const struct sym_atom *a = &path->atoms[i];
	enum sym_truth t;

	*ret = *a;
	if (a->kind != SYM_EQ || a->node->op != SYM_ALU || a->node->b->op != SYM_CONST)
		return SYM_OPEN;
	t = of_known(path, a);
	if (t != SYM_OPEN)
		return t;
	if (is_result(a, CBPF_ALU_DIV))
		return undo_division(path, a, ret);
	/* Said with the quotient. */
	if (is_result(a, CBPF_ALU_MOD) && partner(path, a->node, CBPF_ALU_DIV) != NULL)
		return SYM_ALWAYS;
	return SYM_OPEN;
}
