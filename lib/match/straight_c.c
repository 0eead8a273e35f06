// SPDX-License-Identifier: BSD-3-Clause
/*
 * The straight way in plain C, frame by frame. Stages go through the whole burst, since a
 * frame's way is load behind load: the less a turn does the more turns the processor has on
 * their way.
 */
#include "straight.h"

#include <string.h>

#include "ends_window.h"
#include "hash_fan_c.h"
#include "hash_run_c.h"
#include "index.h"
#include "place_step.h"
#include "search.h"

/* A burst on its way; filled as far as it is used. */
struct straight {
	const struct match_image *im;
	const struct pkt_view *views;
	const uint8_t *which; /* NULL: the first ones */
	uint32_t n;
	uint64_t all; /* frames */
	uint32_t found; /* bit w: at[w] is set */
	/* Up to the next multiple of SEARCH_KEYS behind @n, keys are set and mean nothing. */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t best[MATCH_BURST] __attribute__((aligned(64)));
	/* Of the table whose places are walked to: where, and the number of steps to at[]. */
	struct walk_ends ends;
	uint8_t steps[MATCH_BURST];
	bool far; /* some of steps[] is more than 1, which is few enough for all items */
	struct probe_at at[WINDOWS_MAX][MATCH_BURST] __attribute__((aligned(64)));
};

/* What a table may have for frames. */
struct straight_items {
	uint32_t place[MATCH_BURST]; /* as of hash_table.places */
};

/* ---- frames ---- */

static inline const struct pkt_view *
view_of(const struct straight *s, uint32_t i)
{
	return &s->views[s->which != NULL ? s->which[i] : i];
}

/* Called with constants, so that a burst in a row is a loop without @which. */
static inline __attribute__((always_inline)) void
take_all(struct straight *s, const uint8_t *which)
{
	struct probe_at *at = s->at[WINDOW_OF_START(SPACE_RAW)];
	const struct pkt_view *views = s->views;
	const uint32_t n = s->n;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct pkt_view *v = &views[which != NULL ? which[i] : i];

		s->key[i] = v->key;
		at[i] = place_start(v);
	}
	for (i = n; i % SEARCH_KEYS != 0; i++)
		s->key[i] = 0;
}

static void
take_frames(struct straight *s)
{
	_Static_assert(MATCH_BURST % SEARCH_KEYS == 0, "room behind the last one");
	if (s->which == NULL)
		take_all(s, NULL);
	else
		take_all(s, s->which);
	s->found = 1u << WINDOW_OF_START(SPACE_RAW);
}

/* ---- windows, of all frames: what is not asked about costs less than to tell ---- */

/* Called with constants, so that each kind is a loop of its own. */
static inline __attribute__((always_inline)) void
find_all(struct straight *s, uint32_t win, enum window_kind kind)
{
	const struct window *w = &s->im->index->windows[win];
	const struct probe_at *start = s->at[WINDOW_OF_START(SPACE_RAW)];
	const struct probe_at *from = s->at[w->parent];
	struct probe_at *ret = s->at[win];
	const uint32_t off = w->off, n = s->n;
	uint32_t i;

	for (i = 0; i < n; i++)
		ret[i] = place_step(&start[i], &from[i], off, kind);
}

/* Behind the last byte. */
static void
find_tails(struct straight *s, uint32_t win)
{
	const struct probe_at *start = s->at[WINDOW_OF_START(SPACE_RAW)];
	struct probe_at *ret = s->at[win];
	uint32_t i;

	for (i = 0; i < s->n; i++)
		ret[i] = place_tail(&start[i], view_of(s, i)->l3_len);
}

/* L4, by the first byte of each frame. */
static inline void
find_l4(struct straight *s, uint32_t win)
{
	find_all(s, win, WINDOW_L4);
}

#include "straight_find.h"

#define STRAIGHT_WINDOWS struct probe_at

static inline const struct probe_at *
windows_of(const struct straight *s, uint32_t win)
{
	return s->at[win];
}

static inline struct probe_at
window_of(const struct probe_at *w, uint32_t i)
{
	return w[i];
}

static inline void
window_put(struct straight *s, uint32_t win, uint32_t i, struct probe_at at)
{
	s->at[win][i] = at;
}

#include "straight_walk.h"

/* Find where the run of @t starts in the frames @some. Returns in which it may be. */
static uint64_t
find_places(struct straight *s, const struct hash_table *t, uint64_t some)
{
	const struct window *w = &s->im->index->windows[t->steps_win];
	struct burst_window from;

	if (t->steps_win == 0) {
		find_window(s, t->run_at.win);
		return some;
	}
	find_window(s, w->parent);
	ends_window(&from, s->at[w->parent], s->n);
	ends_c(&s->ends, t, &w->step, &from, (int32_t)w->off, some);
	return next_places(s, t);
}

/* ---- tables ---- */

/* A word that is hashed, at hand. */
struct straight_word {
	int64_t off;
	uint64_t mask, seed;
};

static inline struct straight_word
straight_word(const struct hash_table *t, uint32_t i)
{
	return (struct straight_word){t->words[i].off, t->words[i].mask, t->seed[i]};
}

/* What word @w, whose bytes are there, adds to the sum of the frame whose window starts at @bytes. */
static inline uint64_t
word_adds(const struct straight_word *w, const uint8_t *bytes)
{
	uint64_t v;

	memcpy(&v, bytes + w->off, sizeof(v));
	return hash_pair(v & w->mask, w->seed);
}

