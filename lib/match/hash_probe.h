/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the hash kernel, compiled once for each kind of processor:
 * included by hash_c.c, hash_avx2.c and hash_avx512.c, which define HASH_PROBE
 * and what their processor can do, and are given its options by meson.build.
 */

#include "hash.h"
#include "probe.h"
#include "scope.h"
#include "search.h"

/* Needs of which some are of the tail, which are rare. */
static bool
tail_holds(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct window *windows = p->im->index->windows;

	for (uint32_t k = 0; k < it->n_needs; k++) {
		const struct item_need *n = &it->needs[k];
		const struct probe_at *at = &p->at[n->win][i];

		if (windows[n->win].kind == WINDOW_TAIL
				? at->pos < n->a || at->left < -(int32_t)n->b
				: at->left < (int32_t)n->a)
			return false;
	}
	return true;
}

/* The bytes must be there. */
static inline bool
needs_hold(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	for (uint32_t k = 0; k < it->n_needs; k++)
		if (p->at[it->needs[k].win][i].left < (int32_t)it->needs[k].a)
			return false;
	return true;
}

static inline bool
words_hold(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	uint64_t differ = (probe_key_word(p, i) & s->key_mask) ^ it->val[0];

	for (uint32_t k = 0; k < s->n_words; k++) {
		const struct hash_word *w = &s->words[k];

		/* Some are there to make a run. */
		if (w->mask == 0)
			continue;
		differ |= (probe_load(&p->at[w->win][i], w->off) & w->mask) ^ it->val[k + 1];
	}
	return differ == 0;
}

/* The number of @r near the end of the frame, or before the window. */
static __attribute__((noinline)) uint32_t
number_at_edge(const struct hash_range *r, const struct probe_at *at)
{
	return __builtin_bswap32((uint32_t)probe_load(at, r->off));
}

/* The number that range @r is about: below 2^(8 * size). */
static inline uint32_t
number_of(const struct hash_range *r, const struct probe *p, uint32_t i)
{
	const struct probe_at *at = &p->at[r->win][i];
	uint32_t x;

	if (r->size == 0)
		return probe_len(p, i, r->space);
	if (r->win == WINDOW_OF_KEY)
		return p->steps[i];
	if (__builtin_expect(r->off >= 0 && at->left >= r->off + (int32_t)sizeof(x), 1)) {
		memcpy(&x, at->bytes + r->off, sizeof(x));
		x = __builtin_bswap32(x);
	} else {
		x = number_at_edge(r, at);
	}
	return x >> r->shift;
}

static inline bool
ranges_hold(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const uint64_t *v = &it->val[1 + s->n_words];

	for (uint32_t k = 0; k < s->n_ranges; k++) {
		const struct hash_range *r = &s->ranges[k];
		const uint32_t x = number_of(r, p, i);

		if ((x & r->mask) - (uint32_t)v[k] > (uint32_t)(v[k] >> 32))
			return false;
	}
	return true;
}

/* What the words cannot say. */
static inline bool
rest_holds(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct match_entry *e = &p->im->entries[it->rule];

	if (((it->flags ^ p->flip) & p->ask_flags & ITEM_GENERATED) != 0)
		return false;
	if ((it->flags & ITEM_PORTS) != 0 && (e->ports >> p->port & 1) == 0)
		return false;
	if ((it->flags & ITEM_RUN) != 0 &&
		!search_run(e, p->im->is_jit, (enum match_run)e->run, p->view[i]))
		return false;
	if ((it->flags & ITEM_RANGES) != 0 && !scope_ports_hold(e->scope.more, p->view[i]))
		return false;
	return (it->flags & ITEM_LISTS) == 0 || scope_lists_hold(e->scope.more, p->view[i]);
}

static inline bool
in_force(const struct probe *p, uint32_t i, uint32_t rule)
{
	/* Pairs with match_image_enable(); nothing else depends on it. */
	const uint8_t state = atomic_load_explicit(&p->im->state[rule], memory_order_relaxed);

	return rule >= p->from[i] && (state & p->want[i]) == p->want[i];
}

/*
 * All that can be asked of an item. Not inlined: with it in the loop the common
 * item took twice the instructions.
 */
