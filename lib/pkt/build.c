// SPDX-License-Identifier: BSD-3-Clause
#include "pkt/build.h"

#include <string.h>

#include "base/util.h"
#include "pkt/proto.h"

enum kind { ETHER, VLAN, IP4, IP6, EXT, FRAG, UDP, TCP, ICMP, BYTES };

enum { UDP_BYTES = 8, TCP_BYTES = 20, ICMP_BYTES = 8, FRAG_BYTES = 8 };

/* Append @n zeroed bytes, or fail for good. */
static uint8_t *
grow(struct pkt_build *b, size_t n)
{
	uint8_t *p = b->buf + b->len;

	if (b->failed || n > b->cap - b->len) {
		b->failed = true;
		return NULL;
	}
	memset(p, 0, n);
	b->len += n;
	return p;
}

/* The same as the start of a new layer. */
static uint8_t *
layer(struct pkt_build *b, enum kind kind, size_t n)
{
	size_t off = b->len;
	uint8_t *p;

	if (b->n_layers == PKT_BUILD_LAYERS || off > UINT16_MAX)
		b->failed = true;
	p = grow(b, n);
	if (p == NULL)
		return NULL;
	b->layers[b->n_layers].kind = (uint8_t)kind;
	b->layers[b->n_layers].off = (uint16_t)off;
	b->n_layers++;
	return p;
}

/* What the layer before says of this one: as an ethertype, and as an IP protocol. */
static void
announce(struct pkt_build *b, uint16_t ethertype, int proto)
{
	uint8_t *p;

	if (b->n_layers == 0)
		return;
	p = b->buf + b->layers[b->n_layers - 1].off;
	switch ((enum kind)b->layers[b->n_layers - 1].kind) {
	case ETHER: store_be16(p + 12, ethertype); break;
	case VLAN: store_be16(p + 2, ethertype); break;
	case IP4:
		if (p[9] == 0 && proto >= 0)
			p[9] = (uint8_t)proto;
		break;
	case IP6:
		if (p[6] == 0 && proto >= 0)
			p[6] = (uint8_t)proto;
		break;
	case EXT:
	case FRAG:
		if (proto >= 0)
			p[0] = (uint8_t)proto;
		break;
	case UDP:
	case TCP:
	case ICMP:
	case BYTES: break;
	}
}

void
pkt_build_init(struct pkt_build *b, uint8_t *buf, size_t cap)
{
	memset(b, 0, sizeof(*b));
	b->buf = buf;
	b->cap = cap;
}

void
pkt_build_ether(struct pkt_build *b, const uint8_t dst[6], const uint8_t src[6])
{
	uint8_t *p = layer(b, ETHER, PKT_ETHER_BYTES);

	if (p == NULL)
		return;
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
}

void
pkt_build_vlan(struct pkt_build *b, uint16_t tpid, uint16_t tci)
{
	uint8_t *p;

	announce(b, tpid, -1);
	p = layer(b, VLAN, PKT_TAG_BYTES);
	if (p != NULL)
		store_be16(p, tci);
}

void
pkt_build_ethertype(struct pkt_build *b, uint16_t ethertype)
{
	announce(b, ethertype, -1);
}

void
pkt_build_next(struct pkt_build *b, uint8_t proto)
{
	announce(b, 0, proto);
}

void
pkt_build_ip4(struct pkt_build *b, const struct pkt_ip4 *ip)
{
	size_t n_options = (ip->n_options + 3u) & ~3u;
	uint8_t *p;

	if (n_options > 40)
		b->failed = true;
	announce(b, PKT_ETHERTYPE_IP4, 4);
	p = layer(b, IP4, PKT_IP4_BYTES + n_options);
	if (p == NULL)
		return;
	p[0] = (uint8_t)(0x40 | (PKT_IP4_BYTES + n_options) / 4);
	p[1] = ip->tos;
	store_be16(p + 4, ip->id);
	store_be16(p + 6, ip->frag);
	p[8] = ip->ttl;
	p[9] = ip->proto;
	store_be32(p + 12, ip->src);
	store_be32(p + 16, ip->dst);
	if (ip->n_options > 0)
		memcpy(p + PKT_IP4_BYTES, ip->options, ip->n_options);
}

