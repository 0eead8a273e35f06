// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the rules of the design say of tags, options, extension headers,
 * fragments, truncation and lengths that lie: a row per kind of frame, a column
 * per kind of rule, each engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "match/image.h"
#include "pkt/build.h"
#include "pkt/view.h"
#include "ref.h"
#include "world.h"

/* ---- columns ---- */

static const struct u16_range udp = {17, 17}, port53 = {53, 53};
static const struct ip_prefix victims[] = {
	{{4, {10}}, 8},
	{{6, {0x20, 0x01, 0x0d, 0xb8}}, 32},
};

#define N_RULES 11
static struct match_rule rules[N_RULES];
static const char *const rule_names[N_RULES] = {
	"scope udp dport 53",
	"dns *.www.example.uk",
	"expr udp dst port 53",
	"bytecode: the last byte is 1",
	"expr vlan, link ether",
	"dns, fragments = match",
	"dns, fragments = only",
	"udp, fragments = never",
	"udp",
	"all",
	"udp, dst in set",
};

static void
make_rules(void)
{
	static const char last[] =
		"asm ld #len; sub #1; tax; ldb [x + 0]; jeq #1, y; ret #0; y: ret #1";
	struct cbpf_prog *dns[2] = {world_prog("dns *.www.example.uk", 12, 4),
		world_prog("dns *.www.example.uk", 12, 6)};
	struct cbpf_prog *port = world_prog("udp dst port 53", 12, 4);
	struct cbpf_prog *suffix = world_prog(last, 12, 4);

	for (uint32_t i = 0; i < N_RULES; i++) {
		rules[i] = (struct match_rule){
			.name = rule_names[i],
			.slot = i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.scope_only = true,
		};
		if (i == 0 || i == 1 || i >= 5)
			rules[i].scope.proto = (struct match_ranges){&udp, 1};
		if (i == 0 || i == 1 || i == 5 || i == 6)
			rules[i].scope.dport = (struct match_ranges){&port53, 1};
		if (i == 1 || i == 5 || i == 6) {
			rules[i].scope_only = false;
			rules[i].generated = true;
			rules[i].prog[0] = dns[0];
			rules[i].prog[1] = dns[1];
		}
	}
	rules[2].scope_only = rules[3].scope_only = rules[4].scope_only = false;
	rules[2].prog[0] = rules[2].prog[1] = port;
	rules[3].prog[0] = rules[3].prog[1] = suffix;
	rules[4].link = MATCH_LINK_ETHER;
	rules[4].prog[0] = world_prog("vlan", 1, 4);
	rules[5].scope.fragments = MATCH_FRAG_MATCH;
	rules[6].scope.fragments = MATCH_FRAG_ONLY;
	rules[7].scope.fragments = MATCH_FRAG_NEVER;
	rules[9].scope.proto.n = 0;
	rules[10].scope.dst = (struct match_prefixes){false, victims, DIM(victims)};
}

static void
free_rules(void)
{
	for (size_t i = 1; i < 5; i++) {
		if (rules[i].prog[1] != rules[i].prog[0])
			cbpf_prog_free((struct cbpf_prog *)(uintptr_t)rules[i].prog[1]);
		cbpf_prog_free((struct cbpf_prog *)(uintptr_t)rules[i].prog[0]);
	}
}

/* ---- rows ---- */

enum { DNS = -1 }; /* as payload: the query that the dns rules are for */

