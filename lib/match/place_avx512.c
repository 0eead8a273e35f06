// SPDX-License-Identifier: BSD-3-Clause
/* Places in frames, eight frames at once: of processors with AVX-512 (F, BW, VL). */
#include "place.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include "index.h"
#include "place_lanes.h"
#include "search.h"

/*
 * Windows that views say of all frames: L4, but of those of which they do not, and the end. With
 * the views at hand each takes a third of what it takes later.
 */
static inline void
place_from_views(struct probe *p, uint32_t k, const struct lane_views *v, __mmask8 on)
{
	const struct match_index *ix = p->im->index;
	const struct lane_windows start = lane_starts(v);
	__mmask8 lost;

	if (ix->l4_window != 0) {
		const struct lane_windows l4 = lane_l4(start, v->layers, lane_keys(v), &lost);

		lane_windows_store(&p->at[ix->l4_window][k], l4, 0xff);
		p->found[ix->l4_window] |= (uint64_t)(on & (__mmask8)~lost) << k;
	}
	if (ix->tail_window != 0) {
		lane_windows_store(&p->at[ix->tail_window][k], lane_tails(start, v->len), 0xff);
		p->found[ix->tail_window] |= (uint64_t)on << k;
	}
}

void
place_frames_avx512(struct probe *p, const uint8_t *which)
{
	const uint32_t n = p->n;

	/* Keys are set to the next multiple of SEARCH_KEYS: of lanes that are none to 0. */
	for (uint32_t k = 0; k < n || k % SEARCH_KEYS != 0; k += LANES) {
		const __mmask8 on = (__mmask8)(search_mask(n) >> k);
		const struct lane_views v = lane_views(p->views, which, k, on);

		_mm512_storeu_si512(&p->view[k], lane_view_pointers(p->views, which, k, on));
		_mm256_store_si256((void *)&p->key[k], lane_keys(&v));
		lane_windows_store(&p->at[WINDOW_OF_START(SPACE_RAW)][k], lane_starts(&v), 0xff);
		place_from_views(p, k, &v, on);
	}
}

/* Of eight frames the windows that start by the byte at @from + @off, which are in @some. */
static inline __attribute__((always_inline)) void
step_on(const struct probe_at *start, const struct probe_at *from, int32_t off,
	enum window_kind kind, __mmask8 some, struct probe_at *ret)
{
	const struct lane_windows at = lane_windows(from);
	const struct lane_windows base = kind == WINDOW_WALK ? at : lane_windows(start);
	__m512i words;

	lane_windows_store(ret, lane_step(base, at, off, kind, some, &words), some);
}

/* Called with constants, so that each kind is a loop of its own. */
static inline __attribute__((always_inline)) void
find_all(const struct probe *p, const struct window *w, uint64_t some, enum window_kind kind,
	struct probe_at *ret)
{
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];
	const struct probe_at *from = p->at[w->parent];
	const int32_t off = (int32_t)w->off;
	const uint32_t n = p->n;

	for (uint32_t k = 0; k < n; k += LANES) {
		const __mmask8 on = (__mmask8)(some >> k);

		if (on != 0)
			step_on(&start[k], &from[k], off, kind, on, &ret[k]);
	}
}

/* Windows behind the last byte, of which there may be none near. */
static void
find_tails(const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	/* See probe_len(). */
	const size_t len_at = w->space == SPACE_RAW ? offsetof(struct pkt_view, l3_len)
						    : offsetof(struct pkt_view, wirelen);
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];
	const uint32_t n = p->n;

	for (uint32_t k = 0; k < n; k += LANES) {
		const __mmask8 on = (__mmask8)(some >> k);
		const __m512i view = _mm512_loadu_si512(&p->view[k]);

		if (on != 0)
			lane_windows_store(&ret[k],
				lane_tails(
					lane_windows(&start[k]), lane_view_words(view, len_at, on)),
				on);
	}
}

/*
 * All frames of the vectors in which some of @some are, where L4 or the end is to be found: every
 * frame has its start. Other windows may start where only those in @some have bytes, and a vector
 * that lacks some takes twice as long.
 */
static uint64_t
all_lanes(const struct probe *p, const struct window *w, uint64_t some)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	const uint64_t used = (((some & low) + low) | some) & ~low;

	_Static_assert(LANES == 8, "a byte of a mask");
	if (w->kind != WINDOW_L4 && w->kind != WINDOW_IHL && w->kind != WINDOW_TAIL)
		return some;
	return (used >> 7) * UINT8_MAX & search_mask(p->n);
}

#include "place_find.h"

uint64_t
place_windows_avx512(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	/* Tables whose frames are of other protocols find it done. */
	some = all_lanes(p, w, some);
	find_by_kind(p, w, some, ret);
	return some;
}

#endif
