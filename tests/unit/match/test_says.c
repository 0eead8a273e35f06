// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lanes that say all that a rule asks, whose answer nobody checks: rules that compute, and
 * ask for headers, lengths and other bytes, too, for frames of every kind, cut anywhere, against the
 * reference. Every frame ends where memory ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "image_impl.h"
#include "index.h"
#include "judge.h"
#include "quick.h"
#include "world.h"

#define ROUNDS QUICK(400)
#define ROUNDS_LONG 20000
#define RULES 300 /* so that lists are several functions */
#define FEW 40 /* mostly */
#define ETHER 14 /* bytes in front of a datagram without tags */

static const struct judge_way ways[] = {
	{"avx512", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512, .only_lists = true}},
	{"avx2", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2, .only_lists = true}},
	{"c", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C, .only_lists = true}},
	{"c, step by step", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS,
			.isa = ISA_C,
			.only_lists = true,
			.no_list_code = true}},
	{"avx512, step by step", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS,
			.isa = ISA_AVX512,
			.only_lists = true,
			.no_list_code = true}},
	{"avx2, interpreter", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2, .only_lists = true}},
};

static struct match_rule rules[RULES];
static struct cbpf_prog *progs[RULES];
static struct judge_burst burst;
static uint64_t lanes, sure;

/* ---- programs ---- */

static char text[1500];
static size_t text_len;

static __attribute__((format(printf, 1, 2))) void
say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_len += (size_t)vsnprintf(text + text_len, sizeof(text) - text_len, format, args);
	va_end(args);
	assert_true(text_len < sizeof(text));
}

static struct cbpf_prog *
program(const char *end)
{
	struct cbpf_insn *insns = NULL;
	struct cbpf_prog *prog = NULL;
	const size_t len = text_len;
	size_t n;

	say("%s", end);
	assert_int_equal(cbpf_asm(text, &insns, &n, NULL), 0);
	assert_int_equal(cbpf_prog_new(insns, n, &prog, NULL), 0);
	mem_free(insns);
	text_len = len;
	return prog;
}

/* What @v has at @off of its datagram, or something else. */
static uint8_t
byte_of(const struct pkt_view *v, uint32_t off)
{
	return off < v->l3_caplen ? v->frame[v->l3_off + off] : (uint8_t)rng_next(&world_rng);
}

/* What compilers of expressions ask first, of the datagram at @at. */
static void
ask_headers(const struct pkt_view *v, uint32_t at)
{
	const uint32_t proto = v->family == 6 ? 6 : 9;

	if (world_percent(30))
		say("ldb [%u]\nand #0xf0\njneq #%u, no\n", at, byte_of(v, 0) & 0xf0u);
	else if (world_percent(20))
		say("ldb [%u]\njneq #%u, no\n", at, byte_of(v, 0));
	if (world_percent(60))
		say("ldb [%u]\njneq #%u, no\n", at + proto, byte_of(v, proto));
	if (world_percent(40))
		say("ldh [%u]\njset #0x1fff, no\n", at + 6);
}

/* What not every lane says. */
static void
ask_more(const struct pkt_view *v, uint32_t at)
{
	const uint32_t off = rng_below(&world_rng, 70);

	if (world_percent(15))
		say("ld%s [%u]\n", world_percent(50) ? "b" : "h", at + off);
	if (world_percent(15))
		say("ld%s [x + %u]\n", world_percent(50) ? "b" : "", off);
	if (world_percent(5))
		say("ldb [%u]\njneq #%u, no\n", at + off, byte_of(v, off));
	if (world_percent(5))
		say("ldb [%u]\njgt #%u, no\n", at + off, byte_of(v, off));
	if (world_percent(5))
		say("ld #len\njgt #%u, no\n", at + off + 40);
}

static void
set_window(uint32_t at)
{
	static const char *const others[] = {
		"ldx #0", "ldx #3", "ld #len\nsub #24\ntax", "ldx #40"};

	if (world_percent(60))
		say("ldx 4*([%u]&0xf)\n", at);
	else if (world_percent(15))
		say("ldb [%u]\ntax\n", at + rng_below(&world_rng, 30));
	else
		say("%s\n", others[rng_below(&world_rng, DIM(others))]);
}

