// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walks to their ends for processors that can look up bytes in a vector (AVX-512 VBMI):
 * 64 bytes of a name at once. As each byte may be a length, they say of each place where
 * a step from it leads; two steps are what one leads to, looked up in itself, and so on to
 * 32, which leave the block whatever is in it. So what a name costs depends on how long it is,
 * not on its labels, and no frame waits for another one.
 */
#include "ends.h"

#if defined(__AVX512VBMI__)

#include <immintrin.h>

#include "base/util.h"
#include "ends_lanes.h"

#define BLOCK 64 /* bytes */

/*
 * Places are bytes, of which a look-up takes the lower 6 bits: those of the block are from
 * INSIDE on, so that sums overflow to those of the next one.
 */
#define INSIDE 0xc0

/* Doublings of a step that lead out of any block. */
#define DOUBLINGS 5

_Static_assert((ENDS_STEP_MIN << DOUBLINGS) >= BLOCK, "out of it from its first byte on");

struct steps {
	__m512i lo, span; /* of bytes that lead on */
	__m512i stay, go; /* where each place leads, but for the byte there */
};

static const uint8_t places[BLOCK] __attribute__((aligned(64))) = {0xc0, 0xc1, 0xc2, 0xc3, 0xc4,
	0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3,
	0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2,
	0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1,
	0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};

static inline struct steps
steps_of(const struct sym_step *step)
{
	const __m512i stay = _mm512_load_si512(places);

	return (struct steps){
		.lo = _mm512_set1_epi8((char)step->lo),
		.span = _mm512_set1_epi8((char)(step->hi - step->lo)),
		.stay = stay,
		.go = _mm512_add_epi8(stay, _mm512_set1_epi8((char)step->behind)),
	};
}

/* The bytes of a block, as far as they are before @last, which is behind its start; others are 0. */
static inline __m512i
bytes_of(const uint8_t *block, const uint8_t *last)
{
	const uint64_t left = MIN((uint64_t)(last - block), BLOCK);

	return _mm512_maskz_loadu_epi8(
		_cvtu64_mask64(_bzhi_u64(UINT64_MAX, (uint32_t)left)), block);
}

/* Which of @bytes lead on. */
static inline __mmask64
lead_on(const struct steps *s, __m512i bytes)
{
	return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, s->lo), s->span);
}

/* Where 1, 2, 4 and so on steps lead from each place of a block. */
struct jumps {
	__m512i by[DOUBLINGS + 1];
};

static inline void
jumps_of(struct jumps *j, const struct steps *s, const uint8_t *block, const uint8_t *last)
{
	const __m512i bytes = bytes_of(block, last);

	/* Sums beyond the block overflow: 0 is the first place of the next one. */
	j->by[0] = _mm512_mask_add_epi8(s->stay, lead_on(s, bytes), bytes, s->go);
	for (int k = 0; k < DOUBLINGS; k++) {
		const __m512i to = j->by[k];

		j->by[k + 1] = _mm512_mask_permutexvar_epi8(to, _mm512_movepi8_mask(to), to, to);
	}
}

/* Where the walk that comes to place @from of the block of @j leaves it, or ends. */
static inline uint32_t
out_of_block(const struct jumps *j, uint32_t from)
{
	uint8_t to[BLOCK] __attribute__((aligned(64)));

	_mm512_store_si512(to, j->by[DOUBLINGS]);
	return to[from];
}

/* The places, of the block of @j, that a walk comes by from @from on. */
static inline __m512i
places_of(const struct jumps *j, uint32_t from)
{
	/* Lane k is k steps further: those of each bit of k. */
	static const uint64_t lanes[DOUBLINGS] = {UINT64_C(0xaaaaaaaaaaaaaaaa),
		UINT64_C(0xcccccccccccccccc), UINT64_C(0xf0f0f0f0f0f0f0f0),
		UINT64_C(0xff00ff00ff00ff00), UINT64_C(0xffff0000ffff0000)};
	__m512i at = _mm512_set1_epi8((char)(INSIDE + from));

	for (int k = 0; k < DOUBLINGS; k++)
		at = _mm512_mask_permutexvar_epi8(
			at, _cvtu64_mask64(lanes[k]) & _mm512_movepi8_mask(at), at, j->by[k]);
	return at;
}

/* ---- frames ---- */

/* One on its way: what a block led to, and where it was entered, and the one before. */
struct way {
	const uint8_t *block;
	uint8_t in, before;
};

/* Frames on their way through blocks. */
struct ways {
	struct way of[MATCH_BURST];
	uint64_t starts[MATCH_BURST]; /* as of ends_few_avx512() */
	const uint8_t *from[MATCH_BURST]; /* where that was */
	uint8_t frame[MATCH_BURST]; /* those that go on */
	uint32_t n;
};

static inline const uint8_t *
last_of(const struct burst_window *from, uint32_t i)
{
	return (const uint8_t *)(uintptr_t)from->bytes[i] + (int32_t)(uint32_t)from->rest[i];
}

