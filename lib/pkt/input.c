// SPDX-License-Identifier: BSD-3-Clause
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"

/* What one read asks for: large beside the call, small beside the second-level cache. */
#define INPUT_BYTES ((size_t)256 << 10)

int
input_open(const char *path, struct input *ret)
{
	struct input in = {0};
	struct stat st;
	int r = 0;

	/* A descriptor of its own, so that closing it leaves the caller's alone. */
	if (strcmp(path, "-") == 0)
		in.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		in.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (in.fd < 0)
		return -errno;
	if (fstat(in.fd, &st) < 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	if (r < 0) {
		(void)close(in.fd);
		return r;
	}
	in.pipe = !S_ISREG(st.st_mode);
	*ret = in;
	return 0;
}

/* Room for @want bytes from @at on, and for a whole read. */
static int
make_room(struct input *in, size_t want)
{
	const size_t left = input_left(in), cap = MAX(want, INPUT_BYTES) + INPUT_BYTES;
	uint8_t *buf;

	if (in->buf != NULL && MAX(want, left + 1) <= in->cap) {
		if (left > 0 && in->at > 0)
			memmove(in->buf, in->buf + in->at, left);
	} else {
		buf = mem_alloc(cap);
		if (buf == NULL)
			return -ENOMEM;
		if (left > 0)
			memcpy(buf, in->buf + in->at, left);
		mem_free(in->buf);
		in->buf = buf;
		in->cap = cap;
	}
	in->at = 0;
	in->end = left;
	return 0;
}

int
input_want(struct input *in, size_t want)
{
	int r;

	if (in->ended || input_left(in) >= want)
		return 0;
	r = make_room(in, want);
	if (r < 0)
		return r;
	while (in->end < want) {
		ssize_t n = read(in->fd, in->buf + in->end, MIN(in->cap - in->end, INPUT_BYTES));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		in->ended = n == 0;
		if (in->ended)
			break;
		in->end += (size_t)n;
	}
	return 0;
}

bool
input_waits(const struct input *in)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};

	return in->pipe && !in->ended && poll(&p, 1, 0) == 0;
}

void
input_close(struct input *in)
{
	(void)close(in->fd);
	mem_free(in->buf);
}
