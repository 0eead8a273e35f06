/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_ASM_H
#define EBPF_ASM_H

/*
 * An eBPF function under construction: instructions are appended, jumps name
 * labels, and ebpf_asm_finish() resolves them. Errors are sticky: after the
 * first one every call does nothing, and finishing returns it, so that no call
 * but that one has a failure to check. One thread per object.
 */

#include <stddef.h>
#include <stdint.h>

struct diag;

/* One instruction, laid out as the kernel's struct bpf_insn. */
struct ebpf_insn {
	uint8_t code;
	uint8_t regs; /* destination in the low half, source in the high one */
	int16_t off;
	int32_t imm;
};

_Static_assert(sizeof(struct ebpf_insn) == 8, "the kernel's layout");

enum ebpf_reg {
	EBPF_R0, /* results; R0 to R5 do not survive a call */
	EBPF_R1, /* the context, on entry */
	EBPF_R2,
	EBPF_R3,
	EBPF_R4,
	EBPF_R5,
	EBPF_R6,
	EBPF_R7,
	EBPF_R8,
	EBPF_R9,
	EBPF_FP, /* the stack is the 512 bytes below it */
	EBPF_NO_REG,
};

/* The numbers are the kernel's. */
enum ebpf_size {
	EBPF_W = 0x00, /* 4 bytes */
	EBPF_H = 0x08,
	EBPF_B = 0x10,
	EBPF_DW = 0x18,
};

enum ebpf_alu_op {
	EBPF_ADD = 0x00,
	EBPF_SUB = 0x10,
	EBPF_MUL = 0x20,
	EBPF_DIV = 0x30,
	EBPF_OR = 0x40,
	EBPF_AND = 0x50,
	EBPF_LSH = 0x60,
	EBPF_RSH = 0x70,
	EBPF_NEG = 0x80,
	EBPF_MOD = 0x90,
	EBPF_XOR = 0xa0,
	EBPF_MOV = 0xb0,
	EBPF_ARSH = 0xc0,
};

enum ebpf_jmp_op {
	EBPF_JEQ = 0x10,
	EBPF_JGT = 0x20,
	EBPF_JGE = 0x30,
	EBPF_JSET = 0x40,
	EBPF_JNE = 0x50,
	EBPF_JSGT = 0x60,
	EBPF_JSGE = 0x70,
	EBPF_JLT = 0xa0,
	EBPF_JLE = 0xb0,
	EBPF_JSLT = 0xc0,
	EBPF_JSLE = 0xd0,
};

/* The helpers that are called from here. */
enum ebpf_helper {
	EBPF_MAP_LOOKUP_ELEM = 1,
	EBPF_MAP_UPDATE_ELEM = 2,
	EBPF_KTIME_GET_NS = 5,
	EBPF_GET_PRANDOM_U32 = 7,
	EBPF_GET_SMP_PROCESSOR_ID = 8,
	EBPF_TAIL_CALL = 12,
	EBPF_PERF_EVENT_OUTPUT = 25,
	EBPF_SKB_LOAD_BYTES = 26,
	EBPF_RINGBUF_OUTPUT = 130,
	EBPF_XDP_LOAD_BYTES = 189,
};

/* Actions of an XDP program; what it returns in R0. */
enum ebpf_xdp_action {
	EBPF_XDP_ABORTED,
	EBPF_XDP_DROP,
	EBPF_XDP_PASS,
	EBPF_XDP_TX,
};

/* Where struct xdp_md has the pointers, 4 bytes each as seen from a program. */
enum { EBPF_XDP_MD_DATA = 0, EBPF_XDP_MD_DATA_END = 4, EBPF_XDP_MD_RX_QUEUE = 16 };

/* What an ebpf_ld_map() or ebpf_ld_data() refers to; the object resolves it. */
enum ebpf_ref_kind { EBPF_REF_MAP, EBPF_REF_DATA };

struct ebpf_ref {
	uint32_t insn; /* the first half of a 16-byte load */
	enum ebpf_ref_kind kind;
	uint32_t index; /* the map's, or the section: enum ebpf_section */
};

struct ebpf_asm {
	struct {
		struct ebpf_insn *v;
		size_t n, cap;
	} insns;
	struct {
		uint32_t *v; /* instruction it stands before; UINT32_MAX: not placed yet */
		size_t n, cap;
	} labels;
	struct {
		struct ebpf_jump {
			uint32_t insn, label;
		} * v;
		size_t n, cap;
	} jumps;
	struct {
		struct ebpf_ref *v;
		size_t n, cap;
	} refs;
	int err; /* the first error; 0 */
	int finished;
};

