/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Finding windows of all frames of a burst that goes straight; included by straight_c.c,
 * straight_avx2.c and straight_avx512.c, behind their find_all(), find_l4() and find_tails().
 */

/* Find window number @win, and those that it starts by, unless they are. */
static void
find_window(struct straight *s, uint32_t win)
{
	const struct window *w = &s->im->index->windows[win];

	if ((s->found >> win & 1) != 0)
		return;
	s->found |= 1u << win;
	if (w->kind == WINDOW_BYTE || w->kind == WINDOW_WALK)
		find_window(s, w->parent);
	switch ((enum window_kind)w->kind) {
	case WINDOW_KEY:
	case WINDOW_STEPS: /* straight_fits() */
	case WINDOW_START: break; /* by take_frames() */
	case WINDOW_TAIL: find_tails(s, win); break;
	case WINDOW_IHL: find_all(s, win, WINDOW_IHL); break;
	case WINDOW_L4: find_l4(s, win); break;
	case WINDOW_BYTE: find_all(s, win, WINDOW_BYTE); break;
	case WINDOW_WALK: find_all(s, win, WINDOW_WALK); break;
	}
}

/* The table that is walked to; there is one. */
static inline const struct hash_table *
walk_table(const struct straight *s)
{
	const struct hash_table *t = s->im->index->tables;

	while (t->steps_win == 0)
		t++;
	return t;
}
