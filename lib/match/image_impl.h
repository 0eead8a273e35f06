/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_IMAGE_IMPL_H
#define MATCH_IMAGE_IMPL_H

/* What an image is made of; for image.c, search.c, first.c and verdict.c. */

#include <stdatomic.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "index.h"
#include "match/image.h"
#include "scope.h"

struct cbpf_arena;
struct match_index;

/* Bits of a rule's state. */
enum {
	MATCH_STATE_ENABLED = 1 << 0,
	MATCH_STATE_DECIDING = 1 << 1, /* pass or drop, and not in shadow; never changes */
};

/* What a rule's program gets. */
enum match_run {
	MATCH_RUN_NONE, /* no program: the scope alone matches */
	MATCH_RUN_RAW,
	MATCH_RUN_RAW_ONE, /* the same code for both families, or one family alone */
	MATCH_RUN_ETHER,
};

/* One rule as the data plane reads it: one cache line. */
struct match_entry {
	struct scope scope;
	uint64_t ports; /* bit i: frames of port number i */
	/* By family (0: IPv4, 1: IPv6); code, or with the interpreter prog. */
	union {
		cbpf_fn fn;
		const struct cbpf_prog *prog;
	} code[2];
	/* match_image_enable() writes, every worker reads, both relaxed: it orders nothing. */
	atomic_bool enabled; /* as in the image's state[], for who has this line at hand */
	bool deciding; /* pass or drop, and not in shadow */
	bool generated;
	uint8_t run; /* enum match_run */
} __attribute__((aligned(BASE_CACHE_LINE)));

_Static_assert(sizeof(struct match_entry) == BASE_CACHE_LINE, "one line a rule");

struct match_image {
	struct match_entry *entries; /* @n of them */
	struct match_leaf *leaves;
	/*
	 * A byte a rule, MATCH_STATE_ bits, so that 10,000 fit the first cache. As entries[].enabled.
	 */
	_Atomic uint8_t *state;
	struct match_index *index; /* NULL: all rules go one by one */
	size_t n;
	bool is_jit;
	bool any_generated;
	struct arena arena; /* all but the entries, the code and the programs */
	struct cbpf_arena *code;
	struct cbpf_prog **progs; /* copies, for the interpreter */
	size_t n_progs;
};

/* How to compile; for tests. All 0 is what match_image_new() does. */
enum match_merge { MATCH_MERGE_AUTO, MATCH_MERGE_ALWAYS, MATCH_MERGE_NEVER };

struct match_options {
	enum match_merge merge;
	enum isa isa; /* of the kernels */
	enum hash_fault hash_fault;
	bool bits_fault;
};

int match_image_new_with(const struct match_rule *rules, size_t n, enum match_engine engine,
	const struct match_options *options, struct match_image **ret_image, struct diag *diag);

#endif
