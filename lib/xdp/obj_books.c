// SPDX-License-Identifier: BSD-3-Clause
/* Where frames are counted and sampled, and where a program ends. */
#include "obj.h"

#define C(field) ((int32_t)offsetof(struct obj_counters, field))
#define S(field) ((int32_t)offsetof(struct obj_stats, field))
#define SAMPLE(field) (STACK_SAMPLE + (int32_t)offsetof(struct obj_sample, field))

#define CURRENT_CPU UINT64_C(0xffffffff) /* BPF_F_CURRENT_CPU */

_Static_assert(sizeof(struct obj_sample) <= -STACK_SAMPLE + STACK_KEY, "room on the stack");

void
obj_lookup(struct obj *b, uint32_t map, uint32_t none)
{
	ebpf_ld_map(&b->a, EBPF_R1, map);
	ebpf_mov(&b->a, EBPF_R2, EBPF_FP);
	ebpf_alu_imm(&b->a, EBPF_ADD, EBPF_R2, STACK_KEY);
	ebpf_call(&b->a, EBPF_MAP_LOOKUP_ELEM);
	ebpf_jmp_imm(&b->a, EBPF_JEQ, EBPF_R0, 0, none);
}

void
obj_lookup_at(struct obj *b, uint32_t map, uint32_t key, uint32_t none)
{
	ebpf_st_imm(&b->a, EBPF_W, EBPF_FP, STACK_KEY, (int32_t)key);
	obj_lookup(b, map, none);
}

void
obj_add_reg(struct obj *b, enum ebpf_reg reg, int32_t off)
{
	ebpf_ld(&b->a, EBPF_DW, EBPF_R2, reg, off);
	ebpf_alu(&b->a, EBPF_ADD, EBPF_R2, EBPF_R1);
	ebpf_st(&b->a, EBPF_DW, reg, off, EBPF_R2);
}

void
obj_add(struct obj *b, enum ebpf_reg reg, int32_t off, int32_t n)
{
	ebpf_ld(&b->a, EBPF_DW, EBPF_R1, reg, off);
	ebpf_alu_imm(&b->a, EBPF_ADD, EBPF_R1, n);
	ebpf_st(&b->a, EBPF_DW, reg, off, EBPF_R1);
}

void
obj_load_data(struct obj *b)
{
	ebpf_ld(&b->a, EBPF_DW, EBPF_R1, EBPF_FP, STACK_CTX);
	ebpf_ld(&b->a, EBPF_W, REG_END, EBPF_R1, EBPF_XDP_MD_DATA_END);
	ebpf_ld(&b->a, EBPF_W, REG_DATA, EBPF_R1, EBPF_XDP_MD_DATA);
}

void
obj_at(struct obj *b, enum ebpf_reg off, int32_t n, uint32_t none)
{
	struct ebpf_asm *a = &b->a;

	/* The mask changes nothing: no frame is so long. It is for the verifier. */
	ebpf_mov(a, EBPF_R1, off);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R1, 0x7fff);
	ebpf_alu(a, EBPF_ADD, EBPF_R1, REG_DATA);
	ebpf_mov(a, EBPF_R2, EBPF_R1);
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R2, n);
	ebpf_jmp(a, EBPF_JGT, EBPF_R2, REG_END, none);
}

