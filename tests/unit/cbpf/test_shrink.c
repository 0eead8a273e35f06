// SPDX-License-Identifier: BSD-3-Clause
/*
 * The shrinker, rule by rule: what a few instructions become, and that they say
 * the same of every length of many frames. Random programs are compared with
 * libpcap and Linux by the engines' tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "cbpf/text.h"

#define FRAME 40 /* bytes */

static const struct {
	const char *what;
	const char *from;
	const char *to; /* NULL: the same */
} cases[] = {
	{"a test whose outcomes lead to one place", "ld #len; \n jeq #1, a, a\n a: ret #1",
		"ret #1"},
	{"a jump to a jump", "ldb [0]\n jeq #1, a\n ret #0\n a: ja b\n b: ret #1",
		"ldb [0]\n jneq #1, n\n ret #1\n n: ret #0"},
	{"what follows from a test",
		"ldb [0]\n jeq #1, a, no\n a: jgt #2, no\n ret #1\n no: ret #0",
		"ldb [0]\n jneq #1, n\n ret #1\n n: ret #0"},
	{"what bounds say", "ldb [0]\n jgt #255, no\n jeq #7, yes, no\n yes: ret #1\n no: ret #0",
		"ldb [0]\n jneq #7, n\n ret #1\n n: ret #0"},
	{"a value that nobody reads", "ldb [0]\n ldx #4\n add #1\n ret #1", "ldb [0]\n ret #1"},
	{"a load is a test of the length", "ldb [9]\n ldb [3]\n jeq #1, a\n ret #0\n a: ret #1",
		NULL},
	{"unless a later one is, too", "ldb [3]\n ldb [9]\n jeq #1, a\n ret #0\n a: ret #1",
		"ldb [9]\n jneq #1, n\n ret #1\n n: ret #0"},
	{"all ways return 0", "ldb [3]\n jeq #1, a\n ret #0\n a: ldb [7]\n ret #0", "ret #0"},
	{"equal tails",
		"ldb [0]\n jeq #1, a, b\n a: ldb [1]\n add #3\n ret a\n b: ldb [1]\n add #3\n ret a",
		"ldb [1]\n add #3\n ret a"},
	{"a loaded value again", "ldb [0]\n jeq #1, y\n ldb [0]\n jeq #2, y\n ret #0\n y: ret #1",
		"ldb [0]\n jeq #1, y\n jeq #2, y, n\n y: ret #1\n n: ret #0"},
	{"a constant X", "ldx #40\n ld [x + 8]\n jeq x, y\n ret #0\n y: ret #1",
		"ld [48]\n jneq #40, n\n ret #1\n n: ret #0"},
	{"an offset of X", "ldx 4*([0]&0xf)\n ld #20\n add x\n tax\n ld [x + 1]\n ret a",
		"ldxb 4*([0]&0xf)\n ld [x + 21]\n ret a"},
	{"a bit of A", "ldb [0]\n and #4\n jeq #4, y\n ret #0\n y: ret #1",
		"ldb [0]\n jset #4, y, n\n y: ret #1\n n: ret #0"},
	{"compares of neighbours",
		"ldh [0]\n jneq #0x4142, n\n ldh [2]\n jneq #0x4344, n\n ret #1\n n: ret #0",
		"ld [0]\n jneq #0x41424344, l3\n ret #1\nl3:\n ret #0"},
	{"seven bytes are two words, that overlap",
		"ld [0]\n jneq #0x41424344, n\n ldh [4]\n jneq #0x4546, n\n ldb [6]\n jneq #0x47, n\n"
		" ret #1\n n: ret #0",
		"ld [0]\n jneq #0x41424344, l5\n ld [3]\n jneq #0x44454647, l5\n ret #1\nl5:\n ret #0"},
	{"but a missing byte is no other byte",
		"ldh [0]\n jneq #0x4142, n\n ldh [2]\n jneq #0x4344, n\n ret #0\n n: ret #1", NULL},
};

static struct cbpf_prog *
assemble(const char *text)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	struct diag diag = {0};
	size_t n;

	if (cbpf_asm(text, &insns, &n, &diag) < 0 || cbpf_prog_new(insns, n, &prog, &diag) < 0)
		fail_msg("%s: %u: %s", text, diag.line, diag.msg);
	mem_free(insns);
	return prog;
}

static struct cbpf_prog *
shrunk(const struct cbpf_prog *prog)
{
	struct cbpf_prog *other = NULL;
	struct cbpf_insn *insns;
	size_t n;

	assert_int_equal(cbpf_shrink(prog, &insns, &n), 0);
	assert_int_equal(cbpf_prog_new(insns, n, &other, NULL), 0);
	mem_free(insns);
	return other;
}

