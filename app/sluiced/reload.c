// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "ctl/conf.h"
#include "ctl/server.h"
#include "dp/dp.h"
#include "match/image.h"
#include "rules/ruleset.h"

#include "config.h"
#include "daemon.h"
#include "eal.h"
#include "findings.h"
#include "log.h"
#include "loop.h"
#include "names.h"
#include "notify.h"
#include "privileges.h"
#include "reload.h"
#include "rules_report.h"
#include "samples.h"
#include "sinks.h"
#include "ttl.h"

#define BUILDER_NICE 10
/* So long after the last change what updates put together is built as one. */
#define QUIET_TICKS 2

enum job {
	JOB_NONE,
	JOB_RELOAD,
	JOB_WHOLE, /* the same rules once more, as one image */
};

/* What the builder makes. Its alone until it has ended, then the control thread's. */
struct build {
	enum job job;
	int error; /* 0: all of the below is there and the image is in force */
	struct diag diag;
	struct config *config;
	struct ruleset_ttl *ttl;
	struct sinks *sinks;
	struct dp_protect *protect; /* NULL: as before */
	struct match_image *image;
	struct match_image *old_image; /* no worker reads it any more */
};

/* A client of the control socket that waits. */
struct waiter {
	uint64_t ticket;
	bool next; /* for the reload after that under way */
};

/* What nobody needs any more; the builder frees it, as that may take a while. */
struct trash {
	struct config *config;
	struct ruleset_ttl *ttl;
	struct match_image *image;
};

struct reload {
	struct daemon *d;
	int done_fd; /* the builder has ended a job */
	pthread_t thread;

	pthread_mutex_t lock; /* of these; held for some instructions */
	pthread_cond_t wake;
	enum job job; /* for the builder to begin */
	struct trash trash;
	bool quit;

	/* The control thread's. */
	bool running; /* a job is under way */
	bool again; /* a reload was asked for meanwhile */
	unsigned int quiet; /* ticks since the last one */
	struct build build;
	struct waiter waiters[CTL_CLIENTS_MAX]; /* a client has one question at a time */
	size_t n_waiters;
	/* Of the last one that ended. */
	int error;
	struct diag diag;
};

/* Everything that can fail and shows nothing to the outside. */
static int
prepare(const struct daemon *d, struct build *b)
{
	struct diag why = {0};
	int r;

	r = config_load(d->conf_file, d->config, &b->config, &b->diag);
	if (r < 0)
		return r;
	r = ctl_conf_needs_restart(d->config->conf, b->config->conf, &why);
	if (r < 0)
		return diag_fail(&b->diag, r, "a restart is needed to change %s", why.msg);
	r = ruleset_ttl_note(d->ttl, b->config->rules, ttl_now_ms(), &b->ttl);
	if (r < 0)
		return diag_fail(&b->diag, r, "out of memory");
	r = eal_protect_new(b->config->conf, d->config->conf, &b->protect);
	if (r < 0)
		return diag_fail(&b->diag, r, "out of memory");
	r = samples_prepare(d->samples, b->config->conf, &b->sinks, &b->diag);
	if (r < 0)
		return r;
	/* Rules get counter slots here, which they keep: nothing is refused behind it but for memory. */
	r = ruleset_recompile(b->config->rules, d->config->rules, d->image, d->slots,
		MATCH_ENGINE_AUTO, &b->image, &b->diag);
	if (r < 0)
		return r;
	(void)ttl_apply(b->ttl, b->config->rules, b->image, ttl_now_ms());
	r = names_learn(d->names, b->config->rules, b->image);
	return r < 0 ? diag_fail(&b->diag, r, "out of memory") : 0;
}

/* Nothing fails after the image was taken. */
static int
put_in_force(const struct daemon *d, struct build *b)
{
	const int r = dp_publish(d->dp, b->image, &b->old_image);

	if (r < 0)
		return diag_fail(&b->diag, r, "too many rule names since the start");
	if (b->protect != NULL)
		dp_protect_publish(d->dp, b->protect);
	b->protect = NULL; /* the data plane's now */
	ttl_save(b->ttl, b->config->rules, b->config->conf);
	return 0;
}