void
pkt_build_ip6(struct pkt_build *b, const struct pkt_ip6 *ip)
{
	uint8_t *p;

	announce(b, PKT_ETHERTYPE_IP6, 41);
	p = layer(b, IP6, PKT_IP6_BYTES);
	if (p == NULL)
		return;
	store_be32(p, 0x60000000 | (ip->class_flow & 0x0fffffff));
	p[6] = ip->next;
	p[7] = ip->hop_limit;
	memcpy(p + 8, ip->src, 16);
	memcpy(p + 24, ip->dst, 16);
}

void
pkt_build_ip6_ext(struct pkt_build *b, uint8_t next, const uint8_t *body, size_t n)
{
	size_t bytes = (2 + n + 7) & ~(size_t)7;
	uint8_t *p;

	if (n > 2046)
		b->failed = true;
	announce(b, PKT_ETHERTYPE_IP6, next);
	p = layer(b, EXT, bytes);
	if (p == NULL)
		return;
	p[0] = PKT_PROTO_NONE;
	p[1] = (uint8_t)(bytes / 8 - 1);
	if (n > 0)
		memcpy(p + 2, body, n);
}

void
pkt_build_ip6_frag(struct pkt_build *b, uint16_t off, bool more, uint32_t id)
{
	uint8_t *p;

	announce(b, PKT_ETHERTYPE_IP6, PKT_PROTO_FRAGMENT);
	p = layer(b, FRAG, FRAG_BYTES);
	if (p == NULL)
		return;
	p[0] = PKT_PROTO_NONE;
	store_be16(p + 2, (uint16_t)(off << 3 | more));
	store_be32(p + 4, id);
}

void
pkt_build_udp(struct pkt_build *b, uint16_t sport, uint16_t dport)
{
	uint8_t *p;

	announce(b, 0, PKT_PROTO_UDP);
	p = layer(b, UDP, UDP_BYTES);
	if (p == NULL)
		return;
	store_be16(p, sport);
	store_be16(p + 2, dport);
}

void
pkt_build_tcp(struct pkt_build *b, const struct pkt_tcp *tcp)
{
	size_t n_options = (tcp->n_options + 3u) & ~3u;
	uint8_t *p;

	if (n_options > 40)
		b->failed = true;
	announce(b, 0, PKT_PROTO_TCP);
	p = layer(b, TCP, TCP_BYTES + n_options);
	if (p == NULL)
		return;
	store_be16(p, tcp->sport);
	store_be16(p + 2, tcp->dport);
	store_be32(p + 4, tcp->seq);
	store_be32(p + 8, tcp->ack);
	p[12] = (uint8_t)((TCP_BYTES + n_options) / 4 << 4);
	p[13] = tcp->flags;
	store_be16(p + 14, tcp->window);
	if (tcp->n_options > 0)
		memcpy(p + TCP_BYTES, tcp->options, tcp->n_options);
}

/* ICMPv6 when the innermost IP header so far is IPv6. */
static bool
is_icmp6(const struct pkt_build *b)
{
	for (size_t i = b->n_layers; i-- > 0;) {
		if (b->layers[i].kind == IP4)
			return false;
		if (b->layers[i].kind == IP6)
			return true;
	}
	return false;
}

void
pkt_build_icmp(struct pkt_build *b, uint8_t type, uint8_t code, uint32_t rest)
{
	uint8_t *p;

	announce(b, 0, is_icmp6(b) ? PKT_PROTO_ICMP6 : PKT_PROTO_ICMP);
	p = layer(b, ICMP, ICMP_BYTES);
	if (p == NULL)
		return;
	p[0] = type;
	p[1] = code;
	store_be32(p + 4, rest);
}

void
pkt_build_bytes(struct pkt_build *b, const void *bytes, size_t n)
{
	uint8_t *p = layer(b, BYTES, n);

	if (p != NULL && n > 0)
		memcpy(p, bytes, n);
}

/* The name @s as labels; the frame fails when it is none. */
static void
add_name(struct pkt_build *b, const char *s)
{
	size_t start = b->len;

	while (*s != '\0') {
		size_t n = strcspn(s, ".");
		uint8_t *p = NULL;

		if (n >= 1 && n <= 63)
			p = grow(b, 1 + n);
		if (p == NULL) {
			b->failed = true;
			return;
		}
		p[0] = (uint8_t)n;
		memcpy(p + 1, s, n);
		s += n;
		if (*s == '.')
			s++;
	}
	grow(b, 1);
	if (b->len - start > 255)
		b->failed = true;
}

