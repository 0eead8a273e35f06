// SPDX-License-Identifier: BSD-3-Clause
/*
 * Loops. cBPF has none, so who walks over the labels of a name writes the round
 * 124 times. Where all ways through a program are one at the beginning of two
 * rounds whose instructions are the same, and so on behind them, one round is run
 * for a place that is only known as "where so many steps lead":
 *
 *	ldb [x + 0]		walk = x, then walk + 1 + [walk] while [walk] is 1..63
 *	sub #1
 *	jgt #62, no		path: [walk] is the rule's name
 *	add x
 *	add #2
 *	tax
 *	ld [x + 0]
 *	jneq #..., next
 *	ret #1
 *	next: ...		and so on, from the x that was left here
 *
 * All that is used is what the instructions do: every round does to its x what
 * the first does to its own, since they are the same instructions.
 */
#include <string.h>

#include "base/util.h"
#include "cbpf/prog.h"
#include "sym_run.h"

#define ROUNDS_MIN 3
#define ROUND_MIN 3 /* instructions */
#define ROUND_MAX 256
#define REBASE_DEPTH 8

/* A loop that is being looked at. */
struct loop {
	struct run *r;
	size_t pc, len; /* of its first round */
	uint32_t rounds, reg; /* the register that walks */
	const struct sym_node *from; /* its value where a round begins */
	const struct sym_node *next; /* where it ends, but for + step.behind */
	const struct sym_node *walk;
	struct sym_step step;
	const struct sym_atom *in_range; /* of the byte that is stepped over; or NULL */
	struct needs owed; /* of rounds before the one that matches; about the walk */
	bool exact;
};

/* ---- rounds that are the same ---- */

static bool
same_target(const struct run *r, size_t a, size_t b, size_t by)
{
	return a + by == b || (r->flow[a].hopeless && r->flow[b].hopeless);
}

/* Whether the instruction at @pc + @by does what the one at @pc does. */
static bool
same_insn(const struct run *r, size_t pc, size_t by)
{
	const struct cbpf_insn *a = &r->insns[pc], *b = &r->insns[pc + by];
	const size_t at = pc + 1, bt = pc + by + 1;

	/* Jumps say how far, so that equal ones go to the same place of their rounds. */
	if (memcmp(a, b, sizeof(*a)) == 0)
		return true;
	if (a->code != b->code)
		return false;
	switch ((int)cbpf_op_of(a->code)) {
	case CBPF_OP_JA: return same_target(r, at + a->k, bt + b->k, by);
	case CBPF_OP_JEQ_K:
	case CBPF_OP_JGT_K:
	case CBPF_OP_JGE_K:
	case CBPF_OP_JSET_K:
	case CBPF_OP_JEQ_X:
	case CBPF_OP_JGT_X:
	case CBPF_OP_JGE_X:
	case CBPF_OP_JSET_X:
		return a->k == b->k && same_target(r, at + a->jt, bt + b->jt, by) &&
			same_target(r, at + a->jf, bt + b->jf, by);
	}
	return a->k == b->k;
}

/* How many rounds of @len instructions there are from @pc on. */
static uint32_t
rounds_at(const struct run *r, size_t pc, size_t len)
{
	size_t i = pc;

	/* Most are equal to the bit. */
	while (i + len < r->n &&
		(memcmp(&r->insns[i], &r->insns[i + len], sizeof(r->insns[i])) == 0 ||
			same_insn(r, i, len)))
		i++;
	return (uint32_t)MIN((i + len - pc) / len, SYM_STEPS_MAX);
}

/* ---- one round ---- */

/* The one register that a round both reads first and writes. False: none, or several. */
static bool
find_walker(struct loop *l)
{
	uint32_t both = 0;

	for (size_t i = 0; i < l->len; i++)
		both |= sym_writes(&l->r->insns[l->pc + i]);
	both &= l->r->flow[l->pc].live;
	if (both == 0 || (both & (both - 1)) != 0)
		return false;
	l->reg = (uint32_t)__builtin_ctz(both);
	return true;
}

