// SPDX-License-Identifier: BSD-3-Clause
/* Equal tails: two nodes that do the same and are followed by the same are one. */
#include <errno.h>

#include "base/mem.h"
#include "shrink.h"

static uint32_t
hash(const struct gnode *n)
{
	return (n->code * 31u + n->k * 2654435761u + n->t * 40503u + n->f * 2246822519u) >> 7;
}

static bool
same(const struct gnode *a, const struct gnode *b)
{
	return a->code == b->code && a->k == b->k && a->t == b->t && a->f == b->f;
}

int
shrink_share(struct shrink *s)
{
	const size_t n_slots = 4 * s->g.n;
	uint32_t *slots = mem_calloc(n_slots, sizeof(*slots)); /* numbers of nodes + 1 */

	if (slots == NULL)
		return -ENOMEM;
	for (uint32_t i = (uint32_t)s->g.n; i-- > 0;) {
		struct gnode *n = &s->g.v[i];
		size_t at;

		if (node_is_skip(n))
			continue;
		if (node_is_ret(n)) {
			n->t = n->f = 0;
		} else {
			n->t = graph_real(&s->g, n->t);
			n->f = node_is_branch(n) ? graph_real(&s->g, n->f) : n->t;
		}
		for (at = hash(n) % n_slots; slots[at] != 0; at = (at + 1) % n_slots)
			if (same(&s->g.v[slots[at] - 1], n))
				break;
		if (slots[at] == 0) {
			slots[at] = i + 1;
			continue;
		}
		n->code = GRAPH_SKIP;
		n->t = slots[at] - 1;
	}
	mem_free(slots);
	return 0;
}
