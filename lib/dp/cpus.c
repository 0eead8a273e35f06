// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which CPUs there are for workers. What counts is the affinity of the process,
 * not the machine: under a container's or systemd's mask DPDK fails on a CPU
 * outside it with a page of usage.
 */
#include "cpus.h"

#include <errno.h>
#include <stdio.h>

#include "base/diag.h"

#include "dp/eal.h"

static cpu_set_t usable_at_start;
static bool usable_known;

int
cpus_usable(cpu_set_t *ret_set)
{
	if (!usable_known) {
		if (sched_getaffinity(0, sizeof(usable_at_start), &usable_at_start) < 0)
			return -errno;
		usable_known = true;
	}
	*ret_set = usable_at_start;
	return 0;
}

/* "0-3,7" */
static void
print_set(const cpu_set_t *set, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE && len < size; cpu++) {
		int last = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		len += (size_t)snprintf(buf + len, size - len, last > cpu ? "%s%d-%d" : "%s%d",
			len > 0 ? "," : "", cpu, last);
		cpu = last;
	}
}

int
dp_cpu_check(uint16_t cpu, struct diag *diag)
{
	char text[128];
	cpu_set_t set;
	int r;

	r = cpus_usable(&set);
	if (r < 0)
		return diag_fail(diag, r, "cannot tell which CPUs this process may use");
	if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set))
		return 0;
	print_set(&set, text, sizeof(text));
	return diag_fail(
		diag, -EINVAL, "CPU %u is not one this process may use; it may use %s", cpu, text);
}

int
dp_cpus_choose(uint16_t *ret_cpus, size_t n)
{
	cpu_set_t set;
	int r, n_usable, skip, cpu;

	r = cpus_usable(&set);
	if (r < 0)
		return r;
	n_usable = CPU_COUNT(&set);
	if (n_usable == 0)
		return -EINVAL;
	skip = n_usable > 1 ? 1 : 0;

	for (size_t i = 0; i < n;) {
		int nth = 0;

		for (cpu = 0; cpu < CPU_SETSIZE && i < n; cpu++)
			if (CPU_ISSET(cpu, &set) && nth++ >= skip)
				ret_cpus[i++] = (uint16_t)cpu;
	}
	return 0;
}
