// SPDX-License-Identifier: BSD-3-Clause
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "image_impl.h"
#include "index.h"

#define LONGEST 64 /* bytes of an item */
#define APART_MIN 3 /* bytes: behind names there are single zeros */
#define APART_MAX 16
#define RARELY 64 /* one in so many items may be chained, else two tables are tried */
#define SELDOM 4 /* and in so many, else there are no names */
#define CHAIN_LONGEST 16 /* names that a frame may be compared with, else there are none either */

/* An item from its end on. */
struct name {
	const struct item *it;
	uint8_t val[LONGEST], mask[LONGEST]; /* the last @len of these */
	uint32_t len, apart; /* bytes in all, and from the last one on without a 0 */
	struct item_range ranges[NAMES_RANGES];
};

/* The pass at work. */
struct naming {
	const struct match_index *ix;
	const struct items *items;
	struct arena *arena;
	uint64_t seed;
	enum hash_fault fault;
	bool always; /* also where that is not faster */
	struct names *names;
	uint8_t lead_win, end_win;
	struct name *v; /* by rule */
	uint32_t n;
};

/* ---- which tables are names ---- */

/* The table that is walked to; the other one is where the walk starts. */
static uint32_t
walked(const struct match_index *ix)
{
	return ix->tables[0].steps_win != 0 ? 0 : 1;
}

static bool
are_tables_of_names(const struct match_index *ix)
{
	const struct hash_table *walk, *first;
	const struct window *steps, *label;

	if (ix->n_tables != 2 || !straight_fits(ix))
		return false;
	walk = &ix->tables[walked(ix)];
	first = &ix->tables[1 - walked(ix)];
	if (walk->steps_win == 0 || first->steps_win != 0 || first->fan != NULL ||
		walk->fan != NULL || !scope_test_equal(&walk->test, &first->test))
		return false;
	steps = &ix->windows[walk->steps_win];
	label = &ix->windows[steps->parent];
	return first->run_at.win == steps->parent && label->kind == WINDOW_WALK &&
		ix->windows[label->parent].kind == WINDOW_L4 && steps->step.at == 0 &&
		label->off <= INT16_MAX && steps->off <= INT16_MAX;
}

/* ---- items ---- */

/* Put byte @at of @name, counted from its first one; false: there is no room. */
static bool
put_byte(struct name *name, int32_t at, uint64_t mask, uint64_t val)
{
	if ((mask & UINT8_MAX) == 0)
		return true;
	if (at < 0 || at >= LONGEST)
		return false;
	name->mask[at] = (uint8_t)mask;
	name->val[at] = (uint8_t)val;
	name->len = MAX(name->len, (uint32_t)at + 1);
	return true;
}

/* The bytes of @it, all @first behind window @win and on, to the end of @name. */
static bool
take_bytes(struct name *name, const struct item *it, uint8_t win, int32_t first)
{
	uint32_t left;

	for (uint32_t i = 0; i < it->n_words; i++) {
		const struct item_word *w = &it->words[i];

		if (w->win == WINDOW_OF_KEY)
			continue;
		if (w->win != win)
			return false;
		for (int32_t b = 0; b < 8; b++)
			if (!put_byte(name, w->off + b - first, w->mask >> 8 * b, w->val >> 8 * b))
				return false;
	}
	left = LONGEST - name->len;
	memmove(&name->val[left], name->val, name->len);
	memmove(&name->mask[left], name->mask, name->len);
	memset(name->val, 0, left);
	memset(name->mask, 0, left);
	return name->len > 0 && it->n_needs == 1 && it->needs[0].win == win &&
		it->needs[0].a == first + (int32_t)name->len;
}

/* Whether @name ends in a 0, and how many bytes before that cannot be one. */
static bool
find_apart(struct name *name)
{
	if (name->mask[LONGEST - 1] != UINT8_MAX || name->val[LONGEST - 1] != 0)
		return false;
	while (name->apart + 1 < name->len &&
		(name->val[LONGEST - 2 - name->apart] & name->mask[LONGEST - 2 - name->apart]) != 0)
		name->apart++;
	return true;
}

