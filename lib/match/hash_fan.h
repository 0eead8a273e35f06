/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_H
#define MATCH_HASH_FAN_H

/*
 * Fans, for kernels: hash_fan_c.h, hash_fan_avx2.h and hash_fan_avx512.h have
 *
 *	uint32_t fan_find(const struct hash_fan *f, windows, uint32_t n, uint64_t some,
 *		uint32_t ret[FAN_FOUND_MAX]);
 *
 * which looks those of @n frames up that are in @some, all others are not looked at. Returns how
 * many numbers it left in @ret: frames << FAN_FRAME_SHIFT, and in heads[] where items are that may
 * be meant, or none.
 */

#include <stdint.h>
#include <string.h>

#include "base/util.h"
#include "hash.h"

#define FAN_FOUND_MAX (FAN_KEYS_MAX * MATCH_BURST + 16) /* kernels write so many at once */

/* The bytes of a window that starts at @bytes and has @left from @off on; 0 behind the end. */
static inline void
fan_line_at_edge(const uint8_t *bytes, int32_t left, int32_t off, uint8_t ret[FAN_LINE])
{
	memset(ret, 0, FAN_LINE);
	if (left > off)
		memcpy(ret, bytes + off, (size_t)MIN(left - off, FAN_LINE));
}

#endif
