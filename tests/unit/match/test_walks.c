// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walks over labels: rules of which all kinds of stars are, against their programs
 * one by one, on each kind of processor. Names of 0 to 140 labels, longer than a
 * name may be, with lengths that are none, cut everywhere.
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
#include "cbpf/insn.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "image_impl.h"
#include "index.h"
#include "match/report.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "plain.h"
#include "quick.h"
#include "world.h"

#define RULES 48
#define FRAMES MATCH_BURST
#define NAME_ROOM 400
#define NAME_AT 40 /* 20 of IP, 8 of UDP, 12 of DNS */
#define LEN_MAX (NAME_AT + NAME_ROOM + 8)

static const struct option {
	const char *name;
	struct match_options options;
} ways[] = {
	{"c", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"avx2", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"avx512", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
	{"vbmi", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_VBMI}},
};

/*
 * "@": a name. Images of the first ones alone have a straight way, where all names end in
 * TAIL and so have 8 bytes to be told apart by.
 */
#define PLAIN 4
#define TAIL "abcdef.abc"
#define TAIL_LABELS "\6abcdef\3abc"
static const char *const patterns[] = {
	"dns **.@",
	"dns **.@",
	"dns **.@",
	"dns *.@",
	"dns *{2-3}.@",
	"dns **.*.@",
	"dns **.*{1-2}.@",
	"dns **.?.@",
	"dns *.*.@",
	"dns @.**",
	"dns @**",
	"dns -i **.@",
	"dns **.@ **.@",
	"dns @ **.@",
	"dns --qtype A **.@",
	"dns **",
};

static uint32_t n_rules = RULES;
static struct match_rule rules[RULES];
static struct cbpf_prog *progs[RULES];
static uint8_t bytes[FRAMES][LEN_MAX];
static struct pkt_view views[FRAMES];
static struct rng rng;

/* Few labels, so that names have much to do with each other. */
static const char *
draw_label(void)
{
	static const char *const labels[] = {"a", "b", "ab", "ba", "abc"};

	return labels[rng_below(&rng, DIM(labels))];
}

static void
make_rule(uint32_t i, bool plain)
{
	const char *p = patterns[rng_below(&rng, plain ? PLAIN : DIM(patterns))];
	char text[160];
	size_t n = 0;

	for (; *p != '\0'; p++) {
		if (*p != '@') {
			text[n++] = *p;
			continue;
		}
		for (uint32_t labels = 1 + rng_below(&rng, 3); labels > 0; labels--)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", draw_label(),
				labels > 1 ? "." : "");
		if (plain)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "." TAIL);
	}
	text[n] = '\0';
	progs[i] = world_prog(text, 12, 4);
	rules[i] = plain_rule(i, progs[i], progs[i], &rng);
	rules[i].scope.family = 4;
}

/* One label at @p that looks like several to who does not come to it. Returns its bytes. */
static uint32_t
put_false_labels(uint8_t *p)
{
	uint32_t n = 1;

	for (uint32_t labels = 1 + rng_below(&rng, 3); labels > 0; labels--) {
		const char *l = draw_label();

		p[n] = (uint8_t)strlen(l);
		memcpy(p + n + 1, l, strlen(l));
		n += 1u + p[n];
	}
	p[0] = (uint8_t)(n - 1);
	return n;
}

/* A name at @p, of NAME_ROOM bytes, with the type behind it. Returns its bytes. */
static uint32_t
make_name(uint8_t *p, bool plain)
{
	uint32_t labels = rng_below(&rng, 8), n = 0, spoilt;

	if (rng_below(&rng, 6) == 0)
		labels = 120 + rng_below(&rng, 20);
	for (; labels > 0 && n < NAME_ROOM - 80; labels--) {
		const char *l = labels > 6 ? "a" : draw_label();

		if (rng_below(&rng, 12) == 0) {
			n += put_false_labels(p + n);
			continue;
		}
		p[n] = (uint8_t)strlen(l);
		/* A long one now and then. */
		if (rng_below(&rng, 40) == 0)
			p[n] = (uint8_t)(60 + rng_below(&rng, 8));
		memset(p + n + 1, 'a', p[n]);
		memcpy(p + n + 1, l, strlen(l));
		n += 1u + p[n];
	}
	if (plain) {
		memcpy(p + n, TAIL_LABELS, strlen(TAIL_LABELS));
		n += (uint32_t)strlen(TAIL_LABELS);
	}
	p[n++] = 0;
	p[n++] = 0;
	p[n++] = rng_below(&rng, 2) ? 1 : 28;
	p[n++] = 0;
	p[n++] = 1;
	spoilt = rng_below(&rng, n);
	switch (rng_below(&rng, 8)) {
	case 0: p[spoilt] ^= (uint8_t)(1u << rng_below(&rng, 8)); break;
	case 1: p[spoilt] = (uint8_t)(0xc0 | rng_below(&rng, 64)); break; /* a pointer */
	case 2: p[spoilt] = (uint8_t)rng_next(&rng); break;
	default: break;
	}
	return n;
}

