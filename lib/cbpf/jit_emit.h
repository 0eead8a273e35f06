/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_EMIT_H
#define CBPF_JIT_EMIT_H

#include <stdbool.h>

#include "jit_plan.h"

/* Labels: one per block by its index, and behind them the shared "return 0". */
static inline uint32_t
emit_nlabels(const struct plan_list *p)
{
	return p->ir->nblocks + 1;
}

/*
 * Where the arguments of a chain's function are, see cbpf_chain_fn: as they come, but for the key,
 * which comes in a scratch register.
 */
#define EMIT_ALLOWED R8
#define EMIT_SPORT R9
#define EMIT_KEY R10
#define EMIT_ARGS (1u << EMIT_ALLOWED | 1u << EMIT_SPORT | 1u << EMIT_KEY)

/*
 * Spell @p in machine code at @b, whose labels and jumps belong to this plan.
 *
 * @is_chain:	it has arguments, and was made with EMIT_ARGS taken
 */
void emit_plan(struct x86_buf *b, const struct plan_list *p, bool is_chain);

#endif
