// SPDX-License-Identifier: BSD-3-Clause
#include "hash_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "match/image.h"
#include "scope.h"

#define SEEDS_TRIED 8 /* before there are twice the buckets */
#define SEEDS_PICKY 4 /* of these: in small tables no two keys may have one tag by luck */
#define SMALL 256 /* items */
#define DOUBLED_MAX 8 /* times */
#define LOAD 3 /* keys a bucket, on average, at most */
#define LINE_UNITS (BASE_CACHE_LINE / sizeof(uint64_t))

/* ---- shapes of items ---- */

static uint32_t
shape_hash(const struct hash_shape *s)
{
	uint64_t words[sizeof(*s) / sizeof(uint64_t)], h = 0;

	memcpy(words, s, sizeof(words));
	for (size_t i = 0; i < DIM(words); i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

/* @s as one more shape; UINT32_MAX when out of memory. */
static uint32_t
shape_add(struct hash_table *t, const struct hash_shape *s)
{
	struct hash_shape *v;

	if ((t->n_shapes & (t->n_shapes - 1)) == 0) {
		v = mem_zalloc_aligned(BASE_CACHE_LINE, (2 * t->n_shapes + 1) * sizeof(*v));
		if (v == NULL)
			return UINT32_MAX;
		if (t->n_shapes > 0)
			memcpy(v, t->shapes, t->n_shapes * sizeof(*v));
		mem_free(t->shapes);
		t->shapes = v;
	}
	t->shapes[t->n_shapes] = *s;
	return t->n_shapes++;
}

/* The number of the shape of @it, maybe @hint; UINT32_MAX when out of memory. */
static uint32_t
shape_number(struct hash_builder *b, const struct item *it, uint32_t hint)
{
	struct hash_table *t = b->t;
	const struct hash_shape s = hash_shape_of(b, it);
	uint32_t at, number;

	if (hint < t->n_shapes && memcmp(&t->shapes[hint], &s, sizeof(s)) == 0)
		return hint;
	at = shape_hash(&s) & b->shapes_mask;
	for (; b->shapes[at] != 0; at = (at + 1) & b->shapes_mask)
		if (memcmp(&t->shapes[b->shapes[at] - 1], &s, sizeof(s)) == 0)
			return b->shapes[at] - 1;
	number = shape_add(t, &s);
	if (number != UINT32_MAX)
		b->shapes[at] = number + 1;
	return number;
}

/* ---- items ---- */

/* Units of 8 bytes that @it takes: a line, or whole lines. */
static uint32_t
item_units(const struct hash_builder *b, const struct item *it)
{
	const size_t n_words =
		hash_shape_words(b, it) + (it->prog_says_all ? 0 : (size_t)it->n_ranges);
	const size_t units = sizeof(struct hash_item) / sizeof(uint64_t) + 1 + n_words;

	return (uint32_t)((units + LINE_UNITS - 1) / LINE_UNITS * LINE_UNITS);
}

static struct hash_item *
item_at(struct hash_table *t, uint32_t place)
{
	return (struct hash_item *)(void *)&t->items[place];
}

static int
put_item(struct hash_builder *b, uint32_t i, uint32_t *shape)
{
	const struct item *it = hash_item_of(b, i);
	struct hash_item *h = item_at(b->t, b->place[i]);
	uint32_t n = 1, last = 0;
	uint64_t *ranges;

	*shape = shape_number(b, it, *shape);
	if (*shape > UINT16_MAX)
		return -ENOMEM;
	h->rule = it->rule;
	h->shape = (uint16_t)*shape;
	h->flags = it->flags;
	h->n_needs = b->fault == HASH_FAULT_NEED ? 0 : it->n_needs;
	memcpy(h->needs, it->needs, sizeof(h->needs));
	ranges = &h->val[1 + b->t->shapes[*shape].n_words];
	h->val[0] = hash_masked_word(it, WINDOW_OF_KEY, 0, UINT64_MAX);
	for (uint32_t k = 0; k < b->t->shapes[*shape].n_words; k++) {
		const struct hash_word *w = &b->t->shapes[*shape].words[k];

		last = w->mask != 0 ? n : last;
		h->val[n++] = hash_masked_word(it, w->win, w->off, w->mask);
	}
	for (uint32_t k = 0; k < it->n_ranges && !it->prog_says_all; k++) {
		const struct item_range *r = &it->ranges[k];
		const uint32_t span = b->fault == HASH_FAULT_RANGE ? UINT32_MAX : r->span;

		ranges[k] = r->lo | (uint64_t)span << 32;
	}
	if (hash_shape_is_plain(b, it, &b->t->shapes[*shape], h)) {
		h->flags |= ITEM_PLAIN;
		b->t->ask_key |= b->t->shapes[*shape].key_mask != b->t->test.mask;
		b->t->all_simple &= !b->t->ask_key && b->t->shapes[*shape].n_ranges == 0;
	} else {
		b->t->all_plain = b->t->all_simple = false;
	}
	if (b->fault == HASH_FAULT_VALUE && i == 0)
		h->val[last] ^= 1;
	return 0;
}

static int
put_items(struct hash_builder *b)
{
	struct hash_table *t = b->t;
	uint32_t units = LINE_UNITS, shape = 0; /* place 0 is none */
	int r = 0;

	for (uint32_t i = 0; i < b->c->n_items; i++) {
		b->place[i] = units;
		units += item_units(b, hash_item_of(b, i));
	}
	/* A line more, since runs are read whole. */
	units += LINE_UNITS;
	t->all_plain = t->all_simple = true;
	t->items = mem_zalloc_aligned(BASE_CACHE_LINE, units * sizeof(uint64_t));
	if (t->items == NULL)
		return -ENOMEM;
	t->bytes += units * sizeof(uint64_t);
	for (uint32_t i = 0; i < b->c->n_items && r == 0; i++)
		r = put_item(b, i, &shape);
	t->bytes += t->n_shapes * sizeof(*t->shapes);
	return r;
}

/* ---- buckets ---- */

static void
find_keys(struct hash_builder *b)
{
	const struct hash_table *t = b->t;

	for (uint32_t i = 0; i < b->c->n_items; i++) {
		const struct item *it = hash_item_of(b, i);

		if (t->fan != NULL) {
			b->keys[i][0] = hash_key_of(it, &b->c->keys[b->c->key_of[i]]);
			/* Not hashed, but what tells keys apart. */
			b->keys[i][HASH_DATA_WORDS] = b->c->key_of[i];
			continue;
		}
		for (uint32_t k = 0; k < HASH_DATA_WORDS; k++)
			b->keys[i][k] = hash_masked_word(
				it, t->words[k].win, t->words[k].off, t->words[k].mask);
		b->keys[i][HASH_DATA_WORDS] = hash_masked_word(it, WINDOW_OF_KEY, 0, t->key_mask);
	}
}

static void
hash_items(struct hash_builder *b)
{
	struct hash_table *t = b->t;

	for (uint32_t k = 0; k < DIM(t->seed); k++)
		t->seed[k] = rng_next(&b->rng);
	if (t->fan != NULL)
		hash_fan_seed(b);
	for (uint32_t i = 0; i < b->c->n_items; i++) {
		if (t->fan != NULL)
			b->hash[i] = hash_fan_hash(b, i);
		else
			b->hash[i] = hash_words(t->seed, b->keys[i], t->n_words,
				b->keys[i][HASH_DATA_WORDS], hash_has_key(t));
	}
}

/* Whether the hash tells the items at @x and @y apart: by the masked words, not by luck. */
static bool
same_key(const struct hash_builder *b, uint32_t x, uint32_t y)
{
	return b->hash[x] == b->hash[y] && memcmp(b->keys[x], b->keys[y], sizeof(b->keys[x])) == 0;
}

/* Chains while buckets are filled. */
struct chains_so_far {
	struct {
		uint32_t last; /* item */
		uint32_t strangers; /* how often one came whose key is not that before it */
	} * of; /* by the first item */
	const uint32_t *number; /* of items by place, in lines */
	uint32_t strangers_max; /* in one chain: keys that have one tag, or place, by luck */
};

/* Put item @i to the end of the chain that starts with item @first. False: too many strangers. */
static bool
put_behind(struct hash_builder *b, uint32_t i, uint32_t first, struct chains_so_far *c)
{
	const uint32_t last = c->of[first].last;
	const bool same = same_key(b, first, i) || same_key(b, last, i);

	if (!same && ++c->of[first].strangers > c->strangers_max)
		return false;
	b->t->n_chained += same;
	if (b->fault != HASH_FAULT_CHAIN || !same)
		item_at(b->t, b->place[last])->next = b->place[i];
	c->of[first].last = i;
	return true;
}

/*
 * Put item @i, which comes behind all before it, into its bucket or at the end of
 * the chain of those with its tag. False: no room, or too many strangers.
 */
static bool
put_key(struct hash_builder *b, uint32_t i, struct chains_so_far *c)
{
	struct hash_table *t = b->t;
	const uint64_t bucket = b->hash[i] >> HASH_BUCKET_SHIFT & t->bucket_mask;
	const uint8_t tag = hash_tag(b->hash[i]);

	for (uint32_t s = 0; s < HASH_SLOTS; s++) {
		const uint8_t is = (uint8_t)(t->tags[bucket] >> 8 * s);

		if (is == 0) {
			t->tags[bucket] |= (uint64_t)tag << 8 * s;
			t->places[bucket][s] = b->place[i];
			c->of[i].last = i;
			return true;
		}
		if (is != tag)
			continue;
		return put_behind(b, i, c->number[t->places[bucket][s] / LINE_UNITS], c);
	}
	return false;
}

/* The same in a fan, where each hash has a place of its own. */
static bool
put_in_fan(struct hash_builder *b, uint32_t i, struct chains_so_far *c)
{
	struct hash_table *t = b->t;
	const uint32_t at = hash_fan_head(b, i);
	uint32_t *head = &t->places[at / HASH_SLOTS][at % HASH_SLOTS];

	if (b->fault != HASH_FAULT_PASS || i % 2 != 0)
		t->fan->filter[at / HASH_SLOTS] |= fan_filter_bits(hash_fan_own(b, i));
	if (*head != 0)
		return put_behind(b, i, c->number[*head / LINE_UNITS], c);
	*head = b->place[i];
	c->of[i].last = i;
	return true;
}

/* False as of put_key(). */
static bool
fill(struct hash_builder *b, struct chains_so_far *c)
{
	struct hash_table *t = b->t;

	if (t->fan != NULL)
		memset(t->fan->filter, 0, (t->bucket_mask + 1) * sizeof(*t->fan->filter));
	else
		memset(t->tags, 0, (t->bucket_mask + 1) * sizeof(*t->tags));
	memset(t->places, 0, (t->bucket_mask + 1) * sizeof(*t->places));
	memset(c->of, 0, b->c->n_items * sizeof(*c->of));
	t->n_chained = 0;
	for (uint32_t i = 0; i < b->c->n_items; i++)
		item_at(t, b->place[i])->next = 0;
	hash_items(b);
	for (uint32_t i = 0; i < b->c->n_items; i++)
		if (!(t->fan != NULL ? put_in_fan : put_key)(b, i, c))
			return false;
	return true;
}

/* Item numbers by place, in lines. */
static uint32_t *
numbers(const struct hash_builder *b)
{
	const uint32_t n = b->c->n_items;
	const uint32_t lines = b->place[n - 1] / LINE_UNITS + 1;
	uint32_t *number = mem_calloc(lines, sizeof(*number));

	for (uint32_t i = 0; number != NULL && i < n; i++)
		number[b->place[i] / LINE_UNITS] = i;
	return number;
}

#define FAN_BUCKETS 4 /* an item; with few items filters are small anyway */
#define FAN_NEAR 16384 /* buckets, whose filter is little more than the first cache */
#define FAN_STRANGERS 4 /* in a chain, */
#define FAN_TRIES (3 * SEEDS_TRIED) /* as long as so often, since memory is worth something, too */

/* How many buckets to try first. */
static uint32_t
least_buckets(const struct hash_builder *b)
{
	uint64_t n = b->c->n_items;

	if (b->t->fan == NULL)
		return (uint32_t)power_of_2((n + LOAD - 1) / LOAD);
	n = MAX(MIN(power_of_2(FAN_BUCKETS * n), FAN_NEAR), power_of_2(n / 2));
	return (uint32_t)MAX(FAN_BUCKETS_MIN, MIN(n, FAN_BUCKETS_MAX >> DOUBLED_MAX));
}

/* Room for @n buckets. Returns 0 or -ENOMEM. */
static int
new_buckets(struct hash_table *t, uint32_t n)
{
	mem_free(t->tags);
	mem_free(t->places);
	t->tags = NULL;
	t->places = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(*t->places));
	t->bucket_mask = n - 1;
	if (t->fan == NULL) {
		t->tags = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(*t->tags));
		return t->tags != NULL && t->places != NULL ? 0 : -ENOMEM;
	}
	t->fan->n_buckets = n;
	t->fan->shift = 32 - (uint32_t)__builtin_ctz(n);
	mem_free(t->fan->filter);
	t->fan->filter = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(*t->fan->filter));
	return t->fan->filter != NULL && t->places != NULL ? 0 : -ENOMEM;
}

