/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAMPLE_ROTATE_H
#define SAMPLE_ROTATE_H

/*
 * A file that is written in whole blocks and rotated: FILE is the open one,
 * FILE.1 the newest of those kept. What was handed over is on disk whole or not
 * at all: a write that fails is taken back. One thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROTATE_BUF 65536 /* bytes */

struct rotate {
	char *path;
	uint32_t keep;
	int fd; /* -1: none open */
	bool device; /* no regular file: never rotated, never cut */
	bool waiting; /* the open file is still FILE.new */
	uint64_t size; /* bytes on disk */
	size_t len; /* bytes in buf */
	uint8_t buf[ROTATE_BUF];
};

/* Take @path (copied). Nothing is opened yet. Returns 0, -ENOMEM. */
int rotate_init(struct rotate *r, const char *path, uint32_t keep);
/* Close without flushing. */
void rotate_fini(struct rotate *r);

/*
 * Open a new file, as FILE.new: nothing that is there is touched until
 * rotate_place(). A FILE.new that somebody left is replaced; whose it was, if it is
 * open still, is told by rotate_is_gone(). 0 or -errno; -EINVAL when FILE is a
 * directory, a socket or a pipe. A device is opened as it is.
 */
int rotate_open(struct rotate *r);

/*
 * Put the open file into its place; a FILE that is there becomes FILE.1, FILE.1
 * becomes FILE.2, and what was FILE.keep is deleted (with keep 0 as with 1).
 * Nothing to do when it is there already. 0 or -errno, then it still waits.
 */
int rotate_place(struct rotate *r);

/* True when there is no FILE that rotate_place() would move. */
bool rotate_is_free(const struct rotate *r);

/* True when somebody deleted or replaced the open file: what is written now reaches nobody. */
bool rotate_is_gone(const struct rotate *r);

/* Close the open file; unless it is in its place or gone, delete it. */
void rotate_drop(struct rotate *r);

/*
 * Add one block to the buffer, flushing it first when it would not fit. Returns
 * 0, -EFBIG for a block larger than the buffer, rotate_flush()'s error: then
 * neither this block nor what was buffered is in the file.
 */
int rotate_put(struct rotate *r, const void *block, size_t n);

/* Write what is buffered. 0 or -errno; the buffer is empty either way. */
int rotate_flush(struct rotate *r);

/* Flush and close. 0 or -errno; closed either way. */
int rotate_close(struct rotate *r);

#endif