static const struct row {
	const char *what;
	const char *want; /* a character a rule: 1 matches, 0 does not */
	int tags;
	int family; /* 0: ARP */
	int options; /* bytes of IPv4 options, or number of extension headers */
	int frag_off; /* in units of 8 bytes; -1: no fragment (header) */
	bool more;
	int payload; /* bytes of 1 behind UDP, or DNS */
	int add_len; /* to the length field of IP */
	int set_len; /* the length field, if not -1 */
	int tail; /* bytes of 255 behind the datagram */
	int caplen; /* bytes captured, if not 0 */
} rows[] = {
	/* clang-format off */
	{"IPv4",			"11110101" "111", 0, 4, 0, -1, false, DNS, 0, -1, 0, 0},
	{"IPv6",			"11110101" "111", 0, 6, 0, -1, false, DNS, 0, -1, 0, 0},
	{"VLAN",			"11111101" "111", 1, 4, 0, -1, false, DNS, 0, -1, 0, 0},
	{"QinQ",			"11111101" "111", 2, 4, 0, -1, false, DNS, 0, -1, 0, 0},
	{"QinQ, IPv6",			"11111101" "111", 2, 6, 0, -1, false, DNS, 0, -1, 0, 0},
	{"four tags",			"11111101" "111", 4, 4, 0, -1, false, DNS, 0, -1, 0, 0},
	{"five tags",			"00001000" "010", 5, 4, 0, -1, false, DNS, 0, -1, 0, 0},
	{"options",			"11110101" "111", 0, 4, 8, -1, false, DNS, 0, -1, 0, 0},
	{"options, 40 bytes",		"11110101" "111", 0, 4, 40, -1, false, DNS, 0, -1, 0, 0},
	{"an extension header",		"11010101" "111", 0, 6, 1, -1, false, DNS, 0, -1, 0, 0},
	{"three, in QinQ",		"11011101" "111", 2, 6, 3, -1, false, DNS, 0, -1, 0, 0},
	{"nine",			"00010000" "010", 0, 6, 9, -1, false, DNS, 0, -1, 0, 0},
	{"first fragment",		"11110110" "111", 0, 4, 0, 0, true, DNS, 0, -1, 0, 0},
	{"later fragment",		"00010110" "111", 0, 4, 0, 9, true, DNS, 0, -1, 0, 0},
	{"last fragment",		"00010110" "111", 0, 4, 0, 9, false, DNS, 0, -1, 0, 0},
	{"first fragment, IPv6",	"11010110" "111", 0, 6, 0, 0, true, DNS, 0, -1, 0, 0},
	{"later fragment, IPv6",	"00010110" "111", 0, 6, 0, 9, true, DNS, 0, -1, 0, 0},
	{"last, behind a header",	"00010110" "111", 0, 6, 1, 9, false, DNS, 0, -1, 0, 0},
	{"atomic fragment",		"11010101" "111", 0, 6, 1, 0, false, DNS, 0, -1, 0, 0},
	{"a byte, padded",		"10110001" "111", 0, 4, 0, -1, false, 1, 0, -1, 17, 0},
	{"a byte, padded, IPv6",	"10110001" "111", 0, 6, 0, -1, false, 1, 0, -1, 17, 0},
	{"no byte, padded",		"10100001" "111", 0, 4, 0, -1, false, 0, 0, -1, 18, 0},
	{"trailer",			"11110101" "111", 0, 4, 0, -1, false, DNS, 0, -1, 9, 0},
	{"length in the trailer",	"11100101" "111", 0, 4, 0, -1, false, DNS, 4, -1, 9, 0},
	{"length behind the frame",	"11100101" "111", 0, 4, 0, -1, false, DNS, 40, -1, 9, 0},
	{"the same, IPv6",		"11100101" "111", 0, 6, 0, -1, false, DNS, 40, -1, 9, 0},
	{"length 0: the frame's end",	"11110101" "111", 0, 4, 0, -1, false, DNS, 0, 0, 0, 0},
	{"length 0, trailer",		"11100101" "111", 0, 4, 0, -1, false, DNS, 0, 0, 9, 0},
	{"length 0, IPv6",		"11110101" "111", 0, 6, 0, -1, false, DNS, 0, 0, 0, 0},
	{"length below the header",	"11110101" "111", 0, 4, 0, -1, false, DNS, 0, 19, 0, 0},
	{"length of the header",	"00010001" "111", 0, 4, 0, -1, false, DNS, 0, 20, 0, 0},
	{"length within UDP",		"00100001" "111", 0, 4, 0, -1, false, DNS, 0, 27, 0, 0},
	{"cut in the query",		"10100001" "111", 0, 4, 0, -1, false, DNS, 0, -1, 0, 50},
	{"cut in UDP",			"00100001" "111", 0, 4, 0, -1, false, DNS, 0, -1, 0, 41},
	{"cut before UDP",		"00000001" "111", 0, 4, 0, -1, false, DNS, 0, -1, 0, 34},
	{"cut in IP",			"00000000" "010", 0, 4, 0, -1, false, DNS, 0, -1, 0, 33},
	{"cut in IPv6",			"00000000" "010", 0, 6, 0, -1, false, DNS, 0, -1, 0, 53},
	{"cut in an extension header",	"00000000" "010", 0, 6, 1, -1, false, DNS, 0, -1, 0, 60},
	{"cut in a tag",		"00001000" "010", 1, 4, 0, -1, false, DNS, 0, -1, 0, 15},
	{"cut in Ethernet",		"00000000" "010", 0, 4, 0, -1, false, DNS, 0, -1, 0, 13},
	{"no byte",			"00000000" "010", 0, 4, 0, -1, false, DNS, 0, -1, 0, -1},
	{"ARP",				"00000000" "010", 0, 0, 0, -1, false, DNS, 0, -1, 0, 0},
	/* clang-format on */
};

