/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_OUTPUT_H
#define SLUICE_OUTPUT_H

#include <sys/types.h>

struct sbuf;

/*
 * Write @b to @file with @mode, whole or not at all; "-": to standard output.
 * Returns an exit status, after telling stderr.
 */
int output_write(const struct sbuf *b, const char *file, mode_t mode);

#endif
