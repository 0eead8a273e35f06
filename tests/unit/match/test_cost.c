// SPDX-License-Identifier: BSD-3-Clause
/*
 * What rules are said to cost and to be compiled to: frames made of rules' constants
 * match them, so that what is measured is what the rule costs; every allocation fails
 * once; an image that updates made is told of, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "family.h"
#include "match/cost.h"
#include "match/dump.h"
#include "match/image.h"
#include "match/report.h"
#include "match/rule.h"

#define RULES 150

static struct match_rule *rules;
static size_t n_rules;
static struct family *family;

static struct match_image *
begin(enum family_kind kind, size_t n)
{
	struct match_image *image = NULL;
	struct diag diag = {0};
	const struct match_rule *base;

	if (family_new(kind, n, 11, &family, &diag) != 0)
		fail_msg("%s", diag.msg);
	base = family_rules(family, &n_rules);
	rules = calloc(n_rules, sizeof(*rules));
	memcpy(rules, base, n_rules * sizeof(*rules));
	for (size_t i = 0; i < n_rules; i++)
		rules[i].name = family_text(family, i);
	assert_int_equal(match_image_new(rules, n_rules, MATCH_ENGINE_AUTO, &image, &diag), 0);
	return image;
}

static void
end(struct match_image *image)
{
	match_image_free(image);
	free(rules);
	family_free(family);
}

/* In percent, how many frames made of a rule's constants match it, or one before it. */
static const struct {
	enum family_kind kind;
	uint32_t hits;
} families[] = {
	{FAMILY_DNS_EXACT, 95},
	{FAMILY_DNS_WILDCARD, 50},
	{FAMILY_DNS_IGNORECASE, 95},
	{FAMILY_P0F, 70},
	{FAMILY_SUFFIX, 95},
	{FAMILY_PAYLOAD, 95},
	{FAMILY_TUPLE_ACL, 90},
	{FAMILY_TUPLE_FW, 90},
	{FAMILY_EXPRESSIONS, 75},
	{FAMILY_IRREGULAR, 0},
	{FAMILY_MIXED, 60},
};

static void
frames_match_the_rules_they_are_made_of(void **state)
{
	(void)state;
	for (size_t k = 0; k < DIM(families); k++) {
		struct match_image *image = begin(families[k].kind, RULES);
		struct match_cost c;
		uint32_t hits = 0, measured = 0;

		assert_int_equal(match_cost_measure(image, rules, &c), 0);
		assert_int_equal(c.n, n_rules);
		for (size_t i = 0; i < c.n; i++) {
			hits += c.rules[i].hit;
			measured += c.rules[i].measured;
			assert_true(!c.rules[i].measured || c.rules[i].ns > 0);
			assert_true(c.rules[i].ns <= c.worst_ns);
		}
		print_message(
			"%-16s %u of %zu measured, %u hit; miss %.1f, mean %.1f, worst %.1f ns\n",
			family_name(families[k].kind), measured, c.n, hits, c.miss_ns, c.mean_ns,
			c.worst_ns);
		assert_true(hits * 100 >= families[k].hits * n_rules);
		assert_true(c.bytes > n_rules * 64);
		match_cost_fini(&c);
		end(image);
	}
}

/* Measuring ends in time, and who was not measured is told of all the same. */
static void
there_is_a_limit_to_the_time(void **state)
{
	struct match_image *image = begin(FAMILY_IRREGULAR, 3000);
	struct match_cost c;

	(void)state;
	assert_int_equal(match_cost_measure(image, rules, &c), 0);
	for (size_t i = 0; i < c.n; i++)
		assert_true(c.rules[i].ns > 0);
	match_cost_fini(&c);
	end(image);
}

static void
all_is_told(void **state)
{
	struct match_image *image = begin(FAMILY_MIXED_RANGES, RULES);
	struct sbuf text = SBUF_INIT, one = SBUF_INIT;
	struct match_cost c;

	(void)state;
	assert_int_equal(match_cost_measure(image, rules, &c), 0);
	match_cost_text(image, rules, &c, MATCH_NONE, &text);
	match_cost_json(image, rules, &c, MATCH_NONE, &text);
	match_cost_text(image, rules, &c, 7, &one);
	assert_true(sbuf_ok(&text) && sbuf_ok(&one));
	assert_non_null(strstr(sbuf_str(&text), "150 rules: "));
	assert_non_null(strstr(sbuf_str(&text), "build: scopes "));
	assert_non_null(strstr(sbuf_str(&text), "\"image\":{\"rules\":150,"));
	for (size_t i = 0; i < n_rules; i++)
		assert_non_null(strstr(sbuf_str(&text), rules[i].name));
	assert_null(strstr(sbuf_str(&one), rules[8].name));
	match_cost_fini(&c);
	sbuf_fini(&text);
	sbuf_fini(&one);
	end(image);
}

