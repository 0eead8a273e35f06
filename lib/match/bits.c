// SPDX-License-Identifier: BSD-3-Clause
#include "bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "base/vec.h"
#include "bits_rows.h"
#include "image_impl.h"
#include "match/rule.h"

#define VALUES 65536 /* of a field */
#define CROSS_MAX 16384 /* rows of fields that are crossed */
#define KINDS_MAX 64 /* of what entries ask of it */

/* What an entry asks of the upper half of the key. */
struct kind {
	struct scope_test test;
	const uint64_t *proto; /* or NULL: any */
};

/* One bit: a rule, or what holds for its later fragments. */
struct entry {
	uint32_t rule;
	bool late;
	uint8_t kind;
	struct ip_prefix src, dst; /* the first of its lists; len 0: any */
};

/* Where a range on an axis begins or ends. */
struct edge {
	struct addr6 at; /* a port or an IPv4 address is in lo */
	uint32_t bit;
	bool begins;
};

struct edges {
	struct edge *v;
	size_t n, cap;
};

struct maker {
	const struct match_image *im;
	const struct match_rule *rules;
	struct bits *bits;
	struct entry *entries; /* in the order of their bits */
	uint32_t n;
	struct kind kinds[KINDS_MAX];
	uint32_t n_kinds;
	struct bits_rows rows;
	struct edges edges;
	uint16_t *depth; /* by bit: ranges that are open where the sweep is */
	uint32_t *table; /* rows of one axis, by how many distinct edges lie at or below */
	struct addr6 *ends;
	uint32_t n_ends;
	bool fault; /* destinations are taken for sources */
	struct arena mem; /* until the end of the build */
};

/* ---- entries ---- */

static int
kind_of(struct maker *m, const struct scope_test *test, const struct scope_more *more, uint8_t *ret)
{
	const uint64_t *proto = more != NULL && more->has_proto ? more->proto : NULL;
	const struct scope_test upper = {test->mask >> 16, test->val >> 16};

	for (uint32_t i = 0; i < m->n_kinds; i++) {
		const struct kind *k = &m->kinds[i];

		if (k->test.mask != upper.mask || k->test.val != upper.val)
			continue;
		if ((k->proto == NULL) != (proto == NULL))
			continue;
		if (proto != NULL && memcmp(k->proto, proto, sizeof(more->proto)) != 0)
			continue;
		*ret = (uint8_t)i;
		return 0;
	}
	if (m->n_kinds == KINDS_MAX)
		return -E2BIG;
	m->kinds[m->n_kinds] = (struct kind){upper, proto};
	*ret = (uint8_t)m->n_kinds++;
	return 0;
}

static struct ip_prefix
first_prefix(const struct match_prefixes *list)
{
	return list->any || list->n == 0 ? (struct ip_prefix){.len = 0} : list->v[0];
}

/* The family that all prefixes of @list have, or 0. */
static uint8_t
family_of(const struct match_prefixes *list)
{
	const uint8_t family = list->any || list->n == 0 ? 0 : list->v[0].addr.family;

	for (size_t i = 0; i < list->n; i++)
		if (list->any || list->v[i].addr.family != family)
			return 0;
	return family;
}

/* What all entries ask in common. */
static void
narrow(struct maker *m, const struct match_scope *s, struct scope_test test)
{
	struct scope_test *common = &m->bits->test;
	const uint8_t family = MAX(family_of(&s->src), family_of(&s->dst));

	if (family != 0) {
		test.mask |= PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);
		test.val =
			(test.val & ~PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS)) | PKT_KEY_FAMILY(family);
	}
	if (m->n == 1)
		*common = test;
	common->mask &= test.mask & ~(common->val ^ test.val);
	common->val &= common->mask;
}

static int
add_entry(struct maker *m, uint32_t rule, const struct scope_test *test, bool late)
{
	const struct match_scope *s = &m->rules[rule].scope;
	struct entry *e;

	/* What can never hold needs no bit. */
	if ((test->val & ~test->mask) != 0 || (!s->src.any && s->src.n == 0) ||
		(!s->dst.any && s->dst.n == 0))
		return 0;
	if (m->n == BITS_ENTRIES_MAX)
		return -E2BIG;
	e = &m->entries[m->n++];
	*e = (struct entry){
		.rule = rule,
		.late = late,
		.src = first_prefix(&s->src),
		.dst = first_prefix(&s->dst),
	};
	narrow(m, s, *test);
	return kind_of(m, test, m->im->entries[rule].scope.more, &e->kind);
}

