// SPDX-License-Identifier: BSD-3-Clause
/*
 * Vector code for computations on rows. In front of the code stand its constants, each once a
 * use.
 *
 * What is run once a burst is as slow as it is long: lines come from the second cache. So
 * registers point into rows, constants and results, moved on as lanes go, for offsets to
 * be bytes; AVX-512 counts these in what is loaded.
 */
#include "cbpf/lanes.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arena_impl.h"
#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "jit_x86.h"

/*
 * Of a lane: an instruction each to start, compare and tell, and for each operator; what takes
 * more of them, SSE2's products, has short ones.
 */
#define INSN_BYTES 12
#define INSNS_AROUND 12
#define INSNS_OF_OP 4
#define POOL_ALIGN 64

/* An opcode: of the map 0f (1) or 0f 38 (2), with the prefix 66 but for map 0, which is 0f, too. */
struct opcode {
	uint8_t map, byte;
};

static const struct opcode LOAD = {1, 0x6f}, BROADCAST = {2, 0x58}, AND = {1, 0xdb},
			   EQUAL = {1, 0x76}, SHIFT = {1, 0x72}, SHIFT_WIDE = {1, 0x73},
			   MUL_EVEN = {1, 0xf4}, CHOOSE = {1, 0x70}, CHOOSE_OF_TWO = {0, 0xc6},
			   BITS = {0, 0x50};

static const struct opcode of_kind[] = {
	[CBPF_LANE_ADD_ROW] = {1, 0xfe},
	[CBPF_LANE_SUB_ROW] = {1, 0xfa},
	[CBPF_LANE_XOR_ROW] = {1, 0xef},
	[CBPF_LANE_ADD] = {1, 0xfe},
	[CBPF_LANE_MUL] = {2, 0x40},
	[CBPF_LANE_AND] = {1, 0xdb},
	[CBPF_LANE_XOR] = {1, 0xef},
	[CBPF_LANE_SHIFT] = {1, 0x72},
};

#define SHIFT_RIGHT 2 /* the digit behind the opcode */

/* Code under construction: constants, and instructions behind them. */
struct coder {
	struct x86_buf code;
	uint32_t *pool;
	uint32_t n_pool, n_used;
	uint32_t row, constant, result; /* where RDI, RDX and RSI point */
	enum cbpf_vectors vectors;
};

#define OFFSET_MIN (-128)
#define OFFSET_MAX 127

/* Numbers of a row take as many registers, from 0 on, as they are vectors. */
#define REG_CONSTANT 2
#define REG_ODD 3

static uint32_t
vectors_of(const struct coder *c)
{
	return c->vectors == CBPF_VECTORS_AVX2 ? 2 : 1;
}

/* Bytes of a vector. */
static uint32_t
vector_of(const struct coder *c)
{
	return CBPF_LANES_PACKETS(c->vectors) * (uint32_t)sizeof(uint32_t) / vectors_of(c);
}

/* How often a constant stands in the pool: SSE2 loads none for all lanes. */
static uint32_t
constant_times(enum cbpf_vectors vectors)
{
	return vectors == CBPF_VECTORS_SSE2 ? CBPF_LANES_PACKETS(vectors) : 1;
}

static bool
is_512(const struct coder *c)
{
	return c->vectors == CBPF_VECTORS_AVX512;
}

/* ---- instructions ---- */

/* An instruction on its way: prefixes, opcode, operands. */
struct insn {
	uint8_t v[16];
	size_t n;
};

static void
put(struct insn *i, unsigned int byte)
{
	i->v[i->n++] = (uint8_t)byte;
}

static void
put32(struct insn *i, uint32_t v)
{
	for (int k = 0; k < 4; k++)
		put(i, v >> 8 * k & 0xff);
}

/* Prefixes of @op by vectors; of AVX2 and AVX-512 @src, the operand in front, is among them. */
static void
put_prefixes_sse2(struct insn *i, struct opcode op)
{
	if (op.map > 0)
		put(i, 0x66);
	put(i, 0x0f); /* there is no opcode of map 2 in SSE2 */
}

static void
put_prefixes_avx2(struct insn *i, struct opcode op, unsigned int src)
{
	/* @src, inverted; 32 bytes; the prefix 66. */
	const unsigned int middle = (~src & 15) << 3 | 5;

	if (op.map == 1) {
		put(i, 0xc5);
		put(i, 0x80 | middle);
	} else {
		put(i, 0xc4);
		put(i, 0xe0 | op.map);
		put(i, middle);
	}
}

