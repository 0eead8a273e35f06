// SPDX-License-Identifier: BSD-3-Clause
/*
 * Fans: tables that frames are looked up in by several keys at once, against their rules' programs
 * one by one, on each kind of processor. Keys that are few and many, near each other and far apart,
 * with finer ones and without, of values that have little to tell them apart; and frames that end
 * anywhere, are not asked about, flood, or are asked again behind a rule.
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

#define FRAMES MATCH_BURST
#define RULES_MAX 6144
#define L4_AT 20

static const struct way {
	const char *name;
	struct match_options options;
} ways[] = {
	{"c", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"avx2", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"avx512", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
};

static struct match_rule rules[RULES_MAX];
static struct pkt_view views[FRAMES];
static struct rng rng;

/* Savefiles claim any length on the wire. */
static void
put_frame(uint32_t i, const uint8_t *p, uint32_t len)
{
	const uint32_t wirelen = rng_below(&rng, 2) == 0 ? len : UINT32_MAX - rng_below(&rng, 256);

	pkt_parse_ip(world_frame_copy(p, len, wirelen).data, len, wirelen, &views[i]);
}

/* The image of the first @n rules, which is one fan. */
static struct match_image *
image_of(const struct way *way, uint32_t n)
{
	struct match_image *image = NULL;

	assert_int_equal(
		match_image_new_with(rules, n, MATCH_ENGINE_INTERP, &way->options, &image, NULL),
		0);
	assert_int_equal(image->index->n_tables, 1);
	assert_non_null(image->index->tables[0].fan);
	return image;
}

/* ---- rules ---- */

#define BYTES 8 /* that a rule asks some bits of */
#define DATA_MAX (9 + 64)

/* What rules are of which there is a fan: at each place as many of each mask. */
struct layout {
	const char *name;
	uint32_t first; /* byte of L4 */
	uint32_t places[8], n_places; /* bytes behind it */
	uint64_t masks[4]; /* big-endian */
	uint32_t n_masks, n_each; /* rules of a mask at a place */
	uint32_t numbers; /* values are two big-endian numbers below it; 0: any */
	/* What is made of them where there are vectors, at least: bytes that keys reach, and keys. */
	uint32_t reach, keys;
	bool fine; /* some with a finer one */
};

#define FEW_BITS UINT64_C(0xffe0000000000000)
#define BESIDE (FEW_BITS | UINT64_C(0x0000ffff00000000))
#define APART (FEW_BITS | UINT64_C(0x00000000ffff0000))
#define FURTHER (FEW_BITS | UINT64_C(0x000000000000ffff))
#define LONGER(bits) (UINT64_C(bits) << 32)

/*
 * Where few bits tell many rules apart there are more keys than the eight that go with another
 * frame's; what lies further apart than 32 bytes goes alone, too. Keys that differ in the last byte
 * of both their words must not hash to the same for series of them.
 */
static const struct layout layouts[] = {
	{"small numbers", 8, {0, 8, 16}, 3, {UINT64_MAX}, 1, 1024, 32, 24, 3, false},
	{"few far keys", 8, {0, 24, 56}, 3, {UINT64_C(0xffff) << 48}, 1, 100, 0, 33, 3, false},
	{"finer keys", 8, {0, 4, 8, 12, 16, 20}, 6,
		{LONGER(0xfff00000), LONGER(0xfff0ffff), LONGER(0xfff0ffff), LONGER(0xffffffff)}, 4,
		256, 0, 24, 6, true},
	{"many near keys", 8, {0, 8, 16, 24}, 4, {FEW_BITS, BESIDE, APART, FURTHER}, 4, 200, 0, 32,
		9, true},
	{"many far keys", 9, {0, 16, 32, 48, 56}, 5, {FEW_BITS, BESIDE, APART, FURTHER}, 4, 200, 0,
		33, 9, true},
};

/* What a rule asks: of the bytes at @at of L4 those that @value has. */
struct asked {
	uint32_t at;
	uint64_t mask, value;
};

static struct asked asked[RULES_MAX];

static struct asked
asked_by(const struct layout *l, uint32_t i)
{
	const uint32_t of = i / l->n_places;
	struct asked a = {.at = l->first + l->places[i % l->n_places],
		.mask = l->masks[of % l->n_masks],
		.value = rng_next(&rng)};

	if (l->numbers != 0)
		a.value = (uint64_t)(of / l->numbers) << 32 | of % l->numbers;
	a.value &= a.mask;
	return a;
}

static struct cbpf_prog *
prog_of(const struct asked *a)
{
	const uint32_t mask[2] = {(uint32_t)(a->mask >> 32), (uint32_t)a->mask};
	const uint32_t value[2] = {(uint32_t)(a->value >> 32), (uint32_t)a->value};
	char text[192];
	int n = snprintf(text, sizeof(text), "asm ldx 4*([0]&0xf); ");

	for (uint32_t k = 0; k < 2; k++)
		if (mask[k] != 0)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
				"ld [x+%u]; and #%u; jne #%u, no; ", a->at + 4 * k, mask[k],
				value[k]);
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "ret #1; no: ret #0");
	return world_prog(text, 12, 4);
}

static uint32_t
make_rules(const struct layout *l)
{
	const uint32_t n = l->n_places * l->n_masks * l->n_each;

	assert_in_range(n, 1, RULES_MAX);
	for (uint32_t i = 0; i < n; i++) {
		asked[i] = asked_by(l, i);
		rules[i] = plain_rule(i, prog_of(&asked[i]), NULL, &rng);
	}
	return n;
}

