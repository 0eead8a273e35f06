// SPDX-License-Identifier: BSD-3-Clause
#include "shape.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "pkt/proto.h"

/* The protocol that @it asks for, of those that are most of all traffic, or -1. */
static int
proto_of(const struct item *it)
{
	const int proto = item_proto(it);

	return proto == PKT_PROTO_TCP || proto == PKT_PROTO_UDP || proto == PKT_PROTO_ICMP ? proto
											   : -1;
}

/* Whether @it looks at what is in front of L4. */
static bool
has_start(const struct item *it)
{
	for (uint32_t i = 0; i < it->n_words; i++)
		if (it->words[i].win == WINDOW_OF_START(SPACE_RAW) ||
			it->words[i].win == WINDOW_OF_START(SPACE_ETHER))
			return true;
	return false;
}

static int
order_words(const struct item *a, const struct item *b)
{
	const int proto_a = proto_of(a), proto_b = proto_of(b);

	if (proto_a != proto_b)
		return proto_a < proto_b ? -1 : 1;
	if (a->steps_win != b->steps_win)
		return a->steps_win < b->steps_win ? -1 : 1;
	if (a->n_words != b->n_words)
		return a->n_words < b->n_words ? -1 : 1;
	for (uint32_t i = 0; i < a->n_words; i++) {
		const struct item_word *x = &a->words[i], *y = &b->words[i];

		if (x->win != y->win || x->off != y->off)
			return item_word_before(x, y) ? -1 : 1;
		if (x->mask != y->mask)
			return x->mask < y->mask ? -1 : 1;
	}
	return 0;
}

static int
order_like(const void *pa, const void *pb)
{
	return order_words(((const struct shape *)pa)->like, ((const struct shape *)pb)->like);
}

static int
order_shapes(const void *pa, const void *pb)
{
	const struct shape *a = pa, *b = pb;

	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits > b->bits ? -1 : 1;
	return (a->first > b->first) - (a->first < b->first);
}

/* Equal for items of one shape. */
static uint64_t
shape_hash(const struct item *it)
{
	uint64_t h = shape_mix(it->steps_win ^ (uint64_t)(proto_of(it) + 1) << 8, it->n_words);

	for (uint32_t i = 0; i < it->n_words; i++)
		h = shape_mix(h,
			it->words[i].mask ^ (uint64_t)it->words[i].win << 32 ^
				(uint64_t)(uint16_t)it->words[i].off << 16);
	return h;
}

/* The number of the shape of @it, new or known, by @slots, @n_slots of them: numbers + 1. */
static uint32_t
shape_of(struct shapes *s, const struct item *it, uint32_t *slots, uint32_t n_slots)
{
	uint32_t at = (uint32_t)shape_hash(it) & (n_slots - 1);

	for (; slots[at] != 0; at = (at + 1) & (n_slots - 1))
		if (order_words(s->v[slots[at] - 1].like, it) == 0)
			return slots[at] - 1;
	s->v[s->n] = (struct shape){.like = it,
		.number = s->n,
		.bits = shape_bits(it->words, it->n_words),
		.proto = proto_of(it),
		.has_start = has_start(it)};
	slots[at] = ++s->n;
	return s->n - 1;
}

/* Order items by shape, of which @of has the number by item; shapes not as rules happen to come. */
static void
order_by_shape(struct shapes *s, const uint32_t *of, uint32_t n_items, uint32_t *place)
{
	uint32_t first = 0;

	qsort(s->v, s->n, sizeof(*s->v), order_like);
	for (uint32_t i = 0; i < s->n; i++) {
		place[s->v[i].number] = first;
		s->v[i].first = first;
		first += s->v[i].n;
	}
	for (uint32_t i = 0; i < n_items; i++)
		s->order[place[of[i]]++] = i;
}

int
shapes_find(const struct items *items, struct arena *arena, struct shapes *ret)
{
	const uint32_t n = items->n;
	const uint32_t n_slots = (uint32_t)MAX(64, power_of_2(2 * (uint64_t)n));
	uint32_t *slots = arena_zalloc(arena, n_slots * sizeof(*slots));
	uint32_t *of = arena_zalloc(arena, (n + 1) * sizeof(*of));
	struct shapes s = {.order = arena_zalloc(arena, (n + 1) * sizeof(*s.order)),
		.v = arena_zalloc(arena, (n + 1) * sizeof(*s.v))};

	if (slots == NULL || of == NULL || s.order == NULL || s.v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		of[i] = shape_of(&s, &items->v[i], slots, n_slots);
		s.v[of[i]].n++;
	}
	order_by_shape(&s, of, n, slots);
	qsort(s.v, s.n, sizeof(*s.v), order_shapes);
	*ret = s;
	return 0;
}