/* All frames are one, cut at lengths from @cut on; without @cut each is another one. */
static void
make_frames(uint32_t cut, bool plain)
{
	uint32_t len = 0;

	for (uint32_t i = 0; i < FRAMES; i++) {
		uint32_t cap;

		if (i == 0 || cut == 0) {
			memset(bytes[i], 0, NAME_AT);
			bytes[i][0] = 0x45;
			len = NAME_AT + make_name(bytes[i] + NAME_AT, plain);
		} else {
			memcpy(bytes[i], bytes[0], len);
		}
		cap = cut == 0 ? len : MIN(cut - 1 + i, len);
		/* At the end of its memory, so that a look behind it is seen. */
		memmove(bytes[i] + LEN_MAX - cap, bytes[i], cap);
		views[i] = (struct pkt_view){.frame = bytes[i] + LEN_MAX - cap,
			.caplen = cap,
			.wirelen = len,
			.l3_caplen = cap,
			.l3_len = len,
			.family = 4,
			/* Not all views say where L4 is. */
			.l4_off = rng_below(&rng, 8) != 0 ? 20 : 0,
			.proto = 17};
		views[i].key = pkt_key(&views[i]);
	}
}

/* Frames that ask all rules of @from, or each those from another one on. */
static struct plain_burst
burst(uint32_t from[FRAMES], uint8_t which[FRAMES])
{
	/* Only bursts that have just begun go straight, or through chains all at once. */
	const bool new = rng_below(&rng, 2) == 0;

	for (uint32_t i = 0; i < FRAMES; i++) {
		which[i] = (uint8_t)i;
		/* So that no rule hides behind those before it. */
		from[i] = new ? 0 : rng_below(&rng, n_rules);
	}
	return (struct plain_burst){views, which, from, FRAMES};
}

static uint32_t
check(const struct match_image *image, const char *name)
{
	uint32_t from[FRAMES];
	uint8_t which[FRAMES];
	const struct plain_burst b = burst(from, which);

	return plain_check(image, name, rules, n_rules, &b);
}

static void
free_progs(void)
{
	for (uint32_t i = 0; i < n_rules; i++)
		cbpf_prog_free(progs[i]);
}

static void
walks_are_those_of_programs(void **state)
{
	const char *seed = getenv("SLUICE_SEED"), *is_long = getenv("SLUICE_LONG");
	const uint32_t rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? 2000 : QUICK(60);
	uint64_t tables = 0, hits = 0, all = 0, names = 0, could = 0;

	(void)state;
	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	print_message("SLUICE_SEED=%s\n", seed != NULL ? seed : "1");
	for (uint32_t k = 0; k < rounds; k++) {
		for (uint32_t i = 0; i < RULES; i++)
			make_rule(i, k % 2 == 0);
		for (size_t w = 0; w < DIM(ways); w++) {
			struct match_rule_report report[RULES];
			struct match_image *image = NULL;

			assert_int_equal(match_image_new_with(rules, RULES, MATCH_ENGINE_INTERP,
						 &ways[w].options, &image, NULL),
				0);
			match_image_report(image, report);
			could += k % 2 == 0 && isa_kernels(ways[w].options.isa)->names != NULL;
			names += image->index->names != NULL;
			for (uint32_t i = 0; i < RULES; i++)
				tables += report[i].kernel == MATCH_KERNEL_HASH;
			for (uint32_t b = 0; b < 6; b++, all++) {
				make_frames(b < 4 ? 0 : 1 + rng_below(&rng, 2) * 40, k % 2 == 0);
				hits += check(image, ways[w].name);
			}
			match_image_free(image);
		}
		free_progs();
	}
	print_message("%.2f of the rules in tables, %.0f of %.0f images by names, %.2f of %.0f "
		      "frames match\n",
		(double)tables / (double)(rounds * DIM(ways) * RULES), (double)names, (double)could,
		(double)hits / (double)(all * FRAMES), (double)(all * FRAMES));
	assert_true(tables > rounds * DIM(ways) * RULES / 2);
	/* Few rounds may not have any. */
	assert_true(could < 60 || 8 * names >= could);
	assert_true(hits > all * FRAMES / 4);
}

