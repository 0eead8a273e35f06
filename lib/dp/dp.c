// SPDX-License-Identifier: BSD-3-Clause
/* The data plane's life: from a configuration to running workers and back. */
#include "dp/dp.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "sample/ring.h"

#include "eal.h"
#include "priv.h"

static int
check_conf(const struct dp_conf *conf, struct diag *diag)
{
	size_t workers = 0;

	if (conf->n_ports == 0 || conf->n_ports > DP_PORTS_MAX)
		return diag_fail(
			diag, -EINVAL, "%zu ports: expected 1 to %d", conf->n_ports, DP_PORTS_MAX);
	for (size_t i = 0; i < conf->n_ports; i++) {
		workers += conf->ports[i].queues;
		for (size_t j = 0; j < i; j++)
			if (strcmp(conf->ports[i].name, conf->ports[j].name) == 0)
				return diag_fail(
					diag, -EINVAL, "two ports named '%s'", conf->ports[i].name);
	}
	if (workers > eal_workers())
		return diag_fail(diag, -EINVAL, "%zu queues, but CPUs for only %zu workers",
			workers, eal_workers());
	return 0;
}

/* Who sends to whom, and so how many transmit queues each device needs. */
static int
connect_ports(struct dp *dp, const struct dp_conf *conf, struct diag *diag)
{
	for (size_t i = 0; i < dp->n_ports; i++) {
		struct port *p = &dp->ports[i];

		if (p->exception == DP_EXC_TAP || p->exception == DP_EXC_VIRTIO_USER)
			p->n_tx = p->queues;
	}
	for (size_t i = 0; i < dp->n_ports; i++) {
		struct port *p = &dp->ports[i];

		if (p->exception != DP_EXC_PORT)
			continue;
		for (size_t j = 0; j < dp->n_ports && p->peer == NULL; j++)
			if (strcmp(dp->ports[j].name, conf->ports[i].exception_name) == 0)
				p->peer = &dp->ports[j];
		if (p->peer == NULL)
			return diag_fail(diag, -EINVAL,
				"port %s: exception = port:%s: there is no such port", p->name,
				conf->ports[i].exception_name);
		p->peer->n_tx = (uint16_t)(p->peer->n_tx + p->queues);
	}
	return 0;
}

static int
take_ports(struct dp *dp, const struct dp_conf *conf, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < conf->n_ports && r == 0; i++) {
		r = port_init(&dp->ports[i], &conf->ports[i], (uint16_t)i, diag);
		if (r == 0)
			dp->n_ports++;
	}
	if (r == 0)
		r = connect_ports(dp, conf, diag);
	for (size_t i = 0; i < dp->n_ports && r == 0; i++) {
		struct port *p = &dp->ports[i];

		atomic_store_explicit(&p->sample_one_in, conf->sample_one_in, memory_order_relaxed);
		r = port_take(p, conf->ports[i].takeover, diag);
		if (r == 0)
			r = port_configure(p, diag);
		if (r == 0)
			r = port_open_exception(p, &conf->ports[i], diag);
	}
	return r;
}

/* The exception path of @w, the next free queue of the peer's wire where it needs one. */
static void
connect_worker(struct worker *w, struct port *p, uint16_t *next_tx)
{
	switch (p->exception) {
	case DP_EXC_NONE: exc_none_init(&w->exc); return;
	case DP_EXC_TAP:
		exc_tap_init(&w->exc, p->tap_fds[w->queue], p->mtu != 0 ? p->mtu : 9000, w->pool);
		return;
	case DP_EXC_VIRTIO_USER:
		exc_companion_init(&w->exc, &(struct wire){p->companion, w->queue, UINT32_MAX});
		return;
	case DP_EXC_PORT:
		exc_port_init(&w->exc,
			&(struct wire){
				p->peer->ethdev, next_tx[p->peer->number]++, port_tx_max(p->peer)});
		return;
	}
}

