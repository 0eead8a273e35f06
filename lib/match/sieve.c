// SPDX-License-Identifier: BSD-3-Clause
#include "sieve.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "probe.h"

#define ITEM_BITS 16 /* an item, at least */
#define LANE_MIN 512 /* bits of a lane; powers of two */
#define LANE_MAX (1 << 20)
#define LOW_BITS UINT64_C(7)

/* The word of @t that says most; NULL: it has none that a sieve can ask for. */
static const struct hash_word *
best_word(const struct hash_table *t)
{
	const struct hash_word *best = NULL;

	for (uint32_t i = 0; i < t->n_words; i++)
		if (best == NULL ||
			__builtin_popcountll(t->words[i].mask) > __builtin_popcountll(best->mask))
			best = &t->words[i];
	/* Of a walk every place would have to be asked for, and before the end is less than a line. */
	return t->steps_win != 0 || best == NULL || best->off < 0 ? NULL : best;
}

/* Tables that may share a sieve, and what they ask. */
struct group {
	uint32_t table[SIEVE_TABLES];
	const struct hash_word *word[SIEVE_TABLES];
	int32_t first, last; /* offsets */
	struct scope_test test; /* what all of them ask of the key */
	uint32_t n;
};

/* What both tests ask of the key; for one protocol each or *@ret_same is false. */
static struct scope_test
common_test(struct scope_test a, struct scope_test b, bool *ret_same)
{
	const uint32_t proto = PKT_KEY_PROTO(0xff);
	const uint32_t mask = a.mask & b.mask & ~(a.val ^ b.val);

	*ret_same = (a.mask & proto) == (b.mask & proto) && (a.mask & proto) == (mask & proto);
	return (struct scope_test){mask, a.val & mask};
}

static bool
group_take(struct group *g, const struct hash_table *tables, uint32_t k)
{
	const struct hash_word *w = best_word(&tables[k]);
	struct scope_test test = tables[k].test;
	int32_t first, last;
	bool same = true;

	if (tables[k].sieve != 0 || w == NULL || g->n == SIEVE_TABLES)
		return false;
	first = g->n > 0 ? MIN(g->first, w->off) : w->off;
	last = g->n > 0 ? MAX(g->last, w->off) : w->off;
	if (g->n > 0) {
		test = common_test(g->test, test, &same);
		if (g->word[0]->win != w->win || (w->off - g->first) % 8 != 0 ||
			last - first >= 8 * SIEVE_WORDS || !same)
			return false;
	}
	g->test = test;
	g->table[g->n] = k;
	g->word[g->n++] = w;
	g->first = first;
	g->last = last;
	return true;
}

static uint64_t
lane_bits(uint32_t n_items)
{
	uint64_t bits = LANE_MIN;

	while (bits < LANE_MAX && bits < (uint64_t)ITEM_BITS * n_items)
		bits *= 2;
	return bits;
}

/* The word of @it at the place of @w, which it has. */
static const struct item_word *
word_at(const struct item *it, const struct hash_word *w)
{
	uint32_t i = 0;

	while (it->words[i].win != w->win || it->words[i].off != w->off)
		i++;
	return &it->words[i];
}

/* Let the lowest bits of numbers say more: by the byte of @w that most items ask for. */
static void
choose_byte(struct sieve *s, uint32_t lane, const struct hash_word *w, const struct items *items,
	const struct cluster *c)
{
	uint32_t asked[8] = {0}, best = 0;

	for (uint32_t i = 0; i < c->n_items; i++) {
		const uint64_t mask = word_at(&items->v[c->items[i]], w)->mask & ~w->mask;

		for (uint32_t b = 0; b < 8; b++)
			asked[b] += (mask >> 8 * b & LOW_BITS) == LOW_BITS;
	}
	for (uint32_t b = 0; b < 8; b++)
		best = asked[b] > asked[best] ? b : best;
	if (asked[best] < c->n_items / 2 + 1)
		return;
	s->shift[lane] = 8 * best;
	s->low[lane] = LOW_BITS;
	s->bits[lane] &= ~LOW_BITS;
}

