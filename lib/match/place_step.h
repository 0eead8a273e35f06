/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PLACE_STEP_H
#define MATCH_PLACE_STEP_H

/* Places in one frame. */

#include "item.h"
#include "probe.h"

#define PLACE_NOWHERE ((struct probe_at){NULL, INT32_MIN, PROBE_NOWHERE})

/* Where the datagram of @v starts. */
static inline struct probe_at
place_start(const struct pkt_view *v)
{
	return (struct probe_at){v->frame + v->l3_off, (int32_t)v->l3_caplen, 0};
}

/*
 * A window of kind @kind, which starts by the byte at @from + @off; @start: of its space.
 * Called with a constant kind.
 */
static inline struct probe_at
place_step(const struct probe_at *start, const struct probe_at *from, uint32_t off,
	enum window_kind kind)
{
	const struct probe_at *base = kind == WINDOW_WALK ? from : start;
	int32_t step;

	if (from->left <= (int64_t)off)
		return PLACE_NOWHERE;
	step = from->bytes[off];
	if (kind == WINDOW_IHL)
		step = 4 * (step & 15);
	else if (kind == WINDOW_L4)
		step = step >> 4 == 6 ? WINDOW_L4_IP6 : 4 * (step & 15);
	return (struct probe_at){base->bytes + step, base->left - step, base->pos + (uint32_t)step};
}

/* Behind the last of @len bytes from @start on, of which there may be none near. */
static inline struct probe_at
place_tail(const struct probe_at *start, uint32_t len)
{
	/* No datagram has 2 GiB, but a savefile may say so of one: that end is nowhere. */
	if (len > INT32_MAX)
		return PLACE_NOWHERE;
	return (struct probe_at){start->bytes + len, start->left - (int32_t)len, len};
}

#endif
