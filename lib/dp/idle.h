/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_IDLE_H
#define DP_IDLE_H

/*
 * What a worker does after a poll that brought nothing: first it goes on
 * polling, since the next frame of a flood is nanoseconds away; then it sleeps,
 * longer each time, up to a bound within which the receive ring cannot fill.
 * A pure function of time; one thread per object.
 */

#include <stdint.h>

struct idle {
	/* Constant. */
	uint64_t spin_cycles; /* how long to go on polling */
	uint32_t first_ns, max_ns; /* the sleeps */

	uint64_t since; /* clock of the first empty poll; 0: the last one was not empty */
	uint32_t next_ns;
};

#define IDLE_SPIN_US 50
#define IDLE_FIRST_NS 10000
#define IDLE_SLEEP_MAX_NS 200000 /* keeps a worker without interrupts under 5 % of a core */
#define IDLE_SLEEP_MIN_NS 20000

/*
 * The longest sleep for a ring of @ring_frames (0: unknown) on a link of @mbps
 * (0: unknown): the time in which half of it fills with the smallest frames (84
 * bytes on the wire each), within the two bounds above.
 */
uint32_t idle_bound_ns(uint32_t ring_frames, uint32_t mbps);

void idle_init(struct idle *idle, uint64_t cycles_per_s, uint32_t max_ns);

/* A poll brought something. */
static inline void
idle_busy(struct idle *idle)
{
	idle->since = 0;
}

/*
 * A poll at clock @now (cycles, not 0) brought nothing. Returns how many
 * nanoseconds to sleep before the next one; 0: poll on.
 */
static inline uint32_t
idle_next(struct idle *idle, uint64_t now)
{
	uint32_t ns;

	if (idle->since == 0) {
		idle->since = now;
		idle->next_ns = idle->first_ns;
	}
	if (now - idle->since < idle->spin_cycles)
		return 0;
	ns = idle->next_ns;
	idle->next_ns = ns >= idle->max_ns / 2 ? idle->max_ns : 2 * ns;
	return ns;
}

#endif
