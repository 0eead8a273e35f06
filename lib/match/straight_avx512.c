// SPDX-License-Identifier: BSD-3-Clause
/*
 * The straight way for processors with AVX-512 (F, BW, VL, CD). Stages go through the whole
 * burst, since a frame's way is gather behind gather: the less a turn does the more
 * turns the processor has on their way.
 */
#include "straight.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include "ends.h"
#include "flood8.h"
#include "hash_fan_avx512.h"
#include "hash_lanes.h"
#include "hash_tags.h"
#include "index.h"
#include "place_lanes.h"
#include "search.h"

#define GROUPS (MATCH_BURST / LANES)

/* A burst on its way; filled as far as it is used. */
struct straight {
	const struct match_image *im;
	const struct pkt_view *views;
	const uint8_t *which;
	uint32_t n, n_groups;
	uint64_t all; /* frames */
	uint64_t asked; /* frames that some table is asked for */
	uint32_t found; /* bit w: at[w] is set for these */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t layers[MATCH_BURST] __attribute__((aligned(64))); /* as of struct lane_views */
	uint32_t best[MATCH_BURST] __attribute__((aligned(64)));
	struct burst_window at[WINDOWS_MAX];
	/* The words at the byte that the last such window starts by, which tables may hash, too. */
	uint32_t words_win; /* WINDOW_OF_KEY: none */
	int32_t words_off;
	uint64_t words[MATCH_BURST] __attribute__((aligned(64)));
	/* Of the table whose places are walked to: where, and the number of steps to at[]. */
	struct walk_ends ends;
	uint8_t steps[MATCH_BURST] __attribute__((aligned(64)));
	bool far; /* some of steps[] is more than 1, which is few enough for all items */
};

/* What a table may have for frames. */
struct straight_items {
	uint64_t hash[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t item[MATCH_BURST] __attribute__((aligned(64))); /* addresses of these */
};

static inline struct lane_windows
window_get(const struct straight *s, uint32_t win, uint32_t g)
{
	const struct burst_window *w = &s->at[win];

	return (struct lane_windows){
		_mm512_load_si512(&w->bytes[g * LANES]), _mm512_load_si512(&w->rest[g * LANES])};
}

static inline void
window_set(struct straight *s, uint32_t win, uint32_t g, struct lane_windows at)
{
	struct burst_window *w = &s->at[win];

	_mm512_store_si512(&w->bytes[g * LANES], at.bytes);
	_mm512_store_si512(&w->rest[g * LANES], at.rest);
}

/* ---- frames ---- */

static void
take_frames(struct straight *s)
{
	const __m256i none = _mm256_set1_epi32((int)MATCH_NONE);

	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(s->all, g);
		const struct lane_views v = lane_views(s->views, s->which, g * LANES, on);

		_mm256_store_si256((void *)&s->key[g * LANES], lane_keys(&v));
		_mm512_store_si512(&s->layers[g * LANES], v.layers);
		_mm256_store_si256((void *)&s->best[g * LANES], none);
		window_set(s, WINDOW_OF_START(SPACE_RAW), g, lane_starts(&v));
	}
	s->found = 1u << WINDOW_OF_START(SPACE_RAW);
}

/*
 * The frames for whose keys @test holds; eight at once, as they were stored: a load of sixteen
 * would wait for both stores to come to the cache.
 */
static inline uint64_t
frames_of(const struct straight *s, struct scope_test test)
{
	const __m256i mask = _mm256_set1_epi32((int)test.mask);
	const __m256i val = _mm256_set1_epi32((int)test.val);
	uint64_t hold = 0;

	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __m256i key = _mm256_load_si256((const void *)&s->key[g * LANES]);

		hold |= (uint64_t)_mm256_cmpeq_epi32_mask(_mm256_and_si256(key, mask), val)
			<< g * LANES;
	}
	return hold & s->all;
}

/* ---- windows ---- */

