/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_SINKS_H
#define SLUICED_SINKS_H

/*
 * The sinks of a configuration, opened. A reload makes the next set beside the
 * one in use, which lends it every sink that did not change; then either the
 * next set is discarded or it replaces the other. A new sink moves no older file
 * before its first sample, so a reload that fails leaves no trace.
 *
 * The builder makes a set, the control thread does all else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_conf;
struct diag;
struct sample_names;
struct sample_sink;

struct sinks_entry {
	char *name; /* of the section */
	char *file;
	uint64_t lost_told; /* samples lost, as of the last look */
	bool failing; /* it was said that it cannot write */
	struct sample_sink *sink;
	const struct sinks_entry *lender; /* the entry of the previous set that lent @sink */
	uint64_t rotate_bytes;
	uint32_t keep, snaplen;
	bool comments;
};

struct sinks {
	struct sinks_entry *v;
	struct sample_sink **raw; /* the same sinks, for the collector */
	size_t n;
};

/*
 * @prev:	the set in use, NULL at start; not changed
 * @names:	borrowed for the life of the set
 *
 * Returns 0, -ENOMEM, -errno with the sink and its file in the sentence.
 */
int sinks_new(const struct ctl_conf *conf, const struct sinks *prev,
	const struct sample_names *names, struct sinks **ret_sinks, struct diag *diag);

/* The set is in use: files that are not there yet appear. */
void sinks_begin(struct sinks *s);

/* Close what @next opened; what it borrowed stays. NULL is allowed. */
void sinks_discard(struct sinks *next);

/* @next takes over what @prev lent it; the rest of @prev (NULL allowed) is closed. */
void sinks_replace(struct sinks *prev, struct sinks *next);

#endif
