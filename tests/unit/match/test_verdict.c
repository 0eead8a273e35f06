// SPDX-License-Identifier: BSD-3-Clause
/* What deciding, transparent, shadow, the bound on transparent rules and protection come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/build.h"
#include "pkt/view.h"

#define RULES_MAX 40

/*
 * A rule is a letter: D drop, P pass, C count, d and p the same in shadow, x a
 * drop that is not in force, n a drop that does not match. What is expected is
 * a word a rule: what it counts (- nothing, m matched, d dropped, w would have
 * dropped, W and the frame passed, v prevented for a vital frame).
 */
static const struct row {
	const char *rules, *counts;
	char verdict; /* D or P */
	int index, shadow; /* rules, -1: none */
	bool vital, panic; /* the frame is vital; enforcement is off */
	uint32_t overflow;
} rows[] = {
	/* clang-format off */
	{"",		"",		'P', -1, -1, false, false, 0},
	{"D",		"d",		'D',  0, -1, false, false, 0},
	{"P",		"m",		'P',  0, -1, false, false, 0},
	{"C",		"m",		'P', -1, -1, false, false, 0},
	{"PD",		"m-",		'P',  0, -1, false, false, 0},
	{"DP",		"d-",		'D',  0, -1, false, false, 0},
	{"CD",		"md",		'D',  1, -1, false, false, 0},
	{"d",		"W",		'P', -1,  0, false, false, 0},
	{"p",		"m",		'P', -1,  0, false, false, 0},
	{"dD",		"wd",		'D',  1,  0, false, false, 0},
	{"dP",		"Wm",		'P',  1,  0, false, false, 0},
	{"pD",		"md",		'D',  1,  0, false, false, 0},
	{"CpdD",	"mmwd",		'D',  3,  1, false, false, 0},
	{"ddP",		"WWm",		'P',  2,  0, false, false, 0},
	{"xD",		"-d",		'D',  1, -1, false, false, 0},
	{"nD",		"-d",		'D',  1, -1, false, false, 0},
	{"x",		"-",		'P', -1, -1, false, false, 0},
	/* Protection: the rule decides, the frame passes. */
	{"D",		"v",		'P',  0, -1, true,  false, 0},
	{"DD",		"v-",		'P',  0, -1, true,  false, 0},
	{"P",		"m",		'P',  0, -1, true,  false, 0},
	{"d",		"W",		'P', -1,  0, true,  false, 0},
	{"dD",		"Wv",		'P',  1,  0, true,  false, 0},
	/* The panic handle: every rule as in shadow. */
	{"D",		"W",		'P', -1,  0, false, true,  0},
	{"PDC",		"mWm",		'P', -1,  0, false, true,  0},
	{"CDD",		"mWW",		'P', -1,  1, true,  true,  0},
	/* Sixteen transparent rules, and then only those that decide. */
	{"CCCCCCCCCCCCCCCC",		"mmmmmmmmmmmmmmmm",	'P', -1, -1, false, false, 0},
	{"CCCCCCCCCCCCCCCD",		"mmmmmmmmmmmmmmmd",	'D', 15, -1, false, false, 0},
	{"CCCCCCCCCCCCCCCCD",		"mmmmmmmmmmmmmmmmd",	'D', 16, -1, false, false, 1},
	{"CCCCCCCCCCCCCCCCCD",		"mmmmmmmmmmmmmmmm-d",	'D', 17, -1, false, false, 1},
	{"CCCCCCCCCCCCCCCCdCP",		"mmmmmmmmmmmmmmmm--m",	'P', 18, -1, false, false, 1},
	{"CCCCCCCCCCCCCCCdn",		"mmmmmmmmmmmmmmmW-",	'P', -1, 15, false, false, 1},
	{"dddddddddddddddddddD",	"wwwwwwwwwwwwwwww---d",	'D', 19,  0, false, false, 1},
	{"DDDDDDDDDDDDDDDDDDDD",	"WWWWWWWWWWWWWWWW----",	'P', -1,  0, false, true,  1},
	/* clang-format on */
};

