// SPDX-License-Identifier: BSD-3-Clause
/*
 * Frames for programs. A run keeps for A, X and M[] not only the value but where
 * it was loaded and what was done to it since; at a test that goes the wrong
 * way the wanted value is carried back through these operations into the frame,
 * and the run starts again.
 */
#include <stdlib.h>
#include <string.h>

#include "cbpf/alu.h"
#include "cbpf/prog.h"
#include "progs.h"

#define OPS_MAX 8

/* A value and its origin: size bytes at off, then ops. size 0: not from the frame. */
struct origin {
	uint32_t value;
	uint32_t off;
	uint8_t size;
	uint8_t nops;
	struct {
		uint16_t code; /* of the instruction with an immediate operand */
		uint32_t k;
	} ops[OPS_MAX];
};

struct state {
	struct origin a, x, m[CBPF_MEM_WORDS];
	struct trace *trace; /* or NULL */
	struct frame *f; /* or NULL: do not change anything */
	const uint8_t *data;
	uint32_t caplen, wirelen;
};

static struct origin
constant(uint32_t v)
{
	return (struct origin){.value = v};
}

static uint32_t
get_be(const uint8_t *p, uint8_t size)
{
	return size == 4 ? load_be32(p) : size == 2 ? load_be16(p) : p[0];
}

static void
put_be(uint8_t *p, uint8_t size, uint32_t v)
{
	if (size == 4)
		store_be32(p, v);
	else if (size == 2)
		store_be16(p, (uint16_t)v);
	else
		p[0] = (uint8_t)v;
}

static void
note_read(struct trace *t, uint32_t off, uint8_t size)
{
	if (t == NULL)
		return;
	for (uint8_t i = 0; i < size && t->nread < DIM(t->read); i++)
		t->read[t->nread++] = off + i;
	t->end = MAX(t->end, off + size);
}

static bool
load(struct state *s, uint64_t off, uint8_t size, struct origin *ret)
{
	if (off + size > s->caplen && s->f != NULL && off + size <= FRAME_MAX) {
		/* Let the frame be long enough. */
		s->caplen = s->wirelen = s->f->len = (uint32_t)off + size;
	}
	if (off + size > s->caplen)
		return false;
	*ret = (struct origin){get_be(s->data + off, size), (uint32_t)off, size, 0, {{0, 0}}};
	note_read(s->trace, (uint32_t)off, size);
	return true;
}

static void
apply(struct origin *o, uint16_t code, uint32_t k, uint32_t value)
{
	if (o->nops < OPS_MAX) {
		o->ops[o->nops].code = code;
		o->ops[o->nops++].k = k;
	} else {
		o->size = 0;
	}
	o->value = value;
}

/* Make @o be @want by writing to the frame. */
static bool
force(struct frame *f, const struct origin *o, uint32_t want)
{
	uint32_t keep = 0, old; /* bits of the wanted value that do not matter */

	if (o->size == 0)
		return false;
	for (unsigned int i = o->nops; i-- > 0;) {
		uint32_t k = o->ops[i].k;

		switch (o->ops[i].code) {
		case CBPF_CODE_ALU_ADD_K: want -= k; break;
		case CBPF_CODE_ALU_SUB_K: want += k; break;
		case CBPF_CODE_ALU_XOR_K: want ^= k; break;
		case CBPF_CODE_ALU_AND_K: keep |= ~k; break;
		case CBPF_CODE_ALU_OR_K: keep |= k; break;
		case CBPF_CODE_ALU_RSH_K:
			keep = keep << k | ((1u << k) - 1);
			want <<= k;
			break;
		case CBPF_CODE_ALU_LSH_K:
			keep >>= k;
			want >>= k;
			break;
		case CBPF_CODE_ALU_MUL_K:
			if (k != 0)
				want /= k;
			break;
		case CBPF_CODE_ALU_DIV_K: want *= k; break;
		case CBPF_CODE_ALU_NEG: want = 0 - want; break;
		default: break;
		}
	}
	old = get_be(f->bytes + o->off, o->size);
	put_be(f->bytes + o->off, o->size, (want & ~keep) | (old & keep));
	return true;
}

