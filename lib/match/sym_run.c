// SPDX-License-Identifier: BSD-3-Clause
/*
 * The pass over a program. All ways that have come to an instruction wait there;
 * instructions are taken in order, so that every way to one has come when it is
 * its turn. Where more than WAYS_MAX wait, they become one of what they share.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "sym_run.h"

struct way *
sym_way_new(struct run *r, const struct way *like)
{
	struct way *w = r->free;

	if (w != NULL)
		r->free = w->next;
	else
		w = arena_zalloc(r->mem, sizeof(*w));
	if (w == NULL)
		r->pool->failed = true;
	else if (like != NULL)
		*w = *like;
	return w;
}

void
sym_way_end(struct run *r, struct way *w)
{
	w->next = r->free;
	r->free = w;
}

void
sym_way_goto(struct run *r, struct way *w, size_t pc)
{
	/* From there no way leads to a match. */
	if (r->flow != NULL && r->flow[pc].hopeless) {
		sym_way_end(r, w);
		return;
	}
	if (pc > r->last) {
		r->escaped = true;
		sym_way_end(r, w);
		return;
	}
	w->next = r->at[pc];
	r->at[pc] = w;
	r->n_waiting++;
}

/* ---- what a way knows ---- */

static enum sym_truth
decide(struct run *r, const struct sym_fact *facts, const struct sym_atom *atom)
{
	bool numbers;
	const enum sym_truth t = sym_decide(facts, atom, &numbers);

	if (numbers)
		sym_shape_spoil(r);
	return t;
}

/* One more fact of @w; NULL where there is no room for it. */
static struct sym_fact *
add_fact(struct run *r, struct way *w, const struct sym_atom *atom)
{
	const uint32_t depth = w->facts != NULL ? w->facts->depth + 1 : 1;
	struct sym_fact *f;

	if (depth > SYM_ATOMS_MAX) {
		w->exact = false;
		return NULL;
	}
	f = arena_zalloc(r->mem, sizeof(*f));
	if (f == NULL) {
		r->pool->failed = true;
		return NULL;
	}
	f->before = w->facts;
	f->atom = *atom;
	f->depth = depth;
	f->other_fails = true;
	w->facts = f;
	return f;
}

/*
 * The way goes on only if @atom, of which @t is known, holds. False when it never does.
 * *@ret_fact: what is known then, or NULL where that is nothing new.
 */
static bool
demand(struct run *r, struct way *w, enum sym_truth t, const struct sym_atom *atom,
	struct sym_fact **ret_fact)
{
	*ret_fact = NULL;
	if (t == SYM_OPEN)
		t = decide(r, w->facts, atom);
	if (t == SYM_OPEN)
		*ret_fact = add_fact(r, w, atom);
	return t != SYM_NEVER;
}

static void
need(const struct run *r, struct way *w, const struct sym_node *base, uint32_t end)
{
	if (r->flow != NULL) {
		sym_need_add(&w->needs, base, end, &w->exact);
		return;
	}
	for (uint32_t i = 0; i < w->needs.n; i++)
		if (w->needs.v[i].base == base) {
			w->needs.v[i].end = MAX(w->needs.v[i].end, end);
			return;
		}
	if (w->needs.n == SYM_NEEDS_MAX)
		w->exact = false;
	else
		w->needs.v[w->needs.n++] = (struct sym_need){base, end};
}

/* Make of all ways in @list one, which knows what all of them know. */
struct way *
sym_merge(struct run *r, struct way *list)
{
	struct way *w = list;

	for (struct way *o = list->next, *next; o != NULL; o = next) {
		next = o->next;
		w->facts = sym_common_facts(w->facts, o->facts);
		sym_needs_common(&w->needs, &o->needs);
		for (size_t i = 0; i < REGS; i++)
			if (w->regs[i].node != o->regs[i].node || w->regs[i].add != o->regs[i].add)
				w->regs[i] = sym_any(r->pool);
		sym_way_end(r, o);
	}
	w->exact = false;
	w->next = NULL;
	return w;
}

/* ---- the end of a way ---- */

/*
 * Leave out of @f, @n facts in order, what the others say already. Returns how
 * many are left.
 */
