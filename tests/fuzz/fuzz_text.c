// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any text as a program in any format: what is read can be written in each
 * format and read again, the same; what validates runs on any bytes, as it is,
 * shrunk, and with tests for Linux, and returns the same. Built with FUZZ_READ it
 * is read by that function alone: asm and bytecode are such targets.
 */
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "cbpf/text.h"

#include "fuzz.h"

#ifndef FUZZ_READ
#define FUZZ_READ cbpf_read
#endif

static const struct {
	void (*write)(const struct cbpf_insn *insns, size_t n, struct sbuf *out);
	int (*read)(
		const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);
} formats[] = {
	{cbpf_write_xt, cbpf_read_xt},
	{cbpf_write_xt, cbpf_read},
	{cbpf_write_ddd, cbpf_read},
	{cbpf_write_c_array, cbpf_read_c_array},
	{cbpf_write_c_array, cbpf_read},
	{cbpf_write_json, cbpf_read_json},
	{cbpf_write_json, cbpf_read},
	{cbpf_dis, cbpf_asm},
};

/*
 * The same text again, and the same instructions. Assembler has no words for
 * opcodes that do not exist, nor for fields that an instruction does not use: it
 * is last, asked only for what validates, and held to its text.
 */
static void
round_trips(const struct cbpf_insn *insns, size_t n, bool valid)
{
	for (size_t i = 0; i < DIM(formats) - !valid; i++) {
		struct sbuf out = SBUF_INIT, twice = SBUF_INIT;
		struct cbpf_insn *again = NULL;
		size_t n_again = 0;

		formats[i].write(insns, n, &out);
		fuzz_check(formats[i].read(sbuf_str(&out), &again, &n_again, NULL) == 0);
		formats[i].write(again, n_again, &twice);
		fuzz_check(n_again == n && strcmp(sbuf_str(&out), sbuf_str(&twice)) == 0);
		if (i < DIM(formats) - 1)
			fuzz_check(memcmp(again, insns, n * sizeof(*insns)) == 0);
		mem_free(again);
		sbuf_fini(&out);
		sbuf_fini(&twice);
	}
}

#define REWRITE_MAX 300 /* instructions; the work grows faster than these */

/* @made, of @prog, is a program and returns what @prog does. */
static void
same_result(const struct cbpf_prog *prog, struct cbpf_insn *made, size_t n, const uint8_t *data,
	size_t size)
{
	struct cbpf_prog *other = NULL;

	fuzz_check(cbpf_prog_new(made, n, &other, NULL) == 0);
	for (size_t len = 0; len <= size; len += 1 + len / 4)
		fuzz_check(cbpf_run(prog, data, (uint32_t)len, (uint32_t)size) ==
			cbpf_run(other, data, (uint32_t)len, (uint32_t)size));
	cbpf_prog_free(other);
	mem_free(made);
}

static void
rewrites(const struct cbpf_prog *prog, const uint8_t *data, size_t size)
{
	struct cbpf_insn *made;
	size_t n, n_before;

	(void)cbpf_prog_insns(prog, &n_before);
	if (n_before > REWRITE_MAX)
		return;
	fuzz_check(cbpf_shrink(prog, &made, &n) == 0 && n <= n_before);
	same_result(prog, made, n, data, size);
	if (cbpf_linux(prog, &made, &n, NULL) == 0)
		same_result(prog, made, n, data, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size <= 20000 ? mem_strndup((const char *)data, size) : NULL;
	struct cbpf_insn *insns = NULL;
	struct cbpf_prog *prog = NULL;
	struct diag d = {0};
	size_t n = 0;

	if (text == NULL)
		return 0;
	if (FUZZ_READ(text, &insns, &n, &d) < 0) {
		fuzz_check(insns == NULL && d.msg[0] != '\0');
	} else if (cbpf_prog_new(insns, n, &prog, &d) == 0) {
		rewrites(prog, data, size);
		round_trips(insns, n, true);
	} else {
		fuzz_check(prog == NULL && d.msg[0] != '\0');
		round_trips(insns, n, false);
	}
	cbpf_prog_free(prog);
	mem_free(insns);
	mem_free(text);
	return 0;
}
