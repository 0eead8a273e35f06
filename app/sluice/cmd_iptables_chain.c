// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cli.h"
#include "gen/gen.h"
#include "script.h"
#include "shell.h"

#define NAME_MAX_LEN 27 /* bytes: "_ip4" makes it the name of an ipset; a chain may have 28 */

static struct {
	bool inet6, pinned;
	const char *write;
	const char *ips[CLI_MANY_MAX + 1];
	const char *accept[CLI_MANY_MAX + 1], *drop[CLI_MANY_MAX + 1];
} args;

/* Names that iptables do not take for a chain. */
static const char *const reserved[] = {"ACCEPT", "DROP", "FORWARD", "INPUT", "OUTPUT",
	"POSTROUTING", "PREROUTING", "QUEUE", "RETURN"};

/* The chain is called as the script, in capitals. */
static int
make_chain_name(char *chain)
{
	if (args.write == NULL)
		return cli_fail(CLI_USAGE, "expected a name for script and chain, by -w");
	if (!shell_is_name(args.write))
		return cli_fail(CLI_USAGE,
			"-w: expected a name of A-Z, a-z, 0-9, '_', '.' and '-', with neither of the last "
			"in front, got '%.60s'",
			args.write);
	if (strlen(args.write) > NAME_MAX_LEN)
		return cli_fail(CLI_USAGE, "-w: expected a name of at most %d bytes, got %zu",
			NAME_MAX_LEN, strlen(args.write));
	for (size_t i = 0; i <= strlen(args.write); i++)
		chain[i] = (char)toupper((unsigned char)args.write[i]);
	for (size_t i = 0; i < DIM(reserved); i++)
		if (strcmp(chain, reserved[i]) == 0)
			return cli_fail(CLI_USAGE, "-w: %s is a name of iptables' own", chain);
	return CLI_DONE;
}

/* The match for @program, number @n of the chain's objects. */
static int
add_program(struct sbuf *b, const char *chain, const struct gen_out *program, unsigned int n,
	struct script_objects *objects)
{
	char name[NAME_MAX_LEN + 16];

	if (!args.pinned) {
		script_add_bpf(b, program);
		return CLI_DONE;
	}
	(void)snprintf(name, sizeof(name), "%s_ip%d_%u", chain, args.inet6 ? 6 : 4, n);
	script_add_pinned(b, name);
	return script_add_object(objects, name, program, args.inet6);
}

/* Append the rule of the chain for one pattern, the @n-th; "any" is all. */
static int
add_entry(struct sbuf *b, const char *chain, const char *pattern, const char *target,
	unsigned int n, struct script_objects *objects)
{
	const struct gen_opts opts = {.family = args.inet6 ? 6 : 4};
	const char *const words[] = {"-i", "--", pattern};
	struct sbuf comment = SBUF_INIT;
	struct gen_out program = {0};
	int status;

	sbuf_addf(b, "\t\"${iptables[@]}\" --wait -A %s", chain);
	if (strcmp(pattern, "any") != 0) {
		status = script_gen("dns", &opts, DIM(words), words, args.pinned, &program);
		if (status == CLI_DONE)
			status = add_program(b, chain, &program, n, objects);
		gen_out_fini(&program);
		if (status != CLI_DONE)
			return status;
	}
	sbuf_adds(&comment, "dns -- -i ");
	shell_add_printable(&comment, pattern);
	script_add_comment(b, sbuf_str(&comment));
	if (!sbuf_ok(&comment))
		b->failed = true;
	sbuf_fini(&comment);
	sbuf_addf(b, " \\\n\t\t-j %s\n", target);
	return CLI_DONE;
}

/* What makes the chain; one that an interrupted run left is filled anew. */
static int
add_chain(struct sbuf *b, const char *chain, struct script_objects *objects)
{
	int status = CLI_DONE;
	unsigned int n = 0;

	sbuf_addf(b,
		"chain_exists() {\n\t\"${iptables[@]}\" --wait -n -L %s >/dev/null 2>&1\n}\n\n"
		"chain_create() {\n\tif chain_exists; then\n\t\t\"${iptables[@]}\" --wait -F %s\n"
		"\telse\n\t\t\"${iptables[@]}\" --wait -N %s\n\tfi\n",
		chain, chain, chain);
	for (const char **p = args.accept; status == CLI_DONE && *p != NULL; p++)
		status = add_entry(b, chain, *p, "ACCEPT", n++, objects);
	for (const char **p = args.drop; status == CLI_DONE && *p != NULL; p++)
		status = add_entry(b, chain, *p, "DROP", n++, objects);
	sbuf_addf(b, "\t\"${iptables[@]}\" --wait -A %s -j RETURN\n}\n\n", chain);
	return status;
}