static const struct {
	uint16_t code_k, code_x;
	enum cbpf_alu_op op;
} alus[] = {
#define ALU(name) \
	{ \
		CBPF_CODE_ALU_##name##_K, CBPF_CODE_ALU_##name##_X, CBPF_ALU_##name \
	}
	ALU(ADD),
	ALU(SUB),
	ALU(MUL),
	ALU(DIV),
	ALU(MOD),
	ALU(AND),
	ALU(OR),
	ALU(XOR),
	ALU(LSH),
	ALU(RSH),
};

/* An arithmetic instruction; false when it divides by zero. */
static bool
step_alu(struct state *s, const struct cbpf_insn *in)
{
	if (in->code == CBPF_CODE_ALU_NEG) {
		apply(&s->a, in->code, 0, 0 - s->a.value);
		return true;
	}
	for (size_t i = 0; i < DIM(alus); i++) {
		bool by_x = in->code == alus[i].code_x;
		uint32_t b = by_x ? s->x.value : in->k, r;

		if (!by_x && in->code != alus[i].code_k)
			continue;
		if (!cbpf_alu(alus[i].op, s->a.value, b, &r))
			return false;
		if (by_x && b >= 32 && (alus[i].op == CBPF_ALU_LSH || alus[i].op == CBPF_ALU_RSH))
			s->a = constant(r);
		else
			apply(&s->a, alus[i].code_k, b, r);
		return true;
	}
	abort();
}

/* Everything that does not branch; false when the program ends with 0 here. */
static bool
step(struct state *s, const struct cbpf_insn *in)
{
	uint64_t at_x = (uint64_t)s->x.value + in->k;

	switch (in->code) {
	case CBPF_CODE_LD_W_ABS: return load(s, in->k, 4, &s->a);
	case CBPF_CODE_LD_H_ABS: return load(s, in->k, 2, &s->a);
	case CBPF_CODE_LD_B_ABS: return load(s, in->k, 1, &s->a);
	case CBPF_CODE_LD_W_IND:
	case CBPF_CODE_LD_H_IND:
	case CBPF_CODE_LD_B_IND:
		if (at_x >= 0x7fffff00 && s->trace != NULL)
			s->trace->linux_differs = true;
		return load(s, at_x,
			in->code == CBPF_CODE_LD_W_IND           ? 4
				: in->code == CBPF_CODE_LD_H_IND ? 2
								 : 1,
			&s->a);
	case CBPF_CODE_LDX_MSH:
		if (!load(s, in->k, 1, &s->x))
			return false;
		apply(&s->x, CBPF_CODE_ALU_AND_K, 15, s->x.value & 15);
		apply(&s->x, CBPF_CODE_ALU_LSH_K, 2, s->x.value << 2);
		return true;
	case CBPF_CODE_LD_IMM: s->a = constant(in->k); return true;
	case CBPF_CODE_LDX_IMM: s->x = constant(in->k); return true;
	case CBPF_CODE_LD_LEN: s->a = constant(s->wirelen); return true;
	case CBPF_CODE_LDX_LEN: s->x = constant(s->wirelen); return true;
	case CBPF_CODE_LD_MEM: s->a = s->m[in->k]; return true;
	case CBPF_CODE_LDX_MEM: s->x = s->m[in->k]; return true;
	case CBPF_CODE_ST: s->m[in->k] = s->a; return true;
	case CBPF_CODE_STX: s->m[in->k] = s->x; return true;
	case CBPF_CODE_TAX: s->x = s->a; return true;
	case CBPF_CODE_TXA: s->a = s->x; return true;
	default: return step_alu(s, in);
	}
}

static bool
is_cond(const struct cbpf_insn *in)
{
	return (in->code & 7) == 5 && in->code != CBPF_CODE_JA;
}

static bool
holds(const struct state *s, const struct cbpf_insn *in)
{
	uint32_t a = s->a.value, b = in->code & 8 ? s->x.value : in->k;

	switch (in->code & 0xf0) {
	case 0x10: return a == b;
	case 0x20: return a > b;
	case 0x30: return a >= b;
	default: return (a & b) != 0;
	}
}

