// SPDX-License-Identifier: BSD-3-Clause
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"

#define SLOT 8192 /* bytes; a frame lies at the end of the first half */
#define NOW_S 12345
#define SLOW_RULES_MAX 1000

const struct judge_way judge_ways[JUDGE_WAYS] = {
	{"as it is", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_AUTO}},
	{"merged, avx512", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
	{"merged, avx2", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"merged, c", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"merged, c, interpreter", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"merged, bit vectors", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_ALWAYS, .no_tuple = true}},
	{"as it is, avx2", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_AUTO, .isa = ISA_AVX2}},
	{"as it is, c", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_AUTO, .isa = ISA_C}},
	{"as it is, interpreter", MATCH_ENGINE_INTERP, {.merge = MATCH_MERGE_AUTO}},
	{"one by one, in part interpreted", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_NEVER, .no_chain = true, .code_insns = 200}},
	{"merged, chains", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C, .chains = true}},
	{"a chain", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_NEVER}},
	{"a chain before tables", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .chain_first = true}},
};

bool
judge_way_for(const struct judge_way *way, size_t n)
{
	return n <= SLOW_RULES_MAX ||
		(way->options.merge != MATCH_MERGE_NEVER && way->engine != MATCH_ENGINE_INTERP);
}

/* What a processor without vectors, or without our machine code, makes of a way. */
static bool
is_same(const struct judge_way *a, const struct judge_way *b)
{
	struct match_options x = a->options, y = b->options;

	if (isa_kernels(x.isa) != isa_kernels(y.isa) ||
		(a->engine != b->engine && cbpf_jit_available()))
		return false;
	x.isa = y.isa;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

bool
judge_way_is_new(size_t way)
{
	for (size_t w = 0; w < way; w++)
		if (is_same(&judge_ways[w], &judge_ways[way]))
			return false;
	return true;
}

struct match_image *
judge_image(const struct match_rule *rules, size_t n, const struct judge_way *way)
{
	struct match_image *image = NULL;
	struct diag diag = {0};

	if (match_image_new_with(rules, n, way->engine, &way->options, &image, &diag) < 0)
		printf("# %s, %zu rules: %s\n", way->name, n, diag.msg);
	return image;
}

/* ---- updates ---- */

#define STEPS 3
#define CHANGES 8 /* rules more or less in a step, at most */

/* Numbers of rules; n and more: a rule again, of which nothing is left in the end. */
struct rule_list {
	uint32_t *v;
	size_t n;
};

static void
list_insert(struct rule_list *l, size_t at, uint32_t number)
{
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof(*l->v));
	l->v[at] = number;
	l->n++;
}

static void
list_remove(struct rule_list *l, size_t at)
{
	memmove(l->v + at, l->v + at + 1, (l->n - at - 1) * sizeof(*l->v));
	l->n--;
}

/* What came before @next: some of its rules missing, some others there. */
static struct rule_list
list_before(const struct rule_list *next, size_t n, struct rng *rng)
{
	struct rule_list l = {malloc((next->n + CHANGES + 1) * sizeof(*l.v)), next->n};

	if (l.v == NULL)
		abort();
	memcpy(l.v, next->v, next->n * sizeof(*l.v));
	for (uint32_t k = rng_below(rng, CHANGES); k > 0 && l.n > 0; k--)
		list_remove(&l, rng_below(rng, (uint32_t)l.n));
	for (uint32_t k = rng_below(rng, CHANGES); k > 0; k--)
		list_insert(&l, rng_below(rng, (uint32_t)l.n + 1),
			(uint32_t)n + rng_below(rng, (uint32_t)n));
	return l;
}

/* One step from @image of @old to @next; NULL: refused. */
static struct match_image *
list_update(const struct match_image *image, const struct rule_list *old,
	const struct rule_list *next, const struct match_rule *rules, size_t n,
	const struct judge_way *way)
{
	const struct match_rule **now = calloc(next->n + 1, sizeof(*now));
	uint32_t *was = calloc(next->n + 1, sizeof(*was));
	struct match_options options = way->options;
	struct match_image *ret = NULL;
	struct diag diag = {0};
	size_t k = 0;
	int r;

	options.update_always = true;
	for (size_t i = 0; i < next->n; i++) {
		size_t at = k;

		now[i] = &rules[next->v[i] % n];
		/* Both are in the same order, but for what only one of them has. */
		while (at < old->n && old->v[at] != next->v[i])
			at++;
		was[i] = at < old->n ? (uint32_t)at : MATCH_NONE;
		k = at < old->n ? at + 1 : k;
	}
	r = match_image_update_with(image, now, was, next->n, way->engine, &options, &ret, &diag);
	if (r < 0 && r != -EXFULL) {
		printf("# update: %s\n", diag.msg);
		abort();
	}
	free(now);
	free(was);
	return r < 0 ? NULL : ret;
}

