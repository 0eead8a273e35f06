// SPDX-License-Identifier: BSD-3-Clause
#include "index.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/util.h"
#include "chain.h"
#include "image_impl.h"

/*
 * The cost model, in tenths of what a rule costs whose program runs on every
 * frame (2.5 ns): the tables' common part, a table that a frame is looked up in,
 * and an item that is verified. It only decides between tables and one by one.
 */
#define COST_RULE 10
#define COST_BASE 24
#define COST_TABLE 20
#define COST_CHAINED 2 /* a rule in a chain */
#define COST_PLAIN 8
#define COST_ITEM 40
/* A list, 32 of its lanes, and 32 steps, of which each is one of four lanes. */
#define COST_LIST 24
#define COST_BLOCK 8
#define COST_STEP 6
/* Rulesets below this are not worth the tables; what is wrong with them is told. */
#define IMAGE_MIN 3
/* A table of fewer rules costs more than they do; in rulesets of few rules in any case. */
#define RULES_MIN 3
#define FEW_RULES 32
/* Scopes for which the bit-vector kernel pays. */
#define BITS_MIN 8
#define TUPLE_MIN 8

/* A lane that tests fewer bits costs more than a rule in a chain; no lane has so many. */
#define LANE_BITS 7
#define LANES_NONE 33
/* A list costs its frames' values, and each computes with a few of them. */
#define LIST_MIN 4

/* What the passes hand on. */
struct build {
	const struct match_image *im;
	const struct match_rule *rules;
	const struct match_options *options;
	struct arena mem; /* until the end of the build */
	struct items items;
	struct build_notes *notes;
	bool *take; /* by rule: the bit-vector kernel has it, or the five-tuple kernel */
	bool *take_tuple; /* by rule: the five-tuple kernel has it */
	struct cluster *clusters;
	uint32_t n_clusters;
	struct match_index *index;
};

static int
pass_canon(struct build *b)
{
	return canon(b->im, b->rules, &b->mem, &b->items);
}

static int
pass_cover(struct build *b)
{
	if (b->options->no_findings)
		return 0;
	return cover_find(b->im, b->rules, &b->items, &b->mem, &b->notes->found);
}

/* What kernel of scopes has, no table needs. */
static void
drop_taken(struct build *b, const bool *take)
{
	struct items *items = &b->items;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < items->n; i++)
		if (!take[items->v[i].rule])
			items->v[kept++] = items->v[i];
	items->n = kept;
	for (uint32_t i = 0; i < b->im->n; i++)
		items->residual[i] = items->residual[i] && !take[i];
}

static int
pass_tuple(struct build *b)
{
	const bool always = b->options->merge == MATCH_MERGE_ALWAYS;
	struct match_index *ix = b->index;
	int r;

	b->take_tuple = arena_zalloc(&b->mem, (b->im->n + 1) * sizeof(*b->take_tuple));
	if (b->take_tuple == NULL)
		return -ENOMEM;
	if (b->options->no_tuple ||
		tuple_choose(b->im, b->rules, always ? 1 : TUPLE_MIN, b->take_tuple) == 0)
		r = -E2BIG;
	else
		r = tuple_new(b->im, b->rules, b->take_tuple, b->options->tuple_fault, &ix->tuple);
	if (r == 0) {
		ix->bytes += ix->tuple->arena.bytes;
		drop_taken(b, b->take_tuple);
	} else {
		memset(b->take_tuple, 0, b->im->n * sizeof(*b->take_tuple));
	}
	return r == -E2BIG ? 0 : r;
}

static int
pass_bits(struct build *b)
{
	const bool always = b->options->merge == MATCH_MERGE_ALWAYS;
	struct match_index *ix = b->index;
	int r;

	b->take = arena_zalloc(&b->mem, (b->im->n + 1) * sizeof(*b->take));
	if (b->take == NULL)
		return -ENOMEM;
	if (bits_choose(b->im, b->rules, always ? 1 : BITS_MIN, b->take_tuple, b->take) == 0)
		return 0;
	r = bits_new(b->im, b->rules, b->take, b->options->bits_fault, &ix->bits);
	if (r == 0) {
		ix->bytes += ix->bits->arena.bytes;
		drop_taken(b, b->take);
	}
	return r == -E2BIG ? 0 : r;
}

