/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

/* Frames to run the filters of filters.h on. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filters.h"

struct bench_frame {
	uint8_t *data;
	uint32_t len;
};

/*
 * @n frames in one block of memory. A flood consists to 97 % of what @f is
 * against; mixed traffic has other names, other signatures, TCP, ICMP, ARP and
 * IPv6 in random order, and some of the flood. The same @seed gives the same
 * frames. NULL when out of memory; free() the result.
 */
struct bench_frame *bench_traffic(const struct filter *f, bool flood, size_t n, uint64_t seed);

#endif
