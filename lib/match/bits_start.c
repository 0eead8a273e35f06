// SPDX-License-Identifier: BSD-3-Clause
/* From the first bits of an IPv4 address to the few ends that it is compared with. */
#include <errno.h>

#include "base/util.h"
#include "bits_rows.h"
#include "tree_search.h"

#define PAGE 256 /* starts of a page */

/* How many of the @n ascending ends @v share the first bits @top, from @i on. */
static uint32_t
sharing(const uint32_t *v, uint32_t n, uint32_t i, uint32_t shift, uint64_t top)
{
	uint32_t end = i;

	while (end < n && (uint64_t)v[end] >> shift == top)
		end++;
	return end - i;
}

/* The fewest first bits of which no more than 16 ends share any, 16 at most. */
static uint32_t
find_shift(const uint32_t *v, uint32_t n)
{
	for (uint32_t shift = 32; shift > 16; shift--) {
		uint32_t size, most = 0;

		for (uint32_t i = 0; i < n; i += size) {
			size = sharing(v, n, i, shift, (uint64_t)v[i] >> shift);
			most = MAX(most, size);
		}
		if (most <= TREE_KEYS4)
			return shift;
	}
	return 16;
}

/* Starts by the next 8 bits, of the ends from @at on. */
static void
fill_page(const uint32_t *v, uint32_t n, uint32_t at, uint64_t top, uint32_t *page)
{
	for (uint32_t i = 0; i < PAGE; i++) {
		const uint32_t size = sharing(v, n, at, 8, top << 8 | i);

		page[i] = size <= TREE_KEYS4 ? at : BITS_MANY;
		at += size;
	}
}

/* How many of the first bits need a page. */
static uint32_t
count_pages(const uint32_t *v, uint32_t n, uint32_t shift)
{
	uint32_t pages = 0, size;

	for (uint32_t i = 0; i < n; i += size) {
		size = sharing(v, n, i, shift, (uint64_t)v[i] >> shift);
		pages += size > TREE_KEYS4;
	}
	return pages;
}

int
bits_start_new(struct bits_address *a, const uint32_t *v, uint32_t n, struct arena *arena)
{
	const uint32_t shift = find_shift(v, n), n_pages = count_pages(v, n, shift);
	const uint64_t tops = UINT64_C(1) << (32 - shift);
	uint32_t *start = arena_zalloc(arena, tops * sizeof(*start));
	uint32_t *pages = arena_zalloc(arena, (size_t)(n_pages + 1) * PAGE * sizeof(*pages));
	int32_t *ends = arena_zalloc(arena, (n + TREE_KEYS4) * sizeof(*ends));
	uint32_t at = 0, page = 0;

	if (start == NULL || pages == NULL || ends == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n + TREE_KEYS4; i++)
		ends[i] = i < n ? tree_key4(v[i]) : INT32_MAX;
	for (uint64_t top = 0; top < tops; top++) {
		const uint32_t size = sharing(v, n, at, shift, top);

		start[top] = at;
		if (size > TREE_KEYS4) {
			fill_page(v, n, at, top, pages + (size_t)page * PAGE);
			start[top] = BITS_PAGE | page++;
		}
		at += size;
	}
	*a = (struct bits_address){
		.start = start,
		.pages = pages,
		.shift = shift,
		.n4 = n,
		.ends4 = ends,
		.paged = n_pages > 0,
		.v4 = a->v4,
		.row4 = a->row4,
	};
	return 0;
}
