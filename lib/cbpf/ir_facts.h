/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CBPF_IR_FACTS_H
#define CBPF_IR_FACTS_H

/* What tests that were passed say about tests to come. */

#include "ir.h"

/* The interval that a value must lie in. */
struct ir_range {
	uint32_t lo, hi;
};

/* Comparing a value in @k with @c as @kind says gave @holds. */
void ir_range_learn(struct ir_range *k, enum ir_test_kind kind, bool holds, uint32_t c);

/* 1 and 0 when values in @k always and never pass, else -1. */
int ir_range_decide(const struct ir_range *k, enum ir_test_kind kind, uint32_t c);

/*
 * The tests of a graph that is being made of several others, found by what they
 * are about: what counts is not the value but the number of its expression.
 */
struct ir_facts {
	struct arena *mem;
	struct ir_fact *
		*by_expr; /* lists, the last one first; by number, 0 is the packet's start */
	uint32_t n_exprs;
};

/* Returns 0 or -ENOMEM. */
int ir_facts_init(struct ir_facts *f, struct arena *mem, uint32_t n_exprs);

/* @b, which is about to be left, ends with the single test @t. Returns 0 or -ENOMEM. */
int ir_facts_add(struct ir_facts *f, struct ir_block *b, const struct ir_test *t);

/*
 * What @t gives where one has left @from by the outcome @holds of its test, or
 * goes on from it, which has none, with -1: 1, 0, or -1 when that is not known.
 */
int ir_facts_decide(
	const struct ir_facts *f, struct ir_block *from, int holds, const struct ir_test *t);

#endif