/* Called with constants, so that each kind is a loop of its own. */
static inline __attribute__((always_inline)) void
find_all(struct straight *s, uint32_t win, enum window_kind kind)
{
	const struct window *w = &s->im->index->windows[win];
	const uint32_t base = kind == WINDOW_WALK ? w->parent : WINDOW_OF_START(SPACE_RAW);
	const int32_t off = (int32_t)w->off;

	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(s->asked, g);
		__m512i words;

		if (on == 0)
			continue;
		window_set(s, win, g,
			lane_step(window_get(s, base, g), window_get(s, w->parent, g), off, kind,
				on, &words));
		_mm512_store_si512(&s->words[g * LANES], words);
	}
	s->words_win = w->parent;
	s->words_off = off;
}

/*
 * L4, as views have it, which takes no look at frames; where some do not say it, that of all by
 * their first bytes.
 */
static void
find_l4(struct straight *s, uint32_t win)
{
	uint64_t lost = 0;

	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __m512i layers = _mm512_load_si512(&s->layers[g * LANES]);
		const __m256i key = _mm256_load_si256((const void *)&s->key[g * LANES]);
		__mmask8 lost_here;

		window_set(s, win, g,
			lane_l4(window_get(s, WINDOW_OF_START(SPACE_RAW), g), layers, key,
				&lost_here));
		lost |= (uint64_t)lost_here << g * LANES;
	}
	if (__builtin_expect((lost & s->asked) != 0, 0))
		find_all(s, win, WINDOW_L4);
}

/* Behind the last byte. */
static void
find_tails(struct straight *s, uint32_t win)
{
	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(s->asked, g);
		const __m512i view = lane_view_pointers(s->views, s->which, g * LANES, on);

		if (on != 0)
			window_set(s, win, g,
				lane_tails(window_get(s, WINDOW_OF_START(SPACE_RAW), g),
					lane_view_words(
						view, offsetof(struct pkt_view, l3_len), on)));
	}
}

#include "straight_find.h"

/* ---- walks ---- */

/* How many steps lead to the places of @t that are set for @some. Returns those of not too many. */
static __attribute__((noinline)) uint64_t
count_steps(struct straight *s, const struct hash_table *t, uint64_t some)
{
	const struct window *w = &s->im->index->windows[t->steps_win];

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const uint8_t *from = (const void *)(uintptr_t)s->at[w->parent].bytes[i];
		const uint8_t *place = (const void *)(uintptr_t)s->at[t->steps_win].bytes[i];

		if (!ends_steps(t, &w->step, from + w->off, place, &s->steps[i]))
			some ^= UINT64_C(1) << i;
	}
	return some;
}

/* The next places of group @g, nearest to the end first. Returns those beyond t->ends_near. */
static inline __mmask8
next_of_group(struct straight *s, const struct hash_table *t, uint32_t g, __mmask8 on)
{
	const struct window *w = &s->im->index->windows[t->steps_win];
	const struct lane_windows from = window_get(s, w->parent, g);
	const __m512i may = _mm512_load_si512(&s->ends.may[g * LANES]);
	const __m512i end = _mm512_load_si512(&s->ends.end[g * LANES]);
	const __m512i rest = _mm512_and_si512(may, _mm512_sub_epi64(may, _mm512_set1_epi64(1)));
	const __m512i lowest = _mm512_andnot_si512(rest, may);
	const __m512i before = _mm512_sub_epi64(_mm512_set1_epi64(63), _mm512_lzcnt_epi64(lowest));
	const __m512i place = _mm512_sub_epi64(end, before);
	const __m512i by = _mm512_sub_epi64(place, from.bytes);

	_mm512_store_si512(&s->ends.may[g * LANES], rest);
	s->ends.some &= ~((uint64_t)(on & _mm512_testn_epi64_mask(rest, rest)) << g * LANES);
	window_set(s, t->steps_win, g, lane_behind(from, by));
	return _mm512_mask_cmpgt_epi64_mask(
		on, by, _mm512_set1_epi64((int64_t)w->off + t->ends_near));
}

