// SPDX-License-Identifier: BSD-3-Clause
/* Places in frames, eight frames at once: of processors with AVX-512 (F, BW, VL). */
#include "place.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include "index.h"
#include "lanes8.h"
#include "search.h"

/* The word at @off of each view of @views; 0 in lanes that are not in @some. */
static inline __m512i
fields(__m512i views, size_t off, __mmask8 some)
{
	return _mm512_mask_i64gather_epi64(
		_mm512_setzero_si512(), some, views, (const void *)(uintptr_t)off, 1);
}

void
place_frames_avx512(struct probe *p, const uint8_t *which)
{
	const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	const __m512i size = _mm512_set1_epi64(sizeof(struct pkt_view));
	const __m512i first = _mm512_set1_epi64((long long)(uintptr_t)p->views);
	const uint32_t n = p->n;
	uint32_t k;

	/* Keys are set to the next multiple of SEARCH_KEYS: of lanes that are none to 0. */
	for (k = 0; k < n || k % SEARCH_KEYS != 0; k += LANES) {
		const __mmask8 on = (__mmask8)(search_mask(n) >> k);
		__m512i number = _mm512_add_epi64(lanes, _mm512_set1_epi64(k));
		__m512i view, l3, key;

		if (which != NULL)
			number = _mm512_cvtepu8_epi64(_mm_maskz_loadu_epi8(on, &which[k]));
		view = _mm512_add_epi64(first, _mm512_mul_epu32(number, size));
		_mm512_storeu_si512(&p->view[k], view);
		/* l3_off is the third field of four there, l3_caplen is above the key. */
		l3 = _mm512_srli_epi64(
			_mm512_slli_epi64(fields(view, offsetof(struct pkt_view, flags), on), 16),
			48);
		l3 = _mm512_add_epi64(l3, fields(view, offsetof(struct pkt_view, frame), on));
		key = fields(view, offsetof(struct pkt_view, key), on);
		_mm256_store_si256((void *)&p->key[k], _mm512_cvtepi64_epi32(key));
		lane_windows_store(&p->at[WINDOW_OF_START(SPACE_RAW)][k], l3,
			_mm512_srli_epi64(key, 32), 0xff);
	}
}

/* Where a step is read, for the frames @some, all of which have the byte; 0 elsewhere. */
static inline __m512i
steps_at(const struct probe_at *from, __m512i bytes, __m512i rest, int32_t off, __mmask8 some)
{
	struct lane_windows at;

	if (__builtin_expect(lanes_have(rest, off + (int32_t)sizeof(uint64_t), some), 1))
		return lane_words_there(bytes, off, some);
	at = lane_windows(from);
	return lane_words(&at, from, off, some);
}

/* Of eight frames the windows that start by the byte at @from + @off, which are in @some. */
static inline __attribute__((always_inline)) void
step_on(const struct probe_at *start, const struct probe_at *from, int32_t off,
	enum window_kind kind, __mmask8 some, struct probe_at *ret)
{
	const struct probe_at *base = kind == WINDOW_WALK ? from : start;
	const __m512i nowhere = _mm512_set1_epi64((long long)0x8000000080000000);
	const __m512i from_rest = lane_rest(from);
	/* left is the lower half. */
	const __mmask8 there =
		(__mmask8)_pext_u32(
			_mm512_cmpgt_epi32_mask(from_rest, _mm512_set1_epi32(off)), 0x5555) &
		some;
	__m512i step = steps_at(from, lane_bytes(from), from_rest, off, there), rest;
	__mmask8 is_6;

	_Static_assert(PROBE_NOWHERE == (uint32_t)INT32_MIN, "of both fields");
	is_6 = _mm512_cmpeq_epi64_mask(
		_mm512_and_si512(step, _mm512_set1_epi64(0xf0)), _mm512_set1_epi64(0x60));
	if (kind == WINDOW_IHL || kind == WINDOW_L4)
		step = _mm512_slli_epi64(_mm512_and_si512(step, _mm512_set1_epi64(15)), 2);
	else
		step = _mm512_and_si512(step, _mm512_set1_epi64(UINT8_MAX));
	if (kind == WINDOW_L4)
		step = _mm512_mask_mov_epi64(step, is_6, _mm512_set1_epi64(WINDOW_L4_IP6));
	/* left less the step, and above it pos and the step. */
	rest = _mm512_add_epi32(lane_rest(base), _mm512_slli_epi64(step, 32));
	rest = _mm512_mask_sub_epi32(rest, 0x5555, rest, step);
	lane_windows_store(ret, _mm512_maskz_add_epi64(there, lane_bytes(base), step),
		_mm512_mask_mov_epi64(nowhere, there, rest), some);
}

/* Called with constants, so that each kind is a loop of its own. */
static inline __attribute__((always_inline)) void
find_all(const struct probe *p, const struct window *w, uint64_t some, enum window_kind kind,
	struct probe_at *ret)
{
	const struct probe_at *start = p->at[WINDOW_OF_START(w->space)];
	const struct probe_at *from = p->at[w->parent];
	const int32_t off = (int32_t)w->off;
	const uint32_t n = p->n;

	for (uint32_t k = 0; k < n; k += LANES) {
		const __mmask8 on = (__mmask8)(some >> k);

		if (on != 0)
			step_on(&start[k], &from[k], off, kind, on, &ret[k]);
	}
}

void
place_windows_avx512(
	const struct probe *p, const struct window *w, uint64_t some, struct probe_at *ret)
{
	if (w->kind == WINDOW_IHL)
		find_all(p, w, some, WINDOW_IHL, ret);
	else if (w->kind == WINDOW_L4)
		find_all(p, w, some, WINDOW_L4, ret);
	else if (w->kind == WINDOW_WALK)
		find_all(p, w, some, WINDOW_WALK, ret);
	else
		find_all(p, w, some, WINDOW_BYTE, ret);
}

#endif
