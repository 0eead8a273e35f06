// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_eal.h>

#include "base/diag.h"
#include "base/parse.h"
#include "ctl/conf.h"
#include "dp/dp.h"
#include "dp/eal.h"

#include "eal.h"
#include "log.h"

static void
dpdk_says(void *arg, int level, const char *line)
{
	(void)arg;
	(void)level;
	log_line(LOG_LEVEL_DEBUG, "dpdk: %s", line);
}

static size_t
count_workers(const struct ctl_conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_ports; i++)
		n += conf->ports[i].queues;
	return n;
}

/* CPUs as the ports name them; those that name none share out what is chosen. */
static int
choose_cpus(const struct ctl_conf *conf, uint16_t *cpus, size_t n)
{
	size_t worker = 0;
	int r;

	r = dp_cpus_choose(cpus, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < conf->n_ports; i++) {
		const struct ctl_port *p = &conf->ports[i];

		for (size_t q = 0; q < p->queues; q++, worker++)
			if (p->n_lcores > 0)
				cpus[worker] = p->lcores[q % p->n_lcores];
	}
	return 0;
}

static enum dp_hugepages
hugepages(const struct ctl_conf *conf)
{
	switch (conf->hugepages) {
	case CTL_HUGE_AUTO: return DP_HUGE_AUTO;
	case CTL_HUGE_YES: return DP_HUGE_YES;
	case CTL_HUGE_NO: return DP_HUGE_NO;
	}
	__builtin_unreachable();
}

int
eal_start(const struct ctl_conf *conf, bool verbose, struct diag *diag)
{
	uint16_t cpus[DP_WORKERS_MAX];
	const char *devices[DP_PORTS_MAX];
	const struct dp_eal_conf ec = {
		.hugepages = hugepages(conf),
		.memory_mib = conf->memory_mib,
		.main_cpu = conf->main_lcore_set ? conf->main_lcore : DP_CPU_ANY,
		.cpus = cpus,
		.n_cpus = count_workers(conf),
		.devices = devices,
		.n_devices = conf->n_ports,
		.log = verbose ? dpdk_says : NULL,
	};
	int r;

	r = choose_cpus(conf, cpus, ec.n_cpus);
	if (r < 0)
		return diag_fail(diag, r, "cannot choose CPUs for %zu workers", ec.n_cpus);
	for (size_t i = 0; i < conf->n_ports; i++)
		devices[i] = conf->ports[i].device;

	r = dp_eal_start(&ec, diag);
	if (r == 0 && ec.hugepages == DP_HUGE_AUTO && !rte_eal_has_hugepages())
		log_line(LOG_LEVEL_NOTICE,
			"not enough free hugepages: running without, at up to half the speed; "
			"set vm.nr_hugepages, or \"hugepages = no\" in [eal] to say so");
	return r;
}

static enum dp_exception_kind
exception_kind(const struct ctl_port *p)
{
	switch (p->exception) {
	case CTL_EXC_NONE: return DP_EXC_NONE;
	case CTL_EXC_TAP: return DP_EXC_TAP;
	case CTL_EXC_VIRTIO_USER: return DP_EXC_VIRTIO_USER;
	case CTL_EXC_PORT: return DP_EXC_PORT;
	}
	__builtin_unreachable();
}

/* Who may attach to a TAP after us: the user that we are going to be. */
static uid_t
tap_owner(const struct ctl_conf *conf)
{
	const struct passwd *pw = conf->user[0] != '\0' ? getpwnam(conf->user) : NULL;

	return pw != NULL ? pw->pw_uid : (uid_t)-1;
}

static void
port_conf(const struct ctl_port *p, uid_t owner, struct dp_port_conf *ret)
{
	*ret = (struct dp_port_conf){
		.name = p->name,
		.device = p->device,
		.queues = p->queues,
		.exception = exception_kind(p),
		.exception_name = p->exception_name,
		.exception_netns = p->exception_netns,
		.exception_uid = owner,
		.mtu = p->mtu,
		.rx_ring = p->rx_ring,
		.tx_ring = p->tx_ring,
		.promiscuous = p->promiscuous,
		.multicast = p->multicast,
		.takeover = p->takeover,
		.policer_pps = p->policer_pps,
		.policer_burst = p->policer_burst,
	};
}

static void
protection(const struct ctl_conf *conf, struct dp_conf *ret)
{
	ret->vital = conf->vital;
	ret->peers = conf->peers;
	ret->n_peers = conf->n_peers;
	ret->gtsm = conf->gtsm;
	ret->vital_pps = conf->vital_pps;
}

static bool
same_protection(const struct ctl_conf *a, const struct ctl_conf *b)
{
	_Static_assert(sizeof(struct ip_addr) == 17, "no padding: it is compared as bytes");
	return a->vital == b->vital && a->gtsm == b->gtsm && a->vital_pps == b->vital_pps &&
		a->n_peers == b->n_peers &&
		(a->n_peers == 0 ||
			memcmp(a->peers, b->peers, a->n_peers * sizeof(*a->peers)) == 0);
}

int
eal_protect_new(
	const struct ctl_conf *conf, const struct ctl_conf *was, struct dp_protect **ret_protect)
{
	struct dp_conf dc = {0};

	if (same_protection(conf, was)) {
		*ret_protect = NULL;
		return 0;
	}
	protection(conf, &dc);
	return dp_protect_new(&dc, ret_protect);
}

int
eal_ports_new(const struct ctl_conf *conf, struct dp **ret_dp, struct diag *diag)
{
	struct dp_port_conf ports[DP_PORTS_MAX];
	const uid_t owner = tap_owner(conf);
	struct dp_conf dc = {
		.ports = ports,
		.n_ports = conf->n_ports,
		.sample_one_in = conf->sample_one_in,
		.sample_snaplen = conf->sample_snaplen,
	};

	protection(conf, &dc);

	/* A seed that nobody can guess: who knows the gaps can stay out of the samples. */
	if (getrandom(&dc.seed, sizeof(dc.seed), 0) != (ssize_t)sizeof(dc.seed))
		return diag_fail(diag, -EIO, "no random numbers from the kernel");
	for (size_t i = 0; i < conf->n_ports; i++)
		port_conf(&conf->ports[i], owner, &ports[i]);
	return dp_new(&dc, ret_dp, diag);
}
