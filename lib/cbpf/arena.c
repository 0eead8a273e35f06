// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena_impl.h"
#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/jit.h"

/* Code starts at multiples of this, the unit in which decoders fetch. */
#define CODE_ALIGN ((size_t)64)

/* One memfd, mapped writable for the compiler and executable for the rest. */
struct cbpf_arena {
	uint8_t *rw, *rx;
	size_t used, cap;
	struct cbpf_arena *next; /* of the spare ones */
};

/*
 * Arenas that were given back. They are kept mapped for the next: unmapping interrupts
 * every CPU on which a thread of the process runs, and rulesets are replaced under
 * traffic. Sizes are powers of two, so that few are needed for any number of
 * replacements. Who runs code that was written over other code does so some
 * microseconds and a quiescent state later: no processor has the old in its pipeline.
 */
#define ARENA_MIN ((size_t)64 << 10) /* bytes */
#define SPARE_MAX 16
/* No larger one is taken for a small need, so that it is there for the next large one. */
#define SPARE_TIMES 4

static struct {
	pthread_mutex_t lock; /* held for some instructions */
	struct cbpf_arena *first;
	unsigned int n;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The smallest spare arena for @cap bytes, or NULL. */
static struct cbpf_arena *
spare_take(size_t cap)
{
	struct cbpf_arena **best = NULL, *a = NULL;

	pthread_mutex_lock(&spare.lock);
	for (struct cbpf_arena **p = &spare.first; *p != NULL; p = &(*p)->next)
		if ((*p)->cap >= cap && (*p)->cap / SPARE_TIMES <= cap &&
			(best == NULL || (*p)->cap < (*best)->cap))
			best = p;
	if (best != NULL) {
		a = *best;
		*best = a->next;
		spare.n--;
		a->used = 0;
	}
	pthread_mutex_unlock(&spare.lock);
	return a;
}

/* False: there are enough. */
static bool
spare_put(struct cbpf_arena *a)
{
	bool kept = false;

	pthread_mutex_lock(&spare.lock);
	if (spare.n < SPARE_MAX) {
		a->next = spare.first;
		spare.first = a;
		spare.n++;
		kept = true;
	}
	pthread_mutex_unlock(&spare.lock);
	return kept;
}

static int
map_twice(struct cbpf_arena *a)
{
	int fd = memfd_create("cbpf", MFD_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)a->cap) < 0) {
		err = -errno;
		goto out;
	}
	a->rw = mmap(NULL, a->cap, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (a->rw == MAP_FAILED) {
		err = -errno;
		a->rw = NULL;
		goto out;
	}
	a->rx = mmap(NULL, a->cap, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (a->rx == MAP_FAILED) {
		err = errno == ENOMEM ? -ENOMEM : -EPERM;
		a->rx = NULL;
	}
out:
	(void)close(fd);
	return err;
}

static void
unmap(struct cbpf_arena *a)
{
	if (a->rw != NULL)
		(void)munmap(a->rw, a->cap);
	if (a->rx != NULL)
		(void)munmap(a->rx, a->cap);
	mem_free(a);
}

int
cbpf_arena_new(size_t cap, struct cbpf_arena **ret_arena, struct diag *diag)
{
	size_t room = ARENA_MIN;
	struct cbpf_arena *a;
	int r;

#if !defined(__x86_64__)
	return diag_fail(diag, -ENOSYS, "there is no compiler for this kind of processor");
#endif
	if (cap == 0 || cap > SIZE_MAX / 2)
		return diag_fail(diag, -ENOMEM, "no arena of %zu bytes can be made", cap);
	while (room < cap)
		room *= 2;
	a = spare_take(room);
	if (a != NULL) {
		*ret_arena = a;
		return 0;
	}
	a = mem_zalloc(sizeof(*a));
	if (a == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	a->cap = room;
	r = map_twice(a);
	if (r < 0) {
		unmap(a);
		return diag_fail(diag, r, "no executable memory: %s", strerror(-r));
	}
	*ret_arena = a;
	return 0;
}

void
cbpf_arena_free(struct cbpf_arena *a)
{
	if (a != NULL && !spare_put(a))
		unmap(a);
}

size_t
cbpf_arena_used(const struct cbpf_arena *a)
{
	return a->used;
}

uint8_t *
arena_code_take(struct cbpf_arena *a, size_t bytes, const void **ret_exec)
{
	size_t at = (a->used + CODE_ALIGN - 1) / CODE_ALIGN * CODE_ALIGN;

	if (at > a->cap || a->cap - at < bytes)
		return NULL;
	a->used = at + bytes;
	*ret_exec = a->rx + at;
	return a->rw + at;
}
