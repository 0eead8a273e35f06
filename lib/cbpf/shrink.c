// SPDX-License-Identifier: BSD-3-Clause
/*
 * The shrinker: rounds of passes over a graph until it gets no shorter. Each
 * pass keeps what the program returns for every packet: a load outside the
 * packet returns 0, so a load may only go where its bytes are known to be there,
 * or where what is left returns 0 or loads as far.
 */
#include "cbpf/shrink.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "shrink.h"

#define ROUNDS_MAX 64 /* most programs are done after six */

static uint32_t
live_behind(const struct shrink *s, const struct gnode *n)
{
	uint32_t live = s->ahead[n->t].live;

	if (node_is_branch(n))
		live |= s->ahead[n->f].live;
	return live;
}

/* How far @end and @other both go; ways that return 0 do not count. */
static uint64_t
nearer(uint64_t end, uint64_t other)
{
	return MIN(end, other);
}

static void
look_at(struct shrink *s, uint32_t i)
{
	const struct gnode *n = &s->g.v[i];
	struct ahead *a = &s->ahead[i];
	const struct ahead *t = &s->ahead[n->t], *f = &s->ahead[n->f];

	a->preds = 0;
	if (node_is_ret(n)) {
		a->live = node_uses(n);
		a->zero = n->code == CBPF_CODE_RET_K && n->k == 0;
		a->abs_end = a->ind_end = a->zero ? AHEAD_FAR : 0;
		return;
	}
	a->live = (live_behind(s, n) & ~node_sets(n)) | node_uses(n);
	a->zero = t->zero && (!node_is_branch(n) || f->zero);
	a->abs_end = t->abs_end;
	a->ind_end = (node_sets(n) & LIVE_X) != 0 && t->ind_end != AHEAD_FAR ? 0 : t->ind_end;
	if (node_is_branch(n)) {
		a->abs_end = nearer(t->abs_end, f->abs_end);
		a->ind_end = nearer(t->ind_end, f->ind_end);
	}
	if (node_is_abs(n))
		a->abs_end = MAX(a->abs_end, (uint64_t)n->k + node_size(n));
	if (node_is_ind(n))
		a->ind_end = MAX(a->ind_end, (uint64_t)n->k + node_size(n));
	s->ahead[n->t].preds++;
	if (node_is_branch(n))
		s->ahead[n->f].preds++;
}

void
shrink_look_ahead(struct shrink *s)
{
	for (uint32_t i = (uint32_t)s->g.n; i-- > 0;)
		look_at(s, i);
	s->ahead[s->g.entry].preds++;
}

/* A load whose value nobody reads: whether leaving it out changes no result. */
static bool
load_is_idle(const struct shrink *s, uint32_t i)
{
	const struct gnode *n = &s->g.v[i];
	const struct ahead *t = &s->ahead[n->t];
	const uint64_t end = (uint64_t)n->k + node_size(n);

	if (flow_is_safe(&s->vals, &s->in[i], n))
		return true;
	if (node_is_abs(n))
		return t->abs_end >= end;
	/* What follows still has this X. */
	return node_is_ind(n) && t->ind_end >= end;
}

void
shrink_drop(struct shrink *s)
{
	for (uint32_t i = (uint32_t)s->g.n; i-- > 0;) {
		struct gnode *n = &s->g.v[i];

		look_at(s, i);
		if (node_is_ret(n) || node_is_skip(n))
			continue;
		if (s->ahead[i].zero) {
			*n = (struct gnode){CBPF_CODE_RET_K, 0, 0, 0};
		} else if (node_is_branch(n)) {
			if (graph_real(&s->g, n->t) == graph_real(&s->g, n->f))
				n->code = GRAPH_SKIP;
		} else if ((node_sets(n) & s->ahead[n->t].live) == 0 && load_is_idle(s, i)) {
			n->code = GRAPH_SKIP;
		}
		look_at(s, i);
	}
}

/*
 * One round. What is known of each node holds until instructions move, so of the
 * passes that use it only one may change anything. Returns 0, -ENOMEM.
 */
static int
shrink_round(struct shrink *s)
{
	int r;

	memset(s->in, 0, s->g.n * sizeof(*s->in));
	vals_fini(&s->vals);
	r = vals_init(&s->vals);
	if (r < 0)
		return r;
	shrink_look_ahead(s);
	shrink_forward(s);
	shrink_look_ahead(s);
	if (!shrink_shift(s) && !shrink_merge(s))
		shrink_drop(s);
	if (s->vals.failed)
		return -ENOMEM;
	r = shrink_share(s);
	return r < 0 ? r : graph_sort(&s->g);
}

/* Lay @s out; *@ret_n and *@ret_insns change when that is shorter. */
static int
keep_shortest(const struct shrink *s, struct cbpf_insn **ret_insns, size_t *ret_n)
{
	struct cbpf_insn *insns;
	size_t n;
	int r = graph_layout(&s->g, &insns, &n);

	if (r == -E2BIG)
		return 0;
	if (r < 0)
		return r;
	if (n < *ret_n) {
		mem_free(*ret_insns);
		*ret_insns = insns;
		*ret_n = n;
	} else {
		mem_free(insns);
	}
	return 0;
}

static struct cbpf_insn *
copy(const struct cbpf_prog *prog, size_t *ret_n)
{
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, ret_n);
	struct cbpf_insn *mine = mem_calloc(*ret_n, sizeof(*mine));

	if (mine != NULL)
		memcpy(mine, insns, *ret_n * sizeof(*mine));
	return mine;
}

/* Rounds until one changes nothing. */
static int
shrink_all(struct shrink *s, struct cbpf_insn **ret_insns, size_t *ret_n)
{
	struct gnode *before = mem_calloc(s->g.n, sizeof(*before));
	bool same = false;
	int r = before == NULL ? -ENOMEM : 0;

	for (int i = 0; r == 0 && i < ROUNDS_MAX && !same; i++) {
		const size_t n = s->g.n;

		memcpy(before, s->g.v, n * sizeof(*before));
		r = shrink_round(s);
		if (r < 0)
			break;
		same = s->g.n == n && memcmp(before, s->g.v, n * sizeof(*before)) == 0;
		r = keep_shortest(s, ret_insns, ret_n);
	}
	mem_free(before);
	return r;
}

int
cbpf_shrink(const struct cbpf_prog *prog, struct cbpf_insn **ret_insns, size_t *ret_n)
{
	struct cbpf_insn *insns = NULL;
	struct shrink s = {0};
	size_t n = 0;
	int r;

	insns = copy(prog, &n);
	r = insns == NULL ? -ENOMEM : graph_init(&s.g, prog);
	if (r == 0)
		r = graph_sort(&s.g);
	if (r == 0) {
		s.in = mem_calloc(s.g.n, sizeof(*s.in));
		s.ahead = mem_calloc(s.g.n, sizeof(*s.ahead));
		r = s.in == NULL || s.ahead == NULL ? -ENOMEM : shrink_all(&s, &insns, &n);
	}
	if (r == 0) {
		*ret_insns = insns;
		*ret_n = n;
		insns = NULL;
	}
	vals_fini(&s.vals);
	graph_fini(&s.g);
	mem_free(s.in);
	mem_free(s.ahead);
	mem_free(insns);
	return r;
}
