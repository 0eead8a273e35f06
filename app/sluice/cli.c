// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/sbuf.h"

#define OPTS_MAX 32
#define MESSAGE_MAX 8192 /* bytes: two file names of any length, and a sentence */

const struct cli_cmd *cli_current;
static int stdout_error; /* errno of the first write that failed */

static void
begin(void)
{
	/* What was printed before comes before, wherever both streams go. */
	(void)fflush(stdout);
	(void)fprintf(stderr, "sluice%s%s: ", cli_current != NULL ? " " : "",
		cli_current != NULL ? cli_current->name : "");
}

int
cli_fail(int status, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	struct sbuf said = SBUF_INIT;
	va_list ap;

	begin();
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* What users gave is quoted. */
	sbuf_add_printable(&said, text);
	(void)fprintf(stderr, "%s\n", sbuf_ok(&said) ? sbuf_str(&said) : "out of memory");
	sbuf_fini(&said);
	return status;
}

int
cli_fail_diag(int status, const struct diag *diag)
{
	char buf[sizeof(diag->file) + sizeof(diag->msg) + 64];

	return cli_fail(status, "%s", diag_format(diag, buf, sizeof(buf)));
}

/* A pipe or socket whose other end has closed. */
static bool
reader_gone(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR) != 0;
}

int
cli_stdout_check(void)
{
	/* Only right behind the write that failed does errno say why. */
	if (stdout_error == 0 && ferror(stdout))
		stdout_error = reader_gone() ? EPIPE : errno;
	return -stdout_error;
}

int
cli_flush(void)
{
	static bool told; /* once is enough */

	(void)fflush(stdout);
	if (cli_stdout_check() == 0 || stdout_error == EPIPE)
		return CLI_DONE;
	if (told)
		return CLI_FAILED;
	told = true;
	return cli_fail(CLI_FAILED, "cannot write to standard output: %s", strerror(stdout_error));
}

static int
bad_usage(const struct cli_cmd *cmd, const char *what, const char *word, const char *near)
{
	(void)cmd;
	if (near != NULL)
		return cli_fail(-1, "%s '%.60s'; did you mean '--%s'?", what, word, near);
	return cli_fail(-1, "%s '%.60s'; see sluice %s --help", what, word, cmd->name);
}

/* Store an option's value; @value is what came with it, else *@rest is the next word. */
static int
store(const struct cli_cmd *cmd, const struct cli_opt *o, const char *word, const char *value,
	char ***rest, char **end)
{
	const char **text;

	if (o->flag != NULL) {
		if (value != NULL)
			return bad_usage(cmd, "no value expected in", word, NULL);
		*o->flag = true;
		return 0;
	}
	if (value == NULL && *rest == end)
		return bad_usage(cmd, "expected a value behind", word, NULL);
	text = o->text;
	if (cmd->many != NULL && o->letter != '\0' && strchr(cmd->many, o->letter) != NULL)
		while (*text != NULL && text < o->text + CLI_MANY_MAX)
			text++;
	if (text == o->text + CLI_MANY_MAX)
		return bad_usage(cmd, "given too often:", word, NULL);
	if (*text != NULL)
		return bad_usage(cmd, "given twice:", word, NULL);
	*text = value != NULL ? value : *(*rest)++;
	return 0;
}

static int
long_option(const struct cli_cmd *cmd, const char *word, char ***rest, char **end)
{
	const char *eq = strchr(word, '=');
	const size_t len = eq != NULL ? (size_t)(eq - word - 2) : strlen(word + 2);
	const char *names[OPTS_MAX];
	char name[64];
	size_t n = 0;

	for (const struct cli_opt *o = cmd->opts; o->name != NULL; o++) {
		if (strlen(o->name) == len && memcmp(o->name, word + 2, len) == 0)
			return store(cmd, o, word, eq != NULL ? eq + 1 : NULL, rest, end);
		if (n < OPTS_MAX)
			names[n++] = o->name;
	}
	(void)snprintf(name, sizeof(name), "%.*s", (int)len, word + 2);
	return bad_usage(cmd, "unknown option", word, parse_nearest(name, names, n));
}

/* "-v", "-vx" (two flags), "-b VALUE", "-bVALUE". */
static int
short_options(const struct cli_cmd *cmd, const char *word, char ***rest, char **end)
{
	for (const char *c = word + 1; *c != '\0'; c++) {
		const struct cli_opt *o = cmd->opts;

		while (o->name != NULL && o->letter != *c)
			o++;
		if (o->name == NULL)
			return bad_usage(cmd, "unknown option", word, NULL);
		if (o->flag == NULL)
			return store(cmd, o, word, c[1] != '\0' ? c + 1 : NULL, rest, end);
		*o->flag = true;
	}
	return 0;
}

int
cli_parse(const struct cli_cmd *cmd, int argc, char **argv, bool *ret_help)
{
	char **rest = argv, **end = argv + argc;
	int n = 0;

	while (rest < end) {
		char *word = *rest++;
		int r = 0;

		if (strcmp(word, "--") == 0)
			break;
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			*ret_help = true;
			return 0;
		}
		if (strncmp(word, "--", 2) == 0)
			r = long_option(cmd, word, &rest, end);
		else if (word[0] == '-' && word[1] != '\0')
			r = short_options(cmd, word, &rest, end);
		else
			argv[n++] = word;
		if (r < 0)
			return -1;
	}
	while (rest < end)
		argv[n++] = *rest++;
	if (n < cmd->min_args)
		return cli_fail(-1, "expected %s; see sluice %s --help", cmd->args, cmd->name);
	if (cmd->max_args >= 0 && n > cmd->max_args)
		return bad_usage(cmd, "unexpected argument", argv[cmd->max_args], NULL);
	return n;
}

void
cli_print_help(const struct cli_cmd *cmd)
{
	printf("Usage: sluice %s [OPTION…]%s%s\n\n%s\n", cmd->name, cmd->args[0] != '\0' ? " " : "",
		cmd->args, cmd->help);
	if (cmd->more != NULL)
		printf("%s\n", cmd->more);
	printf("\n");
	for (const struct cli_opt *o = cmd->opts; o->name != NULL; o++) {
		char letter[8] = "    ", name[48];

		if (o->letter != '\0')
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		(void)snprintf(name, sizeof(name), "--%s%s%s", o->name, o->arg != NULL ? " " : "",
			o->arg != NULL ? o->arg : "");
		printf("  %s%-22s %s\n", letter, name, o->help);
	}
	printf("  -h, %-22s %s\n", "--help", CLI_HELP_HELP);
	if (cmd->examples != NULL)
		printf("\nExamples:\n");
	for (const struct cli_example *e = cmd->examples; e != NULL && e->command != NULL; e++)
		printf("  %s\n      %s\n", e->command, e->help);
	printf("\nExit status: %s\n", CLI_EXIT_HELP);
}
