// SPDX-License-Identifier: BSD-3-Clause
/*
 * Verdicts. A transparent rule is counted where the search meets it, and its
 * frames simply stay in the search: going through the rules once gives what
 * asking again for the first match behind each transparent rule would.
 */
#include "match/verdict.h"

#include <stdbool.h>
#include <string.h>

#include "chain.h"
#include "image_impl.h"
#include "merged.h"
#include "parts.h"
#include "pkt/view.h"
#include "search.h"

/* After so many transparent matches of a frame only rules that decide are looked for. */
#define TRANSPARENT_MAX 16

/* What transparent rules have done with a frame. Set up only where one matches. */
struct seen {
	uint8_t n; /* transparent matches */
	uint8_t n_would;
	uint32_t shadow_slot; /* the first shadow rule, or MATCH_NONE */
	uint32_t would_slot[TRANSPARENT_MAX]; /* shadow rules that would have dropped it */
};

/* One burst on its way. */
struct burst {
	const struct match_image *image;
	uint32_t port;
	uint64_t vital;
	bool enforce;
	struct match_counters *counters;
	uint64_t now_s;
	struct match_verdict *verdicts;
	struct match_notes *notes;
	uint64_t has_seen, tired; /* frames with a valid seen[], and with seen[].n at its end */
	struct search search;
	struct seen seen[MATCH_BURST];
};

/* One writer: a plain add, made visible without tearing. Readers load relaxed. */
static inline void
counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint32_t
ip_bytes(const struct pkt_view *v)
{
	return v->family != 0 ? v->l3_len : v->wirelen;
}

static inline void
count_matches(const struct burst *b, struct match_counters *c, uint64_t packets, uint64_t bytes)
{
	counter_add(&c->packets, packets);
	counter_add(&c->bytes, bytes);
	atomic_store_explicit(&c->last_hit_s, b->now_s, memory_order_relaxed);
}

/* ---- rules that decide ---- */

/* The frames with the numbers @some in the search, as numbers of the burst. */
static uint64_t
frames_of(const struct burst *b, uint64_t some)
{
	uint64_t frames = 0;

	for (uint64_t m = some; m != 0; m &= m - 1)
		frames |= UINT64_C(1) << b->search.frame[__builtin_ctzll(m)];
	return frames;
}

/*
 * What transparent rules and protection add to verdicts that are else like all
 * others of their rule. Returns how many drops protection prevented.
 */
static uint32_t
correct(struct burst *b, uint64_t frames)
{
	uint32_t n = 0;

	for (uint64_t m = frames & b->has_seen; m != 0; m &= m - 1) {
		const uint32_t f = (uint32_t)__builtin_ctzll(m);

		b->verdicts[f].shadow_slot = b->seen[f].shadow_slot;
	}
	for (uint64_t m = frames & b->vital; m != 0; m &= m - 1) {
		struct match_verdict *v = &b->verdicts[__builtin_ctzll(m)];

		v->is_protected = v->kind == MATCH_VERDICT_DROP;
		v->kind = MATCH_VERDICT_PASS;
		n += v->is_protected;
	}
	return n;
}

/*
 * Give the frames with the numbers @hit in the search @verdict, which is two
 * words, so that it is stored as such. Returns the bytes to be counted.
 */
static uint64_t
give_verdict(const struct burst *b, uint64_t hit, const struct match_verdict *verdict)
{
	const struct pkt_view *views = b->search.views;
	struct match_verdict *out = b->verdicts;
	uint64_t bytes = 0, words[2];

	_Static_assert(sizeof(words) == sizeof(*verdict), "two words");
	memcpy(words, verdict, sizeof(words));
	/* In a flood that is all of a burst, which needs no look at the mask. */
	if (b->search.in_order && hit == search_mask(b->search.n)) {
		const uint32_t n = b->search.n;

		for (uint32_t f = 0; f < n; f++) {
			memcpy(&out[f], words, sizeof(words));
			bytes += ip_bytes(&views[f]);
		}
		return bytes;
	}
	for (uint64_t m = hit; m != 0; m &= m - 1) {
		const uint32_t f = b->search.frame[__builtin_ctzll(m)];

		memcpy(&out[f], words, sizeof(words));
		bytes += ip_bytes(&views[f]);
	}
	return bytes;
}

