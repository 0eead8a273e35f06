// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rulesets of every family, from one rule to 10,000, and frames that hit, miss by
 * a bit, are cut, tagged, padded or fragmented: an image must say of each what the
 * rules say one by one, through libpcap. All ways an image can be made take turns.
 *
 * SLUICE_SEED repeats a run, SLUICE_PAIRS says how many frames; scripts/soak runs
 * without end. Every frame ends where memory ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"
#include "family.h"
#include "match/image.h"
#include "pkt/view.h"
#include "ref.h"

#define PAIRS_TEST 2000000
#define PAIRS_LONG 100000000
#define SLOT 8192 /* bytes; a frame lies at the end of the first half */

/* Of all frames, how many in percent meet rulesets up to which size, and how many each. */
static const struct tier {
	uint32_t percent, min, max;
	uint64_t frames;
} tiers[] = {
	{90, 1, 100, 3000},
	{9, 101, 1000, 20000},
	{1, 1001, 10000, 20000},
};

static const struct {
	enum match_engine engine;
	const char *isa;
} ways[] = {
	{MATCH_ENGINE_AUTO, NULL},
	{MATCH_ENGINE_AUTO, "avx2"},
	{MATCH_ENGINE_AUTO, "c"},
	{MATCH_ENGINE_INTERP, NULL},
};

/* One ruleset and what is asked of it. */
struct round {
	struct family *f;
	struct match_rule *rules; /* a copy, whose enabled follows the image's */
	size_t n;
	struct match_image *image;
	enum family_kind kind;
	uint32_t way;
	uint64_t seed;
};

static struct totals {
	uint64_t pairs, matches, near, rulesets;
} totals;

static uint8_t *slots; /* MATCH_BURST of them */

static bool
percent(struct rng *rng, uint32_t p)
{
	return rng_below(rng, 100) < p;
}

