/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

/*
 * What every file needs and libc does not have: array sizes, big-endian loads
 * and stores at any alignment, powers of two, fast pseudo-random numbers.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIM(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define BASE_CACHE_LINE 64 /* bytes; x86-64 and every arm64 server core in use */

/* The smallest power of two that is not below @n, which is 2^63 at most; 1 of 0. */
static inline uint64_t
power_of_2(uint64_t n)
{
	return n <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(n - 1));
}

/* Read a big-endian number at any alignment. */
static inline uint16_t
load_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t
load_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t
load_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

/* Write a number big-endian at any alignment. */
static inline void
store_be16(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
store_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

/*
 * A small, fast, seedable generator for sampling and tests; nothing secret may
 * depend on it. splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one 64-bit word of
 * state, every seed is good. One thread per state.
 */
struct rng {
	uint64_t state;
};

static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* A number in [0, @n), @n > 0. The bias is below 2^-32 for every @n here. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the loads above assume a little-endian machine"
#endif

#endif
