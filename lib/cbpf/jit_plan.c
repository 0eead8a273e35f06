// SPDX-License-Identifier: BSD-3-Clause
#include "jit_plan.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

/*
 * Registers for values, cheapest first. rax and rcx are scratch for single
 * steps, rdi, esi and edx the arguments; edx is free where nobody asks for the
 * length on the wire and nobody divides.
 */
static const enum x86_reg pool[] = {RDX, R8, R9, R10, R11, RBX, RBP, R12, R13, R14, R15};

static bool
is_saved(enum x86_reg r)
{
	return r == RBX || r == RBP || r >= R12;
}

/* One more user of @v, in @at. */
static void
use_in(struct ir_val *v, struct ir_block *at)
{
	struct ir_block *was;

	if (v == NULL)
		return;
	was = v->place;
	v->uses++;
	v->place = was == NULL ? at : ir_dom_common(was, at);
	v->outside |= v->place != at || (was != NULL && was != v->place);
}

static void
use_base_in(struct ir_val *v, struct ir_block *at)
{
	uint8_t scale;

	if (v != NULL)
		use_in(plan_shifted(v, &scale), at);
}

static void
use_index_in(const struct ir *ir, const struct ir_val *load, struct ir_block *at)
{
	uint8_t scale;
	int64_t disp;

	if (load->a != NULL)
		use_in(plan_index(ir, load, &scale, &disp), at);
}

static void
use_guard(const struct ir_guard *g, struct ir_block *b)
{
	if (g->end > 0)
		use_base_in(g->v, b);
	else
		use_in(g->v, b);
}

static void
use_test(struct ir *ir, struct ir_block *b, struct ir_test *t)
{
	if (t->kind == IR_THERE) {
		use_guard(t->guard, b);
	} else if (t->kind == IR_MEM) {
		/* The same bytes asked about twice are loaded once. */
		t->kind = IR_RAWEQ;
		t->a = t->size == 1 ? ir_load(ir, b, t->a, t->off, 1)
				    : ir_raw(ir, b, t->a, t->off, t->size);
	}
	use_in(t->a, b);
	use_in(t->b, b);
}

static void
use_roots(struct ir *ir, struct ir_block *b)
{
	for (const struct ir_guard *g = b->guards; g != NULL; g = g->next)
		use_guard(g, b);
	if (b->term == IR_BRANCH)
		for (struct ir_test *t = b->tests; t != NULL; t = t->next)
			use_test(ir, b, t);
	if (b->term == IR_RET)
		use_in(b->ret, b);
}

/*
 * A value is needed where its users are; users have larger numbers, so that
 * from the last value to the first all of them are known. It is computed in the
 * block that dominates them all: at the latest, and never where not needed.
 */
static void
use_operands(const struct ir *ir, struct ir_val *v)
{
	if (v->place == NULL)
		return;
	switch (v->op) {
	case IR_CONST:
	case IR_LEN:
	case IR_ARG: return;
	case IR_LOAD:
	case IR_RAW: use_index_in(ir, v, v->place); return;
	case IR_ALU:
		if (v->alu == CBPF_ALU_ADD && v->b->op != IR_CONST) {
			use_in(v->a, v->place);
			use_base_in(v->b, v->place);
			return;
		}
		use_in(v->a, v->place);
		use_in(v->b, v->place);
		return;
	case IR_PHI:
		v->place = v->block;
		for (uint32_t i = 0; i < v->block->npreds; i++) {
			use_in(v->args[i], v->block->preds[i]);
			v->args[i]->outside = true;
		}
		return;
	}
}

/* A load that only one test asks about is its memory operand. */
static void
inline_operand(struct ir_test *t)
{
	struct ir_val *v = t->a;

	if (v == NULL || v->uses != 1 || (v->op != IR_RAW && v->op != IR_LOAD))
		return;
	if (t->kind == IR_RAWEQ)
		v->inline_ = true;
	else
		v->inline_ = v->op == IR_LOAD && v->size == 1 && t->b->op == IR_CONST &&
			t->b->k <= UINT8_MAX;
}

