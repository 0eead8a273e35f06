// SPDX-License-Identifier: BSD-3-Clause
/*
 * Many rules at once: families of rulesets, sizes, kinds of traffic, engines. The
 * answers of every engine are first compared with libpcap's, in a child, since
 * some of the peers crash; then all are timed in turn, round after round.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/util.h"
#include "bench.h"
#include "dp/eal.h"
#include "rules.h"

#define HELP "Time whole rulesets of many shapes and sizes in our engines and others'."

#define ROUNDS_MAX 10001
#define PASS_NS 1000000 /* a measurement takes about that long, where a burst is not longer */
#define L2_FRAMES 1024 /* with all that belongs to them about 300 KiB */
#define L3_FRAMES 32768 /* 10 MiB */
#define CHECK_WORK 2000000 /* rules times frames that are compared, about */

static const struct rules_engine *const engines[] = {&rules_match, &rules_jit, &rules_libpcap,
	&rules_rte_bpf, &rules_rte_packed, &rules_c, &rules_rte_acl};
enum { OURS = 2, ORACLE = 2, ENGINES = DIM(engines) };

static const uint32_t cache_frames[RULES_CACHES] = {L2_FRAMES, L3_FRAMES};
const char *const rules_cache_names[RULES_CACHES] = {"l2", "l3"};

/* What the command line chose, as bits of the numbers of names. */
struct choice {
	uint32_t families, traffics, caches, engines;
	size_t sizes[RULES_SIZES_MAX];
	size_t n_sizes;
	bool json;
	const char *plot;
	uint32_t clang_s;
};

/* One ruleset in all engines. */
struct subject {
	struct family *family;
	struct rules_input in;
	struct rules_made made[ENGINES];
	enum rules_state state[ENGINES];
};

struct cell {
	double *ns; /* one a round */
	uint32_t frames, passes; /* in one measurement */
};

struct run {
	struct choice choice;
	struct rules_report report;
	struct rules_frames *frames;
	uint32_t *answers, *want;
	bool failed; /* an engine of ours is wrong */
};

static double
wall_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* ---- rulesets ---- */

static bool
is_tuples(enum family_kind kind)
{
	return kind >= FAMILY_TUPLE_ACL && kind <= FAMILY_TUPLE_IPC;
}

static void
make_one(struct run *run, struct subject *s, enum family_kind kind, size_t e)
{
	struct rules_build *b = &run->report.builds[run->report.n_builds++];
	const bool wanted = (run->choice.engines >> e & 1) != 0 || e == ORACLE;
	double start;

	*b = (struct rules_build){.family = kind, .size = s->in.n, .engine = e};
	b->state = RULES_LEFT_OUT;
	if (wanted && s->in.n <= engines[e]->max_rules &&
		(s->in.tuples || !engines[e]->tuples_only)) {
		s->made[e].in = &s->in;
		start = wall_ms();
		b->state = engines[e]->make(&s->in, &s->made[e], b->why) < 0 ? RULES_ABSENT
									     : RULES_RIGHT;
		b->build_ms = wall_ms() - start;
		b->bytes = s->made[e].bytes;
		b->update_ms = b->build_ms;
	}
	if (b->state == RULES_RIGHT && engines[e]->update != NULL) {
		start = wall_ms();
		if (engines[e]->update(&s->made[e]) < 0)
			b->state = RULES_WRONG;
		b->update_ms = wall_ms() - start;
	}
	if (b->state == RULES_RIGHT && engines[e]->updates != NULL) {
		if (engines[e]->updates(&s->made[e], kind, &b->updates) < 0)
			b->state = RULES_WRONG;
		b->update_ms = b->updates.median_ms[RULES_ADD];
	}
	s->state[e] = b->state;
}

static int
subject_new(struct run *run, enum family_kind kind, size_t size, struct subject *s)
{
	struct diag diag = {0};

	*s = (struct subject){.family = NULL};
	if (family_new(kind, size, run->report.seed, &s->family, &diag) < 0)
		return bench_fail("%s: %s", family_name(kind), diag.msg);
	rules_input_init(&s->in, s->family, is_tuples(kind));
	s->in.clang_s = run->choice.clang_s;
	for (size_t e = 0; e < ENGINES; e++)
		make_one(run, s, kind, e);
	return BENCH_OK;
}

static void
subject_free(struct subject *s)
{
	for (size_t e = 0; e < ENGINES; e++)
		if (s->state[e] != RULES_ABSENT && s->state[e] != RULES_LEFT_OUT)
			engines[e]->fini(&s->made[e]);
	family_free(s->family);
}

/* ---- right or wrong ---- */

static uint32_t
check_frames(size_t n_rules)
{
	uint32_t n = CHECK_WORK / (uint32_t)n_rules & ~(uint32_t)(RULES_BURST - 1);

	return MAX(RULES_BURST, MIN(n, L2_FRAMES));
}

