/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_PROTO_H
#define PKT_PROTO_H

/*
 * Numbers of the protocols that lib/pkt knows, for parser and builder alike;
 * our own, since <netinet/in.h> lacks some of them.
 */

enum {
	ETHERTYPE_IP4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_IP6 = 0x86dd,
	ETHERTYPE_TAG = 0x8100, /* 802.1Q */
	ETHERTYPE_TAG_S = 0x88a8, /* 802.1ad */
	ETHERTYPE_TAG_OLD = 0x9100, /* QinQ before 802.1ad */
	ETHERTYPE_SLOW = 0x8809, /* 802.3 slow protocols: LACP, marker, OAM */
	ETHERTYPE_LLDP = 0x88cc,
	ETHERTYPE_MIN = 0x0600, /* below is a length */
};

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,
};

enum { ETHER_BYTES = 14, TAG_BYTES = 4, IP4_BYTES = 20, IP6_BYTES = 40 };

#endif
