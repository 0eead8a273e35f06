// SPDX-License-Identifier: BSD-3-Clause
/* Places in frames, frame by frame. */
#include "place.h"

#include "index.h"
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
		p->at[WINDOW_OF_START(SPACE_RAW)][i] =
			(struct probe_at){v->frame + v->l3_off, (int32_t)v->l3_caplen, 0};
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

/* A window that starts by the byte at @from + @off; @start: of its space. */
static inline struct probe_at
step_on(const struct probe_at *start, const struct probe_at *from, uint32_t off,
	enum window_kind kind)
{
	const struct probe_at *base = kind == WINDOW_WALK ? from : start;
	int32_t step;

	if (from->left <= (int64_t)off)
		return (struct probe_at){NULL, INT32_MIN, PROBE_NOWHERE};
	step = from->bytes[off];
	if (kind == WINDOW_IHL)
		step = 4 * (step & 15);
	else if (kind == WINDOW_L4)
		step = step >> 4 == 6 ? WINDOW_L4_IP6 : 4 * (step & 15);
	return (struct probe_at){base->bytes + step, base->left - step, base->pos + (uint32_t)step};
}

/* Find such a window for @some. Called with constants, so that each kind is a loop of its own. */
static inline void
find_all(const struct probe *p, const struct window *w, uint64_t some, enum window_kind kind,
	struct probe_at *ret)
{
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];
	const struct probe_at *from = p->at[w->parent];
	const uint32_t off = w->off, n = p->n;

	if (some == search_mask(n)) {
		for (uint32_t i = 0; i < n; i++)
			ret[i] = step_on(&start[i], &from[i], off, kind);
		return;
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		ret[i] = step_on(&start[i], &from[i], off, kind);
	}
}

/* Find a window behind the last byte, of which there may be none near, for @some. */
static void
find_tails(const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const uint32_t len = probe_len(p, i, w->space);

		if (len <= INT32_MAX)
			ret[i] = (struct probe_at){
				start[i].bytes + len, start[i].left - (int32_t)len, len};
		else
			ret[i] = (struct probe_at){NULL, INT32_MIN, PROBE_NOWHERE};
	}
}

uint64_t
place_windows_c(const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	if (w->kind == WINDOW_TAIL)
		find_tails(p, w, some, ret);
	else if (w->kind == WINDOW_IHL)
		find_all(p, w, some, WINDOW_IHL, ret);
	else if (w->kind == WINDOW_L4)
		find_all(p, w, some, WINDOW_L4, ret);
	else if (w->kind == WINDOW_WALK)
		find_all(p, w, some, WINDOW_WALK, ret);
	else
		find_all(p, w, some, WINDOW_BYTE, ret);
	return some;
}
