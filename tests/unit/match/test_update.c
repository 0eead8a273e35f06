// SPDX-License-Identifier: BSD-3-Clause
/*
 * Images changed rule by rule: after random additions, removals, replacements,
 * moves and switchings an updated image gives what the reference says of the rules
 * as they are then, and what an image built of them whole gives. Wrong numbers in an
 * update must be noticed; an allocation that fails leaves the old image in order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "image_impl.h"
#include "match/dump.h"
#include "match/image.h"
#include "match/report.h"
#include "match/verdict.h"
#include "parts.h"
#include "pkt/view.h"
#include "quick.h"
#include "ref.h"
#include "world.h"

#define POOL 256 /* rules that there may be, each with a slot */

static const struct engine {
	const char *name;
	enum match_engine engine;
	struct match_options options;
} engines[] = {
	{"interpreter, one by one", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_NEVER, .update_always = true, .update_large = 64}},
	{"jit, one by one", MATCH_ENGINE_JIT,
		{.merge = MATCH_MERGE_NEVER, .update_always = true, .update_large = 64}},
	{"interpreter, merged, c", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS,
			.isa = ISA_C,
			.update_always = true,
			.update_large = 64}},
	{"jit, merged, avx2", MATCH_ENGINE_JIT,
		{.merge = MATCH_MERGE_ALWAYS,
			.isa = ISA_AVX2,
			.update_always = true,
			.update_large = 64}},
	{"jit, merged, avx512", MATCH_ENGINE_JIT,
		{.merge = MATCH_MERGE_ALWAYS,
			.isa = ISA_AVX512,
			.update_always = true,
			.update_large = 64}},
	{"as it is", MATCH_ENGINE_AUTO, {.merge = MATCH_MERGE_AUTO, .update_large = 64}},
};

/* Rules in order, and the image of them. */
struct set {
	const struct engine *engine;
	struct world_rules pool;
	struct match_rule rules[POOL];
	uint32_t was[POOL]; /* by rule: its index in the image, or MATCH_NONE */
	size_t n;
	bool used[POOL]; /* by slot */
	struct match_image *image;
	long updates, whole; /* how the images were made */
};

static void
build_whole(struct set *s)
{
	struct diag diag = {0};

	match_image_free(s->image);
	s->image = NULL;
	if (match_image_new_with(
		    s->rules, s->n, s->engine->engine, &s->engine->options, &s->image, &diag) != 0)
		fail_msg("%s: %s", s->engine->name, diag.msg);
	s->whole++;
}

static void
settle(struct set *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->was[i] = i;
}

static struct set *
set_new(const struct engine *engine, size_t n)
{
	struct set *s = calloc(1, sizeof(*s));

	s->engine = engine;
	world_rules_make(&s->pool, POOL);
	for (s->n = 0; s->n < n; s->n++) {
		s->rules[s->n] = s->pool.v[s->n];
		s->used[s->n] = true;
	}
	build_whole(s);
	settle(s);
	return s;
}

static void
set_free(struct set *s)
{
	match_image_free(s->image);
	world_rules_fini(&s->pool);
	free(s);
}

static uint32_t
some(size_t n)
{
	return rng_below(&world_rng, (uint32_t)n);
}

static void
insert(struct set *s, size_t at, const struct match_rule *rule, uint32_t was)
{
	memmove(&s->rules[at + 1], &s->rules[at], (s->n - at) * sizeof(s->rules[0]));
	memmove(&s->was[at + 1], &s->was[at], (s->n - at) * sizeof(s->was[0]));
	s->rules[at] = *rule;
	s->was[at] = was;
	s->n++;
	s->used[rule->slot] = true;
}

static void
take_out(struct set *s, size_t at)
{
	s->used[s->rules[at].slot] = false;
	s->n--;
	memmove(&s->rules[at], &s->rules[at + 1], (s->n - at) * sizeof(s->rules[0]));
	memmove(&s->was[at], &s->was[at + 1], (s->n - at) * sizeof(s->was[0]));
}

static void
add(struct set *s)
{
	uint32_t i = some(POOL);

	if (s->n == POOL)
		return;
	while (s->used[i])
		i = (i + 1) % POOL;
	/* Often where they matter most: before all others, and behind them. */
	insert(s,
		world_percent(20)           ? 0
			: world_percent(20) ? s->n
					    : some(s->n + 1),
		&s->pool.v[i], MATCH_NONE);
}

static void
del(struct set *s)
{
	if (s->n > 0)
		take_out(s, some(s->n));
}

/* Another rule in the same place. */
static void
replace(struct set *s)
{
	const uint32_t at = some(s->n + 1);
	uint32_t i = some(POOL);

	if (at == s->n || s->n == POOL)
		return;
	while (s->used[i])
		i = (i + 1) % POOL;
	take_out(s, at);
	insert(s, at, &s->pool.v[i], MATCH_NONE);
}

