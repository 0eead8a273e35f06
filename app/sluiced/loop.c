// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"

#include "loop.h"

#define LOOP_SOURCES_MAX 16 /* a handful of fixed ones; clients hide behind their server's fd */

struct loop_source {
	int fd; /* -1: free */
	bool timer; /* ours: read its count before the call, close it at the end */
	loop_fn fn;
	void *arg;
};

struct loop {
	int epoll_fd, signal_fd;
	bool stop;
	bool hangup; /* came before anybody wanted to know */
	loop_fn hangup_fn;
	void *hangup_arg;
	struct loop_source sources[LOOP_SOURCES_MAX];
};

static void
signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

void
loop_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void
read_signals(void *arg)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			loop->stop = true;
		else if (loop->hangup_fn != NULL)
			loop->hangup_fn(loop->hangup_arg);
		else
			loop->hangup = true;
	}
}

int
loop_new(struct loop **ret_loop, struct diag *diag)
{
	struct loop *loop;
	sigset_t set;
	int r;

	loop = mem_zalloc(sizeof(*loop));
	if (loop == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	for (size_t i = 0; i < DIM(loop->sources); i++)
		loop->sources[i].fd = -1;

	signal_set(&set);
	loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->signal_fd < 0 || loop->epoll_fd < 0) {
		r = diag_fail(diag, -errno, "cannot make the event loop: %s", strerror(errno));
		goto fail;
	}

	r = loop_add(loop, loop->signal_fd, read_signals, loop, diag);
	if (r < 0)
		goto fail;

	*ret_loop = loop;
	return 0;
fail:
	loop_free(loop);
	return r;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (size_t i = 0; i < DIM(loop->sources); i++)
		if (loop->sources[i].fd >= 0 && loop->sources[i].timer)
			close(loop->sources[i].fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	mem_free(loop);
}

int
loop_add(struct loop *loop, int fd, loop_fn fn, void *arg, struct diag *diag)
{
	struct epoll_event event = {.events = EPOLLIN};

	for (uint32_t i = 0; i < DIM(loop->sources); i++) {
		if (loop->sources[i].fd >= 0)
			continue;
		event.data.u32 = i;
		if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			return diag_fail(
				diag, -errno, "cannot watch a descriptor: %s", strerror(errno));
		loop->sources[i] = (struct loop_source){.fd = fd, .fn = fn, .arg = arg};
		return 0;
	}
	return diag_fail(diag, -ENOSPC, "the event loop is full");
}

static struct loop_source *
source_find(struct loop *loop, int fd)
{
	for (size_t i = 0; i < DIM(loop->sources); i++)
		if (loop->sources[i].fd == fd)
			return &loop->sources[i];
	return NULL;
}

void
loop_remove(struct loop *loop, int fd)
{
	struct loop_source *s = fd < 0 ? NULL : source_find(loop, fd);

	if (s == NULL)
		return;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	s->fd = -1;
}

int
loop_every(struct loop *loop, uint64_t period_ms, loop_fn fn, void *arg, struct diag *diag)
{
	const struct timespec period = {
		.tv_sec = (time_t)(period_ms / 1000),
		.tv_nsec = (long)(period_ms % 1000) * 1000000,
	};
	const struct itimerspec spec = {.it_interval = period, .it_value = period};
	int fd, r;

	fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return diag_fail(diag, -errno, "cannot make a timer: %s", strerror(errno));
	if (timerfd_settime(fd, 0, &spec, NULL) < 0) {
		r = diag_fail(diag, -errno, "cannot set a timer: %s", strerror(errno));
		close(fd);
		return r;
	}
	r = loop_add(loop, fd, fn, arg, diag);
	if (r < 0) {
		close(fd);
		return r;
	}
	source_find(loop, fd)->timer = true;
	return 0;
}

void
loop_on_hangup(struct loop *loop, loop_fn fn, void *arg)
{
	loop->hangup_fn = fn;
	loop->hangup_arg = arg;
	if (loop->hangup)
		fn(arg);
	loop->hangup = false;
}

bool
loop_pending_stop(struct loop *loop)
{
	read_signals(loop);
	return loop->stop;
}

static void
dispatch(const struct loop_source *s)
{
	uint64_t ticks;

	if (s->fd < 0)
		return; /* removed by an earlier callback of the same round */
	if (s->timer && read(s->fd, &ticks, sizeof(ticks)) != (ssize_t)sizeof(ticks))
		return;
	s->fn(s->arg);
}

int
loop_run(struct loop *loop)
{
	struct epoll_event events[LOOP_SOURCES_MAX];
	int n;

	while (!loop->stop) {
		n = epoll_wait(loop->epoll_fd, events, (int)DIM(events), -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !loop->stop; i++)
			dispatch(&loop->sources[events[i].data.u32]);
	}
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stop = true;
}
