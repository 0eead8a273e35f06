// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cli.h"
#include "hex.h"
#include "pkt/savefile.h"

#define FRAME_MAX 262144 /* bytes; what libpcap takes at most as a snapshot length */

static struct {
	const char *link;
} args;

/* One text in hand, read byte by byte, so that a line may have any length. */
struct source {
	FILE *in;
	struct diag at; /* file, line, column of @c */
	int c; /* the byte in hand, or EOF */
	uint8_t *frame; /* FRAME_MAX bytes */
	uint32_t n; /* of them */
};

static void
advance(struct source *s)
{
	if (s->c == '\n') {
		s->at.line++;
		s->at.col = 0;
	}
	s->c = getc_unlocked(s->in);
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
	while ((high = hex_digit(s->c)) >= 0) {
		advance(s);
		low = hex_digit(s->c);
		if (low < 0)
			return unexpected(s, "the second digit of a byte");
		if (s->n == FRAME_MAX)
			return diag_fail(
				&s->at, -EINVAL, "a frame has at most %d bytes", FRAME_MAX);
		s->frame[s->n++] = (uint8_t)(high << 4 | low);
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
	if (!ferror(s->in))
		return 0;
	s->at.col = 0;
	return diag_fail(&s->at, -EIO, "cannot read on: %s", strerror(errno));
}

/* Exit status, 0, or -EPIPE: the reader has gone. */
static int
convert(struct source *s, struct pkt_writer *w)
{
	int r = 0, more;

	s->at.line = 1;
	s->c = ' ';
	while ((more = next_frame(s)) > 0 && r == 0)
		r = pkt_writer_put(
			w, &(struct pkt_frame){.data = s->frame, .caplen = s->n, .wirelen = s->n});
	if (r < 0 && r != -EPIPE)
		return cli_fail(CLI_FAILED, "cannot write to standard output: %s", strerror(-r));
	if (more < 0)
		return cli_fail_diag(more == -EINVAL ? CLI_USAGE : CLI_FAILED, &s->at);
	return r;
}

static int
convert_file(const char *path, uint8_t *frame, struct pkt_writer *w)
{
	struct source s = {.frame = frame, .in = stdin};
	struct stat st;
	int r;

	diag_set_file(&s.at, path);
	if (strcmp(path, "-") != 0)
		s.in = fopen(path, "re");
	if (s.in == NULL)
		return cli_fail(CLI_USAGE, "cannot open '%s': %s", path, strerror(errno));
	if (fstat(fileno(s.in), &st) == 0 && S_ISDIR(st.st_mode))
		r = cli_fail(CLI_USAGE, "cannot read '%s': it is a directory", path);
	else
		r = convert(&s, w);
	if (s.in != stdin)
		(void)fclose(s.in);
	return r;
}

static int
hex2pcap_run(int argc, char **argv)
{
	const int dlt = pkt_link_by_name(args.link != NULL ? args.link : "EN10MB");
	struct pkt_writer *w = NULL;
	struct diag diag = {0};
	uint8_t *frame;
	int r = 0, closed;

	if (dlt < 0)
		return cli_fail(CLI_USAGE,
			"--link: expected a link type's name or number, such as EN10MB, got '%.60s'",
			args.link);
	frame = mem_alloc(FRAME_MAX);
	if (frame == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	if (pkt_writer_open("-", dlt, FRAME_MAX, &w, &diag) < 0)
		r = cli_fail_diag(CLI_FAILED, &diag);
	else if (argc == 0)
		r = convert_file("-", frame, w);
	for (int i = 0; r == 0 && i < argc; i++)
		r = convert_file(argv[i], frame, w);
	closed = pkt_writer_close(w);
	if (r == 0 && closed < 0 && closed != -EPIPE)
		r = cli_fail(CLI_FAILED, "cannot write to standard output: %s", strerror(-closed));
	mem_free(frame);
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
