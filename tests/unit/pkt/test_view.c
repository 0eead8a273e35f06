// SPDX-License-Identifier: BSD-3-Clause
/*
 * The parser against a table of built frames, every capture length of each, and
 * random damage; all frames end at an unreadable page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "frames.h"
#include "pkt/view.h"

#define CAP 2048

static void
table(void **state)
{
	uint8_t buf[CAP];

	(void)state;
	for (size_t i = 0; i < n_frame_cases; i++) {
		const struct frame_case *c = &frame_cases[i];
		size_t len = frame_make(c, buf, sizeof(buf));
		uint8_t *p = guarded(len);
		struct pkt_view v;

		print_message("%s\n", c->what);
		assert_true(len > 0);
		memcpy(p, buf, len);
		pkt_parse_ether(p, (uint32_t)len, (uint32_t)len, &v);
		assert_ptr_equal(v.frame, p);
		assert_int_equal(v.caplen, len);
		assert_int_equal(v.wirelen, len);
		assert_int_equal(v.flags, c->flags);
		assert_int_equal(v.ethertype, c->ethertype);
		assert_int_equal(v.family, c->family);
		assert_int_equal(v.proto, c->proto);
		assert_int_equal(v.l3_off, c->l3_off);
		assert_int_equal(v.l4_off, c->l4_off);
		assert_int_equal(v.sport, c->sport);
		assert_int_equal(v.dport, c->dport);
		assert_int_equal(v.l3_len, c->l3_len);
		assert_int_equal(v.l3_caplen, c->l3_caplen);
		if (c->family == 4)
			assert_int_equal(load_be32(pkt_dst(&v)), 0xc6336401);
		if (c->family == 6)
			assert_int_equal(pkt_src(&v)[15], 1);
	}
}

/* What holds of every view, whatever the bytes. */
static void
check_view(const struct pkt_view *v)
{
	const uint32_t end = v->l3_off + v->l3_caplen;

	assert_true(v->l3_off <= v->caplen);
	assert_int_equal(v->key, pkt_key(v));
	assert_true(v->family == 0 || v->family == 4 || v->family == 6);
	if (v->family == 0) {
		assert_int_equal(v->l3_len, 0);
		assert_int_equal(v->l3_caplen, 0);
		assert_int_equal(v->flags & PKT_PORTS, 0);
		assert_int_equal(v->l4_off, 0);
		return;
	}
	assert_true(v->l3_caplen >= (v->family == 4 ? 20u : 40u));
	assert_true(v->l3_caplen <= v->l3_len);
	assert_true(end <= v->caplen);
	assert_true(v->l4_off <= end);
	if (v->flags & PKT_FRAG_LATER) {
		assert_true(v->flags & PKT_FRAGMENT);
		assert_int_equal(v->l4_off, 0);
	}
	if (v->flags & PKT_PORTS) {
		assert_true(v->l4_off + 8u <= end);
		assert_int_equal(v->sport, load_be16(v->frame + v->l4_off));
		assert_int_equal(v->dport, load_be16(v->frame + v->l4_off + 2));
	} else {
		assert_int_equal(v->sport, 0);
		assert_int_equal(v->dport, 0);
	}
}

/* A cut frame says the same as the whole one, or less and that it is cut. */
static void
check_cut(const struct pkt_view *cut, const struct pkt_view *whole)
{
	const uint16_t lost = whole->flags & (uint16_t)~cut->flags;

	assert_int_equal(cut->wirelen, whole->wirelen);
	assert_int_equal(cut->flags & ~(whole->flags | PKT_TRUNCATED), 0);
	if (cut->family != whole->family || lost != 0 || cut->l4_off != whole->l4_off ||
		cut->proto != whole->proto || cut->ethertype != whole->ethertype) {
		assert_true(cut->flags & PKT_TRUNCATED);
	}
	if (cut->family == 0)
		return;
	assert_int_equal(cut->family, whole->family);
	assert_int_equal(cut->hop_limit, whole->hop_limit);
	assert_int_equal(cut->l3_off, whole->l3_off);
	assert_int_equal(cut->l3_len, whole->l3_len);
	assert_int_equal(cut->l3_caplen, MIN(whole->l3_caplen, cut->caplen - cut->l3_off));
	if (cut->l4_off != 0)
		assert_int_equal(cut->l4_off, whole->l4_off);
	if (cut->flags & PKT_PORTS)
		assert_int_equal(cut->dport, whole->dport);
	if (cut->tcp_flags != 0)
		assert_int_equal(cut->tcp_flags, whole->tcp_flags);
}

