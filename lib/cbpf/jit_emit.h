/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_EMIT_H
#define CBPF_JIT_EMIT_H

#include <stddef.h>

#include "jit_plan.h"

/* Labels: one per block by its index, and behind them the shared "return 0". */
static inline uint32_t
emit_nlabels(const struct plan_list *p)
{
	return p->ir->nblocks + 1;
}

/* A program of a chain, see struct cbpf_link. */
struct emit_link {
	const struct plan_list *plan; /* NULL: it matches where it is asked */
	uint32_t mask, val;
	uint32_t number;
	uint32_t label; /* its first */
};

/* What emit_chain() keeps in registers all the time, as bits. */
#define EMIT_CHAIN_LEN R9
#define EMIT_CHAIN_TAKEN (1u << EMIT_CHAIN_LEN | 1u << R10 | 1u << R11)

/* Labels of @l: a plan's, or one. */
static inline uint32_t
emit_link_nlabels(const struct emit_link *l)
{
	return l->plan != NULL ? emit_nlabels(l->plan) : 1;
}

/* Spell the @n links at @b; plans were made with EMIT_CHAIN_TAKEN and EMIT_CHAIN_LEN. */
void emit_chain(struct x86_buf *b, const struct emit_link *links, size_t n);

/* Spell @p in machine code at @b, whose labels and jumps belong to this plan. */
void emit_plan(struct x86_buf *b, const struct plan_list *p);

#endif
