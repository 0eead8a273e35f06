// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/prog.h"
#include "cbpf/shrink.h"
#include "cbpf/text.h"
#include "gen/gen.h"

/* What stands for the listing, which would no longer be that of the program. */
static char *
describe(size_t from, const struct cbpf_insn *insns, size_t n)
{
	struct sbuf b = SBUF_INIT;

	sbuf_addf(&b, "    ; %zu instructions, made of %zu\n", n, from);
	cbpf_dis(insns, n, &b);
	return sbuf_take(&b);
}

int
gen_fit(struct gen_out *out, size_t max)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	char *text = NULL;
	size_t n;
	int r;

	if (out->n <= max)
		return 0;
	r = cbpf_prog_new(out->insns, out->n, &prog, NULL);
	if (r == 0)
		r = cbpf_shrink(prog, &insns, &n);
	if (r < 0 || n >= out->n || (max > 0 && n > max))
		goto out;
	text = describe(out->n, insns, n);
	if (text == NULL) {
		r = -ENOMEM;
		goto out;
	}
	mem_free(out->insns);
	mem_free(out->text);
	out->insns = insns;
	out->n = n;
	out->text = text;
	insns = NULL;
out:
	mem_free(insns);
	cbpf_prog_free(prog);
	return r;
}
