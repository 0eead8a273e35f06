// SPDX-License-Identifier: BSD-3-Clause
/*
 * What must not change what rules count, and what must change it in a known way:
 * rules in another order, twice, in two sets, in two halves, out of force; frames
 * padded, in other bursts; images made another way. Rulesets of every family; no
 * reference is asked but for which rules are disjoint, the counters of two images
 * judge each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "judge.h"
#include "quick.h"

#define FRAMES 320
#define RULES_MAX 300
#define SETS (QUICK_SHARE == 1 ? 4 : 1) /* of each family */
#define SETS_LONG 300
#define NOW_S 12345
#define ENOUGH 5 /* times noticed, a fault is known to be */

struct frame {
	uint8_t bytes[FAMILY_FRAME_MAX + JUDGE_GROWTH];
	size_t cap, len;
};

/* What a slot counted. */
struct sum {
	uint64_t packets, bytes, dropped, would_drop, would_drop_passed;
};

struct world {
	struct rng *rng;
	struct family *f;
	struct match_rule *rules; /* each with its index as slot */
	uint32_t n;
	struct frame *frames; /* FRAMES of them */
	/* What the rules count, as they are. */
	struct sum *sums;
	uint32_t overflows;
	const struct judge_way *way; /* of the images that are compared with it */
};

static uint32_t
below(struct world *w, uint32_t n)
{
	return rng_below(w->rng, n);
}

static const struct judge_way *
any_way(struct rng *rng)
{
	return &judge_ways[rng_below(rng, JUDGE_WAYS)];
}

/* ---- counting ---- */

static struct sum *
sums_new(uint32_t n)
{
	struct sum *s = calloc(n + 1, sizeof(*s));

	if (s == NULL)
		abort();
	return s;
}

/*
 * Count what @image makes of frames in bursts of up to @most; @ret_undecided: by frame, no rule
 * decided; or NULL. Returns how often there were too many transparent matches.
 */
static uint32_t
count(const struct match_image *image, const struct frame *frames, uint32_t n_frames,
	const bool *left_out, uint32_t most, uint32_t n_slots, struct sum *sums,
	bool *ret_undecided)
{
	struct match_counters *c = mem_zalloc_aligned(64, n_slots * sizeof(*c));
	struct match_verdict v[MATCH_BURST];
	struct match_notes notes = {0, 0};
	uint32_t number[MATCH_BURST];
	struct judge_burst b;

	if (c == NULL)
		abort();
	for (uint32_t i = 0; i < n_frames;) {
		judge_begin(&b);
		for (; i < n_frames && b.n < most; i++) {
			if (left_out != NULL && left_out[i])
				continue;
			number[b.n] = i;
			judge_add(&b, frames[i].bytes, frames[i].cap, frames[i].len);
		}
		match_verdicts(image, b.views, b.n, 0, 0, true, c, NOW_S, v, &notes);
		for (uint32_t k = 0; k < b.n && ret_undecided != NULL; k++)
			ret_undecided[number[k]] = v[k].index == MATCH_NONE;
	}
	for (uint32_t s = 0; s < n_slots; s++) {
		sums[s].packets += c[s].packets;
		sums[s].bytes += c[s].bytes;
		sums[s].dropped += c[s].dropped;
		sums[s].would_drop += c[s].would_drop;
		sums[s].would_drop_passed += c[s].would_drop_passed;
	}
	mem_free(c);
	return notes.transparent_overflow;
}

static struct match_image *
make(const struct match_rule *rules, uint32_t n, const struct judge_way *way)
{
	struct match_image *image = judge_image(rules, n, way);

	if (image == NULL)
		abort();
	return image;
}

/* What @rules count, in an image made the world's way. */
static struct sum *
sums_of(struct world *w, const struct match_rule *rules, uint32_t n, uint32_t n_slots,
	const struct frame *frames, const bool *left_out)
{
	struct match_image *image = make(rules, n, w->way);
	struct sum *sums = sums_new(n_slots);

	(void)count(image, frames, FRAMES, left_out, MATCH_BURST, n_slots, sums, NULL);
	match_image_free(image);
	return sums;
}

static bool
equal(const struct sum *a, const struct sum *b, uint32_t n)
{
	return memcmp(a, b, n * sizeof(*a)) == 0;
}

