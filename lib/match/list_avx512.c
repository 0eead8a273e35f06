// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX-512 (F, BW, VL). */
#include "list.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "list_scalar.h"

#define LIST_PROBE list_probe_avx512

#define LIST_WIDTH 64
#include "list_vec.h"

/* 64 bytes from @off on; those that are not there are 0. */
static inline __m512i
bytes_at(const struct probe_at *at, int32_t off)
{
	uint32_t left;

	if (at->left <= off)
		return _mm512_setzero_si512();
	left = (uint32_t)(at->left - off);
	return _mm512_maskz_loadu_epi8(
		left >= 64 ? UINT64_MAX : _bzhi_u64(UINT64_MAX, left), at->bytes + off);
}

static inline void
list_values(const struct list *l, const struct probe *p, uint32_t i, uint16_t *ret)
{
	__m512i all = _mm512_setzero_si512();

	for (uint32_t k = 0; k < l->n_chunks; k++) {
		const struct list_chunk *c = &l->chunks[k];
		const struct probe_at *at = &p->at[c->win][i];
		const __m512i index = _mm512_load_si512(c->index);
		const __m512i order = _mm512_load_si512(c->order);
		__m512i v;

		/* Of what starts before the frame some may be in it. */
		if ((int64_t)at->pos + c->off < 0) {
			list_values_each(l, p, i, ret);
			return;
		}
		v = _mm512_permutex2var_epi16(
			bytes_at(at, c->off), index, bytes_at(at, c->off + 1));
		/* Bytes of other chunks' values are made 0. */
		all = _mm512_or_si512(all, _mm512_shuffle_epi8(v, order));
	}
	_mm512_store_si512(ret, all);
}

static inline list_vec
list_shift(list_vec r, const struct list_step *t, uint32_t k)
{
	return (list_vec)_mm512_srlv_epi16((__m512i)r, (__m512i)LIST_LOAD(t->shift, k));
}

static inline list_vec
list_pick(const uint16_t *values, const uint16_t *numbers)
{
	return (list_vec)_mm512_permutexvar_epi16(
		_mm512_load_si512(numbers), _mm512_load_si512(values));
}

static inline uint32_t
list_equal(const list_vec *r, const struct list_block *b)
{
	return _mm512_cmpeq_epu16_mask(_mm512_and_si512((__m512i)r[0], _mm512_load_si512(b->mask)),
		_mm512_load_si512(b->val));
}

#include "list_probe.h"

#endif