static void
add_options(struct sbuf *b, const char *letter, const char *const *values)
{
	for (; *values != NULL; values++) {
		sbuf_addf(b, " %s ", letter);
		shell_add_word(b, *values);
	}
}

/* The command as it can be given again. */
static void
add_command(struct sbuf *b)
{
	sbuf_addf(b, "sluice iptables-chain%s%s -w %s", args.inet6 ? " -6" : "",
		args.pinned ? " --object-pinned" : "", args.write);
	add_options(b, "-i", args.ips);
	add_options(b, "-a", args.accept);
	add_options(b, "-d", args.drop);
}

static int
make_script(const char *chain)
{
	char set[SCRIPT_SET_MAX + 1], file[sizeof(set) + 3];
	struct sbuf out = SBUF_INIT, command = SBUF_INIT, rules = SBUF_INIT;
	struct script_objects objects = {0};
	int status;

	(void)snprintf(set, sizeof(set), "%s_ip%d", args.write, args.inet6 ? 6 : 4);
	(void)snprintf(file, sizeof(file), "%s.sh", set);
	add_command(&command);
	/* The head has the objects of the chain's rules. */
	status = add_chain(&rules, chain, &objects);
	const struct script s = {
		.inet6 = args.inet6,
		.file = file,
		.set = set,
		.chain = chain,
		.command = sbuf_str(&command),
		.ips = args.ips,
		/* What the dns generator takes for granted. */
		.scope = {.proto = 17, .dport = 53, .no_later_fragments = true},
		.objects = args.pinned ? &objects : NULL,
	};

	script_add_head(&out, &s, NULL);
	script_add_rule(&out, &s, "", chain);
	sbuf_adds(&out, sbuf_str(&rules));
	script_add_tail(&out, &s);
	if (status == CLI_DONE && (!sbuf_ok(&command) || !sbuf_ok(&rules)))
		status = cli_fail(CLI_FAILED, "out of memory");
	if (status == CLI_DONE)
		status = script_write(&out, file);
	script_objects_fini(&objects);
	sbuf_fini(&rules);
	sbuf_fini(&command);
	sbuf_fini(&out);
	return status;
}

static int
iptables_chain_run(int argc, char **argv)
{
	char chain[NAME_MAX_LEN + 1];
	int status;

	(void)argc;
	(void)argv;
	status = make_chain_name(chain);
	if (status == CLI_DONE)
		status = script_check_ips(args.ips, args.inet6);
	if (status != CLI_DONE)
		return status;
	if (args.accept[0] == NULL && args.drop[0] == NULL)
		return cli_fail(CLI_USAGE, "expected patterns, by --accept or --drop");
	return make_script(chain);
}

static const struct cli_opt iptables_chain_opts[] = {
	{'6', "inet6", NULL, "Make a script for ip6tables.", &args.inet6, NULL},
	{'a', "accept", "PATTERN", "Accept queries for these names; may be repeated.", NULL,
		args.accept},
	{'d', "drop", "PATTERN", "Drop queries for these names; may be repeated.", NULL, args.drop},
	{'i', "ip", "IP", "An address or prefix that the script adds by itself; may be repeated.",
		NULL, args.ips},
	{'p', "object-pinned", NULL,
		"Load the programs as eBPF, by bpftool: they may be longer than 64 instructions.",
		&args.pinned, NULL},
	{'w', "write", "NAME", "Name script (NAME_ip4.sh), ipset (NAME_ip4) and chain (NAME).",
		NULL, &args.write},
	{0},
};

static const struct cli_example iptables_chain_examples[] = {
	{"sluice iptables-chain -a www.example.com -a ns1.example.com -d any -w example_com",
		"Write example_com_ip4.sh: two names are answered, all others dropped."},
	{0},
};

const struct cli_cmd cmd_iptables_chain = {
	.name = "iptables-chain",
	.args = "-w NAME",
	.help = "Make a script for a chain that accepts and drops DNS queries.",
	.more = "PATTERN is one of sluice gen dns, its case ignored, or any. What is accepted comes first;\n"
		"what no pattern matches goes on behind the chain's rule in INPUT.\n\n"
		"The script is used like that of sluice iptables.",
	.examples = iptables_chain_examples,
	.opts = iptables_chain_opts,
	.many = "adi",
	.min_args = 0,
	.max_args = 0,
	.run = iptables_chain_run,
};
