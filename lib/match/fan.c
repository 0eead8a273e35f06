// SPDX-License-Identifier: BSD-3-Clause
#include "fan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hash_build.h"

#define SHAPES_MAX 160 /* that keys are made for, the first ones */
#define KEY_WORD 4 /* bytes; a key is some bits of 8 from such a word on */
#define MASKS_MAX 256 /* looked at for one more key */
#define SHARE_MAX 2 /* items of a finer key that have equal bits of the other one, on average */
#define SHARE_MOST 16 /* of these at most */
#define NARROW_MOST 32 /* more items with one value where less is hashed of it */

/* How many frames of other traffic have a key of some item, in 1/2^20, if bits are chance. */
#define RATE_ONE (1u << 20)
/* Keys beyond FAN_KEYS cost as much as looking at items in vain in such a share of frames. */
#define RATE_MORE (RATE_ONE / 2)
/* The same of finer keys, where the others are no more. */
#define RATE_FINER (RATE_ONE / 8)
/* Less is not worth a key that is one of those that cost next to nothing, or not. */
#define RATE_LEAST (RATE_ONE / 256)
#define RATE_KEY (RATE_ONE / 8)

/* A place for a key: the bits of 8 bytes from one of the words of KEY_WORD on, of which it has some. */
struct key {
	uint32_t word; /* from fan.start on */
	uint64_t mask;
};

/* Items of one cluster with equal masks where its key is. */
struct fan_shape {
	uint64_t mask;
	uint32_t n; /* items */
	struct key least; /* the cluster's: what it is looked up by has no bit less */
	uint32_t key; /* in use */
};

struct fan {
	uint8_t win;
	int proto; /* of all items, or -1 */
	int32_t first, last; /* offsets of words */
	int32_t asked; /* of the first byte that some item asks */
	int32_t start; /* of words of keys */
	uint32_t clusters[FAN_KEYS]; /* numbers */
	uint32_t n;
	struct fan_shape shapes[SHAPES_MAX];
	uint32_t n_shapes;
	struct key keys[FAN_KEYS_MAX];
	uint32_t n_keys;
	uint64_t least[FAN_KEYS]; /* by cluster: what tells its items apart, as of narrow() */
	uint8_t coarse[FAN_KEYS_MAX]; /* as of struct cluster */
};

/* ---- what may be one ---- */

/* Where the first byte is that @w asks. */
static int32_t
first_byte(const struct item_word *w)
{
	return w->off + __builtin_ctzll(w->mask) / 8;
}

/* Whether @it asks for nothing but the key and the window of @f, which then has room for its words. */
static bool
item_fits(const struct item *it, struct fan *f)
{
	for (uint32_t i = 0; i < it->n_words; i++) {
		const struct item_word *w = &it->words[i];

		if (w->win == WINDOW_OF_KEY)
			continue;
		if (w->win != f->win)
			return false;
		f->first = MIN(f->first, w->off);
		f->last = MAX(f->last, w->off);
		f->asked = MIN(f->asked, first_byte(w));
	}
	for (uint32_t i = 0; i < it->n_needs; i++)
		if (it->needs[i].win != f->win)
			return false;
	for (uint32_t i = 0; i < it->n_ranges; i++)
		if (it->ranges[i].win != f->win)
			return false;
	return it->steps_win == 0;
}

/* Cluster @c as a fan of its own. False: it can be in none. */
static bool
fan_of(const struct items *items, const struct cluster *c, struct fan *f)
{
	const struct item_word *key = &c->hash[0];

	if (c->n_hash != 1 || key->win == WINDOW_OF_KEY ||
		items->windows[key->win].kind == WINDOW_TAIL)
		return false;
	f->win = key->win;
	f->first = f->last = key->off;
	f->asked = first_byte(key);
	f->proto = item_proto(&items->v[c->items[0]]);
	for (uint32_t i = 0; i < c->n_items; i++) {
		const struct item *it = &items->v[c->items[i]];

		if (item_proto(it) != f->proto || !item_fits(it, f))
			return false;
	}
	return f->first >= 0 && f->last - f->first < 8 * FAN_WORDS;
}

uint32_t
fan_window(const struct items *items, const struct cluster *c)
{
	struct fan f;

	return c->n_items > 0 && fan_of(items, c, &f) ? f.win : WINDOW_OF_KEY;
}

