// SPDX-License-Identifier: BSD-3-Clause
#include "merged.h"

#include <string.h>

#include "index.h"
#include "parts.h"

uint64_t
probe_load_edge(const struct probe_at *at, int32_t off)
{
	const int64_t pos = at->pos, end = pos + at->left, from = pos + off;
	const uint8_t *bytes;
	uint64_t v = 0;

	if (at->pos == PROBE_NOWHERE)
		return 0;
	bytes = at->bytes - pos;
	if (from >= 0 && from < end && end >= 8) {
		memcpy(&v, bytes + end - 8, sizeof(v));
		return v >> 8 * (from + 8 - end);
	}
	for (int64_t b = 0; b < 8; b++)
		if (from + b >= 0 && from + b < end)
			v |= (uint64_t)bytes[from + b] << 8 * b;
	return v;
}

void
merged_init(struct probe *p, const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t port)
{
	p->im = im;
	p->views = views;
	p->n = n;
	p->port = port;
	p->ask_flags = ITEM_ASKS;
	p->flip = 0;
	p->again = false;
	p->only_late = false;
	memset(p->found, 0, sizeof(p->found));
	im->index->place_frames(p, which);
	if (!im->index->any_ether)
		return;
	for (uint32_t i = 0; i < n; i++)
		p->at[WINDOW_OF_START(SPACE_ETHER)][i] =
			(struct probe_at){p->view[i]->frame, (int32_t)p->view[i]->caplen, 0};
}

uint64_t
merged_odd(const struct probe *p)
{
	return p->im->any_generated ? search_keys_odd(p->key, p->n) : 0;
}

uint64_t
merged_equal(const struct probe *p, const uint32_t *v, uint32_t x)
{
	return masks_equal_c(v, p->n, x) & search_mask(p->n);
}

uint64_t
merged_at_most(const struct probe *p, const uint32_t *v, uint32_t x)
{
	return ~masks_above_c(v, p->n, x) & search_mask(p->n);
}

/* ---- windows ---- */

/* Find window number @win for the frames in @new, for which it is not found. */
static __attribute__((noinline)) void
find_window(struct probe *p, uint32_t win, uint64_t new)
{
	const struct window *w = &p->im->index->windows[win];
	const bool has_parent = w->kind == WINDOW_BYTE || w->kind == WINDOW_WALK;

	if (has_parent && (new & ~p->found[w->parent]) != 0)
		find_window(p, w->parent, new & ~p->found[w->parent]);
	switch ((enum window_kind)w->kind) {
	case WINDOW_KEY:
	case WINDOW_START: /* by merged_init() */
	case WINDOW_STEPS: p->found[win] |= new; break; /* by ask_steps() */
	case WINDOW_IHL:
	case WINDOW_L4:
	case WINDOW_TAIL:
	case WINDOW_BYTE:
	case WINDOW_WALK:
		p->found[win] |= p->im->index->place_windows(p, w, new, p->at[win]);
		break;
	}
}

/* The same for those in @some that it is not found for, mostly none. */
static inline void
need_window(struct probe *p, uint32_t win, uint64_t some)
{
	const uint64_t new = some & ~p->found[win];

	if (new != 0)
		find_window(p, win, new);
}

void
merged_need_windows(struct probe *p, uint32_t windows, uint64_t some)
{
	for (uint32_t w = windows; w != 0; w &= w - 1)
		need_window(p, (uint32_t)__builtin_ctz(w), some);
}

/* ---- tables ---- */

#define LOOK_EVERY 4 /* tables, at what is known of earlier rules */

/* Make a step with the frames in @some, which are at @at of window @w. Returns who could. */
static uint64_t
make_step(const struct window *w, struct probe_at *at, uint64_t some)
{
	const int32_t byte = w->step.at, behind = w->step.behind;
	const uint32_t lo = w->step.lo, span = w->step.hi - lo;
	uint64_t could = 0;

	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct probe_at from = at[i];
		int32_t step;

		if (from.left <= byte)
			continue;
		step = from.bytes[byte];
		could |= (uint64_t)((uint32_t)step - lo <= span) << i;
		step += behind;
		at[i] = (struct probe_at){
			from.bytes + step, from.left - step, from.pos + (uint32_t)step};
	}
	return could;
}

