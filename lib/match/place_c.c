// SPDX-License-Identifier: BSD-3-Clause
/* Places in frames, frame by frame. */
#include "place.h"

#include "index.h"
#include "place_step.h"
#include "probe.h"
#include "search.h"

/* Called with constants, so that a burst in order is a loop without @which. */
static inline void
take_frames(struct probe *p, const uint8_t *which)
{
	const uint32_t n = p->n;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct pkt_view *v = &p->views[which != NULL ? which[i] : i];

		p->view[i] = v;
		p->key[i] = v->key;
		p->at[WINDOW_OF_START(SPACE_RAW)][i] = place_start(v);
	}
	for (; i % SEARCH_KEYS != 0; i++)
		p->key[i] = 0;
}

void
place_frames_c(struct probe *p, const uint8_t *which)
{
	if (which == NULL)
		take_frames(p, NULL);
	else
		take_frames(p, which);
}

/*
 * Find a window that starts by a byte for @some. Called with constants, so that each kind is a loop
 * of its own.
 */
static inline void
find_all(const struct probe *p, const struct window *w, uint64_t some, enum window_kind kind,
	struct probe_at *ret)
{
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];
	const struct probe_at *from = p->at[w->parent];
	const uint32_t off = w->off, n = p->n;

	if (some == search_mask(n)) {
		for (uint32_t i = 0; i < n; i++)
			ret[i] = place_step(&start[i], &from[i], off, kind);
		return;
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		ret[i] = place_step(&start[i], &from[i], off, kind);
	}
}

/* Find a window behind the last byte, of which there may be none near, for @some. */
static void
find_tails(const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		ret[i] = place_tail(&start[i], probe_len(p, i, w->space));
	}
}

#include "place_find.h"

uint64_t
place_windows_c(const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	find_by_kind(p, w, some, ret);
	return some;
}
