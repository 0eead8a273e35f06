/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_MEM_H
#define BASE_MEM_H

/*
 * The only door to the heap for lib/ and app/. Tests close it at the n-th
 * allocation to see every out-of-memory path run (style: fail each once).
 * Any thread; the fault counter is for single-threaded tests.
 */

#include <stddef.h>

/* As malloc, calloc, realloc, strdup, strndup, free; NULL when out of memory or at the fault. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_calloc(size_t n, size_t size);
void *mem_realloc(void *p, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
void mem_free(void *p);

/*
 * Zeroed memory at an address that is a multiple of @align (a power of two >= 8). mem_free().
 * With @align and @size of MEM_HUGE_PAGE or more, of huge pages where the kernel has some.
 * Source: madvise(2), MADV_HUGEPAGE.
 */
#define MEM_HUGE_PAGE ((size_t)2 << 20) /* bytes */
void *mem_zalloc_aligned(size_t align, size_t size);

/*
 * Let the @nth allocation from now (0 is the next one) and all that follow it
 * fail; a negative @nth lets all succeed again. Returns how many allocations
 * were asked for while a fault was set, since the last call: a loop over n ends
 * when that is <= n.
 */
long mem_fault_set(long nth);

/*
 * An arena: many small allocations with one lifetime. Freed whole, so that a
 * parser's or compiler's failure path is one call. One thread per arena.
 */
struct arena {
	struct arena_chunk *head;
	size_t bytes; /* taken from the heap so far */
};

#define ARENA_INIT \
	{ \
		NULL, 0 \
	}

/* Zeroed memory aligned to 16 bytes, or NULL when out of memory. Freed with the arena. */
void *arena_zalloc(struct arena *a, size_t size);

/* A copy of @n bytes at @s with a NUL behind them, or NULL. */
char *arena_strndup(struct arena *a, const char *s, size_t n);

/* Free all that was allocated from @a; @a can be used again. */
void arena_fini(struct arena *a);

/* The same, but keep a chunk for what comes next: for who does so thousands of times. */
void arena_reset(struct arena *a);

#endif
