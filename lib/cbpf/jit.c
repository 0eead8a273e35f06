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

static void
run(struct x86_buf *b, const struct plan_list *plan)
{
	uint32_t *was = b->label_was;

	b->len = 0;
	b->njumps = 0;
	b->changed = false;
	emit_plan(b, plan);
	b->label_was = b->label_is;
	b->label_is = was;
}

static int
measure(struct ir *ir, const struct plan_list *plan, struct x86_buf *b)
{
	uint32_t nlabels = emit_nlabels(plan);

	b->label_was = arena_zalloc(&ir->mem, nlabels * sizeof(uint32_t));
	b->label_is = arena_zalloc(&ir->mem, nlabels * sizeof(uint32_t));
	/* A step makes at most two jumps. */
	b->is_short = arena_zalloc(&ir->mem, 2 * (size_t)plan->n + 2);
	if (b->label_was == NULL || b->label_is == NULL || b->is_short == NULL)
		return -ENOMEM;
	memset(b->label_was, 0xff, nlabels * sizeof(uint32_t));
	run(b, plan);
	for (int i = 0; i < RUNS_MAX; i++) {
		b->frozen = i == RUNS_MAX - 1;
		run(b, plan);
		if (!b->changed)
			break;
	}
	/* Once more with every jump settled, so that labels are where they will be. */
	b->frozen = true;
	run(b, plan);
	return 0;
}

static int
compile(struct ir *ir, struct cbpf_arena *arena, const struct cbpf_prog *prog,
	const void **ret_code, size_t *ret_bytes)
{
	struct plan_list plan = {0};
	struct x86_buf b = {0};
	int r;

	if ((r = ir_build(ir, prog)) < 0 || (r = ir_optimise(ir)) < 0 ||
		(r = plan_make(ir, &plan)) < 0 || (r = measure(ir, &plan, &b)) < 0)
		return r;
	b.cap = b.len;
	b.p = arena_code_take(arena, b.cap, ret_code);
	if (b.p == NULL)
		return -ENOSPC;
	run(&b, &plan);
	if (b.len != b.cap)
		return -ENOSPC; /* the sizing runs and this one disagree */
	*ret_bytes = b.len;
	return 0;
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
	if (r == -ENOSPC)
		return diag_fail(diag, r, "the memory for compiled programs is full");
	if (r < 0)
		return diag_fail(diag, r, "out of memory");
	*ret_fn = (cbpf_fn)(uintptr_t)code;
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
