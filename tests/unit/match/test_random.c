// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random rulesets on random frames: every engine gives the reference's first
 * match from any start, its verdicts and its counters. An engine that is wrong
 * on purpose must be noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "image_impl.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "quick.h"
#include "ref.h"
#include "world.h"

/* What an engine may do wrong, to be noticed. */
enum fault { FAULT_NONE, FAULT_PADDING, FAULT_LATER, FAULT_EXTS, FAULT_LAST };

static const struct engine {
	const char *name;
	enum match_engine engine;
	enum fault fault;
	struct match_options options;
} engines[] = {
	{"interpreter, one by one", MATCH_ENGINE_INTERP, FAULT_NONE, {.merge = MATCH_MERGE_NEVER}},
	{"jit, one by one", MATCH_ENGINE_JIT, FAULT_NONE,
		{.merge = MATCH_MERGE_NEVER, .no_chain = true}},
	{"interpreter, merged, c", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C}},
	{"jit, merged, avx2", MATCH_ENGINE_JIT, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2}},
	{"jit, merged, avx512", MATCH_ENGINE_JIT, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512}},
	{"interpreter, merged, bit vectors for five-tuples", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .no_tuple = true}},
	{"interpreter, lists, c", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_C, .only_lists = true}},
	{"jit, lists, avx2", MATCH_ENGINE_JIT, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX2, .only_lists = true}},
	{"jit, lists, avx512", MATCH_ENGINE_JIT, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .isa = ISA_AVX512, .only_lists = true}},
	{"as it is", MATCH_ENGINE_AUTO, FAULT_NONE, {.merge = MATCH_MERGE_AUTO}},
};

static const struct engine broken[] = {
	{"sees padding", MATCH_ENGINE_INTERP, FAULT_PADDING, {.merge = MATCH_MERGE_NEVER}},
	{"takes later fragments for first ones", MATCH_ENGINE_INTERP, FAULT_LATER,
		{.merge = MATCH_MERGE_NEVER}},
	{"does not see extension headers", MATCH_ENGINE_INTERP, FAULT_EXTS,
		{.merge = MATCH_MERGE_NEVER}},
	{"lacks the last rule", MATCH_ENGINE_INTERP, FAULT_LAST, {.merge = MATCH_MERGE_NEVER}},
	{"has wrong values in a table", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_VALUE}},
	{"forgets lengths in tables", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_NEED}},
	{"takes sources for destinations in the bit-vector kernel", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .bits_fault = true, .no_tuple = true}},
	{"takes sources for destinations in the five-tuple kernel", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .tuple_fault = true}},
	{"loses chains in tables", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .hash_fault = HASH_FAULT_CHAIN}},
	{"has a wrong lane", MATCH_ENGINE_INTERP, FAULT_NONE,
		{.merge = MATCH_MERGE_ALWAYS, .only_lists = true, .list_fault = true}},
};

/* Sets of rules for each engine, and pairs of rule set and frame that one gives at least. */
#define SETS_QUICK QUICK(120)
#define PAIRS_OF_SET 160
#define ENOUGH 5 /* times noticed, a fault is known to be */

#define SLOTS 256

struct burst {
	struct world_frame frames[MATCH_BURST];
	struct pkt_view views[MATCH_BURST];
	struct ref_frame refs[MATCH_BURST];
	uint32_t n;
};

static void
burst_make(struct burst *b)
{
	b->n = world_percent(70) ? MATCH_BURST : rng_below(&world_rng, MATCH_BURST + 1);
	for (uint32_t i = 0; i < b->n; i++) {
		struct world_frame *f = &b->frames[i];

		*f = world_frame_make();
		pkt_parse_ether(f->data, f->caplen, f->wirelen, &b->views[i]);
		ref_parse(f->data, f->caplen, f->wirelen, &b->refs[i]);
	}
}

static void
break_view(enum fault fault, struct pkt_view *v)
{
	switch (fault) {
	case FAULT_PADDING:
		if (v->family != 0)
			v->l3_caplen = v->caplen - v->l3_off;
		break;
	case FAULT_LATER: v->flags &= (uint16_t)~PKT_FRAG_LATER; break;
	case FAULT_EXTS: v->flags &= (uint16_t)~PKT_IP_OPTIONS; break;
	case FAULT_NONE:
	case FAULT_LAST: break;
	}
	v->key = pkt_key(v);
}