/* ---- steps of other programs than names have ---- */

#define ROUNDS 60
#define ROUND_INSNS 10

/*
 * From @start on steps by the byte at a place and @behind, to a place where there is a length that
 * leads three bytes on, two letters of number @number, and 0. @elsewhere: rounds do not return
 * there, but go on behind the last one, to what asks for the length once more.
 */
static struct cbpf_prog *
step_prog(uint32_t start, uint32_t behind, uint32_t number, bool elsewhere)
{
	const uint32_t letters = ('a' + number % 8) << 16 | ('a' + number / 8) << 8;
	const struct cbpf_insn tail[] = {
		{CBPF_CODE_RET_K, 0, 0, 0},
		{CBPF_CODE_LD_B_IND, 0, 0, 0},
		{CBPF_CODE_JEQ_K, 0, 1, 3 - behind},
		{CBPF_CODE_RET_K, 0, 0, 1},
		{CBPF_CODE_RET_K, 0, 0, 0},
	};
	struct cbpf_insn insns[1 + ROUNDS * ROUND_INSNS + DIM(tail)] = {
		{CBPF_CODE_LDX_IMM, 0, 0, start}};
	struct cbpf_prog *prog = NULL;
	size_t n = 1;

	for (uint32_t left = ROUNDS; left-- > 0; n += ROUND_INSNS) {
		const struct cbpf_insn round[ROUND_INSNS] = {
			{CBPF_CODE_LD_B_IND, 0, 0, 0},
			{CBPF_CODE_ALU_SUB_K, 0, 0, 1},
			{CBPF_CODE_JGT_K, 6, 0, 62},
			{CBPF_CODE_ALU_ADD_X, 0, 0, 0},
			{CBPF_CODE_ALU_ADD_K, 0, 0, 1 + behind},
			{CBPF_CODE_TAX, 0, 0, 0},
			{CBPF_CODE_LD_W_IND, 0, 0, 0},
			{CBPF_CODE_JEQ_K, 0, 2, (3 - behind) << 24 | letters},
			{CBPF_CODE_RET_K, 0, 0, 1},
			{CBPF_CODE_JA, 0, 0, left * ROUND_INSNS},
		};

		memcpy(&insns[n], round, sizeof(round));
		if (elsewhere)
			insns[n + 8] =
				(struct cbpf_insn){CBPF_CODE_JA, 0, 0, left * ROUND_INSNS + 2};
	}
	memcpy(&insns[n], tail, sizeof(tail));
	assert_int_equal(cbpf_prog_new(insns, n + DIM(tail), &prog, NULL), 0);
	return prog;
}

static void
make_step_rules(uint32_t start, uint32_t behind, bool elsewhere)
{
	for (uint32_t i = 0; i < n_rules; i++) {
		progs[i] = step_prog(start, behind, i, elsewhere);
		rules[i] = plain_rule(i, progs[i], progs[i], &rng);
		rules[i].enabled = true;
		rules[i].scope.family = 4;
	}
}

/* Up to 40 steps by a byte of 1 from @start on, and then what most rules ask for. */
static void
make_step_frame(uint32_t i, uint32_t start, uint32_t behind, uint8_t proto)
{
	const uint32_t steps = 1 + rng_below(&rng, 40), end = start + steps * (1 + behind);
	const uint32_t len = MAX(end + 4, 40);
	uint8_t *p = bytes[i] + LEN_MAX - len;

	memset(p, 0, len);
	p[0] = 0x45;
	for (uint32_t at = start; at < end; at += 1 + behind)
		p[at] = 1;
	p[end] = (uint8_t)(3 - behind);
	p[end + 1] = (uint8_t)('a' + rng_below(&rng, 8));
	p[end + 2] = (uint8_t)('a' + rng_below(&rng, 8));
	views[i] = (struct pkt_view){.frame = p,
		.caplen = len,
		.wirelen = len,
		.l3_caplen = len,
		.l3_len = len,
		.family = 4,
		.proto = proto};
	views[i].key = pkt_key(&views[i]);
}

