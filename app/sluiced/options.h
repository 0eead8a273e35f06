/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_OPTIONS_H
#define SLUICED_OPTIONS_H

/* The command line. */

#include <stdbool.h>

struct diag;

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK, /* -t */
	OPTIONS_VERSION, /* -V */
	OPTIONS_PRINT_CONFIG, /* --print-config */
	OPTIONS_HELP, /* -h */
};

struct options {
	enum options_action action;
	const char *conf_file; /* borrowed from argv */
	bool verbose; /* -v: the data plane's own messages too */
};

/* Returns 0, -EINVAL with what was not understood. */
int options_parse(int argc, char **argv, struct options *ret_opts, struct diag *diag);

/* Write the help to standard output. Returns 0 or -errno. */
int options_help(void);

#endif
