// SPDX-License-Identifier: BSD-3-Clause
/* The list kernel for processors with AVX-512 (F, BW, VL). */
#include "list.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "list_scalar.h"

#define LIST_PROBE list_probe_avx512

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

/* Bit k: the test of lane k holds. */
static inline uint32_t
list_hits(const struct list_block *b, const struct list_step *steps, uint32_t n_steps,
	const uint16_t *values)
{
	const __m512i all = _mm512_load_si512(values);
	__m512i r = _mm512_permutexvar_epi16(_mm512_load_si512(b->start), all);

	for (uint32_t s = 0; s < n_steps; s++) {
		const struct list_step *t = &steps[s];
		const __m512i v = _mm512_permutexvar_epi16(_mm512_load_si512(t->v), all);
		const __m512i x = _mm512_permutexvar_epi16(_mm512_load_si512(t->x), all);

		r = _mm512_mullo_epi16(r, _mm512_load_si512(t->mul));
		r = _mm512_add_epi16(r, _mm512_load_si512(t->add));
		r = _mm512_add_epi16(r, _mm512_mullo_epi16(v, _mm512_load_si512(t->v_mul)));
		/* (a & b) ^ c */
		r = _mm512_ternarylogic_epi64(
			r, _mm512_load_si512(t->and), _mm512_load_si512(t->xor), 0x6a);
		r = _mm512_ternarylogic_epi64(r, x, _mm512_load_si512(t->x_mask), 0x78);
		r = _mm512_srlv_epi16(r, _mm512_load_si512(t->shift));
	}
	r = _mm512_and_si512(r, _mm512_load_si512(b->mask));
	r = _mm512_add_epi16(r, _mm512_load_si512(b->add));
	return _mm512_cmple_epu16_mask(r, _mm512_load_si512(b->span));
}

#include "list_probe.h"

#endif
