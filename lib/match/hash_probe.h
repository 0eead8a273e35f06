/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the hash kernel, compiled once for each kind of processor:
 * included by hash_c.c, hash_avx2.c and hash_avx512.c, which define HASH_PROBE
 * and hash_tags(), and are given the processor's options by meson.build.
 */

#include "hash.h"
#include "probe.h"
#include "scope.h"
#include "search.h"

/* Needs of which some are of the tail, which are rare. */
static bool
tail_holds(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct window *windows = p->im->index->windows;

	for (uint32_t k = 0; k < it->n_needs; k++) {
		const struct item_need *n = &it->needs[k];
		const struct probe_at *at = &p->at[n->win][i];

		if (windows[n->win].kind == WINDOW_TAIL
				? at->pos < n->a || at->left < -(int32_t)n->b
				: at->left < (int32_t)n->a)
			return false;
	}
	return true;
}

/* The bytes must be there. */
static inline bool
needs_hold(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	for (uint32_t k = 0; k < it->n_needs; k++)
		if (p->at[it->needs[k].win][i].left < (int32_t)it->needs[k].a)
			return false;
	return true;
}

static inline bool
words_hold(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	uint64_t differ = (probe_key_word(p, i) & s->key_mask) ^ it->val[0];

	for (uint32_t k = 0; k < s->n_words; k++) {
		const struct hash_word *w = &s->words[k];

		differ |= (probe_load(&p->at[w->win][i], w->off) & w->mask) ^ it->val[k + 1];
	}
	return differ == 0;
}

/* What the words cannot say. */
static inline bool
rest_holds(const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const struct match_entry *e = &p->im->entries[it->rule];

	if (((it->flags ^ p->flip) & p->ask_flags & ITEM_GENERATED) != 0)
		return false;
	if ((it->flags & ITEM_PORTS) != 0 && (e->ports >> p->port & 1) == 0)
		return false;
	if ((it->flags & ITEM_RUN) != 0 &&
		!search_run(e, p->im->is_jit, (enum match_run)e->run, p->view[i]))
		return false;
	if ((it->flags & ITEM_RANGES) != 0 && !scope_ports_hold(e->scope.more, p->view[i]))
		return false;
	return (it->flags & ITEM_LISTS) == 0 || scope_lists_hold(e->scope.more, p->view[i]);
}

static inline bool
in_force(const struct probe *p, uint32_t i, uint32_t rule)
{
	/* Pairs with match_image_enable(); nothing else depends on it. */
	const uint8_t state = atomic_load_explicit(&p->im->state[rule], memory_order_relaxed);

	return rule >= p->from[i] && (state & p->want[i]) == p->want[i];
}

/*
 * All that can be asked of an item. Not inlined: with it in the loop the common
 * item took twice the instructions.
 */
static __attribute__((noinline)) bool
item_holds(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	if (!words_hold(s, it, p, i) || !in_force(p, i, it->rule))
		return false;
	if (!((it->flags & ITEM_TAIL) != 0 ? tail_holds(it, p, i) : needs_hold(it, p, i)))
		return false;
	return ((it->flags ^ p->flip) & p->ask_flags) == 0 || rest_holds(it, p, i);
}

/* Go along the chain from @place on, which is in the order of rules. */
static __attribute__((noinline)) void
try_chain(const struct hash_table *t, struct probe *p, uint32_t i, uint32_t place)
{
	do {
		const struct hash_item *it = (const void *)&t->items[place];

		if (it->rule >= p->best[i])
			return;
		if (item_holds(&t->shapes[it->shape], it, p, i)) {
			p->best[i] = it->rule;
			return;
		}
		place = it->next;
	} while (place != 0);
}

/*
 * What loops need of a table and a burst, at hand: stores of results could change
 * the originals for all the compiler knows.
 */
struct at_hand {
	const struct hash_bucket *buckets;
	const uint64_t *items;
	uint32_t bucket_mask;
	const uint32_t *key;
};

static inline struct at_hand
at_hand(const struct hash_table *t, const struct probe *p)
{
	return (struct at_hand){t->buckets, t->items, t->bucket_mask, p->key};
}

static inline uint64_t
load_word(const struct probe_at *at, const struct hash_word *w, struct probe_bound bound)
{
	uint64_t v;

	if (__builtin_expect(!probe_within(at, bound), 0))
		return probe_load_edge(at, w->off) & w->mask;
	memcpy(&v, at->bytes + w->off, sizeof(v));
	return v & w->mask;
}

/*
 * Hash all in @some, and have their buckets come. Called with constants, so that
 * each number of words is a loop of its own.
 */