static void
stages_are_told_alone_and_together(void **state)
{
	struct match_image *image = begin(FAMILY_MIXED_RANGES, RULES);
	struct sbuf all = SBUF_INIT;

	(void)state;
	assert_int_equal(match_dump(image, rules, MATCH_STAGES, MATCH_NONE, &all), 0);
	for (int s = 0; s < MATCH_STAGES; s++) {
		struct sbuf one = SBUF_INIT, rule = SBUF_INIT;

		assert_int_equal(
			match_dump(image, rules, (enum match_stage)s, MATCH_NONE, &one), 0);
		assert_int_equal(match_dump(image, rules, (enum match_stage)s, 3, &rule), 0);
		assert_true(sbuf_ok(&one) && one.len > 0);
		assert_true(rule.len < one.len);
		assert_non_null(strstr(sbuf_str(&all), sbuf_str(&one)));
		assert_non_null(strstr(sbuf_str(&all), match_stage_name((enum match_stage)s)));
		sbuf_fini(&one);
		sbuf_fini(&rule);
	}
	assert_null(match_stage_name(MATCH_STAGES));
	sbuf_fini(&all);
	end(image);
}

/* How often @line starts a line of @text, and the sum of the numbers behind @word on these. */
static size_t
lines_of(const char *text, const char *line, const char *word, unsigned long *ret_sum)
{
	size_t n = 0;

	*ret_sum = 0;
	for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, line, strlen(line)) != 0)
			continue;
		n++;
		*ret_sum += strtoul(strstr(at, word) + strlen(word), NULL, 10);
	}
	return n;
}

/* A rule of several conditions may be in several tables, and in lists. */
static void
a_rule_is_told_of_with_all_its_tables(void **state)
{
	static const char *const lines[][2] = {{"table ", ": hash, "}, {"list ", ": "}};
	struct match_image *image = begin(FAMILY_MIXED, RULES);
	size_t seen[DIM(lines)] = {0};
	struct sbuf all = SBUF_INIT;
	unsigned long sum;

	(void)state;
	for (uint32_t i = 0; i < n_rules; i++) {
		struct sbuf one = SBUF_INIT;

		assert_int_equal(match_dump(image, rules, MATCH_STAGE_TABLES, i, &one), 0);
		for (size_t k = 0; k < DIM(lines); k++)
			seen[k] += lines_of(sbuf_str(&one), lines[k][0], lines[k][1], &sum);
		sbuf_fini(&one);
	}
	assert_int_equal(match_dump(image, rules, MATCH_STAGE_TABLES, MATCH_NONE, &all), 0);
	for (size_t k = 0; k < DIM(lines); k++) {
		(void)lines_of(sbuf_str(&all), lines[k][0], lines[k][1], &sum);
		assert_int_equal(seen[k], sum);
	}
	assert_true(seen[0] > 0);
	sbuf_fini(&all);
	end(image);
}

/* One rule is gone and one is new: the image has parts. */
static void
updated_images_are_told_of(void **state)
{
	struct match_image *image = begin(FAMILY_DNS_EXACT, 400), *next = NULL;
	const struct match_rule *list[400];
	struct match_rule now[400];
	struct sbuf text = SBUF_INIT;
	struct match_cost c;
	uint32_t was[400];

	(void)state;
	for (uint32_t i = 0; i < 400; i++) {
		now[i] = rules[i];
		list[i] = &now[i];
		was[i] = i;
	}
	was[5] = MATCH_NONE;
	if (match_image_update(image, list, was, 400, MATCH_ENGINE_AUTO, &next, NULL) == 0) {
		assert_true(match_image_is_updated(next));
		assert_int_equal(match_cost_measure(next, now, &c), 0);
		assert_true(c.rules[5].ns > 0 && c.rules[5].hit);
		assert_int_equal(match_dump(next, now, MATCH_STAGES, MATCH_NONE, &text), 0);
		assert_non_null(strstr(sbuf_str(&text), "400 rules in "));
		match_cost_fini(&c);
		sbuf_fini(&text);
		match_image_free(next);
	}
	end(image);
}

static void
a_failed_allocation_leaves_nothing(void **state)
{
	struct match_image *image = begin(FAMILY_MIXED_RANGES, 40);
	long n = 0;
	int r;

	(void)state;
	do {
		struct match_cost c = {0};

		mem_fault_set(n++);
		r = match_cost_measure(image, rules, &c);
		(void)mem_fault_set(-1);
		if (r == 0)
			match_cost_fini(&c);
		else
			assert_int_equal(r, -12 /* ENOMEM */);
	} while (r != 0);
	assert_true(n > 5);
	n = 0;
	do {
		struct sbuf text = SBUF_INIT;

		mem_fault_set(n++);
		r = match_dump(image, rules, MATCH_STAGES, MATCH_NONE, &text);
		(void)mem_fault_set(-1);
		if (r == 0 && !sbuf_ok(&text))
			r = -12;
		if (r != 0)
			assert_int_equal(r, -12);
		sbuf_fini(&text);
	} while (r != 0);
	assert_true(n > 20);
	end(image);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_match_the_rules_they_are_made_of),
		cmocka_unit_test(there_is_a_limit_to_the_time),
		cmocka_unit_test(all_is_told),
		cmocka_unit_test(stages_are_told_alone_and_together),
		cmocka_unit_test(a_rule_is_told_of_with_all_its_tables),
		cmocka_unit_test(updated_images_are_told_of),
		cmocka_unit_test(a_failed_allocation_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
