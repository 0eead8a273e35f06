// SPDX-License-Identifier: BSD-3-Clause
/*
 * What becomes of rules when they are compiled together: which go to tables and
 * which one by one; every allocation failing once; toggling under a look-up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "image_impl.h"
#include "index.h"
#include "match/dump.h"
#include "match/image.h"
#include "match/report.h"
#include "pkt/build.h"
#include "pkt/view.h"
#include "world.h"

#define RULES 40

static struct cbpf_prog *progs[RULES];
static struct match_rule rules[RULES];

/* @pattern with the two digits of @n for each '@'. */
static void
fill_in(const char *pattern, uint32_t n, char *text)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '@') {
			*text++ = (char)('0' + n / 10);
			*text++ = (char)('0' + n % 10);
		} else {
			*text++ = *pattern;
		}
	}
	*text = '\0';
}

static void
rules_make(const char *const *patterns, size_t n_patterns)
{
	for (uint32_t i = 0; i < RULES; i++) {
		char text[128];

		fill_in(patterns[i % n_patterns], 10 + i, text);
		progs[i] = world_prog(text, 12, 4);
		rules[i] = (struct match_rule){
			.name = "r",
			.slot = i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.prog = {progs[i], progs[i]},
		};
	}
}

static void
rules_fini(void)
{
	for (uint32_t i = 0; i < RULES; i++)
		cbpf_prog_free(progs[i]);
}

/* Of all kinds: exact, with ranges, of several paths, and one that no table takes. */
static const char *const all_kinds[] = {
	"dns *.w@.example.uk",
	"dns -i a@.example",
	"udp and dst host 10.0.0.@",
	"ip[8] > @ and tcp[2:2] = 80",
	"dns **.w@.example.uk",
	"suffix 0102030405@",
	"asm ld #len; and #@; ret a",
};

static void
a_failed_allocation_leaves_nothing(void **state)
{
	static const struct match_options options = {
		.merge = MATCH_MERGE_ALWAYS, .code_insns = 100};
	static const enum match_engine engines[] = {MATCH_ENGINE_INTERP, MATCH_ENGINE_AUTO};

	(void)state;
	rules_make(all_kinds, DIM(all_kinds));
	for (size_t e = 0; e < DIM(engines); e++) {
		struct match_image *image = NULL;
		long n = 0;
		int r;

		do {
			struct diag diag = {0};

			mem_fault_set(n);
			r = match_image_new_with(rules, RULES, engines[e], &options, &image, &diag);
			(void)mem_fault_set(-1);
			if (r != 0) {
				assert_int_equal(r, -12 /* ENOMEM */);
				assert_null(image);
				assert_true(diag.msg[0] != '\0');
			}
			n++;
		} while (r != 0);
		print_message("%ld allocations\n", n - 1);
		assert_true(n > 20);
		assert_non_null(image->index);
		match_image_free(image);
	}
	rules_fini();
}

/* What a family of rules is compiled to. */
static void
expect_index(const char *pattern, uint32_t tables, uint32_t residual)
{
	struct match_image *image = NULL;

	rules_make(&pattern, 1);
	assert_int_equal(match_image_new(rules, RULES, MATCH_ENGINE_AUTO, &image, NULL), 0);
	if (tables == 0) {
		struct match_rule_report report[RULES];

		assert_null(image->index);
		match_image_report(image, report);
		assert_int_equal(report[0].kernel, MATCH_KERNEL_ONE_BY_ONE);
	} else {
		assert_non_null(image->index);
		assert_int_equal(image->index->n_tables, tables);
		assert_int_equal(image->index->n_residual, residual);
	}
	match_image_free(image);
	rules_fini();
}

static void
families_go_to_one_table(void **state)
{
	(void)state;
	expect_index("dns w@.example.uk", 1, 0);
	expect_index("dns *.w@.example.uk", 1, 0);
	expect_index("dns -i *.w@.example.uk", 1, 0);
	expect_index("dns *{4-12}.w@.example.uk", 1, 0);
	/* Behind the first label, and behind all others. */
	expect_index("dns **.w@.example.uk", 2, 0);
	expect_index("suffix 01020304@", 1, 0);
	expect_index("dst host 10.0.0.@ and udp port 53", 1, 0);
	expect_index("p0f 4:64:0:14@:8192,0:mss,sok,ts,nop,ws:df,id+:0", 1, 0);
}