static void
same_verdicts(const struct cbpf_prog *a, const struct cbpf_prog *b)
{
	static const uint8_t telling[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 0x28, 0x41, 0x42, 0x43, 0x44, 0x45};
	struct rng r = {1};

	for (int i = 0; i < 3000; i++) {
		uint8_t frame[FRAME];
		const uint32_t len = rng_below(&r, FRAME + 1);

		for (uint32_t j = 0; j < FRAME; j++)
			frame[j] = rng_below(&r, 4) == 0 ? (uint8_t)(0x41 + j)
							 : telling[rng_below(&r, DIM(telling))];
		assert_int_equal(cbpf_run(a, frame, len, FRAME), cbpf_run(b, frame, len, FRAME));
	}
}

static void
test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		struct cbpf_prog *from = assemble(cases[i].from), *to = shrunk(from);
		struct cbpf_prog *want =
			assemble(cases[i].to != NULL ? cases[i].to : cases[i].from);
		struct sbuf got_text = SBUF_INIT, want_text = SBUF_INIT;
		const struct cbpf_insn *insns;
		size_t n;

		insns = cbpf_prog_insns(to, &n);
		cbpf_dis(insns, n, &got_text);
		insns = cbpf_prog_insns(want, &n);
		cbpf_dis(insns, n, &want_text);
		if (strcmp(sbuf_str(&got_text), sbuf_str(&want_text)) != 0)
			fail_msg("%s:\n%snot\n%s", cases[i].what, sbuf_str(&got_text),
				sbuf_str(&want_text));
		same_verdicts(from, to);
		sbuf_fini(&got_text);
		sbuf_fini(&want_text);
		cbpf_prog_free(from);
		cbpf_prog_free(to);
		cbpf_prog_free(want);
	}
}

/* Tests that lie further than 255 instructions from where they lead: more work than jumps. */
static void
test_far(void **state)
{
	struct sbuf b = SBUF_INIT;
	struct cbpf_prog *from, *to;

	(void)state;
	sbuf_adds(&b, "ldx 4*([0]&0xf)\n");
	for (int i = 0; i < 600; i++)
		sbuf_addf(&b, "ldb [x + %d]\n jeq #%d, n%d\n ja no%d\n n%d:\n", i % 7, i % 5, i,
			i / 100, i);
	sbuf_adds(&b, "ret #9\n");
	for (int i = 0; i < 6; i++)
		sbuf_addf(&b, "no%d: ret #%d\n", i, i + 1);
	from = assemble(sbuf_str(&b));
	to = shrunk(from);
	same_verdicts(from, to);
	cbpf_prog_free(from);
	cbpf_prog_free(to);
	sbuf_fini(&b);
}

/* What Linux gets: as many instructions, and the same when it goes through again. */
static void
test_linux(void **state)
{
	static const struct {
		const char *text;
		size_t more; /* instructions */
	} rows[] = {
		{"ldb [1]\n tax\n ld #1\n lsh x\n ret a", 6},
		{"ldb [1]\n and #31\n tax\n ld #1\n rsh x\n ret a", 0},
		{"ldb [1]\n jgt #31, no\n tax\n ld #1\n lsh x\n ret a\n no: ret #0", 0},
		/* Linux takes "ret #0" for an instruction that comes to "ld M[0]". */
		{"ldb [1]\n jeq #1, no\n st M[0]\n ldb [2]\n jeq #2, a\n ret #1\n no: ret #0\n"
		 " a: ld M[0]\n ret a",
			1},
	};

	(void)state;
	for (size_t i = 0; i < DIM(rows); i++) {
		struct cbpf_prog *from = assemble(rows[i].text), *once = NULL;
		struct cbpf_insn *insns;
		size_t n_from, n, n_again;

		(void)cbpf_prog_insns(from, &n_from);
		assert_int_equal(cbpf_linux(from, &insns, &n, NULL), 0);
		assert_int_equal(cbpf_prog_new(insns, n, &once, NULL), 0);
		mem_free(insns);
		assert_int_equal(n, n_from + rows[i].more);
		same_verdicts(from, once);
		assert_int_equal(cbpf_linux(once, &insns, &n_again, NULL), 0);
		assert_int_equal(n_again, n);
		mem_free(insns);
		cbpf_prog_free(from);
		cbpf_prog_free(once);
	}
}

/* The n-th allocation fails, for every n: -ENOMEM, and nothing is lost. */
static void
test_memory(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct cbpf_prog *prog = assemble(which == 0
				? cases[DIM(cases) - 2].from
				: "ldb [1]\n tax\n lsh x\n jeq #1, n\n ret #0\n n: st M[1]\n ldx M[1]\n"
				  " rsh x\n ret a");
		struct cbpf_insn *insns = NULL;
		size_t n;
		int r = -1;

		for (long nth = 0; r < 0; nth++) {
			(void)mem_fault_set(nth);
			r = which == 0 ? cbpf_shrink(prog, &insns, &n)
				       : cbpf_linux(prog, &insns, &n, NULL);
			(void)mem_fault_set(-1);
			assert_true(r == 0 || insns == NULL);
			assert_in_range(nth, 0, 1000);
		}
		mem_free(insns);
		cbpf_prog_free(prog);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_linux),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("cbpf-shrink", tests, NULL, NULL);
}
