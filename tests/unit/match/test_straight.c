// SPDX-License-Identifier: BSD-3-Clause
/*
 * The straight way: rules of one kind, so few tables that it is taken, against their programs one
 * by one, on each kind of processor. Datagrams whose L4 is anywhere or nowhere (header lengths that
 * cannot be, later fragments, extension headers), that end within what is looked at, and odd
 * numbers of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cbpf/prog.h"
#include "image_impl.h"
#include "index.h"
#include "pkt/view.h"
#include "plain.h"
#include "quick.h"
#include "world.h"

#define RULES 40
#define FRAMES MATCH_BURST
#define LEN_MAX 160

static const struct option {
	const char *name;
	struct match_options options;
} ways[] = {
	{"c", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"avx2", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"avx512", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
};

/* "@": a letter or two, "%": a byte in hexadecimal; "$": where L4 is. */
#define PATTERNS_MAX 3
static const char *const kinds[][PATTERNS_MAX] = {
	{"dns @.@", "dns @"},
	{"dns -i *.@", "dns -i @.@"},
	{"dns *.@", "dns @.*"},
	{"dns *.@",
		"asm ldx $; ldb [x+21]; jne #0x%, no; ldb [x+29]; jne #0x%, no; ret #1; no: ret #0"},
	{"suffix % 61", "suffix 61 %"},
	{"asm ldx $; ldb [x+12]; jne #0x%, no; ldh [x+14]; jne #0x6161, no; ret #1; "
	 "no: ret #0",
		"asm ldx $; ldh [x+13]; jne #0x61%, no; ret #1; no: ret #0"},
	{"asm ldx 4*([0]&0xf); ldb [x+12]; jne #0x%, no; ret #1; no: ret #0",
		"asm ldx 4*([0]&0xf); ldh [x+13]; jne #0x61%, no; ret #1; no: ret #0"},
	{"asm ldb [20]; jne #0x%, no; ldb [8]; jgt #0x%, no; ret #1; no: ret #0",
		"asm ldb [20]; jne #0x%, no; ldh [21]; jne #0x6161, no; ret #1; no: ret #0"},
	/* By a byte that is behind what is asked: where it was cut off it leads nowhere. */
	{"asm ldb [40]; tax; ldb [x+20]; jne #0x%, no; ret #1; no: ret #0",
		"asm ldb [40]; tax; ldh [x+21]; jne #0x61%, no; ret #1; no: ret #0"},
	{"asm ldb [40]; add #16; tax; ldb [x+4]; jne #0x%, no; ldb [x+7]; jne #0x%, no; ret #1; "
	 "no: ret #0",
		"asm ldb [40]; add #16; tax; ldh [x+5]; jne #0x61%, no; ret #1; no: ret #0"},
	/* Fans, one of them behind a byte that not every frame has. */
	{"asm ldx $; ldb [x+12]; jne #0x%, no; ret #1; no: ret #0",
		"asm ldx $; ldb [x+20]; jne #0x%, no; ret #1; no: ret #0",
		"asm ldx $; ldb [x+29]; jne #0x%, no; ldb [x+32]; jne #0x%, no; ret #1; no: ret #0"},
	{"asm ldb [40]; tax; ldb [x+16]; jne #0x%, no; ret #1; no: ret #0",
		"asm ldb [40]; tax; ldb [x+24]; jne #0x%, no; ret #1; no: ret #0",
		"asm ldb [40]; tax; ldb [x+33]; jne #0x%, no; ret #1; no: ret #0"},
};

static uint32_t
n_patterns(const char *const *kind)
{
	return kind[PATTERNS_MAX - 1] != NULL ? PATTERNS_MAX : PATTERNS_MAX - 1;
}

static struct match_rule rules[RULES];
static struct cbpf_prog *progs[RULES][2];
static struct pkt_view views[FRAMES];
static struct rng rng;

static uint8_t
letter(struct rng *from)
{
	return (uint8_t)('a' + rng_below(from, 4));
}

/* The same, or 0, which is what kernels have for frames that they do not ask. */
static uint8_t
letter_or_0(struct rng *from)
{
	return rng_below(from, 8) == 0 ? 0 : letter(from);
}

/* What stands for a character of a kind's text, in programs for @family. Returns how many bytes. */
static size_t
put_drawn(struct rng *from, char c, int family, char *p, size_t room)
{
	static const char *const l4[] = {"4*([0]&0xf)", "#40"};
	int n;

	if (c == '@')
		n = snprintf(p, room, "%c%.*s", letter(from), (int)rng_below(from, 9), "aaaaaaaa");
	else if (c == '%')
		n = snprintf(p, room, "%02x", letter_or_0(from));
	else if (c == '$')
		n = snprintf(p, room, "%s", l4[family == 6]);
	else
		n = snprintf(p, room, "%c", c);
	return (size_t)n;
}

/* The same program for each family. */
static void
make_progs(uint32_t i, const char *kind)
{
	const struct rng start = rng;

	for (size_t f = 0; f < 2; f++) {
		char text[256];
		size_t n = 0;

		rng = start;
		for (const char *p = kind; *p != '\0'; p++)
			n += put_drawn(&rng, *p, f == 0 ? 4 : 6, text + n, sizeof(text) - n);
		progs[i][f] = world_prog(text, 12, f == 0 ? 4 : 6);
	}
}

static void
make_rules(const char *const *kind)
{
	/* Then frames of IPv6 are between those that are asked. */
	const bool only_4 = rng_below(&rng, 3) == 0;

	for (uint32_t i = 0; i < RULES; i++) {
		make_progs(i, kind[rng_below(&rng, n_patterns(kind))]);
		rules[i] = plain_rule(i, progs[i][0], only_4 ? NULL : progs[i][1], &rng);
	}
}

