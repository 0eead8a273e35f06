// SPDX-License-Identifier: BSD-3-Clause
/*
 * Samples as a pcapng file, one interface per port. A sample is "pending" while
 * it is buffered; it counts as written or lost when the buffer's fate is known.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "pkt/pcapng.h"
#include "rotate.h"
#include "sample/ring.h"
#include "sample/sink.h"
#include "sluice_build.h"

#define COMMENT_MAX 512 /* three names of at most 40 bytes and their keys, generously */
#define RETRY_MS 1000
#define STATS_BYTES 64 /* an interface statistics block, rounded up */
#define PACKET_BYTES 80 /* an enhanced packet block without data and comment, rounded up */

enum { ETHERNET = 1, INBOUND = 1 }; /* link type; direction flag */

#define APPLICATION "sluiced " SLUICE_VERSION

/* A port's samples since its last statistics block. */
struct port_count {
	uint64_t seen, lost;
	uint64_t pending; /* in out.buf */
};

struct sample_sink {
	struct rotate out;
	struct pcapng *ng;
	const struct sample_names *names;
	uint64_t rotate_bytes; /* 0: never */
	uint32_t snaplen; /* bytes */
	bool comments;
	bool ready; /* the open file has its section and interfaces */
	bool used; /* and a packet */
	int failed; /* -errno while samples are dropped, else 0 */
	uint64_t retry_ms; /* monotonic: when to try again */
	uint64_t last_ns; /* time of the newest sample */
	uint64_t written, lost;
	struct port_count *ports; /* names->n_ports of them */
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The buffer was flushed with result @r: what was pending is written, or lost. */
static void
settle(struct sample_sink *s, int r)
{
	for (size_t i = 0; i < s->names->n_ports; i++) {
		struct port_count *c = &s->ports[i];

		*(r < 0 ? &s->lost : &s->written) += c->pending;
		c->lost += r < 0 ? c->pending : 0;
		c->pending = 0;
	}
}

static int
flush(struct sample_sink *s)
{
	int r = rotate_flush(&s->out);

	settle(s, r);
	return r;
}

/* The pcapng writer's way out. */
static int
put_block(void *arg, const void *bytes, size_t n)
{
	struct sample_sink *s = arg;

	if (n <= ROTATE_BUF && n > ROTATE_BUF - s->out.len) {
		int r = flush(s);

		if (r < 0)
			return r;
	}
	return rotate_put(&s->out, bytes, n);
}

/* A new file with its first blocks, on disk, but not in its place. */
static int
start_file(struct sample_sink *s)
{
	int r = rotate_open(&s->out);

	if (r < 0)
		return r;
	r = s->ng == NULL ? pcapng_new(put_block, s, APPLICATION, &s->ng)
			  : pcapng_section(s->ng, APPLICATION);
	for (size_t i = 0; i < s->names->n_ports && r == 0; i++)
		r = pcapng_interface(s->ng, s->names->ports[i], ETHERNET, s->snaplen);
	if (r == 0)
		r = flush(s);
	if (r < 0) {
		/* Nothing is in it: leave no empty file to be kept by the next rotation. */
		rotate_drop(&s->out);
		return r;
	}
	s->ready = true;
	s->used = false;
	return 0;
}

/* Statistics, then close. Without room for them the file still ends at a block's end. */
static int
finish_file(struct sample_sink *s)
{
	int r = flush(s);
	int closed;

	for (uint32_t i = 0; i < s->names->n_ports && r == 0; i++) {
		r = pcapng_stats(s->ng, i, s->last_ns, s->ports[i].seen, s->ports[i].lost);
		s->ports[i] = (struct port_count){0};
	}
	closed = rotate_close(&s->out);
	s->ready = false;
	return r < 0 ? r : closed;
}

static const char *
rule_name(const struct sample_sink *s, uint32_t slot)
{
	return slot == UINT32_MAX ? NULL : s->names->rule(s->names->arg, slot);
}

/* "verdict=drop rule=NAME shadow=NAME port=edge0 weight=1000", absent parts left out. */
static size_t
make_comment(const struct sample_sink *s, const struct sample_rec *rec, char buf[COMMENT_MAX])
{
	static const char *const verdicts[] = {"pass", "drop", "limit"}; /* match_verdict_kind */
	const char *rule = rule_name(s, rec->slot), *shadow = rule_name(s, rec->shadow_slot);
	int n = snprintf(buf, COMMENT_MAX, "verdict=%s%s%.64s%s%.64s port=%.64s weight=%" PRIu32,
		rec->verdict < DIM(verdicts) ? verdicts[rec->verdict] : "unknown",
		rule != NULL ? " rule=" : "", rule != NULL ? rule : "",
		shadow != NULL ? " shadow=" : "", shadow != NULL ? shadow : "",
		s->names->ports[rec->port], rec->weight);

	return (size_t)n;
}

/* True when the block to come and the statistics at the end do not fit this file. */
static bool
is_full(const struct sample_sink *s, size_t caplen, size_t comment)
{
	uint64_t have = s->out.size + s->out.len;
	uint64_t want = PACKET_BYTES + caplen + comment + STATS_BYTES * s->names->n_ports;

	/* A limit below one packet still takes one packet a file. */
	return s->rotate_bytes != 0 && s->used && !s->out.device && have + want > s->rotate_bytes;
}

/* A reload makes another sink of this file, for which a file that waits is replaced. */
static void
leave_replaced(struct sample_sink *s)
{
	if (!s->ready || !s->out.waiting || !rotate_is_gone(&s->out))
		return;
	rotate_drop(&s->out);
	s->ready = false;
}

static int
put_sample(struct sample_sink *s, const struct sample_rec *rec)
{
	char comment[COMMENT_MAX];
	struct pcapng_packet pkt = {
		.interface = rec->port,
		.time_ns = rec->time_ns,
		.data = rec->data,
		.caplen = MIN(rec->caplen, s->snaplen),
		.wirelen = rec->wirelen,
		.direction = INBOUND,
		.queue = rec->queue,
	};
	size_t n = 0;
	int r = 0;

	if (s->comments) {
		n = make_comment(s, rec, comment);
		pkt.comment = comment;
	}
	leave_replaced(s);
	if (s->ready && is_full(s, pkt.caplen, n))
		r = finish_file(s);
	if (r == 0 && !s->ready)
		r = start_file(s);
	/* Only now is there something that is worth moving older samples for. */
	if (r == 0)
		r = rotate_place(&s->out);
	if (r == 0)
		r = pcapng_packet(s->ng, &pkt);
	if (r < 0)
		return r;
	s->used = true;
	s->last_ns = rec->time_ns;
	s->ports[rec->port].pending++;
	return 0;
}

/* Remember the failure and drop samples for a while. */
static int
fail(struct sample_sink *s, int err)
{
	s->failed = err;
	s->retry_ms = now_ms() + RETRY_MS;
	return err;
}

/* The failure that lasts, or 0 when there is none or its time is over. */
static int
failing(struct sample_sink *s)
{
	if (s->failed != 0 && now_ms() >= s->retry_ms)
		s->failed = 0;
	return s->failed;
}

int
sample_sink_put(struct sample_sink *sink, const struct sample_rec *rec)
{
	struct sample_sink *s = sink;
	int r;

	if (rec->port >= s->names->n_ports) {
		s->lost++;
		return -EINVAL;
	}
	s->ports[rec->port].seen++;
	r = failing(s);
	if (r == 0) {
		r = put_sample(s, rec);
		if (r < 0)
			fail(s, r);
	}
	if (r < 0) {
		s->ports[rec->port].lost++;
		s->lost++;
	}
	return r;
}

int
sample_sink_flush(struct sample_sink *sink)
{
	int r = failing(sink);

	if (r < 0)
		return r;
	r = flush(sink);
	/* The next sample begins a new file, or is told why there can be none. */
	if (r == 0 && sink->ready && rotate_is_gone(&sink->out))
		r = finish_file(sink);
	return r < 0 ? fail(sink, r) : 0;
}

int
sample_sink_begin(struct sample_sink *sink)
{
	return sink->ready && rotate_is_free(&sink->out) ? rotate_place(&sink->out) : 0;
}

uint64_t
sample_sink_written(const struct sample_sink *sink)
{
	return sink->written;
}

uint64_t
sample_sink_lost(const struct sample_sink *sink)
{
	return sink->lost;
}

void
sample_sink_free(struct sample_sink *sink)
{
	if (sink == NULL)
		return;
	if (sink->ready && sink->out.waiting)
		rotate_drop(&sink->out);
	else if (sink->ready)
		(void)finish_file(sink);
	pcapng_free(sink->ng);
	rotate_fini(&sink->out);
	mem_free(sink->ports);
	mem_free(sink);
}

static int
open_fail(struct diag *diag, int err, const char *file)
{
	static const struct {
		int err;
		const char *hint;
	} hints[] = {
		{-ENOENT, "make the directory, or name another file"},
		{-EACCES, "let the daemon's user write to the directory, or name another file"},
		{-EROFS, "name a file on a file system that can be written"},
		{-ENOSPC, "the disk is full: make room, or name a file on another"},
		{-EINVAL, "it is neither a regular file nor a device: name another file"},
		{-EISDIR, "it is a directory: name a file in it"},
	};
	const char *hint = strerror(-err);

	for (size_t i = 0; i < DIM(hints); i++)
		if (hints[i].err == err)
			hint = hints[i].hint;
	return diag_fail(diag, err, "cannot write samples to '%s': %s", file, hint);
}

int
sample_pcapng_new(const struct sample_pcapng_conf *conf, const struct sample_names *names,
	struct sample_sink **ret_sink, struct diag *diag)
{
	struct sample_sink *s = mem_zalloc(sizeof(*s));
	int r = -ENOMEM;

	if (s == NULL)
		goto out;
	s->out.fd = -1;
	s->names = names;
	s->rotate_bytes = conf->rotate_bytes;
	s->snaplen = conf->snaplen;
	s->comments = conf->comments;
	s->ports = mem_calloc(MAX(names->n_ports, 1), sizeof(*s->ports));
	if (s->ports == NULL)
		goto out;
	r = rotate_init(&s->out, conf->file, conf->keep);
	if (r < 0)
		goto out;
	r = start_file(s);
	if (r < 0)
		goto out;
	*ret_sink = s;
	s = NULL;
out:
	sample_sink_free(s);
	if (r < 0)
		open_fail(diag, r, conf->file);
	return r;
}
