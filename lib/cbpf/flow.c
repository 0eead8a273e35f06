// SPDX-License-Identifier: BSD-3-Clause
#include "flow.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "base/vec.h"
#include "cbpf/alu.h"
#include "graph.h"

int
vals_init(struct vals *vs)
{
	memset(vs, 0, sizeof(*vs));
	return vec_push(vs) == NULL ? -ENOMEM : 0; /* number 0 */
}

void
vals_fini(struct vals *vs)
{
	mem_free(vs->v);
	vs->v = NULL;
	vs->n = vs->cap = 0;
}

static bool
same(const struct val *a, const struct val *b)
{
	return a->kind == b->kind && a->op == b->op && a->a == b->a && a->b == b->b && a->k == b->k;
}

/* The number of @want, an old one where there is one. Its bounds are the caller's. */
static uint32_t
intern(struct vals *vs, struct val want)
{
	const uint32_t h = (want.kind * 31u + want.op + want.a * 2654435761u + want.b * 40503u +
				   want.k * 2246822519u) >>
		16;
	uint32_t *bucket = &vs->buckets[h % VAL_BUCKETS];
	struct val *v;

	for (uint32_t i = *bucket; i != 0; i = vs->v[i].next)
		if (same(&vs->v[i], &want))
			return i;
	v = vs->failed ? NULL : vec_push(vs);
	if (v == NULL) {
		vs->failed = true;
		return 0;
	}
	*v = want;
	v->next = *bucket;
	*bucket = (uint32_t)vs->n - 1;
	return *bucket;
}

static uint32_t
val_const(struct vals *vs, uint32_t k)
{
	return intern(vs, (struct val){.kind = VAL_CONST, .k = k, .lo = k, .hi = k});
}

bool
val_is_const(const struct vals *vs, uint32_t v, uint32_t *ret)
{
	if (vs->v[v].kind != VAL_CONST)
		return false;
	*ret = vs->v[v].k;
	return true;
}

uint32_t
val_phi(struct vals *vs, uint32_t at, uint32_t where)
{
	return intern(
		vs, (struct val){.kind = VAL_PHI, .a = at, .b = where, .lo = 0, .hi = UINT32_MAX});
}

static bool
is_none(uint32_t v)
{
	return v == 0;
}

/* Bounds of a number that nothing is known of. */
static struct val
bounds(const struct vals *vs, uint32_t v)
{
	struct val b = vs->v[v];

	if (is_none(v)) {
		b.lo = 0;
		b.hi = UINT32_MAX;
	}
	return b;
}

/* @a + @k: sums of sums are one sum. */
static uint32_t
val_sum(struct vals *vs, uint32_t a, uint32_t k)
{
	struct val v = {.kind = VAL_SUM, .a = a, .k = k, .lo = 0, .hi = UINT32_MAX};
	uint64_t lo, hi;

	if (is_none(a))
		return 0;
	if (vs->v[a].kind == VAL_CONST)
		return val_const(vs, vs->v[a].k + k);
	if (vs->v[a].kind == VAL_SUM) {
		v.k += vs->v[a].k;
		v.a = vs->v[a].a;
	}
	if (v.k == 0)
		return v.a;
	lo = (uint64_t)vs->v[v.a].lo + v.k;
	hi = (uint64_t)vs->v[v.a].hi + v.k;
	if (hi <= UINT32_MAX || lo > UINT32_MAX) {
		v.lo = (uint32_t)lo;
		v.hi = (uint32_t)hi;
	}
	return intern(vs, v);
}

void
val_split(const struct vals *vs, uint32_t v, uint32_t *ret_base, uint32_t *ret_k)
{
	const struct val *sum = &vs->v[v];

	*ret_base = v;
	*ret_k = 0;
	if (sum->kind != VAL_SUM || (uint64_t)vs->v[sum->a].hi + sum->k > UINT32_MAX)
		return;
	*ret_base = sum->a;
	*ret_k = sum->k;
}

/* All ones up to the highest bit of @n. */
static uint32_t
ones(uint32_t n)
{
	return n == 0 ? 0 : UINT32_MAX >> __builtin_clz(n);
}

