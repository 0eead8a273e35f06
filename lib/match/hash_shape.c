// SPDX-License-Identifier: BSD-3-Clause
/* How items lie in a hash table: what those with equal masks share, and what is a run. */
#include <string.h>

#include "hash_build.h"

/* The words of @it but for the key. Returns how many; 0 where the program asks them. */
static uint32_t
words_asked(const struct item *it, const struct item_word **ret)
{
	const bool has_key = it->n_words > 0 && it->words[0].win == WINDOW_OF_KEY;

	*ret = &it->words[has_key];
	return it->prog_says_all ? 0 : it->n_words - has_key;
}

#define RUN_WORDS 8

/* Where the runs of all items of a window can start, so that one loop compares them. */
static void
find_start(struct hash_builder *b)
{
	int32_t last = INT32_MIN;

	for (uint32_t i = 0; i < b->c->n_items; i++) {
		const struct item_word *w;
		const uint32_t n = words_asked(hash_item_of(b, i), &w);

		if (n == 0 || w[0].win != w[n - 1].win)
			continue;
		if (b->run_win == WINDOW_OF_KEY) {
			b->run_win = w->win;
			b->run_off = w->off;
		}
		if (w->win != b->run_win)
			continue;
		b->run_off = MIN(b->run_off, w->off);
		last = MAX(last, w[n - 1].off);
	}
	if (last - b->run_off >= 8 * RUN_WORDS)
		b->run_win = WINDOW_OF_KEY;
}

#define HALF_WORDS (HASH_HALF / 8)

/* The half that has window @win, or 2. */
static uint32_t
half_of(const struct hash_builder *b, uint8_t win)
{
	return win == b->half[0].win ? 0 : win == b->half[1].win ? 1 : 2;
}

/* Whether @it asks for words of both of two windows, and of no others; not of a tail. */
static bool
is_of_two(const struct items *items, const struct item *it)
{
	const struct item_word *w;
	const uint32_t n = words_asked(it, &w);

	if (n == 0 || w[0].win == w[n - 1].win)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if ((w[i].win != w[0].win && w[i].win != w[n - 1].win) ||
			items->windows[w[i].win].kind == WINDOW_TAIL)
			return false;
	return true;
}

/* Two windows in which most items have all their words: these are compared by halves. */
static void
find_halves(struct hash_builder *b)
{
	int32_t last[2] = {INT32_MIN, INT32_MIN};
	uint32_t n_of_two = 0;

	for (uint32_t i = 0; i < b->c->n_items; i++) {
		const struct item *it = hash_item_of(b, i);
		const struct item_word *w;
		const uint32_t n = words_asked(it, &w);

		if (!is_of_two(b->items, it))
			continue;
		if (n_of_two == 0) {
			b->half[0] = (struct half){w[0].win, INT32_MAX};
			b->half[1] = (struct half){w[n - 1].win, INT32_MAX};
		}
		n_of_two += half_of(b, w[0].win) == 0 && half_of(b, w[n - 1].win) == 1;
	}
	for (uint32_t i = 0; i < b->c->n_items && n_of_two > 0; i++) {
		const struct item_word *w;
		const uint32_t n = words_asked(hash_item_of(b, i), &w);

		for (uint32_t k = 0; k < n; k++) {
			const uint32_t h = half_of(b, w[k].win);

			if (h == 2)
				continue;
			b->half[h].off = MIN(b->half[h].off, w[k].off);
			last[h] = MAX(last[h], w[k].off);
		}
	}
	b->halves = 2 * n_of_two > b->c->n_items && last[0] - b->half[0].off < HASH_HALF &&
		last[1] - b->half[1].off < HASH_HALF;
}

/* Whether all words of @it are in the halves. */
static bool
in_halves(const struct hash_builder *b, const struct item *it)
{
	const struct item_word *w;
	const uint32_t n = words_asked(it, &w);

	for (uint32_t i = 0; i < n; i++)
		if (half_of(b, w[i].win) == 2)
			return false;
	return b->halves && n > 0;
}

/* Where the run of item words @w starts. */
static int32_t
run_start(const struct hash_builder *b, const struct item_word *w)
{
	return w->win == b->run_win ? b->run_off : w->off;
}

uint32_t
hash_shape_words(const struct hash_builder *b, const struct item *it)
{
	const struct item_word *w;
	const uint32_t n = words_asked(it, &w);
	uint32_t span;

	if (in_halves(b, it))
		return 2 * HALF_WORDS;
	if (n == 0 || w[n - 1].win != w->win)
		return n;
	span = (uint32_t)(w[n - 1].off - run_start(b, w)) / 8 + 1;
	return span <= RUN_WORDS ? span : n;
}

