// SPDX-License-Identifier: BSD-3-Clause
/*
 * A handful of clients that ask a question now and then: one question of a
 * client is answered, and the answer taken, before its next one is looked at,
 * so that a client can hold one line of input and one answer, no more. A client
 * that does not take its answer for SLOW_S seconds is closed. When all places
 * are taken, the client that has been silent longest makes room for a new one, so
 * that idle connections cannot lock an operator out.
 */
#include "ctl/server.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "listen.h"

#define SLOW_S 5 /* seconds a client may take for an answer */
#define READ_MAX 4096 /* bytes of one read */

/* What an event is about; below CTL_CLIENTS_MAX it is a client's place. */
#define EVENT_LISTEN CTL_CLIENTS_MAX
#define EVENT_TIMER (CTL_CLIENTS_MAX + 1)

struct client {
	int fd; /* -1: free */
	uint32_t generation; /* of the place, so that an old ticket is known as such */
	bool waits; /* its question is deferred */
	bool ended; /* it has sent all it will */
	char *in; /* received, not yet looked at */
	size_t in_len, in_cap;
	struct sbuf out; /* its answer, out_done bytes of which are sent */
	size_t out_done;
	int slow_s; /* since the answer moved on */
	uint64_t heard; /* ctl_server.clock when it came or last sent something */
};

struct ctl_server {
	int listen_fd, epoll_fd, timer_fd;
	char *path;
	dev_t dev; /* and ino: the file that we made at path */
	ino_t ino;
	ctl_handler handler;
	void *arg;
	uint32_t asking; /* the client whose question the handler has */
	bool timer_runs;
	uint64_t clock; /* counts what clients sent: orders them by their last word */
	struct client clients[CTL_CLIENTS_MAX];
};

static void
client_close(struct client *c)
{
	if (c->fd < 0)
		return;
	close(c->fd); /* epoll forgets it by itself */
	c->fd = -1;
	c->generation++;
	c->waits = c->ended = false;
	mem_free(c->in);
	c->in = NULL;
	c->in_len = c->in_cap = c->out_done = 0;
	sbuf_fini(&c->out);
	c->out = (struct sbuf)SBUF_INIT;
}

static bool
any_answer_waits(const struct ctl_server *s)
{
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		if (s->clients[i].fd >= 0 && s->clients[i].out.len > 0)
			return true;
	return false;
}

/* A second's tick, only while somebody has an answer to take. */
static void
timer_set(struct ctl_server *s)
{
	const bool run = any_answer_waits(s);
	const struct itimerspec spec = {
		.it_interval.tv_sec = run,
		.it_value.tv_sec = run,
	};

	if (run == s->timer_runs)
		return;
	(void)timerfd_settime(s->timer_fd, 0, &spec, NULL);
	s->timer_runs = run;
}

/* Ask for what @c can use now: a question, or room for its answer. */
static int
client_watch(struct ctl_server *s, uint32_t i, int op)
{
	const struct client *c = &s->clients[i];
	struct epoll_event event = {.data.u32 = i};

	if (c->out.len > 0)
		event.events = EPOLLOUT;
	else if (!c->ended && !c->waits)
		event.events = EPOLLIN;
	return epoll_ctl(s->epoll_fd, op, c->fd, &event) < 0 ? -errno : 0;
}

/* A json_dump_callback_t. */
static int
dump_to(const char *bytes, size_t n, void *arg)
{
	sbuf_add(arg, bytes, n);
	return 0;
}

static void
add_error(struct sbuf *out, const struct diag *diag)
{
	char text[sizeof(diag->file) + sizeof(diag->msg) + 32];
	json_t *line;

	diag_format(diag, text, sizeof(text));
	line = json_pack("{s:b,s:s}", "ok", 0, "error", text);
	if (line == NULL || json_dump_callback(line, dump_to, out, JSON_COMPACT) < 0)
		sbuf_adds(out, "{\"ok\":false,\"error\":\"the reason is not UTF-8\"}");
	json_decref(line);
}

/* Make @answer (NULL: @error) the line that @c gets. */
static void
put_answer(struct client *c, const char *answer, size_t len, const struct diag *error)
{
	if (answer != NULL)
		sbuf_add(&c->out, answer, len);
	else
		add_error(&c->out, error);
	sbuf_addc(&c->out, '\n');
	c->out_done = 0;
	c->slow_s = 0;
	c->waits = false;
	if (!sbuf_ok(&c->out))
		client_close(c); /* no memory for an answer, nor for saying so */
}

/* The "cmd" of @line in @ret, to be freed by json_decref(*ret_root). */
static int
parse_request(const char *line, size_t len, json_t **ret_root, const char **ret, struct diag *diag)
{
	json_error_t why;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	const char *cmd;

	if (root == NULL)
		return diag_fail(diag, -EPROTO, "expected one JSON object a line: %s", why.text);
	cmd = json_string_value(json_object_get(root, "cmd"));
	if (cmd == NULL) {
		json_decref(root);
		return diag_fail(diag, -EPROTO, "expected {\"cmd\":\"…\"}");
	}
	*ret_root = root;
	*ret = cmd;
	return 0;
}

