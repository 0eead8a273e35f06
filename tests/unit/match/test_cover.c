// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rules that can never decide: what is reported is true of every frame, by a
 * reference that knows nothing of items, and what was planted is reported.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "family.h"
#include "image_impl.h"
#include "match/image.h"
#include "match/report.h"
#include "ref.h"
#include "world.h"

static bool
is_long(void)
{
	return getenv("SLUICE_LONG") != NULL;
}

static struct match_image *
image_make(const struct match_rule *rules, size_t n)
{
	struct match_image *image = NULL;
	struct diag diag = {0};

	if (match_image_new(rules, n, MATCH_ENGINE_INTERP, &image, &diag) != 0)
		fail_msg("%s", diag.msg);
	return image;
}

/* ---- one rule and another one ---- */

/* A rule by its program and some of its scope, "" for none. */
struct text {
	const char *prog, *dst, *dport;
	uint8_t family;
};

static struct match_rule
rule_make(const struct text *t, struct ip_prefix *dst, struct u16_range *dport)
{
	struct match_rule r = {
		.name = "r",
		.action = MATCH_DROP,
		.enabled = true,
		.lasting = true,
		.scope = {.family = t->family,
			.src.any = true,
			.dst.any = true,
			.ports = UINT64_MAX},
		.scope_only = t->prog[0] == '\0',
	};

	if (!r.scope_only) {
		r.prog[0] = r.prog[1] = world_prog(t->prog, 12, 4);
		r.generated = strncmp(t->prog, "dns", 3) == 0;
		if (r.generated)
			r.prog[1] = NULL;
	}
	if (t->dst[0] != '\0') {
		assert_int_equal(parse_ip_prefix(t->dst, dst, NULL), 0);
		r.scope.dst = (struct match_prefixes){.v = dst, .n = 1};
	}
	if (t->dport[0] != '\0') {
		assert_int_equal(parse_range(t->dport, 0, 65535, dport, NULL), 0);
		r.scope.dport = (struct match_ranges){.v = dport, .n = 1};
	}
	return r;
}

static const char *
letter_of(const void *ctx, uint32_t i)
{
	static const char *const letters[] = {"a", "b", "c", "d"};

	(void)ctx;
	return letters[i];
}

/* What is said of @rules, @n of them, lines "" for nothing. */
static void
expect(const struct match_rule *rules, size_t n, const char *want)
{
	struct match_image *image = image_make(rules, n);
	struct sbuf text = SBUF_INIT;
	size_t n_found;
	bool cut;
	const struct match_finding *v = match_image_findings(image, &n_found, &cut);

	assert_false(cut);
	for (size_t i = 0; i < n_found; i++) {
		sbuf_adds(&text, i > 0 ? "\n" : "");
		match_finding_text(&v[i], letter_of, NULL, &text);
	}
	assert_string_equal(sbuf_str(&text), want);
	sbuf_fini(&text);
	match_image_free(image);
}

#define COVERS "rule b can never decide: rule a covers it"