void
fan_count(const struct items *items, const struct cluster *c, uint32_t n, uint32_t ret[WINDOWS_MAX])
{
	memset(ret, 0, WINDOWS_MAX * sizeof(*ret));
	for (uint32_t i = 0; i < n; i++)
		ret[fan_window(items, &c[i])]++;
	ret[WINDOW_OF_KEY] = 0;
}

#define PIECE(k) (UINT64_C(0xffff) << FAN_PIECE_BITS * (k))

/* What a key may have bits of, words of 4 bytes first, which take less to load. */
static const uint64_t pieces[] = {PIECE(0) | PIECE(1), PIECE(2) | PIECE(3), PIECE(0) | PIECE(2),
	PIECE(0) | PIECE(3), PIECE(1) | PIECE(2), PIECE(1) | PIECE(3)};

/* Whether @mask has bits of two pieces at most. */
static bool
is_narrow(uint64_t mask)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FAN_PIECES; i++)
		n += (mask >> FAN_PIECE_BITS * i & UINT16_MAX) != 0;
	return n <= 2;
}

static int
order_words(const void *x, const void *y)
{
	const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

/* How values tell items apart. */
struct spread {
	uint32_t values; /* that differ */
	uint32_t most; /* items with one value */
};

/* That of the @n values @v under @mask; @room for as many. */
static struct spread
spread_of(const uint64_t *v, uint32_t n, uint64_t mask, uint64_t *room)
{
	struct spread s = {0};
	uint32_t run = 0;

	for (uint32_t i = 0; i < n; i++)
		room[i] = v[i] & mask;
	qsort(room, n, sizeof(*room), order_words);
	for (uint32_t i = 0; i < n; i++) {
		run = i > 0 && room[i] == room[i - 1] ? run + 1 : 1;
		s.values += run == 1;
		s.most = MAX(s.most, run);
	}
	return s;
}

/* Take cluster @k, which is @of on its own, into @f. */
static bool
fan_take(struct fan *f, const struct fan *of, uint32_t k)
{
	const int32_t first = f->n > 0 ? MIN(f->first, of->first) : of->first;
	const int32_t last = f->n > 0 ? MAX(f->last, of->last) : of->last;

	if (f->n == FAN_KEYS || last - first >= 8 * FAN_WORDS)
		return false;
	if (f->n > 0 && (f->win != of->win || f->proto != of->proto))
		return false;
	f->win = of->win;
	f->proto = of->proto;
	f->asked = f->n > 0 ? MIN(f->asked, of->asked) : of->asked;
	f->first = first;
	f->last = last;
	f->clusters[f->n++] = k;
	return true;
}

/* ---- keys ---- */

static uint32_t
bits_of(const struct key *k)
{
	return (uint32_t)__builtin_popcountll(k->mask);
}

static uint64_t
rate(uint32_t n, uint32_t bits)
{
	return (uint64_t)n * RATE_ONE >> MIN(bits, 40);
}

static bool
same_key(const struct key *a, const struct key *b)
{
	return a->word == b->word && a->mask == b->mask;
}

/* Whether items of @s, which are told apart by s->least, can be looked up by @k. */
static bool
key_suits(const struct key *k, const struct fan_shape *s)
{
	return k->word == s->least.word && (s->least.mask & ~k->mask) == 0 &&
		(k->mask & ~s->mask) == 0;
}

/* The key that says most of @s. Its own cluster's, or one made of it, suits. */
static uint32_t
best_key(const struct key *keys, uint32_t n, const struct fan_shape *s)
{
	uint32_t best = n;

	for (uint32_t k = 0; k < n; k++)
		if (key_suits(&keys[k], s) &&
			(best == n || bits_of(&keys[k]) > bits_of(&keys[best])))
			best = k;
	return best;
}

/*
 * What hash word @w is as a key, where words of keys start at @start, which is not behind its first
 * byte. False: it needs three of them.
 */
static bool
key_at(int32_t start, const struct item_word *w, struct key *ret)
{
	const int32_t word = (first_byte(w) - start) / KEY_WORD;
	const uint64_t mask = item_bits_at(w, w->mask, start + KEY_WORD * word);

	*ret = (struct key){(uint32_t)word, mask};
	return __builtin_popcountll(mask) == __builtin_popcountll(w->mask);
}

/*
 * Where words of keys start: with the first byte that is asked, since what is told apart often starts
 * so many words behind, and then a word has most of it; else as words of items.
 */
static void
choose_start(struct fan *f, const struct cluster *clusters)
{
	struct key k;

	f->start = f->asked;
	for (uint32_t i = 0; i < f->n; i++)
		if (!key_at(f->start, &clusters[f->clusters[i]].hash[0], &k)) {
			f->start = f->first;
			return;
		}
}

/*
 * What two pieces of @key of cluster @c tell its items apart as well, or nearly, to *@ret; 0: none
 * do. Returns 0 or -ENOMEM.
 */
static int
narrow(const struct items *items, const struct cluster *c, const struct item_word *key,
	struct arena *arena, uint64_t *ret)
{
	uint64_t *v, *room;
	struct spread all;

	*ret = key->mask;
	if (is_narrow(key->mask))
		return 0;
	v = arena_zalloc(arena, c->n_items * sizeof(*v));
	room = arena_zalloc(arena, c->n_items * sizeof(*room));
	if (v == NULL || room == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->n_items; i++)
		v[i] = hash_key_of(&items->v[c->items[i]], key);
	all = spread_of(v, c->n_items, key->mask, room);
	for (size_t k = 0; k < DIM(pieces); k++) {
		const struct spread s = spread_of(v, c->n_items, key->mask & pieces[k], room);

		*ret = key->mask & pieces[k];
		if (s.values >= all.values - all.values / 8 && s.most <= all.most + NARROW_MOST)
			return 0;
	}
	*ret = 0;
	return 0;
}

/*
 * What the clusters of @f are looked up by at least: *@ret_without is one for which two pieces
 * do not do, or UINT32_MAX. Returns 0 or -ENOMEM.
 */
static int
choose_least(struct fan *f, const struct items *items, const struct cluster *clusters,
	struct arena *arena, uint32_t *ret_without)
{
	int r = 0;

	*ret_without = UINT32_MAX;
	choose_start(f, clusters);
	for (uint32_t i = 0; i < f->n && r == 0; i++) {
		const struct cluster *c = &clusters[f->clusters[i]];
		struct key k;

		(void)key_at(f->start, &c->hash[0], &k);
		r = narrow(items, c,
			&(struct item_word){.win = f->win,
				.off = (int16_t)(f->start + KEY_WORD * (int32_t)k.word),
				.mask = k.mask},
			arena, &f->least[i]);
		if (f->least[i] == 0)
			*ret_without = f->clusters[i];
	}
	return r;
}

/* What cluster @c, number @i of @f, is looked up by at least. */
static struct key
key_of_cluster(const struct fan *f, const struct cluster *c, uint32_t i)
{
	struct key k;

	(void)key_at(f->start, &c->hash[0], &k);
	k.mask = f->least[i];
	return k;
}

static struct fan_shape
shape_of(const struct fan *f, const struct item *it, const struct key *least)
{
	const int32_t off = f->start + KEY_WORD * (int32_t)least->word;
	struct fan_shape s = {.least = *least, .n = 1};

	for (uint32_t i = 0; i < it->n_words; i++)
		if (it->words[i].win == f->win)
			s.mask |= item_bits_at(&it->words[i], it->words[i].mask, off);
	return s;
}

/* What keys can be made for. */
static void
find_shapes(struct fan *f, const struct items *items, const struct cluster *clusters)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct cluster *c = &clusters[f->clusters[i]];
		const struct key least = key_of_cluster(f, c, i);

		for (uint32_t j = 0; j < c->n_items; j++) {
			const struct fan_shape s = shape_of(f, &items->v[c->items[j]], &least);
			uint32_t at = 0;

			while (at < f->n_shapes &&
				(f->shapes[at].mask != s.mask ||
					!same_key(&f->shapes[at].least, &least)))
				at++;
			if (at < f->n_shapes)
				f->shapes[at].n++;
			else if (f->n_shapes < SHAPES_MAX)
				f->shapes[f->n_shapes++] = s;
		}
	}
}

