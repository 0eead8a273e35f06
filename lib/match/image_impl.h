/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_IMAGE_IMPL_H
#define MATCH_IMAGE_IMPL_H

/* What an image is made of; for image.c, update.c, search.c, first.c and verdict.c. */

#include <stdatomic.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
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

#define MATCH_STATE_PAD 7 /* bytes behind the last state, 0, for who reads eight */

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

/*
 * What rules are compiled to. Immutable but for entries[].enabled, and shared by
 * images of which updates made one of the other.
 */
struct match_base {
	_Atomic uint32_t refs; /* images; who takes the last one away frees */
	struct match_entry *entries;
	struct match_index *index; /* or NULL */
	struct match_index *lone_index; /* the same as one by one, for updates; or NULL */
	struct arena arena; /* of scopes */
	struct cbpf_arena *code;
	/*
	 * chain.h; NULL: there is none. It is asked before the index, where there are both, and
	 * says which frames go on there.
	 */
	cbpf_chain_fn chain;
	struct cbpf_arena *chain_code;
	uint32_t chain_some_ports; /* bit i: rule i of the chain is not for all ports */
	bool chain_leaves; /* the chain says of some frames that they go another way */
	struct cbpf_prog **progs; /* copies, for the interpreter */
	size_t n_progs;
	uint32_t interpreted; /* compiled: from this rule on programs are not, there are too many */
	struct build_notes notes;
};

struct match_parts;

struct match_image {
	struct match_entry *entries; /* @n of them; the base's */
	struct match_leaf *leaves;
	/*
	 * A byte a rule, MATCH_STATE_ bits, so that 10,000 fit the first cache. As entries[].enabled.
	 */
	_Atomic uint8_t *state;
	struct match_index *index; /* NULL: all rules go one by one; the base's */
	size_t n;
	bool is_jit;
	bool any_generated;
	struct match_base *base; /* NULL where there are parts */
	/*
	 * Where an update made the image: images that are asked one after the other
	 * (parts.h). Then there are neither entries nor states here, and @index is a
	 * part's, so that it is not NULL. NULL: this is all.
	 */
	struct match_parts *parts;
};

/* How to compile; for tests, and parts. All 0 is what match_image_new() does. */
enum match_merge { MATCH_MERGE_AUTO, MATCH_MERGE_ALWAYS, MATCH_MERGE_NEVER };

struct match_options {
	enum match_merge merge;
	enum isa isa; /* of the kernels */
	enum hash_fault hash_fault;
	bool bits_fault, tuple_fault, list_fault;
	bool only_lists; /* no tables */
	bool no_list_code; /* lists go step by step */
	bool no_chain;
	bool chains; /* of all that lists could compute; with MATCH_MERGE_ALWAYS, too */
	bool is_part; /* of an image with parts, which ask no chain in front of tables */
	bool chain_first; /* with MATCH_MERGE_ALWAYS: one in front of tables, where that can be */
	bool chain_fault; /* it lacks the last rule */
	bool far_fault; /* it leaves nothing to tables */
	bool rank_fault; /* an update gives rules behind the first change wrong numbers */
	bool no_findings; /* rules that never decide are not looked for */
	bool update_always; /* also where a full build takes no longer */
	uint32_t update_large; /* rules in a part that an update adds; 0: as many as there may be */
	bool no_tuple; /* its rules are the bit-vector kernel's */
	size_t code_insns; /* instructions of programs that are compiled; 0: as many as ever */
};

int match_image_new_with(const struct match_rule *rules, size_t n, enum match_engine engine,
	const struct match_options *options, struct match_image **ret_image, struct diag *diag);

/* As match_image_update(). */
int match_image_update_with(const struct match_image *old, const struct match_rule *const *rules,
	const uint32_t *was, size_t n, enum match_engine engine,
	const struct match_options *options, struct match_image **ret_image, struct diag *diag);

/*
 * What canon() makes of the rules of @image once more, for reports; items->v is to
 * be freed also after a failure. Returns 0 or -ENOMEM.
 */
int image_items(const struct match_image *image, const struct match_rule *rules,
	struct arena *arena, struct items *items);

/*
 * One more image of what @of, which has no parts, is compiled to, with states of its own, all 0,
 * and no leaves: a part. Its index is never NULL. Returns 0 or -ENOMEM.
 */
int image_share(const struct match_image *of, struct match_image **ret_image);

static inline uint8_t
image_state(bool deciding, bool enabled)
{
	return (uint8_t)((deciding ? MATCH_STATE_DECIDING : 0) |
		(enabled ? MATCH_STATE_ENABLED : 0));
}

/* Whether @leaf ends the search of the frames that it matches, where rules are enforced. */
static inline bool
image_decides(const struct match_leaf *leaf)
{
	return leaf->action != MATCH_COUNT && !leaf->shadow;
}

static inline struct match_leaf
image_leaf(const struct match_rule *rule)
{
	return (struct match_leaf){
		.slot = rule->slot,
		.action = (uint8_t)rule->action,
		.shadow = rule->shadow,
	};
}

#endif