static const struct {
	uint8_t op;
	enum cbpf_alu_op alu;
} alu_ops[] = {
	{0x00, CBPF_ALU_ADD},
	{0x10, CBPF_ALU_SUB},
	{0x20, CBPF_ALU_MUL},
	{0x30, CBPF_ALU_DIV},
	{0x40, CBPF_ALU_OR},
	{0x50, CBPF_ALU_AND},
	{0x60, CBPF_ALU_LSH},
	{0x70, CBPF_ALU_RSH},
	{0x90, CBPF_ALU_MOD},
	{0xa0, CBPF_ALU_XOR},
};

static enum cbpf_alu_op
alu_of(uint8_t op)
{
	for (size_t i = 0; i < DIM(alu_ops); i++)
		if (alu_ops[i].op == op)
			return alu_ops[i].alu;
	return CBPF_ALU_ADD;
}

/* What the bounds of both say about those of the result; it is @v on entry. */
static void
alu_bounds(struct val *v, const struct val *a, const struct val *b)
{
	uint64_t hi = UINT32_MAX;

	switch (alu_of(v->op)) {
	case CBPF_ALU_ADD:
		hi = (uint64_t)a->hi + b->hi;
		if (hi <= UINT32_MAX)
			v->lo = a->lo + b->lo;
		break;
	case CBPF_ALU_SUB:
		if (a->lo >= b->hi) {
			v->lo = a->lo - b->hi;
			hi = a->hi - b->lo;
		}
		break;
	case CBPF_ALU_MUL: hi = (uint64_t)a->hi * b->hi; break;
	case CBPF_ALU_DIV: hi = a->hi; break;
	case CBPF_ALU_MOD: hi = b->hi == 0 ? 0 : MIN(a->hi, b->hi - 1); break;
	case CBPF_ALU_AND: hi = MIN(a->hi, b->hi); break;
	case CBPF_ALU_OR:
	case CBPF_ALU_XOR: hi = ones(a->hi | b->hi); break;
	case CBPF_ALU_LSH: hi = b->hi < 32 ? (uint64_t)a->hi << b->hi : UINT32_MAX; break;
	case CBPF_ALU_RSH: hi = b->lo < 32 ? a->hi >> b->lo : 0; break;
	}
	v->hi = hi <= UINT32_MAX ? (uint32_t)hi : UINT32_MAX;
}

/* @a when @a op @k is no other value; 0 otherwise. */
static uint32_t
alu_keeps(const struct vals *vs, uint8_t op, uint32_t a, uint32_t k)
{
	switch (alu_of(op)) {
	case CBPF_ALU_ADD:
	case CBPF_ALU_SUB:
	case CBPF_ALU_OR:
	case CBPF_ALU_XOR:
	case CBPF_ALU_LSH:
	case CBPF_ALU_RSH: return k == 0 ? a : 0;
	case CBPF_ALU_MUL:
	case CBPF_ALU_DIV: return k == 1 ? a : 0;
	case CBPF_ALU_MOD: return vs->v[a].hi < k ? a : 0;
	case CBPF_ALU_AND: return (ones(vs->v[a].hi) & ~k) == 0 ? a : 0;
	}
	return 0;
}

/* @a op @b, where neither ends the program. */
static uint32_t
val_alu(struct vals *vs, uint8_t op, uint32_t a, uint32_t b)
{
	const bool commutes = op == 0x00 || op == 0x20 || op == 0x40 || op == 0x50 || op == 0xa0;
	struct val v = {.kind = VAL_ALU, .op = op, .a = a, .b = b, .lo = 0, .hi = UINT32_MAX};
	uint32_t ka, kb, r;

	if (is_none(a) || is_none(b))
		return 0;
	if (commutes && val_is_const(vs, a, &ka) && !val_is_const(vs, b, &kb)) {
		v.a = b;
		v.b = a;
	} else if (commutes && !val_is_const(vs, b, &kb) && b < a) {
		v.a = b;
		v.b = a;
	}
	if (val_is_const(vs, v.b, &kb)) {
		if (val_is_const(vs, v.a, &ka) && cbpf_alu(alu_of(op), ka, kb, &r))
			return val_const(vs, r);
		if (alu_keeps(vs, op, v.a, kb) != 0)
			return v.a;
		if (op == 0x00 || op == 0x10)
			return val_sum(vs, v.a, op == 0x00 ? kb : 0 - kb);
	}
	alu_bounds(&v, &vs->v[v.a], &vs->v[v.b]);
	return v.lo == v.hi ? val_const(vs, v.lo) : intern(vs, v);
}

