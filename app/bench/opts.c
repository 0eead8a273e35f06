// SPDX-License-Identifier: BSD-3-Clause
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/parse.h"
#include "bench.h"

int
bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("sluice-bench: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	return BENCH_FAILED;
}

static void
print_help(const char *cmd, const char *help, const struct bench_opt *opts)
{
	printf("usage: sluice-bench %s [OPTION…]\n\n%s\n\n", cmd, help);
	for (const struct bench_opt *o = opts; o->name != NULL; o++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", o->name, o->arg != NULL ? " " : "",
			o->arg != NULL ? o->arg : "");
		printf("  %-24s %s\n", left, o->help);
	}
	printf("  %-24s %s\n", "--help", "Print this.");
}

static const struct bench_opt *
find(const struct bench_opt *opts, const char *name)
{
	for (; opts->name != NULL; opts++)
		if (strcmp(opts->name, name) == 0)
			return opts;
	return NULL;
}

static int
set(const struct bench_opt *o, const char *value)
{
	struct diag diag = {0};

	if (o->text != NULL) {
		*o->text = value;
		return BENCH_OK;
	}
	if (parse_u64(value, o->min, o->max, o->number, &diag) < 0) {
		bench_fail("%s: %s", o->name, diag.msg);
		return BENCH_USAGE;
	}
	return BENCH_OK;
}

int
bench_opts(const char *cmd, const char *help, const struct bench_opt *opts, int argc, char **argv,
	bool *ret_done)
{
	*ret_done = true;
	for (int i = 0; i < argc; i++) {
		const struct bench_opt *o = find(opts, argv[i]);

		if (strcmp(argv[i], "--help") == 0) {
			print_help(cmd, help, opts);
			return BENCH_OK;
		}
		if (o == NULL) {
			bench_fail("%s: no option '%s'; see sluice-bench %s --help", cmd, argv[i],
				cmd);
			return BENCH_USAGE;
		}
		if (o->flag != NULL) {
			*o->flag = true;
			continue;
		}
		if (++i == argc) {
			bench_fail("%s %s: %s is missing", cmd, o->name, o->arg);
			return BENCH_USAGE;
		}
		if (set(o, argv[i]) != BENCH_OK)
			return BENCH_USAGE;
	}
	*ret_done = false;
	return BENCH_OK;
}

uint64_t
bench_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