static struct match_image *
list_image(const struct rule_list *l, const struct match_rule *rules, size_t n,
	const struct judge_way *way)
{
	struct match_rule *copy = calloc(l->n + 1, sizeof(*copy));
	struct match_image *image;

	for (size_t i = 0; i < l->n; i++)
		copy[i] = rules[l->v[i] % n];
	image = judge_image(copy, l->n, way);
	free(copy);
	return image;
}

struct match_image *
judge_image_updated(const struct match_rule *rules, size_t n, const struct judge_way *way,
	struct rng *rng, bool *ret_updated)
{
	struct rule_list lists[STEPS + 1] = {{malloc((n + 1) * sizeof(uint32_t)), n}};
	const size_t steps = 1 + rng_below(rng, STEPS);
	struct match_image *image, *next;

	for (uint32_t i = 0; i < n; i++)
		lists[0].v[i] = i;
	for (size_t k = 1; k <= steps; k++)
		lists[k] = list_before(&lists[k - 1], n, rng);
	image = list_image(&lists[steps], rules, n, way);
	for (size_t k = steps; k-- > 0 && image != NULL;) {
		next = list_update(image, &lists[k + 1], &lists[k], rules, n, way);
		*ret_updated = next != NULL;
		if (next == NULL)
			next = list_image(&lists[k], rules, n, way);
		match_image_free(image);
		image = next;
	}
	for (size_t k = 0; k <= steps; k++)
		free(lists[k].v);
	return image;
}

/* ---- bursts ---- */