struct partition_limits
index_limits(const struct match_options *options, size_t n)
{
	const bool always = options->merge == MATCH_MERGE_ALWAYS;
	const struct isa_kernels *kernels = isa_kernels(options->isa);

	return (struct partition_limits){
		.rules_min = always ? 1 : RULES_MIN,
		.exact_min = always || n > FEW_RULES ? kernels->exact_min : RULES_MIN,
		.clusters_max = options->only_lists ? 0 : INDEX_TABLES_MAX,
		.few_to_lists = options->merge == MATCH_MERGE_AUTO,
		.look_up = kernels->look_up,
	};
}

static int
pass_partition(struct build *b)
{
	const struct partition_limits limits = index_limits(b->options, b->im->n);

	return partition(&b->items, &limits, &b->mem, &b->clusters, &b->n_clusters);
}

static int
pass_fans(struct build *b)
{
	return fans(&b->items, b->clusters, &b->n_clusters, isa_kernels(b->options->isa)->fan_keys,
		&b->mem);
}

/* A number that nobody else knows. */
static uint64_t
secret(void)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v)) {
		struct timespec t = {0};

		(void)clock_gettime(CLOCK_MONOTONIC, &t);
		v = (uint64_t)t.tv_nsec << 32 ^ (uint64_t)t.tv_sec ^ (uintptr_t)&v;
	}
	return v;
}

/* The window of kind @kind of datagrams that is found by them alone, or 0. */
static uint8_t
window_of_kind(const struct match_index *ix, enum window_kind kind)
{
	for (uint32_t w = 0; w < ix->n_windows; w++)
		if (ix->windows[w].kind == kind && ix->windows[w].space == SPACE_RAW)
			return (uint8_t)w;
	return 0;
}

static void
take_windows(struct match_index *ix, const struct items *items)
{
	memcpy(ix->windows, items->windows, sizeof(ix->windows));
	ix->n_windows = items->n_windows;
	ix->l4_window = window_of_kind(ix, WINDOW_L4);
	ix->tail_window = window_of_kind(ix, WINDOW_TAIL);
}

static int
pass_tables(struct build *b)
{
	struct match_index *ix = b->index;
	int r = 0;

	take_windows(ix, &b->items);
	ix->tables = mem_calloc(b->n_clusters + 1, sizeof(*ix->tables));
	if (ix->tables == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->n_clusters && r == 0; i++) {
		/* Counted before it is complete, so that it is freed in any case. */
		struct hash_table *t = &ix->tables[ix->n_tables++];

		r = hash_init(t, &b->items, &b->clusters[i], secret(), b->options->hash_fault);
		ix->bytes += sizeof(*t) + t->bytes;
		for (uint32_t w = t->windows; w != 0; w &= w - 1)
			ix->any_ether |= ix->windows[__builtin_ctz(w)].space == SPACE_ETHER;
	}
	return r;
}

static bool
may_chain(const struct build *b)
{
	return b->im->is_jit && !b->options->no_chain &&
		(b->options->merge == MATCH_MERGE_AUTO || b->options->chains);
}

/* Take from the lists what is better asked in chains: *@ret_kept, by rule. */
static int
keep_for_chains(struct build *b, bool **ret_kept)
{
	const uint32_t lane_bits = b->options->chains ? LANES_NONE : LANE_BITS;
	struct items *items = &b->items;
	bool *kept = arena_zalloc(&b->mem, (b->im->n + 1) * sizeof(*kept));

	if (kept == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < items->n && may_chain(b); i++) {
		const struct item *it = &items->v[i];

		/* Lanes of words compute nothing. */
		if (it->lane == NULL || it->lane->bits >= lane_bits || !items->residual[it->rule] ||
			!chains_can(b->im, b->rules, it->rule))
			continue;
		items->residual[it->rule] = false;
		kept[it->rule] = true;
	}
	*ret_kept = kept;
	return 0;
}

/* @some, by rule: those left of which all items ask @proto; -1: all that are left. */
static void
left_of_proto(const struct build *b, int proto, bool *some)
{
	const struct items *items = &b->items;

	memcpy(some, items->residual, b->im->n * sizeof(*some));
	for (uint32_t i = 0; i < items->n && proto >= 0; i++)
		if (item_proto(&items->v[i]) != proto)
			some[items->v[i].rule] = false;
}