/*
 * The short way for common frames against the long way: behind Ethernet an IP
 * datagram is what it is alone.
 */
static void
check_same_alone(const uint8_t *p, uint32_t n, uint32_t wirelen)
{
	struct pkt_view in, alone;

	pkt_parse_ether(p, n, wirelen, &in);
	check_view(&in);
	if (in.family == 0 || in.flags & PKT_VLAN)
		return;
	pkt_parse_ip(p + 14, n - 14, wirelen - 14, &alone);
	assert_int_equal(in.frame - p, 0);
	assert_int_equal(in.caplen, n);
	assert_int_equal(in.wirelen, wirelen);
	assert_int_equal(in.flags, alone.flags);
	assert_int_equal(in.ethertype, alone.ethertype);
	assert_int_equal(in.l3_off, 14);
	assert_int_equal(in.l4_off, alone.l4_off != 0 ? alone.l4_off + 14 : 0);
	assert_int_equal(in.family, alone.family);
	assert_int_equal(in.proto, alone.proto);
	assert_int_equal(in.hop_limit, alone.hop_limit);
	assert_int_equal(in.tcp_flags, alone.tcp_flags);
	assert_int_equal(in.sport, alone.sport);
	assert_int_equal(in.dport, alone.dport);
	assert_int_equal(in.l3_caplen, alone.l3_caplen);
	assert_int_equal(in.l3_len, alone.l3_len);
}

static void
every_length(void **state)
{
	uint8_t buf[CAP];

	(void)state;
	for (size_t i = 0; i < n_frame_cases; i++) {
		size_t len = frame_make(&frame_cases[i], buf, sizeof(buf));
		struct pkt_view whole, cut;

		pkt_parse_ether(buf, (uint32_t)len, (uint32_t)len, &whole);
		for (size_t n = 0; n <= len; n++) {
			uint8_t *p = guarded(n);

			memcpy(p, buf, n);
			pkt_parse_ether(p, (uint32_t)n, (uint32_t)len, &cut);
			check_view(&cut);
			check_cut(&cut, &whole);
			check_same_alone(p, (uint32_t)n, (uint32_t)len);
		}
	}
}

static const int links[] = {0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 147};

/* Bytes of the table's frames, some of them replaced by what hurts, under every link type. */
static void
damage(void **state)
{
	static const uint8_t nasty[] = {0, 1, 4, 6, 17, 44, 51, 60, 0x40, 0x45, 0x4f, 0x60, 0x7f,
		0x80, 0x81, 0x86, 0x88, 0x91, 0xa8, 0xdd, 0xff};
	const char *seed = getenv("SLUICE_SEED");
	const char *more = getenv("SLUICE_LONG");
	struct rng rng = {seed != NULL ? strtoull(seed, NULL, 0) : 20260101};
	unsigned int rounds = more != NULL ? 5000000 : 300000;
	uint8_t buf[CAP];

	(void)state;
	print_message("seed %llu\n", (unsigned long long)rng.state);
	for (unsigned int i = 0; i < rounds; i++) {
		size_t len = frame_make(
			&frame_cases[rng_below(&rng, (uint32_t)n_frame_cases)], buf, sizeof(buf));
		size_t skip = rng_below(&rng, 4) == 0 ? rng_below(&rng, 17) : 0;
		size_t n = len - skip;
		struct pkt_view v;
		uint8_t *p;

		if (rng_below(&rng, 2) == 0)
			n = rng_below(&rng, (uint32_t)n + 1);
		p = guarded(n);
		memcpy(p, buf + skip, n);
		for (unsigned int k = rng_below(&rng, 6); k > 0 && n > 0; k--)
			p[rng_below(&rng, (uint32_t)MIN(n, 90))] =
				nasty[rng_below(&rng, DIM(nasty))];
		check_same_alone(p, (uint32_t)n, (uint32_t)n + rng_below(&rng, 3));
		pkt_parse_link(links[rng_below(&rng, DIM(links))], p, (uint32_t)n,
			(uint32_t)n + rng_below(&rng, 3), &v);
		check_view(&v);
	}
}

