// SPDX-License-Identifier: BSD-3-Clause
#include "search.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "cbpf/prog.h"

#define IP6_HEADER 40

/* ---- a burst ---- */

/* The numbers 0..63. */
#define FOUR(n) (n), (n) + 1, (n) + 2, (n) + 3
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
const uint8_t search_in_order[MATCH_BURST] = {SIXTEEN(0), SIXTEEN(16), SIXTEEN(32), SIXTEEN(48)};
_Static_assert(MATCH_BURST == 64, "a number a frame");

void
search_init_frames(struct search *s, const struct pkt_view *views, uint32_t n)
{
	s->views = views;
	s->n = n;
	s->alive = search_mask(n);
	s->in_order = true;
	memcpy(s->frame, search_in_order, sizeof(search_in_order));
}

void
search_init(struct search *s, const struct pkt_view *views, uint32_t n)
{
	uint32_t i;

	search_init_frames(s, views, n);
	for (i = 0; i < n; i++)
		s->key[i] = views[i].key;
	for (; i % SEARCH_KEYS != 0; i++)
		s->key[i] = 0;
}

void
search_add(struct search *s, uint32_t frame)
{
	if (s->n % SEARCH_KEYS == 0)
		for (uint32_t i = s->n; i < s->n + SEARCH_KEYS; i++)
			s->key[i] = 0;
	s->key[s->n] = s->views[frame].key;
	s->frame[s->n] = (uint8_t)frame;
	s->alive |= UINT64_C(1) << s->n;
	s->in_order = false;
	s->n++;
}

void
search_remove(struct search *s, uint64_t gone)
{
	const uint32_t left = (uint32_t)__builtin_popcountll(s->alive & ~gone);
	uint32_t kept = 0;

	s->alive &= ~gone;
	if (left != 0 && left > s->n / 2)
		return;
	/* Which frames of a mixed burst are left is anybody's guess: no branch on it. */
	for (uint32_t i = 0; i < s->n && kept < left; i++) {
		s->key[kept] = s->key[i];
		s->frame[kept] = s->frame[i];
		kept += s->alive >> i & 1;
	}
	s->n = left;
	s->alive = search_mask(left);
	s->in_order = false;
}

/* Bit i: the comparison holds for key i. Bits from s->n on mean nothing. */
#ifdef __SSE2__
static inline uint64_t
test_keys(const uint32_t *key, uint32_t n, struct scope_test t)
{
	const __m128i mask = _mm_set1_epi32((int)t.mask), val = _mm_set1_epi32((int)t.val);
	uint64_t hold = 0;

	for (uint32_t i = 0; i < n; i += SEARCH_KEYS) {
		const __m128i *k = (const __m128i *)(const void *)&key[i];
		__m128i eq[4];

		for (int j = 0; j < 4; j++)
			eq[j] = _mm_cmpeq_epi32(_mm_and_si128(_mm_load_si128(k + j), mask), val);
		eq[0] = _mm_packs_epi16(
			_mm_packs_epi32(eq[0], eq[1]), _mm_packs_epi32(eq[2], eq[3]));
		hold |= (uint64_t)(uint32_t)_mm_movemask_epi8(eq[0]) << i;
	}
	return hold;
}
#else
static inline uint64_t
test_keys(const uint32_t *key, uint32_t n, struct scope_test t)
{
	uint64_t hold = 0;

	for (uint32_t i = 0; i < n; i++)
		hold |= (uint64_t)scope_test(&t, key[i]) << i;
	return hold;
}
#endif

uint64_t
search_keys_test(const uint32_t *key, uint32_t n, struct scope_test t)
{
	return test_keys(key, n, t);
}

uint64_t
search_keys_odd(const uint32_t *key, uint32_t n)
{
	return test_keys(key, n, search_odd_test()) & search_mask(n);
}

uint64_t
search_odd(const struct search *s, const struct match_image *im)
{
	return im->any_generated ? search_keys_odd(s->key, s->n) & s->alive : 0;
}

/* Of the frames in @some, those for which lists and prefixes hold. */
static uint64_t
test_more(const struct search *s, const struct scope_more *more, uint64_t some, bool late)
{
	const struct pkt_view *views[MATCH_BURST];
	uint8_t place[MATCH_BURST];
	uint64_t hold = 0;
	uint32_t n = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		place[n] = (uint8_t)__builtin_ctzll(m);
		views[n] = search_view(s, place[n]);
		n++;
	}
	for (uint64_t m = scope_more_hold(more, views, n, late); m != 0; m &= m - 1)
		hold |= UINT64_C(1) << place[__builtin_ctzll(m)];
	return hold;
}

/*
 * Run the program of @e on the frames in @some. Returns those it matches.
 * Called with constants, so that each combination is a loop of its own.
 */