static void
put_load(uint32_t at)
{
	static const char *const sizes[] = {"ld", "ldh", "ldb"};

	say("%s [%s%u]\n", sizes[rng_below(&world_rng, DIM(sizes))],
		world_percent(75) ? "x + " : "", at + rng_below(&world_rng, 40));
}

static void
put_operators(void)
{
	static const char *const ops[] = {"add", "sub", "xor", "mul", "and", "or", "lsh", "rsh"};

	for (uint32_t k = rng_below(&world_rng, 7); k > 0; k--) {
		const uint32_t op = rng_below(&world_rng, DIM(ops));

		if (world_percent(30))
			say("%s x\n", ops[op % 3]);
		else if (world_percent(3))
			say("%s x\n", world_percent(50) ? "div" : "mod");
		else if (world_percent(8))
			say("%s #%u\n", world_percent(50) ? "div" : "mod",
				1u << rng_below(&world_rng, 8));
		else if (op >= 6)
			say("%s #%u\n", ops[op], rng_below(&world_rng, 12));
		else
			say("%s #%u\n", ops[op],
				(uint32_t)rng_next(&world_rng) >> rng_below(&world_rng, 24));
	}
}

/* Compute something, and want of a datagram at @at what that gives for @v. */
static void
ask_result(const struct pkt_view *v, uint32_t at)
{
	const uint32_t mask = world_percent(25) ? (uint32_t)rng_next(&world_rng) : UINT32_MAX;
	const uint8_t *bytes = at > 0 ? v->frame : v->frame + v->l3_off;
	struct cbpf_prog *plain;
	uint32_t want;

	put_load(at);
	say("st M[0]\n");
	put_load(at);
	say("ldx M[0]\n");
	put_operators();
	plain = program("ret a\nno: ret #0");
	want = cbpf_run(
		plain, bytes, at > 0 ? v->caplen : v->l3_caplen, at > 0 ? v->wirelen : v->l3_len);
	cbpf_prog_free(plain);
	say("and #%u\njneq #%u, no\n", mask, want & mask);
}

/* A program that matches @v, mostly. */
static struct cbpf_prog *
draw_program(const struct pkt_view *v, uint32_t at)
{
	text_len = 0;
	ask_headers(v, at);
	set_window(at);
	ask_more(v, at);
	ask_result(v, at);
	if (world_percent(15)) {
		set_window(at);
		ask_more(v, at);
		if (world_percent(50))
			ask_result(v, at);
		else
			put_load(at);
	}
	return program("ret #1\nno: ret #0");
}

/* ---- rules and frames ---- */

/* What is asked beside the program. */
static void
narrow(struct match_scope *s)
{
	static const struct u16_range protos[] = {{6, 6}, {17, 17}, {1, 1}, {58, 58}},
				      ports[] = {{0, 30000}, {53, 53}, {80, 80}};
	static const struct ip_prefix sources[] = {{{4, {10}}, 8}, {{4, {128}}, 1}, {{4, {20}}, 8},
		{{6, {0x20}}, 4}, {{6, {0xfe}}, 8}};

	if (world_percent(10))
		s->family = world_percent(50) ? 4 : 6;
	if (world_percent(20))
		s->proto = (struct match_ranges){
			&protos[rng_below(&world_rng, 2)], 1 + rng_below(&world_rng, 3)};
	if (world_percent(5))
		s->sport = (struct match_ranges){ports, 1};
	if (world_percent(20))
		s->dport = (struct match_ranges){&ports[rng_below(&world_rng, DIM(ports))], 1};
	if (world_percent(10))
		s->src = (struct match_prefixes){
			false, sources, 1 + rng_below(&world_rng, DIM(sources))};
	if (world_percent(10))
		s->fragments = (enum match_fragments)rng_below(&world_rng, 4);
	if (world_percent(3))
		s->ports = 2;
}

