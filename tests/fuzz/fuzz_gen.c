// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any words for any generator, as a rule's "match" would give them: what comes
 * out is a program that the validator takes. First byte: which generator, for
 * which family, negated or not.
 */
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/prog.h"
#include "gen/gen.h"

#include "fuzz.h"

static size_t
n_generators(void)
{
	size_t n = 0;

	while (gen_name(n) != NULL)
		n++;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gen_opts opts = {.family = 4};
	struct gen_out out = {0};
	struct diag d = {0};
	char **argv = NULL;
	char *text;
	int argc, r;

	if (size < 1 || size > 2048)
		return 0;
	opts.family = data[0] & 0x80 ? 6 : 4;
	opts.negate = data[0] & 0x40;
	text = mem_strndup((const char *)data + 1, size - 1);
	argc = text != NULL ? gen_split(text, &argv, &d) : -1;
	if (argc < 0) {
		fuzz_check(text == NULL || d.msg[0] != '\0');
		mem_free(text);
		return 0;
	}
	r = gen_run(gen_name((data[0] & 0x3f) % n_generators()), &opts, argc,
		(const char *const *)argv, &out, &d);
	if (r == 0) {
		struct cbpf_prog *prog = NULL;

		fuzz_check(cbpf_prog_new(out.insns, out.n, &prog, &d) == 0);
		(void)cbpf_run(prog, data, (uint32_t)size, (uint32_t)size);
		cbpf_prog_free(prog);
		gen_out_fini(&out);
	} else {
		fuzz_check(d.msg[0] != '\0');
	}
	mem_free(argv);
	mem_free(text);
	return 0;
}
