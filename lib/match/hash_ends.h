/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Walks of a table whose items all end where the walk does: included by hash_steps.h.
 * A frame is walked to the end once, and what is in front of it says how far before it
 * items may start. Of these places those are looked up that the walk came by: it keeps
 * them as bits, counted from where it stands.
 */

#include "ends_window.h"
#include "hash_walk.h"

/* The next place of frame @i that is likely to have an item, set for the probe. False: none. */
static inline bool
ends_next(const struct hash_table *t, struct probe *p, struct walk_ends *v, uint32_t i)
{
	const struct window *w = &p->im->index->windows[t->steps_win];
	const struct probe_at *from = &p->at[w->parent][i];
	const uint64_t *const filter = t->filter;

	while (v->may[i] != 0) {
		const uint8_t *place =
			(const uint8_t *)(uintptr_t)v->end[i] - __builtin_ctzll(v->may[i]);
		const int32_t by = (int32_t)(place - from->bytes);
		struct probe_at *at = &p->at[t->steps_win][i];
		uint64_t bit;

		v->may[i] &= v->may[i] - 1;
		*at = (struct probe_at){place, from->left - by, from->pos + (uint32_t)by};
		bit = hash_filter_bit(probe_load(at, 0) & t->filter_word, t->filter_mask);
		if ((filter[bit / 64] >> bit % 64 & 1) != 0 &&
			ends_steps(t, &w->step, from->bytes + w->off, place, &p->steps[i]))
			return true;
	}
	return false;
}

static uint64_t
ask_ends(const struct hash_table *t, struct probe *p, uint64_t some)
{
	const struct window *w = &p->im->index->windows[t->steps_win];
	struct burst_window from;
	struct walk_ends v;

	ends_window(&from, p->at[w->parent], p->n);
	p->im->index->ends(&v, t, &w->step, &from, (int32_t)w->off, some);
	while (v.some != 0) {
		uint64_t likely = 0;

		for (uint64_t m = v.some; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);
			const bool is_likely = ends_next(t, p, &v, i);

			likely |= (uint64_t)is_likely << i;
			/* Who has more places is asked again. */
			v.some ^= (uint64_t)(v.may[i] == 0) << i;
		}
		if (likely != 0)
			HASH_PROBE(t, p, likely);
	}
	return v.odd;
}
