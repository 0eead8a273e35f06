// SPDX-License-Identifier: BSD-3-Clause
/* Building images: limits, memory that runs out, large sets; and switching rules while they run. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <errno.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/build.h"
#include "pkt/view.h"
#include "quick.h"
#include "ref.h"
#include "world.h"

static const struct match_rule all_rule = {
	.name = "all",
	.action = MATCH_DROP,
	.enabled = true,
	.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
	.scope_only = true,
};

/* An IPv4 datagram from @src to @dst, no more than its header. */
static void
make_view4(uint32_t src, uint32_t dst, uint8_t buf[20], struct pkt_view *ret)
{
	static const uint8_t header[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 59};

	memcpy(buf, header, 20);
	store_be32(buf + 12, src);
	store_be32(buf + 16, dst);
	pkt_parse_ip(buf, 20, 20, ret);
}

static bool
matches(const struct match_image *image, const struct pkt_view *view)
{
	const uint32_t from = 0;
	const uint8_t which = 0;
	uint32_t got;

	match_image_first(image, view, &which, 1, 0, &from, &got);
	return got != MATCH_NONE;
}

static void
too_many_rules_are_refused(void **state)
{
	struct match_rule *rules = calloc(MATCH_RULES_MAX + 1, sizeof(*rules));
	struct match_image *image = NULL;
	struct diag diag = {0};

	(void)state;
	for (size_t i = 0; i <= MATCH_RULES_MAX; i++)
		rules[i] = all_rule;
	assert_int_equal(
		match_image_new(rules, MATCH_RULES_MAX + 1, MATCH_ENGINE_AUTO, &image, &diag),
		-E2BIG);
	assert_null(image);
	assert_true(diag.msg[0] != '\0');
	assert_int_equal(
		match_image_new(rules, MATCH_RULES_MAX, MATCH_ENGINE_AUTO, &image, &diag), 0);
	match_image_enable(image, MATCH_RULES_MAX, false); /* no such rule: nothing happens */
	match_image_free(image);
	free(rules);
}

static void
every_allocation_may_fail(void **state)
{
	static const enum match_engine engines[] = {MATCH_ENGINE_INTERP, MATCH_ENGINE_AUTO};
	struct world_rules *rules = malloc(sizeof(*rules));

	(void)state;
	world_rules_make(rules, 40);
	for (size_t e = 0; e < DIM(engines); e++) {
		struct match_image *image = NULL;

		for (long n = 0;; n++) {
			struct diag diag = {0};
			int r;

			mem_fault_set(n);
			r = match_image_new(rules->v, rules->n, engines[e], &image, &diag);
			if (mem_fault_set(-1) <= n) {
				assert_int_equal(r, 0);
				break;
			}
			assert_int_equal(r, -ENOMEM);
			assert_null(image);
			assert_true(diag.msg[0] != '\0');
		}
		match_image_free(image);
	}
	world_rules_fini(rules);
	free(rules);
}

/* Adjacent, nested, at both ends of the space, in any order. */
static void
prefixes_hold_to_the_bit(void **state)
{
	static const struct ip_prefix list[] = {
		{{4, {255, 255, 255, 255}}, 32},
		{{4, {10, 1, 0, 0}}, 16},
		{{4, {10, 1, 2, 0}}, 24},
		{{4, {10, 2, 0, 0}}, 31},
		{{4, {0, 0, 0, 0}}, 32},
		{{6, {0}}, 128},
		{{6, {0x20, 0x01, 0x0d, 0xb8}}, 32},
		{{6, {0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0, 0x80}}, 65},
	};
	static const struct {
		uint32_t dst;
		bool want;
	} cases[] = {{0, true}, {1, false}, {0x0a00ffff, false}, {0x0a010000, true},
		{0x0a0102ff, true}, {0x0a010300, true}, {0x0a01ffff, true}, {0x0a020000, true},
		{0x0a020001, true}, {0x0a020002, false}, {0xfffffffe, false}, {0xffffffff, true}};
	static const struct {
		uint8_t dst[16];
		bool want;
	} cases6[] = {
		{{0}, true},
		{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, false},
		{{0x20, 0x01, 0x0d, 0xb7, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
			 255},
			false},
		{{0x20, 0x01, 0x0d, 0xb8}, true},
		{{0x20, 0x01, 0x0d, 0xb8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
			 255},
			true},
		{{0x20, 0x01, 0x0d, 0xb9}, false},
		{{0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255},
			false},
		{{0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0, 0x80}, true},
		{{0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255},
			true},
		{{0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 1}, false},
	};
	struct match_image *image = NULL;
	struct match_rule rule = all_rule;
	struct pkt_view view;
	uint8_t buf[40] = {0x60, 0, 0, 0, 0, 0, 59, 64};

	(void)state;
	rule.scope.dst = (struct match_prefixes){false, list, DIM(list)};
	assert_int_equal(match_image_new(&rule, 1, MATCH_ENGINE_INTERP, &image, NULL), 0);
	for (size_t i = 0; i < DIM(cases6); i++) {
		memcpy(buf + 24, cases6[i].dst, 16);
		pkt_parse_ip(buf, sizeof(buf), sizeof(buf), &view);
		assert_int_equal(matches(image, &view), cases6[i].want);
	}
	for (size_t i = 0; i < DIM(cases); i++) {
		make_view4(0x01020304, cases[i].dst, buf, &view);
		assert_int_equal(matches(image, &view), cases[i].want);
	}
	match_image_free(image);
}

