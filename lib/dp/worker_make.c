// SPDX-License-Identifier: BSD-3-Clause
/* Workers before and after their loop: memory, buckets, where their frames go. */
#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/util.h"
#include "sample/ring.h"

#include "priv.h"

#define RING_SLOTS 4096
#define POLICER_BURST_MIN 64

/* Address space that takes memory only where it is written. */
static void *
reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void
give_back(void *p, size_t bytes)
{
	if (p != NULL)
		(void)munmap(p, bytes);
}

#define RULES_BYTES ((size_t)DP_SLOTS_MAX * sizeof(struct match_counters))

static void
set_policer(struct worker *w, const struct port *p)
{
	const uint64_t hz = rte_get_tsc_hz();
	uint64_t pps = p->policer_pps, burst = p->policer_burst;

	if (burst == 0)
		burst = MAX(pps / 100, POLICER_BURST_MIN);
	if (pps != 0)
		pps = MAX(pps / p->queues, 1);
	bucket_init(&w->policer, hz, pps, MAX(burst / p->queues, 1));
}

struct worker *
worker_new(struct dp *dp, struct port *p, uint16_t queue, unsigned int id,
	const struct dp_conf *conf, struct sample_ring **ret_ring)
{
	const uint32_t slots = conf->sample_ring_slots != 0 ? conf->sample_ring_slots : RING_SLOTS;
	struct worker *w;

	w = mem_zalloc_aligned(BASE_CACHE_LINE, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->shared = &dp->shared;
	w->qsbr = dp->qsbr;
	w->id = id;
	w->ethdev = p->ethdev;
	w->queue = queue;
	w->port = p->number;
	w->peer = p->peer != NULL ? p->peer->number : p->number;
	w->to_wire = p->peer != NULL;
	w->rx_fd = p->afp.n > queue ? p->afp.fd[queue] : -1;
	w->drain = p->afp.n > 0;
	w->wire = (struct wire){p->ethdev, queue, port_tx_max(p)};
	w->sample_one_in = &p->sample_one_in;
	w->pool = p->pools[queue];
	exc_none_init(&w->exc);
	sampler_init(&w->sampler, conf->sample_one_in, conf->seed + id);
	set_policer(w, p);

	w->rules = reserve(RULES_BYTES);
	w->scratch = reserve(WORKER_SCRATCH);
	if (w->rules == NULL || w->scratch == NULL ||
		sample_ring_new(slots, conf->sample_snaplen, &w->ring) < 0) {
		worker_free(w);
		return NULL;
	}
	*ret_ring = w->ring;
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	exc_fini(&w->exc);
	sample_ring_free(w->ring);
	give_back(w->rules, RULES_BYTES);
	give_back(w->scratch, WORKER_SCRATCH);
	mem_free(w);
}
