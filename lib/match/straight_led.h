/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Ranges of bytes that lead to an item's run, and of steps to it: included by straight ways behind
 * window_of(). Before it: steps[] and far of struct straight, as straight_walk.h sets them.
 */

/* Whether the byte in frame @i that @r is about is in @range. */
static inline bool
byte_holds(const struct straight *s, const struct hash_range *r, uint64_t range, uint32_t i)
{
	const uint8_t *bytes = window_of(windows_of(s, r->win), i).bytes;

	return (bytes[r->off] & r->mask) - (uint32_t)range <= (uint32_t)(range >> 32);
}

/* Whether all of the ranges of @shape, which leads to its run, hold for frame @i. */
static __attribute__((noinline)) bool
all_led_hold(
	const struct straight *s, const struct hash_shape *shape, const uint64_t *range, uint32_t i)
{
	for (uint32_t k = 0; k < shape->n_ranges; k++) {
		const struct hash_range *r = &shape->ranges[k];

		if (r->win == WINDOW_OF_KEY
				? s->steps[i] - (uint32_t)range[k] > (uint32_t)(range[k] >> 32)
				: !byte_holds(s, r, range[k], i))
			return false;
	}
	return true;
}

/* The same; mostly they are one, and steps that are few enough for all. */
static inline bool
led_hold(
	const struct straight *s, const struct hash_shape *shape, const uint64_t *range, uint32_t i)
{
	const uint32_t k = shape->led_by - 1u;

	if (__builtin_expect(shape->led_by == 0 || s->far, 0))
		return all_led_hold(s, shape, range, i);
	return byte_holds(s, &shape->ranges[k], range[k], i);
}

/* The ones of the frames @some for which led_hold() holds, one by one. */
static inline uint64_t
led_hold_of(const struct straight *s, const struct hash_shape *shape, const uint64_t *range,
	uint64_t some)
{
	uint64_t hold = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		hold |= (uint64_t)led_hold(s, shape, range, i) << i;
	}
	return hold;
}