/* Lists of the rules in @some, as long as they are worth it; what they take is left no more. */
static int
add_lists(struct build *b, bool *some)
{
	struct match_index *ix = b->index;
	struct list_how how = {.least = b->options->merge == MATCH_MERGE_ALWAYS ? 1 : LIST_MIN,
		.code = ix->list_code,
		.vectors = isa_kernels(b->options->isa)->vectors};
	bool *residual = b->items.residual;

	while (ix->n_lists < INDEX_LISTS_MAX) {
		/* Counted before it is complete, so that it is freed in any case. */
		struct list *l = &ix->lists[ix->n_lists++];
		int r;

		how.fault = b->options->list_fault && ix->n_lists == 1;
		r = list_init(l, &b->items, &how, some);
		if (r < 0)
			return r;
		if (l->n_rules == 0) {
			list_fini(l);
			ix->n_lists--;
			break;
		}
		ix->bytes += sizeof(*l) + l->bytes;
		ix->any_ether |= l->any_ether;
		for (uint32_t k = 0; k < l->n_lanes; k++) {
			residual[l->rules[k]] = false;
			ix->in_list[l->rules[k]] = true;
		}
	}
	return 0;
}

/* The number of @test among those of @ix. */
static uint8_t
number_test(struct match_index *ix, const struct scope_test *test)
{
	uint32_t k = 0;

	while (k < ix->n_tests && !scope_test_equal(&ix->tests[k], test))
		k++;
	if (k == ix->n_tests)
		ix->tests[ix->n_tests++] = *test;
	return (uint8_t)k;
}

static void
number_tests(struct match_index *ix)
{
	for (uint32_t i = 0; i < ix->n_tables; i++)
		ix->table_test[i] = number_test(ix, &ix->tables[i].test);
	for (uint32_t i = 0; i < ix->n_lists; i++)
		ix->list_test[i] = number_test(ix, &ix->lists[i].test);
}

/* Memory for the code of lists, where there may be any. */
static int
take_list_code(struct build *b)
{
	const struct items *items = &b->items;
	size_t n = 0;
	int r;

	if (!b->im->is_jit || b->options->no_list_code ||
		isa_kernels(b->options->isa)->vectors == CBPF_VECTORS_NONE)
		return 0;
	for (uint32_t i = 0; i < items->n; i++)
		n += items->residual[items->v[i].rule];
	if (n == 0)
		return 0;
	r = cbpf_arena_new(cbpf_lanes_room(n), &b->index->list_code, NULL);
	return r == -ENOMEM ? r : 0;
}

/* Lists of what no cluster has: a frame goes through those of its protocol. */
static int
pass_lists(struct build *b)
{
	static const int protos[] = {6, 17, -1};
	struct match_index *ix = b->index;
	bool *some = arena_zalloc(&b->mem, b->im->n + 1), *kept = NULL;
	int r = keep_for_chains(b, &kept);

	if (r == 0)
		r = take_list_code(b);
	if (r < 0)
		return r;
	ix->lists = mem_calloc(INDEX_LISTS_MAX, sizeof(*ix->lists));
	ix->in_list = mem_calloc(b->im->n + 1, sizeof(*ix->in_list));
	if (some == NULL || ix->lists == NULL || ix->in_list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < DIM(protos) && r == 0; i++) {
		left_of_proto(b, protos[i], some);
		r = add_lists(b, some);
	}
	for (uint32_t i = 0; i < b->im->n; i++)
		b->items.residual[i] |= kept[i];
	number_tests(ix);
	return r;
}

static int
pass_chains(struct build *b)
{
	struct match_index *ix = b->index;
	int r;

	if (!may_chain(b))
		return 0;
	r = chains_init(&ix->chains, b->im, b->rules, b->items.residual, b->options->chain_fault);
	ix->bytes += ix->chains.bytes;
	return r;
}

