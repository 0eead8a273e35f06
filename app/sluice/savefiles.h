/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_SAVEFILES_H
#define SLUICE_SAVEFILES_H

/* The frames of all savefiles of a command line, one line of output for each. */

struct pkt_frame;
struct sbuf;

/* What a command does with savefiles. */
struct savefiles_use {
	/* Once per file, before its frames: an exit status after telling stderr, or 0. May be NULL. */
	int (*begin)(const char *path, int dlt);
	/* Add what is to be printed of @frame to @line, newline included, or nothing. */
	void (*print)(int dlt, const struct pkt_frame *frame, struct sbuf *line);
};

/*
 * Read all files named ("-" is standard input; none: only that) and print. Ends
 * at the first file that is none or breaks off, and when nobody reads any more.
 * Returns an exit status.
 */
int savefiles_print(int argc, char **argv, const struct savefiles_use *use);

#endif
