/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_TOP_H
#define SLUICE_TOP_H

/*
 * Who has most: frames and bytes by a key, of which at most TOP_KEYS_MAX are
 * told apart, so that a flood of random values takes no more memory than that;
 * what comes later is counted together. One thread per object; zeroed is empty.
 */

#include <stddef.h>
#include <stdint.h>

#define TOP_KEYS_MAX 65536
#define TOP_KEY_BYTES 20

struct top_entry {
	uint64_t packets, bytes; /* packets 0: a free place */
	uint8_t key[TOP_KEY_BYTES]; /* of one object all in one layout, unused bytes 0 */
};

struct top {
	struct top_entry *v; /* open addressing */
	size_t n, cap; /* keys; places, a power of two or 0 */
	uint64_t other_packets, other_bytes; /* of keys that found no place */
};

/* One more frame of @bytes. Where memory ends the frame is counted as another key's. */
void top_add(struct top *t, const uint8_t key[TOP_KEY_BYTES], uint64_t bytes);

/*
 * The @max keys with most packets, at most, into @ret, the most first; keys of
 * one count in byte order. Returns how many there are.
 */
size_t top_most(const struct top *t, const struct top_entry **ret, size_t max);

/* What @t has of @key, or NULL: nothing. */
const struct top_entry *top_find(const struct top *t, const uint8_t key[TOP_KEY_BYTES]);

void top_fini(struct top *t);

#endif
