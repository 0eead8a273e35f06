// SPDX-License-Identifier: BSD-3-Clause
#include "few.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "fan.h"
#include "item.h"
#include "lane.h"
#include "pkt/proto.h"
#include "scope.h"

#define FEW 48 /* items that lanes are better for, where there are more of their kind */
/* ns a frame, about: a list, each 32 of its lanes. */
#define COST_LIST 12
#define COST_BLOCK 3
#define COST_RULE 4 /* one that goes alone */

/* Frames of these are most of a flood. What is asked of others is nearly no cost to it. */
static const uint32_t classes[] = {
	PKT_KEY_FAMILY(4) | PKT_KEY_PROTO(PKT_PROTO_TCP),
	PKT_KEY_FAMILY(4) | PKT_KEY_PROTO(PKT_PROTO_UDP),
	PKT_KEY_FAMILY(6) | PKT_KEY_PROTO(PKT_PROTO_TCP),
	PKT_KEY_FAMILY(6) | PKT_KEY_PROTO(PKT_PROTO_UDP),
};
#define CLASS_BITS (PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS) | PKT_KEY_PROTO(0xff))

/* What frames of one class could be asked. */
struct asked {
	uint32_t rules, lanes;
};

/* Clusters of few items, which lists could have instead. */
struct few {
	struct few_cluster {
		bool is_few, in_list;
		uint32_t fan_win; /* as of fan_window() */
		struct asked of[DIM(classes)];
	} * clusters;
	uint32_t n;
	uint32_t look_up; /* what a table costs, as the others */
	struct asked left[DIM(classes)]; /* rules that go to lists in any case */
};

/* Count @it for the classes of which it could match a frame. */
static void
few_count(struct asked of[DIM(classes)], const struct item *it, bool is_first)
{
	const struct item_word *w = it->words;
	const bool has_key = it->n_words > 0 && w->win == WINDOW_OF_KEY;

	for (size_t k = 0; k < DIM(classes); k++) {
		if (has_key && ((w->val ^ classes[k]) & w->mask & CLASS_BITS) != 0)
			continue;
		of[k].rules += is_first;
		of[k].lanes++;
	}
}

static int
few_init(struct few *f, const struct items *items, const struct cluster *c, uint32_t n,
	uint32_t look_up, struct arena *arena)
{
	const struct item *v = items->v;
	const uint32_t n_rules = items->n > 0 ? v[items->n - 1].rule + 1 : 0;
	bool *can = arena_zalloc(arena, n_rules + 1);

	*f = (struct few){.clusters = arena_zalloc(arena, (n + 1) * sizeof(*f->clusters)),
		.n = n,
		.look_up = look_up};
	if (can == NULL || f->clusters == NULL)
		return -ENOMEM;
	memset(can, true, n_rules);
	for (uint32_t i = 0; i < items->n; i++)
		can[v[i].rule] = can[v[i].rule] && lane_possible(items, &v[i]);
	for (uint32_t i = 0; i < items->n; i++)
		if (items->residual[v[i].rule] && can[v[i].rule])
			few_count(f->left, &v[i], i == 0 || v[i].rule != v[i - 1].rule);
	for (uint32_t k = 0; k < n; k++) {
		struct few_cluster *fc = &f->clusters[k];

		fc->fan_win = fan_window(items, &c[k]);
		fc->is_few = c[k].n_items > 0 && c[k].n_items <= FEW;
		for (uint32_t i = 0; i < c[k].n_items; i++) {
			fc->is_few = fc->is_few && can[v[c[k].items[i]].rule];
			few_count(fc->of, &v[c[k].items[i]], false);
		}
	}
	return 0;
}

static uint32_t
list_cost(uint32_t lanes)
{
	return COST_LIST + COST_BLOCK * ((lanes + 31) / 32);
}

/* What the tables cost that frames of class @k are asked for. */
static uint32_t
tables_cost(const struct few *f, size_t k)
{
	uint32_t in_fan[WINDOWS_MAX] = {0}, n = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		const struct few_cluster *fc = &f->clusters[i];

		if (fc->in_list || fc->of[k].lanes == 0)
			continue;
		/* Of those of a fan, which costs as much as two, the others are nearly free. */
		if (fc->fan_win == WINDOW_OF_KEY || ++in_fan[fc->fan_win] < FAN_MIN)
			n++;
	}
	return n * f->look_up;
}

/* What frames of each class cost, summed. */
static uint32_t
few_cost(const struct few *f)
{
	uint32_t cost = 0;

	for (size_t k = 0; k < DIM(classes); k++) {
		uint32_t lanes = 0;

		for (uint32_t i = 0; i < f->n; i++) {
			if (f->clusters[i].in_list)
				lanes += f->clusters[i].of[k].lanes;
		}
		cost += tables_cost(f, k);
		if (lanes > 0)
			cost += list_cost(lanes + f->left[k].lanes);
		else
			cost += MIN(list_cost(f->left[k].lanes), COST_RULE * f->left[k].rules);
	}
	return cost;
}

/* Go on changing where single clusters are as long as that helps. Returns the cost. */
static uint32_t
few_improve(struct few *f)
{
	uint32_t cost = few_cost(f), before;

	do {
		before = cost;
		for (uint32_t i = 0; i < f->n; i++) {
			bool *in_list = &f->clusters[i].in_list;

			if (!f->clusters[i].is_few)
				continue;
			*in_list = !*in_list;
			if (few_cost(f) < cost)
				cost = few_cost(f);
			else
				*in_list = !*in_list;
		}
	} while (cost < before);
	return cost;
}

int
few_choose(const struct items *items, const struct cluster *clusters, uint32_t n, uint32_t look_up,
	struct arena *arena, bool **ret_in_list)
{
	struct few none, all;
	bool *in_list = arena_zalloc(arena, n + 1);

	if (in_list == NULL || few_init(&none, items, clusters, n, look_up, arena) < 0 ||
		few_init(&all, items, clusters, n, look_up, arena) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		all.clusters[i].in_list = all.clusters[i].is_few;
	/* A list's first lane is dear: from either end on. */
	if (few_improve(&all) < few_improve(&none))
		none = all;
	for (uint32_t i = 0; i < n; i++)
		in_list[i] = none.clusters[i].in_list;
	*ret_in_list = in_list;
	return 0;
}