static int
order_prefixes(const struct ip_prefix *a, const struct ip_prefix *b)
{
	const bool wide_a = a->len < 8, wide_b = b->len < 8;

	if (wide_a != wide_b)
		return wide_a ? 1 : -1;
	return wide_a ? 0 : memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
}

/* Neighbours share addresses, so that an address has bits in few lines. */
static int
order_for_lines(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = order_prefixes(&a->src, &b->src);

	if (c == 0)
		c = order_prefixes(&a->dst, &b->dst);
	if (c == 0)
		c = (a->kind > b->kind) - (a->kind < b->kind);
	if (c == 0)
		c = (a->rule > b->rule) - (a->rule < b->rule);
	return c;
}

static int
order_in_line(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	return a->rule != b->rule ? (a->rule > b->rule) - (a->rule < b->rule) : a->late - b->late;
}

static int
make_entries(struct maker *m, const bool *take)
{
	int r = 0;

	m->entries = mem_calloc(BITS_ENTRIES_MAX, sizeof(*m->entries));
	if (m->entries == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->im->n && r == 0; i++) {
		const struct scope *s = &m->im->entries[i].scope;

		if (!take[i])
			continue;
		r = add_entry(m, i, &s->test, false);
		if (r == 0 && s->more != NULL && s->more->late.mask != 0)
			r = add_entry(m, i, &s->more->late, true);
	}
	qsort(m->entries, m->n, sizeof(*m->entries), order_for_lines);
	for (uint32_t i = 0; i < m->n; i += BITS_OF_LINE)
		qsort(m->entries + i, MIN(m->n - i, BITS_OF_LINE), sizeof(*m->entries),
			order_in_line);
	return r;
}

static int
keep_entries(struct maker *m)
{
	struct bits *b = m->bits;
	uint32_t *rule = arena_zalloc(&b->arena, (m->n + 1) * sizeof(*rule));

	if (rule == NULL)
		return -ENOMEM;
	b->first_rule = UINT32_MAX;
	for (uint32_t i = 0; i < m->n; i++) {
		const uint32_t r = m->entries[i].rule;

		rule[i] = m->im->entries[r].ports == UINT64_MAX ? r : r | BITS_ASK_PORT;
		if (i % BITS_OF_LINE == 0)
			b->line_first[i / BITS_OF_LINE] = r;
		b->first_rule = MIN(b->first_rule, r);
	}
	b->rule = rule;
	b->n_entries = m->n;
	b->n_lines = (m->n + BITS_OF_LINE - 1) / BITS_OF_LINE;
	return 0;
}

/* ---- the upper half of the key ---- */

/* The row of entries whose kind is in @kinds. */
static int
meta_row(struct maker *m, uint64_t kinds, uint32_t *ret)
{
	bits_rows_clear(&m->rows);
	for (uint32_t i = 0; i < m->n; i++)
		if (kinds >> m->entries[i].kind & 1)
			bits_rows_set(&m->rows, i, true);
	return bits_rows_intern(&m->rows, ret);
}

static uint64_t
kinds_of(const struct maker *m, uint32_t meta)
{
	const uint32_t proto = meta & 0xff;
	uint64_t kinds = 0;

	for (uint32_t i = 0; i < m->n_kinds; i++) {
		const struct kind *k = &m->kinds[i];
		const bool holds = scope_test(&k->test, meta) &&
			(k->proto == NULL || (k->proto[proto / 64] >> proto % 64 & 1) != 0);

		kinds |= (uint64_t)holds << i;
	}
	return kinds;
}

/*
 * The classes of a field's values, by rows: @row is by value on entry. @ret_class gets
 * the class of each value, @row the row of each class. Returns how many there are, or -E2BIG.
 */
static int
classify(const struct maker *m, uint32_t *row, uint16_t *ret_class)
{
	/* Where a row starts is below words.n: the class of the row that starts there, + 1. */
	uint32_t *seen = mem_calloc(m->rows.words.n + 1, sizeof(*seen));
	uint32_t n = 0;

	if (seen == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < VALUES; i++) {
		const uint32_t at = row[i];

		if (seen[at] == 0) {
			if (n > UINT16_MAX) {
				mem_free(seen);
				return -E2BIG;
			}
			row[n] = at; /* n <= i: it has been read */
			seen[at] = ++n;
		}
		ret_class[i] = (uint16_t)(seen[at] - 1);
	}
	mem_free(seen);
	return (int)n;
}

