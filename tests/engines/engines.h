/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_ENGINES_H
#define TEST_ENGINES_H

/*
 * Every way to execute a program, ours and not ours, behind one face. Adding
 * one here subjects it to every case and to every random program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbpf/insn.h"

struct cbpf_arena;
struct cbpf_prog;

struct engine {
	const char *name;

	/* Prepare to run @prog. Returns what run() takes, NULL when this engine refuses it. */
	void *(*load)(const struct cbpf_prog *prog);
	uint32_t (*run)(void *loaded, const uint8_t *data, uint32_t caplen, uint32_t wirelen);
	void (*unload)(void *loaded);
};

extern const struct engine engine_interp, engine_optimised, engine_jit, engine_pcap;

/* The interpreter on what cbpf_shrink() makes of the program. */
extern const struct engine engine_shrunk;

/* The interpreter with one constant changed: what comparisons must notice. */
extern const struct engine engine_broken;

/*
 * The kernel, by a socket pair with a filter. run() gives min(result, caplen + 1),
 * since the kernel tells only the length that was left; @wirelen must be @caplen.
 */
extern const struct engine engine_kernel;

/*
 * @n bytes that end at an unreadable page, so that a load past the end is a
 * crash and not a lucky guess. At most FENCE_MAX of them; valid until the next call.
 */
#define FENCE_MAX 8192
uint8_t *fence_end(const uint8_t *bytes, size_t n);

/* SLUICE_SEED, or one from the clock; printed. */
uint64_t test_seed(const char *what);

/* 10 with SLUICE_LONG=1, else 1. */
unsigned int test_factor(void);

#endif
