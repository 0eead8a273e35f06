/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_EMIT_H
#define CBPF_JIT_EMIT_H

#include "jit_plan.h"

/* Labels: one per block by its index, and behind them the shared "return 0". */
static inline uint32_t
emit_nlabels(const struct plan_list *p)
{
	return p->ir->nblocks + 1;
}

/* Spell @p in machine code at @b, whose labels and jumps belong to this plan. */
void emit_plan(struct x86_buf *b, const struct plan_list *p);

#endif
