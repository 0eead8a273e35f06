/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Floods, see straight_flood.h, four frames at once: included by straight_avx2.c, behind
 * straight_have.h.
 */

#define FLOOD_PIECES (64 / RUN_PIECE)

/* The pieces of four frames: where each is, and in the run. */
struct flood_pieces {
	uint64_t start[FLOOD_PIECES][LANES], from[FLOOD_PIECES][LANES];
};

/* Which of the frames @some have @it. */
static inline uint64_t
frames_with(const struct straight *s, const struct hash_table *t,
	const struct straight_items *items, const struct hash_item *it, uint64_t some)
{
	const __m256i one = _mm256_set1_epi32((int)((const uint64_t *)(const void *)it - t->items));
	uint64_t same = 0;

	for (uint32_t i = 0; i < s->n; i += 8) {
		const __m256i v = _mm256_load_si256((const void *)&items->place[i]);
		const __m256i is = _mm256_cmpeq_epi32(one, v);

		same |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(is)) << i;
	}
	return same & some;
}

/* hash_run_is_there() and hash_run_fits() of the windows with @rest, as lanes. */
static inline uint32_t
lanes_fit(__m256i rest, const struct hash_table *t, const struct item_need *need)
{
	const int32_t left = t->run_at_tail ? -(int32_t)need->b : (int32_t)need->a;
	const int32_t pos = t->run_at_tail ? (int32_t)need->a : INT32_MIN;
	const __m256i asked =
		_mm256_set1_epi64x((long long)((uint64_t)(uint32_t)pos << 32 | (uint32_t)left));
	/* Bytes from the frame's start on, and above them those in front of the window. */
	const __m256i has = _mm256_add_epi32(rest, _mm256_srli_epi64(rest, 32));
	const uint32_t before = (uint32_t)-t->run_at.off;
	const __m256i least =
		_mm256_set1_epi64x((long long)((uint64_t)before << 32 | (uint32_t)RUN_PIECE));
	const __m256i lacks =
		_mm256_or_si256(_mm256_cmpgt_epi32(asked, rest), _mm256_cmpgt_epi32(least, has));

	return lanes_set(_mm256_cmpeq_epi64(lacks, _mm256_setzero_si256()));
}

/*
 * Where the pieces of the lanes @on of @at are, @run bytes from @off on; those of other lanes are
 * one of these. As hash_run_holds() has it: near the end the last bytes of the frame.
 */
static inline __attribute__((always_inline)) void
set_pieces(struct lane_windows at, int32_t off, uint32_t run, uint32_t on, struct flood_pieces *ret)
{
	const __m128i last =
		_mm_sub_epi32(lane_lows(at.rest), _mm_set1_epi32(off + (int32_t)RUN_PIECE));
	const __m256i start = _mm256_add_epi64(at.bytes, _mm256_set1_epi64x(off));

	for (uint32_t k = 0; k < run / RUN_PIECE; k++) {
		const __m128i least = _mm_min_epi32(_mm_set1_epi32((int32_t)(k * RUN_PIECE)), last);
		const __m256i from = _mm256_cvtepi32_epi64(least);

		_mm256_storeu_si256((void *)ret->from[k], from);
		_mm256_storeu_si256((void *)ret->start[k], _mm256_add_epi64(start, from));
		for (uint32_t m = on ^ LANES_ALL; m != 0; m &= m - 1) {
			const uint32_t lane = (uint32_t)__builtin_ctz(m);
			const uint32_t other = (uint32_t)__builtin_ctz(on);

			ret->from[k][lane] = ret->from[k][other];
			ret->start[k][lane] = ret->start[k][other];
		}
	}
}

/* Whether the pieces @p of all four frames are those of @it, of shape @shape. */
static inline __attribute__((always_inline)) bool
pieces_hold(const struct hash_shape *shape, const struct hash_item *it,
	const struct flood_pieces *p, uint32_t run)
{
	const uint8_t *val = (const uint8_t *)&it->val[1], *mask = shape->run_mask;
	__m256i differ = _mm256_setzero_si256();

	for (uint32_t k = 0; k < run / RUN_PIECE; k++)
		for (uint32_t lane = 0; lane < LANES; lane++) {
			const int64_t from = (int64_t)p->from[k][lane];
			const void *start = (const void *)(uintptr_t)p->start[k][lane];
			const __m256i v = _mm256_loadu_si256(start);
			const __m256i w = _mm256_loadu_si256((const void *)(val + from));
			const __m256i m = _mm256_loadu_si256((const void *)(mask + from));

			differ = _mm256_or_si256(
				differ, _mm256_and_si256(_mm256_xor_si256(v, w), m));
		}
	return _mm256_testz_si256(differ, differ) != 0;
}

