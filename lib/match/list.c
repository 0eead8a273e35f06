// SPDX-License-Identifier: BSD-3-Clause
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "chain.h"
#include "image_impl.h"
#include "list_build.h"
#include "list_rows.h"
#include "probe.h"
#include "search.h"

#define SEEN_SLOTS 65536 /* tests are counted in these; those that meet seem more frequent */
/* Lanes that a test needs to have for a part of its own. */
#define LANES_LEAST 12

/* ---- values ---- */

/* The number of @at, or of 0 minus it; it is added when it is new. -1: there is no room. */
static int
value_number(struct list_builder *b, const struct lane_value *at, bool negative)
{
	struct list *l = b->l;

	for (uint32_t i = 0; i < l->n_values; i++)
		if (lane_value_equal(&l->values[i].at, at) && l->values[i].negative == negative)
			return (int)i;
	if (l->n_values == LIST_VALUES)
		return -1;
	l->values[l->n_values] = (struct list_value){*at, negative};
	return (int)l->n_values++;
}

static int
operand_number(struct list_builder *b, const struct lane_op *op)
{
	return value_number(b, &op->v, op->kind == LANE_SUB_VALUE && b->how->code == NULL);
}

uint16_t
list_start_row(struct list_builder *b, const struct list_entry *e)
{
	return b->rows[value_number(b, &e->lane.start, false)];
}

uint16_t
list_operand_row(struct list_builder *b, const struct lane_op *op)
{
	return b->rows[operand_number(b, op)];
}

/* How many values of @lane are new; all are added, or none where there is no room. */
static int
take_values(struct list_builder *b, const struct lane *lane)
{
	const uint32_t before = b->l->n_values;
	bool room = value_number(b, &lane->start, false) >= 0;

	for (uint32_t i = 0; i < lane->n_ops && room; i++)
		room = !lane_has_value(&lane->ops[i]) || operand_number(b, &lane->ops[i]) >= 0;
	if (!room)
		b->l->n_values = before;
	return room ? (int)(b->l->n_values - before) : -1;
}

/* ---- the lane of an item ---- */

static uint32_t
seen_at(const struct lane *lane)
{
	uint64_t h = (uint64_t)lane->start.win << 48 | (uint64_t)(uint16_t)lane->start.off << 32 |
		lane->mask << 16 | lane->val;

	h *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 48) % SEEN_SLOTS;
}

/* Count what words of items ask that may get a lane. */
static void
count_tests(struct list_builder *b)
{
	struct lane lane;

	for (uint32_t i = 0; i < b->items->n; i++) {
		const struct item *it = &b->items->v[i];

		for (uint32_t k = 0; b->residual[it->rule] && k < 4u * it->n_words; k++)
			if (lane_of_word(b->items, &it->words[k / 4], k % 4, &lane) &&
				b->seen[seen_at(&lane)] < UINT16_MAX)
				b->seen[seen_at(&lane)]++;
	}
}

/*
 * The lane for @it: its arithmetic, else those 16 bits of its words that are
 * asked by fewest; of equals one that needs no new value. False: there is none.
 */
static bool
choose(struct list_builder *b, const struct item *it, struct list_entry *ret)
{
	uint32_t best = UINT32_MAX;
	struct lane lane;

	ret->computes = false;
	if (it->lane != NULL && take_values(b, it->lane) >= 0) {
		ret->lane = *it->lane;
		ret->computes = true;
		return true;
	}
	for (uint32_t k = 0; k < 4u * it->n_words; k++) {
		const uint32_t before = b->l->n_values;
		uint32_t cost;
		int new;

		if (!lane_of_word(b->items, &it->words[k / 4], k % 4, &lane))
			continue;
		new = take_values(b, &lane);
		b->l->n_values = before;
		if (new < 0)
			continue;
		cost = (uint32_t)b->seen[seen_at(&lane)] << (16 - lane.bits);
		cost = 2 * cost + (uint32_t) new;
		if (cost < best) {
			best = cost;
			ret->lane = lane;
		}
	}
	return best != UINT32_MAX && take_values(b, &ret->lane) >= 0;
}

static struct scope_test
test_of(const struct item *it)
{
	if (it->n_words > 0 && it->words[0].win == WINDOW_OF_KEY)
		return (struct scope_test){(uint32_t)it->words[0].mask, (uint32_t)it->words[0].val};
	return (struct scope_test){0, 0};
}