/* A value of A for which @in goes the way @want. Boundaries more often than not. */
static uint32_t
value_for(const struct cbpf_insn *in, uint32_t b, uint32_t a, bool want, struct rng *r)
{
	uint32_t by = rng_below(r, 4) == 0 ? rng_below(r, 9) : 0;

	switch (in->code & 0xf0) {
	case 0x10: return want ? b : b ^ (1u << rng_below(r, 8));
	case 0x20: return want ? b + 1 + by : b - MIN(b, by);
	case 0x30: return want ? b + by : b - MIN(b, 1 + by);
	default: return want ? a | (b & (0u - b)) : a & ~b;
	}
}

/* Per instruction: some path from it returns something else than 0. */
static void
find_matching(const struct cbpf_insn *insns, size_t n, bool *can)
{
	for (size_t i = n; i-- > 0;) {
		const struct cbpf_insn *in = &insns[i];

		if (in->code == CBPF_CODE_RET_K)
			can[i] = in->k != 0;
		else if (in->code == CBPF_CODE_RET_A)
			can[i] = true;
		else if (in->code == CBPF_CODE_JA)
			can[i] = can[i + 1 + in->k];
		else if (is_cond(in))
			can[i] = can[i + 1 + in->jt] || can[i + 1 + in->jf];
		else
			can[i] = can[i + 1];
	}
}

/* The branch to take at @i: fixed by @choices, but never into what cannot match. */
static bool
choose(const struct cbpf_insn *in, size_t i, const bool *can, uint64_t choices)
{
	bool t = can[i + 1 + in->jt], f = can[i + 1 + in->jf];

	if (t != f)
		return t;
	return choices >> (i % 64) & 1;
}

/* One run. 1: it matches, 0: it does not, -1: the frame was changed. */
static int
attempt(const struct cbpf_insn *insns, const bool *can, uint64_t choices, struct rng *r,
	struct frame *f)
{
	struct state s = {.f = f, .data = f->bytes, .caplen = f->len, .wirelen = f->len};

	for (size_t i = 0;;) {
		const struct cbpf_insn *in = &insns[i];

		if (in->code == CBPF_CODE_RET_K)
			return in->k != 0;
		if (in->code == CBPF_CODE_RET_A)
			return s.a.value != 0 || !force(f, &s.a, 1) ? s.a.value != 0 : -1;
		if (in->code == CBPF_CODE_JA) {
			i += 1 + in->k;
		} else if (is_cond(in)) {
			uint32_t b = in->code & 8 ? s.x.value : in->k;
			bool want = choose(in, i, can, choices), is = holds(&s, in);

			if (is != want && force(f, &s.a, value_for(in, b, s.a.value, want, r)))
				return -1;
			i += 1u + (is ? in->jt : in->jf);
		} else {
			if (!step(&s, in))
				return 0;
			i++;
		}
	}
}

bool
frame_solve(const struct cbpf_prog *prog, struct rng *r, struct frame *f)
{
	const struct cbpf_insn *insns;
	bool can[PROGS_MAX_INSNS];
	uint64_t choices = rng_next(r);
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	if (n > PROGS_MAX_INSNS)
		return false;
	find_matching(insns, n, can);
	if (!can[0])
		return false;
	for (size_t tries = 0; tries < n + 8; tries++) {
		int got = attempt(insns, can, choices, r, f);

		if (got >= 0)
			return got == 1 && cbpf_run(prog, f->bytes, f->len, f->len) != 0;
	}
	return false;
}

void
frame_trace(const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen, uint32_t wirelen,
	struct trace *t)
{
	struct state s = {.trace = t, .data = data, .caplen = caplen, .wirelen = wirelen};
	const struct cbpf_insn *insns;
	size_t n;

	memset(t, 0, sizeof(*t));
	insns = cbpf_prog_insns(prog, &n);
	for (size_t i = 0;;) {
		const struct cbpf_insn *in = &insns[i];

		if (in->code == CBPF_CODE_RET_K || in->code == CBPF_CODE_RET_A)
			return;
		if (in->code == CBPF_CODE_JA) {
			i += 1 + in->k;
		} else if (is_cond(in)) {
			i += 1u + (holds(&s, in) ? in->jt : in->jf);
		} else {
			if (!step(&s, in))
				return;
			i++;
		}
	}
}
