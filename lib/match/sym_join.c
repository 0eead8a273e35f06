// SPDX-License-Identifier: BSD-3-Clause
/*
 * Ways that meet are joined where nothing is lost by it. Two ways part at
 * "jeq #5": one knows A == 5, the other A != 5. Where they meet again, or where
 * one of them has matched, the other may forget what it knows of A: what it then
 * says of more packets is said of those that match anyway.
 *
 *	jneq #1, no	way 1: a == 1, b == 2: matches
 *	ldb [1]		way 2: a != 1
 *	jneq #2, no	way 3: a == 1, b != 2
 *	ret #1
 *	no: ...		ways 2 and 3 meet here: one way that knows neither
 *
 * So paths overlap, and are as many as the program has returns, not ways.
 * Packets that are too short end a program wherever it looks: what one of the
 * ways needed is owed by all, and a path is exact only if it needs as much.
 */
#include "base/util.h"
#include "sym_run.h"

#define FOLLOWS_DEPTH 12

/* ---- needs ---- */

bool
sym_need_follows(
	const struct sym_node *a, uint32_t e, const struct sym_node *b, uint64_t f, int depth)
{
	if (a == b || a == NULL)
		return e <= f;
	if (b == NULL || depth == 0 || b->id < a->id)
		return false;
	switch ((enum sym_op)b->op) {
	case SYM_SUM:
		return (uint64_t)b->a->umax + b->k <= UINT32_MAX &&
			sym_need_follows(a, e, b->a, f + b->k, depth - 1);
	case SYM_ALU:
		return b->alu == CBPF_ALU_ADD && (uint64_t)b->a->umax + b->b->umax <= UINT32_MAX &&
			(sym_need_follows(a, e, b->a, f, depth - 1) ||
				sym_need_follows(a, e, b->b, f, depth - 1));
	case SYM_WALK: return sym_need_follows(a, e, b->a, f + b->k, depth - 1);
	case SYM_CONST:
	case SYM_LEN:
	case SYM_LOAD:
	case SYM_ANY: break;
	}
	return false;
}

bool
sym_need_in(const struct needs *needs, const struct sym_node *base, uint32_t end)
{
	for (uint32_t i = 0; i < needs->n; i++)
		if (sym_need_follows(base, end, needs->v[i].base, needs->v[i].end, FOLLOWS_DEPTH))
			return true;
	return false;
}

void
sym_need_add(struct needs *needs, const struct sym_node *base, uint32_t end, bool *exact)
{
	uint32_t kept = 0;

	if (sym_need_in(needs, base, end))
		return;
	for (uint32_t i = 0; i < needs->n; i++)
		if (!sym_need_follows(needs->v[i].base, needs->v[i].end, base, end, FOLLOWS_DEPTH))
			needs->v[kept++] = needs->v[i];
	needs->n = kept;
	if (needs->n == SYM_NEEDS_MAX)
		*exact = false;
	else
		needs->v[needs->n++] = (struct sym_need){base, end};
}

void
sym_needs_common(struct needs *a, const struct needs *b)
{
	struct needs both = {.n = 0};
	bool ignored;

	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t j = 0; j < b->n; j++) {
			const struct sym_need *x = &a->v[i], *y = &b->v[j];

			if (x->base == y->base)
				sym_need_add(&both, x->base, MIN(x->end, y->end), &ignored);
			else if (sym_need_follows(x->base, x->end, y->base, y->end, FOLLOWS_DEPTH))
				sym_need_add(&both, x->base, x->end, &ignored);
			else if (sym_need_follows(y->base, y->end, x->base, x->end, FOLLOWS_DEPTH))
				sym_need_add(&both, y->base, y->end, &ignored);
		}
	*a = both;
}

/* @w owes @needs, as far as it does not ask them itself. */
static void
owe(struct way *w, const struct needs *needs)
{
	for (uint32_t i = 0; i < needs->n; i++)
		if (!sym_need_in(&w->needs, needs->v[i].base, needs->v[i].end))
			sym_need_add(&w->owed, needs->v[i].base, needs->v[i].end, &w->exact);
}