/* Set for each frame of s->ends.some a place to look @t up at. Returns for which there is one. */
static uint64_t
next_places(struct straight *s, const struct hash_table *t)
{
	const uint64_t some = s->ends.some;
	uint64_t far = 0;

	memset(s->steps, 1, sizeof(s->steps));
	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(some, g);

		if (on != 0)
			far |= (uint64_t)next_of_group(s, t, g, on) << g * LANES;
	}
	s->far |= far != 0;
	if (__builtin_expect(far != 0, 0))
		return (some & ~far) | count_steps(s, t, far);
	return some;
}

/* Find where the run of @t starts in the frames @some. Returns in which it may be. */
static uint64_t
find_places(struct straight *s, const struct hash_table *t, uint64_t some)
{
	const struct match_index *ix = s->im->index;
	const struct window *w = &ix->windows[t->steps_win];

	if (t->steps_win == 0) {
		find_window(s, t->run_at.win);
		return some;
	}
	find_window(s, w->parent);
	ix->ends(&s->ends, t, &w->step, &s->at[w->parent], (int32_t)w->off, some);
	return next_places(s, t);
}

/* ---- tables ---- */

/* @known: the first word is at hand. */
static inline __attribute__((always_inline)) void
hash_all(const struct straight *restrict s, const struct hash_table *restrict t, uint64_t some,
	struct straight_items *restrict ret, uint32_t n_words, bool known)
{
	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(some, g);
		__m512i sum = _mm512_setzero_si512();

		if (on == 0)
			continue;
		if (known)
			sum = lane_adds(t, 0, _mm512_load_si512(&s->words[g * LANES]));
		if (n_words > known)
			sum = lane_sums_from(
				t, sum, known, window_get(s, t->run_at.win, g), on, n_words);
		_mm512_store_si512(&ret->hash[g * LANES], lane_hashes(sum));
	}
}

static void
hash_frames(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret)
{
	const struct hash_word *w = &t->words[0];
	const bool known = w->win == s->words_win && w->off == s->words_off;

	/* With constants: as many gathers, and no loop around them. */
	if (t->fan != NULL)
		return; /* see have() */
	if (t->n_words == 1 && known)
		hash_all(s, t, some, ret, 1, true);
	else if (t->n_words == 1)
		hash_all(s, t, some, ret, 1, false);
	else if (t->n_words == 2 && known)
		hash_all(s, t, some, ret, 2, true);
	else if (t->n_words == 2)
		hash_all(s, t, some, ret, 2, false);
	else
		hash_all(s, t, some, ret, HASH_DATA_WORDS, false);
}

/* What the buckets of the frames @some have for them. Returns for which they have something. */
static uint64_t
look_up(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *it)
{
	const __m512i items = _mm512_set1_epi64((long long)(uintptr_t)t->items);
	uint64_t found = 0;

	if (t->fan != NULL)
		return some;
	for (uint32_t g = 0; g < s->n_groups; g++) {
		const __mmask8 on = lanes_of(some, g);
		const __m512i hash = _mm512_load_si512(&it->hash[g * LANES]);
		const __m512i bucket = lane_buckets(t, hash);
		const __mmask64 equal = lane_tags(t, bucket, hash, on);
		__mmask8 has;
		__m512i place;

		if (equal == 0)
			continue;
		place = _mm512_cvtepu32_epi64(lane_places(t, bucket, equal, &has));
		_mm512_store_si512(
			&it->item[g * LANES], _mm512_add_epi64(items, _mm512_slli_epi64(place, 3)));
		found |= (uint64_t)has << g * LANES;
	}
	return found;
}

#define NEAR_ITEMS 4096 /* that are likely to be in the nearer caches */

