/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of the five-tuple kernel, included once for each kind of processor,
 * which defines TUPLE_PROBE and TUPLE_STRAIGHT.
 */
#include <stdatomic.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "index.h"
#include "probe.h"
#include "straight.h"
#include "tuple.h"

/* Frames that are looked up side by side. */
#define TUPLE_GROUP 16

/* What a side leads to that is yet to be compared. */
struct tuple_items {
	uint32_t n;
	/* As many more are written to, and mean nothing. */
	uint32_t frame[MATCH_BURST + TUPLE_GROUP];
	uint32_t entry[MATCH_BURST + TUPLE_GROUP];
};

struct tuple_burst {
	/* As in the frame: the source address, the destination. */
	uint64_t addrs[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t best[TUPLE_SIDES][MATCH_BURST] __attribute__((aligned(64)));
	struct tuple_items items[TUPLE_SIDES];
};

/* ---- the frames ---- */

/* Where frame @i has its source address; the destination is behind. */
static inline const uint8_t *
tuple_addrs(const struct probe *p, uint32_t i)
{
	return p->at[WINDOW_OF_START(SPACE_RAW)][i].bytes + 12;
}

static inline void
tuple_load(const struct probe *p, struct tuple_burst *u, uint64_t some)
{
	const bool all = some == search_mask(p->n);

	/* All of them are a loop without a look at the mask. */
	for (uint32_t i = 0; all && i < p->n; i++)
		memcpy(&u->addrs[i], tuple_addrs(p, i), sizeof(u->addrs[i]));
	for (uint64_t m = all ? 0 : some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		memcpy(&u->addrs[i], tuple_addrs(p, i), sizeof(u->addrs[i]));
	}
	memset(u->best, 0xff, sizeof(u->best));
}

/* ---- addresses to entries ---- */

#ifdef __AVX512F__

/* Entries @e, where they are nodes one step on, by the lowest byte of @addr. */
static inline __m512i
tuple_step(const struct tuple_trie *trie, __m512i e, __mmask16 node, __m512i addr)
{
	const __m512i low = _mm512_and_si512(addr, _mm512_set1_epi32(0xff));

	/* The flag is shifted out. */
	return _mm512_mask_i32gather_epi32(
		e, node, _mm512_or_si512(low, _mm512_slli_epi32(e, 8)), trie->nodes, 4);
}

/* Of 16 addresses, those in @mask: what they lead to. */
static inline __m512i
tuple_entries(const struct tuple_trie *trie, __m512i addr, __mmask16 mask)
{
	const __m512i zero = _mm512_setzero_si512();
	__m512i e =
		_mm512_mask_i32gather_epi32(zero, mask, _mm512_srli_epi32(addr, 16), trie->root, 4);
	__mmask16 node = _mm512_cmplt_epi32_mask(e, zero);

	if (node == 0)
		return e;
	e = tuple_step(trie, e, node, _mm512_srli_epi32(addr, 8));
	node = _mm512_cmplt_epi32_mask(e, zero);
	return node == 0 ? e : tuple_step(trie, e, node, addr);
}

static inline void
tuple_add(struct tuple_items *items, __m512i frame, __m512i e)
{
	const __mmask16 some = _mm512_test_epi32_mask(e, e);

	_mm512_storeu_si512(&items->frame[items->n], _mm512_maskz_compress_epi32(some, frame));
	_mm512_storeu_si512(&items->entry[items->n], _mm512_maskz_compress_epi32(some, e));
	items->n += (uint32_t)__builtin_popcount(some);
}

static inline void
tuple_look_up(const struct tuple *t, const struct probe *p, struct tuple_burst *u, uint64_t some)
{
	const __m512i swap = _mm512_broadcast_i32x4(
		_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
	const __m512i order =
		_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	/* The sources of 16 pairs; behind each is the destination. */
	const __m512i even = _mm512_slli_epi32(order, 1);
	const __m512i odd = _mm512_or_si512(even, _mm512_set1_epi32(1));

	u->items[TUPLE_SRC].n = u->items[TUPLE_DST].n = 0;
	for (uint32_t i = 0; i < p->n; i += TUPLE_GROUP) {
		const __mmask16 mask = (__mmask16)(some >> i);
		const __m512i frame = _mm512_add_epi32(order, _mm512_set1_epi32((int)i));
		const __m512i a = _mm512_shuffle_epi8(_mm512_load_si512(&u->addrs[i]), swap);
		const __m512i b = _mm512_shuffle_epi8(_mm512_load_si512(&u->addrs[i + 8]), swap);
		const __m512i src = _mm512_permutex2var_epi32(a, even, b);
		const __m512i dst = _mm512_permutex2var_epi32(a, odd, b);

		tuple_add(
			&u->items[TUPLE_SRC], frame, tuple_entries(&t->trie[TUPLE_SRC], src, mask));
		tuple_add(
			&u->items[TUPLE_DST], frame, tuple_entries(&t->trie[TUPLE_DST], dst, mask));
	}
}

#elif defined(__AVX2__)

#define TUPLE_EIGHT 8 /* frames that are looked up at once */

/* Which lanes are all ones, or less than 0. */
static inline uint32_t
tuple_lanes_set(__m256i lanes)
{
	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(lanes));
}

/* Entries @e, where they are nodes one step on, by the lowest byte of @addr. */
static inline __m256i
tuple_step(const struct tuple_trie *trie, __m256i e, __m256i addr)
{
	const __m256i low = _mm256_and_si256(addr, _mm256_set1_epi32(0xff));

	/* The flag says which lanes are loaded, and is shifted out. */
	return _mm256_mask_i32gather_epi32(e, (const int *)(const void *)trie->nodes,
		_mm256_or_si256(low, _mm256_slli_epi32(e, 8)), e, 4);
}

/* Of 8 addresses, those in @mask: what they lead to. */
static inline __m256i
tuple_entries(const struct tuple_trie *trie, __m256i addr, __m256i mask)
{
	__m256i e = _mm256_mask_i32gather_epi32(_mm256_setzero_si256(),
		(const int *)(const void *)trie->root, _mm256_srli_epi32(addr, 16), mask, 4);

	if (tuple_lanes_set(e) == 0)
		return e;
	e = tuple_step(trie, e, _mm256_srli_epi32(addr, 8));
	return tuple_lanes_set(e) == 0 ? e : tuple_step(trie, e, addr);
}

/* Most often all of a group lead somewhere, or none. */
static inline void
tuple_add(struct tuple_items *items, __m256i frame, __m256i e)
{
	const __m256i none = _mm256_cmpeq_epi32(e, _mm256_setzero_si256());
	const uint32_t some = tuple_lanes_set(none) ^ UINT8_MAX;
	uint32_t frames[TUPLE_EIGHT], entries[TUPLE_EIGHT];

	if (some == 0)
		return;
	if (some == UINT8_MAX) {
		_mm256_storeu_si256((void *)&items->frame[items->n], frame);
		_mm256_storeu_si256((void *)&items->entry[items->n], e);
		items->n += TUPLE_EIGHT;
		return;
	}
	_mm256_storeu_si256((void *)frames, frame);
	_mm256_storeu_si256((void *)entries, e);
	for (uint32_t k = 0; k < TUPLE_EIGHT; k++) {
		items->frame[items->n] = frames[k];
		items->entry[items->n] = entries[k];
		items->n += entries[k] != 0;
	}
}

static inline void
tuple_look_up(const struct tuple *t, const struct probe *p, struct tuple_burst *u, uint64_t some)
{
	const __m256i swap = _mm256_broadcastsi128_si256(
		_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
	/* As frames lie where pairs of four and four are taken apart. */
	const __m256i order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
	const __m256i bit = _mm256_sllv_epi32(_mm256_set1_epi32(1), order);

	u->items[TUPLE_SRC].n = u->items[TUPLE_DST].n = 0;
	for (uint32_t i = 0; i < p->n; i += TUPLE_EIGHT) {
		const __m256i on = _mm256_set1_epi32((int)(some >> i & UINT8_MAX));
		const __m256i mask = _mm256_cmpeq_epi32(_mm256_and_si256(on, bit), bit);
		const __m256i frame = _mm256_add_epi32(order, _mm256_set1_epi32((int)i));
		const __m256 a = _mm256_castsi256_ps(
			_mm256_shuffle_epi8(_mm256_load_si256((const void *)&u->addrs[i]), swap));
		const __m256 b = _mm256_castsi256_ps(_mm256_shuffle_epi8(
			_mm256_load_si256((const void *)&u->addrs[i + 4]), swap));
		const __m256i src = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
		const __m256i dst = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));

		tuple_add(
			&u->items[TUPLE_SRC], frame, tuple_entries(&t->trie[TUPLE_SRC], src, mask));
		tuple_add(
			&u->items[TUPLE_DST], frame, tuple_entries(&t->trie[TUPLE_DST], dst, mask));
	}
}

