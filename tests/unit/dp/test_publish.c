// SPDX-License-Identifier: BSD-3-Clause
/* Images change under traffic: no frame without a verdict, no counter lost, no waiting for sleepers. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"
#include "match/verdict.h"

#include "rig.h"

#define RELOADS 200
#define PORTS 2

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Everything is dropped, counted in slot @slot. */
static struct match_image *
drop_all(uint32_t slot)
{
	const uint16_t all[] = {0};
	const enum match_action drop[] = {MATCH_DROP};

	return rig_image(1, all, drop, &slot);
}

static struct dp *
make(char device[PORTS][512], const char *file, bool loops)
{
	char path[256];
	struct dp_port_conf ports[PORTS];
	struct dp_conf conf = {
		.ports = ports,
		.n_ports = PORTS,
		.sample_one_in = 100,
		.sample_snaplen = 64,
	};

	rig_path(file, path, sizeof(path));
	for (int i = 0; i < PORTS; i++) {
		snprintf(device[i], 512, "net_pcap_%d,rx_pcap=%s%s", i, path,
			loops ? ",infinite_rx=1" : "");
		ports[i] = (struct dp_port_conf){
			.name = i == 0 ? "a" : "b",
			.device = device[i],
			.queues = 1,
			.exception_uid = (uid_t)-1,
		};
	}
	return rig_dp(&conf);
}

static void
write_input(const char *name)
{
	struct rig_file in = rig_file(name);

	for (int i = 0; i < 256; i++)
		rig_add_udp(&in, 53, 30);
	rig_write(&in);
	rig_file_free(&in);
}

struct builder {
	struct dp *dp;
	_Atomic int done;
};

static void *
builder_main(void *arg)
{
	struct builder *b = arg;
	struct match_image *old;

	for (uint32_t i = 1; i <= RELOADS; i++) {
		if (dp_publish(b->dp, drop_all(i % 2), &old) != 0)
			break;
		match_image_free(old);
		atomic_fetch_add_explicit(&b->done, 1, memory_order_relaxed);
	}
	return NULL;
}

static void
test_reload_under_traffic(void **state)
{
	char device[PORTS][512];
	struct diag diag = {0};
	struct builder b = {.dp = NULL};
	struct dp_rule_stats rule[2];
	uint64_t rx = 0, dropped = 0;
	pthread_t thread;
	struct dp *dp;

	(void)state;
	write_input("loop.pcap");
	dp = make(device, "loop.pcap", true);
	assert_int_equal(dp_start(dp, drop_all(0), &diag), 0);
	b.dp = dp;
	assert_int_equal(pthread_create(&thread, NULL, builder_main, &b), 0);
	pthread_join(thread, NULL);
	assert_int_equal(b.done, RELOADS);
	match_image_free(dp_stop(dp));

	for (size_t p = 0; p < PORTS; p++) {
		rx += rig_stat(dp, p, DP_STAT_RX);
		dropped += rig_stat(dp, p, DP_STAT_DROPPED);
		rig_check_books(dp, p);
	}
	for (uint32_t s = 0; s < 2; s++) {
		dp_rule_stats_get(dp, s, &rule[s]);
		assert_true(rule[s].packets > 0);
		assert_int_equal(rule[s].packets, rule[s].dropped);
	}
	assert_true(rx > RELOADS);
	assert_int_equal(rx, dropped);
	assert_int_equal(rx, rule[0].packets + rule[1].packets);
	rig_free(dp);
}

/* Let both ports receive some more. False: they do not. */
static bool
more_traffic(struct dp *dp)
{
	const uint64_t end = now_ms() + 20000;
	uint64_t rx[PORTS];

	for (size_t p = 0; p < PORTS; p++)
		rx[p] = rig_stat(dp, p, DP_STAT_RX);
	for (size_t p = 0; p < PORTS; p++) {
		while (rig_stat(dp, p, DP_STAT_RX) < rx[p] + 1000) {
			if (now_ms() > end)
				return false;
			sched_yield();
		}
	}
	return true;
}

