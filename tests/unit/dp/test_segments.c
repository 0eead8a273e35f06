// SPDX-License-Identifier: BSD-3-Clause
/*
 * Frames in one buffer and the same frames cut into many, anywhere, through a
 * worker each: rulesets of every family count the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/diag.h"
#include "base/util.h"
#include "family.h"
#include "rig.h"

#define RULES 120
#define FRAMES 500
#define SEGMENT_MAX 40 /* bytes */

struct frame {
	uint8_t bytes[FAMILY_FRAME_MAX];
	uint32_t len;
};

static struct rte_mempool *pool;
static struct rng rng;

/* A buffer chain of @f; @cut: of pieces of 0 to SEGMENT_MAX bytes. */
static struct rte_mbuf *
chain(const struct frame *f, bool cut)
{
	struct rte_mbuf *first = NULL, *last = NULL;
	uint32_t done = 0;

	while (first == NULL || done < f->len) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		const uint32_t left = f->len - done;
		const uint32_t n = cut ? MIN(left, rng_below(&rng, SEGMENT_MAX + 1)) : left;

		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), f->bytes + done, n);
		done += n;
		if (first == NULL) {
			first = last = m;
			continue;
		}
		last->next = m;
		last = m;
		first->nb_segs++;
		first->pkt_len += n;
	}
	return first;
}

static void
wait_received(struct dp *dp, uint64_t n)
{
	const struct timespec wait = {.tv_nsec = 1000000};

	for (int i = 0; i < 20000; i++) {
		if (rig_stat(dp, 0, DP_STAT_RX) >= n)
			return;
		/* lint: sleep: between looks, with a deadline; nobody signals this event */
		(void)nanosleep(&wait, NULL);
	}
	fail_msg("frames were not received within 20 s");
}

/* What each rule counts of @frames. */
static void
run(const struct match_rule *rules, const struct frame *frames, bool cut, struct dp_rule_stats *ret)
{
	static unsigned int runs;
	char device[64], ring_name[96];
	const struct dp_port_conf port = {
		.name = "a",
		.device = device,
		.queues = 1,
		.exception = DP_EXC_NONE,
		.exception_uid = (uid_t)-1,
	};
	const struct dp_conf conf = {.ports = &port, .n_ports = 1, .sample_snaplen = 128};
	struct match_image *image = NULL;
	struct diag diag = {0};
	struct rte_ring *ring;
	struct dp *dp;

	(void)snprintf(device, sizeof(device), "net_ring_%u", runs++);
	if (match_image_new(rules, RULES, MATCH_ENGINE_AUTO, &image, &diag) < 0)
		fail_msg("%s", diag.msg);
	dp = rig_dp(&conf);
	(void)snprintf(ring_name, sizeof(ring_name), "ETH_RXTX0_%s", device);
	ring = rte_ring_lookup(ring_name);
	assert_non_null(ring);
	if (dp_start(dp, image, &diag) < 0)
		fail_msg("%s", diag.msg);
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_int_equal(rte_ring_enqueue(ring, chain(&frames[i], cut)), 0);
	wait_received(dp, FRAMES);
	match_image_free(dp_stop(dp));
	for (uint32_t i = 0; i < RULES; i++)
		dp_rule_stats_get(dp, i, &ret[i]);
	rig_check_books(dp, 0);
	rig_free(dp);
}

static void
check_family(enum family_kind kind)
{
	static struct dp_rule_stats one[RULES], many[RULES];
	struct frame *frames = calloc(FRAMES, sizeof(*frames));
	static struct match_rule rules[RULES];
	const struct match_rule *drawn;
	struct family *f = NULL;
	struct diag diag = {0};
	uint64_t packets = 0;
	size_t n;

	assert_non_null(frames);
	if (family_new(kind, RULES, rng_next(&rng), &f, &diag) < 0)
		fail_msg("%s", diag.msg);
	family_set_ipv6(f, 15);
	drawn = family_rules(f, &n);
	memcpy(rules, drawn, sizeof(rules));
	for (uint32_t i = 0; i < RULES; i++)
		rules[i].action = (enum match_action)rng_below(&rng, 3);
	for (uint32_t i = 0; i < FRAMES; i++)
		frames[i].len = (uint32_t)(i % 3 == 0
				? family_near(f, rng_below(&rng, RULES), &rng, frames[i].bytes)
				: family_hit(f, rng_below(&rng, RULES), &rng, frames[i].bytes));
	run(rules, frames, false, one);
	run(rules, frames, true, many);
	for (uint32_t i = 0; i < RULES; i++) {
		packets += one[i].packets;
		one[i].last_hit_s = many[i].last_hit_s = 0;
		if (memcmp(&one[i], &many[i], sizeof(one[i])) != 0)
			fail_msg("%s, rule %u: in one piece %llu packets, in many %llu",
				family_name(kind), i, (unsigned long long)one[i].packets,
				(unsigned long long)many[i].packets);
	}
	print_message("%s: %llu matches\n", family_name(kind), (unsigned long long)packets);
	assert_true(packets >= FRAMES / 3);
	free(frames);
	family_free(f);
}

static void
pieces_do_not_matter(void **state)
{
	(void)state;
	pool = rte_pktmbuf_pool_create(
		"segments", 32767, 0, 0, RTE_PKTMBUF_HEADROOM + 1024, SOCKET_ID_ANY);
	assert_non_null(pool);
	for (int k = 0; k < FAMILY_KINDS; k++)
		check_family((enum family_kind)k);
	rte_mempool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_do_not_matter),
	};
	const char *seed = getenv("SLUICE_SEED");

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	printf("SLUICE_SEED=%llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
