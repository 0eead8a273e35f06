/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_H
#define MATCH_HASH_FAN_H

/*
 * Fans for kernels with AVX-512: a frame's words are the lanes of one vector, hashed and
 * looked up at once, so that eight keys cost what one costs eight frames.
 */

#include "hash_lanes.h"

/* A fan at hand: stores of results could change the original for all the compiler knows. */
struct fan_at_hand {
	__m512i word, mask, seed, buckets, first, one;
	const uint64_t *tags;
	__mmask64 slots;
	int64_t off;
};

static inline struct fan_at_hand
fan_at_hand(const struct hash_table *t, const struct hash_fan *f)
{
	return (struct fan_at_hand){
		.word = _mm512_load_si512(f->word),
		.mask = _mm512_load_si512(f->mask),
		.seed = _mm512_load_si512(f->seed),
		.buckets = _mm512_set1_epi64((long long)t->bucket_mask),
		.first = _mm512_set4_epi32(0x08080808, 0x08080808, 0, 0),
		.one = _mm512_set1_epi8(1),
		.tags = t->tags,
		.slots = f->slots,
		.off = f->off,
	};
}

/* Which of 64 bytes from @off on there are in a window that has @left of them. */
static inline uint64_t
fan_there(int64_t off, int32_t left)
{
	/* Of a window that is not there nothing is left, and its place is a number that nobody follows. */
	const int64_t rest = MAX(left - off, 0);

	return _bzhi_u64(UINT64_MAX, (uint32_t)MIN(rest, 64));
}

/*
 * The buckets of the keys of a frame, whose window starts at @bytes and has those of fan_there(),
 * to @ret_bucket. Returns which bytes of them are the keys' tags, one at most of each.
 */
static inline uint64_t
fan_look_up(const struct fan_at_hand *f, uint64_t bytes, uint64_t there, uint64_t *ret_bucket)
{
	const __m512i line =
		_mm512_maskz_loadu_epi8(there, (const void *)(uintptr_t)(bytes + (uint64_t)f->off));
	__m512i h = _mm512_and_si512(_mm512_permutexvar_epi64(f->word, line), f->mask);
	__m512i bucket, tags;

	/* hash_pair() and hash_finish() of each lane's word. */
	h = _mm512_add_epi32(h, f->seed);
	h = _mm512_mul_epu32(h, _mm512_srli_epi64(h, 32));
	h = lane_hashes(h);
	bucket = _mm512_and_si512(_mm512_srli_epi64(h, HASH_BUCKET_SHIFT), f->buckets);
	_mm512_store_si512(ret_bucket, bucket);
	_Static_assert(HASH_TAG_SHIFT == 0, "the first byte");
	tags = _mm512_max_epu8(_mm512_shuffle_epi8(h, f->first), f->one);
	return _mm512_mask_cmpeq_epi8_mask(f->slots,
		_mm512_i64gather_epi64(bucket, (const void *)f->tags, sizeof(uint64_t)), tags);
}

/* The place of the item in the first slot of @found, as of fan_look_up(), where it is not 0. */
static inline uint32_t
fan_place(const struct hash_table *t, const uint64_t *bucket, uint64_t found)
{
	const uint32_t slot = (uint32_t)__builtin_ctzll(found);

	_Static_assert(HASH_SLOTS == 8, "a byte each");
	return t->places[bucket[slot / HASH_SLOTS]][slot % HASH_SLOTS];
}

#endif