static bool
is_zero(const struct sum *s)
{
	static const struct sum zero;

	return memcmp(s, &zero, sizeof(zero)) == 0;
}

static struct match_rule *
copy_rules(const struct world *w, uint32_t more)
{
	struct match_rule *copy = calloc(w->n + more, sizeof(*copy));

	if (copy == NULL)
		abort();
	memcpy(copy, w->rules, w->n * sizeof(*copy));
	return copy;
}

/* ---- what must hold; each returns whether it does ---- */

/* Frames that no two rules match do not ask in which order rules are. */
static bool
in_any_order(struct world *w)
{
	struct match_rule *rules = copy_rules(w, 0);
	bool *left_out = calloc(FRAMES, sizeof(bool));
	struct sum *a, *b;
	bool ok;

	for (uint32_t i = 0; i < FRAMES; i++) {
		const struct frame *f = &w->frames[i];
		struct ref_frame ref;
		uint32_t matches = 0;

		ref_parse(f->bytes, (uint32_t)f->cap, (uint32_t)f->len, &ref);
		for (uint32_t k = 0; k < w->n && matches < 2; k++)
			matches += ref_matches(&w->rules[k], &ref, 0);
		left_out[i] = matches == 2;
	}
	for (uint32_t i = 0; i + 1 < w->n; i++) {
		const uint32_t j = i + below(w, w->n - i);
		const struct match_rule t = rules[i];

		rules[i] = rules[j];
		rules[j] = t;
	}
	a = sums_of(w, w->rules, w->n, w->n, w->frames, left_out);
	b = sums_of(w, rules, w->n, w->n, w->frames, left_out);
	ok = equal(a, b, w->n);
	free(a);
	free(b);
	free(left_out);
	free(rules);
	return ok;
}

static struct match_rule *
insert(const struct world *w, const struct match_rule *rule, uint32_t at)
{
	struct match_rule *rules = copy_rules(w, 1);

	memmove(&rules[at + 1], &rules[at], (w->n - at) * sizeof(*rules));
	rules[at] = *rule;
	rules[at].slot = w->n;
	return rules;
}

/* A rule that decides decides alone: the same one again behind it counts nothing. */
static bool
twice(struct world *w)
{
	const uint32_t i = below(w, w->n);
	struct match_rule *rules;
	struct sum *sums;
	bool ok;

	if (!w->rules[i].enabled || w->rules[i].shadow || w->rules[i].action == MATCH_COUNT)
		return true;
	rules = insert(w, &w->rules[i], i + 1 + below(w, w->n - i));
	sums = sums_of(w, rules, w->n + 1, w->n + 1, w->frames, NULL);
	ok = equal(sums, w->sums, w->n) && is_zero(&sums[w->n]);
	free(sums);
	free(rules);
	return ok;
}

/* ... unless that is out of force: then it does all that the first did. */
static bool
twice_once_off(struct world *w)
{
	const uint32_t i = below(w, w->n);
	struct match_rule *rules = insert(w, &w->rules[i], i + 1);
	struct sum *sums;
	bool ok;

	rules[i].enabled = false;
	sums = sums_of(w, rules, w->n + 1, w->n + 1, w->frames, NULL);
	ok = is_zero(&sums[i]) && equal(&sums[w->n], &w->sums[i], 1);
	sums[i] = w->sums[i];
	ok = ok && equal(sums, w->sums, w->n);
	free(sums);
	free(rules);
	return ok;
}

/* What the first rules do not decide, a second image with the others goes on with. */
static bool
in_two_sets(struct world *w)
{
	const uint32_t k = below(w, w->n + 1);
	struct match_image *a = make(w->rules, k, w->way);
	struct match_image *b = make(w->rules + k, w->n - k, any_way(w->rng));
	bool *undecided = calloc(FRAMES, sizeof(bool)), ok = true;
	struct sum *sums = sums_new(w->n);

	(void)count(a, w->frames, FRAMES, NULL, MATCH_BURST, w->n, sums, undecided);
	for (uint32_t i = 0; i < FRAMES; i++)
		undecided[i] = !undecided[i];
	(void)count(b, w->frames, FRAMES, undecided, MATCH_BURST, w->n, sums, NULL);
	/* Whether a frame passes in the end only the second knows. */
	for (uint32_t i = 0; i < w->n && w->overflows == 0; i++) {
		sums[i].would_drop_passed = w->sums[i].would_drop_passed;
		ok &= equal(&sums[i], &w->sums[i], 1);
	}
	match_image_free(a);
	match_image_free(b);
	free(undecided);
	free(sums);
	return ok;
}

