/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Finding a window by its kind; included by place_c.c, place_avx2.c and place_avx512.c, behind
 * their find_all() and find_tails().
 */

/* Find @w for @some to @ret. Each kind that starts by a byte is a loop of its own. */
static inline void
find_by_kind(const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	if (w->kind == WINDOW_TAIL)
		find_tails(p, w, some, ret);
	else if (w->kind == WINDOW_IHL)
		find_all(p, w, some, WINDOW_IHL, ret);
	else if (w->kind == WINDOW_L4)
		find_all(p, w, some, WINDOW_L4, ret);
	else if (w->kind == WINDOW_WALK)
		find_all(p, w, some, WINDOW_WALK, ret);
	else
		find_all(p, w, some, WINDOW_BYTE, ret);
}
