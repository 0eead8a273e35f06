/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_IMAGE_H
#define MATCH_IMAGE_H

/*
 * All rules compiled together. An image is made by one thread, is immutable
 * afterwards but for one state word per rule, and may be asked by any number of
 * threads at once. Whoever published it frees it when no reader is left.
 *
 * A rule matches when its scope holds and its program returns non-zero; a load
 * outside the bytes present makes that rule not match (cbpf/prog.h says what
 * programs mean). Answers are in rule order: the rule's place in the array
 * given to match_image_new().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/rule.h"

struct diag;
struct match_image;
struct pkt_view;

#define MATCH_BURST 64 /* frames in one call, at most */
#define MATCH_RULES_MAX 65536
#define MATCH_NONE UINT32_MAX

enum match_engine {
	MATCH_ENGINE_AUTO, /* JIT where it is available */
	MATCH_ENGINE_JIT,
	MATCH_ENGINE_INTERP, /* no executable memory needed */
};

/*
 * Compile @n rules (0..MATCH_RULES_MAX).
 *
 * Returns 0, -E2BIG, -ENOMEM, -EPERM/-ENOSYS: MATCH_ENGINE_JIT where there is none.
 */
int match_image_new(const struct match_rule *rules, size_t n, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag);
void match_image_free(struct match_image *image);

/*
 * The image of the @n rules @rules, as match_image_new() gives it, from @old, where
 * little has changed; what @old was compiled to is shared, not copied. @old stays as
 * it is and may be freed first. Takes time for the rules that are new, 256 at most since
 * @old or its likes were built whole, and little else. The same thread builds all
 * images of one line.
 *
 * @was:	by rule: its index in @old, if scope, programs, link and generated are
 *		what they were there; else MATCH_NONE. What says how a match is counted
 *		and decides (slot, action, shadow, enabled) may differ.
 *
 * Returns 0, -EXFULL: too much has changed, build it whole, and what match_image_new() returns.
 */
int match_image_update(const struct match_image *old, const struct match_rule *const *rules,
	const uint32_t *was, size_t n, enum match_engine engine, struct match_image **ret_image,
	struct diag *diag);

/* Whether @image came from match_image_update(): built whole it would be somewhat faster. */
bool match_image_is_updated(const struct match_image *image);

size_t match_image_count(const struct match_image *image);

/*
 * For each of @n frames: the first rule in force with index >= from[i] that
 * matches @views[i], or MATCH_NONE.
 *
 * @views:	frames, all bytes of each in one piece
 * @which:	numbers of the frames in @views, @n of them, 0..MATCH_BURST
 * @port:	number of the port they came from, 0..63
 * @from:	one per entry of @which; MATCH_NONE asks nothing
 * @ret:	one per entry of @which; may be @from itself
 *
 * No allocation, lock, system call. Any thread.
 */
void match_image_first(const struct match_image *image, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret);

/*
 * Put rule @index in or out of force, from the next burst on. Written by the
 * control thread, read by every worker (relaxed: a state word orders nothing).
 */
void match_image_enable(struct match_image *image, uint32_t index, bool enabled);

/* What the verdict needs of rule @index; cheap enough for every frame. */
struct match_leaf {
	uint32_t slot;
	uint8_t action; /* enum match_action */
	bool shadow;
};
const struct match_leaf *match_image_leaf(const struct match_image *image, uint32_t index);

#endif