/* Conditions on quotients and remainders that together say what is divided are words. */
static void
divisions_need_no_program(void **state)
{
	static const char *const patterns[] = {
		"p0f 4:64:0:14@:mss*20,0:mss,sok,ts,nop,ws:df,id+:0",
		"ip[8:2] = @ and ip[4:2] / 7 = 5 and ip[4:2] % 7 = 3 and not ip[4:2] % 5 = 2",
		"ip[8:2] = @ and ip[4:2] / 7 = 5 and ip[4:2] % 7 = 3 and ip[4:2] / 3 = 12 and ip[4:2] % 3 = 2",
	};

	(void)state;
	for (size_t i = 0; i < DIM(patterns); i++) {
		struct match_image *image = NULL;
		struct match_rule_report report[RULES];

		rules_make(&patterns[i], 1);
		assert_int_equal(match_image_new(rules, RULES, MATCH_ENGINE_AUTO, &image, NULL), 0);
		match_image_report(image, report);
		assert_int_equal(report[0].kernel, MATCH_KERNEL_HASH);
		assert_int_equal(report[0].runs, 0);
		match_image_free(image);
		rules_fini();
	}
}

static void
what_no_hash_tells_apart_goes_one_by_one(void **state)
{
	(void)state;
	expect_index("asm ld #len; and #@; ret a", 0, 0);
	expect_index("ip[8] > @", 0, 0);
	/* What is this far away is not looked at. */
	expect_index("asm ldx 4*([2147483647]&0xf); ldh [x + 2]; jeq #@, yes; ret #0; yes: ret #1",
		0, 0);
}

#define PORTS 8
#define PLACES 8
#define OF_A_PORT 40 /* rules that ask for the same bytes; enough to keep it apart from others */

/* Rules of so many ports, each with as many kinds, that there is no room for tables of each. */
static void
many_ports_leave_nobody_without_a_table(void **state)
{
	static const struct u16_range udp = {17, 17};
	static struct match_rule many[PORTS * PLACES * OF_A_PORT];
	static struct u16_range ports[PORTS];
	const struct match_options options = {.merge = MATCH_MERGE_ALWAYS};
	struct match_image *image = NULL;
	uint32_t n = 0;

	(void)state;
	for (uint32_t port = 0; port < PORTS; port++)
		ports[port] = (struct u16_range){(uint16_t)(1 + port), (uint16_t)(1 + port)};
	for (uint32_t k = 0; k < PLACES * OF_A_PORT; k++) {
		const struct cbpf_prog *prog;
		char text[64];

		(void)snprintf(text, sizeof(text), "udp[%u:4] = %u", 8 + 80 * (k % PLACES), 1 + k);
		prog = world_prog(text, 12, 4);
		for (uint32_t port = 0; port < PORTS; port++, n++)
			many[n] = (struct match_rule){.name = "r",
				.slot = n,
				.action = MATCH_DROP,
				.enabled = true,
				.scope = {.proto = {&udp, 1},
					.dport = {&ports[port], 1},
					.src.any = true,
					.dst.any = true,
					.ports = UINT64_MAX},
				.prog = {prog, NULL}};
	}
	assert_int_equal(
		match_image_new_with(many, n, MATCH_ENGINE_AUTO, &options, &image, NULL), 0);
	assert_int_equal(image->index->n_tables, INDEX_TABLES_MAX);
	assert_int_equal(image->index->n_lists, 0);
	assert_int_equal(image->index->n_residual, 0);
	match_image_free(image);
	for (uint32_t i = 0; i < n; i += PORTS)
		cbpf_prog_free((struct cbpf_prog *)(uintptr_t)many[i].prog[0]);
}

/* A rule that is switched off uncovers the one behind it, in tables as elsewhere. */
static void
equal_rules_are_found_in_order(void **state)
{
	static const char *const same[] = {"dns www.example.uk"};
	static const uint8_t mac[6] = {2};
	const uint8_t which = 0;
	const uint32_t from = 0;
	struct match_image *image = NULL;
	struct pkt_view view;
	struct pkt_build b;
	uint8_t buf[128];
	uint32_t got, len;

	(void)state;
	rules_make(same, 1);
	assert_int_equal(match_image_new(rules, RULES, MATCH_ENGINE_AUTO, &image, NULL), 0);
	assert_non_null(image->index);
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_ether(&b, mac, mac);
	pkt_build_ip4(&b, &(struct pkt_ip4){.src = 1, .dst = 2, .ttl = 64});
	pkt_build_udp(&b, 1024, 53);
	pkt_build_dns_query(&b, 1, "www.example.uk", 1, false);
	len = (uint32_t)pkt_build_done(&b);
	pkt_parse_ether(buf, len, len, &view);
	for (uint32_t i = 0; i < RULES; i++) {
		match_image_first(image, &view, &which, 1, 0, &from, &got);
		assert_int_equal(got, i);
		match_image_enable(image, i, false);
	}
	match_image_first(image, &view, &which, 1, 0, &from, &got);
	assert_int_equal(got, MATCH_NONE);
	match_image_free(image);
	rules_fini();
}

