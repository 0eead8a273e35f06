// SPDX-License-Identifier: BSD-3-Clause
/*
 * cmp dword [x + 4], 0x61786507		mov rax, 0x656c706d61786507
 * jne drop			->		cmp [x + 4], rax
 * cmp dword [x + 8], 0x656c706d		jne drop
 * jne drop
 *
 * The tests of a conjunction that ask about bytes of one window are taken apart
 * into bytes and put together again as the cheapest set of 1, 2, 4 and 8 byte
 * compares that covers them. Bytes between them may be read with a mask, as
 * far as guards have passed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ir.h"
#include "ir_known.h"

#define BYTES_MAX 256 /* of one conjunction and base; more are left as they are */
#define CLIMB_MAX 64 /* dominating blocks asked for guards */

struct byte_test {
	uint32_t off;
	uint32_t order; /* of the test it came from */
	uint8_t mask, want;
};

struct window {
	uint32_t off;
	uint8_t size;
	uint64_t mask, want;
};

struct plan {
	uint32_t cost;
	uint32_t next; /* the first byte that the window leaves to others */
	struct window w;
};

/* How many bytes behind @base have been checked when @b is left. */
static uint64_t
readable(const struct ir_block *b, const struct ir_val *base)
{
	uint64_t end = 0;

	for (int n = 0; b != NULL && n < CLIMB_MAX; b = b->idom, n++)
		for (const struct ir_guard *g = b->guards; g != NULL; g = g->next)
			if (g->v == base)
				end = MAX(end, g->end);
	return end;
}

/* Fused micro-operations of a test; see emit_raw_test(). */
static uint32_t
cost_of(const struct window *w)
{
	uint64_t ones = UINT64_MAX >> (64 - 8 * w->size);

	if (w->mask == ones || w->want == 0)
		return 2;
	return w->size == 8 ? 4 : 3;
}

/*
 * The bytes from @i that lie in a window of @size, which begins there, or
 * before where it would end behind @end.
 */
static bool
lay(const struct byte_test *v, uint32_t n, uint32_t i, uint8_t size, uint64_t end, struct plan *p)
{
	uint64_t off = v[i].off;

	if (off + size > end) {
		if (end < size)
			return false;
		off = end - size;
	}
	p->w = (struct window){.off = (uint32_t)off, .size = size};
	for (p->next = i; p->next < n && v[p->next].off < off + size; p->next++) {
		unsigned int shift = 8 * (unsigned int)(v[p->next].off - off);

		p->w.mask |= (uint64_t)v[p->next].mask << shift;
		p->w.want |= (uint64_t)v[p->next].want << shift;
	}
	return p->next > i;
}

/* From the last byte to the first: the cheapest way to cover it and all behind it. */
static void
plan_all(const struct byte_test *v, uint32_t n, uint64_t end, struct plan *plans)
{
	plans[n].cost = 0;
	for (uint32_t i = n; i-- > 0;) {
		plans[i].cost = UINT32_MAX;
		for (uint8_t size = 8; size > 0; size /= 2) {
			struct plan p;

			if (!lay(v, n, i, size, end, &p))
				continue;
			p.cost = cost_of(&p.w) + plans[p.next].cost;
			if (p.cost < plans[i].cost)
				plans[i] = p;
		}
	}
}