static bool
divides(const struct ir_val *v)
{
	return v->op == IR_ALU && (v->alu == CBPF_ALU_DIV || v->alu == CBPF_ALU_MOD);
}

/*
 * An edge from a branch to a block with phis gets a block of its own, where the
 * moves are done.
 */
static int
split_edge(struct ir *ir, struct ir_block *from, struct ir_block **slot, struct ir_block **ret)
{
	struct ir_block *to = *slot, *b;

	*ret = NULL;
	if (to == NULL || to->phis == NULL)
		return 0;
	b = arena_zalloc(&ir->mem, sizeof(*b));
	if (b == NULL)
		return -ENOMEM;
	b->preds = arena_zalloc(&ir->mem, sizeof(*b->preds));
	if (b->preds == NULL)
		return -ENOMEM;
	b->preds[0] = from;
	b->npreds = 1;
	b->section = from->section;
	b->term = IR_GOTO;
	b->yes = to;
	for (uint32_t i = 0; i < to->npreds; i++)
		if (to->preds[i] == from)
			to->preds[i] = b;
	*slot = b;
	*ret = b;
	return 0;
}

static int
split_edges(struct ir *ir)
{
	struct ir_block **out = arena_zalloc(&ir->mem, ir->cap_blocks * sizeof(struct ir_block *));
	uint32_t n = 0;

	if (out == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < ir->nblocks; i++) {
		struct ir_block *b = ir->blocks[i], *more[2] = {NULL, NULL};

		out[n++] = b;
		if (b->term != IR_BRANCH)
			continue;
		if (split_edge(ir, b, &b->yes, &more[0]) < 0 ||
			split_edge(ir, b, &b->no, &more[1]) < 0)
			return -ENOMEM;
		for (int j = 0; j < 2; j++)
			if (more[j] != NULL)
				out[n++] = more[j];
	}
	ir->blocks = out;
	ir->nblocks = n;
	for (uint32_t i = 0; i < n; i++) {
		out[i]->index = i;
		ir_dom_enter(out[i]);
	}
	return 0;
}

static void
add_step(struct plan_list *p, const struct plan_step *s)
{
	if (p->n == p->cap) {
		uint32_t cap = p->cap != 0 ? p->cap * 2 : 128;
		struct plan_step *more = arena_zalloc(&p->ir->mem, cap * sizeof(*more));

		if (more == NULL) {
			p->ir->failed = true;
			return;
		}
		if (p->n > 0)
			memcpy(more, p->v, p->n * sizeof(*more));
		p->v = more;
		p->cap = cap;
	}
	p->v[p->n++] = *s;
}

static void need(struct plan_list *p, struct ir_block *b, struct ir_val *v);

static void
need_base(struct plan_list *p, struct ir_block *b, struct ir_val *v)
{
	uint8_t scale;

	if (v != NULL)
		need(p, b, plan_shifted(v, &scale));
}

static void
need_index(struct plan_list *p, struct ir_block *b, const struct ir_val *load)
{
	uint8_t scale;
	int64_t disp;

	if (load->a != NULL)
		need(p, b, plan_index(p->ir, load, &scale, &disp));
}

static void
need_operands(struct plan_list *p, struct ir_block *b, struct ir_val *v)
{
	switch (v->op) {
	case IR_CONST:
	case IR_LEN:
	case IR_ARG:
	case IR_PHI: return;
	case IR_LOAD:
	case IR_RAW: need_index(p, b, v); return;
	case IR_ALU:
		need(p, b, v->a);
		if (v->alu == CBPF_ALU_ADD && v->b->op != IR_CONST)
			need_base(p, b, v->b);
		else
			need(p, b, v->b);
		return;
	}
}

/* Compute @v before the next step of @b, unless it is known already. */
static void
need(struct plan_list *p, struct ir_block *b, struct ir_val *v)
{
	if (v == NULL || v->op == IR_CONST || v->op == IR_ARG || v->op == IR_PHI || v->start != 0)
		return;
	if (v->op == IR_LEN && !p->has_div)
		return; /* stays in edx */
	need_operands(p, b, v);
	if (v->inline_)
		return;
	v->start = p->n + 1;
	add_step(p, &(struct plan_step){.kind = PLAN_VAL, .block = b, .val = v});
}

