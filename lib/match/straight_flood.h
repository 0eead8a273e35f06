/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The last stage of straight ways where many frames of a burst have the same item, as in a flood:
 * what is asked of it is read once, and frames are compared with it without a branch, several at
 * once. Takes a fifth of what they take one by one. Included behind straight_have.h; before it
 * what does so with frames:
 *
 * frames_with(): which of some frames have an item.
 * equal_runs(): for which of those that have it its run holds; who is not found may be asked alone.
 * led_flood_hold(): led_hold() of some frames.
 * set_rule(): let it be the first one of those that have no earlier one.
 * take_found(): which frames a fan found a place for, to take these out of what it found.
 */

#include "flood.h"

/* The ones of the frames @some for which the ranges of @it hold. */
static __attribute__((noinline)) uint64_t
ranges_of_flood(const struct straight *s, const struct hash_table *t, const struct hash_item *it,
	uint64_t some)
{
	const struct hash_shape *shape = &t->shapes[it->shape];
	const uint64_t *range = &it->val[1 + shape->n_words];
	const STRAIGHT_WINDOWS *w = windows_of(s, t->run_at.win);
	uint64_t hold = 0;

	if (shape->led)
		return led_flood_hold(s, shape, range, some);
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		hold |= (uint64_t)hash_near_hold(shape, range, window_of(w, i).bytes) << i;
	}
	return hold;
}

/*
 * Let @it be the first rule of those of the frames @some, which all have it, that it is found to
 * hold for. Returns these.
 */
static __attribute__((noinline)) uint64_t
have_flood(
	struct straight *s, const struct hash_table *t, const struct hash_item *it, uint64_t some)
{
	const struct hash_shape *shape = &t->shapes[it->shape];
	uint64_t hold;

	/* Pairs with match_image_enable(); nothing else depends on it. */
	if ((atomic_load_explicit(&s->im->state[it->rule], memory_order_relaxed) &
		    MATCH_STATE_ENABLED) == 0)
		return 0;
	hold = shape->run == 32 ? equal_runs(s, t, it, some, 32) : equal_runs(s, t, it, some, 64);
	if (shape->n_ranges > 0)
		hold = ranges_of_flood(s, t, it, hold);
	set_rule(s, it->rule, hold);
	return hold;
}

/* The same for what most of the frames @some have, if most have one. */
static inline uint64_t
have_most(struct straight *s, const struct hash_table *t, const struct straight_items *items,
	uint64_t some)
{
	const struct hash_item *it;
	uint64_t same;

	if (__builtin_popcountll(some) < FLOOD_MIN)
		return 0;
	it = two_of_three(item_of(t->items, items, (uint32_t)__builtin_ctzll(some)),
		item_of(t->items, items, (uint32_t)__builtin_ctzll(some & (some - 1))),
		item_of(t->items, items, 63 - (uint32_t)__builtin_clzll(some)));
	if (it == NULL)
		return 0;
	same = frames_with(s, t, items, it, some);
	return __builtin_popcountll(same) < FLOOD_MIN ? 0 : have_flood(s, t, it, same);
}

/* ---- fans ---- */

/* The place that two of three found have, or FAN_HEAD_MASK, which is none. */
static inline uint32_t
head_of_two(uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t head_a = a & FAN_HEAD_MASK, head_b = b & FAN_HEAD_MASK;
	const uint32_t head_c = c & FAN_HEAD_MASK;

	return head_a == head_b || head_a == head_c ? head_a
		: head_b == head_c                  ? head_b
						    : FAN_HEAD_MASK;
}

/*
 * have_flood() for what most of the @n found by the fan @t have, if most have one: who has the
 * same item has it from the same place. Returns how many are left in @found.
 */
static inline uint32_t
have_most_found(struct straight *s, const struct hash_table *t, uint32_t *found, uint32_t n)
{
	const struct hash_item *it;
	uint32_t head;
	uint64_t same;

	if (n < FLOOD_MIN)
		return n;
	head = head_of_two(found[0], found[n / 2], found[n - 1]);
	if (head == FAN_HEAD_MASK)
		return n;
	/* Where a place is none it is nobody's. */
	it = (const void *)&t->items[t->fan->heads[head]];
	if (it->rule == MATCH_NONE)
		return n;
	same = take_found(found, &n, head);
	same &= ~have_flood(s, t, it, same);
	for (; same != 0; same &= same - 1)
		found[n++] = (uint32_t)__builtin_ctzll(same) << FAN_FRAME_SHIFT | head;
	return n;
}

/* Look the frames @some up in the fan @t, and let them have the first rules of what is found. */
static void
have_fan(struct straight *s, const struct hash_table *t, uint64_t some)
{
	uint32_t found[FAN_FOUND_MAX];
	uint32_t n = fan_find(t->fan, windows_of(s, t->run_at.win), s->n, some, found);

	n = have_most_found(s, t, found, n);
	have_found(s, t, found, n);
}
