// SPDX-License-Identifier: BSD-3-Clause
#include "ir.h"

#include <string.h>

#include "base/util.h"

void
ir_fini(struct ir *ir)
{
	arena_fini(&ir->mem);
}

/*
 * The dominator tree grows while blocks are entered in topological order. skip
 * is a far ancestor chosen as in a skew-binary list (Myers, 1983), so that
 * climbing to a given depth takes logarithmic time also in a chain of
 * thousands of tests.
 */
void
ir_dom_enter(struct ir_block *b)
{
	struct ir_block *p;

	if (b->npreds == 0) {
		b->idom = NULL;
		b->skip = b;
		b->depth = 0;
		return;
	}
	p = b->preds[0];
	for (uint32_t i = 1; i < b->npreds; i++)
		p = ir_dom_common(p, b->preds[i]);
	b->idom = p;
	b->depth = p->depth + 1;
	b->skip = p->depth - p->skip->depth == p->skip->depth - p->skip->skip->depth ? p->skip->skip
										     : p;
}

static struct ir_block *
climb(struct ir_block *b, uint32_t depth)
{
	while (b->depth > depth)
		b = b->skip->depth >= depth ? b->skip : b->idom;
	return b;
}

struct ir_block *
ir_dom_common(struct ir_block *a, struct ir_block *b)
{
	a = climb(a, MIN(a->depth, b->depth));
	b = climb(b, a->depth);
	while (a != b) {
		bool far = a->skip != b->skip;

		a = far ? a->skip : a->idom;
		b = far ? b->skip : b->idom;
	}
	return a;
}

bool
ir_dominates(const struct ir_block *a, struct ir_block *b)
{
	return climb(b, a->depth) == a;
}

static uint32_t
all_ones(uint32_t v)
{
	return v == 0 ? 0 : UINT32_MAX >> __builtin_clz(v);
}

/* An upper bound of what @v can be. */
static uint32_t
bound_alu(const struct ir_val *v)
{
	uint64_t a = v->a->umax, b = v->b->umax;
	bool by_const = v->b->op == IR_CONST;
	uint64_t r = UINT32_MAX;

	switch (v->alu) {
	case CBPF_ALU_ADD: r = a + b; break;
	case CBPF_ALU_MUL: r = a * b; break;
	case CBPF_ALU_AND: r = MIN(a, b); break;
	case CBPF_ALU_OR:
	case CBPF_ALU_XOR: r = all_ones((uint32_t)(a | b)); break;
	case CBPF_ALU_LSH: r = by_const && b < 32 ? a << b : UINT32_MAX; break;
	case CBPF_ALU_RSH: r = by_const && b < 32 ? a >> b : a; break;
	case CBPF_ALU_DIV: r = by_const ? a / MAX(b, 1) : a; break;
	case CBPF_ALU_MOD: r = by_const ? MIN(a, b - 1) : a; break;
	case CBPF_ALU_SUB: break;
	}
	return r > UINT32_MAX ? UINT32_MAX : (uint32_t)r;
}

static uint32_t
bound_of(const struct ir_val *v)
{
	switch (v->op) {
	case IR_CONST: return v->k;
	case IR_LEN:
	case IR_ARG: return UINT32_MAX;
	case IR_LOAD: return v->size == 4 ? UINT32_MAX : (1u << 8 * v->size) - 1;
	case IR_RAW: return UINT32_MAX;
	case IR_ALU: return bound_alu(v);
	case IR_PHI: return UINT32_MAX;
	}
	return UINT32_MAX;
}

static bool
keep_val(struct ir *ir, struct ir_val *v)
{
	if (ir->nvals == ir->cap_vals) {
		uint32_t cap = ir->cap_vals != 0 ? ir->cap_vals * 2 : 64;
		struct ir_val **more = arena_zalloc(&ir->mem, cap * sizeof(*more));

		if (more == NULL)
			return false;
		if (ir->nvals > 0)
			memcpy(more, ir->vals, ir->nvals * sizeof(*more));
		ir->vals = more;
		ir->cap_vals = cap;
	}
	v->id = ir->nvals;
	ir->vals[ir->nvals++] = v;
	return true;
}

