// SPDX-License-Identifier: BSD-3-Clause
/*
 * One program at a time, six ways, on the same frames. Every engine's answers
 * are first compared with the interpreter's, in a child, since some of the peers
 * crash; then all are timed in turn, round after round, and the medians told.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "bench.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "dp/eal.h"
#include "engine.h"
#include "filters.h"
#include "pkt/view.h"
#include "traffic.h"

#define HELP "Time one program in our engines and others', with clang -O3 to hold them against."

#define ROUNDS_MAX 10001
#define FLOOD_PERCENT 97 /* of the frames in a flood; the others are mixed traffic */
#define PASS_NS 400000 /* a measurement takes about that long */

enum traffic_case { FLOOD, MIXED, TRAFFICS };
static const char *const traffic_names[TRAFFICS] = {"flood", "mixed"};

static const struct engine *const engines[] = {&engine_interp, &engine_jit, &engine_pcap,
	&engine_rte_interp, &engine_rte_jit, &engine_clang};
enum { INTERP, JIT, CLANG = DIM(engines) - 1, ENGINES = DIM(engines) };

enum state { RIGHT, WRONG, CRASHES, ABSENT };
static const char *const state_names[] = {"right", "wrong", "crashes", "absent"};

/* One engine with one filter and one kind of traffic. */
struct cell {
	double *ns; /* per packet, one a round */
	double median;
	uint32_t passes; /* over all frames in one measurement */
};

struct subject {
	struct engine_prog prog;
	enum state state;
	char why[128];
	struct cell cells[TRAFFICS];
};

struct run {
	uint64_t rounds;
	struct cbpf_prog *progs[FILTERS_COUNT];
	struct subject subjects[FILTERS_COUNT][ENGINES];
	/* Frames by link, by what a flood consists of, by traffic. */
	struct engine_frames *frames[2][2][TRAFFICS];
	uint8_t *bytes[2][TRAFFICS];
	double match[FILTERS_COUNT][TRAFFICS]; /* share of frames that match */
};

/* Frames that are IP, as @conf makes them, each at the start of a cache line. */
static void
make_frames(const struct traffic_conf *flood, enum traffic_case traffic, struct rng *rng,
	uint8_t *bytes, struct engine_frames *ether, struct engine_frames *raw)
{
	struct traffic_conf mixed = *flood;

	mixed.kind = TRAFFIC_MIXED;
	for (size_t i = 0; i < ENGINE_FRAMES;) {
		bool of_flood = traffic == FLOOD && rng_below(rng, 100) < FLOOD_PERCENT;
		uint32_t n = (uint32_t)traffic_frame(of_flood ? flood : &mixed, rng, bytes);
		struct pkt_view v;

		pkt_parse_ether(bytes, n, n, &v);
		if (v.family == 0)
			continue;
		ether->v[i] = (struct engine_frame){bytes, n, n};
		raw->v[i] = (struct engine_frame){bytes + v.l3_off, v.l3_caplen, v.l3_len};
		bytes += (n + BASE_CACHE_LINE - 1) & ~(uint32_t)(BASE_CACHE_LINE - 1);
		i++;
	}
}

static int
frames_new(struct run *run)
{
	static const enum traffic_kind kinds[2] = {
		[FILTER_DNS] = TRAFFIC_DNS_FLOOD, [FILTER_SYN] = TRAFFIC_SYN_FLOOD};

	for (size_t k = 0; k < 2; k++) {
		struct traffic_conf conf;
		struct rng rng = {20260101 + k};

		traffic_defaults(&conf);
		conf.kind = kinds[k];
		conf.random_sources = true;
		for (int t = 0; t < TRAFFICS; t++) {
			run->bytes[k][t] = mem_zalloc_aligned(
				BASE_CACHE_LINE, (size_t)ENGINE_FRAMES * TRAFFIC_FRAME_MAX);
			for (int link = 0; link < 2; link++)
				run->frames[link][k][t] = mem_zalloc(sizeof(struct engine_frames));
			if (run->bytes[k][t] == NULL || run->frames[0][k][t] == NULL ||
				run->frames[1][k][t] == NULL)
				return -ENOMEM;
			make_frames(&conf, (enum traffic_case)t, &rng, run->bytes[k][t],
				run->frames[FILTER_ETHER][k][t], run->frames[FILTER_RAW_IP][k][t]);
			for (int link = 0; link < 2; link++)
				if (engine_mbufs_new(run->frames[link][k][t]) < 0)
					return -ENOMEM;
		}
	}
	return 0;
}

