// SPDX-License-Identifier: BSD-3-Clause
#include "engines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "ir.h"
#include "ir_run.h"

static void *
interp_load(const struct cbpf_prog *prog)
{
	return (void *)(uintptr_t)prog;
}

static uint32_t
interp_run(void *p, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	return cbpf_run(p, data, caplen, wirelen);
}

static void
interp_unload(void *p)
{
	(void)p;
}

const struct engine engine_interp = {"interpreter", interp_load, interp_run, interp_unload};

static void *
optimised_load(const struct cbpf_prog *prog)
{
	struct ir *ir = calloc(1, sizeof(*ir));

	if (ir == NULL || ir_build(ir, prog) < 0 || ir_optimise(ir) < 0)
		abort();
	return ir;
}

static uint32_t
optimised_run(void *p, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	return ir_run(p, data, caplen, wirelen);
}

static void
optimised_unload(void *p)
{
	ir_fini(p);
	free(p);
}

const struct engine engine_optimised = {
	"optimised", optimised_load, optimised_run, optimised_unload};

/* One arena for thousands of programs, replaced when full: as the daemon uses it. */
static struct cbpf_arena *arena;

static void *
jit_load(const struct cbpf_prog *prog)
{
	cbpf_fn fn = NULL;
	size_t bytes;

	if (!cbpf_jit_available())
		return NULL;
	if (arena != NULL && cbpf_arena_used(arena) > (7u << 20)) {
		cbpf_arena_free(arena);
		arena = NULL;
	}
	if (arena == NULL && cbpf_arena_new(8u << 20, &arena, NULL) < 0)
		abort();
	if (cbpf_jit_into(arena, prog, &fn, &bytes, NULL) < 0)
		abort();
	return (void *)(uintptr_t)fn;
}

/* As a caller may: whatever is in the upper halves of the registers of 32-bit arguments. */
static uint32_t
jit_run(void *p, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	uint32_t (*fn)(const uint8_t *, uint64_t, uint64_t) =
		(uint32_t(*)(const uint8_t *, uint64_t, uint64_t))(uintptr_t)p;

	return fn(data, caplen | UINT64_C(0xdeadbeef) << 32, wirelen | UINT64_C(0xabad1dea) << 32);
}

const struct engine engine_jit = {"x86-64 jit", jit_load, jit_run, interp_unload};

static void *
shrunk_load(const struct cbpf_prog *prog)
{
	struct cbpf_prog *other = NULL;
	struct cbpf_insn *insns;
	size_t n, n_before;

	(void)cbpf_prog_insns(prog, &n_before);
	if (cbpf_shrink(prog, &insns, &n) < 0 || n > n_before ||
		cbpf_prog_new(insns, n, &other, NULL) < 0)
		abort();
	mem_free(insns);
	return other;
}

static void
shrunk_unload(void *p)
{
	cbpf_prog_free(p);
}

const struct engine engine_shrunk = {"shrunk", shrunk_load, interp_run, shrunk_unload};

/* Change one constant, target or opcode where a program surely looks at it. */
static void *
broken_load(const struct cbpf_prog *prog)
{
	struct cbpf_prog *other = NULL;
	const struct cbpf_insn *insns;
	struct cbpf_insn *copy;
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	copy = malloc(n * sizeof(*copy));
	if (copy == NULL)
		abort();
	memcpy(copy, insns, n * sizeof(*copy));
	for (size_t i = n; i-- > 0;)
		if (copy[i].code == CBPF_CODE_JEQ_K || copy[i].code == CBPF_CODE_JGT_K) {
			copy[i].k ^= 1;
			break;
		}
	if (cbpf_prog_new(copy, n, &other, NULL) < 0)
		abort();
	free(copy);
	return other;
}

static void
broken_unload(void *p)
{
	cbpf_prog_free(p);
}

const struct engine engine_broken = {"broken on purpose", broken_load, interp_run, broken_unload};

uint8_t *
fence_end(const uint8_t *bytes, size_t n)
{
	static uint8_t *map;
	uint8_t *p;

	if (map == NULL) {
		map = mmap(NULL, FENCE_MAX + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED || mprotect(map + FENCE_MAX, 4096, PROT_NONE) < 0)
			abort();
	}
	p = map + FENCE_MAX - n;
	if (n > 0)
		memcpy(p, bytes, n);
	return p;
}

uint64_t
test_seed(const char *what)
{
	const char *s = getenv("SLUICE_SEED");
	struct timespec t;
	uint64_t seed;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	seed = (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 20 ^ (uint64_t)getpid();
	if (s != NULL)
		seed = strtoull(s, NULL, 0);
	printf("%s: SLUICE_SEED=%llu\n", what, (unsigned long long)seed);
	return seed;
}

unsigned int
test_factor(void)
{
	const char *s = getenv("SLUICE_LONG");

	return s != NULL && strcmp(s, "1") == 0 ? 10 : 1;
}
