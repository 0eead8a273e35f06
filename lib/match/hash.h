/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_H
#define MATCH_HASH_H

/*
 * The hash kernel: items of one cluster by the hash of up to four words, at most
 * three of them bytes of the frame. A bucket is eight tags, which are one word, and
 * places of items; a look-up reads exactly one bucket, since at build time the
 * seed is changed until none overflows. No tag is twice in a bucket: items that
 * have it are chained by rule, also where only luck gave it to them. An item is a
 * cache line or a few: what is asked of the frame, word by word.
 *
 * Who does not know the seed cannot choose frames that meet in a bucket, and if
 * so they read one bucket all the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "fan.h"
#include "item.h"
#include "scope.h"

struct match_image;
struct probe;

#define HASH_SLOTS 8

struct hash_item {
	uint32_t rule;
	uint32_t next; /* of the chain, as in hash_table.places; 0: none */
	uint16_t shape;
	uint8_t flags; /* ITEM_... */
	uint8_t n_needs;
	struct item_need needs[ITEM_NEEDS_MAX];
	/* The value of the key word, of the words of the shape, of its ranges (lo, above it span). */
	uint64_t val[];
};

_Static_assert(sizeof(struct hash_item) == 24, "leaves room for five words in a cache line");

struct hash_word {
	uint64_t mask;
	int32_t off;
	uint8_t win, space;
};

struct hash_range {
	uint32_t mask;
	int32_t off;
	uint8_t win, space, size;
	uint8_t shift; /* right, of 4 bytes at off, big-endian */
};

#define HASH_HALF 32 /* bytes */

/*
 * What items with equal masks share. A run is words that lie one behind the
 * other in one window, and can be compared as one; or two halves, each of
 * which does, in two windows.
 */
struct hash_shape {
	uint64_t key_mask;
	uint64_t run_bytes; /* bit b: some bit of byte b of the run is asked */
	/*
	 * Where the ranges are numbers in the run's window whose bytes are there if the
	 * item's need holds: each as the end of the 4 bytes at near_off of the window, under
	 * near_mask. near: a bit each; 0: they are not.
	 */
	uint32_t near_mask[ITEM_RANGES_MAX];
	uint16_t near_off[ITEM_RANGES_MAX];
	uint8_t near;
	uint8_t near_half; /* bit i: range i is in the second half's window */
	/*
	 * Where the run's window is found by bytes of labels, all ranges are of those, which are
	 * there if it is, or of steps.
	 */
	bool led;
	uint8_t led_by; /* the one that is not of steps, counted from 1; 0: it is not one */
	uint32_t n_words, n_ranges;
	uint32_t run; /* bytes, 32 or 64; 0: it is no run */
	struct hash_word words[ITEM_WORDS_MAX];
	struct hash_range ranges[ITEM_RANGES_MAX];
	uint8_t unused[24];
	/* So that the mask can be read from before its start. */
	uint8_t no_mask[64], run_mask[64];
};

_Static_assert(sizeof(struct hash_shape) == 512, "indexed by a shift");
_Static_assert(offsetof(struct hash_shape, run_mask) % 64 == 0, "one line");

#define HASH_DATA_WORDS 3

#define FAN_SLOT_BITS 3 /* of a hash, next to those of the bucket */

_Static_assert(1 << FAN_SLOT_BITS == HASH_SLOTS, "a place each");

#define FAN_LINE 64 /* bytes in which all words of all keys lie */

/*
 * The keys of a fan, all in one window. Of 64 bytes of it each hashes a word made of two pieces of
 * 2 bytes. The hash says a bucket, which has a word of filter, two bits of it, and one of its
 * places, where the items start that may be meant: by rule, as chained. Filters are what all
 * frames look into, so they are small; places are for those that pass.
 *
 * A key may have a finer one, which asks more of the same two pieces: it has the bucket of the
 * other, so that one look at the filter answers for both, and bits and a place by its own hash.
 */
struct hash_fan {
	uint16_t piece[FAN_KEYS_MAX][2]; /* numbers, of the lower and upper half of the word */
	uint32_t mask[FAN_KEYS_MAX], mul[FAN_KEYS_MAX]; /* factors are odd and secret */
	uint32_t fine_mask[FAN_KEYS_MAX], fine_mul[FAN_KEYS_MAX];
	uint32_t fine; /* bit k: key k has a finer one */
	uint32_t n; /* keys, without these */
	uint32_t reach; /* bytes from the first on that some key has */
	bool apart; /* the pieces of some key are no word of 4 bytes, the number of the first even */
	uint8_t win;
	int32_t off; /* of piece 0, not less than 0 */
	uint32_t n_buckets, shift; /* of a hash to the number of its bucket */
	uint32_t *filter; /* by bucket */
	const uint32_t *heads; /* the table's places, HASH_SLOTS a bucket */
} __attribute__((aligned(BASE_CACHE_LINE)));

