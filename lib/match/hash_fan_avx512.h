/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_HASH_FAN_AVX512_H
#define MATCH_HASH_FAN_AVX512_H

/*
 * Fans for kernels with AVX-512: up to eight keys of two frames, or sixteen of one, are the
 * lanes of one vector.
 */

#include "ends.h"
#include "hash_fan.h"
#include "hash_lanes.h"

#define FAN_VECTOR 16
#define FAN_HALF 8 /* keys of a frame that leave room for another one's */
#define FAN_HALF_LINE 32 /* bytes of a line that these reach */

/* The keys at hand. */
struct fan_at_hand {
	__m512i piece, mask, mul, fine_mask, fine_mul;
	__m512i shift, head_shift;
	const uint32_t *filter;
	__mmask16 live, fine; /* lanes that are keys, and those with a finer one */
	__mmask32 reach; /* bytes of a frame that pairs look at */
};

static inline __m512i
fan_twice(const void *v)
{
	return _mm512_broadcast_i64x4(_mm256_load_si256(v));
}

/* Pieces of two lines, for eight keys each. */
static inline __m512i
fan_pieces_twice(const uint16_t piece[][2])
{
	const __m512i second =
		_mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2 * FAN_HALF), 1);

	return _mm512_add_epi16(fan_twice(piece), second);
}

static inline __attribute__((always_inline)) struct fan_at_hand
fan_at_hand(const struct hash_fan *f, bool pairs)
{
	const uint32_t live = (1u << f->n) - 1, fine = f->fine;

	return (struct fan_at_hand){
		.piece = pairs ? fan_pieces_twice(f->piece) : _mm512_load_si512(f->piece),
		.mask = pairs ? fan_twice(f->mask) : _mm512_load_si512(f->mask),
		.mul = pairs ? fan_twice(f->mul) : _mm512_load_si512(f->mul),
		.fine_mask = pairs ? fan_twice(f->fine_mask) : _mm512_load_si512(f->fine_mask),
		.fine_mul = pairs ? fan_twice(f->fine_mul) : _mm512_load_si512(f->fine_mul),
		.shift = _mm512_set1_epi32((int)f->shift),
		.head_shift = _mm512_set1_epi32((int)f->shift - FAN_SLOT_BITS),
		.filter = f->filter,
		.live = (__mmask16)(pairs ? live | live << FAN_HALF : live),
		.reach = _bzhi_u32(UINT32_MAX, f->reach),
		.fine = (__mmask16)(pairs ? fine | fine << FAN_HALF : fine),
	};
}

/* fan_fold() of all lanes. */
static inline __m512i
fan_folds(__m512i h)
{
	return _mm512_xor_si512(h, _mm512_srli_epi32(h, FAN_FOLD));
}

/* fan_hash() of all lanes. */
static inline __m512i
fan_hashes(__m512i w, __m512i mask, __m512i mul)
{
	return _mm512_mullo_epi32(_mm512_and_si512(w, mask), mul);
}

/* Of the lanes @live with the hashes @h those whose bits are all in the filter's @word. */
static inline __mmask16
fan_passes(__m512i h, __m512i word, __mmask16 live)
{
	const __m512i one = _mm512_set1_epi32(1), x = fan_folds(h);
	const __m512i a = _mm512_rolv_epi32(one, x);
	const __m512i b = _mm512_rolv_epi32(one, _mm512_srli_epi32(x, FAN_BIT_BITS));
	/* (a | b) & ~word */
	const __m512i lacks = _mm512_ternarylogic_epi32(a, b, word, 0x54);

	return _mm512_mask_testn_epi32_mask(live, lacks, lacks);
}

/* What has the heads @at, of the frames @frames, of the lanes @pass, to @ret. Returns how many. */
static inline uint32_t
fan_put(__m512i frames, __m512i at, __mmask16 pass, uint32_t *ret)
{
	_mm512_storeu_si512(ret, _mm512_maskz_compress_epi32(pass, _mm512_or_si512(frames, at)));
	return (uint32_t)__builtin_popcount(pass);
}

/* fan_fine_head() of all lanes. */
static inline __m512i
fan_fine_heads(__m512i bucket, __m512i fine)
{
	return _mm512_or_si512(_mm512_slli_epi32(bucket, FAN_SLOT_BITS),
		_mm512_srli_epi32(fine, 32 - FAN_SLOT_BITS));
}

/*
 * What the lanes @live have that look up in @line, of the frames @frames, to @ret. Returns how many.
 * Called with a constant: whether keys have finer ones.
 */
