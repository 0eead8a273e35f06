// SPDX-License-Identifier: BSD-3-Clause
/* Instructions are appended; what jumps name is found when the function is finished (link.c). */
#include "ebpf/asm.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "code.h"

void
ebpf_asm_init(struct ebpf_asm *a)
{
	memset(a, 0, sizeof(*a));
}

void
ebpf_asm_fini(struct ebpf_asm *a)
{
	mem_free(a->insns.v);
	mem_free(a->labels.v);
	mem_free(a->jumps.v);
	mem_free(a->refs.v);
	ebpf_asm_init(a);
}

void
ebpf_asm_fail(struct ebpf_asm *a, int err)
{
	if (a->err == 0)
		a->err = err;
}

static void
emit(struct ebpf_asm *a, uint8_t code, enum ebpf_reg dst, enum ebpf_reg src, int32_t off,
	int32_t imm)
{
	struct ebpf_insn *in;

	if (a->finished || dst > EBPF_FP || src > EBPF_FP || off < INT16_MIN || off > INT16_MAX)
		ebpf_asm_fail(a, -EINVAL);
	else if (a->insns.n >= EBPF_MAX_INSNS)
		ebpf_asm_fail(a, -E2BIG);
	if (a->err != 0)
		return;
	in = vec_push(&a->insns);
	if (in == NULL)
		ebpf_asm_fail(a, -ENOMEM);
	else
		*in = (struct ebpf_insn){code,
			(uint8_t)((unsigned int)dst | (unsigned int)src << 4), (int16_t)off, imm};
}

uint32_t
ebpf_label(struct ebpf_asm *a)
{
	uint32_t *at = a->err == 0 ? vec_push(&a->labels) : NULL;

	if (at == NULL) {
		ebpf_asm_fail(a, -ENOMEM);
		return 0;
	}
	*at = LABEL_UNPLACED;
	return (uint32_t)(a->labels.n - 1);
}

void
ebpf_here(struct ebpf_asm *a, uint32_t label)
{
	if (a->err != 0)
		return;
	if (a->finished || label >= a->labels.n || a->labels.v[label] != LABEL_UNPLACED)
		ebpf_asm_fail(a, -EINVAL);
	else
		a->labels.v[label] = (uint32_t)a->insns.n;
}

void
ebpf_alu(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, enum ebpf_reg src)
{
	emit(a, CLASS_ALU64 | SRC_REG | op, dst, src, 0, 0);
}

void
ebpf_alu_imm(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, int32_t imm)
{
	emit(a, CLASS_ALU64 | op, dst, EBPF_R0, 0, imm);
}

void
ebpf_alu32(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, enum ebpf_reg src)
{
	emit(a, CLASS_ALU | SRC_REG | op, dst, src, 0, 0);
}

void
ebpf_alu32_imm(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, uint32_t imm)
{
	emit(a, CLASS_ALU | op, dst, EBPF_R0, 0, (int32_t)imm);
}

void
ebpf_be(struct ebpf_asm *a, enum ebpf_reg reg, int bits)
{
	if (bits != 16 && bits != 32 && bits != 64)
		ebpf_asm_fail(a, -EINVAL);
	emit(a, CLASS_ALU | SRC_REG | ALU_END, reg, EBPF_R0, 0, bits);
}

void
ebpf_ld(struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, enum ebpf_reg src, int32_t off)
{
	emit(a, CLASS_LDX | MODE_MEM | size, dst, src, off, 0);
}

void
ebpf_st(struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, int32_t off, enum ebpf_reg src)
{
	emit(a, CLASS_STX | MODE_MEM | size, dst, src, off, 0);
}

void
ebpf_st_imm(struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, int32_t off, int32_t imm)
{
	emit(a, CLASS_ST | MODE_MEM | size, dst, EBPF_R0, off, imm);
}

void
ebpf_atomic_add(
	struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, int32_t off, enum ebpf_reg src)
{
	if (size != EBPF_W && size != EBPF_DW)
		ebpf_asm_fail(a, -EINVAL);
	emit(a, CLASS_STX | MODE_ATOMIC | size, dst, src, off, EBPF_ADD);
}