/* The ranges of @name: of the byte that says how long the first label is, and of steps. */
static bool
take_ranges(const struct naming *g, struct name *name, bool is_walked)
{
	const struct item *it = name->it;
	struct item_range *lead = &name->ranges[NAMES_OF_LEAD];
	struct item_range *steps = &name->ranges[NAMES_OF_STEPS];
	bool has_lead = false;

	/* Kernels compare without overflow. */
	*lead = (struct item_range){.win = g->lead_win,
		.size = 1,
		.off = (int16_t)g->names->lead_off,
		.mask = UINT8_MAX,
		.span = UINT8_MAX};
	*steps = (struct item_range){.win = WINDOW_OF_KEY, .size = 1, .mask = UINT32_MAX};
	if (is_walked) {
		steps->lo = 1;
		steps->span = it->steps - 1u;
	}
	for (uint32_t i = 0; i < it->n_ranges; i++) {
		const struct item_range *r = &it->ranges[i];

		if (r->win == WINDOW_OF_KEY && r->size != 0) {
			if (!is_walked || r->mask != UINT32_MAX || r->lo > UINT8_MAX ||
				r->lo > it->steps)
				return false;
			steps->lo = r->lo;
			steps->span = MIN(r->span, it->steps - r->lo);
		} else if (r->win == g->lead_win && r->off == lead->off && r->size == 1 &&
			!has_lead && (r->mask & UINT8_MAX) == UINT8_MAX && r->lo <= UINT8_MAX &&
			r->span <= UINT8_MAX) {
			lead->lo = r->lo;
			lead->span = r->span;
			has_lead = true;
		} else {
			return false;
		}
	}
	return true;
}

/* Item @it of table @table as one more name. */
static bool
take_item(struct naming *g, const struct item *it, bool is_walked)
{
	struct name *name = &g->v[g->n++];
	const struct hash_table *walk = &g->ix->tables[walked(g->ix)];
	const struct window *steps = &g->ix->windows[walk->steps_win];

	name->it = it;
	return !it->prog_says_all &&
		take_bytes(name, it, is_walked ? (uint8_t)walk->steps_win : steps->parent,
			is_walked ? 0 : (int32_t)steps->off) &&
		find_apart(name) && take_ranges(g, name, is_walked);
}

/* Whether @b, which is some steps on, asks for the same name as @a, right behind the first label. */
static bool
go_together(const struct name *a, const struct name *b)
{
	const struct item_range *lead_a = &a->ranges[NAMES_OF_LEAD];
	const struct item_range *lead_b = &b->ranges[NAMES_OF_LEAD];
	const struct item_range *steps_a = &a->ranges[NAMES_OF_STEPS];
	const struct item_range *steps_b = &b->ranges[NAMES_OF_STEPS];

	return a->it->rule == b->it->rule && a->it->flags == b->it->flags && a->len == b->len &&
		memcmp(a->val, b->val, sizeof(a->val)) == 0 &&
		memcmp(a->mask, b->mask, sizeof(a->mask)) == 0 && lead_a->lo == lead_b->lo &&
		lead_a->span == lead_b->span && steps_a->lo == 0 && steps_a->span == 0 &&
		steps_b->lo == 1;
}

/* By rule, and those of one rule by the steps they take. */
static int
order_names(const void *pa, const void *pb)
{
	const struct name *a = pa, *b = pb;
	const uint32_t x = a->ranges[NAMES_OF_STEPS].lo, y = b->ranges[NAMES_OF_STEPS].lo;

	if (a->it->rule != b->it->rule)
		return a->it->rule < b->it->rule ? -1 : 1;
	return (x > y) - (x < y);
}

/* Names that go together as one, which is some steps on, or none. */
static void
join_names(struct naming *g)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		if (kept > 0 && go_together(&g->v[kept - 1], &g->v[i]))
			g->v[kept - 1].ranges[NAMES_OF_STEPS].span =
				g->v[i].ranges[NAMES_OF_STEPS].span + 1;
		else
			g->v[kept++] = g->v[i];
	}
	g->n = kept;
}

/* All items of both tables. Returns whether they are names; or -ENOMEM. */
static int
take_items(struct naming *g, const struct cluster *clusters)
{
	g->v = arena_zalloc(
		g->arena, (clusters[0].n_items + clusters[1].n_items + 1) * sizeof(*g->v));
	if (g->v == NULL)
		return -ENOMEM;
	for (uint32_t k = 0; k < 2; k++)
		for (uint32_t i = 0; i < clusters[k].n_items; i++)
			if (!take_item(g, &g->items->v[clusters[k].items[i]], k == walked(g->ix)))
				return false;
	qsort(g->v, g->n, sizeof(*g->v), order_names);
	join_names(g);
	return true;
}

/* ---- what is hashed ---- */

/* Names of so many bytes. */
struct lengths {
	uint32_t least, most;
};

static bool
has_length(const struct name *name, const struct lengths *l)
{
	return name->len >= l->least && name->len <= l->most;
}

/* Word @k of the name, from its end on. */
static uint64_t
word_of(const uint8_t bytes[LONGEST], uint32_t k)
{
	uint64_t w;

	memcpy(&w, &bytes[LONGEST - 8 * (k + 1)], sizeof(w));
	return w;
}

