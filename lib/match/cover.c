// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rule b can never decide when each of its items is met only by frames that an
 * earlier rule takes for certain: one that decides, always. An item is within
 * another one when its words ask all that the other's do, and more:
 *
 *	a: [l4 + 20 : 4] == 03 'www'		takes all that
 *	b: [l4 + 20 : 4] == 03 'www', [l4 + 24 : 3] == 02 'uk'	finds
 *
 * Items of earlier rules lie in a tree, one word a level. A node's words differ in
 * place and mask ("kinds"); of each kind the child is looked up by the value that
 * b's word has there, where b's word has all the bits. So of thousands of rules
 * those are looked at that b's constants lead to. Nodes are split when several
 * items wait there.
 *
 * Rules of which words do not say all (ranges, arithmetic, opaque programs) are
 * within others whose programs are the same, if their scopes are.
 */
#include "cover.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "image_impl.h"
#include "item.h"
#include "match/rule.h"

#define HELD_MAX 6 /* items that wait at a node before it is split */
#define SAME_MAX 64 /* rules with one program that are compared with a rule */
#define STEPS_OF_ITEM 4096 /* nodes, kinds and items looked at for one item */
/* For all, for each rule: 10,000 rules of the worst kind end it after some milliseconds. */
#define STEPS_OF_RULE 1024
#define STEPS_BASE 100000
#define FILTER_BITS (UINT32_C(1) << 18)
#define PLACES_MIN 256 /* of a table of hashes, at first */
#define WHYS_MAX 64 /* rules that never match whose reason is looked for */

/* An item that waits at a node, with its first word that is left: most are told by it. */
struct held {
	uint32_t item, next;
	struct item_word word; /* mask 0: none is left */
};

/* Words of one place and mask below a node. */
struct kind {
	uint64_t mask;
	uint32_t next; /* of the same node; 0: none */
	int16_t off;
	uint8_t win;
};

struct node {
	uint32_t kinds; /* the first; 0: none */
	uint32_t held, n_held; /* n_held: of those that have words left */
	uint8_t depth; /* words on the way here */
	bool split;
};

/* The child of a node by kind and value, open addressing; node 0: free. */
struct child {
	uint64_t val;
	uint32_t kind, node;
};

/* A rule by its program, or by program and scope; 0: free. */
struct same {
	uint64_t hash;
	uint32_t rule; /* + 1 */
};

struct cover {
	const struct match_image *im;
	const struct match_rule *rules;
	const struct items *items;
	struct arena *arena;
	struct cover_found *found;
	uint32_t cap_found, n_whys;

	struct held *held; /* 0 is none, in all of these */
	struct kind *kinds;
	struct node *nodes;
	struct child *children;
	uint32_t n_held, n_kinds, n_nodes, n_children, mask_children;
	/* A bit for each child by its hash; fits the first cache, and most look-ups end here. */
	uint64_t filter[FILTER_BITS / 64];
	uint32_t cap_held, cap_kinds, cap_nodes;
	bool failed;

	struct same *same;
	uint32_t mask_same;

	uint64_t steps, steps_max; /* of all */
	uint32_t left; /* of this item */
	const struct item *asked;
	struct item_word words[ITEM_WORDS_MAX + 1]; /* its, and the key once more */
	uint32_t n_words;
	uint32_t best; /* the first rule found that takes all of asked */
};

/* ---- whether an item is within another one ---- */

static bool
words_within(const struct item *y, const struct item *x)
{
	uint32_t j = 0;

	for (uint32_t i = 0; i < y->n_words; i++) {
		const struct item_word *w = &y->words[i];

		while (j < x->n_words && item_word_before(&x->words[j], w))
			j++;
		if (j == x->n_words || x->words[j].win != w->win || x->words[j].off != w->off ||
			(w->mask & ~x->words[j].mask) != 0 ||
			((x->words[j].val ^ w->val) & w->mask) != 0)
			return false;
	}
	return true;
}

