/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SYNTH_H
#define MATCH_SYNTH_H

/*
 * Frames made of what a rule asks: its words' values at their windows, addresses,
 * ports and protocol of its scope, and bytes enough. What only the program knows
 * (arithmetic) is left to chance. For measuring what a rule costs.
 */

#include <stdbool.h>
#include <stdint.h>

struct item;
struct items;
struct match_rule;

#define SYNTH_MAX 4096 /* bytes */

struct synth {
	uint8_t bytes[SYNTH_MAX]; /* an Ethernet frame */
	uint32_t len;
};

/*
 * A frame for item @it of @rule; NULL: of the scope alone. False when it asks for
 * something that no frame of this size has.
 */
bool synth_make(const struct items *items, const struct item *it, const struct match_rule *rule,
	struct synth *ret);

struct sym_path;

/*
 * Change @s, made for a rule whose program has @path, so that simple conditions hold
 * that words do not say: ranges and inequalities of loads at fixed places.
 */
void synth_solve(const struct match_rule *rule, const struct sym_path *path, struct synth *s);

/* Change one bit that @it asks for, other than of the key; false: it asks for none. */
bool synth_spoil(const struct items *items, const struct item *it, struct synth *s);

#endif