static void
make_rule(uint32_t i)
{
	const struct pkt_view *v = &burst.views[rng_below(&world_rng, burst.n)];
	const bool is_ether = world_percent(15), one = world_percent(20);
	struct match_rule *r = &rules[i];

	progs[i] = draw_program(v, is_ether ? ETHER : 0);
	*r = (struct match_rule){.name = "r",
		.slot = i,
		.action = MATCH_DROP,
		.enabled = !world_percent(10),
		.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
		.link = is_ether ? MATCH_LINK_ETHER : MATCH_LINK_RAW,
		.prog = {progs[i], progs[i]}};
	if (one && !is_ether)
		r->prog[v->family != 6] = NULL;
	if (world_percent(50))
		narrow(&r->scope);
	r->generated = !is_ether && world_percent(5);
}

/* Of every kind, or two again and again, so that rules have more than one; some are cut. */
static void
make_burst(void)
{
	const uint32_t n = world_percent(50) ? MATCH_BURST : 1 + rng_below(&world_rng, MATCH_BURST);
	const struct world_frame two[] = {world_frame_make(), world_frame_make()};
	const bool is_flood = world_percent(50);
	const uint32_t cuts = world_percent(50) ? 0 : 30; /* in percent */

	judge_begin(&burst);
	while (burst.n < n) {
		const struct world_frame f =
			is_flood ? two[rng_below(&world_rng, 2)] : world_frame_make();
		const uint32_t cut = world_percent(cuts)
			? rng_below(&world_rng, MIN(f.caplen + 1, 110))
			: f.caplen;

		judge_add(&burst, f.data, cut, f.wirelen);
	}
}

static void
count_lanes(const struct match_image *im)
{
	for (uint32_t k = 0; im->index != NULL && k < im->index->n_lists; k++) {
		const struct list *l = &im->index->lists[k];

		lanes += l->n_lanes;
		for (uint32_t i = 0; i < l->n_lanes; i++)
			sure += l->sure[i].mask != 0;
	}
}

static uint32_t
check(const struct judge_way *way, uint32_t n, const uint32_t *from)
{
	struct match_image *image = judge_image(rules, n, way);
	uint32_t want[MATCH_BURST], hits = 0;
	struct judge_wrong wrong;

	assert_non_null(image);
	count_lanes(image);
	if (judge_first(image, rules, n, &burst, from, want, &wrong) != 0)
		print_error("%s: frame %u: rule %d, not %d\n", way->name, wrong.frame,
			(int)wrong.got, (int)wrong.want);
	assert_null(wrong.what);
	for (uint32_t i = 0; i < burst.n; i++)
		hits += want[i] != MATCH_NONE;
	match_image_free(image);
	return hits;
}

static void
lanes_decide_right(void **state)
{
	static const uint32_t from_first[MATCH_BURST];
	const char *is_long = getenv("SLUICE_LONG");
	const uint32_t rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? ROUNDS_LONG : ROUNDS;
	uint64_t frames = 0, hits = 0;

	(void)state;
	for (uint32_t k = 0; k < rounds; k++) {
		const uint32_t n = 1 + rng_below(&world_rng, world_percent(5) ? RULES : FEW);
		uint32_t from[MATCH_BURST];

		make_burst();
		for (uint32_t i = 0; i < n; i++)
			make_rule(i);
		for (uint32_t i = 0; i < MATCH_BURST; i++)
			from[i] = rng_below(&world_rng, n);
		for (size_t w = 0; w < DIM(ways); w++)
			hits += check(&ways[w], n, world_percent(60) ? from_first : from);
		frames += DIM(ways) * burst.n;
		for (uint32_t i = 0; i < n; i++)
			cbpf_prog_free(progs[i]);
	}
	print_message("%.2f of the lanes say all, %.2f of the frames match\n",
		(double)sure / (double)lanes, (double)hits / (double)frames);
	assert_true(sure > lanes / 10);
	assert_true(hits > frames / 10);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(lanes_decide_right)};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
