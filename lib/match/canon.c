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
#include "pkt/proto.h"
#include "scope.h"
#include "windows.h"

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

int
item_proto(const struct item *it)
{
	const struct item_word *key = &it->words[0];

	if (it->n_words == 0 || key->win != WINDOW_OF_KEY ||
		(~key->mask & PKT_KEY_PROTO(0xff)) != 0)
		return -1;
	return (int)(key->val / PKT_KEY_PROTO(1) & 0xff);
}

bool
item_of_walk(const struct items *items, uint32_t i)
{
	const uint32_t rule = items->v[i].rule;
	uint32_t first = i;

	while (first > 0 && items->v[first - 1].rule == rule)
		first--;
	for (i = first; i < items->n && items->v[i].rule == rule; i++)
		if (items->v[i].steps_win != 0)
			return true;
	return false;
}

/* ---- words ---- */

static void
word_ask(struct draft *d, uint8_t win, int off, uint64_t mask, uint64_t val)
{
	struct item_word like = {.win = win, .off = (int16_t)off, .mask = mask, .val = val};
	uint32_t i = d->item.n_words;

	if (mask == 0)
		return;
	/* Most come in their order. */
	while (i > 0 && item_word_before(&like, &d->words[i - 1]))
		i--;
	if (i > 0 && d->words[i - 1].win == win && d->words[i - 1].off == off) {
		struct item_word *w = &d->words[i - 1];

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

/*
 * The bytes of @mask and @val, of which the lowest is the one at @off behind @win: 8 at
 * most that lie in the same word or two.
 */
static void
bytes_ask(struct items *items, struct draft *d, uint8_t win, int off, uint64_t mask, uint64_t val)
{
	struct window *w = &items->windows[win];
	int at, shift;

	if (mask == 0)
		return;
	if (!w->has_phase) {
		w->phase = w->kind == WINDOW_START
			? 0
			: (uint8_t)((off + __builtin_ctzll(mask) / 8) & 7);
		w->has_phase = true;
	}
	/* Arithmetic shifts, so that what is before the window counts down. */
	at = ((off - w->phase) >> 3) * 8 + w->phase;
	shift = 8 * (off - at);
	word_ask(d, win, at, mask << shift, val << shift);
	if (shift > 0)
		word_ask(d, win, at + 8, mask >> (64 - shift), val >> (64 - shift));
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

/* The big-endian number @v of @size bytes, the first of which becomes the lowest. */
static uint32_t
in_memory(uint32_t v, uint8_t size)
{
	return __builtin_bswap32(v) >> 8 * (4 - size);
}

/* What atom @a asks of bytes. False when it asks more, or something else. */
static bool
atom_ask(struct items *items, struct draft *d, struct sight sight, const struct sym_atom *a)
{
	const struct sym_node *n = a->node;
	int32_t off;
	int win;

	if (n->op == SYM_LEN)
		return atom_ask_range(d, WINDOW_OF_START(sight.space), 0, a);
	if (n->op != SYM_LOAD || n->k > ITEM_OFF_MAX)
		return false;
	win = windows_of_load(items, sight, n, &off);
	if (win < 0 || !steps_ask(items, d, win))
		return false;
	if (a->kind != SYM_EQ || a->neg)
		return atom_ask_range(d, (uint8_t)win, off, a);
	bytes_ask(items, d, (uint8_t)win, off, in_memory(a->mask, n->size),
		in_memory(a->val, n->size));
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
need_ask(struct items *items, struct draft *d, struct sight sight, const struct sym_need *need)
{
	const struct place p =
		windows_place(items, sight, need->base, need->end > 0 ? need->end - 1 : 0);
	struct item_need n = {.win = (uint8_t)p.win, .space = sight.space};

	if (p.win < 0 || need->end > UINT16_MAX || !steps_ask(items, d, p.win))
		return false;
	if (items->windows[p.win].kind == WINDOW_TAIL) {
		/* No frame has bytes behind its end. */
		d->never |= need->end > p.back;
		d->item.flags |= ITEM_TAIL;
		n.a = (uint16_t)p.back;
		n.b = (uint16_t)(p.back - need->end);
	} else if (need->end < p.back) {
		return false;
	} else {
		n.a = (uint16_t)(need->end - p.back);
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
lane_ask(struct items *items, struct draft *d, struct sight sight, const struct sym_atom *a)
{
	struct lane lane;

	if (d->lane.bits < 16 && lane_of_atom(items, sight, a, &lane) && lane.bits > d->lane.bits)
		d->lane = lane;
}

static void
path_ask(struct canon *c, struct draft *d, struct sight sight, const struct sym_path *path)
{
	bool exact = path->exact;
	uint32_t computed = 0; /* atoms that words do not say */

	for (uint32_t i = 0; i < path->n_atoms; i++) {
		struct sym_atom a;
		const enum sym_truth t = sym_atom_of_value(path, i, &a);

		d->never |= t == SYM_NEVER;
		if (t != SYM_OPEN || atom_ask(c->items, d, sight, &a))
			continue;
		computed++;
		lane_ask(c->items, d, sight, &a);
	}
	for (uint32_t i = 0; i < path->n_needs; i++)
		exact &= need_ask(c->items, d, sight, &path->needs[i]);
	d->item.lane_says_all = exact && computed == 1 && d->lane.bits > 0 && path->steps == 0 &&
		(d->item.flags & ITEM_RUN) == 0;
	exact &= computed == 0;
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

static void
family_ask(struct draft *d, uint8_t family)
{
	word_ask(d, WINDOW_OF_KEY, 0, PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS),
		PKT_KEY_FAMILY((uint32_t)family));
}

/*
 * The protocol that the words say there is in the header of IP, said of the key, too:
 * whole bursts are sorted by it. That of IPv6 is another one where headers follow that
 * extend it.
 */
static void
proto_ask(struct draft *d, uint8_t family)
{
	const uint32_t off = family == 4 ? 9 : 6;

	for (uint32_t i = 0; i < d->item.n_words; i++) {
		const struct item_word *w = &d->words[i];
		const uint32_t shift = 8 * (off - (uint32_t)w->off);
		uint32_t proto;

		if (w->win != WINDOW_OF_START(SPACE_RAW) || w->off != (int)(off / 8 * 8) ||
			(w->mask >> shift & 0xff) != 0xff)
			continue;
		proto = (uint32_t)(w->val >> shift & 0xff);
		if (family == 4 || proto == PKT_PROTO_TCP || proto == PKT_PROTO_UDP)
			word_ask(d, WINDOW_OF_KEY, 0, PKT_KEY_PROTO(0xff), PKT_KEY_PROTO(proto));
		return;
	}
}

static void
prefix_ask(struct canon *c, struct draft *d, const struct ip_prefix *p, bool is_dst)
{
	const uint8_t family = p->addr.family;
	const int size = family == 4 ? 4 : 16;
	const int at = family == 4 ? 12 + 4 * is_dst : 8 + 16 * is_dst;

	family_ask(d, family);
	for (int i = 0; i < size; i++) {
		const int bits = MAX(0, MIN(8, p->len - 8 * i));
		const uint8_t mask = (uint8_t)(0xff00 >> bits);

		bytes_ask(c->items, d, WINDOW_OF_START(SPACE_RAW), at + i, mask,
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

/* The family of frames whose first byte is as @path asks, or 0: a parser goes by it, too. */
static uint8_t
family_of_path(const struct sym_path *path)
{
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const struct sym_atom *a = &path->atoms[i];
		const struct sym_node *n = a->node;
		uint32_t shift;

		if (a->kind != SYM_EQ || a->neg || n->op != SYM_LOAD || n->a != NULL || n->k != 0)
			continue;
		shift = 8u * n->size - 4;
		if ((a->mask >> shift & 15) == 15 && (a->val >> shift == 4 || a->val >> shift == 6))
			return (uint8_t)(a->val >> shift);
	}
	return 0;
}

/* The family of all frames for which @t holds, or 0. */
static uint8_t
family_of_scope(const struct scope_test *t)
{
	const uint32_t mask = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);

	if ((t->mask & mask) != mask)
		return 0;
	return (uint8_t)((t->val & mask) / PKT_KEY_FAMILY(1));
}

/* The paths of @prog; @family 4 or 6: it is asked of that family only; 0: of all. */
static int
prog_ask(struct canon *c, uint32_t index, const struct match_rule *rule, uint8_t family,
	const struct cbpf_prog *prog)
{
	const struct match_entry *e = &c->im->entries[index];
	const bool is_ether = e->run == MATCH_RUN_ETHER;
	struct sym_result sym;
	int r = sym_cover(c->pool, prog, &sym);

	if (family == 0)
		family = family_of_scope(&e->scope.test);
	for (uint32_t i = 0; r == 0 && i < sym.n_paths && !c->residual; i++) {
		struct sight sight = {.space = is_ether ? SPACE_ETHER : SPACE_RAW};
		struct draft d = draft_of(index, e);

		if (!is_ether) {
			const uint8_t of_path = family_of_path(&sym.paths[i]);

			sight.family = family != 0 ? family : of_path;
			d.never = of_path != 0 && of_path != sight.family;
		}
		if (sight.family != 0)
			family_ask(&d, sight.family);
		d.room = ITEM_WORDS_MAX - SCOPE_WORDS + d.item.n_words;
		path_ask(c, &d, sight, &sym.paths[i]);
		d.room = ITEM_WORDS_MAX;
		if (sight.family != 0)
			proto_ask(&d, sight.family);
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

static bool
same_words(const struct draft *a, const struct draft *b)
{
	if (a->item.n_words != b->item.n_words)
		return false;
	for (uint32_t i = 0; i < a->item.n_words; i++) {
		const struct item_word *x = &a->words[i], *y = &b->words[i];

		if (x->win != y->win || x->off != y->off || x->mask != y->mask || x->val != y->val)
			return false;
	}
	return true;
}

static bool
same_rest(const struct draft *a, const struct draft *b)
{
	const struct item *x = &a->item, *y = &b->item;

	if (x->flags != y->flags || x->n_needs != y->n_needs || x->n_ranges != y->n_ranges ||
		x->steps_win != y->steps_win || x->steps != y->steps ||
		x->prog_says_all != y->prog_says_all || a->lane.bits > 0 || b->lane.bits > 0)
		return false;
	for (uint32_t i = 0; i < x->n_needs; i++) {
		const struct item_need *m = &x->needs[i], *n = &y->needs[i];

		if (m->win != n->win || m->space != n->space || m->a != n->a || m->b != n->b)
			return false;
	}
	for (uint32_t i = 0; i < x->n_ranges; i++) {
		const struct item_range *r = &a->ranges[i], *s = &b->ranges[i];

		if (r->win != s->win || r->size != s->size || r->off != s->off ||
			r->mask != s->mask || r->lo != s->lo || r->span != s->span)
			return false;
	}
	return true;
}

/*
 * What is asked of IPv4 and the same of IPv6 is one item: L4 and what is found from
 * there are the same windows.
 */
static void
join_families(struct canon *c)
{
	const uint64_t differ = PKT_KEY_FAMILY(4 ^ 6);
	uint32_t n = c->n_drafts;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = i + 1; k < n; k++) {
			struct draft *a = &c->drafts[i], *b = &c->drafts[k];
			struct item_word *key = &a->words[0];

			if (a->item.n_words == 0 || b->item.n_words == 0 ||
				key->win != WINDOW_OF_KEY || (key->mask & differ) == 0)
				continue;
			key->val ^= differ;
			if (!same_words(a, b) || !same_rest(a, b)) {
				key->val ^= differ;
				continue;
			}
			key->mask &= ~differ;
			key->val &= ~differ;
			memmove(b, b + 1, (--n - k) * sizeof(*b));
			break;
		}
	c->n_drafts = n;
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
	join_families(c);
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
	(void)windows_add(items, (struct window){.kind = WINDOW_KEY, .has_phase = true});
	for (uint8_t space = 0; space < SPACES; space++)
		(void)windows_add(items, (struct window){.kind = WINDOW_START, .space = space});
	for (uint32_t i = 0; i < im->n && r == 0; i++)
		r = rule_ask(c, &rules[i], i);
	sym_pool_free(c->pool);
	return r;
}
