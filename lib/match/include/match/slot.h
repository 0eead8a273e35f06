/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SLOT_H
#define MATCH_SLOT_H

/*
 * Where workers find the image that is in force. A worker takes it anew for each
 * burst and lets go of it before its next quiescent state (base/qsbr.h); the builder
 * puts another one in its place and has the old one back when no worker reads it any
 * more. Workers never wait.
 */

#include <stdatomic.h>

#include "base/qsbr.h"

struct match_image;

struct match_slot {
	/* The builder writes, workers read; NULL: nothing is in force. */
	struct match_image *_Atomic image;
};

/* Worker: the image for this burst. Pairs with the exchange in match_slot_put(); see qsbr_online(). */
static inline struct match_image *
match_slot_get(const struct match_slot *slot)
{
	return atomic_load_explicit(&slot->image, memory_order_seq_cst);
}

/* Builder: put @image in force. Returns what was, which no worker reads any more. */
static inline struct match_image *
match_slot_put(struct match_slot *slot, struct match_image *image, struct qsbr *workers)
{
	struct match_image *old =
		atomic_exchange_explicit(&slot->image, image, memory_order_seq_cst);

	qsbr_wait(workers);
	return old;
}

#endif
