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

static inline bool
ranges_hold(
	const struct hash_shape *s, const struct hash_item *it, const struct probe *p, uint32_t i)
{
	const uint64_t *v = &it->val[1 + s->n_words];

	for (uint32_t k = 0; k < s->n_ranges; k++) {
		const struct hash_range *r = &s->ranges[k];
		uint32_t x = p->steps[i];

		if (r->size == 0)
			x = probe_len(p, i, r->space);
		else if (r->win != WINDOW_OF_KEY)
			x = __builtin_bswap32((uint32_t)probe_load(&p->at[r->win][i], r->off)) >>
				8 * (4u - r->size);
		if ((x & r->mask) - (uint32_t)v[k] > (uint32_t)(v[k] >> 32))
			return false;
	}
	return true;
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
	if (s->n_ranges > 0 && !ranges_hold(s, it, p, i))
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

/* ---- hash and tags ---- */

/* A word that is hashed, at hand: stores of results could change the original for all the compiler knows. */
struct hashed_word {
	const struct probe_at *at;
	int64_t off;
	uint64_t mask;
	struct probe_bound bound;
};

struct hasher {
	const struct probe *p;
	struct hashed_word w0, w1, w2;
	int32_t left; /* the greatest of bounds */
	uint64_t seed[4];
	uint64_t key_mask;
};

static inline struct hashed_word
hashed_word(const struct hash_word *w, const struct probe *p)
{
	return (struct hashed_word){p->at[w->win], w->off, w->mask, probe_bound(w->off)};
}

static inline struct hasher
hasher(const struct hash_table *t, const struct probe *p)
{
	return (struct hasher){
		.p = p,
		.w0 = hashed_word(&t->words[0], p),
		.w1 = hashed_word(&t->words[1], p),
		.w2 = hashed_word(&t->words[2], p),
		.left = t->left,
		.seed = {t->seed[0], t->seed[1], t->seed[2], t->seed[3]},
		.key_mask = t->key_mask,
	};
}

static inline uint64_t
load_near(const struct hashed_word *w, const uint8_t *bytes)
{
	uint64_t v;

	memcpy(&v, bytes + w->off, sizeof(v));
	return v & w->mask;
}

static inline uint64_t
load_word(const struct hashed_word *w, uint32_t i)
{
	if (__builtin_expect(!probe_within(&w->at[i], w->bound), 0))
		return probe_load_edge(&w->at[i], (int32_t)w->off) & w->mask;
	return load_near(w, w->at[i].bytes);
}

/* What a table hashes; constants, so that each combination has a loop of its own. */
struct hash_form {
	uint32_t n_words;
	bool two; /* as of hash_words() */
	bool together; /* as of hash_table.together */
};

static inline uint64_t
hash_frame(const struct hasher *h, uint32_t i, struct hash_form f)
{
	const struct probe_at *at = &h->w0.at[i];
	uint64_t w0 = 0, w1 = 0, w2 = 0, key = 0;

	/* The words of one window: one address, one comparison. */
	if (f.together && __builtin_expect(at->left >= h->left, 1)) {
		w0 = load_near(&h->w0, at->bytes);
		w1 = f.n_words > 1 ? load_near(&h->w1, at->bytes) : 0;
		w2 = f.n_words > 2 ? load_near(&h->w2, at->bytes) : 0;
	} else {
		w0 = f.n_words > 0 ? load_word(&h->w0, i) : 0;
		w1 = f.n_words > 1 ? load_word(&h->w1, i) : 0;
		w2 = f.n_words > 2 ? load_word(&h->w2, i) : 0;
	}
	if (f.two)
		key = (h->key_mask >> 32 != 0 ? probe_key_word(h->p, i) : h->p->key[i]) &
			h->key_mask;
	return hash_words(h->seed, (uint64_t[HASH_DATA_WORDS]){w0, w1, w2}, key, f.two);
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

/*
 * What @b has for frame @i: @ret is set where it is 1, and may be where it is 0. Of
 * several items all but one are tried here.
 */
static inline uint32_t
find_tag(const struct hash_table *t, struct probe *p, uint32_t i, const struct hash_bucket *b,
	uint64_t hash, const uint64_t *items, struct candidate *ret)
{
	uint32_t slots = hash_tags(b, hash_tag(hash));

	/* Two of eight tags are equal to a frame's once in millions of frames. */
	if (__builtin_expect((slots & (slots - 1)) != 0, 0))
		slots = try_all_but_last(t, p, i, b, slots);
	/* Which frames have one is anybody's guess: no branch on it. */
	ret->i = i;
	ret->place = b->items[__builtin_ctz(slots | 1u << (HASH_SLOTS - 1))];
	__builtin_prefetch(&items[ret->place]);
	return slots != 0;
}

/*
 * Hash the frames @some and look into their buckets. @all: they are all of the
 * burst, which needs no look at the mask.
 */
static inline __attribute__((always_inline)) uint32_t
find_now(const struct hash_table *t, struct probe *p, uint64_t some, bool all, struct hash_form f,
	struct candidate *ret)
{
	const struct hasher h = hasher(t, p);
	const struct hash_bucket *const buckets = t->buckets;
	const uint64_t *const items = t->items;
	const uint32_t mask = t->bucket_mask, end = p->n;
	uint32_t n = 0;

	for (uint32_t i = 0; all ? i < end : some != 0; i++, some &= some - 1) {
		uint64_t hash;

		if (!all)
			i = (uint32_t)__builtin_ctzll(some);
		hash = hash_frame(&h, i, f);
		n += find_tag(t, p, i, &buckets[hash & mask], hash, items, &ret[n]);
	}
	return n;
}

/* The same where buckets are not likely to be near: all are fetched before one is looked into. */
static inline __attribute__((always_inline)) uint32_t
find_soon(const struct hash_table *t, struct probe *p, uint64_t some, struct hash_form f,
	struct candidate *ret)
{
	const struct hasher h = hasher(t, p);
	const struct hash_bucket *const buckets = t->buckets;
	const uint64_t *const items = t->items;
	const uint32_t mask = t->bucket_mask;
	uint64_t hash[MATCH_BURST];
	uint32_t n = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		hash[i] = hash_frame(&h, i, f);
		__builtin_prefetch(&buckets[hash[i] & mask]);
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		n += find_tag(t, p, i, &buckets[hash[i] & mask], hash[i], items, &ret[n]);
	}
	return n;
}

#define FAR_BUCKETS (512 * 1024 / sizeof(struct hash_bucket)) /* a share of the second cache */

/* @ret: MATCH_BURST + 1 of them; returns how many are set. */
typedef uint32_t (*find_fn)(
	const struct hash_table *t, struct probe *p, uint64_t some, struct candidate *ret);

/* Calls of their own, that each loop has all registers. */
#define FIND(name, ...) \
	static __attribute__((noinline)) uint32_t name( \
		const struct hash_table *t, struct probe *p, uint64_t some, struct candidate *ret) \
	{ \
		const struct hash_form f = {__VA_ARGS__}; \
\
		if (t->n_buckets > FAR_BUCKETS) \
			return find_soon(t, p, some, f, ret); \
		if (some == search_mask(p->n)) \
			return find_now(t, p, some, true, f, ret); \
		return find_now(t, p, some, false, f, ret); \
	}

FIND(find_1, 1, false, false)
FIND(find_1_key, 1, true, false)
FIND(find_2, 2, false, false)
FIND(find_2_key, 2, true, false)
FIND(find_3, 3, true, false)
FIND(find_key, 0, true, false)
FIND(find_1_together, 1, false, true)
FIND(find_1_key_together, 1, true, true)
FIND(find_2_together, 2, false, true)
FIND(find_2_key_together, 2, true, true)
FIND(find_3_together, 3, true, true)

static inline find_fn
find_for(const struct hash_table *t)
{
	static const find_fn by_words[HASH_DATA_WORDS + 1][2][2] = {
		{{find_key, find_key}, {find_key, find_key}},
		{{find_1, find_1_together}, {find_1_key, find_1_key_together}},
		{{find_2, find_2_together}, {find_2_key, find_2_key_together}},
		{{find_3, find_3_together}, {find_3, find_3_together}},
	};

	return by_words[t->n_words][hash_needs_two(t)][t->together];
}

/* ---- candidates ---- */

#ifdef HASH_RUNS
/* Whether the bytes of the run of plain item @it are there. */
static inline bool
run_is_there(const struct hash_item *it, const struct probe_at *at, bool at_tail)
{
	if (at_tail)
		return at->pos >= it->needs[0].a && at->left >= -(int32_t)it->needs[0].b;
	return at->left >= (int32_t)it->needs[0].a;
}

/* Verify candidates of which most are plain. Called with constants. */
static inline void
try_plain(const struct hash_table *t, struct probe *p, const struct candidate *c, uint32_t n,
	uint32_t run, bool at_tail)
{
	const uint64_t *const items = t->items;
	const struct hash_shape *const shapes = t->shapes;
	const struct probe_at *const starts = p->at[t->run_at.win];
	_Atomic uint8_t *const state = p->im->state;
	const int32_t off = t->run_at.off;
	const uint8_t slow = p->ask_flags & ITEM_GENERATED, flip = p->flip;
	const bool again = p->again, ask_key = t->ask_key, ask_plain = !t->all_plain || slow != 0;

	for (uint32_t k = 0; k < n; k++) {
		const struct hash_item *it = (const void *)&items[c[k].place];
		const struct hash_shape *s = &shapes[it->shape];
		const uint32_t i = c[k].i, rule = it->rule;
		const struct probe_at *at = &starts[i];

		if (rule >= p->best[i])
			continue;
		if (ask_plain && ((it->flags ^ flip) & (ITEM_PLAIN | slow)) != ITEM_PLAIN) {
			try_chain(t, p, i, c[k].place);
			continue;
		}
		if (__builtin_expect(!hash_run_fits(at, off, run), 0)) {
			try_chain(t, p, i, c[k].place);
			continue;
		}
		if (run_is_there(it, at, at_tail) && hash_run_holds(s, it, at, off, run) &&
			(!ask_key || (p->key[i] & s->key_mask) == it->val[0]) &&
			(again ? in_force(p, i, rule)
			       : (atomic_load_explicit(&state[rule], memory_order_relaxed) &
					 MATCH_STATE_ENABLED) != 0) &&
			(s->n_ranges == 0 ||
				(s->near != 0 ? hash_near_hold(
							s, &it->val[1 + s->n_words], at->bytes)
					      : ranges_hold(s, it, p, i))))
			p->best[i] = rule;
		else if (it->next != 0)
			try_chain(t, p, i, it->next);
	}
}

static __attribute__((noinline)) void
try_runs(const struct hash_table *t, struct probe *p, const struct candidate *c, uint32_t n)
{
	if (t->run == 32 && !t->run_at_tail)
		try_plain(t, p, c, n, 32, false);
	else if (t->run == 32)
		try_plain(t, p, c, n, 32, true);
	else if (!t->run_at_tail)
		try_plain(t, p, c, n, 64, false);
	else
		try_plain(t, p, c, n, 64, true);
}
#endif

void
HASH_PROBE(const struct hash_table *t, struct probe *p, uint64_t some)
{
	struct candidate c[MATCH_BURST + 1];
	const uint32_t n = find_for(t)(t, p, some, c);

#ifdef HASH_RUNS
	if (t->run != 0) {
		try_runs(t, p, c, n);
		return;
	}
#endif
	for (uint32_t k = 0; k < n; k++)
		try_chain(t, p, c[k].i, c[k].place);
}

#include "hash_steps.h"
