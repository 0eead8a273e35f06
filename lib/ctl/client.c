// SPDX-License-Identifier: BSD-3-Clause
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"

#define ANSWER_MAX ((size_t)256 << 20) /* bytes; statistics of a million rules */

struct ctl_client {
	int fd;
	struct sbuf in; /* what came behind the last answer */
};

static int
fail_connect(struct diag *diag, const char *path, int err)
{
	if (err == ENOENT || err == ECONNREFUSED)
		return diag_fail(diag, -err,
			"no daemon answers at %s; is sluiced running, with this [control] socket?",
			path);
	if (err == EACCES || err == EPERM)
		return diag_fail(diag, -err,
			"no permission to use %s; be root, or a member of the group sluice", path);
	return diag_fail(diag, -err, "cannot connect to %s: %s", path, strerror(err));
}

int
ctl_client_open(const char *path, struct ctl_client **ret_client, struct diag *diag)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct ctl_client *c;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return diag_fail(diag, -ENAMETOOLONG,
			"expected a socket's path of less than %zu bytes", sizeof(addr.sun_path));
	memcpy(addr.sun_path, path, strlen(path));
	c = mem_zalloc(sizeof(*c));
	if (c == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = fail_connect(diag, path, errno);
		ctl_client_close(c);
		return r;
	}
	*ret_client = c;
	return 0;
}

static uint64_t
now_ms(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Wait until the socket is ready. Returns 0, -ETIMEDOUT, -errno. */
static int
wait_for(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		uint64_t now = now_ms();
		int n = now < deadline_ms ? poll(&p, 1, (int)(deadline_ms - now)) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int
send_line(int fd, const char *request, uint64_t deadline_ms)
{
	struct sbuf line = SBUF_INIT;
	size_t sent = 0;
	int r = 0;

	sbuf_addf(&line, "%s\n", request);
	if (!sbuf_ok(&line))
		r = -ENOMEM;
	while (r == 0 && sent < line.len) {
		ssize_t n;

		r = wait_for(fd, POLLOUT, deadline_ms);
		if (r < 0)
			break;
		n = send(fd, line.s + sent, line.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			r = -errno;
	}
	sbuf_fini(&line);
	return r;
}

/* Read until @in holds a line. Returns 0, -ETIMEDOUT, -EPROTO, -errno. */
static int
receive_line(int fd, struct sbuf *in, uint64_t deadline_ms)
{
	char buf[65536];

	while (in->len == 0 || memchr(in->s, '\n', in->len) == NULL) {
		ssize_t n;
		int r = wait_for(fd, POLLIN, deadline_ms);

		if (r < 0)
			return r;
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || in->len + (size_t)n > ANSWER_MAX)
			return -EPROTO;
		sbuf_add(in, buf, (size_t)n);
		if (!sbuf_ok(in))
			return -ENOMEM;
	}
	return 0;
}

static char *
take_line(struct sbuf *in)
{
	const char *nl = memchr(in->s, '\n', in->len);
	size_t len = (size_t)(nl - in->s);
	char *line = mem_strndup(in->s, len);

	if (line == NULL)
		return NULL;
	memmove(in->s, nl + 1, in->len - len - 1);
	in->len -= len + 1;
	return line;
}

/* 0 for {"ok":true,…}, -EREMOTEIO for {"ok":false,"error":…}, else -EPROTO. */
static int
check_answer(const char *line, struct diag *diag)
{
	json_t *obj = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	const json_t *ok = json_object_get(obj, "ok");
	const char *error = json_string_value(json_object_get(obj, "error"));
	int r = 0;

	if (json_is_false(ok) && error != NULL)
		r = diag_fail(diag, -EREMOTEIO, "%s", error);
	else if (!json_is_true(ok))
		r = diag_fail(diag, -EPROTO, "what answers there is not sluiced");
	json_decref(obj);
	return r;
}

int
ctl_client_ask(struct ctl_client *client, const char *request, int timeout_ms, char **ret_answer,
	struct diag *diag)
{
	const uint64_t deadline_ms = now_ms() + (uint64_t)timeout_ms;
	char *line;
	int r = send_line(client->fd, request, deadline_ms);

	if (r == 0)
		r = receive_line(client->fd, &client->in, deadline_ms);
	if (r == -ETIMEDOUT)
		return diag_fail(diag, r, "sluiced did not answer within %d ms", timeout_ms);
	if (r == -EPROTO || r == -EPIPE || r == -ECONNRESET)
		return diag_fail(diag, -EPROTO, "sluiced closed the connection without an answer");
	if (r < 0)
		return diag_fail(diag, r, "cannot ask sluiced: %s", strerror(-r));
	line = take_line(&client->in);
	if (line == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r = check_answer(line, diag);
	if (r < 0)
		mem_free(line);
	else
		*ret_answer = line;
	return r;
}

void
ctl_client_close(struct ctl_client *client)
{
	if (client == NULL)
		return;
	if (client->fd >= 0)
		(void)close(client->fd);
	sbuf_fini(&client->in);
	mem_free(client);
}
