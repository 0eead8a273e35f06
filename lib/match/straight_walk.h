/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Places that were walked to, frame by frame, for straight ways that are not AVX-512's. Before it:
 * ends, steps[] and far of struct straight, windows_of(), window_of() and window_put(), which
 * sets one.
 */

/* Begin a burst without places. */
static inline void
walk_init(struct straight *s)
{
	s->ends.some = 0;
	s->ends.odd = 0;
	s->far = false;
}

/*
 * The next place of each frame of s->ends.some, nearest to the end first, for @t to be looked up
 * at. Returns those for which it is not too many steps away.
 */
static uint64_t
next_places(struct straight *s, const struct hash_table *t)
{
	const struct window *w = &s->im->index->windows[t->steps_win];
	uint64_t some = 0;

	for (uint64_t m = s->ends.some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct probe_at from = window_of(windows_of(s, w->parent), i);
		const uint64_t may = s->ends.may[i];
		const uint8_t *end = (const uint8_t *)(uintptr_t)s->ends.end[i];
		const uint8_t *place = end - __builtin_ctzll(may);
		const int32_t by = (int32_t)(place - from.bytes);

		s->ends.may[i] = may & (may - 1);
		s->ends.some ^= (uint64_t)(s->ends.may[i] == 0) << i;
		window_put(s, t->steps_win, i,
			(struct probe_at){place, from.left - by, from.pos + (uint32_t)by});
		if (!ends_steps(t, &w->step, from.bytes + w->off, place, &s->steps[i]))
			continue;
		s->far |= s->steps[i] != 1;
		some |= UINT64_C(1) << i;
	}
	return some;
}
