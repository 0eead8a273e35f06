/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The last stage of straight ways, that frames have the rules of what was looked up for them;
 * included by the straight way of each kind of processor.
 *
 * Before it: struct straight with im and best[], struct straight_items, STRAIGHT_WINDOWS, which
 * is what has a window of all frames, windows_of(), window_of(), item_of() and hash_near_hold().
 * Behind it: run_holds().
 */

#include "straight_led.h"

/*
 * A table at hand: stores of results could change the original for all the compiler
 * knows. Called with a constant run, at_tail and ranges, so that each combination is a
 * loop of its own.
 */
struct straight_table {
	const struct hash_shape *shapes;
	const _Atomic uint8_t *state;
	int32_t off;
	uint32_t run; /* bytes */
	bool at_tail, ranges;
};

/* Whether the run of @it, of shape @shape, is in the window @at. */
static inline __attribute__((always_inline)) bool run_holds(const struct straight_table *t,
	const struct hash_shape *shape, const struct hash_item *it, const struct probe_at *at);

/* Whether @it holds for frame @i in the window @at, and its rule is in force. */
static inline __attribute__((always_inline)) bool
item_holds(const struct straight *s, const struct straight_table *t, const struct hash_item *it,
	uint32_t i, const struct probe_at *at)
{
	const struct hash_shape *shape = &t->shapes[it->shape];
	const uint64_t *range = &it->val[1 + shape->n_words];

	if (!hash_run_is_there(it, at->left, at->pos, t->at_tail) || !run_holds(t, shape, it, at))
		return false;
	if (t->ranges && shape->led) {
		if (!led_hold(s, shape, range, i))
			return false;
	} else if (t->ranges && shape->near != 0 && !hash_near_hold(shape, range, at->bytes)) {
		return false;
	}
	/* Pairs with match_image_enable(); nothing else depends on it. */
	return (atomic_load_explicit(&t->state[it->rule], memory_order_relaxed) &
		       MATCH_STATE_ENABLED) != 0;
}

/* Go along the chain behind @it, which is not what frame @i is. A call, which is rare. */
static __attribute__((noinline)) void
follow(struct straight *s, const struct hash_table *t, uint32_t i, const struct hash_item *it)
{
	const struct straight_table at_hand = {t->shapes, s->im->state, t->run_at.off,
		t->run > 32 ? 64 : 32, t->run_at_tail, !t->all_simple};
	const struct probe_at at = window_of(windows_of(s, t->run_at.win), i);

	while (it->next != 0) {
		it = (const void *)&t->items[it->next];
		if (it->rule >= s->best[i])
			return;
		if (item_holds(s, &at_hand, it, i, &at)) {
			s->best[i] = it->rule;
			return;
		}
	}
}

/* Let @it be the first rule of frame @i, or what is behind it in its chain, if it holds. */
static inline __attribute__((always_inline)) void
have_item(struct straight *s, const struct hash_table *t, const struct straight_table *at_hand,
	const STRAIGHT_WINDOWS *w, uint32_t i, const struct hash_item *it)
{
	const struct probe_at at = window_of(w, i);

	if (it->rule >= s->best[i])
		return;
	if (__builtin_expect(item_holds(s, at_hand, it, i, &at), 1))
		s->best[i] = it->rule;
	else if (it->next != 0)
		follow(s, t, i, it);
}

/* The first rules of the frames @some, of what was looked up for them. */
static inline __attribute__((always_inline)) void
have_all(struct straight *s, const struct hash_table *t, const struct straight_items *items,
	uint64_t some, uint32_t run, bool at_tail, bool ranges)
{
	const struct straight_table at_hand = {
		t->shapes, s->im->state, t->run_at.off, run, at_tail, ranges};
	const STRAIGHT_WINDOWS *w = windows_of(s, t->run_at.win);
	const uint64_t *all = t->items;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct hash_item *it = item_of(all, items, i);

		have_item(s, t, &at_hand, w, i, it);
	}
}

#define HAVE(name, ...) \
	static __attribute__((noinline)) void name(struct straight *s, const struct hash_table *t, \
		const struct straight_items *items, uint64_t some) \
	{ \
		have_all(s, t, items, some, __VA_ARGS__); \
	}

HAVE(have_32, 32, false, false)
HAVE(have_32_ranges, 32, false, true)
HAVE(have_32_tail, 32, true, false)
HAVE(have_32_tail_ranges, 32, true, true)
HAVE(have_64, 64, false, false)
HAVE(have_64_ranges, 64, false, true)
HAVE(have_64_tail, 64, true, false)
HAVE(have_64_tail_ranges, 64, true, true)

typedef void (*have_fn)(struct straight *s, const struct hash_table *t,
	const struct straight_items *items, uint64_t some);

/* By the run, whether it is at the tail, whether there are ranges. */
static const have_fn haves[2][2][2] = {
	{{have_32, have_32_ranges}, {have_32_tail, have_32_tail_ranges}},
	{{have_64, have_64_ranges}, {have_64_tail, have_64_tail_ranges}},
};

/* ---- fans ---- */

/* Called with a constant @run. */
static inline __attribute__((always_inline)) void
have_found_by(struct straight *s, const struct hash_table *t, const uint32_t *found, uint32_t n,
	uint32_t run)
{
	const struct straight_table at_hand = {
		t->shapes, s->im->state, t->run_at.off, run, false, false};
	const STRAIGHT_WINDOWS *w = windows_of(s, t->run_at.win);
	const uint32_t *heads = t->fan->heads;
	const uint64_t *all = t->items;

	for (uint32_t k = 0; k < n; k++) {
		const uint32_t i = found[k] >> FAN_FRAME_SHIFT;
		const uint32_t place = heads[found[k] & FAN_HEAD_MASK];

		have_item(s, t, &at_hand, w, i, (const void *)&all[place]);
	}
}

/* The first rules of frames, of the @n that fan_find() found for them in @t. */
static __attribute__((noinline)) void
have_found(struct straight *s, const struct hash_table *t, const uint32_t *found, uint32_t n)
{
	if (t->run > 32)
		have_found_by(s, t, found, n, 64);
	else
		have_found_by(s, t, found, n, 32);
}