/* A million prefixes of both families: right, and found without a walk. */
static void
a_large_set_is_right(void **state)
{
	enum { N = 1000000 };
	struct ip_prefix *list = calloc(N, sizeof(*list));
	struct match_image *image = NULL;
	struct match_rule rule = all_rule;
	struct pkt_view view;
	uint8_t buf[40] = {0};
	size_t found = 0;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		/* Every other /24 of 64.0.0.0/3; every other /48 of 2001::/16. */
		if (i % 2 == 0)
			store_be32(list[i].addr.bytes, 0x40000000 + (i << 8));
		else
			store_be32(list[i].addr.bytes, 0x20010000);
		if (i % 2 != 0)
			store_be32(list[i].addr.bytes + 2, i << 1);
		list[i].addr.bytes[0] = i % 2 == 0 ? list[i].addr.bytes[0] : 0x20;
		list[i].addr.family = i % 2 == 0 ? 4 : 6;
		list[i].len = i % 2 == 0 ? 24 : 48;
	}
	rule.scope.src = (struct match_prefixes){false, list, N};
	assert_int_equal(match_image_new(&rule, 1, MATCH_ENGINE_INTERP, &image, NULL), 0);
	for (uint32_t i = 0; i < 200000; i++) {
		const uint32_t src = (uint32_t)rng_next(&world_rng);
		const bool want =
			src >= 0x40000000 && src < 0x40000000 + (N << 8) && (src >> 8) % 2 == 0;

		make_view4(src, 1, buf, &view);
		assert_int_equal(matches(image, &view), want);
		found += want;
	}
	assert_true(found > 1000);
	for (uint32_t i = 0; i < 10000; i++) {
		const uint32_t k = rng_below(&world_rng, N);

		memset(buf, 0, sizeof(buf));
		buf[0] = 0x60;
		buf[6] = 59;
		memcpy(buf + 8, list[k].addr.bytes, list[k].addr.family == 4 ? 4 : 16);
		buf[23] = 77;
		pkt_parse_ip(buf, 40, 40, &view);
		assert_int_equal(matches(image, &view), list[k].addr.family == 6);
	}
	match_image_free(image);
	free(list);
}

/* An image keeps nothing of what it was made from. */
static void
rules_are_only_borrowed(void **state)
{
	static const enum match_engine engines[] = {MATCH_ENGINE_INTERP, MATCH_ENGINE_AUTO};

	(void)state;
	for (size_t e = 0; e < DIM(engines); e++) {
		struct cbpf_prog *prog = world_prog("ip[9] = 59", 12, 4);
		struct u16_range *proto = malloc(sizeof(*proto));
		struct ip_prefix *dst = calloc(1, sizeof(*dst));
		struct match_rule *rule = malloc(sizeof(*rule));
		struct match_image *image = NULL;
		struct pkt_view view;
		uint8_t buf[20];

		*rule = all_rule;
		rule->scope_only = false;
		rule->prog[0] = prog;
		*proto = (struct u16_range){50, 60};
		*dst = (struct ip_prefix){{4, {10}}, 8};
		rule->scope.proto = (struct match_ranges){proto, 1};
		rule->scope.dst = (struct match_prefixes){false, dst, 1};
		assert_int_equal(match_image_new(rule, 1, engines[e], &image, NULL), 0);
		cbpf_prog_free(prog);
		free(proto);
		free(dst);
		free(rule);
		make_view4(1, 0x0a000001, buf, &view);
		assert_true(matches(image, &view));
		make_view4(1, 0x0b000001, buf, &view);
		assert_false(matches(image, &view));
		match_image_free(image);
	}
}

