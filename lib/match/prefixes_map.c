// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "prefixes_impl.h"

#define PAGES 65536
#define BITMAP_U16S 4096 /* a page of so many entries is a bitmap: 65,536 bits */
#define WINDOW 32 /* entries that are compared at once */

/* Of an index entry: what the page's first addresses are, and where its entries start. */
#define STARTS_IN (UINT32_C(1) << 31)
#define PLACE(entry) ((entry) & ~STARTS_IN)

/* Entries of @v from @i on that lie in the page of v[@i] or of @page. */
static uint32_t
page_size(const uint32_t *v, uint32_t n, uint32_t i, uint32_t page)
{
	uint32_t end = i;

	while (end < n && v[end] >> 16 == page)
		end++;
	return end - i;
}

static void
fill_bitmap(uint8_t *bits, const uint32_t *v, uint32_t n, bool in)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i <= n; i++) {
		const uint32_t to = i < n ? v[i] & 0xffff : PAGES;

		for (uint32_t a = from; in && a < to; a++)
			bits[a / 8] |= (uint8_t)(1u << a % 8);
		from = to;
		in = !in;
	}
}

/* Entries that the pages of @v take together. */
static size_t
entries(const uint32_t *v, uint32_t n)
{
	size_t total = 0;
	uint32_t i = 0;

	while (i < n) {
		const uint32_t size = page_size(v, n, i, v[i] >> 16);

		total += MIN(size, BITMAP_U16S);
		i += size;
	}
	return total;
}

int
map4_new(struct map4 *m, const uint32_t *v, uint32_t n, struct arena *arena)
{
	uint32_t *index = arena_zalloc(arena, (PAGES + 1) * sizeof(*index));
	/* A window may be read beyond the last entry. */
	uint16_t *out = arena_zalloc(arena, (entries(v, n) + WINDOW) * sizeof(*out));
	uint32_t at = 0, i = 0;

	if (index == NULL || out == NULL)
		return -ENOMEM;
	for (uint32_t page = 0; page < PAGES; page++) {
		const uint32_t size = page_size(v, n, i, page);
		const bool in = i % 2 != 0;

		index[page] = at | (in ? STARTS_IN : 0);
		if (size >= BITMAP_U16S)
			fill_bitmap((uint8_t *)(out + at), v + i, size, in);
		for (uint32_t k = 0; size < BITMAP_U16S && k < size; k++)
			out[at + k] = (uint16_t)v[i + k];
		at += MIN(size, BITMAP_U16S);
		i += size;
	}
	index[PAGES] = at;
	m->index = index;
	m->v = out;
	return 0;
}

/* How many of the first @n <= WINDOW entries at @v are at or below @x. */
static inline uint32_t
count(const uint16_t *v, uint32_t n, uint16_t x)
{
	uint16_t found = 0;

	for (uint16_t i = 0; i < WINDOW; i++)
		found += (uint16_t)((v[i] <= x) & (i < n));
	return found;
}

static inline bool
page_has(const uint16_t *v, uint32_t n, uint16_t x, bool in)
{
	uint32_t first = 0;

	if (n == BITMAP_U16S)
		return ((const uint8_t *)v)[x / 8] >> x % 8 & 1;
	while (n > WINDOW) {
		const uint32_t half = n / 2;

		first += v[first + half] <= x ? half : 0;
		n -= half;
	}
	return in ^ ((first + count(v + first, n, x)) & 1);
}

uint64_t
map4_have(const struct map4 *m, const uint32_t *addr, uint32_t n)
{
	uint32_t entry[PREFIXES_BURST_MAX], end[PREFIXES_BURST_MAX];
	uint64_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->index[addr[i] >> 16]);
	for (uint32_t i = 0; i < n; i++) {
		entry[i] = m->index[addr[i] >> 16];
		end[i] = PLACE(m->index[(addr[i] >> 16) + 1]);
		__builtin_prefetch(&m->v[PLACE(entry[i])]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t at = PLACE(entry[i]);
		const bool has = page_has(
			m->v + at, end[i] - at, (uint16_t)addr[i], (entry[i] & STARTS_IN) != 0);

		found |= (uint64_t)has << i;
	}
	return found;
}