static uint32_t
drop_implied(struct run *r, struct sym_fact *f, uint32_t n)
{
	struct sym_fact *behind = NULL; /* the next one that is kept */
	const struct sym_fact *last = n > 0 ? &f[n - 1] : NULL;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		f[i].before = i > 0 ? &f[i - 1] : NULL;
	for (uint32_t i = n; i-- > 0;) {
		const bool plain = f[i].atom.kind == SYM_EQ && !f[i].atom.neg;

		/* Out of the list while the list is asked. */
		if (behind != NULL)
			behind->before = f[i].before;
		else
			last = f[i].before;
		if (!plain && decide(r, last, &f[i].atom) == SYM_ALWAYS) {
			f[i].depth = 0;
			continue;
		}
		if (behind != NULL)
			behind->before = &f[i];
		else
			last = &f[i];
		behind = &f[i];
	}
	for (uint32_t i = 0; i < n; i++)
		if (f[i].depth != 0)
			f[kept++].atom = f[i].atom;
	return kept;
}

/* One path more. False when there are too many. */
static bool
accept(struct run *r, struct way *w)
{
	uint32_t n = w->facts != NULL ? w->facts->depth : 0;
	struct sym_fact facts[SYM_ATOMS_MAX];
	struct sym_path path = {.n_needs = w->needs.n};
	struct sym_need *needs;
	struct sym_atom *atoms;

	/* The last one is for what is left when there are too many. */
	if (r->n_paths + (r->flow != NULL && !r->too_many) >= SYM_PATHS_MAX) {
		r->too_many = true;
		return false;
	}
	if (r->flow != NULL)
		sym_way_accepted(r, w);
	path.exact = w->exact;
	for (const struct sym_fact *f = w->facts; f != NULL; f = f->before)
		facts[f->depth - 1] = *f;
	path.n_atoms = n = drop_implied(r, facts, n);
	atoms = arena_zalloc(&r->pool->mem, (n + 1) * sizeof(*atoms));
	needs = arena_zalloc(&r->pool->mem, (w->needs.n + 1) * sizeof(*needs));
	if (atoms == NULL || needs == NULL) {
		r->pool->failed = true;
		return true;
	}
	for (uint32_t i = 0; i < n; i++)
		atoms[i] = facts[i].atom;
	memcpy(needs, w->needs.v, w->needs.n * sizeof(*needs));
	path.atoms = atoms;
	path.needs = needs;
	r->paths[r->n_paths++] = path;
	return true;
}

/* The end of @w, at a match. */
static void
accept_way(struct run *r, struct way *w)
{
	if (accept(r, w)) {
		sym_way_end(r, w);
	} else {
		w->next = r->rest;
		r->rest = w;
	}
}

/* ---- instructions ---- */

static bool
load(struct run *r, struct way *w, struct sym_val x, uint32_t k, uint8_t size, struct sym_val *ret)
{
	const struct sym_node *base;
	uint32_t off;

	if (!sym_place(r->pool, x, k, size, &base, &off))
		return false;
	need(r, w, base, off + size);
	*ret = sym_load(r->pool, base, off, size);
	return true;
}

static bool
load_msh(struct run *r, struct way *w, uint32_t k)
{
	struct sym_val v;

	if (!load(r, w, sym_number(0), k, 1, &v))
		return false;
	(void)sym_alu(r->pool, CBPF_ALU_AND, v, sym_number(15), &v);
	(void)sym_alu(r->pool, CBPF_ALU_LSH, v, sym_number(2), &w->regs[REG_X]);
	return true;
}

static bool
alu(struct run *r, struct way *w, enum cbpf_alu_op op, struct sym_val y)
{
	if ((op == CBPF_ALU_DIV || op == CBPF_ALU_MOD) && y.node != NULL) {
		struct sym_atom atom;
		struct sym_fact *f;
		const enum sym_truth t = sym_atom_eq(r->pool, y, UINT32_MAX, 0, true, &atom);

		if (!demand(r, w, t, &atom, &f))
			return false;
	}
	return sym_alu(r->pool, op, w->regs[REG_A], y, &w->regs[REG_A]);
}

enum test { TEST_EQ, TEST_GT, TEST_GE, TEST_SET };

/* "v test k", or the opposite where not @yes. */
static enum sym_truth
test_number(
	struct run *r, enum test test, struct sym_val v, uint32_t k, bool yes, struct sym_atom *ret)
{
	if (test == TEST_EQ)
		return sym_atom_eq(r->pool, v, UINT32_MAX, k, !yes, ret);
	if (test == TEST_SET)
		return sym_atom_eq(r->pool, v, k, 0, yes, ret);
	if (test == TEST_GT) {
		if (k == UINT32_MAX)
			return yes ? SYM_NEVER : SYM_ALWAYS;
		k++; /* "> k" is ">= k + 1" */
	}
	if (k == 0)
		return yes ? SYM_ALWAYS : SYM_NEVER;
	return yes ? sym_atom_range(r->pool, v, k, UINT32_MAX, ret)
		   : sym_atom_range(r->pool, v, 0, k - 1, ret);
}

