// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sluice_build.h"

#if HAVE_JANSSON
#include <jansson.h>
#endif

#include "base/diag.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "ctl/server.h"
#include "dp/dp.h"

#include "control.h"
#include "daemon.h"
#include "log.h"
#include "reload.h"
#include "rules_report.h"
#include "stats.h"

#define ARG_MAX_LEN 64 /* bytes of a request's argument with its NUL: names, rates */

/* The string @key of @request, "" when it has none. A build without JSON has no socket. */
static int
get_arg(const char *request, const char *key, char buf[ARG_MAX_LEN], struct diag *diag)
{
#if HAVE_JANSSON
	json_t *root = json_loads(request, 0, NULL);
	const json_t *member = json_object_get(root, key);
	const char *value = member != NULL ? json_string_value(member) : "";
	int r = 0;

	if (value == NULL || strlen(value) >= ARG_MAX_LEN)
		r = diag_fail(diag, -EINVAL, "%s: expected a short string", key);
	else
		(void)snprintf(buf, ARG_MAX_LEN, "%s", value);
	json_decref(root);
	return r;
#else
	(void)request;
	(void)buf;
	return diag_fail(diag, -ENOSYS, "%s: built without JSON", key);
#endif
}

static int
do_stats(struct daemon *d, const char *request, struct sbuf *answer, struct diag *diag)
{
	(void)request;
	(void)diag;
	sbuf_adds(answer, "{\"ok\":true,");
	stats_json(d, answer);
	sbuf_addc(answer, '}');
	return 0;
}

static int
do_reload(struct daemon *d, const char *request, struct sbuf *answer, struct diag *diag)
{
	(void)request;
	(void)answer;
	if (reload_request_answered(d->reload, ctl_server_defer(d->server)) < 0)
		return diag_fail(diag, -ENOSPC, "too many wait for a reload");
	return -EINPROGRESS;
}

static int
do_enforce(struct daemon *d, const char *request, struct sbuf *answer, struct diag *diag)
{
	char state[ARG_MAX_LEN];
	int r;

	r = get_arg(request, "state", state, diag);
	if (r < 0)
		return r;
	if (strcmp(state, "on") != 0 && strcmp(state, "off") != 0 && state[0] != '\0')
		return diag_fail(
			diag, -EINVAL, "state: expected \"on\" or \"off\", got \"%s\"", state);
	if (state[0] != '\0') {
		dp_enforce_set(d->dp, strcmp(state, "on") == 0);
		log_line(LOG_LEVEL_NOTICE, "enforce %s", state);
	}
	sbuf_addf(answer, "{\"ok\":true,\"state\":\"%s\"}", dp_enforce_get(d->dp) ? "on" : "off");
	return 0;
}

static int
do_rules(struct daemon *d, const char *request, struct sbuf *answer, struct diag *diag)
{
	struct rules_report_args args;
	int r;

	_Static_assert(RULES_REPORT_ARG == ARG_MAX_LEN, "arguments have one length");
	(void)answer;
	r = get_arg(request, "what", args.what, diag);
	if (r == 0)
		r = get_arg(request, "form", args.form, diag);
	if (r == 0)
		r = get_arg(request, "stage", args.stage, diag);
	if (r == 0)
		r = get_arg(request, "rule", args.rule, diag);
	return r < 0 ? r : rules_report_start(d->report, &args, diag);
}

static int
do_sample(struct daemon *d, const char *request, struct sbuf *answer, struct diag *diag)
{
	char rate[ARG_MAX_LEN], port[ARG_MAX_LEN];
	struct dp_port_info info;
	uint32_t one_in;
	bool found = false;
	int r;

	r = get_arg(request, "rate", rate, diag);
	if (r == 0)
		r = get_arg(request, "port", port, diag);
	if (r == 0)
		r = parse_one_in(rate, &one_in, diag);
	if (r < 0)
		return r;

	for (size_t i = 0; i < dp_port_count(d->dp); i++) {
		dp_port_info_get(d->dp, i, &info);
		if (port[0] != '\0' && strcmp(port, info.name) != 0)
			continue;
		dp_sample_set(d->dp, i, one_in);
		found = true;
	}
	if (!found)
		return diag_fail(diag, -ENOENT, "there is no port \"%s\"", port);
	log_line(LOG_LEVEL_NOTICE, "sample rate 1/%u%s%s", one_in, port[0] != '\0' ? " on " : "",
		port);
	sbuf_adds(answer, "{\"ok\":true}");
	return 0;
}

static const struct control_cmd {
	const char *name;
	int (*run)(struct daemon *d, const char *request, struct sbuf *answer, struct diag *diag);
} cmds[] = {
	{"enforce", do_enforce},
	{"reload", do_reload},
	{"rules", do_rules},
	{"sample", do_sample},
	{"stats", do_stats},
};

int
control_handle(
	void *arg, const char *cmd, const char *request, struct sbuf *answer, struct diag *diag)
{
	for (size_t i = 0; i < DIM(cmds); i++)
		if (strcmp(cmds[i].name, cmd) == 0)
			return cmds[i].run(arg, request, answer, diag);
	return diag_fail(
		diag, -ENOENT, "unknown command; known are enforce, reload, rules, sample, stats");
}