/* Whether a frame that has what @b needs has what @a needs. */
static bool
need_within(const struct items *items, const struct item_need *a, const struct item_need *b)
{
	uint8_t win = b->win;

	if (a->space != b->space)
		return false;
	if (items->windows[a->win].kind == WINDOW_TAIL)
		return a->win == b->win && a->a <= b->a && a->b >= b->b;
	if (items->windows[b->win].kind == WINDOW_TAIL)
		return false;
	if (a->win == b->win)
		return a->a <= b->a;
	/* A window that is there was found by a byte of the one before. */
	while (win >= WINDOW_OF_START(SPACES)) {
		const struct window *w = &items->windows[win];

		if (w->parent == a->win && w->off + 1 >= a->a)
			return true;
		win = w->parent;
	}
	return false;
}

static bool
needs_within(const struct items *items, const struct item *y, const struct item *x)
{
	for (uint32_t i = 0; i < y->n_needs; i++) {
		uint32_t k = 0;

		while (k < x->n_needs && !need_within(items, &y->needs[i], &x->needs[k]))
			k++;
		if (k == x->n_needs)
			return false;
	}
	return true;
}

/* Whether numbers that are in the ranges of @x are in those of @y. */
static bool
ranges_within(const struct item *y, const struct item *x)
{
	if (y->steps_win != 0 && y->steps_win != x->steps_win)
		return false;
	for (uint32_t i = 0; i < y->n_ranges; i++) {
		const struct item_range *a = &y->ranges[i];
		bool within = false;

		for (uint32_t k = 0; k < x->n_ranges && !within; k++) {
			const struct item_range *b = &x->ranges[k];

			within = a->win == b->win && a->off == b->off && a->size == b->size &&
				a->mask == b->mask &&
				(uint64_t)(b->lo - a->lo) + b->span <= a->span;
		}
		if (!within)
			return false;
	}
	return true;
}

/* Whether rule y->rule takes every frame that meets @x. The item says all of y but for its lists. */
static bool
is_within(struct cover *c, const struct item *y, const struct item *x)
{
	uint32_t cost = 0;
	const bool within = words_within(y, x) && ranges_within(y, x) && cover_sees_same(y, x) &&
		needs_within(c->items, y, x) && cover_rest(c->im, c->rules, y, x, &cost);

	c->left -= MIN(c->left, cost);
	return within;
}

/* ---- the tree ---- */

/* Room for one more in *@v. False when out of memory. */
static bool
grow(struct cover *c, void **v, uint32_t n, uint32_t *cap, size_t size)
{
	const uint32_t more = MAX(64, *cap * 2);
	void *bigger;

	if (n < *cap)
		return true;
	bigger = arena_zalloc(c->arena, more * size);
	if (bigger == NULL) {
		c->failed = true;
		return false;
	}
	if (n > 0)
		memcpy(bigger, *v, n * size);
	*v = bigger;
	*cap = more;
	return true;
}

static uint32_t
node_new(struct cover *c, uint8_t depth)
{
	if (!grow(c, (void **)&c->nodes, c->n_nodes, &c->cap_nodes, sizeof(*c->nodes)))
		return 0;
	c->nodes[c->n_nodes] = (struct node){.depth = depth};
	return c->n_nodes++;
}

static uint64_t
child_hash(uint32_t kind, uint64_t val)
{
	const uint64_t h =
		(val ^ kind * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);

	return h ^ h >> 32;
}

static uint32_t
filter_bit(uint64_t hash)
{
	return (uint32_t)(hash >> 40) & (FILTER_BITS - 1);
}

static bool
child_may_be(const struct cover *c, uint64_t hash)
{
	return (c->filter[filter_bit(hash) / 64] >> filter_bit(hash) % 64 & 1) != 0;
}

static uint32_t
child_place(const struct cover *c, uint32_t kind, uint64_t val)
{
	uint32_t i = (uint32_t)child_hash(kind, val) & c->mask_children;

	while (c->children[i].node != 0 &&
		(c->children[i].kind != kind || c->children[i].val != val))
		i = (i + 1) & c->mask_children;
	return i;
}

/* Places for @n children or items, a power of two. */
static uint32_t
places_for(uint64_t n)
{
	return (uint32_t)MAX(PLACES_MIN, power_of_2(n));
}