static int
pass_residual(struct build *b)
{
	struct match_index *ix = b->index;

	ix->residual = mem_calloc(b->im->n + 1, sizeof(*ix->residual));
	ix->runs = mem_calloc(b->im->n + 1, sizeof(*ix->runs));
	ix->in_bits = mem_calloc(b->im->n + 1, sizeof(*ix->in_bits));
	ix->in_tuple = mem_calloc(b->im->n + 1, sizeof(*ix->in_tuple));
	if (ix->residual == NULL || ix->runs == NULL || ix->in_bits == NULL || ix->in_tuple == NULL)
		return -ENOMEM;
	memcpy(ix->in_tuple, b->take_tuple, b->im->n * sizeof(*ix->in_tuple));
	if (ix->bits != NULL)
		memcpy(ix->in_bits, b->take, b->im->n * sizeof(*ix->in_bits));
	for (uint32_t i = 0; i < b->im->n; i++) {
		ix->runs[i] = b->items.residual[i] || ix->in_list[i];
		if (b->items.residual[i])
			ix->residual[ix->n_residual++] = i;
	}
	/* One by one where a frame has extension headers. */
	for (uint32_t k = 0; k < ix->chains.n; k++)
		for (uint32_t j = 0; j < ix->chains.v[k].n; j++)
			ix->runs[ix->chains.v[k].rule[j]] = true;
	for (uint32_t i = 0; i < b->items.n; i++)
		ix->runs[b->items.v[i].rule] |= (b->items.v[i].flags & ITEM_RUN) != 0;
	ix->bytes += b->im->n * (sizeof(*ix->residual) + sizeof(*ix->runs));
	return 0;
}

/* What is asked before tables, where there is no straight way past them. */
static int
pass_sieve(struct build *b)
{
	const struct isa_kernels *kernels = isa_kernels(b->options->isa);
	struct match_index *ix = b->index;
	int r;

	if (kernels->sieve == NULL || straight_fits(ix))
		return 0;
	r = sieve_new(ix, &b->items, b->clusters, secret(), &ix->sieve);
	ix->bytes += ix->sieve != NULL ? ix->sieve->bytes : 0;
	return r;
}

/* Names from their ends on, where that is all that tables look for. */
static int
pass_names(struct build *b)
{
	struct match_index *ix = b->index;
	int r;

	/* Parts are asked by tables. */
	if (isa_kernels(b->options->isa)->names == NULL || b->options->is_part)
		return 0;
	r = names_new(ix, &b->items, b->clusters, secret(), b->options, &b->mem, &ix->names);
	if (ix->names != NULL)
		ix->bytes += ix->names->bytes;
	return r;
}

/* In this order. Each returns 0 or -ENOMEM. */
static const struct pass {
	const char *name;
	int (*run)(struct build *b);
} passes[] = {
	{"canon", pass_canon}, /* rules to items: masked words */
	{"cover", pass_cover}, /* what rules never get a frame */
	{"tuple", pass_tuple}, /* scopes of a few prefixes of IPv4 to the five-tuple kernel */
	{"bits", pass_bits}, /* scopes of prefixes and ports to the bit-vector kernel */
	{"partition", pass_partition}, /* items to clusters that one hash tells apart */
	{"fans", pass_fans}, /* clusters of one window to one with several keys */
	{"tables", pass_tables}, /* clusters to tables */
	{"lists", pass_lists}, /* what is left to lanes of vectors */
	{"chains", pass_chains}, /* or to functions of many rules */
	{"residual", pass_residual}, /* what is left goes one by one */
	{"sieve", pass_sieve}, /* 4 bytes that say of most frames that tables have nothing */
	{"names", pass_names}, /* tables of names to such from their ends on */
};
#define PASSES_FOR_FINDINGS 2

