// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Written by a test's thread, read by every allocation; relaxed, since a test
 * that sets a fault runs alone.
 */
static _Atomic long fault_at = -1;
static _Atomic long asked;

/* Whether an allocation of @n times @size bytes is to fail without asking the heap. */
static bool
refused(size_t n, size_t size)
{
	long at = atomic_load_explicit(&fault_at, memory_order_relaxed);

	/* The heap would say no as well, but a sanitizer's ends the process over it. */
	if (size != 0 && n > (size_t)PTRDIFF_MAX / size)
		return true;
	if (at < 0)
		return false;
	return atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) >= at;
}

long
mem_fault_set(long nth)
{
	long n = atomic_exchange_explicit(&asked, 0, memory_order_relaxed);

	atomic_store_explicit(&fault_at, nth, memory_order_relaxed);
	return n;
}

void *
mem_alloc(size_t size)
{
	return refused(1, size) ? NULL : malloc(size);
}

void *
mem_zalloc(size_t size)
{
	return mem_calloc(1, size);
}

void *
mem_calloc(size_t n, size_t size)
{
	return refused(n, size) ? NULL : calloc(n, size);
}

void *
mem_realloc(void *p, size_t size)
{
	/* realloc(p, 0) frees @p and gives NULL, which callers take for "out of memory". */
	return refused(1, size) ? NULL : realloc(p, size != 0 ? size : 1);
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = mem_alloc(len + 1);

	if (p == NULL)
		return NULL;
	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

void
mem_free(void *p)
{
	free(p);
}

void *
mem_zalloc_aligned(size_t align, size_t size)
{
	void *p = NULL;

	if (refused(1, size) || posix_memalign(&p, align, size) != 0)
		return NULL;
	/* Before the first touch: then the kernel makes them of huge pages at once. */
	if (align >= MEM_HUGE_PAGE && size >= MEM_HUGE_PAGE)
		(void)madvise(p, size, MADV_HUGEPAGE);
	memset(p, 0, size);
	return p;
}

#define ARENA_ALIGN ((size_t)16)
#define ARENA_CHUNK ((size_t)16384) /* bytes; larger requests get a chunk of their own */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap;
	alignas(16) unsigned char bytes[];
};

static struct arena_chunk *
chunk_new(struct arena *a, size_t cap)
{
	struct arena_chunk *c;

	if (cap > SIZE_MAX - sizeof(*c))
		return NULL;
	/* Large tables are looked up at random: with small pages each look-up misses the TLB. */
	if (cap >= MEM_HUGE_PAGE)
		c = mem_zalloc_aligned(MEM_HUGE_PAGE, sizeof(*c) + cap);
	else
		c = mem_zalloc(sizeof(*c) + cap);
	if (c == NULL)
		return NULL;
	c->cap = cap;
	if (cap > ARENA_CHUNK && a->head != NULL) {
		/* Full from the start: what is left in the head stays in use. */
		c->next = a->head->next;
		a->head->next = c;
	} else {
		c->next = a->head;
		a->head = c;
	}
	a->bytes += sizeof(*c) + cap;
	return c;
}

void *
arena_zalloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->head;
	void *p;

	if (size > SIZE_MAX - ARENA_ALIGN)
		return NULL;
	size = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (c == NULL || c->cap - c->used < size)
		c = chunk_new(a, size > ARENA_CHUNK ? size : ARENA_CHUNK);
	if (c == NULL)
		return NULL;
	p = c->bytes + c->used;
	c->used += size;
	return p;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_zalloc(a, len + 1);

	if (p != NULL)
		memcpy(p, s, len);
	return p;
}

void
arena_fini(struct arena *a)
{
	while (a->head != NULL) {
		struct arena_chunk *next = a->head->next;

		mem_free(a->head);
		a->head = next;
	}
	a->bytes = 0;
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *kept = NULL;

	while (a->head != NULL) {
		struct arena_chunk *next = a->head->next;

		if (kept == NULL && a->head->cap == ARENA_CHUNK)
			kept = a->head;
		else
			mem_free(a->head);
		a->head = next;
	}
	a->bytes = 0;
	if (kept == NULL)
		return;
	/* What is handed out is zeroed; the rest of the chunk still is. */
	memset(kept->bytes, 0, kept->used);
	kept->used = 0;
	kept->next = NULL;
	a->head = kept;
	a->bytes = sizeof(*kept) + kept->cap;
}
