// SPDX-License-Identifier: BSD-3-Clause
#include "savefiles.h"

#include <errno.h>
#include <stdio.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "cli.h"
#include "pkt/savefile.h"

/* Exit status, or -EPIPE: the reader has gone. */
static int
cannot_write(void)
{
	return cli_stdout_check() == -EPIPE ? -EPIPE : cli_flush();
}

/* Exit status, 0, or -EPIPE: the reader has gone. */
static int
put_line(const struct sbuf *line)
{
	if (!sbuf_ok(line))
		return cli_fail(CLI_FAILED, "out of memory");
	if (line->len == 0 || fwrite(line->s, 1, line->len, stdout) == line->len)
		return 0;
	return cannot_write();
}

static int
print_frames(struct pkt_reader *reader, const struct savefiles_use *use)
{
	struct sbuf line = SBUF_INIT;
	struct diag diag = {0};
	struct pkt_frame frame;
	int more = 0, r = 0;

	while (r == 0 && (more = pkt_reader_next(reader, &frame, &diag)) > 0) {
		line.len = 0;
		use->print(pkt_reader_dlt(reader), &frame, &line);
		r = put_line(&line);
		/* What is done is shown before waiting for more of a pipe. */
		if (r == 0 && pkt_reader_waits(reader) && fflush(stdout) == EOF)
			r = cannot_write();
	}
	sbuf_fini(&line);
	return r == 0 && more < 0 ? cli_fail_diag(CLI_USAGE, &diag) : r;
}

static int
print_file(const char *path, const struct savefiles_use *use)
{
	struct pkt_reader *reader = NULL;
	struct diag diag = {0};
	int r = pkt_reader_open(path, &reader, &diag);

	if (r < 0)
		return cli_fail_diag(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, &diag);
	if (use->begin != NULL)
		r = use->begin(path, pkt_reader_dlt(reader));
	if (r == 0)
		r = print_frames(reader, use);
	pkt_reader_close(reader);
	return r;
}

int
savefiles_print(int argc, char **argv, const struct savefiles_use *use)
{
	int r = 0;

	if (argc == 0)
		r = print_file("-", use);
	for (int i = 0; r == 0 && i < argc; i++)
		r = print_file(argv[i], use);
	return r == -EPIPE ? CLI_DONE : r;
}
