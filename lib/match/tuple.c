// SPDX-License-Identifier: BSD-3-Clause
#include "tuple.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "base/vec.h"
#include "image_impl.h"
#include "tuple_lanes.h"

/* A prefix at which lanes stand, with those of the prefixes around it. */
struct group {
	struct tuple_prefix at;
	uint32_t *lanes; /* by rule */
	uint32_t n;
	uint32_t below; /* lanes that an address in it has */
	uint32_t link; /* the group where it goes on, + 1; 0: nowhere */
	uint32_t entry;
	uint32_t first; /* the first rule of all that the entry leads to */
};

struct maker {
	const struct match_image *im;
	const struct match_rule *rules;
	struct tuple *tuple;
	bool *take;
	bool fault; /* sources are compared where destinations are to be */
	struct {
		struct tuple_lane *v;
		size_t n, cap;
	} lanes;
	struct group *groups[TUPLE_SIDES];
	uint32_t n_groups[TUPLE_SIDES];
	uint32_t *nodes; /* of both tries */
	uint32_t n_nodes;
	struct tuple_block *blocks;
	struct tuple_more *more;
	uint32_t n_blocks;
	struct arena mem; /* until the end of the build */
};

/* ---- where lanes stand ---- */

static int
add_all(struct maker *m)
{
	struct tuple_lane lanes[TUPLE_LANES_OF_RULE];

	m->tuple->first_rule = UINT32_MAX;
	for (uint32_t i = 0; i < m->im->n; i++) {
		int n = m->take[i] ? tuple_lanes(m->im, m->rules, i, lanes) : 0;

		for (int k = 0; k < n; k++) {
			struct tuple_lane *l = vec_push(&m->lanes);

			if (l == NULL)
				return -ENOMEM;
			*l = lanes[k];
			m->tuple->first_rule = MIN(m->tuple->first_rule, i);
		}
	}
	return 0;
}

static uint64_t
prefix_key(struct tuple_prefix p)
{
	return (uint64_t)p.addr << 8 | p.len;
}

static int
order_keys(const void *pa, const void *pb)
{
	const uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;

	return (a > b) - (a < b);
}