static const struct {
	struct text a, b;
	const char *want;
} pairs[] = {
	{{"udp port 53", "", "", 0}, {"udp port 53", "", "", 0}, COVERS},
	{{"dns *.example.uk", "", "", 4}, {"dns *.example.uk", "", "", 4}, COVERS},
	{{"dns *.example.uk", "", "", 4}, {"dns www.example.uk", "", "", 4}, ""},
	{{"dns www.example.uk", "", "", 4}, {"dns *.example.uk", "", "", 4}, ""},
	{{"dns -i www.example.uk", "", "", 4}, {"dns www.example.uk", "", "", 4}, COVERS},
	{{"dns www.example.uk", "", "", 4}, {"dns -i www.example.uk", "", "", 4}, ""},
	{{"dns a.uk b.uk", "", "", 4}, {"dns b.uk", "", "", 4}, COVERS},
	{{"dns b.uk", "", "", 4}, {"dns a.uk b.uk", "", "", 4}, ""},
	{{"tcp dst port 80", "", "", 0}, {"tcp dst port 80 and dst host 10.0.0.1", "", "", 0},
		COVERS},
	{{"tcp dst port 80 and dst host 10.0.0.1", "", "", 0}, {"tcp dst port 80", "", "", 0}, ""},
	{{"dst net 10.0.0.0/8", "", "", 0}, {"dst net 10.1.0.0/16", "", "", 0}, COVERS},
	{{"dst net 10.1.0.0/16", "", "", 0}, {"dst net 10.0.0.0/8", "", "", 0}, ""},
	/* One that programs alone say is the same for any scope within the other. */
	{{"ip[8] > 60", "", "", 0}, {"ip[8] > 60", "", "", 0}, COVERS},
	{{"ip[8] > 60", "", "", 0}, {"ip[8] > 61", "", "", 0}, COVERS},
	{{"ip[8] > 61", "", "", 0}, {"ip[8] > 60", "", "", 0}, ""},
	{{"ip[8] > 60", "", "", 0}, {"tcp[2:2] = 80 and ip[8] > 61", "", "", 0}, COVERS},
	{{"dns *.example.uk", "", "", 0}, {"dns *{4-12}.example.uk", "", "", 0}, COVERS},
	{{"dns *{4-12}.example.uk", "", "", 0}, {"dns *.example.uk", "", "", 0}, ""},
	{{"dns *{4-12}.example.uk", "", "", 0}, {"dns *{5-12}.example.uk", "", "", 0}, COVERS},
	{{"dns **.example.uk", "", "", 0}, {"dns **.example.uk", "", "", 0}, COVERS},
	{{"dns **.example.uk", "", "", 0}, {"dns *{4-12}.example.uk", "", "", 0}, COVERS},
	{{"dns *{4-12}.example.uk", "", "", 0}, {"dns **.example.uk", "", "", 0}, ""},
	{{"ip[8] > 60", "", "", 0}, {"ip[8] > 60", "10.0.0.0/8", "", 0}, COVERS},
	{{"ip[8] > 60", "10.0.0.0/8", "", 0}, {"ip[8] > 60", "10.2.0.0/16", "", 0}, COVERS},
	{{"ip[8] > 60", "10.0.0.0/8", "", 0}, {"ip[8] > 60", "", "", 0}, ""},
	{{"asm ld #len; and #1; ret a", "", "", 0}, {"asm ld #len; and #1; ret a", "", "", 0},
		COVERS},
	{{"asm ld #len; and #1; ret a", "", "", 0}, {"asm ld #len; and #2; ret a", "", "", 0}, ""},
	/* Scopes. */
	{{"", "10.0.0.0/8", "", 0}, {"", "10.1.2.0/24", "", 0}, COVERS},
	{{"", "10.1.2.0/24", "", 0}, {"", "10.0.0.0/8", "", 0}, ""},
	{{"", "", "50-60", 0}, {"", "", "53", 0}, COVERS},
	{{"", "", "50-60", 0}, {"", "10.0.0.0/8", "53-60", 0}, COVERS},
	{{"", "", "50-60", 0}, {"", "", "53-61", 0}, ""},
	{{"", "", "53", 0}, {"", "", "50-60", 0}, ""},
	/* A program behind a scope, and the other way round. */
	{{"", "", "50-60", 0}, {"dns www.example.uk", "", "53", 4}, COVERS},
	{{"", "", "", 4}, {"dns www.example.uk", "", "", 4}, COVERS},
	{{"", "", "", 6}, {"dns www.example.uk", "", "", 4}, ""},
	{{"", "10.0.0.0/8", "", 0}, {"dst host 10.1.1.1", "", "", 0}, COVERS},
	{{"dst net 10.0.0.0/8", "", "", 0}, {"", "10.1.0.0/16", "", 0}, ""},
	/* A byte more than a rule needs. */
	{{"asm ldb [60]; ret #1", "", "", 0}, {"asm ldb [61]; ret #1", "", "", 0}, COVERS},
	{{"asm ldb [61]; ret #1", "", "", 0}, {"asm ldb [60]; ret #1", "", "", 0}, ""},
	{{"suffix 0102", "", "", 0}, {"suffix 000102", "", "", 0}, COVERS},
	{{"suffix 000102", "", "", 0}, {"suffix 0102", "", "", 0}, ""},
	/* What can never match. */
	{{"ip", "", "", 0}, {"asm ld #len; ret #0", "", "", 0},
		"rule b can never match: its program returns 0 for every packet"},
	{{"tcp", "", "", 0},
		{"asm ldb [9]; jeq #1, y; ret #0; y: jeq #2, z; ret #0; z: ret #1", "", "", 0},
		"rule b can never match: its program returns 0 for every packet"},
	{{"tcp", "", "", 0}, {"dst host 10.1.1.1", "10.2.0.0/16", "", 0},
		"rule b can never match: its program and scope contradict each other"},
	{{"tcp", "", "", 0}, {"dst host 10.1.1.1", "", "", 6},
		"rule b can never match: its program and scope contradict each other"},
	{{"tcp", "", "", 0}, {"", "10.1.1.1", "", 6},
		"rule b can never match: its scope contradicts itself"},
};

