// SPDX-License-Identifier: BSD-3-Clause
#include "ir_facts.h"

#include <errno.h>

#include "base/util.h"

#define FACTS_MAX 256 /* looked at per question; bounds the work for long chains */

struct ir_fact {
	struct ir_fact *next;
	struct ir_block *block;
	const struct ir_test *test;
};

void
ir_range_learn(struct ir_range *k, enum ir_test_kind kind, bool holds, uint32_t c)
{
	switch (kind) {
	case IR_EQ:
		if (holds) {
			k->lo = MAX(k->lo, c);
			k->hi = MIN(k->hi, c);
		}
		break;
	case IR_GT:
		if (!holds)
			k->hi = MIN(k->hi, c);
		else if (c < UINT32_MAX)
			k->lo = MAX(k->lo, c + 1);
		break;
	case IR_GE:
		if (holds)
			k->lo = MAX(k->lo, c);
		else if (c > 0)
			k->hi = MIN(k->hi, c - 1);
		break;
	case IR_SET:
	case IR_MEM:
	case IR_RAWEQ:
	case IR_THERE: break;
	}
}

int
ir_range_decide(const struct ir_range *k, enum ir_test_kind kind, uint32_t c)
{
	switch (kind) {
	case IR_EQ:
		if (c < k->lo || c > k->hi)
			return 0;
		return k->lo == k->hi ? 1 : -1;
	case IR_GT: return k->lo > c ? 1 : k->hi <= c ? 0 : -1;
	case IR_GE: return k->lo >= c ? 1 : k->hi < c ? 0 : -1;
	case IR_SET:
		if (c == 0)
			return 0;
		if (k->lo == k->hi)
			return (k->lo & c) != 0;
		/* No bit of c can be set in a value this small. */
		return (c & (UINT32_MAX >> __builtin_clz(k->hi | 1))) == 0 ? 0 : -1;
	case IR_MEM:
	case IR_RAWEQ:
	case IR_THERE: break;
	}
	return -1;
}

static uint32_t
expr_of(const struct ir_val *v)
{
	return v != NULL ? v->expr : 0;
}

/* The expression that @t is about: what it compares, or what its bytes lie behind. */
static uint32_t
subject(const struct ir_test *t)
{
	return t->kind == IR_THERE ? expr_of(t->guard->v) : expr_of(t->a);
}

int
ir_facts_init(struct ir_facts *f, struct arena *mem, uint32_t n_exprs)
{
	f->mem = mem;
	f->n_exprs = n_exprs;
	f->by_expr = arena_zalloc(mem, n_exprs * sizeof(struct ir_fact *));
	return f->by_expr != NULL ? 0 : -ENOMEM;
}

int
ir_facts_add(struct ir_facts *f, struct ir_block *b, const struct ir_test *t)
{
	struct ir_fact **list = &f->by_expr[subject(t)];
	struct ir_fact *new = arena_zalloc(f->mem, sizeof(*new));

	if (new == NULL)
		return -ENOMEM;
	*new = (struct ir_fact){*list, b, t};
	*list = new;
	return 0;
}

/* What is asked, and what is known about it so far. */
struct question {
	const struct ir_test *t;
	struct ir_range range;
	uint64_t mask, bits; /* of the window that t compares */
	uint64_t there,
		missing; /* bytes behind the guard's value that are there, and that are not */
};

static bool
is_bits(const struct ir_test *t)
{
	return t->kind == IR_MEM || t->kind == IR_RAWEQ;
}

static bool
is_compare(const struct ir_test *t)
{
	return !is_bits(t) && t->kind != IR_THERE;
}

/* @v, which is @by bytes further on than what it is to be compared with. */
static uint64_t
moved(uint64_t v, int64_t by)
{
	if (by >= 8 || by <= -8)
		return 0;
	return by >= 0 ? v << 8 * by : v >> -8 * by;
}

static int
learn_bits(struct question *q, const struct ir_test *f, bool holds)
{
	const struct ir_test *t = q->t;
	const int64_t by = (int64_t)f->off - (int64_t)t->off;
	const uint64_t mask = moved(f->mask, by);
	uint64_t want = moved(f->want & f->mask, by);
	const bool whole = moved(mask, -by) == f->mask;

	if (!holds && (mask & (mask - 1)) == 0 && whole) {
		want ^= mask; /* a single bit is the other one */
	} else if (!holds) {
		/* Where all of this holds so does that. */
		return whole && (mask & ~t->mask) == 0 && (t->want & mask) == want ? 0 : -1;
	}
	q->mask |= mask;
	q->bits |= want;
	if (((q->bits ^ t->want) & q->mask & t->mask) != 0)
		return 0;
	return (q->mask & t->mask) == t->mask ? 1 : -1;
}

static int
learn_there(struct question *q, const struct ir_guard *g, bool holds)
{
	const uint64_t end = q->t->guard->end;

	if ((g->end == 0) != (end == 0))
		return -1;
	if (holds)
		return g->end >= end ? 1 : -1;
	return g->end <= end ? 0 : -1;
}

static int
decide_range(const struct question *q)
{
	return ir_range_decide(&q->range, q->t->kind, q->t->b->k);
}

static int
learn_compare(struct question *q, const struct ir_test *f, bool holds)
{
	const struct ir_test *t = q->t;

	if (f->kind == t->kind && f->b->expr == t->b->expr)
		return holds;
	if (f->b->op == IR_CONST)
		ir_range_learn(&q->range, f->kind, holds, f->b->k);
	return t->b->op == IR_CONST ? decide_range(q) : -1;
}

/* The comparison of @f, whose subject is the same, gave @holds: what does that of t give? */
static int
learn(struct question *q, const struct ir_test *f, bool holds)
{
	if (is_bits(q->t))
		return f->kind == q->t->kind ? learn_bits(q, f, holds) : -1;
	if (q->t->kind == IR_THERE)
		return f->kind == IR_THERE ? learn_there(q, f->guard, holds) : -1;
	return is_compare(f) ? learn_compare(q, f, holds) : -1;
}

/* How the test of @b, if it was worth one, went on every way to the end of @at, or -1. */
static int
outcome(const struct ir_block *b, struct ir_block *at)
{
	if (b->term != IR_BRANCH)
		return -1;
	if (b->yes != NULL && b->yes->npreds == 1 && ir_dominates(b->yes, at))
		return 1;
	if (b->no != NULL && b->no->npreds == 1 && ir_dominates(b->no, at))
		return 0;
	return -1;
}

int
ir_facts_decide(const struct ir_facts *f, struct ir_block *from, int holds, const struct ir_test *t)
{
	struct question q = {.t = t};
	uint32_t n = 0;
	int is;

	/* What no bits can fulfil is never asked: that it failed would say nothing. */
	if (is_bits(t) && (t->want & ~t->mask) != 0)
		return t->neg;
	if (is_bits(t) && t->mask == 0)
		return !t->neg;
	if (is_compare(t)) {
		q.range = (struct ir_range){t->a->op == IR_CONST ? t->a->k : 0, t->a->umax};
		if (t->b->op == IR_CONST && (is = decide_range(&q)) >= 0)
			return (is != 0) != t->neg;
	}
	for (const struct ir_fact *fact = f->by_expr[subject(t)]; fact != NULL && n < FACTS_MAX;
		fact = fact->next, n++) {
		const int was = fact->block == from ? holds : outcome(fact->block, from);

		if (was < 0)
			continue;
		is = learn(&q, fact->test, (was != 0) != fact->test->neg);
		if (is >= 0)
			return (is != 0) != t->neg;
	}
	return -1;
}
