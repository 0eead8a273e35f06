// SPDX-License-Identifier: BSD-3-Clause
/* From rules to items: what holds for every frame that a rule matches, as masked words. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "image_impl.h"
#include "item.h"
#include "lane.h"
#include "match/rule.h"
#include "match/sym.h"
#include "scope.h"

#define ITEMS_OF_RULE 16
#define SCOPE_WORDS 5 /* the key, and addresses of IPv6 */
#define PREFIXES_MAX 4 /* longer lists are asked behind the look-up */

/* An item under construction. */
struct draft {
	struct item item;
	struct item_word words[ITEM_WORDS_MAX];
	struct lane lane; /* bits == 0: none */
	struct item_range ranges[ITEM_RANGES_MAX];
	bool never;
	uint32_t room; /* words there may be; some are kept for the scope, which no program asks */
};

struct canon {
	const struct match_image *im;
	struct arena *arena;
	struct sym_pool *pool;
	struct items *items;
	struct draft drafts[ITEMS_OF_RULE]; /* of one rule */
	uint32_t n_drafts;
	bool residual;
};

/* ---- windows ---- */

static int
window_add(struct items *items, struct window w)
{
	if (items->n_windows == WINDOWS_MAX)
		return -1;
	items->windows[items->n_windows] = w;
	if (w.steps_win != 0)
		items->windows[w.steps_win].below |= 1u << items->n_windows;
	return (int)items->n_windows++;
}

static bool
is_byte(const struct sym_node *n)
{
	return n->op == SYM_LOAD && n->size == 1;
}

static bool
is_alu(const struct sym_node *n, enum cbpf_alu_op alu)
{
	return n->op == SYM_ALU && n->alu == alu;
}

static bool
is_alu_const(const struct sym_node *n, enum cbpf_alu_op alu, uint32_t k)
{
	return is_alu(n, alu) && n->b->op == SYM_CONST && n->b->k == k;
}

static int window_of(struct items *items, enum space space, const struct sym_node *node);

/* The kind of window that starts at @node, but for its space; false when it is none of ours. */
static bool
window_make(struct items *items, enum space space, const struct sym_node *node, struct window *ret)
{
	const struct sym_node *byte;
	int parent;

	if (node->op == SYM_LEN) {
		ret->kind = WINDOW_TAIL;
		return true;
	}
	if (node->op == SYM_WALK) {
		parent = window_of(items, space, node->a);
		if (parent < 0 || node->k > ITEM_OFF_MAX || node->b == NULL ||
			items->windows[parent].kind == WINDOW_TAIL ||
			items->windows[parent].steps_win != 0)
			return false;
		ret->kind = WINDOW_STEPS;
		ret->parent = (uint8_t)parent;
		ret->off = node->k;
		ret->step = sym_walk_step(node);
		ret->steps_win = (uint8_t)items->n_windows;
		return true;
	}
	if (is_alu_const(node, CBPF_ALU_LSH, 2) && is_alu_const(node->a, CBPF_ALU_AND, 15) &&
		is_byte(node->a->a) && node->a->a->a == NULL) {
		ret->kind = WINDOW_IHL;
		ret->parent = WINDOW_OF_START(space);
		ret->off = node->a->a->k;
		return true;
	}
	byte = node;
	ret->kind = WINDOW_BYTE;
	if (is_alu(node, CBPF_ALU_ADD)) {
		ret->kind = WINDOW_WALK;
		byte = is_byte(node->b) && node->b->a == node->a ? node->b : node->a;
		if (!is_byte(byte) || byte->a != (byte == node->b ? node->a : node->b))
			return false;
	}
	if (!is_byte(byte) || byte->k > ITEM_OFF_MAX)
		return false;
	parent = window_of(items, space, byte->a);
	if (parent < 0 || items->windows[parent].kind == WINDOW_TAIL)
		return false;
	ret->parent = (uint8_t)parent;
	ret->off = byte->k;
	ret->steps_win = items->windows[parent].steps_win;
	return true;
}

