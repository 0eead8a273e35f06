// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/util.h"
#include "sluice_build.h"

#include "options.h"

#define OPT_PRINT_CONFIG 256 /* above every character */

const struct options_row options_rows[] = {
	{'c', "config", "FILE",
		"Read FILE and conf.d/*.ini beside it; default " SLUICE_SYSCONFDIR "/sluiced.ini."},
	{'t', "check", NULL, "Check the configuration and exit; needs no privilege."},
	{'v', "verbose", NULL, "Log more, the data plane's own messages included."},
	{OPT_PRINT_CONFIG, "print-config", NULL, "Print every key with its default and exit."},
	{'V', "version", NULL, "Print the version and exit."},
	{'h', "help", NULL, "Print this help and exit."},
};

const size_t options_n_rows = DIM(options_rows);

const char options_about[] =
	"sluiced takes every burst of frames from a network card, copies a sample of it, runs all rules "
	"over it as native code, frees what is to be dropped and hands the rest to the kernel through a "
	"TAP, or to another port.\n\n"
	"It stays in the foreground until SIGTERM and logs to standard error. After the start it gives "
	"up root, where the configuration names a user, keeping only the capabilities that it needs.";

static void
getopt_tables(struct option longs[DIM(options_rows) + 1], char shorts[2 * DIM(options_rows) + 2])
{
	size_t n = 0;

	shorts[n++] = ':';
	for (size_t i = 0; i < DIM(options_rows); i++) {
		longs[i] = (struct option){
			.name = options_rows[i].name,
			.has_arg = options_rows[i].arg != NULL ? required_argument : no_argument,
			.val = options_rows[i].val,
		};
		if (options_rows[i].val > 255)
			continue;
		shorts[n++] = (char)options_rows[i].val;
		if (options_rows[i].arg != NULL)
			shorts[n++] = ':';
	}
	longs[DIM(options_rows)] = (struct option){0};
	shorts[n] = '\0';
}

static int
apply(int val, struct options *o, char **argv, struct diag *diag)
{
	const char *what = argv[optind - 1];

	switch (val) {
	case 'c': o->conf_file = optarg; return 0;
	case 'v': o->verbose = true; return 0;
	case 't': o->action = OPTIONS_CHECK; return 0;
	case 'V': o->action = OPTIONS_VERSION; return 0;
	case 'h': o->action = OPTIONS_HELP; return 0;
	case OPT_PRINT_CONFIG: o->action = OPTIONS_PRINT_CONFIG; return 0;
	case ':': return diag_fail(diag, -EINVAL, "option '%s' needs an argument", what);
	}
	return diag_fail(diag, -EINVAL, "unknown option '%s'; see sluiced --help", what);
}

int
options_parse(int argc, char **argv, struct options *ret_opts, struct diag *diag)
{
	struct options o = {.conf_file = SLUICE_SYSCONFDIR "/sluiced.ini"};
	struct option longs[DIM(options_rows) + 1];
	char shorts[2 * DIM(options_rows) + 2];
	int val, r;

	getopt_tables(longs, shorts);
	opterr = 0;
	while ((val = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		r = apply(val, &o, argv, diag);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return diag_fail(diag, -EINVAL, "unexpected argument '%s'; see sluiced --help",
			argv[optind]);
	*ret_opts = o;
	return 0;
}

int
options_help(void)
{
	printf("Usage: sluiced [-c FILE] [-t] [-v] [-V] [--print-config]\n\n"
	       "Absorb packet floods; runs in the foreground until SIGTERM.\n\n");
	for (size_t i = 0; i < DIM(options_rows); i++) {
		char letter[8] = "   ";
		char name[40];

		if (options_rows[i].val < 256)
			(void)snprintf(letter, sizeof(letter), "-%c,", options_rows[i].val);
		(void)snprintf(name, sizeof(name), "--%s%s%s", options_rows[i].name,
			options_rows[i].arg != NULL ? " " : "",
			options_rows[i].arg != NULL ? options_rows[i].arg : "");
		printf("  %s %-16s %s\n", letter, name, options_rows[i].help);
	}
	printf("\nSIGHUP reads the configuration again; on any error the old one stays.\n"
	       "Exit status: 0 done, 1 failed, 2 usage or configuration.\n");
	return fflush(stdout) == 0 ? 0 : -errno;
}