/* The lanes of the items from @i on that are of one rule. *@ret_end: behind them. */
static int
take_rule(struct list_builder *b, uint32_t i, uint32_t *ret_end)
{
	const struct item *v = b->items->v;
	const uint32_t rule = v[i].rule, before = b->n, values = b->l->n_values;
	bool all = b->residual[rule];

	for (; i < b->items->n && v[i].rule == rule; i++) {
		if (b->n == b->cap) {
			const uint32_t cap = MAX(64, b->cap * 2);
			struct list_entry *e = mem_realloc(b->v, cap * sizeof(*e));

			if (e == NULL)
				return -ENOMEM;
			b->v = e;
			b->cap = cap;
		}
		all = all && choose(b, &v[i], &b->v[b->n]);
		b->v[b->n].item = &v[i];
		b->v[b->n].rest = false;
		b->v[b->n].test = test_of(&v[i]);
		b->v[b->n].rule = rule;
		b->n += all;
	}
	*ret_end = i;
	if (!all) {
		b->n = before;
		b->l->n_values = values;
		return 0;
	}
	b->residual[rule] = false;
	b->l->n_rules++;
	b->l->first_rule = MIN(b->l->first_rule, rule);
	return 0;
}

/* ---- the order of lanes ---- */

static int
order_entries(const void *pa, const void *pb)
{
	const struct list_entry *a = pa, *b = pb;
	int r;

	if (a->rest != b->rest)
		return a->rest ? 1 : -1;
	if (!a->rest && a->test.mask != b->test.mask)
		return a->test.mask < b->test.mask ? -1 : 1;
	if (!a->rest && a->test.val != b->test.val)
		return a->test.val < b->test.val ? -1 : 1;
	r = list_steps_order(a, b);
	return r != 0 ? r : (a->rule > b->rule) - (a->rule < b->rule);
}

/* Behind the last of the lanes from @i on that go into one part. */
static uint32_t
part_end(const struct list_builder *b, uint32_t i)
{
	const struct list_entry *first = &b->v[i];
	uint32_t end = i + 1;

	while (end < b->n && b->v[end].rest == first->rest &&
		(first->rest || scope_test_equal(&b->v[end].test, &first->test)))
		end++;
	return end;
}

/* Lanes of one test together; those of tests that few have go with others' behind them. */
static void
order_lanes(struct list_builder *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		list_steps_find(&b->v[i]);
	qsort(b->v, b->n, sizeof(*b->v), order_entries);
	for (uint32_t i = 0, end; i < b->n; i = end) {
		end = part_end(b, i);
		for (uint32_t k = i; k < end && end - i < LANES_LEAST; k++)
			b->v[k].rest = true;
	}
	qsort(b->v, b->n, sizeof(*b->v), order_entries);
}

/* ---- rows ---- */

/* See that the column of @place at @off is one of its, which are the last there are. */
static void
add_column(struct list *l, struct list_place *place, int32_t off)
{
	uint32_t r = l->n_columns;

	while (r > place->row && l->column[r - 1] > off)
		r--;
	if (r > place->row && l->column[r - 1] == off)
		return;
	memmove(&l->column[r + 1], &l->column[r], (l->n_columns - r) * sizeof(l->column[0]));
	l->column[r] = off;
	l->n_columns++;
	place->n++;
}

/* How far behind a column of a place @v starts, of which the least value starts at @first. */
static int32_t
behind_column(const struct list_value *v, int32_t first)
{
	return (v->at.off - first) % 4;
}

static void
add_columns(struct list *l, struct list_place *place, const struct list_value *v, int32_t first)
{
	const int32_t at = behind_column(v, first);

	add_column(l, place, v->at.off - at);
	if (at + v->at.size > 4)
		add_column(l, place, v->at.off - at + 4);
}

static uint8_t
column_row(const struct list *l, const struct list_place *place, int32_t off)
{
	uint32_t r = place->row;

	while (l->column[r] != off)
		r++;
	return (uint8_t)r;
}

/* The row of @v, whose columns there are. */
static uint32_t
value_row(struct list *l, const struct list_place *place, const struct list_value *v, int32_t first)
{
	const int32_t at = behind_column(v, first), off = v->at.off - at;
	const uint8_t a = column_row(l, place, off);
	const uint8_t b = at + v->at.size > 4 ? column_row(l, place, off + 4) : a;
	struct list_piece *piece = &l->pieces[l->n_pieces];

	if (at == 0 && v->at.size == 4 && !v->negative)
		return a;
	*piece = (struct list_piece){.a = a,
		.b = b,
		.row = (uint8_t)(LIST_COLUMNS + l->n_pieces++),
		.up = 8 * (uint32_t)at,
		.rest = (32 - 8 * (uint32_t)at) % 32,
		.down = 8 * (4u - v->at.size),
		.negative = v->negative};
	return piece->row;
}

/* Behind the last of the rows from @r on, before @end, whose bytes lie behind each other. */
static uint32_t
run_end(const struct list *l, uint32_t r, uint32_t end)
{
	uint32_t to = r + 1;

	while (to < end && l->column[to] == l->column[to - 1] + 4)
		to++;
	return to;
}

