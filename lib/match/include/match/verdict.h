/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_VERDICT_H
#define MATCH_VERDICT_H

/*
 * From matches to a verdict (design: what rules mean). Rules in shadow and
 * count rules are transparent: counted, and the search goes on behind them on
 * the compacted rest of the burst. pass and drop decide. After 16 transparent
 * matches of a frame only deciding rules are looked for. No rule decided: the
 * frame passes.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "match/image.h"

/*
 * Counters of one rule on one worker, one cache line. Written by that worker
 * only (plain add, relaxed store), read by anybody (relaxed); nothing is ordered
 * by them.
 */
struct match_counters {
	_Atomic uint64_t packets, bytes; /* reached the rule and matched; bytes: IP length */
	_Atomic uint64_t dropped;
	_Atomic uint64_t limited;
	_Atomic uint64_t would_drop; /* in shadow: would have been dropped */
	_Atomic uint64_t would_drop_passed; /* … and finally passed */
	_Atomic uint64_t prot; /* drops that protection of vital frames prevented */
	_Atomic uint64_t last_hit_s; /* seconds since 1970 of the last match */
} __attribute__((aligned(64)));

enum match_verdict_kind {
	MATCH_VERDICT_PASS,
	MATCH_VERDICT_DROP,
	MATCH_VERDICT_LIMIT,
};

struct match_verdict {
	uint32_t slot; /* of the deciding rule, or MATCH_NONE */
	uint32_t shadow_slot; /* of the first shadow rule that matched, or MATCH_NONE */
	uint32_t index; /* of the deciding rule, or MATCH_NONE */
	uint8_t kind; /* enum match_verdict_kind */
	uint8_t is_protected; /* a drop was prevented because the frame is vital */
};

/* What a burst adds to the notes of its port. */
struct match_notes {
	/* Frames that matched 16 transparent rules in front of others, of which only deciding were asked. */
	uint32_t transparent_overflow;
	uint32_t is_protected;
};

/*
 * Verdicts for a burst, counted in @counters[slot].
 *
 * @views:	@n frames, 0..MATCH_BURST
 * @vital:	bit i: frame i is vital and within its policer: rules match and
 *		count it but do not drop it
 * @counters:	this worker's array, large enough for every slot of the image
 * @now_s:	seconds since 1970, for last_hit_s
 * @ret:	@n verdicts
 * @notes:	added to
 *
 * @enforce is the panic handle: false lets no rule drop, all count as in shadow.
 */
void match_verdicts(const struct match_image *image, const struct pkt_view *views, uint32_t n,
	uint32_t port, uint64_t vital, bool enforce, struct match_counters *counters,
	uint64_t now_s, struct match_verdict *ret, struct match_notes *notes);

#endif
