// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rulesets loaded one after another, each taking over what is the same: after random
 * changes of the text every one is what it would be loaded alone, and only what is new
 * was generated; so is its image. When memory fails the last one is as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "load.h"
#include "match/image.h"
#include "rules/ruleset.h"

#define RULES 60 /* names that there may be */
#define SETS 3

static struct rng rng;

static uint32_t
some(uint32_t n)
{
	return rng_below(&rng, n);
}

/* What a document says. Everything that may differ is a number. */
struct text {
	struct {
		bool there;
		uint32_t kind, value, mode, order;
	} rules[RULES];
	uint32_t sets[SETS];
	uint32_t location;
	bool comment; /* lines above move all others */
};

/* A number of two digits between both. */
static const struct kind {
	const char *before, *after;
} kinds[] = {
	{"match = dns -i *.w", ".example.uk"},
	{"expr = udp port 53", ""},
	{"dst = s0\nproto = ", ""},
	{"src = s1, 10.0.", ".0/24"},
	{"dst = 10.0.", ".0/24\nsrc = s2"},
	{"match = suffix 010203", ""},
	{"expr = udp and host 10.1.2.", "\nlocations = lhr"},
	{"bytecode = 4,48 0 0 9,21 0 1 ", ",6 0 0 65535,6 0 0 0"},
};

static void
write_text(const struct text *t, struct sbuf *out)
{
	sbuf_addf(out, "[node]\nlocation = %s\n", t->location == 0 ? "lhr" : "ams");
	if (t->comment)
		sbuf_adds(out, "; nothing\n\n\n");
	for (uint32_t i = 0; i < SETS; i++)
		sbuf_addf(out, "[set s%u]\nprefixes = 192.0.%u.0/24, 198.51.100.%u\n", i,
			t->sets[i], t->sets[i]);
	for (uint32_t i = 0; i < RULES; i++) {
		if (!t->rules[i].there)
			continue;
		sbuf_addf(out, "[rule r%u]\n%s%u%s", i, kinds[t->rules[i].kind].before,
			10 + t->rules[i].value, kinds[t->rules[i].kind].after);
		sbuf_addf(out, "\naction = %s\nmode = %s\norder = %u\n",
			t->rules[i].mode & 1 ? "drop" : "count",
			t->rules[i].mode & 2 ? "shadow" : "enforce", t->rules[i].order);
	}
	assert_true(sbuf_ok(out));
}

static void
change_rule(struct text *t)
{
	const uint32_t i = some(RULES);

	switch (some(4)) {
	case 0: t->rules[i].there = !t->rules[i].there; break;
	case 1:
		t->rules[i].kind = some(DIM(kinds));
		t->rules[i].value = some(20);
		break;
	case 2: t->rules[i].mode = some(4); break;
	default: t->rules[i].order = some(5); break;
	}
}

static void
change(struct text *t)
{
	for (uint32_t n = 1 + some(3); n > 0; n--)
		change_rule(t);
	if (some(6) == 0)
		t->sets[some(SETS)] = some(4);
	if (some(20) == 0)
		t->location = some(2);
	t->comment = some(2);
}

static int
load(const struct text *t, const struct ruleset *prev, struct ruleset **ret, struct diag *d)
{
	const struct ruleset_opts opts = {.prev = prev};
	struct sbuf text = SBUF_INIT;
	struct ini_doc *doc = NULL;
	int r;

	write_text(t, &text);
	r = ini_load_text("t.ini", sbuf_str(&text), text.len, &doc, d);
	if (r == 0)
		r = ruleset_load(doc, &opts, ret, d);
	ini_doc_free(doc);
	sbuf_fini(&text);
	return r;
}

static void
same_bytes(const void *a, const void *b, size_t na, size_t nb, size_t size)
{
	assert_int_equal(na, nb);
	if (na > 0)
		assert_memory_equal(a, b, na * size);
}

static void
same_prefixes(const struct match_prefixes *a, const struct match_prefixes *b)
{
	assert_int_equal(a->any, b->any);
	same_bytes(a->v, b->v, a->n, b->n, sizeof(*a->v));
}

static void
same_progs(const struct cbpf_prog *a, const struct cbpf_prog *b)
{
	const struct cbpf_insn *ia, *ib;
	size_t na, nb;

	assert_int_equal(a == NULL, b == NULL);
	if (a == NULL)
		return;
	ia = cbpf_prog_insns(a, &na);
	ib = cbpf_prog_insns(b, &nb);
	same_bytes(ia, ib, na, nb, sizeof(*ia));
}

