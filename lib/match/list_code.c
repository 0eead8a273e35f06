// SPDX-License-Identifier: BSD-3-Clause
/* Lanes of a list as machine code. */
#include <errno.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "list_build.h"

static const uint8_t kinds[LANE_KINDS] = {
	[LANE_ADD_VALUE] = CBPF_LANE_ADD_ROW,
	[LANE_SUB_VALUE] = CBPF_LANE_SUB_ROW,
	[LANE_XOR_VALUE] = CBPF_LANE_XOR_ROW,
	[LANE_ADD] = CBPF_LANE_ADD,
	[LANE_MUL] = CBPF_LANE_MUL,
	[LANE_AND] = CBPF_LANE_AND,
	[LANE_XOR] = CBPF_LANE_XOR,
	[LANE_SHIFT] = CBPF_LANE_SHIFT,
};

_Static_assert(LANE_OPS_MAX <= CBPF_LANE_OPS_MAX, "a lane is one of cbpf's");

static struct cbpf_lane
lane_of(struct list_builder *b, const struct list_entry *e)
{
	struct cbpf_lane r = {.start = list_start_row(b, e),
		.n_ops = e->lane.n_ops,
		.mask = e->lane.mask,
		.val = e->lane.val};

	for (uint32_t i = 0; i < r.n_ops; i++) {
		const struct lane_op *o = &e->lane.ops[i];

		r.ops[i] = (struct cbpf_lane_op){.kind = (enum cbpf_lane_kind)kinds[o->kind],
			.row = lane_has_value(o) ? list_operand_row(b, o) : 0,
			.k = o->k};
	}
	return r;
}

/* Which lanes of @block decide alone: rules of a list mostly ask the same of the key. */
static void
find_sure(const struct list *l, struct list_block *block)
{
	const struct scope_test never = {0, 1}, *sure = &l->sure[block->lane];

	block->sure = never;
	for (uint32_t k = 0; k < block->n && scope_test_equal(&block->sure, &never); k++)
		block->sure = sure[k];
	for (uint32_t k = 0; k < block->n; k++)
		block->is_sure[k / 64] |= (uint64_t)scope_test_equal(&sure[k], &block->sure)
			<< k % 64;
}

/* Code of the lanes of @part. @lanes is room for those of a block. */
static int
make_part(struct list_builder *b, struct list_part *part, struct cbpf_lane *lanes)
{
	struct list *l = b->l;
	int r = 0;

	part->block = l->n_blocks;
	for (uint32_t i = 0; i < part->n_lanes && r == 0; i += LIST_BLOCK) {
		struct list_block *block = &l->blocks[l->n_blocks++];

		block->lane = part->lane + i;
		block->n = MIN(part->n_lanes - i, LIST_BLOCK);
		find_sure(l, block);
		for (uint32_t k = 0; k < block->n; k++)
			lanes[k] = lane_of(b, &b->v[block->lane + k]);
		r = cbpf_jit_lanes(
			b->how->code, lanes, block->n, b->how->vectors, &block->fn, NULL);
	}
	part->n_blocks = l->n_blocks - part->block;
	return r;
}

int
list_code_make(struct list_builder *b)
{
	struct cbpf_lane *lanes = mem_calloc(LIST_BLOCK, sizeof(*lanes));
	const size_t used = cbpf_arena_used(b->how->code);
	struct list *l = b->l;
	int r = 0;

	l->blocks = mem_calloc(l->n_parts + l->n_lanes / LIST_BLOCK, sizeof(*l->blocks));
	if (lanes == NULL || l->blocks == NULL)
		r = -ENOMEM;
	for (uint32_t i = 0; i < l->n_parts && r == 0; i++)
		r = make_part(b, &l->parts[i], lanes);
	mem_free(lanes);
	l->bytes += l->n_blocks * sizeof(*l->blocks) + cbpf_arena_used(b->how->code) - used;
	/* There is room for all. */
	return r == -ENOSPC ? -ENOMEM : r;
}
