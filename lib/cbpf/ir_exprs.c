// SPDX-License-Identifier: BSD-3-Clause
#include "ir_exprs.h"

#include <errno.h>

int
ir_exprs_init(struct ir_exprs *e, struct arena *mem)
{
	*e = (struct ir_exprs){.mem = mem, .n_slots = 1024, .n = 1};
	e->slots = arena_zalloc(mem, e->n_slots * sizeof(*e->slots));
	return e->slots != NULL ? 0 : -ENOMEM;
}

static uint32_t
expr_of(const struct ir_val *v)
{
	return v != NULL ? v->expr : 0;
}

static bool
is_alike(const struct ir_val *x, const struct ir_val *y)
{
	return x->op == y->op && x->alu == y->alu && x->size == y->size && x->k == y->k &&
		expr_of(x->a) == expr_of(y->a) && expr_of(x->b) == expr_of(y->b);
}

static uint32_t
hash_of(const struct ir_val *v)
{
	uint64_t h = (uint64_t)v->op << 8 | (uint64_t)v->alu << 4 | v->size;

	h = h * 31 + v->k;
	h = h * 31 + expr_of(v->a);
	h = h * 31 + expr_of(v->b);
	return (uint32_t)((h * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The slot of what is like @v, or the free one where it belongs. */
static const struct ir_val **
slot_of(const struct ir_exprs *e, const struct ir_val *v)
{
	uint32_t i = hash_of(v) & (e->n_slots - 1);

	while (e->slots[i] != NULL && !is_alike(e->slots[i], v))
		i = (i + 1) & (e->n_slots - 1);
	return &e->slots[i];
}

static int
grow(struct ir_exprs *e)
{
	const struct ir_val **old = e->slots;
	const uint32_t n = e->n_slots;

	e->slots = arena_zalloc(e->mem, 2 * (size_t)n * sizeof(*e->slots));
	if (e->slots == NULL)
		return -ENOMEM;
	e->n_slots = 2 * n;
	for (uint32_t i = 0; i < n; i++)
		if (old[i] != NULL)
			*slot_of(e, old[i]) = old[i];
	return 0;
}

int
ir_exprs_number(struct ir_exprs *e, struct ir *ir)
{
	for (uint32_t i = 0; i < ir->nvals; i++) {
		struct ir_val *v = ir->vals[i];
		const struct ir_val **slot;

		if (2 * e->used >= e->n_slots && grow(e) < 0)
			return -ENOMEM;
		slot = slot_of(e, v);
		if (v->op != IR_PHI && *slot != NULL) {
			v->expr = (*slot)->expr;
			continue;
		}
		v->expr = e->n++;
		if (v->op != IR_PHI) {
			*slot = v;
			e->used++;
		}
	}
	return 0;
}
