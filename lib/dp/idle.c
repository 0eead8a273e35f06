// SPDX-License-Identifier: BSD-3-Clause
#include "idle.h"

#include "base/util.h"

#define WIRE_BITS_MIN (84 * 8) /* preamble, 60 bytes, FCS, gap */

uint32_t
idle_bound_ns(uint32_t ring_frames, uint32_t mbps)
{
	uint64_t ns;

	if (ring_frames == 0 || mbps == 0)
		return IDLE_SLEEP_MAX_NS;
	ns = (uint64_t)ring_frames / 2 * WIRE_BITS_MIN * 1000 / mbps;
	if (ns < IDLE_SLEEP_MIN_NS)
		return IDLE_SLEEP_MIN_NS;
	return (uint32_t)MIN(ns, IDLE_SLEEP_MAX_NS);
}

void
idle_init(struct idle *idle, uint64_t cycles_per_s, uint32_t max_ns)
{
	idle->spin_cycles = cycles_per_s / 1000000 * IDLE_SPIN_US;
	idle->max_ns = max_ns;
	idle->first_ns = MIN(IDLE_FIRST_NS, max_ns);
	idle->next_ns = idle->first_ns;
	idle->since = 0;
}
