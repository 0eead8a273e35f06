/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_STATS_TEXT_H
#define SLUICE_STATS_TEXT_H

/* The daemon's statistics, one line of JSON, as text for people. */

#include <stdio.h>

struct diag;

/* One answer to "stats". */
struct stats;

/* Returns 0, -EPROTO: not what the daemon says, -ENOMEM, -ENOSYS: built without jansson. */
int stats_parse(const char *answer, struct stats **ret_stats, struct diag *diag);
void stats_free(struct stats *stats);

/* Seconds since 1970, to the millisecond. */
double stats_time_s(const struct stats *stats);

/* The JSON without the protocol's own members, one line. Returns 0, -ENOMEM. */
int stats_print_json(const struct stats *stats, FILE *out);

/* Ports and rules with totals and, by what was counted since @before, packets a second. */
void stats_print_table(const struct stats *before, const struct stats *now, FILE *out);

/* One line for all ports together: packets a second since @before. */
void stats_print_line(const struct stats *before, const struct stats *now, FILE *out);

#endif
