// SPDX-License-Identifier: BSD-3-Clause
/* Sieves, 16 frames at once: for processors with AVX-512 (F, BW, VL). */
#include "sieve.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "index.h"
#include "merged.h"
#include "probe.h"

#define LANES 16

/* A window of 16 frames: the fields of struct probe_at. */
struct sieve_lanes {
	__m512i low, high; /* first bytes, of eight frames each */
	__m512i left, pos;
};

static inline struct sieve_lanes
sieve_lanes(const struct probe_at *at)
{
	const __m512i bytes = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	/* left of eight frames, and behind them pos. */
	const __m512i rest =
		_mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
	const __m512i a = _mm512_loadu_si512(&at[0]), b = _mm512_loadu_si512(&at[4]);
	const __m512i c = _mm512_loadu_si512(&at[8]), d = _mm512_loadu_si512(&at[12]);
	const __m512i low = _mm512_permutex2var_epi32(a, rest, b);
	const __m512i high = _mm512_permutex2var_epi32(c, rest, d);

	return (struct sieve_lanes){
		.low = _mm512_permutex2var_epi64(a, bytes, b),
		.high = _mm512_permutex2var_epi64(c, bytes, d),
		.left = _mm512_shuffle_i64x2(low, high, 0x44),
		.pos = _mm512_shuffle_i64x2(low, high, 0xee),
	};
}

/* Words of 8 bytes of 16 frames. */
struct sieve_words {
	__m512i low, high; /* of eight frames each */
	__mmask16 sure; /* frames that have all 8 */
};

/* @word of the frames @some. */
static inline struct sieve_words
sieve_words(const struct sieve_word *word, const struct sieve_lanes *w, __mmask16 some)
{
	const void *from = (const void *)(intptr_t)word->off;
	const __m512i zero = _mm512_setzero_si512();
	/* Of a window that is nowhere both are the least there are. */
	const __mmask16 near =
		_mm512_mask_cmpge_epi32_mask(some, w->left, _mm512_set1_epi32(word->left));
	const __mmask16 sure =
		_mm512_mask_cmpge_epi32_mask(near, w->pos, _mm512_set1_epi32(word->before));

	return (struct sieve_words){
		.low = _mm512_mask_i64gather_epi64(zero, (__mmask8)sure, w->low, from, 1),
		.high = _mm512_mask_i64gather_epi64(zero, (__mmask8)(sure >> 8), w->high, from, 1),
		.sure = sure,
	};
}

/* The 4 bytes of @key. */
static inline __m512i
sieve_parts(const struct sieve_key *key, const struct sieve_words *v)
{
	const __m512i even =
		_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
	const __m512i from = _mm512_set1_epi64((long long)key->from);
	const __m512i part = _mm512_permutex2var_epi32(
		_mm512_srlv_epi64(v->low, from), even, _mm512_srlv_epi64(v->high, from));

	return _mm512_and_si512(part, _mm512_set1_epi32((int)key->mask));
}

/* What @key has by the hashes @h. */
static inline __m512i
sieve_slots(const struct sieve_key *key, __m512i h)
{
	const uint32_t *v = key->slots;

	/* Two vectors are asked in a tenth of the time. */
	if (key->shift == SIEVE_NEAR_SHIFT)
		return _mm512_permutex2var_epi32(_mm512_load_si512(v),
			_mm512_srli_epi32(h, SIEVE_NEAR_SHIFT), _mm512_load_si512(v + LANES));
	return _mm512_i32gather_epi32(
		_mm512_srl_epi32(h, _mm_cvtsi32_si128((int)key->shift)), v, sizeof(*v));
}

/* Of which frames bits of hashes @h are all in the words @v. */
static inline __mmask16
sieve_in_filter(__m512i h, __m512i v)
{
	const __m512i one = _mm512_set1_epi32(1);
	/* fan_filter_bits() */
	const __m512i x = _mm512_xor_si512(h, _mm512_srli_epi32(h, FAN_FOLD));
	const __m512i a = _mm512_rolv_epi32(one, x);
	const __m512i b = _mm512_rolv_epi32(one, _mm512_srli_epi32(x, FAN_BIT_BITS));
	/* (a | b) & ~v */
	const __m512i lacks = _mm512_ternarylogic_epi32(a, b, v, 0x54);

	return _mm512_testn_epi32_mask(lacks, lacks);
}