/* Which of the bits of @lane is that of @word. */
static inline uint64_t
bit_of(const struct sieve *s, uint32_t lane, uint64_t word)
{
	return s->base[lane] +
		(hash_filter_bit((word & s->mask[lane]) ^ s->seed, s->bits[lane]) |
			(word >> s->shift[lane] & s->low[lane]));
}

static void
fill_lane(struct sieve *s, uint32_t lane, const struct hash_word *w, const struct items *items,
	const struct cluster *c, enum hash_fault fault)
{
	for (uint32_t i = fault == HASH_FAULT_SIEVE; i < c->n_items; i++) {
		const struct item_word *has = word_at(&items->v[c->items[i]], w);
		const uint64_t at = bit_of(s, lane, has->val);
		uint64_t bits = UINT64_C(1) << at % 64;

		/* Where it does not ask for the byte: all. */
		if ((has->mask >> s->shift[lane] & s->low[lane]) != s->low[lane])
			bits = UINT64_C(0xff) << (at % 64 & ~LOW_BITS);
		s->filter[at / 64] |= bits;
	}
}

static int
sieve_init(struct sieve *s, const struct group *g, const struct items *items,
	const struct cluster *clusters, uint64_t seed, enum hash_fault fault)
{
	uint64_t all = 0;

	memset(s, 0, sizeof(*s));
	s->seed = seed;
	s->off = g->first;
	s->win = g->word[0]->win;
	s->n = g->n;
	s->test = g->test;
	for (uint32_t k = 0; k < g->n; k++) {
		const uint64_t bits = lane_bits(clusters[g->table[k]].n_items);

		s->word[k] = (uint64_t)(g->word[k]->off - g->first) / 8;
		s->mask[k] = g->word[k]->mask;
		s->base[k] = all;
		s->bits[k] = bits - 1;
		choose_byte(s, k, g->word[k], items, &clusters[g->table[k]]);
		all += bits;
	}
	s->filter = mem_zalloc_aligned(BASE_CACHE_LINE, all / 8);
	if (s->filter == NULL)
		return -ENOMEM;
	s->bytes = all / 8;
	for (uint32_t k = 0; k < g->n; k++)
		fill_lane(s, k, g->word[k], items, &clusters[g->table[k]], fault);
	return 0;
}

int
sieves_new(struct hash_table *tables, uint32_t n_tables, const struct items *items,
	const struct cluster *clusters, uint64_t seed, enum hash_fault fault,
	struct sieve **ret_sieves, uint32_t *ret_n)
{
	struct sieve *v = mem_zalloc_aligned(BASE_CACHE_LINE, SIEVES_MAX * sizeof(*v));
	uint32_t n = 0;
	int r = 0;

	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_tables && n < SIEVES_MAX && r == 0; i++) {
		struct group g = {.n = 0};

		for (uint32_t k = i; k < n_tables; k++)
			if (!group_take(&g, tables, k) && k == i)
				break;
		if (g.n < SIEVE_MIN)
			continue;
		r = sieve_init(&v[n], &g, items, clusters, seed, fault);
		n += r == 0;
		for (uint32_t k = 0; k < g.n && r == 0; k++) {
			tables[g.table[k]].sieve = (uint8_t)n;
			tables[g.table[k]].lane = (uint8_t)k;
		}
	}
	*ret_sieves = v;
	*ret_n = n;
	return r;
}

void
sieves_free(struct sieve *sieves, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		mem_free(sieves[i].filter);
	mem_free(sieves);
}

void
sieve_probe_c(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES])
{
	const struct probe_at *at = p->at[s->win];

	for (uint32_t k = 0; k < s->n; k++) {
		const int32_t off = s->off + 8 * (int32_t)s->word[k];
		uint64_t pass = 0;

		for (uint64_t m = some; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);
			const uint64_t bit = bit_of(s, k, probe_load(&at[i], off));

			pass |= (s->filter[bit / 64] >> bit % 64 & 1) << i;
		}
		ret_pass[k] = pass;
	}
}