/* How many strangers may be in a chain at try number @number. */
static uint32_t
strangers_max(const struct hash_builder *b, int number)
{
	if (b->c->n_items <= SMALL && number % SEEDS_TRIED < SEEDS_PICKY)
		return 0;
	/* A long chain costs some frames time; what cannot be built costs all the rules. */
	return b->t->fan != NULL && number < FAN_TRIES ? FAN_STRANGERS : UINT32_MAX;
}

static int
make_buckets(struct hash_builder *b)
{
	struct hash_table *t = b->t;
	uint32_t *number = numbers(b);
	struct chains_so_far c = {.of = mem_calloc(b->c->n_items, sizeof(*c.of)), .number = number};
	uint32_t n = least_buckets(b);
	int r = number != NULL && c.of != NULL ? -EAGAIN : -ENOMEM;

	for (int i = 0; i < DOUBLED_MAX && r == -EAGAIN; i++, n *= 2) {
		if (new_buckets(t, n) < 0)
			r = -ENOMEM;
		for (int s = 0; s < SEEDS_TRIED && r == -EAGAIN; s++) {
			c.strangers_max = strangers_max(b, i * SEEDS_TRIED + s);
			if (fill(b, &c))
				r = 0;
		}
	}
	t->n_buckets = t->bucket_mask + 1;
	t->bytes += t->n_buckets * sizeof(*t->places) +
		t->n_buckets * (t->fan != NULL ? sizeof(*t->fan->filter) : sizeof(*t->tags));
	mem_free(number);
	mem_free(c.of);
	/* Never seen; with 256 times the buckets needed and 64 seeds it would be a bug. */
	return r == -EAGAIN ? -ENOMEM : r;
}