static void
say_done(const struct reload *r)
{
	const uint64_t one = 1;

	if (write(r->done_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return; /* cannot be: the counter is read after every write */
}

/* The rules in force, whose image updates made, as one. */
static int
make_whole(const struct daemon *d, struct build *b)
{
	int r = ruleset_compile(d->config->rules, d->slots, MATCH_ENGINE_AUTO, &b->image, &b->diag);

	if (r < 0)
		return r;
	(void)ttl_apply(d->ttl, d->config->rules, b->image, ttl_now_ms());
	r = dp_publish(d->dp, b->image, &b->old_image);
	return r < 0 ? diag_fail(&b->diag, r, "too many rule names since the start") : 0;
}

static void
work(struct reload *r, enum job job)
{
	struct build *b = &r->build;

	switch (job) {
	case JOB_NONE: return;
	case JOB_RELOAD:
		b->error = prepare(r->d, b);
		if (b->error == 0)
			b->error = put_in_force(r->d, b);
		break;
	case JOB_WHOLE: b->error = make_whole(r->d, b); break;
	}
	say_done(r);
}

static void
empty(struct trash *t)
{
	match_image_free(t->image);
	ruleset_ttl_free(t->ttl);
	config_free(t->config);
}

/*
 * The builder's thread, one for the daemon's life: a new one for each job would have
 * its stack mapped and unmapped. It runs where the control thread does, never on a
 * worker's CPU, and lets that one go first.
 */
static void *
builder(void *arg)
{
	struct reload *r = arg;
	bool quit = false;

	privileges_none();
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BUILDER_NICE);
	while (!quit) {
		struct trash trash;
		enum job job;

		pthread_mutex_lock(&r->lock);
		while (r->job == JOB_NONE && r->trash.image == NULL && !r->quit)
			pthread_cond_wait(&r->wake, &r->lock);
		job = r->job;
		trash = r->trash;
		quit = r->quit;
		r->job = JOB_NONE;
		r->trash = (struct trash){0};
		pthread_mutex_unlock(&r->lock);
		work(r, job);
		empty(&trash);
	}
	return NULL;
}

static void
give(struct reload *r, enum job job)
{
	r->build = (struct build){.job = job};
	r->running = true;
	r->quiet = 0;
	pthread_mutex_lock(&r->lock);
	r->job = job;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

static void
throw_away(struct reload *r, const struct trash *trash)
{
	struct trash before;

	pthread_mutex_lock(&r->lock);
	before = r->trash;
	r->trash = *trash;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	empty(&before); /* the builder has not got to it yet: seldom */
}

/* Say how the last reload ended, to all who want to know. */
static void
tell(struct reload *r)
{
	char text[sizeof(r->diag.file) + sizeof(r->diag.msg) + 64];
	char state[sizeof(text) + 64];
	size_t kept = 0;

	if (r->error == 0) {
		log_line(LOG_LEVEL_NOTICE, "reloaded %s: %zu rules", r->d->conf_file,
			ruleset_count(r->d->config->rules));
		findings_log(r->d->config->rules, r->d->image);
		notify_send("READY=1\nSTATUS=reloaded");
	} else {
		log_diag(
			LOG_LEVEL_ERROR, "reload refused, the old configuration stays: ", &r->diag);
		diag_format(&r->diag, text, sizeof(text));
		(void)snprintf(state, sizeof(state), "READY=1\nSTATUS=reload refused: %s", text);
		notify_send(state);
	}

	for (size_t i = 0; i < r->n_waiters; i++) {
		if (r->waiters[i].next)
			r->waiters[kept++] = r->waiters[i];
		else
			ctl_server_answer(r->d->server, r->waiters[i].ticket,
				r->error == 0 ? "{\"ok\":true}" : NULL, &r->diag);
	}
	r->n_waiters = kept;
}

static void
start(struct reload *r)
{
	struct timespec now = {0};
	char state[64];

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(state);

	r->again = false;
	for (size_t i = 0; i < r->n_waiters; i++)
		r->waiters[i].next = false;
	r->diag = (struct diag){0};
	give(r, JOB_RELOAD);
}

static void
discard(struct build *b)
{
	sinks_discard(b->sinks);
	dp_protect_free(b->protect);
	match_image_free(b->image);
	ruleset_ttl_free(b->ttl);
	config_free(b->config);
}

/* A rate set at run time holds until the configuration says something new. */
static void
apply_settings(struct daemon *d, const struct ctl_conf *was, const struct ctl_conf *is)
{
	if (was->sample_one_in == is->sample_one_in)
		return;
	for (size_t i = 0; i < dp_port_count(d->dp); i++)
		dp_sample_set(d->dp, i, is->sample_one_in);
}

static void
commit(struct reload *r, struct build *b)
{
	struct daemon *d = r->d;
	struct trash trash = {.image = b->old_image};

	rules_report_wait(d->report);
	d->image = b->image;
	if (b->job == JOB_WHOLE) {
		throw_away(r, &trash);
		return;
	}
	apply_settings(d, d->config->conf, b->config->conf);
	samples_replace(d->samples, b->sinks);
	trash.ttl = d->ttl;
	trash.config = d->config;
	throw_away(r, &trash);
	d->ttl = b->ttl;
	d->config = b->config;
	d->n_slots = names_count(d->names);
}

/* The builder has ended: take over what it made. */
static void
finish(void *arg)
{
	struct reload *r = arg;
	uint64_t count;

	if (read(r->done_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	r->running = false;
	if (r->build.error == 0)
		commit(r, &r->build);
	else
		discard(&r->build);
	if (r->build.job == JOB_RELOAD) {
		r->error = r->build.error;
		r->diag = r->build.diag;
		tell(r);
	} else if (r->build.error == 0) {
		findings_log(r->d->config->rules, r->d->image);
	}
	if (r->again)
		start(r);
}

int
reload_new(struct daemon *d, struct reload **ret_reload, struct diag *diag)
{
	struct reload *r = mem_zalloc(sizeof(*r));
	int err;

	if (r == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r->d = d;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	r->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->done_fd < 0) {
		err = diag_fail(diag, -errno, "cannot make an event: %s", strerror(errno));
		goto fail;
	}
	err = loop_add(d->loop, r->done_fd, finish, r, diag);
	if (err < 0)
		goto fail;
	err = pthread_create(&r->thread, NULL, builder, r);
	if (err != 0) {
		err = diag_fail(diag, -err, "cannot start a thread: %s", strerror(err));
		loop_remove(d->loop, r->done_fd);
		goto fail;
	}
	*ret_reload = r;
	return 0;
fail:
	if (r->done_fd >= 0)
		close(r->done_fd);
	mem_free(r);
	return err;
}

void
reload_free(struct reload *reload)
{
	struct pollfd p;

	if (reload == NULL)
		return;
	p = (struct pollfd){.fd = reload->done_fd, .events = POLLIN};
	reload->again = false;
	while (reload->running)
		if (poll(&p, 1, -1) > 0)
			finish(reload);
	pthread_mutex_lock(&reload->lock);
	reload->quit = true;
	pthread_cond_signal(&reload->wake);
	pthread_mutex_unlock(&reload->lock);
	pthread_join(reload->thread, NULL);
	pthread_cond_destroy(&reload->wake);
	pthread_mutex_destroy(&reload->lock);
	loop_remove(reload->d->loop, reload->done_fd);
	close(reload->done_fd);
	mem_free(reload);
}

void
reload_tick(struct reload *reload)
{
	if (reload->running || !match_image_is_updated(reload->d->image))
		return;
	if (++reload->quiet >= QUIET_TICKS)
		give(reload, JOB_WHOLE);
}

void
reload_request(struct reload *reload)
{
	if (reload->running)
		reload->again = true;
	else
		start(reload);
}

int
reload_request_answered(struct reload *reload, uint64_t ticket)
{
	const bool next = reload->running;

	if (reload->n_waiters == DIM(reload->waiters))
		return -ENOSPC;
	reload->waiters[reload->n_waiters++] = (struct waiter){ticket, next};
	reload_request(reload);
	return 0;
}
