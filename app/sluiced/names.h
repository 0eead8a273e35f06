/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_NAMES_H
#define SLUICED_NAMES_H

/*
 * Which rule a counter slot belongs to, for samples and statistics. A slot
 * keeps its name for the life of the process, also when a reload takes the rule
 * away: its counters stay, and samples of it may still be on their way.
 *
 * Any thread: the builder adds before it publishes, the control thread asks.
 */

#include <stddef.h>
#include <stdint.h>

struct match_image;
struct names;
struct ruleset;

/* Returns 0, -ENOMEM. */
int names_new(struct names **ret_names);
void names_free(struct names *names);

/* Learn the slots of all rules of @rules, of which @image was made. Returns 0, -ENOMEM. */
int names_learn(struct names *names, const struct ruleset *rules, const struct match_image *image);

/* The rule of @slot, or NULL. Valid as long as @names. @arg is a struct names. */
const char *names_rule(void *arg, uint32_t slot);

/* One more than the largest slot that has a name. */
uint32_t names_count(struct names *names);

#endif
