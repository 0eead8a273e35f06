/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_MATCH_WORLD_H
#define TEST_MATCH_WORLD_H

/*
 * Random rules and frames that have something to do with each other: few
 * addresses, ports and names, so that scopes and programs hit and miss alike.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "match/rule.h"
#include "pkt/view.h"

struct cbpf_prog;

extern struct rng world_rng;

/* Seed world_rng from SLUICE_SEED or the clock, and print it. */
void world_seed(void);

/* Compile the programs that rules draw from. Once; world_fini() frees. */
void world_init(void);
void world_fini(void);

struct world_rules {
	struct match_rule v[256];
	size_t n;
	void *memory[256 * 6]; /* behind the lists */
	size_t n_memory;
};

/* @n rules, 0..256, each with a slot of its own below 256; to be freed with world_rules_fini(). */
void world_rules_make(struct world_rules *r, size_t n);
void world_rules_fini(struct world_rules *r);

/* A program by its text: an expression, "dns ..." or "asm ...". */
struct cbpf_prog *world_prog(const char *text, int dlt, int family);

/* A frame that ends at an unreadable page, until WORLD_FRAMES more have been made. */
#define WORLD_FRAMES 2048
struct world_frame {
	uint8_t *data;
	uint32_t caplen, wirelen;
};
struct world_frame world_frame_make(void);

/* A frame of @caplen bytes copied from @bytes. */
struct world_frame world_frame_copy(const uint8_t *bytes, uint32_t caplen, uint32_t wirelen);

/* True with the probability of @percent. */
static inline int
world_percent(uint32_t percent)
{
	return rng_below(&world_rng, 100) < percent;
}

#endif
