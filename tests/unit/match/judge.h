/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_MATCH_JUDGE_H
#define TEST_MATCH_JUDGE_H

/*
 * Images against the reference: the ways an image can be made, bursts of frames
 * that each end at an unreadable page, first matches, and verdicts with all that
 * they count. Aborts where a test could not go on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "family.h"
#include "image_impl.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "ref.h"

/* How to make an image; every kernel for every kind of processor is in one of them. */
struct judge_way {
	const char *name;
	enum match_engine engine;
	struct match_options options;
};

#define JUDGE_WAYS 13
extern const struct judge_way judge_ways[JUDGE_WAYS];

/* Whether @n rules may go that way: the slowest are not for the largest sets. */
bool judge_way_for(const struct judge_way *way, size_t n);

/* Whether @way is one more on this processor, not an earlier one under another name. */
bool judge_way_is_new(size_t way);

/* NULL after a line that tells why. */
struct match_image *judge_image(
	const struct match_rule *rules, size_t n, const struct judge_way *way);

/*
 * The same by a few updates of an image of other rules, of which most are the same. Where that
 * is refused it is built whole; @ret_updated says how it came.
 */
struct match_image *judge_image_updated(const struct match_rule *rules, size_t n,
	const struct judge_way *way, struct rng *rng, bool *ret_updated);

struct judge_burst {
	struct pkt_view views[MATCH_BURST];
	struct ref_frame refs[MATCH_BURST];
	uint32_t n;
};

/*
 * Append the first @cap of the @len bytes at @bytes, which ought to be @len on the wire. The
 * bytes live until JUDGE_BURSTS more bursts have been begun.
 */
#define JUDGE_BURSTS 2
void judge_begin(struct judge_burst *b);
void judge_add(struct judge_burst *b, const uint8_t *bytes, size_t cap, size_t len);

/* A frame for rule @i of @f; what it is to the rule is drawn. */
enum judge_aim { JUDGE_HIT, JUDGE_NEAR, JUDGE_FAR };
size_t judge_frame(
	struct family *f, size_t i, struct rng *rng, uint8_t *buf, enum judge_aim *ret_aim);

/* What happens to frames on their way: @p of FAMILY_FRAME_MAX + JUDGE_GROWTH bytes. New length. */
#define JUDGE_GROWTH 64
size_t judge_change(struct rng *rng, uint8_t *p, size_t len);

/*
 * Copies of the rules of @f, to be freed with free(). Some count, pass, are in shadow or out of
 * force; in half of the sets some are for certain sources, fragments or ports of the device, too.
 */
struct match_rule *judge_rules(const struct family *f, struct rng *rng);

/* Counters of all slots below n, ours and those of the reference. */
struct judge_books {
	struct match_counters *got;
	struct ref_counters *want;
	struct match_notes notes, want_notes;
	size_t n;
};

void judge_books_init(struct judge_books *books, size_t n);
void judge_books_fini(struct judge_books *books);

/* How many slots differ; the notes count for one. */
uint32_t judge_books_differ(const struct judge_books *books);

/* Where an answer is wrong: NULL: all are right. */
struct judge_wrong {
	const char *what;
	uint32_t frame; /* of the burst */
	uint32_t from, want, got; /* rules */
};

/*
 * Ask @image for the first matches from @from[] on, and the reference, which is given in
 * @ret_want. Returns how many answers differ; the first is told in @wrong.
 */
uint32_t judge_first(const struct match_image *image, const struct match_rule *rules, size_t n,
	const struct judge_burst *b, const uint32_t *from, uint32_t *ret_want,
	struct judge_wrong *wrong);

/* The same for verdicts, which both count. In @ret_want the rule that decided. */
uint32_t judge_verdicts(const struct match_image *image, const struct match_rule *rules, size_t n,
	const struct judge_burst *b, uint64_t vital, bool enforce, struct judge_books *books,
	uint32_t *ret_want, struct judge_wrong *wrong);

#endif
