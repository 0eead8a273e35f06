// SPDX-License-Identifier: BSD-3-Clause
/* Every family: a rule's hits match it, near misses mostly do not, and an image agrees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "family.h"
#include "match/image.h"
#include "pkt/view.h"

#define RULES 150
#define FRAMES 4 /* of each way for each rule */

static uint64_t seed = 1;

/* Whether rule @i matches, by its bare program behind its class. */
static bool
matches(const struct family *f, size_t i, const struct pkt_view *v)
{
	const struct cbpf_prog *prog;

	if ((family_classes(f, v) >> family_class(f, i) & 1) == 0)
		return false;
	prog = family_prog(f, i, v->family);
	return prog != NULL && cbpf_run(prog, v->frame + v->l3_off, v->l3_caplen, v->l3_len) != 0;
}

static uint32_t
first(const struct family *f, size_t n, const struct pkt_view *v)
{
	for (uint32_t i = 0; i < n; i++)
		if (matches(f, i, v))
			return i;
	return MATCH_NONE;
}

static uint32_t
image_first(const struct match_image *image, const struct pkt_view *v)
{
	const uint8_t which = 0;
	uint32_t from = 0, ret;

	match_image_first(image, v, &which, 1, 0, &from, &ret);
	return ret;
}

static void
check_family(enum family_kind kind)
{
	struct family *f = NULL;
	struct match_image *image = NULL;
	const struct match_rule *rules;
	struct diag diag = {0};
	struct rng rng = {seed + 7};
	uint8_t buf[FAMILY_FRAME_MAX];
	uint32_t hits = 0, near = 0, miss = 0;
	size_t n;

	if (family_new(kind, RULES, seed, &f, &diag) < 0)
		fail_msg("%s: %s", family_name(kind), diag.msg);
	family_set_ipv6(f, 20);
	rules = family_rules(f, &n);
	assert_int_equal(n, RULES);
	assert_int_equal(match_image_new(rules, n, MATCH_ENGINE_AUTO, &image, &diag), 0);
	for (size_t i = 0; i < n * FRAMES; i++) {
		struct pkt_view v[3];
		uint32_t len;

		len = (uint32_t)family_hit(f, i % n, &rng, buf);
		assert_true(len > 0);
		pkt_parse_ether(buf, len, len, &v[0]);
		if (!matches(f, i % n, &v[0]) && hits + 10 < i)
			fail_msg("%s: no hit: %s", family_name(kind), family_text(f, i % n));
		hits += matches(f, i % n, &v[0]);
		assert_int_equal(image_first(image, &v[0]), first(f, n, &v[0]));
		len = (uint32_t)family_near(f, i % n, &rng, buf);
		pkt_parse_ether(buf, len, len, &v[1]);
		near += matches(f, i % n, &v[1]);
		assert_int_equal(image_first(image, &v[1]), first(f, n, &v[1]));
		len = (uint32_t)family_frame(f, FAMILY_MISS, &rng, buf);
		pkt_parse_ether(buf, len, len, &v[2]);
		miss += first(f, n, &v[2]) != MATCH_NONE;
	}
	printf("%-16s hits %u near %u miss %u of %zu\n", family_name(kind), hits, near, miss,
		n * FRAMES);
	assert_true(hits == n * FRAMES);
	/* Arithmetic may lose the one bit that differs. */
	assert_true(near < n * FRAMES * (kind == FAMILY_IRREGULAR ? 3 : 1) / 10);
	/* Of random five-tuples a few meet a wide rule. */
	assert_true(miss <
		n * FRAMES / (kind >= FAMILY_TUPLE_ACL && kind <= FAMILY_TUPLE_IPC ? 2 : 20));
	match_image_free(image);
	family_free(f);
}

static void
test_families(void **state)
{
	(void)state;
	for (int k = 0; k < FAMILY_KINDS; k++)
		check_family((enum family_kind)k);
}

/* A flood hits one rule, uniform traffic many; the same seed gives the same. */
static void
test_traffic(void **state)
{
	uint32_t last = 0, distinct = 0;
	bool seen[RULES] = {false};
	uint8_t buf[FAMILY_FRAME_MAX], again[FAMILY_FRAME_MAX];
	struct family *f = NULL, *g = NULL;
	struct rng a = {3}, b = {3};
	struct diag diag = {0};

	(void)state;
	assert_int_equal(family_new(FAMILY_MIXED, RULES, seed, &f, &diag), 0);
	assert_int_equal(family_new(FAMILY_MIXED, RULES, seed, &g, &diag), 0);
	for (int t = 0; t < FAMILY_TRAFFICS; t++)
		for (int i = 0; i < 1000; i++) {
			struct pkt_view v;
			uint32_t len = (uint32_t)family_frame(f, (enum family_traffic)t, &a, buf);
			uint32_t hit;

			assert_int_equal(len, family_frame(g, (enum family_traffic)t, &b, again));
			assert_memory_equal(buf, again, len);
			pkt_parse_ether(buf, len, len, &v);
			hit = first(f, RULES, &v);
			if (t == FAMILY_FLOOD)
				last += hit == RULES - 1;
			if (t == FAMILY_UNIFORM && hit != MATCH_NONE && !seen[hit]) {
				seen[hit] = true;
				distinct++;
			}
		}
	assert_in_range(last, 950, 990);
	assert_in_range(distinct, RULES * 9 / 10, RULES);
	assert_string_equal(family_text(f, 3), family_text(g, 3));
	family_free(f);
	family_free(g);
}

/* Out of memory leaves nothing behind. */
static void
test_memory(void **state)
{
	struct family *f = NULL;
	struct diag diag = {0};
	long n = 0;
	int r;

	(void)state;
	do {
		(void)mem_fault_set(n);
		r = family_new(FAMILY_MIXED_RANGES, 12, 5, &f, &diag);
		(void)mem_fault_set(-1);
		assert_true(r == 0 || r == -12);
		n++;
	} while (r != 0 && n < 100000);
	family_free(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_traffic),
		cmocka_unit_test(test_memory),
	};
	const char *text = getenv("SLUICE_SEED");

	if (text != NULL)
		seed = strtoull(text, NULL, 0);
	printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
