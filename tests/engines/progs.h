/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_PROGS_H
#define TEST_PROGS_H

/*
 * Programs to compare engines with: random ones, real ones and mutations of
 * these; and for a program frames that it matches or just misses.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "cbpf/insn.h"

struct cbpf_prog;

#define PROGS_MAX_INSNS 512
#define FRAME_MAX 1600 /* bytes */

/* A random program that passes validation. Freed with cbpf_prog_free(). */
struct cbpf_prog *progs_random(struct rng *r);

/* One of the real ones, changed in 0 to 4 places and still valid. */
struct cbpf_prog *progs_real(struct rng *r);

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
};

/*
 * Choose a way through @prog to a return that is not 0 and change @f, which
 * holds anything, until it takes that way: constants of tests are written where
 * the tested bytes were loaded. Returns true when it matches now.
 */
bool frame_solve(const struct cbpf_prog *prog, struct rng *r, struct frame *f);

/* A frame of noise, or one that looks like Ethernet or IP. */
void frame_random(struct rng *r, struct frame *f);

/* What a run touched: bytes it loaded, and whether Linux may see it differently. */
struct trace {
	uint32_t read[256]; /* offsets of loaded bytes, some of them */
	uint32_t nread;
	uint32_t end; /* behind the last byte that was loaded */
	bool linux_differs; /* X + k beyond 2^31; for shifts see cbpf_linux() */
};

void frame_trace(const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen,
	uint32_t wirelen, struct trace *t);

#endif
