// SPDX-License-Identifier: BSD-3-Clause
#include <stdbool.h>

#include "sample/ring.h"
#include "sample/sink.h"

/* One sample from each ring in turn, so that no busy worker hides the others. */
size_t
sample_collect(struct sample_ring *const *rings, size_t n_rings, struct sample_sink *const *sinks,
	size_t n_sinks, size_t max)
{
	size_t moved = 0;
	bool any = true;

	while (any && moved < max) {
		any = false;
		for (size_t i = 0; i < n_rings && moved < max; i++) {
			const struct sample_rec *rec = sample_ring_peek(rings[i]);

			if (rec == NULL)
				continue;
			for (size_t k = 0; k < n_sinks; k++)
				(void)sample_sink_put(sinks[k], rec);
			sample_ring_release(rings[i]);
			moved++;
			any = true;
		}
	}
	return moved;
}
