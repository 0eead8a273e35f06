// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cli.h"
#include "ctl/client.h"
#include "stats_text.h"

#define SOCKET_DEFAULT "/run/sluice/control.sock"
#define TIMEOUT_MS 5000

static struct {
	const char *socket;
	bool json, watch;
} args;

static int
ask(struct ctl_client *client, struct stats **ret_stats)
{
	struct diag diag = {0};
	char *answer = NULL;
	int r = ctl_client_ask(client, "{\"cmd\":\"stats\"}", TIMEOUT_MS, &answer, &diag);

	if (r == 0)
		r = stats_parse(answer, ret_stats, &diag);
	mem_free(answer);
	return r < 0 ? cli_fail_diag(CLI_FAILED, &diag) : CLI_DONE;
}

static void
sleep_until(struct timespec *next)
{
	next->tv_sec++;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
		;
}

static int
print_json(const struct stats *s)
{
	return stats_print_json(s, stdout) < 0 ? cli_fail(CLI_FAILED, "out of memory") : CLI_DONE;
}

/* A line a second until the daemon or the reader goes. */
static int
watch(struct ctl_client *client, struct stats **before, struct timespec *next)
{
	struct stats *now = NULL;
	int r = CLI_DONE;

	if (args.json)
		r = print_json(*before);
	while (r == CLI_DONE) {
		(void)fflush(stdout);
		if (cli_stdout_check() < 0)
			return CLI_DONE; /* cli_flush() tells why, unless the reader has gone */
		sleep_until(next);
		now = NULL;
		r = ask(client, &now);
		if (r != CLI_DONE)
			return r;
		if (args.json)
			r = print_json(now);
		else
			stats_print_line(*before, now, stdout);
		stats_free(*before);
		*before = now;
	}
	return r;
}

/* Packets a second need two looks, a second apart. */
static int
print_table(struct ctl_client *client, const struct stats *before, struct timespec *next)
{
	struct stats *now = NULL;
	int r;

	sleep_until(next);
	r = ask(client, &now);
	if (r == CLI_DONE)
		stats_print_table(before, now, stdout);
	stats_free(now);
	return r;
}

static int
stats_run(int argc, char **argv)
{
	struct ctl_client *client = NULL;
	struct stats *first = NULL;
	struct timespec next;
	struct diag diag = {0};
	int r;

	(void)argc;
	(void)argv;
	if (ctl_client_open(args.socket != NULL ? args.socket : SOCKET_DEFAULT, &client, &diag) < 0)
		return cli_fail_diag(CLI_FAILED, &diag);
	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	r = ask(client, &first);
	if (r == CLI_DONE && args.watch)
		r = watch(client, &first, &next);
	else if (r == CLI_DONE && args.json)
		r = print_json(first);
	else if (r == CLI_DONE)
		r = print_table(client, first, &next);
	stats_free(first);
	ctl_client_close(client);
	return r;
}

static const struct cli_opt stats_opts[] = {
	{'\0', "json", NULL, "Print what the daemon says, one JSON object on a line.", &args.json,
		NULL},
	{'\0', "watch", NULL, "Print one line a second.", &args.watch, NULL},
	{'S', "socket", "PATH", "The daemon's socket; default " SOCKET_DEFAULT ".", NULL,
		&args.socket},
	{0},
};

static const struct cli_example stats_examples[] = {
	{"sluice stats", "What happened within one second, and totals."},
	{"sluice stats --watch", "The same as one line a second, until interrupted."},
	{"sluice stats --json | jq .ports", "The daemon's own words, for other programs."},
	{0},
};

const struct cli_cmd cmd_stats = {
	.name = "stats",
	.args = "",
	.help = "Show what the daemon receives, drops, passes and loses.",
	.more = "Without --json and --watch looks twice, a second apart, for packets a second.",
	.examples = stats_examples,
	.opts = stats_opts,
	.min_args = 0,
	.max_args = 0,
	.run = stats_run,
};
