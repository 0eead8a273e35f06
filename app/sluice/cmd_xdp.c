// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cli.h"
#include "ctl/conf.h"
#include "output.h"
#include "rules.h"
#include "rules/ruleset.h"
#include "xdp/xdp.h"
#include "xdp_counters.h"

#define OBJECT_MAX (UINT32_C(1) << 30) /* bytes of a file that is read */
#define FILE_MODE 0644
#define SNAPLEN_MAX 65535

static struct {
	bool no_ttl, json;
	const char *rules, *format, *file, *location, *port, *sample, *snaplen, *hook;
	const char *patch, *list, *counters;
	const char *enable[CLI_MANY_MAX + 1], *disable[CLI_MANY_MAX + 1];
} args;

/* ---- from rules ---- */

/* Refuse a rule with its place. */
static int
refuse(const struct ruleset_info *info, const char *why)
{
	return cli_fail(CLI_USAGE, "%s:%u: [rule %s]: %s", info->file, info->line, info->name, why);
}

/* The bit of the port that the program is for; all of them where no port is named. */
static int
port_bit(const struct ctl_conf *conf, uint64_t *ret)
{
	*ret = UINT64_MAX;
	if (args.port == NULL)
		return CLI_DONE;
	for (size_t i = 0; i < conf->n_ports; i++) {
		if (strcmp(conf->ports[i].name, args.port) == 0) {
			*ret = UINT64_C(1) << i;
			return CLI_DONE;
		}
	}
	return cli_fail(CLI_USAGE, "there is no [port %.60s] in '%s'", args.port, args.rules);
}

static int
take_rule(const struct ruleset *rs, size_t i, uint64_t port, struct xdp_rule *ret)
{
	const struct ruleset_info *info = ruleset_info(rs, i);
	const struct match_rule *m = ruleset_rule(rs, i);

	if (info->ttl_ms != 0 && !args.no_ttl)
		return refuse(info,
			"nothing ends its ttl in an XDP program; --no-ttl takes it as it is, to be switched off by hand");
	if (args.port == NULL && m->scope.ports != UINT64_MAX)
		return refuse(
			info, "it is for some ports; say with --port which the program is for");
	*ret = (struct xdp_rule){
		.m = m,
		.file = info->file,
		.line = info->line,
		.locations = info->locations,
		.on = info->enabled && info->armed && (m->scope.ports & port) != 0,
		.here = info->here,
	};
	return CLI_DONE;
}

static int
take_rules(const struct rules_file *f, struct xdp_rule **ret)
{
	const size_t n = ruleset_count(f->rules);
	struct xdp_rule *rules = mem_calloc(n + 1, sizeof(*rules));
	uint64_t port;
	int status;

	if (rules == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	status = port_bit(f->conf, &port);
	for (size_t i = 0; i < n && status == CLI_DONE; i++)
		status = take_rule(f->rules, i, port, &rules[i]);
	if (status != CLI_DONE)
		mem_free(rules);
	else
		*ret = rules;
	return status;
}

static int
take_sampling(uint32_t default_snaplen, uint32_t *ret_one_in, uint32_t *ret_snaplen)
{
	struct diag diag = {0};

	*ret_snaplen = default_snaplen;
	if (args.sample != NULL && parse_one_in(args.sample, ret_one_in, &diag) < 0)
		return cli_fail(CLI_USAGE, "--sample: %s", diag.msg);
	if (args.snaplen != NULL && parse_u32(args.snaplen, 1, SNAPLEN_MAX, ret_snaplen, &diag) < 0)
		return cli_fail(CLI_USAGE, "--snaplen: %s", diag.msg);
	return CLI_DONE;
}

static int
fail_with(int r, const struct diag *diag)
{
	return cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, diag);
}