/* The words of @it, each at its place in the halves; those between them under no mask. */
static void
put_halves(const struct hash_builder *b, const struct item *it, struct hash_shape *s)
{
	const struct item_word *w;
	const uint32_t n = words_asked(it, &w);

	for (uint32_t i = 0; i < 2 * HALF_WORDS; i++) {
		const struct half *h = &b->half[i / HALF_WORDS];

		s->words[i] = (struct hash_word){0, h->off + 8 * (int32_t)(i % HALF_WORDS), h->win,
			b->items->windows[h->win].space};
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t h = half_of(b, w[i].win);

		s->words[HALF_WORDS * h + (uint32_t)(w[i].off - b->half[h].off) / 8].mask =
			w[i].mask;
	}
	s->n_words = 2 * HALF_WORDS;
}

static void
find_run(struct hash_shape *s, bool halves)
{
	const uint32_t n = s->n_words;

	if (n == 0 || n > sizeof(s->run_mask) / sizeof(uint64_t))
		return;
	for (uint32_t i = 1; i < n && !halves; i++)
		if (s->words[i].win != s->words[0].win ||
			s->words[i].off != s->words[0].off + 8 * (int32_t)i)
			return;
	for (uint32_t i = 0; i < n; i++)
		memcpy(&s->run_mask[8 * i], &s->words[i].mask, sizeof(uint64_t));
	for (uint32_t i = 0; i < 8 * n; i++)
		s->run_bytes |= (uint64_t)(s->run_mask[i] != 0) << i;
	s->run = 8 * n <= 32 ? 32 : 64;
}

static void
put_near(struct hash_shape *s)
{
	for (uint32_t i = 0; i < ITEM_RANGES_MAX; i++) {
		/* Those that are not there read what the first does. */
		const struct hash_range *r = &s->ranges[i < s->n_ranges ? i : 0];

		s->near_off[i] = (uint16_t)(r->off + r->size - 4);
		s->near_mask[i] = r->mask & (UINT32_MAX >> (32 - 8 * r->size));
	}
	s->near = (uint8_t)((1u << s->n_ranges) - 1);
}

/*
 * Whether the ranges of @s can be read as 4 bytes each where @it's need holds. Not
 * from the tail on, where bytes are before the window.
 */
static void
find_near(struct hash_shape *s, const struct items *items, const struct item *it)
{
	const struct item_need *need = &it->needs[0];

	if (s->run == 0 || it->n_needs != 1 || items->windows[need->win].kind == WINDOW_TAIL)
		return;
	for (uint32_t i = 0; i < s->n_ranges; i++) {
		const struct hash_range *r = &s->ranges[i];

		if (r->size == 0 || r->win != need->win || r->win == WINDOW_OF_KEY ||
			r->off + r->size < 4 || r->off + r->size > need->a)
			return;
	}
	put_near(s);
}

/* The same of halves, for whose needs make_halves_plain() provides. */
static void
find_near_halves(const struct hash_builder *b, struct hash_shape *s)
{
	for (uint32_t i = 0; i < s->n_ranges; i++) {
		const struct hash_range *r = &s->ranges[i];
		const uint32_t half = half_of(b, r->win);

		if (r->size == 0 || half == 2 || r->off + r->size < 4)
			return;
	}
	for (uint32_t i = 0; i < s->n_ranges; i++)
		s->near_half |= (uint8_t)(half_of(b, s->ranges[i].win) << i);
	put_near(s);
}

/* Whether @r is of a byte that says how far it is to window @win, or to one on the way there. */
static bool
leads_to(const struct items *items, const struct hash_range *r, uint8_t win)
{
	const struct window *w = &items->windows[win];

	for (; w->kind == WINDOW_BYTE || w->kind == WINDOW_WALK || w->kind == WINDOW_STEPS;
		w = &items->windows[w->parent])
		if (w->kind != WINDOW_STEPS && w->parent == r->win && (int32_t)w->off == r->off)
			return r->size == 1;
	return false;
}

/* Note whether all ranges of @s are of bytes that lead to its run, or of steps. */
static void
find_led(struct hash_shape *s, const struct items *items)
{
	uint32_t n_bytes = 0, by = 0;

	if (s->run == 0 || s->near != 0)
		return;
	for (uint32_t i = 0; i < s->n_ranges; i++) {
		const struct hash_range *r = &s->ranges[i];
		const bool of_steps = r->win == WINDOW_OF_KEY && r->size != 0;

		if (!of_steps && !leads_to(items, r, s->words[0].win))
			return;
		n_bytes += !of_steps;
		by = of_steps ? by : i + 1;
	}
	s->led = s->n_ranges > 0;
	s->led_by = n_bytes == 1 ? (uint8_t)by : 0;
}

