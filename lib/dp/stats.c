// SPDX-License-Identifier: BSD-3-Clause
#include "dp/stats.h"

#include <string.h>

#include "sample/ring.h"

#include "priv.h"

#define X(id, name, kind, help) {name, DP_KIND_##kind, help},
const struct dp_stat_info dp_stat_info[DP_STAT_COUNT] = {DP_STATS(X)};
#undef X

static void
add(struct dp_port_stats *sum, const struct counters *c)
{
	for (int i = 0; i < DP_STAT_COUNT; i++)
		sum->v[i] += atomic_load_explicit(&c->v[i], memory_order_relaxed);
}

void
dp_port_stats_get(struct dp *dp, size_t port, struct dp_port_stats *ret)
{
	struct dp_port_stats sum;
	struct port_losses losses;
	uint64_t unsent;

	memset(&sum, 0, sizeof(sum));
	/* First what is lost: else a frame lost in between would be in no column. */
	port_losses_get(&dp->ports[port], &losses);
	for (size_t i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->workers[i];

		if (w->port == port) {
			add(&sum, &w->own);
			sum.v[DP_STAT_SAMPLE_LOST] += sample_ring_lost(w->ring);
		}
		if (w->to_wire && w->peer == port)
			add(&sum, &w->out);
	}
	sum.v[DP_STAT_RX_MISSED] = losses.missed;
	sum.v[DP_STAT_RX_NOMBUF] = losses.nombuf;
	/* The driver took them and then could not send them. */
	unsent = MIN(losses.unsent, sum.v[DP_STAT_TX]);
	sum.v[DP_STAT_TX] -= unsent;
	sum.v[DP_STAT_TX_FULL] += unsent;
	*ret = sum;
}

void
dp_rule_stats_get(const struct dp *dp, uint32_t slot, struct dp_rule_stats *ret)
{
	struct dp_rule_stats sum;

	memset(&sum, 0, sizeof(sum));
	for (size_t i = 0; i < dp->n_workers && slot < DP_SLOTS_MAX; i++) {
		const struct match_counters *c = &dp->workers[i]->rules[slot];
		const uint64_t hit = atomic_load_explicit(&c->last_hit_s, memory_order_relaxed);

		sum.packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
		sum.bytes += atomic_load_explicit(&c->bytes, memory_order_relaxed);
		sum.dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
		sum.limited += atomic_load_explicit(&c->limited, memory_order_relaxed);
		sum.would_drop += atomic_load_explicit(&c->would_drop, memory_order_relaxed);
		sum.would_drop_passed +=
			atomic_load_explicit(&c->would_drop_passed, memory_order_relaxed);
		sum.prot += atomic_load_explicit(&c->prot, memory_order_relaxed);
		sum.last_hit_s = MAX(sum.last_hit_s, hit);
	}
	*ret = sum;
}
