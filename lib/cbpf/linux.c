// SPDX-License-Identifier: BSD-3-Clause
/*
 * What Linux takes for another program than we do: a shift by X, of which it
 * looks at five bits. Where X is not known to be below 32,
 *
 *	lsh x
 *
 * becomes
 *
 *	st M[k]
 *	txa
 *	jge #32, zero
 *	ld M[k]
 *	lsh x
 *	ja on
 *  zero:	ld #0
 *  on:
 *
 * And what Linux refuses, though it is in order: it takes a return for an
 * instruction that the next one follows, so that words of M[] that are not yet
 * written there are not written further down either. A store at the program's
 * start, where A is 0, is enough.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "flow.h"
#include "graph.h"

#define EXTRA 5 /* nodes for each shift */

static bool
is_shift(const struct gnode *n)
{
	return n->code == CBPF_CODE_ALU_LSH_X || n->code == CBPF_CODE_ALU_RSH_X;
}

/* X may be 32 or more where @s holds. */
static bool
may_be_wide(const struct vals *vs, const struct state *s)
{
	static const struct gnode test = {CBPF_CODE_JGE_K, 32, 0, 0};
	struct state as_a = *s;

	as_a.a = s->x;
	return flow_decide(vs, &as_a, &test) != 0;
}

/* Go through @g; set @wide where a node shifts by what may be too much. */
static void
find_wide(const struct graph *g, struct vals *vs, struct state *in, bool *wide)
{
	state_init(vs, &in[g->entry]);
	for (uint32_t i = 0; i < g->n; i++) {
		const struct gnode *n = &g->v[i];
		struct state now = in[i];

		if (!now.reached || node_is_ret(n))
			continue;
		wide[i] = is_shift(n) && may_be_wide(vs, &now);
		if (node_is_branch(n)) {
			flow_learn(vs, &now, n, true);
			state_meet(vs, &in[n->t], &now, n->t);
			now = in[i];
			flow_learn(vs, &now, n, false);
			state_meet(vs, &in[n->f], &now, n->f);
			continue;
		}
		if (!node_is_skip(n))
			flow_step(vs, &now, n);
		state_meet(vs, &in[n->t], &now, n->t);
	}
}

/* The last word of M[] that @g has no use for, or -1. */
static int
free_word(const struct graph *g)
{
	uint32_t used = 0;

	for (size_t i = 0; i < g->n; i++)
		used |= node_uses(&g->v[i]) | node_sets(&g->v[i]);
	for (int k = CBPF_MEM_WORDS - 1; k >= 0; k--)
		if ((used & (1u << k)) == 0)
			return k;
	return -1;
}

/* Put the test in front of shift @i, with nodes from @at on. */
static void
guard(struct graph *g, uint32_t i, uint32_t at, uint32_t word)
{
	const struct gnode shift = g->v[i];
	struct gnode *n = &g->v[at];

	n[0] = (struct gnode){CBPF_CODE_TXA, 0, at + 1, at + 1};
	n[1] = (struct gnode){CBPF_CODE_JGE_K, 32, at + 2, at + 3};
	n[2] = (struct gnode){CBPF_CODE_LD_IMM, 0, shift.t, shift.t};
	n[3] = (struct gnode){CBPF_CODE_LD_MEM, word, at + 4, at + 4};
	n[4] = shift;
	g->v[i] = (struct gnode){CBPF_CODE_ST, word, at, at};
}

static int
guard_all(struct graph *g, const bool *wide, size_t n_wide, struct diag *diag)
{
	const uint32_t n = (uint32_t)g->n;
	const int word = free_word(g);
	struct gnode *more;

	if (word < 0)
		return diag_fail(diag, -EINVAL,
			"the program shifts by X, which Linux needs a free word of M[] for, and uses all");
	more = mem_realloc(g->v, (n + EXTRA * n_wide) * sizeof(*more));
	if (more == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	g->v = more;
	for (uint32_t i = 0; i < n; i++)
		if (wide[i]) {
			guard(g, i, (uint32_t)g->n, (uint32_t)word);
			g->n += EXTRA;
		}
	return 0;
}

static int
as_it_is(const struct cbpf_prog *prog, struct cbpf_insn **ret_insns, size_t *ret_n)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);
	struct cbpf_insn *copy = mem_calloc(n, sizeof(*copy));

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, insns, n * sizeof(*copy));
	*ret_insns = copy;
	*ret_n = n;
	return 0;
}

