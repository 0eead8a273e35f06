/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_LOWER_IMPL_H
#define EBPF_LOWER_IMPL_H

/*
 * Lowering one classic program, for whatever kind of eBPF program. What is the
 * same everywhere (arithmetic, jumps, memory words) is in lower.c; how a packet
 * is read differs and is a struct lower_kind.
 *
 * A is in R0. Values are 32 bits, zero-extended, except behind a byte swap:
 * there the verifier knows nothing of the upper half, which is 0 all the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebpf/asm.h"

struct cbpf_insn;
struct ebpf_pkt;
struct plan_need;

/*
 * What is known wherever an instruction is reached from. The bounds are no
 * better than the verifier's own, or it would refuse what is built on them.
 */
struct lower_state {
	bool reached;
	bool xptr; /* the pointer register is start + X, checked for xwin bytes */
	uint32_t xwin;
	uint32_t abs; /* bytes at the start that were checked */
	uint32_t amax, xmax; /* A and X are never above */
};

struct lower {
	struct ebpf_asm *a;
	const struct lower_kind *kind;
	const struct ebpf_pkt *pkt; /* NULL for socket filters */
	const struct cbpf_insn *insns;
	const struct plan_need *needs;
	struct lower_state *states; /* on entry of each instruction */
	uint32_t labels; /* the first of n, one for each instruction */
	uint32_t match, nomatch;
	enum ebpf_reg x;
	enum ebpf_reg zero; /* 0 that the verifier takes for anything, see forget_a() */
	uint32_t max; /* no load reaches beyond it */
	int16_t mem_slot;
};

/* @need is what the instruction in hand and all behind it need. */
struct lower_kind {
	/* A = @size bytes at @k, or at X + @k. */
	void (*abs)(struct lower *l, struct lower_state *s, const struct plan_need *need,
		uint32_t k, enum ebpf_size size);
	void (*ind)(struct lower *l, struct lower_state *s, const struct plan_need *need,
		uint32_t k, enum ebpf_size size);
	/* X = 4 * (byte at @k & 15) */
	void (*msh)(
		struct lower *l, struct lower_state *s, const struct plan_need *need, uint32_t k);
	void (*len)(struct lower *l, enum ebpf_reg dst); /* @dst = ld #len */
	void (*set_zero)(struct lower *l);
	void (*ret_k)(struct lower *l, uint32_t k); /* k is not 0 */
	void (*ret_a)(struct lower *l);
};

/* Lower all of @prog; fails by @l->a only. What @l points to is made here, but a, kind and pkt. */
struct cbpf_prog;
void lower_prog(struct lower *l, const struct cbpf_prog *prog);

#endif
