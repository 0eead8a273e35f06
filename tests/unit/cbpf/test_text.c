// SPDX-License-Identifier: BSD-3-Clause
/* The assembler and the number formats: what they read, write and refuse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"

/* Assembler, and the same program as xt. */
static const struct {
	const char *text, *xt;
} assembles[] = {
	{"ret #0", "1,6 0 0 0\n"},
	{"ret #-1", "1,6 0 0 4294967295\n"},
	{"ret a", "1,22 0 0 0\n"},
	{"ret %a", "1,22 0 0 0\n"},
	{"ld [12] ldh [12] ldb [12]", "3,32 0 0 12,40 0 0 12,48 0 0 12\n"},
	{"ld [x+1]\nldh [%x + 0x10]\nldb [ x + 0 ]", "3,64 0 0 1,72 0 0 16,80 0 0 0\n"},
	{"ld #len ; bytes\nld len\nld #pktlen\nldx #len",
		"4,128 0 0 0,128 0 0 0,128 0 0 0,129 0 0 0\n"},
	{"ldi 5 ldi #5 ldxi 6 ldx #6", "4,0 0 0 5,0 0 0 5,1 0 0 6,1 0 0 6\n"},
	{"ld M[3] ldx M[4] st M[15] stx M[0]", "4,96 0 0 3,97 0 0 4,2 0 0 15,3 0 0 0\n"},
	{"ldx 4*([14]&0xf) ldxb 4 * ( [ 14 ] & 15 )", "2,177 0 0 14,177 0 0 14\n"},
	{"add #1 add x sub #010 xor #0b11", "4,4 0 0 1,12 0 0 0,20 0 0 8,164 0 0 3\n"},
	{"neg tax txa mod x lsh #3 rsh %x",
		"6,132 0 0 0,7 0 0 0,135 0 0 0,156 0 0 0,100 0 0 3,124 0 0 0\n"},
	{"jeq #1, a_1, b_1\na_1: ret #1\nb_1: ret #0", "3,21 0 1 1,6 0 0 1,6 0 0 0\n"},
	{"jeq #1, b\nret #1\nb: ret #0", "3,21 1 0 1,6 0 0 1,6 0 0 0\n"},
	{"jneq #1, b ret #1 b: ret #0", "3,21 0 1 1,6 0 0 1,6 0 0 0\n"},
	{"jne x, b ret #1 b: ret #0", "3,29 0 1 0,6 0 0 1,6 0 0 0\n"},
	{"jlt #9, b ret #1 b: ret #0", "3,53 0 1 9,6 0 0 1,6 0 0 0\n"},
	{"jle x, b ret #1 b: ret #0", "3,45 0 1 0,6 0 0 1,6 0 0 0\n"},
	{"jset #0xff, b ja b b: ret #0", "3,69 1 0 255,5 0 0 0,6 0 0 0\n"},
	{"jmp e // to the end\n/* dead\n */ ret #1\n e : ret #0", "3,5 0 0 1,6 0 0 1,6 0 0 0\n"},
	{"(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n"
	 "(002) ret      #262144\n(003) ret      #0\n",
		"4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0\n"},
	{"(000) ja 2\n(001) ret #1\n(002) ret #0", "3,5 0 0 1,6 0 0 1,6 0 0 0\n"},
};