static void
put_prefixes_avx512(struct insn *i, struct opcode op, unsigned int src, bool all)
{
	put(i, 0x62);
	put(i, 0xf0 | op.map);
	put(i, (~src & 15) << 3 | 5);
	put(i, 0x48 | (unsigned int)all << 4);
}

/*
 * Up to the opcode. @src: the operand in front, which is the destination where there is none;
 * @all: the last one is a constant for all lanes.
 */
static struct insn
begin(const struct coder *c, struct opcode op, unsigned int src, bool all)
{
	struct insn i = {.n = 0};

	switch (c->vectors) {
	case CBPF_VECTORS_NONE: break;
	case CBPF_VECTORS_SSE2: put_prefixes_sse2(&i, op); break;
	case CBPF_VECTORS_AVX2: put_prefixes_avx2(&i, op, src); break;
	case CBPF_VECTORS_AVX512: put_prefixes_avx512(&i, op, src, all); break;
	}
	put(&i, op.byte);
	return i;
}

static void
end(struct coder *c, const struct insn *i)
{
	x86_put(&c->code, i->v, i->n);
}

/* The operand at @base + @off, which counts in @unit where it is a byte; @reg is the other one. */
static void
put_memory(struct insn *i, unsigned int reg, enum x86_reg base, int32_t off, int32_t unit)
{
	const int32_t units = off / unit;

	if (off % unit == 0 && units >= OFFSET_MIN && units <= OFFSET_MAX) {
		put(i, 0x40 | reg << 3 | (unsigned int)base);
		put(i, (uint8_t)units);
		return;
	}
	put(i, 0x80 | reg << 3 | (unsigned int)base);
	put32(i, (uint32_t)off);
}

/* @dst = @src op the @v-th vector of the row at @row. */
static void
with_row(struct coder *c, struct opcode op, unsigned int dst, unsigned int src, uint32_t row,
	uint32_t v)
{
	const uint32_t vector = vector_of(c);
	struct insn i = begin(c, op, src, false);

	put_memory(&i, dst, RDI, (int32_t)(row + v * vector - c->row),
		is_512(c) ? (int32_t)vector : 1);
	end(c, &i);
}

/* @dst = @src op register @reg. */
static void
with_reg(struct coder *c, struct opcode op, unsigned int dst, unsigned int src, unsigned int reg)
{
	struct insn i = begin(c, op, src, false);

	put(&i, 0xc0 | dst << 3 | reg);
	end(c, &i);
}

/* The same with a byte @k behind it. */
static void
with_byte(struct coder *c, struct opcode op, unsigned int dst, unsigned int reg, uint32_t k)
{
	struct insn i = begin(c, op, dst, false);

	put(&i, 0xc0 | dst << 3 | reg);
	put(&i, k);
	end(c, &i);
}

/* See that RDX points near the next constant. */
static void
reach_constant(struct coder *c)
{
	const uint32_t unit = is_512(c) ? sizeof(*c->pool) : 1;
	const uint32_t at = c->n_used * (uint32_t)sizeof(*c->pool);
	struct insn lea = {.v = {0x48, 0x8d, RDX << 3 | RBP}, .n = 3}; /* from the next one on */
	size_t behind;

	if (c->n_used > 0 && at <= c->constant + OFFSET_MAX * unit)
		return;
	c->constant = at - (uint32_t)OFFSET_MIN * unit;
	behind = c->code.len + lea.n + sizeof(uint32_t);
	put32(&lea, c->constant - c->n_pool * (uint32_t)sizeof(*c->pool) - (uint32_t)behind);
	end(c, &lea);
}

/* @dst = @src op @k, where it is the same for all. */
static void
with_constant(struct coder *c, struct opcode op, unsigned int dst, unsigned int src, uint32_t k)
{
	const int32_t unit = is_512(c) ? (int32_t)sizeof(*c->pool) : 1;
	struct insn i = begin(c, op, src, true);

	reach_constant(c);
	put_memory(&i, dst, RDX, (int32_t)(c->n_used * (uint32_t)sizeof(*c->pool) - c->constant),
		unit);
	for (uint32_t n = constant_times(c->vectors); n > 0; n--)
		c->pool[c->n_used++] = k;
	end(c, &i);
}

/* Shift @reg by @k to the right; @op says how wide its numbers are. */
static void
shift(struct coder *c, struct opcode op, unsigned int reg, uint32_t k)
{
	/* What is the destination elsewhere is a digit, and the operand in front the destination. */
	struct insn i = begin(c, op, reg, false);

	put(&i, 0xc0 | SHIFT_RIGHT << 3 | reg);
	put(&i, k);
	end(c, &i);
}

