// SPDX-License-Identifier: BSD-3-Clause
/* What is a program and what is not, with the reason and the instruction's number. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"

static const char *const good[] = {
	"1,6 0 0 0",
	"1,22 0 0 0",
	"2,32 0 0 2147483647,22 0 0 0",
	"2,64 0 0 4294967295,22 0 0 0", /* x + k is never inside, but it is a program */
	"3,2 0 0 15,96 0 0 15,22 0 0 0",
	"3,5 0 0 1,52 0 0 1,6 0 0 0",
	"2,100 0 0 31,6 0 0 0",
	"3,21 1 1 0,96 0 0 3,6 0 0 0", /* nothing reaches the read */
	/* both branches store M[1] */
	"6,21 0 2 1,2 0 0 1,5 0 0 1,3 0 0 1,96 0 0 1,22 0 0 0",
	/* a return between a store and its read on the other path */
	"5,2 0 0 1,21 1 0 5,6 0 0 0,96 0 0 1,22 0 0 0",
};

static const struct {
	const char *xt;
	unsigned int line;
	const char *says;
} bad[] = {
	{"1,14 0 0 0", 1, "unknown opcode 0x0e"},
	{"2,6 0 0 0,255 0 0 0", 2, "unknown opcode 0xff"},
	{"1,65535 0 0 0", 1, "unknown opcode 0xffff"},
	{"1,16 0 0 0", 1, "unknown opcode"},
	{"2,5 0 0 1,6 0 0 0", 1, "jumps 1 instructions ahead, but only 1 follow"},
	{"2,5 0 0 4294967295,6 0 0 0", 1, "jumps 4294967295"},
	{"2,21 1 0 0,6 0 0 0", 1, "jumps 1"},
	{"2,29 0 1 0,6 0 0 0", 1, "jumps 1"},
	{"2,2 0 0 16,6 0 0 0", 1, "M[16]"},
	{"2,97 0 0 4294967295,6 0 0 0", 1, "M[4294967295]"},
	{"2,52 0 0 0,6 0 0 0", 1, "divides by the constant 0"},
	{"2,148 0 0 0,6 0 0 0", 1, "divides by the constant 0"},
	{"2,100 0 0 32,6 0 0 0", 1, "shifts by 32"},
	{"2,116 0 0 255,6 0 0 0", 1, "shifts by 255"},
	{"1,0 0 0 0", 1, "is the last and no return"},
	{"2,6 0 0 0,5 0 0 0", 2, "jumps 0"},
	{"2,96 0 0 0,6 0 0 0", 1, "reads M[0]"},
	{"4,21 1 0 5,2 0 0 1,96 0 0 1,22 0 0 0", 3, "reads M[1]"},
	{"5,21 0 2 5,2 0 0 1,5 0 0 0,97 0 0 1,22 0 0 0", 4, "reads M[1]"},
	{"2,32 0 0 4294963200,6 0 0 0", 1, "extension 'proto'"},
	{"2,40 0 0 4294963244,6 0 0 0", 1, "extension 'vlan_tci'"},
	{"2,48 0 0 4294963256,6 0 0 0", 1, "extension 'rand'"},
	{"2,32 0 0 4294963264,6 0 0 0", 1, "network header (offset -4032)"},
	{"2,32 0 0 4293918720,6 0 0 0", 1, "network header (offset -1048576)"},
	{"2,32 0 0 4292870144,6 0 0 0", 1, "link header"},
	{"2,177 0 0 2147483648,6 0 0 0", 1, "negative offset -2147483648"},
};

static int
load(const char *xt, struct cbpf_prog **prog, struct diag *d)
{
	struct cbpf_insn *insns;
	size_t n;
	int r;

	assert_int_equal(cbpf_read_xt(xt, &insns, &n, NULL), 0);
	r = cbpf_prog_new(insns, n, prog, d);
	mem_free(insns);
	return r;
}

static void
test_accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(good); i++) {
		struct cbpf_prog *prog = NULL;
		struct diag d = {0};

		if (load(good[i], &prog, &d) != 0)
			fail_msg("%s: %s", good[i], d.msg);
		cbpf_prog_free(prog);
	}
}

static void
test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(bad); i++) {
		struct cbpf_prog *prog = (void *)1;
		struct diag d = {0};

		assert_int_equal(load(bad[i].xt, &prog, &d), -EINVAL);
		if (strstr(d.msg, bad[i].says) == NULL || d.line != bad[i].line)
			fail_msg("%s: %u: %s", bad[i].xt, d.line, d.msg);
		assert_ptr_equal(prog, (void *)1);
	}
}

static void
test_sizes(void **state)
{
	static struct cbpf_insn insns[CBPF_MAX_INSNS + 1];
	struct cbpf_prog *prog = NULL;
	size_t n;

	(void)state;
	for (size_t i = 0; i < DIM(insns); i++)
		insns[i] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 7};
	assert_int_equal(cbpf_prog_new(insns, 0, &prog, NULL), -EINVAL);
	assert_int_equal(cbpf_prog_new(insns, DIM(insns), &prog, NULL), -E2BIG);
	assert_int_equal(cbpf_prog_new(insns, CBPF_MAX_INSNS, &prog, NULL), 0);
	(void)cbpf_prog_insns(prog, &n);
	assert_int_equal(n, CBPF_MAX_INSNS);
	assert_int_equal(cbpf_run(prog, NULL, 0, 0), 7);
	cbpf_prog_free(prog);
}

/* Fields that an instruction does not have do not survive. */
static void
test_unused_fields(void **state)
{
	static const struct cbpf_insn in[] = {
		{CBPF_CODE_TAX, 1, 2, 3}, {CBPF_CODE_JEQ_X, 0, 0, 99}, {CBPF_CODE_RET_A, 9, 9, 9}};
	static const struct cbpf_insn want[] = {
		{CBPF_CODE_TAX, 0, 0, 0}, {CBPF_CODE_JEQ_X, 0, 0, 0}, {CBPF_CODE_RET_A, 0, 0, 0}};
	struct cbpf_prog *prog = NULL;
	size_t n;

	(void)state;
	assert_int_equal(cbpf_prog_new(in, DIM(in), &prog, NULL), 0);
	assert_memory_equal(cbpf_prog_insns(prog, &n), want, sizeof(want));
	cbpf_prog_free(prog);
}

static void
test_out_of_memory(void **state)
{
	static const struct cbpf_insn in[] = {{CBPF_CODE_RET_K, 0, 0, 0}};
	struct cbpf_prog *prog = NULL;

	(void)state;
	mem_fault_set(0);
	assert_int_equal(cbpf_prog_new(in, DIM(in), &prog, NULL), -ENOMEM);
	mem_fault_set(-1);
	assert_null(prog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_unused_fields),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
