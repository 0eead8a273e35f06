// SPDX-License-Identifier: BSD-3-Clause
/* What is asked of frames before tables are looked up. */
#include "sieve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "hash_build.h"
#include "index.h"

#define TABLES_MIN 3 /* fewer are looked up as fast as they are asked about */
#define SAMPLE 256 /* items by which bytes are chosen */
#define NEAR_ITEMS 48 /* for which SIEVE_NEAR words do */
#define ITEMS_A_WORD 2
#define EXACT_MAX 20 /* values; more are seldom told apart by a factor of EXACT_TRIES */
#define EXACT_TRIES 10000
#define LEAST 8 /* one of so many frames at most may seem to have something */
#define WORD_BYTES 8
#define PART_BYTES 4

/* Where 4 bytes are that tell a table's items from others. */
struct choice {
	struct item_word word; /* that they are in, or next to, as it is hashed */
	int32_t start; /* in it, -3..7 */
	uint32_t distinct, n_bits;
	uint32_t table;
};

struct maker {
	const struct match_index *ix;
	const struct items *items;
	const struct cluster *clusters; /* by table */
	struct choice choices[INDEX_TABLES_MAX];
	uint32_t n;
};

/* The 4 bytes from @start on of @w, a word; of bytes that it has not 0. */
static uint32_t
part_of(uint64_t w, int32_t start)
{
	return (uint32_t)(start < 0 ? w << -8 * start : w >> 8 * start);
}

/* What item number @i of @m's table has there that @c says. */
static uint32_t
value_of(const struct maker *m, const struct choice *c, uint32_t i)
{
	const struct item *it = &m->items->v[m->clusters[c->table].items[i]];

	return part_of(hash_key_of(it, &c->word), c->start);
}

static uint32_t
n_items_of(const struct maker *m, const struct choice *c)
{
	return m->clusters[c->table].n_items;
}

/* How many different values the first SAMPLE items of @c have, about. */
static uint32_t
count_distinct(const struct maker *m, const struct choice *c)
{
	const uint32_t n = MIN(n_items_of(m, c), SAMPLE);
	uint64_t seen[4 * SAMPLE / 64] = {0};
	uint32_t distinct = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t bit = (value_of(m, c, i) * 0x9e3779b1u) >> 22;

		distinct += (~seen[bit / 64] >> bit % 64) & 1;
		seen[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	return distinct;
}

/* Whether bytes that start @off from a window of @kind can be read where all asked ones are. */
static bool
can_start(enum window_kind kind, int32_t off)
{
	return off >= 0 || kind != WINDOW_START;
}

static bool
is_better(const struct choice *a, const struct choice *b)
{
	return a->distinct != b->distinct ? a->distinct > b->distinct : a->n_bits > b->n_bits;
}

/* Whether few frames would seem to have an item of @c. */
static bool
tells_enough(const struct maker *m, const struct choice *c)
{
	const uint32_t n = n_items_of(m, c);
	const uint64_t likely = (uint64_t)c->distinct * n / MIN(n, SAMPLE);

	return likely * LEAST <= UINT64_C(1) << c->n_bits;
}

/*
 * Have @best the best of the bytes of @w. The last one is one that items ask for: a frame that
 * has not all four has none of them.
 */
static void
choose_of_word(const struct maker *m, const struct item_word *w, struct choice *best)
{
	const enum window_kind kind = (enum window_kind)m->ix->windows[w->win].kind;
	struct choice c = *best;

	c.word = *w;
	for (c.start = -3; c.start < WORD_BYTES; c.start++) {
		const uint32_t mask = part_of(w->mask, c.start);

		if (mask >> 24 == 0 || !can_start(kind, w->off + c.start))
			continue;
		c.n_bits = (uint32_t)__builtin_popcount(mask);
		c.distinct = count_distinct(m, &c);
		if (tells_enough(m, &c) && is_better(&c, best))
			*best = c;
	}
}

/* One more choice, for table number @table, if there is one. */
static void
choose(struct maker *m, uint32_t table)
{
	const struct cluster *of = &m->clusters[table];
	struct choice best = {.table = table};

	/* A fan begins with a filter, and takes little longer for all of its keys. */
	if (of->n_keys > 0 || m->ix->tables[table].steps_win != 0)
		return;
	for (uint32_t i = 0; i < of->n_hash; i++)
		if (of->hash[i].win != WINDOW_OF_KEY)
			choose_of_word(m, &of->hash[i], &best);
	if (best.distinct > 0)
		m->choices[m->n++] = best;
}

/* ---- what kernels take ---- */

/* Slots for @c. */
static uint32_t
slots_for(const struct maker *m, const struct choice *c)
{
	const uint32_t n = n_items_of(m, c);

	return n <= NEAR_ITEMS ? SIEVE_NEAR
			       : (uint32_t)power_of_2(MAX(n / ITEMS_A_WORD, SIEVE_NEAR + 1));
}

static int32_t
start_of(const struct choice *c)
{
	return c->word.off + c->start;
}

/* The different values of the items of @c, EXACT_MAX + 1 at most. */
static uint32_t
values_of(const struct maker *m, const struct choice *c, uint32_t ret[EXACT_MAX + 1])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_items_of(m, c) && n <= EXACT_MAX; i++) {
		uint32_t k = 0;

		ret[n] = value_of(m, c, i);
		while (ret[k] != ret[n])
			k++;
		n += k == n;
	}
	return n;
}