static enum sym_truth
test_values(struct run *r, enum test test, struct sym_val a, struct sym_val x, bool yes,
	struct sym_atom *ret)
{
	static const uint8_t kinds[] = {SYM_REL_EQ, SYM_REL_GT, SYM_REL_GE, SYM_REL_SET};

	if (x.node == NULL)
		return test_number(r, test, a, x.add, yes, ret);
	if (a.node == NULL && (test == TEST_EQ || test == TEST_SET))
		return test_number(r, test, x, a.add, yes, ret);
	/* "a > x" is not "x >= a", "a >= x" is not "x > a". */
	if (a.node == NULL)
		return test_number(r, test == TEST_GT ? TEST_GE : TEST_GT, x, a.add, !yes, ret);
	*ret = (struct sym_atom){
		.kind = kinds[test],
		.neg = !yes,
		.node = sym_node_of(r->pool, a),
		.b = sym_node_of(r->pool, x),
	};
	return SYM_OPEN;
}

/* What the test at @pc says of @w where it comes out @yes. */
static enum sym_truth
outcome(struct run *r, const struct way *w, size_t pc, enum test test, struct sym_val x, bool yes,
	struct sym_atom *ret)
{
	const enum sym_truth t = test_values(r, test, w->regs[REG_A], x, yes, ret);

	if (r->insns[pc].code == CBPF_CODE_JEQ_K)
		sym_shape_ask(r, pc, w->regs[REG_A], !yes, t, ret);
	return t;
}

static void
branch(struct run *r, struct way *w, size_t pc, enum test test, struct sym_val x)
{
	const struct cbpf_insn *in = &r->insns[pc];
	struct way *other;
	struct sym_atom atom = {0};
	struct sym_fact *f_yes, *f_no;
	enum sym_truth t;
	bool yes, no;

	if (in->jt == in->jf) {
		sym_way_goto(r, w, pc + 1 + in->jt);
		return;
	}
	other = sym_way_new(r, w);
	if (other == NULL)
		return;
	t = outcome(r, w, pc, test, x, true, &atom);
	yes = demand(r, w, t, &atom, &f_yes);
	t = outcome(r, other, pc, test, x, false, &atom);
	no = demand(r, other, t, &atom, &f_no);
	/* Which of the two is left out if the other one matches; see sym_join.c. */
	if (f_yes != NULL) {
		f_yes->other = f_no;
		f_yes->other_fails = f_no == NULL && no;
	}
	if (f_no != NULL) {
		f_no->other = f_yes;
		f_no->other_fails = f_yes == NULL && yes;
	}
	if (yes)
		sym_way_goto(r, w, pc + 1 + in->jt);
	else
		sym_way_end(r, w);
	if (no)
		sym_way_goto(r, other, pc + 1 + in->jf);
	else
		sym_way_end(r, other);
}

#define ALU_CASES(name) \
	case CBPF_OP_ALU_##name##_K: return alu(r, w, CBPF_ALU_##name, k); \
	case CBPF_OP_ALU_##name##_X: return alu(r, w, CBPF_ALU_##name, *x)

/* Jumps are step()'s. */
#define JUMP_CASES(name) \
	case CBPF_OP_J##name##_K: \
	case CBPF_OP_J##name##_X: break

