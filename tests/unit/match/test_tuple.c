// SPDX-License-Identifier: BSD-3-Clause
/*
 * The five-tuple kernel against the reference: rulesets that pile up on one address,
 * that nest, that are far apart, lists, fragments, rules switched off, any start; of each
 * the frames on both sides of where a prefix or a range begins and ends.
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
#include "image_impl.h"
#include "match/image.h"
#include "match/report.h"
#include "pkt/view.h"
#include "quick.h"
#include "ref.h"
#include "tuple.h"
#include "world.h"

#define SETS_MANY 20 /* of fewer nothing is said about shares */
#define RULES_MAX 400
#define BURSTS 12 /* of each image */
#define FRAME 54

/* How the rules of a set lie. */
struct kind {
	const char *name;
	uint32_t n;
	uint8_t len_min, len_max; /* of the side that is mostly the narrower */
	uint8_t other_max; /* of the other */
	uint32_t spread; /* address bits that differ between prefixes */
	uint8_t lists; /* rules with lists, in percent */
	bool piled; /* too many for one address: some rules are left to other kernels */
	bool linked; /* lanes are in more than one block */
};

static const struct kind kinds[] = {
	{"one", 1, 32, 32, 0, UINT32_MAX, 0, false, false},
	{"a block", 12, 20, 32, 24, 0x0000ff07, 0, false, false},
	{"two", 28, 20, 32, 24, 0x0000ff07, 0, false, false},
	{"far apart", 300, 32, 32, 32, UINT32_MAX, 0, false, false},
	{"networks", 300, 16, 32, 24, 0x0303ffff, 10, false, false},
	{"nested", 60, 8, 32, 8, 0x00000107, 0, false, true},
	{"piled up", 300, 32, 32, 0, 0x00000001, 0, true, false},
	{"all the net", 60, 0, 2, 0, UINT32_MAX, 0, true, true},
	{"halves of it", 14, 0, 1, 1, UINT32_MAX, 0, false, false},
	{"the last ones", 200, 20, 32, 32, 0x000000ff, 5, false, false},
	{"lists", 60, 12, 32, 32, 0x0f0f0f0f, 90, false, false},
	{"every length", 400, 0, 32, 32, 0xff0f00ff, 10, false, false},
};

/* A ruleset, and the memory of its lists. */
struct set {
	struct match_rule rules[RULES_MAX];
	struct ip_prefix prefixes[RULES_MAX][2][4];
	struct u16_range ranges[RULES_MAX][3][4];
	size_t n;
};

static uint32_t
any(uint32_t n)
{
	return rng_below(&world_rng, n);
}

static uint32_t
word(void)
{
	return (uint32_t)(rng_next(&world_rng) >> 16);
}

/* ---- rules ---- */

static struct ip_prefix
make_prefix(const struct kind *k, uint8_t len)
{
	const uint32_t base = k->spread == 0xff ? 0xffffff00 : 0x0a000000;
	const uint32_t mask = len == 0 ? 0 : UINT32_MAX << (32 - len);
	struct ip_prefix p = {.addr = {.family = 4}, .len = len};

	store_be32(p.addr.bytes, ((base & ~k->spread) | (word() & k->spread)) & mask);
	return p;
}

static void
make_prefixes(const struct kind *k, uint8_t len_min, uint8_t len_max, struct ip_prefix *v,
	struct match_prefixes *ret)
{
	const size_t n = world_percent(k->lists) ? any(4) : 1;

	ret->any = len_max == 0 || (len_min == 0 && world_percent(10));
	ret->v = v;
	ret->n = ret->any ? 0 : n;
	for (size_t i = 0; i < ret->n; i++) {
		v[i] = make_prefix(k, (uint8_t)(len_min + any(len_max - len_min + 1u)));
		/* Of another family in a list, and alone. */
		if (world_percent(k->lists / 20)) {
			v[i].addr.family = 6;
			v[i].len = (uint8_t)any(128);
			memset(v[i].addr.bytes, 0, sizeof(v[i].addr.bytes));
		}
	}
}

static void
make_ranges(const struct kind *k, uint32_t max, struct u16_range *v, struct match_ranges *ret)
{
	ret->v = v;
	ret->n = world_percent(50) ? 0 : world_percent(k->lists) ? 1 + any(3) : 1;
	for (size_t i = 0; i < ret->n; i++) {
		const uint32_t a = any(max + 1), b = world_percent(50) ? a : any(max + 1);

		v[i] = (struct u16_range){(uint16_t)MIN(a, b), (uint16_t)MAX(a, b)};
	}
}

