/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_MAYBE_VITAL_H
#define DP_MAYBE_VITAL_H

#include <stdbool.h>
#include <stdint.h>

#include "pkt/view.h"

/*
 * Whether it is worth asking pkt_vital_class(): false only where that says
 * PKT_VITAL_NONE, for a few compares and no jump. The ports are BGP's and BFD's,
 * the protocol ICMPv6; what is not IP may be ARP, LACP or LLDP.
 */
static inline bool
maybe_vital(const struct pkt_view *v)
{
	return (v->family == 0) | (v->proto == 58) | (v->sport == 179) | (v->dport == 179) |
		((uint16_t)(v->dport - 3784) <= 1) | (v->dport == 4784);
}

#endif
