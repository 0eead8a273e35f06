/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_JIT_EMIT_H
#define CBPF_JIT_EMIT_H

#include <stdbool.h>

#include "jit_plan.h"

/* Labels: one per block by its index, and behind them these. */
enum { EMIT_DROP, EMIT_NEXT, EMIT_END, EMIT_LABELS }; /* "return 0"; of chains: a frame, the end */

static inline uint32_t
emit_nlabels(const struct plan_list *p)
{
	return p->ir->nblocks + EMIT_LABELS;
}

/*
 * What a chain's function has at hand, see cbpf_chain_fn: the record, where its number
 * goes, and of the record what programs do not know.
 */
#define EMIT_RECORD RBX
#define EMIT_RESULT RBP
#define EMIT_ALLOWED R8
#define EMIT_SPORT R9
#define EMIT_KEY R10
#define EMIT_SAVED (1u << EMIT_RECORD | 1u << EMIT_RESULT)
#define EMIT_ARGS (EMIT_SAVED | 1u << EMIT_ALLOWED | 1u << EMIT_SPORT | 1u << EMIT_KEY)

struct cbpf_records;

/*
 * Spell @p in machine code at @b, whose labels and jumps belong to this plan.
 *
 * @records:	what a chain is asked about, which was made with EMIT_ARGS taken; or NULL
 */
void emit_plan(struct x86_buf *b, const struct plan_list *p, const struct cbpf_records *records);

#endif