static void
put_ip(struct pkt_build *b, const struct row *row)
{
	static const uint8_t zeros[40];
	struct pkt_ip6 ip6 = {.src = {0x20, 0x01, 0x0d, 0xb8}, .hop_limit = 64};

	if (row->family == 4) {
		pkt_build_ip4(b,
			&(struct pkt_ip4){
				.src = 0xc0000201,
				.dst = 0x0a000001,
				.ttl = 64,
				.options = zeros,
				.n_options = (uint8_t)row->options,
				.frag = (uint16_t)(MAX(row->frag_off, 0) |
					(row->more ? 0x2000 : 0)),
			});
		return;
	}
	memcpy(ip6.dst, ip6.src, 16);
	pkt_build_ip6(b, &ip6);
	for (int i = 0; i < row->options; i++)
		pkt_build_ip6_ext(b, i == 0 ? 0 : 60, zeros, 6);
	if (row->frag_off >= 0)
		pkt_build_ip6_frag(b, (uint16_t)row->frag_off, row->more, 7);
}

static struct world_frame
make_frame(const struct row *row)
{
	static const uint8_t mac[6] = {2}, ones[64] = {1};
	uint8_t buf[512];
	struct pkt_build b;
	uint32_t len, l3;

	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_ether(&b, mac, mac);
	for (int i = 0; i < row->tags; i++)
		pkt_build_vlan(&b, i == 0 && row->tags > 1 ? 0x88a8 : 0x8100, 7);
	l3 = (uint32_t)b.len;
	if (row->family == 0) {
		pkt_build_ethertype(&b, 0x0806);
		pkt_build_bytes(&b, ones, 46);
	} else {
		put_ip(&b, row);
		pkt_build_udp(&b, 1234, 53);
		if (row->payload == DNS)
			pkt_build_dns_query(&b, 7, "x.www.example.uk", 1, false);
		else
			pkt_build_bytes(&b, ones, (size_t)row->payload);
	}
	len = (uint32_t)pkt_build_done(&b);
	assert_true(len != 0);
	if (row->family != 0) {
		uint8_t *field = buf + l3 + (row->family == 4 ? 2 : 4);

		store_be16(field, (uint16_t)(load_be16(field) + row->add_len));
		if (row->set_len >= 0)
			store_be16(field, (uint16_t)row->set_len);
	}
	memset(buf + len, 255, (size_t)row->tail);
	len += (uint32_t)row->tail;
	return world_frame_copy(buf,
		row->caplen > 0           ? (uint32_t)row->caplen
			: row->caplen < 0 ? 0
					  : len,
		len);
}

/* ---- the test ---- */

static void
check_row(const struct row *row, const struct match_image *image, const char *engine)
{
	struct world_frame f = make_frame(row);
	const uint8_t which[1] = {0};
	struct pkt_view view;
	struct ref_frame ref;

	pkt_parse_ether(f.data, f.caplen, f.wirelen, &view);
	ref_parse(f.data, f.caplen, f.wirelen, &ref);
	assert_int_equal(strlen(row->want), N_RULES);
	for (uint32_t i = 0; i < N_RULES; i++) {
		const bool want = row->want[i] == '1';
		uint32_t got;

		match_image_first(image, &view, which, 1, 0, &i, &got);
		if ((got == i) != want)
			fail_msg("%s: %s: '%s' %s", engine, row->what, rule_names[i],
				want ? "does not match" : "matches");
		/* The table also judges the reference of the random test. */
		if (ref_matches(&rules[i], &ref, 0) != want)
			fail_msg("reference: %s: '%s'", row->what, rule_names[i]);
	}
}

static void
frames_match_as_the_design_says(void **state)
{
	static const struct {
		const char *name;
		enum match_engine engine;
	} engines[] = {
		{"interpreter", MATCH_ENGINE_INTERP},
		{"jit", MATCH_ENGINE_JIT},
	};

	(void)state;
	make_rules();
	for (size_t e = 0; e < DIM(engines); e++) {
		struct match_image *image = NULL;
		struct diag diag = {0};

		if (engines[e].engine == MATCH_ENGINE_JIT && !cbpf_jit_available())
			continue;
		if (match_image_new(rules, N_RULES, engines[e].engine, &image, &diag) != 0)
			fail_msg("%s", diag.msg);
		for (size_t i = 0; i < DIM(rows); i++)
			check_row(&rows[i], image, engines[e].name);
		match_image_free(image);
	}
	free_rules();
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_match_as_the_design_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
