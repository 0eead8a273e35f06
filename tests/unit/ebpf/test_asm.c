// SPDX-License-Identifier: BSD-3-Clause
/* Labels, what is removed, what is refused. Programs that run are in tests/engines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "ebpf/asm.h"

enum { CODE_EXIT = 0x95, CODE_JA = 0x05, CODE_JEQ_IMM = 0x15, CODE_MOV_IMM = 0xb7 };

static void
ret(struct ebpf_asm *a, int32_t value)
{
	ebpf_mov_imm(a, EBPF_R0, value);
	ebpf_exit(a);
}

/* Jumps forward and back, to a label that stands behind a removed instruction. */
static void
test_jumps(void **state)
{
	struct ebpf_asm a;
	uint32_t back, end;

	(void)state;
	ebpf_asm_init(&a);
	back = ebpf_label(&a);
	end = ebpf_label(&a);
	ebpf_here(&a, back);
	ebpf_jmp_imm(&a, EBPF_JEQ, EBPF_R1, 7, end);
	ebpf_ja(&a, back);
	ebpf_mov_imm(&a, EBPF_R3, 1); /* nothing leads here */
	ebpf_here(&a, end);
	ret(&a, 2);
	assert_int_equal(ebpf_asm_finish(&a, NULL), 0);
	assert_int_equal(a.insns.n, 4);
	assert_int_equal(a.insns.v[0].code, CODE_JEQ_IMM);
	assert_int_equal(a.insns.v[0].off, 1);
	assert_int_equal(a.insns.v[0].imm, 7);
	assert_int_equal(a.insns.v[1].code, CODE_JA);
	assert_int_equal(a.insns.v[1].off, -2);
	assert_int_equal(a.insns.v[2].code, CODE_MOV_IMM);
	assert_int_equal(a.insns.v[3].code, CODE_EXIT);
	ebpf_asm_fini(&a);
}

/* A jump to a jump goes where that leads; one to what follows is none. */
static void
test_shortcuts(void **state)
{
	struct ebpf_asm a;
	uint32_t hop, next, end;

	(void)state;
	ebpf_asm_init(&a);
	hop = ebpf_label(&a);
	next = ebpf_label(&a);
	end = ebpf_label(&a);
	ebpf_jmp_imm(&a, EBPF_JNE, EBPF_R1, 0, hop);
	ebpf_ja(&a, next);
	ebpf_here(&a, next);
	ret(&a, 1);
	ebpf_here(&a, hop);
	ebpf_ja(&a, end);
	ret(&a, 9);
	ebpf_here(&a, end);
	ret(&a, 3);
	assert_int_equal(ebpf_asm_finish(&a, NULL), 0);
	assert_int_equal(a.insns.n, 5);
	assert_int_equal(a.insns.v[0].off, 2);
	assert_int_equal(a.insns.v[1].imm, 1);
	assert_int_equal(a.insns.v[3].imm, 3);
	ebpf_asm_fini(&a);
}

/* References move with their instructions, and go with them. */
static void
test_refs(void **state)
{
	struct ebpf_asm a;
	uint32_t on;

	(void)state;
	ebpf_asm_init(&a);
	on = ebpf_label(&a);
	ebpf_ja(&a, on);
	ebpf_ld_map(&a, EBPF_R1, 5);
	ebpf_here(&a, on);
	ebpf_ld_data(&a, EBPF_R2, 1, 24);
	ret(&a, 0);
	assert_int_equal(ebpf_asm_finish(&a, NULL), 0);
	assert_int_equal(a.insns.n, 4);
	assert_int_equal(a.refs.n, 1);
	assert_int_equal(a.refs.v[0].kind, EBPF_REF_DATA);
	assert_int_equal(a.refs.v[0].insn, 0);
	assert_int_equal(a.insns.v[0].imm, 24);
	ebpf_asm_fini(&a);
}

static void
no_end(struct ebpf_asm *a)
{
	ebpf_mov_imm(a, EBPF_R0, 0);
}

static void
nowhere(struct ebpf_asm *a)
{
	ebpf_ja(a, ebpf_label(a));
	ret(a, 0);
}

static void
no_label(struct ebpf_asm *a)
{
	ebpf_ja(a, 77);
	ret(a, 0);
}

static void
twice(struct ebpf_asm *a)
{
	uint32_t label = ebpf_label(a);

	ebpf_here(a, label);
	ret(a, 0);
	ebpf_here(a, label);
}

static void
far_load(struct ebpf_asm *a)
{
	ebpf_ld(a, EBPF_B, EBPF_R0, EBPF_R1, 32768);
	ebpf_exit(a);
}

static void
odd_swap(struct ebpf_asm *a)
{
	ebpf_be(a, EBPF_R0, 24);
	ebpf_exit(a);
}

static void
no_register(struct ebpf_asm *a)
{
	ebpf_mov(a, EBPF_R0, EBPF_NO_REG);
	ebpf_exit(a);
}

static void
nothing(struct ebpf_asm *a)
{
	(void)a;
}

static void
long_jump(struct ebpf_asm *a)
{
	uint32_t end = ebpf_label(a);

	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R1, 0, end);
	for (int i = 0; i < 32768; i++)
		ebpf_mov_imm(a, EBPF_R0, i);
	ebpf_here(a, end);
	ret(a, 0);
}

static void
too_many(struct ebpf_asm *a)
{
	for (int i = 0; i < EBPF_MAX_INSNS; i++)
		ebpf_mov_imm(a, EBPF_R0, i);
	ebpf_exit(a);
}

static void
test_refused(void **state)
{
	static const struct {
		void (*make)(struct ebpf_asm *a);
		int want;
	} cases[] = {
		{no_end, -EINVAL},
		{nowhere, -EINVAL},
		{no_label, -EINVAL},
		{twice, -EINVAL},
		{far_load, -EINVAL},
		{odd_swap, -EINVAL},
		{no_register, -EINVAL},
		{nothing, -EINVAL},
		{long_jump, -E2BIG},
		{too_many, -E2BIG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag diag = {0};
		struct ebpf_asm a;

		ebpf_asm_init(&a);
		cases[i].make(&a);
		assert_int_equal(ebpf_asm_finish(&a, &diag), cases[i].want);
		assert_true(diag.msg[0] != '\0');
		assert_int_equal(ebpf_asm_finish(&a, NULL), cases[i].want);
		ebpf_asm_fini(&a);
	}
}

static int
make_some(void)
{
	struct ebpf_asm a;
	uint32_t end;
	int r;

	ebpf_asm_init(&a);
	end = ebpf_label(&a);
	ebpf_ld_map(&a, EBPF_R1, 0);
	for (int i = 0; i < 40; i++)
		ebpf_jmp_imm(&a, EBPF_JEQ, EBPF_R1, i, end);
	ebpf_here(&a, end);
	ret(&a, 0);
	r = ebpf_asm_finish(&a, NULL);
	ebpf_asm_fini(&a);
	return r;
}

/* Each allocation fails once. */
static void
test_memory(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		int r;

		mem_fault_set(n);
		r = make_some();
		if (mem_fault_set(-1) <= n) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_shortcuts),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("ebpf-asm", tests, NULL, NULL);
}
