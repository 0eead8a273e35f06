/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_FLOW_H
#define CBPF_FLOW_H

/*
 * What is known where a program stands. Each value that a run may compute has a
 * number; two places with the same number hold the same value in one run. A
 * state says which number each register and word of M[] has, what tests said
 * about numbers on the way, and how far the packet is known to reach.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/insn.h"

struct gnode;

enum val_kind {
	VAL_NONE, /* number 0: not known, equal to nothing */
	VAL_CONST, /* k */
	VAL_LEN,
	VAL_LOAD, /* size op of the packet at a + k; a is 0 for a fixed place */
	VAL_MSH, /* 4 * (packet[k] & 15) */
	VAL_SUM, /* a + k; a is no sum and no constant */
	VAL_ALU, /* a op b; the opcode's high bits */
	VAL_PHI, /* what register b holds at node a, where ways meet */
};

struct val {
	uint8_t kind;
	uint8_t op;
	uint32_t a, b, k;
	uint32_t lo, hi; /* it is between these */
	uint32_t next; /* in its bucket */
};

#define VAL_BUCKETS 1024u

struct vals {
	struct val *v;
	size_t n, cap;
	bool failed; /* out of memory; all values are 0 from then on */
	uint32_t buckets[VAL_BUCKETS];
};

#define FLOW_FACTS 24 /* the oldest goes; most programs have fewer open questions */
#define FLOW_REACHES 8

/* The test @code with @k, or with the value @k when it is one with X, of value @v gave @holds. */
struct fact {
	uint32_t v, k;
	uint32_t code;
	bool holds;
};

struct state {
	uint32_t a, x, m[CBPF_MEM_WORDS];
	uint64_t abs_end; /* the packet has as many bytes, at least */
	struct {
		uint32_t base; /* a value */
		uint64_t end; /* the packet reaches to base + end, at least */
	} reach[FLOW_REACHES];
	struct fact facts[FLOW_FACTS];
	uint8_t n_reach, n_facts;
	bool reached;
};

/* Start anew. */
int vals_init(struct vals *vs);
void vals_fini(struct vals *vs);

/* What the program starts with. */
void state_init(struct vals *vs, struct state *s);

/* @in, which nobody reached so far or others did before, is reached with @s too, at node @at. */
void state_meet(struct vals *vs, struct state *in, const struct state *s, uint32_t at);

/* The number's value when it is a constant. */
bool val_is_const(const struct vals *vs, uint32_t v, uint32_t *ret);

/* What register or word @where holds at node @at, where ways meet; its bounds are the caller's. */
uint32_t val_phi(struct vals *vs, uint32_t at, uint32_t where);

/* What A, X or M[] gets by @n, which is no test, no return and no jump. */
uint32_t flow_result(struct vals *vs, const struct state *s, const struct gnode *n);

/* Whether @n cannot end the program in @s: its bytes are known to be there, it divides by no 0. */
bool flow_is_safe(const struct vals *vs, const struct state *s, const struct gnode *n);

/* @s knows that the load @n was there. */
void flow_reach(const struct vals *vs, struct state *s, const struct gnode *n);

/* @s behind @n. */
void flow_step(struct vals *vs, struct state *s, const struct gnode *n);

/* What test @n gives in @s: 1, 0, or -1 when that is not known. */
int flow_decide(const struct vals *vs, const struct state *s, const struct gnode *n);

/* @s behind the test @n, which gave @holds. */
void flow_learn(const struct vals *vs, struct state *s, const struct gnode *n, bool holds);

/*
 * Value @v as @ret_base + *@ret_k, without wrapping: a value with a constant
 * that was added to it, or (@v, 0).
 */
void val_split(const struct vals *vs, uint32_t v, uint32_t *ret_base, uint32_t *ret_k);

#endif
