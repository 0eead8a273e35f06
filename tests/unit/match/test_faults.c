// SPDX-License-Identifier: BSD-3-Clause
/*
 * A judge is worth what it notices: each kernel, and each thing that kernels
 * share, is spoilt in turn, for each kind of processor. Frames and rulesets of
 * families must then show a difference to the reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "chain.h"
#include "item.h"
#include "judge.h"
#include "quick.h"

#define RULES 60
#define BURSTS 60 /* at most, until a fault is noticed */
#define ROUNDS 3 /* through all families */
#define ROUNDS_MORE 20 /* of names, of whose images some have kernels that others have not */
#define ENOUGH (QUICK_SHARE == 1 ? 3 : 1) /* noticed so often, a fault is known to be */

/* ---- faults of an image that is made; false: it has nothing of the kind ---- */

static bool
spoil_window(struct match_image *im, enum window_kind kind)
{
	struct match_index *ix = im->index;

	for (uint32_t w = 0; ix != NULL && w < ix->n_windows; w++) {
		if (ix->windows[w].kind != kind)
			continue;
		/* By the frames' bytes, not by views. */
		ix->l4_window = ix->tail_window = 0;
		if (kind == WINDOW_TAIL) {
			ix->windows[w].kind = WINDOW_IHL;
			ix->windows[w].off = 0;
		} else {
			ix->windows[w].off++;
		}
		return true;
	}
	return false;
}

static bool
spoil_l4(struct match_image *im)
{
	return spoil_window(im, WINDOW_L4);
}

static bool
spoil_tail(struct match_image *im)
{
	return spoil_window(im, WINDOW_TAIL);
}

/* What views say of one is taken for the other. */
static bool
spoil_views(struct match_image *im)
{
	struct match_index *ix = im->index;
	const uint8_t l4 = ix != NULL ? ix->l4_window : 0;

	if (ix == NULL || ix->straight != NULL || (l4 | ix->tail_window) == 0)
		return false;
	ix->l4_window = ix->tail_window;
	ix->tail_window = l4;
	return true;
}

static bool
spoil_walk(struct match_image *im)
{
	return spoil_window(im, WINDOW_WALK);
}

static bool
spoil_steps(struct match_image *im)
{
	return spoil_window(im, WINDOW_STEPS);
}

/*
 * Every second rule of those that go one by one is forgotten. One alone may be a rule that others
 * cover, or that no frame meets.
 */
static bool
spoil_residual(struct match_image *im)
{
	struct match_index *ix = im->index;

	if (ix == NULL || ix->n_residual < 3)
		return false;
	for (uint32_t k = 0; 2 * k + 1 < ix->n_residual; k++)
		ix->residual[k] = ix->residual[2 * k + 1];
	ix->n_residual /= 2;
	return true;
}

/* Behind a rule's words, or one by one, another rule's program is asked. */
static bool
spoil_programs(struct match_image *im)
{
	struct match_entry *e = NULL, *before = NULL;

	for (size_t i = 0; i < im->n; i++) {
		if (im->index != NULL && !im->index->runs[i])
			continue;
		if (im->entries[i].run == MATCH_RUN_NONE)
			continue;
		before = e;
		e = &im->entries[i];
		if (before == NULL || before->run != e->run || e->code[0].fn == NULL ||
			e->code[1].fn == NULL)
			continue;
		memcpy(before->code, e->code, sizeof(e->code));
	}
	return before != NULL;
}

/* Lists of sources are asked for destinations. */
static bool
spoil_lists(struct match_image *im)
{
	bool any = false;

	for (size_t i = 0; i < im->n; i++) {
		struct scope_more *more = (struct scope_more *)(uintptr_t)im->entries[i].scope.more;
		const struct prefixes *src;

		if (more == NULL || more->src == more->dst)
			continue;
		src = more->src;
		more->src = more->dst;
		more->dst = src;
		any = true;
	}
	return any;
}