static __attribute__((noinline)) bool
item_holds(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	if (!words_hold(s, it, p, i) || !in_force(p, i, it->rule))
		return false;
	if (!((it->flags & ITEM_TAIL) != 0 ? tail_holds(it, p, i) : needs_hold(it, p, i)))
		return false;
	if (s->n_ranges > 0 && !ranges_hold(s, it, p, i))
		return false;
	return ((it->flags ^ p->flip) & p->ask_flags) == 0 || rest_holds(it, p, i);
}

/* Go along the chain from @place on, which is in the order of rules. */
static __attribute__((noinline)) void
try_chain(const struct hash_table *t, struct probe *p, uint32_t i, uint32_t place)
{
	do {
		const struct hash_item *it = (const void *)&t->items[place];

		if (it->rule >= p->best[i])
			return;
		if (item_holds(&t->shapes[it->shape], it, p, i)) {
			p->best[i] = it->rule;
			return;
		}
		place = it->next;
	} while (place != 0);
}

/* ---- candidates ---- */

/* An item that may hold for a frame. */
struct candidate {
	uint32_t i, place;
};

#define CANDIDATES_MORE 8 /* that there must be room for behind the last one */

/* What a table hashes; constants, so that each combination has a loop of its own. */
struct hash_form {
	uint32_t n_words;
	bool has_key; /* as of hash_words() */
	bool together; /* as of hash_table.together */
};

#if defined(HASH_LANES)
#include "hash_find_lanes.h"
#elif defined(HASH_LANES4)
#include "hash_find_lanes4.h"
#else
#include "hash_find.h"
#endif

/*
 * find_NAME() for each thing that tables hash: frames' candidates to @ret, of which there
 * is room for MATCH_BURST + CANDIDATES_MORE; returns how many. Calls of their own, that each loop has
 * all registers.
 */
#define FIND(name, ...) \
	static __attribute__((noinline)) uint32_t name(const struct hash_table *t, \
		const struct probe *p, uint64_t some, struct candidate *ret) \
	{ \
		return find(t, p, some, (struct hash_form){__VA_ARGS__}, ret); \
	}

FIND(find_1, 1, false, false)
FIND(find_1_key, 1, true, false)
FIND(find_2, 2, false, false)
FIND(find_2_key, 2, true, false)
FIND(find_3, 3, false, false)
FIND(find_3_key, 3, true, false)
FIND(find_key, 0, true, false)
FIND(find_1_together, 1, false, true)
FIND(find_1_key_together, 1, true, true)
FIND(find_2_together, 2, false, true)
FIND(find_2_key_together, 2, true, true)
FIND(find_3_together, 3, false, true)
FIND(find_3_key_together, 3, true, true)

typedef uint32_t (*find_fn)(
	const struct hash_table *t, const struct probe *p, uint64_t some, struct candidate *ret);

static inline find_fn
find_for(const struct hash_table *t)
{
	static const find_fn by_words[HASH_DATA_WORDS + 1][2][2] = {
		{{find_key, find_key}, {find_key, find_key}},
		{{find_1, find_1_together}, {find_1_key, find_1_key_together}},
		{{find_2, find_2_together}, {find_2_key, find_2_key_together}},
		{{find_3, find_3_together}, {find_3_key, find_3_key_together}},
	};

	return by_words[t->n_words][hash_has_key(t)][t->together];
}

#ifndef HASH_LANES
/* The candidates that the @n_found numbers @found of the fan @t lead to, to @ret. Returns how many. */
static uint32_t
fan_candidates(const struct hash_table *t, const uint32_t *found, uint32_t n_found,
	struct candidate *restrict ret)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < n_found; k++) {
		const uint32_t place = t->fan->heads[found[k] & FAN_HEAD_MASK];

		ret[n] = (struct candidate){found[k] >> FAN_FRAME_SHIFT, place};
		__builtin_prefetch(&t->items[place]);
		n += place != 0;
	}
	return n;
}
#endif

