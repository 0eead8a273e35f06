// SPDX-License-Identifier: BSD-3-Clause
/* One rule: its scope, its switch, its programs, and what a match does. */
#include "base/util.h"
#include "cbpf/prog.h"
#include "ebpf/lower.h"
#include "obj.h"

#define C(field) ((int32_t)offsetof(struct obj_counters, field))

/* Where a datagram may begin for the verifier; XDP knows no frames as long as that. */
#define START_MASK 0x3fff

/* ---- lists and tables ---- */

/*
 * On to @none unless R1 lies in a range of table @t. The place goes through the
 * map's value at each step, so that the verifier sees one number, not all that
 * there might have been.
 */
static void
search4(struct obj *b, uint32_t t, uint32_t none)
{
	const struct plan_table *table = &b->plan->tables.v[t];
	const int32_t bytes = sizeof(struct plan_range4);
	struct ebpf_asm *a = &b->a;

	ebpf_mov_imm(a, EBPF_R4, 0);
	ebpf_ld_data(a, EBPF_R3, EBPF_RODATA, b->tables[t]);
	for (uint32_t step = table->size / 2; step > 0; step /= 2) {
		const uint32_t below = ebpf_label(a);

		ebpf_mov(a, EBPF_R2, EBPF_R3);
		ebpf_alu(a, EBPF_ADD, EBPF_R2, EBPF_R4);
		ebpf_alu_imm(a, EBPF_ADD, EBPF_R2, (int32_t)step * bytes);
		ebpf_ld(a, EBPF_W, EBPF_R0, EBPF_R2, 0);
		ebpf_jmp(a, EBPF_JLT, EBPF_R1, EBPF_R0, below);
		ebpf_alu_imm(a, EBPF_ADD, EBPF_R4, (int32_t)step * bytes);
		ebpf_here(a, below);
		ebpf_st(a, EBPF_W, REG_FRAME, F(index), EBPF_R4);
		ebpf_ld(a, EBPF_W, EBPF_R4, REG_FRAME, F(index));
		/* What is to come fits behind it: the lower bits are still 0. */
		ebpf_alu_imm(a, EBPF_AND, EBPF_R4, (int32_t)(table->size - step) * bytes);
	}
	ebpf_alu(a, EBPF_ADD, EBPF_R3, EBPF_R4);
	ebpf_ld(a, EBPF_W, EBPF_R0, EBPF_R3, 0);
	ebpf_jmp(a, EBPF_JLT, EBPF_R1, EBPF_R0, none);
	ebpf_ld(a, EBPF_W, EBPF_R0, EBPF_R3, 4);
	ebpf_jmp(a, EBPF_JGT, EBPF_R1, EBPF_R0, none);
}

/* Compare R1, R2 (an address, the upper half first) with the one at @reg + @off. */
static void
compare6(struct obj *b, enum ebpf_reg reg, int32_t off, uint32_t below, uint32_t above)
{
	struct ebpf_asm *a = &b->a;

	ebpf_ld(a, EBPF_DW, EBPF_R0, reg, off);
	ebpf_jmp(a, EBPF_JLT, EBPF_R1, EBPF_R0, below);
	ebpf_jmp(a, EBPF_JGT, EBPF_R1, EBPF_R0, above);
	ebpf_ld(a, EBPF_DW, EBPF_R0, reg, off + 8);
	ebpf_jmp(a, EBPF_JLT, EBPF_R2, EBPF_R0, below);
	ebpf_jmp(a, EBPF_JGT, EBPF_R2, EBPF_R0, above);
}

/* The same for the address in R1 and R2. */
static void
search6(struct obj *b, uint32_t t, uint32_t none)
{
	const struct plan_table *table = &b->plan->tables.v[t];
	const int32_t bytes = sizeof(struct plan_range6);
	struct ebpf_asm *a = &b->a;
	const uint32_t from = ebpf_label(a), in = ebpf_label(a);

	ebpf_mov_imm(a, EBPF_R4, 0);
	ebpf_ld_data(a, EBPF_R3, EBPF_RODATA, b->tables[t]);
	for (uint32_t step = table->size / 2; step > 0; step /= 2) {
		const uint32_t below = ebpf_label(a), above = ebpf_label(a);

		ebpf_mov(a, EBPF_R5, EBPF_R3);
		ebpf_alu(a, EBPF_ADD, EBPF_R5, EBPF_R4);
		ebpf_alu_imm(a, EBPF_ADD, EBPF_R5, (int32_t)step * bytes);
		compare6(b, EBPF_R5, 0, below, above);
		ebpf_here(a, above);
		ebpf_alu_imm(a, EBPF_ADD, EBPF_R4, (int32_t)step * bytes);
		ebpf_here(a, below);
		ebpf_st(a, EBPF_W, REG_FRAME, F(index), EBPF_R4);
		ebpf_ld(a, EBPF_W, EBPF_R4, REG_FRAME, F(index));
		ebpf_alu_imm(a, EBPF_AND, EBPF_R4, (int32_t)(table->size - step) * bytes);
	}
	ebpf_alu(a, EBPF_ADD, EBPF_R3, EBPF_R4);
	compare6(b, EBPF_R3, 0, none, from);
	ebpf_here(a, from);
	compare6(b, EBPF_R3, 16, in, none);
	ebpf_here(a, in);
}