static void
drop_rules(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		cbpf_prog_free((struct cbpf_prog *)(uintptr_t)rules[i].prog[0]);
}

/* ---- frames ---- */

/* What rule @i asks of the frame at @p. */
static void
put_asked(uint8_t *p, uint32_t i)
{
	const struct asked *a = &asked[i];

	for (uint32_t k = 0; k < BYTES; k++) {
		const uint8_t mask = (uint8_t)(a->mask >> (56 - 8 * k));
		const uint8_t value = (uint8_t)(a->value >> (56 - 8 * k));
		uint8_t *b = &p[L4_AT + a->at + k];

		*b = (uint8_t)((*b & ~mask) | value);
	}
}

/* A frame that has what rule @rule asks, or nearly. @whole: so it has all that rules look at. */
static void
make_frame(uint32_t i, uint32_t rule, bool whole)
{
	uint8_t p[L4_AT + DATA_MAX];
	uint32_t len = sizeof(p);

	for (uint32_t k = 0; k < sizeof(p); k++)
		p[k] = rng_below(&rng, 8) == 0 ? 0 : (uint8_t)rng_next(&rng);
	memcpy(p, "\x45\0\0\0\0\0\0\0\0\x11", 10);
	store_be16(p + 2, (uint16_t)len);
	put_asked(p, rule);
	if (rng_below(&rng, 4) == 0)
		p[L4_AT + asked[rule].at + rng_below(&rng, BYTES)] ^=
			(uint8_t)(1u << rng_below(&rng, 8));
	/* Between those that are asked about. */
	if (!whole && rng_below(&rng, 8) == 0)
		p[0] = 0x60;
	if (!whole && rng_below(&rng, 4) == 0)
		len = 1 + rng_below(&rng, len);
	put_frame(i, p, len);
}

/* Bursts of all kinds by turns, for the first @n rules. */
static void
make_burst(uint32_t n, uint32_t turn)
{
	const uint32_t flood = rng_below(&rng, n);

	for (uint32_t i = 0; i < FRAMES; i++)
		make_frame(i, turn % 3 == 2 ? flood : rng_below(&rng, n), turn % 2 == 0);
}

/* ---- answers ---- */

static uint32_t
check(const struct match_image *image, const char *name, uint32_t n_rules)
{
	const uint32_t n = rng_below(&rng, 2) == 0 ? 1 + rng_below(&rng, FRAMES) : FRAMES;
	const bool in_row = rng_below(&rng, 2) == 0;
	uint32_t from[FRAMES] = {0};
	uint8_t which[FRAMES];
	const struct plain_burst b = {views, which, from, n};
	uint32_t hits;

	for (uint32_t i = 0; i < n; i++)
		which[i] = (uint8_t)(in_row ? i : n - 1 - i);
	hits = plain_check(image, name, rules, n_rules, &b);
	/* Asked again it is not the straight way. */
	for (uint32_t i = 0; i < n; i++)
		from[i] = rng_below(&rng, 4) == 0 ? rng_below(&rng, n_rules + 1) : 0;
	from[rng_below(&rng, n)] = 1;
	(void)plain_check(image, name, rules, n_rules, &b);
	return hits;
}

/* How many of all frames have a rule. */
static uint32_t
count_hits(const struct match_image *image)
{
	static const uint32_t from[FRAMES];
	uint32_t found[FRAMES], hits = 0;
	uint8_t which[FRAMES];

	for (uint32_t i = 0; i < FRAMES; i++)
		which[i] = (uint8_t)i;
	match_image_first(image, views, which, FRAMES, 0, from, found);
	for (uint32_t i = 0; i < FRAMES; i++)
		hits += found[i] != MATCH_NONE;
	return hits;
}

static void
check_layout(const struct layout *l, const struct way *way, uint32_t n)
{
	const uint32_t bursts = 2 + QUICK(6);
	struct match_image *image = image_of(way, n);
	struct hash_fan *fan = image->index->tables[0].fan;
	const uint32_t fine = fan->fine;
	uint32_t hits = 0, all = 0, coarse = 0;

	assert_in_range(image->index->tables[0].n_buckets, 1, 16384);
	for (uint32_t k = 0; k < bursts; k++) {
		make_burst(n, k);
		hits += check(image, way->name, n);
		all += count_hits(image);
		fan->fine = 0;
		coarse += count_hits(image);
		fan->fine = fine;
	}
	print_message("%s, %s: %u keys of %u bytes, %u of %u frames match\n", l->name, way->name,
		fan->n, fan->reach, all, bursts * FRAMES);
	if (isa_kernels(way->options.isa)->fan_keys != 0)
		assert_true(fan->reach >= l->reach && fan->n >= l->keys && (fine != 0) == l->fine);
	assert_true(hits > 0 && all > bursts * FRAMES / 8);
	assert_true(fine == 0 || coarse < all);
	match_image_free(image);
}

/* Each key of a fan says what it finds, however many there are and wherever, and finer ones, too. */
static void
fans_are_that_of_programs(void **state)
{
	const char *seed = getenv("SLUICE_SEED");

	(void)state;
	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	print_message("SLUICE_SEED=%s\n", seed != NULL ? seed : "1");
	for (size_t k = 0; k < DIM(layouts); k++) {
		const uint32_t n = make_rules(&layouts[k]);

		for (size_t w = 0; w < DIM(ways); w++)
			check_layout(&layouts[k], &ways[w], n);
		drop_rules(n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(fans_are_that_of_programs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