/* The candidates of @t, which is a fan. */
static uint32_t
find_in_fan(const struct hash_table *t, const struct probe *p, uint64_t some, struct candidate *ret)
{
	uint32_t found[FAN_FOUND_MAX];
	const uint32_t n_found = find_heads(t, p, some, found);

	return fan_candidates(t, found, n_found, ret);
}

#ifdef HASH_RUNS
#ifdef HASH_HALVES
#define HAS_HALVES true
#else
#define HAS_HALVES false
#endif

/* Whether the bytes of both halves of @it are there, at @a and @b of @t, and are its. */
static inline bool
halves_hold(const struct hash_table *t, const struct hash_shape *s, const struct hash_item *it,
	const struct probe_at *a, const struct probe_at *b)
{
#ifdef HASH_HALVES
	return a->left >= (int32_t)it->needs[0].a && b->left >= (int32_t)it->needs[1].a &&
		hash_halves_hold(t, s, it, a, b);
#else
	(void)t, (void)s, (void)it, (void)a, (void)b;
	return false;
#endif
}

/* Whether hash_run_holds() or halves_hold() can say it. */
static inline bool
run_fits(const struct hash_table *t, const struct probe_at *at, const struct probe_at *half,
	uint32_t run, bool halves)
{
#ifdef HASH_HALVES
	if (halves)
		return hash_halves_fit(t, at, half);
#endif
	(void)half, (void)halves;
	return hash_run_fits(at, t->run_at.off, run);
}

/* What plain items of a table have in common; constants, as of struct hash_form. */
struct run_form {
	uint32_t run; /* bytes */
	bool halves; /* as of hash_table.halves */
	bool at_tail;
	/* All items are plain, what is asked of the key is t->test, there are no ranges; first time. */
	bool simple;
};

/* For loops that have better use for registers. */
static __attribute__((noinline)) bool
ranges_hold_call(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	return ranges_hold(s, it, p, i);
}

/* ranges_hold() of an item with halves, whose windows are @a and @b. */
static inline bool
ranges_of_halves_hold(const struct hash_shape *s, const struct hash_item *it, const struct probe *p,
	uint32_t i, const struct probe_at *a, const struct probe_at *b)
{
	const uint64_t *v = &it->val[1 + s->n_words];

	if (s->near == 0)
		return ranges_hold_call(s, it, p, i);
	for (uint32_t k = 0; k < s->n_ranges; k++) {
		const struct probe_at *at = (s->near_half >> k & 1) != 0 ? b : a;
		uint32_t x;

		memcpy(&x, at->bytes + s->near_off[k], sizeof(x));
		x = __builtin_bswap32(x) & s->near_mask[k];
		if (x - (uint32_t)v[k] > (uint32_t)(v[k] >> 32))
			return false;
	}
	return true;
}

/* Whether what plain item @it of shape @s asks besides its run holds. @b: as of its second half. */
static inline bool
rest_of_plain_holds(const struct hash_table *t, const struct hash_item *it,
	const struct hash_shape *s, const struct probe *p, uint32_t i, const struct probe_at *at,
	const struct probe_at *b, bool halves)
{
	if (t->ask_key && (p->key[i] & s->key_mask) != it->val[0])
		return false;
	if (p->again && !in_force(p, i, it->rule))
		return false;
	if (s->n_ranges == 0)
		return true;
	if (halves)
		return ranges_of_halves_hold(s, it, p, i, at, b);
	if (s->near != 0)
		return hash_near_hold(s, &it->val[1 + s->n_words], at->bytes);
	return ranges_hold(s, it, p, i);
}

/* Verify candidates of which most are plain. */
static inline __attribute__((always_inline)) void
try_plain(const struct hash_table *t, struct probe *p, const struct candidate *c, uint32_t n,
	struct run_form f)
{
	const uint64_t *const items = t->items;
	const struct hash_shape *const shapes = t->shapes;
	const struct probe_at *const starts = p->at[t->run_at.win];
	const struct probe_at *const half = p->at[t->half_at.win];
	_Atomic uint8_t *const state = p->im->state;
	const int32_t off = t->run_at.off;
	const uint8_t slow = p->ask_flags & ITEM_GENERATED, flip = p->flip;
	const bool ask_plain = !f.simple && (!t->all_plain || slow != 0);