/* Twice the places for children, at least some. */
static bool
children_grow(struct cover *c)
{
	const struct child *old = c->children;
	const uint32_t n_old = old != NULL ? c->mask_children + 1 : 0;
	const uint32_t n = n_old != 0 ? 2 * n_old : places_for(c->items->n);
	struct child *v = arena_zalloc(c->arena, n * sizeof(*v));

	if (v == NULL) {
		c->failed = true;
		return false;
	}
	c->children = v;
	c->mask_children = n - 1;
	for (uint32_t i = 0; i < n_old; i++)
		if (old[i].node != 0)
			v[child_place(c, old[i].kind, old[i].val)] = old[i];
	return true;
}

/* The kind of word @w at node @n, made if there is none; 0: out of memory. */
static uint32_t
kind_of(struct cover *c, uint32_t n, const struct item_word *w)
{
	uint32_t k = c->nodes[n].kinds;

	while (k != 0 &&
		(c->kinds[k].win != w->win || c->kinds[k].off != w->off ||
			c->kinds[k].mask != w->mask))
		k = c->kinds[k].next;
	if (k != 0)
		return k;
	if (!grow(c, (void **)&c->kinds, c->n_kinds, &c->cap_kinds, sizeof(*c->kinds)))
		return 0;
	k = c->n_kinds++;
	c->kinds[k] = (struct kind){w->mask, c->nodes[n].kinds, w->off, w->win};
	c->nodes[n].kinds = k;
	return k;
}

/* The child of node @n for word @w, made if there is none; 0: out of memory. */
static uint32_t
child_of(struct cover *c, uint32_t n, const struct item_word *w)
{
	const uint32_t kind = kind_of(c, n, w);
	uint32_t at, child, bit;

	if (kind == 0 || (2 * c->n_children >= c->mask_children && !children_grow(c)))
		return 0;
	at = child_place(c, kind, w->val);
	if (c->children[at].node != 0)
		return c->children[at].node;
	child = node_new(c, (uint8_t)(c->nodes[n].depth + 1));
	if (child == 0)
		return 0;
	c->children[at] = (struct child){w->val, kind, child};
	c->n_children++;
	bit = filter_bit(child_hash(kind, w->val));
	c->filter[bit / 64] |= UINT64_C(1) << bit % 64;
	return child;
}

/*
 * Word number @i of @it in the order of the tree. Of scopes the key, which tells few
 * of them apart, comes last. What is looked for has it at both ends.
 */
static const struct item_word *
word_at(const struct cover *c, const struct item *it, uint32_t i)
{
	if (it->words[0].win != WINDOW_OF_KEY || !c->rules[it->rule].scope_only)
		return &it->words[i];
	return &it->words[i + 1 < it->n_words ? i + 1 : 0];
}

static void put(struct cover *c, uint32_t n, uint32_t held);

/* The items that wait at node @n and have words left go on. */
static void
split(struct cover *c, uint32_t n)
{
	uint32_t h = c->nodes[n].held, next;

	c->nodes[n].split = true;
	c->nodes[n].held = c->nodes[n].n_held = 0;
	for (; h != 0 && !c->failed; h = next) {
		next = c->held[h].next;
		put(c, n, h);
	}
}

/* Put what waits, @held, below node @n. */
static void
put(struct cover *c, uint32_t n, uint32_t held)
{
	const struct item *it = &c->items->v[c->held[held].item];
	struct node *node = &c->nodes[n];

	while (node->split && node->depth < it->n_words) {
		n = child_of(c, n, word_at(c, it, node->depth));
		if (n == 0)
			return;
		node = &c->nodes[n];
	}
	c->held[held].word =
		node->depth < it->n_words ? *word_at(c, it, node->depth) : (struct item_word){0};
	c->held[held].next = node->held;
	node->held = held;
	node->n_held += node->depth < it->n_words;
	if (!node->split && node->n_held > HELD_MAX)
		split(c, n);
}

static void
insert(struct cover *c, uint32_t item)
{
	if (!grow(c, (void **)&c->held, c->n_held, &c->cap_held, sizeof(*c->held)))
		return;
	c->held[c->n_held] = (struct held){.item = item};
	put(c, 1, c->n_held++);
}