/* ---- switching while others search ---- */

struct shared {
	struct match_image *image;
	atomic_bool stop; /* written by the test, read by the searchers, relaxed */
};

struct searcher {
	struct shared *shared;
	pthread_t thread;
	atomic_uint_fast64_t bursts; /* written by the searcher, read by the test, relaxed */
	atomic_uint_fast64_t seen[3]; /* first match: rule 0, rule 1, none; as bursts */
	bool wrong;
};

static void *
search(void *arg)
{
	struct searcher *s = arg;
	uint8_t buf[20];
	uint8_t which[MATCH_BURST];
	struct pkt_view views[MATCH_BURST];
	uint32_t from[MATCH_BURST] = {0}, got[MATCH_BURST];

	for (uint32_t i = 0; i < MATCH_BURST; i++) {
		which[i] = (uint8_t)i;
		make_view4(1, 2, buf, &views[i]);
	}
	while (!atomic_load_explicit(&s->shared->stop, memory_order_relaxed)) {
		match_image_first(s->shared->image, views, which, MATCH_BURST, 0, from, got);
		for (uint32_t i = 0; i < MATCH_BURST; i++) {
			/* One look at a state word per burst: all frames see the same. */
			s->wrong |= got[i] != got[0] || (got[i] > 1 && got[i] != MATCH_NONE);
		}
		atomic_fetch_add_explicit(&s->seen[MIN(got[0], 2)], 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->bursts, 1, memory_order_relaxed);
	}
	return NULL;
}

/* Enough bursts, and every state seen: on a busy machine a searcher may miss some for long. */
static bool
searched(struct searcher *s, uint64_t bursts)
{
	bool done = atomic_load_explicit(&s->bursts, memory_order_relaxed) >= bursts;

	for (size_t i = 0; i < DIM(s->seen); i++)
		done = done && atomic_load_explicit(&s->seen[i], memory_order_relaxed) > 0;
	return done;
}

static void
rules_switch_under_searches(void **state)
{
	struct match_rule rules[2] = {all_rule, all_rule};
	struct shared shared = {.image = NULL};
	struct searcher s[2] = {{.shared = &shared}, {.shared = &shared}};
	const uint64_t bursts = getenv("SLUICE_LONG") != NULL ? 5000000 : QUICK(100000);
	const time_t deadline = time(NULL) + 60;

	(void)state;
	assert_int_equal(match_image_new(rules, 2, MATCH_ENGINE_AUTO, &shared.image, NULL), 0);
	for (size_t i = 0; i < DIM(s); i++)
		assert_int_equal(pthread_create(&s[i].thread, NULL, search, &s[i]), 0);
	while ((!searched(&s[0], bursts) || !searched(&s[1], bursts)) && time(NULL) < deadline)
		match_image_enable(shared.image, rng_below(&world_rng, 2), world_percent(50));
	atomic_store_explicit(&shared.stop, true, memory_order_relaxed);
	for (size_t i = 0; i < DIM(s); i++) {
		pthread_join(s[i].thread, NULL);
		assert_false(s[i].wrong);
		assert_true(searched(&s[i], 1));
		print_message("searcher %zu: first rule %llu, second %llu, none %llu\n", i,
			(unsigned long long)s[i].seen[0], (unsigned long long)s[i].seen[1],
			(unsigned long long)s[i].seen[2]);
	}
	match_image_free(shared.image);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_many_rules_are_refused),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(prefixes_hold_to_the_bit),
		cmocka_unit_test(a_large_set_is_right),
		cmocka_unit_test(rules_are_only_borrowed),
		cmocka_unit_test(rules_switch_under_searches),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
