// SPDX-License-Identifier: BSD-3-Clause
/*
 * Items to tables. Items whose words have the same masks at the same places
 * (one shape) can be looked up by one hash; so can those of several shapes by
 * what their masks share, as long as that tells them apart (as in TupleMerge,
 * Daly et al., 2019). Shapes are taken from the most frequent on, and each joins
 * the first cluster that stays good with it, or starts one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "fan.h"
#include "few.h"
#include "item.h"
#include "shape.h"

#define SAMPLE_MAX 2048 /* items looked at to judge a hash */
#define JUDGED_MAX 16000000 /* looks at items in all: bounds the time for hostile rules */
#define CLUSTERS_TRIED 12 /* for one shape */
#define SMALL 16 /* items; fewer are not worth a table of their own */
#define KIND 32 /* items; more are better among themselves than with those that look elsewhere */
/* Items compared for a key that is there, on average, in 1/16; one is the best. */
#define CHAIN_GOOD 24
#define CHAIN_GOOD_PART 18 /* of a sample */
#define CHAIN_MAX 16
#define MANY 4096 /* items, of which a frame meets chains more often than tables are few */
/* Where even one shape alone has longer chains its rules are better asked one by one. */
#define CHAIN_BEARABLE 64

/* A cluster under construction. */
struct group {
	struct item_word full[ITEM_WORDS_MAX]; /* the masks that all items share */
	uint32_t n_full;
	struct item_word hash[HASH_WORDS_MAX];
	uint32_t n_hash;
	uint32_t *shapes; /* numbers */
	uint32_t n_shapes, cap_shapes, n_items;
	uint8_t steps_win; /* of all items */
	struct frames_of frames; /* of the first shape; the protocol of all items */
	bool has_start; /* items of the first shape */
};

struct slot {
	uint64_t key, whole;
	uint32_t count;
	uint32_t judgement; /* the last one that used it; of another one it is free */
};

/* What does not change while hashes are judged. */
struct known {
	uint64_t whole; /* see whole_of() */
	uint64_t key; /* of an item in a group: by the group's hash */
};

struct parting {
	struct items *items;
	struct arena *arena;
	struct known *known; /* by item */
	struct shapes shapes;
	struct group *groups;
	uint32_t n_groups, max_groups;
	uint32_t sample[SAMPLE_MAX], n_sample;
	uint32_t n_keyed; /* so many, the last ones, are in the group */
	bool is_part; /* the sample is not all there is: chains are longer than it shows */
	struct slot slots[2 * SAMPLE_MAX];
	uint32_t judgements, judged; /* how many, and items of all of them */
};

/* The hash of what @it has under @words, all of which it has. */
static uint64_t
key_of(const struct item *it, const struct item_word *words, uint32_t n)
{
	uint64_t h = 1;
	uint32_t j = 0;

	for (uint32_t i = 0; i < n; i++) {
		while (item_word_before(&it->words[j], &words[i]))
			j++;
		h = shape_mix(h, it->words[j].val & words[i].mask);
	}
	return h;
}

/* Equal for items of which the first always holds where another does. */
static uint64_t
whole_of(const struct item *it)
{
	const uint64_t whole = key_of(it, it->words, it->n_words);

	return (it->flags & (ITEM_RUN | ITEM_MORE)) != 0 || it->n_ranges > 0
		? shape_mix(whole, it->rule + 1)
		: whole;
}

/* ---- how good a hash is ---- */

/*
 * How many items of the sample a look-up compares, in 1/16, when @words are
 * hashed; items that are equal as a whole count once. UINT32_MAX: a chain is too long.
 * @keyed: they are the group's hash.
 */
static uint32_t
judge(struct parting *p, const struct item_word *words, uint32_t n, bool keyed)
{
	const uint32_t n_new = keyed ? p->n_sample - p->n_keyed : p->n_sample;
	const uint32_t now = ++p->judgements;
	const uint32_t n_slots = (uint32_t)MAX(64, power_of_2(2 * (uint64_t)p->n_sample));
	uint64_t compared = 0, distinct = 0;

	p->judged += p->n_sample;
	for (uint32_t i = 0; i < p->n_sample; i++) {
		const uint32_t item = p->sample[i];
		const uint64_t key =
			i < n_new ? key_of(&p->items->v[item], words, n) : p->known[item].key;
		const uint64_t whole = p->known[item].whole;
		uint32_t at = (uint32_t)(key >> 20) & (n_slots - 1);
		struct slot *s;

		while (p->slots[at].judgement == now && p->slots[at].key != key)
			at = (at + 1) & (n_slots - 1);
		s = &p->slots[at];
		if (s->judgement != now)
			*s = (struct slot){.key = key, .judgement = now};
		else if (s->whole == whole)
			continue;
		s->whole = whole;
		s->count++;
		if (s->count > CHAIN_MAX)
			return UINT32_MAX;
		compared += s->count;
		distinct++;
	}
	return (uint32_t)(16 * compared / MAX(distinct, 1));
}

