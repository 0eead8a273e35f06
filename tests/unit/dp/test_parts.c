// SPDX-License-Identifier: BSD-3-Clause
/* The parts of the data plane that are pure functions, without DPDK running. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bucket.h"
#include "base/diag.h"
#include "base/util.h"
#include "dp/eal.h"
#include "dp/stats.h"
#include "pkt/vital.h"

#include "dev.h"
#include "eal.h"
#include "idle.h"
#include "maybe_vital.h"

#define HZ UINT64_C(1000000000)

static void
test_bucket_rate(void **state)
{
	struct bucket b;
	uint64_t taken = 0;

	(void)state;
	bucket_init(&b, HZ, 1000, 50);
	/* 10,000 frames a second for ten seconds, of which 1000/s and the burst go through. */
	for (uint64_t now = 1; now < 10 * HZ; now += HZ / 10000)
		taken += bucket_take(&b, now);
	assert_in_range(taken, 10 * 1000 + 49, 10 * 1000 + 51);
}

static void
test_bucket_burst(void **state)
{
	struct bucket b;
	uint64_t taken = 0;

	(void)state;
	bucket_init(&b, HZ, 10, 5);
	for (int i = 0; i < 100; i++)
		taken += bucket_take(&b, 12345);
	assert_int_equal(taken, 5);
	/* However long it rests, it holds no more. */
	for (int i = 0; i < 100; i++)
		taken += bucket_take(&b, 1000 * HZ);
	assert_int_equal(taken, 10);
}

static void
test_bucket_no_limit(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, HZ, 0, 1);
	for (int i = 0; i < 1000; i++)
		assert_true(bucket_take(&b, 1));
}

static void
test_idle_backs_off(void **state)
{
	uint64_t now = 1000, spins = 0;
	uint32_t ns, before = 0;
	struct idle idle;

	(void)state;
	idle_init(&idle, HZ, 100000);
	/* Polls of 100 ns for 50 us, then sleeps that double up to the bound. */
	while ((ns = idle_next(&idle, now)) == 0) {
		now += 100;
		spins++;
	}
	assert_int_equal(spins, IDLE_SPIN_US * 10);
	for (int i = 0; i < 10; i++) {
		assert_true(ns >= before && ns <= 100000);
		before = ns;
		ns = idle_next(&idle, now);
	}
	assert_int_equal(ns, 100000);

	/* One frame, and it starts anew. */
	idle_busy(&idle);
	assert_int_equal(idle_next(&idle, now), 0);
	assert_int_equal(idle_next(&idle, now + HZ), IDLE_FIRST_NS);
}

static void
test_idle_bound(void **state)
{
	static const struct {
		uint32_t ring, mbps, min_ns, max_ns;
	} cases[] = {
		/* 14.88 Mpps fill half of 4096 in 138 us. */
		{4096, 10000, 137000, 138000},
		{512, 1000, 172000, 172100},
		{512, 100000, IDLE_SLEEP_MIN_NS, IDLE_SLEEP_MIN_NS},
		{65536, 1000, IDLE_SLEEP_MAX_NS, IDLE_SLEEP_MAX_NS},
		{0, 10000, IDLE_SLEEP_MAX_NS, IDLE_SLEEP_MAX_NS},
		{4096, 0, IDLE_SLEEP_MAX_NS, IDLE_SLEEP_MAX_NS},
		{UINT32_MAX, 1, IDLE_SLEEP_MAX_NS, IDLE_SLEEP_MAX_NS},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++)
		assert_in_range(idle_bound_ns(cases[i].ring, cases[i].mbps), cases[i].min_ns,
			cases[i].max_ns);
}

static void
test_device_text(void **state)
{
	struct dev_spec s;
	struct diag diag = {0};

	(void)state;
	assert_int_equal(dev_parse("0000:3b:00.1", 2, 0, &s, &diag), 0);
	assert_true(s.pci);
	assert_false(dev_copies(&s));
	assert_int_equal(dev_parse("3b:00.0,arg=1", 1, 0, &s, &diag), 0);
	assert_true(s.pci);
	assert_string_equal(s.name, "3b:00.0");
	assert_int_equal(dev_parse("net_null0,size=64", 1, 0, &s, &diag), 0);
	assert_int_equal(s.kind, DEV_OTHER);
	assert_false(s.pci);

	assert_int_equal(
		dev_parse("net_pcap0,rx_pcap=/dev/null,infinite_rx=1", 1, 0, &s, &diag), 0);
	assert_int_equal(s.kind, DEV_PCAP_FILE);
	assert_true(s.loops);

	assert_int_equal(dev_parse("", 1, 0, &s, &diag), -EINVAL);
	assert_int_equal(dev_parse(",iface=x", 1, 0, &s, &diag), -EINVAL);
	assert_int_equal(dev_parse("net_af_packet0", 1, 0, &s, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "iface=NAME"));
	assert_int_equal(dev_parse("net_af_packet0,iface=lo,qpairs=1", 2, 0, &s, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "1 queues"));
}

