// SPDX-License-Identifier: BSD-3-Clause
#include "match/image.h"

#include <errno.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/insn.h"
#include "cbpf/jit.h"
#include "chain.h"
#include "image_impl.h"
#include "parts.h"

/*
 * Room for code: more than any instruction and any program's entry and exit
 * take. Memory is taken only as it is used. Should it not do, it is doubled.
 */
#define CODE_PER_INSN 64 /* bytes */
#define CODE_PER_PROG 512
#define CODE_TRIES 4
/*
 * Instructions of programs that are compiled, which takes a second. Programs beyond, which nobody
 * writes by hand and of which each frame asks thousands, are interpreted: see match/report.h.
 */
#define CODE_INSNS 4000000

static size_t
prog_len(const struct cbpf_prog *prog)
{
	size_t n = 0;

	if (prog != NULL)
		(void)cbpf_prog_insns(prog, &n);
	return n;
}

static size_t
code_room(const struct match_rule *rules, size_t n)
{
	size_t room = 4096;

	for (size_t i = 0; i < n; i++)
		for (size_t f = 0; f < 2; f++)
			room += prog_len(rules[i].prog[f]) * CODE_PER_INSN + CODE_PER_PROG;
	return room;
}

/* The program that rule @r runs for family number @f (0, 1), or NULL. */
static const struct cbpf_prog *
prog_of(const struct match_rule *r, size_t f)
{
	if (r->scope_only)
		return NULL;
	return r->prog[r->link == MATCH_LINK_ETHER ? 0 : f];
}

/* Whether the program of rule @i is ever asked: not where its items say all. */
static bool
is_asked(const struct match_image *im, size_t i)
{
	return im->index == NULL || im->index->runs[i];
}

/* Keep a copy of @prog for as long as the image. */
static int
copy_prog(struct match_image *im, const struct cbpf_prog *prog, const struct cbpf_prog **ret,
	struct diag *diag)
{
	struct match_base *base = im->base;
	const struct cbpf_insn *insns;
	size_t n;
	int r;

	/* Room for all of them: most images keep none. */
	if (base->progs == NULL)
		base->progs = mem_calloc(2 * im->n, sizeof(*base->progs));
	if (base->progs == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	insns = cbpf_prog_insns(prog, &n);
	r = cbpf_prog_new(insns, n, &base->progs[base->n_progs], diag);
	if (r == 0)
		*ret = base->progs[base->n_progs++];
	return r;
}

/* Machine code for @prog: its own as long as @left instructions do for it. */
static int
compile_prog(struct match_image *im, const struct cbpf_prog *prog, size_t *left, cbpf_fn *ret_fn,
	struct diag *diag)
{
	const size_t n = prog_len(prog);
	const struct cbpf_prog *copy = NULL;
	int r;

	if (n <= *left) {
		*left -= n;
		return cbpf_jit_into(im->base->code, prog, ret_fn, NULL, diag);
	}
	*left = 0;
	r = copy_prog(im, prog, &copy, diag);
	return r < 0 ? r : cbpf_jit_call(im->base->code, copy, ret_fn, diag);
}

static void
drop_code(struct match_base *base)
{
	for (size_t i = 0; i < base->n_progs; i++)
		cbpf_prog_free(base->progs[i]);
	base->n_progs = 0;
	mem_free(base->progs);
	base->progs = NULL;
	cbpf_arena_free(base->code);
	base->code = NULL;
}

/* Compile all programs into one arena of @room bytes. */
static int
compile_into(struct match_image *im, const struct match_rule *rules, size_t room, size_t left,
	struct diag *diag)
{
	struct match_base *base = im->base;
	int r = cbpf_arena_new(room, &base->code, diag);

