// SPDX-License-Identifier: BSD-3-Clause
#include "list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "image_impl.h"
#include "probe.h"
#include "search.h"

#define SEEN_SLOTS 65536 /* tests are counted in these; those that meet seem more frequent */
/* Lanes that a test needs to have for a part of its own. */
#define LANES_LEAST 12

/* As steps name row @r. */
#define ROW_OF(r) ((uint16_t)((r)*LIST_ROW_BYTES))

/* A lane on its way into a list. */
struct entry {
	struct lane lane;
	struct scope_test test;
	uint32_t rule;
	uint8_t kinds[LANE_OPS_MAX]; /* of its steps */
	uint32_t n_steps;
	bool rest; /* few ask the same of the key */
};

/* A list under construction. */
struct builder {
	struct list *l;
	const struct items *items;
	bool *residual;
	uint16_t *seen; /* by hash of a test: how often */
	struct entry *v;
	uint32_t n, cap;
	uint16_t rows[LIST_VALUES]; /* by value: where it is found */
};

/* ---- values ---- */

/* The number of @at, or of 0 minus it; it is added when it is new. -1: there is no room. */
static int
value_number(struct builder *b, const struct lane_value *at, bool negative)
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
operand_number(struct builder *b, const struct lane_op *op)
{
	return value_number(b, &op->v, op->kind == LANE_SUB_VALUE);
}