void
obj_begin_books(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t no_stats = ebpf_label(a), not_sampled = ebpf_label(a);

	obj_lookup_at(b, b->stats, 0, no_stats);
	obj_add(b, EBPF_R0, S(rx), 1);
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(wire));
	obj_add_reg(b, EBPF_R0, S(rx_bytes));
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(flaws));
	ebpf_alu_imm(a, EBPF_AND, EBPF_R1, 1);
	obj_add_reg(b, EBPF_R0, S(truncated));
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(flaws));
	ebpf_alu_imm(a, EBPF_RSH, EBPF_R1, 1);
	obj_add_reg(b, EBPF_R0, S(malformed));
	ebpf_here(a, no_stats);
	if (!b->plan->opts.sampling)
		return;
	ebpf_call(a, EBPF_GET_PRANDOM_U32);
	ebpf_ld_data(a, EBPF_R1, EBPF_RODATA, b->sample);
	ebpf_ld(a, EBPF_W, EBPF_R2, EBPF_R1, 0);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R2, 0, not_sampled);
	ebpf_ld(a, EBPF_W, EBPF_R2, EBPF_R1, 8);
	ebpf_jmp32(a, EBPF_JGT, EBPF_R0, EBPF_R2, not_sampled);
	ebpf_st_imm(a, EBPF_B, REG_FRAME, F(sampled), 1);
	ebpf_here(a, not_sampled);
}

void
obj_count(struct obj *b, uint32_t none)
{
	obj_lookup(b, b->counters, none);
	obj_add(b, EBPF_R0, C(packets), 1);
	ebpf_ld(&b->a, EBPF_W, EBPF_R1, REG_FRAME, F(bytes));
	obj_add_reg(b, EBPF_R0, C(bytes));
}

/* STACK_KEY = f->slot. */
static void
key_of_slot(struct obj *b)
{
	ebpf_ld(&b->a, EBPF_W, EBPF_R1, REG_FRAME, F(slot));
	ebpf_st(&b->a, EBPF_W, EBPF_FP, STACK_KEY, EBPF_R1);
}

/* What rules in shadow would have dropped has passed. */
static void
count_would_passed(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t done = ebpf_label(a);

	for (int i = 0; i < PLAN_SEEN_MAX; i++) {
		const uint32_t none = ebpf_label(a);

		ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(n_would));
		ebpf_jmp_imm(a, EBPF_JLE, EBPF_R1, i, done);
		ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(would) + 4 * i);
		ebpf_st(a, EBPF_W, EBPF_FP, STACK_KEY, EBPF_R1);
		obj_lookup(b, b->counters, none);
		obj_add(b, EBPF_R0, C(would_drop_passed), 1);
		ebpf_here(a, none);
	}
	ebpf_here(a, done);
}

/* R8 is the action. */
static void
take_sample(struct obj *b)
{
	static const struct {
		int32_t to, from;
	} fields[] = {
		{SAMPLE(wirelen), F(wire)},
		{SAMPLE(slot), F(slot)},
		{SAMPLE(shadow_slot), F(shadow)},
	};
	struct ebpf_asm *a = &b->a;
	const uint32_t not_sampled = ebpf_label(a), whole = ebpf_label(a);

	ebpf_ld(a, EBPF_B, EBPF_R1, REG_FRAME, F(sampled));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R1, 0, not_sampled);
	ebpf_call(a, EBPF_KTIME_GET_NS);
	ebpf_st(a, EBPF_DW, EBPF_FP, SAMPLE(time_ns), EBPF_R0);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, fields[i].from);
		ebpf_st(a, EBPF_W, EBPF_FP, fields[i].to, EBPF_R1);
	}
	ebpf_st(a, EBPF_W, EBPF_FP, SAMPLE(action), EBPF_R8);
	ebpf_ld_data(a, EBPF_R1, EBPF_RODATA, b->sample);
	ebpf_ld(a, EBPF_W, EBPF_R2, EBPF_R1, 0);
	ebpf_st(a, EBPF_W, EBPF_FP, SAMPLE(weight), EBPF_R2);
	ebpf_ld(a, EBPF_W, EBPF_R3, EBPF_R1, 4);
	ebpf_ld(a, EBPF_W, EBPF_R2, REG_FRAME, F(wire));
	ebpf_jmp(a, EBPF_JLE, EBPF_R3, EBPF_R2, whole);
	ebpf_mov(a, EBPF_R3, EBPF_R2);
	ebpf_here(a, whole);
	ebpf_st(a, EBPF_W, EBPF_FP, SAMPLE(caplen), EBPF_R3);
	/* The upper half of the flags is how many bytes of the frame are to follow. */
	ebpf_alu_imm(a, EBPF_LSH, EBPF_R3, 32);
	ebpf_ld_imm64(a, EBPF_R2, CURRENT_CPU);
	ebpf_alu(a, EBPF_OR, EBPF_R3, EBPF_R2);
	ebpf_ld(a, EBPF_DW, EBPF_R1, EBPF_FP, STACK_CTX);
	ebpf_ld_map(a, EBPF_R2, b->samples);
	ebpf_mov(a, EBPF_R4, EBPF_FP);
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R4, STACK_SAMPLE);
	ebpf_mov_imm(a, EBPF_R5, sizeof(struct obj_sample));
	ebpf_call(a, EBPF_PERF_EVENT_OUTPUT);
	ebpf_here(a, not_sampled);
}

