// SPDX-License-Identifier: BSD-3-Clause
/*
 * Names from their ends on: rules of names that all end alike, against their programs one by one,
 * on each kind of processor. Names with bytes in them that are 0 and with several ends, in
 * datagrams of IPv4 with options and of IPv6, in frames that lie right behind an unreadable page, or
 * right before one. And which rulesets are not taken for names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "image_impl.h"
#include "index.h"
#include "match/dump.h"
#include "pkt/view.h"
#include "plain.h"
#include "quick.h"
#include "world.h"

#define RULES 40
#define FRAMES MATCH_BURST
#define PAGE 4096
#define ROOM 512 /* bytes of a frame */
#define TAIL "abcdef.abc"
#define TAIL_LABELS "\6abcdef\3abc"

static const struct option {
	const char *name;
	struct match_options options;
} ways[] = {
	{"c", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"avx2", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"avx512", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
	{"vbmi", {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_VBMI}},
};

static struct match_rule rules[RULES];
static struct cbpf_prog *progs[RULES][2];
static struct pkt_view views[FRAMES];
static struct rng rng;

static const char *
draw_label(void)
{
	static const char *const labels[] = {"a", "b", "ab", "ba", "abc"};

	return labels[rng_below(&rng, DIM(labels))];
}

static void
make_rules(void)
{
	static const char *const stars[] = {"*", "**", "**", "*{4-12}"};

	for (uint32_t i = 0; i < RULES; i++) {
		char text[80];
		size_t n = (size_t)snprintf(text, sizeof(text), "dns %s.",
			stars[i < DIM(stars) ? i : rng_below(&rng, DIM(stars))]);

		for (uint32_t labels = 2 + rng_below(&rng, 2); labels > 0; labels--)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s.", draw_label());
		(void)snprintf(text + n, sizeof(text) - n, TAIL);
		for (size_t f = 0; f < 2; f++)
			progs[i][f] = world_prog(text, 12, f == 0 ? 4 : 6);
		rules[i] = plain_rule(i, progs[i][0], progs[i][1], &rng);
	}
}

static void
free_progs(void)
{
	for (uint32_t i = 0; i < RULES; i++)
		for (size_t f = 0; f < 2; f++)
			cbpf_prog_free(progs[i][f]);
}

/* ---- frames ---- */

/* A letter, or 0, which may be the end of a name. */
static uint8_t
letter_or_0(void)
{
	return rng_below(&rng, 8) == 0 ? 0 : (uint8_t)('a' + rng_below(&rng, 3));
}

/* One label at @p. Returns its bytes. */
static uint32_t
put_label(uint8_t *p)
{
	const char *l = draw_label();

	p[0] = (uint8_t)strlen(l);
	memcpy(p + 1, l, strlen(l));
	if (rng_below(&rng, 6) == 0) {
		p[0] = (uint8_t)(1 + rng_below(&rng, 20));
		for (uint32_t k = 1; k <= p[0]; k++)
			p[k] = letter_or_0();
	}
	return 1u + p[0];
}

/* A name at @p with type and class behind it. Returns its bytes. */
static uint32_t
put_name(uint8_t *p)
{
	uint32_t n = 0;

	for (uint32_t labels = rng_below(&rng, rng_below(&rng, 8) == 0 ? 14 : 5); labels > 0;
		labels--)
		n += put_label(p + n);
	if (rng_below(&rng, 8) != 0) {
		memcpy(p + n, TAIL_LABELS, strlen(TAIL_LABELS));
		n += (uint32_t)strlen(TAIL_LABELS);
	}
	memcpy(p + n, "\0\0\1\0\1", 5);
	return n + 5;
}

/* A datagram. Returns its bytes. */
static uint32_t
make_datagram(uint8_t p[ROOM])
{
	static const uint8_t firsts[] = {0x45, 0x45, 0x45, 0x46, 0x4f, 0x60};
	const bool six = (p[0] = firsts[rng_below(&rng, DIM(firsts))]) == 0x60;
	const uint32_t l4 = six ? 40 : (p[0] & 15u) * 4;
	uint32_t len = l4 + 20;

	memset(p + 1, 0, ROOM - 1);
	p[six ? 6 : 9] = 17;
	if (!six)
		p[7] = rng_below(&rng, 16) == 0; /* a later fragment */
	len += put_name(p + len);
	/* What else there is: another name, or anything. */
	if (rng_below(&rng, 4) == 0)
		len += put_name(p + len);
	else if (rng_below(&rng, 2) == 0)
		for (uint32_t more = rng_below(&rng, 100); more > 0; more--)
			p[len++] = letter_or_0();
	store_be16(p + (six ? 4 : 2), (uint16_t)(six ? len - 40 : len));
	return len;
}

/* Bytes between pages that are not there. */
static uint8_t *
slot(uint32_t i)
{
	static uint8_t *slots;

	if (slots == NULL) {
		slots = mmap(NULL, (size_t)(2 * FRAMES + 1) * PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(slots != MAP_FAILED);
		for (size_t k = 0; k < FRAMES; k++)
			assert_int_equal(
				mprotect(slots + (2 * k + 1) * PAGE, PAGE, PROT_READ | PROT_WRITE),
				0);
	}
	return slots + (2 * (size_t)i + 1) * PAGE;
}

/* Frame @i: @cap bytes of the datagram @p of @len bytes, behind a header of Ethernet, or none. */
static void
put_frame(uint32_t i, const uint8_t *p, uint32_t cap, uint32_t len)
{
	const uint32_t head = rng_below(&rng, 2) * 14;
	uint8_t *at = slot(i) + (rng_below(&rng, 2) == 0 ? 0 : PAGE - head - cap);

	if (head != 0) {
		memset(at, 0, head);
		store_be16(at + 12, p[0] >> 4 == 6 ? 0x86dd : 0x0800);
	}
	memcpy(at + head, p, cap);
	if (head != 0)
		pkt_parse_ether(at, head + cap, head + len, &views[i]);
	else
		pkt_parse_ip(at, cap, len, &views[i]);
}

static void
make_frames(void)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t p[ROOM];
		const uint32_t len = make_datagram(p);

		put_frame(i, p, rng_below(&rng, 4) == 0 ? 1 + rng_below(&rng, len) : len, len);
	}
}

