// SPDX-License-Identifier: BSD-3-Clause
/* What workers are told while they run: the image, and the few switches. */
#include <errno.h>

#include "match/image.h"

#include "priv.h"

static bool
slots_fit(const struct match_image *image)
{
	const size_t n = match_image_count(image);

	for (size_t i = 0; i < n; i++)
		if (match_image_leaf(image, (uint32_t)i)->slot >= DP_SLOTS_MAX)
			return false;
	return true;
}

/*
 * Workers that have not passed a quiescent state since may still read what was
 * replaced. A sleeping worker is offline and counts as passed.
 */
void
dp_wait_workers(struct dp *dp)
{
	qsbr_wait(dp->qsbr);
}

int
dp_publish(struct dp *dp, struct match_image *image, struct match_image **ret_old)
{
	if (image != NULL && !slots_fit(image))
		return -E2BIG;
	*ret_old = match_slot_put(&dp->shared.slot, image, dp->qsbr);
	return 0;
}

void
dp_enforce_set(struct dp *dp, bool enforce)
{
	atomic_store_explicit(&dp->shared.enforce, enforce, memory_order_relaxed);
}

bool
dp_enforce_get(const struct dp *dp)
{
	return atomic_load_explicit(&dp->shared.enforce, memory_order_relaxed);
}

void
dp_sample_set(struct dp *dp, size_t port, uint32_t one_in)
{
	atomic_store_explicit(&dp->ports[port].sample_one_in, one_in, memory_order_relaxed);
}

uint32_t
dp_sample_get(const struct dp *dp, size_t port)
{
	return atomic_load_explicit(&dp->ports[port].sample_one_in, memory_order_relaxed);
}
