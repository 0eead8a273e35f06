// SPDX-License-Identifier: BSD-3-Clause
/* sluice(1) and a page for each command, from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "gen/gen.h"
#include "pages.h"
#include "scd.h"

static const char *const exit_sentences[3] = {
	"Done. A closed pipe behind the command is no failure.",
	"The system or the daemon did not do it; standard error says why.",
	"Bad usage or bad input; standard error says what was expected, and where.",
};

static void
print_option(char letter, const char *name, const char *arg, const char *help)
{
	char text[64];

	if (letter != '\0') {
		printf("*-%c*, ", letter);
	}
	(void)snprintf(text, sizeof(text), "--%s", name);
	scd_bold(text);
	if (arg != NULL) {
		putchar(' ');
		scd_meta(arg);
	}
	putchar('\n');
	scd_text(help, 1);
	putchar('\n');
}

static void
print_options(const struct cli_cmd *cmd)
{
	scd_section("OPTIONS");
	for (const struct cli_opt *o = cmd->opts; o->name != NULL; o++)
		print_option(o->letter, o->name, o->arg, o->help);
	print_option('h', "help", NULL, CLI_HELP_HELP);
}

static void
print_generators(void)
{
	scd_section("GENERATORS");
	for (size_t i = 0; gen_name(i) != NULL; i++) {
		char usage[2048];

		scd_subsection(gen_name(i));
		scd_text(gen_help(i), 0);
		putchar('\n');
		(void)snprintf(usage, sizeof(usage), "  sluice gen [OPTION…] %s", gen_usage(i));
		scd_text(usage, 0);
	}
}

static void
print_examples(const struct cli_example *examples)
{
	scd_section("EXAMPLES");
	for (const struct cli_example *e = examples; e->command != NULL; e++) {
		scd_text(e->help, 0);
		putchar('\n');
		scd_literal(e->command, 1);
		putchar('\n');
	}
}

void
page_command(const struct cli_cmd *cmd)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "sluice-%s", cmd->name);
	scd_head(name, 1, cmd->help);
	scd_section("SYNOPSIS");
	printf("*sluice %s* [_OPTION_…]%s", cmd->name, cmd->args[0] != '\0' ? " " : "");
	scd_plain(cmd->args);
	putchar('\n');
	scd_section("DESCRIPTION");
	scd_text(cmd->help, 0);
	if (cmd->more != NULL) {
		putchar('\n');
		scd_text(cmd->more, 0);
	}
	print_options(cmd);
	if (strcmp(cmd->name, "gen") == 0)
		print_generators();
	if (cmd->examples != NULL)
		print_examples(cmd->examples);
	scd_exit_status(exit_sentences);
	scd_section("SEE ALSO");
	printf("*sluice*(1), %s*sluice-rules*(5), *sluiced*(8)\n",
		strcmp(cmd->name, "gen") == 0 ? "*pcap-filter*(7), " : "*sluice-gen*(1), ");
}

void
page_sluice(void)
{
	scd_head("sluice", 1, "Make, try and deploy packet filters, and talk to sluiced.");
	scd_section("SYNOPSIS");
	printf("*sluice* _COMMAND_ [_OPTION_…] [_ARGUMENT_…]\n\n*sluice* *--help* | *--version*\n");
	scd_section("DESCRIPTION");
	scd_text(
		"Sluice drops packet floods by classic BPF programs. Most commands need no daemon, no "
		"privilege and no network card: they turn a capture into a rule, show what the rule "
		"would hit, and write it for whatever is to run it. They read and write pipes.\n\n"
		"Options may stand before and behind arguments; -- ends them.",
		0);
	scd_section("COMMANDS");
	for (size_t i = 0; i < cli_n_commands; i++) {
		printf("*sluice-%s*(1)\n", cli_commands[i]->name);
		scd_text(cli_commands[i]->help, 1);
		putchar('\n');
	}
	scd_section("OPTIONS");
	print_option('h', "help", NULL, "List the commands; behind a command, describe it.");
	print_option('V', "version", NULL, "Print the version.");
	scd_exit_status(exit_sentences);
	scd_section("SEE ALSO");
	printf("*sluiced*(8), *sluiced.ini*(5), *sluice-rules*(5), *pcap-filter*(7), "
	       "*iptables-extensions*(8)\n");
}
