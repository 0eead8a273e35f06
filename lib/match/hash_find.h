/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Where items that may hold for frames are, frame by frame: included by hash_probe.h
 * for processors that have no hash_find_lanes.h.
 */

#include "hash_fan_c.h"

/* A word that is hashed, at hand: stores of results could change the original for all the compiler knows. */
struct hashed_word {
	const struct probe_at *at;
	int64_t off;
	uint64_t mask;
	struct probe_bound bound;
};

struct hasher {
	const struct probe *p;
	struct hashed_word w0, w1, w2;
	struct probe_bound all; /* of bounds the greatest */
	uint64_t seed[HASH_DATA_WORDS + 1];
	uint64_t key_mask;
};

static inline struct hashed_word
hashed_word(const struct hash_word *w, const struct probe *p)
{
	return (struct hashed_word){p->at[w->win], w->off, w->mask, probe_bound(w->off)};
}

static inline struct hasher
hasher(const struct hash_table *t, const struct probe *p)
{
	return (struct hasher){
		.p = p,
		.w0 = hashed_word(&t->words[0], p),
		.w1 = hashed_word(&t->words[1], p),
		.w2 = hashed_word(&t->words[2], p),
		.all = {t->left, (uint32_t)t->before},
		.seed = {t->seed[0], t->seed[1], t->seed[2], t->seed[3]},
		.key_mask = t->key_mask,
	};
}

static inline uint64_t
load_near(const struct hashed_word *w, const uint8_t *bytes)
{
	uint64_t v;

	memcpy(&v, bytes + w->off, sizeof(v));
	return v & w->mask;
}

static inline uint64_t
load_word(const struct hashed_word *w, uint32_t i)
{
	if (__builtin_expect(!probe_within(&w->at[i], w->bound), 0))
		return probe_load_edge(&w->at[i], (int32_t)w->off) & w->mask;
	return load_near(w, w->at[i].bytes);
}

static inline uint64_t
hash_frame(const struct hasher *h, uint32_t i, struct hash_form f)
{
	const struct probe_at *at = &h->w0.at[i];
	uint64_t w0 = 0, w1 = 0, w2 = 0, key = 0;

	/* The words of one window: one address, compared once. */
	if (f.together && __builtin_expect(probe_within(at, h->all), 1)) {
		w0 = load_near(&h->w0, at->bytes);
		w1 = f.n_words > 1 ? load_near(&h->w1, at->bytes) : 0;
		w2 = f.n_words > 2 ? load_near(&h->w2, at->bytes) : 0;
	} else {
		w0 = f.n_words > 0 ? load_word(&h->w0, i) : 0;
		w1 = f.n_words > 1 ? load_word(&h->w1, i) : 0;
		w2 = f.n_words > 2 ? load_word(&h->w2, i) : 0;
	}
	if (f.has_key)
		key = (h->key_mask >> 32 != 0 ? probe_key_word(h->p, i) : h->p->key[i]) &
			h->key_mask;
	return hash_words(
		h->seed, (uint64_t[HASH_DATA_WORDS]){w0, w1, w2}, f.n_words, key, f.has_key);
}

/* Bit 8 * s + 7: slot s of a bucket with @tags has @tag, which is one at most. */
static inline uint64_t
tag_in(uint64_t tags, uint8_t tag)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	const uint64_t x = tags ^ tag * UINT64_C(0x0101010101010101);

	return ~(((x & low) + low) | x | low);
}

/*
 * Where the bucket of @hash has something for frame @i: @ret is set where it is 1, and may be
 * where it is 0. Its place is the slot's number among all until take_places().
 */
static inline uint32_t
look_up(const struct hash_table *t, uint32_t i, uint64_t hash, struct candidate *ret)
{
	const uint64_t bucket = hash >> HASH_BUCKET_SHIFT & t->bucket_mask;
	const uint64_t slot = tag_in(t->tags[bucket], hash_tag(hash));

	/* Which frames have one is anybody's guess: no branch on it. */
	ret->i = i;
	ret->place = (uint32_t)(HASH_SLOTS * bucket) +
		(uint32_t)__builtin_ctzll(slot | UINT64_C(1) << 63) / 8;
	return slot != 0;
}

/* The places of items to @c. Most buckets have nothing for a frame, and are not read for it. */
static inline void
take_places(const struct hash_table *t, struct candidate *c, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		c[k].place = t->places[c[k].place / HASH_SLOTS][c[k].place % HASH_SLOTS];
		__builtin_prefetch(&t->items[c[k].place]);
	}
}

/*
 * Hash the frames @some and look into their buckets. @all: they are all of the
 * burst, which needs no look at the mask.
 */
static inline __attribute__((always_inline)) uint32_t
find_now(const struct hash_table *t, const struct probe *p, uint64_t some, bool all,
	struct hash_form f, struct candidate *ret)
{
	const struct hasher h = hasher(t, p);
	const uint32_t end = p->n;
	uint32_t n = 0;

	for (uint32_t i = 0; all ? i < end : some != 0; i++, some &= some - 1) {
		if (!all)
			i = (uint32_t)__builtin_ctzll(some);
		n += look_up(t, i, hash_frame(&h, i, f), &ret[n]);
	}
	return n;
}

/* The same where buckets are not likely to be near: all are fetched before one is looked into. */
static inline __attribute__((always_inline)) uint32_t
find_soon(const struct hash_table *t, const struct probe *p, uint64_t some, struct hash_form f,
	struct candidate *ret)
{
	const struct hasher h = hasher(t, p);
	uint64_t hash[MATCH_BURST];
	uint32_t n = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		uint64_t bucket;

		hash[i] = hash_frame(&h, i, f);
		bucket = hash[i] >> HASH_BUCKET_SHIFT & t->bucket_mask;
		__builtin_prefetch(&t->tags[bucket]);
		__builtin_prefetch(&t->places[bucket]);
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		n += look_up(t, i, hash[i], &ret[n]);
	}
	return n;
}

#define FAR_BUCKETS 8192 /* of 40 bytes: a share of the second cache */

static inline __attribute__((always_inline)) uint32_t
find(const struct hash_table *t, const struct probe *p, uint64_t some, struct hash_form f,
	struct candidate *ret)
{
	uint32_t n;

	if (t->n_buckets > FAR_BUCKETS)
		n = find_soon(t, p, some, f, ret);
	else if (some == search_mask(p->n))
		n = find_now(t, p, some, true, f, ret);
	else
		n = find_now(t, p, some, false, f, ret);
	take_places(t, ret, n);
	return n;
}

/* What the keys of @t, which is a fan, find for the frames @some: fan_find(). */
static uint32_t
find_heads(const struct hash_table *t, const struct probe *p, uint64_t some, uint32_t *ret)
{
	return fan_find(t->fan, p->at[t->fan->win], p->n, some, ret);
}