static void
steps_of_one_byte_are_steps(void **state)
{
	uint64_t hits = 0;

	(void)state;
	make_step_rules(NAME_AT, 0, false);
	for (size_t w = 0; w < DIM(ways); w++) {
		struct match_image *image = NULL;

		assert_int_equal(match_image_new_with(rules, RULES, MATCH_ENGINE_INTERP,
					 &ways[w].options, &image, NULL),
			0);
		for (uint32_t b = 0; b < 8; b++) {
			for (uint32_t i = 0; i < FRAMES; i++)
				make_step_frame(i, NAME_AT, 0, 17);
			hits += check(image, ways[w].name);
		}
		match_image_free(image);
	}
	free_progs();
	assert_true(hits > DIM(ways) * 8 * FRAMES / 4);
}

/*
 * Where walks start so early that kernels leave frames out, in bursts in which others go on
 * behind a rule that only counts.
 */
static void
frames_that_are_left_out_get_verdicts(void **state)
{
	const uint32_t start = 12;
	static const struct u16_range tcp = {6, 6}, udp = {17, 17};
	struct cbpf_prog *plain = world_prog("asm ldb [20]; jne #7, no; ret #1; no: ret #0", 12, 4);
	struct match_counters *counters =
		mem_zalloc_aligned(64, (RULES + 1) * sizeof(struct match_counters));
	uint32_t hits = 0;

	(void)state;
	make_step_rules(start, 1, false);
	for (uint32_t i = 1; i < RULES; i++)
		rules[i].scope.proto = (struct match_ranges){&udp, 1};
	rules[0].action = MATCH_COUNT;
	rules[0].scope.proto = (struct match_ranges){&tcp, 1};
	rules[0].prog[0] = rules[0].prog[1] = plain;
	for (size_t w = 0; w < DIM(ways); w++) {
		struct match_image *image = NULL;
		struct match_verdict v[FRAMES];
		struct match_notes notes = {0};

		assert_int_equal(match_image_new_with(rules, RULES, MATCH_ENGINE_INTERP,
					 &ways[w].options, &image, NULL),
			0);
		memset(v, 0xee, sizeof(v));
		for (uint32_t i = 0; i < FRAMES; i++) {
			make_step_frame(i, start, 1, i % 2 == 0 ? 6 : 17);
			if (i % 2 == 0)
				((uint8_t *)(uintptr_t)views[i].frame)[20] = 7;
		}
		match_verdicts(image, views, FRAMES, 0, 0, true, counters, 99, v, &notes);
		for (uint32_t i = 0; i < FRAMES; i++) {
			const uint32_t want =
				i % 2 == 0 ? MATCH_NONE : plain_first(rules, RULES, &views[i], 1);

			if (v[i].index != want)
				print_error("%s: frame %u: rule %d, not %d\n", ways[w].name, i,
					(int)v[i].index, (int)want);
			assert_int_equal(v[i].index, want);
			hits += want != MATCH_NONE;
		}
		match_image_free(image);
	}
	free_progs();
	cbpf_prog_free(plain);
	mem_free(counters);
	assert_true(hits > FRAMES / 4);
}

