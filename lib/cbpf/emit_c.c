// SPDX-License-Identifier: BSD-3-Clause
/*
 * A program as C, one statement an instruction, in the order they stand: what
 * the compiler makes of it is the compiler's affair. Helpers are guarded, so
 * that several functions may stand in one file.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "prog_impl.h"

static const char helpers[] = "#ifndef CBPF_C_HELPERS\n"
			      "#define CBPF_C_HELPERS\n"
			      "#include <stdint.h>\n"
			      "#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
			      "#error \"written for little-endian machines\"\n"
			      "#endif\n"
			      "static inline uint32_t\n"
			      "cbpf_be32(const uint8_t *p)\n"
			      "{\n"
			      "\tuint32_t v;\n"
			      "\t__builtin_memcpy(&v, p, sizeof(v));\n"
			      "\treturn __builtin_bswap32(v);\n"
			      "}\n"
			      "static inline uint32_t\n"
			      "cbpf_be16(const uint8_t *p)\n"
			      "{\n"
			      "\tuint16_t v;\n"
			      "\t__builtin_memcpy(&v, p, sizeof(v));\n"
			      "\treturn __builtin_bswap16(v);\n"
			      "}\n"
			      "#endif\n";

/* End unless @n bytes at the constant @k are there. */
static void
need_abs(struct sbuf *out, uint32_t k, uint32_t n)
{
	if (k > UINT32_MAX - n)
		sbuf_adds(out, "\treturn 0; /* beyond every packet */\n");
	else
		sbuf_addf(out, "\tif (caplen < %" PRIu32 "u)\n\t\treturn 0;\n", k + n);
}

/* The same at X + @k, which does not wrap; o is then the offset. */
static void
need_ind(struct sbuf *out, uint32_t k, uint32_t n)
{
	sbuf_addf(out,
		"\to = (uint64_t)x + %" PRIu32 "u;\n\tif (o + %" PRIu32
		"u > caplen)\n\t\treturn 0;\n",
		k, n);
}

/* "goto" the instruction @to, unless it is the one that follows @at. */
static void
jump(struct sbuf *out, const char *indent, size_t at, size_t to)
{
	if (to != at + 1)
		sbuf_addf(out, "%sgoto L%zu;\n", indent, to);
}

/* @test with the operand @b; its branches. */
static void
branch(struct sbuf *out, const struct cbpf_insn *i, size_t at, const char *test, const char *b)
{
	if (i->jt == i->jf) {
		jump(out, "\t", at, at + 1 + i->jt);
		return;
	}
	/* At most one of the two goes to what follows. */
	sbuf_addf(out, i->jt == 0 ? "\tif (!(a %s %s))\n" : "\tif (a %s %s)\n", test, b);
	jump(out, "\t\t", at, at + 1 + (i->jt == 0 ? i->jf : i->jt));
	if (i->jt != 0)
		jump(out, "\t", at, at + 1 + i->jf);
}

/* a = a @op b, where that always exists. */
static void
alu(struct sbuf *out, const char *op, const char *b)
{
	sbuf_addf(out, "\ta %s= %s;\n", op, b);
}

/* Division and modulo by X, which may be 0. */
static void
alu_div_x(struct sbuf *out, const char *op)
{
	sbuf_addf(out, "\tif (x == 0)\n\t\treturn 0;\n\ta %s= x;\n", op);
}