static void
sample_shape(struct parting *p, const struct shape *s, uint32_t share)
{
	const uint32_t step = MAX(1, s->n / MAX(share, 1));

	for (uint32_t i = 0; i < s->n && p->n_sample < SAMPLE_MAX; i += step)
		p->sample[p->n_sample++] = p->shapes.order[s->first + i];
}

/* Items of group @g, which may be NULL, and of shape @s. */
static void
sample(struct parting *p, const struct group *g, const struct shape *s)
{
	const uint32_t all = s->n + (g != NULL ? g->n_items : 0);

	p->n_sample = 0;
	p->is_part = all > SAMPLE_MAX;
	sample_shape(p, s, (uint32_t)((uint64_t)SAMPLE_MAX * s->n / all) + 1);
	p->n_keyed = p->n_sample;
	for (uint32_t i = 0; g != NULL && i < g->n_shapes; i++) {
		const struct shape *of = &p->shapes.v[g->shapes[i]];

		sample_shape(p, of, (uint32_t)((uint64_t)SAMPLE_MAX * of->n / all) + 1);
	}
	p->n_keyed = p->n_sample - p->n_keyed;
}

static bool
any_of(const struct item_word *words, uint32_t n, uint8_t win)
{
	for (uint32_t i = 0; i < n; i++)
		if (words[i].win == win)
			return true;
	return false;
}

/*
 * Whether word @a is to be preferred to @b, though both tell items apart as well, @score: while all
 * are bad, and where items are so few that most frames would have what they share.
 */
static bool
is_better_guess(const struct parting *p, uint32_t score, const struct item_word *a,
	const struct item_word *b)
{
	if (score != UINT32_MAX && p->n_sample > SMALL)
		return false;
	if (score != UINT32_MAX && (a->win == WINDOW_OF_KEY) != (b->win == WINDOW_OF_KEY))
		return b->win == WINDOW_OF_KEY;
	return __builtin_popcountll(a->mask) > __builtin_popcountll(b->mask);
}

/*
 * Choose from @full the words to hash, each time the one that helps most, until
 * the sample is told apart well enough. Returns how well.
 */
static uint32_t
choose_words(struct parting *p, const struct item_word *full, uint32_t n_full, uint8_t steps_win,
	struct item_word *ret_hash, uint32_t *ret_n)
{
	struct item_word hash[HASH_WORDS_MAX + 1];
	uint32_t n = 0, best = UINT32_MAX;

	if (n_full > 0 && steps_win != 0 && !any_of(full, n_full, steps_win))
		steps_win = 0;
	while (n < HASH_WORDS_MAX && n < n_full && (n == 0 || best > (p->is_part ? 16 : 17))) {
		uint32_t best_at = n_full, now = UINT32_MAX;

		for (uint32_t i = 0; i < n_full; i++) {
			uint32_t at = 0, score;

			/* By what is at each place of a walk first: a filter keeps most out. */
			if (n == 0 && steps_win != 0 && full[i].win != steps_win)
				continue;
			while (at < n && item_word_before(&hash[at], &full[i]))
				at++;
			if (at < n && hash[at].win == full[i].win && hash[at].off == full[i].off)
				continue;
			memmove(&hash[at + 1], &hash[at], (n - at) * sizeof(*hash));
			hash[at] = full[i];
			score = judge(p, hash, n + 1, false);
			memmove(&hash[at], &hash[at + 1], (n - at) * sizeof(*hash));
			if (best_at == n_full || score < now ||
				(score == now &&
					is_better_guess(p, score, &full[i], &full[best_at]))) {
				now = score;
				best_at = i;
			}
		}
		if (best_at == n_full || (now >= best && best != UINT32_MAX))
			break;
		best = now;
		for (uint32_t at = n++;; at--) {
			if (at == 0 || item_word_before(&hash[at - 1], &full[best_at])) {
				hash[at] = full[best_at];
				break;
			}
			hash[at] = hash[at - 1];
		}
	}
	memcpy(ret_hash, hash, n * sizeof(*hash));
	*ret_n = n;
	return n > 0 ? best : UINT32_MAX;
}

/* ---- groups ---- */