/* Where @n reads: a value, or 0 for the packet's start, and a constant from there. */
static void
place_of(const struct vals *vs, const struct state *s, const struct gnode *n, uint32_t *ret_base,
	uint64_t *ret_k)
{
	uint32_t base = 0, k = 0;

	if (node_is_ind(n)) {
		val_split(vs, s->x, &base, &k);
		if (val_is_const(vs, s->x, &k))
			base = 0;
	}
	*ret_base = base;
	*ret_k = (uint64_t)k + n->k;
}

static uint32_t
load_result(struct vals *vs, const struct state *s, const struct gnode *n)
{
	const uint32_t size = node_size(n);
	struct val v = {.kind = VAL_LOAD,
		.op = (uint8_t)size,
		.lo = 0,
		.hi = size == 4     ? UINT32_MAX
			: size == 2 ? UINT16_MAX
				    : UINT8_MAX};
	uint64_t k;

	place_of(vs, s, n, &v.a, &k);
	if (k > UINT32_MAX || (node_is_ind(n) && is_none(s->x)))
		return 0;
	v.k = (uint32_t)k;
	if (n->code == CBPF_CODE_LDX_MSH) {
		v.kind = VAL_MSH;
		v.hi = 60;
	}
	return intern(vs, v);
}

uint32_t
flow_result(struct vals *vs, const struct state *s, const struct gnode *n)
{
	if (node_is_abs(n) || node_is_ind(n))
		return load_result(vs, s, n);
	switch (node_class(n)) {
	case 0:
	case 1:
		if ((n->code & 0xe0u) == 0x60)
			return s->m[n->k];
		if ((n->code & 0xe0u) == 0x80)
			return intern(vs, (struct val){.kind = VAL_LEN, .lo = 0, .hi = UINT32_MAX});
		return val_const(vs, n->k);
	case 2: return s->a;
	case 3: return s->x;
	case 4:
		if (n->code == CBPF_CODE_ALU_NEG)
			return val_alu(vs, 0x10, val_const(vs, 0), s->a);
		return val_alu(
			vs, n->code & 0xf0u, s->a, node_takes_x(n) ? s->x : val_const(vs, n->k));
	default: return n->code == CBPF_CODE_TAX ? s->a : s->x;
	}
}

static uint64_t
reach_of(const struct state *s, uint32_t base)
{
	for (size_t i = 0; i < s->n_reach; i++)
		if (s->reach[i].base == base)
			return s->reach[i].end;
	return 0;
}

bool
flow_is_safe(const struct vals *vs, const struct state *s, const struct gnode *n)
{
	uint32_t base;
	uint64_t k;

	if (node_divides_by_x(n))
		return bounds(vs, s->x).lo > 0;
	if (!node_is_abs(n) && !node_is_ind(n))
		return true;
	if (node_is_ind(n) && is_none(s->x))
		return false;
	place_of(vs, s, n, &base, &k);
	return k + node_size(n) <= (base == 0 ? s->abs_end : reach_of(s, base));
}

void
flow_reach(const struct vals *vs, struct state *s, const struct gnode *n)
{
	uint32_t base;
	uint64_t k, end;

	if (node_is_ind(n) && is_none(s->x))
		return;
	place_of(vs, s, n, &base, &k);
	end = k + node_size(n);
	s->abs_end = MAX(s->abs_end, end + bounds(vs, base).lo * (base != 0));
	if (base == 0)
		return;
	for (size_t i = 0; i < s->n_reach; i++)
		if (s->reach[i].base == base) {
			s->reach[i].end = MAX(s->reach[i].end, end);
			return;
		}
	if (s->n_reach == FLOW_REACHES) {
		memmove(s->reach, s->reach + 1, sizeof(s->reach) - sizeof(s->reach[0]));
		s->n_reach--;
	}
	s->reach[s->n_reach].base = base;
	s->reach[s->n_reach++].end = end;
}

void
flow_step(struct vals *vs, struct state *s, const struct gnode *n)
{
	const uint32_t v = flow_result(vs, s, n);

	if (node_is_abs(n) || node_is_ind(n))
		flow_reach(vs, s, n);
	switch (node_class(n)) {
	case 0:
	case 4: s->a = v; break;
	case 1: s->x = v; break;
	case 2:
	case 3: s->m[n->k] = v; break;
	default: *(n->code == CBPF_CODE_TAX ? &s->x : &s->a) = v; break;
	}
}
