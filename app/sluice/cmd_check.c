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
	bool dump, cost, json;
	const char *stage, *rule;
} args;

/* What the rules are compiled to, or cost. */
static int
report(const struct rules_file *f, int kind)
{
	const struct ruleset_report_opts opts = {
		.kind = kind, .stage = args.stage, .rule = args.rule};
	struct sbuf out = SBUF_INIT;
	struct diag diag = {0};
	int status = CLI_DONE;
	int r = ruleset_report(f->rules, f->image, &opts, &out, &diag);

	if (r < 0)
		status = cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	else if (kind == RULESET_COST_JSON)
		printf("{\"version\":1,%s}\n", sbuf_str(&out));
	else
		(void)fputs(sbuf_str(&out), stdout);
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

/* All that is asked of a file without errors. */
static int
tell(const char *path, const struct rules_file *f)
{
	int status;

	if (args.json)
		return report(f, RULESET_COST_JSON);
	status = say_checked(path, f);
	if (status == CLI_DONE)
		status = print_findings(f);
	if (status == CLI_DONE && args.dump)
		status = report(f, RULESET_DUMP);
	if (status == CLI_DONE && args.cost)
		status = report(f, RULESET_COST);
	return status;
}

static int
check_file(const char *path)
{
	/* JIT or not is the daemon's machine's business, not the text's. */
	const struct rules_opts opts = {
		.conf_d = true, .engine = args.cost ? MATCH_ENGINE_AUTO : MATCH_ENGINE_INTERP};
	struct rules_file f;
	struct diag diag = {0};
	int status;
	int r = rules_file_load(path, &opts, &f, &diag);

	if (r < 0)
		status = cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	else
		status = tell(path, &f);
	rules_file_fini(&f);
	return status;
}

static int
check_run(int argc, char **argv)
{
	int worst = CLI_DONE;

	if (args.stage != NULL && !args.dump)
		return cli_fail(CLI_USAGE, "--stage: expected --dump, too");
	if (args.rule != NULL && !args.dump && !args.cost)
		return cli_fail(CLI_USAGE, "--rule: expected --dump or --cost, too");
	if (args.json && (!args.cost || args.dump))
		return cli_fail(CLI_USAGE, "--json: expected --cost, and no --dump");
	for (int i = 0; i < argc; i++) {
		int status = check_file(argv[i]);

		if (status > worst)
			worst = status;
	}
	return worst;
}

static const struct cli_opt check_opts[] = {
	{'d', "dump", NULL, "Also print what the rules are compiled to, stage by stage.",
		&args.dump, NULL},
	{'\0', "stage", "paths|items|clusters|tables|kernels", "Of --dump only this stage.", NULL,
		&args.stage},
	{'\0', "cost", NULL, "Also print what each rule costs, measured on this machine.",
		&args.cost, NULL},
	{'\0', "rule", "NAME", "Of --dump and --cost only what concerns this rule.", NULL,
		&args.rule},
	{'\0', "json", NULL, "Print what --cost says as a JSON object, and nothing else.",
		&args.json, NULL},
	{0},
};

static const struct cli_example check_examples[] = {
	{"sluice check /etc/sluice/sluiced.ini", "The configuration that sluiced would read."},
	{"sluice check rules.ini && systemctl reload sluiced",
		"Put changed rules in force only if they are right."},
	{"sluice check --dump --rule flood rules.ini", "How the engine looks for a rule's frames."},
	{"sluice check --cost rules.ini", "What frames cost that match each rule."},
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
