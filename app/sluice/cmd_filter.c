// SPDX-License-Identifier: BSD-3-Clause
/* The offline datapath: frames of savefiles through the parser and the engines. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/ini.h"
#include "base/util.h"
#include "cli.h"
#include "filter.h"
#include "pkt/savefile.h"

#define SNAPLEN_MAX 262144 /* bytes; libpcap's */

static struct {
	const char *bytecode, *expr, *asm_file, *rules, *link, *engine, *location;
	bool invert, verdicts;
} args;

/* Where matching frames go, and what is there so far. */
struct output {
	struct pkt_writer *writer; /* NULL: nothing written yet, or verdicts */
	int dlt;
	uint32_t snaplen; /* 0: the file's */
};

static bool
is_epipe(int r)
{
	return r == -EPIPE;
}

/* Exit status, or -EPIPE: the reader has gone. */
static int
cannot_write(int err)
{
	if (is_epipe(err))
		return -EPIPE;
	return cli_fail(CLI_FAILED, "cannot write to standard output: %s", strerror(-err));
}

static int
put_frame(struct output *out, const struct pkt_frame *frame)
{
	int r = pkt_writer_put(out->writer, frame);

	return r < 0 ? cannot_write(r) : 0;
}

/* One line for each of @n frames, in one piece. Exit status, 0, or -EPIPE. */
static int
put_names(const char *const *names, uint32_t n)
{
	char lines[MATCH_BURST * (INI_NAME_MAX + 1)], *p = lines;

	for (uint32_t i = 0; i < n; i++) {
		const char *name = names[i] != NULL ? names[i] : "-";
		size_t len = strlen(name);

		memcpy(p, name, len);
		p[len] = '\n';
		p += len + 1;
	}
	if (fwrite(lines, 1, (size_t)(p - lines), stdout) == (size_t)(p - lines))
		return 0;
	return cli_stdout_check() == -EPIPE ? -EPIPE : cli_flush();
}

/* Exit status, 0, or -EPIPE: the reader has gone. */
static int
judge(const struct filter *f, int dlt, const struct pkt_frame *frames, uint32_t n,
	struct output *out)
{
	const char *names[MATCH_BURST];
	int r = 0;

	filter_burst(f, dlt, frames, n, names);
	if (args.verdicts)
		return put_names(names, n);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		if ((names[i] != NULL) != args.invert)
			r = put_frame(out, &frames[i]);
	return r;
}

/* What is done is shown before waiting for more of a pipe. Exit status, 0, or -EPIPE. */
static int
show(struct output *out)
{
	int r;

	if (args.verdicts) {
		(void)fflush(stdout);
		return cli_stdout_check() == -EPIPE ? -EPIPE : cli_flush();
	}
	r = pkt_writer_flush(out->writer);
	return r < 0 ? cannot_write(r) : 0;
}

static int
filter_frames(const struct filter *f, struct pkt_reader *reader, struct output *out)
{
	const int dlt = pkt_reader_dlt(reader);
	struct pkt_frame frames[MATCH_BURST];
	struct diag diag = {0};
	int n, r = 0;

	while (r == 0 && (n = pkt_reader_burst(reader, frames, MATCH_BURST, &diag)) > 0) {
		r = judge(f, dlt, frames, (uint32_t)n, out);
		if (r == 0 && pkt_reader_waits(reader))
			r = show(out);
	}
	return r == 0 && n < 0 ? cli_fail_diag(CLI_USAGE, &diag) : r;
}

/* One savefile has one link type, so all that are written into it must have the same. */
static int
prepare_output(struct output *out, const char *path, const struct pkt_reader *reader)
{
	const int dlt = pkt_reader_dlt(reader);
	struct diag diag = {0};

	if (args.verdicts)
		return 0;
	if (out->writer == NULL) {
		const uint32_t snaplen =
			out->snaplen > 0 ? out->snaplen : pkt_reader_snaplen(reader);

		out->dlt = dlt;
		if (pkt_writer_open("-", dlt, snaplen, &out->writer, &diag) < 0)
			return cli_fail_diag(CLI_FAILED, &diag);
	}
	if (out->dlt != dlt)
		return cli_fail(CLI_USAGE,
			"'%s' has link type %s, the files before have %s; one savefile cannot hold both",
			path, pkt_link_name(dlt), pkt_link_name(out->dlt));
	return 0;
}

static int
filter_file(struct filter *f, const char *path, struct output *out)
{
	struct pkt_reader *reader = NULL;
	struct diag diag = {0};
	int r = pkt_reader_open(path, &reader, &diag);

	if (r < 0)
		return cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	r = filter_link(f, pkt_reader_dlt(reader), &diag);
	if (r < 0)
		r = cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "'%s': %s", path, diag.msg);
	if (r == 0)
		r = prepare_output(out, path, reader);
	if (r == 0)
		r = filter_frames(f, reader, out);
	pkt_reader_close(reader);
	return r;
}