static void
run_engine(const struct subject *s, size_t e, const struct rules_frames *f, uint32_t from,
	uint32_t n, uint32_t *ret)
{
	engines[e]->run(&s->made[e], f, from, n, ret);
}

/* Compare with the oracle, in a child: a crash is an answer too. */
static enum rules_state
check(struct run *run, const struct subject *s, size_t e)
{
	const uint32_t n = check_frames(s->in.n);
	int status;
	pid_t pid;

	if (s->state[e] != RULES_RIGHT || e == ORACLE)
		return s->state[e];
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		run_engine(s, e, run->frames, 0, n, run->answers);
		_exit(memcmp(run->answers, run->want, n * sizeof(*run->want)) != 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return RULES_WRONG;
	if (!WIFEXITED(status))
		return RULES_CRASHES;
	return WEXITSTATUS(status) == 0 ? RULES_RIGHT : RULES_WRONG;
}

static double
want_all(struct run *run, const struct subject *s)
{
	const uint32_t n = check_frames(s->in.n);
	uint32_t matches = 0;

	run_engine(s, ORACLE, run->frames, 0, n, run->want);
	for (uint32_t i = 0; i < n; i++)
		matches += run->want[i] != RULES_NONE;
	return (double)matches / n;
}

/* ---- time ---- */

static double
measure(struct run *run, const struct subject *s, size_t e, enum rules_cache cache,
	const struct cell *c, uint64_t round)
{
	const uint32_t from = (uint32_t)(round * c->frames) & (cache_frames[cache] - 1);
	uint64_t start = bench_now_ns();

	for (uint32_t i = 0; i < c->passes; i++)
		run_engine(s, e, run->frames, from, c->frames, run->answers);
	return (double)(bench_now_ns() - start) / ((double)c->frames * c->passes);
}

/*
 * How many frames, how often, make PASS_NS; frames are a power of two. By what the same few frames
 * take again: each time others would be looked up in what other engines have left of the caches,
 * and what seems slow that way is then measured so, few new frames twice a round.
 */
static void
calibrate(
	struct run *run, const struct subject *s, size_t e, enum rules_cache cache, struct cell *c)
{
	double ns = 0;

	*c = (struct cell){.ns = c->ns, .frames = RULES_BURST, .passes = 1};
	for (int i = 0; i < 3; i++) {
		const double one = measure(run, s, e, cache, c, 0);

		ns = i == 0 || one < ns ? one : ns;
	}
	while (c->frames < cache_frames[cache] && ns * 2 * c->frames < PASS_NS)
		c->frames *= 2;
	if (ns * c->frames < PASS_NS)
		c->passes = (uint32_t)(PASS_NS / (ns * c->frames + 1)) + 1;
}

static int
time_all(struct run *run, const struct subject *s, enum rules_cache cache,
	const enum rules_state state[ENGINES], double ns[ENGINES])
{
	struct cell cells[ENGINES] = {{NULL, 0, 0}};
	const uint64_t rounds = run->report.rounds;
	int r = BENCH_OK;

	for (size_t e = 0; e < ENGINES && r == BENCH_OK; e++) {
		if (state[e] != RULES_RIGHT || (run->choice.engines >> e & 1) == 0)
			continue;
		cells[e].ns = mem_calloc(rounds, sizeof(double));
		if (cells[e].ns == NULL)
			r = bench_fail("out of memory");
		else
			calibrate(run, s, e, cache, &cells[e]);
	}
	for (uint64_t i = 0; r == BENCH_OK && i < rounds; i++)
		for (size_t k = 0; k < ENGINES; k++) {
			const size_t e = (k + i) % ENGINES;

			if (cells[e].ns != NULL)
				cells[e].ns[i] = measure(run, s, e, cache, &cells[e], i);
		}
	for (size_t e = 0; e < ENGINES; e++) {
		ns[e] = r == BENCH_OK && cells[e].ns != NULL ? bench_median(cells[e].ns, rounds)
							     : 0;
		mem_free(cells[e].ns);
	}
	return r;
}

static int
one_traffic(struct run *run, const struct subject *s, enum family_kind kind,
	enum family_traffic traffic)
{
	enum rules_state state[ENGINES];
	double ns[ENGINES], match;
	int r;

	if (rules_frames_new(s->family, traffic, L3_FRAMES, run->report.seed + 1 + traffic,
		    &run->frames) < 0)
		return bench_fail("out of memory");
	match = want_all(run, s);
	for (size_t e = 0; e < ENGINES; e++) {
		state[e] = check(run, s, e);
		if (e < OURS && (state[e] == RULES_WRONG || state[e] == RULES_CRASHES)) {
			run->failed = true;
			bench_fail("%s, %zu rules, %s: %s is %s", family_name(kind), s->in.n,
				family_traffic_name(traffic), engines[e]->key,
				rules_state_names[state[e]]);
		}
	}
	for (int cache = 0; cache < RULES_CACHES; cache++) {
		if ((run->choice.caches >> cache & 1) == 0)
			continue;
		r = time_all(run, s, (enum rules_cache)cache, state, ns);
		if (r != BENCH_OK)
			return r;
		for (size_t e = 0; e < ENGINES; e++)
			run->report.results[run->report.n_results++] = (struct rules_result){kind,
				s->in.n, e, traffic, (enum rules_cache)cache,
				ns[e] > 0 || state[e] != RULES_RIGHT ? state[e] : RULES_LEFT_OUT,
				ns[e], match};
	}
	rules_frames_free(run->frames);
	run->frames = NULL;
	return BENCH_OK;
}

static int
one_ruleset(struct run *run, enum family_kind kind, size_t size)
{
	struct subject *s = mem_zalloc(sizeof(*s));
	int r = s == NULL ? bench_fail("out of memory") : subject_new(run, kind, size, s);

	for (int t = 0; r == BENCH_OK && t < FAMILY_TRAFFICS; t++)
		if ((run->choice.traffics >> t & 1) != 0)
			r = one_traffic(run, s, kind, (enum family_traffic)t);
	if (s != NULL)
		subject_free(s);
	mem_free(s);
	return r;
}

/* ---- the command line ---- */

static const char *
engine_name(int i)
{
	return i < ENGINES ? engines[i]->key : NULL;
}

static const char *
kind_name(int i)
{
	return family_name((enum family_kind)i);
}

static const char *
traffic_name(int i)
{
	return family_traffic_name((enum family_traffic)i);
}

static const char *
cache_name(int i)
{
	return i < RULES_CACHES ? rules_cache_names[i] : NULL;
}

/* "a,b" as bits of the numbers of names; NULL: all. */
static int
pick(const char *option, const char *list, const char *(*name)(int), uint32_t *ret)
{
	const char *piece, *names[32];
	size_t len;
	int n = 0;

	while (name(n) != NULL) {
		names[n] = name(n);
		n++;
	}
	*ret = list == NULL ? (UINT32_C(1) << n) - 1 : 0;
	while (list != NULL && parse_next(&list, ',', &piece, &len)) {
		int i = 0;

		while (i < n && (strlen(names[i]) != len || memcmp(names[i], piece, len) != 0))
			i++;
		if (i == n) {
			bench_fail("%s: there is no '%.*s'; there are:", option, (int)len, piece);
			for (i = 0; i < n; i++)
				(void)fprintf(stderr, "  %s\n", names[i]);
			return BENCH_USAGE;
		}
		*ret |= UINT32_C(1) << i;
	}
	return BENCH_OK;
}

static int
read_sizes(const char *list, struct choice *c)
{
	const char *piece;
	size_t len;

	while (parse_next(&list, ',', &piece, &len)) {
		struct diag diag = {0};
		uint32_t size = 0;
		char text[16];

		(void)snprintf(text, sizeof(text), "%.*s", (int)MIN(len, sizeof(text) - 1), piece);
		if (c->n_sizes == RULES_SIZES_MAX || len >= sizeof(text) ||
			parse_u32(text, 1, 65536, &size, &diag) < 0) {
			bench_fail("--sizes: expected up to %d numbers from 1 to 65536, got '%s'",
				RULES_SIZES_MAX, text);
			return BENCH_USAGE;
		}
		c->sizes[c->n_sizes++] = size;
	}
	return BENCH_OK;
}

/* ---- all of it ---- */

static int
report_new(struct run *run)
{
	const size_t rulesets = FAMILY_KINDS * run->choice.n_sizes;

	run->report.builds = mem_calloc(rulesets * ENGINES, sizeof(struct rules_build));
	run->report.results = mem_calloc(
		rulesets * FAMILY_TRAFFICS * RULES_CACHES * ENGINES, sizeof(struct rules_result));
	run->answers = mem_calloc(L3_FRAMES, sizeof(*run->answers));
	run->want = mem_calloc(L2_FRAMES, sizeof(*run->want));
	if (run->report.builds == NULL || run->report.results == NULL || run->answers == NULL ||
		run->want == NULL)
		return bench_fail("out of memory");
	return BENCH_OK;
}

/* A file for each traffic and cache where a folder is named; else the most telling one. */
static int
plot(struct run *run)
{
	const struct choice *c = &run->choice;
	const enum family_traffic traffic = (c->traffics >> FAMILY_UNIFORM & 1) != 0
		? FAMILY_UNIFORM
		: (enum family_traffic)__builtin_ctz(c->traffics);
	int r = BENCH_OK;
	struct stat st;

	if (stat(c->plot, &st) != 0 || !S_ISDIR(st.st_mode))
		return rules_plot(
			&run->report, traffic, (enum rules_cache)__builtin_ctz(c->caches), c->plot);
	for (int t = 0; t < FAMILY_TRAFFICS; t++)
		for (int k = 0; k < RULES_CACHES && r == BENCH_OK; k++) {
			char path[4096];

			if ((c->traffics >> t & c->caches >> k & 1) == 0)
				continue;
			(void)snprintf(path, sizeof(path), "%s/rules-%s-%s.svg", c->plot,
				family_traffic_name((enum family_traffic)t), rules_cache_names[k]);
			r = rules_plot(
				&run->report, (enum family_traffic)t, (enum rules_cache)k, path);
		}
	return r;
}

static int
run_all(struct run *run)
{
	const struct choice *c = &run->choice;
	int r = report_new(run);

	for (int k = 0; r == BENCH_OK && k < FAMILY_KINDS; k++) {
		if ((c->families >> k & 1) == 0)
			continue;
		for (size_t i = 0; r == BENCH_OK && i < c->n_sizes; i++)
			r = one_ruleset(run, (enum family_kind)k, c->sizes[i]);
		if (r == BENCH_OK && !c->json)
			rules_print_family(&run->report, (enum family_kind)k);
		(void)fflush(stdout);
	}
	if (r == BENCH_OK && c->json)
		rules_print_json(&run->report);
	if (r == BENCH_OK && c->plot != NULL)
		r = plot(run);
	mem_free(run->report.builds);
	mem_free(run->report.results);
	mem_free(run->answers);
	mem_free(run->want);
	rules_frames_free(run->frames);
	return r == BENCH_OK && run->failed ? BENCH_FAILED : r;
}

static int
rules_run(int argc, char **argv)
{
	const char *families = NULL, *sizes = "1,10,100,1000,10000", *traffics = NULL,
		   *caches = NULL;
	const char *chosen = NULL, *chart = NULL;
	uint64_t rounds = 15, seed = 1, clang_s = 30;
	bool json = false, done;
	const struct bench_opt opts[] = {
		{"--families", "A,B", "Rulesets of these shapes; all unless told.",
			.text = &families},
		{"--sizes", "N,M", "Numbers of rules; 1,10,100,1000,10000 unless told.",
			.text = &sizes},
		{"--traffic", "A,B", "flood, uniform, all-miss, mixed, adversarial.",
			.text = &traffics},
		{"--engines", "A,B", "match, jit, libpcap, rte_bpf, rte_packed, c, rte_acl.",
			.text = &chosen},
		{"--cache", "A,B", "Packets wait in l2, l3 or both.", .text = &caches},
		{"--rounds", "N", "Measurements of each cell, 15 unless told.", .number = &rounds,
			.min = 1, .max = ROUNDS_MAX},
		{"--seed", "N", "Other rules and frames than those of seed 1.", .number = &seed,
			.min = 0, .max = UINT64_MAX},
		{"--json", NULL, "One JSON object instead of the tables.", .flag = &json},
		{"--plot", "FILE",
			"Draw cost over the number of rules, as SVG; a folder: all kinds of traffic.",
			.text = &chart},
		{"--clang-seconds", "N",
			"What clang may take for a ruleset as C, 30 unless told; seconds of the CPU.",
			.number = &clang_s, .min = 1, .max = 86400},
		{0},
	};
	const struct dp_eal_conf eal = {
		.hugepages = DP_HUGE_NO, .memory_mib = 1024, .main_cpu = DP_CPU_ANY};
	struct run run = {.report = {engines, ENGINES, 0, 0, NULL, 0, NULL, 0}};
	struct diag diag = {0};
	int r = bench_opts("rules", HELP, opts, argc, argv, &done);

	if (done)
		return r;
	run.choice.json = json;
	run.choice.plot = chart;
	run.choice.clang_s = (uint32_t)clang_s;
	run.report.rounds = rounds;
	run.report.seed = seed;
	if ((r = pick("--families", families, kind_name, &run.choice.families)) != BENCH_OK ||
		(r = pick("--traffic", traffics, traffic_name, &run.choice.traffics)) != BENCH_OK ||
		(r = pick("--engines", chosen, engine_name, &run.choice.engines)) != BENCH_OK ||
		(r = pick("--cache", caches, cache_name, &run.choice.caches)) != BENCH_OK ||
		(r = read_sizes(sizes, &run.choice)) != BENCH_OK)
		return r;
	if (dp_eal_start(&eal, &diag) < 0)
		return bench_fail("%s", diag.msg);
	r = run_all(&run);
	dp_eal_stop();
	return r;
}

const struct bench_cmd cmd_rules = {
	.name = "rules",
	.help = HELP,
	.run = rules_run,
};