void
ebpf_ld_abs(struct ebpf_asm *a, enum ebpf_size size, int32_t k)
{
	emit(a, CLASS_LD | MODE_ABS | size, EBPF_R0, EBPF_R0, 0, k);
}

void
ebpf_ld_ind(struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg src, int32_t k)
{
	emit(a, CLASS_LD | MODE_IND | size, EBPF_R0, src, 0, k);
}

/* The two halves of a 16-byte load; @kind is what the verifier makes of the number. */
static void
emit_wide(struct ebpf_asm *a, enum ebpf_reg dst, unsigned int kind, uint64_t imm)
{
	emit(a, CODE_LD_IMM64, dst, (enum ebpf_reg)kind, 0, (int32_t)(uint32_t)imm);
	emit(a, 0, EBPF_R0, EBPF_R0, 0, (int32_t)(uint32_t)(imm >> 32));
}

static void
emit_ref(struct ebpf_asm *a, enum ebpf_ref_kind kind, uint32_t index)
{
	struct ebpf_ref *ref = a->err == 0 ? vec_push(&a->refs) : NULL;

	if (ref == NULL)
		ebpf_asm_fail(a, -ENOMEM);
	else
		*ref = (struct ebpf_ref){(uint32_t)a->insns.n, kind, index};
}

void
ebpf_ld_imm64(struct ebpf_asm *a, enum ebpf_reg dst, uint64_t imm)
{
	emit_wide(a, dst, 0, imm);
}

void
ebpf_ld_map(struct ebpf_asm *a, enum ebpf_reg dst, uint32_t map)
{
	emit_ref(a, EBPF_REF_MAP, map);
	emit_wide(a, dst, PSEUDO_MAP_FD, 0);
}

/* To what the relocation finds the loader adds the number in the first half. */
void
ebpf_ld_data(struct ebpf_asm *a, enum ebpf_reg dst, uint32_t section, uint32_t off)
{
	emit_ref(a, EBPF_REF_DATA, section);
	emit_wide(a, dst, PSEUDO_MAP_VALUE, off);
}

static void
emit_jump(struct ebpf_asm *a, uint8_t code, enum ebpf_reg x, enum ebpf_reg y, int32_t imm,
	uint32_t label)
{
	struct ebpf_jump *j;

	if (a->err != 0)
		return;
	if (label >= a->labels.n) {
		ebpf_asm_fail(a, -EINVAL);
		return;
	}
	j = vec_push(&a->jumps);
	if (j == NULL) {
		ebpf_asm_fail(a, -ENOMEM);
		return;
	}
	*j = (struct ebpf_jump){(uint32_t)a->insns.n, label};
	emit(a, code, x, y, 0, imm);
}

void
ebpf_ja(struct ebpf_asm *a, uint32_t label)
{
	emit_jump(a, CODE_JA, EBPF_R0, EBPF_R0, 0, label);
}

void
ebpf_jmp(struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, enum ebpf_reg y, uint32_t label)
{
	emit_jump(a, CLASS_JMP | SRC_REG | op, x, y, 0, label);
}

void
ebpf_jmp_imm(struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, int32_t imm, uint32_t label)
{
	emit_jump(a, CLASS_JMP | op, x, EBPF_R0, imm, label);
}

void
ebpf_jmp32(
	struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, enum ebpf_reg y, uint32_t label)
{
	emit_jump(a, CLASS_JMP32 | SRC_REG | op, x, y, 0, label);
}

void
ebpf_jmp32_imm(
	struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, uint32_t imm, uint32_t label)
{
	emit_jump(a, CLASS_JMP32 | op, x, EBPF_R0, (int32_t)imm, label);
}

void
ebpf_call(struct ebpf_asm *a, int32_t id)
{
	emit(a, CODE_CALL, EBPF_R0, EBPF_R0, 0, id);
}

void
ebpf_exit(struct ebpf_asm *a)
{
	emit(a, CODE_EXIT, EBPF_R0, EBPF_R0, 0, 0);
}
