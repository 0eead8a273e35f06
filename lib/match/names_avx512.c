// SPDX-License-Identifier: BSD-3-Clause
/*
 * Names from their ends on, for processors with AVX-512 (F, BW, VL, CD). Frames are looked at once,
 * 64 bytes in a vector, for a byte that is 0; all else goes eight frames at once.
 */
#include "names.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#include "flood.h"
#include "flood8.h"
#include "hash_lanes.h"
#include "index.h"
#include "place_lanes.h"
#include "search.h"

#define BLOCK 64 /* bytes */
#define STEPS_FEW 8 /* on a walk; who goes further goes the other way */
#define GUESS_MIN 6 /* frames of the first group with one item: others may well have it */

_Static_assert(NAMES_LONGEST == 2 * BLOCK, "looked at in two vectors");

/* A burst on its way. */
struct names_burst {
	const struct match_image *im;
	const struct names *names;
	uint32_t n_groups;
	uint64_t wide; /* groups of which some frame is more than one block */
	uint64_t tight; /* of which some frame has no block up to its end */
	uint64_t far; /* frames that are left to the straight way */
	uint64_t start[MATCH_BURST] __attribute__((aligned(64))); /* of names */
	/*
	 * Where the first block is loaded, so that all of it is in the frame, and so many bytes
	 * before that start; where groups are tight it is that start, and part[] is what there is.
	 */
	uint64_t block[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t before[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t part[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t rest[MATCH_BURST] __attribute__((aligned(64))); /* bytes of a second one */
	/* Those bytes of each that are 0. */
	uint64_t low[MATCH_BURST] __attribute__((aligned(64)));
	uint64_t high[MATCH_BURST] __attribute__((aligned(64)));
	struct burst_window
		end; /* behind the 0 of names: none left, pos is counted from the start */
	uint64_t item[NAMES_TABLES_MAX][MATCH_BURST] __attribute__((aligned(64))); /* addresses */
	uint64_t found[NAMES_TABLES_MAX]; /* frames that have some */
	uint64_t through[NAMES_TABLES_MAX]; /* frames that need not be looked up */
	uint32_t best[MATCH_BURST] __attribute__((aligned(64)));
	__mmask8 on[MATCH_BURST / LANES]; /* frames that may have names */
};

/* ---- frames ---- */

static inline __mmask8
lanes_holding(__m256i key, struct scope_test test)
{
	const __m256i mask = _mm256_set1_epi32((int)test.mask);

	return _mm256_cmpeq_epi32_mask(
		_mm256_and_si256(key, mask), _mm256_set1_epi32((int)test.val));
}

/* The lower @n bits of each, @n in 0..64; of more than these all. */
static inline __m512i
lowest_bits(__m512i n)
{
	const __m512i one = _mm512_set1_epi64(1);

	return _mm512_sub_epi64(_mm512_sllv_epi64(one, n), one);
}

/*
 * Where group @g loads what starts at @start and has @left bytes, of frames @on, which have @pos
 * bytes before that.
 */
static inline void
take_blocks(
	struct names_burst *b, uint32_t g, __m512i start, __m512i left, __m512i pos, __mmask8 on)
{
	const __m512i block = _mm512_set1_epi64(BLOCK), zero = _mm512_setzero_si512();
	const __m512i here = _mm512_maskz_min_epi64(on, left, block);
	const __m512i rest = _mm512_maskz_sub_epi64(on, left, here);
	__m512i before = _mm512_maskz_sub_epi64(on, block, here);

	if (__builtin_expect(_mm512_cmpgt_epi64_mask(before, pos) != 0, 0)) {
		b->tight |= UINT64_C(1) << g;
		before = zero;
		_mm512_store_si512(&b->part[g * LANES], lowest_bits(here));
	}
	if (_mm512_test_epi64_mask(rest, rest) != 0) {
		b->wide |= UINT64_C(1) << g;
		_mm512_store_si512(&b->rest[g * LANES], lowest_bits(rest));
	}
	_mm512_store_si512(&b->start[g * LANES], start);
	_mm512_store_si512(&b->before[g * LANES], before);
	_mm512_store_si512(&b->block[g * LANES], _mm512_sub_epi64(start, before));
}

/* Where the names of the frames @on, of views @v, start. Returns those that may have one. */
static inline __mmask8
take_starts(struct names_burst *b, uint32_t g, const struct lane_views *v, __mmask8 on)
{
	const __m512i off = _mm512_set1_epi64(b->names->lead_off);
	const __m512i other = _mm512_set1_epi64((long long)(uintptr_t)b->names);
	const struct lane_windows ip = lane_starts(v);
	__mmask8 lost, near;
	const __m512i pos = _mm512_add_epi64(lane_l4_steps(v->layers, lane_keys(v), &lost), off);
	const __m512i left = _mm512_sub_epi64(ip.rest, pos);

	/* All words that are hashed, and those before labels, are in the frame. */
	near = _mm512_mask_cmpge_epi64_mask(
		on & (__mmask8)~lost, pos, _mm512_set1_epi64(8 * NAMES_WORDS));
	near = _mm512_mask_cmple_epi64_mask(near, left, _mm512_set1_epi64(NAMES_LONGEST));
	b->far |= (uint64_t)(on & (__mmask8)~near) << g * LANES;
	on = _mm512_mask_cmpgt_epi64_mask(near, left, _mm512_setzero_si512());
	/* Of who is not asked a place that is there. */
	take_blocks(b, g, _mm512_mask_add_epi64(other, on, ip.bytes, pos), left,
		_mm512_add_epi64(pos, lane_l3_offs(v->layers)), on);
	return on;
}

/* All frames; returns those that have to go alone. */
static uint64_t
take_frames(struct names_burst *b, const struct pkt_view *views, const uint8_t *which, uint64_t all)
{
	const bool any_odd = b->im->any_generated;
	uint64_t odd = 0;

	for (uint32_t g = 0; g < b->n_groups; g++) {
		const __mmask8 here = lanes_of(all, g);
		const struct lane_views v = lane_views(views, which, g * LANES, here);
		const __m256i key = lane_keys(&v);
		__mmask8 on = lanes_holding(key, b->names->test) & here;

		if (any_odd) {
			const __mmask8 odd_here = lanes_holding(key, search_odd_test()) & here;

			odd |= (uint64_t)odd_here << g * LANES;
			on &= (__mmask8)~odd_here;
		}
		b->on[g] = take_starts(b, g, &v, on);
		_mm256_store_si256((void *)&b->best[g * LANES], _mm256_set1_epi32((int)MATCH_NONE));
	}
	return odd;
}

/* ---- ends ---- */

/* Which of the bytes @some at @start are 0. */
static inline uint64_t
zeros_of(uint64_t start, uint64_t some)
{
	const __mmask64 m = _cvtu64_mask64(some);
	const __m512i v = _mm512_maskz_loadu_epi8(m, (const void *)(uintptr_t)start);

	return _cvtmask64_u64(_mm512_mask_testn_epi8_mask(m, v, v));
}

/* The same of those at @at, all of which are there. */
static inline uint64_t
zeros(uint64_t at)
{
	const __m512i all = _mm512_set1_epi8(-1);

	return _cvtmask64_u64(
		_mm512_testn_epi8_mask(all, _mm512_loadu_si512((const void *)(uintptr_t)at)));
}

static void
find_zeros(struct names_burst *b)
{
	for (uint32_t g = 0; g < b->n_groups; g++) {
		const uint64_t *at = &b->block[g * LANES], *part = &b->part[g * LANES];
		uint64_t *low = &b->low[g * LANES];

		if (__builtin_expect((b->tight >> g & 1) != 0, 0)) {
			for (uint32_t i = 0; i < LANES; i++)
				low[i] = zeros_of(at[i], part[i]);
			continue;
		}
#pragma GCC unroll 8
		for (uint32_t i = 0; i < LANES; i++)
			low[i] = zeros(at[i]);
	}
	for (uint64_t m = b->wide; m != 0; m &= m - 1) {
		const uint32_t first = (uint32_t)__builtin_ctzll(m) * LANES;

		for (uint32_t i = first; i < first + LANES; i++)
			b->high[i] = zeros_of(b->start[i] + BLOCK, b->rest[i]);
	}
}

/* Bits of each of eight frames, @high above @low. */
struct wide {
	__m512i low, high;
};

/* How far bits go, and what is left of a word. */
struct near {
	__m128i by[NAMES_SHIFTS], back[NAMES_SHIFTS];
};

static inline struct near
near_of(const struct names *names)
{
	struct near n;

	for (int k = 0; k < NAMES_SHIFTS; k++) {
		n.by[k] = _mm_cvtsi32_si128(names->shifts[k]);
		n.back[k] = _mm_cvtsi32_si128(64 - names->shifts[k]);
	}
	return n;
}

/* @v without those that have one of so many as @n says in front of them. */
static inline struct wide
without_near(struct wide v, const struct near *n, bool is_wide)
{
	struct wide near = {_mm512_slli_epi64(v.low, 1), v.high};

	if (is_wide)
		near.high =
			_mm512_or_si512(_mm512_slli_epi64(v.high, 1), _mm512_srli_epi64(v.low, 63));
	for (int k = 0; k < NAMES_SHIFTS; k++) {
		if (is_wide)
			near.high = _mm512_or_si512(near.high,
				_mm512_or_si512(_mm512_sll_epi64(near.high, n->by[k]),
					_mm512_srl_epi64(near.low, n->back[k])));
		near.low = _mm512_or_si512(near.low, _mm512_sll_epi64(near.low, n->by[k]));
	}
	return (struct wide){
		_mm512_andnot_si512(near.low, v.low), _mm512_andnot_si512(near.high, v.high)};
}

/* The number of the lowest bit of each; -1 where there is none. */
static inline __m512i
lowest(__m512i v)
{
	const __m512i one = _mm512_andnot_si512(_mm512_sub_epi64(v, _mm512_set1_epi64(1)), v);

	return _mm512_sub_epi64(_mm512_set1_epi64(63), _mm512_lzcnt_epi64(one));
}

/* More than one bit. */
static inline __mmask8
are_many(__m512i v)
{
	return _mm512_test_epi64_mask(v, _mm512_sub_epi64(v, _mm512_set1_epi64(1)));
}

/* Find where names of group @g end. Returns who has such a place; who has several goes far. */
static inline __mmask8
find_ends(struct names_burst *b, const struct near *near, uint32_t g)
{
	const bool is_wide = (b->wide >> g & 1) != 0;
	const __m512i zero = _mm512_setzero_si512();
	/* What is loaded before the start is shifted out. */
	struct wide v = {_mm512_srlv_epi64(_mm512_load_si512(&b->low[g * LANES]),
				 _mm512_load_si512(&b->before[g * LANES])),
		zero};
	__mmask8 in_low, in_high, many;
	__m512i pos;

	if (is_wide)
		v.high = _mm512_load_si512(&b->high[g * LANES]);
	v = is_wide ? without_near(v, near, true) : without_near(v, near, false);
	in_low = _mm512_test_epi64_mask(v.low, v.low);
	in_high = _mm512_test_epi64_mask(v.high, v.high);
	in_low &= b->on[g];
	in_high &= b->on[g];
	many = (are_many(v.low) & in_low) | (are_many(v.high) & in_high) | (in_low & in_high);
	b->far |= (uint64_t)many << g * LANES;
	pos = _mm512_add_epi64(lowest(v.low), _mm512_set1_epi64(1));
	if (is_wide)
		pos = _mm512_mask_add_epi64(
			pos, in_high, lowest(v.high), _mm512_set1_epi64(BLOCK + 1));
	_mm512_store_si512(&b->end.bytes[g * LANES],
		_mm512_add_epi64(pos, _mm512_load_si512(&b->start[g * LANES])));
	_mm512_store_si512(&b->end.rest[g * LANES], _mm512_slli_epi64(pos, 32));
	return (in_low | in_high) & (__mmask8)~many;
}

/* ---- tables ---- */

/* What table @k has for the frames @on of group @g, of whose last words @words are. */
static inline void
look_up(struct names_burst *b, uint32_t k, uint32_t g, const __m512i words[NAMES_WORDS],
	__mmask8 on)
{
	const struct hash_table *t = &b->names->tables[k];
	__m512i sum = _mm512_setzero_si512(), hash, bucket, place;
	__mmask64 equal;
	__mmask8 has;

	for (uint32_t i = 0; i < t->n_words; i++)
		sum = _mm512_add_epi64(sum, lane_adds(t, i, words[i]));
	hash = lane_hashes(sum);
	bucket = lane_buckets(t, hash);
	equal = lane_tags(t, bucket, hash, on);
	if (equal == 0)
		return;
	place = _mm512_cvtepu32_epi64(lane_places(t, bucket, equal, &has));
	_mm512_store_si512(&b->item[k][g * LANES],
		_mm512_add_epi64(_mm512_set1_epi64((long long)(uintptr_t)t->items),
			_mm512_slli_epi64(place, 3)));
	b->found[k] |= (uint64_t)has << g * LANES;
}

/* What tables have for the frames @on of group @g, but for those that need not be. */
static inline void
look_up_group(struct names_burst *b, uint32_t g, uint64_t on)
{
	const struct names *names = b->names;
	const __m512i end = _mm512_load_si512(&b->end.bytes[g * LANES]);
	__m512i words[NAMES_WORDS];
	uint64_t some = 0;

	for (uint32_t k = 0; k < names->n; k++)
		some |= on & ~b->through[k];
	if (lanes_of(some, g) == 0)
		return;
	for (uint32_t k = 0; k < names->n_words; k++)
		words[k] = lane_words_there(end, -8 * (int32_t)(k + 1), lanes_of(some, g));
	for (uint32_t k = 0; k < names->n; k++)
		look_up(b, k, g, words, lanes_of(on & ~b->through[k], g));
}

/* ---- items ---- */

/* Whether the bytes of @it of @t are what frame @i has up to its end. */
static inline bool
is_equal(const struct names_burst *b, const struct hash_table *t, const struct hash_item *it,
	uint32_t i)
{
	const struct hash_shape *shape = &t->shapes[it->shape];
	const uint8_t *start = (const uint8_t *)(uintptr_t)b->end.bytes[i] + t->run_at.off;

	return b->end.rest[i] >> 32 >= it->needs[0].a &&
		(t->run > 32 ? hash_run_equal(shape, it, start, 64)
			     : hash_run_equal(shape, it, start, 32));
}

/* Which of the eight places @start have the bytes @val, of which @asked are, under @mask. */
static inline __attribute__((always_inline)) __mmask8
runs_equal(const uint64_t start[LANES], __m512i val, __m512i mask, __mmask64 asked)
{
	uint32_t equal = 0;

#pragma GCC unroll 8
	for (uint32_t i = 0; i < LANES; i++) {
		const __m512i v = _mm512_maskz_loadu_epi8(asked, (const void *)(uintptr_t)start[i]);

		equal |= (uint32_t)(_mm512_test_epi8_mask(_mm512_xor_si512(v, val), mask) == 0)
			<< i;
	}
	return (__mmask8)equal;
}

/* The ones of the frames @some that have the bytes of @it, of at most @run, eight at once. */
static inline __attribute__((always_inline)) uint64_t
equal_runs(const struct names_burst *b, const struct hash_table *t, const struct hash_item *it,
	uint64_t some, uint32_t run)
{
	const __m512i mask = _mm512_load_si512(t->shapes[it->shape].run_mask);
	const __m512i val = _mm512_loadu_si512(&it->val[1]);
	const __mmask64 asked = _mm512_test_epi8_mask(mask, mask);
	const __m512i off = _mm512_set1_epi64(t->run_at.off);
	const __m512i length = _mm512_set1_epi64((long long)((uint64_t)it->needs[0].a << 32));
	uint64_t start[LANES] __attribute__((aligned(64))), equal = 0;

	for (uint32_t g = 0; g < b->n_groups; g++) {
		const uint64_t *end = &b->end.bytes[g * LANES];
		__mmask8 on = _mm512_mask_cmpge_epi64_mask(
			lanes_of(some, g), _mm512_load_si512(&b->end.rest[g * LANES]), length);
		/* For frames that are not asked about one that is. */
		const __m512i one = _mm512_set1_epi64((long long)end[__builtin_ctz(on | 0x80u)]);

		if (on == 0)
			continue;
		_mm512_store_si512(
			start, _mm512_add_epi64(_mm512_mask_loadu_epi64(one, on, end), off));
		if (_mm512_test_epi8_mask(runs_differ(start, val, asked, run), mask) != 0)
			on &= runs_equal(start, val, mask, asked);
		equal |= (uint64_t)on << g * LANES;
	}
	return equal;
}

static inline uint64_t
equal_of(const struct names_burst *b, const struct hash_table *t, const struct hash_item *it,
	uint64_t some)
{
	return t->run > 32 ? equal_runs(b, t, it, some, 64) : equal_runs(b, t, it, some, 32);
}

static inline bool
is_enabled(const struct names_burst *b, const struct hash_item *it)
{
	/* Pairs with match_image_enable(); nothing else depends on it. */
	return (atomic_load_explicit(&b->im->state[it->rule], memory_order_relaxed) &
		       MATCH_STATE_ENABLED) != 0;
}

/* Whether number @v of each is in range @range of an item. */
static inline __mmask8
lanes_in_range(__m512i v, uint64_t range, __mmask8 some)
{
	const __m512i lo = _mm512_set1_epi64((uint32_t)range);

	return _mm512_mask_cmple_epu64_mask(
		some, _mm512_sub_epi64(v, lo), _mm512_set1_epi64((long long)(range >> 32)));
}

static inline const uint64_t *
ranges_of(const struct hash_table *t, const struct hash_item *it)
{
	return &it->val[1 + t->shapes[it->shape].n_words];
}

/* The bytes at @place, which have 7 before them in the frame. */
static inline __m512i
lane_bytes(__m512i place, __mmask8 some)
{
	return _mm512_srli_epi64(_mm512_mask_i64gather_epi64(_mm512_setzero_si512(), some, place,
					 (const void *)(intptr_t)-7, 1),
		56);
}

/* What an item asks of the way to it, for eight frames. */
struct way {
	__m512i by; /* from where names start and the length there to what is behind the label */
	__m512i lo, span, behind; /* of steps */
	uint64_t lead, steps; /* ranges */
	__m512i length; /* of the item */
};

static inline struct way
way_to(const struct names *names, const struct hash_table *t, const struct hash_item *it)
{
	const struct sym_step *step = &names->step;
	const uint64_t *ranges = ranges_of(t, it);

	return (struct way){.by = _mm512_set1_epi64(names->walk_off - names->lead_off),
		.lo = _mm512_set1_epi64(step->lo),
		.span = _mm512_set1_epi64(step->hi - step->lo),
		.behind = _mm512_set1_epi64(step->behind),
		.lead = ranges[NAMES_OF_LEAD],
		.steps = ranges[NAMES_OF_STEPS],
		.length = _mm512_set1_epi64(it->needs[0].a)};
}

/*
 * The frames @some, whose names start at @start and end at @end with an item, in which @way leads to
 * it: it is behind the first label and as many steps as it may. *@ret_far: who goes further.
 */
static inline __mmask8
lanes_led(const struct way *way, __m512i start, __m512i end, __mmask8 some, __mmask8 *ret_far)
{
	const __m512i place = _mm512_sub_epi64(end, way->length), one = _mm512_set1_epi64(1);
	const __m512i lead = lane_bytes(start, some);
	__m512i at = _mm512_add_epi64(start, _mm512_add_epi64(lead, way->by));
	__m512i n = _mm512_setzero_si512();
	__mmask8 on;

	some = lanes_in_range(lead, way->lead, some);
	on = _mm512_mask_cmplt_epi64_mask(some, at, place);
	for (int k = 0; k < STEPS_FEW && on != 0; k++) {
		const __m512i length = lane_bytes(at, on);

		on = _mm512_mask_cmple_epu64_mask(on, _mm512_sub_epi64(length, way->lo), way->span);
		at = _mm512_mask_add_epi64(at, on, at, _mm512_add_epi64(length, way->behind));
		n = _mm512_mask_add_epi64(n, on, n, one);
		on = _mm512_mask_cmplt_epi64_mask(on, at, place);
	}
	*ret_far = on;
	return lanes_in_range(n, way->steps, _mm512_mask_cmpeq_epi64_mask(some, at, place));
}

/* The same of frame @i alone. */
static inline bool
is_led(struct names_burst *b, uint32_t i, const uint64_t *ranges, const uint8_t *place)
{
	const struct names *names = b->names;
	const struct sym_step *step = &names->step;
	const uint8_t *start = (const void *)(uintptr_t)b->start[i];
	const uint8_t *at = start + *start + names->walk_off - names->lead_off;
	uint32_t n = 0;

	if (*start - (uint32_t)ranges[NAMES_OF_LEAD] > (uint32_t)(ranges[NAMES_OF_LEAD] >> 32))
		return false;
	for (; at < place && n < STEPS_FEW; n++) {
		if ((uint32_t)*at - step->lo > (uint32_t)(step->hi - step->lo))
			return false;
		at += *at + step->behind;
	}
	b->far |= (uint64_t)(at < place) << i;
	return at == place &&
		n - (uint32_t)ranges[NAMES_OF_STEPS] <= (uint32_t)(ranges[NAMES_OF_STEPS] >> 32);
}

/* Whether @it of @t holds for frame @i, and is in force. */
static inline bool
item_holds(
	struct names_burst *b, const struct hash_table *t, const struct hash_item *it, uint32_t i)
{
	const uint8_t *end = (const void *)(uintptr_t)b->end.bytes[i];

	return is_equal(b, t, it, i) && is_led(b, i, ranges_of(t, it), end - it->needs[0].a) &&
		is_enabled(b, it);
}

/* Let frame @i have the first rule of the chain from @it on. */
static inline void
have_chain(
	struct names_burst *b, const struct hash_table *t, const struct hash_item *it, uint32_t i)
{
	for (;; it = (const void *)&t->items[it->next]) {
		if (it->rule >= b->best[i])
			return;
		if (item_holds(b, t, it, i)) {
			b->best[i] = it->rule;
			return;
		}
		if (it->next == 0)
			return;
	}
}

/* Let @it be the first rule of those of the frames @some that it holds for. Returns these. */
static __attribute__((noinline)) uint64_t
have_flood(struct names_burst *b, const struct hash_table *t, const struct hash_item *it,
	uint64_t some)
{
	const struct way way = way_to(b->names, t, it);
	uint64_t equal, hold = 0, far = 0;

	if (!is_enabled(b, it))
		return 0;
	equal = equal_of(b, t, it, some);
	for (uint32_t g = 0; g < b->n_groups; g++) {
		__mmask8 far_here;

		hold |= (uint64_t)lanes_led(&way, _mm512_load_si512(&b->start[g * LANES]),
				_mm512_load_si512(&b->end.bytes[g * LANES]), lanes_of(equal, g),
				&far_here)
			<< g * LANES;
		far |= (uint64_t)far_here << g * LANES;
	}
	b->far |= far;
	flood_set_rule(b->best, b->n_groups, it->rule, hold);
	return hold;
}

/*
 * The same for what most of the frames @some have, if most have one, and what is chained behind it.
 * Returns those that are through with it.
 */
static uint64_t
have_most(struct names_burst *b, const struct hash_table *t, const uint64_t *items, uint64_t some)
{
	const struct hash_item *it;
	uint64_t same, left;

	if (__builtin_popcountll(some) < FLOOD_MIN)
		return 0;
	it = two_of_three((const void *)(uintptr_t)items[__builtin_ctzll(some)],
		(const void *)(uintptr_t)items[__builtin_ctzll(some & (some - 1))],
		(const void *)(uintptr_t)items[63 - __builtin_clzll(some)]);
	if (it == NULL)
		return 0;
	same = flood_frames(items, b->n_groups, it, some);
	left = same;
	while (__builtin_popcountll(left) >= FLOOD_MIN) {
		left &= ~have_flood(b, t, it, left);
		if (it->next == 0)
			return same;
		it = (const void *)&t->items[it->next];
	}
	return same & ~left;
}

/* ---- floods ---- */

/* What most frames of the first group have found in table @k; or NULL. */
static inline const struct hash_item *
guess_of(const struct names_burst *b, uint32_t k)
{
	const uint64_t some = b->found[k] & UINT8_MAX;
	const struct hash_item *it;

	if (__builtin_popcountll(some) < GUESS_MIN)
		return NULL;
	it = (const void *)(uintptr_t)b->item[k][__builtin_ctzll(some)];
	return __builtin_popcountll(flood_frames(b->item[k], 1, it, some)) < GUESS_MIN ? NULL : it;
}

/* Whether all frames with the bytes of @it of @t are one to table @other. */
static inline bool
says_all_hashed(
	const struct hash_table *t, const struct hash_item *it, const struct hash_table *other)
{
	const struct hash_shape *shape = &t->shapes[it->shape];

	for (uint32_t i = 0; i < other->n_words; i++) {
		const int32_t at = other->words[i].off - t->run_at.off;
		uint64_t said;

		if (at < 0)
			return false;
		memcpy(&said, &shape->run_mask[at], sizeof(said));
		if ((other->words[i].mask & ~said) != 0)
			return false;
	}
	return true;
}

/*
 * In a flood most frames find what those of the first group, which are looked up, have: compare the
 * frames @on with that. For whom it holds its table has nothing more, nor has one that hashes only
 * what it says, and has nothing for one of them. The longer names are, the more they say.
 */
static void
guess(struct names_burst *b, uint64_t on)
{
	const struct names *names = b->names;
	const struct hash_item *it = NULL;
	uint32_t k = names->n;
	uint64_t hold;

	while (it == NULL && k > 0)
		it = guess_of(b, --k);
	if (it == NULL)
		return;
	hold = have_flood(b, &names->tables[k], it, on);
	if ((hold & UINT8_MAX) == 0)
		return;
	b->found[k] &= ~hold;
	for (uint32_t i = 0; i < names->n; i++)
		if (i == k ||
			((b->found[i] >> __builtin_ctzll(hold) & 1) == 0 &&
				says_all_hashed(&names->tables[k], it, &names->tables[i])))
			b->through[i] = hold;
}

/* Look up all frames that may have names. */
static void
find_items(struct names_burst *b)
{
	const struct near near = near_of(b->names);
	uint64_t on = 0;

	for (uint32_t g = 0; g < b->n_groups; g++)
		on |= (uint64_t)find_ends(b, &near, g) << g * LANES;
	look_up_group(b, 0, on);
	if (b->n_groups > 1)
		guess(b, on);
	for (uint32_t g = 1; g < b->n_groups; g++)
		look_up_group(b, g, on);
}

/* Verify what was found in table @k. */
static void
have(struct names_burst *b, uint32_t k)
{
	const struct hash_table *t = &b->names->tables[k];
	const uint64_t *items = b->item[k];
	uint64_t some = b->found[k];

	some &= ~have_most(b, t, items, some);
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		have_chain(b, t, (const void *)(uintptr_t)items[i], i);
	}
}

/* ---- all ---- */

/* Let frames that were left out go the straight way. Returns those that have to go alone. */
static __attribute__((noinline)) uint64_t
go_straight(const struct names_burst *b, const struct pkt_view *views, const uint8_t *which,
	uint32_t *ret)
{
	uint8_t left[MATCH_BURST], some[MATCH_BURST] = {0};
	uint32_t found[MATCH_BURST], n = 0;
	uint64_t odd = 0;

	for (uint64_t m = b->far; m != 0; m &= m - 1, n++) {
		left[n] = (uint8_t)__builtin_ctzll(m);
		some[n] = which != NULL ? which[left[n]] : left[n];
	}
	for (uint64_t m = straight_avx512(b->im, views, some, n, found); m != 0; m &= m - 1)
		odd |= UINT64_C(1) << left[__builtin_ctzll(m)];
	for (uint32_t k = 0; k < n; k++)
		ret[left[k]] = found[k];
	return odd;
}

uint64_t
names_avx512(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	const uint64_t all = search_mask(n);
	struct names_burst b;
	uint64_t odd;

	b.im = im;
	b.names = im->index->names;
	b.n_groups = (n + LANES - 1) / LANES;
	b.wide = 0;
	b.far = 0;
	b.tight = 0;
	for (uint32_t k = 0; k < b.names->n; k++) {
		b.found[k] = 0;
		b.through[k] = 0;
	}
	odd = take_frames(&b, views, which, all);
	find_zeros(&b);
	find_items(&b);
	for (uint32_t k = 0; k < b.names->n; k++)
		have(&b, k);
	for (uint32_t g = 0; g < b.n_groups; g++)
		_mm256_mask_storeu_epi32(&ret[g * LANES], lanes_of(all, g),
			_mm256_load_si256((const void *)&b.best[g * LANES]));
	if (b.far != 0)
		odd |= go_straight(&b, views, which, ret);
	return odd;
}

#endif
