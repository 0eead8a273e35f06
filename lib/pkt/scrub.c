// SPDX-License-Identifier: BSD-3-Clause
#include "pkt/scrub.h"

#include <stdbool.h>
#include <string.h>

#include "base/util.h"
#include "linktype.h"
#include "pkt/build.h"
#include "pkt/dns.h"
#include "pkt/proto.h"
#include "pkt/view.h"

static inline uint64_t
rotl(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) of @n bytes. */
static uint64_t
siphash(const struct pkt_scrub_key *key, const uint8_t *bytes, uint32_t n)
{
	uint64_t v[4] = {key->k[0] ^ UINT64_C(0x736f6d6570736575),
		key->k[1] ^ UINT64_C(0x646f72616e646f6d), key->k[0] ^ UINT64_C(0x6c7967656e657261),
		key->k[1] ^ UINT64_C(0x7465646279746573)};

	for (uint32_t i = 0; i <= n / 8; i++) {
		uint64_t m = 0;

		memcpy(&m, bytes + i * 8, MIN(n - i * 8, 8));
		if (i == n / 8)
			m |= (uint64_t)(n & 255) << 56;
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 255;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
pkt_scrub_key_text(const char *text, uint32_t n, struct pkt_scrub_key *ret_key)
{
	struct pkt_scrub_key key = {{0, 0}};

	key.k[0] = siphash(&key, (const uint8_t *)text, n);
	key.k[1] = siphash(&key, (const uint8_t *)text, n);
	*ret_key = key;
}

/*
 * The first @bits of an address: each is flipped, or not, by what the key makes
 * of the bits before it, so that common prefixes stay common.
 */
static void
scrub_address(const struct pkt_scrub_key *key, uint8_t family, uint8_t *addr, uint32_t bits)
{
	uint8_t in[18] = {family}, out[16] = {0};

	for (uint32_t i = 0; i < bits; i++) {
		const uint8_t bit = (uint8_t)(0x80 >> i % 8);

		in[1] = (uint8_t)i;
		if (siphash(key, in, sizeof(in)) & 1)
			out[i / 8] |= bit;
		in[2 + i / 8] |= addr[i / 8] & bit;
	}
	for (uint32_t i = 0; i < (bits + 7) / 8; i++)
		addr[i] ^= out[i];
}

/* Each character moves within its kind by what the key makes of those before it. */
static void
scrub_label(const struct pkt_scrub_key *key, uint8_t *label, uint32_t n)
{
	uint8_t before[1 + 63] = {'n'};

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t c = label[i], lower = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
		const uint64_t by = siphash(key, before, 1 + i);

		if (lower >= 'a' && lower <= 'z')
			label[i] = (uint8_t)((c & 0xe0) | ((lower - 'a' + by % 26) % 26 + 1));
		else if (c >= '0' && c <= '9')
			label[i] = (uint8_t)('0' + (c - '0' + by % 10) % 10);
		if (i < 62)
			before[1 + i] = lower;
	}
}

/* A message whose labels are scrubbed once, however many pointers go to them. */
struct message {
	const struct pkt_scrub_key *key;
	uint8_t *bytes;
	uint32_t len;
	uint8_t done[8192]; /* a bit for each byte that a label starts at */
};

static void
label_once(struct message *m, uint8_t *label, uint32_t n)
{
	const uint32_t at = (uint32_t)(label - m->bytes);

	if (m->done[at / 8] & 1 << at % 8)
		return;
	m->done[at / 8] |= (uint8_t)(1 << at % 8);
	scrub_label(m->key, label, n);
}

/* Returns the place behind the name, 0 when it breaks; what is there of a cut label counts. */
static uint32_t
scrub_name(struct message *m, uint32_t off)
{
	struct pkt_dns_name name;
	struct pkt_dns_label label;
	int r;

	pkt_dns_name_open(m->bytes, m->len, off, &name);
	while ((r = pkt_dns_name_next(&name, &label, NULL)) > 0)
		if (label.bytes != NULL)
			label_once(m, m->bytes + (label.bytes - m->bytes), label.n);
	if (r == 0)
		return name.end;
	if (name.at + 1 < m->len && m->bytes[name.at] <= 63 &&
		m->len - name.at - 1 < m->bytes[name.at])
		label_once(m, m->bytes + name.at + 1, m->len - name.at - 1);
	return 0;
}

/* The address of a client subnet (RFC 7871): as many bits as it says. */
static void
scrub_options(struct message *m, const struct pkt_dns_record *rec)
{
	enum { SUBNET = 8, SUBNET_OLD = 0x50fa };
	struct pkt_dns_option o;
	uint32_t at = 0;

	while (pkt_dns_option_next(m->bytes + rec->rdata, rec->rdlen, &at, &o, NULL) > 0) {
		uint8_t *data = m->bytes + (o.data - m->bytes);

		if ((o.code != SUBNET && o.code != SUBNET_OLD) || o.n < 4 || o.n > 20)
			continue;
		scrub_address(m->key, load_be16(data) == 1 ? 4 : 6, data + 4,
			MIN(data[2], (o.n - 4u) * 8));
	}
}

static void
scrub_rdata(struct message *m, const struct pkt_dns_record *rec)
{
	/* Where in the data of a type names start, and how many there are. */
	static const struct {
		uint16_t type;
		uint8_t at, n;
	} names[] = {
		{PKT_DNS_NS, 0, 1},
		{PKT_DNS_CNAME, 0, 1},
		{PKT_DNS_SOA, 0, 2},
		{PKT_DNS_PTR, 0, 1},
		{PKT_DNS_MX, 2, 1},
		{17, 0, 2} /* RP */,
		{18, 2, 1} /* AFSDB */,
		{PKT_DNS_SRV, 6, 1},
		{PKT_DNS_DNAME, 0, 1},
		{46, 18, 1} /* RRSIG */,
		{47, 0, 1} /* NSEC */,
		{64, 2, 1} /* SVCB */,
		{65, 2, 1} /* HTTPS */,
	};

	if (rec->type == PKT_DNS_A && rec->rdlen == 4)
		scrub_address(m->key, 4, m->bytes + rec->rdata, 32);
	if (rec->type == PKT_DNS_AAAA && rec->rdlen == 16)
		scrub_address(m->key, 6, m->bytes + rec->rdata, 128);
	if (rec->type == PKT_DNS_OPT)
		scrub_options(m, rec);
	for (size_t i = 0; i < DIM(names); i++) {
		uint32_t at = rec->rdata + names[i].at;

		if (names[i].type != rec->type || names[i].at >= rec->rdlen)
			continue;
		for (uint8_t k = 0; k < names[i].n && at != 0; k++)
			at = scrub_name(m, at);
	}
}

static bool
is_message(const uint8_t *bytes, uint32_t n)
{
	struct pkt_dns_record rec;
	struct pkt_dns dns;
	int r = pkt_dns_open(bytes, n, &dns, NULL);

	if (r < 0 || dns.counts[PKT_DNS_QUESTION] == 0)
		return false;
	while ((r = pkt_dns_next(&dns, &rec, NULL)) > 0) {
	}
	return r == 0;
}

static void
scrub_message(const struct pkt_scrub_key *key, uint8_t *bytes, uint32_t n)
{
	struct message m = {.key = key, .bytes = bytes, .len = MIN(n, UINT16_MAX)};
	struct pkt_dns_record rec;
	struct pkt_dns dns;
	int r = pkt_dns_open(bytes, m.len, &dns, NULL);

	if (r < 0)
		return;
	while ((r = pkt_dns_next(&dns, &rec, NULL)) > 0) {
		(void)scrub_name(&m, rec.name);
		if (rec.section != PKT_DNS_QUESTION)
			scrub_rdata(&m, &rec);
	}
	if (r < 0)
		(void)scrub_name(&m, dns.off);
}

static bool
is_dns_port(uint16_t port)
{
	return port == 53 || port == 5353 || port == 5355;
}

static void
scrub_dns(const struct pkt_scrub_key *key, const struct pkt_view *v, uint8_t *l4, uint32_t n)
{
	const bool known = is_dns_port(v->sport) || is_dns_port(v->dport);

	if (v->proto == PKT_PROTO_UDP && n > 8 && (known || is_message(l4 + 8, n - 8)))
		scrub_message(key, l4 + 8, n - 8);
	if (v->proto == PKT_PROTO_TCP && known && n >= 20) {
		uint32_t at = (l4[12] >> 4) * 4u;

		while (at >= 20 && at + 2 < n) {
			const uint32_t len = load_be16(l4 + at);

			scrub_message(key, l4 + at + 2, MIN(len, n - at - 2));
			at += 2 + len;
		}
	}
}

static uint32_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* What was summed as @before is now @after; a right checksum stays right (RFC 1624). */
static void
fix_checksum(uint8_t *checksum, uint32_t before, uint32_t after)
{
	const uint32_t old = ~(uint32_t)load_be16(checksum) & 0xffff;

	store_be16(checksum, (uint16_t)~fold(old + fold(after) + (0xffff - fold(before))));
}

/* Both addresses of an IP header that is there. */
static void
scrub_ip(const struct pkt_scrub_key *key, uint8_t *ip)
{
	const uint8_t family = ip[0] >> 4;
	const uint32_t size = family == 4 ? 4 : 16, at = family == 4 ? 12 : 8;
	const uint32_t before = pkt_sum(ip + at, (size_t)2 * size, 0);

	scrub_address(key, family, ip + at, size * 8);
	scrub_address(key, family, ip + at + size, size * 8);
	if (family == 4)
		fix_checksum(ip + 10, before, pkt_sum(ip + at, (size_t)2 * size, 0));
}

/* Neighbour discovery (RFC 4861): addresses from byte 8 on, then options. */
static void
scrub_nd(const struct pkt_scrub_key *key, uint8_t *icmp, uint32_t n)
{
	static const uint8_t addresses[] = {0, 0, 1, 1, 2}, options[] = {8, 16, 24, 24, 40};
	const uint8_t kind = icmp[0] - 133;
	uint32_t at = options[kind];

	for (uint32_t i = 0; i < addresses[kind] && 24 + i * 16 <= n; i++)
		scrub_address(key, 6, icmp + 8 + i * 16, 128);
	while (at + 8 <= n && icmp[at + 1] > 0) {
		const uint32_t len = MIN(icmp[at + 1] * 8u, n - at);

		if (icmp[at] == 1 || icmp[at] == 2)
			memset(icmp + at + 2, 0, len - 2);
		if (icmp[at] == 3 && len == 32)
			scrub_address(key, 6, icmp + at + 16, 128);
		at += len;
	}
}

static void
scrub_icmp(const struct pkt_scrub_key *key, const struct pkt_view *v, uint8_t *icmp, uint32_t n)
{
	const bool error4 = v->proto == PKT_PROTO_ICMP &&
		(icmp[0] == 3 || icmp[0] == 4 || icmp[0] == 5 || icmp[0] == 11 || icmp[0] == 12);
	const bool error6 = v->proto == PKT_PROTO_ICMP6 && icmp[0] >= 1 && icmp[0] <= 4;
	const uint32_t header = error4 ? PKT_IP4_BYTES : PKT_IP6_BYTES;

	if (error4 && icmp[0] == 5)
		scrub_address(key, 4, icmp + 4, 32);
	if ((error4 || error6) && n >= 8 + header && icmp[8] >> 4 == (error4 ? 4 : 6))
		scrub_ip(key, icmp + 8);
	if (v->proto == PKT_PROTO_ICMP6 && icmp[0] >= 133 && icmp[0] <= 137)
		scrub_nd(key, icmp, n);
}

/* Where the checksum over addresses and segment is, or 0: there is none, or it is not there. */
static uint32_t
checksum_at(const struct pkt_view *v, const uint8_t *l4, uint32_t n)
{
	uint32_t at = 0;

	if (v->proto == PKT_PROTO_TCP)
		at = 16;
	else if (v->proto == PKT_PROTO_UDP || v->proto == PKT_PROTO_UDPLITE)
		at = 6;
	else if (v->proto == PKT_PROTO_ICMP || v->proto == PKT_PROTO_ICMP6)
		at = 2;
	else if (v->proto == PKT_PROTO_DCCP)
		at = 6;
	if (at == 0 || at + 2 > n || (v->proto == PKT_PROTO_UDP && load_be16(l4 + at) == 0))
		return 0;
	return at;
}

static void
scrub_datagram(const struct pkt_scrub_key *key, const struct pkt_view *v, uint8_t *ip)
{
	uint8_t *l4 = v->l4_off != 0 ? ip + (v->l4_off - v->l3_off) : NULL;
	const uint32_t n = l4 != NULL ? v->l3_caplen - (uint32_t)(l4 - ip) : 0;
	const uint32_t at = n > 0 ? checksum_at(v, l4, n) : 0;
	const uint32_t addr = v->family == 4 ? 12 : 8, addrs = v->family == 4 ? 8 : 32;
	const bool pseudo = v->proto != PKT_PROTO_ICMP;
	uint32_t before = 0;

	if (at != 0)
		before = pkt_sum(l4, n, pseudo ? pkt_sum(ip + addr, addrs, 0) : 0);
	scrub_ip(key, ip);
	if (v->flags & PKT_PORTS)
		scrub_dns(key, v, l4, n);
	if ((v->proto == PKT_PROTO_ICMP || v->proto == PKT_PROTO_ICMP6) && n >= 8)
		scrub_icmp(key, v, l4, n);
	if (at == 0)
		return;
	fix_checksum(l4 + at, before, pkt_sum(l4, n, pseudo ? pkt_sum(ip + addr, addrs, 0) : 0));
	/* 0 would say that there is none. */
	if (v->proto == PKT_PROTO_UDP && load_be16(l4 + at) == 0)
		store_be16(l4 + at, 0xffff);
}

/* ARP (RFC 826): hardware and protocol address of each side. */
static void
scrub_arp(const struct pkt_scrub_key *key, uint8_t *arp, uint32_t n)
{
	const uint32_t hlen = n >= 8 ? arp[4] : 0, plen = n >= 8 ? arp[5] : 0;

	for (uint32_t side = 0, at = 8; n >= 8 && side < 2; side++, at += hlen + plen) {
		if (at < n)
			memset(arp + at, 0, MIN(hlen, n - at));
		if (plen == 4 && at + hlen + plen <= n)
			scrub_address(key, 4, arp + at + hlen, 32);
	}
}

static void
scrub_link(int dlt, uint8_t *frame, uint32_t caplen)
{
	const uint32_t from = dlt == LINK_SLL ? 6 : dlt == LINK_SLL2 ? 12 : 0;
	const uint32_t n = dlt == LINK_EN10MB ? 12 : dlt == LINK_SLL || dlt == LINK_SLL2 ? 8 : 0;

	if (from < caplen)
		memset(frame + from, 0, MIN(n, caplen - from));
}

void
pkt_scrub(
	const struct pkt_scrub_key *key, int dlt, uint8_t *frame, uint32_t caplen, uint32_t wirelen)
{
	struct pkt_view v;

	scrub_link(dlt, frame, caplen);
	if (!pkt_link_known(dlt))
		return;
	pkt_parse_link(dlt, frame, caplen, wirelen, &v);
	if (v.family != 0)
		scrub_datagram(key, &v, frame + v.l3_off);
	else if (v.ethertype == PKT_ETHERTYPE_ARP)
		scrub_arp(key, frame + v.l3_off, caplen - v.l3_off);
}
