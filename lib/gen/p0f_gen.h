/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_P0F_GEN_H
#define GEN_P0F_GEN_H

/*
 * From a p0f signature to a program, in parts: p0f.c tests the headers,
 * p0f_opts.c the TCP options, p0f_win.c the window. All of p0f 3.09's own rules
 * (process.c, fp_tcp.c) for an exact match; its fuzzy matches are left out.
 *
 * With the length of the IP options known, TCP starts at a constant offset. It
 * stays constant to the end of the TCP header unless an option of variable
 * length (sack, ?N) stands in the layout; behind one, X holds the offset.
 */

#include <stdbool.h>
#include <stdint.h>

#include "emit.h"
#include "p0f_sig.h"

/* Scratch words; see cbpf's limit of 16. */
enum {
	P0F_M_MSS, /* value of the last mss option */
	P0F_M_TS1, /* own value of the last ts option */
	P0F_M_END, /* offset behind the TCP header */
	P0F_M_BAD, /* non-zero when an option's length byte was wrong */
	P0F_M_LINUX, /* low half of the first ts option's own value */
	P0F_M_SEEN, /* first of one word a quirk that several options can cause */
};

/* A run of masked equalities on neighbouring bytes, tested with as few loads as possible. */
#define P0F_RUN_MAX 64
struct p0f_run {
	uint8_t val[P0F_RUN_MAX], mask[P0F_RUN_MAX];
};

struct p0f_gen {
	struct gen_emit *e;
	struct p0f_sig s; /* quirks of the other family removed */
	uint8_t family;
	bool synack;
	uint32_t l3, l4; /* offsets of the headers in the packet */
	uint32_t fixed_doff; /* bytes of TCP header when constant, else 0 */
	int fail; /* label */
};

/* Test byte @off of the run against @val under @mask. */
void p0f_want(struct p0f_run *run, uint32_t off, uint8_t val, uint8_t mask);
void p0f_want16(struct p0f_run *run, uint32_t off, uint16_t val, uint16_t mask);

/* Emit the tests of @run, whose byte 0 is at @base (at X + @base when @indirect), and clear it. */
void p0f_run_emit(struct p0f_gen *g, struct p0f_run *run, uint32_t base, bool indirect);

/*
 * Whether a header can have these options and quirks; sets @g->fixed_doff.
 * Returns 0, -EINVAL.
 */
struct diag;
int p0f_opts_check(struct p0f_gen *g, struct diag *diag);

#define P0F_WHOLE (-1)
/*
 * Emit the tests of the options and of where they end. @header is the pending
 * run over the TCP header, whose byte 0 is at @g->l4.
 *
 * @cut:	P0F_WHOLE, or the kind of one more option behind the layout that
 *		does not fit into the header ("bad")
 */
void p0f_opts_emit(struct p0f_gen *g, struct p0f_run *header, int cut);

/* True when an option of @kind can be cut off by the end of the header. */
bool p0f_opt_can_be_cut(uint8_t kind);

/* Emit the test of a window that depends on other fields. -EINVAL: cannot be. */
int p0f_win_check(const struct p0f_gen *g, struct diag *diag);
void p0f_win_emit(struct p0f_gen *g);

/* True when p0f_win_emit() will read M[MSS], M[TS1]. */
bool p0f_win_needs_mss(const struct p0f_gen *g);
bool p0f_win_needs_ts1(const struct p0f_gen *g);

/* How many options of @kind the layout has. */
unsigned int p0f_opts_count(const struct p0f_sig *s, uint8_t kind);

#endif