/* The same frames are for generated rules what they are for others; nothing is read behind them. */
static void
frames_that_are_left_out_are_seen_as_they_are(void **state)
{
	const uint32_t start = 12, end = start + 8, far = 44;
	static const uint32_t from[FRAMES];
	uint8_t which[FRAMES];
	const struct plain_burst b = {views, which, from, FRAMES};
	uint32_t hits = 0;

	(void)state;
	make_step_rules(start, 1, false);
	for (uint32_t i = 1; i < RULES; i += 2) {
		char text[64];

		(void)snprintf(text, sizeof(text), "asm ldb [%u]; jne #%u, no; ret #1; no: ret #0",
			far, i);
		cbpf_prog_free(progs[i]);
		progs[i] = world_prog(text, 12, 4);
		rules[i].prog[0] = rules[i].prog[1] = progs[i];
		rules[i].generated = true;
	}
	for (uint32_t i = 0; i < FRAMES; i++) {
		/* Of the one nothing is there but what is walked over. */
		const uint32_t len = i % 2 == 0 ? end + 4 : far + 4;
		uint8_t p[64] = {0x45, [3] = (uint8_t)len, [9] = 17};

		for (uint32_t at = start; at < end; at += 2)
			p[at] = 1;
		p[end] = 2;
		p[end + 1] = (uint8_t)('a' + rng_below(&rng, 8));
		p[end + 2] = (uint8_t)('a' + rng_below(&rng, 8));
		p[far] = (uint8_t)rng_below(&rng, RULES);
		pkt_parse_ip(world_frame_copy(p, len, len).data, len, len, &views[i]);
		which[i] = (uint8_t)i;
	}
	for (size_t w = 0; w < DIM(ways); w++) {
		struct match_image *image = NULL;

		assert_int_equal(match_image_new_with(rules, RULES, MATCH_ENGINE_INTERP,
					 &ways[w].options, &image, NULL),
			0);
		assert_non_null(image->index->straight);
		hits += plain_check(image, ways[w].name, rules, RULES, &b);
		match_image_free(image);
	}
	free_progs();
	assert_true(hits > DIM(ways) * FRAMES / 4);
}

/* ---- chains, which leave long names to tables ---- */

#define CHAIN_RULES 6
#define COUNTERS_OF_RULES (RULES + 1)

static const struct option chains[] = {
	{"chain, c", {.merge = MATCH_MERGE_ALWAYS, .chain_first = true, .isa = ISA_C}},
	{"chain, avx512", {.merge = MATCH_MERGE_ALWAYS, .chain_first = true, .isa = ISA_AVX512}},
	{"chain, as it is", {.merge = MATCH_MERGE_AUTO}},
};

static bool
leaves_to_tables(const struct match_image *image)
{
	return image->base->chain != NULL && image->base->index != NULL;
}

static struct match_image *
chain_image(const struct match_options *options)
{
	struct match_image *image = NULL;

	assert_int_equal(
		match_image_new_with(rules, n_rules, MATCH_ENGINE_JIT, options, &image, NULL), 0);
	return image;
}

/* Frames of which @image says something else than programs. */
static uint32_t
count_wrong(const struct match_image *image)
{
	uint32_t from[FRAMES], got[FRAMES], n = 0;
	uint8_t which[FRAMES];
	const struct plain_burst b = burst(from, which);

	match_image_first(image, b.views, b.which, b.n, 0, b.from, got);
	for (uint32_t i = 0; i < b.n; i++)
		n += got[i] != plain_first(rules, n_rules, &views[i], from[i]);
	return n;
}

/* What decides on frames, where some rules only count. */
static void
check_verdicts(const struct match_image *image, const char *name, struct match_counters *counters)
{
	struct match_verdict v[FRAMES];
	struct match_notes notes = {0};

	match_verdicts(image, views, FRAMES, 0, 0, true, counters, 99, v, &notes);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint32_t want = plain_first(rules, n_rules, &views[i], 0);

		while (want != MATCH_NONE && rules[want].action == MATCH_COUNT)
			want = plain_first(rules, n_rules, &views[i], want + 1);
		if (v[i].index != want)
			print_error("%s: frame %u: rule %d, not %d\n", name, i, (int)v[i].index,
				(int)want);
		assert_int_equal(v[i].index, want);
	}
}