/* What all names of @l say of their last words. Returns how many such names there are. */
static uint32_t
share_words(const struct naming *g, const struct lengths *l, uint64_t mask[NAMES_WORDS])
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < NAMES_WORDS; k++)
		mask[k] = UINT64_MAX;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!has_length(&g->v[i], l))
			continue;
		n++;
		for (uint32_t k = 0; k < NAMES_WORDS; k++)
			mask[k] &= word_of(g->v[i].mask, k);
	}
	return n;
}

/* Names that have the same last words; n is 0: none. */
struct alike {
	uint64_t hash;
	uint32_t n;
};

/*
 * How many names of @l have words that others have, too: as many as there are names where a chain
 * would be too long, since who floods such names knows that. @seen has room for twice all names.
 */
static uint32_t
count_alike(const struct naming *g, const struct lengths *l, struct alike *seen, uint32_t n_seen)
{
	uint64_t mask[NAMES_WORDS];
	uint32_t n = 0;

	(void)share_words(g, l, mask);
	memset(seen, 0, n_seen * sizeof(*seen));
	for (uint32_t i = 0; i < g->n; i++) {
		uint64_t h = g->seed;
		uint32_t at;

		if (!has_length(&g->v[i], l))
			continue;
		for (uint32_t k = 0; k < NAMES_WORDS; k++) {
			h = (h ^ (word_of(g->v[i].val, k) & mask[k])) *
				UINT64_C(0x9e3779b97f4a7c15);
			h ^= h >> 32;
		}
		for (at = (uint32_t)(h >> 32) & (n_seen - 1); seen[at].n > 0 && seen[at].hash != h;)
			at = (at + 1) & (n_seen - 1);
		seen[at].hash = h;
		n += seen[at].n > 0;
		if (++seen[at].n > CHAIN_LONGEST)
			return g->n;
	}
	return n;
}

/* The lengths of each table's names. Returns how many tables; 0: none helps; or -ENOMEM. */
static int
choose_lengths(const struct naming *g, struct lengths ret[NAMES_TABLES_MAX])
{
	static const uint32_t parts[] = {14, 12, 16, 20};
	const uint32_t n_seen = (uint32_t)power_of_2(2 * (uint64_t)g->n + 2);
	struct alike *seen = arena_zalloc(g->arena, n_seen * sizeof(*seen));
	uint32_t least;
	int n = 1;

	if (seen == NULL)
		return -ENOMEM;
	ret[0] = (struct lengths){0, LONGEST};
	least = count_alike(g, &ret[0], seen, n_seen);
	for (size_t i = 0; i < DIM(parts) && RARELY * least > g->n; i++) {
		const struct lengths low = {0, parts[i] - 1}, high = {parts[i], LONGEST};
		const uint32_t alike =
			count_alike(g, &low, seen, n_seen) + count_alike(g, &high, seen, n_seen);

		if (alike >= least)
			continue;
		least = alike;
		ret[0] = low;
		ret[1] = high;
		n = 2;
	}
	return SELDOM * least > g->n && !g->always ? 0 : n;
}

/* ---- tables ---- */

/* What is asked of @name as an item of @it, whose words are to @words. */
static void
put_item(const struct naming *g, struct name *name, struct item_word *words, struct item *it)
{
	*it = *name->it;
	it->words = words;
	it->n_words = 0;
	if (name->it->n_words > 0 && name->it->words[0].win == WINDOW_OF_KEY)
		words[it->n_words++] = name->it->words[0];
	for (uint32_t k = LONGEST / 8; k-- > 0;) {
		const uint64_t mask = word_of(name->mask, k);

		if (mask != 0)
			words[it->n_words++] = (struct item_word){.win = g->end_win,
				.off = (int16_t)(-8 * (int)(k + 1)),
				.mask = mask,
				.val = word_of(name->val, k)};
	}
	it->n_needs = 1;
	it->needs[0] = (struct item_need){.a = (uint16_t)name->len, .win = g->end_win};
	it->n_ranges = NAMES_RANGES;
	it->ranges = name->ranges;
	it->steps_win = 0;
	it->steps = 0;
}

/* The names of @l as a cluster of *@ret_items. Returns 0 or -ENOMEM. */
static int
cluster_of(const struct naming *g, const struct lengths *l, struct items *ret_items,
	struct cluster *ret)
{
	uint64_t mask[NAMES_WORDS];
	const uint32_t n = share_words(g, l, mask);
	uint32_t n_hash = NAMES_WORDS;
	struct item_word *words =
		arena_zalloc(g->arena, (n + 1) * (LONGEST / 8 + 1) * sizeof(*words));

