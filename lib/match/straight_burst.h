/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Windows of a burst that are vectors of their fields, frame by frame; included by
 * straight_avx2.c and straight_avx512.c, behind struct straight with at[].
 */

#define STRAIGHT_WINDOWS struct burst_window

static inline const struct burst_window *
windows_of(const struct straight *s, uint32_t win)
{
	return &s->at[win];
}

static inline struct probe_at
window_of(const struct burst_window *w, uint32_t i)
{
	return (struct probe_at){
		(const void *)(uintptr_t)w->bytes[i],
		(int32_t)(uint32_t)w->rest[i],
		(uint32_t)(w->rest[i] >> 32),
	};
}
