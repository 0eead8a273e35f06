// SPDX-License-Identifier: BSD-3-Clause
/* Which images have a straight way. */
#include "straight.h"

#include "index.h"

/* Whether window @win is found from the datagram alone, the same for all steps. */
static bool
is_window_plain(const struct match_index *ix, uint32_t win)
{
	const struct window *w = &ix->windows[win];

	return w->kind != WINDOW_KEY && w->space == SPACE_RAW && w->steps_win == 0;
}

/* Whether the places of @t, where its run starts, are found by going to the ends of walks. */
static bool
is_walk_plain(const struct match_index *ix, const struct hash_table *t)
{
	return t->ends != NULL && t->run_at.win == t->steps_win &&
		ix->windows[t->steps_win].kind == WINDOW_STEPS &&
		is_window_plain(ix, ix->windows[t->steps_win].parent);
}

/* Whether the numbers that @s asks for, if any, are in its run's window, or lead to it. */
static bool
are_ranges_near(const struct hash_shape *s)
{
	return s->n_ranges == 0 || s->near != 0 || s->led;
}

/* Whether @t is looked up in the window of its run alone; a fan is anyway. */
static bool
is_found_near(const struct hash_table *t)
{
	if (t->fan != NULL)
		return t->all_simple;
	return t->together && !hash_has_key(t) && t->words[0].win == t->run_at.win;
}

static bool
is_table_plain(const struct match_index *ix, const struct hash_table *t)
{
	if (!t->all_plain || t->run == 0 || t->halves || t->ask_key || !is_found_near(t))
		return false;
	if (t->steps_win != 0 ? !is_walk_plain(ix, t) : !is_window_plain(ix, t->run_at.win))
		return false;
	for (uint32_t i = 0; i < t->n_shapes; i++)
		if (!are_ranges_near(&t->shapes[i]))
			return false;
	return true;
}

/* Whether there is more in @ix than tables and the five-tuple kernel. */
static bool
has_others(const struct match_index *ix)
{
	return ix->bits != NULL || ix->n_lists > 0 || ix->chains.n > 0 || ix->n_residual > 0;
}

bool
straight_fits(const struct match_index *ix)
{
	uint32_t n_walks = 0;

	if (ix->n_tables == 0 || ix->n_tables > STRAIGHT_TABLES_MAX || ix->any_ether ||
		ix->tuple != NULL || has_others(ix))
		return false;
	for (uint32_t i = 0; i < ix->n_tables; i++) {
		if (!is_table_plain(ix, &ix->tables[i]))
			return false;
		n_walks += ix->tables[i].steps_win != 0;
	}
	return n_walks <= 1;
}

bool
straight_fits_few(const struct match_index *ix)
{
	return ix->n_tables == 0 && ix->tuple != NULL && ix->tuple->few != NULL && !has_others(ix);
}