/* ---- a lane ---- */

/* r op @k; what AVX-512 compares goes into register k1. */
static void
all_with_constant(struct coder *c, struct opcode op, uint32_t k)
{
	if (c->vectors != CBPF_VECTORS_AVX2) {
		with_constant(c, op, is_512(c) && op.byte == EQUAL.byte, 0, k);
		return;
	}
	with_constant(c, BROADCAST, REG_CONSTANT, 0, k);
	for (uint32_t v = 0; v < vectors_of(c); v++)
		with_reg(c, op, v, v, REG_CONSTANT);
}

#define FOUR(a, b, c, d) ((a) | (b) << 2 | (c) << 4 | (d) << 6)

/* r * @k. SSE2 multiplies every second number: the others are shifted there. */
static void
multiply(struct coder *c, uint32_t k)
{
	if (c->vectors != CBPF_VECTORS_SSE2) {
		all_with_constant(c, of_kind[CBPF_LANE_MUL], k);
		return;
	}
	with_constant(c, LOAD, REG_CONSTANT, 0, k);
	with_reg(c, LOAD, REG_ODD, 0, 0);
	shift(c, SHIFT_WIDE, REG_ODD, 32);
	with_reg(c, MUL_EVEN, 0, 0, REG_CONSTANT);
	with_reg(c, MUL_EVEN, REG_ODD, REG_ODD, REG_CONSTANT);
	with_byte(c, CHOOSE_OF_TWO, 0, REG_ODD, FOUR(0, 2, 0, 2));
	with_byte(c, CHOOSE, 0, 0, FOUR(0, 2, 1, 3));
}

static void
put_op(struct coder *c, const struct cbpf_lane_op *op)
{
	const struct opcode code = of_kind[op->kind];

	switch (op->kind) {
	case CBPF_LANE_ADD_ROW:
	case CBPF_LANE_SUB_ROW:
	case CBPF_LANE_XOR_ROW:
		for (uint32_t v = 0; v < vectors_of(c); v++)
			with_row(c, code, v, v, op->row, v);
		break;
	case CBPF_LANE_MUL: multiply(c, op->k); break;
	case CBPF_LANE_ADD:
	case CBPF_LANE_AND:
	case CBPF_LANE_XOR: all_with_constant(c, code, op->k); break;
	case CBPF_LANE_SHIFT:
		for (uint32_t v = 0; v < vectors_of(c); v++)
			shift(c, SHIFT, v, op->k);
		break;
	}
}

/* See that RSI points near the bytes at @at, of results. */
static void
reach_result(struct coder *c, uint32_t at)
{
	struct insn add = {.v = {0x48, 0x81, 0xc0 | RSI}, .n = 3};

	if (at + sizeof(uint16_t) <= c->result + OFFSET_MAX)
		return;
	put32(&add, at - (uint32_t)OFFSET_MIN - c->result);
	c->result = at - (uint32_t)OFFSET_MIN;
	end(c, &add);
}

/* kmovw the bytes at @at, k1. */
static void
tell_512(struct coder *c, uint32_t at)
{
	struct insn i = {.v = {0xc5, 0xf8, 0x91}, .n = 3};

	put_memory(&i, 1, RSI, (int32_t)(at - c->result), 1);
	end(c, &i);
}

/* vmovmskps eax, vector @v; mov the byte at @at, al. */
static void
tell_256(struct coder *c, uint32_t v, uint32_t at)
{
	const struct insn bits = {.v = {0xc5, 0xfc, 0x50, (uint8_t)(0xc0 | v)}, .n = 4};
	struct insn i = {.v = {0x88}, .n = 1};

	end(c, &bits);
	put_memory(&i, RAX, RSI, (int32_t)(at - c->result), 1);
	end(c, &i);
}

/* movmskps eax, vector 0; mov the 2 bytes at @at, ax. */
static void
tell_128(struct coder *c, uint32_t at)
{
	struct insn i = {.v = {0x66, 0x89}, .n = 2};

	with_reg(c, BITS, RAX, 0, 0);
	put_memory(&i, RAX, RSI, (int32_t)(at - c->result), 1);
	end(c, &i);
}