static void
move(struct set *s)
{
	struct match_rule rule;
	uint32_t at, was;

	if (s->n < 2)
		return;
	at = some(s->n);
	rule = s->rules[at];
	was = s->was[at];
	take_out(s, at);
	insert(s, some(s->n + 1), &rule, was);
}

static void
toggle(struct set *s)
{
	if (s->n > 0) {
		struct match_rule *rule = &s->rules[some(s->n)];

		rule->enabled = !rule->enabled;
	}
}

static void
change_mode(struct set *s)
{
	if (s->n > 0) {
		struct match_rule *rule = &s->rules[some(s->n)];

		rule->shadow = !rule->shadow;
		rule->action = (enum match_action)some(3);
	}
}

/* What is asked for, and nothing else, on the image as it is. */
static void
switch_in_place(struct set *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->was[i] != i)
			return;
	for (uint32_t i = 0; i < s->n; i++)
		if (world_percent(10)) {
			s->rules[i].enabled = !s->rules[i].enabled;
			match_image_enable(s->image, i, s->rules[i].enabled);
		}
}

/* The image of the rules as they are now. */
static int
update(struct set *s, struct diag *diag)
{
	const struct match_rule *rules[POOL];
	struct match_image *image = NULL;
	int r;

	for (size_t i = 0; i < s->n; i++)
		rules[i] = &s->rules[i];
	r = match_image_update_with(s->image, rules, s->was, s->n, s->engine->engine,
		&s->engine->options, &image, diag);
	if (r != 0) {
		assert_null(image);
		return r;
	}
	assert_true(match_image_is_updated(image));
	match_image_free(s->image);
	s->image = image;
	s->updates++;
	return 0;
}

static void
step(struct set *s)
{
	static void (*const changes[])(struct set * s) = {
		add, add, add, del, replace, move, toggle, change_mode};
	const uint32_t n = world_percent(70) ? 1 : some(12);
	struct diag diag = {0};
	int r;

	for (uint32_t i = 0; i < n; i++)
		changes[some(DIM(changes))](s);
	r = update(s, &diag);
	if (r != 0 && r != -EXFULL)
		fail_msg("%s: %d %s", s->engine->name, r, diag.msg);
	if (r != 0)
		build_whole(s);
	settle(s);
}

/* ---- what it gives ---- */

struct burst {
	struct world_frame frames[MATCH_BURST];
	struct pkt_view views[MATCH_BURST];
	struct ref_frame refs[MATCH_BURST];
	uint32_t n;
};

static void
burst_make(struct burst *b)
{
	b->n = world_percent(70) ? MATCH_BURST : some(MATCH_BURST + 1);
	for (uint32_t i = 0; i < b->n; i++) {
		struct world_frame *f = &b->frames[i];

		*f = world_frame_make();
		pkt_parse_ether(f->data, f->caplen, f->wirelen, &b->views[i]);
		ref_parse(f->data, f->caplen, f->wirelen, &b->refs[i]);
	}
}

static long
compare_first(const struct set *s, const struct burst *b)
{
	const uint32_t port = some(4);
	const bool from_start = world_percent(30);
	uint32_t from[MATCH_BURST], got[MATCH_BURST];
	uint8_t which[MATCH_BURST];
	long bad = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		which[i] = (uint8_t)i;
		from[i] = from_start ? 0 : some(s->n + 2);
	}
	match_image_first(s->image, b->views, which, b->n, port, from, got);
	for (uint32_t i = 0; i < b->n; i++)
		bad += got[i] != ref_first(s->rules, s->n, &b->refs[i], port, from[i]);
	return bad;
}

static long
compare_verdicts(const struct set *s, const struct burst *b, struct match_counters *counters)
{
	const uint32_t port = some(4);
	const uint64_t vital = world_percent(30) ? rng_next(&world_rng) : 0;
	const bool enforce = world_percent(85);
	struct match_verdict got[MATCH_BURST], want;
	struct ref_counters ref[POOL] = {{0}};
	struct match_notes notes = {0}, want_notes = {0};
	long bad = 0;

	memset((void *)counters, 0, POOL * sizeof(*counters));
	match_verdicts(
		s->image, b->views, b->n, port, vital, enforce, counters, 12345, got, &notes);
	for (uint32_t i = 0; i < b->n; i++) {
		ref_verdict(s->rules, s->n, &b->refs[i], port, vital >> i & 1, enforce, ref, 12345,
			&want, &want_notes);
		bad += ref_verdict_differs(&got[i], &want);
	}
	for (size_t k = 0; k < POOL; k++)
		bad += ref_counters_differ(&counters[k], &ref[k]);
	return bad + (memcmp(&notes, &want_notes, sizeof(notes)) != 0);
}

