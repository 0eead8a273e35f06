// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>

#include "base/mem.h"
#include "base/util.h"
#include "tree_search.h"

#define LINE 64 /* bytes of a node */
#define KEYS4 TREE_KEYS4
#define KEYS6 TREE_KEYS6

/* Nodes that hold @n keys or children. */
static size_t
nodes_for(size_t n, size_t per_node)
{
	return (n + per_node - 1) / per_node;
}

/* @nodes nodes whose keys are all the greatest. */
static void *
nodes_new(struct arena *arena, size_t nodes, bool v4)
{
	uint8_t *p = arena_zalloc(arena, (nodes + 1) * LINE);
	void *level;

	if (p == NULL)
		return NULL;
	level = p + (LINE - (uintptr_t)p % LINE) % LINE;
	for (size_t i = 0; i < nodes * (v4 ? KEYS4 : KEYS6); i++) {
		if (v4)
			((int32_t *)level)[i] = INT32_MAX;
		else
			((int64_t *)level)[i] = INT64_MAX;
	}
	return level;
}

static void
copy_key(void *to, size_t i, const void *from, size_t j, bool v4)
{
	if (v4)
		((int32_t *)to)[i] = ((const int32_t *)from)[j];
	else
		((int64_t *)to)[i] = ((const int64_t *)from)[j];
}

/*
 * Lay the levels above the last, @leaf with @nodes nodes: key j of a node is the
 * first key of its child j + 1, of which a node has one more than keys.
 */
static int
grow(struct tree *t, void *leaf, size_t nodes, bool v4, struct arena *arena)
{
	const size_t per_node = v4 ? KEYS4 : KEYS6;
	void *levels[TREE_LEVELS_MAX]; /* from the last one up */
	size_t n_levels = 1, step = per_node; /* keys of the leaf below one child */

	levels[0] = leaf;
	for (size_t n = nodes; n > 1; step *= per_node + 1) {
		const size_t above = nodes_for(n, per_node + 1);
		void *level = n_levels < TREE_LEVELS_MAX ? nodes_new(arena, above, v4) : NULL;

		if (level == NULL)
			return -ENOMEM;
		for (size_t i = 0; i < above * per_node; i++) {
			const size_t child = i / per_node * (per_node + 1) + i % per_node + 1;

			if (child < n)
				copy_key(level, i, leaf, child * step, v4);
		}
		levels[n_levels++] = level;
		n = above;
	}
	for (size_t i = 0; i < n_levels; i++)
		t->level[i] = levels[n_levels - 1 - i];
	t->n_levels = (uint32_t)n_levels;
	return 0;
}

int
tree4_new(struct tree *t, const uint32_t *v, uint32_t n, struct arena *arena)
{
	const size_t nodes = nodes_for(n, KEYS4);
	int32_t *leaf = n > 0 ? nodes_new(arena, nodes, true) : NULL;

	if (n == 0)
		return 0;
	if (leaf == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		leaf[i] = tree_key4(v[i]);
	t->n_keys = n;
	return grow(t, leaf, nodes, true, arena);
}

int
tree6_new(struct tree *t, const uint64_t *v, uint32_t n, struct arena *arena)
{
	const size_t nodes = nodes_for(n, KEYS6);
	int64_t *leaf = n > 0 ? nodes_new(arena, nodes, false) : NULL;

	if (n == 0)
		return 0;
	if (leaf == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		leaf[i] = tree_key6(v[i]);
	t->n_keys = n;
	return grow(t, leaf, nodes, false, arena);
}

void
tree4_count(const struct tree *t, const int32_t *key, uint32_t n, uint32_t *ret)
{
	tree4_search(t, key, n, ret);
}

void
tree6_count(const struct tree *t, const int64_t *key, uint32_t n, uint32_t *ret)
{
	tree6_search(t, key, n, ret);
}