/* Few of the 65,536 differ: remember the last ones seen. */
#define SEEN 1024

static int
meta_rows(struct maker *m, uint32_t *row)
{
	struct seen {
		uint64_t kinds;
		uint32_t row;
		bool is;
	} *seen = mem_calloc(SEEN, sizeof(*seen));
	int r = seen != NULL ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < VALUES && r == 0; i++) {
		const uint64_t kinds = kinds_of(m, i);
		struct seen *s = &seen[(kinds * UINT64_C(0x9e3779b97f4a7c15) >> 54) % SEEN];

		if (!s->is || s->kinds != kinds) {
			r = meta_row(m, kinds, &s->row);
			s->kinds = kinds;
			s->is = true;
		}
		row[i] = s->row;
	}
	mem_free(seen);
	return r;
}

/* ---- axes of ranges ---- */

static int
add_range(struct maker *m, uint32_t bit, struct addr6 first, struct addr6 last)
{
	struct edge *begin = vec_push(&m->edges), *end;

	if (begin == NULL)
		return -ENOMEM;
	*begin = (struct edge){first, bit, true};
	last.lo++;
	last.hi += last.lo == 0;
	if (last.hi == 0 && last.lo == 0)
		return 0; /* it ends where all addresses do */
	end = vec_push(&m->edges);
	if (end == NULL)
		return -ENOMEM;
	*end = (struct edge){last, bit, false};
	return 0;
}

static int
order_edges(const void *pa, const void *pb)
{
	const struct edge *a = pa, *b = pb;

	return addr6_below(b->at, a->at) - addr6_below(a->at, b->at);
}

/*
 * From the first value of the axis to the last: m->ends[], where something begins or
 * ends, and m->table[], the row between. The row at hand has the bits that ask
 * nothing of this axis.
 */
static int
sweep(struct maker *m)
{
	size_t i = 0;
	int r;

	mem_free(m->table);
	mem_free(m->ends);
	m->n_ends = 0;
	m->table = mem_calloc(m->edges.n + 1, sizeof(*m->table));
	m->ends = mem_calloc(m->edges.n + 1, sizeof(*m->ends));
	if (m->table == NULL || m->ends == NULL)
		return -ENOMEM;
	memset(m->depth, 0, (m->n + 1) * sizeof(*m->depth));
	if (m->edges.n > 0) /* else there is no memory to sort either */
		qsort(m->edges.v, m->edges.n, sizeof(*m->edges.v), order_edges);
	r = bits_rows_intern(&m->rows, &m->table[0]);
	while (i < m->edges.n && r == 0) {
		const struct addr6 at = m->edges.v[i].at;

		for (; i < m->edges.n && !addr6_below(at, m->edges.v[i].at); i++) {
			const struct edge *e = &m->edges.v[i];

			/* In an order that may open a range after one of its bit closed. */
			m->depth[e->bit] = (uint16_t)(m->depth[e->bit] + (e->begins ? 1 : -1));
			bits_rows_set(&m->rows, e->bit, m->depth[e->bit] != 0);
		}
		m->ends[m->n_ends++] = at;
		r = bits_rows_intern(&m->rows, &m->table[m->n_ends]);
	}
	return r;
}

/* Which ports entry @e asks for; NULL: any. */
static const struct match_ranges *
ports_of(const struct maker *m, const struct entry *e, bool source)
{
	const struct match_scope *s = &m->rules[e->rule].scope;
	const struct match_ranges *ranges = source ? &s->sport : &s->dport;

	return e->late || ranges->n == 0 ? NULL : ranges;
}

static int
port_rows(struct maker *m, bool source, uint32_t *row)
{
	int r = 0;

	m->edges.n = 0;
	bits_rows_clear(&m->rows);
	for (uint32_t i = 0; i < m->n && r == 0; i++) {
		const struct match_ranges *ranges = ports_of(m, &m->entries[i], source);

		if (ranges == NULL)
			bits_rows_set(&m->rows, i, true);
		for (size_t k = 0; ranges != NULL && k < ranges->n && r == 0; k++)
			r = add_range(m, i, (struct addr6){0, ranges->v[k].lo},
				(struct addr6){0, ranges->v[k].hi});
	}
	if (r == 0)
		r = sweep(m);
	for (uint32_t port = 0, at = 0; port < VALUES && r == 0; port++) {
		while (at < m->n_ends && m->ends[at].lo <= port)
			at++;
		row[port] = m->table[at];
	}
	return r;
}

