/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_PRIV_H
#define DP_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "dp/dp.h"
#include "port.h"
#include "protect.h"
#include "worker.h"

struct dp {
	struct shared shared; /* see there */

	/* Constant after dp_new(). */
	struct port *ports;
	size_t n_ports;
	struct worker **workers; /* in the order of ports and their queues */
	size_t n_workers;
	struct sample_ring **rings; /* by worker */
	struct qsbr *qsbr; /* of the workers, by their place in workers[] */

	/* Control thread. */
	bool devices_running, workers_running;
};

/* worker_make.c */
struct worker *worker_new(struct dp *dp, struct port *p, uint16_t queue, unsigned int id,
	const struct dp_conf *conf, struct sample_ring **ret_ring);
void worker_free(struct worker *w);

/* publish.c: wait until no worker can be reading what was replaced before the call. */
void dp_wait_workers(struct dp *dp);

#endif