/* Text that no reader takes, and what the message must contain. */
static const struct {
	const char *text;
	unsigned int line, col;
	const char *says;
} refusals[] = {
	{"", 1, 1, "the text ends"},
	{"; nothing", 1, 1, "the text ends"},
	{"ret x", 1, 1, "does not go with 'ret'"},
	{"ret #0\nfoo #1", 2, 1, "no instruction 'foo'"},
	{"jeq #1, nowhere\nret #0", 1, 9, "no label 'nowhere'"},
	{"b: ret #0\njeq #1, b\nret #0", 2, 9, "only go forward"},
	{"b: ret #0\nb: ret #1", 2, 1, "second label"},
	{"ja e\nret #0\ne:", 1, 4, "no instruction follows"},
	{"ld #proto\nret a", 1, 5, "inside the Linux kernel has the extension 'proto'"},
	{"ld vlan_tci\nret a", 1, 4, "extension 'vlan_tci'"},
	{"ld [12\nret #0", 2, 1, "']' expected"},
	{"ldh [y + 1]", 1, 6, "'y'"},
	{"ldx 4*([0]&0xe)", 1, 15, "0xf"},
	{"ld M[x]", 1, 6, "a number"},
	{"ret #4294967296", 1, 6, "above 4294967295"},
	{"ret #12abc", 1, 6, "a number"},
	{"tax #1", 1, 5, "an instruction or a label"},
	{"/* open", 1, 1, "not closed"},
	{"st x", 1, 1, "does not go with 'st'"},
	{"0,", 1, 0, "empty"},
	{"2,6 0 0 0", 1, 0, "2 instructions are announced, but 1 came"},
	{"1,6 0 0 0,6 0 0 0", 1, 11, "the end after the last"},
	{"1,6 0 0", 1, 8, "a k"},
	{"1,6 0 256 0", 1, 7, "above 255"},
	{"1,70000 0 0 0", 1, 3, "above 65535"},
	{"1\n6 0 0 -1\n", 2, 7, "a k"},
	{"4097,6 0 0 0", 1, 0, "at most 4096"},
	{"99999999999,", 1, 1, "above"},
	{"{ 6, 0, 0 }", 1, 11, "','"},
	{"{ 6, 0, 0, 0 ", 1, 14, "'}'"},
	{"{ { 6, 0, 0, 0 } ", 1, 18, "'{' or '}'"},
	{"struct sock_filter f[] = { 6, 0, 0, 0 }; x", 1, 42, "'{' or the end"},
	{"(001) ret #0", 1, 0, "instruction 0 expected"},
	{"(000) ja 0\n(001) ret #0", 1, 11, "forward"},
};

static struct cbpf_insn *
read_ok(const char *text, size_t *n)
{
	struct cbpf_insn *insns = NULL;
	struct diag d = {0};

	if (cbpf_read(text, &insns, n, &d) != 0)
		fail_msg("%s: %u:%u: %s", text, d.line, d.col, d.msg);
	return insns;
}

static void
check_xt(const char *text, const char *xt)
{
	struct sbuf b = SBUF_INIT;
	struct cbpf_insn *insns;
	size_t n;

	insns = read_ok(text, &n);
	cbpf_write_xt(insns, n, &b);
	assert_string_equal(sbuf_str(&b), xt);
	sbuf_fini(&b);
	mem_free(insns);
}

static void
test_assembles(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(assembles); i++)
		check_xt(assembles[i].text, assembles[i].xt);
}

static void
test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(refusals); i++) {
		struct cbpf_insn *insns = (void *)1;
		size_t n = 77;
		struct diag d = {0};
		int r = cbpf_read(refusals[i].text, &insns, &n, &d);

		if (r != -EINVAL && r != -E2BIG)
			fail_msg("accepted: %s", refusals[i].text);
		if (strstr(d.msg, refusals[i].says) == NULL || d.line != refusals[i].line ||
			d.col != refusals[i].col)
			fail_msg("%s: %u:%u: %s", refusals[i].text, d.line, d.col, d.msg);
		assert_ptr_equal(insns, (void *)1);
		assert_int_equal(n, 77);
	}
}

/* Blanks, newlines, trailing commas and C around the numbers. */
static void
test_number_formats(void **state)
{
	static const char *const same[] = {
		"2,40 0 0 12,6 0 0 0",
		"2,40 0 0 12,6 0 0 0,",
		"2,40 0 0 12,6 0 0 0,\n",
		" 2 , 40 0\n0 12 ,\n 6 0 0 0 , \n",
		"2\n40 0 0 12\n6 0 0 0\n",
		"2\r\n40 0 0 12\r\n6 0 0 0\r\n",
		"{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0x00000000 },\n",
		"{0x28,0,0,12},{6,0,0,0}",
		"{ { 0x28, 0, 0, 12 }, { 6, 0, 0, 0, }, }",
		("/* made by hand */\nstatic struct sock_filter code[] = {\n\t{ 0x28, 0, 0, 12 },\n"
		 "\t{ 6, 0, 0, 0 }, /* drop */\n};\n"),
	};

	(void)state;
	for (size_t i = 0; i < DIM(same); i++)
		check_xt(same[i], "2,40 0 0 12,6 0 0 0\n");
	check_xt("1,6 0 0 010", "1,6 0 0 10\n"); /* decimal, as xt_bpf reads it */
}

