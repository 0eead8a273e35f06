/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

/*
 * Frames as attackers and clients send them, from a seed: the same seed gives
 * the same frames.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"
#include "base/util.h"

#define TRAFFIC_FRAME_MAX 2048 /* bytes */

enum traffic_kind {
	TRAFFIC_DNS_FLOOD, /* queries of @name, each with labels of its own */
	TRAFFIC_DNS_MIXED, /* queries as a public server gets them */
	TRAFFIC_TCP_SYN, /* SYNs as several systems send them */
	TRAFFIC_SYN_FLOOD, /* SYNs of one system, Linux since 3.11 */
	TRAFFIC_MIXED, /* a bit of everything, both families, tags and fragments too */
	TRAFFIC_KINDS
};

struct traffic_conf {
	enum traffic_kind kind;
	bool random_sources; /* else a few hundred, of 198.18.0.0/24 and 2001:2::/120 */
	struct ip_addr dst;
	uint16_t dport;
	uint8_t dst_mac[6], src_mac[6];
	bool edns_do;
	const char *name; /* of dns-flood; a label "*" is drawn for each frame */
};

/* Names as in the command line: "dns-flood"; NULL behind the last. */
const char *traffic_kind_name(enum traffic_kind kind);

/* What is used unless told otherwise. */
void traffic_defaults(struct traffic_conf *conf);

/* Make one frame in @buf of TRAFFIC_FRAME_MAX bytes. Returns its bytes; 0: the name is none. */
size_t traffic_frame(const struct traffic_conf *conf, struct rng *rng, uint8_t *buf);

#endif
