/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_FEW_H
#define MATCH_FEW_H

/*
 * Which clusters of few items lists should have. A table costs every frame that it
 * could have something for a look-up, however few its items are; 32 lanes of a list
 * cost half of one. So where clusters of few items are several, for frames of one
 * protocol, lists are faster.
 */

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct cluster;
struct items;

/*
 * Choose of the @n clusters; (*@ret_in_list)[i], of @arena: lists should have number i.
 * Rules that are residual are counted for the lists. Returns 0 or -ENOMEM.
 */
int few_choose(const struct items *items, const struct cluster *clusters, uint32_t n,
	uint32_t look_up, struct arena *arena, bool **ret_in_list);

#endif