/* On to @none unless R1 is in @list. */
static void
ask_list(struct obj *b, const struct plan_list *list, uint32_t none)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t in = ebpf_label(a);

	if (list->n > PLAN_INLINE_MAX) {
		search4(b, list->table, none);
		return;
	}
	for (uint32_t i = 0; i < list->n; i++) {
		ebpf_mov(a, EBPF_R2, EBPF_R1);
		ebpf_alu32_imm(a, EBPF_SUB, EBPF_R2, list->v[i].lo);
		ebpf_jmp32_imm(a, EBPF_JLE, EBPF_R2, list->v[i].hi - list->v[i].lo, in);
	}
	ebpf_ja(a, none);
	ebpf_here(a, in);
}

static void
ask_set(struct obj *b, const struct plan_set *set, int32_t field, uint32_t none)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t six = ebpf_label(a), in = ebpf_label(a);

	if (set->any)
		return;
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
	ebpf_ld(a, EBPF_DW, EBPF_R1, REG_FRAME, field);
	ebpf_ld(a, EBPF_DW, EBPF_R2, REG_FRAME, field + 8);
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R0, KEY_V6, six);
	if (set->has4)
		search4(b, set->table4, none);
	ebpf_ja(a, set->has4 ? in : none);
	ebpf_here(a, six);
	if (set->has6)
		search6(b, set->table6, none);
	else
		ebpf_ja(a, none);
	ebpf_here(a, in);
}

/* ---- scope ---- */

/* R0 = the key, masked. */
static void
masked_key(struct obj *b, uint32_t mask)
{
	ebpf_ld(&b->a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
	ebpf_alu32_imm(&b->a, EBPF_AND, EBPF_R0, mask);
}

static void
ask_proto_and_addrs(struct obj *b, const struct plan_rule *p, uint32_t none)
{
	struct ebpf_asm *a = &b->a;

	if (p->proto.n > 0) {
		ebpf_ld(a, EBPF_B, EBPF_R1, REG_FRAME, F(proto));
		ask_list(b, &p->proto, none);
	}
	ask_set(b, &p->dst, F(dst), none);
	ask_set(b, &p->src, F(src), none);
}

static void
ask_ports(struct obj *b, const struct plan_rule *p, uint32_t none)
{
	if (p->sport.n > 0) {
		ebpf_ld(&b->a, EBPF_H, EBPF_R1, REG_FRAME, F(sport));
		ask_list(b, &p->sport, none);
	}
	if (p->dport.n > 0) {
		ebpf_ld(&b->a, EBPF_H, EBPF_R1, REG_FRAME, F(dport));
		ask_list(b, &p->dport, none);
	}
}

/* Whether rule @i is in force: by its switch, else as the object says. */
static void
ask_switch(struct obj *b, size_t i, uint32_t none)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t by_object = ebpf_label(a), on = ebpf_label(a);

	obj_lookup_at(b, b->switches, (uint32_t)i, by_object);
	ebpf_ld(a, EBPF_W, EBPF_R1, EBPF_R0, 0);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R1, 1, on);
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R1, 0, none);
	ebpf_here(a, by_object);
	ebpf_ld_data(a, EBPF_R1, EBPF_RODATA, b->on + (uint32_t)i);
	ebpf_ld(a, EBPF_B, EBPF_R1, EBPF_R1, 0);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R1, 3);
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R1, 3, none);
	ebpf_here(a, on);
}

/* ---- programs ---- */

static const struct ebpf_pkt datagram = {
	.start = REG_DATA,
	.end = REG_END,
	.avail = REG_AVAIL,
	.len = EBPF_NO_REG,
	.len_slot = STACK_LEN,
	.mem_slot = STACK_MEM,
};

static const struct ebpf_pkt whole_frame = {
	.start = REG_DATA,
	.end = REG_END,
	.avail = EBPF_NO_REG,
	.len = EBPF_NO_REG,
	.len_slot = STACK_LEN,
	.mem_slot = STACK_MEM,
};

