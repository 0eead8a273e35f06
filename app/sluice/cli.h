/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_CLI_H
#define SLUICE_CLI_H

/*
 * Commands and their options as tables: parsing, usage, help, man pages and bash
 * completion come from them.
 * A command's cmd_NAME.c defines one struct cli_cmd and nothing else that is
 * visible.
 */

#include <stdbool.h>
#include <stddef.h>

struct diag;

/* Exit statuses. */
enum {
	CLI_DONE = 0,
	CLI_FAILED = 1, /* the system or the daemon did not do it */
	CLI_USAGE = 2, /* bad usage or input */
};
#define CLI_EXIT_HELP "0 done, 1 failed, 2 bad usage or input."

/* What the option --help does, which no table lists. */
#define CLI_HELP_HELP "Print this."

/*
 * The values of an option that may be repeated: its @text points to the first of
 * CLI_MANY_MAX + 1 places, of which the last stays NULL.
 */
#define CLI_MANY_MAX 256

/* One option. Exactly one of @flag and @text is set; a row without name ends the table. */
struct cli_opt {
	char letter; /* '\0': none */
	const char *name; /* without "--" */
	/*
	 * As the help shows it; NULL for a flag. The completion knows "a|b" (these
	 * words), and FILE, FORMAT and the like by their names (app/docs).
	 */
	const char *arg;
	const char *help; /* one sentence, full stop included */
	bool *flag;
	const char **text;
};

/* One example; a row without command ends the table. */
struct cli_example {
	const char *command; /* as typed into a shell */
	const char *help; /* what it does, one sentence, full stop included */
};

struct cli_cmd {
	const char *name;
	const char *args; /* operands as in usage, "" for none */
	const char *help; /* one imperative sentence, full stop included */
	/*
	 * What --help says besides, or NULL. An empty line begins a paragraph; a line
	 * that begins with a blank stays as it is in the man page, too.
	 */
	const char *more;
	const struct cli_example *examples; /* or NULL */
	const struct cli_opt *opts;
	const char *many; /* letters of the options that may be repeated, or NULL */
	int min_args, max_args; /* operands; -1: any number */
	int (*run)(int argc, char **argv); /* operands only; returns an exit status */
};

extern const struct cli_cmd cmd_asm, cmd_check, cmd_dis, cmd_explain, cmd_filter, cmd_gen,
	cmd_hex2pcap, cmd_iptables, cmd_iptables_chain, cmd_nft, cmd_offset, cmd_parsedns,
	cmd_pcap2hex, cmd_replay, cmd_rules, cmd_stats, cmd_xdp;

/* All of them, in the order of the help (commands.c). */
#define CLI_COMMANDS_MAX 64
extern const struct cli_cmd *const cli_commands[];
extern const size_t cli_n_commands;

/* The command in hand, for messages. */
extern const struct cli_cmd *cli_current;

/* Say "sluice COMMAND: …" on stderr and return @status. */
int cli_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with what @diag says and where. */
int cli_fail_diag(int status, const struct diag *diag);

/*
 * What was written is out: CLI_DONE, or CLI_FAILED with a sentence. A pipe that
 * its reader closed is no failure.
 */
int cli_flush(void);

/* Right behind a write to stdout: 0, or -errno of the first one that failed (-EPIPE: reader gone). */
int cli_stdout_check(void);

/*
 * Sort @argv (without the command's name) into options, which are stored, and
 * operands, moved to its front. "--" ends the options; "-" is an operand.
 * Returns the number of operands, or -1 after telling stderr.
 */
int cli_parse(const struct cli_cmd *cmd, int argc, char **argv, bool *ret_help);

void cli_print_help(const struct cli_cmd *cmd);

#endif
