// SPDX-License-Identifier: BSD-3-Clause
/*
 * X that could have been left where it was. When X becomes what it is already,
 * or what a shorter way gives, and a constant, the constant can go into the
 * loads that use it:
 *
 *	ldx 4*([0]&0xf)		ldx 4*([0]&0xf)
 *	ld #20		=>
 *	add x
 *	tax
 *	ld [x + 0]		ld [x + 20]
 *
 * and in the same way "add x; add #1; tax" needs no "add #1", and "ldx M[0]"
 * becomes the "ldx 4*([0]&0xf)" that it was made of.
 */
#include "base/mem.h"
#include "shrink.h"

#define REGION_MAX 512 /* nodes that use one X; more and it stays as it is */

/* The nodes that X of one place comes to, in order. */
struct region {
	uint32_t at[REGION_MAX];
	size_t n;
	bool *stale; /* per node: what is known there no longer holds in this round */
};

static bool
has(const struct region *r, uint32_t i)
{
	for (size_t j = 0; j < r->n; j++)
		if (r->at[j] == i)
			return true;
	return false;
}

static bool
add(const struct shrink *s, struct region *r, uint32_t i)
{
	if ((s->ahead[i].live & LIVE_X) == 0 || has(r, i))
		return true;
	if (r->n == REGION_MAX)
		return false;
	r->at[r->n++] = i;
	return true;
}

/* All nodes that see the X which node @from sets. */
static bool
find_region(const struct shrink *s, uint32_t from, struct region *r)
{
	r->n = 0;
	if (!add(s, r, s->g.v[from].t))
		return false;
	for (size_t j = 0; j < r->n; j++) {
		const struct gnode *n = &s->g.v[r->at[j]];

		if (node_is_ret(n) || (node_sets(n) & LIVE_X) != 0)
			continue;
		if (!add(s, r, n->t) || (node_is_branch(n) && !add(s, r, n->f)))
			return false;
	}
	return true;
}

/* No other X comes to the region than that of the node it was made from. */
static bool
is_only_source(const struct shrink *s, const struct region *r)
{
	size_t inside = 1; /* from the one that sets it */
	size_t edges = 0;

	for (size_t j = 0; j < r->n; j++) {
		const struct gnode *n = &s->g.v[r->at[j]];

		edges += s->ahead[r->at[j]].preds;
		if (node_is_ret(n) || (node_sets(n) & LIVE_X) != 0)
			continue;
		inside += has(r, n->t);
		inside += node_is_branch(n) && has(r, n->f);
	}
	return edges == inside;
}

/* A is only added to behind "add x" or "txa" at @n: where the constant can go. */
static bool
takes_constant(const struct shrink *s, const struct gnode *n)
{
	const struct gnode *next = &s->g.v[n->t];

	return next->code == CBPF_CODE_ALU_ADD_K && s->ahead[n->t].preds == 1;
}

/*
 * Whether all that use the X of the region can use X - @by instead, whose
 * largest value is @hi. Adds to *@cost the instructions that this takes.
 */
static bool
can_shift(const struct shrink *s, const struct region *r, uint32_t by, uint32_t hi, int *cost)
{
	for (size_t j = 0; j < r->n; j++) {
		const struct gnode *n = &s->g.v[r->at[j]];

		if ((node_uses(n) & LIVE_X) == 0)
			continue;
		if (node_is_ind(n)) {
			/* No wrapping where there was none. */
			if ((uint64_t)hi + by + n->k + 4 > 0x7fffffffu)
				return false;
		} else if (n->code != CBPF_CODE_ALU_ADD_X && n->code != CBPF_CODE_TXA) {
			return false;
		} else if (!takes_constant(s, n)) {
			*cost += 1;
		}
	}
	return true;
}

static void
shift(struct shrink *s, const struct region *r, uint32_t by)
{
	for (size_t j = 0; j < r->n; j++) {
		struct gnode *n = &s->g.v[r->at[j]];

		r->stale[r->at[j]] = r->stale[n->t] = true;
		if ((node_uses(n) & LIVE_X) == 0)
			continue;
		if (node_is_ind(n))
			n->k += by;
		else
			s->g.v[n->t].k += by; /* "add #k" */
	}
}