/* Put @k to the @n keys @v if it is none of them and two shapes can be looked up by it. */
static uint32_t
put_mask(
	const struct fan *f, uint32_t i, uint32_t j, const struct key *k, struct key *v, uint32_t n)
{
	if (n == MASKS_MAX || !key_suits(k, &f->shapes[i]) || !key_suits(k, &f->shapes[j]) ||
		!is_narrow(k->mask))
		return n;
	for (uint32_t at = 0; at < n; at++)
		if (same_key(&v[at], k))
			return n;
	v[n++] = *k;
	return n;
}

/* Masks that several shapes have, at places of keys, of any two pieces. Returns how many. */
static uint32_t
find_masks(const struct fan *f, struct key ret[MASKS_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_shapes; i++)
		for (uint32_t j = i; j < f->n_shapes && n < MASKS_MAX; j++) {
			const uint32_t word = f->shapes[i].least.word;
			const uint64_t both = f->shapes[i].mask & f->shapes[j].mask;

			for (size_t k = 0; k < DIM(pieces); k++)
				n = put_mask(
					f, i, j, &(struct key){word, both & pieces[k]}, ret, n);
		}
	return n;
}

/* By how much less is looked at in vain if @k is a key, too. */
static uint64_t
gain(const struct fan *f, const struct key *k)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < f->n_shapes; i++) {
		const struct fan_shape *s = &f->shapes[i];
		const uint32_t bits = bits_of(&f->keys[s->key]);

		if (key_suits(k, s) && bits_of(k) > bits)
			sum += rate(s->n, bits) - rate(s->n, bits_of(k));
	}
	/* Pieces side by side are looked up faster than others. */
	return (uint32_t)k->mask != 0 && k->mask >> 32 != 0 ? sum - sum / 8 : sum;
}

