/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_OUTPUT_H
#define SLUICE_OUTPUT_H

#include <sys/types.h>

struct sbuf;

/*
 * Write @b to @file, whole or not at all; "-": to standard output. A new file gets
 * @mode less the umask; one that is there is read and written by nobody else than
 * before. Returns an exit status, after telling stderr.
 */
int output_write(const struct sbuf *b, const char *file, mode_t mode);

#endif
