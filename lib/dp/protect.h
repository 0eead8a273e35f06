/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_PROTECT_H
#define DP_PROTECT_H

/*
 * What protects vital frames: which they are and how many of a class. Published
 * like an image and, like it, never changed afterwards.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "pkt/vital.h"

struct dp_protect {
	uint64_t generation; /* a worker's buckets belong to one */
	bool vital; /* false: no frame is */
	struct pkt_vital_conf conf;
	struct ip_addr *peers; /* behind conf */
	struct bucket full; /* a new bucket of a class */
};

#endif