/* Rules see datagrams: what lies behind them is nobody's business. */
static bool
padded(struct world *w)
{
	struct frame *plain = calloc(FRAMES, sizeof(*plain));
	struct frame *more = calloc(FRAMES, sizeof(*more));
	struct sum *a, *b;
	bool ok;

	for (uint32_t i = 0; i < FRAMES; i++) {
		struct frame *f = &plain[i];
		enum judge_aim aim;

		f->len = f->cap = judge_frame(w->f, below(w, w->n), w->rng, f->bytes, &aim);
		more[i] = *f;
		for (uint32_t k = 1 + below(w, JUDGE_GROWTH); k > 0; k--)
			more[i].bytes[more[i].len++] = (uint8_t)rng_next(w->rng);
		/* Some of the padding may not have been captured. */
		more[i].cap = f->len + below(w, (uint32_t)(more[i].len - f->len) + 1);
	}
	a = sums_of(w, w->rules, w->n, w->n, plain, NULL);
	b = sums_of(w, w->rules, w->n, w->n, more, NULL);
	ok = equal(a, b, w->n);
	free(a);
	free(b);
	free(plain);
	free(more);
	return ok;
}

/* A rule that was switched off is as good as none, one that was switched on as any. */
static bool
switched(struct world *w)
{
	struct match_rule *rules = copy_rules(w, 0);
	struct sum *a, *b = sums_new(w->n);
	struct match_image *image;
	uint32_t n = 0;
	bool ok;

	image = make(w->rules, w->n, w->way);
	for (uint32_t i = 0; i < w->n; i++) {
		const bool on = below(w, 3) != 0;

		match_image_enable(image, i, on);
		rules[n] = w->rules[i];
		rules[n].enabled = true;
		n += on;
	}
	(void)count(image, w->frames, FRAMES, NULL, MATCH_BURST, w->n, b, NULL);
	match_image_free(image);
	a = sums_of(w, rules, n, w->n, w->frames, NULL);
	ok = equal(a, b, w->n);
	free(a);
	free(b);
	free(rules);
	return ok;
}

/* How bursts are filled does not matter, nor which frames are neighbours. */
static bool
in_other_bursts(struct world *w)
{
	struct match_image *image = make(w->rules, w->n, w->way);
	struct frame *frames = calloc(FRAMES, sizeof(*frames));
	struct sum *sums = sums_new(w->n);
	bool ok;

	memcpy(frames, w->frames, FRAMES * sizeof(*frames));
	for (uint32_t i = 0; i + 1 < FRAMES; i++) {
		const uint32_t j = i + below(w, FRAMES - i);
		const struct frame t = frames[i];

		frames[i] = frames[j];
		frames[j] = t;
	}
	(void)count(image, frames, FRAMES, NULL, 1 + below(w, MATCH_BURST), w->n, sums, NULL);
	ok = equal(sums, w->sums, w->n);
	match_image_free(image);
	free(frames);
	free(sums);
	return ok;
}

static bool
made_another_way(struct world *w)
{
	struct sum *sums = sums_of(w, w->rules, w->n, w->n, w->frames, NULL);
	const bool ok = equal(sums, w->sums, w->n);

	free(sums);
	return ok;
}

/* ---- halves ---- */

