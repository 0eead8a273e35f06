/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_REPLAY_H
#define SLUICE_REPLAY_H

/*
 * What a ruleset does to the frames of captures: the verdicts that the daemon
 * would give, counted as the daemon counts, and besides who is hit. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"
#include "match/verdict.h"
#include "pkt/savefile.h"
#include "pkt/view.h"
#include "pkt/vital.h"
#include "rules.h"
#include "top.h"

struct sbuf;

/* What a frame is told by; the kinds of struct replay_group.top. */
enum replay_key {
	REPLAY_DST, /* destination address */
	REPLAY_PROTO, /* protocol, or ethertype of what is not IP */
	REPLAY_DPORT, /* protocol and destination port */
	REPLAY_SPORT,
	REPLAY_KEYS
};

/* When, as in struct pkt_frame; first > last: never. */
struct replay_span {
	uint64_t first_ns, last_ns;
};

/* Frames that have something in common. */
struct replay_group {
	uint64_t packets, bytes; /* bytes: IP length */
	struct replay_span span;
	struct top top[REPLAY_KEYS];
	const char *file; /* where the first of them is, by its place; NULL: none */
	uint64_t number; /* in @file, from 1 */
};

struct replay_notes {
	uint64_t truncated, malformed, not_ip, fragments;
	uint64_t unknown_link; /* of a link type that no IP is looked for in */
	uint64_t transparent_overflow;
	uint64_t vital[PKT_VITAL_COUNT]; /* frames of each class within its rate */
	uint64_t vital_over; /* beyond it: ordinary frames */
};

struct replay {
	struct rules_file rules;
	size_t n_rules;
	struct match_counters *counters; /* by slot */
	struct replay_group *hits; /* by rule: frames that reached it and matched */
	struct replay_group verdicts[3]; /* by enum match_verdict_kind */
	struct replay_group all;
	struct replay_notes notes;
	struct bucket buckets[PKT_VITAL_COUNT];
	uint64_t clock_ns; /* of the buckets: the file's latest time so far */
	struct pkt_vital_conf vital_conf;
	size_t n_files;

	/* Frames that wait for their verdict, copied. */
	struct replay_burst *burst;
	const char *file; /* of the frames in hand */
};

/*
 * Load the rules of @path. @ret is to be freed also after a failure. Returns 0,
 * -errno with place and sentence.
 */
int replay_init(const char *path, const char *location, struct replay *ret, struct diag *diag);
void replay_fini(struct replay *r);

/* The frames that follow are of @file (valid as long as @r) and of link type @dlt. */
void replay_file(struct replay *r, const char *file);

/*
 * One more frame. Verdicts come burst by burst; replay_flush() gives what waits.
 *
 * @lines:	a line for each frame is appended, or NULL
 *
 * Returns 0, -ENOMEM.
 */
int replay_frame(struct replay *r, int dlt, const struct pkt_frame *frame, struct sbuf *lines);
void replay_flush(struct replay *r, struct sbuf *lines);

/* Why rule @i is in force, or not: "on", "disabled", "elsewhere", "unarmed". */
const char *replay_state(const struct replay *r, size_t i);

/* "pass", "drop", "limit". */
const char *replay_verdict_name(enum match_verdict_kind kind);

/* "destination", "protocol", "to port", "from port". */
const char *replay_key_name(enum replay_key kind);

/* The key of @e as text: "192.0.2.1", "udp", "udp/53". Returns @buf. */
#define REPLAY_KEY_TEXT 64
const char *replay_key_text(
	enum replay_key kind, const struct top_entry *e, char buf[REPLAY_KEY_TEXT]);

/* Append all as text for people, or as one line of JSON; at most @max keys of a kind. */
void replay_text(const struct replay *r, size_t max, struct sbuf *out);
void replay_json(const struct replay *r, size_t max, struct sbuf *out);
#define REPLAY_MOST_MAX 100

#endif
