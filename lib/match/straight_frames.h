/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The body of the straight way where frames are lanes of no vector, compiled once for each
 * kind of processor: included by straight_c.c and straight_avx2.c. Stages go through the whole
 * burst, since a frame's way is load behind load: the less a turn does the more turns the
 * processor has on their way.
 *
 * Before it: hash_run_holds(), hash_run_fits(), hash_near_hold(), and STRAIGHT. Behind it:
 * look_up_all().
 */

#include "straight.h"

#include "index.h"
#include "place_step.h"
#include "search.h"

#define STRAIGHT_LANES 4 /* frames that have windows come in so many, also in plain C */

/* A burst on its way; filled as far as it is used. */
struct straight {
	const struct match_image *im;
	const struct pkt_view *views;
	const uint8_t *which; /* NULL: the first ones */
	uint32_t n;
	uint64_t all; /* frames */
	uint32_t found; /* bit w: at[w] is set */
	/* Up to the next multiple of SEARCH_KEYS behind @n, keys are set and mean nothing. */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint32_t best[MATCH_BURST] __attribute__((aligned(64)));
	/* Up to the next multiple of STRAIGHT_LANES nowhere. */
	struct probe_at at[WINDOWS_MAX][MATCH_BURST] __attribute__((aligned(64)));
};

/* What a table may have for frames. */
struct straight_items {
	uint32_t place[MATCH_BURST]; /* as of hash_table.places */
};

/*
 * What the buckets of the frames @some have for them. Returns for which they have something.
 * Called with a constant @n_words, that of @t, so that each is a loop of its own.
 */
static inline __attribute__((always_inline)) uint64_t look_up_all(const struct straight *s,
	const struct hash_table *t, uint64_t some, struct straight_items *ret, uint32_t n_words);

/* ---- frames ---- */

static inline const struct pkt_view *
view_of(const struct straight *s, uint32_t i)
{
	return &s->views[s->which != NULL ? s->which[i] : i];
}

#define EIGHT(k) k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6, k + 7

/* Whether @which are @n frames that lie one behind the other, from the first one on. */
static bool
are_in_row(const uint8_t *which, uint32_t n)
{
	static const uint8_t row[MATCH_BURST] = {EIGHT(0), EIGHT(8), EIGHT(16), EIGHT(24),
		EIGHT(32), EIGHT(40), EIGHT(48), EIGHT(56)};

	return memcmp(which, row, n) == 0;
}

/* Called with constants, so that a burst in a row is a loop without @which. */
static inline __attribute__((always_inline)) void
take_all(struct straight *s, const uint8_t *which)
{
	struct probe_at *at = s->at[WINDOW_OF_START(SPACE_RAW)];
	const struct pkt_view *views = s->views;
	const uint32_t n = s->n;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct pkt_view *v = &views[which != NULL ? which[i] : i];

		s->key[i] = v->key;
		at[i] = place_start(v);
	}
	for (; i % STRAIGHT_LANES != 0; i++)
		at[i] = PLACE_NOWHERE;
	for (i = n; i % SEARCH_KEYS != 0; i++)
		s->key[i] = 0;
}

static void
take_frames(struct straight *s)
{
	_Static_assert(MATCH_BURST % SEARCH_KEYS == 0 && SEARCH_KEYS % STRAIGHT_LANES == 0,
		"room behind the last one");
	if (s->which == NULL)
		take_all(s, NULL);
	else
		take_all(s, s->which);
	s->found = 1u << WINDOW_OF_START(SPACE_RAW);
}

/* ---- windows, of all frames: what is not asked about costs less than to tell ---- */

/* Called with constants, so that each kind is a loop of its own. */
static inline __attribute__((always_inline)) void
find_all(struct straight *s, uint32_t win, enum window_kind kind)
{
	const struct window *w = &s->im->index->windows[win];
	const struct probe_at *start = s->at[WINDOW_OF_START(SPACE_RAW)];
	const struct probe_at *from = s->at[w->parent];
	struct probe_at *ret = s->at[win];
	const uint32_t off = w->off, n = s->n;
	uint32_t i;

	for (i = 0; i < n; i++)
		ret[i] = place_step(&start[i], &from[i], off, kind);
	for (; i % STRAIGHT_LANES != 0; i++)
		ret[i] = PLACE_NOWHERE;
}

/* Behind the last byte. */
static void
find_tails(struct straight *s, uint32_t win)
{
	const struct probe_at *start = s->at[WINDOW_OF_START(SPACE_RAW)];
	struct probe_at *ret = s->at[win];
	uint32_t i;

	for (i = 0; i < s->n; i++)
		ret[i] = place_tail(&start[i], view_of(s, i)->l3_len);
	for (; i % STRAIGHT_LANES != 0; i++)
		ret[i] = PLACE_NOWHERE;
}