static int
make_workers(struct dp *dp, const struct dp_conf *conf, struct diag *diag)
{
	uint16_t next_tx[DP_PORTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < dp->n_ports; i++) {
		const struct port *p = &dp->ports[i];

		n += p->queues;
		next_tx[i] = p->exception == DP_EXC_TAP || p->exception == DP_EXC_VIRTIO_USER
			? p->queues
			: 0;
	}
	dp->workers = mem_calloc(n, sizeof(*dp->workers));
	dp->rings = mem_calloc(n, sizeof(*dp->rings));
	if (dp->workers == NULL || dp->rings == NULL || qsbr_new((uint32_t)n, &dp->qsbr) < 0)
		return diag_fail(diag, -ENOMEM, "out of memory");

	for (size_t i = 0; i < dp->n_ports; i++) {
		for (uint16_t q = 0; q < dp->ports[i].queues; q++) {
			const unsigned int id = (unsigned int)dp->n_workers;
			struct worker *w;

			w = worker_new(dp, &dp->ports[i], q, id, conf, &dp->rings[id]);
			if (w == NULL)
				return diag_fail(diag, -ENOMEM, "out of memory");
			dp->workers[dp->n_workers++] = w;
			connect_worker(w, &dp->ports[i], next_tx);
		}
	}
	return 0;
}

