// SPDX-License-Identifier: BSD-3-Clause
/*
 * SYNs that no TCP stack sends. A SYN is looked at when SYN is set and ACK is
 * not; other segments do not match (negated: they do).
 *
 * The walk over the options is unrolled: 40 bytes hold at most 40 of them. The
 * cursor is in X, the bytes left in a scratch word.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "cbpf/insn.h"
#include "emit.h"
#include "gen_priv.h"

#define TCP_HEADER 20 /* bytes without options */
#define OPTIONS_MAX 40 /* bytes, and so options */

#define OPT_EOL 0
#define OPT_NOP 1
#define OPT_MSS 2
#define MSS_BYTES 4

enum { M_LEFT, M_CURSOR, M_LEN, M_MSS_SEEN };

struct syn {
	struct gen_emit *e;
	bool strict;
	int bad, good, end;
};

static void
emit_flags(const struct syn *s)
{
	gen_emit_note(s->e, "SYN without ACK; neither FIN nor RST with it");
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 13);
	gen_emit_jump(s->e, CBPF_CODE_JSET_K, 0x02, false, s->good);
	gen_emit_jump(s->e, CBPF_CODE_JSET_K, 0x10, true, s->good);
	gen_emit_jump(s->e, CBPF_CODE_JSET_K, 0x05, true, s->bad);
	if (!s->strict)
		return;
	gen_emit_note(s->e, "strict: no URG, no PSH, no reserved bits, both ports, a window");
	gen_emit_jump(s->e, CBPF_CODE_JSET_K, 0x28, true, s->bad);
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 12);
	gen_emit_jump(s->e, CBPF_CODE_JSET_K, 0x0e, true, s->bad);
	for (uint32_t off = 0; off <= 14; off += off == 0 ? 2 : 12) {
		gen_emit_op(s->e, CBPF_CODE_LD_H_IND, off);
		gen_emit_jump(s->e, CBPF_CODE_JEQ_K, 0, true, s->bad);
	}
}

/* M[LEFT] = bytes of options, which the datagram must hold; X = where they start. */
static void
emit_header(const struct syn *s, const struct gen_opts *opts)
{
	gen_emit_note(s->e, "a data offset of 5 or more");
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 12);
	gen_emit_op(s->e, CBPF_CODE_ALU_AND_K, 0xf0);
	gen_emit_op(s->e, CBPF_CODE_ALU_RSH_K, 2);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, TCP_HEADER, false, s->bad);
	gen_emit_op(s->e, CBPF_CODE_ST, M_LEFT);
	gen_emit_note(s->e, "… within the length of the datagram");
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(s->e, CBPF_CODE_STX, M_CURSOR);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	gen_emit_op(s->e, CBPF_CODE_LD_H_ABS, opts->l3_off + (opts->family == 4 ? 2 : 4));
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_K, opts->l3_off + (opts->family == 4 ? 0 : 40));
	gen_emit_jump(s->e, CBPF_CODE_JGE_X, 0, false, s->bad);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_CURSOR);
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_K, TCP_HEADER);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_LEFT);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_K, TCP_HEADER);
	gen_emit_op(s->e, CBPF_CODE_ST, M_LEFT);
}

/* A = the length of the option at X whose kind A is, at most what is left; its MSS is noted. */
static void
emit_length(const struct syn *s)
{
	const int other = gen_emit_label(s->e), known = gen_emit_label(s->e);

	gen_emit_op(s->e, CBPF_CODE_ST, M_LEN);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_LEFT);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, 2, false, s->bad);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_LEN);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, OPT_MSS, false, other);
	gen_emit_op(s->e, CBPF_CODE_ST, M_MSS_SEEN);
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 1);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, MSS_BYTES, false, s->bad);
	gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, known);
	gen_emit_place(s->e, other);
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 1);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, 2, false, s->bad);
	gen_emit_place(s->e, known);
	gen_emit_op(s->e, CBPF_CODE_STX, M_CURSOR);
	gen_emit_op(s->e, CBPF_CODE_LDX_MEM, M_LEFT);
	gen_emit_jump(s->e, CBPF_CODE_JGT_X, 0, true, s->bad);
	gen_emit_op(s->e, CBPF_CODE_LDX_MEM, M_CURSOR);
}