/* A rule was switched off, and only half of it heard. */
static bool
spoil_state(struct match_image *im)
{
	im->state[im->n / 2] ^= MATCH_STATE_ENABLED;
	im->entries[im->n / 2].enabled = !im->entries[im->n / 2].enabled;
	return true;
}

/* Two rules of the bit-vector kernel are taken for each other. */
static bool
spoil_bits(struct match_image *im)
{
	struct bits *b = im->index == NULL ? NULL : im->index->bits;
	uint32_t *rule = b == NULL ? NULL : (uint32_t *)(uintptr_t)b->rule;
	uint32_t keep;

	if (b == NULL || b->n_entries < 2)
		return false;
	keep = rule[0];
	memmove(rule, rule + 1, (b->n_entries - 1) * sizeof(*rule));
	rule[b->n_entries - 1] = keep;
	return true;
}

/* The first rule of each block of the five-tuple kernel is taken for its neighbour. */
static bool
spoil_tuple(struct match_image *im)
{
	struct tuple *t = im->index == NULL ? NULL : im->index->tuple;

	for (uint32_t i = 0; t != NULL && i < t->n_blocks; i++) {
		struct tuple_block *b = (struct tuple_block *)(uintptr_t)&t->blocks[i];

		b->rule[0] ^= 1;
	}
	return t != NULL;
}

static void
find_nothing(const void *records, uint32_t n, uint32_t allowed, uint32_t *ret_numbers)
{
	(void)records;
	(void)allowed;
	for (uint32_t i = 0; i < n; i++)
		ret_numbers[i] = CBPF_CHAIN_NONE;
}

static bool
spoil_chain(struct match_image *im)
{
	const bool has = im->index == NULL && im->base->chain != NULL;

	if (has)
		im->base->chain = find_nothing;
	return has;
}

static uint64_t
go_astray(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	(void)im;
	(void)views;
	(void)which;
	memset(ret, 0xff, n * sizeof(*ret)); /* MATCH_NONE */
	return 0;
}

static bool
spoil_straight(struct match_image *im)
{
	const bool has = im->index != NULL && im->index->straight != NULL;

	if (has)
		im->index->straight = go_astray;
	return has;
}

/* A first label that is longer than it says. */
static bool
spoil_names(struct match_image *im)
{
	const bool has = im->index != NULL && im->index->names != NULL;

	if (has)
		im->index->names->walk_off++;
	return has;
}

/* Frames seem too short for what is asked of them, so that none gets to the tables asked about. */
static bool
spoil_sieve(struct match_image *im)
{
	struct sieve *s = im->index != NULL ? im->index->sieve : NULL;

	for (uint32_t k = 0; s != NULL && k < s->n_keys; k++)
		s->keys[k].left = INT32_MAX;
	return s != NULL;
}

/* Every second slot forgets what it says: a value that some item has, bits that items left. */
static bool
spoil_sieve_slots(struct match_image *im)
{
	struct sieve *s = im->index != NULL ? im->index->sieve : NULL;
	uint32_t *slots = s != NULL ? s->slots : NULL;

	for (; slots != NULL && slots < (uint32_t *)s->keys; slots += 2)
		*slots = 0;
	return s != NULL;
}

/* Ways in which it can be; TUPLE and BITS: of MERGED those in which that kernel has such rules. */
enum {
	MERGED = 1 << 0,
	ALONE = 1 << 1,
	TUPLE = 1 << 2,
	BITS = 1 << 3,
	CHAIN = 1 << 4,
	CHAINS = 1 << 5,
	STRAIGHT = 1 << 6, /* of processors that have it */
	VIEWS = 1 << 7, /* of those where views say where windows are */
	SIEVE = 1 << 8, /* of those that have a sieve */
	NAMES = 1 << 9, /* of those that have names */
};

