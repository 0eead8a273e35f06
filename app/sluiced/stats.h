/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_STATS_H
#define SLUICED_STATS_H

/* The counters as text. Control thread. */

struct daemon;
struct sbuf;

/*
 * Append the members of the object that "sluice stats --json" prints, from
 * "version" to "rules", without its braces.
 */
void stats_json(const struct daemon *d, struct sbuf *out);

/* Log one line for each port: what came and what became of it. */
void stats_log(const struct daemon *d);

#endif