/* Let all shapes have their best keys, and drop those that no shape has. */
static void
settle(struct fan *f)
{
	uint32_t used = 0, kept = 0;

	for (uint32_t i = 0; i < f->n_shapes; i++) {
		f->shapes[i].key = best_key(f->keys, f->n_keys, &f->shapes[i]);
		used |= 1u << f->shapes[i].key;
	}
	/* Shapes that are not known may have any of the clusters' keys. */
	if (f->n_shapes == SHAPES_MAX)
		return;
	for (uint32_t k = 0; k < f->n_keys; k++)
		if ((used >> k & 1) != 0)
			f->keys[kept++] = f->keys[k];
	f->n_keys = kept;
	for (uint32_t i = 0; i < f->n_shapes; i++)
		f->shapes[i].key = best_key(f->keys, f->n_keys, &f->shapes[i]);
}

static uint64_t
rate_of(const struct fan *f)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < f->n_shapes; i++)
		sum += rate(f->shapes[i].n, bits_of(&f->keys[f->shapes[i].key]));
	return sum;
}

/* Items that lie by key @k. */
static uint32_t
items_of(const struct fan *f, uint32_t k)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_shapes; i++)
		n += f->shapes[i].key == k ? f->shapes[i].n : 0;
	return n;
}

/* Whether key @y, of @n items, can have the buckets of key @x, which has none finer yet. */
static bool
is_finer(const struct fan *f, uint32_t y, uint32_t x, uint32_t n)
{
	const struct key *a = &f->keys[x], *b = &f->keys[y];

	if (x == y || f->coarse[x] != x || a->word != b->word || (a->mask & ~b->mask) != 0)
		return false;
	for (uint32_t k = 0; k < f->n_keys; k++)
		if (k != x && f->coarse[k] == x)
			return false;
	return n >> MIN(bits_of(a), 31) < SHARE_MAX;
}

/* Let keys share buckets that can, if any may. Returns how many are left to look up by. */
static uint32_t
pair_keys(struct fan *f, bool may)
{
	uint32_t n = f->n_keys;

	for (uint32_t k = 0; k < f->n_keys; k++)
		f->coarse[k] = (uint8_t)k;
	for (uint32_t y = 0; y < f->n_keys && may; y++) {
		const uint32_t of = items_of(f, y);
		bool has_finer = false;

		for (uint32_t k = 0; k < f->n_keys; k++)
			has_finer = has_finer || (k != y && f->coarse[k] == y);
		for (uint32_t x = 0; x < f->n_keys && !has_finer && f->coarse[y] == y; x++)
			if (is_finer(f, y, x, of))
				f->coarse[y] = (uint8_t)x;
		n -= f->coarse[y] != y;
	}
	return n;
}

