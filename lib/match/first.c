// SPDX-License-Identifier: BSD-3-Clause
/* The first match from a given rule on, for each frame of a burst. */
#include <string.h>

#include "chain.h"
#include "image_impl.h"
#include "masks.h"
#include "match/image.h"
#include "merged.h"
#include "parts.h"
#include "search.h"

/* Frames of the caller's that wait for the search to come to the rule they start from. */
struct waiting {
	const uint8_t *which;
	const uint32_t *from;
	uint32_t *ret;
	uint64_t some; /* bit i: which[i] */
	uint8_t place[UINT8_MAX + 1]; /* where in which a frame in the search stands */
};

/* Let in whose rule is @rule. Returns the next rule that somebody waits for. */
static uint32_t
let_in(struct waiting *w, struct search *s, uint32_t rule)
{
	uint32_t next = MATCH_NONE;

	for (uint64_t m = w->some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		if (w->from[i] > rule) {
			next = MIN(next, w->from[i]);
			continue;
		}
		w->ret[i] = MATCH_NONE; /* w->from[i] is not read again, it may be the same */
		w->some &= ~(UINT64_C(1) << i);
		w->place[w->which[i]] = (uint8_t)i;
		search_add(s, w->which[i]);
	}
	return next;
}

/* Go through the rules from @start on until all frames have one. */
static void
search_rules(const struct match_image *im, const struct pkt_view *views, struct waiting *w,
	uint32_t start, uint32_t port)
{
	uint32_t next = start;
	struct search s;

	search_init(&s, views, 0);
	for (uint32_t i = start; i < im->n; i++) {
		const struct match_entry *e = &im->entries[i];
		uint64_t hit;

		if (i == next)
			next = let_in(w, &s, i);
		if (s.n == 0) {
			if (next == MATCH_NONE)
				return;
			i = next - 1;
			continue;
		}
		if (!search_in_force(e, port))
			continue;
		hit = search_match(&s, e, im->is_jit);
		for (uint64_t m = hit; m != 0; m &= m - 1)
			w->ret[w->place[s.frame[__builtin_ctzll(m)]]] = i;
		if (hit != 0)
			search_remove(&s, hit);
	}
}

/* Whether all of @from are 0: bursts that have only begun. */
static bool
are_new(const uint32_t *from, uint32_t n)
{
	static const uint32_t none[MATCH_BURST];

	return memcmp(from, none, n * sizeof(*from)) == 0;
}

/* The same for frames that are new, where there is a straight way. */
static void
first_straight(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t port, uint32_t *ret)
{
	for (uint64_t m = im->index->straight(im, views, which, n, ret); m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		ret[i] = merged_first_odd(im, &views[which[i]], port, 0, MATCH_STATE_ENABLED);
	}
}

/* The same where rules are compiled together. */
static void
first_merged(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	uint64_t odd, asked;
	struct probe p;

	merged_init(&p, im, views, which, n, port);
	memcpy(p.from, from, n * sizeof(*from));
	p.again = merged_equal(&p, p.from, 0) != search_mask(n);
	memset(p.want, MATCH_STATE_ENABLED, n);
	odd = merged_odd(&p);
	/* An index has rules. */
	asked = merged_at_most(&p, p.from, (uint32_t)im->n - 1);
	merged_first(&p, asked & ~odd);
	memcpy(ret, p.best, n * sizeof(*ret));
	for (uint64_t m = asked & odd; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		ret[i] = merged_first_odd(im, p.view[i], port, p.from[i], MATCH_STATE_ENABLED);
	}
}

/* The same where updates made the image. A call of its own: it takes 105 KiB of stack. */
static __attribute__((noinline)) void
first_parts(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	uint64_t odd, asked;
	struct parts_probe p;

	parts_init(&p, im, views, which, n, port);
	memcpy(p.all.from, from, n * sizeof(*from));
	memset(p.all.want, MATCH_STATE_ENABLED, n);
	p.all.again = merged_equal(&p.all, p.all.from, 0) != search_mask(n);
	odd = parts_odd(&p, im);
	asked = im->n > 0 ? merged_at_most(&p.all, p.all.from, (uint32_t)im->n - 1) : 0;
	parts_first(&p, asked & ~odd);
	memcpy(ret, p.all.best, n * sizeof(*ret));
	for (uint64_t m = asked & odd; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		ret[i] = merged_first_odd(
			im, &views[which[i]], port, p.all.from[i], MATCH_STATE_ENABLED);
	}
}

