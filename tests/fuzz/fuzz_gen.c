// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any words for any generator, as a rule's "match" would give them: what comes
 * out is a program that the validator takes, and whose text assembles to it. First
 * byte: which generator, if the first word does not name one; for which family;
 * negated or not. Built with FUZZ_GENERATOR it is that generator always: pattern
 * and signature are such targets.
 */
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "gen/gen.h"

#include "fuzz.h"

#define TEXT_MAX 500 /* instructions; longer ones are of one make, and take long */

#ifndef FUZZ_GENERATOR
static size_t
n_generators(void)
{
	size_t n = 0;

	while (gen_name(n) != NULL)
		n++;
	return n;
}
#endif

static const char *
named(const char *word)
{
	for (size_t i = 0; word != NULL && gen_name(i) != NULL; i++)
		if (strcmp(gen_name(i), word) == 0)
			return gen_name(i);
	return NULL;
}

static void
check_program(const struct gen_out *out, const uint8_t *data, size_t size)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	struct diag d = {0};
	size_t n = 0;

	fuzz_check(cbpf_prog_new(out->insns, out->n, &prog, &d) == 0);
	(void)cbpf_run(prog, data, (uint32_t)size, (uint32_t)size);
	cbpf_prog_free(prog);
	if (out->n > TEXT_MAX)
		return;
	fuzz_check(cbpf_asm(out->text, &insns, &n, &d) == 0 && n == out->n);
	fuzz_check(memcmp(insns, out->insns, n * sizeof(*insns)) == 0);
	mem_free(insns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gen_opts opts = {.family = 4};
	struct gen_out out = {0};
	struct diag d = {0};
	const char *type;
	char **argv = NULL;
	char *text;
	int argc, r, own;

	if (size < 1 || size > 2048)
		return 0;
	opts.family = data[0] & 0x80 ? 6 : 4;
	opts.negate = data[0] & 0x40;
	opts.extensions = data[0] & 0x20;
	text = mem_strndup((const char *)data + 1, size - 1);
	argc = text != NULL ? gen_split(text, &argv, &d) : -1;
	if (argc < 0) {
		fuzz_check(text == NULL || d.msg[0] != '\0');
		mem_free(text);
		return 0;
	}
#ifdef FUZZ_GENERATOR
	type = named(FUZZ_GENERATOR);
	own = 0;
#else
	type = named(argv[0]);
	own = type != NULL;
	if (type == NULL)
		type = gen_name((data[0] & 0x1f) % n_generators());
#endif
	r = gen_run(type, &opts, argc - own, (const char *const *)argv + own, &out, &d);
	if (r == 0)
		check_program(&out, data, size);
	else
		fuzz_check(d.msg[0] != '\0');
	gen_out_fini(&out);
	mem_free(argv);
	mem_free(text);
	return 0;
}
