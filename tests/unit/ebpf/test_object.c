// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is refused, what is found again in a file, and files that are none. That
 * Linux and libbpf take the files is shown by tests/e2e/ebpf.py.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "ebpf/asm.h"
#include "ebpf/lower.h"
#include "ebpf/object.h"

static const struct ebpf_field fields[] = {{"packets", 8}, {"bytes", 8}, {NULL, 0}};

static const struct ebpf_map counters = {.name = "counters",
	.type = EBPF_MAP_PERCPU_ARRAY,
	.key_bytes = 4,
	.value_bytes = 16,
	.max_entries = 8,
	.fields = fields};
static const struct ebpf_map tails = {.name = "tails",
	.type = EBPF_MAP_PROG_ARRAY,
	.key_bytes = 4,
	.value_bytes = 4,
	.max_entries = 4,
	.pin_by_name = true};

/* A program that refers to map @map and byte @off of the constants. */
static int
add_prog(struct ebpf_object *obj, const char *section, const char *name, uint32_t map, uint32_t off)
{
	struct ebpf_asm a;
	int r;

	ebpf_asm_init(&a);
	ebpf_ld_map(&a, EBPF_R1, map);
	ebpf_ld_data(&a, EBPF_R1, EBPF_RODATA, off);
	ebpf_mov_imm(&a, EBPF_R0, 0);
	ebpf_exit(&a);
	r = ebpf_asm_finish(&a, NULL);
	if (r == 0)
		r = ebpf_object_prog(obj, section, name, &a, NULL);
	ebpf_asm_fini(&a);
	return r;
}

/* Everything there is, in one file. */
static int
make(struct sbuf *out)
{
	static const uint32_t switches[3] = {1, 0, 7};
	struct ebpf_object *obj = NULL;
	uint32_t map = 0, tail = 0, first = 0, off = 0;
	int r = ebpf_object_new(&obj);

	if (r < 0)
		return r;
	r = ebpf_object_map(obj, &counters, &map, NULL);
	if (r == 0)
		r = ebpf_object_map(obj, &tails, &tail, NULL);
	if (r == 0)
		r = ebpf_object_data(obj, EBPF_RODATA, "first", "x", 1, &first, NULL);
	if (r == 0)
		r = ebpf_object_data(
			obj, EBPF_RODATA, "switches", switches, sizeof(switches), &off, NULL);
	if (r == 0)
		r = ebpf_object_data(obj, EBPF_DATA, "state", "abcd", 4, &first, NULL);
	if (r == 0)
		r = ebpf_object_map_prog(obj, tail, 2, "second", NULL);
	if (r == 0)
		r = add_prog(obj, "xdp", "entry", map, off);
	if (r == 0)
		r = add_prog(obj, "xdp", "second", tail, off);
	if (r == 0)
		r = add_prog(obj, "socket", "third", map, off);
	if (r == 0)
		r = ebpf_object_write(obj, out, NULL);
	ebpf_object_free(obj);
	return r;
}

static void
test_find(void **state)
{
	const uint32_t want[3] = {1, 0, 7};
	struct sbuf out = SBUF_INIT;
	size_t off, n;

	(void)state;
	assert_int_equal(make(&out), 0);
	assert_int_equal(ebpf_file_find(out.s, out.len, "switches", &off, &n), 0);
	assert_int_equal(n, sizeof(want));
	assert_memory_equal(out.s + off, want, sizeof(want));
	assert_int_equal(ebpf_file_find(out.s, out.len, "state", &off, &n), 0);
	assert_memory_equal(out.s + off, "abcd", 4);
	assert_int_equal(ebpf_file_find(out.s, out.len, "stat", &off, &n), -ENOENT);
	assert_int_equal(ebpf_file_find(out.s, out.len, "entry", &off, &n), -ENOENT);
	sbuf_fini(&out);
}

/* No file, cut or with a changed byte, makes it read or point outside. */
static void
test_find_hostile(void **state)
{
	struct sbuf out = SBUF_INIT;
	struct rng rng = {1};

	(void)state;
	assert_int_equal(make(&out), 0);
	for (size_t i = 0; i < 40000; i++) {
		size_t len = i < out.len ? i : out.len, off = 0, n = 0;
		char *copy = malloc(len > 0 ? len : 1);

		memcpy(copy, out.s, len);
		for (int j = 0; i >= out.len && j < 3; j++)
			copy[rng_below(&rng, (uint32_t)len)] = (char)rng_next(&rng);
		if (ebpf_file_find(copy, len, "switches", &off, &n) == 0) {
			assert_true(off <= len);
			assert_true(n <= len - off);
		}
		free(copy);
	}
	sbuf_fini(&out);
}

/* Sections in the file, by readelf's rules: inside it, and of the names expected. */
static void
test_sections(void **state)
{
	static const char *const names[] = {"license", ".maps", ".rodata", ".data", "xdp", "socket",
		".relxdp", ".relsocket", ".rel.maps", ".BTF", ".BTF.ext", ".symtab", ".strtab"};
	struct sbuf out = SBUF_INIT;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *s;
	size_t found = 0;

	(void)state;
	assert_int_equal(make(&out), 0);
	head = (const void *)out.s;
	assert_int_equal(head->e_machine, 247);
	s = (const void *)(out.s + head->e_shoff);
	assert_int_equal(head->e_shoff + head->e_shnum * sizeof(*s), out.len);
	for (size_t i = 0; i < DIM(names); i++)
		for (size_t j = 1; j < head->e_shnum; j++)
			found += strcmp(out.s + s[head->e_shstrndx].sh_offset + s[j].sh_name,
					 names[i]) == 0;
	assert_int_equal(found, DIM(names));
	assert_int_equal(head->e_shnum, DIM(names) + 1);
	sbuf_fini(&out);
}

