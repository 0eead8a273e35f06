/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_XDP_JUDGE_H
#define TEST_XDP_JUDGE_H

/* A random ruleset as a program in the kernel, judged by lib/match's reference. */

#include <stdbool.h>
#include <stddef.h>

#include "../match/world.h"
#include "xdp/xdp.h"

struct loaded;

/* Every way to a program. */
struct judge_writer {
	const char *name;
	enum xdp_writer writer;
	struct loaded *(*load)(const struct xdp_plan *plan);
};
enum { JUDGE_OBJECT, JUDGE_C };
extern const struct judge_writer judge_writers[];

/* A hook that is this process's own. */
extern char judge_hook[64];

/* The next frame, whose data is to be freed; false: there is none. */
typedef bool (*judge_next)(void *ctx, struct world_frame *ret);

/*
 * Make @n_rules rules and run all frames of @next through them: actions, frames,
 * counters and totals are the reference's, or the test fails. @wrong: the
 * reference has other rules in force. Returns how much differs.
 */
long judge_set(const struct judge_writer *w, size_t n_rules, const struct xdp_opts *how,
	judge_next next, void *ctx, bool wrong);

/* False: nothing can be loaded here. */
bool judge_init(void);
void judge_fini(void);

#endif
