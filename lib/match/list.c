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
#define CHUNK_SPAN 63 /* bytes from a chunk's first value to its last */

/* Lanes that a kind needs to have left for another block of its own. */
#define LANES_LEAST 12
#define KIND_REST UINT64_MAX
/* Tests of so few bits hold for frames often enough that they are better kept together. */
#define BITS_FEW 6

/* A lane on its way into a block. */
struct entry {
	struct lane lane;
	struct scope_test test;
	uint32_t rule;
	uint64_t kind; /* lanes of one kind go into blocks of their own */
};

/* A list under construction. */
struct builder {
	struct list *l;
	const struct match_image *im;
	const struct items *items;
	bool *residual;
	uint16_t *seen; /* by hash of a test: how often */
	struct entry *v;
	uint32_t n, cap;
};

/* ---- values ---- */

/* The number of @v; it is added when it is new. -1: there is no room. */
static int
value_number(struct builder *b, const struct lane_value *v)
{
	struct list *l = b->l;

	for (uint32_t i = 0; i < l->n_values; i++)
		if (lane_value_equal(&l->values[i], v))
			return (int)i;
	if (l->n_values == LIST_VALUES)
		return -1;
	l->values[l->n_values] = *v;
	l->spaces[l->n_values] = b->items->windows[v->win].space;
	return (int)l->n_values++;
}

static uint16_t
number_of(struct builder *b, const struct lane_value *v)
{
	return (uint16_t)value_number(b, v);
}

/* How many values of @lane are new; all are added, or none where there is no room. */
static int
take_values(struct builder *b, const struct lane *lane)
{
	const uint32_t before = b->l->n_values;
	bool room = value_number(b, &lane->start) >= 0;

	for (uint32_t i = 0; i < lane->n_steps && room; i++) {
		const struct lane_step *s = &lane->steps[i];

		room = (s->v_mul == 0 || value_number(b, &s->v) >= 0) &&
			(s->x_mask == 0 || value_number(b, &s->x) >= 0);
	}
	if (!room)
		b->l->n_values = before;
	return room ? (int)(b->l->n_values - before) : -1;
}

/* ---- the lane of an item ---- */

static uint32_t
seen_at(const struct lane *lane)
{
	uint64_t h = (uint64_t)lane->start.win << 48 | (uint64_t)(uint16_t)lane->start.off << 32 |
		(uint32_t)lane->mask << 16 | lane->val;

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

/* What of @s is more than LANE_STEP_NONE. */
static uint32_t
does(const struct lane_step *s)
{
	return (s->mul != 1 ? LIST_MUL : 0) | (s->v_mul != 0 ? LIST_V : 0) |
		(s->v_mul > 1 ? LIST_V_MUL : 0) | (s->add != 0 ? LIST_ADD : 0) |
		(s->and != UINT16_MAX || s->xor != 0 ? LIST_BITS : 0) |
		(s->x_mask != 0 ? LIST_X : 0) | (s->shift != 0 ? LIST_SHIFT : 0);
}

/* Which lanes are asked together: all that @e has in common with some others, as one number. */
static uint64_t
kind_of(struct builder *b, const struct entry *e)
{
	const struct lane *l = &e->lane;
	uint32_t start = number_of(b, &l->start), other = start;

	for (uint32_t i = 0; i < l->n_steps; i++) {
		const struct lane_step *s = &l->steps[i];

		other = s->v_mul != 0 ? number_of(b, &s->v) : other;
		other = s->x_mask != 0 ? number_of(b, &s->x) : other;
	}
	return (uint64_t)(l->bits <= BITS_FEW) << 32 | start << 16 | other << 8;
}

static int
order_entries(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if ((a->kind == KIND_REST) != (b->kind == KIND_REST))
		return a->kind == KIND_REST ? 1 : -1;
	if (a->test.mask != b->test.mask)
		return a->test.mask < b->test.mask ? -1 : 1;
	if (a->test.val != b->test.val)
		return a->test.val < b->test.val ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->lane.n_steps != b->lane.n_steps)
		return a->lane.n_steps > b->lane.n_steps ? -1 : 1;
	for (uint32_t i = 0; i < a->lane.n_steps; i++) {
		const uint32_t does_a = does(&a->lane.steps[i]), does_b = does(&b->lane.steps[i]);

		if (does_a != does_b)
			return does_a < does_b ? -1 : 1;
	}
	return (a->rule > b->rule) - (a->rule < b->rule);
}

/*
 * Lanes of a kind together; what is left of kinds that do not fill blocks of their own goes with
 * others' behind them.
 */
