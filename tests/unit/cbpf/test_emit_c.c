// SPDX-License-Identifier: BSD-3-Clause
/*
 * Programs as C: random ones, each opcode in several, compiled by the machine's
 * compiler and compared with the interpreter on random frames of every length.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"

enum { PROGS = 400, FRAME = 40, INSNS_MAX = 24 };

static const uint16_t codes[] = {
#define X(id, code, name, form) (code),
	CBPF_OPCODES(X)
#undef X
};

static const uint32_t edges[] = {0, 1, 2, 3, 15, 16, 31, 32, 36, 37, 39, 40, 41, 255, 0x7fffffff,
	0x80000000, 0xfffffffc, 0xfffffffe, 0xffffffff};

/* Anything; validation says what is a program. */
static struct cbpf_prog *
random_prog(struct rng *rng)
{
	struct cbpf_prog *prog = NULL;

	while (prog == NULL) {
		struct cbpf_insn insns[INSNS_MAX];
		size_t n = 2 + rng_below(rng, INSNS_MAX - 1);

		for (size_t i = 0; i < n; i++) {
			struct cbpf_insn *p = &insns[i];

			p->code = codes[rng_below(rng, DIM(codes))];
			if (i == n - 1)
				p->code = CBPF_CODE_RET_A;
			else if (p->code == CBPF_CODE_RET_K && rng_below(rng, 4) != 0)
				p->code = CBPF_CODE_LD_B_IND;
			p->jt = (uint8_t)rng_below(rng, (uint32_t)MIN(n - i, 6));
			p->jf = (uint8_t)rng_below(rng, (uint32_t)MIN(n - i, 6));
			p->k = rng_below(rng, 3) == 0 ? edges[rng_below(rng, DIM(edges))]
						      : rng_below(rng, FRAME);
			if (cbpf_op_of(p->code) == CBPF_OP_JA)
				p->k = p->jt;
			if (p->code == CBPF_CODE_LD_MEM || p->code == CBPF_CODE_LDX_MEM ||
				p->code == CBPF_CODE_ST || p->code == CBPF_CODE_STX)
				p->k %= 4;
		}
		(void)cbpf_prog_new(insns, n, &prog, NULL);
	}
	return prog;
}

static void *
compile(const char *c)
{
	char base[] = "/tmp/sluice-emit-XXXXXX", path[64], cmd[256];
	void *so = NULL;
	FILE *f;

	assert_non_null(mkdtemp(base));
	(void)snprintf(path, sizeof(path), "%s/a.c", base);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(c, f);
	assert_int_equal(fclose(f), 0);
	(void)snprintf(cmd, sizeof(cmd),
		"cd %s && cc -O1 -Wall -Wextra -Werror -shared -fPIC -o a.so a.c", base);
	if (system(cmd) == 0) {
		(void)snprintf(path, sizeof(path), "%s/a.so", base);
		so = dlopen(path, RTLD_NOW);
	}
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", base);
	assert_int_equal(system(cmd), 0);
	return so;
}

static void
compare(const struct cbpf_prog *prog, cbpf_fn fn, struct rng *rng)
{
	uint8_t frame[FRAME];

	for (uint32_t round = 0; round < 4; round++) {
		/* Mostly small bytes, so that indirect loads stay inside now and then. */
		for (size_t i = 0; i < FRAME; i++)
			frame[i] = (uint8_t)(rng_next(rng) >> (rng_below(rng, 2) ? 60 : 56));
		for (uint32_t n = 0; n <= FRAME; n++)
			assert_int_equal(fn(frame, n, 60), cbpf_run(prog, frame, n, 60));
	}
}