/* ---- what is covered ---- */

static bool
is_covered(const struct run *r, const struct sym_fact *f)
{
	return f->covered || f->mark == r->epoch;
}

static bool
other_is_covered(const struct run *r, const struct sym_fact *f)
{
	return f->other != NULL ? is_covered(r, f->other) : !f->other_fails;
}

struct sym_fact *
sym_common_facts(struct sym_fact *a, struct sym_fact *b)
{
	while (a != b) {
		if (a == NULL || b == NULL)
			return NULL;
		if (a->depth >= b->depth)
			a = a->before;
		else
			b = b->before;
	}
	return a;
}

/* If packets for which @f holds match, so do those for which what is before it holds, and so on. */
static void
mark(const struct run *r, struct sym_fact *f)
{
	for (; f != NULL; f = f->before) {
		f->mark = r->epoch;
		if (!other_is_covered(r, f))
			return;
	}
}

/* The facts of which @f is the last without those that may be forgotten, down to @stop. */
static struct sym_fact *
without_covered(const struct run *r, struct sym_fact *f, const struct sym_fact *stop)
{
	while (f != stop && is_covered(r, f) && other_is_covered(r, f))
		f = f->before;
	return f;
}

/* The same, but for facts that tables are good at. */
static struct sym_fact *
without_negative(const struct run *r, struct sym_fact *f)
{
	while (f != NULL && !(f->atom.kind == SYM_EQ && !f->atom.neg) && is_covered(r, f) &&
		other_is_covered(r, f))
		f = f->before;
	return f;
}

static bool
is_same_state(const struct way *a, const struct way *b, uint32_t live)
{
	for (; live != 0; live &= live - 1) {
		const uint32_t i = (uint32_t)__builtin_ctz(live);

		if (a->regs[i].node != b->regs[i].node || a->regs[i].add != b->regs[i].add)
			return false;
	}
	return true;
}

struct way *
sym_join(struct run *r, size_t pc, struct way *list, uint32_t *n)
{
	struct sym_fact *common = list->facts, *left;
	struct needs needs = list->needs, first;

	r->epoch++;
	for (struct way *w = list; w != NULL; w = w->next) {
		if (!w->exact || r->done_lost || !is_same_state(list, w, r->flow[pc].live))
			return list;
		common = sym_common_facts(common, w->facts);
		mark(r, w->facts);
	}
	for (const struct way *w = list; w != NULL; w = w->next)
		if (without_covered(r, w->facts, common) != common)
			return list;
	left = without_negative(r, common);
	if (list->next == NULL && left == list->facts)
		return list;
	for (const struct way *w = list->next; w != NULL; w = w->next)
		sym_needs_common(&needs, &w->needs);
	first = list->needs;
	list->needs = needs;
	owe(list, &first);
	owe(list, &r->done);
	for (struct way *w = list->next, *next; w != NULL; w = next) {
		next = w->next;
		owe(list, &w->needs);
		owe(list, &w->owed);
		sym_way_end(r, w);
	}
	list->facts = left;
	list->next = NULL;
	*n = 1;
	return list;
}

void
sym_way_accepted(struct run *r, struct way *w)
{
	for (uint32_t i = 0; i < w->owed.n && w->exact; i++)
		w->exact = sym_need_in(&w->needs, w->owed.v[i].base, w->owed.v[i].end);
	if (!w->exact)
		return;
	for (struct sym_fact *f = w->facts; f != NULL; f = f->before) {
		f->covered = true;
		if (f->other != NULL ? !f->other->covered : f->other_fails)
			break;
	}
	for (uint32_t i = 0; i < w->needs.n; i++) {
		bool room = true;

		sym_need_add(&r->done, w->needs.v[i].base, w->needs.v[i].end, &room);
		r->done_lost |= !room;
	}
}