/* Squares of all rows of @place that can be in one. */
static void
make_squares(struct list *l, struct list_place *place)
{
	const uint32_t end = (uint32_t)place->row + place->n;

	place->square = (uint8_t)l->n_squares;
	place->single = (uint8_t)l->n_singles;
	for (uint32_t r = place->row, to; r < end; r = to) {
		to = run_end(l, r, end);
		if (to - r < LIST_FOUR) {
			for (; r < to; r++)
				l->singles[l->n_singles++] = (uint8_t)r;
			continue;
		}
		/* The last one ends where they do. */
		for (; r < to; r += LIST_FOUR)
			l->squares[l->n_squares++] = (uint8_t)MIN(r, to - LIST_FOUR);
	}
	place->n_squares = (uint8_t)(l->n_squares - place->square);
	place->n_singles = (uint8_t)(l->n_singles - place->single);
	place->begin = l->column[place->row];
	place->end = l->column[end - 1] + 4;
}

/* Rows for all values of window @win. */
static void
make_place(struct list_builder *b, uint8_t win)
{
	struct list *l = b->l;
	struct list_place *place = &l->places[l->n_places++];
	int32_t first = INT32_MAX;

	*place = (struct list_place){.win = win, .row = (uint8_t)l->n_columns};
	for (uint32_t i = 0; i < l->n_values; i++)
		if (l->values[i].at.win == win)
			first = MIN(first, l->values[i].at.off);
	for (uint32_t i = 0; i < l->n_values; i++)
		if (l->values[i].at.win == win)
			add_columns(l, place, &l->values[i], first);
	for (uint32_t i = 0; i < l->n_values; i++)
		if (l->values[i].at.win == win)
			b->rows[i] = LIST_ROW_OF(value_row(l, place, &l->values[i], first));
	make_squares(l, place);
	l->windows |= UINT32_C(1) << win;
	l->any_ether |= b->items->windows[win].space == SPACE_ETHER;
}

/* Pieces right behind the columns, so that code reaches all of them with short offsets. */
static void
close_up(struct list_builder *b)
{
	struct list *l = b->l;
	const uint32_t gap = LIST_COLUMNS - l->n_columns;

	for (uint32_t i = 0; i < l->n_pieces; i++)
		l->pieces[i].row = (uint8_t)(l->pieces[i].row - gap);
	for (uint32_t i = 0; i < l->n_values; i++)
		if (b->rows[i] >= LIST_ROW_OF(LIST_COLUMNS))
			b->rows[i] = (uint16_t)(b->rows[i] - LIST_ROW_OF(gap));
}

static void
make_rows(struct list_builder *b)
{
	for (uint32_t i = 0; i < b->l->n_values; i++)
		if ((b->l->windows >> b->l->values[i].at.win & 1) == 0)
			make_place(b, b->l->values[i].at.win);
	close_up(b);
}

/* ---- parts ---- */

/* Leave in @a what @b asks, too. */
static void
test_join(struct scope_test *a, const struct scope_test *b)
{
	a->mask &= b->mask & ~(a->val ^ b->val);
	a->val &= a->mask;
}

/* Whether who has all columns of @l has what @it needs behind L4's start, too. */
static bool
has_needs(const struct list *l, const struct item *it)
{
	bool all = true;

	for (uint32_t i = 0; i < it->n_needs; i++) {
		const struct item_need *n = &it->needs[i];
		bool is = n->win == WINDOW_OF_START(SPACE_RAW); /* chain_kinds_say() */

		for (uint32_t k = 0; k < l->n_places; k++)
			is = is || (l->places[k].win == n->win && n->a <= l->places[k].end);
		all = all && is;
	}
	return all;
}

/* The key of frames of which the lane of @e says all that the rule asks. */
static struct scope_test
sure_of(const struct list *l, const struct list_entry *e)
{
	const struct item *it = e->item;
	const struct scope_test never = {0, 1};
	struct scope_test sure;

	if (!e->computes || !it->lane_says_all || it->n_ranges > 0 ||
		it->n_words >= ITEM_WORDS_MAX || (it->flags & ~(ITEM_RUN | ITEM_PORTS)) != 0 ||
		!has_needs(l, it) || !chain_kinds_say(it, &sure))
		return never;
	return sure;
}

static int
make_parts(struct list_builder *b)
{
	struct list *l = b->l;
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n; i = part_end(b, i))
		n++;
	l->parts = mem_calloc(n, sizeof(*l->parts));
	l->rules = mem_calloc(b->n, sizeof(*l->rules));
	l->sure = mem_calloc(b->n, sizeof(*l->sure));
	if (l->parts == NULL || l->rules == NULL || l->sure == NULL)
		return -ENOMEM;
	l->n_lanes = b->n;
	l->bytes = n * sizeof(*l->parts) + b->n * (sizeof(*l->rules) + sizeof(*l->sure));
	l->test = b->v[0].test;
	for (uint32_t i = 0, end; i < b->n; i = end) {
		struct list_part *part = &l->parts[l->n_parts++];

		end = part_end(b, i);
		*part = (struct list_part){.test = b->v[i].test, .lane = i, .n_lanes = end - i};
		for (uint32_t k = i; k < end; k++) {
			l->rules[k] = b->v[k].rule;
			l->sure[k] = sure_of(l, &b->v[k]);
			test_join(&part->test, &b->v[k].test);
		}
		test_join(&l->test, &part->test);
	}
	return 0;
}

