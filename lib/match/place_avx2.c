// SPDX-License-Identifier: BSD-3-Clause
/* Places in frames, four frames at once: of processors with AVX2 and BMI2. */
#include "place.h"

#if defined(__AVX2__)

#include "index.h"
#include "place_lanes4.h"
#include "search.h"
#include "straight.h"

/* Four views, whose frames are in the order of lanes: see lanes4.h. */
struct four_views {
	const struct pkt_view *of[LANES];
};

/* The views from number @k on of those in @p->views that @which names, NULL: the first ones. */
static inline struct four_views
four_views(const struct probe *p, const uint8_t *which, uint32_t k)
{
	struct four_views v;

	for (uint32_t lane = 0; lane < LANES; lane++) {
		/* Behind the last one that once more. */
		const uint32_t i = MIN(k + lane_frame(lane), p->n - 1);

		v.of[lane] = &p->views[which != NULL ? which[i] : i];
	}
	return v;
}

/* The same of four that lie in a row. */
static inline struct four_views
four_in_row(const struct probe *p, uint32_t k)
{
	struct four_views v;

	for (uint32_t lane = 0; lane < LANES; lane++)
		v.of[lane] = &p->views[k + lane_frame(lane)];
	return v;
}

static inline __m128i
four_lens(const struct four_views *v, size_t len_at)
{
	uint32_t len[LANES];

	for (uint32_t lane = 0; lane < LANES; lane++)
		memcpy(&len[lane], (const uint8_t *)v->of[lane] + len_at, sizeof(len[lane]));
	return _mm_setr_epi32((int)len[0], (int)len[1], (int)len[2], (int)len[3]);
}

/*
 * Windows that views say of all frames: where datagrams start, L4, but of those of which they do
 * not, and the end. With the views at hand each takes a third of what it takes later.
 */
struct said {
	struct probe_at *start, *l4, *tail; /* NULL: nobody asks */
	uint64_t lost; /* which they do not say L4 of, four lanes by four */
};

/* The frames from @k on, which have the views @view. */
static inline void
take_four(struct probe *p, uint32_t k, const struct four_views *view, struct said *said)
{
	const struct lane_views v = lane_views(view->of);
	const struct lane_windows start = lane_starts(&v);
	const __m128i keys = lane_lows(v.key);

	for (uint32_t lane = 0; lane < LANES; lane++)
		p->view[k + lane_frame(lane)] = view->of[lane];
	_mm_store_si128((void *)&p->key[k], _mm_shuffle_epi32(keys, 0xd8));
	lane_windows_store(&said->start[k], start);
	if (said->l4 != NULL) {
		__m256i lost;

		lane_windows_store(&said->l4[k], lane_l4(start, v.layers, keys, &lost));
		said->lost |= (uint64_t)lanes_set(lost) << k;
	}
	if (said->tail != NULL)
		lane_windows_store(&said->tail[k], lane_tails(start, lane_lows(v.len)));
}

/* Called with constants, so that a burst in a row is a loop without @which. */
static inline __attribute__((always_inline)) void
take_frames(struct probe *p, const uint8_t *which)
{
	const struct match_index *ix = p->im->index;
	const uint32_t n = p->n, in_row = which == NULL ? n / LANES * LANES : 0;
	const uint64_t all = search_mask(n);
	struct said said = {.start = p->at[WINDOW_OF_START(SPACE_RAW)],
		.l4 = ix->l4_window != 0 ? p->at[ix->l4_window] : NULL,
		.tail = ix->tail_window != 0 ? p->at[ix->tail_window] : NULL};
	uint32_t k;

	for (k = 0; k < in_row; k += LANES) {
		const struct four_views view = four_in_row(p, k);

		take_four(p, k, &view, &said);
	}
	for (; k < n; k += LANES) {
		const struct four_views view = four_views(p, which, k);

		take_four(p, k, &view, &said);
	}
	for (; k % SEARCH_KEYS != 0; k += LANES)
		_mm_store_si128((void *)&p->key[k], _mm_setzero_si128());
	if (said.l4 != NULL)
		p->found[ix->l4_window] = all & ~lane_frames(said.lost);
	if (said.tail != NULL)
		p->found[ix->tail_window] = all;
}

void
place_frames_avx2(struct probe *p, const uint8_t *which)
{
	if (which == NULL || straight_in_row(which, p->n))
		take_frames(p, NULL);
	else
		take_frames(p, which);
}

/* Store those of the lanes @on of @w. */
static inline void
put_windows(struct probe_at *at, struct lane_windows w, uint64_t on)
{
	if (on != LANES_ALL) {
		const struct lane_windows old = lane_windows(at);
		const __m256i some = lanes_of(on);

		w.bytes = _mm256_blendv_epi8(old.bytes, w.bytes, some);
		w.rest = _mm256_blendv_epi8(old.rest, w.rest, some);
	}
	lane_windows_store(at, w);
}

/* Called with constants, so that each kind is a loop of its own. */
static inline __attribute__((always_inline)) void
find_all(const struct probe *p, const struct window *w, uint64_t some, enum window_kind kind,
	struct probe_at *ret)
{
	const struct probe_at *from = p->at[w->parent];
	const struct probe_at *base = kind == WINDOW_WALK ? from : p->at[WINDOW_OF_START(w->space)];
	const int32_t off = (int32_t)w->off;
	const uint32_t n = p->n;

	for (uint32_t k = 0; k < n; k += LANES) {
		const uint64_t on = some >> k & LANES_ALL;

		if (on != 0)
			put_windows(&ret[k],
				lane_step(lane_windows(&base[k]), lane_windows(&from[k]), off, kind,
					lanes_of(on)),
				on);
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
		const uint64_t on = some >> k & LANES_ALL;
		struct four_views view;

		if (on == 0)
			continue;
		for (uint32_t lane = 0; lane < LANES; lane++)
			view.of[lane] = p->view[k + lane_frame(lane)];
		put_windows(
			&ret[k], lane_tails(lane_windows(&start[k]), four_lens(&view, len_at)), on);
	}
}

#include "place_find.h"

uint64_t
place_windows_avx2(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	find_by_kind(p, w, some, ret);
	return some;
}

#endif