/* Of which frames @parts may be an item's. */
static inline __mmask16
sieve_has(const struct sieve_key *key, __m512i parts)
{
	const __m512i h = _mm512_mullo_epi32(parts, _mm512_set1_epi32((int)key->mul));
	const __m512i v = sieve_slots(key, h);

	return key->exact ? _mm512_cmpeq_epi32_mask(v, parts) : sieve_in_filter(h, v);
}

/* By table the frames that may have something there: as far as keys are known, and by the sieve. */
struct sieved {
	const uint64_t *may;
	uint64_t pass[INDEX_TABLES_MAX] __attribute__((aligned(64)));
};

/* Of 16 frames from @i on those that @keys, @n of them, are asked about. */
static inline __mmask16
sieve_word_asked(const struct sieve_key *keys, uint32_t n, uint32_t i, const uint64_t *may)
{
	uint64_t some = 0;

	for (uint32_t k = 0; k < n; k++)
		some |= may[keys[k].table];
	return (__mmask16)(some >> i);
}

/* Of the frames from @i on, 16 at most, let those through who may have something. */
static inline void
sieve_word_ask(const struct sieve_word *word, const struct sieve_key *keys,
	const struct sieve_lanes *w, uint32_t i, struct sieved *s)
{
	const __mmask16 some = sieve_word_asked(keys, word->n, i, s->may);
	struct sieve_words v;

	/* A burst is of few protocols, and words of tables of one. */
	if (some == 0)
		return;
	v = sieve_words(word, w, some);
	for (const struct sieve_key *key = keys; key < keys + word->n; key++) {
		const __mmask16 on =
			_mm512_mask_cmpge_epi32_mask((__mmask16)(s->may[key->table] >> i), w->left,
				_mm512_set1_epi32(key->left));
		__mmask16 has;

		if (on == 0)
			continue;
		has = sieve_has(key, sieve_parts(key, &v)) | (__mmask16)~v.sure;
		s->pass[key->table] |= (uint64_t)(on & has) << i;
	}
}

/* The frames that window @w is asked about for some table. */
static inline uint64_t
sieve_asked(const struct sieve_window *w, const uint64_t *may)
{
	uint64_t some = 0;

	for (uint64_t m = w->tables; m != 0; m &= m - 1)
		some |= may[__builtin_ctzll(m)];
	return some;
}

/* Let through who may have something by window @w. */
static inline void
sieve_window_ask(
	const struct sieve *s, const struct sieve_window *w, struct probe *p, struct sieved *of)
{
	const struct sieve_word *words = &s->words[w->first];
	const uint64_t asked = sieve_asked(w, of->may);

	if (asked == 0)
		return;
	merged_need_windows(p, 1u << w->win, asked);
	for (uint32_t i = 0; i < p->n; i += LANES) {
		const struct sieve_lanes l = sieve_lanes(&p->at[w->win][i]);

		for (uint32_t k = 0; k < w->n; k++)
			sieve_word_ask(&words[k], &s->keys[words[k].first], &l, i, of);
	}
}

void
sieve_avx512(const struct sieve *s, struct probe *p, uint64_t *may)
{
	const uint32_t n = p->im->index->n_tables;
	struct sieved of;

	_Static_assert(INDEX_TABLES_MAX % 8 == 0, "by vectors of eight");
	of.may = may;
	for (uint32_t k = 0; k < n; k += 8)
		_mm512_store_si512(&of.pass[k], _mm512_setzero_si512());
	for (uint32_t k = 0; k < s->n_windows; k++)
		sieve_window_ask(s, &s->windows[k], p, &of);
	for (uint32_t k = 0; k < n; k += 8)
		_mm512_mask_storeu_epi64(
			&may[k], (__mmask8)(s->tables >> k), _mm512_load_si512(&of.pass[k]));
}

#endif
