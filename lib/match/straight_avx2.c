// SPDX-License-Identifier: BSD-3-Clause
/*
 * The straight way for processors with AVX2 and BMI2, four frames at once. Stages go through the
 * whole burst, since a frame's way is load behind load: the less a turn does the more turns the
 * processor has on their way.
 */
#include "straight.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "ends.h"
#include "hash_lanes4.h"
#include "hash_run_avx2.h"
#include "index.h"
#include "place_lanes4.h"
#include "search.h"

#define GROUPS (MATCH_BURST / LANES)

/* A burst on its way; filled as far as it is used. */
struct straight {
	const struct match_image *im;
	const struct pkt_view *views;
	const uint8_t *which; /* NULL: the first ones */
	uint32_t n, n_groups;
	uint64_t all; /* frames */
	uint64_t asked; /* frames that some table is asked for */
	uint32_t found; /* bit w: at[w] is set for these */
	/* Up to the next multiple of SEARCH_KEYS behind @n, keys are set and mean nothing. */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t layers[MATCH_BURST] __attribute__((aligned(64))); /* as of struct lane_views */
	uint32_t best[MATCH_BURST] __attribute__((aligned(64)));
	/* Of the table whose places are walked to: where, and the number of steps to at[]. */
	struct walk_ends ends;
	uint8_t steps[MATCH_BURST];
	bool far; /* some of steps[] is more than 1, which is few enough for all items */
	struct burst_window at[WINDOWS_MAX];
};

/* What a table may have for frames. */
struct straight_items {
	uint64_t hash[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t place[MATCH_BURST] __attribute__((aligned(64))); /* as of hash_table.places */
};

static inline struct lane_windows
window_get(const struct straight *s, uint32_t win, uint32_t g)
{
	const struct burst_window *w = &s->at[win];

	return (struct lane_windows){_mm256_load_si256((const void *)&w->bytes[g * LANES]),
		_mm256_load_si256((const void *)&w->rest[g * LANES])};
}

static inline void
window_set(struct straight *s, uint32_t win, uint32_t g, struct lane_windows at)
{
	struct burst_window *w = &s->at[win];

	_mm256_store_si256((void *)&w->bytes[g * LANES], at.bytes);
	_mm256_store_si256((void *)&w->rest[g * LANES], at.rest);
}

/* The frames of group @g of those in @some, as bits. */
static inline uint32_t
group_of(uint64_t some, uint32_t g)
{
	return (uint32_t)(some >> g * LANES) & LANES_ALL;
}

/* ---- frames ---- */

/* The views of group @g; behind the last one, which has no answer, that once more. */
static inline void
views_of(const struct straight *s, uint32_t g, const struct pkt_view *ret[LANES])
{
	for (uint32_t lane = 0; lane < LANES; lane++) {
		const uint32_t i = MIN(g * LANES + lane, s->n - 1);

		ret[lane] = &s->views[s->which != NULL ? s->which[i] : i];
	}
}

/* The same of a group that is whole and lies in a row. */
static inline void
views_in_row(const struct straight *s, uint32_t g, const struct pkt_view *ret[LANES])
{
	for (uint32_t lane = 0; lane < LANES; lane++)
		ret[lane] = &s->views[g * LANES + lane];
}

static inline void
take_group(struct straight *s, uint32_t g, const struct pkt_view *const view[LANES])
{
	const struct lane_views v = lane_views(view);

	_mm_store_si128((void *)&s->key[g * LANES], lane_lows(v.key));
	_mm256_store_si256((void *)&s->layers[g * LANES], v.layers);
	window_set(s, WINDOW_OF_START(SPACE_RAW), g, lane_starts(&v));
}

static void
take_frames(struct straight *s)
{
	const uint32_t in_row = s->which == NULL ? s->n / LANES : 0;
	const struct pkt_view *view[LANES];
	uint32_t g;

	for (g = 0; g < in_row; g++) {
		views_in_row(s, g, view);
		take_group(s, g, view);
	}
	for (; g < s->n_groups; g++) {
		views_of(s, g, view);
		take_group(s, g, view);
	}
	for (; g % (SEARCH_KEYS / LANES) != 0; g++)
		_mm_store_si128((void *)&s->key[g * LANES], _mm_setzero_si128());
	memset(s->best, 0xff, s->n * sizeof(s->best[0])); /* MATCH_NONE */
	s->found = 1u << WINDOW_OF_START(SPACE_RAW);
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
		const uint32_t on = group_of(s->asked, g);

		if (on != 0)
			window_set(s, win, g,
				lane_step(window_get(s, base, g), window_get(s, w->parent, g), off,
					kind, lanes_in_row_of(on)));
	}
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
		const __m256i layers = _mm256_load_si256((const void *)&s->layers[g * LANES]);
		const __m128i key = _mm_load_si128((const void *)&s->key[g * LANES]);
		__m256i lost_here;

