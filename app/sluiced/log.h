/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_LOG_H
#define SLUICED_LOG_H

/*
 * One line a message to standard error. On a terminal it starts with the
 * program's name; elsewhere with "<N>", the syslog level that the journal and
 * every collector of a service's output understand. Any thread: a line is one
 * write.
 */

#include <stdbool.h>

struct diag;

/* The numbers are syslog's. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/*
 * Choose the form. Before the first other thread.
 *
 * @plain:	the program's name in front even where it is no terminal
 * @verbose:	write LOG_LEVEL_DEBUG too
 */
void log_init(bool plain, bool verbose);

/* Write one line; a newline within the message becomes a blank. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Write what @diag says, with its place and with @what in front ("" for nothing). */
void log_diag(enum log_level level, const char *what, const struct diag *diag);

#endif