/* Rule @index decides for the frames @hit of the search. */
static void
decide_all(struct burst *b, uint32_t index, uint64_t hit)
{
	const struct match_leaf *leaf = &b->image->leaves[index];
	struct match_counters *c = &b->counters[leaf->slot];
	const bool drop = leaf->action == MATCH_DROP;
	const struct match_verdict verdict = {
		.slot = leaf->slot,
		.shadow_slot = MATCH_NONE,
		.index = index,
		.kind = drop ? MATCH_VERDICT_DROP : MATCH_VERDICT_PASS,
	};
	const uint32_t packets = (uint32_t)__builtin_popcountll(hit);
	const uint64_t bytes = give_verdict(b, hit, &verdict);
	uint32_t vital = 0;

	if ((b->has_seen | b->vital) != 0)
		vital = correct(b, frames_of(b, hit));
	count_matches(b, c, packets, bytes);
	if (!drop)
		return;
	counter_add(&c->dropped, packets - vital);
	if (vital != 0) {
		counter_add(&c->prot, vital);
		b->notes->is_protected += vital;
	}
}

/* No rule decides for the frames that are left: they pass. */
static void
pass_all(struct burst *b)
{
	static const struct match_verdict none = {
		.slot = MATCH_NONE,
		.shadow_slot = MATCH_NONE,
		.index = MATCH_NONE,
		.kind = MATCH_VERDICT_PASS,
	};

	(void)give_verdict(b, b->search.alive, &none);
	if (b->has_seen != 0)
		(void)correct(b, frames_of(b, b->search.alive));
}

/* ---- transparent rules ---- */

/* Rule @index matched frame @f and does not end its search. */
static void
see(struct burst *b, uint32_t f, uint32_t index)
{
	const struct match_leaf *leaf = &b->image->leaves[index];
	const bool is_shadow = leaf->shadow || leaf->action != MATCH_COUNT;
	struct match_counters *c = &b->counters[leaf->slot];
	struct seen *s = &b->seen[f];

	if ((b->has_seen >> f & 1) == 0) {
		b->has_seen |= UINT64_C(1) << f;
		s->n = s->n_would = 0;
		s->shadow_slot = MATCH_NONE;
	}
	if (s->n == TRANSPARENT_MAX)
		return;
	s->n++;
	count_matches(b, c, 1, ip_bytes(&b->search.views[f]));
	if (s->n == TRANSPARENT_MAX) {
		b->tired |= UINT64_C(1) << f;
		b->notes->transparent_overflow += index + 1 < b->image->n;
	}
	if (is_shadow && s->shadow_slot == MATCH_NONE)
		s->shadow_slot = leaf->slot;
	if (is_shadow && leaf->action == MATCH_DROP) {
		counter_add(&c->would_drop, 1);
		s->would_slot[s->n_would++] = leaf->slot;
	}
}

static void
see_all(struct burst *b, uint32_t index, uint64_t hit)
{
	for (uint64_t m = hit; m != 0; m &= m - 1)
		see(b, b->search.frame[__builtin_ctzll(m)], index);
}

/* The frames that shadow rules would have dropped and that passed all the same. */
static void
count_would_passed(const struct burst *b)
{
	for (uint64_t m = b->has_seen; m != 0; m &= m - 1) {
		const uint32_t f = (uint32_t)__builtin_ctzll(m);
		const struct seen *s = &b->seen[f];

		if (b->verdicts[f].kind != MATCH_VERDICT_PASS)
			continue;
		for (uint32_t i = 0; i < s->n_would; i++)
			counter_add(&b->counters[s->would_slot[i]].would_drop_passed, 1);
	}
}

/* ---- the way ---- */

static inline bool
is_deciding(const struct burst *b, uint32_t index)
{
	return b->enforce && image_decides(&b->image->leaves[index]);
}

/* True when all frames left have seen so many transparent rules that none is looked for. */
static bool
all_tired(const struct burst *b)
{
	return b->tired != 0 && (frames_of(b, b->search.alive) & ~b->tired) == 0;
}

static void
go_together(struct burst *b)
{
	for (uint32_t i = 0; i < b->image->n && b->search.alive != 0; i++) {
		const struct match_entry *e = &b->image->entries[i];
		const bool decides = b->enforce && e->deciding;
		uint64_t hit;

		if (!search_in_force(e, b->port) || (!decides && all_tired(b)))
			continue;
		hit = search_match(&b->search, e, b->image->is_jit);
		if (hit == 0)
			continue;
		if (!decides) {
			see_all(b, i, hit);
			continue;
		}
		decide_all(b, i, hit);
		search_remove(&b->search, hit);
	}
}