		window_set(s, win, g,
			lane_l4(window_get(s, WINDOW_OF_START(SPACE_RAW), g), layers, key,
				&lost_here));
		lost |= (uint64_t)lanes_set(lost_here) << g * LANES;
	}
	if (__builtin_expect((lost & s->asked) != 0, 0))
		find_all(s, win, WINDOW_L4);
}

/* Behind the last byte. */
static void
find_tails(struct straight *s, uint32_t win)
{
	for (uint32_t g = 0; g < s->n_groups; g++) {
		const struct pkt_view *v[LANES];

		views_of(s, g, v);
		window_set(s, win, g,
			lane_tails(window_get(s, WINDOW_OF_START(SPACE_RAW), g),
				_mm_setr_epi32((int)v[0]->l3_len, (int)v[1]->l3_len,
					(int)v[2]->l3_len, (int)v[3]->l3_len)));
	}
}

#include "straight_find.h"

#include "straight_burst.h"

static inline void
window_put(struct straight *s, uint32_t win, uint32_t i, struct probe_at at)
{
	s->at[win].bytes[i] = (uintptr_t)at.bytes;
	s->at[win].rest[i] = (uint32_t)at.left | (uint64_t)at.pos << 32;
}

#include "straight_walk.h"

/* Find where the run of @t starts in the frames @some. Returns in which it may be. */
static uint64_t
find_places(struct straight *s, const struct hash_table *t, uint64_t some)
{
	const struct window *w = &s->im->index->windows[t->steps_win];

	if (t->steps_win == 0) {
		find_window(s, t->run_at.win);
		return some;
	}
	find_window(s, w->parent);
	ends_avx2(&s->ends, t, &w->step, &s->at[w->parent], (int32_t)w->off, some);
	return next_places(s, t);
}

/* ---- tables ---- */

/* What word @i of @t adds to the sums of lanes, of which it is @v. */
static inline __m256i
word_adds(const struct hash_table *t, uint32_t i, __m256i v)
{
	const __m256i mask = _mm256_set1_epi64x((long long)t->words[i].mask);

	return pairs(_mm256_and_si256(v, mask), t->seed[i]);
}

/* sums_near() of frames of which some are next to nothing; as lane_words_near_end(). */
static __attribute__((noinline)) __m256i
sums_at_edge(const struct hash_table *t, __m256i bytes, __m256i rest, __m256i some)
{
	const struct lane_windows w = {bytes, rest};
	__m256i sum = _mm256_setzero_si256();

	for (uint32_t i = 0; i < t->n_words; i++)
		sum = _mm256_add_epi64(sum, word_adds(t, i, lane_words(w, t->words[i].off, some)));
	return sum;
}

/* The sums that @t hashes of the lanes @some of the windows @w, whose words are there. */
static inline __attribute__((always_inline)) __m256i
sums_there(const struct hash_table *t, struct lane_windows w, __m256i some, uint32_t n_words)
{
	__m256i sum = _mm256_setzero_si256();

	for (uint32_t i = 0; i < n_words; i++)
		sum = _mm256_add_epi64(
			sum, word_adds(t, i, lane_words_there(w.bytes, t->words[i].off, some)));
	return sum;
}

/* The same of words of which some may be behind the end. */
static inline __attribute__((always_inline)) __m256i
sums_near(const struct hash_table *t, struct lane_windows w, __m256i some, uint32_t n_words)
{
	__m256i sum = _mm256_setzero_si256();

	if (__builtin_expect(_mm256_testc_si256(lanes_near(w.rest, t->before), some) == 0, 0))
		return sums_at_edge(t, w.bytes, w.rest, some);
	for (uint32_t i = 0; i < n_words; i++)
		sum = _mm256_add_epi64(sum,
			word_adds(t, i, lane_words_near(w.bytes, w.rest, t->words[i].off, some)));
	return sum;
}

/*
 * Called with constants: as many gathers, and no loop around them. Names end where they like:
 * which frames end before what is hashed is anybody's guess, so behind the first one that does
 * no frame is asked.
 */