static size_t
keys_below(const uint64_t *v, size_t n, uint64_t key)
{
	size_t lo = 0;

	while (n > 0) {
		const size_t half = n / 2;

		if (v[lo + half] < key) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

/* Which side is the narrower; @same: how many lanes have the same prefix. */
static enum tuple_side
choose_side(const struct tuple_lane *l, const size_t same[TUPLE_SIDES])
{
	const uint8_t src = l->at[TUPLE_SRC].len, dst = l->at[TUPLE_DST].len;
	enum tuple_side side = src > dst ? TUPLE_SRC : TUPLE_DST, other;

	if (src == dst)
		return same[TUPLE_SRC] < same[TUPLE_DST] ? TUPLE_SRC : TUPLE_DST;
	/* Many that speak to one server: by who speaks, if that tells them apart. */
	other = side == TUPLE_SRC ? TUPLE_DST : TUPLE_SRC;
	if (same[side] > TUPLE_LANES && l->at[other].len >= 2 * TUPLE_WIDE &&
		same[other] * 4 < same[side])
		return other;
	return side;
}

static int
choose_sides(struct maker *m)
{
	const size_t n = m->lanes.n;
	uint64_t *keys[TUPLE_SIDES];

	for (int side = 0; side < TUPLE_SIDES; side++) {
		keys[side] = arena_zalloc(&m->mem, (n + 1) * sizeof(*keys[side]));
		if (keys[side] == NULL)
			return -ENOMEM;
		for (size_t i = 0; i < n; i++)
			keys[side][i] = prefix_key(m->lanes.v[i].at[side]);
		qsort(keys[side], n, sizeof(*keys[side]), order_keys);
	}
	for (size_t i = 0; i < n; i++) {
		struct tuple_lane *l = &m->lanes.v[i];
		size_t same[TUPLE_SIDES];

		for (int side = 0; side < TUPLE_SIDES; side++) {
			const uint64_t key = prefix_key(l->at[side]);

			same[side] =
				keys_below(keys[side], n, key + 1) - keys_below(keys[side], n, key);
		}
		l->side = (uint8_t)choose_side(l, same);
	}
	return 0;
}

/* By side, then so that a prefix comes before those in it, then by rule. */
static int
order_lanes(const void *pa, const void *pb)
{
	const struct tuple_lane *a = pa, *b = pb;
	const uint64_t x = prefix_key(a->at[a->side]), y = prefix_key(b->at[b->side]);

	if (a->side != b->side)
		return a->side - b->side;
	if (x != y)
		return x > y ? 1 : -1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

/* ---- groups ---- */

static bool
is_in(struct tuple_prefix p, struct tuple_prefix around)
{
	return around.len == 0 ||
		(p.len >= around.len && (p.addr ^ around.addr) >> (32 - around.len) == 0);
}

/* Let @g have the lanes of @around, which it is in, too: side by side, or linked. */
static int
join(struct maker *m, struct group *g, const struct group *around, uint32_t number)
{
	const struct tuple_lane *v = m->lanes.v;
	uint32_t *lanes, a = 0, b = 0;

	if (g->n + around->n > TUPLE_MERGE) {
		g->link = number + 1;
		return 0;
	}
	lanes = arena_zalloc(&m->mem, (g->n + around->n) * sizeof(*lanes));
	if (lanes == NULL)
		return -ENOMEM;
	while (a < g->n || b < around->n) {
		const bool own = b == around->n ||
			(a < g->n && v[g->lanes[a]].rule <= v[around->lanes[b]].rule);

		lanes[a + b] = own ? g->lanes[a] : around->lanes[b];
		a += own;
		b += !own;
	}
	g->lanes = lanes;
	g->n += around->n;
	g->link = around->link;
	return 0;
}

/* The lanes from @at on that stand at the same prefix, in a group. Returns behind them. */
static size_t
gather(struct maker *m, size_t at, struct group *g, uint32_t *lanes)
{
	const struct tuple_lane *v = m->lanes.v;
	const uint8_t side = v[at].side;

	*g = (struct group){.at = v[at].at[side], .lanes = lanes};
	for (; at < m->lanes.n && v[at].side == side &&
		prefix_key(v[at].at[side]) == prefix_key(g->at);
		at++)
		g->lanes[g->n++] = (uint32_t)at;
	g->below = g->n;
	return at;
}

/*
 * Groups of the side of lane @at, from it on. Those that would be compared with too
 * much are left out. Returns where the other side's lanes start, or -ENOMEM.
 */
static ssize_t
make_groups(struct maker *m, size_t at, enum tuple_side side)
{
	uint32_t around[33], depth = 0, *lanes;
	struct group *groups;
	size_t end = at;

	while (end < m->lanes.n && m->lanes.v[end].side == side)
		end++;
	groups = arena_zalloc(&m->mem, (end - at + 1) * sizeof(*groups));
	lanes = arena_zalloc(&m->mem, (end - at + 1) * sizeof(*lanes));
	if (groups == NULL || lanes == NULL)
		return -ENOMEM;
	m->groups[side] = groups;
	while (at < end) {
		const uint32_t number = m->n_groups[side];
		struct group *g = &groups[number];

		at = gather(m, at, g, lanes);
		lanes += g->n;
		while (depth > 0 && !is_in(g->at, groups[around[depth - 1]].at))
			depth--;
		if (depth > 0)
			g->below += groups[around[depth - 1]].below;
		if (g->below > (g->at.len < TUPLE_WIDE ? TUPLE_BELOW_WIDE : TUPLE_BELOW)) {
			for (uint32_t i = 0; i < g->n; i++)
				m->take[m->lanes.v[g->lanes[i]].rule] = false;
			continue;
		}
		if (depth > 0 && join(m, g, &groups[around[depth - 1]], around[depth - 1]) < 0)
			return -ENOMEM;
		around[depth++] = number;
		m->n_groups[side]++;
	}
	return (ssize_t)end;
}

/* ---- blocks ---- */

static uint32_t
mask_of(uint8_t len)
{
	return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

static void
fill_block(const struct maker *m, struct tuple_block *b, const uint32_t *lanes, uint32_t n)
{
	for (uint32_t i = 0; i < TUPLE_LANES; i++) {
		const struct tuple_lane *l;
		struct tuple_prefix other;

		if (i >= n) {
			b->meta[i] = 1; /* which the mask removes */
			b->rule[i] = MATCH_NONE;
			continue;
		}
		l = &m->lanes.v[lanes[i]];
		other = l->at[(l->side == TUPLE_SRC) != m->fault ? TUPLE_DST : TUPLE_SRC];
		store_be32((uint8_t *)&b->addr[i], other.addr);
		store_be32((uint8_t *)&b->mask[i], mask_of(other.len));
		b->ports_lo[i] = l->ports_lo;
		b->ports_hi[i] = l->ports_hi;
		b->meta[i] = l->meta;
		b->meta_mask[i] = l->meta_mask;
		b->rule[i] = l->rule;
	}
}

static void
make_blocks(struct maker *m, enum tuple_side side)
{
	for (uint32_t k = 0; k < m->n_groups[side]; k++) {
		struct group *g = &m->groups[side][k];
		const struct group *link = g->link != 0 ? &m->groups[side][g->link - 1] : NULL;
		const uint32_t n = (g->n + TUPLE_LANES - 1) / TUPLE_LANES;
		struct tuple_more behind = {0, MATCH_NONE};

		if (link != NULL)
			behind = (struct tuple_more){link->entry, link->first};
		for (uint32_t i = n; i-- > 0;) {
			const uint32_t at = m->n_blocks + i, from = i * TUPLE_LANES;
			const uint32_t more = behind.entry != 0 ? TUPLE_MORE : 0;

			fill_block(
				m, &m->blocks[at], g->lanes + from, MIN(g->n - from, TUPLE_LANES));
			m->more[at] = behind;
			behind.entry = at | more;
			behind.first = MIN(behind.first, m->blocks[at].rule[0]);
		}
		m->n_blocks += n;
		g->entry = behind.entry;
		g->first = behind.first;
	}
}

static int
make_all_blocks(struct maker *m)
{
	struct tuple *t = m->tuple;
	uint32_t n = 1;
	uint8_t *p;

	for (int side = 0; side < TUPLE_SIDES; side++)
		for (uint32_t k = 0; k < m->n_groups[side]; k++)
			n += (m->groups[side][k].n + TUPLE_LANES - 1) / TUPLE_LANES;
	if (n >= TUPLE_MORE)
		return -E2BIG;
	p = arena_zalloc(&t->arena, n * sizeof(*m->blocks) + BASE_CACHE_LINE);
	m->more = arena_zalloc(&t->arena, n * sizeof(*m->more));
	if (p == NULL || m->more == NULL)
		return -ENOMEM;
	p += (BASE_CACHE_LINE - (uintptr_t)p % BASE_CACHE_LINE) % BASE_CACHE_LINE;
	m->blocks = (struct tuple_block *)(void *)p;
	fill_block(m, &m->blocks[0], NULL, 0);
	m->more[0] = (struct tuple_more){0, MATCH_NONE};
	m->n_blocks = 1;
	make_blocks(m, TUPLE_SRC);
	make_blocks(m, TUPLE_DST);
	t->blocks = m->blocks;
	t->more = m->more;
	t->n_blocks = n;
	return 0;
}

/* ---- few lanes ---- */

static void
fill_few(const struct maker *m, struct tuple_few *f)
{
	for (size_t i = 0; i < TUPLE_FEW; i++) {
		const struct tuple_lane *l = &m->lanes.v[i];

		if (i >= m->lanes.n) {
			f->meta[i] = 1; /* which the mask removes */
			f->rule[i] = MATCH_NONE;
			continue;
		}
		for (int side = 0; side < TUPLE_SIDES; side++) {
			const struct tuple_prefix *p = &l->at[m->fault ? !side : side];

			store_be32((uint8_t *)&f->addr[side][i], p->addr);
			store_be32((uint8_t *)&f->mask[side][i], mask_of(p->len));
		}
		f->ports_lo[i] = l->ports_lo;
		f->ports_hi[i] = l->ports_hi;
		f->meta[i] = l->meta;
		f->meta_mask[i] = l->meta_mask;
		f->rule[i] = l->rule;
	}
}

/* Lanes are by rule, as add_all() made them. */
static int
make_few(struct maker *m)
{
	struct tuple_few *few;
	uint8_t *p = arena_zalloc(&m->tuple->arena, sizeof(*few) + BASE_CACHE_LINE);

	if (p == NULL)
		return -ENOMEM;
	p += (BASE_CACHE_LINE - (uintptr_t)p % BASE_CACHE_LINE) % BASE_CACHE_LINE;
	few = (struct tuple_few *)(void *)p;
	fill_few(m, few);
	m->tuple->few = few;
	return 0;
}

/* ---- tries ---- */

#define ROOT 65536
#define NODE 256

/* How many nodes the groups need; they come in the order of their addresses. */
static uint32_t
count_nodes(const struct maker *m, enum tuple_side side)
{
	uint32_t n = 0, last16 = UINT32_MAX, last24 = UINT32_MAX;

	for (uint32_t k = 0; k < m->n_groups[side]; k++) {
		const struct tuple_prefix p = m->groups[side][k].at;

		if (p.len > 16 && p.addr >> 16 != last16) {
			last16 = p.addr >> 16;
			n++;
		}
		if (p.len > 24 && p.addr >> 8 != last24) {
			last24 = p.addr >> 8;
			n++;
		}
	}
	return n;
}

/* The node that *@entry leads to; where there is none, one that says everywhere what it said. */
static uint32_t *
node_at(struct maker *m, uint32_t *entry)
{
	uint32_t *node;

	if ((*entry & TUPLE_NODE) == 0) {
		node = m->nodes + (size_t)m->n_nodes * NODE;
		for (uint32_t i = 0; i < NODE; i++)
			node[i] = *entry;
		*entry = TUPLE_NODE | m->n_nodes++;
	}
	return m->nodes + (size_t)(*entry & ~TUPLE_NODE) * NODE;
}

/* A prefix comes before those in it, so that nothing narrower is overwritten. */
static void
put(struct maker *m, uint32_t *root, const struct group *g)
{
	uint32_t *v = root, at = g->at.addr >> 16, len = g->at.len, bits = 16;

	if (len > 16) {
		v = node_at(m, &v[at]);
		at = g->at.addr >> 8 & 0xff;
		len -= 16;
		bits = 8;
	}
	if (len > 8 && bits == 8) {
		v = node_at(m, &v[at]);
		at = g->at.addr & 0xff;
		len -= 8;
	}
	for (uint32_t i = 0; i < UINT32_C(1) << (bits - len); i++)
		v[at + i] = g->entry;
}

static int
make_tries(struct maker *m)
{
	struct tuple *t = m->tuple;

	t->n_nodes = count_nodes(m, TUPLE_SRC) + count_nodes(m, TUPLE_DST);
	if (t->n_nodes > TUPLE_NODES_MAX)
		return -E2BIG;
	m->nodes = arena_zalloc(&t->arena, (size_t)(t->n_nodes + 1) * NODE * sizeof(*m->nodes));
	if (m->nodes == NULL)
		return -ENOMEM;
	for (int side = 0; side < TUPLE_SIDES; side++) {
		uint32_t *root = arena_zalloc(&t->arena, ROOT * sizeof(*root));

		if (root == NULL)
			return -ENOMEM;
		for (uint32_t k = 0; k < m->n_groups[side]; k++)
			put(m, root, &m->groups[side][k]);
		t->trie[side] = (struct tuple_trie){root, m->nodes};
	}
	return 0;
}

/* ---- all of it ---- */

static int
make(struct maker *m)
{
	ssize_t at = 0;
	int r = add_all(m);

	if (r < 0)
		return r;
	m->tuple->n_lanes = (uint32_t)m->lanes.n;
	if (m->lanes.n > 0 && m->lanes.n <= TUPLE_FEW)
		return make_few(m);
	r = choose_sides(m);
	if (r < 0)
		return r;
	if (m->lanes.n > 0) /* else there is no memory to sort either */
		qsort(m->lanes.v, m->lanes.n, sizeof(*m->lanes.v), order_lanes);
	for (int side = 0; side < TUPLE_SIDES && at >= 0; side++)
		at = make_groups(m, (size_t)at, (enum tuple_side)side);
	if (at < 0)
		return (int)at;
	r = make_all_blocks(m);
	return r == 0 ? make_tries(m) : r;
}

int
tuple_new(const struct match_image *im, const struct match_rule *rules, bool *take, bool fault,
	struct tuple **ret_tuple)
{
	struct maker *m = mem_zalloc(sizeof(*m));
	struct tuple *t = mem_zalloc(sizeof(*t));
	int r = -ENOMEM;

	if (m != NULL && t != NULL) {
		*m = (struct maker){
			.im = im, .rules = rules, .tuple = t, .take = take, .fault = fault};
		r = make(m);
		mem_free(m->lanes.v);
		arena_fini(&m->mem);
	}
	mem_free(m);
	if (r < 0)
		tuple_free(t);
	else
		*ret_tuple = t;
	return r;
}

void
tuple_free(struct tuple *tuple)
{
	if (tuple == NULL)
		return;
	arena_fini(&tuple->arena);
	mem_free(tuple);
}
