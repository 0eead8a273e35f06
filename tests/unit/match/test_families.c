// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rulesets of every family, from one rule to 10,000, and frames that hit, miss by
 * a bit, are cut, tagged, padded or fragmented: an image must say of each what the
 * rules say one by one, through libpcap, and count the same. All ways an image can
 * be made take turns.
 *
 * SLUICE_SEED repeats a run, SLUICE_PAIRS says how many frames; scripts/soak runs
 * without end. Every frame ends where memory ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/util.h"
#include "judge.h"
#include "match/report.h"
#include "quick.h"

#define PAIRS_TEST 2000000 /* enough that every way meets every kernel */
#define PAIRS_QUICK QUICK_MANY(PAIRS_TEST)
#define PAIRS_LONG 100000000
#define CUT_RULES QUICK(40) /* of each family, whose frames are cut at every length */
#define CUT_RULES_LONG 150

/* Of all frames, how many in percent meet rulesets up to which size, and how many each. */
static const struct tier {
	uint32_t percent, min, max;
	uint64_t frames;
} tiers[] = {
	{90, 1, 100, 1000},
	{9, 101, 1000, 20000},
	{1, 1001, 10000, 5000},
};

/* One ruleset and what is asked of it. */
struct round {
	struct family *f;
	struct match_rule *rules; /* a copy, whose enabled follows the image's */
	size_t n;
	struct match_image *image;
	struct judge_books books;
	enum family_kind kind;
	const struct judge_way *way;
	uint64_t seed;
};

static struct totals {
	uint64_t pairs, matches, close, rulesets, updated, turn;
	uint64_t by_way[JUDGE_WAYS];
	uint64_t rules[JUDGE_WAYS][16]; /* by kernel */
} totals;

static bool
percent(struct rng *rng, uint32_t p)
{
	return rng_below(rng, 100) < p;
}

static void
tell(const struct round *r, const struct judge_burst *b, const struct judge_wrong *w)
{
	const struct pkt_view *v = &b->views[w->frame];

	printf("# %s differs: family %s, %zu rules, seed %" PRIu64
	       ", way '%s', from %u: want %d, got %d\n# frame ",
		w->what, family_name(r->kind), r->n, r->seed, r->way->name, w->from, (int)w->want,
		(int)w->got);
	for (uint32_t i = 0; i < v->caplen; i++)
		printf("%02x", v->frame[i]);
	printf(" of %u\n", v->wirelen);
	if (w->want < r->n)
		printf("# wanted: %s\n", family_text(r->f, w->want));
	if (w->got < r->n)
		printf("# got: %s\n", family_text(r->f, w->got));
}

/* Ask for first matches from anywhere, or for verdicts. Returns how many answers were wrong. */
static uint32_t
ask(struct round *r, struct rng *rng, const struct judge_burst *b, uint32_t *want, bool quiet)
{
	uint32_t from[MATCH_BURST], differ;
	struct judge_wrong wrong;

	if (percent(rng, 50)) {
		differ = judge_verdicts(r->image, r->rules, r->n, b,
			percent(rng, 20) ? rng_next(rng) : 0, !percent(rng, 10), &r->books, want,
			&wrong);
	} else {
		for (uint32_t i = 0; i < b->n; i++)
			from[i] = percent(rng, 70) ? 0 : rng_below(rng, (uint32_t)r->n + 1);
		differ = judge_first(r->image, r->rules, r->n, b, from, want, &wrong);
	}
	if (differ != 0 && !quiet)
		tell(r, b, &wrong);
	return differ;
}

/* A burst of @n frames. Returns how many answers were wrong. */
static uint32_t
burst(struct round *r, struct rng *rng, uint32_t n, bool quiet)
{
	uint8_t buf[FAMILY_FRAME_MAX + JUDGE_GROWTH];
	enum judge_aim aim[MATCH_BURST];
	uint32_t want[MATCH_BURST], differ;
	struct judge_burst b;

	judge_begin(&b);
	for (uint32_t i = 0; i < n; i++) {
		const size_t any = rng_below(rng, (uint32_t)r->n);
		const size_t len =
			judge_change(rng, buf, judge_frame(r->f, any, rng, buf, &aim[i]));

		judge_add(&b, buf, percent(rng, 5) ? rng_below(rng, (uint32_t)len + 1) : len, len);
	}
	differ = ask(r, rng, &b, want, quiet);
	for (uint32_t i = 0; i < n; i++) {
		totals.matches += want[i] != MATCH_NONE;
		totals.close += want[i] != MATCH_NONE || aim[i] == JUDGE_NEAR;
	}
	totals.pairs += n;
	totals.by_way[r->way - judge_ways] += n;
	return differ;
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
	judge_books_fini(&r->books);
	free(r->rules);
	family_free(r->f);
}

