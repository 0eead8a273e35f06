// SPDX-License-Identifier: BSD-3-Clause
/*
 * The offline tools as their user has them: whole programs on captures of a
 * gigabyte in the page cache, wall clock, beside tcpdump, in turns; and how long
 * each command takes to start.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/util.h"
#include "bench.h"
#include "tools.h"

#define HELP "Time sluice filter on captures of 1 GB beside tcpdump, and the start of each command."

#define STARTS_MAX 31 /* times that a command is started */
#define SMALLER 16 /* memory is compared with that for a capture of 1/16 */

static const char rules_text[] =
	"[rule unmatched]\nmatch = dns *.nobody.example.org\naction = drop\n"
	"[rule tcp-low]\nexpr = tcp dst portrange 1-19\naction = drop\n"
	"[rule suffix]\nmatch = suffix 78797a7a79\naction = drop\n";

/* RARE turns a filter that matches nearly all round. */
const struct tools_cell tools_cells[TOOLS_CELLS] = {
	{"few", "3 % match, written", false, {"SLUICE", "filter", "RARE", "-b", "DNS", "IN"}, {0}},
	{"null", "all match, to /dev/null", true, {"SLUICE", "filter", "-e", "ip", "IN"}, {0}},
	{"all", "all match, written", false, {"SLUICE", "filter", "-e", "ip", "IN"},
		{"tcpdump", "-r", "IN", "-w", "OUT", "ip"}},
	{"verdicts", "--verdicts, to /dev/null", true,
		{"SLUICE", "filter", "-b", "DNS", "--verdicts", "IN"}, {0}},
	{"rules", "-r RULES, three rules, few match", false,
		{"SLUICE", "filter", "-r", "RULES", "IN"}, {0}},
};

/* For the handler: only what unlink() and rmdir() need. */
static const struct tools *running;

static void
remove_files(const struct tools *b)
{
	(void)unlink(b->in);
	(void)unlink(b->out);
	(void)unlink(b->rules);
	(void)rmdir(b->dir);
}