#else

static inline void
tuple_look_up_side(
	const struct tuple_trie *trie, struct tuple_burst *u, uint64_t some, enum tuple_side side)
{
	struct tuple_items *items = &u->items[side];
	uint32_t e[MATCH_BURST], addr[MATCH_BURST], nodes = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		addr[i] = load_be32((const uint8_t *)&u->addrs[i] + 4 * side);
		e[i] = trie->root[addr[i] >> 16];
		nodes |= e[i];
	}
	/* Where an entry is none of a node, node 0 is read, and what it says not taken. */
	for (uint32_t shift = 8; (nodes & TUPLE_NODE) != 0 && shift < 16; shift -= 8) {
		nodes = 0;
		for (uint64_t m = some; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);
			const uint32_t is = (e[i] & TUPLE_NODE) != 0 ? UINT32_MAX : 0;
			const uint32_t at = (e[i] & is) << 8 | (addr[i] >> shift & 0xff);

			e[i] = (trie->nodes[at] & is) | (e[i] & ~is);
			nodes |= e[i];
		}
	}
	items->n = 0;
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		items->frame[items->n] = i;
		items->entry[items->n] = e[i];
		items->n += e[i] != 0;
	}
}

static inline void
tuple_look_up(const struct tuple *t, const struct probe *p, struct tuple_burst *u, uint64_t some)
{
	(void)p;
	tuple_look_up_side(&t->trie[TUPLE_SRC], u, some, TUPLE_SRC);
	tuple_look_up_side(&t->trie[TUPLE_DST], u, some, TUPLE_DST);
}

