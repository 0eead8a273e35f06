/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Walks of a table whose items all end where the walk does: included by hash_steps.h.
 * A frame is walked to the end once, and what is in front of it says how far before it
 * items may start. Of these places those are looked up that the walk came by: it keeps
 * them as bits, counted from where it stands.
 */

#include "ends.h"
#include "hash_walk.h"

#ifndef HASH_ENDS
/* Take frames from @some, as many as there is room for. */
static inline void
ends_begin(struct ends_walker *w, struct walk_ends *v, const struct probe_at *from, int32_t off,
	uint64_t *some)
{
	memset(w, 0, sizeof(*w));
	for (; w->n < ENDS_AT_ONCE && *some != 0; *some &= *some - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(*some);

		if (from[i].left <= off)
			continue;
		/* What is loaded before any place is in the frame. */
		if (__builtin_expect((int64_t)from[i].pos + off < ENDS_BEFORE, 0)) {
			v->odd |= UINT64_C(1) << i;
			continue;
		}
		w->frame[w->n] = i;
		w->start[w->n] = w->place[w->n] = from[i].bytes + off;
		w->end[w->n] = from[i].bytes + from[i].left;
		w->n++;
	}
	/* Who has no frame goes with the first one. */
	for (uint32_t k = w->n; k < ENDS_AT_ONCE; k++) {
		w->place[k] = w->place[0];
		w->end[k] = w->end[0];
	}
}

/* Go on to where no step leads on, or for @rounds steps. */
static inline void
ends_walk(struct ends_walker *w, const struct sym_step *step, uint32_t rounds)
{
	const uint32_t lo = step->lo, span = step->hi - lo, behind = step->behind;
	uint32_t moved = 1;

	for (; rounds > 0 && moved != 0; rounds--) {
		moved = 0;
		for (uint32_t k = 0; k < ENDS_AT_ONCE; k++) {
			const uint8_t *place = w->place[k], *last = w->end[k] - 1;
			const uint32_t length = *(place < last ? place : last);
			const bool on = (length - lo <= span) & (place <= last);
			const uint32_t by = on ? length + behind : 0;

			w->place[k] = place + by;
			w->starts[k] = (by < ENDS_BITS ? w->starts[k] << (by & 63) : 0) | 1;
			moved |= by;
		}
	}
}

/* Note which of them may have items at their ends. */
static inline void
ends_note(struct walk_ends *v, const struct hash_table *t, const struct ends_walker *w)
{
	for (uint32_t k = 0; k < w->n; k++) {
		const uint8_t *end = w->place[k];
		const uint64_t by = (uint64_t)(end - w->start[k]);
		const uint32_t i = w->frame[k];
		uint64_t words[2], may;

		if (end >= w->end[k])
			continue;
		memcpy(words, end - ENDS_BEFORE, sizeof(words));
		may = t->ends[hash_ends_number(words[0] & t->ends_words[0],
			      words[1] & t->ends_words[1], t->ends_mask)] &
			w->starts[k];
		/* Where it starts is none of the places. */
		if (by < ENDS_BITS)
			may &= (UINT64_C(1) << by) - 1;
		v->may[i] = may;
		v->end[i] = (uintptr_t)end;
		v->some |= (uint64_t)(may != 0) << i;
	}
}

/* As ends_fn says, for the windows of @p that the walks of @t start at. */
static __attribute__((noinline)) void
find_ends(struct walk_ends *v, const struct hash_table *t, const struct probe *p, uint64_t some)
{
	const struct window *win = &p->im->index->windows[t->steps_win];

	v->some = 0;
	v->odd = 0;
	while (some != 0) {
		struct ends_walker w;

		ends_begin(&w, v, p->at[win->parent], (int32_t)win->off, &some);
		if (w.n == 0)
			return;
		ends_walk(&w, &win->step, t->steps_max + ENDS_BITS);
		ends_note(v, t, &w);
	}
}
#endif

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
	struct walk_ends v;

	find_ends(&v, t, p, some);
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