/* What is written is read back as the same instructions, in every format. */
static void
check_round_trip(const struct cbpf_insn *insns, size_t n)
{
	static void (*const writers[])(const struct cbpf_insn *, size_t, struct sbuf *) = {
		cbpf_dis,
		cbpf_write_xt,
		cbpf_write_ddd,
		cbpf_write_c_array,
	};

	for (size_t i = 0; i < DIM(writers); i++) {
		struct sbuf b = SBUF_INIT;
		struct cbpf_insn *back;
		size_t m;

		writers[i](insns, n, &b);
		assert_true(sbuf_ok(&b));
		back = read_ok(sbuf_str(&b), &m);
		assert_int_equal(m, n);
		if (memcmp(back, insns, n * sizeof(*insns)) != 0)
			fail_msg("not the same:\n%s", sbuf_str(&b));
		mem_free(back);
		sbuf_fini(&b);
	}
}

/* Every row of the table, with every meaning of its branches. */
static void
test_round_trip_rows(void **state)
{
	static const uint16_t codes[] = {
#define X(id, code, name, form) code,
		CBPF_OPCODES(X)
#undef X
	};
	static const struct {
		uint8_t jt, jf;
		uint32_t k;
	} variants[] = {{0, 0, 1}, {0, 3, 0}, {3, 0, 9}, {1, 2, 15}, {3, 3, 4}};

	(void)state;
	for (size_t i = 0; i < DIM(codes); i++)
		for (size_t j = 0; j < DIM(variants); j++) {
			struct cbpf_insn insns[24];
			struct cbpf_prog *prog = NULL;
			const struct cbpf_insn *clean;
			size_t n;

			for (size_t k = 0; k < DIM(insns); k++)
				insns[k] = (struct cbpf_insn){CBPF_CODE_ST, 0, 0, (uint32_t)k % 16};
			insns[17] = (struct cbpf_insn){
				codes[i], variants[j].jt, variants[j].jf, variants[j].k};
			insns[23] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 0xffffffff};
			if (cbpf_prog_new(insns, DIM(insns), &prog, NULL) < 0) {
				/* constant division by zero, jump too far: refused elsewhere */
				continue;
			}
			clean = cbpf_prog_insns(prog, &n);
			check_round_trip(clean, n);
			cbpf_prog_free(prog);
		}
}

static void
test_unspeakable(void **state)
{
	static const struct cbpf_insn insns[] = {{0xff, 1, 2, 3}, {CBPF_CODE_JEQ_K, 9, 0, 1}};
	struct sbuf b = SBUF_INIT;

	(void)state;
	cbpf_dis(insns, DIM(insns), &b);
	assert_string_equal(sbuf_str(&b), "\t; 0xff 1 2 0x3\n\t; 0x15 9 0 0x1\n");
	sbuf_fini(&b);
}

/* A conditional jump reaches 255 instructions, ja any number. */
static void
test_far_labels(void **state)
{
	struct cbpf_insn *insns = NULL;
	struct sbuf b = SBUF_INIT;
	struct diag d = {0};
	size_t n;

	(void)state;
	sbuf_adds(&b, "ja far jeq #1, far\n");
	for (int i = 0; i < 256; i++)
		sbuf_adds(&b, "tax\n");
	sbuf_adds(&b, "far: ret #0\n");
	assert_int_equal(cbpf_asm(sbuf_str(&b), &insns, &n, &d), -EINVAL);
	assert_non_null(strstr(d.msg, "255"));
	sbuf_fini(&b);
}

static void
test_out_of_memory(void **state)
{
	static const char *const texts[] = {
		"jeq #1, b\nb: ret #0\nc: ret #1\nd: ret #1",
		"2,40 0 0 12,6 0 0 0",
		"{ 6, 0, 0, 0 },",
	};

	(void)state;
	for (size_t i = 0; i < DIM(texts); i++)
		for (long nth = 0;; nth++) {
			struct cbpf_insn *insns = NULL;
			size_t n;
			int r;

			mem_fault_set(nth);
			r = cbpf_read(texts[i], &insns, &n, NULL);
			if (mem_fault_set(-1) <= nth) {
				assert_int_equal(r, 0);
				mem_free(insns);
				break;
			}
			assert_int_equal(r, -ENOMEM);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assembles),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_number_formats),
		cmocka_unit_test(test_round_trip_rows),
		cmocka_unit_test(test_unspeakable),
		cmocka_unit_test(test_far_labels),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