#endif

/* ---- lanes ---- */

static inline uint32_t
tuple_word(const void *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

#ifndef __AVX2__
#include "tuple_probe_c.h"
#endif

/* The lanes of @b, found by @side, that hold for frame @i. */
static inline uint32_t
tuple_compare(const struct probe *p, const struct tuple_block *b, uint32_t i, enum tuple_side side)
{
	const uint32_t addr = tuple_word(tuple_addrs(p, i) + (side == TUPLE_SRC ? 4 : 0));
#ifdef __AVX2__
	const __m256i *v = (const __m256i *)(const void *)b;
	const __m128i *h = (const __m128i *)(const void *)b->meta;
	/* Both ports; and the upper half. */
	const __m256i ports = _mm256_set1_epi32((int)tuple_word(&p->view[i]->sport));
	const __m128i key = _mm_set1_epi16((short)(p->key[i] >> 16));
	const __m256i differ = _mm256_xor_si256(_mm256_set1_epi32((int)addr), _mm256_load_si256(v));
	const __m256i inside = _mm256_min_epu16(
		_mm256_max_epu16(ports, _mm256_load_si256(v + 2)), _mm256_load_si256(v + 3));
	const __m128i meta = _mm_and_si128(key, _mm_load_si128(h + 1));
#endif
#if defined(__AVX512F__)
	__mmask8 hold = _mm256_testn_epi32_mask(differ, _mm256_load_si256(v + 1));

	hold = _mm256_mask_cmpeq_epi32_mask(hold, inside, ports);
	return _mm_mask_cmpeq_epi16_mask(hold, meta, _mm_load_si128(h));
#elif defined(__AVX2__)
	const __m256i equal = _mm256_cmpeq_epi32(
		_mm256_and_si256(differ, _mm256_load_si256(v + 1)), _mm256_setzero_si256());
	const __m256i two = _mm256_and_si256(equal, _mm256_cmpeq_epi32(inside, ports));
	const __m128i third = _mm_cmpeq_epi16(meta, _mm_load_si128(h));

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(two)) &
		(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(third, _mm_setzero_si128()));
#else
	const struct tuple_ports4 ports = tuple_ports4(p->view[i]);
	tuple_vec hold = {0};

	for (uint32_t k = 0; k < TUPLE_LANES; k += TUPLE_FOUR) {
		const tuple_vec differ =
			(addr ^ *(const tuple_vec *)&b->addr[k]) & *(const tuple_vec *)&b->mask[k];

		hold |= tuple_hold_bits(differ |
				tuple_ports_differ(&ports, &b->ports_lo[k], &b->ports_hi[k],
					&b->meta[k], &b->meta_mask[k]),
			k);
	}
	return tuple_bits(hold);
#endif
}