/* ---- the table ---- */

/* Let @t hash @words, @n of them. */
static void
choose_words(
	struct hash_table *t, const struct items *items, const struct item_word *words, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct item_word *w = &words[i];

		if (w->win == WINDOW_OF_KEY)
			t->key_mask = w->mask;
		else if (t->n_words < HASH_DATA_WORDS)
			t->words[t->n_words++] = (struct hash_word){
				w->mask, w->off, w->win, items->windows[w->win].space};
	}
	t->together = t->n_words > 0;
	for (uint32_t i = 0; i < t->n_words; i++) {
		t->together &= t->words[i].win == t->words[0].win;
		t->before = MAX(t->before, -t->words[i].off);
		t->left = MAX(t->left, t->words[i].off + 8);
	}
	for (uint32_t i = t->n_words; i < HASH_DATA_WORDS; i++)
		t->words[i] = (struct hash_word){.win = WINDOW_OF_START(SPACE_RAW)};
}

/* What all items ask of the key, and the windows that they use. */
static void
describe(struct hash_builder *b)
{
	struct hash_table *t = b->t;
	uint64_t mask = UINT32_MAX, val = 0;

	t->first_rule = UINT32_MAX;
	for (uint32_t i = 0; i < b->c->n_items; i++) {
		const struct item *it = hash_item_of(b, i);
		uint64_t m = 0, v = 0;

		for (uint32_t k = 0; k < it->n_words; k++) {
			t->windows |= 1u << it->words[k].win;
			if (it->words[k].win == WINDOW_OF_KEY) {
				m = it->words[k].mask;
				v = it->words[k].val;
			}
		}
		for (uint32_t k = 0; k < it->n_needs; k++)
			t->windows |= 1u << it->needs[k].win;
		for (uint32_t k = 0; k < it->n_ranges; k++)
			t->windows |= 1u << it->ranges[k].win;
		t->steps_win = it->steps_win;
		t->steps_max = MAX(t->steps_max, it->steps);
		mask &= m;
		if (i == 0)
			val = v;
		mask &= ~(val ^ v);
		t->first_rule = MIN(t->first_rule, it->rule);
		t->last_rule = MAX(t->last_rule, it->rule);
	}
	t->test = (struct scope_test){(uint32_t)mask, (uint32_t)(val & mask)};
	t->windows &= ~(1u << WINDOW_OF_KEY);
	if (b->fault == HASH_FAULT_STEPS)
		t->steps_max = MIN(t->steps_max, 1);
	t->n_items = b->c->n_items;
	t->n_rules = b->c->n_rules;
}

