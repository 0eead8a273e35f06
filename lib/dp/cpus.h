/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_CPUS_H
#define DP_CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The CPUs the process could use when this was first asked, which is before
 * dp_eal_start() pins the main thread. Returns 0 or -errno. Main thread.
 */
int cpus_usable(cpu_set_t *ret_set);

#endif
