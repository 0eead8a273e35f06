// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/jit.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "arena_impl.h"
#include "base/diag.h"
#include "base/mem.h"
#include "jit_emit.h"

/*
 * Each run after the first two lets some more jumps be short. Programs that are
 * worth it are settled after three or four; a chain made to need one run per
 * jump gets long jumps instead of our time.
 */
#define RUNS_MAX 8

struct cbpf_jit {
	struct cbpf_arena *arena;
	cbpf_fn fn;
	size_t bytes;
};

/* What is spelt: a program, or a chain of them. */
struct spelt {
	const struct plan_list *plan; /* NULL: links */
	const struct emit_link *links;
	size_t n_links;
	uint32_t n_labels, n_jumps; /* at most */
};

static void
run(struct x86_buf *b, const struct spelt *what)
{
	uint32_t *was = b->label_was;

	b->len = 0;
	b->njumps = 0;
	b->changed = false;
	if (what->plan != NULL)
		emit_plan(b, what->plan);
	else
		emit_chain(b, what->links, what->n_links);
	b->label_was = b->label_is;
	b->label_is = was;
}

static int
measure(struct arena *mem, const struct spelt *what, struct x86_buf *b)
{
	const size_t bytes = what->n_labels * sizeof(uint32_t);

	b->label_was = arena_zalloc(mem, bytes);
	b->label_is = arena_zalloc(mem, bytes);
	b->is_short = arena_zalloc(mem, what->n_jumps);
	if (b->label_was == NULL || b->label_is == NULL || b->is_short == NULL)
		return -ENOMEM;
	memset(b->label_was, 0xff, bytes);
	run(b, what);
	for (int i = 0; i < RUNS_MAX; i++) {
		b->frozen = i == RUNS_MAX - 1;
		run(b, what);
		if (!b->changed)
			break;
	}
	/* Once more with every jump settled, so that labels are where they will be. */
	b->frozen = true;
	run(b, what);
	return 0;
}

/* Spell @what into @arena; memory of @mem on the way. */
static int
spell(struct cbpf_arena *arena, struct arena *mem, const struct spelt *what, const void **ret_code,
	size_t *ret_bytes)
{
	struct x86_buf b = {0};
	int r = measure(mem, what, &b);

	if (r < 0)
		return r;
	b.cap = b.len;
	b.p = arena_code_take(arena, b.cap, ret_code);
	if (b.p == NULL)
		return -ENOSPC;
	run(&b, what);
	if (b.len != b.cap)
		return -ENOSPC; /* the sizing runs and this one disagree */
	*ret_bytes = b.len;
	return 0;
}

static int
plan(struct ir *ir, const struct cbpf_prog *prog, uint32_t taken, enum x86_reg len,
	struct plan_list *ret_plan)
{
	int r;

	if ((r = ir_build(ir, prog)) < 0 || (r = ir_optimise(ir)) < 0)
		return r;
	return plan_make(ir, taken, len, ret_plan);
}

/* A step makes at most two jumps. */
static uint32_t
jumps_of(const struct plan_list *p)
{
	return 2 * p->n + 2;
}

static int
compile(struct ir *ir, struct cbpf_arena *arena, const struct cbpf_prog *prog,
	const void **ret_code, size_t *ret_bytes)
{
	struct plan_list list = {0};
	int r = plan(ir, prog, 0, RDX, &list);

	if (r < 0)
		return r;
	return spell(arena, &ir->mem,
		&(struct spelt){
			.plan = &list, .n_labels = emit_nlabels(&list), .n_jumps = jumps_of(&list)},
		ret_code, ret_bytes);
}

static int
not_compiled(int r, struct diag *diag)
{
	if (r == -ENOSPC)
		return diag_fail(diag, r, "the memory for compiled programs is full");
	return diag_fail(diag, r, "out of memory");
}

int
cbpf_jit_into(struct cbpf_arena *arena, const struct cbpf_prog *prog, cbpf_fn *ret_fn,
	size_t *ret_code_bytes, struct diag *diag)
{
	struct ir ir = {.mem = ARENA_INIT};
	const void *code;
	size_t bytes;
	int r;

	r = compile(&ir, arena, prog, &code, &bytes);
	ir_fini(&ir);
	if (r < 0)
		return not_compiled(r, diag);
	*ret_fn = (cbpf_fn)(uintptr_t)code;
	if (ret_code_bytes != NULL)
		*ret_code_bytes = bytes;
	return 0;
}

