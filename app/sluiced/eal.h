/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_EAL_H
#define SLUICED_EAL_H

/* From the configuration to the data plane's own structures. */

#include <stdbool.h>

struct ctl_conf;
struct diag;
struct dp;

/*
 * Start DPDK as @conf says; its messages are logged with @verbose only. Main
 * thread, once. Returns what dp_eal_start() returns.
 */
int eal_start(const struct ctl_conf *conf, bool verbose, struct diag *diag);

/*
 * What protects vital frames by @conf, for dp_protect_publish(); NULL where it is
 * the same as by @was, whose buckets need no refill then. Returns 0, -ENOMEM.
 */
struct dp_protect;
int eal_protect_new(
	const struct ctl_conf *conf, const struct ctl_conf *was, struct dp_protect **ret_protect);

/* Make the ports of @conf. Returns what dp_new() returns. */
int eal_ports_new(const struct ctl_conf *conf, struct dp **ret_dp, struct diag *diag);

#endif
