/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_TOOLS_H
#define BENCH_TOOLS_H

/* The parts of "sluice-bench tools": captures to measure with, and programs run and timed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the frames of a capture are. */
enum tools_frames {
	TOOLS_FLOOD, /* 97 % queries of a DNS flood, 3 % of clients; about 86 bytes each */
	TOOLS_IMIX, /* 64, 594 and 1514 bytes as 7 : 4 : 1, 3 % of the flood among them */
	TOOLS_FULL, /* 1514 bytes, 3 % of the flood among them */
	TOOLS_FRAMES
};

const char *tools_frames_name(enum tools_frames kind);

struct tools_capture {
	uint64_t frames, bytes; /* of the file */
	uint64_t frame_bytes; /* of the frames alone */
};

/*
 * Write a capture of about @bytes to @path, pcap or (@ng) pcapng, nanoseconds,
 * and wait until it is on disk, so that writing it back disturbs no measurement.
 * Returns BENCH_OK, or BENCH_FAILED after telling stderr.
 */
int tools_capture_write(const char *path, enum tools_frames kind, bool ng, uint64_t bytes,
	struct tools_capture *ret);

/* How a program ran. */
struct tools_run {
	double wall_s, cpu_s;
	uint64_t rss_kib; /* at its peak */
	int status; /* exit status; 128 + the signal's number */
};

/*
 * Run @argv (ended by NULL, looked for in PATH) with standard input from
 * /dev/null, standard output to @out, which is created anew, and standard error
 * to /dev/null. Returns BENCH_OK, or BENCH_FAILED after telling stderr when it
 * cannot be run.
 */
int tools_run(const char *const *argv, const char *out, struct tools_run *ret);

#define TOOLS_ROUNDS_MAX 101
#define TOOLS_COMMANDS_MAX 64
#define TOOLS_WORDS 12
#define TOOLS_CELLS 5

/* What is run on each capture. Words in capitals stand for files and programs. */
struct tools_cell {
	const char *key, *what;
	bool sink; /* output to /dev/null */
	const char *argv[TOOLS_WORDS];
	const char *peer[TOOLS_WORDS]; /* of tcpdump, on the same; none: {0} */
};
extern const struct tools_cell tools_cells[TOOLS_CELLS];

struct tools_times {
	double wall_s[TOOLS_ROUNDS_MAX], cpu_s[TOOLS_ROUNDS_MAX];
	uint64_t rss_kib;
};

struct tools_on {
	enum tools_frames kind;
	bool ng;
	struct tools_capture made;
	struct tools_times own[TOOLS_CELLS], peer[TOOLS_CELLS];
	double ratios[TOOLS_ROUNDS_MAX]; /* to tcpdump, of each round */
	uint64_t small_rss_kib; /* for the small capture */
};

struct tools_command {
	char name[32];
	double ms;
};

struct tools {
	const char *sluice, *frames, *parent;
	uint64_t rounds, size_mib;
	bool json, no_tcpdump;

	char dir[200], in[256], out[256], rules[256];
	char *dns; /* bytecode */
	struct tools_on captures[2 * TOOLS_FRAMES];
	size_t n_captures;
	struct tools_command commands[TOOLS_COMMANDS_MAX];
	size_t n_commands;
	uint64_t floor_kib; /* what a program of no size is said to use */
};

/* Print what was measured, as tables or as one JSON object. */
void tools_report(struct tools *b);
void tools_report_json(struct tools *b);

#endif
