/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_LIST_BUILD_H
#define MATCH_LIST_BUILD_H

/* A list under construction; for list.c, list_steps.c and list_code.c. */

#include "item.h"
#include "lane.h"
#include "list.h"

/* A lane on its way into a list. */
struct list_entry {
	struct lane lane;
	const struct item *item;
	struct scope_test test;
	uint32_t rule;
	uint8_t kinds[LANE_OPS_MAX]; /* of its steps */
	uint32_t n_steps;
	bool computes; /* the lane is the item's arithmetic */
	bool rest; /* few ask the same of the key */
};

struct list_builder {
	struct list *l;
	const struct list_how *how;
	const struct items *items;
	bool *residual;
	uint16_t *seen; /* by hash of a test: how often */
	struct list_entry *v; /* those of a part, list_part.lane and behind, in its order */
	uint32_t n, cap;
	uint16_t rows[LIST_VALUES]; /* by value: where it is found */
};

/* As steps and code name row @r. */
#define LIST_ROW_OF(r) ((uint16_t)((r)*LIST_ROW_BYTES))

/* The rows of what @e starts with, and of the value of @op. */
uint16_t list_start_row(struct list_builder *b, const struct list_entry *e);
uint16_t list_operand_row(struct list_builder *b, const struct lane_op *op);

/* The kinds of steps of @e; and their order, in which those that do alike stand together. */
void list_steps_find(struct list_entry *e);
int list_steps_order(const struct list_entry *a, const struct list_entry *b);

/* Make steps or machine code of all lanes, whose parts are known. Return 0 or -ENOMEM. */
int list_steps_make(struct list_builder *b);
int list_code_make(struct list_builder *b);

#endif