static const struct engine_frames *
frames_of(const struct run *run, size_t filter, int traffic)
{
	return run->frames[filters[filter].link][filters[filter].traffic][traffic];
}

/* How many answers differ from the interpreter's. */
static uint32_t
count_wrong(const struct run *run, size_t filter, size_t engine)
{
	uint32_t wrong = 0;

	for (int t = 0; t < TRAFFICS; t++) {
		const struct engine_frames *f = frames_of(run, filter, t);

		for (size_t i = 0; i < ENGINE_FRAMES; i++)
			wrong += engines[engine]->one(&run->subjects[filter][engine].prog, f, i) !=
				engine_interp.one(&run->subjects[filter][INTERP].prog, f, i);
	}
	return wrong;
}

/* The same in a child: a crash is an answer too. */
static enum state
check(const struct run *run, size_t filter, size_t engine)
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(count_wrong(run, filter, engine) != 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return WRONG;
	if (!WIFEXITED(status))
		return CRASHES;
	return WEXITSTATUS(status) == 0 ? RIGHT : WRONG;
}

static int
prog_new(const struct filter *f, struct cbpf_prog **ret)
{
	struct cbpf_insn *insns = NULL;
	struct diag diag = {0};
	size_t n;
	int r = cbpf_asm(f->text, &insns, &n, &diag);

	if (r == 0)
		r = cbpf_prog_new(insns, n, ret, &diag);
	mem_free(insns);
	if (r < 0)
		bench_fail("%s: line %u: %s", f->name, diag.line, diag.msg);
	return r;
}

static int
subjects_new(struct run *run)
{
	for (size_t f = 0; f < FILTERS_COUNT; f++) {
		int r = prog_new(&filters[f], &run->progs[f]);

		if (r < 0)
			return r;
		for (size_t e = 0; e < ENGINES; e++) {
			struct subject *s = &run->subjects[f][e];

			s->state = ABSENT;
			if (engines[e]->make(run->progs[f], &s->prog, s->why) < 0)
				continue;
			s->state = check(run, f, e);
			for (int t = 0; t < TRAFFICS; t++) {
				s->cells[t].ns = mem_calloc(run->rounds, sizeof(double));
				if (s->cells[t].ns == NULL)
					return -ENOMEM;
			}
		}
	}
	return 0;
}

static double
measure(const struct run *run, size_t filter, size_t engine, int traffic, uint32_t passes)
{
	const struct engine_frames *f = frames_of(run, filter, traffic);
	const struct engine_prog *p = &run->subjects[filter][engine].prog;
	uint64_t start = bench_now_ns();
	uint32_t matches = 0;

	for (uint32_t i = 0; i < passes; i++)
		matches += engines[engine]->all(p, f);
	/* The answer must be needed. */
	__asm__ volatile("" : : "r"(matches));
	return (double)(bench_now_ns() - start) / ((double)passes * ENGINE_FRAMES);
}

static bool
is_timed(const struct subject *s)
{
	return s->state == RIGHT || s->state == WRONG;
}

/* Once untimed, to warm up and to see how many passes make a measurement. */
static void
calibrate(struct run *run)
{
	for (size_t f = 0; f < FILTERS_COUNT; f++)
		for (int t = 0; t < TRAFFICS; t++)
			for (size_t e = 0; e < ENGINES; e++) {
				struct subject *s = &run->subjects[f][e];
				double ns = is_timed(s) ? measure(run, f, e, t, 4) : 1;

				s->cells[t].passes = 1 + (uint32_t)(PASS_NS / (ns * ENGINE_FRAMES));
			}
}

