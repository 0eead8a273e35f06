// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "ctl/conf.h"
#include "dp/dp.h"
#include "sample/ring.h"
#include "sample/sink.h"

#include "log.h"
#include "names.h"
#include "samples.h"
#include "sinks.h"

/*
 * In one step, so that a step takes some milliseconds at most: one call moves a
 * ring's worth, and no sampling rate in use fills more in the 50 ms to the next.
 */
#define SAMPLES_A_CALL 4096
#define CALLS_A_STEP 4

struct samples {
	struct sample_names names;
	char **port_names; /* own copies: the configuration they came from may go */
	struct sinks *sinks;
	struct sample_ring *const *rings;
	size_t n_rings;
	bool dirty; /* something was moved since the last flush */
};

static int
copy_port_names(struct samples *s, const struct ctl_conf *conf)
{
	s->port_names = mem_calloc(conf->n_ports + 1, sizeof(*s->port_names));
	if (s->port_names == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_ports; i++) {
		s->port_names[i] = mem_strdup(conf->ports[i].name);
		if (s->port_names[i] == NULL)
			return -ENOMEM;
	}
	s->names.ports = (const char *const *)s->port_names;
	s->names.n_ports = conf->n_ports;
	return 0;
}

int
samples_new(const struct ctl_conf *conf, struct names *names, struct samples **ret_samples,
	struct diag *diag)
{
	struct samples *s = mem_zalloc(sizeof(*s));
	int r;

	if (s == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	s->names.rule = names_rule;
	s->names.arg = names;
	r = copy_port_names(s, conf);
	if (r < 0)
		diag_fail(diag, r, "out of memory");
	else
		r = sinks_new(conf, NULL, &s->names, &s->sinks, diag);
	if (r < 0) {
		samples_free(s);
		return r;
	}
	*ret_samples = s;
	return 0;
}

void
samples_begin(struct samples *samples)
{
	sinks_begin(samples->sinks);
}

void
samples_free(struct samples *samples)
{
	if (samples == NULL)
		return;
	sinks_discard(samples->sinks);
	for (size_t i = 0; samples->port_names != NULL && samples->port_names[i] != NULL; i++)
		mem_free(samples->port_names[i]);
	mem_free(samples->port_names);
	mem_free(samples);
}

void
samples_attach(struct samples *samples, struct dp *dp)
{
	samples->rings = NULL;
	samples->n_rings = dp != NULL ? dp_rings(dp, &samples->rings) : 0;
}

/* Say once that a sink loses samples, and once that it no longer does. */
static void
tell_losses(struct sinks_entry *e, int flush_error)
{
	const uint64_t lost = sample_sink_lost(e->sink);

	if (lost == e->lost_told && flush_error == 0) {
		if (e->failing)
			log_line(LOG_LEVEL_NOTICE,
				"sink %s: %s can be written again; %" PRIu64 " samples were lost",
				e->name, e->file, lost);
		e->failing = false;
		return;
	}
	if (!e->failing)
		log_line(LOG_LEVEL_ERROR,
			"sink %s: cannot write %s: %s; samples are lost and counted until "
			"there is room, traffic is not affected",
			e->name, e->file, strerror(flush_error < 0 ? -flush_error : ENOSPC));
	e->failing = true;
	e->lost_told = lost;
}

static void
flush(struct samples *s)
{
	for (size_t i = 0; i < s->sinks->n; i++)
		tell_losses(&s->sinks->v[i], sample_sink_flush(s->sinks->v[i].sink));
}

static bool
collect(struct samples *s)
{
	const size_t moved =
		sample_collect(s->rings, s->n_rings, s->sinks->raw, s->sinks->n, SAMPLES_A_CALL);

	if (moved > 0)
		s->dirty = true;
	return moved == SAMPLES_A_CALL;
}

void
samples_step(void *arg)
{
	struct samples *s = arg;

	for (int i = 0; i < CALLS_A_STEP; i++)
		if (!collect(s))
			break;
	if (!s->dirty)
		return;
	s->dirty = false;
	flush(s);
}

void
samples_drain(struct samples *samples)
{
	while (collect(samples))
		;
	flush(samples);
}

int
samples_prepare(const struct samples *samples, const struct ctl_conf *conf, struct sinks **ret_next,
	struct diag *diag)
{
	return sinks_new(conf, samples->sinks, &samples->names, ret_next, diag);
}

void
samples_replace(struct samples *samples, struct sinks *next)
{
	samples_step(samples); /* what is in the rings was taken for the old sinks */
	sinks_replace(samples->sinks, next);
	samples->sinks = next;
}
