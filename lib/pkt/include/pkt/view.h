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
#include <string.h>

#include "base/util.h"

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

	uint32_t key; /* of pkt_key(): what nearly every rule asks, in one word */
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

/* The fields of a key: ports that are valid, and no more of flags than rules ask for. */
#define PKT_KEY_DPORT(p) ((uint32_t)(p))
#define PKT_KEY_PROTO(p) ((uint32_t)(p) << 16)
#define PKT_KEY_FAMILY(f) ((uint32_t)(f) << 26)
#define PKT_KEY_FLAGS(f) ((uint32_t)(f) << 23)
#define PKT_KEY_FAMILY_BITS 6 /* of 0, 4 and 6 */
#define PKT_KEY_FLAGS_BITS (PKT_FRAGMENT | PKT_FRAG_LATER | PKT_PORTS | PKT_IP_OPTIONS)

/* The fields do not overlap. */
_Static_assert(
	(PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS) & PKT_KEY_FLAGS(PKT_KEY_FLAGS_BITS)) == 0, "key");
_Static_assert(
	PKT_KEY_FLAGS(PKT_KEY_FLAGS_BITS) >> 24 << 24 == PKT_KEY_FLAGS(PKT_KEY_FLAGS_BITS), "key");
_Static_assert((uint64_t)PKT_KEY_FLAGS_BITS << 23 <= UINT32_MAX, "key");

/* What v->key is, of the other fields of @v. */
static inline uint32_t
pkt_key(const struct pkt_view *v)
{
	return PKT_KEY_DPORT(v->dport) | PKT_KEY_PROTO(v->proto) |
		PKT_KEY_FAMILY(v->family & PKT_KEY_FAMILY_BITS) |
		PKT_KEY_FLAGS(v->flags & PKT_KEY_FLAGS_BITS);
}

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

/* Fields that are written as one word. */
_Static_assert(offsetof(struct pkt_view, ethertype) == offsetof(struct pkt_view, flags) + 2 &&
		offsetof(struct pkt_view, l3_off) == offsetof(struct pkt_view, flags) + 4 &&
		offsetof(struct pkt_view, l4_off) == offsetof(struct pkt_view, flags) + 6,
	"where a frame's layers are");
_Static_assert(offsetof(struct pkt_view, proto) == offsetof(struct pkt_view, family) + 1 &&
		offsetof(struct pkt_view, hop_limit) == offsetof(struct pkt_view, family) + 2 &&
		offsetof(struct pkt_view, tcp_flags) == offsetof(struct pkt_view, family) + 3 &&
		offsetof(struct pkt_view, sport) == offsetof(struct pkt_view, family) + 4 &&
		offsetof(struct pkt_view, dport) == offsetof(struct pkt_view, family) + 6,
	"what it is");

/* Read as one word, see below and lib/match. */
_Static_assert(offsetof(struct pkt_view, l3_caplen) == offsetof(struct pkt_view, key) + 4,
	"what rules ask first");

/* Behind pkt_parse_ether(), for any frame; not for direct use. */
void pkt_parse_ether_any(
	const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view);

/*
 * Behind pkt_parse_ether(): what nearly every frame of a flood is, untagged IPv4
 * without options, no fragment, with a whole UDP or TCP header. The same answer
 * as pkt_parse_ether_any()'s, or false and nothing written for all other frames.
 */
static inline bool
pkt_parse_ether_common(
	const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view)
{
	enum { L3 = 14, L4 = L3 + 20, TCP = 6, UDP = 17 };
	const uint64_t layers = (uint64_t)PKT_PORTS | (uint64_t)0x0800 << 16 | (uint64_t)L3 << 32 |
		(uint64_t)L4 << 48;
	uint32_t len, have, proto, is_tcp, ports;
	uint64_t ip, what;

	/* Type, version and header length are one word; its last byte is the TOS. */
	if (caplen < L4 || (load_be32(frame + 12) & 0xffffff00) != 0x08004500)
		return false;
	/* Total length, id, fragment, TTL and protocol, from the highest byte down. */
	ip = load_be64(frame + L3 + 2);
	len = (uint32_t)(ip >> 48);
	proto = ip & 0xff;
	is_tcp = proto == TCP;
	have = caplen - L3 < len ? caplen - L3 : len;
	if ((ip & 0x3fff0000) != 0 || (proto != UDP && !is_tcp) || have < 20 + 8 + 12 * is_tcp)
		return false;

	ports = load_be32(frame + L4);
	what = 4 | (uint64_t)proto << 8 | (ip & 0xff00) << 8 |
		(uint64_t)(ports >> 16 | ports << 16) << 32;
	/* Of UDP this is no byte of the header, and may lie behind the end. */
	if (is_tcp)
		what |= (uint64_t)frame[L4 + 13] << 24;
	ret_view->frame = frame;
	ret_view->caplen = caplen;
	ret_view->wirelen = wirelen < caplen ? caplen : wirelen;
	memcpy(&ret_view->flags, &layers, sizeof(layers));
	memcpy(&ret_view->family, &what, sizeof(what));
	ret_view->key = PKT_KEY_FAMILY(4) | PKT_KEY_FLAGS(PKT_PORTS) | PKT_KEY_PROTO(proto) |
		PKT_KEY_DPORT(ports & UINT16_MAX);
	ret_view->l3_caplen = have;
	ret_view->l3_len = len;
	return true;
}

/*
 * Parse an Ethernet frame. At most 4 tags (0x8100, 0x88a8, 0x9100) and 8 IPv6
 * extension headers are walked. Inline for the common frame: 3.1 ns where a call
 * took 4.8.
 *
 * @caplen:	bytes readable at @frame, at most 65535 are looked at
 * @wirelen:	bytes on the wire, >= @caplen
 */
static inline void
pkt_parse_ether(const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view)
{
	if (!pkt_parse_ether_common(frame, caplen, wirelen, ret_view))
		pkt_parse_ether_any(frame, caplen, wirelen, ret_view);
}

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
