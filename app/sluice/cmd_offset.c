// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "cli.h"
#include "hex.h"
#include "pkt/savefile.h"
#include "savefiles.h"

static struct {
	bool reverse, prefix, suffix, ignore;
} args;

/* What is looked for. */
static struct sbuf wanted = SBUF_INIT;

/*
 * One escape behind the backslash at @at, as Python's string_escape has them; of
 * any other the backslash counts. Returns the characters read, or -EINVAL.
 */
static int
read_escape(const char *at, struct sbuf *out)
{
	static const char names[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
	const char *name = *at != '\0' ? strchr(names, *at) : NULL;
	unsigned int byte = 0;
	int n = 0;

	if (name != NULL) {
		sbuf_addc(out, values[name - names]);
		return 1;
	}
	if (*at == 'x') {
		if (parse_hex_digit(at[1]) < 0 || parse_hex_digit(at[2]) < 0)
			return -EINVAL;
		sbuf_addc(out, (char)(parse_hex_digit(at[1]) << 4 | parse_hex_digit(at[2])));
		return 3;
	}
	while (n < 3 && at[n] >= '0' && at[n] <= '7')
		byte = byte * 8 + (unsigned int)(at[n++] - '0');
	sbuf_addc(out, n > 0 ? (char)(byte & 255) : '\\');
	return n;
}

static int
read_wanted(const char *s, struct sbuf *out)
{
	const char *c = s;
	int n;

	while (*c != '\0') {
		if (*c != '\\') {
			sbuf_addc(out, *c++);
			continue;
		}
		n = read_escape(++c, out);
		if (n < 0)
			return cli_fail(CLI_USAGE,
				"column %zu: expected two hexadecimal digits behind \\x in '%.60s'",
				(size_t)(c - s) + 2, s);
		c += n;
	}
	if (!sbuf_ok(out))
		return cli_fail(CLI_FAILED, "out of memory");
	return out->len > 0 ? 0 : cli_fail(CLI_USAGE, "expected bytes to look for, got none");
}

static void
print_offset(int dlt, const struct pkt_frame *frame, struct sbuf *line)
{
	const uint8_t *found = memmem(frame->data, frame->caplen, wanted.s, wanted.len);
	const uint32_t at = found != NULL ? (uint32_t)(found - frame->data) : 0;
	/* One before the start, as seen from either end, is where nothing can be. */
	const long long offset = found != NULL ? (long long)at : -1;

	(void)dlt;
	if (found == NULL && args.ignore)
		return;
	sbuf_addf(line, "%lld", args.reverse ? offset - (long long)frame->caplen : offset);
	if (args.prefix || (found == NULL && args.suffix)) {
		sbuf_addc(line, '\t');
		hex_add(line, frame->data, found != NULL ? at : frame->caplen);
	}
	if (args.suffix && found != NULL) {
		sbuf_addc(line, '\t');
		hex_add(line, found, frame->caplen - at);
	}
	sbuf_addc(line, '\n');
}

static int
offset_run(int argc, char **argv)
{
	static const struct savefiles_use use = {.print = print_offset};
	int r = read_wanted(argv[0], &wanted);

	if (r == 0)
		r = savefiles_print(argc - 1, argv + 1, &use);
	sbuf_fini(&wanted);
	return r;
}

static const struct cli_opt offset_opts[] = {
	{'r', "reverse", NULL, "Count from the end of the frame, in negative numbers.",
		&args.reverse, NULL},
	{'p', "prefix", NULL, "Print the bytes before the string, too.", &args.prefix, NULL},
	{'s', "suffix", NULL, "Print the bytes from the string on, too.", &args.suffix, NULL},
	{'i', "ignore", NULL, "Print no line for frames without the string.", &args.ignore, NULL},
	{0},
};

static const struct cli_example offset_examples[] = {
	{"sluice offset -i example example.pcap | sort -n | uniq -c",
		"Where in the frames that have it a word stands."},
	{"sluice offset -r '\\x00\\x01\\x00\\x01' example.pcap",
		"How far before the end type A, class IN stands."},
	{0},
};

const struct cli_cmd cmd_offset = {
	.name = "offset",
	.args = "STRING [FILE…]",
	.help = "Print where in each frame a string is first found.",
	.more = "STRING may have escapes: \\x00, \\0, \\t, \\\\ and the like. FILE is a pcap or pcapng\n"
		"file, - or none standard input. One line a frame: the offset from the frame's first\n"
		"byte, -1 for frames without the string; with -p or -s tabs and bytes in hexadecimal,\n"
		"all of the frame where the string is not.",
	.examples = offset_examples,
	.opts = offset_opts,
	.min_args = 1,
	.max_args = -1,
	.run = offset_run,
};
