/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_LANES_H
#define CBPF_LANES_H

/*
 * Many computations on the same few numbers, each with a test, for several packets at once: machine
 * code of vector instructions. The numbers stand in rows, one of each packet side by side.
 *
 *	(row 3 + 77) * 5 ^ row 4, & 0xffff == 4711
 *
 * There is no jump in it: which packets pass a test is written down, for whoever looks.
 */

#include <stddef.h>
#include <stdint.h>

struct cbpf_arena;
struct diag;

enum cbpf_lane_kind {
	CBPF_LANE_ADD_ROW, /* r + row */
	CBPF_LANE_SUB_ROW,
	CBPF_LANE_XOR_ROW,
	CBPF_LANE_ADD, /* r + k, modulo 2^32 as all of these */
	CBPF_LANE_MUL,
	CBPF_LANE_AND,
	CBPF_LANE_XOR,
	CBPF_LANE_SHIFT, /* r >> k, k < 32 */
};

/* What becomes of r. A row is named by where it starts, in bytes behind the first. */
struct cbpf_lane_op {
	enum cbpf_lane_kind kind;
	uint32_t row, k;
};

#define CBPF_LANE_OPS_MAX 16

struct cbpf_lane {
	uint32_t start; /* the row that is r at first */
	uint32_t n_ops;
	struct cbpf_lane_op ops[CBPF_LANE_OPS_MAX];
	uint32_t mask, val; /* (r & mask) == val */
};

/* The processor's vectors: of 16 bytes as all have, of 32 as of AVX2, of 64 as of AVX-512 (F). */
enum cbpf_vectors {
	CBPF_VECTORS_NONE,
	CBPF_VECTORS_SSE2,
	CBPF_VECTORS_AVX2,
	CBPF_VECTORS_AVX512,
};

/* Packets at once; rows stand at multiples of 64 bytes. A constant where @vectors is one. */
#define CBPF_LANES_PACKETS(vectors) ((vectors) == CBPF_VECTORS_SSE2 ? 4u : 16u)

/*
 * @rows: of the first packet, aligned as vectors are. @ret_holds: by lane, bit i: its test holds
 * for the i-th.
 */
typedef void (*cbpf_lanes_fn)(const void *rows, uint16_t *ret_holds);

/* Bytes of an arena that @n lanes take at most. */
size_t cbpf_lanes_room(size_t n);

/*
 * Compile @n lanes, 1 at least, into @arena, where the code lives as long. Errors as of
 * cbpf_jit_into().
 */
int cbpf_jit_lanes(struct cbpf_arena *arena, const struct cbpf_lane *lanes, size_t n,
	enum cbpf_vectors vectors, cbpf_lanes_fn *ret_fn, struct diag *diag);

#endif
