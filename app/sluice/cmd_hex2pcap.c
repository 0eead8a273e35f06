// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cli.h"
#include "pkt/savefile.h"

#define FRAME_MAX 262144 /* bytes; what libpcap takes at most as a snapshot length */
#define READ_BYTES 65536 /* at a time; what a pipe holds */

static struct {
	const char *link;
} args;

/* What a run has: the savefile, made when the first text is open, and room for a frame. */
struct output {
	int dlt;
	struct pkt_writer *writer;
	int error; /* of a write before waiting */
	uint8_t frame[FRAME_MAX];
};

/* One text in hand, read byte by byte, so that a line may have any length. */
struct source {
	int fd;
	struct output *out;
	struct diag at; /* file, line, column of @c */
	int c; /* the byte in hand, or EOF */
	int error; /* errno of reading */
	uint32_t n; /* bytes of the frame */
	size_t taken, filled; /* of @buf */
	uint8_t buf[READ_BYTES];
};

/* More of the text. What is done is shown before waiting for whoever writes a pipe. */
static void
fill(struct source *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	ssize_t n;

	if (s->out->error == 0 && poll(&p, 1, 0) == 0)
		s->out->error = pkt_writer_flush(s->out->writer);
	do
		n = read(s->fd, s->buf, sizeof(s->buf));
	while (n < 0 && errno == EINTR);
	s->error = n < 0 ? errno : 0;
	s->filled = n < 0 ? 0 : (size_t)n;
	s->taken = 0;
}

static void
advance(struct source *s)
{
	if (s->c == '\n') {
		s->at.line++;
		s->at.col = 0;
	}
	if (s->taken == s->filled)
		fill(s);
	s->c = s->taken < s->filled ? s->buf[s->taken++] : EOF;
	s->at.col++;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\r' || c == '\f' || c == '\v';
}

static bool
ends_line(const struct source *s)
{
	return s->c == '\n' || s->c == EOF;
}

static void
skip_line(struct source *s)
{
	while (!ends_line(s))
		advance(s);
}

static int
unexpected(struct source *s, const char *expected)
{
	if (ends_line(s))
		return diag_fail(&s->at, -EINVAL, "expected %s, got the line's end", expected);
	if (s->c > ' ' && s->c < 0x7f)
		return diag_fail(&s->at, -EINVAL, "expected %s, got '%c'", expected, s->c);
	return diag_fail(
		&s->at, -EINVAL, "expected %s, got the byte 0x%02x", expected, (unsigned int)s->c);
}

/* The digits from here on. Returns 0, -EINVAL. */
static int
read_bytes(struct source *s)
{
	int high, low;

	s->n = 0;
	while ((high = parse_hex_digit(s->c)) >= 0) {
		advance(s);
		low = parse_hex_digit(s->c);
		if (low < 0)
			return unexpected(s, "the second digit of a byte");
		if (s->n == FRAME_MAX)
			return diag_fail(
				&s->at, -EINVAL, "a frame has at most %d bytes", FRAME_MAX);
		s->out->frame[s->n++] = (uint8_t)(high << 4 | low);
		advance(s);
	}
	while (is_blank(s->c))
		advance(s);
	if (!ends_line(s) && s->c != '\t')
		return unexpected(s, "hexadecimal digits, a tab or the line's end");
	skip_line(s);
	return 0;
}

/* The next frame of the text. Returns 1, 0 at its end, -EINVAL, or the error of reading. */
static int
next_frame(struct source *s)
{
	int r;

	for (; s->c != EOF; advance(s)) {
		while (is_blank(s->c) || s->c == '\t')
			advance(s);
		if (s->c == '#' || s->c == ';')
			skip_line(s);
		if (ends_line(s))
			continue;
		r = read_bytes(s);
		return r < 0 ? r : 1;
	}
	if (s->error == 0)
		return 0;
	s->at.col = 0;
	return diag_fail(&s->at, -EIO, "cannot read on: %s", strerror(s->error));
}