/* All cells once. Engines stand next to each other in time, in an order that moves on. */
static void
one_round(struct run *run, uint64_t round)
{
	for (size_t f = 0; f < FILTERS_COUNT; f++)
		for (int t = 0; t < TRAFFICS; t++)
			for (size_t k = 0; k < ENGINES; k++) {
				size_t e = (k + round) % ENGINES;
				struct subject *s = &run->subjects[f][e];

				if (is_timed(s))
					s->cells[t].ns[round] =
						measure(run, f, e, t, s->cells[t].passes);
			}
}

static void
finish(struct run *run)
{
	for (size_t f = 0; f < FILTERS_COUNT; f++)
		for (int t = 0; t < TRAFFICS; t++) {
			uint32_t n = engine_interp.all(
				&run->subjects[f][INTERP].prog, frames_of(run, f, t));

			run->match[f][t] = (double)n / ENGINE_FRAMES;
			for (size_t e = 0; e < ENGINES; e++) {
				struct subject *s = &run->subjects[f][e];

				if (is_timed(s))
					s->cells[t].median =
						bench_median(s->cells[t].ns, run->rounds);
			}
		}
}

/* ns of all filters together; 0 when one is missing. */
static double
sum(const struct run *run, size_t engine, int traffic)
{
	double ns = 0;

	for (size_t f = 0; f < FILTERS_COUNT; f++) {
		if (run->subjects[f][engine].state != RIGHT)
			return 0;
		ns += run->subjects[f][engine].cells[traffic].median;
	}
	return ns;
}

static double
ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void
print_row(const char *name, double match, const double *ns, const enum state *states)
{
	printf("%-24s", name);
	if (match >= 0)
		printf(" %6.1f%%", 100 * match);
	else
		printf(" %7s", "");
	for (size_t e = 0; e < ENGINES; e++) {
		if (states[e] == RIGHT)
			printf(" %12.2f", ns[e]);
		else
			printf(" %12s", state_names[states[e]]);
	}
	if (states[JIT] == RIGHT && states[CLANG] == RIGHT)
		printf(" %10.2f\n", ratio(ns[JIT], ns[CLANG]));
	else
		printf(" %10s\n", "-");
}

static void
print_table(const struct run *run)
{
	for (int t = 0; t < TRAFFICS; t++) {
		double ns[ENGINES];
		enum state states[ENGINES];

		printf("%s%s, ns/packet, median of %" PRIu64 " rounds\n", t > 0 ? "\n" : "",
			traffic_names[t], run->rounds);
		printf("%-24s %7s", "", "match");
		for (size_t e = 0; e < ENGINES; e++)
			printf(" %12s", engines[e]->name);
		printf(" %10s\n", "JIT/clang");
		for (size_t f = 0; f < FILTERS_COUNT; f++) {
			for (size_t e = 0; e < ENGINES; e++) {
				ns[e] = run->subjects[f][e].cells[t].median;
				states[e] = run->subjects[f][e].state;
			}
			print_row(filters[f].name, run->match[f][t], ns, states);
		}
		for (size_t e = 0; e < ENGINES; e++) {
			ns[e] = sum(run, e, t);
			states[e] = ns[e] > 0 ? RIGHT : WRONG;
		}
		print_row("sum", -1, ns, states);
	}
	for (size_t e = 0; e < ENGINES; e++)
		if (run->subjects[0][e].state == ABSENT)
			printf("%s is absent: %s\n", engines[e]->name, run->subjects[0][e].why);
}

static void
json_number(const char *key, double v, const char *end)
{
	if (v > 0)
		printf("\"%s\":%.3f%s", key, v, end);
	else
		printf("\"%s\":null%s", key, end);
}

static void
json_filter(const struct run *run, size_t f)
{
	printf("{\"name\":\"%s\"", filters[f].name);
	for (int t = 0; t < TRAFFICS; t++) {
		const struct subject *s = run->subjects[f];

		printf(",\"%s\":{\"match\":%.4f,", traffic_names[t], run->match[f][t]);
		for (size_t e = 0; e < ENGINES; e++)
			json_number(engines[e]->key, s[e].state == RIGHT ? s[e].cells[t].median : 0,
				",");
		json_number("jit_to_clang",
			s[JIT].state == RIGHT && s[CLANG].state == RIGHT
				? ratio(s[JIT].cells[t].median, s[CLANG].cells[t].median)
				: 0,
			"}");
	}
	printf(",\"state\":{");
	for (size_t e = 0; e < ENGINES; e++)
		printf("%s\"%s\":\"%s\"", e > 0 ? "," : "", engines[e]->key,
			state_names[run->subjects[f][e].state]);
	printf("}}");
}