struct hash_table {
	/* By bucket: of slot s tag number s, byte s from below, 0: free, and where its item is. */
	uint64_t *tags;
	uint32_t (*places)[HASH_SLOTS]; /* in units of 8 bytes from items; 0: none */
	uint64_t *items;
	struct hash_shape *shapes;
	uint64_t seed[HASH_DATA_WORDS + 1]; /* the last is the key's */
	uint64_t key_mask; /* of the key word in the hash */
	struct hash_word words[HASH_DATA_WORDS]; /* masks are 0 behind n_words */
	uint32_t n_words;
	uint32_t bucket_mask;
	/* Where the runs of all plain items start, and how long the longest is. */
	struct hash_word run_at;
	uint32_t run;
	/* Plain items have two runs of HASH_HALF bytes, one behind the other: at run_at, at half_at. */
	bool halves;
	struct hash_word half_at;
	bool run_at_tail; /* run_at is a WINDOW_TAIL */
	bool all_plain;
	bool all_simple; /* and their run, in the frames that hold test, is all they ask */
	bool ask_key; /* some plain item asks more of the key than test */
	/* All words are of one window; bytes that they take in front of its start, and from it on. */
	bool together;
	int32_t before, left;
	uint32_t n_shapes;
	/* What all items ask of pkt_key(). */
	struct scope_test test;
	uint32_t windows; /* bit w: window w is used */
	/* A WINDOW_STEPS, at each of whose places frames are looked up, or 0; steps at most. */
	uint32_t steps_win, steps_max;
	/* Of several keys, by which items lie, as of cluster.keys; NULL: it is no fan. No tags then. */
	struct hash_fan *fan;
	/* Bits by the masked 8 bytes at such a place: 0 where no item has them. NULL: it takes more. */
	uint64_t *filter;
	uint64_t filter_word; /* mask of these */
	uint64_t filter_mask; /* of numbers of bits */
	/*
	 * Where all items end at the byte that walks stop at, by the masked 16 bytes up to it:
	 * bit b: an item may start b bytes before it. NULL: not all do.
	 */
	uint64_t *ends;
	uint64_t ends_words[2]; /* masks of these, from the first on */
	uint64_t ends_mask; /* of numbers of ends[] */
	uint32_t ends_near; /* bytes from where a walk starts: no item forbids steps within */
	uint32_t first_rule, last_rule;
	uint32_t n_items, n_rules, n_buckets, n_chained, chain_max;
	size_t bytes; /* of memory */
};

/* What is spoilt on purpose, to see that tests notice. */
enum hash_fault {
	HASH_FAULT_NONE,
	HASH_FAULT_VALUE,
	HASH_FAULT_NEED,
	HASH_FAULT_CHAIN,
	HASH_FAULT_RANGE,
	HASH_FAULT_STEPS,
	HASH_FAULT_FILTER,
	HASH_FAULT_ENDS,
	HASH_FAULT_FAN,
	HASH_FAULT_PASS,
};

/* Build the table of @c. Returns 0 or -ENOMEM; hash_fini() in any case. */
int hash_init(struct hash_table *t, const struct items *items, const struct cluster *c,
	uint64_t seed, enum hash_fault fault);
void hash_fini(struct hash_table *t);

/* Call @each with every item of @t, and how many are compared before it and with it. */
typedef void (*hash_each_fn)(
	void *arg, const struct hash_table *t, const struct hash_item *it, uint32_t chain);
void hash_each(const struct hash_table *t, hash_each_fn each, void *arg);

/*
 * The kernel: lower @p->best for the frames in @some, for which all windows of
 * @t are found. One for each kind of processor.
 */
typedef void (*hash_probe_fn)(const struct hash_table *t, struct probe *p, uint64_t some);
void hash_probe_c(const struct hash_table *t, struct probe *p, uint64_t some);
void hash_probe_avx2(const struct hash_table *t, struct probe *p, uint64_t some);
void hash_probe_avx512(const struct hash_table *t, struct probe *p, uint64_t some);

/*
 * The same for the frames in @some at every place of t->steps_win, where t->filter is
 * not NULL; its parent is found, and all other windows. Returns frames that were left out.
 */
typedef uint64_t (*hash_steps_fn)(const struct hash_table *t, struct probe *p, uint64_t some);
uint64_t hash_steps_c(const struct hash_table *t, struct probe *p, uint64_t some);
uint64_t hash_steps_avx2(const struct hash_table *t, struct probe *p, uint64_t some);
uint64_t hash_steps_avx512(const struct hash_table *t, struct probe *p, uint64_t some);

#define ENDS_BITS 64
#define ENDS_BEFORE 15 /* bytes in front of an end that say what may be there */
#define ENDS_STEP_MIN 2 /* bytes: kernels make so many steps of 8 bytes as that comes to */

/* Which bit of a filter is that of the masked word @w. */
#define HASH_FILTER_LOW UINT64_C(0x9e3779b1)
#define HASH_FILTER_HIGH UINT64_C(0x85ebca77)
#define HASH_FILTER_SHIFT 28 /* in the middle, where each byte says something */

static inline uint64_t
hash_filter_bit(uint64_t w, uint64_t mask)
{
	const uint64_t h = (uint32_t)w * HASH_FILTER_LOW + (w >> 32) * HASH_FILTER_HIGH;

	return h >> HASH_FILTER_SHIFT & mask;
}