static int
round_init(struct round *r, struct rng *rng, enum family_kind kind, size_t n)
{
	struct diag diag = {0};

	*r = (struct round){.kind = kind, .n = n, .seed = rng_next(rng)};
	/*
	 * In turn, and families in turn with them, so that even a short run has all of both; one
	 * further each time, since there may be as many of both.
	 */
	do {
		r->way = &judge_ways[(totals.turn + totals.turn / JUDGE_WAYS) % JUDGE_WAYS];
		totals.turn++;
	} while (!judge_way_for(r->way, n));
	if (family_new(kind, n, r->seed, &r->f, &diag) < 0) {
		printf("# %s: %s\n", family_name(kind), diag.msg);
		return -1;
	}
	family_set_ipv6(r->f, 15);
	r->rules = judge_rules(r->f, rng);
	judge_books_init(&r->books, n);
	return 0;
}

/* Which kernels the rules of @r went to. */
static void
count_kernels(const struct round *r)
{
	struct match_rule_report *report = malloc(r->n * sizeof(*report));
	uint64_t *rules = totals.rules[r->way - judge_ways];

	if (report == NULL)
		abort();
	match_image_report(r->image, report);
	for (size_t i = 0; i < r->n; i++)
		if (report[i].kernel < DIM(totals.rules[0]))
			rules[report[i].kernel]++;
	free(report);
}

static int
build(struct round *r, struct rng *by_updates)
{
	bool updated = false;

	if (by_updates != NULL)
		r->image = judge_image_updated(r->rules, r->n, r->way, by_updates, &updated);
	else
		r->image = judge_image(r->rules, r->n, r->way);
	totals.updated += updated;
	if (r->image != NULL)
		count_kernels(r);
	return r->image == NULL ? -1 : 0;
}

static uint32_t
close_books(const struct round *r)
{
	const uint32_t differ = judge_books_differ(&r->books);

	if (differ != 0)
		printf("# counters of %u rules differ: family %s, %zu rules, seed %" PRIu64
		       ", way '%s'\n",
			differ, family_name(r->kind), r->n, r->seed, r->way->name);
	return differ;
}

