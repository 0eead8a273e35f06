// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "ctl/conf.h"
#include "sample/sink.h"

#include "sinks.h"

static const struct sinks_entry *
find_same(const struct sinks *prev, const struct ctl_sink *want, uint32_t snaplen)
{
	for (size_t i = 0; prev != NULL && i < prev->n; i++) {
		const struct sinks_entry *e = &prev->v[i];

		if (strcmp(e->name, want->name) == 0 && strcmp(e->file, want->file) == 0 &&
			e->rotate_bytes == want->rotate_bytes && e->keep == want->keep &&
			e->comments == want->comments && e->snaplen == snaplen)
			return e;
	}
	return NULL;
}

static int
entry_init(struct sinks_entry *e, const struct ctl_sink *want, uint32_t snaplen,
	const struct sample_names *names, const struct sinks_entry *lender, struct diag *diag)
{
	struct diag why = {0};
	int r;

	e->rotate_bytes = want->rotate_bytes;
	e->keep = want->keep;
	e->comments = want->comments;
	e->snaplen = snaplen;
	e->name = mem_strdup(want->name);
	e->file = mem_strdup(want->file);
	if (e->name == NULL || e->file == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");

	if (lender != NULL) {
		e->lender = lender;
		e->sink = lender->sink;
		return 0;
	}

	const struct sample_pcapng_conf pc = {
		.file = e->file,
		.rotate_bytes = want->rotate_bytes,
		.keep = want->keep,
		.comments = want->comments,
		.snaplen = snaplen,
	};
	r = sample_pcapng_new(&pc, names, &e->sink, &why);
	return r < 0 ? diag_fail(diag, r, "sink %s: %s", want->name, why.msg) : 0;
}

int
sinks_new(const struct ctl_conf *conf, const struct sinks *prev, const struct sample_names *names,
	struct sinks **ret_sinks, struct diag *diag)
{
	struct sinks *s = mem_zalloc(sizeof(*s));
	int r = 0;

	if (s == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	s->v = mem_calloc(conf->n_sinks + 1, sizeof(*s->v));
	s->raw = mem_calloc(conf->n_sinks + 1, sizeof(*s->raw));
	if (s->v == NULL || s->raw == NULL) {
		r = diag_fail(diag, -ENOMEM, "out of memory");
		goto out;
	}

	for (size_t i = 0; i < conf->n_sinks; i++) {
		const struct ctl_sink *want = &conf->sinks[i];
		const struct sinks_entry *same = find_same(prev, want, conf->sample_snaplen);

		s->n = i + 1;
		r = entry_init(&s->v[i], want, conf->sample_snaplen, names, same, diag);
		if (r < 0)
			goto out;
		s->raw[i] = s->v[i].sink;
	}
	*ret_sinks = s;
	s = NULL;
out:
	sinks_discard(s);
	return r;
}

static void
entry_fini(struct sinks_entry *e)
{
	if (e->sink != NULL && e->lender == NULL)
		sample_sink_free(e->sink);
	mem_free(e->name);
	mem_free(e->file);
}

void
sinks_discard(struct sinks *next)
{
	if (next == NULL)
		return;
	for (size_t i = 0; i < next->n; i++)
		entry_fini(&next->v[i]);
	mem_free(next->raw);
	mem_free(next->v);
	mem_free(next);
}

void
sinks_begin(struct sinks *s)
{
	/* What fails here fails again with the first sample, and is told then. */
	for (size_t i = 0; i < s->n; i++)
		(void)sample_sink_begin(s->v[i].sink);
}

void
sinks_replace(struct sinks *prev, struct sinks *next)
{
	sinks_begin(next);
	for (size_t i = 0; i < next->n; i++) {
		struct sinks_entry *e = &next->v[i];

		if (e->lender == NULL)
			continue;
		e->lost_told = e->lender->lost_told;
		e->failing = e->lender->failing;
		prev->v[e->lender - prev->v].sink = NULL;
		e->lender = NULL;
	}
	sinks_discard(prev);
}
