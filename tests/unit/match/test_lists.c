// SPDX-License-Identifier: BSD-3-Clause
/*
 * The list kernel: rules that compute, and of which no two compute the same, on
 * each kind of processor, against the programs one by one. Programs are drawn
 * with the result that they want of one of the frames, so that most match. Bursts
 * and rulesets are of every length, so that vectors and steps of four lanes are not full.
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
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "image_impl.h"
#include "match/report.h"
#include "pkt/view.h"
#include "plain.h"
#include "quick.h"

#define RULES 96
#define FRAMES MATCH_BURST
#define LEN_MAX 72

/* Lists of machine code, where there may be some, and step by step. */
static const struct option {
	const char *name;
	enum match_engine engine;
	struct match_options options;
} ways[] = {
	{"c", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C, .only_lists = true}},
	{"avx2", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2, .only_lists = true}},
	{"avx512", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512, .only_lists = true}},
	{"c, step by step", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C, .only_lists = true}},
	{"avx2, step by step", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2, .only_lists = true}},
	{"avx512, step by step", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512, .only_lists = true}},
	{"tables", MATCH_ENGINE_INTERP, {.merge = MATCH_MERGE_ALWAYS}},
};

static struct match_rule rules[RULES];
static uint32_t n_rules, n_frames; /* of this round */
static struct cbpf_prog *progs[RULES];
static uint8_t bytes[FRAMES][LEN_MAX];
static struct pkt_view views[FRAMES];
static struct rng rng;

/* "ldb [x + 17]", in a window or from the start. */
static size_t
put_load(char *text, size_t room)
{
	static const char *const sizes[] = {"ld", "ldh", "ldb"};

	return (size_t)snprintf(text, room, "%s [%s%u]\n", sizes[rng_below(&rng, 3)],
		rng_below(&rng, 3) == 0 ? "" : "x + ", rng_below(&rng, 40));
}

static void
draw_program(char *text, size_t room)
{
	static const char *const ops[] = {"add", "sub", "mul", "and", "or", "xor", "lsh", "rsh"};
	static const char *const windows[] = {
		"ldx #0", "ldx 4*([0]&0xf)", "ld #len\nsub #24\ntax", "ldx #3"};
	size_t n = (size_t)snprintf(text, room, "%s\nstx M[1]\n", windows[rng_below(&rng, 4)]);

	n += put_load(text + n, room - n);
	n += (size_t)snprintf(text + n, room - n, "st M[0]\n");
	n += put_load(text + n, room - n);
	n += (size_t)snprintf(text + n, room - n, "ldx M[0]\n");
	for (uint32_t k = rng_below(&rng, rng_below(&rng, 8) == 0 ? 20 : 7); k > 0; k--) {
		const uint32_t op = rng_below(&rng, DIM(ops));
		const uint32_t number =
			rng_below(&rng, 2) == 0 ? rng_below(&rng, 300) : (uint32_t)rng_next(&rng);

		if (rng_below(&rng, 3) == 0 && op < 6)
			n += (size_t)snprintf(text + n, room - n, "%s x\n", ops[op]);
		else if (rng_below(&rng, 24) == 0)
			n += (size_t)snprintf(text + n, room - n, "neg\n");
		else if (rng_below(&rng, 24) == 0) /* by 32 and more, too */
			n += (size_t)snprintf(text + n, room - n, "ldx #%u\n%s x\nldx M[0]\n",
				rng_below(&rng, 40), ops[6 + rng_below(&rng, 2)]);
		else
			n += (size_t)snprintf(text + n, room - n, "%s #%u\n", ops[op],
				op >= 6 ? number % (rng_below(&rng, 4) == 0 ? 32 : 10) : number);
	}
}

static struct cbpf_prog *
program(const char *text, const char *end)
{
	struct cbpf_insn *insns = NULL;
	struct cbpf_prog *prog = NULL;
	char all[1024];
	size_t n;

	(void)snprintf(all, sizeof(all), "%s%s", text, end);
	assert_int_equal(cbpf_asm(all, &insns, &n, NULL), 0);
	assert_int_equal(cbpf_prog_new(insns, n, &prog, NULL), 0);
	mem_free(insns);
	return prog;
}

/*
 * A rule that wants a quotient and a remainder of a number of one of the frames,
 * or one of them, or one less, and perhaps that number, too.
 */
static struct cbpf_prog *
divided(const struct pkt_view *v)
{
	const uint32_t off = rng_below(&rng, 10), ask = 1 + rng_below(&rng, 7);
	const uint32_t k = 1 + rng_below(&rng, rng_below(&rng, 2) == 0 ? 5 : 300);
	const uint32_t x = load_be16(v->frame + off), wrong = rng_below(&rng, 2);
	char text[400];
	/* Something that can be hashed, and the number. */
	size_t n = (size_t)snprintf(text, sizeof(text),
		"ld [20]\njneq #%u, no\nldh [%u]\nst M[0]\n", load_be32(v->frame + 20), off);

	if ((ask & 1) != 0)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "div #%u\njneq #%u, no\n", k, x / k - wrong);
	if ((ask & 2) != 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"ld M[0]\nmod #%u\njneq #%u, no\n", k, (x + wrong) % k);
	if ((ask & 4) != 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "ld M[0]\njneq #%u, no\n", x);
	return program(text, "ret #1\nno: ret #0");
}

