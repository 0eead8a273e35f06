// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/jit.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "arena_impl.h"
#include "base/diag.h"
#include "base/mem.h"
#include "ir_chain.h"
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

/* What is spelt. */
struct spelt {
	const struct plan_list *plan;
	const struct cbpf_records *records; /* of a chain, or NULL */
	uint32_t n_labels, n_jumps; /* at most */
};

static void
run(struct x86_buf *b, const struct spelt *what)
{
	uint32_t *was = b->label_was;

	b->len = 0;
	b->njumps = 0;
	b->changed = false;
	memset(b->label_is, 0xff, what->n_labels * sizeof(*b->label_is));
	emit_plan(b, what->plan, what->records);
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

/* Plan what @ir says and spell it into @arena. A step makes at most two jumps. */
static int
compile(struct ir *ir, const struct cbpf_records *records, struct cbpf_arena *arena,
	const void **ret_code, size_t *ret_bytes)
{
	struct plan_list list = {0};
	int r = plan_make(ir, records != NULL ? EMIT_ARGS : 0, &list);

	if (r < 0)
		return r;
	return spell(arena, &ir->mem,
		&(struct spelt){.plan = &list,
			.records = records,
			.n_labels = emit_nlabels(&list),
			.n_jumps = 2 * list.n + 2},
		ret_code, ret_bytes);
}

static int
not_compiled(int r, struct diag *diag)
{
	if (r == -ENOSPC)
		return diag_fail(diag, r, "the memory for compiled programs is full");
	if (r == -E2BIG)
		return diag_fail(diag, r, "the programs are too large for one function");
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

	if ((r = ir_build(&ir, prog)) == 0 && (r = ir_optimise(&ir)) == 0)
		r = compile(&ir, NULL, arena, &code, &bytes);
	ir_fini(&ir);
	if (r < 0)
		return not_compiled(r, diag);
	*ret_fn = (cbpf_fn)(uintptr_t)code;
	if (ret_code_bytes != NULL)
		*ret_code_bytes = bytes;
	return 0;
}

int
cbpf_jit_chain(struct cbpf_arena *arena, const struct cbpf_link *links, size_t n,
	const struct cbpf_records *records, cbpf_chain_fn *ret_fn, size_t *ret_code_bytes,
	struct diag *diag)
{
	struct ir ir = {.mem = ARENA_INIT};
	const void *code;
	size_t bytes;
	int r = ir_chain(&ir, links, n);

	if (r == 0)
		r = compile(&ir, records, arena, &code, &bytes);
	ir_fini(&ir);
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
