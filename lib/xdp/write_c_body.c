// SPDX-License-Identifier: BSD-3-Clause
/*
 * A classic program as C in an XDP program: one statement an instruction. LOAD
 * is the skeleton's: it looks before it reads, or ends without a match.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "write_c.h"

#define CLASS_JUMP 5 /* in the lower three bits of an opcode */
#define CLASS_RET 6

#define INLINE_MAX 256 /* longer programs are functions: jumps reach no further than 32,767 */

/* "goto" the instruction @to, unless it is the one that follows @at. */
static void
jump(struct sbuf *out, const char *indent, size_t at, size_t to)
{
	if (to != at + 1)
		sbuf_addf(out, "%sgoto L%zu;\n", indent, to);
}

/* @test with K or X; its branches. */
static void
branch(struct sbuf *out, const struct cbpf_insn *i, size_t at, const char *test, bool with_x)
{
	const size_t yes = at + 1 + i->jt, no = at + 1 + i->jf;

	if (yes == no) {
		jump(out, "\t", at, yes);
		return;
	}
	if (with_x)
		sbuf_addf(out, "\tif (a %s x)\n", test);
	else
		sbuf_addf(out, "\tif (a %s %" PRIu32 "u)\n", test, i->k);
	sbuf_addf(out, "\t\tgoto L%zu;\n", yes);
	jump(out, "\t", at, no);
}

static void
alu(struct sbuf *out, const char *op, bool with_x, uint32_t k)
{
	if (with_x)
		sbuf_addf(out, "\ta %s= x;\n", op);
	else
		sbuf_addf(out, "\ta %s= %" PRIu32 "u;\n", op, k);
}

static void
load(struct sbuf *out, int n, const char *base, uint32_t k)
{
	sbuf_addf(out, "\tLOAD(a, %d, %s, %" PRIu32 "u);\n", n, base, k);
}

/* Division and modulo by X, which may be 0. */
static void
divide(struct sbuf *out, const char *op)
{
	sbuf_adds(out, "\tif (x == 0)\n\t\treturn 0;\n");
	alu(out, op, true, 0);
}