static bool
has_shift(const struct cbpf_prog *prog)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);

	for (size_t i = 0; i < n; i++)
		if (insns[i].code == CBPF_CODE_ALU_LSH_X || insns[i].code == CBPF_CODE_ALU_RSH_X)
			return true;
	return false;
}

/* A program with shifts. */
static int
rewrite(const struct cbpf_prog *prog, struct vals *vs, struct cbpf_insn **ret_insns, size_t *ret_n,
	struct diag *diag)
{
	struct graph g = {0};
	struct state *in = NULL;
	bool *wide = NULL;
	size_t n_wide = 0;
	int r;

	r = graph_init(&g, prog);
	if (r == 0)
		r = vals_init(vs);
	if (r < 0)
		goto out;
	in = mem_calloc(g.n, sizeof(*in));
	wide = mem_calloc(g.n, sizeof(*wide));
	if (in == NULL || wide == NULL) {
		r = -ENOMEM;
		goto out;
	}
	find_wide(&g, vs, in, wide);
	for (size_t i = 0; i < g.n; i++)
		n_wide += wide[i];
	if (vs->failed)
		r = -ENOMEM;
	else if (n_wide == 0)
		r = as_it_is(prog, ret_insns, ret_n);
	else if ((r = guard_all(&g, wide, n_wide, diag)) == 0 && (r = graph_sort(&g)) == 0)
		r = graph_layout(&g, ret_insns, ret_n);
out:
	mem_free(in);
	mem_free(wide);
	graph_fini(&g);
	return r;
}

/* The words of M[] that Linux takes for read before they are written. */
static uint32_t
unwritten(const struct cbpf_insn *insns, size_t n)
{
	uint16_t at[CBPF_MAX_INSNS], valid = 0;
	uint32_t missing = 0;

	memset(at, 0xff, n * sizeof(at[0]));
	for (size_t i = 0; i < n; i++) {
		const struct cbpf_insn *in = &insns[i];
		const struct gnode node = {in->code, in->k, 0, 0};

		valid &= at[i];
		if (in->code == CBPF_CODE_LD_MEM || in->code == CBPF_CODE_LDX_MEM)
			missing |= (1u << in->k) & ~(uint32_t)valid;
		valid |= (uint16_t)(node_sets(&node) & (LIVE_A - 1));
		if (in->code == CBPF_CODE_JA) {
			at[i + 1 + in->k] &= valid;
			valid = UINT16_MAX;
		} else if (node_is_branch(&node)) {
			at[i + 1 + in->jt] &= valid;
			at[i + 1 + in->jf] &= valid;
			valid = UINT16_MAX;
		}
	}
	return missing;
}

/* Put the stores in front that Linux misses. *@insns is replaced. */
static int
write_first(struct cbpf_insn **insns, size_t *n)
{
	const uint32_t missing = unwritten(*insns, *n);
	const size_t more = (size_t)__builtin_popcount(missing);
	struct cbpf_insn *longer;
	size_t at = 0;

	if (missing == 0)
		return 0;
	if (*n + more > CBPF_MAX_INSNS)
		return -E2BIG;
	longer = mem_calloc(*n + more, sizeof(*longer));
	if (longer == NULL)
		return -ENOMEM;
	for (uint32_t k = 0; k < CBPF_MEM_WORDS; k++)
		if ((missing & (1u << k)) != 0)
			longer[at++] = (struct cbpf_insn){CBPF_CODE_ST, 0, 0, k};
	memcpy(longer + more, *insns, *n * sizeof(*longer));
	mem_free(*insns);
	*insns = longer;
	*n += more;
	return 0;
}

int
cbpf_linux(const struct cbpf_prog *prog, struct cbpf_insn **ret_insns, size_t *ret_n,
	struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	struct vals *vs;
	size_t n = 0;
	int r;

	if (!has_shift(prog)) {
		r = as_it_is(prog, &insns, &n);
	} else if ((vs = mem_zalloc(sizeof(*vs))) == NULL) {
		r = -ENOMEM;
	} else {
		r = rewrite(prog, vs, &insns, &n, diag);
		vals_fini(vs);
		mem_free(vs);
	}
	if (r == 0)
		r = write_first(&insns, &n);
	if (r == 0) {
		*ret_insns = insns;
		*ret_n = n;
		return 0;
	}
	mem_free(insns);
	if (r == -ENOMEM)
		return diag_fail(diag, r, "out of memory");
	if (r == -E2BIG)
		return diag_fail(diag, r,
			"as Linux takes it the program has more than %d instructions",
			CBPF_MAX_INSNS);
	return r;
}
