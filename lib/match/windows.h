/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_WINDOWS_H
#define MATCH_WINDOWS_H

/*
 * Where programs look: from the symbols of a load to a window and an offset. L4 of
 * both families, and what is found from there, are the same windows, so that what is
 * asked of both is one item.
 */

#include <stdint.h>

#include "item.h"

/* @back bytes before where window @win starts. */
struct place {
	int win; /* -1: none */
	uint32_t back;
};

/*
 * Where a program for @sight finds byte @k behind @base. At or behind the end is nothing;
 * programs that look there are left alone.
 */
struct place windows_place(
	struct items *items, struct sight sight, const struct sym_node *base, uint32_t k);

/*
 * The window that load @n of a program for @sight is found from, or -1; *@ret_off is
 * its offset there: of "len - 6" the window is the end.
 */
int windows_of_load(
	struct items *items, struct sight sight, const struct sym_node *n, int32_t *ret_off);

/* The number of window @w, which is added where it is new; -1: there is no room. */
int windows_add(struct items *items, struct window w);

#endif