static inline void
hash_all(const struct hash_table *t, const struct probe *p, uint64_t some, uint32_t n_words,
	bool two, uint64_t *ret_hash)
{
	const struct at_hand h = at_hand(t, p);
	const struct hash_word w0 = t->words[0], w1 = t->words[1], w2 = t->words[2];
	const struct probe_bound b0 = probe_bound(w0.off), b1 = probe_bound(w1.off);
	const struct probe_bound b2 = probe_bound(w2.off);
	const struct probe_at *at0 = p->at[w0.win], *at1 = p->at[w1.win], *at2 = p->at[w2.win];
	const uint64_t seed[4] = {t->seed[0], t->seed[1], t->seed[2], t->seed[3]};
	const uint64_t key_mask = t->key_mask;
	const bool sport = key_mask >> 32 != 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		uint64_t w[HASH_DATA_WORDS] = {0}, key = 0;

		if (n_words > 0)
			w[0] = load_word(&at0[i], &w0, b0);
		if (n_words > 1)
			w[1] = load_word(&at1[i], &w1, b1);
		if (n_words > 2)
			w[2] = load_word(&at2[i], &w2, b2);
		if (two)
			key = (sport ? probe_key_word(p, i) : h.key[i]) & key_mask;
		ret_hash[i] = hash_words(seed, w, key, two);
		__builtin_prefetch(&h.buckets[ret_hash[i] & h.bucket_mask]);
	}
}

/* An item that may hold for a frame. */
struct candidate {
	uint32_t i, place;
};

/* The slots @slots of @b but for the last one, which is returned. */
static __attribute__((noinline)) uint32_t
try_all_but_last(const struct hash_table *t, struct probe *p, uint32_t i,
	const struct hash_bucket *b, uint32_t slots)
{
	for (; (slots & (slots - 1)) != 0; slots &= slots - 1)
		try_chain(t, p, i, b->items[__builtin_ctz(slots)]);
	return slots;
}

/* Whose bucket has their tag. @ret: MATCH_BURST of them; more than one of a frame are tried here. */
static inline uint32_t
find_tags(const struct hash_table *t, struct probe *p, uint64_t some, const uint64_t *hash,
	struct candidate *ret)
{
	const struct at_hand h = at_hand(t, p);
	uint32_t n = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct hash_bucket *b = &h.buckets[hash[i] & h.bucket_mask];
		uint32_t slots = hash_tags(b, hash_tag(hash[i]));

		/* Two of eight tags are equal to a frame's once in millions of frames. */
		if (__builtin_expect((slots & (slots - 1)) != 0, 0))
			slots = try_all_but_last(t, p, i, b, slots);
		/* Which frames have one is anybody's guess: no branch on it. */
		ret[n].i = i;
		ret[n].place = b->items[__builtin_ctz(slots | 1u << (HASH_SLOTS - 1))];
		__builtin_prefetch(&h.items[ret[n].place]);
		n += slots != 0;
	}
	return n;
}

#ifdef HASH_RUNS
/* Verify candidates of which most are plain. Called with constants. */
static inline void
try_plain(const struct hash_table *t, struct probe *p, const struct candidate *c, uint32_t n,
	uint32_t run)
{
	const uint64_t *const items = t->items;
	const struct hash_shape *const shapes = t->shapes;
	const struct probe_at *const starts = p->at[t->run_at.win];
	_Atomic uint8_t *const state = p->im->state;
	const int32_t off = t->run_at.off;
	const uint8_t slow = p->ask_flags & ITEM_GENERATED, flip = p->flip;
	const bool again = p->again, ask_key = t->ask_key;

	for (uint32_t k = 0; k < n; k++) {
		const struct hash_item *it = (const void *)&items[c[k].place];
		const struct hash_shape *s = &shapes[it->shape];
		const uint32_t i = c[k].i, rule = it->rule;
		const struct probe_at *at = &starts[i];
		int holds = -1;

		if (((it->flags ^ flip) & (ITEM_PLAIN | slow)) == ITEM_PLAIN && rule < p->best[i])
			holds = hash_run_holds(s, it, at, off, run);
		if (__builtin_expect(holds < 0, 0)) {
			try_chain(t, p, i, c[k].place);
			continue;
		}
		if (holds != 0 && at->left >= (int32_t)it->needs[0].a &&
			(!ask_key || (p->key[i] & s->key_mask) == it->val[0]) &&
			(again ? in_force(p, i, rule)
			       : (atomic_load_explicit(&state[rule], memory_order_relaxed) &
					 MATCH_STATE_ENABLED) != 0))
			p->best[i] = rule;
		else if (it->next != 0)
			try_chain(t, p, i, it->next);
	}
}
#endif

void
HASH_PROBE(const struct hash_table *t, struct probe *p, uint64_t some)
{
	struct candidate c[MATCH_BURST + 1];
	uint64_t hash[MATCH_BURST];
	uint32_t n;

	/* Up to three words, one or two folds. */
	switch (2 * t->n_words + hash_needs_two(t)) {
	case 2 * 1: hash_all(t, p, some, 1, false, hash); break;
	case 2 * 1 + 1: hash_all(t, p, some, 1, true, hash); break;
	case 2 * 2: hash_all(t, p, some, 2, false, hash); break;
	case 2 * 2 + 1: hash_all(t, p, some, 2, true, hash); break;
	case 2 * 3 + 1: hash_all(t, p, some, 3, true, hash); break;
	default: hash_all(t, p, some, 0, true, hash); break;
	}
	n = find_tags(t, p, some, hash, c);
#ifdef HASH_RUNS
	if (t->run == 32) {
		try_plain(t, p, c, n, 32);
		return;
	}
	if (t->run == 64) {
		try_plain(t, p, c, n, 64);
		return;
	}
#endif
	for (uint32_t k = 0; k < n; k++)
		try_chain(t, p, c[k].i, c[k].place);
}