static void
make_rule(struct set *s, const struct kind *k, uint32_t i)
{
	static const struct u16_range protos[] = {{6, 6}, {17, 17}, {0, 20}, {1, 6}, {1, 255}};
	struct match_rule *r = &s->rules[i];
	struct match_scope *scope = &r->scope;
	const bool swap = world_percent(50);

	*r = (struct match_rule){
		.name = "r", .slot = i % 256, .action = MATCH_DROP, .scope_only = true};
	r->enabled = world_percent(90);
	scope->family = world_percent(70) ? 4 : 0;
	scope->ports = world_percent(98) ? UINT64_MAX : word();
	scope->fragments = world_percent(70) ? MATCH_FRAG_DEFAULT : (enum match_fragments)any(4);
	make_prefixes(
		k, k->len_min, k->len_max, s->prefixes[i][0], swap ? &scope->dst : &scope->src);
	make_prefixes(k, 0, k->other_max, s->prefixes[i][1], swap ? &scope->src : &scope->dst);
	/* Few kinds of lists, as in the world, so that the bit vectors can have what is left. */
	make_ranges(k, 1, s->ranges[i][0], &scope->proto);
	for (size_t p = 0; p < scope->proto.n; p++)
		s->ranges[i][0][p] = protos[any(DIM(protos))];
	make_ranges(k, world_percent(50) ? 9 : UINT16_MAX, s->ranges[i][1], &scope->sport);
	make_ranges(k, world_percent(50) ? 9 : UINT16_MAX, s->ranges[i][2], &scope->dport);
	/* Where ports are asked, so that they can be. */
	if (scope->sport.n + scope->dport.n > 0 && scope->proto.n == 1)
		s->ranges[i][0][0].lo = s->ranges[i][0][0].hi = world_percent(50) ? 6 : 17;
}

static void
set_make(struct set *s, const struct kind *k)
{
	s->n = k->n;
	for (uint32_t i = 0; i < k->n; i++)
		make_rule(s, k, i);
}

/* ---- frames ---- */

static uint32_t
near(uint32_t v, uint32_t bits)
{
	if (world_percent(70))
		return v;
	return world_percent(50) ? v ^ UINT32_C(1) << any(bits) : v + (world_percent(50) ? 1 : -1u);
}

/* An address in or just outside of a prefix of @list. */
static uint32_t
address_for(const struct match_prefixes *list)
{
	const struct ip_prefix *p;
	uint32_t mask;

	if (list->n == 0 || world_percent(3))
		return world_percent(50) ? word() : 0x0a000000 | (word() & 0xff);
	p = &list->v[any((uint32_t)list->n)];
	if (p->addr.family != 4)
		return word();
	mask = p->len == 0 ? 0 : UINT32_MAX << (32 - p->len);
	switch (any(4)) {
	case 0: return near(load_be32(p->addr.bytes), 32);
	case 1: return near(load_be32(p->addr.bytes) | ~mask, 32);
	default: return load_be32(p->addr.bytes) | (word() & ~mask);
	}
}

static uint16_t
number_for(const struct match_ranges *list)
{
	const struct u16_range *r;

	if (list->n == 0)
		return (uint16_t)(world_percent(50) ? any(10) : word());
	r = &list->v[any((uint32_t)list->n)];
	return (uint16_t)near(world_percent(50) ? r->lo : r->hi, 16);
}

static struct world_frame
frame_for(const struct match_scope *s)
{
	uint8_t p[FRAME] = {[12] = 8, [14] = 0x45, [17] = FRAME - 14, [22] = 64};

	p[23] = (uint8_t)number_for(&s->proto);
	if (s->sport.n + s->dport.n > 0 && s->proto.n == 0)
		p[23] = world_percent(50) ? 6 : 17;
	if (world_percent(10))
		p[20] = (uint8_t)(world_percent(50) ? 0x20 : 0); /* more fragments */
	if (world_percent(10))
		p[21] = (uint8_t)any(2); /* later ones */
	store_be32(p + 26, address_for(&s->src));
	store_be32(p + 30, address_for(&s->dst));
	store_be16(p + 34, number_for(&s->sport));
	store_be16(p + 36, number_for(&s->dport));
	return world_frame_copy(p, world_percent(5) ? any(FRAME) : FRAME, FRAME);
}

struct burst {
	struct world_frame frames[MATCH_BURST];
	struct pkt_view views[MATCH_BURST];
	struct ref_frame refs[MATCH_BURST];
	uint32_t from[MATCH_BURST];
	uint8_t which[MATCH_BURST];
	uint32_t n;
};

static void
burst_make(struct burst *b, const struct set *s)
{
	const bool from = world_percent(40), in_row = world_percent(60);

	b->n = world_percent(70) ? MATCH_BURST : any(MATCH_BURST + 1);
	for (uint32_t i = 0; i < b->n; i++) {
		struct world_frame *f = &b->frames[i];

		*f = world_percent(5) ? world_frame_make()
				      : frame_for(&s->rules[any((uint32_t)s->n)].scope);
		pkt_parse_ether(f->data, f->caplen, f->wirelen, &b->views[i]);
		ref_parse(f->data, f->caplen, f->wirelen, &b->refs[i]);
		b->which[i] = (uint8_t)(in_row ? i : b->n - 1 - i);
		b->from[i] = from ? any((uint32_t)s->n + 1) : 0;
	}
}

/* ---- images ---- */