/* What instruction @in does to A, X and M[]; false when it ends the way. */
static bool
compute(struct run *r, struct way *w, const struct cbpf_insn *in)
{
	const struct sym_val k = sym_number(in->k), zero = sym_number(0);
	struct sym_val *a = &w->regs[REG_A], *x = &w->regs[REG_X], *m = &w->regs[REG_M];

	switch (cbpf_op_of(in->code)) {
	case CBPF_OP_LD_W_ABS: return load(r, w, zero, in->k, 4, a);
	case CBPF_OP_LD_H_ABS: return load(r, w, zero, in->k, 2, a);
	case CBPF_OP_LD_B_ABS: return load(r, w, zero, in->k, 1, a);
	case CBPF_OP_LD_W_IND: return load(r, w, *x, in->k, 4, a);
	case CBPF_OP_LD_H_IND: return load(r, w, *x, in->k, 2, a);
	case CBPF_OP_LD_B_IND: return load(r, w, *x, in->k, 1, a);
	case CBPF_OP_LDX_MSH: return load_msh(r, w, in->k);
	case CBPF_OP_LD_IMM: *a = k; return true;
	case CBPF_OP_LDX_IMM: *x = k; return true;
	case CBPF_OP_LD_LEN: *a = sym_len(r->pool); return true;
	case CBPF_OP_LDX_LEN: *x = sym_len(r->pool); return true;
	case CBPF_OP_LD_MEM: *a = m[in->k]; return true;
	case CBPF_OP_LDX_MEM: *x = m[in->k]; return true;
	case CBPF_OP_ST: m[in->k] = *a; return true;
	case CBPF_OP_STX: m[in->k] = *x; return true;
	case CBPF_OP_TAX: *x = *a; return true;
	case CBPF_OP_TXA: *a = *x; return true;
	case CBPF_OP_ALU_NEG:
		return sym_alu(r->pool, CBPF_ALU_SUB, zero, *a, a);
		ALU_CASES(ADD);
		ALU_CASES(SUB);
		ALU_CASES(MUL);
		ALU_CASES(DIV);
		ALU_CASES(MOD);
		ALU_CASES(AND);
		ALU_CASES(OR);
		ALU_CASES(XOR);
		ALU_CASES(LSH);
		ALU_CASES(RSH);
		JUMP_CASES(EQ);
		JUMP_CASES(GT);
		JUMP_CASES(GE);
		JUMP_CASES(SET);
	case CBPF_OP_JA:
	case CBPF_OP_RET_K:
	case CBPF_OP_RET_A:
	case CBPF_OP_COUNT: break;
	}
	return false;
}

/* "ret a", which is a match where A is not 0. */
static void
accept_a(struct run *r, struct way *w)
{
	struct sym_atom atom = {0};
	const enum sym_truth t = sym_atom_eq(r->pool, w->regs[REG_A], UINT32_MAX, 0, true, &atom);
	struct sym_fact *f;

	if (demand(r, w, t, &atom, &f))
		accept_way(r, w);
	else
		sym_way_end(r, w);
}

#define BRANCH_CASES(name) \
	case CBPF_OP_J##name##_K: branch(r, w, pc, TEST_##name, sym_number(in->k)); return; \
	case CBPF_OP_J##name##_X: branch(r, w, pc, TEST_##name, w->regs[REG_X]); return

/* One instruction of one way. */
static void
step(struct run *r, struct way *w, size_t pc)
{
	const struct cbpf_insn *in = &r->insns[pc];
	const enum cbpf_op op = cbpf_op_of(in->code);

	if (op == CBPF_OP_JA) {
		sym_way_goto(r, w, pc + 1 + in->k);
		return;
	}
	if (op == CBPF_OP_RET_K || op == CBPF_OP_RET_A) {
		if (op == CBPF_OP_RET_A)
			accept_a(r, w);
		else if (in->k != 0)
			accept_way(r, w);
		else
			sym_way_end(r, w);
		return;
	}
	switch ((int)op) {
		BRANCH_CASES(EQ);
		BRANCH_CASES(GT);
		BRANCH_CASES(GE);
		BRANCH_CASES(SET);
	}
	if (compute(r, w, in))
		sym_way_goto(r, w, pc + 1);
	else
		sym_way_end(r, w);
}

/* All ways that are left, those at @pc in @list among them, as one path that says what they share. */
static void
give_up(struct run *r, size_t pc, struct way *list)
{
	struct way *all = list;

	for (size_t i = pc; i <= r->n && i <= r->last; i++) {
		struct way *next;

		for (struct way *w = i > pc ? r->at[i] : NULL; w != NULL; w = next) {
			next = w->next;
			w->next = all;
			all = w;
		}
	}
	for (struct way *w = r->rest, *next; w != NULL; w = next) {
		next = w->next;
		w->next = all;
		all = w;
	}
	r->rest = NULL;
	r->too_many = true;
	if (all != NULL)
		(void)accept(r, sym_merge(r, all));
}

/* The ways at @pc, in @list, go on. False when it is enough. */
static bool
step_all(struct run *r, size_t pc, struct way *list)
{
	struct way *next;

	for (struct way *w = list; w != NULL; w = next) {
		next = w->next;
		if (r->flow != NULL && (r->steps >= r->steps_max || r->too_many)) {
			give_up(r, pc, w);
			return false;
		}
		if (r->steps++ >= r->steps_max) {
			r->too_many = true;
			return false;
		}
		step(r, w, pc);
	}
	return !r->pool->failed;
}

