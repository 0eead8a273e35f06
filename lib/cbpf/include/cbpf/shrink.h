/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_SHRINK_H
#define CBPF_SHRINK_H

/*
 * Programs made shorter, from classic BPF to classic BPF, for those who count
 * instructions (xt_bpf takes 64). Any thread.
 */

#include <stddef.h>

#include "cbpf/insn.h"

struct cbpf_prog;
struct diag;

#define CBPF_XT_MAX_INSNS 64 /* xt_bpf's XT_BPF_MAX_NUM_INSTR */

/*
 * A program that returns what @prog returns, for every packet and every length,
 * and is no longer than it: jumps led past what is known, equal tails shared,
 * loads and stores that nobody needs left out, neighbouring compares merged.
 * A program that shrinks no further comes back as it is.
 *
 * @ret_insns:	on success *@ret_n instructions, to be freed with mem_free()
 *
 * Returns 0, -ENOMEM.
 */
int cbpf_shrink(const struct cbpf_prog *prog, struct cbpf_insn **ret_insns, size_t *ret_n);

/*
 * @prog as Linux must get it: Linux takes only the low five bits of the X that
 * it shifts by, so a test stands in front of each shift by an X that may be 32
 * or more, and gives 0 there; and where Linux would not see that a word of M[] is
 * written before it is read, it is written at the start. A program without both
 * comes back as it is, also one that went through here before.
 *
 * @ret_insns:	on success *@ret_n instructions, to be freed with mem_free()
 * @diag:	on failure why
 *
 * Returns 0, -EINVAL: all words of M[] are in use, so that there is no place to
 * keep A in, -E2BIG: more than CBPF_MAX_INSNS, -ENOMEM.
 */
int cbpf_linux(const struct cbpf_prog *prog, struct cbpf_insn **ret_insns, size_t *ret_n,
	struct diag *diag);

#endif