/* The sum that @t hashes of a frame with the window @at, of which some bytes are not there. */
static __attribute__((noinline)) uint64_t
sum_at_edge(const struct hash_table *t, const struct probe_at *at)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < t->n_words; k++)
		sum += hash_pair(probe_load(at, t->words[k].off) & t->words[k].mask, t->seed[k]);
	return sum;
}

/* The lowest bit that is set is 8 * s + 7: slot s of @tags has @tag, which is one at most. */
static inline uint64_t
tag_in(uint64_t tags, uint8_t tag)
{
	const uint64_t low = UINT64_C(0x0101010101010101);
	const uint64_t x = tags ^ tag * low;

	return (x - low) & ~x & low << 7;
}

/* Called with constants: as many loads, and no loop around them. */
static inline __attribute__((always_inline)) uint64_t
look_up_all(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret, uint32_t n_words)
{
	const struct straight_word w0 = straight_word(t, 0), w1 = straight_word(t, 1),
				   w2 = straight_word(t, 2);
	const struct probe_bound all = {t->left, (uint32_t)t->before};
	const struct probe_at *at = s->at[t->run_at.win];
	const uint64_t *tags = t->tags, *items = t->items, mask = t->bucket_mask;
	const uint32_t(*places)[HASH_SLOTS] = (const void *)t->places;
	const uint32_t n = s->n;
	uint64_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t sum, hash, bucket, slot;
		uint32_t place;

		/* Not from bit to bit: who is asked for is known late, and mostly foreseen. */
		if ((some >> i & 1) == 0)
			continue;
		if (__builtin_expect(probe_within(&at[i], all), 1)) {
			sum = word_adds(&w0, at[i].bytes);
			if (n_words > 1)
				sum += word_adds(&w1, at[i].bytes);
			if (n_words > 2)
				sum += word_adds(&w2, at[i].bytes);
		} else {
			sum = sum_at_edge(t, &at[i]);
		}
		hash = hash_finish(sum);
		bucket = hash >> HASH_BUCKET_SHIFT & mask;
		slot = tag_in(tags[bucket], hash_tag(hash));
		if (slot == 0)
			continue;
		place = places[bucket][__builtin_ctzll(slot) / 8];
		ret->place[i] = place;
		__builtin_prefetch(&items[place]);
		found |= UINT64_C(1) << i;
	}
	return found;
}

#define LOOK_UP(name, n_words) \
	static __attribute__((noinline)) uint64_t name(const struct straight *s, \
		const struct hash_table *t, uint64_t some, struct straight_items *ret) \
	{ \
		return look_up_all(s, t, some, ret, n_words); \
	}

LOOK_UP(look_up_1, 1)
LOOK_UP(look_up_2, 2)
LOOK_UP(look_up_3, 3)

typedef uint64_t (*look_up_fn)(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret);

/* By how many words are hashed less one. */
static const look_up_fn look_ups[HASH_DATA_WORDS] = {look_up_1, look_up_2, look_up_3};

static inline const struct hash_item *
item_of(const uint64_t *all, const struct straight_items *items, uint32_t i)
{
	return (const void *)&all[items->place[i]];
}

#include "straight_have.h"
#include "straight_pieces.h"

/* Verify what was looked up in @t for the frames @some. A fan is looked up here. */
static void
have(struct straight *s, const struct hash_table *t, const struct straight_items *items,
	uint64_t some)
{
	if (some == 0)
		return;
	if (t->fan != NULL) {
		uint32_t found[FAN_FOUND_MAX];

		have_found(s, t, found,
			fan_find(t->fan, windows_of(s, t->run_at.win), s->n, some, found));
		return;
	}
	haves[t->run > 32][t->run_at_tail][!t->all_simple](s, t, items, some);
}

/* Look up the other places that were walked to. */
static __attribute__((noinline)) void
have_others(struct straight *s, struct straight_items *items)
{
	const struct hash_table *t = walk_table(s);

	while (s->ends.some != 0) {
		const uint64_t some = next_places(s, t);

		have(s, t, items, look_ups[t->n_words - 1](s, t, some, items));
	}
}

uint64_t
straight_c(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	const struct match_index *ix = im->index;
	uint64_t some[STRAIGHT_TABLES_MAX], odd = 0;
	struct straight_items items[STRAIGHT_TABLES_MAX];
	struct straight s;

	s.im = im;
	s.views = views;
	s.which = which == NULL || straight_in_row(which, n) ? NULL : which;
	s.n = n;
	s.all = search_mask(n);
	take_frames(&s);
	walk_init(&s);
	memset(s.best, 0xff, n * sizeof(s.best[0])); /* MATCH_NONE */
	if (im->any_generated)
		odd = search_keys_odd(s.key, n) & s.all;
	for (uint32_t k = 0; k < ix->n_tables; k++)
		some[k] = search_keys_test(s.key, n, ix->tables[k].test) & s.all & ~odd;
	/* Each stage for all tables, which do not wait for each other. */
	for (uint32_t k = 0; k < ix->n_tables; k++) {
		const struct hash_table *t = &ix->tables[k];

		if (some[k] == 0)
			continue;
		some[k] = find_places(&s, t, some[k]);
		if (t->fan == NULL)
			some[k] = look_ups[t->n_words - 1](&s, t, some[k], &items[k]);
	}
	for (uint32_t k = 0; k < ix->n_tables; k++)
		have(&s, &ix->tables[k], &items[k], some[k]);
	if (__builtin_expect(s.ends.some != 0, 0))
		have_others(&s, &items[0]);
	memcpy(ret, s.best, n * sizeof(s.best[0]));
	return odd | s.ends.odd;
}