#define FILTER_BITS 64 /* an item, at least: a 1 that means nothing costs a look-up */
#define FILTER_MIN 1024 /* bits in all; powers of two */
#define FILTER_MAX (1 << 20)

/* Make the filter of a table that is asked at every place of a walk, where it can have one. */
static int
make_filter(struct hash_builder *b)
{
	struct hash_table *t = b->t;
	const struct window *win = &b->items->windows[t->steps_win];
	const struct hash_word *w = NULL;
	uint64_t bits;

	for (uint32_t i = 0; i < t->n_words; i++)
		if (t->words[i].win == t->steps_win && t->words[i].off == 0)
			w = &t->words[i];
	/* Steps and words by the same bytes, and no window that is to be found at each place. */
	if (t->steps_win == 0 || w == NULL || win->step.at != 0 ||
		(t->windows & win->below & ~(1u << t->steps_win)) != 0)
		return 0;
	bits = power_of_2((uint64_t)FILTER_BITS * t->n_items);
	bits = MAX(FILTER_MIN, MIN(FILTER_MAX, bits));
	t->filter = mem_zalloc_aligned(BASE_CACHE_LINE, bits / 8);
	if (t->filter == NULL)
		return -ENOMEM;
	t->bytes += bits / 8;
	t->filter_word = w->mask;
	t->filter_mask = bits - 1;
	for (uint32_t i = b->fault == HASH_FAULT_FILTER; i < b->c->n_items; i++) {
		const uint64_t v = hash_masked_word(hash_item_of(b, i), w->win, w->off, w->mask);
		const uint64_t at = hash_filter_bit(v, t->filter_mask);

		t->filter[at / 64] |= UINT64_C(1) << at % 64;
	}
	return 0;
}

