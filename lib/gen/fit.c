// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "base/diag.h"
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

/* @insns, which becomes @out's, is its program from now on. */
static int
replace(struct gen_out *out, struct cbpf_insn *insns, size_t n)
{
	char *text = describe(out->n, insns, n);

	if (text == NULL)
		return -ENOMEM;
	mem_free(out->insns);
	mem_free(out->text);
	out->insns = insns;
	out->n = n;
	out->text = text;
	return 0;
}

int
gen_fit(struct gen_out *out, size_t max)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	size_t n;
	int r;

	if (out->n <= max)
		return 0;
	r = cbpf_prog_new(out->insns, out->n, &prog, NULL);
	if (r == 0)
		r = cbpf_shrink(prog, &insns, &n);
	if (r == 0 && n < out->n && (max == 0 || n <= max)) {
		r = replace(out, insns, n);
		if (r == 0)
			insns = NULL;
	}
	mem_free(insns);
	cbpf_prog_free(prog);
	return r;
}

/* Put tests in front of shifts, where there are any. */
static int
guard(struct gen_out *out, struct diag *diag)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	size_t n;
	int r = cbpf_prog_new(out->insns, out->n, &prog, diag);

	if (r == 0)
		r = cbpf_linux(prog, &insns, &n, diag);
	if (r == 0 && n != out->n) {
		r = replace(out, insns, n);
		if (r == 0)
			insns = NULL;
		else
			(void)diag_fail(diag, r, "out of memory");
	}
	mem_free(insns);
	cbpf_prog_free(prog);
	return r;
}

int
gen_xt(struct gen_out *out, struct diag *diag)
{
	int r = guard(out, diag);

	if (r < 0)
		return r;
	r = gen_fit(out, CBPF_XT_MAX_INSNS);
	if (r == 0)
		r = guard(out, diag); /* instructions may stand in another order now */
	/* Where it cannot fit, say how short it gets. */
	if (r == 0 && out->n > CBPF_XT_MAX_INSNS)
		r = gen_fit(out, 0);
	if (r < 0)
		return diag_fail(diag, r, "out of memory");
	if (out->n > CBPF_XT_MAX_INSNS)
		return diag_fail(diag, -E2BIG,
			"the program has %zu instructions; iptables' bpf match takes at most %d",
			out->n, CBPF_XT_MAX_INSNS);
	return 0;
}