/* How many values of @lane are new; all are added, or none where there is no room. */
static int
take_values(struct builder *b, const struct lane *lane)
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
count_tests(struct builder *b)
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
choose(struct builder *b, const struct item *it, struct lane *ret)
{
	uint32_t best = UINT32_MAX;
	struct lane lane;

	if (it->lane != NULL && take_values(b, it->lane) >= 0) {
		*ret = *it->lane;
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
			*ret = lane;
		}
	}
	return best != UINT32_MAX && take_values(b, ret) >= 0;
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
take_rule(struct builder *b, uint32_t i, uint32_t *ret_end)
{
	const struct item *v = b->items->v;
	const uint32_t rule = v[i].rule, before = b->n, values = b->l->n_values;
	bool all = b->residual[rule];

	for (; i < b->items->n && v[i].rule == rule; i++) {
		if (b->n == b->cap) {
			const uint32_t cap = MAX(64, b->cap * 2);
			struct entry *e = mem_realloc(b->v, cap * sizeof(*e));

			if (e == NULL)
				return -ENOMEM;
			b->v = e;
			b->cap = cap;
		}
		all = all && choose(b, &v[i], &b->v[b->n].lane);
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

/* ---- steps ---- */

/* Which operators come behind which in a step, and the least kind of step that has them. */
static const struct {
	uint8_t phase, kind;
} of_step[LANE_KINDS] = {
	[LANE_MUL] = {1, LIST_MUL_V},
	[LANE_ADD_VALUE] = {2, LIST_V},
	[LANE_SUB_VALUE] = {2, LIST_V},
	[LANE_ADD] = {3, LIST_X},
	[LANE_XOR_VALUE] = {4, LIST_X},
	[LANE_XOR] = {5, LIST_ALL},
	[LANE_SHIFT] = {6, LIST_ALL},
	[LANE_AND] = {7, LIST_AND},
};

/* The kind of step that does what both @a and @b do; with a product it is one more. */
static uint8_t
join_kinds(uint8_t a, uint8_t b)
{
	const bool a_mul = a != LIST_AND && a % 2 == 0, b_mul = b != LIST_AND && b % 2 == 0;

	return (uint8_t)(MAX(a - a_mul, b - b_mul) + (a_mul || b_mul));
}

_Static_assert(LIST_V % 2 == 1 && LIST_MUL_V == LIST_V + 1 && LIST_MUL_X == LIST_X + 1 &&
		LIST_MUL_ALL == LIST_ALL + 1,
	"join_kinds");

/* Lane @k of step @s does what @op does. */
static void
put_op(struct builder *b, struct list_step *s, uint32_t k, const struct lane_op *op)
{
	s->kind = join_kinds(s->kind, of_step[op->kind].kind);
	switch ((enum lane_op_kind)op->kind) {
	case LANE_ADD_VALUE:
	case LANE_SUB_VALUE: s->v[k] = b->rows[operand_number(b, op)]; break;
	case LANE_XOR_VALUE: s->x[k] = b->rows[operand_number(b, op)]; break;
	case LANE_AND:
	case LANE_MUL: s->mul[k] = op->k; break;
	case LANE_ADD: s->add[k] = op->k; break;
	case LANE_XOR: s->flip[k] = op->k; break;
	case LANE_SHIFT: s->shift[k] = op->k; break;
	case LANE_KINDS: break;
	}
}

/* Behind the operators of @l from @at on that go into one step. */
static uint32_t
step_end(const struct lane *l, uint32_t at)
{
	uint32_t end = at + 1;

	while (end < l->n_ops && l->ops[end].kind != LANE_AND &&
		of_step[l->ops[end].kind].phase > of_step[l->ops[end - 1].kind].phase)
		end++;
	return end;
}

/* The kinds of steps of @e. */
static void
find_kinds(struct entry *e)
{
	const struct lane *l = &e->lane;

	e->n_steps = 0;
	for (uint32_t at = 0, end; at < l->n_ops; at = end) {
		uint8_t kind = 0;

		end = step_end(l, at);
		for (uint32_t i = at; i < end; i++)
			kind = join_kinds(kind, of_step[l->ops[i].kind].kind);
		e->kinds[e->n_steps++] = kind;
	}
}

/* Whether lanes @a and @b can go together: where one has LIST_AND, so has the other. */
static bool
goes_with(const struct entry *a, const struct entry *b)
{
	for (uint32_t i = 0; i < MAX(a->n_steps, b->n_steps); i++)
		if ((i < a->n_steps && a->kinds[i] == LIST_AND) !=
			(i < b->n_steps && b->kinds[i] == LIST_AND))
			return false;
	return true;
}

/* Steps that change nothing. */
static void
clear_steps(struct list_step *s, uint32_t n)
{
	memset(s, 0, n * sizeof(*s));
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < LIST_FOUR; k++) {
			s[i].mul[k] = 1;
			s[i].v[k] = s[i].x[k] = ROW_OF(LIST_ZERO);
		}
}

/* Lane @k of the steps at @s is @l's; *@test is behind them. */
static void
put_lane(struct builder *b, struct list_step *s, uint32_t k, const struct entry *e)
{
	for (uint32_t at = 0, end; at < e->lane.n_ops; at = end, s++) {
		end = step_end(&e->lane, at);
		for (uint32_t i = at; i < end; i++)
			put_op(b, s, k, &e->lane.ops[i]);
	}
}

/* A lane that is none starts with 0, which nothing changes. */
static void
put_test(struct list_step *s, uint32_t k, const struct entry *e)
{
	s->mask[k] = e != NULL ? e->lane.mask : 1;
	s->val[k] = e != NULL ? e->lane.val : 1;
	s->rule[k] = e != NULL ? e->rule : LIST_NO_RULE;
}

/* ---- the order of lanes ---- */

/* Lanes that do alike stand together. */
static int
order_steps(const struct entry *a, const struct entry *b)
{
	if (a->n_steps != b->n_steps)
		return a->n_steps < b->n_steps ? -1 : 1;
	return memcmp(a->kinds, b->kinds, a->n_steps);
}

static int
order_entries(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int r;

	if (a->rest != b->rest)
		return a->rest ? 1 : -1;
	if (!a->rest && a->test.mask != b->test.mask)
		return a->test.mask < b->test.mask ? -1 : 1;
	if (!a->rest && a->test.val != b->test.val)
		return a->test.val < b->test.val ? -1 : 1;
	r = order_steps(a, b);
	return r != 0 ? r : (a->rule > b->rule) - (a->rule < b->rule);
}

/* Behind the last of the lanes from @i on that go into one part. */
static uint32_t
part_end(const struct builder *b, uint32_t i)
{
	const struct entry *first = &b->v[i];
	uint32_t end = i + 1;

	while (end < b->n && b->v[end].rest == first->rest &&
		(first->rest || scope_test_equal(&b->v[end].test, &first->test)))
		end++;
	return end;
}

/* Lanes of one test together; those of tests that few have go with others' behind them. */
static void
order_lanes(struct builder *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		find_kinds(&b->v[i]);
	qsort(b->v, b->n, sizeof(*b->v), order_entries);
	for (uint32_t i = 0, end; i < b->n; i = end) {
		end = part_end(b, i);
		for (uint32_t k = i; k < end && end - i < LANES_LEAST; k++)
			b->v[k].rest = true;
	}
	qsort(b->v, b->n, sizeof(*b->v), order_entries);
}

/* ---- rows ---- */

/* The row of the column of @place at @off; it is added when it is new. */
static uint8_t
column_row(struct list *l, struct list_place *place, int32_t off)
{
	for (uint32_t r = place->row; r < l->n_columns; r++)
		if (l->column[r] == off)
			return (uint8_t)r;
	place->begin = MIN(place->begin, off);
	place->end = MAX(place->end, off + 4);
	place->n++;
	l->column[l->n_columns] = off;
	return (uint8_t)l->n_columns++;
}

/* The row of @v, @at bytes behind a column of @place. */
static uint32_t
value_row(struct list *l, struct list_place *place, const struct list_value *v, uint32_t at)
{
	const uint8_t a = column_row(l, place, v->at.off - (int32_t)at);
	const uint8_t b =
		at + v->at.size > 4 ? column_row(l, place, v->at.off - (int32_t)at + 4) : a;
	struct list_piece *piece = &l->pieces[l->n_pieces];

	if (at == 0 && v->at.size == 4 && !v->negative)
		return a;
	*piece = (struct list_piece){.a = a,
		.b = b,
		.row = (uint8_t)(LIST_COLUMNS + l->n_pieces++),
		.up = (uint8_t)(8 * at),
		.down = (uint8_t)(8 * (4 - v->at.size)),
		.negative = v->negative};
	return piece->row;
}

/* Rows for all values of window @win. */
static void
make_place(struct builder *b, uint8_t win)
{
	struct list *l = b->l;
	struct list_place *place = &l->places[l->n_places++];
	int32_t first = INT32_MAX;

	*place = (struct list_place){
		.win = win, .row = (uint8_t)l->n_columns, .begin = INT32_MAX, .end = INT32_MIN};
	for (uint32_t i = 0; i < b->l->n_values; i++)
		if (b->l->values[i].at.win == win)
			first = MIN(first, b->l->values[i].at.off);
	for (uint32_t i = 0; i < b->l->n_values; i++)
		if (b->l->values[i].at.win == win)
			b->rows[i] = ROW_OF(value_row(l, place, &b->l->values[i],
				(uint32_t)(b->l->values[i].at.off - first) % 4));
	l->windows |= UINT32_C(1) << win;
	l->any_ether |= b->items->windows[win].space == SPACE_ETHER;
}

static void
make_rows(struct builder *b)
{
	for (uint32_t i = 0; i < b->l->n_values; i++)
		if ((b->l->windows >> b->l->values[i].at.win & 1) == 0)
			make_place(b, b->l->values[i].at.win);
}

/* ---- parts ---- */

static uint16_t
start_row(struct builder *b, const struct entry *e)
{
	return b->rows[value_number(b, &e->lane.start, false)];
}

/* Leave in @a what @b asks, too. */
static void
test_join(struct scope_test *a, const struct scope_test *b)
{
	a->mask &= b->mask & ~(a->val ^ b->val);
	a->val &= a->mask;
}

/* Behind the lanes from @i on, before @end, that go together, and *@ret_n, their steps. */
static uint32_t
four_end(const struct builder *b, uint32_t i, uint32_t end, uint32_t *ret_n)
{
	uint32_t to = i;

	*ret_n = 0;
	for (; to < MIN(i + LIST_FOUR, end) && goes_with(&b->v[i], &b->v[to]); to++)
		*ret_n = MAX(*ret_n, b->v[to].n_steps);
	return to;
}

/* The rows that the lanes from @i to @end start with. */
static void
put_starts(struct builder *b, uint16_t start[LIST_FOUR], uint32_t i, uint32_t end)
{
	for (uint32_t k = 0; k < LIST_FOUR; k++)
		start[k] = i + k < end ? start_row(b, &b->v[i + k]) : ROW_OF(LIST_ZERO);
}

/* A part of the lanes from @i to @end. */
static void
make_part(struct builder *b, struct list_part *part, uint32_t i, uint32_t end)
{
	struct list *l = b->l;
	uint16_t *start = part->start;
	uint32_t n;

	part->test = b->v[i].test;
	part->step = l->n_steps;
	for (uint32_t to; i < end; i = to) {
		struct list_step *s = &l->steps[l->n_steps];

		to = four_end(b, i, end, &n);
		put_starts(b, start, i, to);
		clear_steps(s, n + 1);
		for (uint32_t k = 0; k < LIST_FOUR; k++) {
			const struct entry *e = i + k < to ? &b->v[i + k] : NULL;

			put_test(&s[n], k, e);
			if (e == NULL)
				continue;
			put_lane(b, s, k, e);
			test_join(&part->test, &e->test);
		}
		s[n].kind = LIST_TEST;
		start = s[n].v;
		l->n_steps += n + 1;
	}
	l->steps[l->n_steps++] = (struct list_step){.kind = LIST_END};
}

/* Room for all parts. */
static int
alloc_parts(struct builder *b)
{
	struct list *l = b->l;
	uint32_t n_parts = 0, n_steps = 0, n;

	for (uint32_t i = 0, end; i < b->n; i = end) {
		end = part_end(b, i);
		for (uint32_t k = i; k < end; n_steps += n + 1)
			k = four_end(b, k, end, &n);
		n_steps++;
		n_parts++;
	}
	l->parts = mem_calloc(n_parts, sizeof(*l->parts));
	l->steps = mem_zalloc_aligned(BASE_CACHE_LINE, n_steps * sizeof(*l->steps));
	if (l->parts == NULL || l->steps == NULL)
		return -ENOMEM;
	l->bytes = n_parts * sizeof(*l->parts) + n_steps * sizeof(*l->steps);
	return 0;
}

static int
make_parts(struct builder *b)
{
	struct list *l = b->l;
	const int r = alloc_parts(b);

	if (r < 0)
		return r;
	l->test = b->v[0].test;
	for (uint32_t i = 0, end; i < b->n; i = end) {
		struct list_part *part = &l->parts[l->n_parts++];

		end = part_end(b, i);
		make_part(b, part, i, end);
		test_join(&l->test, &part->test);
	}
	return 0;
}

/* ---- the list ---- */

int
list_init(struct list *l, const struct items *items, uint32_t least, bool *residual, bool fault)
{
	struct builder b = {.l = l, .items = items, .residual = residual};
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
	if (r == 0 && l->n_rules < least) {
		for (uint32_t i = 0; i < b.n; i++)
			residual[b.v[i].rule] = true;
		memset(l, 0, sizeof(*l));
		b.n = 0;
	}
	if (r < 0 || b.n == 0)
		goto out;
	make_rows(&b);
	order_lanes(&b);
	l->n_lanes = b.n;
	r = make_parts(&b);
	for (uint32_t i = 0; r == 0 && fault && i < l->n_steps; i++)
		for (uint32_t k = 0; l->steps[i].kind == LIST_TEST && k < LIST_FOUR; k += 2)
			if (l->steps[i].rule[k] != LIST_NO_RULE)
				l->steps[i].val[k] ^= l->steps[i].mask[k] & -l->steps[i].mask[k];
out:
	mem_free(b.seen);
	mem_free(b.v);
	return r;
}

void
list_fini(struct list *l)
{
	mem_free(l->parts);
	mem_free(l->steps);
	memset(l, 0, sizeof(*l));
}

/* ---- asked of frames ---- */

/* Ask the rule of @hit. */
static void
try_hit(const struct list_hit *hit, struct probe *p, const uint8_t *frame)
{
	const struct match_image *im = p->im;
	const struct match_entry *e = &im->entries[hit->rule];
	/* Pairs with match_image_enable(); nothing else depends on it. */
	const uint8_t state = atomic_load_explicit(&im->state[hit->rule], memory_order_relaxed);

	if ((e->ports >> p->port & 1) == 0 || !probe_wants(p, e))
		return;
	for (uint64_t m = hit->frames; m != 0; m &= m - 1) {
		const uint32_t i = frame[__builtin_ctzll(m)];

		if (hit->rule < p->best[i] && hit->rule >= p->from[i] &&
			(state & p->want[i]) == p->want[i] &&
			search_one(e, im->is_jit, p->key[i], p->view[i]))
			p->best[i] = hit->rule;
	}
}

void
list_try(struct list_hits *h, struct probe *p, const uint8_t *frame)
{
	for (uint32_t i = 0; i < h->n; i++)
		try_hit(&h->v[i], p, frame);
	h->n = 0;
}