/* What a test or a later block finds computed when @b's tests begin. */
static void
need_outside(struct plan_list *p, struct ir_block *b)
{
	for (struct ir_val *v = b->placed; v != NULL; v = v->place_next)
		if (v->outside)
			need(p, b, v);
}

static void
put_moves(struct plan_list *p, struct ir_block *b)
{
	uint32_t i = 0;

	if (b->yes->phis == NULL)
		return;
	while (b->yes->preds[i] != b)
		i++;
	for (struct ir_val *phi = b->yes->phis; phi != NULL; phi = phi->hash_next) {
		if (phi->place == NULL)
			continue;
		if (phi->start == 0)
			phi->start = p->n + 1;
		add_step(p,
			&(struct plan_step){
				.kind = PLAN_MOVE, .block = b, .val = phi, .arg = phi->args[i]});
	}
}

static void
need_guard(struct plan_list *p, struct ir_block *b, const struct ir_guard *g)
{
	if (g->end > 0)
		need_base(p, b, g->v);
	else
		need(p, b, g->v);
	p->wide_guard |= !plan_guard_is_narrow(g);
}

static void
put_tests(struct plan_list *p, struct ir_block *b)
{
	for (struct ir_test *t = b->tests; t != NULL; t = t->next) {
		if (t->kind == IR_THERE)
			need_guard(p, b, t->guard);
		need(p, b, t->a);
		need(p, b, t->b);
		add_step(p,
			&(struct plan_step){.kind = t->next != NULL ? PLAN_TEST : PLAN_LAST_TEST,
				.block = b,
				.test = t});
	}
}

static void
put_block(struct plan_list *p, struct ir_block *b)
{
	add_step(p, &(struct plan_step){.kind = PLAN_BLOCK, .block = b});
	b->start = p->n;
	/* A division destroys edx, so that the length leaves it at the very start. */
	if (b->index == 0 && p->has_div)
		for (struct ir_val *v = b->placed; v != NULL; v = v->place_next)
			if (v->op == IR_LEN)
				need(p, b, v);
	for (const struct ir_guard *g = b->guards; g != NULL; g = g->next) {
		need_guard(p, b, g);
		add_step(p, &(struct plan_step){.kind = PLAN_GUARD, .block = b, .guard = g});
	}
	need_outside(p, b);
	switch (b->term) {
	case IR_GOTO:
		put_moves(p, b);
		add_step(p, &(struct plan_step){.kind = PLAN_GOTO, .block = b});
		return;
	case IR_BRANCH: put_tests(p, b); return;
	case IR_RET:
		need(p, b, b->ret);
		add_step(p, &(struct plan_step){.kind = PLAN_RET, .block = b, .val = b->ret});
		return;
	}
}

static void
touch(struct ir_val *v, uint32_t pos)
{
	if (v != NULL && v->end < pos)
		v->end = pos;
}

static void
touch_base(struct ir_val *v, uint32_t pos)
{
	uint8_t scale;

	if (v != NULL)
		touch(plan_shifted(v, &scale), pos);
}

static void
touch_index(const struct ir *ir, const struct ir_val *load, uint32_t pos)
{
	uint8_t scale;
	int64_t disp;

	if (load->a != NULL)
		touch(plan_index(ir, load, &scale, &disp), pos);
}

static void
touch_operands(const struct ir *ir, struct ir_val *v, uint32_t pos)
{
	switch (v->op) {
	case IR_CONST:
	case IR_LEN:
	case IR_ARG:
	case IR_PHI: return;
	case IR_LOAD:
	case IR_RAW: touch_index(ir, v, pos); return;
	case IR_ALU:
		touch(v->a, pos);
		if (v->alu == CBPF_ALU_ADD && v->b->op != IR_CONST)
			touch_base(v->b, pos);
		else
			touch(v->b, pos);
		return;
	}
}

