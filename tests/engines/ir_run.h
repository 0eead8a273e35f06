/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_IR_RUN_H
#define TEST_IR_RUN_H

#include <stdint.h>

struct ir;

/* Run the compiler's graph as it stands, without code generation. */
uint32_t ir_run(struct ir *ir, const uint8_t *data, uint32_t caplen, uint32_t wirelen);

#endif