/* The window that starts at @node, NULL for 0, or -1. */
static int
window_of(struct items *items, enum space space, const struct sym_node *node)
{
	struct window w = {.space = (uint8_t)space, .node = node};

	if (node == NULL)
		return WINDOW_OF_START(space);
	for (uint32_t i = WINDOW_OF_START(SPACES); i < items->n_windows; i++)
		if (items->windows[i].node == node && items->windows[i].space == space)
			return (int)i;
	return window_make(items, space, node, &w) ? window_add(items, w) : -1;
}

int
canon_window(struct items *items, uint8_t space, const struct sym_node *base, uint32_t *ret_back)
{
	*ret_back = 0;
	if (base != NULL && base->op == SYM_SUM && base->a->op == SYM_LEN &&
		0 - base->k <= ITEM_OFF_MAX) {
		*ret_back = 0 - base->k;
		return window_of(items, (enum space)space, base->a);
	}
	/* At or behind the end is nothing; programs that look there are left alone. */
	if (base != NULL && base->op == SYM_LEN)
		return -1;
	return window_of(items, (enum space)space, base);
}

/* ---- words ---- */

static void
word_ask(struct draft *d, uint8_t win, int off, uint64_t mask, uint64_t val)
{
	struct item_word like = {.win = win, .off = (int16_t)off, .mask = mask, .val = val};
	uint32_t i = 0;

	if (mask == 0)
		return;
	while (i < d->item.n_words && item_word_before(&d->words[i], &like))
		i++;
	if (i < d->item.n_words && d->words[i].win == win && d->words[i].off == off) {
		struct item_word *w = &d->words[i];

		d->never |= ((w->val ^ val) & w->mask & mask) != 0;
		w->mask |= mask;
		w->val |= val;
		return;
	}
	if (d->item.n_words == d->room) {
		d->item.flags |= ITEM_RUN;
		return;
	}
	memmove(&d->words[i + 1], &d->words[i], (d->item.n_words - i) * sizeof(like));
	d->words[i] = like;
	d->item.n_words++;
}

static void
byte_ask(struct items *items, struct draft *d, uint8_t win, int off, uint8_t mask, uint8_t val)
{
	struct window *w = &items->windows[win];
	int at;

	if (mask == 0)
		return;
	if (!w->has_phase) {
		w->phase = w->kind == WINDOW_START ? 0 : (uint8_t)(off & 7);
		w->has_phase = true;
	}
	/* Arithmetic shifts, so that what is before the window counts down. */
	at = ((off - w->phase) >> 3) * 8 + w->phase;
	word_ask(d, win, at, (uint64_t)mask << 8 * (off - at), (uint64_t)val << 8 * (off - at));
}

/* Make one of two ranges of the same number. False when they wrap. */
static bool
ranges_join(struct draft *d, struct item_range *a, const struct item_range *b)
{
	const uint32_t most = a->size % 4 == 0 ? UINT32_MAX : (1u << 8 * a->size) - 1;
	const uint64_t a_end = (uint64_t)a->lo + a->span, b_end = (uint64_t)b->lo + b->span;
	const uint32_t lo = MAX(a->lo, b->lo), hi = (uint32_t)MIN(MIN(a_end, b_end), most);

	if (a->win != b->win || a->off != b->off || a->size != b->size || a->mask != b->mask ||
		a_end > UINT32_MAX || b_end > UINT32_MAX)
		return false;
	d->never |= lo > hi;
	a->lo = lo;
	a->span = hi - lo;
	return true;
}

static bool
range_ask(struct draft *d, const struct item_range *r)
{
	for (uint32_t i = 0; i < d->item.n_ranges; i++)
		if (ranges_join(d, &d->ranges[i], r))
			return true;
	if (d->item.n_ranges == ITEM_RANGES_MAX)
		return false;
	d->ranges[d->item.n_ranges++] = *r;
	return true;
}

/* What atom @a asks of a number as a whole. False when it is none of a range. */
static bool
atom_ask_range(struct draft *d, uint8_t win, int off, const struct sym_atom *a)
{
	struct item_range r = {.win = win, .size = a->node->size, .off = (int16_t)off};

	if (a->kind == SYM_RANGE) {
		r.mask = UINT32_MAX;
		r.lo = 0 - a->mask;
		r.span = a->val;
	} else if (a->kind == SYM_EQ) {
		/* One, or all but one: from behind it on around to before it. */
		r.mask = a->mask;
		r.lo = a->val + a->neg;
		r.span = a->neg ? UINT32_MAX - 1 : 0;
	} else {
		return false;
	}
	return range_ask(d, &r);
}