static inline __attribute__((always_inline)) uint32_t
fan_find_line(const struct fan_at_hand *k, __m512i line, __m512i frames, __mmask16 live, bool twice,
	uint32_t *ret)
{
	const __m512i w = _mm512_permutexvar_epi16(k->piece, line);
	const __m512i h = fan_hashes(w, k->mask, k->mul);
	const __m512i bucket = _mm512_srlv_epi32(h, k->shift);
	const __m512i word = _mm512_i32gather_epi32(bucket, k->filter, 4);
	const __mmask16 pass = fan_passes(h, word, live);
	uint32_t n = 0;

	if (twice) {
		const __m512i fine = fan_hashes(w, k->fine_mask, k->fine_mul);
		const __mmask16 fine_pass = fan_passes(fine, word, live & k->fine);

		if (fine_pass != 0)
			n = fan_put(frames, fan_fine_heads(bucket, fine), fine_pass, ret);
	}
	if (pass != 0)
		n += fan_put(frames, _mm512_srlv_epi32(h, k->head_shift), pass, &ret[n]);
	return n;
}

/* Frames to look up, one behind the other, @n of them. */
struct fan_frames {
	uint64_t line[MATCH_BURST + LANES] __attribute__((aligned(64))); /* addresses, at f->off */
	uint64_t there[MATCH_BURST + LANES]; /* how many of its 64 bytes there are */
	uint64_t frame[MATCH_BURST + LANES]; /* as in what is found */
	uint32_t n;
	bool full; /* all have the words that keys are of */
};

/* Those in @some of the @n in @w to @ret. */
static inline void
fan_take_frames(const struct hash_fan *f, const struct burst_window *w, uint32_t n, uint64_t some,
	struct fan_frames *ret)
{
	const __m512i all = _mm512_set1_epi64(FAN_LINE), off = _mm512_set1_epi64(f->off);
	const __m512i reach = _mm512_set1_epi64(f->reach);
	const __m512i step = _mm512_set1_epi64(LANES << FAN_FRAME_SHIFT);
	__m512i frames =
		_mm512_slli_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), FAN_FRAME_SHIFT);
	uint32_t m = 0;

	ret->full = true;
	for (uint32_t i = 0; i < n; i += LANES) {
		const __m512i rest = _mm512_load_si512(&w->rest[i]);
		const __m512i line = _mm512_add_epi64(_mm512_load_si512(&w->bytes[i]), off);
		const __mmask8 on = (__mmask8)(some >> i);
		__m512i left = _mm512_srai_epi64(_mm512_slli_epi64(rest, 32), 32);

		left = _mm512_sub_epi64(left, off);
		ret->full &= _mm512_mask_cmplt_epi64_mask(on, left, reach) == 0;
		left = _mm512_min_epi64(_mm512_max_epi64(left, _mm512_setzero_si512()), all);
		_mm512_storeu_si512(&ret->line[m], _mm512_maskz_compress_epi64(on, line));
		_mm512_storeu_si512(&ret->there[m], _mm512_maskz_compress_epi64(on, left));
		_mm512_storeu_si512(&ret->frame[m], _mm512_maskz_compress_epi64(on, frames));
		m += (uint32_t)__builtin_popcount(on);
		frames = _mm512_add_epi64(frames, step);
	}
	ret->n = m;
}

/* The words @a and @b of two of @frames at once, with keys @live. Returns how many are found. */
static inline __attribute__((always_inline)) uint32_t
fan_find_pair(const struct fan_at_hand *k, __m256i a, __m256i b, __m512i frames, __mmask16 live,
	bool twice, uint32_t *ret)
{
	const __m512i line = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);

	return fan_find_line(k, line, frames, live, twice, ret);
}

/* Pairs of all frames, which have all bytes. Called with a constant: whether keys have finer ones. */
static inline __attribute__((always_inline)) uint32_t
fan_find_all(const struct hash_fan *f, const struct burst_window *w, uint32_t n, bool twice,
	uint32_t *ret)
{
	const struct fan_at_hand k = fan_at_hand(f, true);
	const __m512i step = _mm512_set1_epi32(2 << FAN_FRAME_SHIFT);
	__m512i frames = _mm512_inserti64x4(
		_mm512_setzero_si512(), _mm256_set1_epi32(1 << FAN_FRAME_SHIFT), 1);
	const uint64_t off = (uint64_t)f->off;
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i += 2) {
		const __m256i a = _mm256_loadu_si256((const void *)(w->bytes[i] + off));
		const __m256i b = _mm256_loadu_si256((const void *)(w->bytes[i + 1] + off));

		found += fan_find_pair(&k, a, b, frames, k.live, twice, &ret[found]);
		frames = _mm512_add_epi32(frames, step);
	}
	return found;
}