static inline uint64_t
run_all(const struct search *s, const struct match_entry *e, bool is_jit, enum match_run kind,
	uint64_t some)
{
	/* Outside of @s, since the program could change it for all the compiler knows: 0.7 ns. */
	const struct pkt_view *views = s->views;
	const uint32_t n = s->n;
	uint64_t hit = 0;

	/* In a flood all frames of a burst get here: 2.8 ns a frame instead of 3.9. */
	if (s->in_order && some == search_mask(n)) {
		for (uint32_t i = 0; i < n; i++)
			hit |= (uint64_t)search_run(e, is_jit, kind, &views[i]) << i;
		return hit;
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		hit |= (uint64_t)search_run(e, is_jit, kind, &views[s->frame[i]]) << i;
	}
	return hit;
}

uint64_t
search_match(const struct search *s, const struct match_entry *e, bool is_jit)
{
	const struct scope_more *more = e->scope.more;
	uint64_t some = test_keys(s->key, s->n, e->scope.test) & s->alive, late = 0;

	if (more != NULL) {
		if (more->late.mask != 0)
			late = test_more(
				s, more, test_keys(s->key, s->n, more->late) & s->alive, true);
		some = test_more(s, more, some, false);
	}
	switch ((enum match_run)e->run) {
	case MATCH_RUN_NONE: break;
	case MATCH_RUN_RAW:
		some = is_jit ? run_all(s, e, true, MATCH_RUN_RAW, some)
			      : run_all(s, e, false, MATCH_RUN_RAW, some);
		break;
	case MATCH_RUN_RAW_ONE:
		some = is_jit ? run_all(s, e, true, MATCH_RUN_RAW_ONE, some)
			      : run_all(s, e, false, MATCH_RUN_RAW_ONE, some);
		break;
	case MATCH_RUN_ETHER:
		some = is_jit ? run_all(s, e, true, MATCH_RUN_ETHER, some)
			      : run_all(s, e, false, MATCH_RUN_ETHER, some);
		break;
	}
	return some | late;
}

bool
search_one(const struct match_entry *e, bool is_jit, uint32_t key, const struct pkt_view *v)
{
	const struct scope_more *more = e->scope.more;

	if (!scope_test(&e->scope.test, key) || (more != NULL && !scope_more_holds(more, v, false)))
		return false;
	return e->run == MATCH_RUN_NONE || search_run(e, is_jit, (enum match_run)e->run, v);
}

/* ---- one frame with extension headers ---- */

bool
search_without_exts(const struct pkt_view *v, uint8_t *buf, struct pkt_view *ret_view)
{
	const uint8_t *ip = v->frame + v->l3_off;
	struct pkt_view plain = *v;
	uint32_t cut, len;

	if (v->l4_off == 0)
		return false;
	cut = v->l4_off - v->l3_off - IP6_HEADER;
	plain.frame = buf;
	plain.l3_off = 0;
	plain.l3_caplen = MIN(v->l3_caplen - cut, SEARCH_DATAGRAM_MAX);
	plain.l3_len = v->l3_len - cut;
	memcpy(buf, ip, IP6_HEADER);
	memcpy(buf + IP6_HEADER, v->frame + v->l4_off, plain.l3_caplen - IP6_HEADER);
	/* Where the length field says nothing it goes on saying so. */
	len = load_be16(ip + 4);
	store_be16(buf + 4, (uint16_t)(len >= cut ? len - cut : len));
	buf[6] = v->proto;
	*ret_view = plain;
	return true;
}

/* Whether the scope of @e holds for @v; @ret_late: and that is all there is to ask. */
static bool
scope_holds(const struct match_entry *e, uint32_t key, const struct pkt_view *v, bool *ret_late)
{
	const struct scope_more *more = e->scope.more;

	*ret_late = more != NULL && scope_test(&more->late, key);
	if (!*ret_late && !scope_test(&e->scope.test, key))
		return false;
	return more == NULL || scope_more_holds(more, v, *ret_late);
}

bool
search_late(const struct match_entry *e, const struct pkt_view *v)
{
	bool late;

	return scope_holds(e, v->key, v, &late) && late;
}

void
search_alone(const struct match_image *im, const struct pkt_view *v, uint32_t port, uint32_t from,
	search_hit hit, void *ctx)
{
	const uint32_t key = v->key;
	struct pkt_view plain;
	uint8_t buf[SEARCH_DATAGRAM_MAX];
	bool found = false, copied = false, late, match;

	for (uint32_t i = from; i < im->n; i++) {
		const struct match_entry *e = &im->entries[i];

		if (!search_in_force(e, port) || !scope_holds(e, key, v, &late))
			continue;
		if (late || e->run == MATCH_RUN_NONE) {
			match = true;
		} else if (e->run != MATCH_RUN_ETHER && e->generated) {
			/* Copied for the first rule that asks, if any does. */
			if (!copied)
				found = search_without_exts(v, buf, &plain);
			copied = true;
			match = found && search_run(e, im->is_jit, (enum match_run)e->run, &plain);
		} else {
			match = search_run(e, im->is_jit, (enum match_run)e->run, v);
		}
		if (match && !hit(ctx, i))
			return;
	}
}