/* A UDP query of @dport behind Ethernet, tagged or not: 28 + 4 bytes of IP, padded. */
static void
make_view(uint8_t buf[128], uint16_t dport, struct pkt_view *ret)
{
	static const uint8_t mac[6] = {2};
	struct pkt_build b;

	memset(buf, 0, 128);
	pkt_build_init(&b, buf, 128);
	pkt_build_ether(&b, mac, mac);
	pkt_build_ip4(&b, &(struct pkt_ip4){.src = 1, .dst = 2, .ttl = 64});
	pkt_build_udp(&b, 1, dport);
	pkt_build_bytes(&b, "abcd", 4);
	assert_int_equal(pkt_build_done(&b), 46);
	pkt_parse_ether(buf, 60, 60, ret);
}

static struct match_image *
make_image(const char *letters)
{
	static const struct u16_range port53 = {53, 53}, port54 = {54, 54};
	struct match_rule rules[RULES_MAX];
	struct match_image *image = NULL;
	size_t n = strlen(letters);

	for (size_t i = 0; i < n; i++) {
		const char c = letters[i];

		rules[i] = (struct match_rule){
			.name = "r",
			.slot = (uint32_t)(RULES_MAX - 1 - i),
			.action = strchr("Dd", c) != NULL ? MATCH_DROP
				: strchr("Pp", c) != NULL ? MATCH_PASS
							  : MATCH_COUNT,
			.shadow = strchr("dp", c) != NULL,
			.enabled = c != 'x',
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.scope_only = true,
		};
		if (c == 'x' || c == 'n')
			rules[i].action = MATCH_DROP;
		rules[i].scope.dport = (struct match_ranges){c == 'n' ? &port54 : &port53, 1};
	}
	assert_int_equal(match_image_new(rules, n, MATCH_ENGINE_INTERP, &image, NULL), 0);
	return image;
}

/* @c counts what @what says of @n frames of 32 bytes of IP, and nothing else. */
static void
check_counters(const struct match_counters *c, char what, uint64_t n, const char *row)
{
	const bool matched = what != '-';
	const struct {
		uint64_t got, want;
	} pairs[] = {
		{c->packets, matched ? n : 0},
		{c->bytes, matched ? n * 32 : 0},
		{c->last_hit_s, matched && n > 0 ? 99 : 0},
		{c->dropped, what == 'd' ? n : 0},
		{c->would_drop, what == 'w' || what == 'W' ? n : 0},
		{c->would_drop_passed, what == 'W' ? n : 0},
		{c->prot, what == 'v' ? n : 0},
		{c->limited, 0},
	};

	for (size_t i = 0; i < DIM(pairs); i++)
		if (pairs[i].got != pairs[i].want)
			fail_msg("'%s': counter %zu is %llu, not %llu", row, i,
				(unsigned long long)pairs[i].got,
				(unsigned long long)pairs[i].want);
}