/* Find the windows of @t. What depends on a place that has changed is in @changed. */
static void
find_windows(struct probe *p, const struct hash_table *t, uint64_t some, uint32_t changed)
{
	for (uint32_t w = changed; w != 0; w &= w - 1)
		p->found[__builtin_ctz(w)] &= ~some;
	for (uint32_t w = t->windows; w != 0; w &= w - 1)
		need_window(p, (uint32_t)__builtin_ctz(w), some);
}

/* Look the frames in @some up in @t at each place that steps lead to. */
static void
ask_steps(struct probe *p, const struct hash_table *t, uint64_t some)
{
	const struct match_index *ix = p->im->index;
	const struct window *w = &ix->windows[t->steps_win];
	const int32_t off = (int32_t)w->off;
	struct probe_at *at = p->at[t->steps_win];

	need_window(p, w->parent, some);
	p->found[t->steps_win] = UINT64_MAX;
	if (t->filter != NULL) {
		find_windows(p, t, some, 0);
		some = ix->probe_steps(t, p, some);
	}
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const struct probe_at from = p->at[w->parent][i];

		if (from.left <= off)
			some &= ~(UINT64_C(1) << i);
		else
			at[i] = (struct probe_at){
				from.bytes + off, from.left - off, from.pos + (uint32_t)off};
	}
	for (uint32_t steps = 1; steps <= t->steps_max; steps++) {
		some = make_step(w, at, some);
		if (some == 0)
			return;
		memset(p->steps, (int)steps, sizeof(p->steps));
		find_windows(p, t, some, w->below & ~(1u << t->steps_win));
		ix->probe(t, p, some);
	}
}

/* The frames for which no rule is known that comes before @rule, or is it. */
static uint64_t
without_rule(const struct probe *p, uint32_t rule)
{
	return p->im->index->above(p->best, p->n, rule);
}

/* Look the frames in @some up in @t. */
static inline void
ask_table(struct probe *p, const struct hash_table *t, uint64_t some)
{
	if (__builtin_expect(t->steps_win != 0, 0)) {
		ask_steps(p, t, some);
		return;
	}
	for (uint32_t w = t->windows; w != 0; w &= w - 1)
		need_window(p, (uint32_t)__builtin_ctz(w), some);
	p->im->index->probe(t, p, some);
}

static void
ask_tables(struct probe *p, const uint64_t *has, uint64_t alive)
{
	const struct match_index *ix = p->im->index;
	uint64_t may[INDEX_TABLES_MAX]; /* by table: frames that may have something there */
	uint32_t asked = 0;

	for (uint32_t k = 0; k < ix->n_tables; k++)
		may[k] = has[ix->table_test[k]] & alive;
	if (ix->sieve != NULL)
		ix->run_sieve(ix->sieve, p, may);
	for (uint32_t k = 0; k < ix->n_tables; k++) {
		const struct hash_table *t = &ix->tables[k];

		if (may[k] == 0)
			continue;
		/* Tables come by their first rule: nothing behind has an earlier one. A look now and then
		 * does: a frame that has its rule is seldom one of the first. */
		if (++asked % LOOK_EVERY == 0)
			alive &= without_rule(p, t->first_rule);
		if ((may[k] & alive) != 0)
			ask_table(p, t, may[k] & alive);
	}
}

/* ---- scopes of prefixes and ports ---- */

static void
ask_bits(struct probe *p, uint64_t alive)
{
	const struct match_index *ix = p->im->index;

	if (ix->n_tables > 0 || ix->tuple != NULL)
		alive &= without_rule(p, ix->bits->first_rule);
	alive &= search_keys_test(p->key, p->n, ix->bits->test);
	if (alive != 0)
		ix->probe_bits(ix->bits, p, alive);
}