static bool
take_first(void *ctx, uint32_t index)
{
	*(uint32_t *)ctx = index;
	return false;
}

/* The same for one frame. */
static void
first_alone(const struct match_image *im, const struct pkt_view *v, uint32_t port, uint32_t from,
	uint32_t *ret)
{
	*ret = MATCH_NONE;
	search_alone(im, v, port, from, take_first, ret);
}

/* The same rule by rule. */
static void
first_by_rule(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	struct waiting w;
	uint32_t start = MATCH_NONE;

	w.which = which;
	w.from = from;
	w.ret = ret;
	w.some = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct pkt_view *v = &views[which[i]];
		const uint32_t first = from[i];

		if (first >= im->n) {
			ret[i] = MATCH_NONE;
		} else if (search_is_odd(im, v)) {
			first_alone(im, v, port, first, &ret[i]);
		} else {
			w.some |= UINT64_C(1) << i;
			start = MIN(start, first);
		}
	}
	if (w.some != 0)
		search_rules(im, views, &w, start, port);
}

/* Which of @n found by a chain are no rules, but say that the frame is to be asked another way. */
static uint64_t
other_ways(const uint32_t *found, uint32_t n)
{
	return (masks_equal_c(found, n, CHAIN_ODD) | masks_equal_c(found, n, CHAIN_FAR)) &
		search_mask(n);
}

/* The same where rules are compiled together, and not as one function. */
static void
first_tables(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	if (im->index->straight != NULL && are_new(from, n))
		first_straight(im, views, which, n, port, ret);
	else
		first_merged(im, views, which, n, port, from, ret);
}

/* The same of those of @ret that a chain leaves to others, which are in @others. */
static __attribute__((noinline)) void
first_other_ways(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint64_t others, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	uint8_t far[MATCH_BURST], place[MATCH_BURST];
	uint32_t far_from[MATCH_BURST], found[MATCH_BURST], n_far = 0;

	for (uint64_t m = others; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		if (im->index == NULL) {
			first_alone(im, &views[which[i]], port, from[i], &ret[i]);
		} else {
			far[n_far] = which[i];
			far_from[n_far] = from[i];
			place[n_far++] = (uint8_t)i;
		}
	}
	if (n_far > 0)
		first_tables(im, views, far, n_far, port, far_from, found);
	for (uint32_t k = 0; k < n_far; k++)
		ret[place[k]] = found[k];
}

/* The same as one function. */
static void
first_chain(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	const uint32_t allowed = chain_allowed(im, port, MATCH_STATE_ENABLED);
	uint32_t found[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t others = 0;

	if (n == 0)
		return;
	if (are_new(from, n) && straight_in_row(which, n)) {
		chain_ask_all(im, views, n, allowed, found);
	} else {
		for (uint32_t i = 0; i < n; i++)
			found[i] = chain_ask(im, &views[which[i]], chain_from(allowed, from[i]));
	}
	if (im->base->chain_leaves)
		others = other_ways(found, n);
	if (others != 0)
		first_other_ways(im, views, which, others, port, from, found);
	memcpy(ret, found, n * sizeof(*ret));
}

void
match_image_first(const struct match_image *image, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t port, const uint32_t *from, uint32_t *ret)
{
	if (image->parts != NULL)
		first_parts(image, views, which, n, port, from, ret);
	else if (image->base->chain != NULL)
		first_chain(image, views, which, n, port, from, ret);
	else if (image->index != NULL)
		first_tables(image, views, which, n, port, from, ret);
	else
		first_by_rule(image, views, which, n, port, from, ret);
}