/* Letters, and numbers of them, where names and what is asked can be. Returns the datagram's bytes. */
static uint32_t
make_datagram(uint8_t *p)
{
	static const uint8_t firsts[] = {0x45, 0x45, 0x45, 0x46, 0x4f, 0x44, 0x40, 0x60, 0x6a};
	static const uint8_t protos[] = {17, 6, 0, 44, 60, 1};
	const bool six = (p[0] = firsts[rng_below(&rng, DIM(firsts))]) >> 4 == 6;
	const uint32_t l4 = six ? 40 : (p[0] & 15u) * 4;
	uint32_t at = l4 + 20, len;

	for (uint32_t i = 1; i < LEN_MAX; i++)
		p[i] = letter_or_0(&rng);
	p[six ? 6 : 9] = protos[rng_below(&rng, DIM(protos))];
	p[six ? 4 : 6] = 0;
	p[six ? 5 : 7] = rng_below(&rng, 4) == 0; /* of IPv4 a later fragment */
	p[l4 + 1] = 0; /* of an extension header: its length */
	for (uint32_t labels = rng_below(&rng, 3); labels > 0; labels--) {
		p[at] = (uint8_t)(1 + rng_below(&rng, 8));
		memset(p + at + 2, 'a', p[at] - 1u);
		at += 1u + p[at];
	}
	p[at] = 0;
	len = at + 1 + rng_below(&rng, 24);
	store_be16(p + (six ? 4 : 2), (uint16_t)(six ? len - 40 : len));
	/* Only put_frame() says how long it is. */
	if (rng_below(&rng, 16) == 0)
		store_be16(p + (six ? 4 : 2), 0);
	if (rng_below(&rng, 3) == 0)
		len = 1 + rng_below(&rng, len);
	return len;
}

/* Savefiles claim any length on the wire. */
static void
put_frame(uint32_t i, const uint8_t *p, uint32_t len)
{
	const uint32_t wirelen =
		rng_below(&rng, 2) == 0 ? LEN_MAX : UINT32_MAX - rng_below(&rng, LEN_MAX);

	pkt_parse_ip(world_frame_copy(p, len, wirelen).data, len, wirelen, &views[i]);
}

static void
make_frames(void)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t p[LEN_MAX];
		const uint32_t len = make_datagram(p);

		put_frame(i, p, len);
	}
}

/* The same of which one floods, some of its copies cut or with another letter or number. */
static void
make_flood(void)
{
	uint8_t p[LEN_MAX], q[LEN_MAX];
	uint32_t len = 0;

	make_frames();
	for (uint32_t k = 0; k < 16; k++) {
		len = make_datagram(p);
		put_frame(0, p, len);
		if (plain_first(rules, RULES, &views[0], 0) != MATCH_NONE)
			break;
	}
	for (uint32_t i = 1; i < FRAMES; i++) {
		const uint32_t dice = rng_below(&rng, 32), at = rng_below(&rng, len);

		memcpy(q, p, len);
		if (dice == 1)
			q[at] = letter(&rng);
		if (dice != 0)
			put_frame(i, q, dice == 2 ? at + 1 : len);
	}
}

static uint32_t
check(const struct match_image *image, const char *name)
{
	static const uint32_t from[FRAMES];
	const uint32_t n = rng_below(&rng, 3) == 0 ? 1 + rng_below(&rng, FRAMES) : FRAMES;
	const bool in_row = rng_below(&rng, 2) == 0;
	uint8_t which[FRAMES];
	const struct plain_burst b = {views, which, from, n};

	for (uint32_t i = 0; i < n; i++)
		which[i] = (uint8_t)(in_row ? i : n - 1 - i);
	return plain_check(image, name, rules, RULES, &b);
}

static void
straight_is_that_of_programs(void **state)
{
	const char *seed = getenv("SLUICE_SEED"), *is_long = getenv("SLUICE_LONG");
	const uint32_t rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? 20000 : QUICK(240);
	uint64_t straight = 0, could = 0, hits = 0, all = 0;

	(void)state;
	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	print_message("SLUICE_SEED=%s\n", seed != NULL ? seed : "1");
	for (uint32_t k = 0; k < rounds; k++) {
		const char *const *kind = kinds[rng_below(&rng, DIM(kinds))];

		make_rules(kind);
		for (size_t w = 0; w < DIM(ways); w++) {
			struct match_image *image = NULL;

			assert_int_equal(match_image_new_with(rules, RULES, MATCH_ENGINE_INTERP,
						 &ways[w].options, &image, NULL),
				0);
			could += isa_kernels(ways[w].options.isa)->straight != NULL;
			straight += image->index != NULL && image->index->straight != NULL;
			for (uint32_t b = 0; b < 8; b++, all++) {
				if (b % 2 == 0)
					make_frames();
				else
					make_flood();
				hits += check(image, ways[w].name);
			}
			match_image_free(image);
		}
		for (uint32_t i = 0; i < RULES; i++)
			for (size_t f = 0; f < 2; f++)
				cbpf_prog_free(progs[i][f]);
	}
	print_message("%.2f of the images straight, %.2f of %.0f frames match\n",
		(double)straight / (double)MAX(could, 1), (double)hits / (double)(all * FRAMES),
		(double)(all * FRAMES));
	assert_true(straight * 2 >= could);
	assert_true(hits > all * FRAMES / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(straight_is_that_of_programs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