/*
 * What rule @index, the first match of the frames @some, means for them. Returns
 * those that go on behind it.
 */
static uint64_t
settle(struct burst *b, struct probe *p, uint32_t index, uint64_t some)
{
	uint64_t on = some;

	if (index == MATCH_NONE) {
		b->search.alive = some;
		pass_all(b);
		return 0;
	}
	if (is_deciding(b, index)) {
		decide_all(b, index, some);
		return 0;
	}
	see_all(b, index, some);
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		p->from[i] = index + 1;
		if ((b->tired >> i & 1) == 0)
			continue;
		p->want[i] = MATCH_STATE_ENABLED | MATCH_STATE_DECIDING;
		/* Only rules that decide are looked for, and none does. */
		if (!b->enforce)
			on &= ~(UINT64_C(1) << i);
	}
	if (on != some) {
		b->search.alive = some & ~on;
		pass_all(b);
	}
	return on;
}

/* What the first matches of the frames @alive, p->best, mean. Returns those that go on. */
static uint64_t
settle_all(struct burst *b, struct probe *p, uint64_t alive)
{
	uint64_t on = 0;

	while (alive != 0) {
		const uint32_t index = p->best[__builtin_ctzll(alive)];
		const uint64_t some = merged_equal(p, p->best, index) & alive;

		alive &= ~some;
		on |= settle(b, p, index, some);
	}
	return on;
}

/*
 * Go on with the frames in @alive, of which @p says where, first match by first match. Returns
 * those that have to go alone. @again: some do not begin.
 */
static uint64_t
go_on_merged(struct burst *b, struct probe *p, uint64_t alive, bool again)
{
	uint64_t odd;

	merged_init(p, b->image, b->search.views, NULL, b->search.n, b->port);
	p->again = again;
	odd = merged_odd(p) & alive;
	alive &= ~odd;
	while (alive != 0) {
		merged_first(p, alive);
		alive = settle_all(b, p, alive);
		p->again = true;
	}
	return odd;
}

/* Go the straight way with the frames in @some, which begin. Returns those that it leaves out. */
static uint64_t
go_straight(struct burst *b, struct probe *p, uint64_t some)
{
	uint32_t found[MATCH_BURST], n = 0;
	uint8_t which[MATCH_BURST] = {0};
	uint64_t out, odd = 0;

	for (uint64_t m = some; m != 0; m &= m - 1)
		which[n++] = (uint8_t)__builtin_ctzll(m);
	out = b->image->index->straight(b->image, b->search.views, which, n, found);
	for (uint32_t k = 0; k < n; k++) {
		p->best[which[k]] = found[k];
		odd |= (out >> k & 1) << which[k];
	}
	return odd;
}

/*
 * Where rules are compiled together. Returns the frames that have to go alone. A call of
 * its own: its 26 KiB of stack are not for bursts that go rule by rule.
 */
static __attribute__((noinline)) uint64_t
go_merged(struct burst *b)
{
	const struct match_index *ix = b->image->index;
	const uint32_t n = b->search.n;
	uint64_t alive = b->search.alive, odd = 0;
	struct probe p;

	memset(p.from, 0, n * sizeof(p.from[0]));
	memset(p.want, MATCH_STATE_ENABLED, n);
	if (ix->straight != NULL) {
		p.n = n;
		odd = ix->straight(b->image, b->search.views, NULL, n, p.best);
		alive = settle_all(b, &p, alive & ~odd);
	}
	if (alive != 0)
		odd |= go_on_merged(b, &p, alive, ix->straight != NULL);
	return odd;
}

/* The frames in @new, which begin, and in @on, which go on, that a chain left to tables. */
static __attribute__((noinline)) uint64_t
go_far(struct burst *b, struct probe *p, uint64_t new, uint64_t on)
{
	uint64_t odd = 0;

	if (b->image->index->straight != NULL && new != 0) {
		odd = go_straight(b, p, new);
		new = settle_all(b, p, new & ~odd);
	}
	if ((new | on) != 0)
		odd |= go_on_merged(b, p, new | on, true);
	return odd;
}

/* The same where updates made the image; of 105 KiB. */
static __attribute__((noinline)) uint64_t
go_parts(struct burst *b)
{
	uint64_t alive, odd;
	struct parts_probe p;

	parts_init(&p, b->image, b->search.views, NULL, b->search.n, b->port);
	odd = parts_odd(&p, b->image);
	alive = b->search.alive & ~odd;
	memset(p.all.from, 0, p.all.n * sizeof(p.all.from[0]));
	memset(p.all.want, MATCH_STATE_ENABLED, p.all.n);
	while (alive != 0) {
		parts_first(&p, alive);
		alive = settle_all(b, &p.all, alive);
		p.all.again = true;
	}
	return odd;
}