/* To see that tests notice. */
static void
spoil(struct list_builder *b)
{
	for (uint32_t i = 0; i < b->n; i += 2)
		b->v[i].lane.val ^= b->v[i].lane.mask & -b->v[i].lane.mask;
}

/* All lanes as code or as steps. */
static int
make_lanes(struct list_builder *b)
{
	return b->how->code != NULL ? list_code_make(b) : list_steps_make(b);
}

/* ---- the list ---- */

int
list_init(struct list *l, const struct items *items, const struct list_how *how, bool *residual)
{
	struct list_builder b = {.l = l, .how = how, .items = items, .residual = residual};
	int r = -ENOMEM;

	memset(l, 0, sizeof(*l));
	l->first_rule = UINT32_MAX;
	b.seen = mem_calloc(SEEN_SLOTS, sizeof(*b.seen));
	if (b.seen == NULL)
		goto out;
	count_tests(&b);
	r = 0;
	for (uint32_t i = 0; i < items->n && r == 0;)
		r = take_rule(&b, i, &i);
	if (r == 0 && l->n_rules < how->least) {
		for (uint32_t i = 0; i < b.n; i++)
			residual[b.v[i].rule] = true;
		memset(l, 0, sizeof(*l));
		b.n = 0;
	}
	if (r < 0 || b.n == 0)
		goto out;
	make_rows(&b);
	order_lanes(&b);
	r = make_parts(&b);
	if (how->fault)
		spoil(&b);
	if (r == 0)
		r = make_lanes(&b);
out:
	mem_free(b.seen);
	mem_free(b.v);
	return r;
}

void
list_fini(struct list *l)
{
	mem_free(l->parts);
	mem_free(l->rules);
	mem_free(l->sure);
	mem_free(l->steps);
	mem_free(l->blocks);
	memset(l, 0, sizeof(*l));
}

/* ---- asked of frames ---- */

/* What is known of a hit before its frames are looked at. */
struct trial {
	const struct match_entry *e;
	struct scope_test test, sure;
	uint32_t rule;
	uint8_t state;
};

/*
 * Ask @t's rule of the frames @some, which are numbers in @f. @is_code: it has code for both
 * families, and no more to ask.
 */
static inline void
try_frames(const struct trial *t, uint64_t some, bool is_code, struct probe *p,
	const struct list_frames *f)
{
	const struct scope_test test = t->test, sure = t->sure;
	const uint32_t rule = t->rule;

	for (; some != 0; some &= some - 1) {
		const uint32_t k = (uint32_t)__builtin_ctzll(some), i = f->frame[k];

		if (rule >= p->best[i] || rule < p->from[i] ||
			(t->state & p->want[i]) != p->want[i])
			continue;
		if ((f->whole >> k & 1) != 0 && scope_test(&sure, p->key[i]))
			p->best[i] = rule;
		else if (is_code ? scope_test(&test, p->key[i]) &&
					search_run(t->e, true, MATCH_RUN_RAW_ONE, p->view[i])
				 : search_one(t->e, p->im->is_jit, p->key[i], p->view[i]))
			p->best[i] = rule;
	}
}

static void
try_hit(const struct list *l, const struct list_hit *hit, struct probe *p,
	const struct list_frames *f)
{
	const uint32_t rule = l->rules[hit->lane];
	const struct match_entry *e = &p->im->entries[rule];
	/* Pairs with match_image_enable(); nothing else depends on it. */
	const struct trial t = {.e = e,
		.test = e->scope.test,
		.sure = l->sure[hit->lane],
		.rule = rule,
		.state = atomic_load_explicit(&p->im->state[rule], memory_order_relaxed)};

	if ((e->ports >> p->port & 1) == 0 || !probe_wants(p, e))
		return;
	/* With constants, so that nothing is asked twice of a flood. */
	if (p->im->is_jit && e->run == MATCH_RUN_RAW_ONE && e->scope.more == NULL)
		try_frames(&t, hit->frames, true, p, f);
	else
		try_frames(&t, hit->frames, false, p, f);
}

void
list_try(const struct list *l, struct list_hits *h, struct probe *p, const struct list_frames *f)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (h->v[i].frames != 0)
			try_hit(l, &h->v[i], p, f);
	h->n = 0;
}