void
obj_swap_head(struct obj *b, uint32_t none)
{
	struct ebpf_asm *a = &b->a;

	obj_load_data(b);
	ebpf_ld(a, EBPF_H, EBPF_R4, REG_FRAME, F(bare));
	obj_at(b, EBPF_R4, 40, none);
	for (int32_t i = 0; i < 5; i++) {
		ebpf_ld(a, EBPF_DW, EBPF_R2, EBPF_R1, 8 * i);
		ebpf_ld(a, EBPF_DW, EBPF_R3, REG_FRAME, F(head) + 8 * i);
		ebpf_st(a, EBPF_DW, EBPF_R1, 8 * i, EBPF_R3);
		ebpf_st(a, EBPF_DW, REG_FRAME, F(head) + 8 * i, EBPF_R2);
	}
}

/* The datagram that begins at R2, R8 bytes of it readable, R3 by its header, is what a program sees. */
static void
run_from(struct obj *b, const struct cbpf_prog *prog, uint32_t match, uint32_t none)
{
	struct ebpf_asm *a = &b->a;

	ebpf_st(a, EBPF_DW, EBPF_FP, STACK_LEN, EBPF_R3);
	obj_load_data(b);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R2, START_MASK);
	ebpf_alu(a, EBPF_ADD, REG_DATA, EBPF_R2);
	ebpf_lower(a, prog, &datagram, match, none);
}

static void
load_datagram(struct obj *b)
{
	ebpf_ld(&b->a, EBPF_H, EBPF_R2, REG_FRAME, F(l3));
	ebpf_ld(&b->a, EBPF_W, REG_AVAIL, REG_FRAME, F(cap));
	ebpf_ld(&b->a, EBPF_W, EBPF_R3, REG_FRAME, F(len));
}

/*
 * A generated program on IPv6. Where there are extension headers, the header
 * without them is put right in front of L4 for as long as the program runs.
 */
static void
run_generated6(struct obj *b, const struct cbpf_prog *prog, uint32_t match, uint32_t none)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t plain = ebpf_label(a), hit = ebpf_label(a), miss = ebpf_label(a);
	const uint32_t back = ebpf_label(a), out = ebpf_label(a);

	load_datagram(b);
	masked_key(b, KEY_EXTS);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 0, plain);
	ebpf_ld(a, EBPF_H, EBPF_R4, REG_FRAME, F(bare));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R4, 0, none);
	obj_swap_head(b, none);
	load_datagram(b);
	ebpf_ld(a, EBPF_H, EBPF_R4, REG_FRAME, F(bare));
	ebpf_mov(a, EBPF_R5, EBPF_R4);
	ebpf_alu(a, EBPF_SUB, EBPF_R5, EBPF_R2);
	ebpf_alu(a, EBPF_SUB, REG_AVAIL, EBPF_R5);
	ebpf_alu(a, EBPF_SUB, EBPF_R3, EBPF_R5);
	ebpf_mov(a, EBPF_R2, EBPF_R4);
	ebpf_here(a, plain);
	run_from(b, prog, hit, miss);

	ebpf_here(a, miss);
	ebpf_st_imm(a, EBPF_B, REG_FRAME, F(hit), 0);
	ebpf_ja(a, back);
	ebpf_here(a, hit);
	ebpf_st_imm(a, EBPF_B, REG_FRAME, F(hit), 1);
	ebpf_here(a, back);
	masked_key(b, KEY_EXTS);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 0, out);
	obj_swap_head(b, out);
	ebpf_here(a, out);
	ebpf_ld(a, EBPF_B, EBPF_R0, REG_FRAME, F(hit));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 0, none);
	ebpf_ja(a, match);
}

static void
run_raw(struct obj *b, const struct plan_rule *p, uint32_t match, uint32_t none)
{
	const struct cbpf_prog *prog4 = plan_prog(p, 4), *prog6 = plan_prog(p, 6);
	const bool generated = p->r->m->generated;
	const uint32_t six = ebpf_label(&b->a);

	/* The key has been asked where a family has no program. */
	if (prog4 == prog6 && !generated) {
		load_datagram(b);
		run_from(b, prog4, match, none);
		ebpf_here(&b->a, six);
		return;
	}
	if (prog4 != NULL) {
		masked_key(b, KEY_V6);
		ebpf_jmp_imm(&b->a, EBPF_JNE, EBPF_R0, 0, prog6 != NULL ? six : none);
		load_datagram(b);
		run_from(b, prog4, match, none);
	}
	ebpf_here(&b->a, six);
	if (prog6 == NULL)
		return;
	if (generated) {
		run_generated6(b, prog6, match, none);
		return;
	}
	load_datagram(b);
	run_from(b, prog6, match, none);
}

