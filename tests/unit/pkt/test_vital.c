// SPDX-License-Identifier: BSD-3-Clause
/* Which frames keep the link and the routing alive, and which only look so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "pkt/build.h"
#include "pkt/vital.h"

static const uint8_t me[6] = {2, 0, 0, 0, 0, 1}, all[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
static const uint8_t slow[6] = {1, 0x80, 0xc2, 0, 0, 2}, bridge[6] = {1, 0x80, 0xc2, 0, 0, 0xe};

enum l3 { NO_IP, V4, V6 };

static const struct vital_case {
	const char *what;
	const uint8_t *dst_mac;
	uint16_t ethertype; /* of frames that are not IP */
	size_t n; /* bytes behind it */
	enum l3 l3;
	uint8_t proto, ttl;
	uint8_t src, dst; /* last byte of the address; 1 is the peer */
	uint16_t dport; /* or type << 8 | code of ICMPv6 */
	bool fragment;
	enum pkt_vital want, want_gtsm;
} cases[] = {
	{.what = "ARP request", all, 0x806, 28, .want = PKT_VITAL_ARP},
	{.what = "ARP reply", me, 0x806, 46, .want = PKT_VITAL_ARP},
	{.what = "ARP to a group", group, 0x806, 28},
	{.what = "ARP cut", all, 0x806, 27},
	{.what = "LACP", slow, 0x8809, 46, .want = PKT_VITAL_LINK},
	{.what = "LACP to a station", me, 0x8809, 46},
	{.what = "LLDP", bridge, 0x88cc, 46, .want = PKT_VITAL_LINK},
	{.what = "LLDP to the slow group", slow, 0x88cc, 46},
	{.what = "LLC to the bridge group", bridge, 38, 46},
	{"ND", me, 0, 0, V6, 58, 255, 9, 8, 135 << 8, false, PKT_VITAL_ND, PKT_VITAL_ND},
	{"RA", group, 0, 0, V6, 58, 255, 9, 8, 134 << 8, false, PKT_VITAL_ND, PKT_VITAL_ND},
	{"ND from afar", me, 0, 0, V6, 58, 254, 9, 8, 135 << 8, false, 0, 0},
	{"ND with a code", me, 0, 0, V6, 58, 255, 9, 8, 135 << 8 | 1, false, 0, 0},
	{"ND in a fragment", me, 0, 0, V6, 58, 255, 9, 8, 135 << 8, true, 0, 0},
	{"echo", me, 0, 0, V6, 58, 255, 9, 8, 128 << 8, false, 0, 0},
	{"ICMPv6 in IPv4", me, 0, 0, V4, 58, 255, 9, 8, 135 << 8, false, 0, 0},
	{"BFD next door", me, 0, 0, V4, 17, 255, 9, 8, 3784, false, PKT_VITAL_BFD, PKT_VITAL_BFD},
	{"BFD echo", me, 0, 0, V6, 17, 255, 9, 8, 3785, false, PKT_VITAL_BFD, PKT_VITAL_BFD},
	{"BFD from a peer", me, 0, 0, V4, 17, 60, 1, 8, 4784, false, PKT_VITAL_BFD, PKT_VITAL_BFD},
	{"BFD from afar", me, 0, 0, V4, 17, 60, 9, 8, 3784, false, 0, 0},
	{"BFD's port on TCP", me, 0, 0, V4, 6, 255, 1, 8, 3784, false, 0, 0},
	{"BGP from a peer", me, 0, 0, V4, 6, 64, 1, 8, 179, false, PKT_VITAL_BGP, 0},
	{"BGP to a peer", me, 0, 0, V4, 6, 64, 8, 1, 179, false, PKT_VITAL_BGP, 0},
	{"BGP next door", me, 0, 0, V6, 6, 255, 1, 8, 179, false, PKT_VITAL_BGP, PKT_VITAL_BGP},
	{"BGP from anybody", me, 0, 0, V4, 6, 255, 9, 8, 179, false, 0, 0},
	{"BGP's port on UDP", me, 0, 0, V4, 17, 255, 1, 8, 179, false, 0, 0},
	{"HTTP from a peer", me, 0, 0, V4, 6, 255, 1, 8, 80, false, 0, 0},
};

static size_t
make(const struct vital_case *c, bool tagged, uint8_t *buf, size_t cap)
{
	static const uint8_t zero[64];
	struct pkt_build b;

	pkt_build_init(&b, buf, cap);
	pkt_build_ether(&b, c->dst_mac, me);
	if (tagged)
		pkt_build_vlan(&b, 0x8100, 5);
	if (c->l3 == NO_IP) {
		pkt_build_ethertype(&b, c->ethertype);
		pkt_build_bytes(&b, zero, c->n);
	} else if (c->l3 == V4) {
		pkt_build_ip4(&b,
			&(struct pkt_ip4){.src = 0xc0000200u | c->src,
				.dst = 0xc0000200u | c->dst,
				.ttl = c->ttl,
				.proto = c->proto});
	} else {
		struct pkt_ip6 ip = {.hop_limit = c->ttl};

		ip.src[15] = c->src;
		ip.dst[15] = c->dst;
		pkt_build_ip6(&b, &ip);
		if (c->fragment)
			pkt_build_ip6_frag(&b, 0, true, 1);
	}
	if (c->proto == 6)
		pkt_build_tcp(&b, &(struct pkt_tcp){.sport = 1024, .dport = c->dport});
	else if (c->proto == 17)
		pkt_build_udp(&b, 1024, c->dport);
	else if (c->proto == 58)
		pkt_build_icmp(&b, (uint8_t)(c->dport >> 8), (uint8_t)c->dport, 0);
	return pkt_build_done(&b);
}

static void
classes(void **state)
{
	const struct ip_addr peers[] = {
		{4, {192, 0, 2, 1}},
		{6, {[15] = 1}},
	};
	struct pkt_vital_conf conf = {.peers = peers, .n_peers = DIM(peers)};

	(void)state;
	for (size_t i = 0; i < 2 * DIM(cases); i++) {
		const struct vital_case *c = &cases[i / 2];
		uint8_t buf[256];
		struct pkt_view v;
		size_t len = make(c, i & 1, buf, sizeof(buf));

		print_message("%s%s\n", c->what, i & 1 ? ", tagged" : "");
		assert_true(len > 0);
		pkt_parse_ether(buf, (uint32_t)len, (uint32_t)len, &v);
		conf.gtsm = false;
		assert_string_equal(
			pkt_vital_name(pkt_vital_class(&v, &conf)), pkt_vital_name(c->want));
		conf.gtsm = true;
		if (c->l3 != NO_IP)
			assert_int_equal(pkt_vital_class(&v, &conf), c->want_gtsm);
	}
}

/* A cut frame may lose its class but never gains one. */
static void
cut(void **state)
{
	const struct ip_addr peers[] = {{4, {192, 0, 2, 1}}};
	const struct pkt_vital_conf conf = {.peers = peers, .n_peers = 1};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		uint8_t buf[256];
		size_t len = make(&cases[i], false, buf, sizeof(buf));
		enum pkt_vital whole;
		struct pkt_view v;

		pkt_parse_ether(buf, (uint32_t)len, (uint32_t)len, &v);
		whole = pkt_vital_class(&v, &conf);
		for (uint32_t n = 0; n < len; n++) {
			enum pkt_vital c;

			pkt_parse_ether(buf, n, (uint32_t)len, &v);
			c = pkt_vital_class(&v, &conf);
			assert_true(c == whole || c == PKT_VITAL_NONE);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(cut),
	};

	return cmocka_run_group_tests_name("pkt vital", tests, NULL, NULL);
}