/* "ip link" loads one program alone; nobody should find that out by its message. */
static void
note_chain(const struct xdp_plan *plan, const char *file)
{
	const size_t n = xdp_plan_programs(plan);

	if (n > 1)
		(void)cli_fail(CLI_DONE,
			"%s holds %zu programs; load it with bpftool prog loadall … pinmaps, as sluice xdp --help says",
			file, n);
}

static int
write_plan(const struct xdp_plan *plan, bool as_c)
{
	const char *file = args.file != NULL ? args.file : "-";
	struct sbuf out = SBUF_INIT;
	struct diag diag = {0};
	int r, status;

	if (as_c)
		r = xdp_write_c(plan, &out);
	else
		r = xdp_write_object(plan, &out, &diag);
	if (r == -ENOMEM)
		status = cli_fail(CLI_FAILED, "out of memory");
	else if (r < 0)
		status = fail_with(r, &diag);
	else
		status = output_write(&out, file, FILE_MODE);
	if (status == CLI_DONE && !as_c)
		note_chain(plan, file);
	sbuf_fini(&out);
	return status;
}

static int
make_from(const struct rules_file *f, bool as_c)
{
	struct xdp_opts opts = {
		.writer = as_c ? XDP_C : XDP_OBJECT,
		.n_rules = ruleset_count(f->rules),
		.vital = f->conf->vital,
		.gtsm = f->conf->gtsm,
		.peers = f->conf->peers,
		.n_peers = f->conf->n_peers,
		.vital_pps = f->conf->vital_pps,
		.sampling = args.sample != NULL,
		.hook = args.hook,
	};
	struct xdp_rule *rules = NULL;
	struct xdp_plan *plan = NULL;
	struct diag diag = {0};
	int r, status;

	status = take_sampling(f->conf->sample_snaplen, &opts.sample_one_in, &opts.snaplen);
	if (status == CLI_DONE)
		status = take_rules(f, &rules);
	if (status != CLI_DONE)
		return status;
	opts.rules = rules;
	r = xdp_plan_new(&opts, &plan, &diag);
	status = r < 0 ? fail_with(r, &diag) : write_plan(plan, as_c);
	xdp_plan_free(plan);
	mem_free(rules);
	return status;
}

static int
make(void)
{
	/* As a daemon reads it: what only a daemon can do is refused. */
	const struct rules_opts opts = {.location = args.location, .engine = MATCH_ENGINE_INTERP};
	const bool as_c = args.format != NULL && strcmp(args.format, "c") == 0;
	struct rules_file f;
	struct diag diag = {0};
	int r, status;

	if (args.format != NULL && !as_c && strcmp(args.format, "ebpf") != 0)
		return cli_fail(CLI_USAGE, "-f: expected ebpf or c, got '%.40s'", args.format);
	if (args.file == NULL && !as_c && isatty(STDOUT_FILENO))
		return cli_fail(CLI_USAGE, "an object is nothing for a terminal: expected -w FILE");
	r = rules_file_load(args.rules, &opts, &f, &diag);
	status = r < 0 ? fail_with(r, &diag) : make_from(&f, as_c);
	rules_file_fini(&f);
	return status;
}

/* ---- from an object ---- */

static int
read_object(const char *path, struct sbuf *file, struct xdp_object *ret)
{
	struct diag diag = {0};
	char *bytes = NULL;
	size_t len = 0;
	int r = file_read(path, OBJECT_MAX, &bytes, &len, &diag);

	if (r == 0) {
		file->s = bytes;
		file->len = len;
		file->cap = len + 1;
		r = xdp_object_open(file->s, file->len, ret, &diag);
	}
	if (r == 0)
		return CLI_DONE;
	diag_set_file(&diag, path);
	return fail_with(r, &diag);
}

static int
switch_rules(struct xdp_object *o, const char *const *names, bool on)
{
	struct diag diag = {0};

	for (; *names != NULL; names++)
		if (xdp_object_enable(o, *names, on, &diag) < 0)
			return cli_fail(CLI_USAGE, "%s", diag.msg);
	return CLI_DONE;
}

