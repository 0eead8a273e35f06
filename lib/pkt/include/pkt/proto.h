/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_PROTO_H
#define PKT_PROTO_H

/*
 * Numbers of the protocols that lib/pkt knows, and the bounds of its parser: for
 * whoever builds frames or parses them in another language. Our own, since
 * <netinet/in.h> lacks some of them.
 */

enum {
	PKT_ETHERTYPE_IP4 = 0x0800,
	PKT_ETHERTYPE_ARP = 0x0806,
	PKT_ETHERTYPE_IP6 = 0x86dd,
	PKT_ETHERTYPE_TAG = 0x8100, /* 802.1Q */
	PKT_ETHERTYPE_TAG_S = 0x88a8, /* 802.1ad */
	PKT_ETHERTYPE_TAG_OLD = 0x9100, /* QinQ before 802.1ad */
	PKT_ETHERTYPE_SLOW = 0x8809, /* 802.3 slow protocols: LACP, marker, OAM */
	PKT_ETHERTYPE_LLDP = 0x88cc,
	PKT_ETHERTYPE_MIN = 0x0600, /* below is a length */
};

enum {
	PKT_PROTO_HOPOPTS = 0,
	PKT_PROTO_ICMP = 1,
	PKT_PROTO_TCP = 6,
	PKT_PROTO_UDP = 17,
	PKT_PROTO_DCCP = 33,
	PKT_PROTO_ROUTING = 43,
	PKT_PROTO_FRAGMENT = 44,
	PKT_PROTO_AH = 51,
	PKT_PROTO_ICMP6 = 58,
	PKT_PROTO_NONE = 59,
	PKT_PROTO_DSTOPTS = 60,
	PKT_PROTO_SCTP = 132,
	PKT_PROTO_UDPLITE = 136,
};

enum { PKT_ETHER_BYTES = 14, PKT_TAG_BYTES = 4, PKT_IP4_BYTES = 20, PKT_IP6_BYTES = 40 };

/* What the parser steps over at most; behind more there is no L3, or no L4. */
#define PKT_TAGS_MAX 4 /* VLAN tags */
#define PKT_EXTS_MAX 8 /* IPv6 extension headers */

#endif