static bool
is_way(unsigned int where, size_t way)
{
	const struct match_options *options = &judge_ways[way].options;

	if (!judge_way_is_new(way))
		return false;
	if (options->merge == MATCH_MERGE_NEVER && !options->no_chain)
		return (where & CHAIN) != 0 && cbpf_jit_available();
	if (options->merge == MATCH_MERGE_NEVER)
		return (where & ALONE) != 0;
	if (options->merge != MATCH_MERGE_ALWAYS || options->chain_first)
		return false;
	if (where == STRAIGHT)
		return isa_kernels(options->isa)->straight != NULL && !options->only_lists;
	if (where == VIEWS)
		return isa_kernels(options->isa)->place_frames !=
			isa_kernels(ISA_C)->place_frames &&
			!options->only_lists;
	if (where == SIEVE)
		return isa_kernels(options->isa)->sieve != NULL && !options->only_lists &&
			!options->chains;
	if (where == NAMES)
		return isa_kernels(options->isa)->names != NULL && !options->only_lists &&
			!options->chains;
	if (options->chains)
		return (where & CHAINS) != 0 && cbpf_jit_available();
	return (where & (MERGED | (options->no_tuple ? BITS : TUPLE))) != 0;
}

static const struct fault {
	const char *name;
	unsigned int where;
	bool (*spoil)(struct match_image *im);
	struct match_options options; /* a fault that is built in */
} faults[] = {
	{"hash: a wrong value", MERGED, NULL, {.hash_fault = HASH_FAULT_VALUE}},
	{"hash: no lengths", MERGED, NULL, {.hash_fault = HASH_FAULT_NEED}},
	{"hash: no chains", MERGED, NULL, {.hash_fault = HASH_FAULT_CHAIN}},
	{"hash: no ranges", MERGED, NULL, {.hash_fault = HASH_FAULT_RANGE}},
	{"hash: a walk of one step", MERGED, NULL, {.hash_fault = HASH_FAULT_STEPS}},
	{"hash: a filter that lacks an item", MERGED, NULL, {.hash_fault = HASH_FAULT_FILTER}},
	{"hash: ends that lack an item", MERGED, NULL, {.hash_fault = HASH_FAULT_ENDS}},
	{"hash: a fan that lacks a key", MERGED, NULL, {.hash_fault = HASH_FAULT_FAN}},
	{"hash: a fan's filter", MERGED, NULL, {.hash_fault = HASH_FAULT_PASS}},
	{"windows: a walk that starts elsewhere", MERGED, spoil_steps, {0}},
	{"bits: destinations for sources", BITS, NULL, {.bits_fault = true}},
	{"bits: rules mixed up", BITS, spoil_bits, {0}},
	{"tuple: destinations for sources", TUPLE, NULL, {.tuple_fault = true}},
	{"tuple: rules mixed up", TUPLE, spoil_tuple, {0}},
	{"lanes: a wrong test", MERGED, NULL, {.list_fault = true}},
	{"windows: L4 elsewhere", MERGED, spoil_l4, {0}},
	{"windows: the end elsewhere", MERGED, spoil_tail, {0}},
	{"windows: views mixed up", VIEWS, spoil_views, {0}},
	{"windows: a label too short", MERGED, spoil_walk, {0}},
	{"straight: a way that finds nothing", STRAIGHT, spoil_straight, {0}},
	{"names: a label too long", NAMES, spoil_names, {0}},
	{"sieve: nothing gets through", SIEVE, spoil_sieve, {0}},
	{"sieve: every second slot forgotten", SIEVE, spoil_sieve_slots, {0}},
	{"residual: every second rule forgotten", MERGED, spoil_residual, {0}},
	{"chain: a rule forgotten", CHAIN, NULL, {.chain_fault = true}},
	{"chains: a rule of each forgotten", CHAINS, NULL, {.chain_fault = true}},
	{"chain: a function that finds nothing", CHAIN, spoil_chain, {0}},
	{"programs mixed up", MERGED | ALONE, spoil_programs, {0}},
	{"lists: sources for destinations", MERGED | ALONE, spoil_lists, {0}},
	{"state: half of a switch", MERGED | ALONE, spoil_state, {0}},
};

/* ---- rounds ---- */

static struct tally {
	uint32_t tried, noticed;
} tally[DIM(faults)][JUDGE_WAYS];