/* Whether @v is l->from + the byte there + a number: the step. */
static bool
find_step(struct loop *l, struct sym_val v)
{
	const struct sym_node *n = v.node, *byte;

	if (n == NULL || n->op != SYM_ALU || n->alu != CBPF_ALU_ADD || v.add > UINT8_MAX)
		return false;
	byte = n->a == l->from ? n->b : n->a;
	if ((n->a != l->from && n->b != l->from) || byte->op != SYM_LOAD || byte->size != 1 ||
		byte->a != l->from || byte->k > UINT8_MAX)
		return false;
	l->next = n;
	l->step = (struct sym_step){0, UINT8_MAX, (uint8_t)byte->k, (uint8_t)v.add};
	return true;
}

/* What the rounds that do not match know of the byte. False when it is more than a range. */
static bool
find_range(struct loop *l, const struct sym_fact *facts)
{
	const struct sym_node *byte = l->next->a == l->from ? l->next->b : l->next->a;
	const struct sym_atom *a;
	uint32_t lo, hi;

	if (facts == NULL)
		return true;
	a = &facts->atom;
	if (facts->before != NULL || a->node != byte)
		return false;
	/* Its numbers become the step's. */
	if (a->of_shape != 0)
		sym_shape_spoil(l->r);
	if (a->kind == SYM_RANGE) {
		lo = 0 - a->mask;
		hi = lo + a->val;
	} else if (a->kind == SYM_EQ && a->neg && a->mask == UINT8_MAX && a->val == 0) {
		lo = 1;
		hi = UINT8_MAX;
	} else if (a->kind == SYM_EQ && !a->neg && (~a->mask & (~a->mask + 1) & 0xff) == 0) {
		lo = a->val;
		hi = a->val | (~a->mask & 0xff);
	} else {
		return false;
	}
	if (lo > hi)
		return false;
	l->step.lo = (uint8_t)lo;
	l->step.hi = (uint8_t)MIN(hi, UINT8_MAX);
	l->in_range = a;
	return true;
}

/* ---- from places of a round to places of the walk ---- */

/* Whether @n, with l->next for the walk, can be said; *@ret what it is then. */
static bool
rebase(const struct loop *l, const struct sym_node *n, int depth, struct sym_val *ret)
{
	struct sym_val a, b;
	uint32_t off;

	if (n == NULL) {
		*ret = sym_number(0);
		return true;
	}
	if (n == l->next) {
		*ret = (struct sym_val){l->walk, 0u - l->step.behind};
		return true;
	}
	/* What is older cannot be made of it. */
	if (n->id < l->from->id) {
		*ret = (struct sym_val){n, 0};
		return true;
	}
	if (n == l->from || depth == 0)
		return false;
	switch ((enum sym_op)n->op) {
	case SYM_CONST: *ret = sym_number(n->k); return true;
	case SYM_LEN:
	case SYM_ANY: *ret = (struct sym_val){n, 0}; return true;
	case SYM_LOAD:
		if (!rebase(l, n->a, depth - 1, &a))
			return false;
		off = n->k + a.add;
		/* Before the walk's place nothing is looked at. */
		if (off > INT32_MAX)
			return false;
		*ret = sym_load(l->r->pool, a.node, off, n->size);
		return true;
	case SYM_SUM:
		if (!rebase(l, n->a, depth - 1, &a))
			return false;
		*ret = (struct sym_val){a.node, a.add + n->k};
		return true;
	case SYM_ALU:
		return rebase(l, n->a, depth - 1, &a) && rebase(l, n->b, depth - 1, &b) &&
			sym_alu(l->r->pool, (enum cbpf_alu_op)n->alu, a, b, ret);
	case SYM_WALK: return false; /* one at a time */
	}
	return false;
}

