// SPDX-License-Identifier: BSD-3-Clause
#include "base/util.h"
#include "cbpf/alu.h"
#include "cbpf/prog.h"
#include "prog_impl.h"

/*
 * Threaded code: every instruction ends with its own indexed jump, which gives
 * the branch predictor one place per instruction kind instead of one for all. A
 * row of the opcode table without its label does not compile.
 */
#define NEXT() goto *labels[(++s)->op]
#define JUMP(by) \
	do { \
		s += (by); \
		NEXT(); \
	} while (0)

/* End with 0 unless the @size bytes at @off (64 bits: X + k does not wrap) are captured. */
#define NEED(off, size) \
	do { \
		if ((uint64_t)(off) + (size) > caplen) \
			return 0; \
	} while (0)

#define LOAD(name, off, size, get) \
name: \
	NEED(off, size); \
	a = get(data + (off)); \
	NEXT()

#define ALU(name, b) \
	name##_K : (void)cbpf_alu(b, a, s->k, &a); \
	NEXT(); \
	name##_X : if (!cbpf_alu(b, a, x, &a)) return 0; \
	NEXT()

#define COND(name, test) \
	name##_K : b = s->k; \
	JUMP((test) ? s->jt : s->jf); \
	name##_X : b = x; \
	JUMP((test) ? s->jt : s->jf)

#define BYTE(p) (*(p))
#define AT_X ((uint64_t)x + s->k)

uint32_t
cbpf_run(const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
#define X(id, code, name, form) [CBPF_OP_##id] = &&id,
	static const void *const labels[CBPF_OP_COUNT] = {CBPF_OPCODES(X)};
#undef X
	const struct prog_step *s = prog->steps - 1;
	uint32_t a = 0, x = 0, b;
	uint32_t mem[CBPF_MEM_WORDS]; /* validation saw a store before every read */

	NEXT();

	/* clang-format off */
	LOAD(LD_W_ABS, s->k, 4, load_be32);
	LOAD(LD_H_ABS, s->k, 2, load_be16);
	LOAD(LD_B_ABS, s->k, 1, BYTE);
	LOAD(LD_W_IND, AT_X, 4, load_be32);
	LOAD(LD_H_IND, AT_X, 2, load_be16);
	LOAD(LD_B_IND, AT_X, 1, BYTE);
LD_IMM:		a = s->k; NEXT();
LD_MEM:		a = mem[s->k]; NEXT();
LD_LEN:		a = wirelen; NEXT();
LDX_IMM:	x = s->k; NEXT();
LDX_MEM:	x = mem[s->k]; NEXT();
LDX_LEN:	x = wirelen; NEXT();
LDX_MSH:	NEED(s->k, 1); x = 4u * (data[s->k] & 15); NEXT();
ST:		mem[s->k] = a; NEXT();
STX:		mem[s->k] = x; NEXT();
	ALU(ALU_ADD, CBPF_ALU_ADD);
	ALU(ALU_SUB, CBPF_ALU_SUB);
	ALU(ALU_MUL, CBPF_ALU_MUL);
	ALU(ALU_DIV, CBPF_ALU_DIV);
	ALU(ALU_OR, CBPF_ALU_OR);
	ALU(ALU_AND, CBPF_ALU_AND);
	ALU(ALU_LSH, CBPF_ALU_LSH);
	ALU(ALU_RSH, CBPF_ALU_RSH);
	ALU(ALU_MOD, CBPF_ALU_MOD);
	ALU(ALU_XOR, CBPF_ALU_XOR);
ALU_NEG:	a = 0 - a; NEXT();
JA:		JUMP(s->k);
	COND(JEQ, a == b);
	COND(JGT, a > b);
	COND(JGE, a >= b);
	COND(JSET, (a & b) != 0);
RET_K:		return s->k;
RET_A:		return a;
TAX:		x = a; NEXT();
TXA:		a = x; NEXT();
	/* clang-format on */
}