static void
order_lanes(struct builder *b)
{
	uint32_t i, end, kept;

	for (i = 0; i < b->n; i++)
		b->v[i].kind = kind_of(b, &b->v[i]);
	qsort(b->v, b->n, sizeof(*b->v), order_entries);
	for (i = 0; i < b->n; i = end) {
		for (end = i + 1; end < b->n && b->v[end].kind == b->v[i].kind &&
			scope_test_equal(&b->v[end].test, &b->v[i].test);)
			end++;
		kept = (end - i) / LIST_LANES * LIST_LANES;
		if (end - i - kept >= LANES_LEAST)
			kept = end - i;
		for (uint32_t k = i + kept; k < end; k++)
			b->v[k].kind = KIND_REST;
	}
	qsort(b->v, b->n, sizeof(*b->v), order_entries);
}

/* Behind the last of the lanes from @i on that go into one block. */
static uint32_t
block_end(const struct builder *b, uint32_t i)
{
	const uint32_t most = MIN(b->n, i + LIST_LANES);
	const struct entry *first = &b->v[i];
	uint32_t end = i + 1;

	while (end < most && b->v[end].kind == first->kind &&
		(first->kind == KIND_REST || scope_test_equal(&b->v[end].test, &first->test)))
		end++;
	return end;
}

/* ---- blocks ---- */

/* Lane number @k of step @to: @s, of which values are numbers. */
static void
put_step(struct builder *b, struct list_step *to, uint32_t k, const struct lane_step *s)
{
	to->mul[k] = s->mul;
	to->v[k] = s->v_mul != 0 ? number_of(b, &s->v) : 0;
	to->v_mul[k] = s->v_mul;
	to->add[k] = s->add;
	to->and[k] = s->and;
	to->xor [k] = s->xor ;
	to->x[k] = s->x_mask != 0 ? number_of(b, &s->x) : 0;
	to->x_mask[k] = s->x_mask;
	to->shift[k] = s->shift;
	to->scale[k] = s->shift != 0 ? (uint16_t)(1u << (16 - s->shift)) : 0;
	to->keep[k] = s->shift != 0 ? 0 : UINT16_MAX;
	to->does |= does(s);
	/* Of a value that not all lanes add each is multiplied, some by 0. */
	to->does |= s->v_mul == 0 ? LIST_V_MUL : 0;
}

/*
 * Whether all lanes with a factor @used have the same number in @v; those without are
 * given it. @used NULL: all lanes have one.
 */
static bool
make_same(uint16_t *v, const uint16_t *used)
{
	uint32_t first = 0;

	while (used != NULL && first < LIST_LANES - 1 && used[first] == 0)
		first++;
	for (uint32_t k = 0; k < LIST_LANES; k++)
		if ((used == NULL || used[k] != 0) && v[k] != v[first])
			return false;
	for (uint32_t k = 0; k < LIST_LANES; k++)
		v[k] = v[first];
	return true;
}

/* Step @s of the @n lanes at @e, as far as they have one. */
static void
make_step(struct builder *b, struct list_step *to, const struct entry *e, uint32_t n, uint32_t s)
{
	static const struct lane_step none = LANE_STEP_NONE;

	for (uint32_t k = 0; k < LIST_LANES; k++)
		put_step(b, to, k, k < n && s < e[k].lane.n_steps ? &e[k].lane.steps[s] : &none);
	to->does |= make_same(to->v, to->v_mul) ? LIST_V_SAME : 0;
	to->does |= make_same(to->x, to->x_mask) ? LIST_X_SAME : 0;
}

/* Leave in @a what @b asks, too. */
static void
test_join(struct scope_test *a, const struct scope_test *b)
{
	a->mask &= b->mask & ~(a->val ^ b->val);
	a->val &= a->mask;
}

/* A block of the @n lanes at @e. What is left of it never holds. */
static void
make_block(struct builder *b, struct list_block *block, const struct entry *e, uint32_t n)
{
	block->test = e->test;
	for (uint32_t k = 0; k < LIST_LANES; k++) {
		block->start[k] = number_of(b, &e[k < n ? k : 0].lane.start);
		block->mask[k] = k < n ? e[k].lane.mask : 0;
		block->val[k] = k < n ? e[k].lane.val : 1;
		block->rule[k] = k < n ? e[k].rule : UINT32_MAX;
		if (k < n) {
			block->n_steps = MAX(block->n_steps, e[k].lane.n_steps);
			test_join(&block->test, &e[k].test);
		}
	}
	block->start_same = make_same(block->start, NULL);
	for (uint32_t s = 0; s < block->n_steps; s++)
		make_step(b, &b->l->steps[block->step + s], e, n, s);
}

/* How many blocks and steps there will be. */
static void
count_blocks(struct builder *b)
{
	for (uint32_t i = 0, end; i < b->n; i = end) {
		uint32_t n_steps = 0;

		end = block_end(b, i);
		for (uint32_t k = i; k < end; k++)
			n_steps = MAX(n_steps, b->v[k].lane.n_steps);
		b->l->n_blocks++;
		b->l->n_steps += n_steps;
	}
}