static const struct link_case {
	const char *what;
	int dlt;
	const char *header; /* before the datagram */
	uint32_t n;
	uint8_t family; /* of the view, when the datagram is IPv4 and when it is IPv6 */
	uint16_t flags;
} link_cases[] = {
	{"RAW", 12, "", 0, 4, 0},
	{"RAW 14", 14, "", 0, 6, 0},
	{"RAW 101", 101, "", 0, 6, 0},
	{"IPV4", 228, "", 0, 4, 0},
	{"IPV4 with IPv6", 228, "", 0, 0, PKT_MALFORMED},
	{"IPV6", 229, "", 0, 6, 0},
	{"NULL little-endian", 0, "\2\0\0\0", 4, 4, 0},
	{"NULL big-endian", 0, "\0\0\0\2", 4, 4, 0},
	{"NULL IPv6 Darwin", 0, "\x1e\0\0\0", 4, 6, 0},
	{"NULL ISO", 0, "\7\0\0\0", 4, 0, 0},
	{"LOOP", 108, "\0\0\0\x18", 4, 6, 0},
	{"LOOP little-endian", 108, "\x18\0\0\0", 4, 0, 0},
	{"SLL", 113, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", 16, 4, 0},
	{"SLL with a tag", 113, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x81\0\0\7\x86\xdd", 20, 6, PKT_VLAN},
	{"SLL with LLC", 113, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\0\4", 16, 0, PKT_LLC},
	{"SLL netlink", 113, "\0\0\3\x38\0\6\2\0\0\0\0\1\0\0\x08\0", 16, 0, 0},
	{"SLL2", 276, "\x86\xdd\0\0\0\0\0\1\0\1\0\6\2\0\0\0\0\1\0\0", 20, 6, 0},
	{"SLL2 radiotap", 276, "\x08\0\0\0\0\0\0\1\3\x23\0\6\2\0\0\0\0\1\0\0", 20, 0, 0},
};

static void
link_types(void **state)
{
	uint8_t buf[CAP], frame[CAP];

	(void)state;
	for (size_t i = 0; i < DIM(link_cases); i++) {
		const struct link_case *c = &link_cases[i];
		/* "IPv4 UDP", or "IPv6 UDP" where that is asked for or must not be taken for IPv4. */
		bool v6 = c->family == 6 || c->flags & PKT_MALFORMED;
		size_t which = 0, len;
		struct pkt_view v;

		print_message("%s\n", c->what);
		assert_true(pkt_link_known(c->dlt));
		while (strcmp(frame_cases[which].what, v6 ? "IPv6 UDP" : "IPv4 UDP") != 0)
			which++;
		len = frame_make(&frame_cases[which], frame, sizeof(frame)) - 14;
		for (size_t cut = 0; cut <= len + c->n; cut++) {
			uint8_t *p = guarded(cut);

			memcpy(buf, c->header, c->n);
			memcpy(buf + c->n, frame + 14, len);
			memcpy(p, buf, cut);
			pkt_parse_link(c->dlt, p, (uint32_t)cut, (uint32_t)(len + c->n), &v);
			check_view(&v);
		}
		assert_int_equal(v.family, c->family);
		assert_int_equal(v.flags, c->flags | (c->family != 0 ? PKT_PORTS : 0));
		if (c->family != 0) {
			assert_int_equal(v.dport, 53);
			assert_int_equal(v.l3_off, c->n);
			assert_int_equal(v.l3_len, len);
		}
	}
	assert_false(pkt_link_known(147));
	assert_false(pkt_link_known(-1));
}

static void
raw_that_is_no_ip(void **state)
{
	struct pkt_view v;

	(void)state;
	pkt_parse_ip((const uint8_t *)"\x51\0\0", 3, 3, &v);
	assert_int_equal(v.family, 0);
	assert_int_equal(v.ethertype, 0);
	assert_int_equal(v.flags, 0);
	pkt_parse_ip(NULL, 0, 0, &v);
	assert_int_equal(v.flags, PKT_TRUNCATED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(every_length),
		cmocka_unit_test(damage),
		cmocka_unit_test(link_types),
		cmocka_unit_test(raw_that_is_no_ip),
	};

	return cmocka_run_group_tests_name("pkt view", tests, NULL, NULL);
}