static void
test_refused(void **state)
{
	static const struct ebpf_field odd[] = {{"a", 3}, {NULL, 0}},
				       gap[] = {{"a", 4}, {"b", 8}, {NULL, 0}},
				       less[] = {{"a", 8}, {NULL, 0}};
	struct ebpf_object *obj = NULL;
	struct sbuf out = SBUF_INIT;
	struct ebpf_map bad = counters;
	struct diag diag = {0};
	struct ebpf_asm a;
	uint32_t i = 9;

	(void)state;
	assert_int_equal(ebpf_object_new(&obj), 0);
	assert_int_equal(ebpf_object_map(obj, &counters, &i, &diag), 0);
	assert_int_equal(i, 0);
	assert_int_equal(ebpf_object_map(obj, &counters, &i, &diag), -EEXIST);
	bad.name = "a-b";
	assert_int_equal(ebpf_object_map(obj, &bad, &i, &diag), -EINVAL);
	bad.name = "sixteen_letters_";
	assert_int_equal(ebpf_object_map(obj, &bad, &i, &diag), -EINVAL);
	bad.name = "fine";
	bad.fields = odd;
	assert_int_equal(ebpf_object_map(obj, &bad, &i, &diag), -EINVAL);
	bad.fields = gap;
	assert_int_equal(ebpf_object_map(obj, &bad, &i, &diag), -EINVAL);
	bad.fields = less;
	assert_int_equal(ebpf_object_map(obj, &bad, &i, &diag), -EINVAL);
	assert_int_equal(ebpf_object_data(obj, EBPF_DATA, "none", "", 0, &i, &diag), -EINVAL);
	assert_int_equal(ebpf_object_map_prog(obj, 0, 0, "p", &diag), -EINVAL);
	assert_int_equal(ebpf_object_map(obj, &tails, &i, &diag), 0);
	assert_int_equal(ebpf_object_map_prog(obj, i, 4, "p", &diag), -EINVAL);

	/* Not finished, a section that is none, and references to what is not there. */
	ebpf_asm_init(&a);
	ebpf_mov_imm(&a, EBPF_R0, 0);
	ebpf_exit(&a);
	assert_int_equal(ebpf_object_prog(obj, "xdp", "p", &a, &diag), -EINVAL);
	assert_int_equal(ebpf_asm_finish(&a, &diag), 0);
	assert_int_equal(ebpf_object_prog(obj, ".data", "p", &a, &diag), -EINVAL);
	ebpf_asm_fini(&a);
	assert_int_equal(add_prog(obj, "xdp", "p", 7, 0), 0);
	assert_int_equal(ebpf_object_write(obj, &out, &diag), -EINVAL);
	assert_int_equal(out.len, 0);
	ebpf_object_free(obj);
}

static void
test_slot_without_prog(void **state)
{
	struct ebpf_object *obj = NULL;
	struct sbuf out = SBUF_INIT;
	struct diag diag = {0};
	uint32_t i;

	(void)state;
	assert_int_equal(ebpf_object_new(&obj), 0);
	assert_int_equal(ebpf_object_map(obj, &tails, &i, &diag), 0);
	assert_int_equal(ebpf_object_map_prog(obj, i, 0, "missing", &diag), 0);
	assert_int_equal(ebpf_object_write(obj, &out, &diag), -EINVAL);
	ebpf_object_free(obj);
	ebpf_object_free(NULL);
}

/* Each allocation fails once: of an object with everything, and of a lowered program. */
static int
make_filter(struct sbuf *out)
{
	static const struct cbpf_insn insns[] = {
		{CBPF_CODE_LDX_MSH, 0, 0, 0},
		{CBPF_CODE_LD_H_IND, 0, 0, 2},
		{CBPF_CODE_ALU_ADD_X, 0, 0, 0},
		{CBPF_CODE_ST, 0, 0, 3},
		{CBPF_CODE_JEQ_K, 0, 1, 53},
		{CBPF_CODE_RET_K, 0, 0, 65535},
		{CBPF_CODE_RET_K, 0, 0, 0},
	};
	struct cbpf_prog *prog = NULL;
	int r = cbpf_prog_new(insns, DIM(insns), &prog, NULL);

	if (r == 0)
		r = ebpf_write_filter(prog, EBPF_SEES_IP4, out, NULL);
	cbpf_prog_free(prog);
	return r;
}

static void
fail_each(int (*fn)(struct sbuf *out))
{
	for (long n = 0;; n++) {
		struct sbuf out = SBUF_INIT;
		int r;

		mem_fault_set(n);
		r = fn(&out);
		sbuf_fini(&out);
		if (mem_fault_set(-1) <= n) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

static void
test_memory(void **state)
{
	(void)state;
	fail_each(make);
	fail_each(make_filter);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_hostile),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_slot_without_prog),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("ebpf-object", tests, NULL, NULL);
}