uint64_t
build_now_us(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void
build_note_pass(struct build_notes *notes, const char *name, uint64_t start_us)
{
	if (notes->n_passes < DIM(notes->passes))
		notes->passes[notes->n_passes++] =
			(struct match_pass_report){name, build_now_us() - start_us};
}

/* The lists of one protocol are no cost to frames of another. */
static bool
is_of_proto(const struct list *l)
{
	return (l->test.mask & PKT_KEY_PROTO(0xff)) == PKT_KEY_PROTO(0xff);
}

static uint32_t
list_cost(const struct list *l)
{
	return COST_LIST + COST_BLOCK * ((l->n_lanes + 31) / 32) + COST_STEP * (l->n_steps / 32);
}

/*
 * As measured of few rules, tenths of a nanosecond: as steps any list costs about as much; as code
 * it is what lanes compute with that does, places and what is taken from them.
 */
static uint32_t
list_ask_cost(const struct list *l)
{
	if (l->n_blocks == 0)
		return 225;
	return 20 + 25 * l->n_places + 15 * l->n_singles + 4 * l->n_squares + l->n_lanes / 2;
}

/* What lists cost by @cost; of several of one protocol a frame is asked for one. */
static uint32_t
list_costs(const struct match_index *ix, uint32_t (*cost)(const struct list *l))
{
	uint32_t of_proto = 0, of_all = 0;

	for (uint32_t i = 0; i < ix->n_lists; i++) {
		if (is_of_proto(&ix->lists[i]))
			of_proto = MAX(of_proto, cost(&ix->lists[i]));
		else
			of_all += cost(&ix->lists[i]);
	}
	return of_proto + of_all;
}

bool
index_walks(const struct match_index *ix)
{
	bool walks = false;

	for (uint32_t i = 0; i < ix->n_tables; i++)
		walks |= ix->tables[i].steps_win != 0;
	return walks;
}

/* Whether the tables of @ix beat going through all @n rules. */
static bool
is_worth_it(const struct match_index *ix, size_t n)
{
	uint32_t together =
		COST_BASE + COST_TABLE * ix->n_tables + COST_CHAINED * ix->chains.n_rules;
	uint32_t item = COST_PLAIN;
	uint32_t alone = COST_RULE * (uint32_t)(n - ix->n_residual);

	/* These kernels are chosen where they are worth it. */
	if (ix->bits != NULL || ix->tuple != NULL)
		return true;
	for (uint32_t i = 0; i < ix->n_tables; i++)
		if (ix->tables[i].run == 0)
			item = COST_ITEM;
	/* Alone it is 25 times as slow where somebody sends a name of 120 labels. */
	if (index_walks(ix))
		return true;
	if (ix->n_tables == 0)
		item = 0;
	return together + list_costs(ix, list_cost) + item < alone;
}

/* As measured with 10 to 30 rules of every family, of which the kernels take turns. */
uint32_t
index_cost(const struct match_index *ix)
{
	uint32_t cost = 40 + 45 * ix->n_tables + 40 * ix->n_residual;

	if (ix->straight != NULL && ix->tuple != NULL)
		return ix->lanes_cost * ((ix->tuple->n_lanes + TUPLE_LANES - 1) / TUPLE_LANES);
	/* The first table finds what the others need. */
	if (ix->straight != NULL)
		return 60 + 25 * ix->n_tables;
	/* Behind a table that is no run the program is asked, or words one by one. */
	for (uint32_t i = 0; i < ix->n_tables; i++)
		cost += ix->tables[i].run == 0 ? 40 : 0;
	cost += list_costs(ix, list_ask_cost);
	cost += 30 * ix->chains.n + 10 * ix->chains.n_rules;
	return cost + (ix->tuple != NULL ? 25 : 0) + (ix->bits != NULL ? 100 : 0);
}

uint32_t
index_n_listed(const struct match_index *ix)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ix->n_lists; i++)
		n += ix->lists[i].n_rules;
	return n;
}

/* Whether some rule has no program, but more to ask than one comparison. */
static bool
any_costly(const struct match_image *im)
{
	for (size_t i = 0; i < im->n; i++)
		if (im->entries[i].run == MATCH_RUN_NONE && im->entries[i].scope.more != NULL)
			return true;
	return false;
}

/* But for the straight way, which not every image has. */
static void
set_kernels(struct match_index *ix, const struct isa_kernels *kernels)
{
	ix->place_frames = kernels->place_frames;
	ix->place_windows = kernels->place_windows;
	ix->test_keys = kernels->test_keys;
	ix->above = kernels->above;
	ix->probe = kernels->hash;
	ix->probe_steps = kernels->steps;
	ix->ends = kernels->ends;
	ix->probe_tuple = kernels->tuple;
	ix->lanes_cost = kernels->lanes_cost;
	ix->probe_bits = kernels->bits;
	ix->probe_list = kernels->list;
	ix->run_sieve = kernels->sieve;
}

