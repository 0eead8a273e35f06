// SPDX-License-Identifier: BSD-3-Clause
/*
 * The parser of the data plane: it runs once for every frame received that is
 * not as common as pkt_parse_ether() has it inline. IPv4 without options and
 * IPv6 without extension headers go straight down one path of forward branches,
 * and what is rare (tags, options, extension headers, lengths that cannot be)
 * leaves it.
 *
 * Every offset is checked against what is readable before it is used, and all
 * of them stay far below 65536: at most 30 bytes of link layer, and 40 bytes
 * and 8 extension headers of at most 2,048 each.
 */
#include "pkt/view.h"

#include <stddef.h>

#include "base/util.h"
#include "linktype.h"
#include "pkt/proto.h"

/*
 * Bytes of the fixed part of each L4 header. A header that is cut inside it is
 * truncated: no rule that needs it matches, as no socket and no xt_udp or xt_tcp
 * would take it.
 */
#define L4_PORTS 0x80 /* starts with the two ports */
#define L4_LEN 0x7f
static const uint8_t l4_header[256] = {
	[PKT_PROTO_ICMP] = 8,
	[PKT_PROTO_ICMP6] = 8,
	[PKT_PROTO_TCP] = 20 | L4_PORTS,
	[PKT_PROTO_UDP] = 8 | L4_PORTS,
	[PKT_PROTO_UDPLITE] = 8 | L4_PORTS,
	[PKT_PROTO_SCTP] = 12 | L4_PORTS,
	[PKT_PROTO_DCCP] = 12 | L4_PORTS,
};

/* The L4 header of @v->proto at @off, which is not behind the datagram's readable end. */
static inline void
parse_l4(struct pkt_view *v, uint32_t off)
{
	const uint8_t *l4 = v->frame + off;
	uint32_t have = v->l3_off + v->l3_caplen - off;
	uint8_t header = l4_header[v->proto];

	v->l4_off = (uint16_t)off;
	if (v->proto == PKT_PROTO_TCP && have >= 14)
		v->tcp_flags = l4[13];
	if (have < (header & L4_LEN)) {
		v->flags |= PKT_TRUNCATED;
		return;
	}
	if (header & L4_PORTS) {
		v->flags |= PKT_PORTS;
		v->sport = load_be16(l4);
		v->dport = load_be16(l4 + 2);
	}
}

/* The datagram from @off has @len bytes, of which only what was captured is readable. */
static inline void
set_l3(struct pkt_view *v, uint32_t off, uint32_t len)
{
	v->l3_off = (uint16_t)off;
	v->l3_len = len;
	v->l3_caplen = MIN(v->caplen - off, len);
}

static inline void
parse_ip4(struct pkt_view *v, uint32_t off)
{
	const uint8_t *ip = v->frame + off;
	uint32_t header, len;
	uint16_t frag;

	v->l3_off = (uint16_t)off;
	if (v->caplen - off < PKT_IP4_BYTES) {
		v->flags |= PKT_TRUNCATED;
		return;
	}
	if (ip[0] >> 4 != 4) {
		v->flags |= PKT_MALFORMED;
		return;
	}
	v->family = 4;
	v->hop_limit = ip[8];
	v->proto = ip[9];

	header = (ip[0] & 15u) * 4;
	len = load_be16(ip + 2);
	if (header < PKT_IP4_BYTES || len < header)
		v->flags |= PKT_MALFORMED;
	set_l3(v, off, len < MAX(header, PKT_IP4_BYTES) ? v->wirelen - off : len);

	frag = load_be16(ip + 6);
	if (frag & 0x3fff)
		v->flags |= PKT_FRAGMENT | (frag & 0x1fff ? PKT_FRAG_LATER : 0);
	if (header != PKT_IP4_BYTES) {
		if (header < PKT_IP4_BYTES)
			return;
		v->flags |= PKT_IP_OPTIONS;
		if (header > v->l3_caplen) {
			v->flags |= PKT_TRUNCATED;
			return;
		}
	}
	if (v->flags & PKT_FRAG_LATER)
		return;
	parse_l4(v, off + header);
}

/*
 * The headers Linux walks to find the upper layer. Others in the same shape
 * (mobility, HIP, shim6) are left alone: no host looks for a query behind them.
 */
static inline bool
is_ext(uint8_t proto)
{
	return proto == PKT_PROTO_HOPOPTS || proto == PKT_PROTO_ROUTING ||
		proto == PKT_PROTO_FRAGMENT || proto == PKT_PROTO_AH || proto == PKT_PROTO_DSTOPTS;
}

