// SPDX-License-Identifier: BSD-3-Clause
#include "graph.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"

#define NONE UINT32_MAX

uint32_t
node_uses(const struct gnode *n)
{
	uint32_t uses = 0;

	if (node_is_skip(n))
		return 0;
	switch (node_class(n)) {
	case 0:
	case 1:
		if ((n->code & 0xe0u) == 0x60)
			uses = 1u << n->k;
		else if (node_is_ind(n))
			uses = LIVE_X;
		break;
	case 2: uses = LIVE_A; break;
	case 3: uses = LIVE_X; break;
	case 4:
	case 5: uses = LIVE_A | (node_takes_x(n) ? LIVE_X : 0); break;
	case 6: uses = n->code == CBPF_CODE_RET_A ? LIVE_A : 0; break;
	default: uses = n->code == CBPF_CODE_TAX ? LIVE_A : LIVE_X; break;
	}
	return uses;
}

uint32_t
node_sets(const struct gnode *n)
{
	if (node_is_skip(n))
		return 0;
	switch (node_class(n)) {
	case 0:
	case 4: return LIVE_A;
	case 1: return LIVE_X;
	case 2:
	case 3: return 1u << n->k;
	case 7: return n->code == CBPF_CODE_TAX ? LIVE_X : LIVE_A;
	default: return 0;
	}
}

uint32_t
graph_real(const struct graph *g, uint32_t i)
{
	while (node_is_skip(&g->v[i]))
		i = g->v[i].t;
	return i;
}

int
graph_init(struct graph *g, const struct cbpf_prog *prog)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);

	g->v = mem_calloc(n, sizeof(*g->v));
	if (g->v == NULL)
		return -ENOMEM;
	g->n = n;
	g->entry = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct gnode *v = &g->v[i];

		*v = (struct gnode){insns[i].code, insns[i].k, i + 1, i + 1};
		if (v->code == CBPF_CODE_JA) {
			v->code = GRAPH_SKIP;
			v->t = i + 1 + insns[i].k;
		} else if (node_is_branch(v)) {
			v->t = i + 1 + insns[i].jt;
			v->f = i + 1 + insns[i].jf;
		}
	}
	return 0;
}

void
graph_fini(struct graph *g)
{
	mem_free(g->v);
	*g = (struct graph){0};
}

/*
 * Depth first, what follows a test that does not hold before what follows one
 * that does: read backwards, each node stands before those that follow it, and
 * right before t where it can. @stack has room for two per node.
 */
static size_t
post_order(const struct graph *g, uint32_t *stack, uint8_t *seen, uint32_t *order)
{
	size_t depth = 0, n = 0;

	stack[depth++] = graph_real(g, g->entry);
	while (depth > 0) {
		const uint32_t i = stack[depth - 1];
		const struct gnode *v = &g->v[i];
		uint32_t next = NONE;

		if (seen[i] == 0 && node_is_branch(v))
			next = graph_real(g, v->f);
		else if (seen[i] <= 1 && !node_is_ret(v))
			next = graph_real(g, v->t);
		if (next == NONE) {
			if (seen[i] != 3)
				order[n++] = i;
			seen[i] = 3;
			depth--;
			continue;
		}
		seen[i] = seen[i] == 0 && node_is_branch(v) ? 1 : 2;
		if (seen[next] == 0)
			stack[depth++] = next;
	}
	return n;
}

int
graph_sort(struct graph *g)
{
	struct gnode *sorted = mem_calloc(g->n, sizeof(*sorted));
	uint32_t *stack = mem_calloc(3 * g->n + 1, sizeof(*stack));
	uint8_t *seen = mem_zalloc(g->n);
	uint32_t *order, *place;
	size_t n;
	int r = 0;

	if (sorted == NULL || stack == NULL || seen == NULL) {
		r = -ENOMEM;
		goto out;
	}
	order = stack + g->n + 1;
	place = order + g->n;
	n = post_order(g, stack, seen, order);
	for (size_t i = 0; i < n; i++)
		place[order[i]] = (uint32_t)(n - 1 - i);
	for (size_t i = 0; i < n; i++) {
		struct gnode *v = &sorted[place[order[i]]];

		*v = g->v[order[i]];
		if (node_is_ret(v)) {
			v->t = v->f = 0;
			continue;
		}
		v->t = place[graph_real(g, v->t)];
		v->f = node_is_branch(v) ? place[graph_real(g, v->f)] : v->t;
	}
	mem_free(g->v);
	g->v = sorted;
	g->n = n;
	g->entry = 0;
	sorted = NULL;
out:
	mem_free(sorted);
	mem_free(stack);
	mem_free(seen);
	return r;
}

