// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>

#include "base/diag.h"
#include "cli.h"
#include "ctl/conf.h"
#include "rules.h"
#include "rules/ruleset.h"

static int
check_file(const char *path)
{
	/* JIT or not is the daemon's machine's business, not the text's. */
	const struct rules_opts opts = {.conf_d = true, .engine = MATCH_ENGINE_INTERP};
	struct rules_file f;
	struct diag diag = {0};
	int status = CLI_DONE;
	int r = rules_file_load(path, &opts, &f, &diag);

	if (r < 0)
		status = cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	else
		printf("%s: %zu ports, %zu rules, no error\n", path, f.conf->n_ports,
			ruleset_count(f.rules));
	rules_file_fini(&f);
	return status;
}

static int
check_run(int argc, char **argv)
{
	int worst = CLI_DONE;

	for (int i = 0; i < argc; i++) {
		int status = check_file(argv[i]);

		if (status > worst)
			worst = status;
	}
	return worst;
}

static const struct cli_opt check_opts[] = {{0}};

static const struct cli_example check_examples[] = {
	{"sluice check /etc/sluice/sluiced.ini", "The configuration that sluiced would read."},
	{"sluice check rules.ini && systemctl reload sluiced",
		"Put changed rules in force only if they are right."},
	{0},
};

const struct cli_cmd cmd_check = {
	.name = "check",
	.args = "FILE…",
	.help = "Say whether configurations or rules files are right, without a daemon.",
	.more = "Reads each FILE and conf.d/*.ini beside it as sluiced -t does; - is standard input.\n"
		"A file of rules alone needs no [port].",
	.examples = check_examples,
	.opts = check_opts,
	.min_args = 1,
	.max_args = -1,
	.run = check_run,
};