/* One ruleset, @frames frames. */
static int
one_ruleset(struct rng *rng, const struct tier *t, uint64_t frames)
{
	const enum family_kind kind = (enum family_kind)(totals.rulesets % FAMILY_KINDS);
	struct round r = {.f = NULL};
	/* As many small ones as large ones, within the tier. */
	uint32_t n = t->min, wrong = 0;

	while (n < t->max && percent(rng, 90))
		n += 1 + n / 8;
	if (round_init(&r, rng, kind, MIN(n, t->max)) == 0 &&
		build(&r, percent(rng, 25) ? rng : NULL) == 0) {
		for (uint64_t done = 0; done < frames && wrong == 0;) {
			const uint32_t b = 1 + rng_below(rng, MATCH_BURST);

			if (percent(rng, 5))
				toggle(&r, rng);
			wrong += burst(&r, rng, b, false);
			done += b;
		}
		wrong += close_books(&r);
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
		const uint64_t start = totals.pairs, part = MIN(pairs, PAIRS_QUICK);

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

/* The ways that merge whatever it costs and that had rules in kernel @k. */
static uint32_t
ways_with(int k, uint32_t *ret_ways)
{
	uint32_t n = 0;

	*ret_ways = 0;
	for (size_t w = 0; w < JUDGE_WAYS; w++) {
		if (judge_ways[w].options.merge != MATCH_MERGE_ALWAYS ||
			judge_ways[w].options.chain_first ||
			judge_ways[w].options.chains != (k == MATCH_KERNEL_CHAIN) ||
			(judge_ways[w].options.no_tuple && k == MATCH_KERNEL_TUPLE))
			continue;
		n += totals.rules[w][k] != 0;
		(*ret_ways)++;
	}
	return n;
}

/* Half was hit or just missed; each way had its share; no kernel was left out by any. */
static int
check_shares(uint64_t pairs)
{
	int r = totals.close * 2 >= totals.pairs ? 0 : -1;
	uint32_t with, of;

	for (size_t w = 0; w < JUDGE_WAYS; w++) {
		printf("# %-22s %9" PRIu64 " pairs; rules:", judge_ways[w].name, totals.by_way[w]);
		for (int k = 0; k < MATCH_KERNELS; k++)
			printf(" %" PRIu64 " %s", totals.rules[w][k],
				match_kernel_name((enum match_kernel)k));
		printf("\n");
		if (totals.by_way[w] == 0 && pairs >= PAIRS_TEST)
			r = -1;
	}
	for (int k = MATCH_KERNEL_NEVER + 1; k < MATCH_KERNELS && pairs >= PAIRS_TEST; k++) {
		with = ways_with(k, &of);
		if (with == 0 || with == of)
			continue;
		printf("# only %u of %u ways had rules in '%s'\n", with, of,
			match_kernel_name((enum match_kernel)k));
		r = -1;
	}
	return r;
}

/* ---- frames cut at every length ---- */

static uint32_t
cut(struct round *r, const uint8_t *bytes, size_t len)
{
	static const uint32_t from[MATCH_BURST];
	uint32_t want[MATCH_BURST], differ = 0;
	struct judge_wrong wrong;
	struct judge_burst b;

	for (size_t cap = 0; cap <= len && differ == 0;) {
		judge_begin(&b);
		while (cap <= len && b.n < MATCH_BURST)
			judge_add(&b, bytes, cap++, len);
		differ = judge_first(r->image, r->rules, r->n, &b, from, want, &wrong);
		totals.pairs += b.n;
		if (differ != 0)
			tell(r, &b, &wrong);
	}
	return differ;
}

/* Frames of every rule of every family, in every way, whole and with each byte less. */
static int
check_lengths(struct rng *rng, size_t n)
{
	uint8_t buf[FAMILY_FRAME_MAX];
	uint32_t differ = 0;

	for (int k = 0; k < FAMILY_KINDS; k++) {
		for (size_t w = 0; w < JUDGE_WAYS && differ == 0; w++) {
			struct round r = {.f = NULL};

			if (round_init(&r, rng, (enum family_kind)k, n) < 0)
				return -1;
			r.way = &judge_ways[w];
			if (build(&r, NULL) < 0)
				return -1;
			for (size_t i = 0; i < n && differ == 0; i++) {
				r.rules[i].enabled = true;
				match_image_enable(r.image, (uint32_t)i, true);
				differ += cut(&r, buf, family_hit(r.f, i, rng, buf));
				differ += cut(&r, buf, family_near(r.f, i, rng, buf));
			}
			round_fini(&r);
		}
	}
	return differ == 0 ? 0 : -1;
}

/* ---- faults ---- */

/* A comparison that cannot fail proves nothing: one rule of the image is another one. */
static int
check_fault(struct rng *rng)
{
	for (int k = 0; k < FAMILY_KINDS; k++) {
		struct round r = {.f = NULL};
		struct match_rule right;
		uint32_t wrong = 0;
		size_t n;

		if (round_init(&r, rng, (enum family_kind)k, 40) < 0)
			return -1;
		/* As the family has them: what is only for some sources may be for none. */
		right = family_rules(r.f, &n)[20];
		r.rules[20] = family_rules(r.f, &n)[30];
		r.rules[20].slot = right.slot;
		if (build(&r, NULL) < 0)
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
	const uint64_t pairs = number("SLUICE_PAIRS", is_long ? PAIRS_LONG : PAIRS_QUICK);
	struct rng rng = {number("SLUICE_SEED", (uint64_t)time(NULL))};
	int fault, lengths, all, shares;

	printf("SLUICE_SEED=%" PRIu64 "\n1..4\n", rng.state);
	(void)fflush(stdout);
	fault = check_fault(&rng);
	printf("%s 1 - a fault is caught in every family\n", fault == 0 ? "ok" : "not ok");
	totals = (struct totals){0};
	lengths = check_lengths(&rng, is_long ? CUT_RULES_LONG : CUT_RULES);
	printf("%s 2 - every capture length: %" PRIu64 " pairs\n", lengths == 0 ? "ok" : "not ok",
		totals.pairs);
	(void)fflush(stdout);
	totals = (struct totals){0};
	all = check_all(&rng, pairs);
	shares = check_shares(pairs);
	printf("%s 3 - at least half match or just miss, all ways and kernels\n",
		shares == 0 ? "ok" : "not ok");
	printf("%s 4 - %" PRIu64 " pairs, %" PRIu64 " rulesets (%" PRIu64
	       " by updates), counters of all; %.0f %% match, "
	       "%.0f %% match or just miss\n",
		all == 0 ? "ok" : "not ok", totals.pairs, totals.rulesets, totals.updated,
		100.0 * (double)totals.matches / (double)MAX(totals.pairs, 1),
		100.0 * (double)totals.close / (double)MAX(totals.pairs, 1));
	return fault == 0 && lengths == 0 && all == 0 && shares == 0 ? 0 : 1;
}
