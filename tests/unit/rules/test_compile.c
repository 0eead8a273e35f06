// SPDX-License-Identifier: BSD-3-Clause
/* From a ruleset to an image: rule for rule, slots for life, off where not in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/util.h"
#include "match/image.h"
#include "pkt/view.h"
#include "rules/ruleset.h"

static struct ruleset *
load(const char *text)
{
	const struct ruleset_opts opts = {.location = "lhr"};
	struct ini_doc *doc = NULL;
	struct ruleset *rs = NULL;
	struct diag d = {0};
	char buf[800];

	if (ini_load_text("t.ini", text, strlen(text), &doc, &d) < 0 ||
		ruleset_load(doc, &opts, &rs, &d) < 0)
		fail_msg("%s", diag_format(&d, buf, sizeof(buf)));
	ini_doc_free(doc);
	return rs;
}

static struct match_image *
compile(const struct ruleset *rs, struct rules_slots *slots)
{
	struct match_image *image = NULL;
	struct diag d = {0};

	assert_int_equal(ruleset_compile(rs, slots, MATCH_ENGINE_AUTO, &image, &d), 0);
	return image;
}

/* The rules that match an IPv4 UDP datagram from 192.0.2.1 to 10.0.0.1, as a string of digits. */
static const char *
all_matches(const struct match_image *image, char buf[32])
{
	static const uint8_t packet[] = {0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 10,
		0, 0, 1, 0x04, 0xd2, 0, 53, 0, 8, 0, 0};
	const uint8_t which = 0;
	struct pkt_view v;
	uint32_t at = 0;
	size_t n = 0;

	pkt_parse_ip(packet, sizeof(packet), sizeof(packet), &v);
	for (;;) {
		match_image_first(image, &v, &which, 1, 0, &at, &at);
		if (at == MATCH_NONE || n == 31)
			break;
		buf[n++] = (char)('0' + at++);
	}
	buf[n] = '\0';
	return buf;
}

static void
rules_in_force_match_in_order(void **state)
{
	struct ruleset *rs = load("[set none]\nprefixes =\n"
				  "[rule last]\nmatch = all\naction = drop\norder = 2000\n" /* 7 */
				  "[rule udp]\nproto = udp\naction = drop\n" /* 1 */
				  "[rule tcp]\nproto = tcp\naction = drop\n"
				  "[rule off]\nmatch = all\naction = drop\nenabled = no\n"
				  "[rule away]\nmatch = all\naction = drop\nlocations = ams\n"
				  "[rule unarmed]\ndst = none\naction = drop\n"
				  "[rule expr]\nexpr = dst host 10.0.0.1\naction = count\n" /* 6 */
				  "[rule first]\nmatch = all\naction = pass\norder = 0\n"); /* 0 */
	struct rules_slots *slots = NULL;
	struct match_image *image;
	char buf[32];

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	image = compile(rs, slots);
	assert_int_equal(match_image_count(image), 8);
	assert_string_equal(all_matches(image, buf), "0167");
	for (uint32_t i = 0; i < 8; i++) {
		const struct match_leaf *leaf = match_image_leaf(image, i);
		const struct ruleset_info *info = ruleset_info(rs, i);

		assert_string_equal(rules_slots_name(slots, leaf->slot), info->name);
		assert_int_equal(leaf->action, info->action);
		assert_int_equal(leaf->shadow, info->shadow);
	}
	match_image_free(image);
	ruleset_free(rs);
	rules_slots_free(slots);
}

static void
slots_stay_through_reloads(void **state)
{
	struct ruleset *before = load("[rule a]\nmatch = all\naction = drop\n"
				      "[rule b]\nmatch = all\naction = drop\n");
	struct ruleset *after = load("[rule new]\nmatch = all\naction = drop\n"
				     "[rule b]\nmatch = all\naction = pass\norder = 1\n");
	struct rules_slots *slots = NULL;
	struct match_image *one, *two;

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	one = compile(before, slots);
	two = compile(after, slots);
	assert_int_equal(match_image_leaf(one, 1)->slot, match_image_leaf(two, 0)->slot);
	assert_int_not_equal(match_image_leaf(one, 0)->slot, match_image_leaf(two, 1)->slot);
	assert_int_equal(rules_slots_count(slots), 3);
	match_image_free(one);
	match_image_free(two);
	ruleset_free(before);
	ruleset_free(after);
	rules_slots_free(slots);
}

static void
no_rules_are_an_image_too(void **state)
{
	struct ruleset *rs = load("");
	struct rules_slots *slots = NULL;
	struct match_image *image;
	char buf[32];

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	image = compile(rs, slots);
	assert_int_equal(match_image_count(image), 0);
	assert_string_equal(all_matches(image, buf), "");
	match_image_free(image);
	ruleset_free(rs);
	rules_slots_free(slots);
}

static void
memory_may_fail_anywhere(void **state)
{
	struct ruleset *rs = load("[rule a]\nmatch = dns *.www.example.uk\naction = drop\n"
				  "[rule b]\nexpr = udp\naction = drop\ndst = 10.0.0.0/8\n");

	(void)state;
	for (long n = 0;; n++) {
		struct rules_slots *slots = NULL;
		struct match_image *image = NULL;
		struct diag d = {0};
		int r;

		assert_int_equal(rules_slots_new(&slots), 0);
		mem_fault_set(n);
		r = ruleset_compile(rs, slots, MATCH_ENGINE_AUTO, &image, &d);
		mem_fault_set(-1);
		match_image_free(image);
		rules_slots_free(slots);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(image);
		assert_true(d.msg[0] != '\0');
	}
	ruleset_free(rs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_in_force_match_in_order),
		cmocka_unit_test(slots_stay_through_reloads),
		cmocka_unit_test(no_rules_are_an_image_too),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