/* An image built whole has the same leaves. */
static long
compare_leaves(const struct set *s)
{
	long bad = match_image_count(s->image) != s->n;

	for (uint32_t i = 0; i < s->n && bad == 0; i++) {
		const struct match_leaf *leaf = match_image_leaf(s->image, i);

		bad += leaf->slot != s->rules[i].slot || leaf->action != s->rules[i].action ||
			leaf->shadow != s->rules[i].shadow;
	}
	return bad;
}

static long
compare(const struct set *s, struct match_counters *counters, long *pairs)
{
	struct burst b;
	long bad = compare_leaves(s);

	burst_make(&b);
	bad += compare_first(s, &b);
	bad += compare_verdicts(s, &b, counters);
	*pairs += 2 * b.n;
	return bad;
}

static struct match_counters *
counters_new(void)
{
	return mem_zalloc_aligned(64, POOL * sizeof(struct match_counters));
}

static size_t
a_size(void)
{
	return world_percent(30) ? some(4) : some(180);
}

/* One ruleset and its changes. Returns the differences. */
static long
run(const struct engine *engine, struct match_counters *counters, long *pairs, long *updates)
{
	struct set *s = set_new(engine, a_size());
	long bad = 0;

	for (int i = 0; i < 25 && bad == 0; i++) {
		step(s);
		bad += compare(s, counters, pairs);
		switch_in_place(s);
		if (bad == 0)
			bad += compare(s, counters, pairs);
	}
	*updates += s->updates;
	set_free(s);
	return bad;
}

#define SETS_QUICK QUICK(20)

static void
updates_give_what_the_reference_says(void **state)
{
	const int sets = getenv("SLUICE_LONG") != NULL ? 1500 : SETS_QUICK;
	struct match_counters *counters = counters_new();
	long pairs = 0, updates = 0;

	(void)state;
	for (size_t e = 0; e < DIM(engines); e++) {
		if (engines[e].engine == MATCH_ENGINE_JIT && !cbpf_jit_available())
			continue;
		for (int i = 0; i < sets; i++) {
			const uint64_t seed = world_rng.state;

			if (run(&engines[e], counters, &pairs, &updates) != 0)
				fail_msg("%s: SLUICE_SEED=%llu, set %d", engines[e].name,
					(unsigned long long)seed, i);
		}
		print_message("%s: %ld updates, %ld pairs of image and frame so far\n",
			engines[e].name, updates, pairs);
	}
	assert_true(updates >= sets * 50);
	mem_free(counters);
}

static void
wrong_numbers_are_noticed(void **state)
{
	static const struct engine broken = {"wrong numbers", MATCH_ENGINE_INTERP,
		{.merge = MATCH_MERGE_ALWAYS,
			.update_always = true,
			.update_large = 64,
			.rank_fault = true}};
	struct match_counters *counters = counters_new();
	long pairs = 0, updates = 0, noticed = 0, sets = 0;

	(void)state;
	for (; sets < 60 && noticed < 4; sets++)
		noticed += run(&broken, counters, &pairs, &updates) != 0;
	print_message("noticed in %ld of %ld sets\n", noticed, sets);
	assert_true(noticed >= 4);
	mem_free(counters);
}

/* Every image can be told of. */
static void
tell(const struct set *s)
{
	struct match_rule_report report[POOL];
	struct sbuf text = SBUF_INIT;

	assert_int_equal(match_image_report(s->image, report), 0);
	assert_int_equal(match_dump(s->image, s->rules, MATCH_STAGES, MATCH_NONE, &text), 0);
	assert_true(sbuf_ok(&text));
	assert_non_null(strstr(sbuf_str(&text), "rules in "));
	assert_non_null(strstr(sbuf_str(&text), "part 1, "));
	assert_non_null(strstr(sbuf_str(&text), "rule r: "));
	sbuf_fini(&text);
}

static void
a_failed_allocation_leaves_the_old_image(void **state)
{
	struct match_counters *counters = counters_new();
	long pairs = 0;

	(void)state;
	for (size_t e = 0; e < DIM(engines); e++) {
		struct set *s, old;
		long n = 0;
		int r = -1;

		if (engines[e].engine == MATCH_ENGINE_JIT && !cbpf_jit_available())
			continue;
		s = set_new(&engines[e], 100);
		for (int i = 0; i < 4; i++)
			step(s);
		old = *s;
		for (int i = 0; i < 3; i++) {
			add(s);
			move(s);
			del(s);
		}
		while (r != 0) {
			struct diag diag = {0};

			mem_fault_set(n++);
			r = update(s, &diag);
			(void)mem_fault_set(-1);
			if (r == 0)
				break;
			assert_int_equal(r, -ENOMEM);
			assert_true(diag.msg[0] != '\0');
			assert_ptr_equal(s->image, old.image);
			if (n % 16 == 0)
				assert_int_equal(compare(&old, counters, &pairs), 0);
		}
		print_message("%s: %ld allocations\n", engines[e].name, n - 1);
		/* Printing all takes longer than all updates. */
		if (some(QUICK_SHARE) == 0)
			tell(s);
		assert_true(n > 10);
		assert_int_equal(compare(s, counters, &pairs), 0);
		set_free(s);
	}
	mem_free(counters);
}

