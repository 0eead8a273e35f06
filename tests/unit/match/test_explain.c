// SPDX-License-Identifier: BSD-3-Clause
/*
 * Explanations of random rules on random frames: the verdict is an image's of
 * that rule alone; the key that is named fails by itself, with all else left
 * out of the rule, and is not named any more when it alone is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "match/explain.h"
#include "match/image.h"
#include "pkt/view.h"
#include "quick.h"
#include "world.h"

#define KEYS (MATCH_KEY_PROGRAM + 1)

static uint8_t buf[MATCH_DATAGRAM_MAX];

/* What an image of @rule alone says of @v from port @port. */
static bool
image_says(const struct match_rule *rule, const struct pkt_view *v, uint32_t port)
{
	const uint8_t which = 0;
	const uint32_t from = 0;
	struct match_rule copy = *rule;
	struct match_image *image;
	uint32_t found;

	copy.enabled = true;
	assert_int_equal(match_image_new(&copy, 1, MATCH_ENGINE_INTERP, &image, NULL), 0);
	match_image_first(image, v, &which, 1, port, &from, &found);
	match_image_free(image);
	return found == 0;
}

/* A rule that asks nothing. */
static struct match_rule
rule_all(const struct match_rule *like)
{
	return (struct match_rule){
		.name = like->name,
		.action = MATCH_DROP,
		.enabled = true,
		.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
		.scope_only = true,
	};
}

/* Of @rule only what @key is about; false where that cannot be said alone. */
static bool
keep_only(const struct match_rule *rule, enum match_key key, struct match_rule *ret)
{
	const struct match_scope *s = &rule->scope;

	*ret = rule_all(rule);
	switch (key) {
	case MATCH_KEY_PORT: ret->scope.ports = s->ports; return true;
	case MATCH_KEY_FAMILY: ret->scope.family = s->family; return s->family != 0;
	case MATCH_KEY_PROTO: ret->scope.proto = s->proto; return true;
	case MATCH_KEY_FRAGMENTS: ret->scope.fragments = s->fragments; return s->fragments != 0;
	case MATCH_KEY_HAS_PORTS:
		ret->scope.sport = s->sport;
		ret->scope.dport = s->dport;
		return true;
	case MATCH_KEY_SPORT: ret->scope.sport = s->sport; return true;
	case MATCH_KEY_DPORT: ret->scope.dport = s->dport; return true;
	case MATCH_KEY_SRC: ret->scope.src = s->src; return true;
	case MATCH_KEY_DST: ret->scope.dst = s->dst; return true;
	case MATCH_KEY_PROGRAM:
		*ret = *rule;
		ret->scope = rule_all(rule).scope;
		ret->scope.fragments = s->fragments;
		return true;
	case MATCH_KEY_NONE:
	case MATCH_KEY_IP:
	case MATCH_KEY_L4: break;
	}
	return false;
}

/* @rule without what @key is about; false where it cannot be left out. */
static bool
leave_out(const struct match_rule *rule, enum match_key key, struct match_rule *ret)
{
	*ret = *rule;
	switch (key) {
	case MATCH_KEY_PORT: ret->scope.ports = UINT64_MAX; return true;
	case MATCH_KEY_PROTO: ret->scope.proto.n = 0; return true;
	case MATCH_KEY_HAS_PORTS: ret->scope.sport.n = ret->scope.dport.n = 0; return true;
	case MATCH_KEY_SPORT: ret->scope.sport.n = 0; return true;
	case MATCH_KEY_DPORT: ret->scope.dport.n = 0; return true;
	case MATCH_KEY_SRC: ret->scope.src.any = true; return true;
	case MATCH_KEY_DST: ret->scope.dst.any = true; return true;
	case MATCH_KEY_FRAGMENTS:
		ret->scope.fragments = MATCH_FRAG_DEFAULT;
		return !rule->generated;
	case MATCH_KEY_PROGRAM: ret->scope_only = true; return true;
	case MATCH_KEY_NONE:
	case MATCH_KEY_IP:
	case MATCH_KEY_FAMILY:
	case MATCH_KEY_L4: break;
	}
	return false;
}

static void
check(const struct match_rule *rule, const struct pkt_view *v, uint32_t port, uint64_t seen[KEYS])
{
	struct match_why why, other;
	struct match_rule changed;
	const bool says = match_rule_explain(rule, v, port, buf, &why);

	assert_int_equal(says, why.key == MATCH_KEY_NONE);
	assert_int_equal(says, image_says(rule, v, port));
	seen[why.key]++;
	/* A family that the scope allows has no program. */
	if (why.key == MATCH_KEY_FAMILY && rule->scope.family == v->family)
		assert_null(rule->prog[v->family == 6]);
	else if (keep_only(rule, why.key, &changed) && image_says(&changed, v, port))
		fail_msg("key %d of '%s' does not fail by itself", why.key, rule->name);
	if (leave_out(rule, why.key, &changed)) {
		(void)match_rule_explain(&changed, v, port, buf, &other);
		assert_true(other.key == MATCH_KEY_NONE || other.key > why.key);
	}
	if (why.key == MATCH_KEY_IP)
		assert_int_equal(v->family, 0);
	if (why.key == MATCH_KEY_L4)
		assert_int_equal(v->l4_off, 0);
	/* Only what was asked is told of. */
	assert_true(why.key != MATCH_KEY_PROGRAM || why.prog != NULL);
	if (why.prog != NULL)
		assert_int_equal(cbpf_run(why.prog, why.data, why.caplen, why.len) != 0, says);
}

static void
test_random(void **state)
{
	const uint32_t rounds = getenv("SLUICE_LONG") != NULL ? 4000 : QUICK(200);
	uint64_t seen[KEYS] = {0};

	(void)state;
	for (uint32_t i = 0; i < rounds; i++) {
		struct world_rules rules = {.n = 0};

		world_rules_make(&rules, 8);
		for (uint32_t j = 0; j < 40; j++) {
			struct world_frame f = world_frame_make();
			const uint32_t port = rng_below(&world_rng, 4);
			struct pkt_view v;

			pkt_parse_ether(f.data, f.caplen, f.wirelen, &v);
			for (size_t k = 0; k < rules.n; k++)
				check(&rules.v[k], &v, port, seen);
		}
		world_rules_fini(&rules);
	}
	for (size_t k = 0; k < KEYS; k++) {
		printf("key %zu: %lu\n", k, (unsigned long)seen[k]);
		assert_true(seen[k] > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