static int
by_offset(const void *a, const void *b)
{
	const struct byte_test *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Add the bytes that @t asks about. */
static uint32_t
take_apart(const struct ir_test *t, uint32_t order, struct byte_test *v, uint32_t n)
{
	for (unsigned int i = 0; i < t->size; i++) {
		uint8_t mask = (uint8_t)(t->mask >> 8 * i);

		if (mask != 0)
			v[n++] = (struct byte_test){
				t->off + i, order, mask, (uint8_t)(t->want >> 8 * i)};
	}
	return n;
}

/* Sort, and make one of several about the same byte; false when they contradict each other. */
static bool
unite(struct byte_test *v, uint32_t *n)
{
	uint32_t m = 0;

	qsort(v, *n, sizeof(*v), by_offset);
	for (uint32_t i = 0; i < *n; i++) {
		struct byte_test *last = &v[m > 0 ? m - 1 : 0];

		if (m == 0 || last->off != v[i].off) {
			v[m++] = v[i];
			continue;
		}
		if (((last->want ^ v[i].want) & last->mask & v[i].mask) != 0)
			return false;
		last->mask |= v[i].mask;
		last->want |= v[i].want;
		last->order = MIN(last->order, v[i].order);
	}
	*n = m;
	return true;
}

static bool
is_plain(const struct ir_test *t)
{
	return t->kind == IR_MEM && !t->neg;
}

/* Put @t before the first of @list that came later in the program. */
static void
insert(struct ir_test **list, struct ir_test *t)
{
	while (*list != NULL && (*list)->order <= t->order)
		list = &(*list)->next;
	t->next = *list;
	*list = t;
}

static void
put_windows(struct ir *ir, struct ir_block *b, struct ir_val *base, const struct byte_test *v,
	uint32_t n, const struct plan *plans)
{
	for (uint32_t i = 0; i < n; i = plans[i].next) {
		const struct window *w = &plans[i].w;
		struct ir_test *t = ir_test_new(ir);

		if (t == NULL)
			return;
		t->kind = IR_MEM;
		t->a = base;
		t->off = w->off;
		t->size = w->size;
		t->mask = w->mask;
		t->want = w->want;
		t->order = v[i].order;
		for (uint32_t j = i; j < plans[i].next; j++)
			t->order = MIN(t->order, v[j].order);
		insert(&b->tests, t);
	}
}

/* All plain tests about @base's bytes in @b, as windows. */
static void
widen_base(struct ir *ir, struct ir_block *b, struct ir_val *base)
{
	struct byte_test v[BYTES_MAX];
	struct plan plans[BYTES_MAX + 1];
	uint64_t end = MAX(readable(b, base), base == NULL ? ir_known_bytes(ir) : 0);
	uint32_t n = 0;

	for (struct ir_test *t = b->tests; t != NULL; t = t->next) {
		if (!is_plain(t) || t->a != base)
			continue;
		/* Also what different guards on all ways to here have checked. */
		end = MAX(end, (uint64_t)t->off + t->size);
		if (n + t->size > BYTES_MAX)
			return;
		n = take_apart(t, t->order, v, n);
	}
	if (!unite(v, &n))
		return;
	plan_all(v, n, end, plans);
	for (struct ir_test **p = &b->tests; *p != NULL;)
		if (is_plain(*p) && (*p)->a == base)
			*p = (*p)->next;
		else
			p = &(*p)->next;
	put_windows(ir, b, base, v, n, plans);
}

/* A base that more than one plain test of @b asks about and that was not widened yet. */
static struct ir_test *
next_shared(struct ir_block *b)
{
	for (struct ir_test *t = b->tests; t != NULL; t = t->next) {
		if (!is_plain(t) || t->widened)
			continue;
		for (struct ir_test *u = t->next; u != NULL; u = u->next)
			if (is_plain(u) && u->a == t->a && !u->widened)
				return t;
		t->widened = true;
	}
	return NULL;
}

void
opt_windows(struct ir *ir)
{
	for (uint32_t i = 0; i < ir->nblocks && !ir->failed; i++) {
		struct ir_block *b = ir->blocks[i];
		struct ir_test *t;
		uint32_t order = 0;

		for (t = b->tests; t != NULL; t = t->next)
			t->order = order++;
		while ((t = next_shared(b)) != NULL) {
			struct ir_val *base = t->a;

			widen_base(ir, b, base);
			for (t = b->tests; t != NULL; t = t->next)
				t->widened |= t->kind == IR_MEM && t->a == base;
		}
	}
}