/* What was compiled is not compiled again, but shared. */
static void
what_was_compiled_is_shared(void **state)
{
	static const struct engine engine = {"as it is", MATCH_ENGINE_AUTO,
		{.merge = MATCH_MERGE_ALWAYS, .update_always = true, .update_large = 64}};
	struct set *s = set_new(&engine, 120);
	const struct match_entry *entries = s->image->entries;
	const struct match_index *index = s->image->index;
	struct match_rule_report report[POOL];
	struct diag diag = {0};
	long added = 0;

	(void)state;
	assert_false(match_image_is_updated(s->image));
	while (update(s, &diag) == 0) {
		assert_ptr_equal(s->image->parts->v[0].im->entries, entries);
		assert_ptr_equal(s->image->index, index);
		settle(s);
		add(s);
		added++;
	}
	assert_true(added > 64 && added < 80);
	assert_int_equal(match_image_report(s->image, report), 0);
	build_whole(s);
	assert_false(match_image_is_updated(s->image));
	set_free(s);
}

#define NAMES 40

/* An image of NAMES names to which a rule by @text was added, as a part; whose programs are @progs. */
static struct match_image *
image_of_names(const char *text, struct match_rule *rules, struct cbpf_prog **progs)
{
	const struct match_rule *now[NAMES + 1];
	struct match_image *old = NULL, *image = NULL;
	uint32_t was[NAMES + 1];

	for (uint32_t i = 0; i <= NAMES; i++) {
		char name[40];

		(void)snprintf(name, sizeof(name), "dns a%u.example.uk", i);
		progs[i] = world_prog(i == NAMES ? text : name, 12, 4);
		rules[i] = (struct match_rule){.name = "r",
			.scope = {.family = 4,
				.src.any = true,
				.dst.any = true,
				.ports = UINT64_MAX},
			.prog = {progs[i], progs[i]},
			.link = MATCH_LINK_RAW,
			.action = MATCH_DROP,
			.enabled = true,
			.slot = i};
		now[i] = &rules[i];
		was[i] = i;
	}
	was[NAMES] = MATCH_NONE;
	assert_int_equal(match_image_new(rules, NAMES, MATCH_ENGINE_JIT, &old, NULL), 0);
	assert_int_equal(
		match_image_update(old, now, was, NAMES + 1, MATCH_ENGINE_JIT, &image, NULL), 0);
	match_image_free(old);
	return image;
}

/* A chain that leaves names to tables is no part: its tables are asked, and told of. */
static void
parts_are_told_of_as_they_are_asked(void **state)
{
	static const struct {
		const char *text, *says;
		uint8_t kernel;
	} parts[] = {
		{"dns b.example.uk", "of 1 rules: one function\n", MATCH_KERNEL_CHAIN},
		{"dns **.b.example.uk", "of 1 rules: 2 tables", MATCH_KERNEL_HASH},
	};

	(void)state;
	if (!cbpf_jit_available())
		skip();
	for (size_t k = 0; k < DIM(parts); k++) {
		struct match_rule_report report[NAMES + 1];
		struct match_rule rules[NAMES + 1];
		struct cbpf_prog *progs[NAMES + 1];
		struct match_image *image = image_of_names(parts[k].text, rules, progs);
		struct sbuf text = SBUF_INIT;

		assert_int_equal(match_image_report(image, report), 0);
		assert_int_equal(report[NAMES].kernel, parts[k].kernel);
		assert_int_equal(
			match_dump(image, rules, MATCH_STAGE_TABLES, MATCH_NONE, &text), 0);
		assert_non_null(strstr(sbuf_str(&text), parts[k].says));
		assert_int_equal(image->parts->v[1].im->base->chain != NULL,
			parts[k].kernel == MATCH_KERNEL_CHAIN);
		sbuf_fini(&text);
		match_image_free(image);
		for (uint32_t i = 0; i <= NAMES; i++)
			cbpf_prog_free(progs[i]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(updates_give_what_the_reference_says),
		cmocka_unit_test(wrong_numbers_are_noticed),
		cmocka_unit_test(a_failed_allocation_leaves_the_old_image),
		cmocka_unit_test(what_was_compiled_is_shared),
		cmocka_unit_test(parts_are_told_of_as_they_are_asked),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
