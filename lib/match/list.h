/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_H
#define MATCH_LIST_H

/*
 * The list kernel, for rules that no hash tells apart: arithmetic, or masks that
 * are all different. 32 rules go at once, each in a lane of 16 bits: a
 * computation over values of the frame (lane.h) and a test. For whom the test
 * holds, which is one in thousands, the rule itself is asked.
 *
 * Where 10,000 programs one after another take 80 µs for a frame, as many lanes
 * take 2: linear still, but a third of a cycle a rule.
 */

#include <stdbool.h>
#include <stdint.h>

#include "item.h"
#include "lane.h"
#include "scope.h"

struct match_image;
struct probe;

#define LIST_LANES 32 /* in a block */
#define LIST_VALUES 32 /* of a frame, that a list's lanes compute with */

/*
 * What some lane of a block does in a step, see struct lane_step. What none does is
 * left out: lanes that do alike are put together.
 */
enum {
	LIST_MUL = 1 << 0, /* r * mul */
	LIST_V = 1 << 1, /* + v */
	LIST_V_MUL = 1 << 2, /* * v_mul, which are not all 1 */
	LIST_V_SAME = 1 << 3, /* v is the same value for all */
	LIST_ADD = 1 << 4,
	LIST_BITS = 1 << 5, /* & and ^ xor */
	LIST_X = 1 << 6,
	LIST_X_SAME = 1 << 7,
	LIST_SHIFT = 1 << 8,
};

/* struct lane_step for each lane of a block; v and x are numbers of values. */
struct list_step {
	uint16_t mul[LIST_LANES], v[LIST_LANES], v_mul[LIST_LANES], add[LIST_LANES];
	uint16_t and[LIST_LANES], xor[LIST_LANES], x[LIST_LANES], x_mask[LIST_LANES];
	/* For processors that shift all lanes alike: (r * scale >> 16) | (r & keep). */
	uint16_t shift[LIST_LANES], scale[LIST_LANES], keep[LIST_LANES];
	uint32_t does;
} __attribute__((aligned(64)));

struct list_block {
	uint16_t start[LIST_LANES], mask[LIST_LANES], val[LIST_LANES];
	uint32_t rule[LIST_LANES];
	struct scope_test test; /* what all lanes ask of pkt_key() */
	uint32_t step, n_steps; /* in list.steps */
	bool start_same; /* all lanes start with the same value */
} __attribute__((aligned(64)));

/* Values that lie near each other, so that two loads have them all. */
struct list_chunk {
	/* By value: which of 64 numbers of 2 bytes, the upper half of them from an odd byte on. */
	uint16_t index[LIST_VALUES];
	uint8_t order[2 * LIST_VALUES]; /* of their bytes, as for pshufb */
	uint32_t values; /* bit v: value v is here */
	int32_t off;
	uint8_t win, space;
} __attribute__((aligned(64)));

struct list {
	struct list_block *blocks;
	struct list_step *steps;
	struct list_chunk *chunks;
	uint32_t n_blocks, n_steps, n_chunks;
	struct lane_value values[LIST_VALUES];
	uint8_t spaces[LIST_VALUES];
	uint32_t n_values;
	uint32_t windows; /* bit w: window w is used */
	struct scope_test test; /* what all lanes ask of scope_key() */
	bool any_ether;
	uint32_t first_rule, n_rules, n_lanes;
	size_t bytes; /* of memory */
};

/*
 * Make a list of such rules in @residual (by rule; 0: not looked at) as it can
 * take, and clear them there; none where it would be fewer than @least. @fault: spoil lanes, to see that tests notice.
 * Returns 0 or -ENOMEM; list_fini() in any case.
 */
int list_init(struct list *l, const struct match_image *im, const struct items *items,
	uint32_t least, bool *residual, bool fault);
void list_fini(struct list *l);

/*
 * The kernel: lower @p->best for the frames in @some, for which all windows of
 * @l are found. One for each kind of processor.
 */
typedef void (*list_probe_fn)(const struct list *l, struct probe *p, uint64_t some);
void list_probe_c(const struct list *l, struct probe *p, uint64_t some);
void list_probe_avx2(const struct list *l, struct probe *p, uint64_t some);
void list_probe_avx512(const struct list *l, struct probe *p, uint64_t some);

/* The lanes @hits of block @b held for frame @i: ask their rules. */
void list_try(const struct list_block *b, struct probe *p, uint32_t i, uint32_t hits);

#endif