void
pkt_build_dns_query(
	struct pkt_build *b, uint16_t id, const char *name, uint16_t qtype, bool edns_do)
{
	uint8_t *p = layer(b, BYTES, 12);

	if (p == NULL)
		return;
	store_be16(p, id);
	p[2] = 1; /* RD, as a resolver's clients and most attack tools set it */
	store_be16(p + 4, 1);
	store_be16(p + 10, edns_do);
	add_name(b, name);
	p = grow(b, 4);
	if (p == NULL)
		return;
	store_be16(p, qtype);
	store_be16(p + 2, 1);
	if (!edns_do)
		return;
	p = grow(b, 11);
	if (p == NULL)
		return;
	store_be16(p + 1, 41);
	store_be16(p + 3, 1232); /* the size that DNS flag day 2020 agreed on */
	p[7] = 0x80;
}

uint32_t
pkt_sum(const void *bytes, size_t n, uint32_t sum)
{
	const uint8_t *p = bytes;
	uint64_t s = sum;

	for (; n >= 2; n -= 2, p += 2)
		s += load_be16(p);
	if (n > 0)
		s += (uint32_t)p[0] << 8;
	s = (s & 0xffffffff) + (s >> 32);
	return (uint32_t)((s & 0xffffffff) + (s >> 32));
}

uint16_t
pkt_checksum(const void *bytes, size_t n, uint32_t sum)
{
	sum = pkt_sum(bytes, n, sum);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* The sum over the pseudo header (RFC 768, 8200) of what layer @i carries; 0 without IP below. */
static uint32_t
pseudo_sum(const struct pkt_build *b, size_t i, uint8_t proto, size_t n)
{
	uint32_t sum = proto + (uint32_t)n;

	while (i-- > 0) {
		const uint8_t *p = b->buf + b->layers[i].off;

		if (b->layers[i].kind == IP4)
			return pkt_sum(p + 12, 8, sum);
		if (b->layers[i].kind == IP6)
			return pkt_sum(p + 8, 32, sum);
	}
	return 0;
}

static void
finish_ip4(uint8_t *p, size_t n)
{
	store_be16(p + 2, (uint16_t)n);
	store_be16(p + 10, pkt_checksum(p, (p[0] & 15u) * 4, 0));
}

static void
finish_udp(const struct pkt_build *b, size_t i, uint8_t *p, size_t n)
{
	uint16_t sum;

	store_be16(p + 4, (uint16_t)n);
	sum = pkt_checksum(p, n, pseudo_sum(b, i, PKT_PROTO_UDP, n));
	store_be16(p + 6, sum == 0 ? 0xffff : sum); /* 0 means "none" */
}

static void
finish_icmp(const struct pkt_build *b, size_t i, uint8_t *p, size_t n)
{
	bool v6 = false;

	for (size_t j = i; j-- > 0 && !v6;) {
		if (b->layers[j].kind == IP4)
			break;
		v6 = b->layers[j].kind == IP6;
	}
	store_be16(p + 2, pkt_checksum(p, n, v6 ? pseudo_sum(b, i, PKT_PROTO_ICMP6, n) : 0));
}

size_t
pkt_build_done(struct pkt_build *b)
{
	if (b->failed)
		b->len = 0;
	/* From the inside out: an outer checksum covers the inner ones. */
	for (size_t i = b->failed ? 0 : b->n_layers; i-- > 0;) {
		uint8_t *p = b->buf + b->layers[i].off;
		size_t n = b->len - b->layers[i].off;

		switch ((enum kind)b->layers[i].kind) {
		case ETHER:
		case VLAN:
		case EXT:
		case FRAG:
		case BYTES: break;
		case IP4: finish_ip4(p, n); break;
		case IP6: store_be16(p + 4, (uint16_t)(n - PKT_IP6_BYTES)); break;
		case UDP: finish_udp(b, i, p, n); break;
		case TCP:
			store_be16(p + 16, pkt_checksum(p, n, pseudo_sum(b, i, PKT_PROTO_TCP, n)));
			break;
		case ICMP: finish_icmp(b, i, p, n); break;
		}
	}
	return b->len;
}
