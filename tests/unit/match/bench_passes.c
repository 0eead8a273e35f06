// SPDX-License-Identifier: BSD-3-Clause
/*
 * What each pass takes of a build of 10,000 rules, of three builds that with the least CPU time.
 * Not a test: meson test --benchmark, or by hand bench_match_passes [FAMILY [BUILDS]].
 * FAMILY "hostile" is programs that nothing is known of: long, random, no two alike.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "family.h"
#include "match/image.h"
#include "match/report.h"

#define RULES 10000
#define BUILDS 3
#define PASSES_MAX 32

struct times {
	const char *name[PASSES_MAX];
	uint64_t us[PASSES_MAX], all_us, cpu_us;
	size_t n;
};

/* Of this process: on a busy machine it says more than the clock on the wall. */
static uint64_t
cpu_us(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Build once; keep the passes' times if no build was faster. */
static int
build(const struct match_rule *rules, size_t n, struct times *best)
{
	const struct match_pass_report *passes;
	struct match_image *image = NULL;
	struct diag diag = {0};
	struct times t = {.n = 0};
	const uint64_t start = cpu_us();

	if (match_image_new(rules, n, MATCH_ENGINE_AUTO, &image, &diag) != 0) {
		(void)fprintf(stderr, "bench_match_passes: %s\n", diag.msg);
		return -1;
	}
	t.cpu_us = cpu_us() - start;
	passes = match_image_passes(image, &t.n);
	t.n = MIN(t.n, PASSES_MAX);
	for (size_t i = 0; i < t.n; i++) {
		t.name[i] = passes[i].name;
		t.us[i] = passes[i].us;
		t.all_us += passes[i].us;
	}
	match_image_free(image);
	if (best->n == 0 || t.cpu_us < best->cpu_us)
		*best = t;
	return 0;
}

static void
print(const char *name, const struct times *best)
{
	printf("%-15s %7" PRIu64 " us, CPU %7" PRIu64 " us:", name, best->all_us, best->cpu_us);
	for (size_t i = 0; i < best->n; i++)
		printf(" %s %.1f %%", best->name[i],
			100.0 * (double)best->us[i] / (double)MAX(best->all_us, 1));
	printf("\n");
}

/* Rules that last, since only those are asked whether they hide others. */
static int
measure(enum family_kind kind, int builds)
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
	for (int i = 0; i < builds && r == 0; i++)
		r = build(rules, n, &best);
	print(family_name(kind), &best);
	free(rules);
	family_free(f);
	return r;
}

#define HOSTILE_INSNS 1200

/* One instruction that some below can be jumped over from. */
static struct cbpf_insn
hostile_insn(struct rng *rng)
{
	static const uint16_t codes[] = {CBPF_CODE_LD_W_ABS, CBPF_CODE_LD_H_ABS, CBPF_CODE_LD_B_ABS,
		CBPF_CODE_LD_W_IND, CBPF_CODE_ALU_ADD_K, CBPF_CODE_ALU_AND_K, CBPF_CODE_ALU_XOR_K,
		CBPF_CODE_ALU_MUL_K, CBPF_CODE_ALU_ADD_X, CBPF_CODE_TAX, CBPF_CODE_JEQ_K,
		CBPF_CODE_JGT_K, CBPF_CODE_JSET_K};
	struct cbpf_insn in = {.code = codes[rng_below(rng, DIM(codes))]};
	const bool is_load = in.code == CBPF_CODE_LD_W_ABS || in.code == CBPF_CODE_LD_H_ABS ||
		in.code == CBPF_CODE_LD_B_ABS || in.code == CBPF_CODE_LD_W_IND;

	in.k = is_load ? rng_below(rng, 64) : (uint32_t)rng_next(rng);
	if (in.code == CBPF_CODE_JEQ_K || in.code == CBPF_CODE_JGT_K ||
		in.code == CBPF_CODE_JSET_K) {
		in.jt = (uint8_t)rng_below(rng, 8);
		in.jf = (uint8_t)rng_below(rng, 8);
	}
	return in;
}

static struct cbpf_prog *
hostile_prog(struct rng *rng)
{
	struct cbpf_insn insns[HOSTILE_INSNS];
	struct cbpf_prog *prog = NULL;

	for (size_t i = 0; i < HOSTILE_INSNS; i++)
		insns[i] = i + 10 < HOSTILE_INSNS
			? hostile_insn(rng)
			: (struct cbpf_insn){.code = CBPF_CODE_RET_K, .k = i % 2};
	return cbpf_prog_new(insns, HOSTILE_INSNS, &prog, NULL) == 0 ? prog : NULL;
}

static int
measure_hostile(int builds)
{
	static struct match_rule rules[RULES];
	struct times best = {.n = 0};
	struct rng rng = {7};
	int r = 0;

	for (size_t i = 0; i < RULES && r == 0; i++) {
		rules[i] = (struct match_rule){.slot = (uint32_t)i,
			.action = MATCH_DROP,
			.enabled = true,
			.lasting = true,
			.scope = {.ports = UINT64_MAX, .src.any = true, .dst.any = true}};
		rules[i].prog[0] = rules[i].prog[1] = hostile_prog(&rng);
		r = rules[i].prog[0] != NULL ? 0 : -1;
	}
	for (int i = 0; i < builds && r == 0; i++)
		r = build(rules, RULES, &best);
	print("hostile", &best);
	for (size_t i = 0; i < RULES; i++)
		cbpf_prog_free((struct cbpf_prog *)(uintptr_t)rules[i].prog[0]);
	return r;
}

int
main(int argc, char **argv)
{
	const int builds = argc > 2 ? atoi(argv[2]) : BUILDS;
	int r = 0;

	for (int kind = 0; kind < FAMILY_KINDS && r == 0; kind++)
		if (argc < 2 || strcmp(argv[1], family_name((enum family_kind)kind)) == 0)
			r = measure((enum family_kind)kind, builds);
	/* Seconds, and half a gigabyte. */
	if (argc > 1 && strcmp(argv[1], "hostile") == 0)
		r = measure_hostile(builds);
	return r == 0 ? 0 : 1;
}