static void
pairs_of_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(pairs); i++) {
		struct ip_prefix dst[2];
		struct u16_range dport[2];
		struct match_rule rules[2] = {rule_make(&pairs[i].a, &dst[0], &dport[0]),
			rule_make(&pairs[i].b, &dst[1], &dport[1])};

		print_message("%s, then %s\n", pairs[i].a.prog, pairs[i].b.prog);
		expect(rules, 2, pairs[i].want);
		for (int k = 0; k < 2; k++)
			cbpf_prog_free((struct cbpf_prog *)rules[k].prog[0]);
	}
}

/* Only a rule that decides for good leaves nothing to those behind. */
static void
what_may_end_covers_nothing(void **state)
{
	static const struct text same = {"dns www.example.uk", "", "", 4};
	struct match_rule right = rule_make(&same, NULL, NULL), rules[2], *a = &rules[0];
	struct cbpf_prog *prog = (struct cbpf_prog *)right.prog[0];

	(void)state;
#define WITH(change) \
	do { \
		rules[0] = rules[1] = right; \
		change; \
	} while (0)
	WITH(a->action = MATCH_PASS);
	expect(rules, 2, COVERS);
	WITH(a->action = MATCH_COUNT);
	expect(rules, 2, "");
	WITH(a->shadow = true);
	expect(rules, 2, "");
	WITH(a->enabled = false);
	expect(rules, 2, "");
	WITH(a->lasting = false);
	expect(rules, 2, "");
	WITH(a->scope.ports = 1);
	expect(rules, 2, "");
	WITH(rules[1].scope.ports = 1);
	expect(rules, 2, COVERS);
	WITH(rules[1].enabled = false);
	expect(rules, 2, COVERS);
	WITH(rules[1].action = MATCH_COUNT);
	expect(rules, 2, "rule b can never count: rule a covers it");
	WITH(rules[1].scope.dst = (struct match_prefixes){0});
	expect(rules, 2, "rule b can never match: its list of destinations is empty");
#undef WITH
	cbpf_prog_free(prog);
}

static void
several_cover_one_together(void **state)
{
	static const struct text texts[] = {{"dns a.uk", "", "", 4}, {"dns b.uk", "", "", 4},
		{"dns a.uk b.uk", "", "", 4}, {"dns a.uk c.uk", "", "", 4}};
	struct match_rule rules[DIM(texts)];

	(void)state;
	for (size_t i = 0; i < DIM(texts); i++)
		rules[i] = rule_make(&texts[i], NULL, NULL);
	expect(rules, 4, "rule c can never decide: rules a and b cover it");
	for (size_t i = 0; i < DIM(texts); i++)
		cbpf_prog_free((struct cbpf_prog *)rules[i].prog[0]);
}

/* ---- many rules ---- */

static struct counts {
	uint64_t sets, rules, planted, missed, found, never, frames, wrong;
} counts;

static bool
takes(const struct match_rule *r)
{
	return r->enabled && r->lasting && !r->shadow && r->action != MATCH_COUNT &&
		r->scope.ports == UINT64_MAX;
}

/* Whether what @f says is true of this frame, which may say nothing of it. */
static bool
is_true(const struct match_rule *rules, const struct match_finding *f, const struct ref_frame *r)
{
	bool taken = false;

	if (!ref_matches(&rules[f->rule], r, 0))
		return true;
	counts.frames++;
	for (uint32_t i = 0; i < MIN(f->n_by, MATCH_BY_MAX); i++)
		taken |= f->by[i] < f->rule && takes(&rules[f->by[i]]) &&
			ref_matches(&rules[f->by[i]], r, 0);
	for (uint32_t i = 0; i < f->rule && f->n_by > MATCH_BY_MAX; i++)
		taken |= takes(&rules[i]) && ref_matches(&rules[i], r, 0);
	return taken && f->kind == MATCH_FINDING_SHADOWED;
}

static void
tell(const char *what, const struct match_rule *rules, const struct match_finding *f,
	const struct ref_frame *r)
{
	print_error(
		"%s: rule %u (kind %u, by %u: %u): ", what, f->rule, f->kind, f->n_by, f->by[0]);
	for (uint32_t i = 0; i < r->caplen; i++)
		print_error("%02x", r->data[i]);
	print_error("\n");
	(void)rules;
	counts.wrong++;
}

