/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_PLACE_H
#define MATCH_PLACE_H

/* Where the frames of a burst and the windows in them are; one for each kind of processor. */

#include <stdint.h>

struct probe;
struct probe_at;
struct window;

/*
 * Begin with p->n frames of p->views, those that @which names, NULL: the first ones:
 * their views, keys, and where their datagrams start; and what else costs nothing.
 */
typedef void (*place_frames_fn)(struct probe *p, const uint8_t *which);
void place_frames_c(struct probe *p, const uint8_t *which);
void place_frames_avx2(struct probe *p, const uint8_t *which);
void place_frames_avx512(struct probe *p, const uint8_t *which);

/*
 * Find @w, which starts by a byte of the frame or behind its last one, for @some, whose parent
 * is found; to @ret. Returns for whom it did, which is for others, too, where that costs nothing.
 */
typedef uint64_t (*place_windows_fn)(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret);
uint64_t place_windows_c(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret);
uint64_t place_windows_avx2(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret);
uint64_t place_windows_avx512(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret);

#endif