/* The same of which one that matches floods, some of its copies cut, or with other bytes. */
static void
make_flood(void)
{
	uint8_t p[ROOM], q[ROOM];
	uint32_t len = 0;

	make_frames();
	for (uint32_t k = 0; k < 32; k++) {
		len = make_datagram(p);
		put_frame(0, p, len, len);
		if (plain_first(rules, RULES, &views[0], 0) != MATCH_NONE)
			break;
	}
	for (uint32_t i = 1; i < FRAMES; i++) {
		const uint32_t dice = rng_below(&rng, 24), at = rng_below(&rng, len);

		memcpy(q, p, len);
		if (dice < 3 && at > 28)
			q[at] = letter_or_0();
		if (dice != 4)
			put_frame(i, q, dice == 3 ? at + 1 : len, len);
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

/* What is looked up in is told of. */
static void
check_dump(const struct match_image *image)
{
	struct sbuf text = SBUF_INIT;

	assert_int_equal(match_dump(image, rules, MATCH_STAGE_TABLES, MATCH_NONE, &text), 0);
	assert_non_null(strstr(sbuf_str(&text), "\nnames 0: "));
	assert_non_null(strstr(sbuf_str(&text), "end-8 & "));
	sbuf_fini(&text);
}

static void
names_are_those_of_programs(void **state)
{
	const char *seed = getenv("SLUICE_SEED"), *is_long = getenv("SLUICE_LONG");
	const uint32_t rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? 4000 : QUICK(30);
	uint64_t names = 0, could = 0, hits = 0, all = 0;

	(void)state;
	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	print_message("SLUICE_SEED=%s\n", seed != NULL ? seed : "1");
	for (uint32_t k = 0; k < rounds; k++) {
		make_rules();
		for (size_t w = 0; w < DIM(ways); w++) {
			struct match_image *image = NULL;

			assert_int_equal(match_image_new_with(rules, RULES, MATCH_ENGINE_INTERP,
						 &ways[w].options, &image, NULL),
				0);
			could += isa_kernels(ways[w].options.isa)->names != NULL;
			if (image->index->names != NULL) {
				names++;
				check_dump(image);
			}
			for (uint32_t b = 0; b < 8; b++, all++) {
				if (b % 2 == 0)
					make_frames();
				else
					make_flood();
				hits += check(image, ways[w].name);
			}
			match_image_free(image);
		}
		free_progs();
	}
	print_message("%.0f of %.0f images by names, %.2f of %.0f frames match\n", (double)names,
		(double)could, (double)hits / (double)(all * FRAMES), (double)(all * FRAMES));
	assert_true(names * 2 >= could);
	assert_true(hits > all * FRAMES / 10);
}

/* ---- names that have much in common ---- */

#define MANY 600

static struct match_rule many[MANY];

/* The image that is made of rules of names that differ in their numbers, and end in @ends by turns. */
static struct match_image *
image_of_many(const char *const *ends, uint32_t n_ends)
{
	static const struct match_options options = {.merge = MATCH_MERGE_AUTO};
	struct match_image *image = NULL;

	for (uint32_t i = 0; i < MANY; i++) {
		const struct cbpf_prog *p;
		char text[120];

		(void)snprintf(text, sizeof(text), "dns %s.n%u.%s", i % 2 == 0 ? "*" : "**",
			100 + i, ends[i % n_ends]);
		p = world_prog(text, 12, 4);
		many[i] = plain_rule(i, p, p, &rng);
		many[i].scope.family = 4;
	}
	assert_int_equal(
		match_image_new_with(many, MANY, MATCH_ENGINE_INTERP, &options, &image, NULL), 0);
	assert_non_null(image->index);
	assert_non_null(image->index->straight);
	return image;
}

static void
free_many(struct match_image *image)
{
	match_image_free(image);
	for (uint32_t i = 0; i < MANY; i++)
		cbpf_prog_free((struct cbpf_prog *)(uintptr_t)many[i].prog[0]);
}

static void
note_longest(void *arg, const struct hash_table *t, const struct hash_item *it, uint32_t chain)
{
	uint32_t *longest = arg;

	(void)t;
	(void)it;
	*longest = MAX(*longest, chain);
}

/* How many names of @image, if it has such, a frame is compared with at most. */
static uint32_t
longest_chain(const struct match_image *image)
{
	const struct names *names = image->index->names;
	uint32_t longest = 0;

	for (uint32_t k = 0; names != NULL && k < names->n; k++)
		hash_each(&names->tables[k], note_longest, &longest);
	return longest;
}

/* Some of one domain, the end of whose name is all that is hashed: as who floods it knows. */
static void
names_of_one_long_domain_make_no_chain(void **state)
{
	static const char *const ends[] = {
		"uk", "de", "com", "customers.of-a-large-company.example"};
	struct match_image *image = image_of_many(ends, DIM(ends));

	(void)state;
	assert_in_range(longest_chain(image), 0, 16);
	free_many(image);
}

/* What is asked in front of eight bytes of which nothing is tells names apart. */
static void
words_that_nobody_asks_are_passed_over(void **state)
{
	static const char *const ends[] = {"?????????.abc.uk"};
	struct match_image *image = image_of_many(ends, DIM(ends));

	(void)state;
	assert_int_equal(image->index->names != NULL, isa_kernels(ISA_AUTO)->names != NULL);
	assert_in_range(longest_chain(image), 0, 4);
	free_many(image);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_programs),
		cmocka_unit_test(names_of_one_long_domain_make_no_chain),
		cmocka_unit_test(words_that_nobody_asks_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
