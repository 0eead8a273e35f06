/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_IR_KNOWN_H
#define CBPF_IR_KNOWN_H

/*
 * What is known before a program runs: what its caller says of the packet, and bits that
 * values have in any case.
 */

#include "ir.h"

/* (v & mask) == val of some value v; val has no bits outside of mask. */
struct ir_bits {
	uint32_t mask, val;
};

/* Of the big-endian number of @size bytes at @off of the packet. */
struct ir_bits ir_known_load(const struct ir *ir, uint64_t off, uint8_t size);

/* Whether the bytes from @base up to @base + @end are there in any case. */
bool ir_known_there(const struct ir *ir, const struct ir_val *base, uint64_t end);

/* Bytes from the packet's start that are. */
uint64_t ir_known_bytes(const struct ir *ir);

/* 1 and 0 when comparing @v with @c as @kind says always and never holds, else -1. */
int ir_known_decide(
	const struct ir *ir, enum ir_test_kind kind, const struct ir_val *v, uint32_t c);

#endif
