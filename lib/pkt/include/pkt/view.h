/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_VIEW_H
#define PKT_VIEW_H

/*
 * What a frame is: where its layers start, what its addresses and ports are.
 * Made once per frame by a parser, then only read: by scopes, by the matching
 * engine, by the protection of vital frames, by the sampler.
 *
 * A view points into the frame and lives as long as it. No parser reads past
 * @caplen; none fails: what cannot be read is marked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of struct pkt_view.flags. */
enum {
	PKT_VLAN = 1 << 0, /* one or more 802.1Q/802.1ad tags stood before L3 */
	PKT_FRAGMENT = 1 << 1, /* any fragment: more-fragments set or offset > 0 */
	PKT_FRAG_LATER = 1 << 2, /* offset > 0: there is no L4 header in this frame */
	PKT_PORTS =
		1 << 3, /* a whole header of TCP, UDP, UDP-Lite, SCTP or DCCP: ports are valid */
	PKT_TRUNCATED = 1 << 4, /* a header that should be there ends behind caplen */
	PKT_MALFORMED = 1
		<< 5, /* a length field that cannot be, see l3_len; an IP version that is not its type's */
	PKT_IP_OPTIONS = 1 << 6, /* IPv4 options, or IPv6 extension headers walked */
	PKT_EXT_UNKNOWN = 1
		<< 7, /* the IPv6 extension walk ended at its bound; proto is the header it stood at */
	PKT_LLC = 1 << 8, /* an 802.3 length, not an ethertype */
};

struct pkt_view {
	const uint8_t *frame; /* first byte of the link layer */
	uint32_t caplen; /* bytes readable at @frame */
	uint32_t wirelen; /* bytes on the wire */

	uint16_t flags;
	uint16_t
		ethertype; /* behind all tags, host order; 0 for LLC and for raw IP that is no IP */
	uint16_t l3_off; /* from @frame; valid when family != 0 */
	uint16_t
		l4_off; /* from @frame, behind options and extension headers; 0: unknown, or none */
	uint8_t family; /* 4, 6, or 0: not IP, or too short to be */
	uint8_t proto; /* IPv4 protocol, or the last IPv6 next header read; valid when family != 0 */
	uint8_t hop_limit; /* TTL or hop limit */
	uint8_t tcp_flags; /* valid for TCP with 14 bytes readable, else 0 */
	uint16_t sport, dport; /* host order, 0 without PKT_PORTS */

	/*
	 * The datagram as a program of link raw sees it: from l3_off, l3_caplen
	 * bytes readable (never more than l3_len: padding and trailer are not
	 * visible), l3_len bytes by the header: the IPv4 total length or 40 + the
	 * IPv6 payload length. Where the length field cannot be (below the header,
	 * or 0 with something to follow), the frame's own end counts and
	 * PKT_MALFORMED is set. Both are 0 when family is 0.
	 */
	uint32_t l3_caplen;
	uint32_t l3_len;
};

/* The addresses, 4 or 16 bytes in network order; valid when family != 0. */
static inline const uint8_t *
pkt_src(const struct pkt_view *v)
{
	return v->frame + v->l3_off + (v->family == 4 ? 12 : 8);
}

static inline const uint8_t *
pkt_dst(const struct pkt_view *v)
{
	return v->frame + v->l3_off + (v->family == 4 ? 16 : 24);
}

/*
 * Parse an Ethernet frame. At most 4 tags (0x8100, 0x88a8, 0x9100) and 8 IPv6
 * extension headers are walked.
 *
 * @caplen:	bytes readable at @frame, at most 65535 are looked at
 * @wirelen:	bytes on the wire, >= @caplen
 */
void pkt_parse_ether(
	const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view);

/* The same for a datagram that starts with its IP header at @frame. */
void pkt_parse_ip(
	const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view);

/*
 * The same for any link type of pcap-linktype(7) that pkt_link_known() accepts.
 * For all but EN10MB the link layer before L3 is whatever that type says.
 */
void pkt_parse_link(int dlt, const uint8_t *frame, uint32_t caplen, uint32_t wirelen,
	struct pkt_view *ret_view);

/* True for EN10MB, RAW (12, 14, 101), IPV4, IPV6, LINUX_SLL, LINUX_SLL2, NULL, LOOP. */
bool pkt_link_known(int dlt);

#endif