static inline void
ways_init(struct ways *w, const struct walk_ends *v, uint64_t some)
{
	w->n = 0;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		w->from[i] = (const uint8_t *)(uintptr_t)v->end[i];
		w->of[i] = (struct way){w->from[i], 0, 0};
		w->starts[i] = v->may[i];
		w->frame[w->n++] = (uint8_t)i;
	}
}

/*
 * Through a block with all that go on. All frames before the next block: how many one has is
 * anybody's guess, and one block waits for another only by where it is entered.
 */
static inline void
ways_on(struct ways *w, struct walk_ends *v, const struct steps *s, const struct burst_window *from)
{
	uint32_t kept = 0;

	for (uint32_t k = 0; k < w->n; k++) {
		const uint32_t i = w->frame[k];
		const uint8_t *last = last_of(from, i), *block = w->of[i].block;
		const uint32_t in = w->of[i].in;
		struct jumps j;
		uint32_t to;
		bool on;

		jumps_of(&j, s, block, last);
		to = out_of_block(&j, in);
		on = to < INSIDE && block + BLOCK + to < last;
		v->end[i] = (uintptr_t)block + (to < INSIDE ? BLOCK : 0) + to % BLOCK;
		w->of[i] = on ? (struct way){block + BLOCK, (uint8_t)to, (uint8_t)in}
			      : (struct way){block, (uint8_t)in, w->of[i].before};
		w->frame[kept] = (uint8_t)i;
		kept += on;
	}
	w->n = kept;
}

/* Those of @may, as of struct walk_ends, that are in @block and a walk comes by that enters at @in. */
static inline uint64_t
may_in_block(const struct steps *s, const uint8_t *block, uint32_t in, const uint8_t *last,
	const uint8_t *end, uint64_t may)
{
	uint64_t some = 0;
	struct jumps j;
	__m512i at;

	jumps_of(&j, s, block, last);
	at = places_of(&j, in);
	for (uint64_t m = may; m != 0; m &= m - 1) {
		const ptrdiff_t place = end - __builtin_ctzll(m) - block;
		const __m512i all = _mm512_set1_epi8((char)(INSIDE + place));

		if (place >= 0 && place < BLOCK && _mm512_cmpeq_epi8_mask(at, all) != 0)
			some |= m & -m;
	}
	return some;
}

/* The bits of numbers up to @n. */
static inline uint64_t
up_to(uint64_t n)
{
	return n < 63 ? (UINT64_C(2) << n) - 1 : UINT64_MAX;
}

/* Those of @may that frame @i, which is at its end, came by. */
static uint64_t
may_of_way(const struct ways *w, const struct steps *s, uint32_t i, const uint8_t *last,
	const uint8_t *end, uint64_t may)
{
	const struct way *way = &w->of[i];
	/* Bytes before the end: to where few steps led, to the last block and to that before. */
	const uint64_t few = (uint64_t)(end - w->from[i]), own = (uint64_t)(end - way->block);
	const uint64_t by_few = few < ENDS_BITS ? w->starts[i] << few : 0;
	const uint64_t here = may & up_to(own), before = may & up_to(few) & ~up_to(own);
	uint64_t some = may & by_few;

	if (here != 0)
		some |= may_in_block(s, way->block, way->in, last, end, here);
	if (before != 0)
		some |= may_in_block(s, way->block - BLOCK, way->before, last, end, before);
	return some;
}

/* The same for frames whose names have many labels. */
static __attribute__((noinline)) void
ends_many(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	const struct steps s = steps_of(step);
	uint32_t blocks = t->steps_max + ENDS_BITS;
	struct ways w;

	ways_init(&w, v, some);
	for (; w.n > 0 && blocks > 0; blocks--)
		ways_on(&w, v, &s, from);
	for (uint32_t i = 0; i < MATCH_BURST && some >> i != 0; i += LANES) {
		const struct ends_lanes l = ends_lanes(from, off, i, (__mmask8)(some >> i));
		const __m512i end = _mm512_load_si512(&v->end[i]);
		const __mmask8 in = _mm512_mask_cmplt_epi64_mask(l.on, end, l.last);

		ends_put(v, i, (__mmask8)(some >> i), end, ends_of_items(t, l.start, end, in));
	}
	for (uint64_t m = v->some & some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		v->may[i] = may_of_way(&w, &s, i, last_of(from, i),
			(const uint8_t *)(uintptr_t)v->end[i], v->may[i]);
		v->some ^= (uint64_t)(v->may[i] == 0) << i;
	}
}

void
ends_vbmi(struct walk_ends *v, const struct hash_table *t, const struct sym_step *step,
	const struct burst_window *from, int32_t off, uint64_t some)
{
	some = ends_few_avx512(v, t, step, from, off, some);
	if (some == 0)
		return;
	/* Steps lead no further than to the next block. */
	if (step->hi + step->behind > BLOCK)
		ends_many_avx512(v, t, step, from, off, some);
	else
		ends_many(v, t, step, from, off, some);
}

#endif