#define ENDS_AN_ITEM 4 /* entries, at least: one that means nothing costs a look at the filter */
#define ENDS_MIN 64
#define ENDS_MAX (1 << 16)

/* Byte @off behind window @win of @it, where @it says all of it; or -1. */
static int
whole_byte(const struct item *it, uint8_t win, int32_t off)
{
	for (uint32_t i = 0; i < it->n_words; i++) {
		const struct item_word *w = &it->words[i];
		const int32_t b = off - w->off;

		if (w->win == win && b >= 0 && b < 8 && (w->mask >> 8 * b & UINT8_MAX) == UINT8_MAX)
			return (int)(w->val >> 8 * b & UINT8_MAX);
	}
	return -1;
}

/* How far behind a place of the walk @it has the byte that stops it; or -1. */
static int
end_of(const struct hash_builder *b, const struct item *it)
{
	const struct sym_step *step = &b->items->windows[b->t->steps_win].step;
	int off = 0;

	while (off < ENDS_BITS) {
		const int length = whole_byte(it, b->t->steps_win, off);

		if (length < step->lo || length > step->hi)
			return length < 0 ? -1 : off;
		off += length + step->behind;
	}
	return -1;
}

/* The 8 bytes at @off behind the places of the walk, as far as @it says what they are. */
static struct item_word
word_at(const struct hash_builder *b, const struct item *it, int off)
{
	struct item_word ret = {.win = (uint8_t)b->t->steps_win, .off = (int16_t)off};

	for (uint32_t i = 0; i < it->n_words; i++) {
		const struct item_word *w = &it->words[i];

		if (w->win != ret.win)
			continue;
		ret.mask |= item_bits_at(w, w->mask, off);
		ret.val |= item_bits_at(w, w->val, off);
	}
	return ret;
}

/* Whether all items end where the walk does; what their ends share, and how near is near enough. */
static bool
all_end(struct hash_builder *b)
{
	const struct sym_step *step = &b->items->windows[b->t->steps_win].step;
	struct hash_table *t = b->t;
	uint32_t steps = t->steps_max;

	/* A byte that is not there is 0, and stops it. */
	if (t->filter == NULL || step->lo == 0 || step->lo + step->behind < ENDS_STEP_MIN ||
		step->hi + step->behind > UINT8_MAX)
		return false;
	for (uint32_t i = 0; i < b->c->n_items; i++) {
		const struct item *it = hash_item_of(b, i);

		if (end_of(b, it) < 0)
			return false;
		for (uint32_t k = 0; k < it->n_ranges; k++) {
			const struct item_range *r = &it->ranges[k];

			if (r->win != WINDOW_OF_KEY || r->size == 0)
				continue;
			if (r->lo > 1 || r->mask != UINT32_MAX)
				return false;
			steps = MIN(steps, r->lo + r->span);
		}
	}
	t->ends_near = steps * (step->lo + step->behind);
	return true;
}