static void
chains_leave_long_names_to_tables(void **state)
{
	const char *is_long = getenv("SLUICE_LONG");
	const uint32_t rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? 3000 : QUICK(120);
	struct match_counters *counters =
		mem_zalloc_aligned(64, COUNTERS_OF_RULES * sizeof(struct match_counters));
	uint32_t hits = 0, found = 0, wrong = 0;

	(void)state;
	if (!cbpf_jit_available())
		skip();
	for (uint32_t k = 0; k < rounds; k++) {
		struct match_options spoilt = chains[k % DIM(chains)].options;
		struct match_image *image, *bad;

		n_rules = 1 + rng_below(&rng, CHAIN_RULES);
		for (uint32_t i = 0; i < n_rules; i++) {
			make_rule(i, k % 2 == 0);
			rules[i].action = rng_below(&rng, 3) == 0 ? MATCH_COUNT : MATCH_DROP;
		}
		image = chain_image(&spoilt);
		spoilt.far_fault = true;
		bad = chain_image(&spoilt);
		found += leaves_to_tables(image);
		for (uint32_t b = 0; b < 6; b++) {
			make_frames(b < 4 ? 0 : 1 + rng_below(&rng, 2) * 40, k % 2 == 0);
			hits += check(image, chains[k % DIM(chains)].name);
			check_verdicts(image, chains[k % DIM(chains)].name, counters);
			wrong += count_wrong(bad);
		}
		match_image_free(image);
		match_image_free(bad);
		free_progs();
	}
	mem_free(counters);
	n_rules = RULES;
	print_message("%u of %u chains before tables\n", found, rounds);
	assert_true(found > rounds / 4);
	assert_true(hits > rounds);
	/* One that keeps them to itself is noticed. */
	assert_true(wrong > 0);
}

/*
 * A chain has the first rounds of a program. Where these lead elsewhere than to the next one, what
 * is there is of those that the chain has not.
 */
static void
rounds_that_lead_elsewhere_are_left_to_tables(void **state)
{
	const struct match_options options = {
		.merge = MATCH_MERGE_ALWAYS, .chain_first = true, .isa = ISA_C};
	struct match_image *image;
	uint32_t hits = 0;

	(void)state;
	if (!cbpf_jit_available())
		skip();
	n_rules = CHAIN_RULES;
	make_step_rules(NAME_AT, 1, true);
	image = chain_image(&options);
	assert_true(leaves_to_tables(image));
	for (uint32_t b = 0; b < 8; b++) {
		for (uint32_t i = 0; i < FRAMES; i++)
			make_step_frame(i, NAME_AT, 1, 17);
		hits += check(image, "chain");
	}
	match_image_free(image);
	free_progs();
	n_rules = RULES;
	assert_true(hits > 0);
}

/* A program of many questions that takes no steps. */
static struct cbpf_prog *
long_prog(void)
{
	enum { QUESTIONS = 100 };
	struct cbpf_insn insns[3 * QUESTIONS + 2];
	struct cbpf_prog *prog = NULL;
	size_t n = 0;

	for (uint32_t k = 0; k < QUESTIONS; k++) {
		insns[n++] = (struct cbpf_insn){CBPF_CODE_LD_H_ABS, 0, 0, 28 + k % 20};
		insns[n++] = (struct cbpf_insn){CBPF_CODE_ALU_AND_K, 0, 0, k + 1};
		insns[n++] = (struct cbpf_insn){CBPF_CODE_JEQ_K, 1, 0, k};
	}
	insns[n - 1].jt = 0;
	insns[n - 1].jf = 1;
	insns[n++] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 0};
	insns[n++] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 1};
	assert_int_equal(cbpf_prog_new(insns, n, &prog, NULL), 0);
	return prog;
}

/* Among names that a table would take: what is long is no walk yet, which a chain had better leave. */
static void
what_is_long_and_no_walk_is_in_chains(void **state)
{
	const struct match_options options = {.merge = MATCH_MERGE_AUTO};
	struct match_image *image;

	(void)state;
	if (!cbpf_jit_available())
		skip();
	n_rules = 20;
	for (uint32_t i = 0; i < n_rules; i++) {
		char text[40];

		(void)snprintf(text, sizeof(text), "dns a%u.example.uk", i);
		progs[i] = i == 0 ? long_prog() : world_prog(text, 12, 4);
		rules[i] = plain_rule(i, progs[i], progs[i], &rng);
		rules[i].scope.family = 4;
	}
	image = chain_image(&options);
	assert_non_null(image->base->chain);
	assert_null(image->index);
	match_image_free(image);
	free_progs();
	n_rules = RULES;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_are_those_of_programs),
		cmocka_unit_test(steps_of_one_byte_are_steps),
		cmocka_unit_test(frames_that_are_left_out_get_verdicts),
		cmocka_unit_test(frames_that_are_left_out_are_seen_as_they_are),
		cmocka_unit_test(chains_leave_long_names_to_tables),
		cmocka_unit_test(rounds_that_lead_elsewhere_are_left_to_tables),
		cmocka_unit_test(what_is_long_and_no_walk_is_in_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