static inline __attribute__((always_inline)) void
hash_all(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret, uint32_t n_words)
{
	const struct probe_bound all = {t->left, (uint32_t)t->before};
	uint32_t g;

	for (g = 0; g < s->n_groups; g++) {
		const struct lane_windows w = window_get(s, t->run_at.win, g);
		const uint32_t on = group_of(some, g);
		const __m256i lanes = lanes_in_row_of(on);

		if (on == 0)
			continue;
		if (!lanes_within(w.rest, all, lanes))
			break;
		_mm256_store_si256(
			(void *)&ret->hash[g * LANES], finish(sums_there(t, w, lanes, n_words)));
	}
	for (; g < s->n_groups; g++) {
		const struct lane_windows w = window_get(s, t->run_at.win, g);
		const uint32_t on = group_of(some, g);

		if (on != 0)
			_mm256_store_si256((void *)&ret->hash[g * LANES],
				finish(sums_near(t, w, lanes_in_row_of(on), n_words)));
	}
}

static void
hash_frames(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret)
{
	if (t->fan != NULL)
		return; /* see have() */
	if (t->n_words == 1)
		hash_all(s, t, some, ret, 1);
	else if (t->n_words == 2)
		hash_all(s, t, some, ret, 2);
	else
		hash_all(s, t, some, ret, HASH_DATA_WORDS);
}

/*
 * What the buckets of the lanes with @hash have for them, to @ret. Returns for which they
 * have something.
 */
static inline uint32_t
look_up_group(const struct hash_table *t, __m256i hash, uint32_t *ret)
{
	const __m256i numbers = _mm256_set1_epi64x(0x0706050403020100);
	const __m256i zero = _mm256_setzero_si256();
	const __m256i bucket = _mm256_and_si256(_mm256_srli_epi64(hash, HASH_BUCKET_SHIFT),
		_mm256_set1_epi64x((long long)t->bucket_mask));
	const __m256i tags = _mm256_i64gather_epi64((const void *)t->tags, bucket, 8);
	/* There is no tag 0. One byte of a lane is equal at most. */
	const __m256i equal = _mm256_cmpeq_epi8(tags, tags_of(hash));
	const uint32_t found = lanes_set(_mm256_cmpeq_epi64(equal, zero)) ^ LANES_ALL;
	__m256i slot;

	if (found == 0)
		return 0;
	_Static_assert(HASH_SLOTS == 8, "numbers");
	slot = _mm256_sad_epu8(_mm256_and_si256(equal, numbers), zero);
	slot = _mm256_add_epi64(_mm256_slli_epi64(bucket, 3), slot);
	_mm_store_si128((void *)ret, _mm256_i64gather_epi32((const void *)t->places, slot, 4));
	return found;
}

/* What the buckets of the frames @some have for them. Returns for which they have something. */
static uint64_t
look_up(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *it)
{
	uint64_t found = 0;

	if (t->fan != NULL)
		return some;
	for (uint32_t g = 0; g < s->n_groups; g++)
		if (group_of(some, g) != 0)
			found |= (uint64_t)look_up_group(t,
					 _mm256_load_si256((const void *)&it->hash[g * LANES]),
					 &it->place[g * LANES])
				<< g * LANES;
	return found & some;
}

static inline const struct hash_item *
item_of(const uint64_t *all, const struct straight_items *items, uint32_t i)
{
	return (const void *)&all[items->place[i]];
}

#define FAN_WINDOWS STRAIGHT_WINDOWS
#define fan_window_at window_of

#include "hash_fan_avx2.h"

#include "straight_have.h"
#include "straight_pieces.h"

#include "straight_flood4.h"

#include "straight_flood.h"

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
	if (some != 0)
		haves[t->run > 32][t->run_at_tail][!t->all_simple](s, t, items, some);
}

/* ---- all ---- */

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
straight_avx2(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
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
	s.n_groups = (n + LANES - 1) / LANES;
	s.all = search_mask(n);
	s.asked = 0;
	take_frames(&s);
	walk_init(&s);
	if (im->any_generated)
		odd = search_keys_odd(s.key, n);
	for (uint32_t k = 0; k < ix->n_tables; k++)
		s.asked |= some[k] = search_keys_test(s.key, n, ix->tables[k].test) & s.all & ~odd;
	/* Each stage for all tables, which do not wait for each other. */
	for (uint32_t k = 0; k < ix->n_tables; k++) {
		some[k] = find_places(&s, &ix->tables[k], some[k]);
		hash_frames(&s, &ix->tables[k], some[k], &items[k]);
	}
	for (uint32_t k = 0; k < ix->n_tables; k++)
		some[k] = look_up(&s, &ix->tables[k], some[k], &items[k]);
	for (uint32_t k = 0; k < ix->n_tables; k++)
		have(&s, &ix->tables[k], &items[k], some[k]);
	if (__builtin_expect(s.ends.some != 0, 0))
		have_others(&s, &items[0]);
	memcpy(ret, s.best, n * sizeof(s.best[0]));
	return odd | s.ends.odd;
}

#endif
