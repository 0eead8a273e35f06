// SPDX-License-Identifier: BSD-3-Clause
/* The straight way in plain C. */
#include "hash_run_c.h"

#define STRAIGHT straight_c

#include "straight_frames.h"

/* A word that is hashed, at hand. */
struct straight_word {
	int64_t off;
	uint64_t mask, seed;
};

static inline struct straight_word
straight_word(const struct hash_table *t, uint32_t i)
{
	return (struct straight_word){t->words[i].off, t->words[i].mask, t->seed[i]};
}

/* What word @w, whose bytes are there, adds to the sum of the frame whose window starts at @bytes. */
static inline uint64_t
word_adds(const struct straight_word *w, const uint8_t *bytes)
{
	uint64_t v;

	memcpy(&v, bytes + w->off, sizeof(v));
	return hash_pair(v & w->mask, w->seed);
}

/* The sum that @t hashes of a frame with the window @at, of which some bytes are not there. */
static __attribute__((noinline)) uint64_t
sum_at_edge(const struct hash_table *t, const struct probe_at *at)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < t->n_words; k++)
		sum += hash_pair(probe_load(at, t->words[k].off) & t->words[k].mask, t->seed[k]);
	return sum;
}

/* The lowest bit that is set is 8 * s + 7: slot s of @tags has @tag, which is one at most. */
static inline uint64_t
tag_in(uint64_t tags, uint8_t tag)
{
	const uint64_t low = UINT64_C(0x0101010101010101);
	const uint64_t x = tags ^ tag * low;

	return (x - low) & ~x & low << 7;
}

/* Called with constants: as many loads, and no loop around them. */
static inline __attribute__((always_inline)) uint64_t
look_up_all(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret, uint32_t n_words)
{
	const struct straight_word w0 = straight_word(t, 0), w1 = straight_word(t, 1),
				   w2 = straight_word(t, 2);
	const struct probe_bound all = {t->left, (uint32_t)t->before};
	const struct probe_at *at = s->at[t->run_at.win];
	const uint64_t *tags = t->tags, *items = t->items, mask = t->bucket_mask;
	const uint32_t(*places)[HASH_SLOTS] = (const void *)t->places;
	const uint32_t n = s->n;
	uint64_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t sum, hash, bucket, slot;
		uint32_t place;

		/* Not from bit to bit: who is asked for is known late, and mostly foreseen. */
		if ((some >> i & 1) == 0)
			continue;
		if (__builtin_expect(probe_within(&at[i], all), 1)) {
			sum = word_adds(&w0, at[i].bytes);
			if (n_words > 1)
				sum += word_adds(&w1, at[i].bytes);
			if (n_words > 2)
				sum += word_adds(&w2, at[i].bytes);
		} else {
			sum = sum_at_edge(t, &at[i]);
		}
		hash = hash_finish(sum);
		bucket = hash >> HASH_BUCKET_SHIFT & mask;
		slot = tag_in(tags[bucket], hash_tag(hash));
		if (slot == 0)
			continue;
		place = places[bucket][__builtin_ctzll(slot) / 8];
		ret->place[i] = place;
		__builtin_prefetch(&items[place]);
		found |= UINT64_C(1) << i;
	}
	return found;
}
