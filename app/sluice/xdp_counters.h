/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_XDP_COUNTERS_H
#define SLUICE_XDP_COUNTERS_H

#include <stdbool.h>

struct xdp_object;

/*
 * Print what "bpftool -j map dump id N" of sluice_counters on standard input says,
 * by the names in @o. Returns an exit status.
 */
int xdp_counters_print(const struct xdp_object *o, bool json);

#endif
