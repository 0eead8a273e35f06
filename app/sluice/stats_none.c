// SPDX-License-Identifier: BSD-3-Clause
/* Statistics of a build without jansson: there are none, and it says so. */
#include <errno.h>

#include "base/diag.h"
#include "stats_text.h"

int
stats_parse(const char *answer, struct stats **ret_stats, struct diag *diag)
{
	(void)answer;
	(void)ret_stats;
	return diag_fail(diag, -ENOSYS, "built without jansson, which statistics need");
}

void
stats_free(struct stats *stats)
{
	(void)stats;
}

double
stats_time_s(const struct stats *stats)
{
	(void)stats;
	return 0;
}

int
stats_print_json(const struct stats *stats, FILE *out)
{
	(void)stats;
	(void)out;
	return -ENOSYS;
}

void
stats_print_table(const struct stats *before, const struct stats *now, FILE *out)
{
	(void)before;
	(void)now;
	(void)out;
}

void
stats_print_line(const struct stats *before, const struct stats *now, FILE *out)
{
	(void)before;
	(void)now;
	(void)out;
}
