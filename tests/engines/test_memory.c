// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every allocation of the compiler fails once; an arena that is full says so
 * and keeps what it has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "engines.h"
#include "filters.h"
#include "progs.h"

static bool
check(bool ok, const char *what)
{
	if (!ok)
		printf("NOT OK: %s\n", what);
	return ok;
}

static bool
each_allocation_fails(const struct cbpf_prog *prog)
{
	for (long nth = 0;; nth++) {
		struct cbpf_jit *jit = NULL;
		struct diag d = {0};
		long asked;
		int r;

		mem_fault_set(nth);
		r = cbpf_jit_new(prog, &jit, &d);
		asked = mem_fault_set(-1);
		if (asked <= nth) {
			cbpf_jit_free(jit);
			return check(r == 0, "compiles when memory suffices");
		}
		if (!check(r == -ENOMEM && jit == NULL && d.msg[0] != '\0', "-ENOMEM"))
			return false;
	}
}

static bool
arena_fills_up(const struct cbpf_prog *prog)
{
	static const uint8_t pkt[64];
	struct cbpf_arena *arena = NULL;
	cbpf_fn first = NULL, fn;
	struct diag d = {0};
	size_t bytes, used;
	int r = 0;
	bool ok;

	if (cbpf_arena_new(20000, &arena, &d) < 0)
		return check(false, d.msg);
	while (r == 0) {
		used = cbpf_arena_used(arena);
		r = cbpf_jit_into(arena, prog, &fn, &bytes, &d);
		if (r == 0 && first == NULL)
			first = fn;
	}
	ok = check(r == -ENOSPC, "a full arena says so") &&
		check(cbpf_arena_used(arena) == used, "and is left as it was") &&
		check(first(pkt, sizeof(pkt), sizeof(pkt)) ==
				cbpf_run(prog, pkt, sizeof(pkt), sizeof(pkt)),
			"and its programs still run");
	cbpf_arena_free(arena);
	return ok;
}

int
main(void)
{
	struct rng r = {test_seed("test_memory")};
	bool ok = true;

	if (!cbpf_jit_available())
		return 77;
	for (int i = 0; i < 60 && ok; i++) {
		struct cbpf_prog *prog = i % 2 ? progs_random(&r) : progs_real(&r);

		ok = each_allocation_fails(prog) && arena_fills_up(prog);
		cbpf_prog_free(prog);
	}
	printf("%s\n", ok ? "ok" : "NOT OK");
	return !ok;
}