static void
same_rules(const struct rule *a, const struct rule *b)
{
	const struct ruleset_info *i = &a->info, *k = &b->info;
	const struct match_scope *s = &a->m.scope, *t = &b->m.scope;

	assert_string_equal(i->name, k->name);
	assert_string_equal(i->file, k->file);
	assert_int_equal(i->line, k->line);
	assert_int_equal(i->order, k->order);
	assert_int_equal(i->action, k->action);
	assert_int_equal(i->shadow, k->shadow);
	assert_int_equal(i->here, k->here);
	assert_int_equal(i->armed, k->armed);
	assert_string_equal(i->locations, k->locations);
	assert_int_equal(i->text_hash, k->text_hash);
	assert_string_equal(a->m.name, b->m.name);
	assert_int_equal(a->m.action, b->m.action);
	assert_int_equal(a->m.shadow, b->m.shadow);
	assert_int_equal(a->m.enabled, b->m.enabled);
	assert_int_equal(a->m.link, b->m.link);
	assert_int_equal(a->m.generated, b->m.generated);
	assert_int_equal(a->m.scope_only, b->m.scope_only);
	for (size_t f = 0; f < 2; f++)
		same_progs(a->m.prog[f], b->m.prog[f]);
	assert_int_equal(s->family, t->family);
	assert_int_equal(s->fragments, t->fragments);
	assert_true(s->ports == t->ports);
	same_bytes(s->proto.v, t->proto.v, s->proto.n, t->proto.n, sizeof(*s->proto.v));
	same_bytes(s->sport.v, t->sport.v, s->sport.n, t->sport.n, sizeof(*s->sport.v));
	same_bytes(s->dport.v, t->dport.v, s->dport.n, t->dport.n, sizeof(*s->dport.v));
	same_prefixes(&s->src, &t->src);
	same_prefixes(&s->dst, &t->dst);
}

static void
same_rulesets(const struct ruleset *a, const struct ruleset *b)
{
	assert_int_equal(ruleset_count(a), ruleset_count(b));
	for (size_t i = 0; i < ruleset_count(a); i++)
		same_rules(&a->rules.v[i], &b->rules.v[i]);
}

/* Where @rs says that a rule was compiled before, it was. */
static void
was_is_right(const struct ruleset *rs, const struct ruleset *prev)
{
	for (size_t i = 0; i < ruleset_count(rs); i++) {
		const struct rule *rule = &rs->rules.v[i];
		const struct rule *old;

		if (rule->was == MATCH_NONE)
			continue;
		assert_true(rule->was < ruleset_count(prev));
		old = &prev->rules.v[rule->was];
		assert_string_equal(rule->info.name, old->info.name);
		for (size_t f = 0; f < 2; f++)
			same_progs(rule->m.prog[f], old->m.prog[f]);
		same_prefixes(&rule->m.scope.src, &old->m.scope.src);
		same_prefixes(&rule->m.scope.dst, &old->m.scope.dst);
	}
}

static void
random_text(struct text *t)
{
	*t = (struct text){.location = 0};
	for (uint32_t i = 0; i < RULES; i++) {
		t->rules[i].there = some(100) < 60;
		t->rules[i].kind = some(DIM(kinds));
		t->rules[i].value = some(20);
		t->rules[i].mode = some(4);
		t->rules[i].order = some(5);
	}
}

static struct ruleset *
load_ok(const struct text *t, const struct ruleset *prev)
{
	struct ruleset *rs = NULL;
	struct diag d = {0};
	char buf[800];

	if (load(t, prev, &rs, &d) < 0)
		fail_msg("%s", diag_format(&d, buf, sizeof(buf)));
	return rs;
}

/* The same leaves, so the same rules in the same places. */
static void
same_images(const struct match_image *a, const struct match_image *b)
{
	assert_int_equal(match_image_count(a), match_image_count(b));
	for (uint32_t i = 0; i < match_image_count(a); i++) {
		const struct match_leaf *x = match_image_leaf(a, i), *y = match_image_leaf(b, i);

		assert_int_equal(x->slot, y->slot);
		assert_int_equal(x->action, y->action);
		assert_int_equal(x->shadow, y->shadow);
	}
}

static void
each_is_what_it_would_be_alone(void **state)
{
	const int rounds = getenv("SLUICE_LONG") != NULL ? 3000 : 60;
	struct rules_slots *slots;
	long taken = 0, updated = 0;

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	for (int i = 0; i < rounds; i++) {
		struct match_image *image = NULL;
		struct ruleset *rs;
		struct text t;

		random_text(&t);
		rs = load_ok(&t, NULL);
		assert_int_equal(ruleset_compile(rs, slots, MATCH_ENGINE_AUTO, &image, NULL), 0);
		for (int k = 0; k < 12; k++) {
			struct match_image *next = NULL, *whole = NULL;
			struct ruleset *after, *alone;

			change(&t);
			after = load_ok(&t, rs);
			alone = load_ok(&t, NULL);
			same_rulesets(after, alone);
			was_is_right(after, rs);
			for (size_t j = 0; j < ruleset_count(after); j++)
				taken += after->rules.v[j].was != MATCH_NONE;
			assert_int_equal(ruleset_recompile(after, rs, image, slots,
						 MATCH_ENGINE_AUTO, &next, NULL),
				0);
			assert_int_equal(
				ruleset_compile(alone, slots, MATCH_ENGINE_AUTO, &whole, NULL), 0);
			same_images(next, whole);
			updated += match_image_is_updated(next);
			match_image_free(whole);
			match_image_free(image);
			ruleset_free(alone);
			ruleset_free(rs);
			rs = after;
			image = next;
		}
		ruleset_free(rs);
		match_image_free(image);
	}
	print_message("%ld rules taken over, %ld images updated\n", taken, updated);
	assert_true(taken > rounds * 12 * 10);
	assert_true(updated > rounds * 12 / 2);
	rules_slots_free(slots);
}