static void
statement(struct sbuf *out, const struct cbpf_insn *i, size_t at)
{
	const uint32_t k = i->k;

	switch (cbpf_op_of(i->code)) {
	case CBPF_OP_LD_W_ABS: load(out, 4, "0", k); break;
	case CBPF_OP_LD_H_ABS: load(out, 2, "0", k); break;
	case CBPF_OP_LD_B_ABS: load(out, 1, "0", k); break;
	case CBPF_OP_LD_W_IND: load(out, 4, "x", k); break;
	case CBPF_OP_LD_H_IND: load(out, 2, "x", k); break;
	case CBPF_OP_LD_B_IND: load(out, 1, "x", k); break;
	case CBPF_OP_LD_IMM: sbuf_addf(out, "\ta = %" PRIu32 "u;\n", k); break;
	case CBPF_OP_LD_MEM: sbuf_addf(out, "\ta = m%" PRIu32 ";\n", k); break;
	case CBPF_OP_LD_LEN: sbuf_adds(out, "\ta = w->len;\n"); break;
	case CBPF_OP_LDX_IMM: sbuf_addf(out, "\tx = %" PRIu32 "u;\n", k); break;
	case CBPF_OP_LDX_MEM: sbuf_addf(out, "\tx = m%" PRIu32 ";\n", k); break;
	case CBPF_OP_LDX_LEN: sbuf_adds(out, "\tx = w->len;\n"); break;
	case CBPF_OP_LDX_MSH:
		sbuf_addf(out, "\tLOAD(x, 1, 0, %" PRIu32 "u);\n\tx = 4 * (x & 15);\n", k);
		break;
	case CBPF_OP_ST: sbuf_addf(out, "\tm%" PRIu32 " = a;\n", k); break;
	case CBPF_OP_STX: sbuf_addf(out, "\tm%" PRIu32 " = x;\n", k); break;
	case CBPF_OP_ALU_ADD_K: alu(out, "+", false, k); break;
	case CBPF_OP_ALU_ADD_X: alu(out, "+", true, k); break;
	case CBPF_OP_ALU_SUB_K: alu(out, "-", false, k); break;
	case CBPF_OP_ALU_SUB_X: alu(out, "-", true, k); break;
	case CBPF_OP_ALU_MUL_K: alu(out, "*", false, k); break;
	case CBPF_OP_ALU_MUL_X: alu(out, "*", true, k); break;
	case CBPF_OP_ALU_DIV_K: alu(out, "/", false, k); break;
	case CBPF_OP_ALU_DIV_X: divide(out, "/"); break;
	case CBPF_OP_ALU_OR_K: alu(out, "|", false, k); break;
	case CBPF_OP_ALU_OR_X: alu(out, "|", true, k); break;
	case CBPF_OP_ALU_AND_K: alu(out, "&", false, k); break;
	case CBPF_OP_ALU_AND_X: alu(out, "&", true, k); break;
	case CBPF_OP_ALU_LSH_K: alu(out, "<<", false, k); break;
	case CBPF_OP_ALU_LSH_X: sbuf_adds(out, "\ta = x < 32 ? a << x : 0;\n"); break;
	case CBPF_OP_ALU_RSH_K: alu(out, ">>", false, k); break;
	case CBPF_OP_ALU_RSH_X: sbuf_adds(out, "\ta = x < 32 ? a >> x : 0;\n"); break;
	case CBPF_OP_ALU_NEG: sbuf_adds(out, "\ta = 0 - a;\n"); break;
	case CBPF_OP_ALU_MOD_K: alu(out, "%", false, k); break;
	case CBPF_OP_ALU_MOD_X: divide(out, "%"); break;
	case CBPF_OP_ALU_XOR_K: alu(out, "^", false, k); break;
	case CBPF_OP_ALU_XOR_X: alu(out, "^", true, k); break;
	case CBPF_OP_JA: jump(out, "\t", at, at + 1 + k); break;
	case CBPF_OP_JEQ_K: branch(out, i, at, "==", false); break;
	case CBPF_OP_JEQ_X: branch(out, i, at, "==", true); break;
	case CBPF_OP_JGT_K: branch(out, i, at, ">", false); break;
	case CBPF_OP_JGT_X: branch(out, i, at, ">", true); break;
	case CBPF_OP_JGE_K: branch(out, i, at, ">=", false); break;
	case CBPF_OP_JGE_X: branch(out, i, at, ">=", true); break;
	case CBPF_OP_JSET_K: branch(out, i, at, "&", false); break;
	case CBPF_OP_JSET_X: branch(out, i, at, "&", true); break;
	case CBPF_OP_RET_K: sbuf_addf(out, "\treturn %d;\n", k != 0); break;
	case CBPF_OP_RET_A: sbuf_adds(out, "\treturn a != 0;\n"); break;
	case CBPF_OP_TAX: sbuf_adds(out, "\tx = a;\n"); break;
	case CBPF_OP_TXA: sbuf_adds(out, "\ta = x;\n"); break;
	case CBPF_OP_COUNT: break;
	}
}

/* What is known of an instruction besides itself. */
struct place {
	bool label; /* a "goto" of branch() or jump() leads here */
	uint8_t ways; /* how many lead here, at most 2 */
	uint8_t live; /* LIVE_A, LIVE_X: looked at from here on before it is set */
};

enum { LIVE_A = 1, LIVE_X = 2 };