static int
filter_all(struct filter *f, int argc, char **argv)
{
	static char standard_input[] = "-";
	char *only[] = {standard_input};
	/* Whoever reads cuts frames at the length told first, which the next file may exceed. */
	struct output out = {.snaplen = argc > 1 ? SNAPLEN_MAX : 0};
	int r = 0, closed;

	if (argc == 0) {
		argc = 1;
		argv = only;
	}
	for (int i = 0; r == 0 && i < argc; i++)
		r = filter_file(f, argv[i], &out);
	closed = pkt_writer_close(out.writer);
	if (r == 0 && closed < 0)
		r = cannot_write(closed);
	return r == -EPIPE ? CLI_DONE : r;
}

/* The options as a filter's configuration. 0 or CLI_USAGE. */
static int
read_args(struct filter_conf *conf)
{
	static const struct {
		const char *name;
		enum filter_engine engine;
	} engines[] = {{"interp", FILTER_INTERP}, {"jit", FILTER_JIT}, {"match", FILTER_MATCH}};
	size_t e = 0;
	int r;

	*conf = (struct filter_conf){
		.bytecode = args.bytecode,
		.expr = args.expr,
		.asm_file = args.asm_file,
		.rules = args.rules,
		.location = args.location,
	};
	r = filter_check(conf, args.link);
	if (r != CLI_DONE)
		return r;
	if (args.invert && args.verdicts)
		return cli_fail(CLI_USAGE,
			"--invert says which frames are written, --verdicts writes none");
	if (args.engine == NULL)
		return 0;
	while (e < DIM(engines) && strcmp(engines[e].name, args.engine) != 0)
		e++;
	if (e == DIM(engines))
		return cli_fail(CLI_USAGE, "--engine: expected interp, jit or match, got '%.60s'",
			args.engine);
	conf->engine = engines[e].engine;
	return 0;
}

static int
filter_run(int argc, char **argv)
{
	struct filter_conf conf;
	struct filter f;
	struct diag diag = {0};
	int r = read_args(&conf);

	if (r != 0)
		return r;
	r = filter_init(&conf, &f, &diag);
	if (r < 0)
		r = cli_fail_diag(
			r == -ENOMEM || r == -EPERM || r == -ENOSYS ? CLI_FAILED : CLI_USAGE,
			&diag);
	else
		r = filter_all(&f, argc, argv);
	filter_fini(&f);
	return r;
}

static const struct cli_opt filter_opts[] = {
	{'b', "bytecode", "BYTECODE", "Match by a program in xt_bpf's format.", NULL,
		&args.bytecode},
	{'e', "expr", "EXPR", "Match by a tcpdump expression, compiled for the file's link type.",
		NULL, &args.expr},
	{'c', "compile", "ASMFILE", "Match by a program in a file, assembler or bytecode.", NULL,
		&args.asm_file},
	{'r', "rules", "RULES", "Match by the rules of a file.", NULL, &args.rules},
	{'v', "invert", NULL, "Write the frames that do not match.", &args.invert, NULL},
	{'\0', "link", "raw", "Give -b, -c and -e the IP datagram instead of the frame.", NULL,
		&args.link},
	{'\0', "verdicts", NULL,
		"Write no frames but one line for each: the first matching rule's name, or -.",
		&args.verdicts, NULL},
	{'\0', "engine", "interp|jit|match",
		"What runs the program; default jit for a program, match for rules.", NULL,
		&args.engine},
	{'\0', "location", "L", "Rules of this location are in force; default the file's [node].",
		NULL, &args.location},
	{0},
};

static const struct cli_example filter_examples[] = {
	{"sluice filter --link raw -b \"$(sluice gen dns '*.www.example.uk')\" example.pcap | tcpdump -nr -",
		"What a generated program would hit."},
	{"sluice filter -v -e 'udp dst port 53' example.pcap >rest.pcap",
		"All frames but those of an expression."},
	{"sluice filter -r rules.ini --verdicts example.pcap | sort | uniq -c",
		"How many frames each rule is the first to match."},
	{0},
};

const struct cli_cmd cmd_filter = {
	.name = "filter",
	.args = "[FILE…]",
	.help = "Read savefiles and write the frames that match as a savefile.",
	.more = "FILE is a pcap or pcapng file, - or none standard input. What is written is a pcap file\n"
		"with nanoseconds. Without -b, -e, -c and -r all frames match. A frame matches a file of\n"
		"rules when any rule does, whatever its action or mode; rules that are not enabled or of\n"
		"other locations are not looked at. A program names itself 'match' in verdicts.",
	.examples = filter_examples,
	.opts = filter_opts,
	.min_args = 0,
	.max_args = -1,
	.run = filter_run,
};