/* @prog for datagrams with (bit) or without (not) bit @mask in byte @at. */
static struct cbpf_prog *
half_prog(const struct cbpf_prog *prog, uint32_t at, uint32_t mask, bool with)
{
	const struct cbpf_insn *insns;
	struct cbpf_prog *half = NULL;
	struct cbpf_insn *v;
	size_t n;

	if (prog == NULL)
		return NULL;
	insns = cbpf_prog_insns(prog, &n);
	v = calloc(n + 4, sizeof(*v));
	v[0] = (struct cbpf_insn){CBPF_CODE_LD_B_ABS, 0, 0, at};
	v[1] = (struct cbpf_insn){0x45, (uint8_t)with, (uint8_t)!with, mask}; /* jset */
	v[2] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 0};
	v[3] = (struct cbpf_insn){CBPF_CODE_LD_IMM, 0, 0, 0};
	memcpy(v + 4, insns, n * sizeof(*v));
	if (cbpf_prog_new(v, n + 4, &half, NULL) < 0)
		abort();
	free(v);
	return half;
}

/* Both halves of what a rule says of sources. False: that cannot be cut. */
static bool
half_sources(const struct match_prefixes *src, struct ip_prefix half[2][2], size_t *ret_n)
{
	const struct ip_prefix *p = src->n == 1 ? src->v : NULL;

	*ret_n = 2;
	if (src->any) {
		for (int h = 0; h < 2; h++) {
			half[h][0] = (struct ip_prefix){{4, {(uint8_t)(h << 7)}}, 1};
			half[h][1] = (struct ip_prefix){{6, {(uint8_t)(h << 7)}}, 1};
		}
		return true;
	}
	*ret_n = 1;
	if (p == NULL || p->len >= (p->addr.family == 4 ? 32 : 128))
		return false;
	half[0][0] = half[1][0] = *p;
	half[0][0].len = half[1][0].len = (uint8_t)(p->len + 1);
	half[1][0].addr.bytes[p->len / 8] |= (uint8_t)(0x80 >> p->len % 8);
	return true;
}

/* A rule is what its halves are together. */
static bool
in_halves(struct world *w)
{
	const uint32_t i = below(w, w->n), at = 4 + below(w, 12), mask = 1u << below(w, 8);
	struct cbpf_prog *progs[4] = {NULL};
	struct match_rule *rules, halves[2];
	struct ip_prefix sources[2][2];
	bool ok = true, by_source;
	struct sum *sums;
	size_t n;

	/* Of later fragments of such rules no program is asked: both halves would match. */
	if (w->rules[i].scope.fragments == MATCH_FRAG_MATCH ||
		w->rules[i].scope.fragments == MATCH_FRAG_ONLY)
		return true;
	by_source = w->rules[i].scope_only || below(w, 3) == 0;
	if (by_source && !half_sources(&w->rules[i].scope.src, sources, &n))
		return true;
	for (int h = 0; h < 2; h++) {
		halves[h] = w->rules[i];
		if (by_source) {
			halves[h].scope.src = (struct match_prefixes){false, sources[h], n};
			continue;
		}
		for (int k = 0; k < 2; k++)
			halves[h].prog[k] = progs[2 * h + k] =
				half_prog(w->rules[i].prog[k], at, mask, h == 0);
	}
	rules = insert(w, &halves[1], i + 1);
	rules[i] = halves[0];
	sums = sums_of(w, rules, w->n + 1, w->n + 1, w->frames, NULL);
	sums[i].packets += sums[w->n].packets;
	sums[i].bytes += sums[w->n].bytes;
	sums[i].dropped += sums[w->n].dropped;
	sums[i].would_drop += sums[w->n].would_drop;
	sums[i].would_drop_passed += sums[w->n].would_drop_passed;
	ok = equal(sums, w->sums, w->n);
	for (int k = 0; k < 4; k++)
		cbpf_prog_free(progs[k]);
	free(sums);
	free(rules);
	return ok;
}

static const struct relation {
	const char *name;
	bool (*holds)(struct world *w);
	uint32_t times; /* in each ruleset */
} relations[] = {
	{"disjoint rules in any order", in_any_order, 1},
	{"a rule twice", twice, 6},
	{"a rule twice, the first one off", twice_once_off, 3},
	{"rules in two sets", in_two_sets, 2},
	{"padded frames", padded, 1},
	{"rules switched", switched, 2},
	{"other bursts", in_other_bursts, 2},
	{"images made another way", made_another_way, 2},
	{"a rule in halves", in_halves, 8},
};

/* ---- worlds ---- */