/* A set under construction: rules of a family, and what each was made of. */
#define BASE 60
#define SET_MAX 200

struct set {
	struct match_rule v[SET_MAX];
	size_t of[SET_MAX]; /* rule of the family */
	bool planted[SET_MAX];
	size_t n;
	struct ip_prefix prefixes[SET_MAX];
	struct cbpf_prog *progs[SET_MAX];
	size_t n_progs;
};

static struct rng *const rng = &world_rng;

/* Put @r in at @at, as rule @of of the family. */
static void
put(struct set *s, size_t at, struct match_rule r, size_t of, bool planted)
{
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(*s->v));
	memmove(&s->of[at + 1], &s->of[at], (s->n - at) * sizeof(*s->of));
	memmove(&s->planted[at + 1], &s->planted[at], (s->n - at) * sizeof(*s->planted));
	s->v[at] = r;
	s->of[at] = of;
	s->planted[at] = planted;
	s->n++;
}

static const struct cbpf_prog *
copy_of(struct set *s, const struct cbpf_prog *prog)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);

	assert_int_equal(cbpf_prog_new(insns, n, &s->progs[s->n_progs], NULL), 0);
	return s->progs[s->n_progs++];
}

/* A rule that @r covers: the same, or with less of the world in its scope. */
static struct match_rule
narrowed(struct set *s, struct match_rule r)
{
	struct ip_prefix *p = &s->prefixes[s->n];

	if (world_percent(40) && r.prog[0] != NULL && r.prog[0] == r.prog[1])
		r.prog[0] = r.prog[1] = copy_of(s, r.prog[0]);
	if (world_percent(50))
		return r;
	if (world_percent(50) && r.scope.family == 0)
		r.scope.family = world_percent(80) ? 4 : 6;
	if (r.scope.dst.any) {
		*p = (struct ip_prefix){
			.addr = {4, {(uint8_t)(world_percent(50) ? 10 : 198)}}, .len = 8};
		r.scope.dst = (struct match_prefixes){.v = p, .n = 1};
	} else if (r.scope.dst.n == 1 && r.scope.dst.v[0].len < 32) {
		*p = r.scope.dst.v[0];
		p->len++;
		r.scope.dst = (struct match_prefixes){.v = p, .n = 1};
	}
	return r;
}

static void
set_make(struct set *s, struct family *f)
{
	size_t n;
	const struct match_rule *base = family_rules(f, &n);

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < n; i++) {
		put(s, rng_below(rng, (uint32_t)s->n + 1), base[i], i, false);
	}
	for (size_t i = 0; i < s->n; i++) {
		s->v[i].lasting = true;
		s->v[i].enabled = true;
		if (world_percent(10))
			s->v[i].action = MATCH_PASS;
		if (world_percent(5))
			s->v[i].lasting = false;
		if (world_percent(5))
			s->v[i].shadow = true;
	}
	/* Behind or before it: what is covered is planted, what covers may be new. */
	for (size_t k = 0; k < n; k++) {
		const size_t i = rng_below(rng, (uint32_t)s->n);
		const struct match_rule r = s->v[i];
		const size_t behind = i + 1 + rng_below(rng, (uint32_t)(s->n - i));

		if (takes(&r))
			put(s, behind, narrowed(s, r), s->of[i], true);
	}
}