/* Exit status, 0, or -EPIPE: the reader has gone. */
static int
cannot_write(int r)
{
	if (r == 0 || r == -EPIPE)
		return r;
	return cli_fail(CLI_FAILED, "cannot write to standard output: %s", strerror(-r));
}

/* The same results. */
static int
convert(struct source *s)
{
	struct output *out = s->out;
	int r = 0, more = 0;

	s->at.line = 1;
	s->c = ' ';
	while (r == 0 && out->error == 0 && (more = next_frame(s)) > 0)
		r = pkt_writer_put(out->writer,
			&(struct pkt_frame){.data = out->frame, .caplen = s->n, .wirelen = s->n});
	r = r == 0 ? out->error : r;
	if (r < 0)
		return cannot_write(r);
	if (more < 0)
		return cli_fail_diag(more == -EINVAL ? CLI_USAGE : CLI_FAILED, &s->at);
	return 0;
}

/* Nothing is written before there is something to read. */
static int
open_writer(struct output *out)
{
	struct diag diag = {0};

	if (out->writer == NULL &&
		pkt_writer_open("-", out->dlt, FRAME_MAX, &out->writer, &diag) < 0)
		return cli_fail_diag(CLI_FAILED, &diag);
	return 0;
}

static int
convert_open(const char *path, int fd, struct output *out)
{
	struct source *s;
	struct stat st;
	int r;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return cli_fail(CLI_USAGE, "cannot read '%s': it is a directory", path);
	r = open_writer(out);
	if (r != 0)
		return r;
	s = mem_zalloc(sizeof(*s));
	if (s == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	s->fd = fd;
	s->out = out;
	diag_set_file(&s->at, path);
	r = convert(s);
	mem_free(s);
	return r;
}

static int
convert_file(const char *path, struct output *out)
{
	const bool own = strcmp(path, "-") != 0;
	const int fd = own ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	int r;

	if (fd < 0)
		return cli_fail(CLI_USAGE, "cannot open '%s': %s", path, strerror(errno));
	r = convert_open(path, fd, out);
	if (own)
		(void)close(fd);
	return r;
}

static int
hex2pcap_run(int argc, char **argv)
{
	const int dlt = pkt_link_by_name(args.link != NULL ? args.link : "EN10MB");
	struct output *out;
	int r = 0, closed;

	if (dlt < 0)
		return cli_fail(CLI_USAGE,
			"--link: expected a link type's name or number, such as EN10MB, got '%.60s'",
			args.link);
	out = mem_zalloc(sizeof(*out));
	if (out == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	out->dlt = dlt;
	if (argc == 0)
		r = convert_file("-", out);
	for (int i = 0; r == 0 && i < argc; i++)
		r = convert_file(argv[i], out);
	closed = pkt_writer_close(out->writer);
	if (r == 0)
		r = cannot_write(closed);
	mem_free(out);
	return r == -EPIPE ? CLI_DONE : r;
}

static const struct cli_opt hex2pcap_opts[] = {
	{'l', "link", "TYPE",
		"The frames' link type, as libpcap names or numbers it; default EN10MB.", NULL,
		&args.link},
	{0},
};

static const struct cli_example hex2pcap_examples[] = {
	{"sluice hex2pcap frames.hex >frames.pcap", "A savefile of a text of frames."},
	{"sluice hex2pcap --link RAW datagrams.hex | tcpdump -nr -",
		"Frames that begin with the IP header."},
	{0},
};

const struct cli_cmd cmd_hex2pcap = {
	.name = "hex2pcap",
	.args = "[FILE…]",
	.help = "Write a savefile of frames given in hexadecimal, one a line.",
	.more = "FILE is a text as pcap2hex prints it, - or none standard input. Empty lines and lines\n"
		"that start with # or ; are skipped, and what stands behind a tab. All frames have the\n"
		"time 0.",
	.examples = hex2pcap_examples,
	.opts = hex2pcap_opts,
	.min_args = 0,
	.max_args = -1,
	.run = hex2pcap_run,
};