	*ret_items = *g->items;
	ret_items->v = arena_zalloc(g->arena, (n + 1) * sizeof(*ret_items->v));
	*ret = (struct cluster){.items = arena_zalloc(g->arena, (n + 1) * sizeof(*ret->items))};
	if (words == NULL || ret_items->v == NULL || ret->items == NULL)
		return -ENOMEM;
	ret_items->windows[g->end_win] = (struct window){.kind = WINDOW_TAIL, .space = SPACE_RAW};
	ret_items->n_windows++;
	for (uint32_t i = 0; i < g->n; i++) {
		if (!has_length(&g->v[i], l))
			continue;
		put_item(g, &g->v[i], &words[ret->n_items * (LONGEST / 8 + 1)],
			&ret_items->v[ret->n_items]);
		ret->n_rules += ret->n_items == 0 ||
			g->v[i].it->rule != ret_items->v[ret->n_items - 1].rule;
		ret->items[ret->n_items] = ret->n_items;
		ret->n_items++;
	}
	/* All end in a byte that is asked. */
	while (mask[n_hash - 1] == 0)
		n_hash--;
	/* Word k is always that number k from the end on, also where it is asked for nothing. */
	for (; ret->n_hash < n_hash; ret->n_hash++)
		ret->hash[ret->n_hash] = (struct item_word){.win = g->end_win,
			.off = (int16_t)(-8 * (int)(ret->n_hash + 1)),
			.mask = mask[ret->n_hash]};
	return 0;
}

/* Whether kernels can take @t. */
static bool
is_table_fit(const struct hash_table *t, const struct scope_test *test)
{
	return t->all_plain && t->run != 0 && t->run_at_tail && !t->halves && !t->ask_key &&
		!hash_has_key(t) && scope_test_equal(&t->test, test);
}

/* A table of the names of @l. Returns whether it is one for kernels; or -ENOMEM. */
static int
add_table(struct naming *g, const struct lengths *l)
{
	struct names *names = g->names;
	struct items items;
	struct cluster c;
	struct hash_table *t;
	int r = cluster_of(g, l, &items, &c);

	if (r < 0 || c.n_items == 0)
		return r < 0 ? r : true;
	/* Counted before it is complete, so that it is freed in any case. */
	t = &names->tables[names->n++];
	r = hash_init(t, &items, &c, g->seed + names->n, g->fault);
	if (r < 0)
		return r;
	names->bytes += t->bytes;
	names->n_words = MAX(names->n_words, t->n_words);
	return is_table_fit(t, &names->test);
}

/* How far apart ends are, of which one is looked for. False: not far enough. */
static bool
choose_shifts(struct naming *g)
{
	uint32_t apart = APART_MAX, covered = 1;

	for (uint32_t i = 0; i < g->n; i++)
		apart = MIN(apart, g->v[i].apart);
	if (apart < APART_MIN)
		return false;
	for (uint32_t k = 0; k < NAMES_SHIFTS; k++) {
		g->names->shifts[k] = (uint8_t)MIN(covered, apart - covered);
		covered += g->names->shifts[k];
	}
	return true;
}

/* Returns whether all is as it should be; or -ENOMEM. */
static int
make_names(struct naming *g, const struct cluster *clusters)
{
	struct lengths lengths[NAMES_TABLES_MAX];
	int n, r = take_items(g, clusters);

	if (r <= 0 || !choose_shifts(g))
		return MIN(r, 0);
	n = choose_lengths(g, lengths);
	if (n <= 0)
		return n;
	for (int k = 0; k < n && r > 0; k++)
		r = add_table(g, &lengths[k]);
	return r;
}

int
names_new(const struct match_index *ix, const struct items *items, const struct cluster *clusters,
	uint64_t seed, const struct match_options *options, struct arena *arena, struct names **ret)
{
	struct naming g = {.ix = ix,
		.items = items,
		.arena = arena,
		.seed = seed,
		.fault = options->hash_fault,
		.always = options->merge == MATCH_MERGE_ALWAYS};
	const struct window *steps, *label;
	int r;

	*ret = NULL;
	if (items->n_windows >= WINDOWS_MAX || !are_tables_of_names(ix))
		return 0;
	steps = &ix->windows[ix->tables[walked(ix)].steps_win];
	label = &ix->windows[steps->parent];
	g.lead_win = label->parent;
	g.end_win = (uint8_t)items->n_windows;
	g.names = mem_zalloc_aligned(BASE_CACHE_LINE, sizeof(*g.names));
	if (g.names == NULL)
		return -ENOMEM;
	g.names->test = ix->tables[0].test;
	g.names->lead_off = (int32_t)label->off;
	g.names->walk_off = (int32_t)steps->off;
	g.names->step = steps->step;
	g.names->bytes = sizeof(*g.names);
	r = make_names(&g, clusters);
	if (r > 0)
		*ret = g.names;
	else
		names_free(g.names);
	return MIN(r, 0);
}

void
names_free(struct names *names)
{
	if (names == NULL)
		return;
	for (uint32_t k = 0; k < names->n; k++)
		hash_fini(&names->tables[k]);
	mem_free(names);
}