static int
change(struct xdp_object *o)
{
	uint32_t was[2], one_in, snaplen;
	int status;

	if (!o->sampling && (args.sample != NULL || args.snaplen != NULL))
		return cli_fail(CLI_USAGE,
			"the object cannot sample: expected one that was made with --sample (1/N, or off)");
	memcpy(was, o->sample, sizeof(was));
	one_in = was[0];
	status = take_sampling(was[1], &one_in, &snaplen);
	if (status == CLI_DONE)
		status = switch_rules(o, args.enable, true);
	if (status == CLI_DONE)
		status = switch_rules(o, args.disable, false);
	if (status != CLI_DONE)
		return status;
	if (args.sample != NULL || args.snaplen != NULL)
		xdp_object_sample(o, one_in, snaplen);
	if (args.location != NULL)
		xdp_object_move(o, args.location);
	return CLI_DONE;
}

static int
print_rules(const struct xdp_object *o)
{
	static const char *const states[] = {
		"disabled, other location", "other location", "disabled", "in force"};

	struct sbuf out = SBUF_INIT;
	int status;

	sbuf_addf(&out, "%5s  %-40s  %-24s  %s\n", "SLOT", "RULE", "STATE", "LOCATIONS");
	for (size_t i = 0; i < o->n && xdp_object_name(o, 0)[0] != '\0'; i++) {
		const char *where = xdp_object_where(o, i);

		sbuf_addf(&out, "%5zu  %-40s  %-24s  ", i, xdp_object_name(o, i),
			states[o->on[i] & 3]);
		sbuf_add_printable(&out, where[0] != '\0' ? where : "-");
		sbuf_addc(&out, '\n');
	}
	status = output_write(&out, "-", FILE_MODE);
	sbuf_fini(&out);
	return status;
}

static int
with_object(const char *path)
{
	struct sbuf file = SBUF_INIT;
	struct xdp_object o;
	int status = read_object(path, &file, &o);

	if (status != CLI_DONE) {
		/* It has been told. */
	} else if (args.patch != NULL) {
		status = change(&o);
		if (status == CLI_DONE)
			status = output_write(
				&file, args.file != NULL ? args.file : path, FILE_MODE);
	} else if (args.counters != NULL) {
		status = xdp_counters_print(&o, args.json);
	} else {
		status = print_rules(&o);
	}
	sbuf_fini(&file);
	return status;
}

static int
xdp_run(int argc, char **argv)
{
	const char *const modes[] = {args.rules, args.patch, args.list, args.counters};
	size_t n = 0;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < DIM(modes); i++)
		n += modes[i] != NULL;
	if (n != 1)
		return cli_fail(CLI_USAGE,
			"expected one of -r RULES, --patch OBJECT, --list OBJECT and --counters OBJECT");
	if (args.patch == NULL && (args.enable[0] != NULL || args.disable[0] != NULL))
		return cli_fail(CLI_USAGE,
			"--enable and --disable go with --patch; in RULES there is enabled = no");
	if (args.counters == NULL && args.json)
		return cli_fail(CLI_USAGE, "--json goes with --counters");
	if (args.rules != NULL)
		return make();
	if (args.hook != NULL || args.format != NULL || args.port != NULL || args.no_ttl)
		return cli_fail(CLI_USAGE, "-f, --port, --hook and --no-ttl go with -r");
	if (args.patch == NULL &&
		(args.file != NULL || args.location != NULL || args.sample != NULL ||
			args.snaplen != NULL))
		return cli_fail(
			CLI_USAGE, "-w, --location, --sample and --snaplen go with -r and --patch");
	return with_object(args.patch != NULL ? args.patch
			: args.list != NULL   ? args.list
					      : args.counters);
}

