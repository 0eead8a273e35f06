/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_VITAL_H
#define PKT_VITAL_H

/*
 * Vital frames: what keeps the link and the routing alive. A frame belongs to a
 * class only when it is plausible (design: ARP, LACP and LLDP by type and
 * destination; ND with hop limit 255; BFD with TTL 255 or from a peer; BGP from
 * and to a peer, plus TTL 255 with gtsm). Whether the class's policer still has
 * room is the caller's to ask.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/parse.h"
#include "pkt/view.h"

enum pkt_vital {
	PKT_VITAL_NONE,
	PKT_VITAL_ARP,
	PKT_VITAL_LINK, /* LACP (slow protocols), LLDP */
	PKT_VITAL_ND, /* ICMPv6 133..137, hop limit 255 (RFC 4861) */
	PKT_VITAL_BFD, /* UDP 3784, 3785, 4784 (RFC 5881, 5883) */
	PKT_VITAL_BGP, /* TCP 179 */
	PKT_VITAL_COUNT
};

/* What the classes need to know of the node. Read-only while in use. */
struct pkt_vital_conf {
	const struct ip_addr *peers;
	size_t n_peers;
	bool gtsm; /* BGP must come with TTL 255 (RFC 5082) */
};

/* The class of an Ethernet frame. Bounded work, no memory; any thread. */
enum pkt_vital pkt_vital_class(const struct pkt_view *v, const struct pkt_vital_conf *conf);

/* "arp", "link", "nd", "bfd", "bgp"; "none". */
const char *pkt_vital_name(enum pkt_vital c);

#endif