/* Note that @win is asked about. False when another one of many places is, too. */
static bool
steps_ask(const struct items *items, struct draft *d, int win)
{
	const uint8_t steps_win = items->windows[win].steps_win;

	if (steps_win == 0 || d->item.steps_win == steps_win)
		return true;
	if (d->item.steps_win != 0)
		return false;
	d->item.steps_win = steps_win;
	return true;
}

/* What atom @a asks of bytes. False when it asks more, or something else. */
static bool
atom_ask(struct items *items, struct draft *d, enum space space, const struct sym_atom *a)
{
	const struct sym_node *n = a->node;
	uint32_t back;
	int win;

	if (n->op == SYM_LEN)
		return atom_ask_range(d, WINDOW_OF_START(space), 0, a);
	if (n->op != SYM_LOAD || n->k > ITEM_OFF_MAX)
		return false;
	win = canon_window(items, space, n->a, &back);
	if (win < 0 || !steps_ask(items, d, win))
		return false;
	if (a->kind != SYM_EQ || a->neg)
		return atom_ask_range(d, (uint8_t)win, (int)n->k - (int)back, a);
	for (int i = 0; i < n->size; i++) {
		const int shift = 8 * (n->size - 1 - i);

		byte_ask(items, d, (uint8_t)win, (int)n->k - (int)back + i,
			(uint8_t)(a->mask >> shift), (uint8_t)(a->val >> shift));
	}
	return true;
}

/* True when @n of need @need is seen to by finding window @win. */
static bool
need_is_implied(const struct items *items, uint8_t win, uint8_t need_win, uint32_t a)
{
	while (win >= WINDOW_OF_START(SPACES) && items->windows[win].kind != WINDOW_TAIL) {
		const struct window *w = &items->windows[win];

		if (w->parent == need_win && w->off + w->step.at + 1 >= a)
			return true;
		win = w->parent;
	}
	return false;
}

/* What length @need asks. False when that cannot be said. */
static bool
need_ask(struct items *items, struct draft *d, enum space space, const struct sym_need *need)
{
	struct item_need n = {0};
	uint32_t back;
	int win = canon_window(items, space, need->base, &back);

	if (win < 0 || need->end > UINT16_MAX || !steps_ask(items, d, win))
		return false;
	n.win = (uint8_t)win;
	n.space = (uint8_t)space;
	n.a = (uint16_t)need->end;
	if (items->windows[win].kind == WINDOW_TAIL) {
		/* No frame has bytes behind its end. */
		d->never |= need->end > back;
		d->item.flags |= ITEM_TAIL;
		n.a = (uint16_t)back;
		n.b = (uint16_t)(back - need->end);
	}
	for (uint32_t i = 0; i < d->item.n_words; i++)
		if (need_is_implied(items, d->words[i].win, n.win, n.a))
			return true;
	if (d->item.n_needs == ITEM_NEEDS_MAX)
		return false;
	d->item.needs[d->item.n_needs++] = n;
	return true;
}

/* ---- paths and scopes ---- */

/* The best lane of all atoms is the item's. */
static void
lane_ask(struct items *items, struct draft *d, enum space space, const struct sym_atom *a)
{
	struct lane lane;

	if (d->lane.bits < 16 && lane_of_atom(items, (uint8_t)space, a, &lane) &&
		lane.bits > d->lane.bits)
		d->lane = lane;
}