/* The frames that the five-tuple kernel can say something of. */
static void
ask_tuple(struct probe *p, uint64_t alive)
{
	static const struct scope_test ip4 = {
		PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), PKT_KEY_FAMILY(4)};
	const struct match_index *ix = p->im->index;

	if (ix->n_tables > 0)
		alive &= without_rule(p, ix->tuple->first_rule);
	alive &= search_keys_test(p->key, p->n, ip4);
	if (alive != 0)
		ix->probe_tuple(ix->tuple, p, alive);
}

/* ---- lists ---- */

static void
ask_lists(struct probe *p, const uint64_t *has, uint64_t alive)
{
	const struct match_index *ix = p->im->index;

	for (uint32_t k = 0; k < ix->n_lists; k++) {
		const struct list *l = &ix->lists[k];
		uint64_t some = has[ix->list_test[k]] & alive;

		if (some != 0)
			some &= without_rule(p, l->first_rule);
		if (some == 0)
			continue;
		for (uint32_t w = l->windows; w != 0; w &= w - 1)
			need_window(p, (uint32_t)__builtin_ctz(w), some);
		ix->probe_list(l, p, some);
	}
}

/* ---- rules one by one ---- */

/* Where in residual[] the first rule >= @rule is. */
static uint32_t
residual_from(const struct match_index *ix, uint32_t rule)
{
	uint32_t lo = 0, hi = ix->n_residual;

	while (lo < hi) {
		const uint32_t mid = (lo + hi) / 2;

		if (ix->residual[mid] < rule)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct one_by_one {
	struct probe *p;
	struct search s; /* the frames that are left */
	uint8_t number[UINT8_MAX + 1]; /* of a frame of the caller's in p */
	uint32_t next_stop; /* the first rule that is known of some frame */
};

/* Let go whose rule comes before @rule. */
static void
let_go(struct one_by_one *o, uint32_t rule)
{
	uint64_t gone = 0;

	o->next_stop = MATCH_NONE;
	for (uint64_t m = o->s.alive; m != 0; m &= m - 1) {
		const uint32_t k = (uint32_t)__builtin_ctzll(m);
		const uint32_t best = o->p->best[o->number[o->s.frame[k]]];

		if (best <= rule)
			gone |= UINT64_C(1) << k;
		else
			o->next_stop = MIN(o->next_stop, best);
	}
	if (gone != 0)
		search_remove(&o->s, gone);
}

static void
try_rule(struct one_by_one *o, uint32_t rule)
{
	const struct match_image *im = o->p->im;
	const struct match_entry *e = &im->entries[rule];
	const uint8_t state = atomic_load_explicit(&im->state[rule], memory_order_relaxed);
	uint64_t hit, gone = 0;

	if ((state & MATCH_STATE_ENABLED) == 0 || (e->ports >> o->p->port & 1) == 0 ||
		!probe_wants(o->p, e))
		return;
	if (o->p->only_late)
		hit = search_late(e, search_view(&o->s, 0)); /* one frame alone */
	else
		hit = search_match(&o->s, e, im->is_jit);
	for (uint64_t m = hit; m != 0; m &= m - 1) {
		const uint32_t k = (uint32_t)__builtin_ctzll(m);
		const uint32_t i = o->number[o->s.frame[k]];

		if (rule < o->p->from[i] || (state & o->p->want[i]) != o->p->want[i])
			continue;
		o->p->best[i] = rule;
		gone |= UINT64_C(1) << k;
	}
	if (gone != 0)
		search_remove(&o->s, gone);
}

static void
ask_one_by_one(struct probe *p, uint64_t alive)
{
	const struct match_index *ix = p->im->index;
	struct one_by_one o;
	uint32_t start = MATCH_NONE;

	o.p = p;
	search_init(&o.s, p->views, 0);
	for (uint64_t m = alive; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);
		const uint8_t frame = (uint8_t)(p->view[i] - p->views);

		o.number[frame] = (uint8_t)i;
		search_add(&o.s, frame);
		start = MIN(start, p->from[i]);
	}
	o.next_stop = 0;
	for (uint32_t k = residual_from(ix, start); k < ix->n_residual; k++) {
		if (ix->residual[k] >= o.next_stop)
			let_go(&o, ix->residual[k]);
		if (o.s.alive == 0)
			return;
		try_rule(&o, ix->residual[k]);
	}
}

void
merged_first(struct probe *p, uint64_t alive)
{
	const struct match_index *ix = p->im->index;
	uint64_t has[INDEX_TESTS_MAX]; /* by test: frames */

	_Static_assert(MATCH_NONE == UINT32_MAX, "all bits set");
	/* All of them: those that are not alive are not looked at. */
	memset(p->best, 0xff, p->n * sizeof(p->best[0]));
	ix->test_keys(p->key, p->n, ix->tests, ix->n_tests, has);
	ask_tables(p, has, alive);
	if (ix->tuple != NULL)
		ask_tuple(p, alive);
	if (ix->bits != NULL)
		ask_bits(p, alive);
	if (ix->n_lists > 0)
		ask_lists(p, has, alive);
	if (ix->chains.n > 0)
		chains_probe(&ix->chains, p, alive);
	if (ix->n_residual > 0)
		ask_one_by_one(p, alive);
}

/* One frame of merged_first_odd(), which is @v. */
static uint32_t
first_of_one(struct probe *p, const struct match_image *im, const struct pkt_view *v, uint32_t port,
	uint32_t from, uint8_t want, uint8_t flip, bool only_late)
{
	const struct match_index *ix = im->index;
	uint64_t has[INDEX_TESTS_MAX];

	merged_init(p, im, v, NULL, 1, port);
	p->ask_flags |= ITEM_GENERATED;
	p->flip = flip;
	p->only_late = only_late;
	p->again = true;
	p->from[0] = from;
	p->want[0] = want;
	p->best[0] = MATCH_NONE;
	ix->test_keys(p->key, 1, ix->tests, ix->n_tests, has);
	if (!only_late)
		ask_tables(p, has, 1);
	/* None of these is generated. */
	if (ix->tuple != NULL && flip == 0)
		ask_tuple(p, 1);
	if (ix->bits != NULL && flip == 0)
		ask_bits(p, 1);
	if (ix->n_lists > 0 && !only_late)
		ask_lists(p, has, 1);
	if (ix->chains.n > 0 && !only_late)
		chains_probe_odd(&ix->chains, p);
	if (ix->n_residual > 0)
		ask_one_by_one(p, 1);
	return p->best[0];
}

/* The same for a frame that all rules see as it is. */
static uint32_t
first_of_plain(struct probe *p, const struct match_image *im, const struct pkt_view *v,
	uint32_t port, uint32_t from, uint8_t want)
{
	merged_init(p, im, v, NULL, 1, port);
	p->again = true;
	p->from[0] = from;
	p->want[0] = want;
	merged_first(p, 1);
	return p->best[0];
}

uint32_t
merged_first_odd(const struct match_image *im, const struct pkt_view *v, uint32_t port,
	uint32_t from, uint8_t want)
{
	uint8_t buf[SEARCH_DATAGRAM_MAX];
	uint32_t others, generated;
	struct pkt_view plain;
	struct probe p;
	bool found;

	if (im->parts != NULL)
		return parts_first_odd(im, v, port, from, want);
	if (!search_is_odd(im, v))
		return first_of_plain(&p, im, v, port, from, want);
	others = first_of_one(&p, im, v, port, from, want, 0, false);
	found = search_without_exts(v, buf, &plain);
	generated =
		first_of_one(&p, im, found ? &plain : v, port, from, want, ITEM_GENERATED, !found);
	return MIN(others, generated);
}
