/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAMPLE_SINK_H
#define SAMPLE_SINK_H

/*
 * Where samples go. A sink is fed by the collector, on the control thread; no
 * worker ever waits for one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct sample_rec;
struct sample_sink;

/* Names for the numbers in a sample; borrowed by a sink for its life. */
struct sample_names {
	/* The rule's name, or NULL for an unknown slot. */
	const char *(*rule)(void *arg, uint32_t slot);
	void *arg;
	const char *const *ports; /* @n_ports names; a sample's port is a place in it */
	size_t n_ports;
};

struct sample_pcapng_conf {
	const char *file;
	uint64_t rotate_bytes; /* 0: never */
	uint32_t keep; /* files kept by rotation, besides the open one; FILE.1 is the newest */
	bool comments; /* verdict, rule, shadow, port and weight of each frame as its comment */
	uint32_t snaplen;
};

/*
 * Returns 0, or -errno with a sentence that says what to do. The file is
 * created anew, as FILE.new, and takes FILE's place with the first sample; one
 * that is there is rotated away then, never overwritten. So a sink that gets no
 * sample costs no older ones, however often it is made.
 */
int sample_pcapng_new(const struct sample_pcapng_conf *conf, const struct sample_names *names,
	struct sample_sink **ret_sink, struct diag *diag);

/*
 * The sink is in use from now on: where there is no FILE yet, it appears at
 * once. Returns 0 or -errno, which the first sample will meet again.
 */
int sample_sink_begin(struct sample_sink *sink);

/*
 * Write one sample. Returns 0 or -errno (-ENOSPC: disk full); after a failure
 * the sink drops and counts samples, tries again once a second, and says so
 * through sample_sink_lost(). The file always ends at a whole block.
 */
int sample_sink_put(struct sample_sink *sink, const struct sample_rec *rec);

/*
 * Flush what is buffered; called by the collector when the rings are empty. A
 * file that somebody deleted is left, and the next sample begins a new one.
 */
int sample_sink_flush(struct sample_sink *sink);

uint64_t sample_sink_written(const struct sample_sink *sink);
uint64_t sample_sink_lost(const struct sample_sink *sink);
void sample_sink_free(struct sample_sink *sink);

/* The collector: take what the rings hold and hand it to the sinks. */
struct sample_ring;
/*
 * Move up to @max samples from @rings to @sinks. Returns how many were moved;
 * failures of a sink are its own to count.
 */
size_t sample_collect(struct sample_ring *const *rings, size_t n_rings,
	struct sample_sink *const *sinks, size_t n_sinks, size_t max);

#endif