static void
find_window(struct straight *s, uint32_t win)
{
	const struct window *w = &s->im->index->windows[win];

	if ((s->found >> win & 1) != 0)
		return;
	s->found |= 1u << win;
	if (w->kind == WINDOW_BYTE || w->kind == WINDOW_WALK)
		find_window(s, w->parent);
	switch ((enum window_kind)w->kind) {
	case WINDOW_KEY:
	case WINDOW_STEPS: /* straight_fits() */
	case WINDOW_START: break; /* by take_frames() */
	case WINDOW_TAIL: find_tails(s, win); break;
	case WINDOW_IHL: find_all(s, win, WINDOW_IHL); break;
	case WINDOW_L4: find_all(s, win, WINDOW_L4); break;
	case WINDOW_BYTE: find_all(s, win, WINDOW_BYTE); break;
	case WINDOW_WALK: find_all(s, win, WINDOW_WALK); break;
	}
}

/* ---- tables ---- */

#define LOOK_UP(name, n_words) \
	static __attribute__((noinline)) uint64_t name(const struct straight *s, \
		const struct hash_table *t, uint64_t some, struct straight_items *ret) \
	{ \
		return look_up_all(s, t, some, ret, n_words); \
	}

LOOK_UP(look_up_1, 1)
LOOK_UP(look_up_2, 2)
LOOK_UP(look_up_3, 3)

typedef uint64_t (*look_up_fn)(const struct straight *s, const struct hash_table *t, uint64_t some,
	struct straight_items *ret);

/* By how many words are hashed less one. */
static const look_up_fn look_ups[HASH_DATA_WORDS] = {look_up_1, look_up_2, look_up_3};

#define STRAIGHT_WINDOWS struct probe_at

static inline const struct probe_at *
windows_of(const struct straight *s, uint32_t win)
{
	return s->at[win];
}

static inline struct probe_at
window_of(const struct probe_at *w, uint32_t i)
{
	return w[i];
}

static inline const struct hash_item *
item_of(const uint64_t *all, const struct straight_items *items, uint32_t i)
{
	return (const void *)&all[items->place[i]];
}

#include "straight_have.h"

/* hash_run_holds() where that cannot say it: word by word, of which some may be behind the end. */
static __attribute__((noinline)) bool
run_holds_at_edge(const struct hash_shape *s, const struct hash_item *it, const struct probe_at *at,
	int32_t off)
{
	uint64_t differ = 0;

	for (uint32_t b = 0; b < s->run; b += sizeof(uint64_t)) {
		uint64_t mask;

		memcpy(&mask, &s->run_mask[b], sizeof(mask));
		differ |= (probe_load(at, off + (int32_t)b) ^ it->val[1 + b / sizeof(mask)]) & mask;
	}
	return differ == 0;
}

static inline __attribute__((always_inline)) bool
item_holds(const struct straight *s, const struct straight_table *t, const struct hash_item *it,
	uint32_t i, const struct probe_at *at)
{
	const struct hash_shape *shape = &t->shapes[it->shape];

	(void)s;
	(void)i;
	if (!hash_run_is_there(it, at->left, at->pos, t->at_tail))
		return false;
	if (__builtin_expect(hash_run_fits(at, t->off, t->run), 1)) {
		if (!hash_run_holds(shape, it, at, t->off, t->run))
			return false;
	} else if (!run_holds_at_edge(shape, it, at, t->off)) {
		return false;
	}
	if (t->ranges && shape->near != 0 &&
		!hash_near_hold(shape, &it->val[1 + shape->n_words], at->bytes))
		return false;
	/* Pairs with match_image_enable(); nothing else depends on it. */
	return (atomic_load_explicit(&t->state[it->rule], memory_order_relaxed) &
		       MATCH_STATE_ENABLED) != 0;
}

uint64_t
STRAIGHT(const struct match_image *im, const struct pkt_view *views, const uint8_t *which,
	uint32_t n, uint32_t *ret)
{
	const struct match_index *ix = im->index;
	uint64_t some[STRAIGHT_TABLES_MAX], odd = 0;
	struct straight_items items[STRAIGHT_TABLES_MAX];
	struct straight s;

	s.im = im;
	s.views = views;
	s.which = which == NULL || are_in_row(which, n) ? NULL : which;
	s.n = n;
	s.all = search_mask(n);
	take_frames(&s);
	memset(s.best, 0xff, n * sizeof(s.best[0])); /* MATCH_NONE */
	if (im->any_generated)
		odd = search_keys_odd(s.key, n) & s.all;
	for (uint32_t k = 0; k < ix->n_tables; k++)
		some[k] = search_keys_test(s.key, n, ix->tables[k].test) & s.all & ~odd;
	/* Each stage for all tables, which do not wait for each other. */
	for (uint32_t k = 0; k < ix->n_tables; k++) {
		const struct hash_table *t = &ix->tables[k];

		if (some[k] == 0)
			continue;
		find_window(&s, t->run_at.win);
		some[k] = look_ups[t->n_words - 1](&s, t, some[k], &items[k]);
	}
	for (uint32_t k = 0; k < ix->n_tables; k++) {
		const struct hash_table *t = &ix->tables[k];

		if (some[k] != 0)
			haves[t->run > 32][t->run_at_tail][!t->all_simple](
				&s, t, &items[k], some[k]);
	}
	memcpy(ret, s.best, n * sizeof(s.best[0]));
	return odd;
}