/* Whether each of the @n @values has a slot of its own by @key. */
static bool
are_apart(const struct sieve_key *key, const uint32_t *values, uint32_t n)
{
	uint64_t taken = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t bit = UINT64_C(1) << (sieve_hash(key, values[i]) >> key->shift);

		if ((taken & bit) != 0)
			return false;
		taken |= bit;
	}
	return true;
}

/* Let @slots have the few values of @c; false: there are more, or no factor tells them apart. */
static bool
make_exact(const struct maker *m, const struct choice *c, struct sieve_key *key, struct rng *rng,
	uint32_t *slots)
{
	uint32_t values[EXACT_MAX + 1] = {0};
	const uint32_t n = values_of(m, c, values);
	uint32_t tries = 0;

	if (n > EXACT_MAX)
		return false;
	while (!are_apart(key, values, n)) {
		if (++tries > EXACT_TRIES)
			return false;
		key->mul = (uint32_t)rng_next(rng) | 1;
	}
	for (uint32_t i = 0; i < SIEVE_NEAR; i++)
		slots[i] = values[0];
	/* What hashes to slots of others is not this one. */
	for (uint32_t i = 0; i < n; i++)
		slots[sieve_hash(key, values[i]) >> key->shift] = values[i];
	return true;
}

static void
make_filter(
	const struct maker *m, const struct choice *c, const struct sieve_key *key, uint32_t *slots)
{
	for (uint32_t i = 0; i < n_items_of(m, c); i++) {
		const uint32_t h = sieve_hash(key, value_of(m, c, i));

		slots[h >> key->shift] |= fan_filter_bits(h);
	}
}

/* What @c comes to in a word at @off, with @slots. */
static struct sieve_key
make_key(const struct maker *m, const struct choice *c, int32_t off, struct rng *rng,
	uint32_t *slots)
{
	struct sieve_key key = {
		.slots = slots,
		.from = 8 * (uint64_t)(start_of(c) - off),
		.mask = part_of(c->word.mask, c->start),
		.mul = (uint32_t)rng_next(rng) | 1,
		.shift = 32 - (uint32_t)__builtin_ctz(slots_for(m, c)),
		.left = start_of(c) + PART_BYTES,
		.table = (uint8_t)c->table,
	};

	key.exact = key.shift == SIEVE_NEAR_SHIFT && make_exact(m, c, &key, rng, slots);
	if (!key.exact)
		make_filter(m, c, &key, slots);
	return key;
}