/* The only node that leads to @i, found by looking back; or @i itself. */
static uint32_t
find_pred(const struct shrink *s, uint32_t i)
{
	if (s->ahead[i].preds != 1)
		return i;
	for (uint32_t j = i; j-- > 0;)
		if (s->ahead[j].preds > 0 && !node_is_ret(&s->g.v[j]) &&
			(s->g.v[j].t == i || (node_is_branch(&s->g.v[j]) && s->g.v[j].f == i)))
			return j;
	return i;
}

/* What X would be instead, and how: @replace is the instruction, GRAPH_SKIP for none. */
struct offer {
	uint32_t base, by;
	struct gnode replace;
	uint32_t drop; /* an "add #k" that would go instead, or the node itself */
};

/* "tax" of X + k; or of a sum whose "add #k" stands right before. */
static bool
offer_tax(const struct shrink *s, uint32_t i, struct offer *o)
{
	const struct gnode *n = &s->g.v[i];
	const uint32_t pred = find_pred(s, i);
	const bool a_dies = (s->ahead[n->t].live & LIVE_A) == 0;

	val_split(&s->vals, s->in[i].a, &o->base, &o->by);
	o->replace = (struct gnode){GRAPH_SKIP, 0, n->t, n->t};
	o->drop = i;
	if (o->by != 0 && s->in[i].x == o->base)
		return true;
	if (pred == i || s->g.v[pred].code != CBPF_CODE_ALU_ADD_K || !a_dies ||
		s->in[pred].a == 0 || s->g.v[pred].k >= 0x80000000u)
		return false;
	o->base = s->in[pred].a;
	o->by = s->g.v[pred].k;
	o->replace = *n;
	o->drop = pred;
	return (uint64_t)s->vals.v[o->base].hi + o->by <= UINT32_MAX;
}

/* "ldx M[k]" of what is in X, and k; or of 4*([k]&0xf), and k. */
static bool
offer_load(const struct shrink *s, uint32_t i, struct offer *o)
{
	const struct gnode *n = &s->g.v[i];
	const struct val *v;

	val_split(&s->vals, s->in[i].m[n->k], &o->base, &o->by);
	if (o->base == 0)
		return false;
	v = &s->vals.v[o->base];
	o->drop = i;
	o->replace = (struct gnode){GRAPH_SKIP, 0, n->t, n->t};
	if (o->by != 0 && s->in[i].x == o->base)
		return true;
	if (v->kind != VAL_MSH)
		return false;
	o->replace.code = CBPF_CODE_LDX_MSH;
	o->replace.k = v->k;
	return true;
}

static bool
try_offer(struct shrink *s, uint32_t i, const struct offer *o, struct region *r)
{
	int cost = 0;

	if (!find_region(s, i, r))
		return false;
	if (o->by != 0 &&
		(!is_only_source(s, r) || !can_shift(s, r, o->by, s->vals.v[o->base].hi, &cost)))
		return false;
	if (cost > 0)
		return false;
	shift(s, r, o->by);
	r->stale[o->drop] = r->stale[i] = true;
	if (o->drop != i)
		s->g.v[o->drop].code = GRAPH_SKIP;
	s->g.v[i] = o->replace;
	return true;
}

/* Node @i sets X to what might be had for less. */
static bool
shift_at(struct shrink *s, uint32_t i, struct region *r)
{
	const struct gnode *n = &s->g.v[i];
	struct offer o = {0};

	if (s->ahead[i].preds == 0 || !s->in[i].reached || r->stale[i] || r->stale[find_pred(s, i)])
		return false;
	if (n->code == CBPF_CODE_TAX)
		return offer_tax(s, i, &o) && try_offer(s, i, &o, r);
	return n->code == CBPF_CODE_LDX_MEM && offer_load(s, i, &o) && try_offer(s, i, &o, r);
}

bool
shrink_shift(struct shrink *s)
{
	struct region *r = mem_alloc(sizeof(*r));
	bool done = false;

	if (r != NULL)
		r->stale = mem_calloc(s->g.n, sizeof(*r->stale));
	if (r == NULL || r->stale == NULL) {
		s->vals.failed = true;
		mem_free(r);
		return false;
	}
	for (uint32_t i = 0; i < s->g.n; i++)
		if ((s->ahead[s->g.v[i].t].live & LIVE_X) != 0)
			done |= shift_at(s, i, r);
	mem_free(r->stale);
	mem_free(r);
	return done;
}