/* The words that keys are of, of frame @i. */
static inline __attribute__((always_inline)) __m256i
fan_half(const struct fan_frames *w, uint32_t i, __mmask32 reach, bool full)
{
	if (!full)
		reach = _bzhi_u32(reach, (uint32_t)w->there[i]);
	return _mm256_maskz_loadu_epi8(reach, (const void *)(uintptr_t)w->line[i]);
}

/* Numbers @i and @j of @w. */
static inline __attribute__((always_inline)) uint32_t
fan_find_both(const struct fan_at_hand *k, const struct fan_frames *w, uint32_t i, uint32_t j,
	__mmask16 live, bool twice, bool full, uint32_t *ret)
{
	const __m512i frames = _mm512_mask_set1_epi32(
		_mm512_set1_epi32((int)w->frame[i]), 0xff00, (int)w->frame[j]);

	return fan_find_pair(k, fan_half(w, i, k->reach, full), fan_half(w, j, k->reach, full),
		frames, live, twice, ret);
}

/* Pairs of some frames. Called with constants: whether keys have finer ones, and all frames bytes. */
static inline __attribute__((always_inline)) uint32_t
fan_find_some(
	const struct hash_fan *f, const struct fan_frames *w, bool twice, bool full, uint32_t *ret)
{
	const struct fan_at_hand k = fan_at_hand(f, true);
	const uint32_t n = w->n;
	uint32_t found = 0;

	for (uint32_t i = 0; i + 1 < n; i += 2)
		found += fan_find_both(&k, w, i, i + 1, k.live, twice, full, &ret[found]);
	/* The last one has half of the lanes. */
	if (n % 2 != 0)
		found += fan_find_both(
			&k, w, n - 1, n - 1, k.live & UINT8_MAX, twice, full, &ret[found]);
	return found;
}

/* One frame at a time. */
static inline uint32_t
fan_find_singly(const struct hash_fan *f, const struct fan_frames *w, uint32_t *ret)
{
	const struct fan_at_hand k = fan_at_hand(f, false);
	uint32_t found = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		const __mmask64 there = _bzhi_u64(UINT64_MAX, (uint32_t)w->there[i]);
		const __m512i line =
			_mm512_maskz_loadu_epi8(there, (const void *)(uintptr_t)w->line[i]);

		found += fan_find_line(
			&k, line, _mm512_set1_epi32((int)w->frame[i]), k.live, true, &ret[found]);
	}
	return found;
}

/* Whether the @n frames @some are all there are, in pairs, and have the bytes of a half of a line. */
static inline bool
fan_is_all(const struct hash_fan *f, const struct burst_window *w, uint32_t n, uint64_t some)
{
	const __m256i near = _mm256_set1_epi32(f->off + FAN_HALF_LINE);
	__mmask8 lack = 0;

	if (n % LANES != 0 || some != _bzhi_u64(UINT64_MAX, n))
		return false;
	for (uint32_t i = 0; i < n; i += LANES)
		lack |= _mm256_cmplt_epi32_mask(
			_mm512_cvtepi64_epi32(_mm512_load_si512(&w->rest[i])), near);
	return lack == 0;
}

static __attribute__((noinline)) uint32_t
fan_find(const struct hash_fan *f, const struct burst_window *w, uint32_t n, uint64_t some,
	uint32_t *ret)
{
	const bool singly = f->n > FAN_HALF || f->reach > FAN_HALF_LINE;
	struct fan_frames frames;

	if (!singly && fan_is_all(f, w, n, some))
		return f->fine != 0 ? fan_find_all(f, w, n, true, ret)
				    : fan_find_all(f, w, n, false, ret);
	fan_take_frames(f, w, n, some, &frames);
	if (singly)
		return fan_find_singly(f, &frames, ret);
	if (f->fine != 0)
		return frames.full ? fan_find_some(f, &frames, true, true, ret)
				   : fan_find_some(f, &frames, true, false, ret);
	return frames.full ? fan_find_some(f, &frames, false, true, ret)
			   : fan_find_some(f, &frames, false, false, ret);
}

#endif
