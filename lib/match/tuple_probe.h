/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of the five-tuple kernel, included once for each kind of processor,
 * which defines TUPLE_PROBE.
 */
#include <stdatomic.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "probe.h"
#include "tuple.h"

/*
 * What of a burst is compared, by frame number. An item is a frame and a side:
 * side * MATCH_BURST + frame.
 */
struct tuple_burst {
	uint32_t addr[TUPLE_SIDES * MATCH_BURST] __attribute__((aligned(64)));
	uint32_t ports[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t best[MATCH_BURST] __attribute__((aligned(64)));
	uint16_t meta[MATCH_BURST];
	/* What is yet to be compared; 16 more are written to, and mean nothing. */
	uint32_t n;
	uint32_t item[TUPLE_SIDES * MATCH_BURST + 16];
	uint32_t entry[TUPLE_SIDES * MATCH_BURST + 16];
};

/* Where in addr[] the address is that lanes found by @item compare. */
static inline uint32_t
tuple_other(uint32_t item)
{
	return item ^ MATCH_BURST;
}

/* ---- the frames ---- */

/* Returns whether some do not start at the first rule. */
static inline bool
tuple_load(const struct probe *p, struct tuple_burst *u, uint64_t some)
{
	uint32_t from = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct pkt_view *v = p->view[i];
		const uint64_t both = load_be64(v->frame + v->l3_off + 12);

		u->addr[TUPLE_SRC * MATCH_BURST + i] = (uint32_t)(both >> 32);
		u->addr[TUPLE_DST * MATCH_BURST + i] = (uint32_t)both;
		u->ports[i] = v->sport | (uint32_t)v->dport << 16;
		u->meta[i] = (uint16_t)(p->key[i] >> 16);
		from |= p->from[i];
	}
	memcpy(u->best, p->best, sizeof(u->best));
	return from != 0;
}

/* ---- addresses to entries ---- */

#ifdef __AVX512F__

static inline void
tuple_look_up(const struct tuple *t, struct tuple_burst *u, uint64_t some)
{
	const __m512i low = _mm512_set1_epi32(0xff);
	__m512i item = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

	u->n = 0;
	for (uint32_t side = 0; side < TUPLE_SIDES; side++) {
		const struct tuple_trie *trie = &t->trie[side];

		for (uint32_t i = 0; i < MATCH_BURST; i += 16) {
			const __mmask16 mask = (__mmask16)(some >> i);
			const __m512i a = _mm512_load_si512(&u->addr[side * MATCH_BURST + i]);
			__m512i e = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), mask,
				_mm512_srli_epi32(a, 16), trie->root, 4);
			__mmask16 node = _mm512_cmplt_epi32_mask(e, _mm512_setzero_si512());

			if (node != 0) {
				__m512i at = _mm512_and_si512(_mm512_srli_epi32(a, 8), low);

				/* The flag is shifted out. */
				at = _mm512_or_si512(at, _mm512_slli_epi32(e, 8));
				e = _mm512_mask_i32gather_epi32(e, node, at, trie->nodes, 4);
				node = _mm512_cmplt_epi32_mask(e, _mm512_setzero_si512());
			}
			if (node != 0) {
				__m512i at = _mm512_and_si512(a, low);

				at = _mm512_or_si512(at, _mm512_slli_epi32(e, 8));
				e = _mm512_mask_i32gather_epi32(e, node, at, trie->nodes, 4);
			}
			node = _mm512_test_epi32_mask(e, e);
			_mm512_storeu_si512(
				&u->item[u->n], _mm512_maskz_compress_epi32(node, item));
			_mm512_storeu_si512(&u->entry[u->n], _mm512_maskz_compress_epi32(node, e));
			u->n += (uint32_t)__builtin_popcount(node);
			item = _mm512_add_epi32(item, _mm512_set1_epi32(16));
		}
	}
}

#else

static inline void
tuple_look_up(const struct tuple *t, struct tuple_burst *u, uint64_t some)
{
	uint32_t e[MATCH_BURST];

	u->n = 0;
	for (uint32_t side = 0; side < TUPLE_SIDES; side++) {
		const struct tuple_trie *trie = &t->trie[side];
		const uint32_t *addr = &u->addr[side * MATCH_BURST];
		uint32_t nodes = 0;

		for (uint64_t m = some; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);

			e[i] = trie->root[addr[i] >> 16];
			nodes |= e[i];
		}
		/* Where an entry is none of a node, node 0 is read, and what it says not taken. */
		for (uint32_t shift = 8; (nodes & TUPLE_NODE) != 0 && shift < 16; shift -= 8) {
			nodes = 0;
			for (uint64_t m = some; m != 0; m &= m - 1) {
				const uint32_t i = (uint32_t)__builtin_ctzll(m);
				const uint32_t is = e[i] & TUPLE_NODE ? UINT32_MAX : 0;
				const uint32_t at = (e[i] & is) << 8 | (addr[i] >> shift & 0xff);

				e[i] = (trie->nodes[at] & is) | (e[i] & ~is);
				nodes |= e[i];
			}
		}
		for (uint64_t m = some; m != 0; m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);

			u->item[u->n] = side * MATCH_BURST + i;
			u->entry[u->n] = e[i];
			u->n += e[i] != 0;
		}
	}
}

#endif

/* ---- lanes ---- */

