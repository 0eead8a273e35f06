// SPDX-License-Identifier: BSD-3-Clause
#include "cbpf/jit.h"

#include <errno.h>
#include <stdatomic.h>

#include "arena_impl.h"
#include "base/diag.h"
#include "base/mem.h"
#include "ir_chain.h"
#include "jit_emit.h"

struct cbpf_jit {
	struct cbpf_arena *arena;
	cbpf_fn fn;
	size_t bytes;
};

/* What was emitted at @b, settled and written into @arena. */
static int
put_code(struct x86_buf *b, struct cbpf_arena *arena, const void **ret_code, size_t *ret_bytes)
{
	uint8_t *code;
	size_t bytes;

	if (b->failed)
		return -ENOMEM;
	bytes = x86_settle(b);
	code = arena_code_take(arena, bytes, ret_code);
	if (code == NULL)
		return -ENOSPC;
	x86_write(b, code);
	*ret_bytes = bytes;
	return 0;
}

/* Plan what @ir says and spell it into @arena. A step makes at most two jumps. */
static int
compile(struct ir *ir, const struct cbpf_records *records, struct cbpf_arena *arena,
	const void **ret_code, size_t *ret_bytes)
{
	struct plan_list plan = {0};
	struct x86_buf b;
	int r = plan_make(ir, records != NULL ? EMIT_ARGS : 0, &plan);

	if (r == 0)
		r = x86_buf_init(&b, &ir->mem, emit_nlabels(&plan), 2 * plan.n + 2);
	if (r < 0)
		return r;
	emit_plan(&b, &plan, records);
	return put_code(&b, arena, ret_code, ret_bytes);
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

/* cbpf_run() with the program where the code of cbpf_jit_call() can put it: behind the others. */
static uint32_t
run_with(const uint8_t *data, uint32_t caplen, uint32_t wirelen, const struct cbpf_prog *prog)
{
	return cbpf_run(prog, data, caplen, wirelen);
}

int
cbpf_jit_call(
	struct cbpf_arena *arena, const struct cbpf_prog *prog, cbpf_fn *ret_fn, struct diag *diag)
{
	struct arena mem = ARENA_INIT;
	const void *code;
	struct x86_buf b;
	size_t bytes;
	int r = x86_buf_init(&b, &mem, 0, 0);

	if (r == 0) {
		x86_mov_imm(&b, RCX, (uintptr_t)prog);
		x86_mov_imm(&b, RAX, (uintptr_t)run_with);
		x86_jmp_reg(&b, RAX);
		r = put_code(&b, arena, &code, &bytes);
	}
	arena_fini(&mem);
	if (r < 0)
		return not_compiled(r, diag);
	*ret_fn = (cbpf_fn)(uintptr_t)code;
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
