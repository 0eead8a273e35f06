/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_FILE_H
#define BASE_FILE_H

/* Whole files into memory. Any thread. */

#include <stddef.h>

struct diag;

/*
 * Read all of @path ("-": standard input), at most @max bytes.
 *
 * @ret_text:	the bytes and a NUL, mem_free() it
 * @ret_len:	bytes without the NUL
 *
 * Returns 0, -errno of opening or reading (-EISDIR …), -EFBIG: over @max,
 * -EPIPE: a pipe that nobody writes to, -ENOMEM; the sentence in @diag does not name the file.
 */
int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct diag *diag);

#endif