static void
path_ask(struct canon *c, struct draft *d, enum space space, const struct sym_path *path)
{
	bool exact = path->exact;

	for (uint32_t i = 0; i < path->n_atoms; i++) {
		struct sym_atom a;
		const enum sym_truth t = sym_atom_of_value(path, i, &a);

		d->never |= t == SYM_NEVER;
		if (t != SYM_OPEN || atom_ask(c->items, d, space, &a))
			continue;
		exact = false;
		lane_ask(c->items, d, space, &a);
	}
	for (uint32_t i = 0; i < path->n_needs; i++)
		exact &= need_ask(c->items, d, space, &path->needs[i]);
	if (path->steps > 0) {
		const struct item_range r = {.win = WINDOW_OF_KEY,
			.size = 4,
			.mask = UINT32_MAX,
			.lo = 1,
			.span = path->steps - 1u};

		/* Steps to nowhere are the program's. */
		exact &= d->item.steps_win != 0;
		d->item.steps = path->steps;
		if (d->item.steps_win != 0)
			exact &= range_ask(d, &r);
	}
	if (!exact)
		d->item.flags |= ITEM_RUN;
}

/*
 * What the words say of the IP header, said of the key, too: whole bursts are
 * sorted by it. A parser calls a frame what its version says, and the protocol
 * that a program reads there has its L4 right behind.
 */
static void
key_ask(struct draft *d)
{
	static const struct {
		uint8_t version, off, family;
	} headers[] = {{0x40, 9, 4}, {0x60, 6, 6}};
	uint64_t mask[2] = {0}, val[2] = {0};

	for (uint32_t i = 0; i < d->item.n_words; i++) {
		const struct item_word *w = &d->words[i];

		if (w->win == WINDOW_OF_START(SPACE_RAW) && w->off < 16) {
			mask[w->off / 8] = w->mask;
			val[w->off / 8] = w->val;
		}
	}
	for (size_t h = 0; h < DIM(headers); h++) {
		const uint32_t word = headers[h].off / 8u, shift = 8 * (headers[h].off % 8u);

		if ((mask[0] & 0xf0) != 0xf0 || (val[0] & 0xf0) != headers[h].version)
			continue;
		word_ask(d, WINDOW_OF_KEY, 0, KEY_FAMILY(KEY_FAMILY_BITS),
			KEY_FAMILY((uint32_t)headers[h].family));
		/* The last header's number is another where there are extension headers. */
		if (headers[h].family == 4 && (mask[word] >> shift & 0xff) == 0xff)
			word_ask(d, WINDOW_OF_KEY, 0, KEY_PROTO(0xff),
				KEY_PROTO((uint32_t)(val[word] >> shift & 0xff)));
	}
}

static void
prefix_ask(struct canon *c, struct draft *d, const struct ip_prefix *p, bool is_dst)
{
	const uint8_t family = p->addr.family;
	const int size = family == 4 ? 4 : 16;
	const int at = family == 4 ? 12 + 4 * is_dst : 8 + 16 * is_dst;

	word_ask(d, WINDOW_OF_KEY, 0, KEY_FAMILY(KEY_FAMILY_BITS), KEY_FAMILY(family));
	for (int i = 0; i < size; i++) {
		const int bits = MAX(0, MIN(8, p->len - 8 * i));
		const uint8_t mask = (uint8_t)(0xff00 >> bits);

		byte_ask(c->items, d, WINDOW_OF_START(SPACE_RAW), at + i, mask,
			p->addr.bytes[i] & mask);
	}
}

static void
draft_add(struct canon *c, const struct draft *d)
{
	if (d->never)
		return;
	if (c->n_drafts == ITEMS_OF_RULE)
		c->residual = true;
	else
		c->drafts[c->n_drafts++] = *d;
}

/* @d with every prefix of a short list. */
static void
scope_prefixes(struct canon *c, const struct draft *d, const struct match_prefixes *list,
	bool is_dst,
	void (*then)(struct canon *c, const struct draft *d, const struct match_scope *s),
	const struct match_scope *s)
{
	if (list->any) {
		then(c, d, s);
		return;
	}
	if (list->n > PREFIXES_MAX) {
		struct draft more = *d;

		more.item.flags |= ITEM_LISTS;
		then(c, &more, s);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct draft one = *d;

		prefix_ask(c, &one, &list->v[i], is_dst);
		if (!one.never)
			then(c, &one, s);
	}
}

static void
scope_done(struct canon *c, const struct draft *d, const struct match_scope *s)
{
	(void)s;
	draft_add(c, d);
}