	base->interpreted = MATCH_NONE;
	for (size_t i = 0; i < im->n && r == 0; i++) {
		struct match_entry *e = &im->entries[i];

		for (size_t f = 0; f < 2 && r == 0 && is_asked(im, i); f++) {
			const struct cbpf_prog *prog = prog_of(&rules[i], f);

			if (f == 1 && prog == prog_of(&rules[i], 0))
				e->code[1].fn = e->code[0].fn;
			else if (prog != NULL)
				r = compile_prog(im, prog, &left, &e->code[f].fn, diag);
		}
		if (base->n_progs > 0)
			base->interpreted = MIN(base->interpreted, (uint32_t)i);
	}
	if (r < 0)
		drop_code(base);
	return r;
}

static int
compile(struct match_image *im, const struct match_rule *rules, size_t insns, struct diag *diag)
{
	size_t room = code_room(rules, im->n);
	int r = -ENOSPC;

	for (int i = 0; i < CODE_TRIES && r == -ENOSPC; i++, room *= 2)
		r = compile_into(im, rules, room, insns, diag);
	im->is_jit = r == 0;
	return r == -ENOSPC ? -ENOMEM : r;
}

static int
copy_progs(struct match_image *im, const struct match_rule *rules, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < im->n && r == 0; i++) {
		struct match_entry *e = &im->entries[i];

		e->code[0].prog = e->code[1].prog = NULL;
		for (size_t f = 0; f < 2 && r == 0 && is_asked(im, i); f++) {
			const struct cbpf_prog *prog = prog_of(&rules[i], f);

			if (f == 1 && prog == prog_of(&rules[i], 0))
				e->code[1].prog = e->code[0].prog;
			else if (prog != NULL)
				r = copy_prog(im, prog, &e->code[f].prog, diag);
		}
	}
	return r;
}

/*
 * Where one family has no code the scope lets only the other one come, so that
 * its code can stand for both and the search need not look at the family.
 */
static void
join_families(struct match_entry *e)
{
	if (e->run != MATCH_RUN_RAW)
		return;
	if (e->code[0].fn == NULL)
		e->code[0] = e->code[1];
	else if (e->code[1].fn == NULL)
		e->code[1] = e->code[0];
	if (e->code[0].fn == e->code[1].fn)
		e->run = MATCH_RUN_RAW_ONE;
}

static int
make_code(struct match_image *im, const struct match_rule *rules, enum match_engine engine,
	const struct match_options *options, struct diag *diag)
{
	const size_t insns = options->code_insns != 0 ? options->code_insns : CODE_INSNS;
	int r;

	if (engine != MATCH_ENGINE_INTERP) {
		if (engine == MATCH_ENGINE_JIT || cbpf_jit_available()) {
			r = compile(im, rules, insns, diag);
			/* Where executable memory is forbidden, AUTO interprets. */
			if (engine == MATCH_ENGINE_JIT || (r != -EPERM && r != -ENOSYS))
				return r;
		}
	}
	return copy_progs(im, rules, diag);
}

static int
make_entry(struct match_image *im, const struct match_rule *rule, size_t i, struct scope_sets *sets)
{
	struct match_entry *e = &im->entries[i];
	int r = scope_new(rule, &im->base->arena, sets, &e->scope);

	if (r < 0)
		return r;
	e->ports = rule->scope.ports;
	atomic_init(&e->enabled, rule->enabled);
	e->deciding = rule->action != MATCH_COUNT && !rule->shadow;
	atomic_init(&im->state[i], image_state(e->deciding, rule->enabled));
	e->generated = rule->generated;
	if (rule->scope_only)
		e->run = MATCH_RUN_NONE;
	else
		e->run = rule->link == MATCH_LINK_RAW ? MATCH_RUN_RAW : MATCH_RUN_ETHER;
	im->any_generated |= rule->generated && e->run == MATCH_RUN_RAW;
	im->leaves[i] = image_leaf(rule);
	return 0;
}

static struct match_base *
base_new(void)
{
	struct match_base *base = mem_zalloc(sizeof(*base));

	if (base != NULL)
		atomic_init(&base->refs, 1);
	return base;
}

static void
base_drop(struct match_base *base)
{
	/* Release and acquire pair with each other: who frees comes after all who used it. */
	if (base == NULL || atomic_fetch_sub_explicit(&base->refs, 1, memory_order_acq_rel) != 1)
		return;
	index_free(base->index);
	index_free(base->lone_index);
	cover_found_fini(&base->notes.found);
	drop_code(base);
	cbpf_arena_free(base->chain_code);
	arena_fini(&base->arena);
	mem_free(base->entries);
	mem_free(base);
}