/* ---- fields, and crossing them ---- */

static int
rows_of_field(struct maker *m, enum bits_field field, uint32_t *row)
{
	switch (field) {
	case BITS_META: return meta_rows(m, row);
	case BITS_SPORT: return port_rows(m, true, row);
	case BITS_DPORT: return port_rows(m, false, row);
	case BITS_FIELDS: break;
	}
	return 0;
}

/* The field alone: its classes, and a cross of nothing else in @ret with @ret_n rows. */
static int
make_field(struct maker *m, enum bits_field field, struct bits_cross *ret, uint32_t *ret_n)
{
	uint32_t *row = arena_zalloc(&m->mem, VALUES * sizeof(*row));
	uint16_t *class = arena_zalloc(&m->bits->arena, VALUES * sizeof(*class));
	int r;

	if (row == NULL || class == NULL)
		return -ENOMEM;
	r = rows_of_field(m, field, row);
	if (r == 0)
		r = classify(m, row, class);
	if (r < 0)
		return r;
	m->bits->class[field] = class;
	*ret = (struct bits_cross){.row = row};
	ret->times[field] = 1;
	*ret_n = (uint32_t)r;
	return 0;
}

/* Let @to with *@n rows be crossed with @with, which has @n_with. */
static int
cross(struct maker *m, struct bits_cross *to, uint32_t *n, const struct bits_cross *with,
	uint32_t n_with)
{
	uint32_t *row = arena_zalloc(&m->mem, (size_t)*n * n_with * sizeof(*row));
	int r = row != NULL ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < *n && r == 0; i++)
		for (uint32_t j = 0; j < n_with && r == 0; j++) {
			bits_rows_cross(&m->rows, to->row[i], with->row[j]);
			r = bits_rows_intern(&m->rows, &row[i * n_with + j]);
		}
	for (int f = 0; f < BITS_FIELDS; f++)
		to->times[f] = to->times[f] * n_with + with->times[f];
	to->row = row;
	*n *= n_with;
	return r;
}

static int
keep_cross(struct maker *m, const struct bits_cross *c, uint32_t n)
{
	struct bits *b = m->bits;
	uint32_t *row = arena_zalloc(&b->arena, n * sizeof(*row));

	if (row == NULL)
		return -ENOMEM;
	memcpy(row, c->row, n * sizeof(*row));
	b->cross[b->n_cross] = *c;
	b->cross[b->n_cross++].row = row;
	return 0;
}

/* Each field joins the ones before it as long as they are few classes together. */
static int
make_fields(struct maker *m)
{
	static const enum bits_field order[BITS_FIELDS] = {BITS_META, BITS_DPORT, BITS_SPORT};
	struct bits_cross all, one;
	uint32_t n, n_one;
	int r = make_field(m, order[0], &all, &n);

	for (int i = 1; i < BITS_FIELDS && r == 0; i++) {
		r = make_field(m, order[i], &one, &n_one);
		if (r < 0)
			break;
		if ((uint64_t)n * n_one <= CROSS_MAX) {
			r = cross(m, &all, &n, &one, n_one);
			continue;
		}
		r = keep_cross(m, &all, n);
		all = one;
		n = n_one;
	}
	return r == 0 ? keep_cross(m, &all, n) : r;
}

/* ---- addresses ---- */

static const struct match_prefixes *
list_of(const struct maker *m, uint32_t bit, bool source)
{
	const struct match_scope *s = &m->rules[m->entries[bit].rule].scope;

	return source != m->fault ? &s->src : &s->dst;
}

/* An address as the sweep has it: IPv4 in the low half. */
static struct addr6
addr6_of(const struct ip_addr *a)
{
	if (a->family == 4)
		return (struct addr6){0, load_be32(a->bytes)};
	return (struct addr6){load_be64(a->bytes), load_be64(a->bytes + 8)};
}

static int
add_prefix(struct maker *m, uint32_t bit, const struct ip_prefix *p)
{
	const struct ip_addr last = ip_prefix_last(p);

	return add_range(m, bit, addr6_of(&p->addr), addr6_of(&last));
}

static int
sweep_addresses(struct maker *m, bool source, uint8_t family)
{
	int r = 0;

	m->edges.n = 0;
	bits_rows_clear(&m->rows);
	for (uint32_t i = 0; i < m->n && r == 0; i++) {
		const struct match_prefixes *list = list_of(m, i, source);

		if (list->any)
			bits_rows_set(&m->rows, i, true);
		for (size_t k = 0; !list->any && k < list->n && r == 0; k++)
			if (list->v[k].addr.family == family)
				r = add_prefix(m, i, &list->v[k]);
	}
	return r == 0 ? sweep(m) : r;
}

