/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The kernel of bundles: included by hash_avx512.c behind hash_probe.h, which has what is asked
 * of items. A frame's words are the lanes of one vector, as of fans.
 */

#include "bundle.h"
#include "merged.h"

/* What frames found, those @n of them that have something. */
struct bundle_found {
	uint64_t bucket[MATCH_BURST][BUNDLE_LANES] __attribute__((aligned(64)));
	uint64_t equal[MATCH_BURST]; /* by slot, as of lane_tags() */
	uint8_t frame[MATCH_BURST];
	uint32_t n;
};

/* What word @i of each lane adds, of the lines @a and @b. */
static inline __m512i
bundle_adds(const struct bundle *b, uint32_t i, __m512i first, __m512i second, bool two)
{
	const __m512i word = _mm512_load_si512(b->word[i]);
	__m512i v = two ? _mm512_permutex2var_epi64(first, word, second)
			: _mm512_permutexvar_epi64(word, first);

	v = _mm512_and_si512(v, _mm512_load_si512(b->mask[i]));
	v = _mm512_add_epi32(v, _mm512_load_si512(b->seed[i]));
	return _mm512_mul_epu32(v, _mm512_srli_epi64(v, 32));
}

/* Which of 64 bytes from @off on there are in a window that has @left of them. */
static inline uint64_t
bundle_there(int64_t off, int32_t left)
{
	/* Of a window that is not there nothing is left, and its place is a number that nobody follows. */
	const int64_t rest = MAX(left - off, 0);

	return _bzhi_u64(UINT64_MAX, (uint32_t)MIN(rest, 64));
}

/*
 * Line @k of @b in frame @i. Which of its bytes are there is better counted frame by frame: what
 * vectors do is what there is most of.
 */
static inline __m512i
bundle_line(const struct bundle *b, const struct probe *p, uint32_t k, uint32_t i)
{
	const struct bundle_line *l = &b->lines[k];
	const struct probe_at *at = &p->at[l->win][i];
	const uintptr_t from = (uintptr_t)at->bytes + (uintptr_t)(intptr_t)l->off;

	return _mm512_maskz_loadu_epi8(bundle_there(l->off, at->left), (const void *)from);
}

/* Look the frames @some up. Returns the slots in which somebody has something. */
static inline __attribute__((always_inline)) uint64_t
bundle_find(const struct bundle *b, const struct probe *p, uint64_t some, bool two_words,
	bool two_lines, struct bundle_found *f)
{
	const __m512i buckets = _mm512_load_si512(b->buckets);
	const __m512i tags = _mm512_load_si512(b->tags);
	uint64_t any = 0;
	uint32_t n = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const __m512i first = bundle_line(b, p, 0, i);
		const __m512i second = two_lines ? bundle_line(b, p, 1, i) : first;
		__m512i h = bundle_adds(b, 0, first, second, two_lines);
		__m512i bucket;
		uint64_t equal;

		if (two_words)
			h = _mm512_add_epi64(h, bundle_adds(b, 1, first, second, two_lines));
		h = lane_hashes(h);
		bucket = _mm512_and_si512(_mm512_srli_epi64(h, HASH_BUCKET_SHIFT), buckets);
		equal = lane_tags_equal(
			_mm512_i64gather_epi64(_mm512_add_epi64(tags, bucket), NULL, 8), h);
		/* Who has something is anybody's guess: no branch on it. */
		_mm512_store_si512(f->bucket[n], bucket);
		f->equal[n] = equal;
		f->frame[n] = (uint8_t)i;
		n += equal != 0;
		any |= equal;
	}
	f->n = n;
	return any;
}

#define BUNDLE_FIND(name, two_words, two_lines) \
	static __attribute__((noinline)) uint64_t name(const struct bundle *b, \
		const struct probe *p, uint64_t some, struct bundle_found *f) \
	{ \
		return bundle_find(b, p, some, two_words, two_lines, f); \
	}

BUNDLE_FIND(bundle_find_1, false, false)
BUNDLE_FIND(bundle_find_1_lines, false, true)
BUNDLE_FIND(bundle_find_2, true, false)
BUNDLE_FIND(bundle_find_2_lines, true, true)

typedef uint64_t (*bundle_find_fn)(
	const struct bundle *b, const struct probe *p, uint64_t some, struct bundle_found *f);

/* What frame @k of @f has in the slot @found, a bit: no tag is twice in a bucket. */
static inline struct candidate
bundle_candidate(const struct bundle *b, const struct bundle_found *f, uint32_t k, uint64_t found)
{
	const uint32_t slot = (uint32_t)__builtin_ctzll(found), lane = slot / HASH_SLOTS;

	return (struct candidate){
		f->frame[k], b->places[lane][f->bucket[k][lane]][slot % HASH_SLOTS]};
}

/* Ask the items that frames @some of @f have in table @t of @b. */
static __attribute__((noinline)) void
bundle_try(const struct bundle *b, const struct bundle_table *t, const struct bundle_found *f,
	struct probe *p, uint64_t some)
{
	struct candidate c[MATCH_BURST];
	const uint64_t slots = t->slots;
	uint64_t asked = 0;
	uint32_t n = 0;

	for (uint32_t k = 0; k < f->n; k++) {
		const uint32_t i = f->frame[k];
		const uint64_t s = f->equal[k] & slots;

		if (s == 0 || (some >> i & 1) == 0)
			continue;
		asked |= UINT64_C(1) << i;
		c[n++] = bundle_candidate(b, f, k, s);
	}
	if (n == 0)
		return;
	merged_need_windows(p, t->table->windows, asked);
	if (t->table->n_items > FAR_ITEMS)
		fetch_items(t->table, c, n);
	try_candidates(t->table, p, c, n);
}

/* Look up table by table: of many frames, as they are in floods, each at less cost. */
static void
bundle_apart(const struct bundle *b, struct probe *p, const uint64_t *has, uint64_t alive)
{
	for (uint32_t k = 0; k < b->n_tables; k++) {
		const struct hash_table *t = b->tables[k].table;
		const uint64_t some = has[b->tables[k].test] & alive;

		if (some == 0)
			continue;
		merged_need_windows(p, t->windows, some);
		hash_probe_avx512(t, p, some);
	}
}

/* A frame's lanes, however many, cost as much as a table costs so many frames of a burst. */
#define BUNDLE_SHARE 6

void
bundle_probe_avx512(const struct bundle *b, struct probe *p, const uint64_t *has, uint64_t alive)
{
	static const bundle_find_fn find[BUNDLE_WORDS][BUNDLE_LINES] = {
		{bundle_find_1, bundle_find_1_lines}, {bundle_find_2, bundle_find_2_lines}};
	struct bundle_found f;
	uint64_t some = 0, any;

	for (uint32_t k = 0; k < b->n_tables; k++)
		some |= has[b->tables[k].test];
	some &= alive;
	if (some == 0)
		return;
	if ((uint32_t)__builtin_popcountll(some) * BUNDLE_SHARE > p->n * b->n_lanes) {
		bundle_apart(b, p, has, alive);
		return;
	}
	for (uint32_t k = 0; k < b->n_lines; k++)
		merged_need_windows(p, 1u << b->lines[k].win, some);
	any = find[b->n_words - 1][b->n_lines - 1](b, p, some, &f);
	for (uint32_t k = 0; k < b->n_tables; k++)
		if ((any & b->tables[k].slots) != 0)
			bundle_try(b, &b->tables[k], &f, p, has[b->tables[k].test] & some);
}
