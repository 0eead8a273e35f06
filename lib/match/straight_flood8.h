/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Floods, see straight_flood.h, eight frames at once: included by straight_avx512.c, behind
 * straight_have.h and flood8.h.
 */

/* Which of the frames @some have @it. */
static inline uint64_t
frames_with(const struct straight *s, const struct hash_table *t,
	const struct straight_items *items, const struct hash_item *it, uint64_t some)
{
	(void)t;
	return flood_frames(items->item, s->n_groups, it, some);
}

/* The ones of the frames @some that have the run of @it. Groups in which one has not are left out. */
static inline __attribute__((always_inline)) uint64_t
equal_runs(const struct straight *s, const struct hash_table *t, const struct hash_item *it,
	uint64_t some, uint32_t run)
{
	return flood_equal_runs(windows_of(s, t->run_at.win), s->n_groups, t, it, some, run);
}

#define LED_BEFORE 3 /* bytes that are loaded before the one that is asked about */

/* Whether led_hold() is a question of one byte of each frame, with so many in front of it. */
static inline bool
is_one_byte(const struct straight *s, const struct hash_shape *shape)
{
	return shape->led_by != 0 && !s->far && shape->ranges[shape->led_by - 1].off >= LED_BEFORE;
}

/* The ones of the frames @some for which led_hold() so holds. */
static inline uint64_t
bytes_of_flood(const struct straight *s, const struct hash_shape *shape, const uint64_t *range,
	uint64_t some)
{
	const struct hash_range *r = &shape->ranges[shape->led_by - 1];
	const __m256i lo = _mm256_set1_epi32((int)range[shape->led_by - 1]);
	const __m256i span = _mm256_set1_epi32((int)(range[shape->led_by - 1] >> 32));
	const __m256i mask = _mm256_set1_epi32((int)r->mask);
	const __m512i off = _mm512_set1_epi64(r->off - LED_BEFORE);
	uint64_t hold = 0;

	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(some, g);
		const __m512i at =
			_mm512_add_epi64(_mm512_load_si512(&s->at[r->win].bytes[g * LANES]), off);
		__m256i v = _mm512_mask_i64gather_epi32(_mm256_setzero_si256(), on, at, NULL, 1);

		v = _mm256_and_si256(_mm256_srli_epi32(v, 8 * LED_BEFORE), mask);
		hold |= (uint64_t)_mm256_mask_cmple_epu32_mask(on, _mm256_sub_epi32(v, lo), span)
			<< g * LANES;
	}
	return hold;
}

/* The ones of the frames @some for which led_hold() holds. */
static inline uint64_t
led_flood_hold(const struct straight *s, const struct hash_shape *shape, const uint64_t *range,
	uint64_t some)
{
	return is_one_byte(s, shape) ? bytes_of_flood(s, shape, range, some)
				     : led_hold_of(s, shape, range, some);
}

/* Let @rule be the first one of the frames @some that have no earlier one. */
static inline void
set_rule(struct straight *s, uint32_t rule, uint64_t some)
{
	flood_set_rule(s->best, s->n_groups, rule, some);
}

/* Take those with the place @head out of the *@n found ones. Returns the frames they are of. */
static inline uint64_t
take_found(uint32_t *found, uint32_t *n, uint32_t head)
{
	const __m512i one = _mm512_set1_epi32((int)head), mask = _mm512_set1_epi32(FAN_HEAD_MASK);
	const __m512i bit = _mm512_set1_epi64(1);
	__m512i same = _mm512_setzero_si512();
	uint32_t left = 0;

	for (uint32_t k = 0; k < *n; k += FAN_VECTOR) {
		const __mmask16 on = (__mmask16)_bzhi_u32(UINT16_MAX, MIN(*n - k, FAN_VECTOR));
		const __m512i v = _mm512_loadu_si512(&found[k]);
		const __m512i frame = _mm512_srli_epi32(v, FAN_FRAME_SHIFT);
		const __mmask16 is =
			_mm512_mask_cmpeq_epi32_mask(on, _mm512_and_si512(v, mask), one);
		const __mmask16 other = on & (__mmask16)~is;
		const __m512i a = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(frame));
		const __m512i b = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(frame, 1));

		same = _mm512_or_si512(same, _mm512_maskz_sllv_epi64((__mmask8)is, bit, a));
		same = _mm512_or_si512(same, _mm512_maskz_sllv_epi64((__mmask8)(is >> 8), bit, b));
		/* No further than what was read. */
		_mm512_storeu_si512(&found[left], _mm512_maskz_compress_epi32(other, v));
		left += (uint32_t)__builtin_popcount(other);
	}
	*n = left;
	return (uint64_t)_mm512_reduce_or_epi64(same);
}