/* @n equal frames and another that no rule matches, so that bursts are mixed. */
static void
check_row(const struct row *row, uint32_t n)
{
	struct match_counters *counters =
		mem_zalloc_aligned(64, RULES_MAX * sizeof(struct match_counters));
	struct match_image *image = make_image(row->rules);
	struct match_verdict v[MATCH_BURST];
	struct match_notes notes = {0};
	struct pkt_view views[MATCH_BURST];
	uint8_t buf[2][128];

	for (uint32_t i = 0; i < n; i++)
		make_view(buf[i == n / 2], i == n / 2 ? 80 : 53, &views[i]);
	match_verdicts(image, views, n, 0, row->vital ? UINT64_MAX : 0, !row->panic, counters, 99,
		v, &notes);

	for (uint32_t i = 0; i < n; i++) {
		const bool other = i == n / 2;
		const uint32_t index = other || row->index < 0 ? MATCH_NONE : (uint32_t)row->index;
		const uint32_t shadow = other || row->shadow < 0
			? MATCH_NONE
			: (uint32_t)(RULES_MAX - 1 - row->shadow);

		if (v[i].index != index || v[i].shadow_slot != shadow ||
			v[i].slot != (index == MATCH_NONE ? MATCH_NONE : RULES_MAX - 1 - index) ||
			(v[i].kind == MATCH_VERDICT_DROP) != (!other && row->verdict == 'D'))
			fail_msg("'%s': frame %u of %u: kind %u, rule %d, shadow slot %d",
				row->rules, i, n, v[i].kind, (int)v[i].index,
				(int)v[i].shadow_slot);
		assert_int_equal(v[i].is_protected, !other && strchr(row->counts, 'v') != NULL);
	}
	for (size_t i = 0; i < strlen(row->rules); i++)
		check_counters(&counters[RULES_MAX - 1 - i], row->counts[i], n - 1, row->rules);
	assert_int_equal(notes.transparent_overflow, row->overflow * (n - 1));
	assert_int_equal(notes.is_protected, strchr(row->counts, 'v') != NULL ? n - 1 : 0);
	match_image_free(image);
	mem_free(counters);
}

static void
verdicts_are_the_tables(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 17, 33, 64};

	(void)state;
	for (size_t i = 0; i < DIM(rows); i++)
		for (size_t j = 0; j < DIM(sizes); j++)
			check_row(&rows[i], sizes[j]);
}

/* Bytes are the IP length; of what is not IP, the length on the wire. */
static void
bytes_are_ip_bytes(void **state)
{
	static const struct match_rule all = {
		.name = "all",
		.action = MATCH_DROP,
		.enabled = true,
		.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
		.scope_only = true,
	};
	struct match_counters *counters = mem_zalloc_aligned(64, sizeof(*counters));
	struct match_image *image = NULL;
	struct match_verdict v[2];
	struct match_notes notes = {0};
	struct pkt_view views[2];
	uint8_t buf[2][128];

	(void)state;
	assert_int_equal(match_image_new(&all, 1, MATCH_ENGINE_INTERP, &image, NULL), 0);
	make_view(buf[0], 53, &views[0]);
	make_view(buf[1], 53, &views[1]);
	store_be16(buf[1] + 12, 0x0806);
	pkt_parse_ether(buf[1], 60, 1000, &views[1]);
	match_verdicts(image, views, 2, 0, 0, true, counters, 1, v, &notes);
	assert_int_equal(counters->bytes, 32 + 1000);
	assert_int_equal(counters->packets, 2);
	match_image_free(image);
	mem_free(counters);
}

/* A rule of port 3 takes nothing from the others. */
static void
ports_are_kept_apart(void **state)
{
	static const struct match_rule rule = {
		.name = "r",
		.action = MATCH_DROP,
		.enabled = true,
		.scope = {.src.any = true,
			.dst.any = true,
			.ports = UINT64_C(1) << 3 | UINT64_C(1) << 63},
		.scope_only = true,
	};
	struct match_counters *counters = mem_zalloc_aligned(64, sizeof(*counters));
	struct match_image *image = NULL;
	struct match_notes notes = {0};
	struct match_verdict v;
	struct pkt_view view;
	uint8_t buf[128];

	(void)state;
	assert_int_equal(match_image_new(&rule, 1, MATCH_ENGINE_INTERP, &image, NULL), 0);
	make_view(buf, 53, &view);
	for (uint32_t port = 0; port < 64; port++) {
		match_verdicts(image, &view, 1, port, 0, true, counters, 1, &v, &notes);
		assert_int_equal(v.kind == MATCH_VERDICT_DROP, port == 3 || port == 63);
	}
	match_image_free(image);
	mem_free(counters);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_the_tables),
		cmocka_unit_test(bytes_are_ip_bytes),
		cmocka_unit_test(ports_are_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