static void
touch_guard(const struct ir_guard *g, uint32_t pos)
{
	if (g->end > 0)
		touch_base(g->v, pos);
	else
		touch(g->v, pos);
}

static void
touch_test(const struct ir *ir, const struct ir_test *t, uint32_t pos)
{
	if (t->kind == IR_THERE) {
		touch_guard(t->guard, pos);
		return;
	}
	if (t->a->inline_)
		touch_operands(ir, t->a, pos);
	else
		touch(t->a, pos);
	touch(t->b, pos);
}

/* Positions count from 1: step i is at i + 1. */
static void
find_ends(struct plan_list *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct plan_step *s = &p->v[i];
		uint32_t pos = i + 1;

		switch (s->kind) {
		case PLAN_BLOCK:
		case PLAN_GOTO: break;
		case PLAN_VAL:
			touch(s->val, pos);
			touch_operands(p->ir, s->val, pos);
			break;
		case PLAN_GUARD: touch_guard(s->guard, pos); break;
		case PLAN_TEST:
		case PLAN_LAST_TEST: touch_test(p->ir, s->test, pos); break;
		case PLAN_MOVE:
			touch(s->val, pos);
			touch(s->arg, pos);
			break;
		case PLAN_RET: touch(s->val, pos); break;
		}
	}
}

static void
note_jump(struct ir_block *to, uint32_t pos)
{
	if (to != NULL && to->start < pos)
		to->jumped_to = pos;
}

/*
 * Cold blocks stand at the end and go back from there. What is needed where one
 * comes back to is needed until one does.
 */
static void
extend_ends(struct plan_list *p)
{
	struct ir *ir = p->ir;
	bool any = false;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct plan_step *s = &p->v[i];

		if (!s->block->cold ||
			(s->kind != PLAN_GOTO && s->kind != PLAN_TEST && s->kind != PLAN_LAST_TEST))
			continue;
		note_jump(s->block->yes, i + 1);
		note_jump(s->kind == PLAN_GOTO ? NULL : s->block->no, i + 1);
		any = true;
	}
	for (uint32_t i = 0; any && i < ir->nblocks; i++) {
		const struct ir_block *b = ir->blocks[i];

		for (uint32_t k = 0; b->jumped_to > 0 && k < ir->nvals; k++) {
			struct ir_val *v = ir->vals[k];

			if (v->start > 0 && v->start < b->start && v->end >= b->start)
				v->end = v->end < b->jumped_to ? b->jumped_to : v->end;
		}
	}
}

/* Values in registers while the line is walked. */
struct alloc {
	struct ir_val *in[DIM(pool)];
	bool usable[DIM(pool)];
};

static void
take_reg(struct plan_list *p, struct alloc *a, size_t i, struct ir_val *v)
{
	a->in[i] = v;
	v->reg = (int8_t)pool[i];
	if (is_saved(pool[i]))
		p->saved |= 1u << pool[i];
}

static bool
is_free(const struct alloc *a, size_t i, uint32_t pos)
{
	return a->usable[i] && (a->in[i] == NULL || a->in[i]->end <= pos);
}

/*
 * Linear scan. Control flow only goes forward, so that a value lives from its
 * computation to its last use in the line and nowhere else. When registers run
 * out, what is needed last goes to the stack for its whole life.
 */
static void
assign_reg(struct plan_list *p, struct alloc *a, struct ir_val *v, const struct ir_val *hint,
	uint32_t pos)
{
	size_t worst = DIM(pool);

	for (size_t i = 0; i < DIM(pool); i++)
		if (hint != NULL && a->in[i] == hint && is_free(a, i, pos)) {
			take_reg(p, a, i, v);
			return;
		}
	for (size_t i = 0; i < DIM(pool); i++)
		if (is_free(a, i, pos)) {
			take_reg(p, a, i, v);
			return;
		}
	for (size_t i = 0; i < DIM(pool); i++)
		if (a->usable[i] && (worst == DIM(pool) || a->in[i]->end > a->in[worst]->end))
			worst = i;
	if (a->in[worst]->end > v->end) {
		struct ir_val *out = a->in[worst];

		out->reg = -1;
		out->slot = (int16_t)p->nslots++;
		take_reg(p, a, worst, v);
	} else {
		v->slot = (int16_t)p->nslots++;
	}
}

