/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_SAMPLES_H
#define SLUICED_SAMPLES_H

/*
 * The collector: on a timer of the control thread it takes what the workers'
 * rings hold and gives it to the sinks. A sink that cannot write loses samples
 * and is complained of once until it can again; the workers notice nothing.
 */

#include <stddef.h>

struct ctl_conf;
struct diag;
struct dp;
struct names;
struct samples;
struct sinks;

/* @names is borrowed for the life of the object. Opens the sinks of @conf. */
int samples_new(const struct ctl_conf *conf, struct names *names, struct samples **ret_samples,
	struct diag *diag);

/* The daemon runs: the sinks' files appear. */
void samples_begin(struct samples *samples);

/* Close the sinks. NULL is allowed. */
void samples_free(struct samples *samples);

/* Read the rings of @dp from now on; NULL: none. */
void samples_attach(struct samples *samples, struct dp *dp);

/* Move a bounded number of samples. @arg is a struct samples: a callback of the loop. */
void samples_step(void *arg);

/* Move all that is left. The workers must have stopped. */
void samples_drain(struct samples *samples);

/*
 * Open the sinks that @conf wants and @samples lacks, touching nothing in use.
 * Builder thread. Returns what sinks_new() returns.
 */
int samples_prepare(const struct samples *samples, const struct ctl_conf *conf,
	struct sinks **ret_next, struct diag *diag);

/* Use @next, of samples_prepare(), from now on. */
void samples_replace(struct samples *samples, struct sinks *next);

#endif