static struct match_image *
image_make(const struct engine *e, const struct world_rules *rules)
{
	struct match_image *image = NULL;
	struct diag diag = {0};
	const size_t n = rules->n - (e->fault == FAULT_LAST && rules->n > 0);

	if (match_image_new_with(rules->v, n, e->engine, &e->options, &image, &diag) != 0)
		fail_msg("%s: %s", e->name, diag.msg);
	assert_int_equal(match_image_count(image), n);
	return image;
}

/* Which frames, from where: anything. Returns how many answers differ from the reference's. */
static long
compare_first(const struct match_image *image, const struct world_rules *rules,
	const struct burst *b, const struct pkt_view *views, const char **ret_what)
{
	const uint32_t port = rng_below(&world_rng, 4);
	uint32_t from[MATCH_BURST] = {0}, got[MATCH_BURST], alias[MATCH_BURST], n = 0;
	uint8_t which[MATCH_BURST] = {0};
	const bool uniform = world_percent(50);
	long bad = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		if (world_percent(20))
			continue;
		which[n] = (uint8_t)i;
		from[n] = uniform ? 0 : rng_below(&world_rng, (uint32_t)rules->n + 2);
		if (world_percent(3))
			from[n] = MATCH_NONE;
		n++;
	}
	for (uint32_t i = 0; i + 1 < n; i++) {
		const uint32_t j = i + rng_below(&world_rng, n - i);
		const uint8_t t = which[i];

		which[i] = which[j];
		which[j] = t;
	}
	memcpy(alias, from, sizeof(alias));
	match_image_first(image, views, which, n, port, from, got);
	match_image_first(image, views, which, n, port, alias, alias);
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t want = from[i] == MATCH_NONE
			? MATCH_NONE
			: ref_first(rules->v, rules->n, &b->refs[which[i]], port, from[i]);

		if (got[i] != want || alias[i] != want) {
			*ret_what = "first match";
			bad++;
		}
	}
	return bad;
}

static long
compare_verdicts(const struct match_image *image, const struct world_rules *rules,
	const struct burst *b, const struct pkt_view *views, struct match_counters *counters,
	const char **ret_what)
{
	const uint32_t port = rng_below(&world_rng, 4);
	const uint64_t vital = world_percent(30) ? rng_next(&world_rng) : 0;
	const bool enforce = world_percent(85);
	struct match_verdict got[MATCH_BURST], want;
	struct ref_counters ref[SLOTS] = {{0}};
	struct match_notes notes = {1000, 1000}, want_notes = {1000, 1000};
	long bad = 0;

	memset((void *)counters, 0, SLOTS * sizeof(*counters));
	match_verdicts(image, views, b->n, port, vital, enforce, counters, 12345, got, &notes);
	for (uint32_t i = 0; i < b->n; i++) {
		ref_verdict(rules->v, rules->n, &b->refs[i], port, vital >> i & 1, enforce, ref,
			12345, &want, &want_notes);
		if (ref_verdict_differs(&got[i], &want)) {
			*ret_what = "verdict";
			bad++;
		}
	}
	for (size_t s = 0; s < SLOTS; s++)
		if (ref_counters_differ(&counters[s], &ref[s])) {
			*ret_what = "counters";
			bad++;
		}
	if (memcmp(&notes, &want_notes, sizeof(notes)) != 0) {
		*ret_what = "notes";
		bad++;
	}
	return bad;
}

static void
toggle(struct world_rules *rules, struct match_image *image)
{
	for (uint32_t i = 0; i < match_image_count(image); i++)
		if (world_percent(10)) {
			rules->v[i].enabled = !rules->v[i].enabled;
			match_image_enable(image, i, rules->v[i].enabled);
		}
}

