// SPDX-License-Identifier: BSD-3-Clause
/*
 * What each pass takes of a build of 10,000 rules, the fastest of three builds.
 * Not a test: meson test --benchmark, or by hand bench_match_passes [FAMILY].
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "family.h"
#include "match/image.h"
#include "match/report.h"

#define RULES 10000
#define ROUNDS 3
#define PASSES_MAX 32

struct times {
	const char *name[PASSES_MAX];
	uint64_t us[PASSES_MAX], all_us;
	size_t n;
};

/* Build once; keep the passes' times if no build was faster. */
static int
build(const struct match_rule *rules, size_t n, struct times *best)
{
	const struct match_pass_report *passes;
	struct match_image *image = NULL;
	struct diag diag = {0};
	struct times t = {.n = 0};

	if (match_image_new(rules, n, MATCH_ENGINE_INTERP, &image, &diag) != 0) {
		(void)fprintf(stderr, "bench_match_passes: %s\n", diag.msg);
		return -1;
	}
	passes = match_image_passes(image, &t.n);
	t.n = MIN(t.n, PASSES_MAX);
	for (size_t i = 0; i < t.n; i++) {
		t.name[i] = passes[i].name;
		t.us[i] = passes[i].us;
		t.all_us += passes[i].us;
	}
	match_image_free(image);
	if (best->n == 0 || t.all_us < best->all_us)
		*best = t;
	return 0;
}

/* Rules that last, since only those are asked whether they hide others. */
static int
measure(enum family_kind kind)
{
	struct times best = {.n = 0};
	struct match_rule *rules;
	struct family *f = NULL;
	size_t n;
	int r = 0;

	if (family_new(kind, RULES, 7, &f, NULL) != 0)
		return -1;
	family_rules(f, &n);
	rules = calloc(n, sizeof(*rules));
	if (rules == NULL) {
		family_free(f);
		return -1;
	}
	memcpy(rules, family_rules(f, &n), n * sizeof(*rules));
	for (size_t i = 0; i < n; i++)
		rules[i].lasting = true;
	for (int round = 0; round < ROUNDS && r == 0; round++)
		r = build(rules, n, &best);
	printf("%-15s %7" PRIu64 " us:", family_name(kind), best.all_us);
	for (size_t i = 0; i < best.n; i++)
		printf(" %s %.1f %%", best.name[i],
			100.0 * (double)best.us[i] / (double)MAX(best.all_us, 1));
	printf("\n");
	free(rules);
	family_free(f);
	return r;
}

int
main(int argc, char **argv)
{
	int r = 0;

	for (int kind = 0; kind < FAMILY_KINDS && r == 0; kind++)
		if (argc < 2 || strcmp(argv[1], family_name((enum family_kind)kind)) == 0)
			r = measure((enum family_kind)kind);
	return r == 0 ? 0 : 1;
}