struct hash_shape
hash_shape_of(const struct hash_builder *b, const struct item *it)
{
	const struct items *items = b->items;
	const uint32_t n = hash_shape_words(b, it);
	struct hash_shape s;
	uint32_t i = 0;
	int32_t at;

	memset(&s, 0, sizeof(s));
	if (it->n_words > 0 && it->words[0].win == WINDOW_OF_KEY)
		s.key_mask = it->words[i++].mask;
	at = n > 0 ? run_start(b, &it->words[i]) : 0;
	if (in_halves(b, it))
		put_halves(b, it, &s);
	for (const bool fill = n > it->n_words - i; s.n_words < n; s.n_words++, at += 8) {
		const struct item_word *w = &it->words[i];
		struct hash_word *to = &s.words[s.n_words];

		*to = (struct hash_word){w->mask, w->off, w->win, items->windows[w->win].space};
		if (fill && at < w->off) {
			to->mask = 0;
			to->off = at;
			continue;
		}
		i++;
	}
	for (i = 0; i < it->n_ranges && !it->prog_says_all; i++) {
		const struct item_range *r = &it->ranges[i];
		struct hash_range *to = &s.ranges[s.n_ranges++];

		/* Field by field: shapes are compared as bytes. */
		to->mask = r->mask;
		to->off = r->off;
		to->win = r->win;
		to->space = items->windows[r->win].space;
		to->size = r->size;
		to->shift = (uint8_t)(32 - 8 * r->size);
	}
	find_run(&s, in_halves(b, it));
	if (s.n_ranges > 0 && in_halves(b, it))
		find_near_halves(b, &s);
	else if (s.n_ranges > 0)
		find_near(&s, items, it);
	find_led(&s, items);
	return s;
}

/* Whether need @n, of the window of run @s, says that all bytes of the run are there. */
static bool
need_covers(const struct hash_shape *s, const struct item_need *n, bool at_tail)
{
	const int32_t off = s->words[0].off;
	int32_t first, last;

	if (s->run_bytes == 0)
		return true;
	first = off + __builtin_ctzll(s->run_bytes);
	last = off + 63 - __builtin_clzll(s->run_bytes);
	if (at_tail)
		return first >= -(int32_t)n->a && last < -(int32_t)n->b;
	return first >= 0 && last < (int32_t)n->a;
}

/*
 * The bytes that half number @half of a run of @s takes of its window, if @h matches:
 * what is asked is there, or it would not. 0 or less: none need be.
 */
static int32_t
half_takes(const struct hash_builder *b, const struct hash_shape *s, const struct hash_item *h,
	uint32_t half)
{
	const uint32_t bytes = (uint32_t)(s->run_bytes >> HASH_HALF * half);
	const struct half *of = &b->half[half];
	int32_t takes = bytes != 0 ? of->off + 32 - __builtin_clz(bytes) : 0;

	for (uint32_t k = 0; k < h->n_needs; k++)
		if (h->needs[k].win == of->win)
			takes = MAX(takes, (int32_t)h->needs[k].a);
	for (uint32_t k = 0; k < s->n_ranges && s->near != 0; k++)
		if ((s->near_half >> k & 1u) == half)
			takes = MAX(takes, s->near_off[k] + 4);
	return takes;
}

/* hash_shape_is_plain() of halves. The needs of @h become what each of them takes. */
static bool
make_halves_plain(struct hash_builder *b, const struct hash_shape *s, struct hash_item *h)
{
	struct item_need needs[2];

	if (h->n_needs == 0 || (h->flags & ~ITEM_GENERATED) != 0)
		return false;
	for (uint32_t k = 0; k < h->n_needs; k++)
		if (half_of(b, h->needs[k].win) == 2)
			return false;
	for (uint32_t half = 0; half < 2; half++) {
		const struct half *of = &b->half[half];
		const int32_t takes = half_takes(b, s, h, half);

		if (takes <= 0 || takes > UINT16_MAX || of->off < 0)
			return false;
		needs[half] = (struct item_need){
			.a = (uint16_t)takes, .win = of->win, .space = s->words[0].space};
	}
	memcpy(h->needs, needs, sizeof(needs));
	h->n_needs = 2;
	b->t->halves = true;
	b->t->run_at = s->words[0];
	b->t->half_at = s->words[HALF_WORDS];
	b->t->run = 2 * HASH_HALF;
	return true;
}

/* The same of a run in one window. */
static bool
is_plain(struct hash_builder *b, const struct hash_shape *s, const struct hash_item *h)
{
	const struct hash_word *w = &s->words[0];
	struct hash_table *t = b->t;
	bool at_tail;

	if (s->run == 0 || b->halves || (h->flags & ~(ITEM_GENERATED | ITEM_TAIL)) != 0 ||
		h->n_needs != 1 || h->needs[0].win != w->win)
		return false;
	at_tail = b->items->windows[w->win].kind == WINDOW_TAIL;
	if (!need_covers(s, &h->needs[0], at_tail))
		return false;
	if (t->run == 0) {
		t->run_at = *w;
		t->run_at_tail = at_tail;
	}
	if (t->run_at.win != w->win || t->run_at.off != w->off)
		return false;
	t->run = MAX(t->run, s->run);
	return true;
}

bool
hash_shape_is_plain(struct hash_builder *b, const struct item *it, const struct hash_shape *s,
	struct hash_item *h)
{
	return in_halves(b, it) ? make_halves_plain(b, s, h) : is_plain(b, s, h);
}

void
hash_shape_init(struct hash_builder *b)
{
	find_halves(b);
	find_start(b);
}
