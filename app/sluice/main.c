// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "cli.h"
#include "sluice_build.h"

static int
print_help(void)
{
	printf("Usage: sluice COMMAND [OPTION…] [ARGUMENT…]\n\n");
	for (size_t i = 0; i < cli_n_commands; i++)
		printf("  %-14s %s\n", cli_commands[i]->name, cli_commands[i]->help);
	printf("\nsluice COMMAND --help describes a command; sluice --version prints the version.\n");
	return cli_flush();
}

static int
unknown_command(const char *name)
{
	const char *names[CLI_COMMANDS_MAX];
	const char *near;

	for (size_t i = 0; i < cli_n_commands; i++)
		names[i] = cli_commands[i]->name;
	near = parse_nearest(name, names, cli_n_commands);
	if (near != NULL)
		return cli_fail(
			CLI_USAGE, "unknown command '%.60s'; did you mean '%s'?", name, near);
	return cli_fail(CLI_USAGE, "unknown command '%.60s'; see sluice --help", name);
}

static int
run(const struct cli_cmd *cmd, int argc, char **argv)
{
	bool help = false;
	int n, status, flushed;

	cli_current = cmd;
	n = cli_parse(cmd, argc, argv, &help);
	if (help) {
		cli_print_help(cmd);
		return cli_flush();
	}
	if (n < 0)
		return CLI_USAGE;
	status = cmd->run(n, argv);
	flushed = cli_flush();
	return status != CLI_DONE ? status : flushed;
}

int
main(int argc, char **argv)
{
	/* A closed pipe is seen as EPIPE, where it is known what it means. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return cli_fail(CLI_USAGE, "expected a command; see sluice --help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("sluice " SLUICE_VERSION "\n");
		return cli_flush();
	}
	for (size_t i = 0; i < cli_n_commands; i++)
		if (strcmp(argv[1], cli_commands[i]->name) == 0)
			return run(cli_commands[i], argc - 2, argv + 2);
	return unknown_command(argv[1]);
}