static void
scope_src(struct canon *c, const struct draft *d, const struct match_scope *s)
{
	scope_prefixes(c, d, &s->src, false, scope_done, s);
}

static void
sport_ask(struct draft *d, uint16_t port)
{
	word_ask(d, WINDOW_OF_KEY, 0, UINT64_C(0xffff) << 32, (uint64_t)port << 32);
	d->item.flags |= ITEM_SPORT;
}

/* @d, which says what the program asks, with what the scope asks. */
static void
scope_ask(struct canon *c, struct draft *d, const struct match_rule *rule,
	const struct match_entry *e)
{
	const struct scope_more *more = e->scope.more;

	d->never |= (e->scope.test.val & ~e->scope.test.mask) != 0;
	word_ask(d, WINDOW_OF_KEY, 0, e->scope.test.mask, e->scope.test.val);
	if (more != NULL && more->sport.n == 1 && more->sport.v->lo == more->sport.v->hi)
		sport_ask(d, more->sport.v->lo);
	else if (more != NULL && more->sport.n > 0)
		d->item.flags |= ITEM_RANGES;
	if (more != NULL && (more->dport.n > 0 || more->has_proto))
		d->item.flags |= ITEM_RANGES;
	d->item.prog_says_all =
		(d->item.flags & ITEM_RUN) != 0 && rule->scope.dst.any && rule->scope.src.any;
	scope_prefixes(c, d, &rule->scope.dst, true, scope_src, &rule->scope);
}

static struct draft
draft_of(uint32_t index, const struct match_entry *e)
{
	struct draft d = {.item.rule = index, .room = ITEM_WORDS_MAX};

	if (e->generated && e->run != MATCH_RUN_NONE && e->run != MATCH_RUN_ETHER)
		d.item.flags |= ITEM_GENERATED;
	if (e->ports != UINT64_MAX)
		d.item.flags |= ITEM_PORTS;
	return d;
}

/* The paths of @prog; @family 4 or 6: it is asked of that family only; 0: of all. */
static int
prog_ask(struct canon *c, uint32_t index, const struct match_rule *rule, int family,
	const struct cbpf_prog *prog)
{
	const struct match_entry *e = &c->im->entries[index];
	const enum space space = e->run == MATCH_RUN_ETHER ? SPACE_ETHER : SPACE_RAW;
	struct sym_result sym;
	int r = sym_cover(c->pool, prog, &sym);

	for (uint32_t i = 0; r == 0 && i < sym.n_paths && !c->residual; i++) {
		struct draft d = draft_of(index, e);

		d.room -= SCOPE_WORDS;
		path_ask(c, &d, space, &sym.paths[i]);
		d.room += SCOPE_WORDS;
		if (space == SPACE_RAW)
			key_ask(&d);
		if (family != 0)
			word_ask(&d, WINDOW_OF_KEY, 0, KEY_FAMILY(KEY_FAMILY_BITS),
				KEY_FAMILY((uint32_t)family));
		scope_ask(c, &d, rule, e);
	}
	return r;
}

/* ---- the items of a rule ---- */

/* Whether every frame that does what @b asks does what @a asks. */
static bool
is_weaker(const struct draft *a, const struct draft *b)
{
	uint32_t j = 0;

	for (uint32_t i = 0; i < a->item.n_words; i++) {
		const struct item_word *w = &a->words[i];

		while (j < b->item.n_words && item_word_before(&b->words[j], w))
			j++;
		if (j == b->item.n_words || b->words[j].win != w->win ||
			b->words[j].off != w->off || (w->mask & ~b->words[j].mask) != 0 ||
			(b->words[j].val & w->mask) != w->val)
			return false;
	}
	return true;
}