/* A rule that wants what its computation gives for one of the frames. */
static void
make_rule(uint32_t i)
{
	const struct pkt_view *v = &views[rng_below(&rng, n_frames)];
	char text[900], end[96];
	struct cbpf_prog *plain;
	uint32_t want, mask = rng_below(&rng, 4) == 0 ? (uint32_t)rng_next(&rng) : UINT32_MAX;

	rules[i] = plain_rule(i, NULL, NULL, &rng);
	if (rng_below(&rng, 4) == 0) {
		progs[i] = divided(v);
		rules[i].prog[0] = rules[i].prog[1] = progs[i];
		return;
	}
	draw_program(text, sizeof(text));
	plain = program(text, "ret a");
	want = cbpf_run(plain, v->frame, v->l3_caplen, v->l3_len) & mask;
	cbpf_prog_free(plain);
	if (rng_below(&rng, 8) == 0)
		(void)snprintf(end, sizeof(end), "add #%u\njeq x, yes\nret #0\nyes: ret #1",
			rng_below(&rng, 9));
	else
		(void)snprintf(
			end, sizeof(end), "and #%u\njeq #%u, yes\nret #0\nyes: ret #1", mask, want);
	progs[i] = program(text, end);
	rules[i].prog[0] = rules[i].prog[1] = progs[i];
}

static void
make_frames(void)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		const uint32_t len = 24 + rng_below(&rng, LEN_MAX - 24);

		for (uint32_t k = 0; k < len; k++)
			bytes[i][k] = (uint8_t)rng_next(&rng);
		bytes[i][0] = 0x45;
		views[i] = (struct pkt_view){.frame = bytes[i],
			.caplen = len,
			.wirelen = len,
			.l3_caplen = len,
			.l3_len = len,
			.family = 4,
			.proto = 17};
		views[i].key = pkt_key(&views[i]);
	}
}

/* Whether lists of @image are what @way says. */
static bool
is_as_said(const struct match_image *image, const struct option *way)
{
	const bool is_code = way->engine != MATCH_ENGINE_INTERP && cbpf_jit_available();
	bool is = true;

	for (uint32_t k = 0; image->index != NULL && k < image->index->n_lists; k++)
		is = is && (image->index->lists[k].n_blocks > 0) == is_code;
	return is;
}

static void
check(const struct option *way, uint64_t *lists, uint64_t *hits)
{
	struct match_rule_report report[RULES];
	struct match_image *image = NULL;
	uint32_t from[FRAMES];
	uint8_t which[FRAMES];
	const struct plain_burst b = {views, which, from, n_frames};

	assert_int_equal(
		match_image_new_with(rules, n_rules, way->engine, &way->options, &image, NULL), 0);
	assert_true(is_as_said(image, way));
	match_image_report(image, report);
	for (uint32_t i = 0; i < n_rules; i++)
		*lists += report[i].kernel == MATCH_KERNEL_LIST;
	for (uint32_t i = 0; i < n_frames; i++)
		which[i] = (uint8_t)i;
	/* So that no rule hides behind those before it. */
	for (uint32_t i = 0; i < n_frames; i++)
		from[i] = rng_below(&rng, n_rules);
	*hits += plain_check(image, way->name, rules, n_rules, &b);
	match_image_free(image);
}

/* A number up to @most, half of the time @most itself. */
static uint32_t
draw_count(uint32_t most)
{
	return rng_below(&rng, 2) == 0 ? most : 1 + rng_below(&rng, most);
}

static void
lanes_lose_no_match(void **state)
{
	const char *seed = getenv("SLUICE_SEED"), *is_long = getenv("SLUICE_LONG");
	const uint32_t rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? 4000 : QUICK(300);
	uint64_t lists = 0, hits = 0, all_rules = 0, all_frames = 0;

	(void)state;
	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	print_message("SLUICE_SEED=%s\n", seed != NULL ? seed : "1");
	for (uint32_t k = 0; k < rounds; k++) {
		n_frames = draw_count(FRAMES);
		n_rules = draw_count(RULES);
		make_frames();
		for (uint32_t i = 0; i < n_rules; i++)
			make_rule(i);
		for (size_t w = 0; w < DIM(ways); w++)
			check(&ways[w], &lists, &hits);
		all_rules += DIM(ways) * n_rules;
		all_frames += DIM(ways) * n_frames;
		for (uint32_t i = 0; i < n_rules; i++)
			cbpf_prog_free(progs[i]);
	}
	print_message("%.2f of the rules in lists, %.2f of the frames match\n",
		(double)lists / (double)all_rules, (double)hits / (double)all_frames);
	assert_true(lists > all_rules / 4);
	assert_true(hits > all_frames / 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lanes_lose_no_match)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
