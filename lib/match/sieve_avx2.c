// SPDX-License-Identifier: BSD-3-Clause
/* Sieves for processors with AVX2: lane by lane, four frames at once. */
#include "sieve.h"

#if defined(__AVX2__)

#include "lanes4.h"
#include "probe.h"

/* What lane @k of @s says of words. */
struct sieve_lane {
	__m256i mask, seed, bits, low, base;
	__m128i shift;
};

static inline struct sieve_lane
sieve_lane(const struct sieve *s, uint32_t k)
{
	return (struct sieve_lane){
		.mask = _mm256_set1_epi64x((long long)s->mask[k]),
		.seed = _mm256_set1_epi64x((long long)s->seed),
		.bits = _mm256_set1_epi64x((long long)s->bits[k]),
		.low = _mm256_set1_epi64x((long long)s->low[k]),
		.base = _mm256_set1_epi64x((long long)s->base[k]),
		.shift = _mm_cvtsi64_si128((long long)s->shift[k]),
	};
}

/* Which bits are those of the words @v: hash_filter_bit() and the byte beside. */
static inline __m256i
bits_of(const struct sieve_lane *l, __m256i v)
{
	const __m256i low = _mm256_set1_epi64x((long long)HASH_FILTER_LOW);
	const __m256i high = _mm256_set1_epi64x((long long)HASH_FILTER_HIGH);
	const __m256i least = _mm256_and_si256(_mm256_srl_epi64(v, l->shift), l->low);

	v = _mm256_xor_si256(_mm256_and_si256(v, l->mask), l->seed);
	v = _mm256_add_epi64(
		_mm256_mul_epu32(v, low), _mm256_mul_epu32(_mm256_srli_epi64(v, 32), high));
	v = _mm256_and_si256(_mm256_srli_epi64(v, HASH_FILTER_SHIFT), l->bits);
	return _mm256_add_epi64(_mm256_or_si256(v, least), l->base);
}

/* Of the lanes @on those whose bits @bit are set; bit n is that of lane n. */
static inline uint32_t
are_set(const uint64_t *filter, __m256i bit, __m256i on)
{
	__m256i v = _mm256_mask_i64gather_epi64(_mm256_setzero_si256(), (const void *)filter,
		_mm256_srli_epi64(bit, 6), on, sizeof(uint64_t));

	/* To the sign. */
	v = _mm256_srlv_epi64(v, _mm256_and_si256(bit, _mm256_set1_epi64x(63)));
	return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(v, 63)));
}

/* The frames of a burst, four by four. */
struct sieve_frames {
	__m256i bytes[MATCH_BURST / LANES], on[MATCH_BURST / LANES];
	bool there; /* all words of all frames */
};

static inline void
take_frames(
	struct sieve_frames *f, const struct probe_at *at, uint32_t n, uint64_t some, int32_t off)
{
	const struct probe_bound bound = probe_bound(off);

	f->there = true;
	for (uint32_t g = 0; g * LANES < n; g++) {
		const struct probe_at *four = &at[g * LANES];

		f->on[g] = lanes_of(some >> g * LANES & LANES_ALL);
		f->bytes[g] = lane_bytes(four);
		f->there &= lanes_within(lane_rest(four), bound, f->on[g]);
	}
}

/* The frames that lane @k lets through. */
static inline __attribute__((always_inline)) uint64_t
lane_passes(const struct sieve *s, const struct probe *p, const struct sieve_frames *f, uint32_t k,
	bool there)
{
	const struct probe_at *at = p->at[s->win];
	const struct sieve_lane l = sieve_lane(s, k);
	const int32_t off = s->off + 8 * (int32_t)s->word[k];
	uint64_t pass = 0;

	for (uint32_t g = 0; g * LANES < p->n; g++) {
		const __m256i on = f->on[g];
		const __m256i v = there ? lane_words_there(f->bytes[g], off, on)
					: lane_words(&at[g * LANES], off, on);

		pass |= (uint64_t)are_set(s->filter, bits_of(&l, v), on) << g * LANES;
	}
	return lane_frames(pass);
}

void
sieve_probe_avx2(const struct sieve *s, const struct probe *p, uint64_t some,
	uint64_t ret_pass[SIEVE_TABLES])
{
	struct sieve_frames f;
	int32_t last = 0;

	for (uint32_t k = 0; k < s->n; k++)
		last = MAX(last, s->off + 8 * (int32_t)s->word[k]);
	take_frames(&f, p->at[s->win], p->n, some, last);
	for (uint32_t k = 0; k < s->n; k++)
		ret_pass[k] =
			f.there ? lane_passes(s, p, &f, k, true) : lane_passes(s, p, &f, k, false);
}

#endif