/* The straight way of @ix, or NULL. */
static straight_fn
straight_of(const struct match_index *ix, const struct isa_kernels *kernels)
{
	if (ix->names != NULL)
		return kernels->names;
	if (straight_fits(ix))
		return kernels->straight;
	return straight_fits_few(ix) ? kernels->tuple_straight : NULL;
}

int
index_new(const struct match_image *im, const struct match_rule *rules,
	const struct match_options *options, struct build_notes *notes,
	struct match_index **ret_index)
{
	struct build b = {
		.im = im, .rules = rules, .options = options, .mem = ARENA_INIT, .notes = notes};
	const struct isa_kernels *kernels = isa_kernels(options->isa);
	const bool few = im->base->chain != NULL ||
		(options->merge == MATCH_MERGE_AUTO && im->n < IMAGE_MIN && !any_costly(im) &&
			!chain_walks(rules, im->n));
	int r = 0;

	*ret_index = NULL;
	if (options->merge == MATCH_MERGE_NEVER || (few && options->no_findings))
		return 0;
	b.index = mem_zalloc(sizeof(*b.index));
	if (b.index == NULL)
		return -ENOMEM;
	set_kernels(b.index, kernels);
	b.index->bytes = sizeof(*b.index);
	for (size_t i = 0; i < (few ? PASSES_FOR_FINDINGS : DIM(passes)) && r == 0; i++) {
		const uint64_t start = build_now_us();

		r = passes[i].run(&b);
		build_note_pass(notes, passes[i].name, start);
	}
	mem_free(b.items.v);
	arena_fini(&b.mem);
	if (r < 0 ||
		(b.index->n_tables == 0 && b.index->bits == NULL && b.index->tuple == NULL &&
			b.index->n_lists == 0 && b.index->chains.n == 0) ||
		(options->merge == MATCH_MERGE_AUTO && !is_worth_it(b.index, im->n))) {
		index_free(b.index);
		return r;
	}
	b.index->straight = straight_of(b.index, kernels);
	*ret_index = b.index;
	return 0;
}

int
index_new_lone(size_t n, struct match_index **ret_index)
{
	struct match_index *ix = mem_zalloc(sizeof(*ix));

	if (ix == NULL)
		return -ENOMEM;
	set_kernels(ix, isa_kernels(ISA_AUTO));
	ix->tables = mem_calloc(1, sizeof(*ix->tables));
	ix->residual = mem_calloc(n + 1, sizeof(*ix->residual));
	ix->runs = mem_calloc(n + 1, sizeof(*ix->runs));
	ix->in_bits = mem_calloc(n + 1, sizeof(*ix->in_bits));
	ix->in_tuple = mem_calloc(n + 1, sizeof(*ix->in_tuple));
	ix->in_list = mem_calloc(n + 1, sizeof(*ix->in_list));
	if (ix->tables == NULL || ix->residual == NULL || ix->runs == NULL || ix->in_bits == NULL ||
		ix->in_tuple == NULL || ix->in_list == NULL) {
		index_free(ix);
		return -ENOMEM;
	}
	ix->n_residual = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++) {
		ix->residual[i] = i;
		ix->runs[i] = true;
	}
	ix->bytes = sizeof(*ix) + n * (sizeof(*ix->residual) + sizeof(*ix->runs));
	*ret_index = ix;
	return 0;
}

void
index_free(struct match_index *index)
{
	if (index == NULL)
		return;
	for (uint32_t i = 0; i < index->n_tables; i++)
		hash_fini(&index->tables[i]);
	mem_free(index->tables);
	mem_free(index->sieve);
	names_free(index->names);
	tuple_free(index->tuple);
	bits_free(index->bits);
	for (uint32_t i = 0; i < index->n_lists; i++)
		list_fini(&index->lists[i]);
	mem_free(index->lists);
	cbpf_arena_free(index->list_code);
	mem_free(index->in_list);
	chains_fini(&index->chains);
	mem_free(index->residual);
	mem_free(index->runs);
	mem_free(index->in_bits);
	mem_free(index->in_tuple);
	mem_free(index);
}
