// SPDX-License-Identifier: BSD-3-Clause
/* Symbolic values: made once each, found again by their hash. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "sym_impl.h"

#define SLOTS_FIRST 1024 /* a power of two; doubled when there are as many nodes */

int
sym_pool_new(struct sym_pool **ret_pool)
{
	struct sym_pool *p = mem_zalloc(sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->n_slots = SLOTS_FIRST;
	p->slots = mem_calloc(p->n_slots, sizeof(struct sym_node *));
	if (p->slots == NULL) {
		mem_free(p);
		return -ENOMEM;
	}
	p->nil.op = SYM_ANY;
	p->nil.umax = UINT32_MAX;
	*ret_pool = p;
	return 0;
}

void
sym_pool_free(struct sym_pool *pool)
{
	if (pool == NULL)
		return;
	arena_fini(&pool->mem);
	arena_fini(&pool->run);
	mem_free(pool->slots);
	mem_free(pool);
}

size_t
sym_pool_bytes(const struct sym_pool *pool)
{
	return pool->mem.bytes + pool->run.bytes + pool->n_slots * sizeof(struct sym_node *) +
		sizeof(*pool);
}

static uint64_t
hash_of(const struct sym_node *n)
{
	uint64_t h = n->op | (uint64_t)n->alu << 8 | (uint64_t)n->size << 16 | (uint64_t)n->k << 32;

	h = (h ^ (uintptr_t)n->a) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 29 ^ (uintptr_t)n->b) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 32;
}

/* Twice the slots. Without memory for them chains get longer, which is no error. */
static void
grow(struct sym_pool *p)
{
	const uint32_t n_slots = p->n_slots * 2;
	const struct sym_node **slots = mem_calloc(n_slots, sizeof(struct sym_node *));

	if (slots == NULL)
		return;
	for (uint32_t i = 0; i < p->n_slots; i++) {
		const struct sym_node *n = p->slots[i], *next;

		for (; n != NULL; n = next) {
			const uint32_t at = (uint32_t)hash_of(n) & (n_slots - 1);

			next = n->hash_next;
			((struct sym_node *)(uintptr_t)n)->hash_next = slots[at];
			slots[at] = n;
		}
	}
	mem_free(p->slots);
	p->slots = slots;
	p->n_slots = n_slots;
}

static bool
same(const struct sym_node *x, const struct sym_node *y)
{
	return x->op == y->op && x->alu == y->alu && x->size == y->size && x->k == y->k &&
		x->a == y->a && x->b == y->b;
}

/* The node like @like, new or known. */
static const struct sym_node *
intern(struct sym_pool *p, const struct sym_node *like)
{
	const uint64_t hash = hash_of(like);
	const struct sym_node *n;
	struct sym_node *new;

	for (n = p->slots[hash & (p->n_slots - 1)]; n != NULL; n = n->hash_next)
		if (same(n, like))
			return n;
	if (p->n_nodes >= p->n_slots)
		grow(p);
	new = arena_zalloc(&p->mem, sizeof(*new));
	if (new == NULL) {
		p->failed = true;
		return &p->nil;
	}
	*new = *like;
	new->id = ++p->n_nodes;
	new->hash_next = p->slots[hash & (p->n_slots - 1)];
	p->slots[hash & (p->n_slots - 1)] = new;
	return new;
}

struct sym_val
sym_any(struct sym_pool *p)
{
	const struct sym_node like = {.op = SYM_ANY, .k = p->n_nodes + 1, .umax = UINT32_MAX};

	return (struct sym_val){intern(p, &like), 0};
}

struct sym_val
sym_len(struct sym_pool *p)
{
	const struct sym_node like = {.op = SYM_LEN, .umax = UINT32_MAX};

	return (struct sym_val){intern(p, &like), 0};
}

const struct sym_node *
sym_node_of(struct sym_pool *p, struct sym_val v)
{
	struct sym_node like = {.op = SYM_CONST, .k = v.add, .umax = v.add};

	if (v.node == NULL)
		return intern(p, &like);
	if (v.add == 0)
		return v.node;
	like.op = SYM_SUM;
	like.a = v.node;
	like.umax = v.node->umax <= UINT32_MAX - v.add ? v.node->umax + v.add : UINT32_MAX;
	return intern(p, &like);
}

bool
sym_place(struct sym_pool *p, struct sym_val x, uint32_t k, uint8_t size,
	const struct sym_node **ret_base, uint32_t *ret_off)
{
	uint64_t off = k;

	if (x.node == NULL || (uint64_t)x.node->umax + x.add <= UINT32_MAX) {
		off += x.add;
		*ret_base = x.node;
	} else {
		*ret_base = sym_node_of(p, x);
	}
	if (off + size > UINT32_MAX)
		return false;
	*ret_off = (uint32_t)off;
	return true;
}

struct sym_val
sym_load(struct sym_pool *p, const struct sym_node *base, uint32_t off, uint8_t size)
{
	const struct sym_node like = {
		.op = SYM_LOAD,
		.size = size,
		.k = off,
		.a = base,
		.umax = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1,
	};

	return (struct sym_val){intern(p, &like), 0};
}

