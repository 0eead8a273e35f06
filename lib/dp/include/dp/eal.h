/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_EAL_H
#define DP_EAL_H

/*
 * DPDK's environment, started once per process from values, never from a
 * command line: memory, the CPUs of workers, which PCI devices may be touched.
 * It cannot be started twice, not even after a failure: a process whose start
 * failed has to end.
 *
 * All functions: the main thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

#define DP_WORKERS_MAX 64 /* over all ports */
#define DP_CPU_ANY UINT16_MAX

enum dp_hugepages {
	DP_HUGE_AUTO, /* where there are enough free ones, else none */
	DP_HUGE_YES, /* refuse to start without */
	DP_HUGE_NO,
};

struct dp_eal_conf {
	enum dp_hugepages hugepages;
	uint32_t memory_mib; /* 0: 256 without hugepages, what is taken by need with them */

	/*
	 * CPU of the control thread (the caller of dp_eal_start() is moved there,
	 * and threads it makes afterwards start there). DP_CPU_ANY: all CPUs that
	 * no worker has, or all when workers have them all.
	 */
	uint16_t main_cpu;

	/*
	 * CPU numbers of the workers, one each, in the order in which the ports
	 * and their queues will be given to dp_new(). Several workers may share
	 * a CPU. 0..DP_WORKERS_MAX.
	 */
	const uint16_t *cpus;
	size_t n_cpus;

	/*
	 * Devices of all ports, as in struct dp_port_conf. Only those that are
	 * PCI addresses are looked at: no other PCI device is probed.
	 */
	const char *const *devices;
	size_t n_devices;

	/*
	 * Gets every line that DPDK logs, without newline, from any thread, until
	 * dp_eal_stop(); level as syslog's (0..7). NULL: such lines are thrown
	 * away. Nothing of DPDK's goes to stdout, stderr or syslog.
	 */
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
};

/*
 * Start. Returns 0, or with a sentence that says what to do: -EINVAL (a CPU that
 * this machine does not have or this process may not use), -ENOMEM (hugepages
 * or memory missing), -EALREADY (second call), -EIO (whatever else DPDK says;
 * its last error line is quoted).
 */
int dp_eal_start(const struct dp_eal_conf *conf, struct diag *diag);

/* Give devices and memory back. After dp_free() of every dp. */
void dp_eal_stop(void);

/*
 * Choose CPUs for @n workers among those the process may use: the first one is
 * left to the control thread where there are others, the rest are dealt out in
 * turn. Needs no dp_eal_start(). Writes @n numbers. Returns 0 or -errno.
 */
int dp_cpus_choose(uint16_t *ret_cpus, size_t n);

/* 0, or -EINVAL with a sentence when @cpu is not one this process may use. */
int dp_cpu_check(uint16_t cpu, struct diag *diag);

#endif
