/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_XDP_LOADER_H
#define TEST_XDP_LOADER_H

/* An object in the kernel: loaded by libbpf, run on frames of ours, its maps read. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loaded;

/* Whether this process may load programs at all. */
bool loader_allowed(void);

/* Load the object at @path. NULL with a message on stderr. */
struct loaded *loaded_new(const char *path);
void loaded_free(struct loaded *l);

/* The verifier's work on all programs: instructions it walked. */
uint32_t loaded_walked(const struct loaded *l);
/* The programs' size together, in instructions. */
uint32_t loaded_size(const struct loaded *l);

/* The action for a frame of 14 bytes or more; also whether it came out as it went in. */
int loaded_run(struct loaded *l, const uint8_t *frame, uint32_t len, bool *ret_same);

/*
 * The value of @slot in map @name, an array of @n 8-byte numbers, summed over
 * the CPUs. False when there is none.
 */
bool loaded_read(struct loaded *l, const char *name, uint32_t slot, uint64_t *ret, size_t n);

/* Set the 4-byte value of @slot in map @name. */
bool loaded_write(struct loaded *l, const char *name, uint32_t slot, uint32_t value);

/* Descriptor of map @name, or -1. */
int loaded_map(struct loaded *l, const char *name);

#endif