/* Write down for whom r is @val, as number @lane. */
static void
put_test(struct coder *c, uint32_t val, uint32_t lane)
{
	const uint32_t at = lane * (uint32_t)sizeof(uint16_t);

	reach_result(c, at);
	all_with_constant(c, EQUAL, val); /* AVX-512: into k1 */
	switch (c->vectors) {
	case CBPF_VECTORS_NONE: break;
	case CBPF_VECTORS_SSE2: tell_128(c, at); break;
	case CBPF_VECTORS_AVX2:
		tell_256(c, 0, at);
		tell_256(c, 1, at + 1);
		break;
	case CBPF_VECTORS_AVX512: tell_512(c, at); break;
	}
}

static void
put_lane(struct coder *c, const struct cbpf_lane *l, uint32_t number)
{
	for (uint32_t v = 0; v < vectors_of(c); v++)
		with_row(c, LOAD, v, 0, l->start, v);
	for (uint32_t i = 0; i < l->n_ops; i++)
		put_op(c, &l->ops[i]);
	if (l->mask != UINT32_MAX)
		all_with_constant(c, AND, l->mask);
	put_test(c, l->val, number);
}

/* ---- all of them ---- */

/* Numbers in the pool of @lanes, which are a multiple of a line. */
static uint32_t
pool_of(const struct cbpf_lane *lanes, size_t n, enum cbpf_vectors vectors)
{
	const uint32_t line = POOL_ALIGN / sizeof(uint32_t);
	uint32_t k = 0;

	for (size_t i = 0; i < n; i++) {
		k += 1 + (lanes[i].mask != UINT32_MAX);
		for (uint32_t o = 0; o < lanes[i].n_ops; o++)
			k += lanes[i].ops[o].kind > CBPF_LANE_XOR_ROW &&
				lanes[i].ops[o].kind < CBPF_LANE_SHIFT;
	}
	return (k * constant_times(vectors) + line - 1) / line * line;
}

/* Have RDI point so that bytes of AVX-512 reach as many rows behind the first as can be. */
static void
reach_rows(struct coder *c)
{
	struct insn add = {.v = {0x48, 0x81, 0xc0 | RDI}, .n = 3};

	c->row = -OFFSET_MIN * POOL_ALIGN;
	put32(&add, c->row);
	end(c, &add);
}

size_t
cbpf_lanes_room(size_t n)
{
	const size_t insns = INSNS_AROUND + INSNS_OF_OP * CBPF_LANE_OPS_MAX;
	const size_t pool = (CBPF_LANE_OPS_MAX + 2) * constant_times(CBPF_VECTORS_SSE2);

	return (n + 1) * (insns * INSN_BYTES + pool * sizeof(uint32_t)) + 2 * POOL_ALIGN;
}

/* What @c has, into @arena. */
static int
put_code(struct coder *c, struct cbpf_arena *arena, cbpf_lanes_fn *ret_fn)
{
	const size_t pool = c->n_pool * sizeof(*c->pool);
	const void *code;
	uint8_t *to;

	if (c->code.failed)
		return -ENOMEM;
	to = arena_code_take(arena, pool + x86_settle(&c->code), &code);
	if (to == NULL)
		return -ENOSPC;
	memcpy(to, c->pool, pool);
	x86_write(&c->code, to + pool);
	*ret_fn = (cbpf_lanes_fn)((uintptr_t)code + pool);
	return 0;
}

int
cbpf_jit_lanes(struct cbpf_arena *arena, const struct cbpf_lane *lanes, size_t n,
	enum cbpf_vectors vectors, cbpf_lanes_fn *ret_fn, struct diag *diag)
{
	struct coder c = {.n_pool = pool_of(lanes, n, vectors), .vectors = vectors};
	const struct insn vzeroupper = {.v = {0xc5, 0xf8, 0x77}, .n = 3};
	struct arena mem = ARENA_INIT;
	int r = x86_buf_init(&c.code, &mem, 0, 0);

	c.pool = arena_zalloc(&mem, c.n_pool * sizeof(*c.pool));
	if (c.pool == NULL)
		r = -ENOMEM;
	if (r == 0)
		reach_rows(&c);
	for (size_t i = 0; i < n && r == 0; i++)
		put_lane(&c, &lanes[i], (uint32_t)i);
	if (r == 0) {
		if (vectors != CBPF_VECTORS_SSE2)
			end(&c, &vzeroupper);
		x86_ret(&c.code);
		r = put_code(&c, arena, ret_fn);
	}
	arena_fini(&mem);
	if (r < 0)
		return diag_fail(diag, r,
			r == -ENOSPC ? "the memory for compiled lanes is full" : "out of memory");
	return 0;
}
