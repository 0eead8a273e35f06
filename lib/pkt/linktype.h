/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_LINKTYPE_H
#define PKT_LINKTYPE_H

/*
 * The link types this library reads, by their number in pcap's DLT_ space
 * (pcap-linktype(7)), spelled out so that the parser needs no libpcap.
 */
enum {
	LINK_NULL = 0,
	LINK_EN10MB = 1,
	LINK_RAW_LINUX = 12, /* DLT_RAW here; the others are what foreign files call it */
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101, /* the number in files */
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

#endif