/* Fetch the items of the frames @some, where they are not likely to be near. */
static inline void
fetch_items(const struct straight *s, const struct hash_table *t, const struct straight_items *it,
	uint64_t some)
{
	if (t->n_items <= NEAR_ITEMS)
		return;
	for (uint32_t g = 0; g < s->n_groups; g++)
		for (uint32_t i = g * LANES; lanes_of(some, g) != 0 && i < (g + 1) * LANES; i++)
			__builtin_prefetch((const void *)(uintptr_t)it->item[i]);
}

#include "straight_burst.h"

static inline const struct hash_item *
item_of(const uint64_t *all, const struct straight_items *items, uint32_t i)
{
	(void)all;
	return (const void *)(uintptr_t)items->item[i];
}

#include "straight_have.h"

static inline __attribute__((always_inline)) bool
run_holds(const struct straight_table *t, const struct hash_shape *shape,
	const struct hash_item *it, const struct probe_at *at)
{
	return hash_run_equal(shape, it, at->bytes + t->off, t->run);
}

#include "straight_flood8.h"

#include "straight_flood.h"

/* ---- all ---- */

/* Verify what was looked up in @t for the frames @some. A fan is looked up here. */
static void
have(struct straight *s, const struct hash_table *t, const struct straight_items *items,
	uint64_t some)
{
	if (t->fan != NULL) {
		have_fan(s, t, some);
		return;
	}
	some &= ~have_most(s, t, items, some);
	fetch_items(s, t, items, some);
	if (some != 0)
		haves[t->run > 32][t->run_at_tail][!t->all_simple](s, t, items, some);
}

/* Look up the other places that were walked to. */
static __attribute__((noinline)) void
have_others(struct straight *s, struct straight_items *items)
{
	const struct hash_table *t = walk_table(s);

	while (s->ends.some != 0) {
		const uint64_t some = next_places(s, t);

		hash_frames(s, t, some, items);
		have(s, t, items, look_up(s, t, some, items));
	}
}

uint64_t
straight_avx512(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	const struct match_index *ix = im->index;
	uint64_t has[INDEX_TESTS_MAX]; /* by test: frames */
	uint64_t some[STRAIGHT_TABLES_MAX], odd = 0;
	struct straight_items items[STRAIGHT_TABLES_MAX];
	struct straight s;

	s.im = im;
	s.views = views;
	s.which = which;
	s.n = n;
	s.n_groups = (n + LANES - 1) / LANES;
	s.all = search_mask(n);
	s.asked = 0;
	s.words_win = WINDOW_OF_KEY;
	s.ends.some = 0;
	s.far = false;
	s.ends.odd = 0;
	take_frames(&s);
	if (im->any_generated)
		odd = frames_of(&s, search_odd_test());
	for (uint32_t k = 0; k < ix->n_tests; k++)
		has[k] = frames_of(&s, ix->tests[k]);
	for (uint32_t k = 0; k < ix->n_tables; k++)
		s.asked |= some[k] = has[ix->table_test[k]] & ~odd;
	/* Each stage for all tables, which do not wait for each other. */
	for (uint32_t k = 0; k < ix->n_tables; k++)
		some[k] = find_places(&s, &ix->tables[k], some[k]);
	for (uint32_t k = 0; k < ix->n_tables; k++)
		hash_frames(&s, &ix->tables[k], some[k], &items[k]);
	for (uint32_t k = 0; k < ix->n_tables; k++)
		some[k] = look_up(&s, &ix->tables[k], some[k], &items[k]);
	for (uint32_t k = 0; k < ix->n_tables; k++)
		have(&s, &ix->tables[k], &items[k], some[k]);
	if (__builtin_expect(s.ends.some != 0, 0))
		have_others(&s, &items[0]);
	for (uint32_t g = 0; g < s.n_groups; g++)
		_mm256_mask_storeu_epi32(&ret[g * LANES], lanes_of(s.all, g),
			_mm256_load_si256((const void *)&s.best[g * LANES]));
	return odd | s.ends.odd;
}

#endif
