/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_NAMES_H
#define MATCH_NAMES_H

/*
 * Names from their ends on: a way of its own for images that are two tables, of what follows a
 * first label and of what a walk from there leads to, where all items end in a byte that is 0
 * and the few before it cannot be. So where a frame has one such byte, it is where a name would end
 * that matches, and the bytes before it lead to items of both tables, whose length says where they
 * start. Only who has found one is asked whether that is behind the first label, or some steps on.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "hash.h"
#include "match/sym.h"

struct items;
struct match_image;
struct match_index;
struct match_options;
struct pkt_view;

#define NAMES_TABLES_MAX 2
#define NAMES_WORDS 3 /* that are hashed, up to the end */
#define NAMES_LONGEST 128 /* bytes of a frame from where its name starts; others are left out */
#define NAMES_SHIFTS 4

/* The ranges of items, in this order. */
enum { NAMES_OF_LEAD, NAMES_OF_STEPS, NAMES_RANGES };

struct names {
	/* Of items that are shorter and longer; runs are in a window that ends where names do. */
	struct hash_table tables[NAMES_TABLES_MAX];
	uint32_t n;
	struct scope_test test;
	int32_t lead_off; /* from L4 to where names start: the length of their first label */
	int32_t walk_off; /* from so many bytes behind L4 as that says to what is behind the label */
	struct sym_step step;
	uint32_t n_words; /* of 8 bytes that some table hashes */
	/* x |= x << shift for each: what was one bit is as many as bytes in front of an end are not 0. */
	uint8_t shifts[NAMES_SHIFTS];
	size_t bytes; /* of memory */
};

/*
 * What the tables of @ix, made of @clusters and @items, are as names, to *@ret; NULL: they are not.
 * Memory of @arena until the end of the build. Returns 0 or -ENOMEM.
 */
int names_new(const struct match_index *ix, const struct items *items,
	const struct cluster *clusters, uint64_t seed, const struct match_options *options,
	struct arena *arena, struct names **ret);
void names_free(struct names *names);

/* A straight_fn of images that have names. */
uint64_t names_avx512(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);

#endif
