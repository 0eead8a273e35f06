// SPDX-License-Identifier: BSD-3-Clause
/* Which tables a frame is looked up in at once. */
#include "bundle.h"

#include <errno.h>

#include "base/mem.h"
#include "index.h"

#define LINE_WORDS 8

/* The protocol that @t asks for, or -1. */
static int
proto_of(const struct hash_table *t)
{
	const uint32_t mask = PKT_KEY_PROTO(0xff);

	/* A number above all tests' that say less. */
	return (t->test.mask & mask) == mask ? (int)(t->test.val & mask) : -1;
}

/* Have a line of @b hold @w; false: it can not. */
static bool
add_word(struct bundle *b, const struct match_index *ix, const struct hash_word *w)
{
	const enum window_kind kind = (enum window_kind)ix->windows[w->win].kind;
	struct bundle_line *l = b->lines;

	while (l < b->lines + b->n_lines && l->win != w->win)
		l++;
	/* Windows that views say: others are not found for all frames. */
	if (l == b->lines + BUNDLE_LINES || w->off < 0 ||
		(kind != WINDOW_START && kind != WINDOW_L4))
		return false;
	if (l == b->lines + b->n_lines) {
		b->n_lines++;
		*l = (struct bundle_line){w->off, w->off, w->win};
	}
	l->last = MAX(l->last, w->off);
	if (w->off < l->off && (l->off - w->off) % 8 == 0)
		l->off = w->off;
	return (w->off - l->off) % 8 == 0 && l->last - l->off < 8 * LINE_WORDS;
}

/* Have @b hold table @number of @ix; false: it can not, and is spoilt. */
static bool
add_table(struct bundle *b, const struct match_index *ix, uint32_t number)
{
	const struct hash_table *t = &ix->tables[number];
	struct bundle_table *e = &b->tables[b->n_tables];

	/* A fan has no tags. */
	if (t->fan != NULL || t->steps_win != 0 || b->n_lanes == BUNDLE_LANES || hash_has_key(t) ||
		t->n_words > BUNDLE_WORDS)
		return false;
	*e = (struct bundle_table){
		.table = t, .number = (uint8_t)number, .test = ix->table_test[number]};
	b->n_tables++;
	for (uint32_t i = 0; i < t->n_words; i++)
		if (!add_word(b, ix, &t->words[i]))
			return false;
	e->slots = UINT64_C(0xff) << 8 * b->n_lanes;
	b->keys[b->n_lanes++] = t;
	b->n_words = MAX(b->n_words, t->n_words);
	return true;
}

/* Put those of the tables @left, a bit each, that fit and are of protocol @proto into @b. */
static void
fill(struct bundle *b, const struct match_index *ix, uint64_t left, int proto)
{
	for (; left != 0; left &= left - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(left);
		struct bundle more = *b;

		if (proto_of(&ix->tables[i]) == proto && add_table(&more, ix, i))
			*b = more;
	}
}

/* What the kernel takes of word @i of lane @k, when all lines are known. */
static void
set_word(struct bundle *b, uint32_t k, uint32_t i)
{
	const struct hash_word *w = &b->keys[k]->words[i];
	uint32_t l = 0;

	while (b->lines[l].win != w->win)
		l++;
	b->word[i][k] = l * LINE_WORDS + (uint32_t)(w->off - b->lines[l].off) / 8;
	b->mask[i][k] = w->mask;
	b->seed[i][k] = b->keys[k]->seed[i];
}

static void
set_lanes(struct bundle *b)
{
	for (uint32_t k = 0; k < b->n_lanes; k++) {
		for (uint32_t i = 0; i < b->keys[k]->n_words; i++)
			set_word(b, k, i);
		b->buckets[k] = b->keys[k]->bucket_mask;
		b->tags[k] = (uintptr_t)b->keys[k]->tags / sizeof(uint64_t);
		b->places[k] = (const uint32_t(*)[HASH_SLOTS])b->keys[k]->places;
	}
	/* Lanes that are none look where some lane does. */
	for (uint32_t k = b->n_lanes; k < BUNDLE_LANES; k++)
		b->tags[k] = b->tags[0];
}

int
bundles_new(const struct match_index *ix, struct bundle **ret_bundles, uint32_t *ret_n,
	uint64_t *ret_apart)
{
	struct bundle *v = mem_zalloc_aligned(
		BASE_CACHE_LINE, (ix->n_tables / BUNDLE_LANES_MIN + 1) * sizeof(*v));
	uint64_t apart = (UINT64_C(1) << ix->n_tables) - 1;
	uint32_t n = 0;

	if (v == NULL)
		return -ENOMEM;
	for (uint64_t left = apart; left != 0; left &= left - 1) {
		struct bundle b = {.n_lanes = 0};

		fill(&b, ix, left & apart, proto_of(&ix->tables[__builtin_ctzll(left)]));
		if (b.n_lanes < BUNDLE_LANES_MIN)
			continue;
		set_lanes(&b);
		for (uint32_t k = 0; k < b.n_tables; k++)
			apart &= ~(UINT64_C(1) << b.tables[k].number);
		v[n++] = b;
	}
	*ret_bundles = v;
	*ret_n = n;
	*ret_apart = apart;
	return 0;
}
