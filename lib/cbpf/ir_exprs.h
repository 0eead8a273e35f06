/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_IR_EXPRS_H
#define CBPF_IR_EXPRS_H

/*
 * Numbers for the values of several graphs: two values that are computed alike
 * have one number, wherever they stand. 0 is none's.
 */

#include "ir.h"

struct ir_exprs {
	struct arena *mem;
	const struct ir_val **slots; /* open addressing */
	uint32_t n_slots, used;
	uint32_t n; /* numbers, 0 included */
};

/* Returns 0 or -ENOMEM. */
int ir_exprs_init(struct ir_exprs *e, struct arena *mem);

/* Number the values of @ir, which stay as they are. A phi is like no other. Returns 0, -ENOMEM. */
int ir_exprs_number(struct ir_exprs *e, struct ir *ir);

#endif
