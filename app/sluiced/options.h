/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_OPTIONS_H
#define SLUICED_OPTIONS_H

/* The command line. */

#include <stdbool.h>
#include <stddef.h>

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

/* One option: parser, help, man page and completion come from these rows. */
struct options_row {
	int val; /* the letter, or a number above 255 */
	const char *name; /* without "--" */
	const char *arg; /* NULL: none */
	const char *help; /* one sentence, full stop included */
};
extern const struct options_row options_rows[];
extern const size_t options_n_rows;

/* What the daemon is, for the man page. */
extern const char options_about[];

/* Returns 0, -EINVAL with what was not understood. */
int options_parse(int argc, char **argv, struct options *ret_opts, struct diag *diag);

/* Write the help to standard output. Returns 0 or -errno. */
int options_help(void);

#endif