/* How keys are added. */
struct refining {
	const struct key *masks; /* that may be */
	uint32_t n_masks;
	uint32_t max; /* to look up by */
	bool pairs; /* some may share buckets */
	uint64_t least; /* that a key must gain */
};

/* Whether @k may be one more key. */
static bool
key_fits(const struct fan *f, const struct key *k, const struct refining *r)
{
	struct fan with = *f;

	with.keys[with.n_keys++] = *k;
	settle(&with);
	return pair_keys(&with, r->pairs) <= r->max;
}

/* Add keys that say more as long as that gains enough. */
static void
refine(struct fan *f, const struct refining *r)
{
	while (f->n_keys < FAN_KEYS_MAX) {
		uint64_t most = r->least;
		const struct key *best = NULL;

		for (uint32_t m = 0; m < r->n_masks; m++) {
			const uint64_t g = gain(f, &r->masks[m]);

			if (g > most && key_fits(f, &r->masks[m], r)) {
				most = g;
				best = &r->masks[m];
			}
		}
		if (best == NULL)
			break;
		f->keys[f->n_keys++] = *best;
		settle(f);
	}
	(void)pair_keys(f, r->pairs);
}

static void
choose_keys(struct fan *f, const struct items *items, const struct cluster *clusters, uint32_t free)
{
	struct key masks[MASKS_MAX];
	struct refining r = {.masks = masks, .least = RATE_LEAST};
	struct fan alone;

	find_shapes(f, items, clusters);
	for (uint32_t i = 0; i < f->n; i++)
		f->keys[f->n_keys++] = key_of_cluster(f, &clusters[f->clusters[i]], i);
	settle(f);
	r.n_masks = find_masks(f, masks);
	if (free == 0) {
		refine(f, &(struct refining){masks, r.n_masks, FAN_KEYS_MAX, true, RATE_KEY});
		return;
	}
	r.max = free;
	refine(f, &r);
	alone = *f;
	r.pairs = true;
	refine(f, &r);
	if (rate_of(&alone) - rate_of(f) < RATE_FINER)
		*f = alone;
	if (rate_of(f) <= RATE_MORE)
		return;
	r.max = FAN_KEYS_MAX;
	refine(f, &r);
}

/* ---- the cluster ---- */

/* All items of @f to @ret, by rule, each with the key that says most of it. */
static int
take_items(const struct fan *f, const struct items *items, const struct cluster *clusters,
	struct cluster *ret, struct arena *arena)
{
	uint8_t *of = arena_zalloc(arena, items->n + 1); /* by item */
	uint32_t last = UINT32_MAX;

	if (of == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n; i++) {
		const struct cluster *c = &clusters[f->clusters[i]];
		const struct key least = key_of_cluster(f, c, i);

		for (uint32_t j = 0; j < c->n_items; j++) {
			const struct fan_shape s = shape_of(f, &items->v[c->items[j]], &least);

			of[c->items[j]] = (uint8_t)best_key(f->keys, f->n_keys, &s);
			ret->items[ret->n_items++] = c->items[j];
		}
	}
	/* Items are made rule by rule, so that is the order of rules. */
	qsort(ret->items, ret->n_items, sizeof(*ret->items), item_order_numbers);
	for (uint32_t i = 0; i < ret->n_items; i++) {
		const uint32_t rule = items->v[ret->items[i]].rule;

		ret->key_of[i] = of[ret->items[i]];
		ret->n_rules += rule != last;
		last = rule;
	}
	return 0;
}

/* Items of @c by key @key, as they are under @mask of it, to @ret. Returns how many. */
static uint32_t
values_of(const struct items *items, const struct cluster *c, uint32_t key, uint64_t mask,
	uint64_t *ret)
{
	const struct item_word *w = &c->keys[key];
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_items; i++)
		if (c->key_of[i] == key)
			ret[n++] = hash_key_of(&items->v[c->items[i]], w) & mask;
	return n;
}