static void
test_cpus(void **state)
{
	uint16_t cpus[200];
	struct diag diag = {0};

	(void)state;
	assert_int_equal(dp_cpus_choose(cpus, DIM(cpus)), 0);
	for (size_t i = 0; i < DIM(cpus); i++)
		assert_int_equal(dp_cpu_check(cpus[i], &diag), 0);
	assert_int_equal(dp_cpu_check(1023, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "CPU 1023"));
	assert_int_equal(dp_cpu_check(UINT16_MAX, &diag), -EINVAL);
}

static void
test_stat_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < DP_STAT_COUNT; i++) {
		const char *help = dp_stat_info[i].help;

		assert_true(dp_stat_info[i].name[0] != '\0');
		assert_int_equal(help[strlen(help) - 1], '.');
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(dp_stat_info[i].name, dp_stat_info[j].name);
	}
}

/* What cannot be is told before DPDK is touched, so that the next try may still succeed. */
static void
test_start_refusals(void **state)
{
	const uint16_t bad[] = {0, 999};
	struct dp_eal_conf conf = {
		.hugepages = DP_HUGE_NO,
		.main_cpu = DP_CPU_ANY,
		.cpus = bad,
		.n_cpus = 2,
	};
	struct diag diag = {0};

	(void)state;
	assert_int_equal(dp_eal_start(&conf, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "CPU 999"));
	conf.n_cpus = DP_WORKERS_MAX + 1;
	assert_int_equal(dp_eal_start(&conf, &diag), -EINVAL);
	conf.n_cpus = 0;
	conf.hugepages = DP_HUGE_YES;
	conf.memory_mib = 4000000;
	assert_int_equal(dp_eal_start(&conf, &diag), -ENOMEM);
	assert_non_null(strstr(diag.msg, "vm.nr_hugepages"));
	assert_int_equal(eal_workers(), 0);
}

/* As the workers ask, with the frame at a random place of a burst. */
static bool
maybe_vital(const struct pkt_view *v, struct rng *rng)
{
	struct maybe_vital_ports ports = {{0}};
	const uint32_t n = 1 + rng_below(rng, MATCH_BURST), i = rng_below(rng, n);
	uint64_t some;

	ports.v[2 * i] = v->sport;
	ports.v[2 * i + 1] = v->dport;
	some = maybe_vital_ports(&ports, n);
	assert_true((some & ~(UINT64_C(1) << i)) == 0);
	return some != 0 || maybe_vital_kind(v);
}

/* Every class has a frame here, and random changes to them find more. */
static void
test_maybe_vital_misses_none(void **state)
{
	static const struct {
		uint8_t bytes[64];
		enum pkt_vital class;
	} seeds[] = {
		{{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1},
			PKT_VITAL_ARP},
		{{1, 128, 194, 0, 0, 2, 2, 0, 0, 0, 0, 2, 0x88, 0x09, 1}, PKT_VITAL_LINK},
		{{1, 128, 194, 0, 0, 14, 2, 0, 0, 0, 0, 2, 0x88, 0xcc, 1}, PKT_VITAL_LINK},
		{{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 10, 58,
			 255, [54] = 135},
			PKT_VITAL_ND},
		{{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 255,
			 17, [34] = 0xc0, [36] = 0x0e, [37] = 0xc8, [39] = 20},
			PKT_VITAL_BFD},
		{{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64,
			 6, [26] = 192, [27] = 0, [28] = 2, [29] = 1, [34] = 0, [35] = 179,
			 [46] = 0x50},
			PKT_VITAL_BGP},
	};
	const struct ip_addr peer = {4, {192, 0, 2, 1}};
	const struct pkt_vital_conf conf = {.peers = &peer, .n_peers = 1};
	struct rng rng = {1};
	struct pkt_view v;

	(void)state;
	for (size_t i = 0; i < DIM(seeds); i++) {
		pkt_parse_ether(seeds[i].bytes, 64, 64, &v);
		assert_int_equal(pkt_vital_class(&v, &conf), seeds[i].class);
		for (int round = 0; round < 100000; round++) {
			uint8_t frame[64];

			memcpy(frame, seeds[i].bytes, sizeof(frame));
			for (uint32_t n = rng_below(&rng, 4); n > 0; n--)
				frame[rng_below(&rng, 64)] ^= (uint8_t)(1u << rng_below(&rng, 8));
			pkt_parse_ether(frame, 64, 64, &v);
			if (pkt_vital_class(&v, &conf) != PKT_VITAL_NONE)
				assert_true(maybe_vital(&v, &rng));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_rate),
		cmocka_unit_test(test_bucket_burst),
		cmocka_unit_test(test_bucket_no_limit),
		cmocka_unit_test(test_idle_backs_off),
		cmocka_unit_test(test_idle_bound),
		cmocka_unit_test(test_device_text),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_stat_table),
		cmocka_unit_test(test_maybe_vital_misses_none),
		cmocka_unit_test(test_start_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
