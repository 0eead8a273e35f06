/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The walk of a table that is asked at every place steps lead to, label by label:
 * included by hash_probe.h. Of 8 bytes at a place the first is the length of the
 * step to the next one, and all are looked up in a filter, so that the table is
 * only asked where it is likely to have something. All frames of a burst make a
 * step before the next, since where a name ends is anybody's guess.
 */

#include "hash_ends.h"
#include "hash_walk.h"

/* Those of @some that have a place to start from. Returns those that are too short for it. */
static inline uint64_t
walk_init(struct walkers *v, const struct probe_at *from, int32_t off, uint64_t some)
{
	uint64_t odd = 0;

	v->n = 0;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct probe_at *at = &from[i];
		const bool there = at->left > off;

		/* Of a window that is not there these are numbers that nobody follows. */
		v->place[v->n] = (const uint8_t *)((uintptr_t)at->bytes + (uintptr_t)off);
		v->end[v->n] = (const uint8_t *)((uintptr_t)at->bytes + (uintptr_t)at->left);
		v->frame[v->n] = i;
		v->n += there;
		/* Words near the end are read from before it. */
		if (__builtin_expect(there && (int64_t)at->pos + at->left < 8, 0)) {
			odd |= UINT64_C(1) << i;
			v->n--;
		}
	}
	return odd;
}

#ifndef HASH_WALK
/* See what is at the places, and make a step. No branches: names end anywhere. */
static __attribute__((noinline)) void
walk_on(struct walkers *v, const struct hash_table *t, const struct sym_step *step)
{
	const uint64_t *const filter = t->filter;
	const uint64_t mask = t->filter_word;
	const uint64_t bits = t->filter_mask;
	const uint32_t lo = step->lo, span = step->hi - lo, behind = step->behind, n = v->n;
	uint32_t on = 0, stopped = 0;

	for (uint32_t k = 0; k < n; k++) {
		const uint8_t *place = v->place[k], *end = v->end[k];
		const uint64_t frame = v->frame[k];
		const int64_t left = end - place;
		int64_t lacks = 8 - left;
		uint32_t length;
		uint64_t w, at;

		lacks &= ~(lacks >> 63);
		memcpy(&w, place - lacks, sizeof(w));
		/* Nothing where nothing is left. */
		w = (w >> (8 * lacks & 63)) & (uint64_t)(-left >> 63);
		length = (uint8_t)w;
		at = hash_filter_bit(w & mask, bits);
		v->stop[stopped] = place;
		v->stopped[stopped] = frame;
		stopped += filter[at / 64] >> at % 64 & 1;
		v->place[on] = place + behind + length;
		v->end[on] = end;
		v->frame[on] = frame;
		on += (length - lo <= span) & (left > 0);
	}
	v->n = on;
	v->n_stopped = stopped;
}
#endif

uint64_t
HASH_STEPS(const struct hash_table *t, struct probe *p, uint64_t some)
{
	const struct window *w = &p->im->index->windows[t->steps_win];
	const struct probe_at *from = p->at[w->parent];
	struct probe_at *at = p->at[t->steps_win];
	struct walkers v;
	uint64_t odd;

	if (t->ends != NULL)
		return ask_ends(t, p, some);
	odd = walk_init(&v, from, (int32_t)w->off, some);
	/* Where it starts is none of the places. */
	walk_on(&v, t, &w->step);
	for (uint32_t steps = 1; v.n > 0 && steps <= t->steps_max; steps++) {
		uint64_t likely = 0;

		memset(p->steps, (int)steps, sizeof(p->steps));

		walk_on(&v, t, &w->step);
		for (uint32_t k = 0; k < v.n_stopped; k++) {
			const uint32_t i = (uint32_t)v.stopped[k],
				       by = (uint32_t)(v.stop[k] - from[i].bytes);

			at[i] = (struct probe_at){
				v.stop[k], from[i].left - (int32_t)by, from[i].pos + by};
			likely |= UINT64_C(1) << i;
		}
		if (likely != 0)
			HASH_PROBE(t, p, likely);
	}
	return odd;
}