/* One question, @len bytes at @line followed by a NUL. */
static void
ask(struct ctl_server *s, uint32_t i, const char *line, size_t len)
{
	struct client *c = &s->clients[i];
	struct sbuf answer = SBUF_INIT;
	struct diag diag = {0};
	json_t *root = NULL;
	const char *cmd = NULL;
	int r;

	r = parse_request(line, len, &root, &cmd, &diag);
	if (r == 0) {
		s->asking = i;
		r = s->handler(s->arg, cmd, line, &answer, &diag);
		s->asking = CTL_CLIENTS_MAX;
	}
	if (r == 0 && !sbuf_ok(&answer))
		r = diag_fail(&diag, -ENOMEM, "out of memory");
	if (r < 0 && r != -EINPROGRESS && diag.msg[0] == '\0')
		diag_fail(&diag, r, "%s", strerror(-r));
	if (r == 0)
		put_answer(c, sbuf_str(&answer), answer.len, NULL);
	else if (r != -EINPROGRESS)
		put_answer(c, NULL, 0, &diag);
	json_decref(root);
	sbuf_fini(&answer);
}

/* Questions that are there, one after another, until one is not answered at once. */
static void
client_ask(struct ctl_server *s, uint32_t i)
{
	struct client *c = &s->clients[i];

	while (c->fd >= 0 && c->out.len == 0 && !c->waits && c->in_len > 0) {
		char *end = memchr(c->in, '\n', c->in_len);
		size_t len;

		if (end == NULL)
			return;
		*end = '\0';
		len = (size_t)(end - c->in);
		ask(s, i, c->in, len);
		if (c->fd < 0)
			return;
		c->in_len -= len + 1;
		memmove(c->in, end + 1, c->in_len);
	}
}

/* Send what can be sent. False: the client is gone. */
static bool
client_send(struct client *c)
{
	while (c->out_done < c->out.len) {
		ssize_t n = send(c->fd, c->out.s + c->out_done, c->out.len - c->out_done,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			client_close(c);
			return false;
		}
		c->out_done += (size_t)n;
		c->slow_s = 0;
	}
	sbuf_fini(&c->out);
	c->out = (struct sbuf)SBUF_INIT;
	c->out_done = 0;
	return true;
}

/* Room for what may be read next. False: the client is gone. */
static bool
client_room(struct client *c)
{
	const size_t want = c->in_len + READ_MAX;
	char *in;

	if (want <= c->in_cap)
		return true;
	in = mem_realloc(c->in, want * 2);
	if (in == NULL) {
		client_close(c);
		return false;
	}
	c->in = in;
	c->in_cap = want * 2;
	return true;
}

/* A line that has no end within the bound: answer that, and read no further. */
static void
refuse_long(struct client *c)
{
	static const struct diag too_long = {.msg = "the request is longer than 65536 bytes"};

	_Static_assert(CTL_LINE_MAX == 65536, "the sentence above says it");
	c->in_len = 0;
	c->ended = true; /* where its next line begins is not known */
	put_answer(c, NULL, 0, &too_long);
}

static void
client_read(struct client *c)
{
	ssize_t n;

	if (!client_room(c))
		return;
	n = recv(c->fd, c->in + c->in_len, MIN(READ_MAX, CTL_LINE_MAX - c->in_len), MSG_DONTWAIT);
	if (n > 0)
		c->in_len += (size_t)n;
	else if (n == 0)
		c->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		client_close(c);
}

/* Go on with client @i as far as it goes, then wait for what it lacks. */
static void
client_run(struct ctl_server *s, uint32_t i)
{
	struct client *c = &s->clients[i];

	for (;;) {
		if (c->fd < 0 || !client_send(c))
			return;
		if (c->out.len > 0)
			break;
		client_ask(s, i);
		if (c->fd >= 0 && c->out.len == 0 && !c->waits && c->in_len == CTL_LINE_MAX)
			refuse_long(c);
		if (c->fd < 0)
			return;
		if (c->out.len == 0)
			break;
	}
	if (c->ended && c->out.len == 0 && !c->waits)
		client_close(c);
	else if (client_watch(s, i, EPOLL_CTL_MOD) < 0)
		client_close(c);
}

static void
client_event(struct ctl_server *s, uint32_t i, uint32_t events)
{
	struct client *c = &s->clients[i];

	if (c->fd < 0)
		return;
	if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && (events & EPOLLIN) == 0)) {
		client_close(c);
		return;
	}
	if ((events & EPOLLIN) != 0) {
		c->heard = ++s->clock;
		client_read(c);
	}
	client_run(s, i);
}