/* One ruleset and some bursts. Returns the differences. */
static long
run_set(const struct engine *e, size_t n_rules, int bursts, struct match_counters *counters,
	long *pairs)
{
	struct world_rules *rules = malloc(sizeof(*rules));
	struct match_image *image;
	struct pkt_view views[MATCH_BURST];
	const char *what = "";
	struct burst b;
	long bad = 0;

	world_rules_make(rules, n_rules);
	image = image_make(e, rules);
	for (int i = 0; i < bursts; i++) {
		burst_make(&b);
		memcpy(views, b.views, sizeof(views));
		for (uint32_t j = 0; j < b.n; j++)
			break_view(e->fault, &views[j]);
		bad += compare_first(image, rules, &b, views, &what);
		bad += compare_verdicts(image, rules, &b, views, counters, &what);
		toggle(rules, image);
		*pairs += b.n;
		if (bad != 0)
			break;
	}
	if (bad != 0 && e->fault == FAULT_NONE && e->options.hash_fault == HASH_FAULT_NONE &&
		!e->options.bits_fault && !e->options.tuple_fault && !e->options.list_fault)
		print_error("%s: %s differs, %zu rules\n", e->name, what, n_rules);
	match_image_free(image);
	world_rules_fini(rules);
	free(rules);
	return bad;
}

static size_t
a_size(void)
{
	if (world_percent(30))
		return 1 + rng_below(&world_rng, 4);
	return 1 + rng_below(&world_rng, 200);
}

static struct match_counters *
counters_new(void)
{
	return mem_zalloc_aligned(64, SLOTS * sizeof(struct match_counters));
}

static void
every_engine_gives_the_references_answer(void **state)
{
	const int sets = getenv("SLUICE_LONG") != NULL ? 9000 : SETS_QUICK;
	struct match_counters *counters = counters_new();
	long pairs = 0;

	(void)state;
	for (size_t e = 0; e < DIM(engines); e++) {
		if (engines[e].engine == MATCH_ENGINE_JIT && !cbpf_jit_available())
			continue;
		for (int i = 0; i < sets; i++) {
			const uint64_t seed = world_rng.state;

			if (run_set(&engines[e], a_size(), 8, counters, &pairs) != 0)
				fail_msg("SLUICE_SEED=%llu, set %d", (unsigned long long)seed, i);
		}
		print_message(
			"%s: %ld pairs of ruleset and frame so far\n", engines[e].name, pairs);
	}
	assert_true(pairs >= (long)(DIM(engines) * PAIRS_OF_SET) * sets);
	mem_free(counters);
}

static void
a_broken_engine_is_noticed(void **state)
{
	struct match_counters *counters = counters_new();
	long pairs = 0;

	(void)state;
	for (size_t e = 0; e < DIM(broken); e++) {
		int noticed = 0, sets = 0;

		for (; sets < 60 && noticed < ENOUGH; sets++)
			noticed += run_set(&broken[e], 50, 2, counters, &pairs) != 0;
		print_message("an engine that %s: noticed in %d of %d sets\n", broken[e].name,
			noticed, sets);
		assert_true(noticed > 0);
	}
	mem_free(counters);
}

static void
no_rules_and_no_frames(void **state)
{
	struct match_counters *counters = counters_new();
	struct match_image *image = NULL;
	struct match_verdict v[MATCH_BURST];
	struct match_notes notes = {0};
	struct burst b;

	(void)state;
	assert_int_equal(match_image_new(NULL, 0, MATCH_ENGINE_AUTO, &image, NULL), 0);
	burst_make(&b);
	match_verdicts(image, b.views, b.n, 0, UINT64_MAX, true, counters, 1, v, &notes);
	for (uint32_t i = 0; i < b.n; i++)
		assert_int_equal(v[i].kind, MATCH_VERDICT_PASS);
	match_verdicts(image, b.views, 0, 0, UINT64_MAX, true, counters, 1, v, &notes);
	assert_int_equal(notes.is_protected + notes.transparent_overflow, 0);
	match_image_free(image);
	match_image_free(NULL);
	mem_free(counters);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_engine_gives_the_references_answer),
		cmocka_unit_test(a_broken_engine_is_noticed),
		cmocka_unit_test(no_rules_and_no_frames),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
