/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_ENDS_WINDOW_H
#define MATCH_ENDS_WINDOW_H

/* Windows as walks to ends take them. */

#include "ends.h"
#include "probe.h"

/* The first @n of @at. */
static inline void
ends_window(struct burst_window *ret, const struct probe_at *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		ret->bytes[i] = (uintptr_t)at[i].bytes;
		ret->rest[i] = (uint32_t)at[i].left | (uint64_t)at[i].pos << 32;
	}
}

#endif