/*
 * Instructions from the last to the first, so that all distances are known
 * when a jump is written.
 */
struct layout {
	const struct graph *g;
	struct cbpf_insn *out; /* backwards */
	size_t n, cap;
	uint32_t *at; /* per node: how many were written before it */
	uint32_t *island; /* per node: the last "ja" to it, or copy of it; or NONE */
	uint32_t *pred; /* per node: the one that falls through to it, or NONE */
};

static void
put(struct layout *l, struct cbpf_insn in)
{
	if (l->n < l->cap)
		l->out[l->n] = in;
	l->n++;
}

/* How many instructions lie between the next one written and number @to. */
static uint32_t
distance(const struct layout *l, uint32_t to)
{
	return (uint32_t)l->n - to - 1;
}

/* Go on at node @to, unless it is what was written last. */
static void
put_way(struct layout *l, uint32_t to)
{
	const struct gnode *v = &l->g->v[to];

	if (l->n > 0 && l->at[to] == l->n - 1)
		return;
	if (node_is_ret(v))
		put(l, (struct cbpf_insn){(uint16_t)v->code, 0, 0, v->k});
	else
		put(l, (struct cbpf_insn){CBPF_CODE_JA, 0, 0, distance(l, l->at[to])});
}

/* A place within reach from which one comes to @to; NONE when a new island was written. */
static uint32_t
reach(struct layout *l, uint32_t to)
{
	if (distance(l, l->at[to]) <= UINT8_MAX)
		return l->at[to];
	if (l->island[to] != NONE && distance(l, l->island[to]) <= UINT8_MAX)
		return l->island[to];
	put_way(l, to);
	l->island[to] = (uint32_t)l->n - 1;
	return NONE;
}

static void
put_branch(struct layout *l, const struct gnode *v)
{
	uint32_t t, f;

	do {
		t = reach(l, v->t);
		f = reach(l, v->f);
	} while (t == NONE || f == NONE);
	put(l,
		(struct cbpf_insn){
			(uint16_t)v->code, (uint8_t)distance(l, t), (uint8_t)distance(l, f), v->k});
}

/* The chain that ends with node @last: each falls through to the next. */
static void
put_chain(struct layout *l, uint32_t last)
{
	for (uint32_t i = last; i != NONE; i = l->pred[i]) {
		const struct gnode *v = &l->g->v[i];

		if (node_is_branch(v)) {
			put_branch(l, v);
		} else {
			if (!node_is_ret(v))
				put_way(l, v->t);
			put(l, (struct cbpf_insn){(uint16_t)v->code, 0, 0, v->k});
		}
		l->at[i] = (uint32_t)l->n - 1;
	}
}

/*
 * All chains, ordered by their last nodes: only these lead to other chains, and
 * a chain that is led to ends later. @falls: per node, it falls through.
 */
static void
put_all(struct layout *l, bool *falls)
{
	const struct graph *g = l->g;

	for (uint32_t i = 0; i < g->n; i++)
		l->pred[i] = l->island[i] = NONE;
	for (uint32_t i = (uint32_t)g->n; i-- > 0;) {
		const struct gnode *v = &g->v[i];

		falls[i] = !node_is_branch(v) && !node_is_ret(v) && l->pred[v->t] == NONE;
		if (falls[i])
			l->pred[v->t] = i;
	}
	for (uint32_t i = (uint32_t)g->n; i-- > 0;)
		if (!falls[i])
			put_chain(l, i);
}

int
graph_layout(const struct graph *g, struct cbpf_insn **ret_insns, size_t *ret_n)
{
	uint32_t *words = mem_calloc(3 * g->n, sizeof(*words));
	bool *falls = mem_calloc(g->n, sizeof(*falls));
	struct layout l = {.g = g, .cap = CBPF_MAX_INSNS};
	int r = 0;

	l.out = mem_calloc(l.cap, sizeof(*l.out));
	if (words == NULL || falls == NULL || l.out == NULL) {
		r = -ENOMEM;
		goto out;
	}
	l.at = words;
	l.island = words + g->n;
	l.pred = words + 2 * g->n;
	put_all(&l, falls);
	if (l.n > l.cap) {
		r = -E2BIG;
		goto out;
	}
	for (size_t i = 0; i < l.n / 2; i++) {
		const struct cbpf_insn swap = l.out[i];

		l.out[i] = l.out[l.n - 1 - i];
		l.out[l.n - 1 - i] = swap;
	}
	*ret_insns = l.out;
	*ret_n = l.n;
	l.out = NULL;
out:
	mem_free(l.out);
	mem_free(words);
	mem_free(falls);
	return r;
}