static uint8_t *
slot(uint32_t i)
{
	static uint8_t *slots; /* those of a burst behind those of another */
	const size_t n = (size_t)JUDGE_BURSTS * MATCH_BURST;

	if (slots == NULL) {
		slots = mmap(
			NULL, SLOT * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (slots == MAP_FAILED)
			abort();
		for (size_t k = 0; k < n; k++)
			if (mprotect(slots + k * SLOT + SLOT / 2, SLOT / 2, PROT_NONE) < 0)
				abort();
	}
	return slots + (size_t)i * SLOT;
}

static uint32_t bursts;

void
judge_begin(struct judge_burst *b)
{
	b->n = 0;
	bursts++;
}

void
judge_add(struct judge_burst *b, const uint8_t *bytes, size_t cap, size_t len)
{
	uint8_t *at = slot(bursts % JUDGE_BURSTS * MATCH_BURST + b->n) + SLOT / 2 - cap;

	if (b->n == MATCH_BURST || cap > SLOT / 2)
		abort();
	memcpy(at, bytes, cap);
	pkt_parse_ether(at, (uint32_t)cap, (uint32_t)len, &b->views[b->n]);
	ref_parse(at, (uint32_t)cap, (uint32_t)len, &b->refs[b->n]);
	b->n++;
}

/* ---- frames and rules ---- */

static bool
percent(struct rng *rng, uint32_t p)
{
	return rng_below(rng, 100) < p;
}

/* Put @gap bytes in at @at. */
static size_t
insert(uint8_t *p, size_t len, size_t at, const uint8_t *bytes, size_t gap)
{
	memmove(p + at + gap, p + at, len - at);
	memcpy(p + at, bytes, gap);
	return len + gap;
}

size_t
judge_change(struct rng *rng, uint8_t *p, size_t len)
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

size_t
judge_frame(struct family *f, size_t i, struct rng *rng, uint8_t *buf, enum judge_aim *ret_aim)
{
	const uint32_t dice = rng_below(rng, 100);

	*ret_aim = dice < 50 ? JUDGE_HIT : dice < 85 ? JUDGE_NEAR : JUDGE_FAR;
	if (*ret_aim == JUDGE_HIT)
		return family_hit(f, i, rng, buf);
	if (*ret_aim == JUDGE_NEAR)
		return family_near(f, i, rng, buf);
	return family_frame(f, percent(rng, 50) ? FAMILY_ADVERSARIAL : FAMILY_MISS, rng, buf);
}

/* Half of the sources that families draw, as a list that no item could spell; and as a short one. */
static struct match_prefixes
some_sources(bool is_short)
{
	static struct ip_prefix list[64];
	static const struct ip_prefix few[] = {{{4, {32}}, 3}, {{4, {96}}, 3}, {{6, {0x2a}}, 9}};

	if (list[0].len == 0) {
		for (uint32_t i = 0; i < DIM(list); i++)
			list[i] = (struct ip_prefix){{4, {(uint8_t)(2 * i)}}, 8};
		list[DIM(list) - 1] = (struct ip_prefix){{6, {0x2a, 0x80}}, 9};
	}
	return is_short ? (struct match_prefixes){false, few, DIM(few)}
			: (struct match_prefixes){false, list, DIM(list)};
}

static void
narrow(struct match_rule *rule, struct rng *rng)
{
	if (rule->scope.src.any && percent(rng, 20))
		rule->scope.src = some_sources(percent(rng, 30));
	if (percent(rng, 10))
		rule->scope.fragments = (enum match_fragments)rng_below(rng, 4);
	if (percent(rng, 3))
		rule->scope.ports = percent(rng, 50) ? 1 : 2;
}

struct match_rule *
judge_rules(const struct family *f, struct rng *rng)
{
	static const enum match_action others[] = {MATCH_PASS, MATCH_COUNT};
	const bool pure = percent(rng, 50);
	struct match_rule *copy;
	size_t n;
	const struct match_rule *rules = family_rules(f, &n);

	copy = malloc(n * sizeof(*copy));
	if (copy == NULL)
		abort();
	memcpy(copy, rules, n * sizeof(*copy));
	for (size_t i = 0; i < n; i++) {
		if (percent(rng, 25))
			copy[i].action = others[rng_below(rng, DIM(others))];
		copy[i].shadow = percent(rng, 10);
		copy[i].enabled = !percent(rng, 5);
		if (!pure)
			narrow(&copy[i], rng);
	}
	return copy;
}

/* ---- books ---- */

void
judge_books_init(struct judge_books *books, size_t n)
{
	*books = (struct judge_books){.n = n};
	books->got = mem_zalloc_aligned(64, n * sizeof(*books->got));
	books->want = mem_calloc(n, sizeof(*books->want));
	if (books->got == NULL || books->want == NULL)
		abort();
}

void
judge_books_fini(struct judge_books *books)
{
	mem_free(books->got);
	mem_free(books->want);
}

uint32_t
judge_books_differ(const struct judge_books *books)
{
	uint32_t differ = memcmp(&books->notes, &books->want_notes, sizeof(books->notes)) != 0;

	for (size_t i = 0; i < books->n; i++)
		differ += ref_counters_differ(&books->got[i], &books->want[i]);
	return differ;
}

/* ---- answers ---- */

static uint32_t
note(struct judge_wrong *wrong, const char *what, uint32_t frame, uint32_t from, uint32_t want,
	uint32_t got)
{
	if (wrong->what == NULL)
		*wrong = (struct judge_wrong){what, frame, from, want, got};
	return 1;
}

uint32_t
judge_first(const struct match_image *image, const struct match_rule *rules, size_t n,
	const struct judge_burst *b, const uint32_t *from, uint32_t *ret_want,
	struct judge_wrong *wrong)
{
	uint8_t which[MATCH_BURST];
	uint32_t got[MATCH_BURST], differ = 0;

	*wrong = (struct judge_wrong){NULL, 0, 0, 0, 0};
	for (uint32_t i = 0; i < b->n; i++)
		which[i] = (uint8_t)i;
	match_image_first(image, b->views, which, b->n, 0, from, got);
	for (uint32_t i = 0; i < b->n; i++) {
		ret_want[i] = ref_first(rules, n, &b->refs[i], 0, from[i]);
		if (got[i] != ret_want[i])
			differ += note(wrong, "first match", i, from[i], ret_want[i], got[i]);
	}
	return differ;
}

uint32_t
judge_verdicts(const struct match_image *image, const struct match_rule *rules, size_t n,
	const struct judge_burst *b, uint64_t vital, bool enforce, struct judge_books *books,
	uint32_t *ret_want, struct judge_wrong *wrong)
{
	struct match_verdict got[MATCH_BURST], want;
	uint32_t differ = 0;

	*wrong = (struct judge_wrong){NULL, 0, 0, 0, 0};
	match_verdicts(
		image, b->views, b->n, 0, vital, enforce, books->got, NOW_S, got, &books->notes);
	for (uint32_t i = 0; i < b->n; i++) {
		ref_verdict(rules, n, &b->refs[i], 0, vital >> i & 1, enforce, books->want, NOW_S,
			&want, &books->want_notes);
		ret_want[i] = want.index;
		if (got[i].index != want.index)
			differ += note(wrong, "deciding rule", i, 0, want.index, got[i].index);
		else if (got[i].shadow_slot != want.shadow_slot)
			differ += note(
				wrong, "shadow rule", i, 0, want.shadow_slot, got[i].shadow_slot);
		else if (ref_verdict_differs(&got[i], &want))
			differ += note(wrong, "verdict", i, 0, want.index, got[i].index);
	}
	return differ;
}