/* The lanes of @b whose rules are not before @from. */
static inline uint32_t
tuple_from(const struct tuple_block *b, uint32_t from)
{
#if defined(__AVX512F__)
	return _mm256_cmpge_epu32_mask(_mm256_load_si256((const __m256i *)(const void *)b->rule),
		_mm256_set1_epi32((int)from));
#else
	uint32_t ge = 0;

	for (uint32_t k = 0; k < TUPLE_LANES; k++)
		ge |= (uint32_t)(b->rule[k] >= from) << k;
	return ge;
#endif
}

/*
 * Let *@best be the rule of the first lane of @b in @hold, if that is less. Which
 * frames match is anybody's guess: no branch on it.
 */
static inline void
tuple_lower(const struct tuple_block *b, uint32_t hold, uint32_t *best)
{
#if defined(__AVX512F__)
	const __m256i rule = _mm256_mask_compress_epi32(_mm256_set1_epi32(-1), (__mmask8)hold,
		_mm256_load_si256((const __m256i *)(const void *)b->rule));
	const __m128i old = _mm_cvtsi32_si128((int)*best);

	*best = (uint32_t)_mm_cvtsi128_si32(_mm_min_epu32(_mm256_castsi256_si128(rule), old));
#else
	uint32_t rule = b->rule[(uint32_t)__builtin_ctz(hold | 1u << TUPLE_LANES) % TUPLE_LANES];

	rule |= hold == 0 ? MATCH_NONE : 0;
	*best = MIN(*best, rule);
#endif
}

static inline const struct tuple_block *
tuple_block(const struct tuple *t, uint32_t entry)
{
	return &t->blocks[entry & (TUPLE_MORE - 1)];
}

/* What is behind the items of @side that have more, where it can be better. */
static inline void
tuple_next(
	const struct tuple *t, const struct probe *p, struct tuple_burst *u, enum tuple_side side)
{
	struct tuple_items *items = &u->items[side];
	uint32_t n = 0;

	for (uint32_t k = 0; k < items->n; k++) {
		const struct tuple_more *m = &t->more[items->entry[k] & (TUPLE_MORE - 1)];
		const uint32_t i = items->frame[k];
		const uint32_t best = MIN(u->best[TUPLE_SRC][i], u->best[TUPLE_DST][i]);

		items->frame[n] = i;
		items->entry[n] = m->entry;
		n += m->first < MIN(best, p->best[i]);
	}
	items->n = n;
}

/* All that @side leads to. @again: of frames that do not start at the first rule, too. */
static inline void
tuple_lanes_of(const struct tuple *t, const struct probe *p, struct tuple_burst *u,
	enum tuple_side side, bool again)
{
	struct tuple_items *items = &u->items[side];

	while (items->n > 0) {
		const uint32_t n = items->n;
		uint32_t more = 0;

		for (uint32_t k = 0; k < n; k++) {
			const uint32_t i = items->frame[k], entry = items->entry[k];
			const struct tuple_block *b = tuple_block(t, entry);
			uint32_t hold = tuple_compare(p, b, i, side);

			if (again)
				hold &= tuple_from(b, p->from[i]);
			tuple_lower(b, hold, &u->best[side][i]);
			more |= entry;
		}
		if ((more & TUPLE_MORE) == 0)
			return;
		tuple_next(t, p, u, side);
	}
}

#include "tuple_probe_few.h"

/* ---- rules that are off ---- */

/*
 * The first rule of frame @i from @p->from on whose state is right. For frames
 * whose very first is not.
 */
static __attribute__((noinline)) uint32_t
tuple_search(const struct tuple *t, const struct probe *p, struct tuple_burst *u, uint32_t i)
{
	uint32_t best = p->best[i];

	tuple_look_up(t, p, u, UINT64_C(1) << i);
	for (int side = 0; side < TUPLE_SIDES; side++) {
		uint32_t entry = u->items[side].n > 0 ? u->items[side].entry[0] : 0;

		while (entry != 0) {
			const struct tuple_more *m = &t->more[entry & (TUPLE_MORE - 1)];
			const struct tuple_block *b = tuple_block(t, entry);
			uint32_t hold = tuple_compare(p, b, i, (enum tuple_side)side) &
				tuple_from(b, p->from[i]);

			for (; hold != 0; hold &= hold - 1) {
				const uint32_t rule = b->rule[__builtin_ctz(hold)];
				const uint8_t state = atomic_load_explicit(
					&p->im->state[rule], memory_order_relaxed);

				if ((state & p->want[i]) == p->want[i])
					best = MIN(best, rule);
			}
			entry = m->first < best ? m->entry : 0;
		}
	}
	return best;
}

