/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_CONFIG_H
#define SLUICED_CONFIG_H

/*
 * All that the files say, read and checked as one: settings, rules, sets. What
 * "sluiced -t" makes and throws away, what a start runs on, what a reload
 * replaces. Immutable once loaded; any thread.
 */

struct ctl_conf;
struct diag;
struct ruleset;

struct config {
	struct ctl_conf *conf;
	struct ruleset *rules;
};

/*
 * Read @file and conf.d/ beside it. @prev: what is in force, of which rules that are
 * the same are taken over (ruleset_opts.prev); or NULL. Starts nothing and needs no privilege but to
 * read.
 *
 * Returns 0, -EINVAL with file and line, -errno of a file, -ENOMEM.
 */
int config_load(
	const char *file, const struct config *prev, struct config **ret_config, struct diag *diag);

/* NULL is allowed. */
void config_free(struct config *config);

/*
 * Whether this machine has the CPUs that @config names. Returns 0, -EINVAL with
 * the place.
 */
int config_check_cpus(const struct config *config, struct diag *diag);

#endif