static int
make_entries(struct match_image *im, const struct match_rule *rules, struct diag *diag)
{
	struct arena scratch = ARENA_INIT;
	struct scope_sets sets;
	size_t n_lists = 0;
	int r;

	im->base->entries = mem_zalloc_aligned(BASE_CACHE_LINE, (im->n + 1) * sizeof(*im->entries));
	im->entries = im->base->entries;
	im->leaves = mem_calloc(im->n + 1, sizeof(*im->leaves));
	im->state = mem_zalloc_aligned(BASE_CACHE_LINE, im->n + 1 + MATCH_STATE_PAD);
	for (size_t i = 0; i < im->n; i++)
		n_lists += !rules[i].scope.src.any + !rules[i].scope.dst.any;
	r = scope_sets_init(&sets, n_lists, &scratch);
	if (im->entries == NULL || im->leaves == NULL || im->state == NULL)
		r = -ENOMEM;
	for (size_t i = 0; i < im->n && r == 0; i++)
		r = make_entry(im, &rules[i], i, &sets);
	arena_fini(&scratch);
	return r == 0 ? 0 : diag_fail(diag, r, "out of memory");
}

/*
 * A chain costs a little for each rule, a table the same for all of them: measured,
 * sixteen names take as long by either; rules that compute take longer. What needs
 * many tables, or programs behind them, takes longer than thirty rules, the kernel
 * for five-tuples as long as eleven. Fewer rules are not worth a comparison.
 */
#define CHAIN_RULES 5
#define CHAIN_COST 20 /* tenths of a nanosecond, and for each rule */
#define CHAIN_COST_RULE 4
#define CHAIN_COST_LISTED 5 /* more, for one that a list would compute */
#define CHAIN_INSNS 8192 /* of them all: programs that walk over labels have a thousand each */

static bool
may_be_chain(const struct match_image *im, const struct match_rule *rules, enum match_engine engine,
	const struct match_options *options)
{
	if (options->no_chain || engine == MATCH_ENGINE_INTERP || !cbpf_jit_available() ||
		im->n == 0)
		return false;
	switch (options->merge) {
	case MATCH_MERGE_AUTO: return im->n <= CHAIN_RULES && !chain_walks(rules, im->n);
	case MATCH_MERGE_NEVER: return im->n <= CHAIN_MAX;
	case MATCH_MERGE_ALWAYS: break;
	}
	return false;
}

/* Whether a chain would beat what @im was compiled to, or is to be had anyway. */
static bool
is_chain_better(
	const struct match_image *im, enum match_engine engine, const struct match_options *options)
{
	if (options->no_chain || engine == MATCH_ENGINE_INTERP || !cbpf_jit_available() ||
		im->base->chain != NULL || im->n == 0 || im->n > CHAIN_MAX)
		return false;
	if (options->is_part && im->index != NULL && index_walks(im->index))
		return false;
	if (options->merge != MATCH_MERGE_AUTO)
		return options->chain_first;
	if (im->index == NULL)
		return true;
	return CHAIN_COST + CHAIN_COST_RULE * (uint32_t)im->n +
		CHAIN_COST_LISTED * index_n_listed(im->index) <
		index_cost(im->index);
}

/*
 * A chain of all rules of @im in place of its index, if it has one; or in front of it, where
 * programs walk: a name of a hundred labels, which an adversary sends, costs 200 ns where each
 * rule walks over it, and 30 where tables walk for all of theirs. Returns 0, also where there
 * is none, or -ENOMEM.
 */
static int
add_chain(
	struct match_image *im, const struct match_rule *rules, const struct match_options *options)
{
	const size_t insns = options->merge == MATCH_MERGE_AUTO ? CHAIN_INSNS : SIZE_MAX;
	uint32_t fault = CBPF_CHAIN_NONE;
	bool whole;
	int r;

	if (options->chain_fault)
		fault = (uint32_t)im->n - 1;
	if (options->far_fault)
		fault = CHAIN_FAR;
	r = chain_new(im, rules, insns, fault, &whole);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (whole) {
		index_free(im->index);
		im->index = NULL;
	}
	return 0;
}

int
match_image_new(const struct match_rule *rules, size_t n, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag)
{
	static const struct match_options options = {.merge = MATCH_MERGE_AUTO};

	return match_image_new_with(rules, n, engine, &options, ret_image, diag);
}

/* An image of @n rules with nothing in it, or NULL. */
static struct match_image *
image_new(size_t n)
{
	struct match_image *im = mem_zalloc(sizeof(*im));

	if (im == NULL)
		return NULL;
	im->n = n;
	im->base = base_new();
	if (im->base != NULL)
		return im;
	mem_free(im);
	return NULL;
}