/* The ones of the frames @some that have the run of @it. Groups in which one has not are left out. */
static inline __attribute__((always_inline)) uint64_t
equal_runs(const struct straight *s, const struct hash_table *t, const struct hash_item *it,
	uint64_t some, uint32_t run)
{
	uint64_t equal = 0;

	for (uint32_t g = 0; g < s->n_groups; g++) {
		const struct lane_windows at = window_get(s, t->run_at.win, g);
		const uint32_t on = group_of(some, g) & lanes_fit(at.rest, t, &it->needs[0]);
		struct flood_pieces p;

		if (on == 0)
			continue;
		set_pieces(at, t->run_at.off, run, on, &p);
		if (pieces_hold(&t->shapes[it->shape], it, &p, run))
			equal |= (uint64_t)on << g * LANES;
	}
	return equal;
}

/* The ones of the frames @some for which led_hold() holds. */
static inline uint64_t
led_flood_hold(const struct straight *s, const struct hash_shape *shape, const uint64_t *range,
	uint64_t some)
{
	return led_hold_of(s, shape, range, some);
}

/* Let @rule be the first one of the frames @some that have no earlier one. */
static inline void
set_rule(struct straight *s, uint32_t rule, uint64_t some)
{
	const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);

	for (uint32_t i = 0; i < s->n; i += 8) {
		const __m256i on = _mm256_and_si256(_mm256_set1_epi32((uint8_t)(some >> i)), bits);
		/* All ones, which is later than any rule, in the others. */
		const __m256i none = _mm256_cmpeq_epi32(on, _mm256_setzero_si256());
		const __m256i r = _mm256_or_si256(none, _mm256_set1_epi32((int)rule));
		void *best = &s->best[i];

		_mm256_store_si256(best, _mm256_min_epu32(r, _mm256_load_si256(best)));
	}
}

/* Bits of the frames @frame, of the lanes @is. */
static inline __m256i
frames_of_lanes(__m128i frame, __m128i is)
{
	const __m256i bit = _mm256_and_si256(_mm256_cvtepi32_epi64(is), _mm256_set1_epi64x(1));

	return _mm256_sllv_epi64(bit, _mm256_cvtepu32_epi64(frame));
}

/* Take those with the place @head out of the *@n found ones. Returns the frames they are of. */
static inline uint64_t
take_found(uint32_t *found, uint32_t *n, uint32_t head)
{
	const __m256i one = _mm256_set1_epi32((int)head), mask = _mm256_set1_epi32(FAN_HEAD_MASK);
	__m256i same = _mm256_setzero_si256();
	uint64_t parts[LANES];
	uint32_t left = 0, k;

	/* Behind the last one some that have no place, so that whole vectors are. */
	_mm256_storeu_si256((void *)&found[*n], _mm256_set1_epi32(-1));
	for (k = 0; k < *n; k += FAN_VECTOR) {
		const __m256i v = _mm256_loadu_si256((const void *)&found[k]);
		const __m256i is = _mm256_cmpeq_epi32(_mm256_and_si256(v, mask), one);
		const __m256i frame = _mm256_srli_epi32(v, FAN_FRAME_SHIFT);
		uint32_t other = ~(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(is)) & UINT8_MAX;

		same = _mm256_or_si256(same,
			frames_of_lanes(_mm256_castsi256_si128(frame), _mm256_castsi256_si128(is)));
		same = _mm256_or_si256(same,
			frames_of_lanes(_mm256_extracti128_si256(frame, 1),
				_mm256_extracti128_si256(is, 1)));
		for (; other != 0; other &= other - 1)
			found[left++] = found[k + (uint32_t)__builtin_ctz(other)];
	}
	*n = left - (k - *n);
	_mm256_storeu_si256((void *)parts, same);
	return parts[0] | parts[1] | parts[2] | parts[3];
}
