/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_EMIT_H
#define GEN_EMIT_H

/*
 * A program under construction: instructions whose branches name labels, and
 * comments between them. Errors are sticky, as in struct sbuf; gen_emit_done()
 * reports them. From one list come both the instructions and their text, so
 * that the two cannot differ. One thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct gen_out;

struct gen_item; /* instruction, label or comment; in emit.c */

struct gen_emit {
	struct {
		struct gen_item *v;
		size_t n, cap;
	} items;
	int n_labels;
	size_t n_insns; /* far branches not counted */
	int err; /* -ENOMEM or -E2BIG, kept */
};

#define GEN_EMIT_INIT \
	{ \
		{NULL, 0, 0}, 0, 0, 0 \
	}

/* A new label, to be placed once and jumped to only from before that place. */
int gen_emit_label(struct gen_emit *e);
void gen_emit_place(struct gen_emit *e, int label);

/* An instruction that is no branch. */
void gen_emit_op(struct gen_emit *e, uint16_t code, uint32_t k);

/*
 * A branch (or "ja") to @label when the test of @code with @k comes out as
 * @when, else to the next instruction. Any distance.
 */
void gen_emit_jump(struct gen_emit *e, uint16_t code, uint32_t k, bool when, int label);

/* A branch to @yes when the test holds, else to @no. Any distance. */
void gen_emit_branch(struct gen_emit *e, uint16_t code, uint32_t k, int yes, int no);

/*
 * X = where L4 (@what: "UDP", "TCP") starts, for the family and offset of @opts.
 * Behind extension headers, if those are asked for, the protocol is tested too: what
 * is of another, is no first fragment, or has too many headers ends with 0.
 */
struct gen_opts;
void gen_emit_l4(struct gen_emit *e, const struct gen_opts *opts, const char *what);

/*
 * The program's two returns: what falls through here is a match or not (@falls),
 * what jumps to @other, which is placed here, is the other.
 */
void gen_emit_ends(struct gen_emit *e, const struct gen_opts *opts, bool falls, int other);

/* A comment line of its own, without the ';'. */
void gen_emit_note(struct gen_emit *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Resolve all labels into @ret_out->insns, n and text; the scope is left alone.
 * Returns 0, -E2BIG over CBPF_MAX_INSNS, -ENOMEM.
 */
int gen_emit_done(struct gen_emit *e, struct gen_out *ret_out, struct diag *diag);

void gen_emit_fini(struct gen_emit *e);

#endif
