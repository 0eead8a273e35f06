/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_TEXT_H
#define CBPF_TEXT_H

/*
 * Programs as text, in and out. Readers give plain instructions; only
 * cbpf_prog_new() says whether they are a program. Any thread.
 */

#include <stddef.h>

#include "cbpf/insn.h"

struct diag;
struct sbuf;

/*
 * The assembler of bpf_asm(8): labels, ';' and C comments, jeq/jneq/jlt/jle
 * and friends, "ldx 4*([k]&0xf)", "ld #len", "ret #k|a|x".
 *
 * @ret_insns:	on success *@ret_n instructions, to be freed with mem_free()
 * @diag:	line and column in @text
 *
 * Returns 0, -EINVAL, -E2BIG (over CBPF_MAX_INSNS), -ENOMEM.
 */
int cbpf_asm(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);

/*
 * Append @insns as assembler that cbpf_asm() turns into the same instructions,
 * one a line, with labels where jumps go. Unknown opcodes become comments.
 */
void cbpf_dis(const struct cbpf_insn *insns, size_t n, struct sbuf *out);

/*
 * Read xt ("N,code jt jf k,..."), or tcpdump -ddd (N on a line, then one a
 * line), or a C array ("{ 0x28, 0, 0, 0x0000000c },", tcpdump -dd). All readers
 * accept a trailing comma, blanks and newlines; JSON, what cbpf_write_json()
 * writes, blanks and newlines. cbpf_read() takes any of these and assembler, by
 * the content. Results and errors as cbpf_asm().
 */
int cbpf_read_xt(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);
int cbpf_read_c_array(
	const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);
int cbpf_read_json(
	const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);
int cbpf_read(const char *text, struct cbpf_insn **ret_insns, size_t *ret_n, struct diag *diag);

/* Append @insns in the named format. xt and JSON are one line and a newline. */
void cbpf_write_xt(const struct cbpf_insn *insns, size_t n, struct sbuf *out);
void cbpf_write_ddd(const struct cbpf_insn *insns, size_t n, struct sbuf *out);
void cbpf_write_c_array(const struct cbpf_insn *insns, size_t n, struct sbuf *out);
void cbpf_write_json(const struct cbpf_insn *insns, size_t n, struct sbuf *out);

/*
 * Append a C function "uint32_t NAME(const uint8_t *data, uint32_t caplen,
 * uint32_t wirelen)" of the same meaning, complete with its includes.
 */
struct cbpf_prog;
void cbpf_write_c(const struct cbpf_prog *prog, const char *name, struct sbuf *out);

#endif
