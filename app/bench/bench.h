/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_H
#define BENCH_H

/*
 * Commands of sluice-bench and their options, as tables: parsing and help come
 * from them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses. */
enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

/* One option, "--name" or "-x". The pointer that is not NULL says what it takes. */
struct bench_opt {
	const char *name; /* with its dashes */
	const char *arg; /* of what the value is, for the help; NULL: none */
	const char *help; /* one sentence, full stop included */
	bool *flag;
	uint64_t *number; /* in [@min, @max] */
	uint64_t min, max;
	const char **text;
};

struct bench_cmd {
	const char *name;
	const char *help; /* one imperative sentence, full stop included */
	int (*run)(int argc, char **argv); /* argv behind the command; an exit status */
};

extern const struct bench_cmd cmd_engines, cmd_frames, cmd_pipeline, cmd_rules, cmd_tools;

/*
 * Fill what @opts (ended by a row without name) point at from @argv. Returns
 * BENCH_OK to go on, else the exit status: after --help, or after telling
 * stderr what is wrong; *ret_done says which of these.
 */
int bench_opts(const char *cmd, const char *help, const struct bench_opt *opts, int argc,
	char **argv, bool *ret_done);

/* Print "sluice-bench: ..." to stderr and return BENCH_FAILED. */
int bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Nanoseconds that this thread ran: what else the machine does meanwhile is not
 * counted, although it still takes its share of the caches.
 */
uint64_t bench_now_ns(void);

/* The median of @n values, @n > 0; sorts them. */
double bench_median(double *v, size_t n);

#endif