/* Keep what is in force of what was found. Returns the frames to be searched again. */
static inline uint64_t
tuple_keep(struct probe *p, const struct tuple_burst *u, uint64_t some)
{
	uint64_t again = 0;

#ifdef __AVX512F__
	for (uint32_t i = 0; i < p->n; i += TUPLE_GROUP) {
		const __m512i old = _mm512_load_si512(&p->best[i]);
		const __m512i new = _mm512_min_epu32(_mm512_load_si512(&u->best[TUPLE_SRC][i]),
			_mm512_load_si512(&u->best[TUPLE_DST][i]));
		const __m512i want = _mm512_cvtepu8_epi32(
			_mm_loadu_si128((const __m128i *)(const void *)&p->want[i]));
		const __mmask16 found =
			_mm512_mask_cmplt_epu32_mask((__mmask16)(some >> i), new, old);
		/* More bytes than a state are read, hence MATCH_STATE_PAD. */
		const __m512i state = _mm512_mask_i32gather_epi32(
			_mm512_setzero_si512(), found, new, (const void *)p->im->state, 1);
		const __mmask16 good =
			_mm512_mask_cmpeq_epi32_mask(found, _mm512_and_si512(state, want), want);

		_mm512_store_si512(&p->best[i], _mm512_mask_mov_epi32(old, good, new));
		again |= (uint64_t)(found & ~good & 0xffffu) << i;
	}
#elif defined(__AVX2__)
	const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);

	for (uint32_t i = 0; i < p->n; i += TUPLE_EIGHT) {
		const __m256i old = _mm256_load_si256((const void *)&p->best[i]);
		const __m256i new =
			_mm256_min_epu32(_mm256_load_si256((const void *)&u->best[TUPLE_SRC][i]),
				_mm256_load_si256((const void *)&u->best[TUPLE_DST][i]));
		const __m256i want =
			_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)&p->want[i]));
		const __m256i on = _mm256_set1_epi32((int)(some >> i & UINT8_MAX));
		const __m256i mask = _mm256_cmpeq_epi32(_mm256_and_si256(on, bit), bit);
		const __m256i found = _mm256_andnot_si256(
			_mm256_cmpeq_epi32(_mm256_min_epu32(old, new), old), mask);
		/* More bytes than a state are read, hence MATCH_STATE_PAD. */
		const __m256i state = _mm256_mask_i32gather_epi32(_mm256_setzero_si256(),
			(const int *)(const void *)p->im->state, new, found, 1);
		const __m256i good = _mm256_cmpeq_epi32(_mm256_and_si256(state, want), want);

		_mm256_store_si256((void *)&p->best[i],
			_mm256_blendv_epi8(old, new, _mm256_and_si256(found, good)));
		again |= (uint64_t)tuple_lanes_set(_mm256_andnot_si256(good, found)) << i;
	}
#else
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const uint32_t best = MIN(u->best[TUPLE_SRC][i], u->best[TUPLE_DST][i]);
		const bool found = best < p->best[i];
		const uint8_t state =
			atomic_load_explicit(&p->im->state[found ? best : 0], memory_order_relaxed);
		const bool good = (state & p->want[i]) == p->want[i];

		p->best[i] = found && good ? best : p->best[i];
		again |= (uint64_t)(found && !good) << i;
	}
#endif
	return again;
}

static inline void
tuple_few(const struct tuple *t, struct probe *p, struct tuple_burst *u, uint64_t some)
{
	memset(u->best[TUPLE_DST], 0xff, sizeof(u->best[TUPLE_DST]));
	if (p->again)
		tuple_all_few(t, p, u, some, true);
	else
		tuple_all_few(t, p, u, some, false);
	for (uint64_t m = tuple_keep(p, u, some); m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		p->best[i] = tuple_search_few(t, p, i);
	}
}

void
TUPLE_PROBE(const struct tuple *t, struct probe *p, uint64_t some)
{
	struct tuple_burst u;

	if (t->few != NULL) {
		tuple_few(t, p, &u, some);
		return;
	}
	tuple_load(p, &u, some);
	tuple_look_up(t, p, &u, some);
	if (p->again) {
		tuple_lanes_of(t, p, &u, TUPLE_SRC, true);
		tuple_lanes_of(t, p, &u, TUPLE_DST, true);
	} else {
		tuple_lanes_of(t, p, &u, TUPLE_SRC, false);
		tuple_lanes_of(t, p, &u, TUPLE_DST, false);
	}
	for (uint64_t m = tuple_keep(p, &u, some); m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		p->best[i] = tuple_search(t, p, &u, i);
	}
}