static int
by_place(const void *pa, const void *pb)
{
	const struct choice *a = pa, *b = pb;

	if (a->word.win != b->word.win)
		return a->word.win < b->word.win ? -1 : 1;
	return (start_of(a) > start_of(b)) - (start_of(a) < start_of(b));
}

/* How many of the choices from number @i on one word has. */
static uint32_t
n_together(const struct maker *m, uint32_t i)
{
	const struct choice *c = m->choices;
	uint32_t n = 1;

	while (i + n < m->n && c[i + n].word.win == c[i].word.win &&
		start_of(&c[i + n]) + PART_BYTES <= start_of(&c[i]) + WORD_BYTES)
		n++;
	return n;
}

/* A word that ends where the last of the choices from @i on does, @n of them. */
static struct sieve_word
make_word(const struct maker *m, const struct sieve *s, uint32_t i, uint32_t n)
{
	const struct choice *last = &m->choices[i + n - 1];
	const enum window_kind kind = (enum window_kind)m->ix->windows[last->word.win].kind;
	int32_t off = start_of(last) + PART_BYTES - WORD_BYTES;

	if (!can_start(kind, off))
		off = 0;
	return (struct sieve_word){.off = off,
		.left = off + WORD_BYTES,
		.before = MAX(-off, 0),
		.first = s->n_keys,
		.n = n};
}

/* The window of the next word. */
static struct sieve_window *
window_for(struct sieve *s, uint8_t win)
{
	struct sieve_window *w = &s->windows[s->n_windows];

	if (s->n_windows > 0 && w[-1].win == win)
		return w - 1;
	s->n_windows++;
	*w = (struct sieve_window){.first = s->n_words, .win = win};
	return w;
}

static void
fill(const struct maker *m, struct sieve *s, uint64_t seed)
{
	uint32_t *slots = s->slots;
	struct rng rng = {seed};

	for (uint32_t i = 0, n; i < m->n; i += n) {
		struct sieve_window *w = window_for(s, m->choices[i].word.win);
		struct sieve_word *word = &s->words[s->n_words++];

		n = n_together(m, i);
		*word = make_word(m, s, i, n);
		w->n++;
		for (const struct choice *c = &m->choices[i]; c < &m->choices[i + n]; c++) {
			s->keys[s->n_keys++] = make_key(m, c, word->off, &rng, slots);
			w->tables |= UINT64_C(1) << c->table;
			slots += slots_for(m, c);
		}
	}
}

static int
make(struct maker *m, uint64_t seed, struct sieve **ret_sieve)
{
	size_t n_slots = 0, bytes;
	struct sieve *s;

	for (uint32_t i = 0; i < m->n; i++)
		n_slots += slots_for(m, &m->choices[i]);
	bytes = sizeof(*s) + n_slots * sizeof(*s->slots) +
		m->n * (sizeof(*s->keys) + sizeof(*s->words));
	s = mem_zalloc_aligned(BASE_CACHE_LINE, bytes);
	if (s == NULL)
		return -ENOMEM;
	s->bytes = bytes;
	s->keys = (void *)&s->slots[n_slots];
	s->words = (void *)&s->keys[m->n];
	qsort(m->choices, m->n, sizeof(m->choices[0]), by_place);
	fill(m, s, seed);
	for (uint32_t i = 0; i < s->n_windows; i++)
		s->tables |= s->windows[i].tables;
	*ret_sieve = s;
	return 0;
}

int
sieve_new(const struct match_index *ix, const struct items *items, const struct cluster *clusters,
	uint64_t seed, struct sieve **ret_sieve)
{
	struct maker *m = mem_zalloc(sizeof(*m));
	int r = 0;

	if (m == NULL)
		return -ENOMEM;
	m->ix = ix;
	m->items = items;
	m->clusters = clusters;
	for (uint32_t k = 0; k < ix->n_tables; k++)
		choose(m, k);
	if (m->n >= TABLES_MIN)
		r = make(m, seed, ret_sieve);
	mem_free(m);
	return r;
}
