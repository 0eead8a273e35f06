// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
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
};

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

int
cbpf_arena_new(size_t cap, struct cbpf_arena **ret_arena, struct diag *diag)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct cbpf_arena *a;
	int r;

#if !defined(__x86_64__)
	return diag_fail(diag, -ENOSYS, "there is no compiler for this kind of processor");
#endif
	if (cap == 0 || cap > SIZE_MAX / 2)
		return diag_fail(diag, -ENOMEM, "no arena of %zu bytes can be made", cap);
	a = mem_zalloc(sizeof(*a));
	if (a == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	a->cap = (cap + page - 1) / page * page;
	r = map_twice(a);
	if (r < 0) {
		cbpf_arena_free(a);
		return diag_fail(diag, r, "no executable memory: %s", strerror(-r));
	}
	*ret_arena = a;
	return 0;
}

void
cbpf_arena_free(struct cbpf_arena *a)
{
	if (a == NULL)
		return;
	if (a->rw != NULL)
		(void)munmap(a->rw, a->cap);
	if (a->rx != NULL)
		(void)munmap(a->rx, a->cap);
	mem_free(a);
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