static void
print_json(const struct run *run)
{
	printf("{\"version\":1,\"unit\":\"ns/packet\",\"rounds\":%" PRIu64 ",\"filters\":[",
		run->rounds);
	for (size_t f = 0; f < FILTERS_COUNT; f++) {
		if (f > 0)
			printf(",");
		json_filter(run, f);
	}
	printf("],\"sum\":{");
	for (int t = 0; t < TRAFFICS; t++) {
		printf("%s\"%s\":{", t > 0 ? "," : "", traffic_names[t]);
		for (size_t e = 0; e < ENGINES; e++)
			json_number(engines[e]->key, sum(run, e, t), ",");
		json_number("jit_to_clang", ratio(sum(run, JIT, t), sum(run, CLANG, t)), "}");
	}
	printf("}}\n");
}

static void
run_free(struct run *run)
{
	for (size_t f = 0; f < FILTERS_COUNT; f++) {
		for (size_t e = 0; e < ENGINES; e++) {
			struct subject *s = &run->subjects[f][e];

			if (s->cells[0].ns != NULL)
				engines[e]->fini(&s->prog);
			for (int t = 0; t < TRAFFICS; t++)
				mem_free(s->cells[t].ns);
		}
		cbpf_prog_free(run->progs[f]);
	}
	for (size_t k = 0; k < 2; k++)
		for (int t = 0; t < TRAFFICS; t++) {
			for (int link = 0; link < 2; link++) {
				if (run->frames[link][k][t] != NULL)
					engine_mbufs_free(run->frames[link][k][t]);
				mem_free(run->frames[link][k][t]);
			}
			mem_free(run->bytes[k][t]);
		}
	mem_free(run);
}

/* An engine of ours that is wrong is a failure; a peer's fault is only told. */
static int
judge(const struct run *run)
{
	static const size_t ours[] = {JIT, CLANG};

	for (size_t f = 0; f < FILTERS_COUNT; f++)
		for (size_t k = 0; k < DIM(ours); k++)
			if (run->subjects[f][ours[k]].state == WRONG ||
				run->subjects[f][ours[k]].state == CRASHES)
				return bench_fail("%s: %s is %s", filters[f].name,
					engines[ours[k]]->name,
					state_names[run->subjects[f][ours[k]].state]);
	return BENCH_OK;
}

static int
engines_run(int argc, char **argv)
{
	uint64_t rounds = 51;
	bool json = false, done;
	const struct bench_opt opts[] = {
		{"--json", NULL, "One JSON object instead of the tables.", .flag = &json},
		{"--rounds", "N", "Measurements of each cell, 51 unless told.", .number = &rounds,
			.min = 1, .max = ROUNDS_MAX},
		{0},
	};
	const struct dp_eal_conf eal = {
		.hugepages = DP_HUGE_NO, .memory_mib = 64, .main_cpu = DP_CPU_ANY};
	struct diag diag = {0};
	struct run *run;
	int r = bench_opts("engines", HELP, opts, argc, argv, &done);

	if (done)
		return r;
	if (dp_eal_start(&eal, &diag) < 0)
		return bench_fail("%s", diag.msg);
	run = mem_zalloc(sizeof(*run));
	if (run == NULL)
		return bench_fail("out of memory");
	run->rounds = rounds;
	r = frames_new(run);
	if (r == 0)
		r = subjects_new(run);
	if (r < 0) {
		bench_fail("%s", strerror(-r));
		r = BENCH_FAILED;
		goto out;
	}
	calibrate(run);
	for (uint64_t i = 0; i < rounds; i++)
		one_round(run, i);
	finish(run);
	if (json)
		print_json(run);
	else
		print_table(run);
	r = judge(run);
out:
	run_free(run);
	dp_eal_stop();
	return r;
}

const struct bench_cmd cmd_engines = {
	.name = "engines",
	.help = HELP,
	.run = engines_run,
};
