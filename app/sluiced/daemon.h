/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_DAEMON_H
#define SLUICED_DAEMON_H

/*
 * Everything the daemon is made of, in the order in which init.c makes it. The
 * control thread owns all; while a reload is under way the builder thread reads
 * config, ttl, image and the set of sinks, and uses slots, which the control thread
 * leaves alone meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>

struct config;
struct ctl_server;
struct diag;
struct dp;
struct loop;
struct match_image;
struct names;
struct reload;
struct rules_report;
struct rules_slots;
struct ruleset_ttl;
struct samples;

struct daemon {
	const char *conf_file;
	bool verbose;
	bool eal_started;
	bool dp_running;

	struct config *config; /* in force */
	struct loop *loop;
	struct rules_slots *slots;
	struct names *names;
	uint32_t n_slots; /* slots below it belong to rules that are or were in force */
	struct ruleset_ttl *ttl; /* of config */
	struct match_image *image; /* in force, made of config */
	struct ctl_server *server; /* NULL: built without */
	struct dp *dp;
	struct samples *samples;
	struct reload *reload;
	struct rules_report *report;
};

/* One thing to set up, and how to take it down again. */
struct init_step {
	const char *name;
	int (*init)(struct daemon *d, struct diag *diag); /* 0, or -errno with a sentence */
	void (*fini)(struct daemon *d); /* only after init succeeded; may be NULL */
};

/*
 * Run with @config, which becomes the daemon's, until SIGTERM or SIGINT.
 * Returns 0, -EINVAL: the configuration cannot be run here, other -errno; what
 * failed was logged.
 */
int daemon_run(const char *conf_file, bool verbose, struct config *config);

#endif
