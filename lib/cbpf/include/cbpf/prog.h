/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_PROG_H
#define CBPF_PROG_H

/*
 * A validated classic BPF program.
 *
 * A struct cbpf_prog exists only if its instructions passed validation, and it
 * never changes afterwards. Everything that takes one (interpreter, optimiser,
 * JIT, emitters) therefore has no error case for bad programs and may be used
 * from any thread.
 *
 * Meaning, for every engine: A and X start at 0; a load past @caplen ends the
 * program with 0, also where X + k passes 2^32; division or modulo by 0 ends it
 * with 0; a shift by 32 or more gives 0.
 */

#include <stddef.h>
#include <stdint.h>

struct cbpf_insn;
struct cbpf_prog;
struct diag;

#define CBPF_MAX_INSNS 4096 /* the kernel's BPF_MAXINSNS */

/*
 * Validate @n instructions and copy them into a new program.
 *
 * @n:		1..CBPF_MAX_INSNS
 * @ret_prog:	on success the new program, to be freed with cbpf_prog_free();
 *		not written to on failure
 * @diag:	on failure why; diag->line is the instruction, counted from 1
 *
 * Refused: unknown opcodes, jumps out of range, M[] index > 15, division by
 * constant zero, shifts by a constant >= 32, a last instruction that is no
 * return, a read of M[] before any store to it on some path (as Linux refuses),
 * Linux ancillary loads (negative k of an absolute load), by name.
 *
 * Returns 0, -EINVAL for a program that breaks a rule, -E2BIG for one that is
 * too long, -ENOMEM.
 */
int cbpf_prog_new(
	const struct cbpf_insn *insns, size_t n, struct cbpf_prog **ret_prog, struct diag *diag);

/* Free @prog. NULL is allowed. */
void cbpf_prog_free(struct cbpf_prog *prog);

/* The instructions; *@ret_n of them, valid as long as @prog. */
const struct cbpf_insn *cbpf_prog_insns(const struct cbpf_prog *prog, size_t *ret_n);

/*
 * Run @prog on one packet, by interpretation.
 *
 * @data:	first byte that the program calls 0
 * @caplen:	bytes readable at @data
 * @wirelen:	what "ld #len" reads; may be larger or smaller than @caplen
 *
 * Returns what the program returned: 0 is "no match", anything else a match.
 */
uint32_t cbpf_run(
	const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen, uint32_t wirelen);

/* A compiled program; the same parameters and result as cbpf_run() after @prog. */
typedef uint32_t (*cbpf_fn)(const uint8_t *data, uint32_t caplen, uint32_t wirelen);

#endif
