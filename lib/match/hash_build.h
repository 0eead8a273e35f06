/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_BUILD_H
#define MATCH_HASH_BUILD_H

/*
 * A hash table under construction: hash.c makes it, hash_shape.c says how items
 * lie in it, so that kernels compare them as a whole.
 */

#include "base/util.h"
#include "hash.h"
#include "item.h"

#define HASH_KEY_WORDS (HASH_DATA_WORDS + 1)

struct hash_builder {
	struct hash_table *t;
	const struct items *items;
	const struct cluster *c;
	enum hash_fault fault;
	uint64_t (*keys)[HASH_KEY_WORDS]; /* of each item what is hashed: words, and the key */
	uint64_t *hash; /* of each item; of a fan its key's, above it that of a finer one */
	uint32_t *place; /* of each item, in units */
	struct rng rng;
	/* Shape numbers by hash, counted from 1; 0: none. */
	uint32_t *shapes, shapes_mask;
	uint8_t run_win; /* of runs that start together; WINDOW_OF_KEY: of none */
	int32_t run_off;
	/* Where the halves of runs start, if the table is to have such. */
	struct half {
		uint8_t win;
		int32_t off;
	} half[2];
	bool halves;
	/* Of a fan, by key of the cluster: which one of the table it is or is finer than. */
	uint8_t lane_of[FAN_KEYS_MAX];
};

static inline uint64_t
hash_masked_word(const struct item *it, uint8_t win, int32_t off, uint64_t mask)
{
	for (uint32_t i = 0; i < it->n_words; i++)
		if (it->words[i].win == win && it->words[i].off == off)
			return it->words[i].val & mask;
	return 0;
}

/* The bits of @it that are under the mask of @k, 8 bytes that may start at any of a window. */
static inline uint64_t
hash_key_of(const struct item *it, const struct item_word *k)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < it->n_words; i++)
		if (it->words[i].win == k->win)
			v |= item_bits_at(&it->words[i], it->words[i].val, k->off);
	return v & k->mask;
}

static inline const struct item *
hash_item_of(const struct hash_builder *b, uint32_t i)
{
	return &b->items->v[b->c->items[i]];
}

/* Where runs of items start, in one window or two, as suits most items of @b: the first of all. */
void hash_shape_init(struct hash_builder *b);

/*
 * How many words are compared for @it. Words of one window that are near each
 * other become a run: those between them, and before them where other runs start,
 * are compared under no mask.
 */
uint32_t hash_shape_words(const struct hash_builder *b, const struct item *it);

/*
 * What is to be compared: all words, but only the key where the program asks the
 * rest anyway: 7 words of a p0f rule cost 90 instructions.
 */
struct hash_shape hash_shape_of(const struct hash_builder *b, const struct item *it);

/*
 * Whether a run and the needs of its windows are all that @h, made of @it, asks. Then the
 * table notes where it starts, and @h becomes as kernels take it.
 */
bool hash_shape_is_plain(struct hash_builder *b, const struct item *it, const struct hash_shape *s,
	struct hash_item *h);

/* ---- fans: all of these but the first of a table that is one ---- */

/* The keys of the table, if the cluster has any. Returns 0 or -ENOMEM. */
int hash_fan_init(struct hash_builder *b);

/* Other factors. */
void hash_fan_seed(struct hash_builder *b);

/* The hash of item @i, as of hash_builder.hash; of these what its own key says, and where it is to start. */
uint64_t hash_fan_hash(const struct hash_builder *b, uint32_t i);
uint32_t hash_fan_own(const struct hash_builder *b, uint32_t i);
uint32_t hash_fan_head(const struct hash_builder *b, uint32_t i);

/* What kernels take of the table when all else is made. */
void hash_fan_done(struct hash_builder *b);

#endif