static void
check_set(struct set *s, struct family *f, const char *what)
{
	struct match_image *image = image_make(s->v, s->n);
	bool cut, said[SET_MAX] = {false};
	size_t n;
	const struct match_finding *v = match_image_findings(image, &n, &cut);

	for (size_t k = 0; k < n; k++) {
		said[v[k].rule] = true;
		counts.never += v[k].kind == MATCH_FINDING_NEVER;
		for (int i = 0; i < 24; i++) {
			uint8_t buf[FAMILY_FRAME_MAX];
			struct ref_frame r;
			const size_t len = i % 3 < 2 ? family_hit(f, s->of[v[k].rule], rng, buf)
						     : family_near(f, s->of[v[k].rule], rng, buf);

			ref_parse(buf, (uint32_t)(i == 20 ? rng_below(rng, (uint32_t)len) : len),
				(uint32_t)len, &r);
			if (!is_true(s->v, &v[k], &r))
				tell(what, s->v, &v[k], &r);
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		counts.planted += s->planted[i];
		counts.missed += s->planted[i] && !said[i];
		if (s->planted[i] && !said[i])
			print_error("%s: rule %zu of %zu (%s) was not reported\n", what, i, s->n,
				family_text(f, s->of[i]));
	}
	counts.sets++;
	counts.rules += s->n;
	counts.found += n;
	for (size_t i = 0; i < s->n_progs; i++)
		cbpf_prog_free(s->progs[i]);
	match_image_free(image);
}

static void
print_counts(void)
{
	print_message("%" PRIu64 " sets of %" PRIu64 " rules: %" PRIu64 " reported, %" PRIu64
		      " of them as never matching; %" PRIu64 " of %" PRIu64 " planted; %" PRIu64
		      " frames that reported rules match\n",
		counts.sets, counts.rules, counts.found, counts.never,
		counts.planted - counts.missed, counts.planted, counts.frames);
}

static void
families_with_planted_rules(void **state)
{
	static struct set s;

	(void)state;
	counts = (struct counts){0};
	for (int round = 0; round < (is_long() ? 400 : 6); round++)
		for (int kind = 0; kind < FAMILY_KINDS; kind++) {
			struct family *f = NULL;
			struct diag diag = {0};

			if (family_new((enum family_kind)kind, BASE, rng_next(rng), &f, &diag) != 0)
				fail_msg("%s", diag.msg);
			family_set_ipv6(f, 20);
			set_make(&s, f);
			check_set(&s, f, family_name((enum family_kind)kind));
			family_free(f);
		}
	print_counts();
	assert_int_equal(counts.wrong, 0);
	assert_int_equal(counts.missed, 0);
	assert_true(counts.frames > counts.found);
}

/* Rules of all kinds in a small world, where much covers much, and frames of all kinds. */
static void
worlds(void **state)
{
	static struct world_rules rules;
	static struct world_frame frames[400];
	struct match_rule v[SET_MAX];
	bool planted[SET_MAX];

	(void)state;
	counts = (struct counts){0};
	for (int round = 0; round < (is_long() ? 20000 : 250); round++) {
		struct match_image *image;
		const struct match_finding *found;
		bool cut, said[SET_MAX] = {false};
		size_t n, n_rules;

		world_rules_make(&rules, 1 + rng_below(rng, 60));
		n_rules = rules.n;
		memcpy(v, rules.v, n_rules * sizeof(*v));
		memset(planted, 0, sizeof(planted));
		for (size_t i = 0; i < n_rules; i++) {
			v[i].lasting = world_percent(90);
			if (world_percent(50))
				v[i].action = MATCH_DROP;
			if (world_percent(50))
				v[i].scope.ports = UINT64_MAX;
		}
		for (size_t k = 0; k < 10; k++) {
			const struct match_rule *r = &v[rng_below(rng, (uint32_t)n_rules)];

			planted[n_rules] = takes(r);
			v[n_rules] = *r;
			/* Another scope, or a part of one, with the same program. */
			if (world_percent(50)) {
				const struct match_rule *o = &v[rng_below(rng, (uint32_t)n_rules)];

				planted[n_rules] = false;
				if (world_percent(50))
					v[n_rules].scope.dst = o->scope.dst;
				else if (world_percent(50))
					v[n_rules].scope.dport = o->scope.dport;
				else
					v[n_rules].scope.proto = o->scope.proto;
			}
			n_rules++;
		}
		image = image_make(v, n_rules);
		found = match_image_findings(image, &n, &cut);
		for (size_t i = 0; i < DIM(frames) && n > 0; i++) {
			struct ref_frame r;

			frames[i] = world_frame_make();
			ref_parse(frames[i].data, frames[i].caplen, frames[i].wirelen, &r);
			for (size_t k = 0; k < n; k++)
				if (!is_true(v, &found[k], &r))
					tell("world", v, &found[k], &r);
		}
		for (size_t k = 0; k < n; k++) {
			said[found[k].rule] = true;
			counts.never += found[k].kind == MATCH_FINDING_NEVER;
		}
		for (size_t i = 0; i < n_rules; i++) {
			counts.planted += planted[i];
			counts.missed += planted[i] && !said[i];
		}
		counts.sets++;
		counts.rules += n_rules;
		counts.found += n;
		match_image_free(image);
		world_rules_fini(&rules);
		assert_int_equal(counts.wrong, 0);
	}
	print_counts();
	assert_int_equal(counts.missed, 0);
	assert_true(counts.frames > 1000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_of_rules),
		cmocka_unit_test(what_may_end_covers_nothing),
		cmocka_unit_test(several_cover_one_together),
		cmocka_unit_test(families_with_planted_rules),
		cmocka_unit_test(worlds),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