static bool
step(struct cover *c)
{
	if (c->left == 0)
		return false;
	c->left--;
	return true;
}

/* Whether what is asked about asks all that @w does, by its words from @from on. */
static bool
word_within(const struct cover *c, const struct item_word *w, uint32_t from)
{
	for (uint32_t i = from; i < c->n_words; i++)
		if (c->words[i].win == w->win && c->words[i].off == w->off)
			return (w->mask & ~c->words[i].mask) == 0 &&
				((c->words[i].val ^ w->val) & w->mask) == 0;
	return w->mask == 0;
}

/* Find what takes c->asked, of whose words those from @from on are left, below node @n. */
static void
look(struct cover *c, uint32_t n, uint32_t from)
{
	/* The word at the place of the last kind: kinds of one place mostly come together. */
	const struct kind *place = NULL;
	uint32_t i = from;

	for (uint32_t h = c->nodes[n].held; h != 0 && step(c); h = c->held[h].next) {
		const struct item *y = &c->items->v[c->held[h].item];

		if (word_within(c, &c->held[h].word, from) && y->rule < c->best &&
			is_within(c, y, c->asked))
			c->best = y->rule;
	}
	for (uint32_t k = c->nodes[n].kinds; k != 0 && step(c); k = c->kinds[k].next) {
		const struct kind *kind = &c->kinds[k];
		uint32_t at;

		if (place == NULL || kind->win != place->win || kind->off != place->off) {
			for (i = from; i < c->n_words &&
				(c->words[i].win != kind->win || c->words[i].off != kind->off);)
				i++;
			place = kind;
		}
		if (i == c->n_words || (kind->mask & ~c->words[i].mask) != 0)
			continue;
		if (!child_may_be(c, child_hash(k, c->words[i].val & kind->mask)))
			continue;
		at = child_place(c, k, c->words[i].val & kind->mask);
		if (c->children[at].node != 0)
			look(c, c->children[at].node, i + 1);
	}
}

/* The first rule that takes all frames that meet @x, or MATCH_NONE. */
static uint32_t
taker_of(struct cover *c, const struct item *x)
{
	c->asked = x;
	memcpy(c->words, x->words, x->n_words * sizeof(*c->words));
	c->n_words = x->n_words;
	if (x->n_words > 0 && x->words[0].win == WINDOW_OF_KEY)
		c->words[c->n_words++] = x->words[0];
	c->best = MATCH_NONE;
	c->left = (uint32_t)MIN(STEPS_OF_ITEM, c->steps_max - c->steps);
	c->steps += c->left;
	look(c, 1, 0);
	c->steps -= c->left;
	c->found->cut |= c->left == 0;
	return c->best;
}

/* ---- rules with the same program ---- */

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static uint64_t
hash_bytes(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, sizeof(v));
		h = mix(h, v);
	}
	for (; n > 0; n--)
		h = mix(h, *p++);
	return h;
}

static uint64_t
hash_prog(uint64_t h, const struct cbpf_prog *prog)
{
	const struct cbpf_insn *insns = NULL;
	size_t n = 0;

	if (prog != NULL)
		insns = cbpf_prog_insns(prog, &n);
	return mix(prog != NULL ? hash_bytes(h, insns, n * sizeof(*insns)) : h, n);
}

static bool
same_prog(const struct cbpf_prog *a, const struct cbpf_prog *b)
{
	const struct cbpf_insn *x, *y;
	size_t n, m;

	if (a == b || a == NULL || b == NULL)
		return a == b;
	x = cbpf_prog_insns(a, &n);
	y = cbpf_prog_insns(b, &m);
	return n == m && memcmp(x, y, n * sizeof(*x)) == 0;
}

/* What a rule asks behind its scope is the same. */
static bool
same_programs(const struct match_rule *a, const struct match_rule *b)
{
	if (a->scope_only || b->scope_only)
		return a->scope_only == b->scope_only;
	return a->link == b->link && a->generated == b->generated &&
		same_prog(a->prog[0], b->prog[0]) &&
		(a->link == MATCH_LINK_ETHER || same_prog(a->prog[1], b->prog[1]));
}