static bool
noticed(struct family *f, const struct match_rule *rules, uint32_t n,
	const struct match_image *image, struct rng *rng)
{
	static const uint32_t from[MATCH_BURST];
	uint8_t buf[FAMILY_FRAME_MAX + JUDGE_GROWTH];
	uint32_t want[MATCH_BURST], differ = 0;
	struct judge_wrong wrong;
	enum judge_aim aim;
	struct judge_burst b;

	for (int k = 0; k < BURSTS && differ == 0; k++) {
		judge_begin(&b);
		while (b.n < MATCH_BURST) {
			const size_t len = judge_change(
				rng, buf, judge_frame(f, rng_below(rng, n), rng, buf, &aim));

			judge_add(&b, buf, rng_below(rng, 8) ? len : rng_below(rng, (uint32_t)len),
				len);
		}
		differ = judge_first(image, rules, n, &b, from, want, &wrong);
	}
	return differ != 0;
}

/* One fault in one image. */
static void
try_fault(
	struct family *f, const struct match_rule *rules, size_t fault, size_t way, struct rng *rng)
{
	struct judge_way spoilt = judge_ways[way];
	/* A chain has few rules. */
	const uint32_t n = (faults[fault].where & CHAIN) != 0 ? CHAIN_MAX / 2 : RULES;
	struct tally *t = &tally[fault][way];
	struct match_image *image;

	spoilt.options.hash_fault = faults[fault].options.hash_fault;
	spoilt.options.bits_fault = faults[fault].options.bits_fault;
	spoilt.options.list_fault = faults[fault].options.list_fault;
	spoilt.options.tuple_fault = faults[fault].options.tuple_fault;
	spoilt.options.chain_fault = faults[fault].options.chain_fault;
	image = judge_image(rules, n, &spoilt);
	if (image == NULL)
		abort();
	if (faults[fault].spoil == NULL || faults[fault].spoil(image)) {
		t->tried++;
		t->noticed += noticed(f, rules, n, image, rng);
	}
	match_image_free(image);
}

static void
try_family(enum family_kind kind, struct rng *rng)
{
	struct match_rule *rules;
	struct family *f = NULL;
	struct diag diag = {0};

	if (family_new(kind, RULES, rng_next(rng), &f, &diag) < 0) {
		printf("# %s: %s\n", family_name(kind), diag.msg);
		abort();
	}
	family_set_ipv6(f, 15);
	rules = judge_rules(f, rng);
	for (size_t k = 0; k < DIM(faults); k++)
		for (size_t w = 0; w < JUDGE_WAYS; w++) {
			if (tally[k][w].noticed < ENOUGH && is_way(faults[k].where, w))
				try_fault(f, rules, k, w, rng);
		}
	free(rules);
	family_free(f);
}

/* Whether each fault was noticed in all ways in which it can be. */
static bool
all_noticed(void)
{
	for (size_t k = 0; k < DIM(faults); k++)
		for (size_t w = 0; w < JUDGE_WAYS; w++)
			if (tally[k][w].noticed == 0 && is_way(faults[k].where, w))
				return false;
	return true;
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	struct rng rng = {seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL)};
	int missed = 0;

	printf("SLUICE_SEED=%llu\n1..%zu\n", (unsigned long long)rng.state, DIM(faults));
	for (int k = 0; k < ROUNDS * FAMILY_KINDS; k++)
		try_family((enum family_kind)(k % FAMILY_KINDS), &rng);
	for (int k = 0; k < ROUNDS_MORE && !all_noticed(); k++)
		try_family(FAMILY_DNS_WILDCARD, &rng);
	for (size_t k = 0; k < DIM(faults); k++) {
		bool ok = true;

		for (size_t w = 0; w < JUDGE_WAYS; w++) {
			if (is_way(faults[k].where, w)) {
				ok &= tally[k][w].noticed > 0;
				printf("# %s: noticed in %u of %u\n", judge_ways[w].name,
					tally[k][w].noticed, tally[k][w].tried);
			}
		}
		printf("%s %zu - %s\n", ok ? "ok" : "not ok", k + 1, faults[k].name);
		missed += !ok;
	}
	return missed != 0;
}
