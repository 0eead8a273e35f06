// SPDX-License-Identifier: BSD-3-Clause
/*
 * DNS queries that no resolver sends. What is tested, and in which order, is
 * bpftools' gen_dns_validate, so that a program made there and one made here
 * say the same of every packet.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"

#define UDP_LEN_LEAST (8 + 12 + 9) /* UDP, DNS header, a question for "a.b" */

/* Bits of the flags that a query may have. */
#define FLAG_CD 0x0010 /* RFC 6840: resolvers set it */
#define FLAG_AD 0x0020 /* RFC 6840, section 5.7 */
#define FLAG_Z 0x0040
#define FLAG_RD 0x0100
#define FLAG_TC 0x0200 /* bpftools means RA (0x0080), and allows this bit */

static void
emit_tests(struct gen_emit *e, bool strict, int match)
{
	uint16_t allowed = FLAG_CD | FLAG_AD | FLAG_Z;

	if (!strict)
		allowed |= FLAG_RD | FLAG_TC;
	gen_emit_note(e, "the UDP length leaves room for a question");
	gen_emit_op(e, CBPF_CODE_LD_H_IND, 4);
	gen_emit_jump(e, CBPF_CODE_JGE_K, UDP_LEN_LEAST, false, match);
	gen_emit_note(e, "a query, opcode 0, rcode 0; allowed besides: 0x%04x", allowed);
	gen_emit_op(e, CBPF_CODE_LD_H_IND, 8 + 2);
	gen_emit_op(e, CBPF_CODE_ALU_AND_K, (uint16_t)~allowed);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, false, match);
	gen_emit_note(e, "one question, no answer, no authority, at most one additional record");
	gen_emit_op(e, CBPF_CODE_LD_H_IND, 8 + 4);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 1, false, match);
	gen_emit_op(e, CBPF_CODE_LD_W_IND, 8 + 6);
	gen_emit_jump(e, CBPF_CODE_JEQ_K, 0, false, match);
	gen_emit_op(e, CBPF_CODE_LD_H_IND, 8 + 10);
	gen_emit_jump(e, CBPF_CODE_JGT_K, 1, true, match);
}

static int
dns_validate_run(const struct gen_opts *opts, int argc, const char *const *argv,
	struct gen_out *ret_out, struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	bool strict = false;
	int match, r;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--strict") == 0 || strcmp(argv[i], "-s") == 0)
			strict = true;
		else if (strcmp(argv[i], "--") != 0)
			return diag_fail(diag, -EINVAL,
				"dns_validate takes nothing but --strict, got '%.60s'", argv[i]);
	}
	match = gen_emit_label(&e);
	gen_emit_l4(&e, opts, "UDP");
	emit_tests(&e, strict, match);
	gen_emit_ends(&e, opts, false, match);
	r = gen_emit_done(&e, ret_out, diag);
	if (r == 0)
		ret_out->scope =
			(struct gen_scope){.proto = 17, .dport = 53, .no_later_fragments = true};
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_dns_validate = {
	.name = "dns_validate",
	.help = "Match DNS queries that are malformed.",
	.usage =
		"dns_validate [--strict]\n"
		"\n"
		"  -s, --strict  match also where RD or TC is set\n"
		"\n"
		"A query is in order when it has one question, no answer, no authority, at most\n"
		"one additional record, opcode and rcode 0, no flags but CD, AD, Z, RD and TC, and\n"
		"a UDP length that leaves room for a question. Others match.\n"
		"Scope: UDP to port 53, no later fragments.\n",
	.extensions = true,
	.run = dns_validate_run,
};