/* What @i looks at, and what it sets. */
static void
uses(const struct cbpf_insn *i, uint8_t *ret_reads, uint8_t *ret_sets)
{
	enum { LD, LDX, ST, STX, ALU, JMP, RET, MISC };
	const bool with_x = (i->code & 0x08) != 0, ind = (i->code & 0xe0) == 0x40;
	const bool txa = i->code == CBPF_CODE_TXA;

	*ret_reads = *ret_sets = 0;
	switch (i->code & 7) {
	case LD:
		*ret_reads = ind ? LIVE_X : 0;
		*ret_sets = LIVE_A;
		break;
	case LDX: *ret_sets = LIVE_X; break;
	case ST: *ret_reads = LIVE_A; break;
	case STX: *ret_reads = LIVE_X; break;
	case ALU:
		*ret_reads = LIVE_A | (with_x ? LIVE_X : 0);
		*ret_sets = LIVE_A;
		break;
	case JMP:
		if (i->code != CBPF_CODE_JA)
			*ret_reads = LIVE_A | (with_x ? LIVE_X : 0);
		break;
	case RET: *ret_reads = i->code == CBPF_CODE_RET_A ? LIVE_A : 0; break;
	case MISC:
		*ret_reads = txa ? LIVE_X : LIVE_A;
		*ret_sets = txa ? LIVE_A : LIVE_X;
		break;
	}
}

static void
lead(struct place *to)
{
	if (to->ways < 2)
		to->ways++;
}

/* Jumps only go forward: one pass from the end finds all there is. */
static void
survey(const struct cbpf_insn *insns, size_t n, struct place *places)
{
	for (size_t at = n; at-- > 0;) {
		const struct cbpf_insn *i = &insns[at];
		const bool is_jump = (i->code & 7) == CLASS_JUMP, is_ja = i->code == CBPF_CODE_JA;
		const size_t yes = at + 1 + (!is_jump ? 0 : is_ja ? i->k : i->jt);
		const size_t no = is_jump && !is_ja ? at + 1 + i->jf : yes;
		uint8_t reads, sets, behind = 0;

		if ((i->code & 7) != CLASS_RET) {
			behind = places[yes].live | places[no].live;
			lead(&places[yes]);
			if (yes != no)
				lead(&places[no]);
			places[yes].label |= is_jump && (yes != no || yes != at + 1);
			places[no].label |= is_jump && no != at + 1;
		}
		uses(i, &reads, &sets);
		places[at].live = (uint8_t)((behind & ~sets) | reads);
	}
}

/*
 * Where ways meet, what is in A and X is made unknown to the verifier, which
 * would else walk on once for each way.
 */
static void
put_place(struct sbuf *out, const struct place *p, size_t at)
{
	if (p->label)
		sbuf_addf(out, "L%zu:\n", at);
	if (p->ways < 2)
		return;
	if (p->live & LIVE_A)
		sbuf_adds(out, "\tFORGET(a);\n");
	if (p->live & LIVE_X)
		sbuf_adds(out, "\tFORGET(x);\n");
}

/* The words of memory that the program uses, as variables. */
static void
declare_memory(struct sbuf *out, const struct cbpf_insn *insns, size_t n)
{
	uint32_t used = 0;

	for (size_t at = 0; at < n; at++)
		if (insns[at].code == CBPF_CODE_ST || insns[at].code == CBPF_CODE_STX)
			used |= UINT32_C(1) << insns[at].k;
	for (int i = 0; i < CBPF_MEM_WORDS; i++)
		if (used >> i & 1)
			sbuf_addf(out, "\tu32 m%d = 0;\n", i);
}

void
write_c_body(struct sbuf *out, const char *name, const struct cbpf_prog *prog)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);
	struct place *places = mem_calloc(n, sizeof(*places));

	if (places == NULL) {
		out->failed = true;
		return;
	}
	survey(insns, n, places);
	sbuf_addf(out,
		"%s int\n%s(struct xdp_md *ctx, const struct window *w)\n{\n"
		"\tu32 a = 0, x = 0;\n",
		n > INLINE_MAX ? "OUTLINE" : "INLINE", name);
	declare_memory(out, insns, n);
	sbuf_adds(out, "\n\t(void)a;\n\t(void)x;\n");
	for (size_t at = 0; at < n; at++) {
		put_place(out, &places[at], at);
		statement(out, &insns[at], at);
	}
	sbuf_adds(out, "}\n\n");
	mem_free(places);
}