static const struct cli_opt xdp_opts_table[] = {
	{'r', "rules", "RULES", "Make a program of these rules, or of a whole configuration.", NULL,
		&args.rules},
	{'f', "format", "ebpf|c", "Write an object file (the default), or source.", NULL,
		&args.format},
	{'w', "write", "FILE", "Write to FILE, whole or not at all; default - (standard output).",
		NULL, &args.file},
	{'l', "location", "L", "Rules of this location are in force; default the file's [node].",
		NULL, &args.location},
	{'p', "port", "NAME", "The program is for this [port]; for rules that name ports.", NULL,
		&args.port},
	{'s', "sample", "1/N", "Sample so many frames into sluice_samples; off: later, by --patch.",
		NULL, &args.sample},
	{'\0', "snaplen", "BYTES", "Bytes of a frame in a sample; default that of [sample].", NULL,
		&args.snaplen},
	{'\0', "hook", "PATH", "Let xdpcap look: tail-call the program array pinned at PATH.", NULL,
		&args.hook},
	{'\0', "no-ttl", NULL, "Take rules with a ttl, too; they do not end.", &args.no_ttl, NULL},
	{'P', "patch", "OBJECT", "Change an object before it is loaded.", NULL, &args.patch},
	{'e', "enable", "RULE", "With --patch: the rule is in force. May be repeated.", NULL,
		args.enable},
	{'d', "disable", "RULE", "With --patch: it is not. May be repeated.", NULL, args.disable},
	{'L', "list", "OBJECT", "List the rules in an object: slot, name, state, locations.", NULL,
		&args.list},
	{'c', "counters", "OBJECT", "Print counters by the rules' names, from bpftool's on stdin.",
		NULL, &args.counters},
	{'j', "json", NULL, "Print counters as JSON.", &args.json, NULL},
	{0},
};

static const struct cli_example xdp_examples[] = {
	{"sluice xdp -r rules.ini -w rules.o && ip link set dev eth0 xdp obj rules.o sec xdp",
		"Drop in the driver what the daemon would drop."},
	{"bpftool -j map dump id 42 | sluice xdp --counters rules.o",
		"What each rule has matched and dropped; bpftool map show has the id."},
	{"sluice xdp --list rules.o",
		"Slots, for bpftool map update id 43 key 3 0 0 0 value 2 0 0 0 (slot 3 off)."},
	{"sluice xdp --patch rules.o --location ams --disable random-subdomains",
		"Make the same object ready for another place."},
	{0},
};

const struct cli_cmd cmd_xdp = {
	.name = "xdp",
	.args = "",
	.help = "Make one XDP program of a ruleset, for machines that run no daemon.",
	.more = "The program gives the verdicts that the daemon would give, and counts the same. It is\n"
		"loaded with ip link, bpftool or xdp-loader; -f c is source for clang -O2 -g -target bpf -c.\n"
		"Long rulesets become several programs that call each other, which only bpftool loads:\n"
		"bpftool prog loadall FILE /sys/fs/bpf/sluice type xdp pinmaps /sys/fs/bpf/sluice-maps, then\n"
		"ip link set dev eth0 xdp pinned /sys/fs/bpf/sluice/sluice_xdp. (Without pinmaps the kernel\n"
		"empties the map of programs, and all frames pass.) The maps are\n"
		"  sluice_counters  packets, bytes (of IP), dropped, would_drop … by slot, per CPU\n"
		"  sluice_switch    by slot: 0 as the object says, 1 in force, 2 not\n"
		"  sluice_stats     frames received, dropped, passed, truncated …, per CPU\n"
		"  sluice_samples   perf events: 32 bytes of verdict and rule, then the frame's first\n"
		"A slot is the rule's place in effective order, as --list shows it. Rules that need a\n"
		"clock or the daemon (ttl, when = attack, limit) are refused.",
	.examples = xdp_examples,
	.opts = xdp_opts_table,
	.many = "ed",
	.min_args = 0,
	.max_args = 0,
	.run = xdp_run,
};