void
sym_walk_ways(struct run *r)
{
	for (size_t pc = 0; pc < r->n && r->n_waiting > 0; pc++) {
		struct way *w = r->at[pc];
		uint32_t n = 0;

		if (w == NULL)
			continue;
		for (struct way *o = w; o != NULL; o = o->next)
			n++;
		r->at[pc] = NULL;
		r->n_waiting -= n;
		if (r->flow != NULL && r->flow[pc].target) {
			w = sym_join(r, pc, w, &n);
			if (n == 1 && r->n_waiting == 0 && sym_loop(r, pc, w))
				continue;
		}
		if (n > WAYS_MAX)
			w = sym_merge(r, w);
		if (!step_all(r, pc, w) || (r->too_many && r->flow == NULL))
			return;
	}
	if (r->rest != NULL)
		give_up(r, r->n, NULL);
}

static int
run(struct sym_pool *pool, const struct cbpf_prog *prog, bool joins, struct sym_shape *shape,
	struct sym_result *ret_result)
{
	struct run r = {.pool = pool, .mem = &pool->run, .shape = shape, .steps_max = STEPS_MAX};
	struct sym_path *paths = NULL;
	struct way *first;

	arena_reset(r.mem);
	r.insns = cbpf_prog_insns(prog, &r.n);
	r.last = r.n - 1;
	r.at = arena_zalloc(r.mem, r.n * sizeof(struct way *));
	first = sym_way_new(&r, NULL);
	if (joins && r.at != NULL && first != NULL) {
		r.flow = sym_flow(&r);
		pool->failed |= r.flow == NULL;
		r.steps_max = STEPS_FEW + STEPS_OF_INSN * (uint32_t)r.n;
	}
	if (r.at != NULL && first != NULL && !pool->failed) {
		first->exact = true;
		sym_way_goto(&r, first, 0);
		sym_walk_ways(&r);
	}
	/* Nothing is known of a program with too many paths. */
	if (r.too_many && !joins) {
		r.paths[0] = (struct sym_path){.exact = false};
		r.n_paths = 1;
	}
	if (r.at != NULL)
		paths = arena_zalloc(&pool->mem, (r.n_paths + 1) * sizeof(*paths));
	if (paths != NULL)
		memcpy(paths, r.paths, r.n_paths * sizeof(*paths));
	pool->steps += r.steps;
	arena_reset(r.mem);
	if (paths == NULL || pool->failed)
		return -ENOMEM;
	*ret_result = (struct sym_result){paths, r.n_paths};
	return 0;
}

int
sym_run(struct sym_pool *pool, const struct cbpf_prog *prog, struct sym_result *ret_result)
{
	pool->failed = false;
	return run(pool, prog, false, NULL, ret_result);
}

/* Of a program that is not run nothing is known. */
static int
say_nothing(struct sym_pool *pool, struct sym_result *ret_result)
{
	struct sym_path *path;

	arena_reset(&pool->run);
	path = arena_zalloc(&pool->run, sizeof(*path));
	if (path == NULL)
		return -ENOMEM;
	*ret_result = (struct sym_result){path, 1};
	return 0;
}

int
sym_cover(struct sym_pool *pool, const struct cbpf_prog *prog, struct sym_result *ret_result)
{
	const struct cbpf_insn *insns;
	struct sym_shape *shape;
	size_t n;
	int r;

	pool->failed = false;
	insns = cbpf_prog_insns(prog, &n);
	shape = sym_shape_of(pool, insns, n);
	if (shape != NULL && shape->result.paths != NULL && !shape->spoilt) {
		if (sym_shape_fill(pool, shape, insns, ret_result))
			return 0;
		if (pool->failed)
			return -ENOMEM;
		shape = NULL;
	}
	if (pool->steps >= STEPS_OF_ALL)
		return say_nothing(pool, ret_result);
	if (shape != NULL && shape->spoilt)
		shape = NULL;
	r = run(pool, prog, true, shape, ret_result);
	if (r == 0 && shape != NULL)
		sym_shape_done(shape, ret_result);
	return r;
}

const struct sym_path *
sym_conjunction(const struct sym_result *r)
{
	const struct sym_path *p = r->paths;

	if (r->n_paths != 1 || !p->exact)
		return NULL;
	for (uint32_t i = 0; i < p->n_atoms; i++)
		if (p->atoms[i].kind != SYM_EQ || p->atoms[i].neg ||
			p->atoms[i].node->op != SYM_LOAD)
			return NULL;
	return p;
}