/* As many as the kernel loads. Jumps reach no further than 32,767. */
#define EBPF_MAX_INSNS 1000000

void ebpf_asm_init(struct ebpf_asm *a);
void ebpf_asm_fini(struct ebpf_asm *a);

/* Make @err (-ENOMEM…) its error, unless it has one. */
void ebpf_asm_fail(struct ebpf_asm *a, int err);

/* A new label, to be placed by ebpf_here() at most once; jumps may come before or after. */
uint32_t ebpf_label(struct ebpf_asm *a);
void ebpf_here(struct ebpf_asm *a, uint32_t label);

/* @dst = @dst @op @src, in 64 bits, or in 32 with the upper half cleared. */
void ebpf_alu(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, enum ebpf_reg src);
void ebpf_alu_imm(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, int32_t imm);
void ebpf_alu32(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, enum ebpf_reg src);
void ebpf_alu32_imm(struct ebpf_asm *a, enum ebpf_alu_op op, enum ebpf_reg dst, uint32_t imm);

/* The lower @bits (16, 32 or 64) of @reg from network to host order or back; the rest is cleared. */
void ebpf_be(struct ebpf_asm *a, enum ebpf_reg reg, int bits);

/* @dst = *(@src + @off), zero-extended; *(@dst + @off) = @src or @imm; atomically += @src (W or DW). */
void ebpf_ld(
	struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, enum ebpf_reg src, int32_t off);
void ebpf_st(
	struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, int32_t off, enum ebpf_reg src);
void ebpf_st_imm(
	struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, int32_t off, int32_t imm);
void ebpf_atomic_add(
	struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg dst, int32_t off, enum ebpf_reg src);

/*
 * R0 = the big-endian number at @k, or at @src + @k, of the packet. Only in
 * socket filters and classifiers: R6 must be the context, R1 to R5 are lost, and
 * a load past the end ends the program with 0. Size W, H or B.
 */
void ebpf_ld_abs(struct ebpf_asm *a, enum ebpf_size size, int32_t k);
void ebpf_ld_ind(struct ebpf_asm *a, enum ebpf_size size, enum ebpf_reg src, int32_t k);

/* 16-byte instructions: a number, map @map of the object, byte @off of a data section. */
void ebpf_ld_imm64(struct ebpf_asm *a, enum ebpf_reg dst, uint64_t imm);
void ebpf_ld_map(struct ebpf_asm *a, enum ebpf_reg dst, uint32_t map);
void ebpf_ld_data(struct ebpf_asm *a, enum ebpf_reg dst, uint32_t section, uint32_t off);

/* Jumps; the 32-bit forms compare lower halves and take every @imm as it is. */
void ebpf_ja(struct ebpf_asm *a, uint32_t label);
void ebpf_jmp(
	struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, enum ebpf_reg y, uint32_t label);
void ebpf_jmp_imm(
	struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, int32_t imm, uint32_t label);
void ebpf_jmp32(
	struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, enum ebpf_reg y, uint32_t label);
void ebpf_jmp32_imm(
	struct ebpf_asm *a, enum ebpf_jmp_op op, enum ebpf_reg x, uint32_t imm, uint32_t label);

/* Call helper @id (enum ebpf_helper, or any number of the kernel's). */
void ebpf_call(struct ebpf_asm *a, int32_t id);
void ebpf_exit(struct ebpf_asm *a);

/* Shorthands for the commonest two. */
static inline void
ebpf_mov(struct ebpf_asm *a, enum ebpf_reg dst, enum ebpf_reg src)
{
	ebpf_alu(a, EBPF_MOV, dst, src);
}

static inline void
ebpf_mov_imm(struct ebpf_asm *a, enum ebpf_reg dst, int32_t imm)
{
	ebpf_alu_imm(a, EBPF_MOV, dst, imm);
}

/*
 * Remove what cannot be reached (the verifier refuses it) and resolve all jumps.
 * Nothing can be appended afterwards.
 *
 * Returns 0; -ENOMEM; -E2BIG when there are too many instructions or a jump is
 * longer than 16 bits; -EINVAL for what no caller should do: a label that is
 * jumped to and never placed or placed twice, a number that does not fit, code
 * that runs past its end.
 */
int ebpf_asm_finish(struct ebpf_asm *a, struct diag *diag);

#endif
