// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "cli.h"
#include "ctl/conf.h"
#include "match/report.h"
#include "match/rule.h"
#include "rules.h"
#include "rules/ruleset.h"

static struct {
	bool dump;
} args;

static const char *
name_of(const void *rules, uint32_t index)
{
	return ruleset_rule(rules, index)->name;
}

/* What the rules are compiled to. */
static int
dump(const struct rules_file *f)
{
	struct sbuf out = SBUF_INIT;
	int status = CLI_DONE;

	match_image_dump(f->image, name_of, f->rules, &out);
	if (sbuf_ok(&out))
		(void)fputs(sbuf_str(&out), stdout);
	else
		status = CLI_FAILED;
	sbuf_fini(&out);
	return status;
}

/* Rules that can never decide or match: no error, since they may be meant for later. */
static int
print_findings(const struct rules_file *f)
{
	struct sbuf out = SBUF_INIT;
	int status = CLI_DONE;
	size_t n;
	bool cut;
	const struct match_finding *v = match_image_findings(f->image, &n, &cut);

	for (size_t i = 0; i < n; i++) {
		ruleset_finding_text(f->rules, &v[i], &out);
		sbuf_addc(&out, '\n');
	}
	if (cut)
		sbuf_adds(&out, "not all rules were compared: there may be more of these\n");
	if (sbuf_ok(&out))
		(void)fputs(sbuf_str(&out), stdout);
	else
		status = CLI_FAILED;
	sbuf_fini(&out);
	return status;
}

static int
say_checked(const char *path, const struct rules_file *f)
{
	struct sbuf out = SBUF_INIT;
	int status = CLI_DONE;

	sbuf_add_printable(&out, path);
	sbuf_addf(&out, ": %zu ports, %zu rules, no error\n", f->conf->n_ports,
		ruleset_count(f->rules));
	if (sbuf_ok(&out))
		(void)fputs(sbuf_str(&out), stdout);
	else
		status = cli_fail(CLI_FAILED, "out of memory");
	sbuf_fini(&out);
	return status;
}

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
		status = say_checked(path, &f);
	if (r >= 0 && status == CLI_DONE)
		status = print_findings(&f);
	if (r >= 0 && status == CLI_DONE && args.dump)
		status = dump(&f);
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

static const struct cli_opt check_opts[] = {
	{'d', "dump", NULL, "Also print what the rules are compiled to.", &args.dump, NULL},
	{0},
};

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
		"A file of rules alone needs no [port].\n"
		"\n"
		"Tells of rules that can never decide, since earlier ones take all their frames "
		"(rules that pass or drop, enforced, on all ports, without ttl, locations and "
		"when), and of rules that can never match. That is no error.",
	.examples = check_examples,
	.opts = check_opts,
	.min_args = 1,
	.max_args = -1,
	.run = check_run,
};
