// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walks to their ends in plain C, frame by frame and label by label. Several frames at once, so
 * that none waits for another one's loads, took twice as long where names have few labels: it
 * is foreseen where most end.
 */
#include "ends.h"

#include <string.h>

/* A walk: where it is, and a bit for each number of bytes before that by which it came. */
struct walk {
	const uint8_t *place;
	uint64_t starts;
};

/* Go on from @start to where no step leads on, or is beyond @end, or for @rounds steps. */
static inline struct walk
walk(const uint8_t *start, const uint8_t *end, const struct sym_step *step, uint32_t rounds)
{
	const uint32_t lo = step->lo, span = step->hi - lo, behind = step->behind;
	struct walk w = {start, 0};

	for (; rounds > 0 && w.place < end; rounds--) {
		const uint32_t length = *w.place, by = length + behind;

		if (length - lo > span)
			break;
		/* A label has 64 bytes at most. */
		w.starts = __builtin_expect(by > ENDS_BITS, 0) ? 0 : w.starts << (by - 1) << 1;
		w.starts |= 1;
		w.place += by;
	}
	return w;
}

/* Where items of @t may start that end where a walk from @start to @w does. */
static inline uint64_t
may_of(const struct hash_table *t, const struct walk *w, const uint8_t *start)
{
	const uint64_t by = (uint64_t)(w->place - start);
	uint64_t words[2], may;

	memcpy(words, w->place - ENDS_BEFORE, sizeof(words));
	may = t->ends[hash_ends_number(
		words[0] & t->ends_words[0], words[1] & t->ends_words[1], t->ends_mask)];
	/* Where it starts is none of the places. */
	return may & w->starts & (by < ENDS_BITS ? (UINT64_C(1) << by) - 1 : UINT64_MAX);
}

void
ends_c(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	const uint32_t rounds = t->steps_max + ENDS_BITS;

	v->some = 0;
	v->odd = 0;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const uint8_t *bytes = (const uint8_t *)(uintptr_t)from->bytes[i];
		const int32_t left = (int32_t)(uint32_t)from->rest[i];
		struct walk w;

		if (left <= off)
			continue;
		/* What is loaded before any place is in the frame. */
		if (__builtin_expect((int64_t)(from->rest[i] >> 32) + off < ENDS_BEFORE, 0)) {
			v->odd |= UINT64_C(1) << i;
			continue;
		}
		w = walk(bytes + off, bytes + left, step, rounds);
		v->may[i] = w.place < bytes + left ? may_of(t, &w, bytes + off) : 0;
		v->end[i] = (uintptr_t)w.place;
		v->some |= (uint64_t)(v->may[i] != 0) << i;
	}
}