/* One rule of all is new: one program, or two, is made. */
static void
only_what_is_new_is_generated(void **state)
{
	struct ruleset *rs, *after;
	struct text t;
	size_t progs;

	(void)state;
	random_text(&t);
	t.rules[7].there = true;
	t.rules[7].kind = 0;
	for (uint32_t i = 0; i < RULES; i++)
		if (t.rules[i].kind == 3)
			t.rules[i].kind = 1; /* lists of sets and others are read anew */
	rs = load_ok(&t, NULL);
	progs = rs->store->progs.n;
	assert_true(progs > 10);
	t.rules[7].value++;
	after = load_ok(&t, rs);
	assert_ptr_equal(after->store, rs->store);
	assert_int_equal(rs->store->progs.n, progs + 2);
	ruleset_free(rs);
	ruleset_free(after);
}

/* What is gone does not stay for ever: after many changes another store is begun, and freed. */
static void
stores_are_not_many(void **state)
{
	struct ruleset *rs = NULL;
	struct text t;
	size_t most = 0;

	(void)state;
	random_text(&t);
	rs = load_ok(&t, NULL);
	for (int i = 0; i < 600; i++) {
		struct ruleset *after;

		for (int k = 0; k < 4; k++)
			change_rule(&t);
		after = load_ok(&t, rs);
		ruleset_free(rs);
		rs = after;
		most = rs->stores.n > most ? rs->stores.n : most;
		/* As if much of it were gone. */
		if (i % 20 == 0)
			rs->store->arena.bytes += (size_t)16 << 20;
	}
	print_message("%zu stores at most\n", most);
	assert_true(most > 1 && most < 16);
	ruleset_free(rs);
}

static void
a_failed_allocation_leaves_the_last_one(void **state)
{
	struct match_image *image = NULL, *next = NULL;
	struct rules_slots *slots;
	struct ruleset *rs, *alone, *after = NULL;
	struct text t, old;
	long n = 0;
	int r = -1;

	(void)state;
	assert_int_equal(rules_slots_new(&slots), 0);
	random_text(&t);
	old = t;
	rs = load_ok(&t, NULL);
	assert_int_equal(ruleset_compile(rs, slots, MATCH_ENGINE_AUTO, &image, NULL), 0);
	change(&t);
	while (r != 0) {
		struct diag d = {0};

		mem_fault_set(n++);
		r = ruleset_recompile(rs, rs->prev, image, slots, MATCH_ENGINE_AUTO, &next, &d);
		(void)mem_fault_set(-1);
		assert_true(r == 0 || r == -ENOMEM);
	}
	match_image_free(next);
	next = NULL;
	r = -1;
	n = 0;
	while (r != 0) {
		const struct ruleset_opts opts = {.prev = rs};
		struct sbuf text = SBUF_INIT;
		struct ini_doc *doc = NULL;
		struct diag d = {0};

		write_text(&t, &text);
		assert_int_equal(ini_load_text("t.ini", sbuf_str(&text), text.len, &doc, &d), 0);
		mem_fault_set(n++);
		r = ruleset_load(doc, &opts, &after, &d);
		if (r == 0)
			r = ruleset_recompile(
				after, rs, image, slots, MATCH_ENGINE_AUTO, &next, &d);
		(void)mem_fault_set(-1);
		if (r != 0) {
			assert_int_equal(r, -ENOMEM);
			ruleset_free(after);
			after = NULL;
		}
		ini_doc_free(doc);
		sbuf_fini(&text);
	}
	print_message("%ld allocations\n", n - 1);
	assert_true(n > 20);
	alone = load_ok(&old, NULL);
	same_rulesets(rs, alone);
	ruleset_free(alone);
	ruleset_free(rs);
	alone = load_ok(&t, NULL);
	same_rulesets(after, alone);
	ruleset_free(alone);
	ruleset_free(after);
	match_image_free(image);
	match_image_free(next);
	rules_slots_free(slots);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_what_it_would_be_alone),
		cmocka_unit_test(only_what_is_new_is_generated),
		cmocka_unit_test(stores_are_not_many),
		cmocka_unit_test(a_failed_allocation_leaves_the_last_one),
	};
	const char *seed = getenv("SLUICE_SEED");

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	print_message("SLUICE_SEED=%" PRIu64 "\n", rng.state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