/* Which of ends[] is that of the masked words @a and @b. */
#define HASH_ENDS_LOW UINT64_C(0xc2b2ae3d)
#define HASH_ENDS_HIGH UINT64_C(0x27d4eb2f)

static inline uint64_t
hash_ends_number(uint64_t a, uint64_t b, uint64_t mask)
{
	const uint64_t h = (uint32_t)a * HASH_ENDS_LOW + (a >> 32) * HASH_ENDS_HIGH +
		(uint32_t)b * HASH_FILTER_LOW + (b >> 32) * HASH_FILTER_HIGH;

	return h >> HASH_FILTER_SHIFT & mask;
}

/*
 * What word @w adds to the sum that is hashed: each seed gives two different words the
 * same once in 2^32 (NH of UMAC). Products of halves are what vectors can do.
 */
static inline uint64_t
hash_pair(uint64_t w, uint64_t seed)
{
	return (uint64_t)((uint32_t)w + (uint32_t)seed) *
		((uint32_t)(w >> 32) + (uint32_t)(seed >> 32));
}

/*
 * The hash of a sum: products say little of high bits in their lower half, and little of low
 * ones in their upper half. Of what both say the lower half is used.
 */
static inline uint64_t
hash_finish(uint64_t sum)
{
	return sum ^ (sum >> 32 | sum << 32);
}

/* The hash of masked words: of the frame @w, @n_words of them, and, if @has_key, the key. */
static inline uint64_t
hash_words(const uint64_t seed[HASH_DATA_WORDS + 1], const uint64_t w[HASH_DATA_WORDS],
	uint32_t n_words, uint64_t key, bool has_key)
{
	uint64_t sum = has_key ? hash_pair(key, seed[HASH_DATA_WORDS]) : 0;

	for (uint32_t k = 0; k < n_words; k++)
		sum += hash_pair(w[k], seed[k]);
	return hash_finish(sum);
}

/* Bytes that an item of shape @s takes: whole lines. */
static inline uint32_t
hash_item_bytes(const struct hash_shape *s)
{
	const uint32_t bytes = (uint32_t)(sizeof(struct hash_item) +
		(1 + s->n_words + s->n_ranges) * sizeof(uint64_t));

	return (bytes + 63) / 64 * 64;
}

/* Whether the bytes of the run of plain item @it are there, of a window as of struct probe_at. */
static inline bool
hash_run_is_there(const struct hash_item *it, int32_t left, uint32_t pos, bool at_tail)
{
	if (at_tail)
		return pos >= it->needs[0].a && left >= -(int32_t)it->needs[0].b;
	return left >= (int32_t)it->needs[0].a;
}

static inline bool
hash_has_key(const struct hash_table *t)
{
	return t->n_words == 0 || t->key_mask != 0;
}

#define HASH_BUCKET_SHIFT 8 /* of a hash: the number of its bucket */
#define HASH_TAG_SHIFT 0

/* The tag of hash @h: 1..255. */
static inline uint8_t
hash_tag(uint64_t h)
{
	const uint8_t tag = (uint8_t)(h >> HASH_TAG_SHIFT);

	return tag != 0 ? tag : 1;
}

/* ---- fans ---- */

/* @h with what its upper half says in the lower one, too. */
#define FAN_FOLD 16

static inline uint32_t
fan_fold(uint32_t h)
{
	return h ^ h >> FAN_FOLD;
}

/* The hash of the word @w under the mask of a key. Upper bits of a product say something of most of it. */
static inline uint32_t
fan_hash(uint32_t w, uint32_t mask, uint32_t mul)
{
	return (w & mask) * mul;
}

/* The number of its bucket, @shift as of the fan. */
static inline uint32_t
fan_bucket(uint32_t h, uint32_t shift)
{
	return h >> shift;
}

/* Where the items start that are meant: a number in heads[], a bucket's one behind the other. */
static inline uint32_t
fan_head(uint32_t h, uint32_t shift)
{
	return h >> (shift - FAN_SLOT_BITS);
}

/* The same of a finer key, which hashes to @fine, in the bucket of @h. */
static inline uint32_t
fan_fine_head(uint32_t h, uint32_t fine, uint32_t shift)
{
	return fan_bucket(h, shift) << FAN_SLOT_BITS | fine >> (32 - FAN_SLOT_BITS);
}

/* The bits of the filter's word that an item has: by so many of the folded hash, and the next. */
#define FAN_BIT_BITS 5

static inline uint32_t
fan_filter_bits(uint32_t h)
{
	const uint32_t x = fan_fold(h);

	return 1u << (x & 31) | 1u << (x >> FAN_BIT_BITS & 31);
}

/* What kernels find: frames, and below them numbers in heads[]. */
#define FAN_FRAME_SHIFT 26
#define FAN_HEAD_MASK ((1u << FAN_FRAME_SHIFT) - 1)
#define FAN_BUCKETS_MIN 64
#define FAN_BUCKETS_MAX (1u << (FAN_FRAME_SHIFT - FAN_SLOT_BITS))

#endif
