// SPDX-License-Identifier: BSD-3-Clause
#include "traffic.h"

#include <stdio.h>
#include <string.h>

#include "pkt/build.h"

const char *
traffic_kind_name(enum traffic_kind kind)
{
	switch (kind) {
	case TRAFFIC_DNS_FLOOD: return "dns-flood";
	case TRAFFIC_DNS_MIXED: return "dns-mixed";
	case TRAFFIC_TCP_SYN: return "tcp-syn";
	case TRAFFIC_SYN_FLOOD: return "syn-flood";
	case TRAFFIC_MIXED: return "mixed";
	case TRAFFIC_KINDS: break;
	}
	return NULL;
}

void
traffic_defaults(struct traffic_conf *conf)
{
	*conf = (struct traffic_conf){
		.dst = {4, {192, 0, 2, 53}},
		.dport = 53,
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_mac = {2, 0, 0, 0, 0, 1},
		.name = "*.www.example.uk",
	};
}

static void
random_bytes(struct rng *rng, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(rng);
}

/* Globally routable by their first byte, so that no host takes them for Martians. */
static uint32_t
source4(const struct traffic_conf *conf, struct rng *rng)
{
	if (!conf->random_sources)
		return 0xc6120000 | (1 + rng_below(rng, 254));
	return (11 + rng_below(rng, 116)) << 24 | (uint32_t)(rng_next(rng) & 0xffffff);
}

static void
source6(const struct traffic_conf *conf, struct rng *rng, uint8_t src[16])
{
	memset(src, 0, 16);
	src[0] = 0x20;
	src[1] = 0x01;
	src[3] = 0x02;
	src[15] = (uint8_t)(1 + rng_below(rng, 254));
	if (conf->random_sources) {
		src[0] = 0x2a;
		random_bytes(rng, src + 1, 15);
	}
}

/* The IP header towards conf->dst, or towards some host of family @family when that differs. */
static void
ip(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng, uint8_t family,
	uint16_t frag, uint8_t proto)
{
	/* What is left of the usual initial values after a way through the Internet. */
	static const uint8_t ttls[] = {64, 128, 255};
	uint8_t ttl = (uint8_t)(ttls[rng_below(rng, DIM(ttls))] - 5 - rng_below(rng, 20));

	if (family == 4) {
		struct pkt_ip4 ip4 = {.ttl = ttl, .frag = frag, .proto = proto};

		ip4.id = (uint16_t)rng_next(rng);
		ip4.src = source4(conf, rng);
		ip4.dst = conf->dst.family == 4 ? load_be32(conf->dst.bytes) : 0xc0000235;
		pkt_build_ip4(b, &ip4);
	} else {
		struct pkt_ip6 ip6 = {.hop_limit = ttl};

		source6(conf, rng, ip6.src);
		if (conf->dst.family == 6)
			memcpy(ip6.dst, conf->dst.bytes, 16);
		else
			memcpy(ip6.dst, (uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 0x53}, 16);
		pkt_build_ip6(b, &ip6);
	}
}

static uint16_t
high_port(struct rng *rng)
{
	return (uint16_t)(1024 + rng_below(rng, 64512));
}

static void
query(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng, const char *name)
{
	static const uint16_t types[] = {1, 1, 1, 28, 28, 65, 15, 16};
	uint16_t type = types[rng_below(rng, DIM(types))];

	pkt_build_udp(b, high_port(rng), conf->dport);
	pkt_build_dns_query(b, (uint16_t)rng_next(rng), name, type, conf->edns_do);
}

/* @pattern with each label "*" replaced by 6 to 16 letters and digits. */
static void
draw_name(struct rng *rng, const char *pattern, char name[256])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t len = 0;

	while (*pattern != '\0' && len < 230) {
		size_t n = strcspn(pattern, ".");

		if (n == 1 && pattern[0] == '*') {
			for (uint32_t k = 6 + rng_below(rng, 11); k > 0; k--)
				name[len++] = letters[rng_below(rng, sizeof(letters) - 1)];
		} else {
			size_t room = MIN(n, 255 - len);

			memcpy(name + len, pattern, room);
			len += room;
		}
		pattern += n;
		if (*pattern == '.' && len < 255) {
			name[len++] = '.';
			pattern++;
		}
	}
	name[len] = '\0';
}

static void
flood_query(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng)
{
	char name[256];

	draw_name(rng, conf->name, name);
	ip(b, conf, rng, conf->dst.family, 0, 0);
	query(b, conf, rng, name);
}

static void
client_query(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng)
{
	static const char *const names[] = {"www.example.uk", "example.uk", "mail.example.uk",
		"ns1.example.uk", "_dmarc.example.uk", "cdn.static.example.uk", "api.example.uk",
		"www.example.com", "a.www.example.org", "autodiscover.example.uk", ""};

	ip(b, conf, rng, conf->dst.family, 0, 0);
	query(b, conf, rng, names[rng_below(rng, DIM(names))]);
}

