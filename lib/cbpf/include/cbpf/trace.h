/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_TRACE_H
#define CBPF_TRACE_H

/*
 * A program's way through one packet, step by step, and why it ended where it
 * did: for people who ask why a frame does not match. Slow and complete where
 * cbpf_run() is fast; the results are the same. Any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/alu.h"

struct cbpf_prog;

/* Where a register's value comes from. */
enum cbpf_origin_kind {
	CBPF_ORIGIN_OTHER, /* of several values, or of none */
	CBPF_ORIGIN_CONST,
	CBPF_ORIGIN_LOAD, /* size bytes at off, then ops */
	CBPF_ORIGIN_MSH, /* 4 * (byte at off & 15), then ops */
	CBPF_ORIGIN_LEN, /* the length, then ops */
};

#define CBPF_ORIGIN_OPS 3

struct cbpf_origin {
	enum cbpf_origin_kind kind;
	uint32_t off; /* bytes from the program's byte 0 */
	uint8_t size; /* 1, 2, 4 */
	uint8_t n_ops;
	uint32_t loaded; /* before all ops */
	struct {
		enum cbpf_alu_op op;
		uint32_t k;
	} ops[CBPF_ORIGIN_OPS];
};

/* One instruction on the way, with the registers before it. */
struct cbpf_step {
	uint32_t at; /* instruction, from 0 */
	uint32_t a, x;
	struct cbpf_origin origin; /* of A */
	bool taken; /* a conditional jump: its test held */
};

enum cbpf_end {
	CBPF_END_RETURN,
	CBPF_END_LOAD, /* the last step's load lay outside: @off, @size */
	CBPF_END_DIVISION, /* the last step divides by 0 */
};

struct cbpf_trace {
	struct cbpf_step *steps; /* in order, @n of them; the last one ended the program */
	size_t n;
	enum cbpf_end end;
	uint32_t result; /* what cbpf_run() returns */
	uint64_t off; /* CBPF_END_LOAD: bytes from byte 0; X + k does not wrap */
	uint8_t size;

	/*
	 * The step that decided against a match, an index of @steps: the first
	 * conditional jump behind whose way taken no return of a match is left,
	 * else the last step. Meaningless when @result is not 0.
	 */
	size_t decided;
};

/*
 * Run @prog; parameters as of cbpf_run(). Returns 0 and a trace to be freed with
 * cbpf_trace_fini(), or -ENOMEM.
 */
int cbpf_trace(const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen, uint32_t wirelen,
	struct cbpf_trace *ret_trace);
void cbpf_trace_fini(struct cbpf_trace *trace);

/*
 * Whether each instruction of @prog may be followed by a return of a match,
 * itself included, whatever the packet: one bool per instruction into @ret. A
 * "ret a" may return anything.
 */
void cbpf_may_match(const struct cbpf_prog *prog, bool *ret);

#endif
