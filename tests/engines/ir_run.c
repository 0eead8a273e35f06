// SPDX-License-Identifier: BSD-3-Clause
/*
 * The compiler's graph, executed as literally as possible: values are computed
 * when asked for, phis keep the way by which their block was entered. It tells
 * faults of the passes from faults of code generation.
 */
#include "ir_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ir.h"

struct run {
	const uint8_t *data;
	uint32_t caplen, wirelen;
	uint64_t *val; /* by id */
	bool *known;
};

static uint64_t value(struct run *r, const struct ir_val *v);

/* Never past the end: a load whose guard was forgotten stops the test. */
static uint64_t
bytes_at(struct run *r, const struct ir_val *base, uint32_t off, uint8_t size, bool swap)
{
	uint64_t at = (base != NULL ? value(r, base) : 0) + off, v = 0;

	if (at + size > r->caplen)
		abort();
	for (unsigned int i = 0; i < size; i++)
		v |= (uint64_t)r->data[at + i] << 8 * (swap ? size - 1 - i : i);
	return v;
}

static uint64_t
compute(struct run *r, const struct ir_val *v)
{
	uint32_t result = 0;

	switch (v->op) {
	case IR_CONST: return v->k;
	case IR_LEN: return r->wirelen;
	case IR_LOAD: return bytes_at(r, v->a, v->k, v->size, true);
	case IR_RAW: return bytes_at(r, v->a, v->k, v->size, false);
	case IR_ALU:
		if (!cbpf_alu(v->alu, (uint32_t)value(r, v->a), (uint32_t)value(r, v->b), &result))
			abort();
		return result;
	case IR_ARG: abort(); /* of chains alone */
	case IR_PHI: abort(); /* known since its block was entered */
	}
	abort();
}

static uint64_t
value(struct run *r, const struct ir_val *v)
{
	if (!r->known[v->id]) {
		r->val[v->id] = compute(r, v);
		r->known[v->id] = true;
	}
	if (v->op != IR_RAW && r->val[v->id] > v->umax)
		abort();
	return r->val[v->id];
}

static bool
test_holds(struct run *r, const struct ir_test *t)
{
	bool holds = false;

	switch (t->kind) {
	case IR_EQ: holds = value(r, t->a) == value(r, t->b); break;
	case IR_GT: holds = value(r, t->a) > value(r, t->b); break;
	case IR_GE: holds = value(r, t->a) >= value(r, t->b); break;
	case IR_SET: holds = (value(r, t->a) & value(r, t->b)) != 0; break;
	case IR_MEM:
		holds = (bytes_at(r, t->a, t->off, t->size, false) & t->mask) == t->want;
		break;
	case IR_RAWEQ: holds = (value(r, t->a) & t->mask) == t->want; break;
	case IR_THERE: abort(); /* of chains alone */
	}
	return holds != t->neg;
}

static void
enter(struct run *r, const struct ir_block *from, const struct ir_block *to)
{
	uint32_t i = 0;

	if (to->phis == NULL)
		return;
	while (to->preds[i] != from)
		i++;
	for (const struct ir_val *phi = to->phis; phi != NULL; phi = phi->hash_next) {
		/* A dead phi may merge what no path may compute; live ones are asked for later. */
		const struct ir_val *arg = phi->args[i];

		r->val[phi->id] = value(r, arg);
		r->known[phi->id] = true;
	}
}

static bool
guards_pass(struct run *r, const struct ir_block *b)
{
	for (const struct ir_guard *g = b->guards; g != NULL; g = g->next) {
		uint64_t v = g->v != NULL ? value(r, g->v) : 0;

		if (g->end == 0 ? v == 0 : v + g->end > r->caplen)
			return false;
	}
	return true;
}

static uint32_t
walk(struct run *r, const struct ir_block *b)
{
	for (;;) {
		const struct ir_block *to = b->yes;

		if (!guards_pass(r, b))
			return 0;
		if (b->term == IR_RET)
			return (uint32_t)value(r, b->ret);
		if (b->term == IR_BRANCH)
			for (const struct ir_test *t = b->tests; t != NULL && to == b->yes;
				t = t->next)
				if (!test_holds(r, t))
					to = b->no;
		enter(r, b, to);
		b = to;
	}
}

uint32_t
ir_run(struct ir *ir, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	struct run r = {.data = data, .caplen = caplen, .wirelen = wirelen};
	uint32_t result;

	r.val = malloc(ir->nvals * sizeof(*r.val));
	r.known = calloc(ir->nvals, sizeof(*r.known));
	if (r.val == NULL || r.known == NULL)
		abort();
	result = walk(&r, ir->blocks[0]);
	free(r.val);
	free(r.known);
	return result;
}