int
dp_new(const struct dp_conf *conf, struct dp **ret_dp, struct diag *diag)
{
	struct dp_protect *protect = NULL;
	struct dp *dp;
	int r;

	r = check_conf(conf, diag);
	if (r < 0)
		return r;
	dp = mem_zalloc_aligned(BASE_CACHE_LINE, sizeof(*dp));
	if (dp == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	atomic_init(&dp->shared.enforce, true);
	dp->ports = mem_calloc(conf->n_ports, sizeof(*dp->ports));
	if (dp->ports == NULL || dp_protect_new(conf, &protect) < 0) {
		r = diag_fail(diag, -ENOMEM, "out of memory");
		goto out;
	}
	atomic_init(&dp->shared.protect, protect);
	r = take_ports(dp, conf, diag);
	if (r < 0)
		goto out;
	r = make_workers(dp, conf, diag);
	if (r < 0)
		goto out;
	*ret_dp = dp;
	dp = NULL;
out:
	dp_free(dp);
	return r;
}

/* How long @w may sleep, and what wakes it. */
static void
prepare_idle(struct worker *w, const struct port *p)
{
	uint32_t mbps;
	int fd;

	(void)port_link(p, &mbps);
	worker_init(w, rte_get_tsc_hz(), idle_bound_ns(p->spec.ring_frames, mbps));
	if (!p->intr)
		return;
	fd = rte_eth_dev_rx_intr_ctl_q_get_fd(w->ethdev, w->queue);
	if (fd < 0 || rte_eth_dev_rx_intr_enable(w->ethdev, w->queue) != 0)
		return;
	(void)rte_eth_dev_rx_intr_disable(w->ethdev, w->queue);
	w->rx_fd = fd;
	w->intr = true;
}

int
dp_bench_start(struct dp *dp, struct match_image *image, struct diag *diag)
{
	int r = 0;

	if (dp->devices_running)
		return diag_fail(diag, -EALREADY, "already running");
	dp->devices_running = true;
	for (size_t i = 0; i < dp->n_ports && r == 0; i++)
		r = port_start(&dp->ports[i], diag);
	if (r < 0) {
		(void)dp_stop(dp);
		return r;
	}
	for (size_t i = 0; i < dp->n_workers; i++)
		prepare_idle(dp->workers[i], &dp->ports[dp->workers[i]->port]);
	atomic_store_explicit(&dp->shared.stop, false, memory_order_relaxed);
	(void)match_slot_put(&dp->shared.slot, image, dp->qsbr); /* nobody runs yet */
	return 0;
}

int
dp_start(struct dp *dp, struct match_image *image, struct diag *diag)
{
	int r;

	r = dp_bench_start(dp, image, diag);
	if (r < 0)
		return r;
	dp->workers_running = true;
	for (size_t i = 0; i < dp->n_workers; i++) {
		/* Lcore 0 is the control thread. */
		r = rte_eal_remote_launch(worker_main, dp->workers[i], (unsigned int)i + 1);
		if (r < 0) {
			(void)dp_stop(dp);
			return diag_fail(diag, r, "worker %zu does not start: %s", i, strerror(-r));
		}
	}
	dp_tick(dp);
	return 0;
}

static void
stop_workers(struct dp *dp)
{
	/* First let nothing in any more, so that what is there can be dealt with. */
	for (size_t i = 0; i < dp->n_ports; i++)
		port_close_gate(&dp->ports[i]);
	atomic_store_explicit(&dp->shared.stop, true, memory_order_relaxed);
	for (size_t i = 0; i < dp->n_workers; i++)
		(void)rte_eal_wait_lcore((unsigned int)i + 1);
	dp->workers_running = false;
}

struct match_image *
dp_stop(struct dp *dp)
{
	if (!dp->devices_running)
		return NULL;
	if (dp->workers_running)
		stop_workers(dp);
	for (size_t i = 0; i < dp->n_ports; i++)
		port_stop(&dp->ports[i]);
	dp->devices_running = false;
	return match_slot_put(&dp->shared.slot, NULL, dp->qsbr); /* nobody runs any more */
}

void
dp_free(struct dp *dp)
{
	if (dp == NULL)
		return;
	(void)dp_stop(dp);
	for (size_t i = 0; i < dp->n_workers; i++)
		worker_free(dp->workers[i]);
	for (size_t i = 0; i < dp->n_ports; i++)
		port_close(&dp->ports[i]);
	mem_free(dp->workers);
	mem_free(dp->rings);
	qsbr_free(dp->qsbr);
	/* The workers are gone. */
	dp_protect_free(atomic_load_explicit(&dp->shared.protect, memory_order_relaxed));
	mem_free(dp->ports);
	mem_free(dp);
}

size_t
dp_rings(struct dp *dp, struct sample_ring *const **ret_rings)
{
	*ret_rings = dp->rings;
	return dp->n_workers;
}

void
dp_tick(struct dp *dp)
{
	struct port_losses unused;

	if (!dp->devices_running)
		return;
	for (size_t i = 0; i < dp->n_ports; i++) {
		port_follow_link(&dp->ports[i]);
		port_losses_get(&dp->ports[i], &unused);
	}
}

size_t
dp_port_count(const struct dp *dp)
{
	return dp->n_ports;
}

void
dp_port_info_get(const struct dp *dp, size_t port, struct dp_port_info *ret)
{
	const struct port *p = &dp->ports[port];
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;

	memset(ret, 0, sizeof(*ret));
	ret->name = p->name;
	snprintf(ret->device, sizeof(ret->device), "%s", p->spec.name);
	ret->queues = p->queues;
	ret->ethdev = p->ethdev;
	ret->mtu = p->mtu;
	ret->copies = dev_copies(&p->spec);
	ret->taken_over = p->taken_over;
	ret->numa = -1;
	if (p->ethdev == PORT_NONE)
		return;
	ret->numa = rte_eth_dev_socket_id(p->ethdev);
	if (rte_eth_dev_info_get(p->ethdev, &info) == 0 && info.driver_name != NULL)
		snprintf(ret->driver, sizeof(ret->driver), "%s", info.driver_name);
	if (rte_eth_macaddr_get(p->ethdev, &mac) == 0)
		memcpy(ret->mac, mac.addr_bytes, sizeof(ret->mac));
	ret->link_up = port_link(p, &ret->link_mbps);
}

bool
dp_drained(struct dp *dp)
{
	for (size_t i = 0; i < dp->n_workers; i++) {
		const struct worker *w = dp->workers[i];
		const struct dev_spec *spec = &dp->ports[w->port].spec;

		if (spec->kind != DEV_PCAP_FILE || spec->loops ||
			atomic_load_explicit(&w->dry, memory_order_relaxed) < WORKER_DRY_MAX)
			return false;
	}
	return true;
}

uint64_t
dp_bench_run(struct dp *dp, size_t worker, uint64_t bursts)
{
	return worker_run(dp->workers[worker], bursts);
}
