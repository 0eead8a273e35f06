// SPDX-License-Identifier: BSD-3-Clause
#include "protect.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "dp/dp.h"

#include "priv.h"

#define BURST_MIN 16 /* frames that a bucket holds at least; else 100 ms' worth */

int
dp_protect_new(const struct dp_conf *conf, struct dp_protect **ret_protect)
{
	static _Atomic uint64_t generations;
	struct dp_protect *p = mem_zalloc(sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	if (conf->n_peers > 0) {
		p->peers = mem_calloc(conf->n_peers, sizeof(*p->peers));
		if (p->peers == NULL) {
			mem_free(p);
			return -ENOMEM;
		}
		memcpy(p->peers, conf->peers, conf->n_peers * sizeof(*p->peers));
	}
	/* Only that numbers differ matters; the publication orders the rest. */
	p->generation = 1 + atomic_fetch_add_explicit(&generations, 1, memory_order_relaxed);
	p->vital = conf->vital;
	p->conf = (struct pkt_vital_conf){
		.peers = p->peers,
		.n_peers = conf->n_peers,
		.gtsm = conf->gtsm,
	};
	bucket_init(
		&p->full, rte_get_tsc_hz(), conf->vital_pps, MAX(conf->vital_pps / 10, BURST_MIN));
	*ret_protect = p;
	return 0;
}

void
dp_protect_free(struct dp_protect *protect)
{
	if (protect == NULL)
		return;
	mem_free(protect->peers);
	mem_free(protect);
}

void
dp_protect_publish(struct dp *dp, struct dp_protect *protect)
{
	struct dp_protect *old;

	/* Pairs with the load in the workers' pick_vital(); see qsbr_online(). */
	old = atomic_exchange_explicit(&dp->shared.protect, protect, memory_order_seq_cst);
	dp_wait_workers(dp);
	dp_protect_free(old);
}
