// SPDX-License-Identifier: BSD-3-Clause
/* A plan as an object file: maps, constants, and the programs of the chain. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "obj.h"

#define CHAIN_NAME 40 /* bytes of a program's name */
#define ENDS_EVERY 24000 /* instructions; the kernel makes some more of them */
#define RULE_SIZE 400
#define INSN_SIZE 4 /* instructions that one of a long program becomes */

static const struct ebpf_field counters_fields[] = {
	{"packets", 8},
	{"bytes", 8},
	{"dropped", 8},
	{"would_drop", 8},
	{"would_drop_passed", 8},
	{"protected", 8},
	{0},
};

static const struct ebpf_field stats_fields[] = {
	{"rx", 8},
	{"rx_bytes", 8},
	{"dropped", 8},
	{"passed", 8},
	{"sampled", 8},
	{"truncated", 8},
	{"malformed", 8},
	{"protected", 8},
	{"transparent_overflow", 8},
	{"chain_broken", 8},
	{0},
};

static const struct ebpf_field switch_fields[] = {
	{"state", 4},
	{0},
};

static int
add_maps(struct obj *b, struct diag *diag)
{
	const struct xdp_plan *plan = b->plan;
	const uint32_t slots = (uint32_t)MAX(plan->n, (size_t)1);
	const struct {
		struct ebpf_map map;
		uint32_t *ret;
		bool wanted;
	} maps[] = {
		{{"sluice_frame", EBPF_MAP_PERCPU_ARRAY, 4, sizeof(struct obj_frame), 1, 0, NULL,
			 false},
			&b->frame, true},
		{{"sluice_counters", EBPF_MAP_PERCPU_ARRAY, 4, sizeof(struct obj_counters), slots,
			 0, counters_fields, false},
			&b->counters, true},
		{{"sluice_switch", EBPF_MAP_ARRAY, 4, 4, slots, 0, switch_fields, false},
			&b->switches, true},
		{{"sluice_stats", EBPF_MAP_PERCPU_ARRAY, 4, sizeof(struct obj_stats), 1, 0,
			 stats_fields, false},
			&b->stats, true},
		{{"sluice_samples", EBPF_MAP_PERF_EVENT_ARRAY, 4, 4, 0, 0, NULL, false},
			&b->samples, plan->opts.sampling},
		{{"sluice_chain", EBPF_MAP_PROG_ARRAY, 4, 4, (uint32_t)plan->chunks.n, 0, NULL,
			 false},
			&b->chain, plan->chunks.n > 1},
		{{plan->hook_name, EBPF_MAP_PROG_ARRAY, 4, 4, XDP_HOOK_ENTRIES, 0, NULL,
			 plan->hook_by_name},
			&b->hook, plan->hook_name != NULL},
	};
	int r = 0;

	for (size_t i = 0; i < DIM(maps) && r == 0; i++)
		if (maps[i].wanted)
			r = ebpf_object_map(b->o, &maps[i].map, maps[i].ret, diag);
	return r;
}

/* The switches' first states, names and locations of the rules. */
static int
add_rules(struct obj *b, struct diag *diag)
{
	const struct xdp_plan *plan = b->plan;
	const size_t n = MAX(plan->n, (size_t)1), where = plan->locations_bytes;
	uint8_t *on = mem_calloc(n, 1);
	char *names = mem_calloc(n, XDP_NAME_BYTES), *places = mem_calloc(n, where);
	uint32_t off;
	int r = -ENOMEM;

	if (on == NULL || names == NULL || places == NULL)
		goto out;
	for (size_t i = 0; i < plan->n; i++) {
		const struct xdp_rule *rule = plan->rules[i].r;

		on[i] = (uint8_t)(rule->on + 2 * rule->here);
		memcpy(names + i * XDP_NAME_BYTES, rule->m->name, strlen(rule->m->name));
		memcpy(places + i * where, rule->locations, strlen(rule->locations));
	}
	r = ebpf_object_data(b->o, EBPF_RODATA, "sluice_on", on, (uint32_t)n, &b->on, diag);
	if (r == 0)
		r = ebpf_object_data(b->o, EBPF_RODATA, "sluice_names", names,
			(uint32_t)(n * XDP_NAME_BYTES), &off, diag);
	if (r == 0)
		r = ebpf_object_data(b->o, EBPF_RODATA, "sluice_where", places,
			(uint32_t)(n * where), &off, diag);
out:
	mem_free(on);
	mem_free(names);
	mem_free(places);
	return r;
}

static int
add_constants(struct obj *b, struct diag *diag)
{
	const struct xdp_plan *plan = b->plan;
	const uint32_t sample[3] = {plan->opts.sample_one_in, plan->opts.snaplen,
		plan_sample_max(plan->opts.sample_one_in)};
	int r = add_rules(b, diag);

	if (r == 0)
		r = ebpf_object_data(b->o, EBPF_RODATA, "sluice_sample", sample, sizeof(sample),
			&b->sample, diag);
	for (size_t i = 0; i < plan->tables.n && r == 0; i++) {
		const struct plan_table *t = &plan->tables.v[i];
		const size_t bytes =
			t->wide ? sizeof(struct plan_range6) : sizeof(struct plan_range4);
		char name[24];

		(void)snprintf(name, sizeof(name), "t%zu", i);
		r = ebpf_object_data(b->o, EBPF_RODATA, name, t->v, (uint32_t)(t->size * bytes),
			&b->tables[i], diag);
	}
	return r;
}