static void
assign_regs(struct plan_list *p, uint32_t taken)
{
	struct alloc a = {{NULL}, {false}};

	for (size_t i = 0; i < DIM(pool); i++)
		a.usable[i] = (taken >> pool[i] & 1) == 0;
	for (uint32_t i = 0; i < p->n; i++) {
		const struct plan_step *s = &p->v[i];

		if (s->kind == PLAN_VAL)
			assign_reg(p, &a, s->val, s->val->a, i + 1);
		else if (s->kind == PLAN_MOVE && s->val->start == i + 1)
			assign_reg(p, &a, s->val, s->arg, i + 1);
	}
}

/*
 * The length on the wire stays in edx, unless a division anywhere destroys that:
 * then it is a value like others, computed in the first block.
 */
static void
settle_edx(struct plan_list *p)
{
	struct ir *ir = p->ir;

	for (uint32_t i = 0; i < ir->nvals; i++) {
		const struct ir_val *v = ir->vals[i];

		p->has_div |= v->place != NULL && divides(v);
		p->has_len |= v->place != NULL && v->op == IR_LEN;
		p->has_sport |= v->place != NULL && v->op == IR_ARG && v->k == IR_ARG_SPORT;
	}
	for (uint32_t i = 0; p->has_div && i < ir->nvals; i++) {
		struct ir_val *v = ir->vals[i];

		if (v->place == NULL || v->op != IR_LEN)
			continue;
		v->outside |= v->place != ir->blocks[0];
		v->place = ir->blocks[0];
	}
}

static int
find_places(struct plan_list *p)
{
	struct ir *ir = p->ir;

	for (uint32_t i = 0; i < ir->nblocks; i++)
		use_roots(ir, ir->blocks[i]);
	if (ir->failed)
		return -ENOMEM;
	for (uint32_t i = ir->nvals; i-- > 0;)
		use_operands(ir, ir->vals[i]);
	for (uint32_t i = 0; i < ir->nblocks; i++)
		if (ir->blocks[i]->term == IR_BRANCH)
			for (struct ir_test *t = ir->blocks[i]->tests; t != NULL; t = t->next)
				inline_operand(t);
	settle_edx(p);
	for (uint32_t i = ir->nvals; i-- > 0;) {
		struct ir_val *v = ir->vals[i];

		if (v->place == NULL || v->op == IR_PHI || v->op == IR_CONST)
			continue;
		v->place_next = v->place->placed;
		v->place->placed = v;
	}
	return 0;
}

/* The first block behind @from of another section. */
static uint32_t
section_end(const struct ir *ir, uint32_t from)
{
	uint32_t to = from + 1;

	while (to < ir->nblocks && ir->blocks[to]->section == ir->blocks[from]->section)
		to++;
	return to;
}

int
plan_make(struct ir *ir, uint32_t taken, struct plan_list *ret_plan)
{
	struct plan_list p = {.ir = ir};

	if (split_edges(ir) < 0 || find_places(&p) < 0)
		return -ENOMEM;
	for (uint32_t from = 0, to; from < ir->nblocks; from = to) {
		to = section_end(ir, from);
		for (int cold = 0; cold < 2; cold++)
			for (uint32_t i = from; i < to; i++)
				if (ir->blocks[i]->cold == cold &&
					(!ir_is_drop(ir->blocks[i]) || i == 0))
					put_block(&p, ir->blocks[i]);
	}
	if (ir->failed)
		return -ENOMEM;
	find_ends(&p);
	extend_ends(&p);
	assign_regs(&p, taken | (uint32_t)(p.has_len || p.has_div) << RDX);
	*ret_plan = p;
	return 0;
}