static void
on_signal(int sig)
{
	remove_files(running);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

/* The sluice that was built or installed beside this program, else the one in PATH. */
static const char *
find_sluice(char *buf, size_t size)
{
	static const char *const places[] = {"sluice", "../sluice/sluice"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	while (n > 0 && self[n - 1] != '/')
		n--;
	for (size_t i = 0; n > 0 && i < DIM(places); i++) {
		struct stat st;

		(void)snprintf(buf, size, "%.*s%s", (int)n, self, places[i]);
		if (stat(buf, &st) == 0 && S_ISREG(st.st_mode) && access(buf, X_OK) == 0)
			return buf;
	}
	return "sluice";
}

/* @words with what they stand for. */
static void
expand(const struct tools *b, const struct tools_on *c, const char *const *words, const char **ret)
{
	const struct {
		const char *word, *value;
	} known[] = {{"SLUICE", b->sluice}, {"IN", b->in}, {"OUT", b->out}, {"DNS", b->dns},
		{"RULES", b->rules}, {"RARE", c->kind == TOOLS_FLOOD ? "-v" : ""}};
	size_t n = 0;

	for (; *words != NULL; words++) {
		const char *value = *words;

		for (size_t i = 0; i < DIM(known); i++)
			if (strcmp(*words, known[i].word) == 0)
				value = known[i].value;
		if (value[0] != '\0')
			ret[n++] = value;
	}
	ret[n] = NULL;
}

/* Run once and keep the time as round @round. */
static int
time_one(struct tools *b, const struct tools_on *c, const char *const *words, bool sink,
	uint64_t round, struct tools_times *t)
{
	const char *argv[TOOLS_WORDS + 1];
	struct tools_run run;

	expand(b, c, words, argv);
	(void)unlink(b->out);
	if (tools_run(argv, sink ? "/dev/null" : b->out, &run) != BENCH_OK)
		return BENCH_FAILED;
	if (run.status != 0)
		return bench_fail("%s %s ends with %d", argv[0], argv[1], run.status);
	t->wall_s[round] = run.wall_s;
	t->cpu_s[round] = run.cpu_s;
	t->rss_kib = MAX(t->rss_kib, run.rss_kib);
	return BENCH_OK;
}

static uint64_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* tcpdump on the same, and the same out of it. */
static int
time_peer(struct tools *b, struct tools_on *c, size_t i, uint64_t round)
{
	const uint64_t own = size_of(b->out);
	char path[256];

	/* Its output goes where -w says; nothing is printed. */
	(void)snprintf(path, sizeof(path), "%s", b->out);
	if (time_one(b, c, tools_cells[i].peer, true, round, &c->peer[i]) != BENCH_OK)
		return BENCH_FAILED;
	if (size_of(path) != own)
		return bench_fail(
			"tcpdump wrote %" PRIu64 " bytes, sluice %" PRIu64, size_of(path), own);
	c->ratios[round] = c->own[i].wall_s[round] / c->peer[i].wall_s[round];
	return BENCH_OK;
}

static int
time_round(struct tools *b, struct tools_on *c, uint64_t round)
{
	int r = BENCH_OK;

	for (size_t i = 0; r == BENCH_OK && i < TOOLS_CELLS; i++) {
		r = time_one(b, c, tools_cells[i].argv, tools_cells[i].sink, round, &c->own[i]);
		if (r == BENCH_OK && tools_cells[i].peer[0] != NULL && !b->no_tcpdump)
			r = time_peer(b, c, i, round);
	}
	return r;
}

static int
time_capture(struct tools *b, struct tools_on *c)
{
	const uint64_t bytes = b->size_mib << 20;
	struct tools_times small = {0};
	int r = tools_capture_write(b->in, c->kind, c->ng, bytes / SMALLER, &c->made);

	for (size_t i = 0; r == BENCH_OK && i < TOOLS_CELLS; i++)
		r = time_one(b, c, tools_cells[i].argv, tools_cells[i].sink, 0, &small);
	c->small_rss_kib = small.rss_kib;
	if (r == BENCH_OK)
		r = tools_capture_write(b->in, c->kind, c->ng, bytes, &c->made);
	for (uint64_t round = 0; r == BENCH_OK && round < b->rounds; round++)
		r = time_round(b, c, round);
	return r;
}

/* The names of all commands, as sluice --help has them. */
static int
find_commands(struct tools *b)
{
	const char *const argv[] = {b->sluice, "--help", NULL};
	struct tools_run run;
	struct diag diag = {0};
	char *text = NULL;
	size_t len;

	if (tools_run(argv, b->out, &run) != BENCH_OK)
		return BENCH_FAILED;
	if (run.status != 0 || file_read(b->out, 65536, &text, &len, &diag) < 0)
		return bench_fail("%s --help ends with %d", b->sluice, run.status);
	for (const char *p = text; p != NULL && b->n_commands < TOOLS_COMMANDS_MAX;) {
		static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
		char *name = b->commands[b->n_commands].name;
		const size_t n = strncmp(p, "  ", 2) == 0 ? strspn(p + 2, letters) : 0;

		(void)snprintf(name, sizeof(b->commands->name), "%.*s", (int)n, p + 2);
		b->n_commands += n > 0;
		p = strchr(p, '\n');
		p = p != NULL ? p + 1 : NULL;
	}
	mem_free(text);
	return BENCH_OK;
}

/* Median of @argv's time from start to end, in milliseconds. */
static int
time_start(const struct tools *b, const char *const *argv, double *ret_ms)
{
	const size_t starts = MIN(6 * b->rounds + 1, STARTS_MAX);
	double ms[STARTS_MAX];
	struct tools_run run;

	for (size_t i = 0; i < starts; i++) {
		if (tools_run(argv, "/dev/null", &run) != BENCH_OK)
			return BENCH_FAILED;
		if (run.status != 0)
			return bench_fail("%s %s ends with %d", argv[0], argv[1], run.status);
		ms[i] = run.wall_s * 1e3;
	}
	*ret_ms = bench_median(ms, starts);
	return BENCH_OK;
}

/* Commands at work, beside the --help of all. */
static int
time_starts(struct tools *b)
{
	static const struct {
		const char *name, *argv[TOOLS_WORDS];
	} busy[] = {
		{"gen -s dns", {"SLUICE", "gen", "-s", "dns", "--", "-i", "*.www.example.uk"}},
		{"gen tcpdump", {"SLUICE", "gen", "tcpdump", "udp port 53"}},
		{"filter -b", {"SLUICE", "filter", "-b", "DNS", "IN"}},
		{"filter -r", {"SLUICE", "filter", "-r", "RULES", "IN"}},
		{"pcap2hex FILE", {"SLUICE", "pcap2hex", "IN"}},
		{"check FILE", {"SLUICE", "check", "RULES"}},
	};
	struct tools_on c = {.kind = TOOLS_FLOOD};
	const char *argv[TOOLS_WORDS + 1];
	int r = tools_capture_write(b->in, TOOLS_FLOOD, false, 4096, &c.made);

	if (r == BENCH_OK)
		r = find_commands(b);
	for (size_t i = 0; r == BENCH_OK && i < b->n_commands; i++) {
		const char *const help[] = {b->sluice, b->commands[i].name, "--help", NULL};

		r = time_start(b, help, &b->commands[i].ms);
	}
	for (size_t i = 0; r == BENCH_OK && i < DIM(busy) && b->n_commands < TOOLS_COMMANDS_MAX;
		i++) {
		struct tools_command *at = &b->commands[b->n_commands++];

		expand(b, &c, busy[i].argv, argv);
		(void)snprintf(at->name, sizeof(at->name), "%s", busy[i].name);
		r = time_start(b, argv, &at->ms);
	}
	return r;
}

static int
write_rules(const char *path)
{
	FILE *f = fopen(path, "we");
	int r = f != NULL && fputs(rules_text, f) != EOF ? 0 : -EIO;

	if (f != NULL && fclose(f) == EOF)
		r = -EIO;
	return r;
}

/* Folder, rules, bytecode, and what tcpdump and /bin/true say of themselves. */
static int
prepare(struct tools *b)
{
	const char *const gen[] = {b->sluice, "gen", "-o", "14", "dns", "*.www.example.uk", NULL};
	const char *const version[] = {"tcpdump", "--version", NULL};
	const char *const nothing[] = {"true", NULL};
	const uint64_t want = (b->size_mib << 20) / 10 * 23;
	struct tools_run run;
	struct statvfs fs;
	struct diag diag = {0};
	size_t len;

	if (statvfs(b->parent, &fs) < 0)
		return bench_fail("%s: %s", b->parent, strerror(errno));
	if ((uint64_t)fs.f_bavail * fs.f_frsize < want)
		return bench_fail("%s has no room for %" PRIu64
				  " MiB; --dir says where, --size how much",
			b->parent, want >> 20);
	(void)snprintf(b->dir, sizeof(b->dir), "%s/sluice-bench-XXXXXX", b->parent);
	if (mkdtemp(b->dir) == NULL)
		return bench_fail("cannot make a folder in %s: %s", b->parent, strerror(errno));
	(void)snprintf(b->in, sizeof(b->in), "%s/in", b->dir);
	(void)snprintf(b->out, sizeof(b->out), "%s/out", b->dir);
	(void)snprintf(b->rules, sizeof(b->rules), "%s/rules.ini", b->dir);
	running = b;
	(void)signal(SIGINT, on_signal);
	(void)signal(SIGTERM, on_signal);
	if (write_rules(b->rules) < 0)
		return bench_fail("cannot write '%s'", b->rules);
	if (tools_run(gen, b->out, &run) != BENCH_OK)
		return BENCH_FAILED;
	if (run.status != 0 || file_read(b->out, 65536, &b->dns, &len, &diag) < 0)
		return bench_fail("%s gen ends with %d", b->sluice, run.status);
	if (tools_run(version, "/dev/null", &run) != BENCH_OK)
		return BENCH_FAILED;
	b->no_tcpdump = run.status != 0;
	if (tools_run(nothing, "/dev/null", &run) != BENCH_OK)
		return BENCH_FAILED;
	b->floor_kib = run.rss_kib;
	return BENCH_OK;
}

static int
choose_captures(struct tools *b)
{
	for (int k = 0; k < TOOLS_FRAMES; k++) {
		const char *name = tools_frames_name((enum tools_frames)k);

		if (b->frames != NULL && strcmp(b->frames, name) != 0)
			continue;
		b->captures[b->n_captures++].kind = (enum tools_frames)k;
		b->captures[b->n_captures].kind = (enum tools_frames)k;
		b->captures[b->n_captures++].ng = true;
	}
	if (b->n_captures > 0)
		return BENCH_OK;
	bench_fail("tools --frames: expected flood, imix or 1500, got '%s'", b->frames);
	return BENCH_USAGE;
}

static int
measure(struct tools *b)
{
	int r = prepare(b);

	for (size_t i = 0; r == BENCH_OK && i < b->n_captures; i++)
		r = time_capture(b, &b->captures[i]);
	if (r == BENCH_OK)
		r = time_starts(b);
	remove_files(b);
	mem_free(b->dns);
	return r;
}

static int
tools_main(int argc, char **argv)
{
	static struct tools b = {.rounds = 5, .size_mib = 1024};
	static char place[PATH_MAX + 32];
	const struct bench_opt opts[] = {
		{"--json", NULL, "One JSON object instead of the tables.", .flag = &b.json},
		{"--rounds", "N", "How often each is run, 5 unless told.", .number = &b.rounds,
			.min = 1, .max = TOOLS_ROUNDS_MAX},
		{"--size", "MIB", "Size of a capture, 1024 unless told.", .number = &b.size_mib,
			.min = 1, .max = 65536},
		{"--frames", "WHICH", "Only flood (86 bytes on average), imix or 1500.",
			.text = &b.frames},
		{"--dir", "DIR", "Where the captures are made; TMPDIR or /tmp unless told.",
			.text = &b.parent},
		{"--sluice", "PATH", "The program; that beside this one unless told.",
			.text = &b.sluice},
		{0},
	};
	bool done;
	int r = bench_opts("tools", HELP, opts, argc, argv, &done);

	if (done)
		return r;
	if (b.parent == NULL)
		b.parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
	if (b.sluice == NULL)
		b.sluice = find_sluice(place, sizeof(place));
	r = choose_captures(&b);
	if (r == BENCH_OK)
		r = measure(&b);
	if (r == BENCH_OK)
		(b.json ? tools_report_json : tools_report)(&b);
	return r;
}

const struct bench_cmd cmd_tools = {
	.name = "tools",
	.help = HELP,
	.run = tools_main,
};
