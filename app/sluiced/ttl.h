/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICED_TTL_H
#define SLUICED_TTL_H

/*
 * Rules with a time to live, switched off in the image when it is over. When
 * each began is kept by lib/rules, in a file of [node] state, so that time goes
 * on through a restart.
 */

#include <stddef.h>
#include <stdint.h>

struct ctl_conf;
struct match_image;
struct ruleset;
struct ruleset_ttl;

/* Now, in ms since 1970. */
uint64_t ttl_now_ms(void);

/*
 * Read what was saved, if @rules has a rule with a time to live. Where nothing can
 * be read, time starts anew and the log says so. NULL: out of memory.
 */
struct ruleset_ttl *ttl_load(const struct ruleset *rules, const struct ctl_conf *conf);

/* Save @ttl if @rules has a rule with a time to live; the log says when that fails. Any thread. */
void ttl_save(
	const struct ruleset_ttl *ttl, const struct ruleset *rules, const struct ctl_conf *conf);

/*
 * Switch off in @image, which was made of @rules, what is over at @now_ms.
 * Returns how many rules are.
 */
size_t ttl_apply(const struct ruleset_ttl *ttl, const struct ruleset *rules,
	struct match_image *image, uint64_t now_ms);

#endif
