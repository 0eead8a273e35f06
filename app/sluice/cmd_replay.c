// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "cli.h"
#include "replay.h"

#define MOST_DEFAULT 5

static struct {
	const char *rules, *location, *most;
	bool json, verdicts;
} args;

/* Exit status, 0, or -EPIPE: the reader has gone. */
static int
put(struct sbuf *out)
{
	int r = 0;

	if (!sbuf_ok(out))
		return cli_fail(CLI_FAILED, "out of memory");
	if (out->len > 0 && fwrite(out->s, 1, out->len, stdout) != out->len)
		r = cli_stdout_check() == -EPIPE ? -EPIPE : cli_flush();
	out->len = 0;
	return r;
}

/* What is done is shown before waiting for more of a pipe. Exit status, 0, or -EPIPE. */
static int
show(struct replay *r, struct sbuf *lines)
{
	int status;

	replay_flush(r, lines);
	status = put(lines);
	if (status == 0 && fflush(stdout) == EOF)
		status = cli_stdout_check() == -EPIPE ? -EPIPE : cli_flush();
	return status;
}

static int
replay_frames(struct replay *r, struct pkt_reader *reader, struct sbuf *lines)
{
	const int dlt = pkt_reader_dlt(reader);
	struct pkt_frame frame;
	struct diag diag = {0};
	int more = 0, status = 0;

	while (status == 0 && (more = pkt_reader_next(reader, &frame, &diag)) > 0) {
		if (replay_frame(r, dlt, &frame, lines) < 0)
			status = cli_fail(CLI_FAILED, "out of memory");
		if (status == 0 && lines != NULL && lines->len >= BUFSIZ)
			status = put(lines);
		if (status == 0 && lines != NULL && pkt_reader_waits(reader))
			status = show(r, lines);
	}
	replay_flush(r, lines);
	if (status == 0 && lines != NULL)
		status = put(lines);
	return status == 0 && more < 0 ? cli_fail_diag(CLI_USAGE, &diag) : status;
}

static int
replay_one(struct replay *r, const char *path, struct sbuf *lines)
{
	struct pkt_reader *reader = NULL;
	struct diag diag = {0};
	int status = pkt_reader_open(path, &reader, &diag);

	if (status < 0)
		return cli_fail_diag(status == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	replay_file(r, path);
	status = replay_frames(r, reader, lines);
	pkt_reader_close(reader);
	return status;
}

/* What is counted so far is told also where a file broke off. */
static int
report(const struct replay *r, uint32_t most)
{
	struct sbuf out = SBUF_INIT;
	int status;

	if (args.json)
		replay_json(r, most, &out);
	else
		replay_text(r, most, &out);
	status = put(&out);
	sbuf_fini(&out);
	return status;
}

static int
replay_all(struct replay *r, int argc, char **argv, uint32_t most)
{
	struct sbuf lines = SBUF_INIT;
	int status = 0, told;

	if (argc == 0)
		status = replay_one(r, "-", args.verdicts ? &lines : NULL);
	for (int i = 0; status == 0 && i < argc; i++)
		status = replay_one(r, argv[i], args.verdicts ? &lines : NULL);
	sbuf_fini(&lines);
	if (status == -EPIPE)
		return CLI_DONE;
	if (args.verdicts || r->n_files == 0)
		return status;
	told = report(r, most);
	if (told == -EPIPE)
		told = CLI_DONE;
	return status != 0 ? status : told;
}

static int
replay_run(int argc, char **argv)
{
	struct replay r;
	struct diag diag = {0};
	uint32_t most = MOST_DEFAULT;
	int status;

	if (args.rules == NULL)
		return cli_fail(CLI_USAGE, "expected -r RULES; see sluice replay --help");
	if (args.json && args.verdicts)
		return cli_fail(CLI_USAGE, "--json and --verdicts: expected one of them");
	if (args.most != NULL && parse_u32(args.most, 0, REPLAY_MOST_MAX, &most, &diag) < 0)
		return cli_fail(CLI_USAGE, "--top: %s", diag.msg);
	status = replay_init(args.rules, args.location, &r, &diag);
	if (status < 0)
		status = cli_fail_diag(status == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	else
		status = replay_all(&r, argc, argv, most);
	replay_fini(&r);
	return status;
}

static const struct cli_opt replay_opts[] = {
	{'r', "rules", "RULES", "The rules, or a whole configuration.", NULL, &args.rules},
	{'\0', "location", "L", "Rules of this location are in force; default the file's [node].",
		NULL, &args.location},
	{'t', "top", "N", "List at most N destinations, protocols and ports each; default 5.", NULL,
		&args.most},
	{'\0', "verdicts", NULL, "Print one line for each frame instead: verdict and rule.",
		&args.verdicts, NULL},
	{'j', "json", NULL, "Print JSON.", &args.json, NULL},
	{0},
};

static const struct cli_example replay_examples[] = {
	{"sluice replay -r rules.ini attack.pcap",
		"What the rules would have dropped, and of whom."},
	{"sluice replay -r rules.ini --verdicts quiet.pcap | grep -n '^drop'",
		"The frames of an hour without attack that would be dropped."},
	{0},
};

const struct cli_cmd cmd_replay = {
	.name = "replay",
	.args = "[FILE…]",
	.help = "Tell what rules would do to the frames of savefiles.",
	.more = "FILE is a pcap or pcapng file, - or none standard input. Frames get the verdicts that the\n"
		"daemon would give them: rules in shadow and count rules only count, and vital frames\n"
		"(ARP, ND, LACP, LLDP, BFD, BGP; see [protect] in RULES) are not dropped within their\n"
		"rate by the capture's clock. when = attack counts as in force, TTLs do not run, port = is\n"
		"not looked at. A line of --verdicts is 'drop RULE', 'pass RULE' or 'pass -', with\n"
		"shadow=RULE (the first shadow rule that matched) and 'protected' behind where they apply.\n"
		"An example is FILE:N, as sluice explain takes it.",
	.examples = replay_examples,
	.opts = replay_opts,
	.min_args = 0,
	.max_args = -1,
	.run = replay_run,
};
