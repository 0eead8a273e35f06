// SPDX-License-Identifier: BSD-3-Clause
/*
 * SYNs that no TCP stack sends. A SYN is looked at when SYN is set and ACK is
 * not; other segments do not match (negated: they do).
 *
 * The walk over the options is unrolled by bytes, of which there are at most 40,
 * counted so that the header ends behind the last whatever its length. A is the
 * byte at which the next option starts: a byte before that is passed by one
 * test, which also leads to the first one.
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

#define BYTES_PER_ENDS 20 /* their branches reach the ends, which stand behind as many */

enum { M_CURSOR, M_LEN, M_MSS_SEEN };

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

/* A = the length of the header, which the datagram must hold. X is where TCP starts. */
static void
emit_header(const struct syn *s, const struct gen_opts *opts)
{
	gen_emit_note(s->e, "a data offset of 5 or more");
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, 12);
	gen_emit_op(s->e, CBPF_CODE_ALU_AND_K, 0xf0);
	gen_emit_op(s->e, CBPF_CODE_ALU_RSH_K, 2);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, TCP_HEADER, false, s->bad);
	gen_emit_op(s->e, CBPF_CODE_ST, M_LEN);
	gen_emit_note(s->e, "… within the length of the datagram; x is where the header ends");
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_X, 0);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	gen_emit_op(s->e, CBPF_CODE_LD_H_ABS, opts->l3_off + (opts->family == 4 ? 2 : 4));
	if (opts->l3_off != 0 || opts->family == 6)
		gen_emit_op(s->e, CBPF_CODE_ALU_ADD_K, opts->l3_off + (opts->family == 4 ? 0 : 40));
	gen_emit_jump(s->e, CBPF_CODE_JGE_X, 0, false, s->bad);
}

/*
 * X = OPTIONS_MAX bytes before the header's end, so that byte i of the longest
 * options is at X + i whatever their length; A = the i that they start at.
 */
static void
emit_start(const struct syn *s)
{
	gen_emit_note(
		s->e, "x is %d before the header's end, a where the options start", OPTIONS_MAX);
	gen_emit_op(s->e, CBPF_CODE_TXA, 0);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_K, OPTIONS_MAX);
	gen_emit_op(s->e, CBPF_CODE_TAX, 0);
	gen_emit_op(s->e, CBPF_CODE_LD_IMM, TCP_HEADER + OPTIONS_MAX);
	gen_emit_op(s->e, CBPF_CODE_STX, M_CURSOR);
	gen_emit_op(s->e, CBPF_CODE_LDX_MEM, M_LEN);
	gen_emit_op(s->e, CBPF_CODE_ALU_SUB_X, 0);
	gen_emit_op(s->e, CBPF_CODE_LDX_MEM, M_CURSOR);
}

/* Ends within reach of the branches before them; the walk goes on behind them. */
static void
emit_ends(struct syn *s, const struct gen_opts *opts, bool last)
{
	const int on = gen_emit_label(s->e);

	if (!last)
		gen_emit_jump(s->e, CBPF_CODE_JA, 0, true, on);
	gen_emit_place(s->e, s->end);
	gen_emit_note(s->e, "an MSS was there");
	gen_emit_op(s->e, CBPF_CODE_LD_MEM, M_MSS_SEEN);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, 0, true, s->bad);
	gen_emit_place(s->e, s->good);
	gen_emit_ends(s->e, opts, false, s->bad);
	gen_emit_place(s->e, on);
	s->end = gen_emit_label(s->e);
	s->good = gen_emit_label(s->e);
	s->bad = gen_emit_label(s->e);
}

/*
 * Byte @i, where an option starts unless A says that the last one reaches
 * further; @here is behind that question. Its kind and the byte behind it are
 * loaded at once. Returns the label of the next byte's option.
 */
static int
emit_byte(const struct syn *s, uint32_t i, int here)
{
	const int next = gen_emit_label(s->e), next_here = gen_emit_label(s->e);
	const int other = gen_emit_label(s->e);

	gen_emit_note(s->e, "byte %u", i);
	gen_emit_jump(s->e, CBPF_CODE_JGT_K, i, true, next);
	gen_emit_place(s->e, here);
	gen_emit_op(s->e, CBPF_CODE_LD_H_IND, i);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, (OPT_EOL + 1) << 8, false, s->end);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, (OPT_NOP + 1) << 8, false, next_here);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, (OPT_MSS + 1) << 8, true, other);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, OPT_MSS << 8 | MSS_BYTES, false, s->bad);
	gen_emit_op(s->e, CBPF_CODE_ST, M_MSS_SEEN);
	gen_emit_place(s->e, other);
	gen_emit_op(s->e, CBPF_CODE_ALU_AND_K, 0xff);
	gen_emit_jump(s->e, CBPF_CODE_JGE_K, 2, false, s->bad);
	gen_emit_op(s->e, CBPF_CODE_ALU_ADD_K, i);
	gen_emit_place(s->e, next);
	return next_here;
}

static void
emit_options(struct syn *s, const struct gen_opts *opts)
{
	int here = gen_emit_label(s->e);

	for (uint32_t i = 0; i < OPTIONS_MAX - 1; i++) {
		if (i % BYTES_PER_ENDS == BYTES_PER_ENDS - 1)
			emit_ends(s, opts, false);
		here = emit_byte(s, i, here);
	}
	gen_emit_note(s->e, "the last byte has no room for a length; none may reach further");
	gen_emit_jump(s->e, CBPF_CODE_JGT_K, OPTIONS_MAX, true, s->bad);
	gen_emit_jump(s->e, CBPF_CODE_JEQ_K, OPTIONS_MAX, true, s->end);
	gen_emit_place(s->e, here);
	gen_emit_op(s->e, CBPF_CODE_LD_B_IND, OPTIONS_MAX - 1);
	gen_emit_jump(s->e, CBPF_CODE_JGT_K, OPT_NOP, true, s->bad);
	emit_ends(s, opts, true);
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
	gen_emit_note(
		&e, "no MSS was seen; first of all, for Linux looks for it behind each return");
	gen_emit_op(&e, CBPF_CODE_ST, M_MSS_SEEN);
	gen_emit_l4(&e, opts, "TCP");
	emit_flags(&s);
	emit_header(&s, opts);
	emit_start(&s);
	emit_options(&s, opts);
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
		"an MSS of 4 bytes. Other SYNs match; segments that are no SYN do not.\n"
		"Scope: TCP, no later fragments.\n",
	.extensions = true,
	.run = syn_validate_run,
};