static struct match_image *
image_make(const struct set *s, enum isa isa, bool fault)
{
	const struct match_options options = {
		.merge = MATCH_MERGE_ALWAYS, .isa = isa, .tuple_fault = fault};
	struct match_image *image = NULL;
	struct diag diag = {0};

	if (match_image_new_with(s->rules, s->n, MATCH_ENGINE_INTERP, &options, &image, &diag) < 0)
		fail_msg("%s", diag.msg);
	return image;
}

static uint32_t
differences(const struct match_image *image, const struct set *s, uint32_t *ret_hits)
{
	uint32_t got[MATCH_BURST], bad = 0;
	struct burst b;

	burst_make(&b, s);
	match_image_first(image, b.views, b.which, b.n, 3, b.from, got);
	for (uint32_t i = 0; i < b.n; i++) {
		bad += got[i] != ref_first(s->rules, s->n, &b.refs[b.which[i]], 3, b.from[i]);
		*ret_hits += got[i] != MATCH_NONE;
	}
	return bad;
}

static void
toggle(struct set *s, struct match_image *image)
{
	for (size_t i = any(4); i > 0; i--) {
		const uint32_t r = any((uint32_t)s->n);

		s->rules[r].enabled = !s->rules[r].enabled;
		match_image_enable(image, r, s->rules[r].enabled);
	}
}

/* Whether some block is not the only one. */
static bool
is_linked(const struct tuple *t)
{
	for (uint32_t i = 0; i < t->n_blocks; i++)
		if (t->more[i].entry != 0)
			return true;
	return false;
}

/*
 * Sets of one kind, with a fault until it is noticed. Returns in how many the
 * image was wrong.
 */
static uint32_t
run_kind(const struct kind *k, enum isa isa, bool fault, uint32_t sets)
{
	uint32_t wrong = 0, hits = 0, left = 0, linked = 0, with = 0, made = 0;
	struct set *s = malloc(sizeof(*s));

	for (; made < sets && (!fault || wrong == 0); made++) {
		const uint64_t seed = world_rng.state;
		struct match_image *image;
		uint32_t bad = 0;

		set_make(s, k);
		image = image_make(s, isa, fault);
		if (image->index != NULL && image->index->tuple != NULL) {
			with++;
			linked += is_linked(image->index->tuple);
		}
		left += image->index != NULL && image->index->bits != NULL;
		for (int n = 0; n < BURSTS && bad == 0; n++) {
			bad = differences(image, s, &hits);
			toggle(s, image);
		}
		if (bad != 0 && !fault)
			print_error("%s: SLUICE_SEED=%llu\n", k->name, (unsigned long long)seed);
		wrong += bad != 0;
		match_image_free(image);
	}
	free(s);
	if (!fault)
		print_message(
			"%s: %u sets, %u in the kernel, %u linked, %u with rules left, %u hits\n",
			k->name, made, with, linked, left, hits);
	assert_true(with > 0);
	assert_true(fault || hits > made);
	/* Of some nine sets of ten, of three of four, and of all: so of these shares for any seed. */
	assert_true(made < SETS_MANY || with > made / 2);
	assert_true(made < SETS_MANY || fault || !k->linked || linked > made / 4);
	assert_true(made < SETS_MANY || fault || !k->piled || left > made / 2);
	return wrong;
}

/* ---- the tests ---- */

/* This processor has it; else it would be plain C once more. */
static bool
is_another(enum isa isa)
{
	return isa == ISA_C || isa_kernels(isa) != isa_kernels(ISA_C);
}

static void
every_kind_is_right(void **state)
{
	/* Of fewer none may be in the kernel. */
	const uint32_t sets = getenv("SLUICE_LONG") != NULL ? 2000 : MAX(QUICK(20), 4);

	(void)state;
	for (size_t i = 0; i < DIM(kinds); i++)
		for (enum isa isa = ISA_C; isa <= ISA_AVX512; isa++)
			if (is_another(isa))
				assert_int_equal(run_kind(&kinds[i], isa, false, sets), 0);
}

static void
a_fault_is_noticed(void **state)
{
	(void)state;
	for (size_t i = 1; i < DIM(kinds); i++)
		for (enum isa isa = ISA_C; isa <= ISA_AVX512 && !kinds[i].piled; isa++)
			if (is_another(isa))
				assert_true(run_kind(&kinds[i], isa, true, 20) > 0);
}

static void
a_failed_allocation_leaves_nothing(void **state)
{
	static const struct match_options options = {.merge = MATCH_MERGE_ALWAYS};
	struct set *s = malloc(sizeof(*s));
	struct match_image *image = NULL;
	long n = 0;
	int r;

	(void)state;
	set_make(s, &kinds[3]);
	do {
		struct diag diag = {0};

		mem_fault_set(n);
		r = match_image_new_with(
			s->rules, s->n, MATCH_ENGINE_INTERP, &options, &image, &diag);
		(void)mem_fault_set(-1);
		assert_true(r == 0 || r == -12 /* ENOMEM */);
		n++;
	} while (r != 0);
	assert_true(n > 20);
	assert_non_null(image->index->tuple);
	match_image_free(image);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_right),
		cmocka_unit_test(a_fault_is_noticed),
		cmocka_unit_test(a_failed_allocation_leaves_nothing),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
