/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_SHRINK_IMPL_H
#define CBPF_SHRINK_IMPL_H

/* The passes of cbpf_shrink(), over one graph; each leaves its numbering in order. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "graph.h"

/* What holds of a node, seen from its end. */
struct ahead {
	uint32_t live; /* LIVE_ bits that it or what follows it reads */
	uint32_t preds; /* edges that lead to it */
	bool zero; /* every way from here ends with 0 */
	/* Every way from here to something else than 0 loads up to here, from 0 and from X as it is. */
	uint64_t abs_end, ind_end;
};

#define AHEAD_FAR UINT64_MAX /* no way leads to anything but 0 */

struct shrink {
	struct graph g;
	struct vals vals;
	struct state *in; /* per node: how it is reached */
	struct ahead *ahead; /* per node */
};

/* Fill @s->ahead. */
void shrink_look_ahead(struct shrink *s);

/*
 * Go through all nodes with what is known there: fill @s->in, lead edges around
 * what they need not pass, replace what is known. Needs what lies ahead.
 */
void shrink_forward(struct shrink *s);

/* Take out what nobody needs. Needs @s->in, and looks ahead by itself. */
void shrink_drop(struct shrink *s);

/* Local rewriting; needs @s->in and what lies ahead. True when anything changed. */
bool shrink_shift(struct shrink *s);
bool shrink_merge(struct shrink *s);

/* Give equal tails one place. */
int shrink_share(struct shrink *s);

#endif