/* The masks that @a and the words of @it share. Returns how many words. */
static uint32_t
shared(const struct item_word *a, uint32_t n_a, const struct item *it, struct item_word *ret)
{
	uint32_t n = 0, j = 0;

	for (uint32_t i = 0; i < n_a; i++) {
		while (j < it->n_words && item_word_before(&it->words[j], &a[i]))
			j++;
		if (j == it->n_words)
			break;
		if (it->words[j].win != a[i].win || it->words[j].off != a[i].off ||
			(it->words[j].mask & a[i].mask) == 0)
			continue;
		ret[n] = a[i];
		ret[n].mask &= it->words[j].mask;
		n++;
	}
	return n;
}

/* Note the keys that the items of @shape have in @g. */
static void
note_keys(struct parting *p, const struct group *g, uint32_t shape)
{
	const struct shape *s = &p->shapes.v[shape];

	for (uint32_t i = s->first; i < s->first + s->n; i++)
		p->known[p->shapes.order[i]].key =
			key_of(&p->items->v[p->shapes.order[i]], g->hash, g->n_hash);
}

static int
group_take(struct parting *p, struct group *g, uint32_t shape)
{
	if (g->n_shapes == g->cap_shapes) {
		const uint32_t cap = MAX(8, g->cap_shapes * 2);
		uint32_t *v = arena_zalloc(p->arena, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		if (g->n_shapes > 0)
			memcpy(v, g->shapes, g->n_shapes * sizeof(*v));
		g->shapes = v;
		g->cap_shapes = cap;
	}
	g->shapes[g->n_shapes++] = shape;
	g->n_items += p->shapes.v[shape].n;
	return 0;
}

/*
 * Whether items of shape @s may be in @g at all. Frames of one protocol are not to be asked for
 * tables of another one: two that share none cost a frame one look-up, together they cost it, too.
 * The same goes for a port of many rules, as long as there is room for groups: what then finds none
 * is in no table. And what is compared in one window goes faster where that holds for all items.
 */
static bool
can_join(const struct parting *p, const struct group *g, const struct shape *s)
{
	const bool any_port = p->n_groups == p->max_groups || g->frames.port == s->frames.port;

	if (g->steps_win != s->like->steps_win ||
		(g->frames.proto != s->frames.proto && g->frames.proto != -1))
		return false;
	return (g->has_start == s->has_start && any_port) || MAX(g->n_items, s->n) <= KIND;
}

/* Bits of the frame that @g and shape @s share. */
static uint32_t
kinship(const struct parting *p, const struct group *g, const struct shape *s)
{
	struct item_word full[ITEM_WORDS_MAX];
	const uint32_t n = shared(g->full, g->n_full, s->like, full);
	const bool has_key = n > 0 && full[0].win == WINDOW_OF_KEY;

	if (!can_join(p, g, s))
		return 0;
	return shape_bits(full + has_key, n - has_key);
}

static bool
is_same_hash(const struct group *g, const struct item_word *hash, uint32_t n)
{
	bool same = n == g->n_hash;

	for (uint32_t i = 0; i < n && same; i++)
		same = hash[i].win == g->hash[i].win && hash[i].off == g->hash[i].off &&
			hash[i].mask == g->hash[i].mask;
	return same;
}

/* Whether @words are the key alone, and that of all items in the sample: it says nothing. */
static bool
is_one_key(const struct parting *p, const struct item_word *words, uint32_t n)
{
	uint64_t differ = 0;

	for (uint32_t i = 0; i < p->n_sample; i++)
		differ |=
			p->items->v[p->sample[i]].words->val ^ p->items->v[p->sample[0]].words->val;
	return n == 1 && words->win == WINDOW_OF_KEY && (differ & words->mask) == 0;
}

/* Shape number @shape joins group @g if that stays good. */
static bool
join(struct parting *p, struct group *g, uint32_t shape)
{
	const struct shape *s = &p->shapes.v[shape];
	struct item_word full[ITEM_WORDS_MAX], hash[HASH_WORDS_MAX];
	const uint32_t n_full = shared(g->full, g->n_full, s->like, full);
	uint32_t n_hash, n_kept, score, good;
	bool same;

	if (n_full == 0 || p->judged >= JUDGED_MAX || !can_join(p, g, s))
		return false;
	sample(p, g, s);
	good = p->is_part ? CHAIN_GOOD_PART : CHAIN_GOOD;
	/* A few items do not spoil what tells many apart. */
	if (g->n_items >= MANY)
		good = CHAIN_GOOD_PART;
	/* The hash as it is, where all its words are shared; that is cheap to try. */
	n_kept = shared(g->hash, g->n_hash, s->like, hash);
	n_hash = n_kept;
	same = is_same_hash(g, hash, n_kept);
	score = n_kept == g->n_hash ? judge(p, hash, n_hash, same) : UINT32_MAX;
	if (score > good) {
		score = choose_words(p, full, n_full, g->steps_win, hash, &n_hash);
		same = is_same_hash(g, hash, n_hash);
	}
	if (score > good || is_one_key(p, hash, n_hash) || group_take(p, g, shape) < 0)
		return false;
	memcpy(g->full, full, n_full * sizeof(*full));
	g->n_full = n_full;
	memcpy(g->hash, hash, n_hash * sizeof(*hash));
	g->n_hash = n_hash;
	for (uint32_t i = same ? g->n_shapes - 1 : 0; i < g->n_shapes; i++)
		note_keys(p, g, g->shapes[i]);
	return true;
}

static void
start_group(struct parting *p, uint32_t shape)
{
	const struct shape *s = &p->shapes.v[shape];
	struct group *g = &p->groups[p->n_groups];

	if (p->n_groups == p->max_groups)
		return;
	memset(g, 0, sizeof(*g));
	memcpy(g->full, s->like->words, s->like->n_words * sizeof(*g->full));
	g->n_full = s->like->n_words;
	g->steps_win = s->like->steps_win;
	g->frames = s->frames;
	g->has_start = s->has_start;
	sample(p, NULL, s);
	if (choose_words(p, g->full, g->n_full, g->steps_win, g->hash, &g->n_hash) <=
			CHAIN_BEARABLE &&
		group_take(p, g, shape) == 0) {
		note_keys(p, g, shape);
		p->n_groups++;
	}
}

/* The group that @shape has most in common with, of those not in @tried; or n_groups. */
static uint32_t
next_of_kin(const struct parting *p, uint32_t shape, uint64_t tried)
{
	uint32_t best = p->n_groups, most = 0;

	for (uint32_t g = 0; g < MIN(p->n_groups, 64); g++) {
		const uint32_t bits =
			(tried >> g & 1) == 0 ? kinship(p, &p->groups[g], &p->shapes.v[shape]) : 0;

		if (bits > most) {
			most = bits;
			best = g;
		}
	}
	return best;
}

/*
 * Groups of few items join others, be it by the key alone: rules of different
 * kinds are often told apart by protocol and port.
 */
static void
join_small_groups(struct parting *p)
{
	for (uint32_t i = p->n_groups; i-- > 0;) {
		struct group *g = &p->groups[i];
		uint32_t left = 0, items = 0;

		if (g->n_items > SMALL)
			continue;
		for (uint32_t k = 0; k < g->n_shapes; k++) {
			bool in = false;

			for (uint32_t o = 0; o < MIN(i, CLUSTERS_TRIED) && !in; o++)
				in = join(p, &p->groups[o], g->shapes[k]);
			if (in)
				continue;
			items += p->shapes.v[g->shapes[k]].n;
			g->shapes[left++] = g->shapes[k];
		}
		g->n_shapes = left;
		g->n_items = items;
	}
}

static void
make_groups(struct parting *p)
{
	for (uint32_t s = 0; s < p->shapes.n; s++) {
		uint64_t tried = 0;
		bool in = false;

		for (uint32_t k = 0; k < CLUSTERS_TRIED && !in; k++) {
			const uint32_t g = next_of_kin(p, s, tried);

			if (g == p->n_groups)
				break;
			in = join(p, &p->groups[g], s);
			tried |= UINT64_C(1) << g;
		}
		if (!in)
			start_group(p, s);
	}
	join_small_groups(p);
}

/* ---- clusters ---- */

static int
order_clusters(const void *pa, const void *pb)
{
	const struct cluster *a = pa, *b = pb;

	if (a->first_rule != b->first_rule)
		return a->first_rule < b->first_rule ? -1 : 1;
	return (a->items > b->items) - (a->items < b->items);
}

/* Leave out items of residual rules and count rules. */
static void
tidy(const struct items *items, struct cluster *c)
{
	uint32_t kept = 0, last = UINT32_MAX;

	c->n_rules = 0;
	for (uint32_t i = 0; i < c->n_items; i++) {
		const uint32_t rule = items->v[c->items[i]].rule;

		if (items->residual[rule])
			continue;
		c->n_rules += rule != last;
		last = rule;
		c->items[kept++] = c->items[i];
	}
	c->n_items = kept;
	c->first_rule = kept > 0 ? items->v[c->items[0]].rule : UINT32_MAX;
}

static void
dissolve(const struct items *items, struct cluster *c)
{
	for (uint32_t i = 0; i < c->n_items; i++)
		items->residual[items->v[c->items[i]].rule] = true;
	c->n_items = 0;
}

/*
 * Whether cluster @c has enough rules, or such that a look-up is nearly all that they cost.
 * @in_fan: as of fan_count().
 */
static bool
is_worth_it(const struct items *items, const struct partition_limits *limits,
	const struct cluster *c, const uint32_t *in_fan)
{
	const uint32_t win = fan_window(items, c);
	bool exact = true, walks = false;

	for (uint32_t i = 0; i < c->n_items; i++) {
		exact = exact && (items->v[c->items[i]].flags & ITEM_ASKS) == 0;
		walks = walks || item_of_walk(items, c->items[i]);
	}
	/* A program that walks costs more than a table; a key more of a fan next to nothing. */
	return walks || c->n_rules >= limits->rules_min ||
		(exact && (c->n_rules >= limits->exact_min || in_fan[win] >= FAN_MIN));
}

/* Dissolve clusters that are not worth it until all that are left are. */
static void
settle(struct parting *p, const struct partition_limits *limits, struct cluster *c, uint32_t n)
{
	uint32_t in_fan[WINDOWS_MAX];
	bool again = true;

	while (again) {
		again = false;
		fan_count(p->items, c, n, in_fan);
		for (uint32_t i = 0; i < n; i++) {
			tidy(p->items, &c[i]);
			if (c[i].n_items > 0 && !is_worth_it(p->items, limits, &c[i], in_fan)) {
				dissolve(p->items, &c[i]);
				again = true;
			}
		}
	}
}

/* Dissolve those that lists are to have. */
static int
few_to_lists(
	struct parting *p, const struct partition_limits *limits, struct cluster *c, uint32_t n)
{
	bool *in_list;
	const int r = few_choose(p->items, c, n, limits->look_up, p->arena, &in_list);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		if (in_list[i])
			dissolve(p->items, &c[i]);
	settle(p, limits, c, n);
	return 0;
}

static int
make_clusters(struct parting *p, const struct partition_limits *limits, struct cluster *c)
{
	bool *in = arena_zalloc(p->arena, p->items->n + 1);

	if (in == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n_groups; i++) {
		const struct group *g = &p->groups[i];

		c[i].items = arena_zalloc(p->arena, (g->n_items + 1) * sizeof(*c[i].items));
		if (c[i].items == NULL)
			return -ENOMEM;
		memcpy(c[i].hash, g->hash, g->n_hash * sizeof(*g->hash));
		c[i].n_hash = g->n_hash;
		for (uint32_t s = 0; s < g->n_shapes; s++) {
			const struct shape *of = &p->shapes.v[g->shapes[s]];

			for (uint32_t k = 0; k < of->n; k++) {
				c[i].items[c[i].n_items++] = p->shapes.order[of->first + k];
				in[p->shapes.order[of->first + k]] = true;
			}
		}
		/* Items are made rule by rule, so that is the order of rules. */
		qsort(c[i].items, c[i].n_items, sizeof(*c[i].items), item_order_numbers);
	}
	for (uint32_t i = 0; i < p->items->n; i++)
		if (!in[i])
			p->items->residual[p->items->v[i].rule] = true;
	settle(p, limits, c, p->n_groups);
	return limits->few_to_lists ? few_to_lists(p, limits, c, p->n_groups) : 0;
}

int
partition(struct items *items, const struct partition_limits *limits, struct arena *arena,
	struct cluster **ret_clusters, uint32_t *ret_n)
{
	struct parting *p = arena_zalloc(arena, sizeof(*p));
	struct cluster *c;
	uint32_t n = 0;
	int r;

	if (p == NULL)
		return -ENOMEM;
	p->items = items;
	p->arena = arena;
	p->max_groups = limits->clusters_max;
	p->groups = arena_zalloc(arena, (p->max_groups + 1) * sizeof(*p->groups));
	c = arena_zalloc(arena, (p->max_groups + 1) * sizeof(*c));
	p->known = arena_zalloc(arena, (items->n + 1) * sizeof(*p->known));
	if (p->groups == NULL || c == NULL || p->known == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < items->n; i++)
		p->known[i].whole = whole_of(&items->v[i]);
	r = shapes_find(items, arena, &p->shapes);
	if (r < 0)
		return r;
	make_groups(p);
	r = make_clusters(p, limits, c);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->n_groups; i++)
		if (c[i].n_items > 0)
			c[n++] = c[i];
	qsort(c, n, sizeof(*c), order_clusters);
	*ret_clusters = c;
	*ret_n = n;
	return 0;
}
