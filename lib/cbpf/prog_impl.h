/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_PROG_IMPL_H
#define CBPF_PROG_IMPL_H

#include <stdint.h>

#include "cbpf/insn.h"
#include "cbpf/prog.h"

/*
 * One instruction as the interpreter likes it: the opcode is its row in the
 * table, so that dispatch is one indexed jump.
 */
struct prog_step {
	uint16_t op; /* enum cbpf_op */
	uint8_t jt;
	uint8_t jf;
	uint32_t k;
};

/* Both arrays lie behind the struct, in one allocation. */
struct cbpf_prog {
	uint32_t n;
	const struct cbpf_insn *insns;
	const struct prog_step *steps;
};

/* How the operand of an instruction is written; the last column of the opcode table. */
enum op_form {
	FORM_ABS,
	FORM_IND,
	FORM_MSH,
	FORM_IMM,
	FORM_MEM,
	FORM_LEN,
	FORM_REGX,
	FORM_NONE,
	FORM_JA,
	FORM_JMPK,
	FORM_JMPX,
	FORM_REGA,
};

/* A row of the opcode table. */
struct op_row {
	const char *name;
	enum op_form form;
	uint16_t code;
};

extern const struct op_row op_rows[CBPF_OP_COUNT];

/* Linux extensions in the order of their numbers (SKF_AD_OFF + 4 * index), for messages. */
#define ANCILLARY_COUNT 16
extern const char *const ancillary_names[ANCILLARY_COUNT];

#endif