/* Bytes of the extension header of type @proto whose second byte is @len. */
static uint32_t
ext_bytes(uint8_t proto, uint8_t len)
{
	if (proto == PKT_PROTO_FRAGMENT)
		return 8;
	return proto == PKT_PROTO_AH ? (len + 2u) * 4 : (len + 1u) * 8;
}

/* Walk the extension headers from @off on. Returns where L4 starts, 0 when it cannot be found. */
static uint32_t
walk_exts(struct pkt_view *v, uint32_t off)
{
	const uint32_t end = v->l3_off + v->l3_caplen;

	v->flags |= PKT_IP_OPTIONS;
	for (unsigned int i = 0; i < PKT_EXTS_MAX && is_ext(v->proto); i++) {
		const uint8_t *ext = v->frame + off;
		bool fragment = v->proto == PKT_PROTO_FRAGMENT;
		uint32_t n;

		/* 8 bytes are the least of them all. */
		if (end - off < 8 || (n = ext_bytes(v->proto, ext[1])) > end - off) {
			v->flags |= PKT_TRUNCATED;
			return 0;
		}
		v->proto = ext[0];
		off += n;
		if (fragment && load_be16(ext + 2) & 0xfff9) {
			v->flags |= PKT_FRAGMENT;
			if (load_be16(ext + 2) & 0xfff8) {
				v->flags |= PKT_FRAG_LATER;
				return 0;
			}
		}
	}
	if (is_ext(v->proto)) {
		v->flags |= PKT_EXT_UNKNOWN;
		return 0;
	}
	return off;
}

static inline void
parse_ip6(struct pkt_view *v, uint32_t off)
{
	const uint8_t *ip = v->frame + off;
	uint32_t len, l4;

	v->l3_off = (uint16_t)off;
	if (v->caplen - off < PKT_IP6_BYTES) {
		v->flags |= PKT_TRUNCATED;
		return;
	}
	if (ip[0] >> 4 != 6) {
		v->flags |= PKT_MALFORMED;
		return;
	}
	v->family = 6;
	v->proto = ip[6];
	v->hop_limit = ip[7];

	len = load_be16(ip + 4);
	if (len == 0 && v->proto != PKT_PROTO_NONE) {
		/* A jumbogram (RFC 2675) or nonsense: only the frame knows where it ends. */
		v->flags |= PKT_MALFORMED;
		set_l3(v, off, v->wirelen - off);
	} else {
		set_l3(v, off, PKT_IP6_BYTES + len);
	}

	l4 = off + PKT_IP6_BYTES;
	if (is_ext(v->proto)) {
		l4 = walk_exts(v, l4);
		if (l4 == 0)
			return;
	}
	parse_l4(v, l4);
}

static inline bool
is_tag(uint16_t type)
{
	return type == PKT_ETHERTYPE_TAG || type == PKT_ETHERTYPE_TAG_S ||
		type == PKT_ETHERTYPE_TAG_OLD;
}

/* Step over tags: @type is at @off - 2 in Ethernet. False when the frame ends within one. */
static bool
skip_tags(struct pkt_view *v, uint16_t *type, uint32_t *off)
{
	v->flags |= PKT_VLAN;
	for (unsigned int i = 0; i < PKT_TAGS_MAX && is_tag(*type); i++) {
		if (v->caplen - *off < PKT_TAG_BYTES) {
			v->flags |= PKT_TRUNCATED;
			return false;
		}
		*type = load_be16(v->frame + *off + 2);
		*off += PKT_TAG_BYTES;
	}
	return true;
}

/* What follows the link layer: @off is where it starts, at most caplen. */
static inline void
parse_type(struct pkt_view *v, uint16_t type, uint32_t off)
{
	if (is_tag(type) && !skip_tags(v, &type, &off))
		return;
	if (type == PKT_ETHERTYPE_IP4) {
		v->ethertype = type;
		parse_ip4(v, off);
	} else if (type == PKT_ETHERTYPE_IP6) {
		v->ethertype = type;
		parse_ip6(v, off);
	} else {
		v->l3_off = (uint16_t)off;
		if (type < PKT_ETHERTYPE_MIN)
			v->flags |= PKT_LLC;
		else
			v->ethertype = type;
	}
}