/* Step over A bytes. */
static void
emit_step(const struct syn *s)
{
	gen_emit_op(s->e, CBPF_CODE_ST, M_LEN);
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(s->e, CBPF_CODE_ST, M_CURSOR);
	gen_emit_op(s->e, CBPF_CODE_LDX_MEM, M_LEN);
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_LEFT);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_X, 0);
	gen_emit_op(s->e, CBPF_CODE_ST, M_LEFT);
	gen_emit_op(s->e, CBPF_CODE_LDX_MEM, M_CURSOR);
}

static void
emit_options(const struct syn *s)
{
	gen_emit_op(s->e, CBPF_CODE_LD_IMM, 0);
	gen_emit_op(s->e, CBPF_CODE_ST, M_MSS_SEEN);
	for (int i = 0; i < OPTIONS_MAX; i++) {
		const int step = gen_emit_label(s->e);

		gen_emit_note(s->e, "option %d", i + 1);
		gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_LEFT);
		gen_emit_jump(s->e, CBPF_CODE_JEQ_K, 0, true, s->end);
		gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 0);
		gen_emit_jump(s->e, CBPF_CODE_JEQ_K, OPT_EOL, true, s->end);
		gen_emit_jump(s->e, CBPF_CODE_JEQ_K, OPT_NOP, true, step);
		emit_length(s);
		gen_emit_place(s->e, step);
		emit_step(s);
	}
	gen_emit_place(s->e, s->end);
	gen_emit_note(s->e, "an MSS was there");
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_MSS_SEEN);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, 0, true, s->bad);
}

static int
syn_validate_run(const struct gen_opts *opts, int argc, const char *const *argv,
	struct gen_out *ret_out, struct diag *diag)
{
	struct gen_emit e = GEN_EMIT_INIT;
	struct syn s = {.e = &e};
	int r;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--strict") == 0 || strcmp(argv[i], "-s") == 0)
			s.strict = true;
		else if (strcmp(argv[i], "--") != 0)
			return diag_fail(diag, -EINVAL,
				"syn_validate takes nothing but --strict, got '%.60s'", argv[i]);
	}
	s.bad = gen_emit_label(&e);
	s.good = gen_emit_label(&e);
	s.end = gen_emit_label(&e);
	gen_emit_l4(&e, opts, "TCP");
	emit_flags(&s);
	emit_header(&s, opts);
	emit_options(&s);
	gen_emit_place(&e, s.good);
	gen_emit_op(&e, CBPF_CODE_RET_K, gen_ret(opts, false));
	gen_emit_place(&e, s.bad);
	gen_emit_op(&e, CBPF_CODE_RET_K, gen_ret(opts, true));
	r = gen_emit_done(&e, ret_out, diag);
	if (r == 0)
		ret_out->scope = (struct gen_scope){.proto = 6, .no_later_fragments = true};
	gen_emit_fini(&e);
	return r;
}

const struct gen_type gen_syn_validate = {
	.name = "syn_validate",
	.help = "Match SYNs that are malformed.",
	.usage =
		"syn_validate [--strict]\n"
		"\n"
		"  -s, --strict  match also SYNs with URG, PSH, reserved bits, port 0 or window 0\n"
		"\n"
		"A SYN (without ACK) is in order when it has neither FIN nor RST, a data offset of 5\n"
		"or more within the datagram, options that end within the header, and among them\n"
		"an MSS of 4 bytes. Other SYNs match; segments that are no SYN do not.\n",
	.run = syn_validate_run,
};