/* The verdict is in R8. */
static void
leave(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t no_stats = ebpf_label(a), passed = ebpf_label(a), counted = ebpf_label(a);
	const uint32_t dropped = ebpf_label(a);

	obj_lookup_at(b, b->stats, 0, no_stats);
	ebpf_ld(a, EBPF_B, EBPF_R1, REG_FRAME, F(sampled));
	obj_add_reg(b, EBPF_R0, S(sampled));
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(overflow));
	obj_add_reg(b, EBPF_R0, S(transparent_overflow));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R8, EBPF_XDP_PASS, passed);
	obj_add(b, EBPF_R0, S(dropped), 1);
	ebpf_ja(a, counted);
	ebpf_here(a, passed);
	obj_add(b, EBPF_R0, S(passed), 1);
	ebpf_here(a, no_stats);
	ebpf_here(a, counted);
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R8, EBPF_XDP_PASS, dropped);
	count_would_passed(b);
	ebpf_here(a, dropped);
	if (b->plan->opts.sampling)
		take_sample(b);
	if (b->plan->hook_name != NULL) {
		ebpf_ld(a, EBPF_DW, EBPF_R1, EBPF_FP, STACK_CTX);
		ebpf_ld_map(a, EBPF_R2, b->hook);
		ebpf_mov(a, EBPF_R3, EBPF_R8);
		ebpf_call(a, EBPF_TAIL_CALL);
	}
	ebpf_mov(a, EBPF_R0, EBPF_R8);
	ebpf_exit(a);
}

/* The rule in f->slot drops the frame, unless it is vital. */
static void
end_drop(struct obj *b, uint32_t out)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t uncounted = ebpf_label(a), vital = ebpf_label(a), drop = ebpf_label(a);

	ebpf_here(a, b->end_drop);
	key_of_slot(b);
	obj_count(b, uncounted);
	ebpf_ld(a, EBPF_B, EBPF_R1, REG_FRAME, F(vital));
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R1, 0, vital);
	obj_add(b, EBPF_R0, C(dropped), 1);
	ebpf_ja(a, drop);
	ebpf_here(a, vital);
	obj_add(b, EBPF_R0, C(protected), 1);
	obj_lookup_at(b, b->stats, 0, b->end_none);
	obj_add(b, EBPF_R0, S(protected), 1);
	ebpf_ja(a, b->end_none);
	ebpf_here(a, uncounted);
	ebpf_here(a, drop);
	ebpf_mov_imm(a, EBPF_R8, EBPF_XDP_DROP);
	ebpf_ja(a, out);
}

void
obj_ends(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t out = ebpf_label(a);

	end_drop(b, out);
	ebpf_here(a, b->end_pass);
	key_of_slot(b);
	obj_count(b, b->end_none);
	ebpf_here(a, b->end_none);
	ebpf_mov_imm(a, EBPF_R8, EBPF_XDP_PASS);
	ebpf_here(a, out);
	leave(b);
}