/* add_chain() as a pass called @name. */
static int
pass_chain(struct match_image *im, const struct match_rule *rules,
	const struct match_options *options, const char *name)
{
	const uint64_t start = build_now_us();
	const int r = add_chain(im, rules, options);

	build_note_pass(&im->base->notes, name, start);
	return r;
}

/* Compile the rules of @im together, as far as that is better. Returns 0 or -ENOMEM. */
static int
compile_together(struct match_image *im, const struct match_rule *rules, enum match_engine engine,
	const struct match_options *options)
{
	int r = 0;

	if (may_be_chain(im, rules, engine, options))
		r = pass_chain(im, rules, options, "chain");
	if (r == 0)
		r = index_new(im, rules, options, &im->base->notes, &im->index);
	if (r == 0 && is_chain_better(im, engine, options))
		r = pass_chain(im, rules, options, "front");
	im->base->index = im->index;
	return r;
}

/* All of @im, of which nothing is there yet. */
static int
build(struct match_image *im, const struct match_rule *rules, enum match_engine engine,
	const struct match_options *options, struct diag *diag)
{
	struct build_notes *notes = &im->base->notes;
	uint64_t start = build_now_us();
	int r = make_entries(im, rules, diag);

	build_note_pass(notes, "scopes", start);
	if (r < 0)
		return r;
	/* As far as is known yet. */
	im->is_jit = engine != MATCH_ENGINE_INTERP && cbpf_jit_available();
	if (compile_together(im, rules, engine, options) < 0)
		return diag_fail(diag, -ENOMEM, "out of memory");
	start = build_now_us();
	r = make_code(im, rules, engine, options, diag);
	build_note_pass(notes, "code", start);
	for (size_t i = 0; i < im->n && r == 0; i++)
		join_families(&im->entries[i]);
	return r;
}

int
match_image_new_with(const struct match_rule *rules, size_t n, enum match_engine engine,
	const struct match_options *options, struct match_image **ret_image, struct diag *diag)
{
	struct match_image *im;
	int r;

	if (n > MATCH_RULES_MAX)
		return diag_fail(
			diag, -E2BIG, "%zu rules, at most %d are allowed", n, MATCH_RULES_MAX);
	im = image_new(n);
	if (im == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r = build(im, rules, engine, options, diag);
	if (r < 0) {
		match_image_free(im);
		return r;
	}
	*ret_image = im;
	return 0;
}

int
image_share(const struct match_image *of, struct match_image **ret_image)
{
	struct match_base *base = of->base;
	struct match_image *im;
	int r = 0;

	/* Only who builds looks at this. */
	if (base->index == NULL && base->lone_index == NULL)
		r = index_new_lone(of->n, &base->lone_index);
	if (r < 0)
		return r;
	im = mem_alloc(sizeof(*im));
	if (im == NULL)
		return -ENOMEM;
	*im = *of;
	im->index = base->index != NULL ? base->index : base->lone_index;
	im->leaves = NULL;
	im->state = mem_zalloc_aligned(BASE_CACHE_LINE, im->n + 1 + MATCH_STATE_PAD);
	if (im->state == NULL) {
		mem_free(im);
		return -ENOMEM;
	}
	/* Nothing is ordered by taking one more; see base_drop() for the last one. */
	(void)atomic_fetch_add_explicit(&base->refs, 1, memory_order_relaxed);
	*ret_image = im;
	return 0;
}

void
match_image_free(struct match_image *image)
{
	if (image == NULL)
		return;
	parts_free(image->parts);
	base_drop(image->base);
	mem_free(image->leaves);
	mem_free((void *)image->state);
	mem_free(image);
}

size_t
match_image_count(const struct match_image *image)
{
	return image->n;
}

void
match_image_enable(struct match_image *image, uint32_t index, bool enabled)
{
	struct match_entry *e;

	if (index >= image->n)
		return;
	if (image->parts != NULL) {
		parts_enable(image, index, enabled);
		return;
	}
	e = &image->entries[index];
	atomic_store_explicit(&e->enabled, enabled, memory_order_relaxed);
	atomic_store_explicit(
		&image->state[index], image_state(e->deciding, enabled), memory_order_relaxed);
}

const struct match_leaf *
match_image_leaf(const struct match_image *image, uint32_t index)
{
	return &image->leaves[index];
}
