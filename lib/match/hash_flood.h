/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Candidates of which most are one item, as in a flood: what is asked of it is read once, and
 * frames are compared without a branch, in fewer instructions. Included by
 * hash_probe.h for processors with AVX-512.
 */

/* So many candidates with one item take less together than one by one. */
#define FLOOD_MIN 8

/* What two of three of the @n candidates @c are, three at least; or 0. */
static inline uint32_t
place_of_most(const struct candidate *c, uint32_t n)
{
	const uint32_t first = c[0].place, middle = c[n / 2].place, last = c[n - 1].place;

	return first == middle || first == last ? first : middle == last ? last : 0;
}

/*
 * Whether @it, of shape @s, is in force and asks no more than its run and the key, and all frames
 * are asked for the first time.
 */
static inline bool
is_flood_plain(const struct hash_table *t, const struct hash_shape *s, const struct hash_item *it,
	const struct probe *p)
{
	const uint8_t slow = p->ask_flags & ITEM_GENERATED;
	const uint8_t state = atomic_load_explicit(&p->im->state[it->rule], memory_order_relaxed);

	return !t->halves && !p->again && s->n_ranges == 0 &&
		((it->flags ^ p->flip) & (ITEM_PLAIN | slow)) == ITEM_PLAIN &&
		(state & MATCH_STATE_ENABLED) != 0;
}

/*
 * Ask the item at @place, with which a chain may begin, of those of the @n candidates that are
 * it. Leaves the others in @c, and those that are not; returns how many.
 */
static __attribute__((noinline)) uint32_t
try_one(const struct hash_table *t, struct probe *p, uint32_t place, struct candidate *c,
	uint32_t n)
{
	const struct hash_item *it = (const void *)&t->items[place];
	const struct hash_shape *s = &t->shapes[it->shape];
	const __mmask64 bytes = s->run_bytes;
	const __m512i mask = _mm512_load_si512(s->run_mask);
	const __m512i value = _mm512_maskz_loadu_epi8(bytes, &it->val[1]);
	const uint64_t key_mask = t->ask_key ? s->key_mask : 0;
	const uint64_t key = t->ask_key ? it->val[0] : 0;
	const uint32_t rule = it->rule;
	uint32_t left = 0;

	if (!is_flood_plain(t, s, it, p))
		return n;
	for (uint32_t k = 0; k < n; k++) {
		const struct candidate one = c[k];
		const struct probe_at *at = &p->at[t->run_at.win][one.i];
		const uintptr_t start = (uintptr_t)at->bytes + (uintptr_t)(intptr_t)t->run_at.off;
		const bool may = one.place == place && rule < p->best[one.i] &&
			(p->key[one.i] & key_mask) == key &&
			hash_run_is_there(it, at->left, at->pos, t->run_at_tail);
		const __m512i v = _mm512_maskz_loadu_epi8(may ? bytes : 0, (const void *)start);
		const bool holds =
			_mm512_test_epi8_mask(_mm512_xor_si512(v, value), mask) == 0 && may;

		p->best[one.i] = holds ? rule : p->best[one.i];
		c[left] = one;
		left += !holds;
	}
	return left;
}

/* Ask the item that most of the @n candidates are, if there is one. As try_one(). */
static inline uint32_t
try_flood(const struct hash_table *t, struct probe *p, struct candidate *c, uint32_t n)
{
	const uint32_t place = n >= FLOOD_MIN ? place_of_most(c, n) : 0;

	return place != 0 ? try_one(t, p, place, c, n) : n;
}