/* ---- chains ---- */

/* What is made of a link on the way. */
struct link_work {
	struct ir ir;
	struct plan_list plan;
};

/* Plan all links, and number their labels. */
static int
plan_links(const struct cbpf_link *links, size_t n, struct link_work *work, struct emit_link *emit,
	struct spelt *what)
{
	for (size_t i = 0; i < n; i++) {
		struct emit_link *l = &emit[i];
		int r;

		*l = (struct emit_link){.mask = links[i].mask,
			.val = links[i].val,
			.number = links[i].number,
			.label = what->n_labels};
		if (links[i].prog != NULL) {
			r = plan(&work[i].ir, links[i].prog, EMIT_CHAIN_TAKEN, EMIT_CHAIN_LEN,
				&work[i].plan);
			if (r < 0)
				return r;
			l->plan = &work[i].plan;
			what->n_jumps += jumps_of(l->plan);
		}
		what->n_labels += emit_link_nlabels(l);
		what->n_jumps += 2; /* of its key and of what is allowed */
	}
	return 0;
}

int
cbpf_jit_chain(struct cbpf_arena *arena, const struct cbpf_link *links, size_t n,
	cbpf_chain_fn *ret_fn, size_t *ret_code_bytes, struct diag *diag)
{
	struct arena mem = ARENA_INIT;
	struct link_work *work = arena_zalloc(&mem, (n + 1) * sizeof(*work));
	struct emit_link *emit = arena_zalloc(&mem, (n + 1) * sizeof(*emit));
	struct spelt what = {.links = emit, .n_links = n};
	const void *code;
	size_t bytes;
	int r = work != NULL && emit != NULL ? 0 : -ENOMEM;

	if (r == 0)
		r = plan_links(links, n, work, emit, &what);
	if (r == 0)
		r = spell(arena, &mem, &what, &code, &bytes);
	for (size_t i = 0; work != NULL && i < n; i++)
		ir_fini(&work[i].ir);
	arena_fini(&mem);
	if (r < 0)
		return not_compiled(r, diag);
	*ret_fn = (cbpf_chain_fn)(uintptr_t)code;
	if (ret_code_bytes != NULL)
		*ret_code_bytes = bytes;
	return 0;
}

int
cbpf_jit_new(const struct cbpf_prog *prog, struct cbpf_jit **ret_jit, struct diag *diag)
{
	struct cbpf_jit *jit = mem_zalloc(sizeof(*jit));
	size_t n;
	int r;

	if (jit == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	(void)cbpf_prog_insns(prog, &n);
	/*
	 * An edge with a move for A, X and each M[] on the stack takes 300 bytes, a
	 * branch has two. Memory is taken as it is used.
	 */
	r = cbpf_arena_new(4096 + 1024 * n, &jit->arena, diag);
	if (r == 0)
		r = cbpf_jit_into(jit->arena, prog, &jit->fn, &jit->bytes, diag);
	if (r < 0) {
		cbpf_jit_free(jit);
		return r;
	}
	*ret_jit = jit;
	return 0;
}

cbpf_fn
cbpf_jit_fn(const struct cbpf_jit *jit)
{
	return jit->fn;
}

void
cbpf_jit_free(struct cbpf_jit *jit)
{
	if (jit == NULL)
		return;
	cbpf_arena_free(jit->arena);
	mem_free(jit);
}

const void *
cbpf_jit_code(const struct cbpf_jit *jit, size_t *ret_bytes)
{
	*ret_bytes = jit->bytes;
	return (const void *)(uintptr_t)jit->fn;
}

/* Written once with what any thread would write; relaxed. */
static _Atomic int available;

bool
cbpf_jit_available(void)
{
	int known = atomic_load_explicit(&available, memory_order_relaxed);
	struct cbpf_arena *arena = NULL;

	if (known == 0) {
		known = cbpf_arena_new(1, &arena, NULL) == 0 ? 1 : -1;
		cbpf_arena_free(arena);
		atomic_store_explicit(&available, known, memory_order_relaxed);
	}
	return known > 0;
}
