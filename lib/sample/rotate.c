// SPDX-License-Identifier: BSD-3-Clause
#include "rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"

int
rotate_init(struct rotate *r, const char *path, uint32_t keep)
{
	r->path = mem_strdup(path);
	if (r->path == NULL)
		return -ENOMEM;
	r->keep = MAX(keep, 1);
	r->fd = -1;
	r->device = false;
	r->waiting = false;
	r->size = 0;
	r->len = 0;
	return 0;
}

void
rotate_fini(struct rotate *r)
{
	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
	mem_free(r->path);
	r->path = NULL;
}

/* "FILE.@n", or FILE for 0. */
static char *
numbered(const struct rotate *r, uint32_t n)
{
	size_t size = strlen(r->path) + 12;
	char *s = mem_alloc(size);

	if (s != NULL)
		(void)snprintf(s, size, n == 0 ? "%s" : "%s.%u", r->path, n);
	return s;
}

/* FILE.@n becomes FILE.@n+1. One that is not there is no failure. */
static int
shift_one(const struct rotate *r, uint32_t n)
{
	char *from = numbered(r, n), *to = numbered(r, n + 1);
	int ret = 0;

	if (from == NULL || to == NULL)
		ret = -ENOMEM;
	else if (rename(from, to) < 0 && errno != ENOENT)
		ret = -errno;
	mem_free(from);
	mem_free(to);
	return ret;
}

/* How many follow FILE without a gap, at most keep - 1: only those must make room. */
static uint32_t
count_kept(const struct rotate *r)
{
	uint32_t n;

	for (n = 1; n < r->keep; n++) {
		char *path = numbered(r, n);
		bool there = path != NULL && access(path, F_OK) == 0;

		mem_free(path);
		if (!there)
			break;
	}
	return n - 1;
}

static int
shift_all(const struct rotate *r)
{
	for (uint32_t n = count_kept(r); n > 0; n--) {
		int ret = shift_one(r, n);

		if (ret < 0)
			return ret;
	}
	return shift_one(r, 0);
}

/* "FILE.new". */
static char *
waiting_path(const struct rotate *r)
{
	size_t size = strlen(r->path) + 5;
	char *s = mem_alloc(size);

	if (s != NULL)
		(void)snprintf(s, size, "%s.new", r->path);
	return s;
}

/* Open FILE.new, empty. A link or folder of that name is refused by open(). */
static int
open_waiting(struct rotate *r)
{
	char *path = waiting_path(r);
	int ret = 0;

	if (path == NULL)
		return -ENOMEM;
	(void)unlink(path);
	r->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (r->fd < 0)
		ret = -errno;
	else
		r->waiting = true;
	mem_free(path);
	return ret;
}

int
rotate_open(struct rotate *r)
{
	struct stat st;

	r->device = false;
	r->waiting = false;
	r->size = 0;
	r->len = 0;
	if (stat(r->path, &st) < 0)
		return errno == ENOENT ? open_waiting(r) : -errno;
	if (S_ISREG(st.st_mode))
		return open_waiting(r);
	if (!S_ISCHR(st.st_mode))
		return -EINVAL;
	r->device = true;
	r->fd = open(r->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return r->fd < 0 ? -errno : 0;
}

bool
rotate_is_free(const struct rotate *r)
{
	struct stat st;

	return lstat(r->path, &st) < 0 && errno == ENOENT;
}

bool
rotate_is_gone(const struct rotate *r)
{
	struct stat st;

	return r->fd >= 0 && !r->device && fstat(r->fd, &st) == 0 && st.st_nlink == 0;
}

int
rotate_place(struct rotate *r)
{
	char *path;
	int ret = 0;

	if (!r->waiting)
		return 0;
	if (!rotate_is_free(r))
		ret = shift_all(r);
	if (ret < 0)
		return ret;
	path = waiting_path(r);
	if (path == NULL)
		return -ENOMEM;
	if (rename(path, r->path) < 0)
		ret = -errno;
	else
		r->waiting = false;
	mem_free(path);
	return ret;
}

void
rotate_drop(struct rotate *r)
{
	char *path = r->waiting && !rotate_is_gone(r) ? waiting_path(r) : NULL;

	if (path != NULL)
		(void)unlink(path);
	mem_free(path);
	if (r->fd >= 0)
		(void)close(r->fd);
	r->fd = -1;
	r->waiting = false;
}

/* Write all or take back what was written, so that the file ends where a block does. */
static int
write_whole(struct rotate *r)
{
	size_t done = 0;

	while (done < r->len) {
		ssize_t n = write(r->fd, r->buf + done, r->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int ret = n < 0 ? -errno : -EIO;

			if (!r->device &&
				(ftruncate(r->fd, (off_t)r->size) < 0 ||
					lseek(r->fd, (off_t)r->size, SEEK_SET) < 0))
				return -errno;
			return ret;
		}
		done += (size_t)n;
	}
	r->size += r->len;
	return 0;
}

int
rotate_flush(struct rotate *r)
{
	int ret = 0;

	if (r->len > 0)
		ret = r->fd < 0 ? -EBADF : write_whole(r);
	r->len = 0;
	return ret;
}

int
rotate_put(struct rotate *r, const void *block, size_t n)
{
	if (n > sizeof(r->buf))
		return -EFBIG;
	if (n > sizeof(r->buf) - r->len) {
		int ret = rotate_flush(r);

		if (ret < 0)
			return ret;
	}
	memcpy(r->buf + r->len, block, n);
	r->len += n;
	return 0;
}

int
rotate_close(struct rotate *r)
{
	int ret = rotate_flush(r);

	if (r->fd >= 0 && close(r->fd) < 0 && ret == 0)
		ret = -errno;
	r->fd = -1;
	return ret;
}