static struct ir_val *
new_val(struct ir *ir, struct ir_block *b, const struct ir_val *proto)
{
	struct ir_val *v = arena_zalloc(&ir->mem, sizeof(*v));

	if (v == NULL || (*v = *proto, !keep_val(ir, v))) {
		ir->failed = true;
		return ir->nil;
	}
	v->block = b;
	v->umax = bound_of(v);
	v->reg = -1;
	v->slot = -1;
	return v;
}

static unsigned int
hash_of(const struct ir_val *v)
{
	uint64_t h = (uint64_t)v->op << 8 | (uint64_t)v->alu << 4 | v->size;

	h = h * 31 + v->k;
	h = h * 31 + (v->a != NULL ? v->a->id : 0);
	h = h * 31 + (v->b != NULL ? v->b->id : 0);
	return (unsigned int)((h * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* The value like @proto that is known in @b, or a new one. */
static struct ir_val *
find_val(struct ir *ir, struct ir_block *b, const struct ir_val *proto)
{
	struct ir_val **bucket = &ir->hash[hash_of(proto)];
	struct ir_val *v;

	for (v = *bucket; v != NULL; v = v->hash_next)
		if (v->op == proto->op && v->alu == proto->alu && v->size == proto->size &&
			v->k == proto->k && v->a == proto->a && v->b == proto->b &&
			ir_dominates(v->block, b))
			return v;
	v = new_val(ir, b, proto);
	if (v == ir->nil)
		return v;
	v->hash_next = *bucket;
	*bucket = v;
	return v;
}

struct ir_val *
ir_const(struct ir *ir, struct ir_block *b, uint32_t k)
{
	return find_val(ir, b, &(struct ir_val){.op = IR_CONST, .k = k});
}

struct ir_val *
ir_len(struct ir *ir, struct ir_block *b)
{
	return find_val(ir, b, &(struct ir_val){.op = IR_LEN});
}

struct ir_val *
ir_arg(struct ir *ir, struct ir_block *b, enum ir_arg arg)
{
	return find_val(ir, b, &(struct ir_val){.op = IR_ARG, .k = arg});
}

struct ir_val *
ir_load(struct ir *ir, struct ir_block *b, struct ir_val *base, uint32_t k, uint8_t size)
{
	return find_val(ir, b, &(struct ir_val){.op = IR_LOAD, .a = base, .k = k, .size = size});
}

struct ir_val *
ir_raw(struct ir *ir, struct ir_block *b, struct ir_val *base, uint32_t k, uint8_t size)
{
	return find_val(ir, b, &(struct ir_val){.op = IR_RAW, .a = base, .k = k, .size = size});
}

struct ir_val *
ir_alu_plain(
	struct ir *ir, struct ir_block *b, enum cbpf_alu_op op, struct ir_val *x, struct ir_val *y)
{
	return find_val(ir, b, &(struct ir_val){.op = IR_ALU, .alu = op, .a = x, .b = y});
}

struct ir_val *
ir_phi(struct ir *ir, struct ir_block *b)
{
	struct ir_val *v = new_val(ir, b, &(struct ir_val){.op = IR_PHI});

	if (v == ir->nil)
		return v;
	v->args = arena_zalloc(&ir->mem, b->npreds * sizeof(*v->args));
	if (v->args == NULL) {
		ir->failed = true;
		return ir->nil;
	}
	v->hash_next = b->phis;
	b->phis = v;
	return v;
}

void
ir_guard_add(struct ir *ir, struct ir_block *b, struct ir_val *v, uint64_t end)
{
	struct ir_guard **p, *g;

	for (p = &b->guards; *p != NULL; p = &(*p)->next)
		if ((*p)->v == v && (end > 0) == ((*p)->end > 0) && (*p)->end >= end)
			return;
	g = arena_zalloc(&ir->mem, sizeof(*g));
	if (g == NULL) {
		ir->failed = true;
		return;
	}
	g->v = v;
	g->end = end;
	*p = g;
}

struct ir_test *
ir_test_new(struct ir *ir)
{
	struct ir_test *t = arena_zalloc(&ir->mem, sizeof(*t));

	if (t == NULL)
		ir->failed = true;
	return t;
}
