/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The tests of list_probe.h where comparing gives vectors, and bits_of() their bits:
 * included by list_c.c and list_avx2.c.
 */

static inline list_vec
equal_lanes(list_vec v, uint32_t mask, uint32_t val)
{
	return (list_vec)((v & mask) == val);
}

static inline uint64_t
list_equal(const list_vec *r, uint32_t vecs, uint32_t mask, uint32_t val)
{
	uint64_t hits = 0;

	for (uint32_t k = 0; k < vecs; k++)
		hits |= (uint64_t)bits_of(equal_lanes(r[k], mask, val)) << LIST_LANES * k;
	return hits;
}

static inline __attribute__((always_inline)) bool
list_any(const list_vec *r, uint32_t vecs, const uint32_t *mask, const uint32_t *val)
{
	list_vec any = {0};

	for (uint32_t i = 0; i < LIST_AT_ONCE * vecs; i++)
		any |= equal_lanes(r[i], mask[i / vecs], val[i / vecs]);
	return bits_of(any) != 0;
}