const struct sym_node *
sym_walk(struct sym_pool *p, struct sym_val start, const struct sym_step *step)
{
	const uint64_t far = SYM_STEPS_MAX * (uint64_t)(UINT8_MAX + UINT8_MAX);
	struct sym_node like = {.op = SYM_WALK, .a = start.node, .k = start.add};
	const uint64_t umax = far + start.add + (start.node != NULL ? start.node->umax : 0);

	if (umax > INT32_MAX)
		return NULL;
	like.umax = (uint32_t)umax;
	if (step != NULL)
		like.b = sym_node_of(p,
			sym_number((uint32_t)step->lo | (uint32_t)step->hi << 8 |
				(uint32_t)step->at << 16 | (uint32_t)step->behind << 24));
	return intern(p, &like);
}

struct sym_step
sym_walk_step(const struct sym_node *walk)
{
	const uint32_t k = walk->b->k;

	return (struct sym_step){
		(uint8_t)k, (uint8_t)(k >> 8), (uint8_t)(k >> 16), (uint8_t)(k >> 24)};
}

/* All ones up to the highest bit of @v. */
static uint32_t
ones_over(uint32_t v)
{
	return v == 0 ? 0 : UINT32_MAX >> __builtin_clz(v);
}

/* A bound of what @x alu @y gives. */
static uint32_t
alu_umax(enum cbpf_alu_op op, const struct sym_node *x, const struct sym_node *y)
{
	uint64_t max;

	switch (op) {
	case CBPF_ALU_ADD: max = (uint64_t)x->umax + y->umax; break;
	case CBPF_ALU_MUL: max = (uint64_t)x->umax * y->umax; break;
	case CBPF_ALU_LSH:
		max = y->op != SYM_CONST ? UINT32_MAX : y->k < 32 ? (uint64_t)x->umax << y->k : 0;
		break;
	case CBPF_ALU_RSH:
		max = y->op != SYM_CONST ? x->umax : y->k < 32 ? x->umax >> y->k : 0;
		break;
	case CBPF_ALU_DIV: max = y->op == SYM_CONST ? x->umax / MAX(y->k, 1) : x->umax; break;
	case CBPF_ALU_MOD: max = y->op == SYM_CONST ? MAX(y->k, 1) - 1 : x->umax; break;
	case CBPF_ALU_AND: max = MIN(x->umax, y->umax); break;
	case CBPF_ALU_OR:
	case CBPF_ALU_XOR: max = ones_over(x->umax | y->umax); break;
	case CBPF_ALU_SUB:
	default: max = UINT32_MAX; break;
	}
	return (uint32_t)MIN(max, UINT32_MAX);
}

/* Whether @op gives @x back for the number @k on its right. */
static bool
is_neutral(enum cbpf_alu_op op, uint32_t k)
{
	switch (op) {
	case CBPF_ALU_OR:
	case CBPF_ALU_XOR:
	case CBPF_ALU_LSH:
	case CBPF_ALU_RSH: return k == 0;
	case CBPF_ALU_MUL:
	case CBPF_ALU_DIV: return k == 1;
	case CBPF_ALU_AND: return k == UINT32_MAX;
	case CBPF_ALU_ADD:
	case CBPF_ALU_SUB:
	case CBPF_ALU_MOD: break;
	}
	return false;
}

static bool
is_commutative(enum cbpf_alu_op op)
{
	return op == CBPF_ALU_ADD || op == CBPF_ALU_MUL || op == CBPF_ALU_AND ||
		op == CBPF_ALU_OR || op == CBPF_ALU_XOR;
}

bool
sym_alu(struct sym_pool *p, enum cbpf_alu_op op, struct sym_val x, struct sym_val y,
	struct sym_val *ret)
{
	struct sym_node like = {.op = SYM_ALU, .alu = (uint8_t)op};
	uint32_t k = 0;

	if (x.node == NULL && y.node == NULL) {
		if (!cbpf_alu(op, x.add, y.add, &k))
			return false;
		*ret = sym_number(k);
		return true;
	}
	if (y.node == NULL && y.add == 0 && (op == CBPF_ALU_DIV || op == CBPF_ALU_MOD))
		return false;
	if (op == CBPF_ALU_ADD || op == CBPF_ALU_SUB)
		k = op == CBPF_ALU_ADD ? x.add + y.add : x.add - y.add;
	if (y.node == NULL && (op == CBPF_ALU_ADD || op == CBPF_ALU_SUB)) {
		*ret = (struct sym_val){x.node, k};
		return true;
	}
	if (x.node == NULL && op == CBPF_ALU_ADD) {
		*ret = (struct sym_val){y.node, k};
		return true;
	}
	if (y.node == NULL && is_neutral(op, y.add)) {
		*ret = x;
		return true;
	}
	/* Numbers added to both sides of a sum come out of it. */
	if (x.node != NULL && (op == CBPF_ALU_ADD || op == CBPF_ALU_SUB))
		x.add = y.add = 0;
	else
		k = 0;
	like.a = sym_node_of(p, x);
	like.b = sym_node_of(p, y);
	/* A number goes to the right, else the older node to the left. */
	if (is_commutative(op) &&
		(like.a->op == SYM_CONST || (like.b->op != SYM_CONST && like.b->id < like.a->id))) {
		const struct sym_node *t = like.a;

		like.a = like.b;
		like.b = t;
	}
	like.umax = alu_umax(op, like.a, like.b);
	*ret = (struct sym_val){intern(p, &like), k};
	return true;
}