/* The client whose last word is oldest, of those that have no question open; NULL. */
static struct client *
longest_silent(struct ctl_server *s)
{
	struct client *found = NULL;

	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];

		if (c->waits || c->out.len > 0)
			continue;
		if (found == NULL || c->heard < found->heard)
			found = c;
	}
	return found;
}

/* A free place, made free if need be; NULL: every client has a question open. */
static struct client *
place(struct ctl_server *s)
{
	struct client *silent;

	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	silent = longest_silent(s);
	if (silent != NULL)
		client_close(silent);
	return silent;
}

static void
accept_one(struct ctl_server *s)
{
	static const char full[] = "{\"ok\":false,\"error\":\"too many clients\"}\n";
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = place(s);
	if (c == NULL) {
		(void)send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	c->fd = fd;
	c->heard = ++s->clock;
	if (client_watch(s, (uint32_t)(c - s->clients), EPOLL_CTL_ADD) < 0)
		client_close(c);
}

static void
tick(struct ctl_server *s)
{
	uint64_t ticks;

	if (read(s->timer_fd, &ticks, sizeof(ticks)) != (ssize_t)sizeof(ticks))
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];

		if (c->fd >= 0 && c->out.len > 0 && ++c->slow_s > SLOW_S)
			client_close(c);
	}
}

void
ctl_server_step(struct ctl_server *server)
{
	struct epoll_event events[16];
	int n = epoll_wait(server->epoll_fd, events, (int)DIM(events), 0);

	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 == EVENT_LISTEN)
			accept_one(server);
		else if (events[i].data.u32 == EVENT_TIMER)
			tick(server);
		else
			client_event(server, events[i].data.u32, events[i].events);
	}
	timer_set(server);
}

uint64_t
ctl_server_defer(struct ctl_server *server)
{
	struct client *c;

	if (server->asking >= CTL_CLIENTS_MAX)
		return UINT64_MAX; /* nobody asks: a ticket that nobody holds */
	c = &server->clients[server->asking];
	c->waits = true;
	return (uint64_t)c->generation << 32 | server->asking;
}

void
ctl_server_answer(
	struct ctl_server *server, uint64_t ticket, const char *answer, const struct diag *error)
{
	const uint32_t i = (uint32_t)ticket;
	struct client *c = &server->clients[i];

	if (i >= CTL_CLIENTS_MAX || c->fd < 0 || !c->waits || c->generation != ticket >> 32)
		return;
	put_answer(c, answer, answer != NULL ? strlen(answer) : 0, error);
	client_run(server, i);
	timer_set(server);
}

static int
watch(struct ctl_server *s, int fd, uint32_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int
open_events(struct ctl_server *s)
{
	int r;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->timer_fd < 0)
		return -errno;
	r = watch(s, s->listen_fd, EVENT_LISTEN);
	return r < 0 ? r : watch(s, s->timer_fd, EVENT_TIMER);
}

/* So that a file which somebody else puts there later is not taken for ours. */
static void
know_file(struct ctl_server *s)
{
	struct stat st;

	if (lstat(s->path, &st) < 0)
		return;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
}

static void
remove_file(const struct ctl_server *s)
{
	struct stat st;

	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(s->path);
}

int
ctl_server_new(const char *path, const char *group, ctl_handler handler, void *arg,
	struct ctl_server **ret_server, struct diag *diag)
{
	struct ctl_server *s = mem_zalloc(sizeof(*s));
	char *copy = mem_strdup(path);
	int r;

	if (s == NULL || copy == NULL) {
		mem_free(s);
		mem_free(copy);
		return diag_fail(diag, -ENOMEM, "out of memory");
	}
	s->epoll_fd = s->timer_fd = -1;
	s->handler = handler;
	s->arg = arg;
	s->asking = CTL_CLIENTS_MAX;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		s->clients[i] = (struct client){.fd = -1, .out = SBUF_INIT};

	s->listen_fd = ctl_listen(path, group, diag);
	if (s->listen_fd < 0) {
		r = s->listen_fd;
		mem_free(copy); /* the file is not ours: it stays */
		goto fail;
	}
	s->path = copy;
	know_file(s);
	r = open_events(s);
	if (r < 0) {
		diag_fail(diag, r, "cannot watch the control socket: %s", strerror(-r));
		goto fail;
	}
	*ret_server = s;
	return 0;
fail:
	ctl_server_free(s);
	return r;
}

int
ctl_server_fd(const struct ctl_server *server)
{
	return server->epoll_fd;
}

void
ctl_server_free(struct ctl_server *server)
{
	if (server == NULL)
		return;
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		client_close(&server->clients[i]);
	if (server->path != NULL)
		remove_file(server);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->epoll_fd >= 0)
		close(server->epoll_fd);
	if (server->timer_fd >= 0)
		close(server->timer_fd);
	mem_free(server->path);
	mem_free(server);
}
