// SPDX-License-Identifier: BSD-3-Clause
#include "shape.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "pkt/proto.h"
#include "pkt/view.h"

#define PORTS_MAX 8 /* that are looked at */

/* Ports that many items ask for, each. */
struct ports {
	uint16_t v[PORTS_MAX];
	uint32_t n;
};

/* The port that @it asks for, or -1. */
static int
port_of(const struct item *it)
{
	const struct item_word *key = &it->words[0];

	if (it->n_words == 0 || key->win != WINDOW_OF_KEY ||
		(~key->mask & PKT_KEY_DPORT(UINT16_MAX)) != 0)
		return -1;
	return (int)(key->val & PKT_KEY_DPORT(UINT16_MAX));
}

static int
order_ports(const void *pa, const void *pb)
{
	return *(const uint16_t *)pa - *(const uint16_t *)pb;
}

static int
find_ports(const struct items *items, struct arena *arena, struct ports *ret)
{
	uint16_t *v = arena_zalloc(arena, (items->n + 1) * sizeof(*v));
	uint32_t n = 0;

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < items->n; i++)
		if (port_of(&items->v[i]) >= 0)
			v[n++] = (uint16_t)port_of(&items->v[i]);
	qsort(v, n, sizeof(*v), order_ports);
	for (uint32_t i = 0; i + SHAPE_PORT_MIN <= n && ret->n < PORTS_MAX; i++)
		if (v[i] == v[i + SHAPE_PORT_MIN - 1] &&
			(ret->n == 0 || ret->v[ret->n - 1] != v[i]))
			ret->v[ret->n++] = v[i];
	return 0;
}

static struct frames_of
frames_of(const struct ports *ports, const struct item *it)
{
	const int proto = item_proto(it), port = port_of(it);
	struct frames_of f = {-1, -1};

	if (proto == PKT_PROTO_TCP || proto == PKT_PROTO_UDP || proto == PKT_PROTO_ICMP)
		f.proto = proto;
	for (uint32_t i = 0; i < ports->n; i++)
		if (ports->v[i] == port)
			f.port = port;
	return f;
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
order_frames(struct frames_of a, struct frames_of b)
{
	if (a.proto != b.proto)
		return a.proto < b.proto ? -1 : 1;
	return (a.port > b.port) - (a.port < b.port);
}

static int
order_like(const void *pa, const void *pb)
{
	const struct shape *a = pa, *b = pb;
	const int order = order_frames(a->frames, b->frames);

	return order != 0 ? order : order_words(a->like, b->like);
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

/* Equal for items of one shape, which are for @f. */
static uint64_t
shape_hash(const struct item *it, struct frames_of f)
{
	uint64_t h = shape_mix(
		it->steps_win ^ (uint64_t)(f.proto + 1) << 8 ^ (uint64_t)(f.port + 1) << 32,
		it->n_words);

	for (uint32_t i = 0; i < it->n_words; i++)
		h = shape_mix(h,
			it->words[i].mask ^ (uint64_t)it->words[i].win << 32 ^
				(uint64_t)(uint16_t)it->words[i].off << 16);
	return h;
}

/* The number of the shape of @it, which is for @f, new or known, by @slots, @n_slots of them: numbers + 1. */
static uint32_t
shape_of(struct shapes *s, const struct item *it, struct frames_of f, uint32_t *slots,
	uint32_t n_slots)
{
	uint32_t at = (uint32_t)shape_hash(it, f) & (n_slots - 1);

	for (; slots[at] != 0; at = (at + 1) & (n_slots - 1)) {
		const struct shape *is = &s->v[slots[at] - 1];

		if (order_frames(is->frames, f) == 0 && order_words(is->like, it) == 0)
			return slots[at] - 1;
	}
	s->v[s->n] = (struct shape){.like = it,
		.number = s->n,
		.bits = shape_bits(it->words, it->n_words),
		.frames = f,
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

	struct ports ports = {.n = 0};

	if (slots == NULL || of == NULL || s.order == NULL || s.v == NULL ||
		find_ports(items, arena, &ports) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct item *it = &items->v[i];

		of[i] = shape_of(&s, it, frames_of(&ports, it), slots, n_slots);
		s.v[of[i]].n++;
	}
	order_by_shape(&s, of, n, slots);
	qsort(s.v, s.n, sizeof(*s.v), order_shapes);
	*ret = s;
	return 0;
}
