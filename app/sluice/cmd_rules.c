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
#include "base/json.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "cli.h"
#include "ctl/client.h"

#define SOCKET_DEFAULT "/run/sluice/control.sock"
#define TIMEOUT_MS 30000 /* a dump of tens of thousands of rules */

static struct {
	const char *socket, *stage, *rule;
	bool json;
} args;

static void
add_member(struct sbuf *out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	sbuf_addf(out, ",\"%s\":", key);
	json_add_string(out, value);
}

/* What the daemon answered; a build without JSON got none. */
static int
print_answer(const char *answer)
{
	int status = CLI_DONE;
#if HAVE_JANSSON
	json_t *root = json_loads(answer, 0, NULL);
	const char *text = json_string_value(json_object_get(root, "text"));

	if (args.json && json_object_get(root, "rules") != NULL) {
		(void)json_object_del(root, "ok");
		if (json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) < 0 &&
			!ferror(stdout))
			status = cli_fail(CLI_FAILED, "out of memory");
		(void)fputc('\n', stdout);
	} else if (!args.json && text != NULL) {
		(void)fputs(text, stdout);
	} else {
		status = cli_fail(CLI_FAILED,
			"the daemon's answer is not of this version; are sluice and sluiced of one version?");
	}
	json_decref(root);
#else
	(void)fputs(answer, stdout);
#endif
	return status;
}

static int
rules_run(int argc, char **argv)
{
	struct ctl_client *client = NULL;
	struct sbuf request = SBUF_INIT;
	struct diag diag = {0};
	char *answer = NULL;
	int r, status;

	(void)argc;
	if (strcmp(argv[0], "cost") != 0 && strcmp(argv[0], "dump") != 0)
		return cli_fail(CLI_USAGE, "expected cost or dump, got '%s'", argv[0]);
	if (args.stage != NULL && strcmp(argv[0], "dump") != 0)
		return cli_fail(CLI_USAGE, "--stage: expected dump");
	if (args.json && strcmp(argv[0], "cost") != 0)
		return cli_fail(CLI_USAGE, "--json: expected cost");
	sbuf_adds(&request, "{\"cmd\":\"rules\"");
	add_member(&request, "what", argv[0]);
	add_member(&request, "form", args.json ? "json" : "text");
	add_member(&request, "stage", args.stage);
	add_member(&request, "rule", args.rule);
	sbuf_adds(&request, "}");
	if (!sbuf_ok(&request))
		r = diag_fail(&diag, -ENOMEM, "out of memory");
	else
		r = ctl_client_open(
			args.socket != NULL ? args.socket : SOCKET_DEFAULT, &client, &diag);
	if (r == 0)
		r = ctl_client_ask(client, sbuf_str(&request), TIMEOUT_MS, &answer, &diag);
	status = r < 0 ? cli_fail_diag(CLI_FAILED, &diag) : print_answer(answer);
	mem_free(answer);
	sbuf_fini(&request);
	ctl_client_close(client);
	return status;
}

static const struct cli_opt rules_opts[] = {
	{'\0', "json", NULL, "Print what cost says as one JSON object on a line.", &args.json,
		NULL},
	{'\0', "rule", "NAME", "Only what concerns this rule.", NULL, &args.rule},
	{'\0', "stage", "paths|items|clusters|tables|kernels", "Of dump only this stage.", NULL,
		&args.stage},
	{'S', "socket", "PATH", "The daemon's socket; default " SOCKET_DEFAULT ".", NULL,
		&args.socket},
	{0},
};

static const struct cli_example rules_examples[] = {
	{"sluice rules cost", "What frames cost that match each rule of the daemon."},
	{"sluice rules cost --json | jq .image", "The whole image's bytes, nanoseconds and build."},
	{"sluice rules dump --stage kernels", "What finds each rule."},
	{"sluice rules dump --rule flood", "All about one rule."},
	{0},
};

const struct cli_cmd cmd_rules = {
	.name = "rules",
	.args = "cost|dump",
	.help = "Show what the daemon's rules cost, or what they are compiled to.",
	.more = "cost: for each rule the kernel that finds it, its table, items, bytes, the longest "
		"chain of items compared, items behind which its program is asked, and the "
		"nanoseconds that a frame takes which matches it. They are measured when asked, on "
		"the daemon's image, by frames made of the rule's own constants, 32 at a time, in "
		"the cache: without the driver. ~ means that there was no time to measure this one: "
		"it is what its neighbour takes.\n"
		"\n"
		"dump: what programs ask (paths), the same as masked words (items), which of them one "
		"hash tells apart (clusters), the tables, and what finds each rule (kernels).\n"
		"\n"
		"sluice check says the same of files, without a daemon.",
	.examples = rules_examples,
	.opts = rules_opts,
	.min_args = 1,
	.max_args = 1,
	.run = rules_run,
};