static void
run_program(struct obj *b, const struct plan_rule *p, uint32_t match, uint32_t none)
{
	struct ebpf_asm *a = &b->a;

	if (p->r->m->scope_only) {
		ebpf_ja(a, match);
		return;
	}
	if (p->r->m->link == MATCH_LINK_RAW) {
		run_raw(b, p, match, none);
		return;
	}
	ebpf_ld(a, EBPF_W, EBPF_R3, REG_FRAME, F(wire));
	ebpf_st(a, EBPF_DW, EBPF_FP, STACK_LEN, EBPF_R3);
	obj_load_data(b);
	ebpf_lower(a, plan_prog(p, 4), &whole_frame, match, none);
}

/* ---- what a match does ---- */

/* A transparent rule: it is counted, and the search goes on. */
static void
see(struct obj *b, const struct plan_rule *p, uint32_t slot, uint32_t next)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t uncounted = ebpf_label(a), fresh = ebpf_label(a), known = ebpf_label(a);

	ebpf_st_imm(a, EBPF_W, EBPF_FP, STACK_KEY, (int32_t)slot);
	obj_count(b, uncounted);
	if (p->would_drop)
		obj_add(b, EBPF_R0, C(would_drop), 1);
	ebpf_here(a, uncounted);
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(n_seen));
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R1, 1);
	ebpf_st(a, EBPF_W, REG_FRAME, F(n_seen), EBPF_R1);
	if (slot + 1 < b->plan->n) {
		ebpf_jmp_imm(a, EBPF_JNE, EBPF_R1, PLAN_SEEN_MAX, fresh);
		ebpf_st_imm(a, EBPF_W, REG_FRAME, F(overflow), 1);
	}
	ebpf_here(a, fresh);
	if (p->is_shadow) {
		ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(shadow));
		ebpf_jmp32_imm(a, EBPF_JNE, EBPF_R1, UINT32_MAX, known);
		ebpf_st_imm(a, EBPF_W, REG_FRAME, F(shadow), (int32_t)slot);
	}
	ebpf_here(a, known);
	if (!p->would_drop)
		return;
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(n_would));
	ebpf_jmp_imm(a, EBPF_JGE, EBPF_R1, PLAN_SEEN_MAX, next);
	ebpf_mov(a, EBPF_R2, EBPF_R1);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R2, PLAN_SEEN_MAX - 1);
	ebpf_alu_imm(a, EBPF_LSH, EBPF_R2, 2);
	ebpf_alu(a, EBPF_ADD, EBPF_R2, REG_FRAME);
	ebpf_st_imm(a, EBPF_W, EBPF_R2, F(would), (int32_t)slot);
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R1, 1);
	ebpf_st(a, EBPF_W, REG_FRAME, F(n_would), EBPF_R1);
}

void
obj_rule(struct obj *b, size_t i)
{
	const struct plan_rule *p = &b->plan->rules[i];
	struct ebpf_asm *a = &b->a;
	const uint32_t next = ebpf_label(a), late = ebpf_label(a), match = ebpf_label(a);

	if (p->never) {
		ebpf_here(a, next);
		return;
	}
	if (!p->deciding) {
		ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(n_seen));
		ebpf_jmp_imm(a, EBPF_JGE, EBPF_R1, PLAN_SEEN_MAX, next);
	}
	if (p->has_late) {
		masked_key(b, p->late.mask);
		ebpf_jmp32_imm(a, EBPF_JEQ, EBPF_R0, p->late.val, late);
	}
	if (p->test.mask != 0) {
		masked_key(b, p->test.mask);
		ebpf_jmp32_imm(a, EBPF_JNE, EBPF_R0, p->test.val, next);
	}
	ask_ports(b, p, next);
	ask_proto_and_addrs(b, p, next);
	run_program(b, p, match, next);
	ebpf_here(a, late);
	if (p->has_late)
		ask_proto_and_addrs(b, p, next);
	ebpf_here(a, match);
	/* Last, since most rules are in force and most frames are not theirs. */
	ask_switch(b, i, next);
	if (p->deciding) {
		ebpf_st_imm(a, EBPF_W, REG_FRAME, F(slot), (int32_t)i);
		ebpf_ja(a, p->r->m->action == MATCH_DROP ? b->end_drop : b->end_pass);
	} else {
		see(b, p, (uint32_t)i, next);
	}
	ebpf_here(a, next);
}