	for (uint32_t k = 0; k < n; k++) {
		const uint32_t i = c[k].i;
		const struct probe_at *at = &starts[i];
		uint32_t place = c[k].place;

		/* Along the chain: who knows what it begins with can send what has no other end. */
		do {
			const struct hash_item *it = (const void *)&items[place];
			const struct hash_shape *s = &shapes[it->shape];
			const uint32_t rule = it->rule;

			if (rule >= p->best[i])
				break;
			if ((ask_plain &&
				    ((it->flags ^ flip) & (ITEM_PLAIN | slow)) != ITEM_PLAIN) ||
				__builtin_expect(!run_fits(t, at, &half[i], f.run, f.halves), 0)) {
				try_chain(t, p, i, place);
				break;
			}
			if ((f.halves ? halves_hold(t, s, it, at, &half[i])
				      : hash_run_is_there(it, at->left, at->pos, f.at_tail) &&
						    hash_run_holds(s, it, at, off, f.run)) &&
				(atomic_load_explicit(&state[rule], memory_order_relaxed) &
					MATCH_STATE_ENABLED) != 0 &&
				(f.simple ||
					rest_of_plain_holds(
						t, it, s, p, i, at, &half[i], f.halves))) {
				p->best[i] = rule;
				break;
			}
			place = it->next;
		} while (__builtin_expect(place != 0, 0));
	}
}

#define TRY(name, ...) \
	static __attribute__((noinline)) void name(const struct hash_table *t, struct probe *p, \
		const struct candidate *c, uint32_t n) \
	{ \
		try_plain(t, p, c, n, (struct run_form){__VA_ARGS__}); \
	}

TRY(try_32, 32, false, false, false)
TRY(try_64, 64, false, false, false)
TRY(try_32_tail, 32, false, true, false)
TRY(try_64_tail, 64, false, true, false)
TRY(try_32_simple, 32, false, false, true)
TRY(try_64_simple, 64, false, false, true)
TRY(try_32_tail_simple, 32, false, true, true)
TRY(try_64_tail_simple, 64, false, true, true)
#ifdef HASH_HALVES
TRY(try_halves, 64, true, false, false)
TRY(try_halves_simple, 64, true, false, true)
#endif

typedef void (*try_fn)(
	const struct hash_table *t, struct probe *p, const struct candidate *c, uint32_t n);

static inline try_fn
try_for(const struct hash_table *t, const struct probe *p)
{
	static const try_fn by_run[2][2][2] = {
		{{try_32, try_32_simple}, {try_32_tail, try_32_tail_simple}},
		{{try_64, try_64_simple}, {try_64_tail, try_64_tail_simple}},
	};
	const bool simple = t->all_simple && !p->again && (p->ask_flags & ITEM_GENERATED) == 0;

#ifdef HASH_HALVES
	if (t->halves)
		return simple ? try_halves_simple : try_halves;
#endif
	return by_run[t->run > 32][t->run_at_tail][simple];
}
#endif

#ifdef HASH_FLOOD
#include "hash_flood.h"
#endif

/* Ask the items of the @n candidates @c of @t, which are of no use any more. */
static inline void
try_candidates(const struct hash_table *t, struct probe *p, struct candidate *c, uint32_t n)
{
#ifdef HASH_FLOOD
	if (t->run != 0)
		n = try_flood(t, p, c, n);
#endif
#ifdef HASH_RUNS
	if (t->run != 0 && (HAS_HALVES || !t->halves)) {
		try_for(t, p)(t, p, c, n);
		return;
	}
#endif
	for (uint32_t k = 0; k < n; k++)
		try_chain(t, p, c[k].i, c[k].place);
}

void
HASH_PROBE(const struct hash_table *t, struct probe *p, uint64_t some)
{
	/* Of each lane of a fan one. */
	struct candidate c[FAN_KEYS_MAX * MATCH_BURST + CANDIDATES_MORE];
	const uint32_t n = t->fan != NULL ? find_in_fan(t, p, some, c) : find_for(t)(t, p, some, c);

	try_candidates(t, p, c, n);
}

#include "hash_steps.h"