/* On each kind of processor, of @views, the first one alone has a suffix; of rule 2. */
static void
expect_one_end(const char *const *suffixes, size_t n_suffixes, bool straight,
	const struct pkt_view *views, uint32_t n)
{
	uint32_t from[MATCH_BURST] = {0}, got[MATCH_BURST];
	uint8_t which[MATCH_BURST];

	for (uint32_t i = 0; i < n; i++)
		which[i] = (uint8_t)i;
	rules_make(suffixes, n_suffixes);
	for (uint8_t isa = ISA_AUTO; isa <= ISA_VBMI; isa++) {
		const struct match_options options = {.merge = MATCH_MERGE_ALWAYS, .isa = isa};
		struct match_image *image = NULL;

		assert_int_equal(match_image_new_with(
					 rules, RULES, MATCH_ENGINE_INTERP, &options, &image, NULL),
			0);
		assert_true((image->index->straight != NULL) == straight);
		match_image_first(image, views, which, n, 0, from, got);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(got[i], i == 0 ? 2 : MATCH_NONE);
		match_image_free(image);
	}
	rules_fini();
}

/* Savefiles claim any length on the wire: from an end that far away nothing is read. */
static void
ends_may_be_far_away(void **state)
{
	static const uint32_t lens[] = {60, 61, 4096, INT32_MAX - 60, INT32_MAX, UINT32_C(1) << 31,
		(UINT32_C(1) << 31) + 60, UINT32_MAX - 60, UINT32_MAX - 8, UINT32_MAX};
	/* The other ones are for no table. */
	static const char *const suffixes[] = {"suffix 0102030405@", "ip[8] > @"};
	struct pkt_view views[DIM(lens)];
	uint8_t bytes[60] = {0x45};

	(void)state;
	memcpy(bytes + 54, "\1\2\3\4\5\x12", 6);
	for (uint32_t i = 0; i < DIM(lens); i++) {
		views[i] = (struct pkt_view){.frame = bytes,
			.caplen = 60,
			.wirelen = lens[i],
			.l3_caplen = 60,
			.l3_len = lens[i],
			.family = 4,
			.proto = 17};
		views[i].key = pkt_key(&views[i]);
	}
	expect_one_end(suffixes, 1, true, views, DIM(lens));
	expect_one_end(suffixes, 2, false, views, DIM(lens));
}

/* What became of a rule is told. */
static void
rules_are_reported(void **state)
{
	static const struct match_options options = {.merge = MATCH_MERGE_ALWAYS};
	struct match_rule_report report[RULES];
	struct match_image *image = NULL;
	struct sbuf text = SBUF_INIT;
	char names[RULES][16];

	(void)state;
	rules_make(all_kinds, DIM(all_kinds));
	assert_int_equal(
		match_image_new_with(rules, RULES, MATCH_ENGINE_AUTO, &options, &image, NULL), 0);
	match_image_report(image, report);
	for (uint32_t i = 0; i < RULES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "r%u", i);
		rules[i].name = names[i];
	}
	assert_int_equal(match_dump(image, rules, MATCH_STAGES, MATCH_NONE, &text), 0);
	assert_int_equal(report[0].kernel, MATCH_KERNEL_HASH);
	assert_int_equal(report[0].runs, 0);
	/* Nor is the program asked for a range of TTLs. */
	assert_int_equal(report[3].kernel, MATCH_KERNEL_HASH);
	assert_int_equal(report[3].runs, 0);
	assert_true(sbuf_ok(&text));
	assert_non_null(strstr(sbuf_str(&text), "40 rules: "));
	assert_non_null(strstr(sbuf_str(&text), "rule r0: hash, table "));
	assert_non_null(strstr(sbuf_str(&text), "label(l4+20)"));
	sbuf_fini(&text);
	match_image_free(image);
	rules_fini();
}

/* Programs for which no time is left are interpreted, which is told. */
static void
what_is_too_long_is_interpreted(void **state)
{
	static const char *const far[] = {"asm ld #len; and #@; ret a"};
	static const struct match_options options = {
		.merge = MATCH_MERGE_NEVER, .no_chain = true, .code_insns = 30};
	struct match_rule_report report[RULES];
	struct match_image *image = NULL;

	(void)state;
	rules_make(far, 1);
	assert_int_equal(
		match_image_new_with(rules, RULES, MATCH_ENGINE_AUTO, &options, &image, NULL), 0);
	match_image_report(image, report);
	for (uint32_t i = 0; i < RULES; i++) {
		assert_int_equal(report[i].interpreted, cbpf_jit_available() && i >= 10);
		assert_string_equal(match_report_kernel(&report[i]),
			report[i].interpreted ? "interpreted" : "one by one");
	}
	match_image_free(image);
	rules_fini();
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_allocation_leaves_nothing),
		cmocka_unit_test(families_go_to_one_table),
		cmocka_unit_test(divisions_need_no_program),
		cmocka_unit_test(what_no_hash_tells_apart_goes_one_by_one),
		cmocka_unit_test(many_ports_leave_nobody_without_a_table),
		cmocka_unit_test(equal_rules_are_found_in_order),
		cmocka_unit_test(ends_may_be_far_away),
		cmocka_unit_test(rules_are_reported),
		cmocka_unit_test(what_is_too_long_is_interpreted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
