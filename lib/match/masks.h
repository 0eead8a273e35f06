/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_MASKS_H
#define MATCH_MASKS_H

/* Comparisons of one number of each frame of a burst, as masks of frames; for each kind of processor. */

#include <stdint.h>

#include "scope.h"

/*
 * To @ret[k] the numbers i for whose key[i] @tests[k] holds, of @n_tests. Bits from @n on mean
 * nothing. See struct search for keys.
 */
typedef void (*masks_tests_fn)(const uint32_t *key, uint32_t n, const struct scope_test *tests,
	uint32_t n_tests, uint64_t *ret);
void masks_tests_c(const uint32_t *key, uint32_t n, const struct scope_test *tests,
	uint32_t n_tests, uint64_t *ret);
void masks_tests_avx2(const uint32_t *key, uint32_t n, const struct scope_test *tests,
	uint32_t n_tests, uint64_t *ret);
void masks_tests_avx512(const uint32_t *key, uint32_t n, const struct scope_test *tests,
	uint32_t n_tests, uint64_t *ret);

/* The numbers i with v[i] > @x. Bits from @n on mean nothing. @v is one of struct probe's. */
typedef uint64_t (*masks_above_fn)(const uint32_t *v, uint32_t n, uint32_t x);
uint64_t masks_above_c(const uint32_t *v, uint32_t n, uint32_t x);
uint64_t masks_above_avx2(const uint32_t *v, uint32_t n, uint32_t x);
uint64_t masks_above_avx512(const uint32_t *v, uint32_t n, uint32_t x);

uint64_t masks_equal_c(const uint32_t *v, uint32_t n, uint32_t x); /* v[i] == @x */

#endif
