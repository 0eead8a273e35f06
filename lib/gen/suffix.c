// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bytes at the end of the packet. xt_bpf and rules of link raw end where the IP
 * header says, so that Ethernet padding is no part of it. A packet that is
 * shorter than the pattern makes X wrap, and the load fails.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"
#include "hex.h"

static int
read_pattern(int argc, const char *const *argv, struct gen_bytes *b, struct diag *diag)
{
	int i = argc > 0 && strcmp(argv[0], "--") == 0;

	for (; i < argc; i++) {
		int r = gen_hex_read(argv[i], b, diag);

		if (r < 0)
			return r;
	}
	if (b->n == 0)
		return diag_fail(diag, -EINVAL, "suffix needs bytes, as in: suffix 010203");
	for (size_t at = 0; at < b->n; at++)
		if (b->mask[at] != 0)
			return 0;
	return diag_fail(diag, -EINVAL, "suffix needs a byte that is not a wildcard");
}

static int
suffix_run(const struct gen_opts *opts, int argc, const char *const *argv, struct gen_out *ret_out,
	struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct gen_bytes b = {.n = 0};
	int fail, r;

	r = read_pattern(argc, argv, &b, diag);
	if (r < 0)
		return r;
	fail = gen_emit_label(&e);
	gen_emit_note(&e, "the last %zu bytes of the packet", b.n);
	gen_emit_op(&e, CBPF_CODE_LD_LEN, 0);
	gen_emit_op(&e, CBPF_CODE_ALU_SUB_K, (uint32_t)b.n);
	gen_emit_op(&e, CBPF_CODE_TAX, 0);
	gen_bytes_reach_first(&e, &b, 0);
	gen_bytes_emit(&e, &b, 0, fail);
	gen_emit_ends(&e, opts, true, fail);
	r = gen_emit_done(&e, ret_out, diag);
	if (r == 0)
		ret_out->scope = (struct gen_scope){.no_later_fragments = true};
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_suffix = {
	.name = "suffix",
	.help = "Match packets by their last bytes.",
	.usage = "suffix HEX...\n"
		 "\n"
		 "  HEX  two digits a byte, blanks ignored; x or ? is any digit\n"
		 "\n"
		 "  suffix 010203    packets that end with these three bytes\n"
		 "  suffix 01 02 xx  the same two before any last byte\n"
		 "\n"
		 "Scope: any protocol, no later fragments.\n",
	.run = suffix_run,
};