static void
world_new(struct world *w, enum family_kind kind, struct rng *rng)
{
	struct diag diag = {0};
	struct match_image *image;

	*w = (struct world){.rng = rng};
	w->n = 1 + rng_below(rng, rng_below(rng, 4) == 0 ? RULES_MAX : 40);
	if (family_new(kind, w->n, rng_next(rng), &w->f, &diag) < 0) {
		printf("# %s: %s\n", family_name(kind), diag.msg);
		abort();
	}
	family_set_ipv6(w->f, 15);
	w->rules = judge_rules(w->f, rng);
	w->frames = calloc(FRAMES, sizeof(*w->frames));
	for (uint32_t i = 0; i < FRAMES; i++) {
		struct frame *f = &w->frames[i];
		enum judge_aim aim;

		f->len = judge_change(
			rng, f->bytes, judge_frame(w->f, below(w, w->n), rng, f->bytes, &aim));
		f->cap = below(w, 10) == 0 ? below(w, (uint32_t)f->len + 1) : f->len;
	}
	w->sums = sums_new(w->n);
	image = make(w->rules, w->n, any_way(rng));
	w->overflows = count(image, w->frames, FRAMES, NULL, MATCH_BURST, w->n, w->sums, NULL);
	match_image_free(image);
}

static void
world_fini(struct world *w)
{
	free(w->sums);
	free(w->frames);
	free(w->rules);
	family_free(w->f);
}

/* All relations in one ruleset; @way NULL: images are made in any way. Returns how many failed. */
static uint32_t
try_all(enum family_kind kind, struct rng *rng, const struct judge_way *way, bool quiet)
{
	const uint64_t seed = rng->state;
	uint32_t failed = 0;
	struct world w;

	world_new(&w, kind, rng);
	for (size_t k = 0; k < DIM(relations); k++)
		for (uint32_t i = 0; i < relations[k].times; i++) {
			w.way = way != NULL ? way : any_way(rng);
			if (relations[k].holds(&w))
				continue;
			failed++;
			if (!quiet)
				printf("# not so: %s; family %s, %u rules, way '%s', SLUICE_SEED=%llu\n",
					relations[k].name, family_name(kind), w.n, w.way->name,
					(unsigned long long)seed);
		}
	world_fini(&w);
	return failed;
}

/* Relations that hold of broken images, too, would say nothing. */
static bool
faults_are_noticed(struct rng *rng)
{
	static const struct judge_way broken[] = {
		{"wrong values", MATCH_ENGINE_AUTO,
			{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_VALUE}},
		{"no chains", MATCH_ENGINE_AUTO,
			{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_CHAIN}},
		{"destinations for sources", MATCH_ENGINE_AUTO,
			{.merge = MATCH_MERGE_ALWAYS, .bits_fault = true, .no_tuple = true}},
		{"destinations for sources of five-tuples", MATCH_ENGINE_AUTO,
			{.merge = MATCH_MERGE_ALWAYS, .tuple_fault = true}},
	};
	bool ok = true;

	for (size_t i = 0; i < DIM(broken); i++) {
		uint32_t failed = 0;

		for (int k = 0; k < 3 * FAMILY_KINDS && failed < ENOUGH; k++)
			failed += try_all(
				(enum family_kind)(k % FAMILY_KINDS), rng, &broken[i], true);
		printf("# %s: noticed %u times\n", broken[i].name, failed);
		ok &= failed > 0;
	}
	return ok;
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED"), *is_long = getenv("SLUICE_LONG");
	struct rng rng = {seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL)};
	const int sets = is_long != NULL && is_long[0] == '1' ? SETS_LONG : SETS;
	uint32_t failed = 0, tried = 0;
	bool noticed;

	printf("SLUICE_SEED=%llu\n1..2\n", (unsigned long long)rng.state);
	for (int k = 0; k < sets * FAMILY_KINDS && failed < 10; k++, tried++)
		failed += try_all((enum family_kind)(k % FAMILY_KINDS), &rng, NULL, false);
	printf("%s 1 - %zu relations hold of %u rulesets\n", failed == 0 ? "ok" : "not ok",
		DIM(relations), tried);
	noticed = faults_are_noticed(&rng);
	printf("%s 2 - broken images are noticed\n", noticed ? "ok" : "not ok");
	return failed == 0 && noticed ? 0 : 1;
}