static void
slots_new(void)
{
	slots = mmap(NULL, (size_t)SLOT * MATCH_BURST, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		abort();
	for (size_t i = 0; i < MATCH_BURST; i++)
		if (mprotect(slots + i * SLOT + SLOT / 2, SLOT / 2, PROT_NONE) < 0)
			abort();
}

/* Put @gap bytes in at @at. */
static size_t
insert(uint8_t *p, size_t len, size_t at, const uint8_t *bytes, size_t gap)
{
	memmove(p + at + gap, p + at, len - at);
	memcpy(p + at, bytes, gap);
	return len + gap;
}

/* What happens to frames on their way, or what somebody does to them. */
static size_t
change(struct rng *rng, uint8_t *p, size_t len)
{
	static const uint8_t tag[4] = {0x81, 0, 0, 7},
			     nops[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	const bool ip4 = p[12] == 8 && p[13] == 0;
	const uint32_t dice = rng_below(rng, 100);
	size_t n;

	if (dice < 60)
		return len;
	if (dice < 72) {
		p[rng_below(rng, (uint32_t)len)] ^= (uint8_t)(1 << rng_below(rng, 8));
	} else if (dice < 78) {
		return insert(p, len, 12, tag, sizeof(tag));
	} else if (dice < 84) {
		for (n = rng_below(rng, 24); n > 0; n--)
			p[len++] = (uint8_t)rng_next(rng);
	} else if (dice < 90 && ip4) {
		/* More fragments, a later fragment, or both. */
		store_be16(p + 20,
			(uint16_t)(percent(rng, 50) ? 0x2000 : 0) |
				(uint16_t)(percent(rng, 70) ? rng_below(rng, 9) : 0));
	} else if (dice < 95 && ip4 && p[14] == 0x45) {
		n = 4 * (1 + (size_t)rng_below(rng, 3));
		len = insert(p, len, 34, nops, n);
		p[14] = (uint8_t)(0x45 + n / 4);
		store_be16(p + 16, (uint16_t)(load_be16(p + 16) + n));
	} else if (ip4) {
		store_be16(p + 16, (uint16_t)(load_be16(p + 16) + rng_below(rng, 9) - 4));
	}
	return len;
}

static size_t
make_frame(struct round *r, struct rng *rng, uint8_t *buf)
{
	const uint32_t dice = rng_below(rng, 100);
	const size_t any = rng_below(rng, (uint32_t)r->n);

	if (dice < 50)
		return family_hit(r->f, any, rng, buf);
	if (dice < 85) {
		totals.near++;
		return family_near(r->f, any, rng, buf);
	}
	return family_frame(r->f, percent(rng, 50) ? FAMILY_ADVERSARIAL : FAMILY_MISS, rng, buf);
}

static int
tell(const struct round *r, const struct pkt_view *v, uint32_t from, uint32_t want, uint32_t got)
{
	printf("# family %s, %zu rules, seed %" PRIu64
	       ", way %u, from %u: want %d, got %d\n# frame ",
		family_name(r->kind), r->n, r->seed, r->way, from, (int)want, (int)got);
	for (uint32_t i = 0; i < v->caplen; i++)
		printf("%02x", v->frame[i]);
	printf(" of %u\n", v->wirelen);
	if (want != MATCH_NONE)
		printf("# wanted: %s\n", family_text(r->f, want));
	if (got != MATCH_NONE)
		printf("# got: %s\n", family_text(r->f, got));
	return -1;
}

/* A burst of frames, each with a start of its own. Returns how many answers were wrong. */
static uint32_t
burst(struct round *r, struct rng *rng, uint32_t n, bool quiet)
{
	uint32_t from[MATCH_BURST], got[MATCH_BURST], wrong = 0;
	struct pkt_view views[MATCH_BURST];
	uint8_t which[MATCH_BURST], buf[FAMILY_FRAME_MAX + 64];

	for (uint32_t i = 0; i < n; i++) {
		size_t len = change(rng, buf, make_frame(r, rng, buf));
		const size_t cap = percent(rng, 5) ? rng_below(rng, (uint32_t)len + 1) : len;
		uint8_t *end = slots + i * SLOT + SLOT / 2;

		memcpy(end - cap, buf, cap);
		pkt_parse_ether(end - cap, (uint32_t)cap, (uint32_t)len, &views[i]);
		which[i] = (uint8_t)i;
		from[i] = percent(rng, 70) ? 0 : rng_below(rng, (uint32_t)r->n + 1);
	}
	match_image_first(r->image, views, which, n, 0, from, got);
	for (uint32_t i = 0; i < n; i++) {
		struct ref_frame f;
		uint32_t want;

		ref_parse(views[i].frame, views[i].caplen, views[i].wirelen, &f);
		want = ref_first(r->rules, r->n, &f, 0, from[i]);
		totals.matches += want != MATCH_NONE;
		if (want != got[i]) {
			wrong++;
			if (!quiet)
				(void)tell(r, &views[i], from[i], want, got[i]);
		}
	}
	totals.pairs += n;
	return wrong;
}

/* Some rules go out of force and some come back: nothing is built for that. */
static void
toggle(struct round *r, struct rng *rng)
{
	for (size_t k = 0; k < 1 + r->n / 16; k++) {
		const uint32_t i = rng_below(rng, (uint32_t)r->n);

		r->rules[i].enabled = percent(rng, 70);
		match_image_enable(r->image, i, r->rules[i].enabled);
	}
}

static void
round_fini(struct round *r)
{
	match_image_free(r->image);
	free(r->rules);
	family_free(r->f);
}

static int
round_init(struct round *r, struct rng *rng, size_t n)
{
	const struct match_rule *rules;
	struct diag diag = {0};

	*r = (struct round){.kind = (enum family_kind)rng_below(rng, FAMILY_KINDS),
		.n = n,
		.way = rng_below(rng, DIM(ways)),
		.seed = rng_next(rng)};
	if (family_new(r->kind, n, r->seed, &r->f, &diag) < 0) {
		printf("# %s: %s\n", family_name(r->kind), diag.msg);
		return -1;
	}
	family_set_ipv6(r->f, 15);
	rules = family_rules(r->f, &r->n);
	r->rules = malloc(n * sizeof(*rules));
	memcpy(r->rules, rules, n * sizeof(*rules));
	/* Some are out of force from the start, and some are somebody else's. */
	for (size_t i = 0; i < n; i++)
		r->rules[i].enabled = !percent(rng, 5);
	return 0;
}

static int
build(struct round *r)
{
	struct diag diag = {0};
	int e;

	if (ways[r->way].isa != NULL)
		(void)setenv("SLUICE_ISA", ways[r->way].isa, 1);
	e = match_image_new(r->rules, r->n, ways[r->way].engine, &r->image, &diag);
	(void)unsetenv("SLUICE_ISA");
	if (e < 0)
		printf("# %s, %zu rules: %s\n", family_name(r->kind), r->n, diag.msg);
	return e;
}

/* One ruleset, @frames frames. */
static int
one_ruleset(struct rng *rng, const struct tier *t, uint64_t frames)
{
	struct round r = {.f = NULL};
	/* As many small ones as large ones, within the tier. */
	uint32_t n = t->min, wrong = 0;

	while (n < t->max && percent(rng, 90))
		n += 1 + n / 8;
	if (round_init(&r, rng, MIN(n, t->max)) == 0 && build(&r) == 0) {
		for (uint64_t done = 0; done < frames && wrong == 0;) {
			const uint32_t b = 1 + rng_below(rng, MATCH_BURST);

			if (percent(rng, 5))
				toggle(&r, rng);
			wrong += burst(&r, rng, b, false);
			done += b;
		}
	} else {
		wrong = 1;
	}
	totals.rulesets++;
	round_fini(&r);
	return wrong == 0 ? 0 : -1;
}

static int
check_all(struct rng *rng, uint64_t pairs)
{
	time_t told = time(NULL);

	for (uint64_t k = 0; totals.pairs < pairs; k++) {
		/* Shares hold for each hundredth, so that a short run has all of them. */
		const uint64_t start = totals.pairs, part = MIN(pairs, PAIRS_TEST);

		for (size_t t = 0; t < DIM(tiers); t++) {
			uint64_t left = part * tiers[t].percent / 100;

			while (left > 0) {
				const uint64_t frames = MIN(left, tiers[t].frames);

				if (one_ruleset(rng, &tiers[t], frames) < 0)
					return -1;
				left -= frames;
				if (time(NULL) - told >= 60) {
					told = time(NULL);
					printf("# %" PRIu64 " pairs\n", totals.pairs);
					(void)fflush(stdout);
				}
			}
		}
		if (totals.pairs == start)
			break;
	}
	return 0;
}

/* A comparison that cannot fail proves nothing: one rule of the image is another one. */
static int
check_fault(struct rng *rng)
{
	for (int k = 0; k < FAMILY_KINDS; k++) {
		struct round r = {.f = NULL};
		struct match_rule right;
		uint32_t wrong = 0;

		if (round_init(&r, rng, 40) < 0)
			return -1;
		right = r.rules[20];
		r.rules[20] = r.rules[30];
		r.rules[20].slot = right.slot;
		if (build(&r) < 0)
			return -1;
		right.enabled = true;
		r.rules[20] = right;
		match_image_enable(r.image, 20, true);
		for (int i = 0; i < 400 && wrong == 0; i++)
			wrong = burst(&r, rng, MATCH_BURST, true);
		if (wrong == 0)
			printf("# a fault in %s was not seen\n", family_name(r.kind));
		round_fini(&r);
		if (wrong == 0)
			return -1;
	}
	return 0;
}

static uint64_t
number(const char *name, uint64_t unless)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : unless;
}

int
main(void)
{
	const bool is_long = number("SLUICE_LONG", 0) != 0;
	const uint64_t pairs = number("SLUICE_PAIRS", is_long ? PAIRS_LONG : PAIRS_TEST);
	struct rng rng = {number("SLUICE_SEED", (uint64_t)time(NULL))};
	int fault, all;

	printf("SLUICE_SEED=%" PRIu64 "\n1..2\n", rng.state);
	(void)fflush(stdout);
	slots_new();
	fault = check_fault(&rng);
	printf("%s 1 - a fault is caught in every family\n", fault == 0 ? "ok" : "not ok");
	totals = (struct totals){0};
	all = check_all(&rng, pairs);
	printf("%s 2 - %" PRIu64 " pairs, %" PRIu64
	       " rulesets, %.0f %% match, %.0f %% near misses\n",
		all == 0 ? "ok" : "not ok", totals.pairs, totals.rulesets,
		100.0 * (double)totals.matches / (double)MAX(totals.pairs, 1),
		100.0 * (double)totals.near / (double)MAX(totals.pairs, 1));
	return fault == 0 && all == 0 ? 0 : 1;
}