/* The same for a place that is asked for bytes. */
static bool
rebase_need(const struct loop *l, const struct sym_need *need, struct sym_need *ret)
{
	struct sym_val v;
	int64_t end;

	/* The byte that is stepped over, of which a step asks. */
	if (need->base == l->from && need->end <= l->step.at + 1u) {
		*ret = (struct sym_need){NULL, 0};
		return true;
	}
	if (!rebase(l, need->base, REBASE_DEPTH, &v))
		return false;
	/* What is before the walk's place cannot be said. */
	end = (int64_t)need->end + (int32_t)v.add;
	if (end <= 0)
		return false;
	*ret = (struct sym_need){v.node, (uint32_t)end};
	return true;
}

/*
 * @needs of a round that goes on. Of places that the walk comes to later what the
 * matching round needs is as much.
 */
static void
owe_round(struct loop *l, const struct needs *needs)
{
	for (uint32_t i = 0; i < needs->n; i++) {
		struct sym_need n;
		const bool said = rebase_need(l, &needs->v[i], &n);

		l->exact &=
			said && (n.base == l->walk || n.base == NULL || n.base->id < l->from->id);
		if (said)
			sym_need_add(&l->owed, n.base, n.end, &l->exact);
	}
}

/* ---- paths ---- */

/* @path of a round, behind what @w knows, as a path of the loop. False: it must not be said so. */
static bool
make_path(struct loop *l, const struct way *w, const struct sym_path *path)
{
	struct run *r = l->r;
	const uint32_t n_facts = w->facts != NULL ? w->facts->depth : 0;
	struct sym_path out = {.exact = l->exact && path->exact, .steps = (uint8_t)l->rounds};
	struct needs needs = w->needs;
	bool in_range = l->in_range == NULL;
	struct sym_atom *atoms =
		arena_zalloc(&r->pool->mem, (n_facts + path->n_atoms + 1) * sizeof(*atoms));
	struct sym_need *v;

	if (atoms == NULL) {
		r->pool->failed = true;
		return false;
	}
	for (const struct sym_fact *f = w->facts; f != NULL; f = f->before)
		atoms[f->depth - 1] = f->atom;
	out.n_atoms = n_facts;
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		struct sym_atom a = path->atoms[i];
		struct sym_val x = {NULL, 0}, y = {NULL, 0};

		if (l->in_range != NULL && sym_same_atom(&a, l->in_range) &&
			a.neg == l->in_range->neg) {
			in_range = true;
			if (a.of_shape != 0)
				sym_shape_spoil(r);
			continue;
		}
		if (!rebase(l, a.node, REBASE_DEPTH, &x) ||
			(a.b != NULL && !rebase(l, a.b, REBASE_DEPTH, &y))) {
			out.exact = false;
			continue;
		}
		a.node = sym_node_of(r->pool, x);
		a.b = a.b != NULL ? sym_node_of(r->pool, y) : NULL;
		atoms[out.n_atoms++] = a;
	}
	for (uint32_t i = 0; i < path->n_needs; i++) {
		struct sym_need n;

		if (!rebase_need(l, &path->needs[i], &n))
			out.exact = false;
		else if (n.end > 0)
			sym_need_add(&needs, n.base, n.end, &out.exact);
	}
	for (uint32_t i = 0; i < l->owed.n; i++)
		out.exact &= sym_need_in(&needs, l->owed.v[i].base, l->owed.v[i].end);
	for (uint32_t i = 0; i < w->owed.n; i++)
		out.exact &= sym_need_in(&needs, w->owed.v[i].base, w->owed.v[i].end);
	v = arena_zalloc(&r->pool->mem, (needs.n + 1) * sizeof(*v));
	if (v == NULL) {
		r->pool->failed = true;
		return false;
	}
	memcpy(v, needs.v, needs.n * sizeof(*v));
	out.atoms = atoms;
	out.needs = v;
	out.n_needs = needs.n;
	r->paths[r->n_paths++] = out;
	return in_range;
}

