// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "bench.h"
#include "sluice_build.h"

/* In the order of the help. */
static const struct bench_cmd *const commands[] = {
#ifdef BENCH_DPDK
	&cmd_engines,
	&cmd_pipeline,
	&cmd_rules,
#endif
	&cmd_frames,
	&cmd_tools,
};

static void
usage(FILE *f)
{
	(void)fprintf(f, "usage: sluice-bench COMMAND [OPTION…]\n\n");
	for (size_t i = 0; i < DIM(commands); i++)
		(void)fprintf(f, "  %-10s %s\n", commands[i]->name, commands[i]->help);
	(void)fprintf(f, "\nsluice-bench COMMAND --help tells its options.\n");
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return BENCH_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return BENCH_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("sluice-bench %s\n", SLUICE_VERSION);
		return BENCH_OK;
	}
	for (size_t i = 0; i < DIM(commands); i++)
		if (strcmp(commands[i]->name, argv[1]) == 0)
			return commands[i]->run(argc - 2, argv + 2);
	bench_fail("no command '%s'; see sluice-bench --help", argv[1]);
	return BENCH_USAGE;
}