/* Let those keys of @c share buckets of which the items' values do not meet in a few. */
static int
share(const struct fan *f, const struct items *items, struct cluster *c, struct arena *arena)
{
	uint64_t *v = arena_zalloc(arena, c->n_items * sizeof(*v));
	uint64_t *room = arena_zalloc(arena, c->n_items * sizeof(*room));

	if (v == NULL || room == NULL)
		return -ENOMEM;
	for (uint32_t k = 0; k < c->n_keys; k++) {
		const uint64_t mask = c->keys[f->coarse[k]].mask;
		struct spread s;
		uint32_t n;

		c->coarse[k] = (uint8_t)k;
		if (f->coarse[k] == k)
			continue;
		n = values_of(items, c, k, mask, v);
		s = spread_of(v, n, mask, room);
		if (s.most <= SHARE_MOST && n <= SHARE_MAX * s.values)
			c->coarse[k] = f->coarse[k];
	}
	return 0;
}

/* Cluster *@ret of all that @f has. Returns 0 or -ENOMEM. */
static int
make_cluster(const struct fan *f, const struct items *items, const struct cluster *clusters,
	struct cluster *ret, struct arena *arena)
{
	struct cluster c = {.n_keys = f->n_keys};
	uint32_t n = 0;
	int r;

	for (uint32_t i = 0; i < f->n; i++)
		n += clusters[f->clusters[i]].n_items;
	c.items = arena_zalloc(arena, (n + 1) * sizeof(*c.items));
	c.keys = arena_zalloc(arena, f->n_keys * sizeof(*c.keys));
	c.key_of = arena_zalloc(arena, n + 1);
	c.coarse = arena_zalloc(arena, f->n_keys);
	if (c.items == NULL || c.keys == NULL || c.key_of == NULL || c.coarse == NULL)
		return -ENOMEM;
	for (uint32_t k = 0; k < f->n_keys; k++)
		c.keys[k] = (struct item_word){.win = f->win,
			.off = (int16_t)(f->start + KEY_WORD * (int32_t)f->keys[k].word),
			.mask = f->keys[k].mask};
	r = take_items(f, items, clusters, &c, arena);
	if (r == 0)
		r = share(f, items, &c, arena);
	if (r < 0)
		return r;
	c.first_rule = items->v[c.items[0]].rule;
	*ret = c;
	return 0;
}

/* The fan that cluster @i begins, of the @all clusters @c, each of which is one of @of. */
static int
collect(const struct items *items, const struct cluster *c, struct fan *of, uint32_t i,
	uint32_t all, struct arena *arena, struct fan *ret)
{
	uint32_t without;
	int r;

	do {
		*ret = (struct fan){.n = 0};
		without = UINT32_MAX;
		for (uint32_t k = i; k < all && of[i].n > 0; k++)
			if (of[k].n > 0)
				(void)fan_take(ret, &of[k], k);
		r = ret->n < FAN_MIN ? 0 : choose_least(ret, items, c, arena, &without);
		if (without != UINT32_MAX)
			of[without].n = 0;
	} while (r == 0 && without != UINT32_MAX);
	return r;
}

int
fans(const struct items *items, struct cluster *c, uint32_t *n, uint32_t keys_free,
	struct arena *arena)
{
	const uint32_t all = *n;
	struct fan *of = arena_zalloc(arena, (all + 1) * sizeof(*of)); /* each on its own */
	uint32_t kept = 0;

	if (of == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < all; i++)
		of[i].n = fan_of(items, &c[i], &of[i]);
	for (uint32_t i = 0; i < all; i++) {
		struct fan f;
		int r = collect(items, c, of, i, all, arena, &f);

		if (r < 0)
			return r;
		if (f.n < FAN_MIN)
			continue;
		choose_keys(&f, items, c, keys_free);
		/* The first rule of all is in cluster i, so that is where it comes. */
		r = make_cluster(&f, items, c, &c[i], arena);
		if (r < 0)
			return r;
		for (uint32_t k = 0; k < f.n; k++) {
			of[f.clusters[k]].n = 0;
			if (f.clusters[k] != i)
				c[f.clusters[k]].n_items = 0;
		}
	}
	for (uint32_t i = 0; i < all; i++)
		if (c[i].n_items > 0)
			c[kept++] = c[i];
	*n = kept;
	return 0;
}