/* A copy of what the sweep found. */
static const uint32_t *
keep_table(struct maker *m)
{
	uint32_t *table = arena_zalloc(&m->bits->arena, (m->n_ends + 1) * sizeof(*table));

	if (table != NULL)
		memcpy(table, m->table, (m->n_ends + 1) * sizeof(*table));
	return table;
}

static int
make_addresses(struct maker *m, bool source)
{
	struct bits_address *a = &m->bits->address[source ? 0 : 1];
	struct arena *arena = &m->bits->arena;
	uint32_t *v = NULL;
	int r = sweep_addresses(m, source, 4);

	/* An IPv4 range that ends with the last address leaves an end beyond it. */
	if (r == 0 && m->n_ends > 0 && m->ends[m->n_ends - 1].lo > UINT32_MAX)
		m->n_ends--;
	if (r == 0) {
		v = mem_calloc(m->n_ends + 1, sizeof(*v));
		a->row4 = keep_table(m);
		r = v != NULL && a->row4 != NULL ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; r == 0 && i < m->n_ends; i++)
		v[i] = (uint32_t)m->ends[i].lo;
	if (r == 0)
		r = tree4_new(&a->v4, v, m->n_ends, arena);
	if (r == 0)
		r = bits_start_new(a, v, m->n_ends, arena);
	mem_free(v);
	if (r == 0)
		r = sweep_addresses(m, source, 6);
	if (r == 0) {
		a->row6 = keep_table(m);
		r = a->row6 != NULL ? ends6_new(&a->v6, m->ends, m->n_ends, arena) : -ENOMEM;
	}
	return r;
}

/* ---- all of it ---- */

static int
keep_rows(struct maker *m)
{
	const struct bits_rows *r = &m->rows;
	struct bits *b = m->bits;
	const size_t lines = (r->lines.n + 1) * sizeof(*r->lines.v);
	uint8_t *p = arena_zalloc(&b->arena, lines + BASE_CACHE_LINE);
	uint32_t *rows = arena_zalloc(&b->arena, (r->words.n + 1) * sizeof(*rows));

	if (p == NULL || rows == NULL)
		return -ENOMEM;
	p += (BASE_CACHE_LINE - (uintptr_t)p % BASE_CACHE_LINE) % BASE_CACHE_LINE;
	if (r->lines.n > 0)
		memcpy(p, r->lines.v, r->lines.n * sizeof(*r->lines.v));
	memcpy(rows, r->words.v, r->words.n * sizeof(*rows));
	b->lines = (const struct bits_line *)(const void *)p;
	b->rows = rows;
	return 0;
}

static int
make(struct maker *m, const bool *take)
{
	int r = make_entries(m, take);

	if (r == 0)
		r = keep_entries(m);
	if (r == 0)
		r = bits_rows_init(&m->rows, m->bits->n_lines);
	m->depth = r == 0 ? mem_calloc(m->n + 1, sizeof(*m->depth)) : NULL;
	if (m->depth == NULL)
		return r < 0 ? r : -ENOMEM;
	r = make_fields(m);
	if (r == 0)
		r = make_addresses(m, true);
	if (r == 0)
		r = make_addresses(m, false);
	return r == 0 ? keep_rows(m) : r;
}

int
bits_new(const struct match_image *im, const struct match_rule *rules, const bool *take, bool fault,
	struct bits **ret_bits)
{
	struct maker *m = mem_zalloc(sizeof(*m));
	struct bits *b = mem_zalloc(sizeof(*b));
	int r = -ENOMEM;

	if (m != NULL && b != NULL) {
		*m = (struct maker){.im = im, .rules = rules, .bits = b, .fault = fault};
		r = make(m, take);
		mem_free(m->entries);
		mem_free(m->edges.v);
		mem_free(m->depth);
		mem_free(m->table);
		mem_free(m->ends);
		bits_rows_fini(&m->rows);
		arena_fini(&m->mem);
	}
	mem_free(m);
	if (r < 0)
		bits_free(b);
	else
		*ret_bits = b;
	return r;
}

void
bits_free(struct bits *bits)
{
	if (bits == NULL)
		return;
	arena_fini(&bits->arena);
	mem_free(bits);
}