static int
make_blocks(struct builder *b)
{
	struct list *l = b->l;
	uint32_t block = 0, step = 0;

	count_blocks(b);
	l->blocks = mem_zalloc_aligned(BASE_CACHE_LINE, (l->n_blocks + 1) * sizeof(*l->blocks));
	l->steps = mem_zalloc_aligned(BASE_CACHE_LINE, (l->n_steps + 1) * sizeof(*l->steps));
	if (l->blocks == NULL || l->steps == NULL)
		return -ENOMEM;
	l->bytes += l->n_blocks * sizeof(*l->blocks) + l->n_steps * sizeof(*l->steps);
	l->test = b->v[0].test;
	for (uint32_t i = 0, end; i < b->n; i = end) {
		end = block_end(b, i);
		l->blocks[block].step = step;
		make_block(b, &l->blocks[block], &b->v[i], end - i);
		test_join(&l->test, &l->blocks[block].test);
		step += l->blocks[block++].n_steps;
	}
	return 0;
}

/* ---- chunks ---- */

static bool
fits(const struct list *l, const struct list_chunk *c, uint32_t value)
{
	const struct lane_value *v = &l->values[value];

	return c->values != 0 && c->win == v->win && c->space == l->spaces[value] &&
		v->off >= c->off && v->off - c->off < CHUNK_SPAN;
}

static void
put_value(const struct list *l, struct list_chunk *c, uint32_t value)
{
	const struct lane_value *v = &l->values[value];
	const uint32_t at = (uint32_t)(v->off - c->off);
	const uint8_t byte = (uint8_t)(2 * value % 16); /* within 16 bytes */

	c->values |= UINT32_C(1) << value;
	c->index[value] = (uint16_t)(at / 2 + at % 2 * LIST_VALUES);
	c->order[2 * value] = v->size == 1 ? byte : (uint8_t)(byte + 1);
	c->order[2 * value + 1] = v->size == 1 ? 0x80 : byte;
}

/* Each value to a chunk, from the lowest place of a window on. */
static int
make_chunks(struct list *l)
{
	uint32_t left = l->n_values == 32 ? UINT32_MAX : (UINT32_C(1) << l->n_values) - 1;

	l->chunks = mem_zalloc_aligned(BASE_CACHE_LINE, (l->n_values + 1) * sizeof(*l->chunks));
	if (l->chunks == NULL)
		return -ENOMEM;
	l->bytes += (l->n_values + 1) * sizeof(*l->chunks);
	while (left != 0) {
		struct list_chunk *c = &l->chunks[l->n_chunks++];
		uint32_t low = (uint32_t)__builtin_ctz(left);

		for (uint32_t v = low; v < l->n_values; v++)
			if ((left >> v & 1) != 0 && l->values[v].win == l->values[low].win &&
				l->values[v].off < l->values[low].off)
				low = v;
		memset(c->order, 0x80, sizeof(c->order));
		c->win = l->values[low].win;
		c->space = l->spaces[low];
		c->off = l->values[low].off;
		put_value(l, c, low);
		for (uint32_t v = 0; v < l->n_values; v++)
			if ((left >> v & 1) != 0 && fits(l, c, v))
				put_value(l, c, v);
		left &= ~c->values;
	}
	return 0;
}

/* ---- the list ---- */

int
list_init(struct list *l, const struct match_image *im, const struct items *items, uint32_t least,
	bool *residual, bool fault)
{
	struct builder b = {.l = l, .im = im, .items = items, .residual = residual};
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
	l->n_lanes = b.n;
	order_lanes(&b);
	r = make_blocks(&b);
	if (r == 0)
		r = make_chunks(l);
	for (uint32_t k = 0; r == 0 && fault && k < LIST_LANES; k += 2)
		l->blocks[0].val[k] ^= 1;
	for (uint32_t i = 0; i < l->n_values; i++) {
		l->windows |= UINT32_C(1) << l->values[i].win;
		l->any_ether |= l->spaces[i] == SPACE_ETHER;
	}
out:
	mem_free(b.seen);
	mem_free(b.v);
	return r;
}

void
list_fini(struct list *l)
{
	mem_free(l->blocks);
	mem_free(l->steps);
	mem_free(l->chunks);
	memset(l, 0, sizeof(*l));
}

/* ---- asked of a frame ---- */

void
list_try(const struct list_block *b, struct probe *p, uint32_t i, uint32_t hits)
{
	const struct match_image *im = p->im;

	for (; hits != 0; hits &= hits - 1) {
		const uint32_t rule = b->rule[__builtin_ctz(hits)];
		const struct match_entry *e;
		uint8_t state;

		if (rule >= p->best[i] || rule < p->from[i])
			continue;
		/* Pairs with match_image_enable(); nothing else depends on it. */
		state = atomic_load_explicit(&im->state[rule], memory_order_relaxed);
		e = &im->entries[rule];
		if ((state & p->want[i]) == p->want[i] && (e->ports >> p->port & 1) != 0 &&
			probe_wants(p, e) && search_one(e, im->is_jit, p->key[i], p->view[i]))
			p->best[i] = rule;
	}
}
