/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_H
#define MATCH_LIST_H

/*
 * The list kernel, for rules that no hash tells apart: arithmetic, or masks that
 * are all different. Each is a lane (lane.h): a computation over values of the frame and
 * a test, done for 4 to 32 frames of a burst at once, a number of 32 bits of each side by
 * side. Where the test holds, which it hardly does, and does not say all, the rule itself is
 * asked, later.
 *
 * Linear, but where 10,000 programs one after another take 80 µs for a frame, as many lanes
 * take 2.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cbpf/lanes.h"
#include "item.h"
#include "lane.h"
#include "match/image.h"
#include "scope.h"

struct probe;

#define LIST_VALUES 40 /* of a frame, that a list's lanes compute with */
/* Rows of numbers, one of each frame of a burst: columns, values made of them, and zeros. */
#define LIST_COLUMNS (2 * LIST_VALUES)
#define LIST_ZERO (LIST_COLUMNS + LIST_VALUES)
#define LIST_ROWS (LIST_ZERO + 1)

/*
 * What a step does. Four lanes that do alike go step by step together: some steps that make r =
 * (r * mul + v + add ^ x ^ flip) >> shift, or r & mul, and a test. Of what only some of the four do
 * the others' operands change nothing.
 */
enum list_step_kind {
	LIST_AND,
	LIST_V, /* r + v */
	LIST_MUL_V,
	LIST_X, /* r + v + add ^ x */
	LIST_MUL_X,
	LIST_ALL,
	LIST_MUL_ALL,
	LIST_TEST, /* note where (r & mask) == val, and start the next lane with v */
	LIST_END, /* behind the last test */
};

#define LIST_FOUR 4

struct list_step {
	union {
		struct {
			uint32_t mul[LIST_FOUR], add[LIST_FOUR], flip[LIST_FOUR], shift[LIST_FOUR];
		};
		struct {
			uint32_t mask[LIST_FOUR], val[LIST_FOUR];
			uint32_t lane[LIST_FOUR]; /* numbers, for who passes the test */
		};
	};
	uint16_t v[LIST_FOUR], x[LIST_FOUR]; /* rows: bytes from the first */
	uint8_t kind; /* enum list_step_kind */
};

#define LIST_ROW_BYTES (4 * MATCH_BURST)

/* Lanes that ask the same of pkt_key(), one behind another. */
struct list_part {
	struct scope_test test;
	uint32_t lane, n_lanes; /* the first of its lanes, and how many they are */
	uint32_t step; /* the first of its steps */
	uint16_t start[LIST_FOUR]; /* rows that its first lanes start with */
	uint32_t block, n_blocks; /* of code, instead of steps */
};

/* Lanes that are one function of machine code: as much as the first cache holds. */
#define LIST_BLOCK 128

struct list_block {
	cbpf_lanes_fn fn;
	uint32_t lane, n; /* the first of its lanes, and how many they are */
	/* Of frames with this key lanes of the block in @is_sure, by number, say all. */
	struct scope_test sure;
	uint64_t is_sure[LIST_BLOCK / 64];
};

/*
 * Big-endian numbers of 4 bytes of one window, in rows one behind another, by offset. A square
 * is four rows of which the bytes lie behind each other; a row may be in two.
 */
struct list_place {
	uint8_t win, row, n;
	uint8_t square, n_squares, single, n_singles; /* the first of them, and how many */
	int32_t begin, end; /* bytes of the window that all of them are in */
};

/* A value that is no column: (row a << up | row b >> rest) >> down, or 0 minus that. */
struct list_piece {
	uint32_t up, rest, down; /* 0..31; where up is 0, rest is, and b is a */
	uint8_t a, b, row;
	bool negative;
};

/* What lanes compute with: a number in a frame, or 0 minus it. */
struct list_value {
	struct lane_value at;
	bool negative;
};

struct list {
	struct list_part *parts;
	struct list_step *steps; /* or */
	struct list_block *blocks;
	uint32_t *rules; /* by lane */
	/* By lane: the rule matches who has this key and passes the test, and is whole. */
	struct scope_test *sure;
	uint32_t n_parts, n_steps, n_blocks;
	struct list_place places[LIST_VALUES];
	int32_t column[LIST_COLUMNS]; /* by row: offset in its window */
	uint8_t squares[LIST_COLUMNS]; /* their first rows */
	uint8_t singles[LIST_COLUMNS]; /* other rows */
	struct list_piece pieces[LIST_VALUES];
	uint32_t n_places, n_columns, n_pieces, n_squares, n_singles;
	struct list_value values[LIST_VALUES];
	uint32_t n_values;
	uint32_t windows; /* bit w: window w is used */
	struct scope_test test; /* what all lanes ask of pkt_key() */
	bool any_ether;
	uint32_t first_rule, n_rules, n_lanes;
	size_t bytes; /* of memory */
};

/* How to make a list. */
struct list_how {
	uint32_t least; /* rules; else there is none */
	struct cbpf_arena *code; /* for machine code, with room for all lanes; NULL: steps */
	enum cbpf_vectors vectors; /* of the code */
	bool fault; /* spoil lanes, to see that tests notice */
};

/*
 * Make a list of such rules in @residual (by rule; 0: not looked at) as it can
 * take, and clear them there. Returns 0 or -ENOMEM; list_fini() in any case.
 */
int list_init(
	struct list *l, const struct items *items, const struct list_how *how, bool *residual);
void list_fini(struct list *l);

/*
 * The kernel: lower @p->best for the frames in @some, for which all windows of
 * @l are found. One for each kind of processor.
 */
typedef void (*list_probe_fn)(const struct list *l, struct probe *p, uint64_t some);
void list_probe_c(const struct list *l, struct probe *p, uint64_t some);
void list_probe_avx2(const struct list *l, struct probe *p, uint64_t some);
void list_probe_avx512(const struct list *l, struct probe *p, uint64_t some);

/*
 * Tests that held, bit i of a hit's frames: for the i-th of those taken. They are decided later,
 * many at once: whether a lane holds for someone is what no processor foresees.
 */
#define LIST_HITS 64

struct list_hits {
	struct list_hit {
		uint64_t frames;
		uint32_t lane;
	} v[LIST_HITS];
	uint32_t n;
};

struct list_frames;

/* Ask the rules of @h of the frames of @p, as they stand in @f; then it is empty. */
void list_try(
	const struct list *l, struct list_hits *h, struct probe *p, const struct list_frames *f);

#endif