static uint64_t
hash_programs(const struct match_rule *r)
{
	uint64_t h = mix(r->scope_only, 0x5ca1ab1e);

	if (r->scope_only)
		return h;
	h = mix(h, (uint64_t)r->link * 2 + r->generated);
	h = hash_prog(h, r->prog[0]);
	return r->link == MATCH_LINK_ETHER || r->prog[0] == r->prog[1] ? h
								       : hash_prog(h, r->prog[1]);
}

static uint64_t
hash_prefixes(uint64_t h, const struct match_prefixes *p)
{
	h = mix(h, p->any ? UINT64_MAX : p->n);
	/* Long lists are one and the same set more often than not. */
	for (size_t i = 0; !p->any && i < MIN(p->n, 8); i++)
		h = mix(hash_bytes(h, p->v[i].addr.bytes, sizeof(p->v[i].addr.bytes)), p->v[i].len);
	return h;
}

static uint64_t
hash_ranges(uint64_t h, const struct match_ranges *r)
{
	h = mix(h, r->n);
	for (size_t i = 0; i < MIN(r->n, 8); i++)
		h = mix(h, (uint64_t)r->v[i].lo << 16 | r->v[i].hi);
	return h;
}

static uint64_t
hash_scope(uint64_t h, const struct match_scope *s)
{
	h = mix(h, (uint64_t)s->family << 8 | (uint64_t)s->fragments);
	h = hash_ranges(hash_ranges(hash_ranges(h, &s->proto), &s->sport), &s->dport);
	return hash_prefixes(hash_prefixes(h, &s->src), &s->dst);
}

/* The first rule in the chain of @hash that takes all that @b does, or MATCH_NONE. */
static uint32_t
same_find(struct cover *c, uint64_t hash, uint32_t b)
{
	uint32_t at = (uint32_t)(hash >> 32) & c->mask_same, best = MATCH_NONE, cost = 0;

	for (uint32_t n = 0; c->same != NULL && c->same[at].rule != 0;
		at = (at + 1) & c->mask_same) {
		const uint32_t a = c->same[at].rule - 1;

		if (c->same[at].hash != hash)
			continue;
		if (n++ == SAME_MAX || c->steps + cost >= c->steps_max) {
			c->found->cut = true;
			break;
		}
		cost += 8;
		if (same_programs(&c->rules[a], &c->rules[b]) &&
			cover_scope(&c->rules[a], &c->rules[b], &cost)) {
			best = a;
			break;
		}
	}
	c->steps += cost;
	return best;
}

static bool
same_new(struct cover *c)
{
	c->same = arena_zalloc(c->arena, (c->mask_same + 1) * sizeof(*c->same));
	c->failed |= c->same == NULL;
	return c->same != NULL;
}

static void
same_put(struct cover *c, uint64_t hash, uint32_t rule)
{
	uint32_t at = (uint32_t)(hash >> 32) & c->mask_same;

	if (c->same == NULL && !same_new(c))
		return;
	for (uint32_t n = 0; c->same[at].rule != 0; at = (at + 1) & c->mask_same)
		/* Those behind would not be looked at. */
		if (c->same[at].hash == hash && ++n == SAME_MAX)
			return;
	c->same[at] = (struct same){.hash = hash, .rule = rule + 1};
}

/* ---- the pass ---- */