/* The lanes of @b that hold for what @item says of the burst. */
static inline uint32_t
tuple_compare(const struct tuple_burst *u, const struct tuple_block *b, uint32_t item)
{
	const uint32_t i = item % MATCH_BURST, addr = u->addr[tuple_other(item)];
#ifdef __AVX2__
	const __m256i *v = (const __m256i *)(const void *)b;
	const __m128i *h = (const __m128i *)(const void *)b->meta;
	const __m256i ports = _mm256_set1_epi32((int)u->ports[i]);
	const __m256i differ = _mm256_xor_si256(_mm256_set1_epi32((int)addr), _mm256_load_si256(v));
	const __m256i inside = _mm256_min_epu16(
		_mm256_max_epu16(ports, _mm256_load_si256(v + 2)), _mm256_load_si256(v + 3));
	const __m128i meta =
		_mm_and_si128(_mm_set1_epi16((short)u->meta[i]), _mm_load_si128(h + 1));
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
	const uint32_t sport = u->ports[i] & 0xffff, dport = u->ports[i] >> 16;
	uint32_t hold = 0;

	for (uint32_t k = 0; k < TUPLE_LANES; k++) {
		const bool holds = ((addr ^ b->addr[k]) & b->mask[k]) == 0 &&
			(b->ports_lo[k] & 0xffff) <= sport && sport <= (b->ports_hi[k] & 0xffff) &&
			b->ports_lo[k] >> 16 <= dport && dport <= b->ports_hi[k] >> 16 &&
			(u->meta[i] & b->meta_mask[k]) == b->meta[k];

		hold |= (uint32_t)holds << k;
	}
	return hold;
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
 * The first lanes of all blocks that are yet to be compared. Then these are what is
 * behind them, where that can be better. @from: frames do not start at the first rule.
 */
static inline void
tuple_round(const struct tuple *t, const struct probe *p, struct tuple_burst *u, bool from)
{
	uint32_t more = 0, n = 0;

	for (uint32_t k = 0; k < u->n; k++) {
		const uint32_t item = u->item[k], i = item % MATCH_BURST;
		const struct tuple_block *b = &t->blocks[u->entry[k] & (TUPLE_MORE - 1)];
		uint32_t hold = tuple_compare(u, b, item), rule;

		if (from)
			hold &= tuple_from(b, p->from[i]);
		/* Which frames match is anybody's guess: no branch on it. */
		rule = b->rule[(uint32_t)__builtin_ctz(hold | 1u << TUPLE_LANES) % TUPLE_LANES];
		rule |= hold == 0 ? MATCH_NONE : 0;
		u->best[i] = MIN(u->best[i], rule);
		more |= u->entry[k];
	}
	if ((more & TUPLE_MORE) != 0)
		for (uint32_t k = 0; k < u->n; k++) {
			const struct tuple_more *m = &t->more[u->entry[k] & (TUPLE_MORE - 1)];
			const uint32_t item = u->item[k];

			u->item[n] = item;
			u->entry[n] = m->entry;
			n += m->first < u->best[item % MATCH_BURST];
		}
	u->n = n;
}

/* ---- rules that are off ---- */

/*
 * The first rule of frame @i from @p->from on whose state is right. For frames
 * whose very first is not.
 */
static __attribute__((noinline)) uint32_t
tuple_search(const struct tuple *t, const struct probe *p, struct tuple_burst *u, uint32_t i)
{
	uint32_t best = p->best[i];

	tuple_look_up(t, u, UINT64_C(1) << i);
	for (uint32_t k = 0; k < u->n; k++) {
		uint32_t entry = u->entry[k];

		while (entry != 0) {
			const uint32_t at = entry & (TUPLE_MORE - 1);
			const struct tuple_block *b = &t->blocks[at];
			uint32_t hold = tuple_compare(u, b, u->item[k]) & tuple_from(b, p->from[i]);

			for (; hold != 0; hold &= hold - 1) {
				const uint32_t rule = b->rule[__builtin_ctz(hold)];
				const uint8_t state = atomic_load_explicit(
					&p->im->state[rule], memory_order_relaxed);

				if ((state & p->want[i]) == p->want[i])
					best = MIN(best, rule);
			}
			entry = t->more[at].first < best ? t->more[at].entry : 0;
		}
	}
	return best;
}

/* Keep what is in force of what was found. Returns the frames to be searched again. */
static inline uint64_t
tuple_keep(struct probe *p, const struct tuple_burst *u, uint64_t some)
{
	uint64_t again = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const uint32_t rule = u->best[i], asked = rule < p->im->n ? rule : 0;
		const uint8_t state =
			atomic_load_explicit(&p->im->state[asked], memory_order_relaxed);
		const bool bad = (state & p->want[i]) != p->want[i] && rule == asked;

		p->best[i] = bad ? p->best[i] : rule;
		again |= (uint64_t)bad << i;
	}
	return again;
}

void
TUPLE_PROBE(const struct tuple *t, struct probe *p, uint64_t some)
{
	struct tuple_burst u;
	const bool from = tuple_load(p, &u, some);

	tuple_look_up(t, &u, some);
	if (from)
		while (u.n > 0)
			tuple_round(t, p, &u, true);
	else
		while (u.n > 0)
			tuple_round(t, p, &u, false);
	for (uint64_t m = tuple_keep(p, &u, some); m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		p->best[i] = tuple_search(t, p, &u, i);
	}
}
