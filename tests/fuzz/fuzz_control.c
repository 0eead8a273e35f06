// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes to the control socket, in pieces of the first byte's size: every whole
 * line has exactly one answer, in whatever order it can be given, and the server
 * goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "ctl/server.h"

#include "fuzz.h"

#define INPUT_MAX 60000 /* bytes; a longer line has another rule, which unit tests show */

static struct ctl_server *server;
static char path[64];
static uint64_t ticket;
static bool waits;

/* By the length of the command: answers, fails with and without a sentence, waits. */
static int
handle(void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag)
{
	(void)arg;
	fuzz_check(strlen(request) < CTL_LINE_MAX);
	switch (strlen(cmd) % 4) {
	case 0: return diag_fail(diag, -ENOENT, "no %s", cmd);
	case 1:
		ticket = ctl_server_defer(server);
		waits = true;
		return -EINPROGRESS;
	case 2: return -EPERM;
	}
	sbuf_adds(answer, "{\"ok\":true}");
	return 0;
}

static void
stop(void)
{
	ctl_server_free(server);
}

static void
start(void)
{
	struct diag d = {0};

	(void)snprintf(path, sizeof(path), "/tmp/sluice-fuzz-%d.sock", (int)getpid());
	fuzz_check(ctl_server_new(path, NULL, handle, NULL, &server, &d) == 0);
	(void)atexit(stop);
}

static int
open_client(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path, path, strlen(path));
	fuzz_check(fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

/* Let the server work until it has nothing more to say to @fd; count the lines it says. */
static size_t
hear(int fd, bool *ret_closed)
{
	static const struct diag why = {.msg = "late"};
	struct pollfd p = {.fd = ctl_server_fd(server), .events = POLLIN};
	char buf[4096];
	size_t lines = 0;
	ssize_t n;

	for (;;) {
		while (poll(&p, 1, 0) > 0)
			ctl_server_step(server);
		if (waits) {
			waits = false;
			ctl_server_answer(
				server, ticket, (ticket >> 32) % 2 == 0 ? "{}" : NULL, &why);
			continue;
		}
		n = recv(fd, buf, sizeof(buf), 0);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			lines += buf[i] == '\n';
	}
	*ret_closed = n == 0;
	return lines;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t asked = 0, answered = 0, piece;
	bool closed = false;
	int fd;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	if (server == NULL)
		start();
	piece = MAX(data[0], 1);
	data++;
	size--;
	fd = open_client();
	while (size > 0) {
		const size_t n = MIN(piece, size);

		fuzz_check(send(fd, data, n, MSG_NOSIGNAL) == (ssize_t)n);
		for (size_t i = 0; i < n; i++)
			asked += data[i] == '\n';
		answered += hear(fd, &closed);
		fuzz_check(!closed);
		data += n;
		size -= n;
	}
	fuzz_check(shutdown(fd, SHUT_WR) == 0);
	answered += hear(fd, &closed);
	fuzz_check(closed);
	fuzz_check(answered == asked);
	close(fd);
	ctl_server_step(server);
	return 0;
}