/* Leave out items that find nothing which another one that asks the rule itself does not find. */
static void
drop_weaker(struct canon *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->n_drafts; i++)
		for (uint32_t j = 0; j < c->n_drafts; j++) {
			struct draft *a = &c->drafts[i], *b = &c->drafts[j];
			const uint8_t more = (a->item.flags ^ b->item.flags) & ITEM_MORE;

			if (i == j || a->never || b->never || more != 0 ||
				(a->item.flags & ITEM_RUN) == 0 ||
				(a->item.steps_win != 0 &&
					a->item.steps_win != b->item.steps_win) ||
				!is_weaker(a, b))
				continue;
			b->never = true;
			/* What a path needs another one may not; the program sees to it. */
			a->item.n_needs = 0;
			a->lane.bits = 0;
			a->item.n_ranges = 0;
			a->item.steps = MAX(a->item.steps, b->item.steps);
		}
	for (uint32_t i = 0; i < c->n_drafts; i++)
		if (!c->drafts[i].never)
			c->drafts[kept++] = c->drafts[i];
	c->n_drafts = kept;
}

static int
items_add(struct canon *c, const struct draft *d)
{
	struct items *items = c->items;
	struct item_range *ranges = NULL;
	struct item_word *words;
	struct lane *lane = NULL;

	if (items->n == items->cap) {
		const uint32_t cap = MAX(64, items->cap * 2);
		struct item *v = mem_realloc(items->v, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		items->v = v;
		items->cap = cap;
	}
	words = arena_zalloc(c->arena, (d->item.n_words + 1u) * sizeof(*words));
	if (words == NULL)
		return -ENOMEM;
	if (d->lane.bits > 0) {
		lane = arena_zalloc(c->arena, sizeof(*lane));
		if (lane == NULL)
			return -ENOMEM;
		*lane = d->lane;
	}
	memcpy(words, d->words, d->item.n_words * sizeof(*words));
	if (d->item.n_ranges > 0) {
		ranges = arena_zalloc(c->arena, d->item.n_ranges * sizeof(*ranges));
		if (ranges == NULL)
			return -ENOMEM;
		memcpy(ranges, d->ranges, d->item.n_ranges * sizeof(*ranges));
	}
	items->v[items->n] = d->item;
	items->v[items->n].words = words;
	items->v[items->n].lane = lane;
	items->v[items->n].ranges = ranges;
	items->n++;
	return 0;
}

static int
rule_ask(struct canon *c, const struct match_rule *rule, uint32_t index)
{
	const struct match_entry *e = &c->im->entries[index];
	const struct scope_more *more = e->scope.more;
	int r = 0;

	c->n_drafts = 0;
	/* Later fragments are matched another way. */
	c->residual = more != NULL && more->late.mask != 0;
	if (c->residual) {
		c->items->residual[index] = true;
		return 0;
	}
	if (e->run == MATCH_RUN_NONE) {
		struct draft d = draft_of(index, e);

		scope_ask(c, &d, rule, e);
	} else if (e->run == MATCH_RUN_ETHER || rule->prog[0] == rule->prog[1]) {
		if (rule->prog[0] != NULL)
			r = prog_ask(c, index, rule, 0, rule->prog[0]);
	} else {
		if (rule->prog[0] != NULL)
			r = prog_ask(c, index, rule, 4, rule->prog[0]);
		if (r == 0 && rule->prog[1] != NULL)
			r = prog_ask(c, index, rule, 6, rule->prog[1]);
	}
	drop_weaker(c);
	c->items->residual[index] = c->residual;
	for (uint32_t i = 0; i < c->n_drafts && r == 0 && !c->residual; i++)
		r = items_add(c, &c->drafts[i]);
	return r;
}

int
canon(const struct match_image *im, const struct match_rule *rules, struct arena *arena,
	struct items *items)
{
	struct canon *c = arena_zalloc(arena, sizeof(*c));
	int r;

	items->residual = arena_zalloc(arena, im->n + 1);
	if (c == NULL || items->residual == NULL)
		return -ENOMEM;
	c->im = im;
	c->arena = arena;
	c->items = items;
	r = sym_pool_new(&c->pool);
	if (r < 0)
		return r;
	(void)window_add(items, (struct window){.kind = WINDOW_KEY, .has_phase = true});
	for (uint8_t space = 0; space < SPACES; space++)
		(void)window_add(items, (struct window){.kind = WINDOW_START, .space = space});
	for (uint32_t i = 0; i < im->n && r == 0; i++)
		r = rule_ask(c, &rules[i], i);
	sym_pool_free(c->pool);
	return r;
}