/* Where the way goes on: what a round leaves in registers is not known. */
static void
go_behind(struct loop *l, struct way *w)
{
	const uint32_t kept = l->r->flow[l->pc].live & ~(1u << l->reg);
	const struct sym_val any = sym_any(l->r->pool);

	for (uint32_t i = 0; i < REGS; i++)
		if ((kept >> i & 1) == 0)
			w->regs[i] = any;
	w->exact = false;
	sym_way_goto(l->r, w, l->pc + l->rounds * l->len);
}

/* One round has been run in @round, and left @out at its end. */
static bool
say(struct loop *l, const struct run *round, const struct way *out, struct way *w)
{
	const uint32_t n_before = l->r->n_paths;

	if (!find_step(l, out->regs[l->reg]) || !find_range(l, out->facts))
		return false;
	l->walk = sym_walk(l->r->pool, w->regs[l->reg], &l->step);
	if (l->walk == NULL || n_before + round->n_paths + 1 >= SYM_PATHS_MAX)
		return false;
	l->exact = w->exact && out->exact && !round->done_lost;
	owe_round(l, &out->needs);
	owe_round(l, &out->owed);
	owe_round(l, &round->done);
	for (uint32_t i = 0; i < round->n_paths; i++)
		if (!make_path(l, w, &round->paths[i])) {
			l->r->n_paths = n_before;
			return false;
		}
	go_behind(l, w);
	return true;
}

/* Run one round of @l for a place that is not known. */
static bool
roll(struct loop *l, struct way *w)
{
	struct run *r = l->r;
	struct arena mem = ARENA_INIT;
	struct run round = {
		.pool = r->pool,
		.mem = &mem,
		.shape = r->shape,
		.first = r->first + l->pc,
		.insns = r->insns + l->pc,
		.n = l->len,
		.last = l->len,
		.flow = r->flow + l->pc,
		.steps_max = STEPS_FEW + STEPS_OF_INSN * (uint32_t)l->len,
		.loop_tries = LOOP_TRIES,
	};
	struct way *first, *out;
	uint32_t n = 0;
	bool ok = false;

	l->from = sym_walk(r->pool, w->regs[l->reg], NULL);
	round.at = arena_zalloc(&mem, (l->len + 1) * sizeof(struct way *));
	first = sym_way_new(&round, NULL);
	if (l->from == NULL || round.at == NULL || first == NULL) {
		r->pool->failed |= l->from != NULL;
		arena_fini(&mem);
		return false;
	}
	memcpy(first->regs, w->regs, sizeof(first->regs));
	first->regs[l->reg] = (struct sym_val){l->from, 0};
	first->exact = true;
	sym_way_goto(&round, first, 0);
	sym_walk_ways(&round);
	out = round.at[l->len];
	for (const struct way *o = out; o != NULL; o = o->next)
		n++;
	if (out != NULL && !round.too_many && !round.escaped && !r->pool->failed) {
		out = sym_join(&round, l->len, out, &n);
		ok = n == 1 && say(l, &round, out, w);
	}
	r->pool->steps += round.steps;
	arena_fini(&mem);
	return ok;
}

bool
sym_loop(struct run *r, size_t pc, struct way *w)
{
	const size_t longest = MIN(ROUND_MAX, (r->n - pc) / ROUNDS_MIN);
	struct loop l = {.r = r, .pc = pc};

	if (r->loop_tries >= LOOP_TRIES)
		return false;
	for (l.len = ROUND_MIN; l.len <= longest; l.len++) {
		if (!same_insn(r, pc, l.len))
			continue;
		l.rounds = rounds_at(r, pc, l.len);
		if (l.rounds < ROUNDS_MIN)
			continue;
		r->loop_tries++;
		sym_shape_loop(r, pc, l.len, (l.rounds - 1) * l.len);
		return find_walker(&l) && roll(&l, w);
	}
	return false;
}