/* What all items say of the bytes up to their ends. */
static void
share_ends(struct hash_builder *b)
{
	uint64_t *const words = b->t->ends_words;

	words[0] = words[1] = UINT64_MAX;
	for (uint32_t i = 0; i < b->c->n_items; i++) {
		const struct item *it = hash_item_of(b, i);
		const int first = end_of(b, it) - ENDS_BEFORE;

		words[0] &= word_at(b, it, first).mask;
		words[1] &= word_at(b, it, first + 8).mask;
	}
}

static int
make_ends(struct hash_builder *b)
{
	struct hash_table *t = b->t;
	uint64_t n = power_of_2((uint64_t)ENDS_AN_ITEM * t->n_items);

	if (!all_end(b))
		return 0;
	n = MAX(ENDS_MIN, MIN(ENDS_MAX, n));
	t->ends = mem_zalloc_aligned(BASE_CACHE_LINE, n * sizeof(*t->ends));
	if (t->ends == NULL)
		return -ENOMEM;
	t->bytes += n * sizeof(*t->ends);
	t->ends_mask = n - 1;
	share_ends(b);
	for (uint32_t i = b->fault == HASH_FAULT_ENDS; i < b->c->n_items; i++) {
		const struct item *it = hash_item_of(b, i);
		const int end = end_of(b, it);
		const uint64_t x = word_at(b, it, end - ENDS_BEFORE).val & t->ends_words[0];
		const uint64_t y = word_at(b, it, end - ENDS_BEFORE + 8).val & t->ends_words[1];

		t->ends[hash_ends_number(x, y, t->ends_mask)] |= UINT64_C(1) << end;
	}
	return 0;
}

static int
builder_init(struct hash_builder *b)
{
	const uint32_t n = b->c->n_items + 1;

	b->shapes_mask = (uint32_t)power_of_2(2 * (uint64_t)n);
	b->keys = mem_calloc(n, sizeof(*b->keys));
	b->hash = mem_calloc(n, sizeof(*b->hash));
	b->place = mem_calloc(n, sizeof(*b->place));
	b->shapes = mem_calloc(b->shapes_mask--, sizeof(*b->shapes));
	if (b->keys == NULL || b->hash == NULL || b->place == NULL || b->shapes == NULL)
		return -ENOMEM;
	find_keys(b);
	return 0;
}

int
hash_init(struct hash_table *t, const struct items *items, const struct cluster *c, uint64_t seed,
	enum hash_fault fault)
{
	struct hash_builder b = {.t = t, .items = items, .c = c, .fault = fault, .rng = {seed}};
	int r;

	memset(t, 0, sizeof(*t));
	choose_words(t, items, c->hash, c->n_hash);
	describe(&b);
	hash_shape_init(&b);
	r = hash_fan_init(&b);
	if (r == 0)
		r = builder_init(&b);
	if (r == 0)
		r = put_items(&b);
	if (r == 0)
		r = make_buckets(&b);
	if (r == 0)
		r = make_filter(&b);
	if (r == 0)
		r = make_ends(&b);
	if (r == 0)
		hash_fan_done(&b);
	mem_free(b.keys);
	mem_free(b.hash);
	mem_free(b.place);
	mem_free(b.shapes);
	return r;
}

void
hash_fini(struct hash_table *t)
{
	mem_free(t->tags);
	mem_free(t->places);
	mem_free(t->items);
	mem_free(t->filter);
	mem_free(t->ends);
	if (t->fan != NULL)
		mem_free(t->fan->filter);
	mem_free(t->fan);
	mem_free(t->shapes);
	memset(t, 0, sizeof(*t));
}

void
hash_each(const struct hash_table *t, hash_each_fn each, void *arg)
{
	for (uint32_t b = 0; b < t->n_buckets; b++)
		for (uint32_t s = 0; s < HASH_SLOTS; s++) {
			uint32_t place = t->places[b][s], chain = 0;

			while (place != 0) {
				const struct hash_item *it = (const void *)&t->items[place];

				each(arg, t, it, ++chain);
				place = it->next;
			}
		}
}
