/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_RULES_H
#define SLUICE_RULES_H

/* A file of rules, or a whole configuration, read for an offline command. */

#include <stdbool.h>
#include <stddef.h>

#include "match/image.h"

struct ctl_conf;
struct diag;
struct rules_slots;
struct ruleset;

struct rules_file {
	struct ctl_conf *conf; /* all but rules: checked also where a command ignores it */
	struct ruleset *rules;
	struct rules_slots *slots;
	struct match_image *image;
};

struct rules_opts {
	bool conf_d; /* also conf.d/ beside the file */
	bool offline; /* when = attack is in force; ports of any name */
	bool keep_text; /* for ruleset_text() */
	const char *location; /* NULL: the file's */
	enum match_engine engine;
};

/* Returns 0, -errno with place and sentence. @ret is to be freed also after a failure. */
int rules_file_load(
	const char *path, const struct rules_opts *opts, struct rules_file *ret, struct diag *diag);
void rules_file_fini(struct rules_file *f);

#endif
