// SPDX-License-Identifier: BSD-3-Clause
/*
 * The filters of filters.h, ns a frame: interpreter, machine code, and the same
 * program as C through "clang -O3", called alike. engines_bench [ROUNDS].
 * Engines take turns, the median of the rounds counts. Exit 1 when our sum is
 * above clang's or one filter above 1.15 times clang's, 77 without clang.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "filters.h"
#include "traffic.h"

#define FRAMES 4096
#define CALLS 65536 /* in one measurement, in an order that does not repeat */
#define WARM 8192 /* calls before the clock starts */
#define ROUNDS_MAX 1001

enum { INTERP, JIT, CLANG, ENGINES };

static const char *const names[ENGINES] = {"interp", "jit", "clang -O3"};

struct subject {
	struct cbpf_prog *prog;
	struct cbpf_jit *jit;
	cbpf_fn fn[ENGINES];
};

static double
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/*
 * The frames in random order. Branch predictors of today remember what some
 * thousand calls did and replay it when the same frames come round in the same
 * order, which no traffic does; what is measured then is whose branches fill the
 * predictor's history better.
 */
static uint16_t order[WARM + CALLS];

static void
shuffle(void)
{
	struct rng r = {2};

	for (size_t i = 0; i < DIM(order); i++)
		order[i] = (uint16_t)rng_below(&r, FRAMES);
}

static uint32_t
call(const struct subject *s, int engine, const struct bench_frame *frames, size_t from, size_t to)
{
	cbpf_fn fn = s->fn[engine];
	uint32_t sum = 0;

	for (size_t i = from; i < to; i++) {
		const struct bench_frame *f = &frames[order[i]];

		if (engine == INTERP)
			sum += cbpf_run(s->prog, f->data, f->len, f->len);
		else
			sum += fn(f->data, f->len, f->len);
	}
	return sum;
}

static double
measure(const struct subject *s, int engine, const struct bench_frame *frames)
{
	uint32_t sum = call(s, engine, frames, 0, WARM);
	double start = now_ns();

	sum += call(s, engine, frames, WARM, WARM + CALLS);
	start = now_ns() - start;
	/* The results are used, so that nothing may be left out. */
	__asm__ volatile("" : : "r"(sum));
	return start / CALLS;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
medians(const struct subject *s, const struct bench_frame *frames, int rounds, double *ret)
{
	static double ns[ENGINES][ROUNDS_MAX];

	for (int r = 0; r < rounds; r++)
		for (int e = 0; e < ENGINES; e++) {
			/* Each comes behind each other equally often. */
			int engine = (r % 2 ? ENGINES - 1 - e + r / 2 : e + r / 2) % ENGINES;

			if (s->fn[engine] != NULL || engine == INTERP)
				ns[engine][r] = measure(s, engine, frames);
		}
	for (int e = 0; e < ENGINES; e++) {
		qsort(ns[e], (size_t)rounds, sizeof(double), by_value);
		ret[e] = ns[e][rounds / 2];
	}
}

static void
load(const struct filter *f, struct subject *s)
{
	struct cbpf_insn *insns;
	size_t n;

	if (cbpf_asm(f->text, &insns, &n, NULL) < 0 || cbpf_prog_new(insns, n, &s->prog, NULL) < 0)
		abort();
	mem_free(insns);
	if (cbpf_jit_new(s->prog, &s->jit, NULL) == 0)
		s->fn[JIT] = cbpf_jit_fn(s->jit);
}

/* All programs in one shared object made by clang; NULL without clang. */
static void *
clang_all(struct subject *s)
{
	char dir[] = "/tmp/engines_bench.XXXXXX", path[64], cmd[256];
	struct sbuf c = SBUF_INIT;
	void *lib = NULL;
	FILE *f;

	for (int i = 0; i < FILTERS_COUNT; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "filter%d", i);
		cbpf_write_c(s[i].prog, name, &c);
	}
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/f.c", dir);
	f = fopen(path, "w");
	if (f == NULL || fputs(sbuf_str(&c), f) < 0 || fclose(f) != 0)
		abort();
	(void)snprintf(cmd, sizeof(cmd),
		"c=$(command -v clang || command -v clang-14) && "
		"$c -O3 -fPIC -shared -o %s/f.so %s/f.c",
		dir, dir);
	if (system(cmd) == 0) {
		(void)snprintf(path, sizeof(path), "%s/f.so", dir);
		lib = dlopen(path, RTLD_NOW);
	}
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	(void)!system(cmd);
	sbuf_fini(&c);
	for (int i = 0; lib != NULL && i < FILTERS_COUNT; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "filter%d", i);
		s[i].fn[CLANG] = (cbpf_fn)(uintptr_t)dlsym(lib, name);
	}
	return lib;
}

static double
share_matching(const struct subject *s, const struct bench_frame *frames)
{
	size_t n = 0;

	for (size_t i = 0; i < FRAMES; i++)
		n += cbpf_run(s->prog, frames[i].data, frames[i].len, frames[i].len) != 0;
	return 100.0 * (double)n / FRAMES;
}

/* One kind of traffic over all filters; false when the target is missed. */
static bool
table(const struct subject *s, bool flood, int rounds)
{
	double sum[ENGINES] = {0}, ns[ENGINES];
	bool ok = true;

	printf("%-24s %6s %9s %9s %9s %6s\n", flood ? "flood" : "mixed", "match%", names[0],
		names[1], names[2], "ratio");
	for (int i = 0; i < FILTERS_COUNT; i++) {
		struct bench_frame *frames = bench_traffic(&filters[i], flood, FRAMES, 1);

		if (frames == NULL)
			abort();
		medians(&s[i], frames, rounds, ns);
		printf("%-24s %6.1f %9.2f %9.2f %9.2f %6.2f\n", filters[i].name,
			share_matching(&s[i], frames), ns[INTERP], ns[JIT], ns[CLANG],
			ns[JIT] / ns[CLANG]);
		for (int e = 0; e < ENGINES; e++)
			sum[e] += ns[e];
		ok = ok && ns[JIT] <= 1.15 * ns[CLANG];
		free(frames);
	}
	printf("%-24s %6s %9.2f %9.2f %9.2f %6.2f\n\n", "sum", "", sum[INTERP], sum[JIT],
		sum[CLANG], sum[JIT] / sum[CLANG]);
	return ok && sum[JIT] <= sum[CLANG];
}

int
main(int argc, char **argv)
{
	static struct subject s[FILTERS_COUNT];
	int rounds = argc > 1 ? atoi(argv[1]) : 31;
	bool flood, mixed;
	void *lib;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	shuffle();
	for (int i = 0; i < FILTERS_COUNT; i++)
		load(&filters[i], &s[i]);
	lib = clang_all(s);
	if (lib == NULL || s[0].fn[JIT] == NULL) {
		printf("no clang, or no compiled programs on this machine\n");
		return 77;
	}
	flood = table(s, true, rounds);
	mixed = table(s, false, rounds);
	for (int i = 0; i < FILTERS_COUNT; i++) {
		cbpf_jit_free(s[i].jit);
		cbpf_prog_free(s[i].prog);
	}
	(void)dlclose(lib);
	return flood && mixed ? 0 : 1;
}