/* The same where the rules are one function. */
static __attribute__((noinline)) uint64_t
go_chain(struct burst *b)
{
	const struct match_image *im = b->image;
	const struct pkt_view *views = b->search.views;
	const uint32_t allowed = chain_allowed(im, b->port, MATCH_STATE_ENABLED);
	const bool leaves = im->base->chain_leaves;
	uint64_t alive = b->search.alive, odd = 0, far = 0, late = 0;
	struct probe p; /* of which little is used */

	p.n = b->search.n;
	memset(p.from, 0, p.n * sizeof(p.from[0]));
	memset(p.want, MATCH_STATE_ENABLED, p.n);
	if (p.n > 0)
		chain_ask_all(im, views, p.n, allowed, p.best);
	if (leaves) {
		odd = merged_equal(&p, p.best, CHAIN_ODD);
		far = merged_equal(&p, p.best, CHAIN_FAR);
	}
	alive &= ~odd & ~far;
	while ((alive = settle_all(b, &p, alive)) != 0) {
		for (uint64_t m = alive; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);
			const uint32_t some = p.want[i] == MATCH_STATE_ENABLED
				? allowed
				: chain_allowed(im, b->port, p.want[i]);

			p.best[i] = chain_ask(im, &views[i], chain_from(some, p.from[i]));
		}
		if (leaves)
			late |= merged_equal(&p, p.best, CHAIN_FAR) & alive;
		alive &= ~late;
	}
	return (far | late) != 0 ? odd | go_far(b, &p, far, late) : odd;
}

/* A frame that goes alone, the only one in the search. */
static bool
take_hit(void *ctx, uint32_t index)
{
	struct burst *b = ctx;

	if (!is_deciding(b, index)) {
		see(b, b->search.frame[0], index);
		return true;
	}
	decide_all(b, index, 1);
	b->search.alive = 0;
	return false;
}

/* The same where rules are compiled together. */
static void
go_alone_merged(struct burst *b, const struct pkt_view *v)
{
	const uint64_t bit = UINT64_C(1) << b->search.frame[0];
	uint32_t from = 0;

	while ((b->tired & bit) == 0 || b->enforce) {
		const uint8_t deciding = (b->tired & bit) != 0 ? MATCH_STATE_DECIDING : 0;
		const uint32_t index = merged_first_odd(
			b->image, v, b->port, from, MATCH_STATE_ENABLED | deciding);

		if (index == MATCH_NONE || !take_hit(b, index))
			return;
		from = index + 1;
	}
}

static void
go_alone(struct burst *b, uint32_t frame)
{
	search_init(&b->search, b->search.views, 0);
	search_add(&b->search, frame);
	if (b->image->index != NULL)
		go_alone_merged(b, &b->search.views[frame]);
	else
		search_alone(b->image, &b->search.views[frame], b->port, 0, take_hit, b);
	pass_all(b);
}

void
match_verdicts(const struct match_image *image, const struct pkt_view *views, uint32_t n,
	uint32_t port, uint64_t vital, bool enforce, struct match_counters *counters,
	uint64_t now_s, struct match_verdict *ret, struct match_notes *notes)
{
	struct burst b;
	uint64_t odd;

	/* One by one on purpose: search and seen[] are 6 KiB, set up where they are used. */
	b.image = image;
	b.port = port;
	b.vital = vital;
	b.enforce = enforce;
	b.counters = counters;
	b.now_s = now_s;
	b.verdicts = ret;
	b.notes = notes;
	b.has_seen = b.tired = 0;

	if (image->parts != NULL) {
		search_init_frames(&b.search, views, n);
		odd = go_parts(&b);
	} else if (image->base->chain != NULL) {
		search_init_frames(&b.search, views, n);
		odd = go_chain(&b);
	} else if (image->index != NULL) {
		search_init_frames(&b.search, views, n);
		odd = go_merged(&b);
	} else {
		search_init(&b.search, views, n);
		odd = search_odd(&b.search, image);
		b.search.alive &= ~odd;
		go_together(&b);
		pass_all(&b);
	}
	for (uint64_t m = odd; m != 0; m &= m - 1)
		go_alone(&b, (uint32_t)__builtin_ctzll(m));
	if (b.has_seen != 0)
		count_would_passed(&b);
}