static inline void
view_init(struct pkt_view *v, const uint8_t *frame, uint32_t caplen, uint32_t wirelen)
{
	*v = (struct pkt_view){
		.frame = frame,
		.caplen = caplen,
		.wirelen = MAX(wirelen, caplen),
	};
}

void
pkt_parse_ether_any(
	const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view)
{
	view_init(ret_view, frame, caplen, wirelen);
	if (caplen < PKT_ETHER_BYTES)
		ret_view->flags = PKT_TRUNCATED;
	else
		parse_type(ret_view, load_be16(frame + 12), PKT_ETHER_BYTES);
	ret_view->key = pkt_key(ret_view);
}

/* A datagram at @off, at most caplen, that says itself which IP it is. */
static void
parse_version(struct pkt_view *v, uint32_t off)
{
	if (v->caplen == off) {
		v->flags |= PKT_TRUNCATED;
		return;
	}
	if (v->frame[off] >> 4 == 4)
		parse_type(v, PKT_ETHERTYPE_IP4, off);
	else if (v->frame[off] >> 4 == 6)
		parse_type(v, PKT_ETHERTYPE_IP6, off);
}

void
pkt_parse_ip(const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view)
{
	view_init(ret_view, frame, caplen, wirelen);
	parse_version(ret_view, 0);
	ret_view->key = pkt_key(ret_view);
}

/*
 * Linux cooked headers carry an ethertype unless the device is one of those
 * whose "protocol" is something else (pcap-linktype: LINUX_SLL).
 */
static bool
sll_has_ethertype(uint16_t arphrd)
{
	enum { FRAD = 770, RADIOTAP = 803, NETLINK = 824 };

	return arphrd != FRAD && arphrd != RADIOTAP && arphrd != NETLINK;
}

/* Cooked header of @n bytes; @type_off and @arphrd_off are where its fields are. */
static void
parse_sll(struct pkt_view *v, uint32_t n, uint32_t type_off, uint32_t arphrd_off)
{
	if (v->caplen < n) {
		v->flags |= PKT_TRUNCATED;
		return;
	}
	if (sll_has_ethertype(load_be16(v->frame + arphrd_off)))
		parse_type(v, load_be16(v->frame + type_off), n);
}

/*
 * BSD loopback: an address family in four bytes. NULL has it in the byte order
 * of the machine that wrote the file, which its size tells: it is a small number.
 */
static void
parse_af(struct pkt_view *v, bool any_order)
{
	uint32_t af;

	if (v->caplen < 4) {
		v->flags |= PKT_TRUNCATED;
		return;
	}
	af = load_be32(v->frame);
	if (any_order && (af & 0xffff0000) != 0)
		af = __builtin_bswap32(af);
	/* AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin. */
	if (af == 2)
		parse_type(v, PKT_ETHERTYPE_IP4, 4);
	else if (af == 10 || af == 24 || af == 28 || af == 30)
		parse_type(v, PKT_ETHERTYPE_IP6, 4);
}

bool
pkt_link_known(int dlt)
{
	switch (dlt) {
	case LINK_NULL:
	case LINK_EN10MB:
	case LINK_RAW_LINUX:
	case LINK_RAW_OPENBSD:
	case LINK_RAW:
	case LINK_LOOP:
	case LINK_SLL:
	case LINK_IPV4:
	case LINK_IPV6:
	case LINK_SLL2: return true;
	}
	return false;
}

void
pkt_parse_link(
	int dlt, const uint8_t *frame, uint32_t caplen, uint32_t wirelen, struct pkt_view *ret_view)
{
	struct pkt_view *v = ret_view;

	if (dlt == LINK_EN10MB) {
		pkt_parse_ether(frame, caplen, wirelen, v);
		return;
	}
	view_init(v, frame, caplen, wirelen);
	switch (dlt) {
	case LINK_NULL: parse_af(v, true); break;
	case LINK_LOOP: parse_af(v, false); break;
	case LINK_RAW_LINUX:
	case LINK_RAW_OPENBSD:
	case LINK_RAW: parse_version(v, 0); break;
	case LINK_IPV4: parse_type(v, PKT_ETHERTYPE_IP4, 0); break;
	case LINK_IPV6: parse_type(v, PKT_ETHERTYPE_IP6, 0); break;
	case LINK_SLL: parse_sll(v, 16, 14, 2); break;
	case LINK_SLL2: parse_sll(v, 20, 0, 8); break;
	}
	v->key = pkt_key(v);
}