/* Once protection is published, it is what protects: every frame, either way. */
static void
test_protection_under_traffic(void **state)
{
	uint8_t arp[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0,
		6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2};
	struct rig_file in = rig_file("arp.pcap");
	struct dp_conf conf = {.vital = false};
	struct dp_protect *protect;
	char device[PORTS][512];
	struct diag diag = {0};
	struct dp *dp;
	int wrong = 0; /* asserted when the workers have stopped */

	(void)state;
	for (int i = 0; i < 256; i++)
		rig_add(&in, arp, sizeof(arp));
	rig_write(&in);
	rig_file_free(&in);
	dp = make(device, "arp.pcap", true);
	assert_int_equal(dp_start(dp, drop_all(0), &diag), 0);
	for (int i = 0; i < 20; i++) {
		const enum dp_stat still = i % 2 == 0 ? DP_STAT_DROPPED : DP_STAT_PROTECTED;
		uint64_t before[PORTS];

		conf.vital = i % 2 == 0;
		assert_int_equal(dp_protect_new(&conf, &protect), 0);
		dp_protect_publish(dp, protect);
		for (size_t p = 0; p < PORTS; p++)
			before[p] = rig_stat(dp, p, still);
		wrong += !more_traffic(dp);
		for (size_t p = 0; p < PORTS; p++)
			wrong += rig_stat(dp, p, still) != before[p];
	}
	match_image_free(dp_stop(dp));
	assert_int_equal(wrong, 0);
	for (size_t p = 0; p < PORTS; p++) {
		assert_true(rig_stat(dp, p, DP_STAT_PROTECTED) > 0);
		assert_true(rig_stat(dp, p, DP_STAT_DROPPED) > 0);
		rig_check_books(dp, p);
	}
	rig_free(dp);
	dp_protect_free(NULL);
}

/* Workers with nothing to do sleep; nobody waits until they wake. */
static void
test_publish_to_sleepers(void **state)
{
	char device[PORTS][512];
	struct diag diag = {0};
	struct match_image *old;
	uint64_t begin;
	struct dp *dp;

	(void)state;
	write_input("once.pcap");
	dp = make(device, "once.pcap", false);
	assert_int_equal(dp_publish(dp, NULL, &old), 0); /* before the start: nobody reads */
	assert_null(old);
	assert_int_equal(dp_start(dp, NULL, &diag), 0);
	rig_drain(dp);
	begin = now_ms();
	for (uint32_t i = 0; i < RELOADS; i++) {
		assert_int_equal(dp_publish(dp, drop_all(i), &old), 0);
		match_image_free(old);
	}
	/* 50 ms each would be the descheduling of a busy machine, not a sleep. */
	assert_true(now_ms() - begin < 50 * RELOADS);
	match_image_free(dp_stop(dp));
	rig_free(dp);
}

static void
test_slot_out_of_range(void **state)
{
	char device[PORTS][512];
	struct match_image *old = NULL, *image;
	struct dp *dp;

	(void)state;
	write_input("once.pcap");
	dp = make(device, "once.pcap", false);
	image = drop_all(DP_SLOTS_MAX);
	assert_int_equal(dp_publish(dp, image, &old), -E2BIG);
	assert_null(old);
	match_image_free(image);
	image = drop_all(DP_SLOTS_MAX - 1);
	assert_int_equal(dp_publish(dp, image, &old), 0);
	assert_int_equal(dp_publish(dp, NULL, &old), 0);
	assert_ptr_equal(old, image);
	match_image_free(old);
	rig_free(dp);
}

/* The highest slot is as good as any. */
static void
test_last_slot_counts(void **state)
{
	char device[PORTS][512];
	struct dp_rule_stats rule;
	struct diag diag = {0};
	struct dp *dp;

	(void)state;
	write_input("once.pcap");
	dp = make(device, "once.pcap", false);
	assert_int_equal(dp_start(dp, drop_all(DP_SLOTS_MAX - 1), &diag), 0);
	rig_drain(dp);
	match_image_free(dp_stop(dp));
	dp_rule_stats_get(dp, DP_SLOTS_MAX - 1, &rule);
	assert_int_equal(rule.dropped, 512);
	dp_rule_stats_get(dp, DP_SLOTS_MAX, &rule);
	assert_int_equal(rule.packets, 0);
	rig_free(dp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reload_under_traffic),
		cmocka_unit_test(test_protection_under_traffic),
		cmocka_unit_test(test_publish_to_sleepers),
		cmocka_unit_test(test_slot_out_of_range),
		cmocka_unit_test(test_last_slot_counts),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