static const char *
program_name(size_t chunk, char name[CHAIN_NAME])
{
	if (chunk == 0)
		(void)snprintf(name, CHAIN_NAME, "sluice_xdp");
	else
		(void)snprintf(name, CHAIN_NAME, "sluice_xdp_%zu", chunk);
	return name;
}

/* On to the next program; should it not be there, nobody decides. */
static void
go_on(struct obj *b, size_t next)
{
	struct ebpf_asm *a = &b->a;

	ebpf_ld(a, EBPF_DW, EBPF_R1, EBPF_FP, STACK_CTX);
	ebpf_ld_map(a, EBPF_R2, b->chain);
	ebpf_mov_imm(a, EBPF_R3, (int32_t)next);
	ebpf_call(a, EBPF_TAIL_CALL);
	obj_lookup_at(b, b->stats, 0, b->end_none);
	obj_add(b, EBPF_R0, (int32_t)offsetof(struct obj_stats, chain_broken), 1);
}

static void
new_ends(struct obj *b)
{
	b->end_pass = ebpf_label(&b->a);
	b->end_drop = ebpf_label(&b->a);
	b->end_none = ebpf_label(&b->a);
	b->ends_at = b->a.insns.n;
}

/* What rule @i may take, in instructions, generously. */
static size_t
rule_size(const struct xdp_plan *plan, size_t i)
{
	const struct plan_rule *p = &plan->rules[i];

	return RULE_SIZE + INSN_SIZE * (plan_prog_len(p, 4) + plan_prog_len(p, 6));
}

/* Jumps reach no further than 32,767: now and then the ends stand between two rules. */
static void
put_ends_before(struct obj *b, size_t i)
{
	const size_t used = b->a.insns.n - b->ends_at;
	const uint32_t over = ebpf_label(&b->a);

	if (used == 0 || used + rule_size(b->plan, i) <= ENDS_EVERY) {
		ebpf_here(&b->a, over);
		return;
	}
	ebpf_ja(&b->a, over);
	obj_ends(b);
	ebpf_here(&b->a, over);
	new_ends(b);
}

static void
put_program(struct obj *b, size_t chunk)
{
	const struct xdp_plan *plan = b->plan;
	struct ebpf_asm *a = &b->a;
	const uint32_t frame = ebpf_label(a), no_frame = ebpf_label(a);

	ebpf_st(a, EBPF_DW, EBPF_FP, STACK_CTX, EBPF_R1);
	obj_lookup_at(b, b->frame, 0, no_frame);
	ebpf_ja(a, frame);
	ebpf_here(a, no_frame);
	ebpf_mov_imm(a, EBPF_R0, EBPF_XDP_PASS);
	ebpf_exit(a);
	ebpf_here(a, frame);
	ebpf_mov(a, REG_FRAME, EBPF_R0);
	if (chunk == 0) {
		obj_parse(b);
		obj_vital(b);
		obj_begin_books(b);
	}
	new_ends(b);
	for (size_t i = plan->chunks.v[chunk]; i < plan_chunk_end(plan, chunk); i++) {
		put_ends_before(b, i);
		obj_rule(b, i);
	}
	if (chunk + 1 < plan->chunks.n)
		go_on(b, chunk + 1);
	ebpf_ja(a, b->end_none);
	obj_ends(b);
}

static int
add_program(struct obj *b, size_t chunk, struct diag *diag)
{
	char name[CHAIN_NAME];
	int r;

	ebpf_asm_init(&b->a);
	put_program(b, chunk);
	r = ebpf_asm_finish(&b->a, diag);
	if (r == 0)
		r = ebpf_object_prog(b->o, "xdp", program_name(chunk, name), &b->a, diag);
	if (r == 0 && chunk > 0)
		r = ebpf_object_map_prog(b->o, b->chain, (uint32_t)chunk, name, diag);
	ebpf_asm_fini(&b->a);
	return r;
}

int
xdp_write_object(const struct xdp_plan *plan, struct sbuf *out, struct diag *diag)
{
	struct obj b = {.plan = plan};
	int r;

	b.tables = mem_calloc(plan->tables.n + 1, sizeof(*b.tables));
	r = b.tables != NULL ? ebpf_object_new(&b.o) : -ENOMEM;
	if (r == 0)
		r = add_maps(&b, diag);
	if (r == 0)
		r = add_constants(&b, diag);
	for (size_t i = 0; i < plan->chunks.n && r == 0; i++)
		r = add_program(&b, i, diag);
	if (r == 0)
		r = ebpf_object_write(b.o, out, diag);
	ebpf_object_free(b.o);
	mem_free(b.tables);
	return r == -ENOMEM ? diag_fail(diag, r, "out of memory") : r;
}
