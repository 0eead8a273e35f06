// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "ctl/server.h"
#include "rules/ruleset.h"

#include "config.h"
#include "daemon.h"
#include "loop.h"
#include "rules_report.h"

struct rules_report {
	struct daemon *d;
	int done_fd; /* the thread has ended */
	pthread_t thread;
	bool running;
	uint64_t ticket;

	/* The thread's while it runs, else the control thread's. */
	struct rules_report_args args;
	struct ruleset_report_opts opts;
	const struct ruleset *rules;
	const struct match_image *image;
	struct sbuf answer;
	struct diag diag;
	int error;
};

static const char *
or_null(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

static int
make_answer(struct rules_report *r)
{
	const bool json = r->opts.kind == RULESET_COST_JSON;
	struct sbuf text = SBUF_INIT;
	int e = ruleset_report(r->rules, r->image, &r->opts, &text, &r->diag);

	if (e == 0) {
		sbuf_adds(&r->answer,
			json ? "{\"ok\":true,\"version\":1," : "{\"ok\":true,\"text\":");
		if (json)
			sbuf_adds(&r->answer, sbuf_str(&text));
		else
			json_add_string(&r->answer, sbuf_str(&text));
		sbuf_addc(&r->answer, '}');
		if (!sbuf_ok(&r->answer))
			e = diag_fail(&r->diag, -ENOMEM, "out of memory");
	}
	sbuf_fini(&text);
	return e;
}

static void *
reporter(void *arg)
{
	struct rules_report *r = arg;
	const uint64_t one = 1;

	r->error = make_answer(r);
	if (write(r->done_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return NULL; /* cannot be: the counter is read after every write */
	return NULL;
}

static void
finish(void *arg)
{
	struct rules_report *r = arg;
	uint64_t count;

	if (read(r->done_fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	pthread_join(r->thread, NULL);
	r->running = false;
	ctl_server_answer(
		r->d->server, r->ticket, r->error == 0 ? sbuf_str(&r->answer) : NULL, &r->diag);
	sbuf_fini(&r->answer);
}

int
rules_report_new(struct daemon *d, struct rules_report **ret_report, struct diag *diag)
{
	struct rules_report *r = mem_zalloc(sizeof(*r));
	int err;

	if (r == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	r->d = d;
	r->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->done_fd < 0) {
		err = diag_fail(diag, -errno, "cannot make an event: %s", strerror(errno));
		mem_free(r);
		return err;
	}
	err = loop_add(d->loop, r->done_fd, finish, r, diag);
	if (err < 0) {
		close(r->done_fd);
		mem_free(r);
		return err;
	}
	*ret_report = r;
	return 0;
}

void
rules_report_wait(struct rules_report *report)
{
	struct pollfd p;

	if (report == NULL)
		return;
	p = (struct pollfd){.fd = report->done_fd, .events = POLLIN};
	while (report->running)
		if (poll(&p, 1, -1) > 0)
			finish(report);
}

void
rules_report_free(struct rules_report *report)
{
	if (report == NULL)
		return;
	rules_report_wait(report);
	loop_remove(report->d->loop, report->done_fd);
	close(report->done_fd);
	mem_free(report);
}

static int
read_args(struct rules_report *r, const struct rules_report_args *args, struct diag *diag)
{
	const bool json = strcmp(args->form, "json") == 0;

	if (!json && args->form[0] != '\0' && strcmp(args->form, "text") != 0)
		return diag_fail(diag, -EINVAL, "form: expected \"text\" or \"json\", got \"%s\"",
			args->form);
	r->args = *args;
	r->opts = (struct ruleset_report_opts){
		.stage = or_null(r->args.stage), .rule = or_null(r->args.rule)};
	if (strcmp(args->what, "cost") == 0)
		r->opts.kind = json ? RULESET_COST_JSON : RULESET_COST;
	else if (strcmp(args->what, "dump") == 0 && !json)
		r->opts.kind = RULESET_DUMP;
	else
		return diag_fail(diag, -EINVAL,
			"what: expected \"cost\" or, as text, \"dump\", got \"%s\"", args->what);
	return 0;
}

int
rules_report_start(
	struct rules_report *report, const struct rules_report_args *args, struct diag *diag)
{
	int err;

	if (report->running)
		return diag_fail(diag, -EBUSY, "another one of these is being made; try again");
	err = read_args(report, args, diag);
	if (err < 0)
		return err;
	report->rules = report->d->config->rules;
	report->image = report->d->image;
	report->answer = (struct sbuf)SBUF_INIT;
	report->diag = (struct diag){0};
	err = pthread_create(&report->thread, NULL, reporter, report);
	if (err != 0)
		return diag_fail(diag, -err, "cannot start a thread: %s", strerror(err));
	report->running = true;
	report->ticket = ctl_server_defer(report->d->server);
	return -EINPROGRESS;
}
