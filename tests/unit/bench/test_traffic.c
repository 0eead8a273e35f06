// SPDX-License-Identifier: BSD-3-Clause
/* Generated traffic: the same for the same seed, sound, and of the shape its name says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pkt/build.h"
#include "pkt/view.h"
#include "traffic.h"

enum { FRAMES = 5000 };

static const struct traffic_case {
	enum traffic_kind kind;
	const char *dst;
	bool random_sources;
} cases[] = {
	{TRAFFIC_DNS_FLOOD, "192.0.2.53", true},
	{TRAFFIC_DNS_FLOOD, "2001:db8::53", true},
	{TRAFFIC_DNS_MIXED, "192.0.2.53", false},
	{TRAFFIC_TCP_SYN, "2001:db8::53", false},
	{TRAFFIC_MIXED, "192.0.2.53", true},
	{TRAFFIC_MIXED, "2001:db8::53", false},
};

static void
conf_of(const struct traffic_case *c, struct traffic_conf *conf)
{
	traffic_defaults(conf);
	conf->kind = c->kind;
	conf->random_sources = c->random_sources;
	conf->edns_do = true;
	assert_int_equal(parse_ip_addr(c->dst, &conf->dst, NULL), 0);
}

/* A UDP or TCP checksum that a receiver takes. */
static void
check_l4(const struct pkt_view *v)
{
	uint32_t n = v->l3_off + v->l3_len - v->l4_off;
	uint32_t sum = pkt_sum(pkt_src(v), v->family == 4 ? 8 : 32, v->proto + n);

	assert_int_equal(pkt_checksum(v->frame + v->l4_off, n, sum), 0);
}

static void
sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		struct rng a = {i}, b = {i};
		unsigned int ports = 0, tags = 0, later = 0, other = 0;
		struct traffic_conf conf;

		conf_of(&cases[i], &conf);
		for (unsigned int k = 0; k < FRAMES; k++) {
			uint8_t one[TRAFFIC_FRAME_MAX], two[TRAFFIC_FRAME_MAX];
			size_t n = traffic_frame(&conf, &a, one);
			struct pkt_view v;

			assert_true(n > 0 && n <= 1518);
			assert_int_equal(traffic_frame(&conf, &b, two), n);
			assert_memory_equal(one, two, n);
			pkt_parse_ether(one, (uint32_t)n, (uint32_t)n, &v);
			assert_int_equal(v.flags & (PKT_TRUNCATED | PKT_MALFORMED), 0);
			ports += (v.flags & PKT_PORTS) != 0;
			tags += (v.flags & PKT_VLAN) != 0;
			later += (v.flags & PKT_FRAG_LATER) != 0;
			other += v.family != conf.dst.family;
			if (v.flags & PKT_PORTS && !(v.flags & PKT_FRAGMENT))
				check_l4(&v);
		}
		if (cases[i].kind != TRAFFIC_MIXED) {
			assert_int_equal(ports, FRAMES);
			assert_int_equal(tags + later + other, 0);
			continue;
		}
		assert_true(ports > FRAMES / 2 && ports < FRAMES);
		assert_true(tags > 0 && later > 0 && other > 0);
	}
}

/* Every name is another, the letters stand in one label, the rest is as asked. */
static void
flood_names(void **state)
{
	static const uint8_t tail[] = "\3www\7example\2uk";
	struct traffic_conf conf;
	struct rng rng = {1};
	uint8_t last[32] = {0};

	(void)state;
	traffic_defaults(&conf);
	for (unsigned int i = 0; i < FRAMES; i++) {
		uint8_t buf[TRAFFIC_FRAME_MAX];
		const uint8_t *name = buf + 14 + 20 + 8 + 12;

		assert_true(traffic_frame(&conf, &rng, buf) > 0);
		assert_in_range(name[0], 6, 16);
		assert_memory_equal(name + 1 + name[0], tail, sizeof(tail));
		assert_memory_not_equal(name, last, 7);
		memcpy(last, name, 7);
	}
	conf.name = "a..b";
	assert_int_equal(traffic_frame(&conf, &rng, (uint8_t[TRAFFIC_FRAME_MAX]){0}), 0);
	conf.name = "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*";
	for (unsigned int i = 0; i < 100; i++)
		(void)traffic_frame(&conf, &rng, (uint8_t[TRAFFIC_FRAME_MAX]){0});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound),
		cmocka_unit_test(flood_names),
	};

	return cmocka_run_group_tests_name("bench traffic", tests, NULL, NULL);
}