static int
add(struct cover *c, const struct match_finding *f)
{
	struct cover_found *found = c->found;

	if (found->n == c->cap_found) {
		const uint32_t cap = MAX(8, 2 * c->cap_found);
		struct match_finding *v = mem_realloc(found->v, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		found->v = v;
		c->cap_found = cap;
	}
	found->v[found->n] = *f;
	found->v[found->n++].decides = c->im->entries[f->rule].deciding;
	return 0;
}

static void
add_taker(struct match_finding *f, uint32_t rule)
{
	for (uint32_t i = 0; i < MIN(f->n_by, MATCH_BY_MAX); i++)
		if (f->by[i] == rule)
			return;
	if (f->n_by < MATCH_BY_MAX)
		f->by[f->n_by] = rule;
	f->n_by++;
}

/* Whether @r decides always, but for what an operator does: none behind it gets its frames. */
static bool
takes(const struct match_rule *r)
{
	return r->enabled && r->lasting && !r->shadow && r->action != MATCH_COUNT &&
		r->scope.ports == UINT64_MAX;
}

/* Whether words do not say all of rule @i, whose items are @n at @v. */
static bool
asks_more(const struct cover *c, uint32_t i, const struct item *v, uint32_t n)
{
	if (c->items->residual[i])
		return true;
	for (uint32_t k = 0; k < n; k++)
		if ((v[k].flags & ITEM_RUN) != 0)
			return true;
	return false;
}

/* One rule, whose items are @n from number @first on. */
static int
look_at(struct cover *c, uint32_t i, uint32_t first, uint32_t n)
{
	const struct match_rule *r = &c->rules[i];
	const struct item *v = &c->items->v[first];
	struct match_finding f = {.rule = i, .kind = MATCH_FINDING_SHADOWED};
	uint64_t programs = 0, whole = 0;
	uint32_t taken = 0, taker = MATCH_NONE;
	bool more;

	if (cover_is_never(r, &c->im->entries[i].scope, n == 0 && !c->items->residual[i])) {
		enum match_why_never why = MATCH_NEVER_SCOPE;
		int e = cover_why_never(r, c->n_whys++ < WHYS_MAX, &why);

		f.kind = MATCH_FINDING_NEVER;
		f.why = (uint8_t)why;
		return e < 0 ? e : add(c, &f);
	}
	for (; taken < n; taken++) {
		taker = taker_of(c, &v[taken]);
		if (taker == MATCH_NONE)
			break;
		add_taker(&f, taker);
	}
	if (n > 0 && taken == n)
		return add(c, &f);
	more = asks_more(c, i, v, n);
	if (more) {
		programs = hash_programs(r);
		whole = hash_scope(programs, &r->scope);
		taker = same_find(c, whole, i);
		if (taker == MATCH_NONE)
			taker = same_find(c, programs, i);
	}
	if (more && taker != MATCH_NONE) {
		f.n_by = 1;
		f.by[0] = taker;
		return add(c, &f);
	}
	if (!takes(r))
		return 0;
	for (uint32_t k = 0; k < n; k++)
		if ((v[k].flags & ITEM_RUN) == 0)
			insert(c, first + k);
	if (more) {
		same_put(c, whole, i);
		same_put(c, programs, i);
	}
	return c->failed ? -ENOMEM : 0;
}

static int
start(struct cover *c)
{
	c->mask_same = places_for(4 * (uint64_t)c->im->n) - 1;
	c->n_held = c->n_kinds = 0;
	c->steps_max = STEPS_BASE + (uint64_t)STEPS_OF_RULE * c->im->n;
	/* Number 0 is none. */
	if (!grow(c, (void **)&c->held, c->n_held++, &c->cap_held, sizeof(*c->held)) ||
		!grow(c, (void **)&c->kinds, c->n_kinds++, &c->cap_kinds, sizeof(*c->kinds)) ||
		!children_grow(c))
		return -ENOMEM;
	(void)node_new(c, 0);
	return node_new(c, 0) == 1 ? 0 : -ENOMEM;
}

int
cover_find(const struct match_image *im, const struct match_rule *rules, const struct items *items,
	struct arena *arena, struct cover_found *ret_found)
{
	struct cover_found found = {0};
	struct cover *c = arena_zalloc(arena, sizeof(*c)); /* too large for the stack */
	int r;

	if (c == NULL)
		return -ENOMEM;
	c->im = im;
	c->rules = rules;
	c->items = items;
	c->arena = arena;
	c->found = &found;
	r = start(c);
	for (uint32_t i = 0, at = 0; i < im->n && r == 0; i++) {
		uint32_t n = 0;

		while (at + n < items->n && items->v[at + n].rule == i)
			n++;
		r = look_at(c, i, at, n);
		at += n;
	}
	if (r < 0)
		cover_found_fini(&found);
	else
		*ret_found = found;
	return r;
}

void
cover_found_fini(struct cover_found *found)
{
	mem_free(found->v);
	*found = (struct cover_found){0};
}