static void
statement(struct sbuf *out, const struct cbpf_insn *i, size_t at)
{
	const uint32_t k = i->k;
	char imm[16];

	(void)snprintf(imm, sizeof(imm), "%" PRIu32 "u", k);
	switch (cbpf_op_of(i->code)) {
	case CBPF_OP_LD_W_ABS:
		need_abs(out, k, 4);
		sbuf_addf(out, "\ta = cbpf_be32(data + %s);\n", imm);
		break;
	case CBPF_OP_LD_H_ABS:
		need_abs(out, k, 2);
		sbuf_addf(out, "\ta = cbpf_be16(data + %s);\n", imm);
		break;
	case CBPF_OP_LD_B_ABS:
		need_abs(out, k, 1);
		sbuf_addf(out, "\ta = data[%s];\n", imm);
		break;
	case CBPF_OP_LD_W_IND:
		need_ind(out, k, 4);
		sbuf_adds(out, "\ta = cbpf_be32(data + o);\n");
		break;
	case CBPF_OP_LD_H_IND:
		need_ind(out, k, 2);
		sbuf_adds(out, "\ta = cbpf_be16(data + o);\n");
		break;
	case CBPF_OP_LD_B_IND:
		need_ind(out, k, 1);
		sbuf_adds(out, "\ta = data[o];\n");
		break;
	case CBPF_OP_LD_IMM: sbuf_addf(out, "\ta = %s;\n", imm); break;
	case CBPF_OP_LD_MEM: sbuf_addf(out, "\ta = m[%s];\n", imm); break;
	case CBPF_OP_LD_LEN: sbuf_adds(out, "\ta = wirelen;\n"); break;
	case CBPF_OP_LDX_IMM: sbuf_addf(out, "\tx = %s;\n", imm); break;
	case CBPF_OP_LDX_MEM: sbuf_addf(out, "\tx = m[%s];\n", imm); break;
	case CBPF_OP_LDX_LEN: sbuf_adds(out, "\tx = wirelen;\n"); break;
	case CBPF_OP_LDX_MSH:
		need_abs(out, k, 1);
		sbuf_addf(out, "\tx = 4u * (data[%s] & 15u);\n", imm);
		break;
	case CBPF_OP_ST: sbuf_addf(out, "\tm[%s] = a;\n", imm); break;
	case CBPF_OP_STX: sbuf_addf(out, "\tm[%s] = x;\n", imm); break;
	case CBPF_OP_ALU_ADD_K: alu(out, "+", imm); break;
	case CBPF_OP_ALU_ADD_X: alu(out, "+", "x"); break;
	case CBPF_OP_ALU_SUB_K: alu(out, "-", imm); break;
	case CBPF_OP_ALU_SUB_X: alu(out, "-", "x"); break;
	case CBPF_OP_ALU_MUL_K: alu(out, "*", imm); break;
	case CBPF_OP_ALU_MUL_X: alu(out, "*", "x"); break;
	case CBPF_OP_ALU_DIV_K: alu(out, "/", imm); break;
	case CBPF_OP_ALU_DIV_X: alu_div_x(out, "/"); break;
	case CBPF_OP_ALU_OR_K: alu(out, "|", imm); break;
	case CBPF_OP_ALU_OR_X: alu(out, "|", "x"); break;
	case CBPF_OP_ALU_AND_K: alu(out, "&", imm); break;
	case CBPF_OP_ALU_AND_X: alu(out, "&", "x"); break;
	case CBPF_OP_ALU_LSH_K: alu(out, "<<", imm); break;
	case CBPF_OP_ALU_LSH_X: sbuf_adds(out, "\ta = x < 32 ? a << x : 0;\n"); break;
	case CBPF_OP_ALU_RSH_K: alu(out, ">>", imm); break;
	case CBPF_OP_ALU_RSH_X: sbuf_adds(out, "\ta = x < 32 ? a >> x : 0;\n"); break;
	case CBPF_OP_ALU_NEG: sbuf_adds(out, "\ta = 0 - a;\n"); break;
	case CBPF_OP_ALU_MOD_K: alu(out, "%", imm); break;
	case CBPF_OP_ALU_MOD_X: alu_div_x(out, "%"); break;
	case CBPF_OP_ALU_XOR_K: alu(out, "^", imm); break;
	case CBPF_OP_ALU_XOR_X: alu(out, "^", "x"); break;
	case CBPF_OP_JA: jump(out, "\t", at, at + 1 + k); break;
	case CBPF_OP_JEQ_K: branch(out, i, at, "==", imm); break;
	case CBPF_OP_JEQ_X: branch(out, i, at, "==", "x"); break;
	case CBPF_OP_JGT_K: branch(out, i, at, ">", imm); break;
	case CBPF_OP_JGT_X: branch(out, i, at, ">", "x"); break;
	case CBPF_OP_JGE_K: branch(out, i, at, ">=", imm); break;
	case CBPF_OP_JGE_X: branch(out, i, at, ">=", "x"); break;
	case CBPF_OP_JSET_K: branch(out, i, at, "&", imm); break;
	case CBPF_OP_JSET_X: branch(out, i, at, "&", "x"); break;
	case CBPF_OP_RET_K: sbuf_addf(out, "\treturn %s;\n", imm); break;
	case CBPF_OP_RET_A: sbuf_adds(out, "\treturn a;\n"); break;
	case CBPF_OP_TAX: sbuf_adds(out, "\tx = a;\n"); break;
	case CBPF_OP_TXA: sbuf_adds(out, "\ta = x;\n"); break;
	case CBPF_OP_COUNT: break;
	}
}

/* Mark what needs a label: a jump over at least one instruction leads there. */
static void
find_targets(const struct cbpf_insn *insns, size_t n, bool *target)
{
	for (size_t at = 0; at < n; at++) {
		const enum op_form form = op_rows[cbpf_op_of(insns[at].code)].form;

		if (form == FORM_JA && insns[at].k > 0)
			target[at + 1 + insns[at].k] = true;
		if (form != FORM_JMPK && form != FORM_JMPX)
			continue;
		if (insns[at].jt > 0)
			target[at + 1 + insns[at].jt] = true;
		if (insns[at].jf > 0)
			target[at + 1 + insns[at].jf] = true;
	}
}

void
cbpf_write_c(const struct cbpf_prog *prog, const char *name, struct sbuf *out)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);
	bool *target = mem_calloc(n, sizeof(*target));

	if (target == NULL) {
		out->failed = true;
		return;
	}
	find_targets(insns, n, target);
	sbuf_adds(out, helpers);
	sbuf_addf(out,
		"\nuint32_t %s(const uint8_t *data, uint32_t caplen, uint32_t wirelen);\n"
		"uint32_t\n%s(const uint8_t *data, uint32_t caplen, uint32_t wirelen)\n{\n"
		"\tuint32_t a = 0, x = 0, m[16];\n\tuint64_t o = 0;\n\n"
		"\t(void)data;\n\t(void)caplen;\n\t(void)wirelen;\n"
		"\t(void)a;\n\t(void)x;\n\t(void)m;\n\t(void)o;\n",
		name, name);
	for (size_t at = 0; at < n; at++) {
		if (target[at])
			sbuf_addf(out, "L%zu:\n", at);
		statement(out, &insns[at], at);
	}
	sbuf_adds(out, "}\n");
	mem_free(target);
}