/* Options, window and TTL of SYNs as Linux, Windows, macOS and two scanners send them. */
static void
syn(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng, uint8_t family)
{
	static const struct {
		uint8_t n;
		uint16_t window;
		uint8_t options[24];
	} systems[] = {
		{20, 64240, {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}},
		{12, 64240, {2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}},
		{24, 65535, {2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 9, 8, 7, 6, 0, 0, 0, 0, 4, 2}},
		{4, 1024, {2, 4, 5, 0xb4}},
		{0, 65535, {0}},
	};
	uint32_t k = rng_below(rng, DIM(systems));
	struct pkt_tcp tcp = {.flags = 2, .window = systems[k].window};

	tcp.sport = high_port(rng);
	tcp.dport = conf->dport;
	tcp.seq = (uint32_t)rng_next(rng);
	tcp.options = systems[k].options;
	tcp.n_options = systems[k].n;
	ip(b, conf, rng, family, 0, 0);
	pkt_build_tcp(b, &tcp);
}

/* p0f's 4:64:0:*:mss*20,7:mss,sok,ts,nop,ws:df,id+:0; conf->dst is IPv4, or it is not sent there. */
static void
flood_syn(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng)
{
	uint8_t options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, [16] = 1, 3, 3, 7};
	struct pkt_ip4 ip4 = {.frag = 0x4000, .ttl = (uint8_t)(40 + rng_below(rng, 25))};
	struct pkt_tcp tcp = {.flags = 2, .window = 1460 * 20, .options = options, .n_options = 20};

	store_be32(options + 8, 1 + rng_below(rng, UINT32_MAX));
	ip4.id = (uint16_t)(1 + rng_below(rng, 65535));
	ip4.src = source4(conf, rng);
	ip4.dst = conf->dst.family == 4 ? load_be32(conf->dst.bytes) : 0xc0000235;
	pkt_build_ip4(b, &ip4);
	tcp.sport = high_port(rng);
	tcp.dport = conf->dport;
	tcp.seq = 1 + rng_below(rng, UINT32_MAX);
	pkt_build_tcp(b, &tcp);
}

static void
payload(struct pkt_build *b, struct rng *rng, uint32_t max)
{
	uint8_t bytes[1400];
	uint32_t n = rng_below(rng, max + 1);

	random_bytes(rng, bytes, n);
	pkt_build_bytes(b, bytes, n);
}

static void
tcp_data(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng, uint8_t family)
{
	static const uint16_t ports[] = {443, 443, 443, 80, 22, 25};
	static const uint8_t stamps[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
	struct pkt_tcp tcp = {.flags = 0x10, .window = 501, .options = stamps, .n_options = 12};

	tcp.sport = high_port(rng);
	tcp.dport = ports[rng_below(rng, DIM(ports))];
	tcp.seq = (uint32_t)rng_next(rng);
	tcp.ack = (uint32_t)rng_next(rng);
	ip(b, conf, rng, family, 0, 0);
	pkt_build_tcp(b, &tcp);
	payload(b, rng, rng_below(rng, 3) == 0 ? 1300 : 0);
}

static void
udp_other(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng, uint8_t family)
{
	static const uint16_t ports[] = {443, 443, 123, 500, 51820, 3478};

	ip(b, conf, rng, family, 0, 0);
	pkt_build_udp(b, high_port(rng), ports[rng_below(rng, DIM(ports))]);
	payload(b, rng, 1200);
}

static void
fragment(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng)
{
	ip(b, conf, rng, 4, (uint16_t)(185 * (1 + rng_below(rng, 8))), 17);
	payload(b, rng, 1400);
}

static void
arp(struct pkt_build *b, const struct traffic_conf *conf)
{
	uint8_t body[28] = {0, 1, 8, 0, 6, 4, 0, 1};

	memcpy(body + 8, conf->src_mac, 6);
	memcpy(body + 24, conf->dst.bytes, 4);
	pkt_build_ethertype(b, 0x0806);
	pkt_build_bytes(b, body, sizeof(body));
}

static void
mixed(struct pkt_build *b, const struct traffic_conf *conf, struct rng *rng)
{
	uint32_t what = rng_below(rng, 100);
	uint8_t family = rng_below(rng, 4) == 0 ? 6 : 4;

	if (rng_below(rng, 20) == 0)
		pkt_build_vlan(b, 0x8100, (uint16_t)(1 + rng_below(rng, 4094)));
	if (what < 45) {
		tcp_data(b, conf, rng, family);
	} else if (what < 60) {
		syn(b, conf, rng, family);
	} else if (what < 75) {
		client_query(b, conf, rng);
	} else if (what < 92) {
		udp_other(b, conf, rng, family);
	} else if (what < 96) {
		ip(b, conf, rng, family, 0, 0);
		pkt_build_icmp(b, family == 4 ? 8 : 128, 0, (uint32_t)rng_next(rng));
		payload(b, rng, 56);
	} else if (what < 99) {
		fragment(b, conf, rng);
	} else {
		arp(b, conf);
	}
}

size_t
traffic_frame(const struct traffic_conf *conf, struct rng *rng, uint8_t *buf)
{
	struct pkt_build b;

	pkt_build_init(&b, buf, TRAFFIC_FRAME_MAX);
	pkt_build_ether(&b, conf->dst_mac, conf->src_mac);
	switch (conf->kind) {
	case TRAFFIC_DNS_FLOOD: flood_query(&b, conf, rng); break;
	case TRAFFIC_DNS_MIXED: client_query(&b, conf, rng); break;
	case TRAFFIC_SYN_FLOOD: flood_syn(&b, conf, rng); break;
	case TRAFFIC_TCP_SYN: syn(&b, conf, rng, conf->dst.family); break;
	case TRAFFIC_MIXED: mixed(&b, conf, rng); break;
	case TRAFFIC_KINDS: break;
	}
	return pkt_build_done(&b);
}