static void
same_as_the_interpreter(void **state)
{
	const char *s = getenv("SLUICE_SEED");
	struct rng rng = {s != NULL ? strtoull(s, NULL, 0) : 20260101};
	static struct cbpf_prog *progs[PROGS];
	struct sbuf c = SBUF_INIT;
	char name[16];
	void *so;

	(void)state;
	print_message("seed %llu\n", (unsigned long long)rng.state);
	for (size_t i = 0; i < PROGS; i++) {
		progs[i] = random_prog(&rng);
		(void)snprintf(name, sizeof(name), "p%zu", i);
		cbpf_write_c(progs[i], name, &c);
	}
	assert_true(sbuf_ok(&c));
	so = compile(sbuf_str(&c));
	assert_non_null(so);
	for (size_t i = 0; i < PROGS; i++) {
		cbpf_fn fn;

		(void)snprintf(name, sizeof(name), "p%zu", i);
		*(void **)&fn = dlsym(so, name);
		assert_non_null(fn);
		compare(progs[i], fn, &rng);
		cbpf_prog_free(progs[i]);
	}
	(void)dlclose(so);
	sbuf_fini(&c);
}

/* Each window has one guard, however many loads look into it. */
static void
guards(void **state)
{
	static const struct {
		const char *text;
		int guards;
	} cases[] = {
		{"ldb [3]\n jeq #1, a, n\n a: ldb [9]\n jeq #2, b, n\n b: ld [4]\n ret a\n n: ret #0",
			1},
		/* What the way past the first test returns without the second load is no 0. */
		{"ldb [3]\n jeq #1, a, n\n a: ldb [9]\n ret a\n n: ret #1", 2},
		{"ldx 4*([0]&0xf)\n ldb [x + 2]\n jeq #1, a, n\n a: ld [x + 8]\n ret a\n n: ret #0",
			2},
		/* X is another, but by a constant; and it is the old one again. */
		{"ldx 4*([0]&0xf)\n ld [x + 8]\n txa\n add #4\n tax\n ld [x + 4]\n ret a", 2},
		{"ldx 4*([0]&0xf)\n ldb [x + 0]\n add x\n tax\n ld [x + 4]\n ret a", 3},
		{"ld [0]\n ldb [2]\n ret #1", 1},
		{"ret #1", 0},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		struct cbpf_prog *prog = NULL;
		struct cbpf_insn *insns;
		struct sbuf c = SBUF_INIT;
		size_t n;
		int found = 0;

		assert_int_equal(cbpf_asm(cases[i].text, &insns, &n, NULL), 0);
		assert_int_equal(cbpf_prog_new(insns, n, &prog, NULL), 0);
		cbpf_write_c(prog, "f", &c);
		for (const char *at = sbuf_str(&c); (at = strstr(at, "\tif (")) != NULL; at++)
			found += strncmp(at, "\tif (caplen <", 13) == 0 ||
				strncmp(at, "\tif ((uint64_t)x", 16) == 0;
		if (found != cases[i].guards)
			fail_msg("%d guards, not %d:\n%s", found, cases[i].guards, sbuf_str(&c));
		sbuf_fini(&c);
		cbpf_prog_free(prog);
		mem_free(insns);
	}
}

/* Out of memory is the buffer's sticky failure. */
static void
no_memory(void **state)
{
	const struct cbpf_insn ret = {.code = CBPF_CODE_RET_K, .k = 1};
	struct cbpf_prog *prog = NULL;
	bool ok = false;

	(void)state;
	assert_int_equal(cbpf_prog_new(&ret, 1, &prog, NULL), 0);
	for (long n = 0; !ok; n++) {
		struct sbuf c = SBUF_INIT;

		mem_fault_set(n);
		cbpf_write_c(prog, "f", &c);
		mem_fault_set(-1);
		ok = sbuf_ok(&c);
		assert_true(n > 1 || !ok);
		sbuf_fini(&c);
	}
	cbpf_prog_free(prog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_the_interpreter),
		cmocka_unit_test(guards),
		cmocka_unit_test(no_memory),
	};

	if (system("command -v cc >/dev/null") != 0)
		return 77;
	return cmocka_run_group_tests_name("cbpf emit_c", tests, NULL, NULL);
}
