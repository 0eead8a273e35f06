// SPDX-License-Identifier: BSD-3-Clause
#include "match/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "image_impl.h"
#include "index.h"
#include "item.h"
#include "match/image.h"
#include "match/report.h"
#include "match/rule.h"
#include "match/sym.h"
#include "parts.h"
#include "scope.h"

static const struct {
	const char *name, *what;
} stages[] = {
	[MATCH_STAGE_PATHS] = {"paths", "what programs ask on each way to a match"},
	[MATCH_STAGE_ITEMS] = {"items", "paths and scopes as masked words"},
	[MATCH_STAGE_CLUSTERS] = {"clusters", "items that one hash tells apart"},
	[MATCH_STAGE_TABLES] = {"tables", "what is looked up in them, and by what"},
	[MATCH_STAGE_KERNELS] = {"kernels", "what finds each rule"},
};

const char *
match_stage_name(enum match_stage stage)
{
	return stage < MATCH_STAGES ? stages[stage].name : NULL;
}

/* What all stages are told of. */
struct dump {
	const struct match_image *im;
	const struct match_rule *rules;
	uint32_t only;
	struct match_rule_report *reports;
	struct arena mem;
	struct items items;
	struct sbuf *out;
};

static bool
is_wanted(const struct dump *d, uint32_t rule)
{
	return d->only == MATCH_NONE || d->only == rule;
}

/* ---- words ---- */

static void
window_text(const struct window *windows, uint32_t win, struct sbuf *out)
{
	const struct window *w = &windows[win];
	static const char *const starts[] = {[SPACE_RAW] = "ip", [SPACE_ETHER] = "frame"};

	switch ((enum window_kind)w->kind) {
	case WINDOW_KEY: sbuf_adds(out, "key"); return;
	case WINDOW_START: sbuf_adds(out, starts[w->space]); return;
	case WINDOW_TAIL: sbuf_adds(out, "end"); return;
	case WINDOW_IHL:
	case WINDOW_L4: sbuf_adds(out, "l4"); return;
	case WINDOW_STEPS:
		sbuf_adds(out, "steps(");
		window_text(windows, w->parent, out);
		sbuf_addf(out, "%+" PRId32 ")", (int32_t)w->off);
		return;
	case WINDOW_BYTE:
	case WINDOW_WALK: break;
	}
	sbuf_adds(out, "label(");
	window_text(windows, w->parent, out);
	sbuf_addf(out, "%+" PRId32 ")", (int32_t)w->off);
}

static void
add_key(struct sbuf *out, const char **sep, const char *text, uint64_t number)
{
	sbuf_addf(out, "%s%s", *sep, text);
	if (number != UINT64_MAX)
		sbuf_addf(out, " %" PRIu64, number);
	*sep = ", ";
}

/* What a key word asks, by name; in @mask alone where @val is NULL. */
static void
key_text(uint64_t mask, const uint64_t *val, struct sbuf *out)
{
	static const struct {
		uint32_t flag;
		const char *set, *clear;
	} flags[] = {
		{PKT_FRAGMENT, "a fragment", "no fragment"},
		{PKT_FRAG_LATER, "a later fragment", "no later fragment"},
		{PKT_PORTS, "with ports", "without ports"},
	};
	static const struct {
		uint64_t mask;
		uint32_t shift;
		const char *name;
	} numbers[] = {
		{PKT_KEY_PROTO(0xff), 16, "proto"},
		{UINT64_C(0xffff) << 32, 32, "sport"},
		{PKT_KEY_DPORT(0xffff), 0, "dport"},
	};
	const uint64_t family = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);
	const char *sep = "";

	if ((mask & family) == family && val != NULL)
		add_key(out, &sep, (*val & family) == PKT_KEY_FAMILY(4) ? "IPv4" : "IPv6",
			UINT64_MAX);
	else if ((mask & family) != 0)
		add_key(out, &sep, val != NULL ? "IP" : "family", UINT64_MAX);
	for (size_t i = 0; i < DIM(numbers); i++)
		if ((mask & numbers[i].mask) != 0)
			add_key(out, &sep, numbers[i].name,
				val != NULL ? (*val & numbers[i].mask) >> numbers[i].shift
					    : UINT64_MAX);
	for (size_t i = 0; i < DIM(flags); i++)
		if ((mask & PKT_KEY_FLAGS(flags[i].flag)) != 0)
			add_key(out, &sep,
				val == NULL || (*val & PKT_KEY_FLAGS(flags[i].flag)) != 0
					? flags[i].set
					: flags[i].clear,
				UINT64_MAX);
}

/* How far behind a window, and a mask, its bytes in the order of the frame. */
static void
bytes_text(int32_t off, uint64_t mask, struct sbuf *out)
{
	sbuf_addf(out, "%+" PRId32 " & %016" PRIx64, off, __builtin_bswap64(mask));
}

static void
place_text(const struct window *windows, uint8_t win, int32_t off, uint64_t mask, struct sbuf *out)
{
	window_text(windows, win, out);
	bytes_text(off, mask, out);
}

static void
word_text(const struct window *windows, const struct item_word *w, struct sbuf *out)
{
	if (w->win == WINDOW_OF_KEY) {
		sbuf_adds(out, "key: ");
		key_text(w->mask, &w->val, out);
		return;
	}
	place_text(windows, w->win, w->off, w->mask, out);
	sbuf_addf(out, " == %016" PRIx64, __builtin_bswap64(w->val));
}

/* ---- stages ---- */

static int
paths_of(struct dump *d, uint32_t i, size_t number, const char *family)
{
	struct sym_pool *pool = NULL;
	struct sym_result sym = {0};
	int r = sym_pool_new(&pool);

	if (r == 0)
		r = sym_cover(pool, d->rules[i].prog[number], &sym);
	if (r == 0 && sym.n_paths == 0)
		sbuf_addf(d->out, "rule %s%s: no path\n", d->rules[i].name, family);
	for (uint32_t p = 0; r == 0 && p < sym.n_paths; p++) {
		sbuf_addf(d->out, "rule %s%s, path %" PRIu32 " of %" PRIu32 "\n", d->rules[i].name,
			family, p + 1, sym.n_paths);
		sym_path_text(&sym.paths[p], "    ", d->out);
	}
	sym_pool_free(pool);
	return r;
}

static int
dump_paths(struct dump *d)
{
	int r = 0;

	for (uint32_t i = 0; i < d->im->n && r == 0; i++) {
		const struct match_rule *rule = &d->rules[i];
		const bool one = rule->link == MATCH_LINK_ETHER || rule->prog[0] == rule->prog[1];

		if (!is_wanted(d, i))
			continue;
		if (rule->scope_only)
			sbuf_addf(d->out, "rule %s: no program\n", rule->name);
		else if (one && rule->prog[0] != NULL)
			r = paths_of(d, i, 0, "");
		else {
			if (rule->prog[0] != NULL)
				r = paths_of(d, i, 0, ", IPv4");
			if (r == 0 && rule->prog[1] != NULL)
				r = paths_of(d, i, 1, ", IPv6");
		}
	}
	return r;
}

static void
range_text(const struct window *windows, const struct item_range *r, struct sbuf *out)
{
	const uint32_t most = r->size < 4 ? (UINT32_C(1) << 8 * r->size) - 1 : UINT32_MAX;
	const uint32_t hi = r->lo + r->span;

	sbuf_adds(out, "    ");
	if (r->win == WINDOW_OF_KEY) {
		sbuf_adds(out, "steps");
	} else {
		window_text(windows, r->win, out);
		sbuf_addf(out, "%+d:%u", r->off, r->size);
	}
	if ((r->mask & most) != most)
		sbuf_addf(out, " & %" PRIx32, r->mask);
	/* Around the end of numbers: all but those between. */
	if (hi < r->lo)
		sbuf_addf(out, " not in %" PRIu32 "..%" PRIu32 "\n", hi + 1, r->lo - 1);
	else
		sbuf_addf(out, " in %" PRIu32 "..%" PRIu32 "\n", r->lo, MIN(hi, most));
}

static void
item_text(const struct dump *d, const struct item *it, uint32_t number, uint32_t n)
{
	static const struct {
		uint8_t flag;
		const char *what;
	} asks[] = {
		{ITEM_RUN, ", then asks the program"},
		{ITEM_RANGES, ", then asks protocols and ports"},
		{ITEM_LISTS, ", then asks prefixes"},
		{ITEM_PORTS, ", of some ports"},
	};

	sbuf_addf(d->out, "rule %s, item %" PRIu32 " of %" PRIu32, d->rules[it->rule].name, number,
		n);
	for (size_t i = 0; i < DIM(asks); i++)
		if ((it->flags & asks[i].flag) != 0)
			sbuf_adds(d->out, asks[i].what);
	sbuf_addc(d->out, '\n');
	for (uint32_t i = 0; i < it->n_words; i++) {
		sbuf_adds(d->out, "    ");
		word_text(d->items.windows, &it->words[i], d->out);
		sbuf_addc(d->out, '\n');
	}
	for (uint32_t i = 0; i < it->n_ranges; i++)
		range_text(d->items.windows, &it->ranges[i], d->out);
	for (uint32_t i = 0; i < it->n_needs; i++) {
		sbuf_addf(d->out, "    %" PRIu32 " bytes from ", it->needs[i].a);
		window_text(d->items.windows, it->needs[i].win, d->out);
		sbuf_addc(d->out, '\n');
	}
}

static int
dump_items(struct dump *d)
{
	const struct items *items = &d->items;

	for (uint32_t i = 0, at = 0; i < d->im->n; i++) {
		uint32_t n = 0;

		while (at + n < items->n && items->v[at + n].rule == i)
			n++;
		if (is_wanted(d, i) && n == 0)
			sbuf_addf(d->out, "rule %s: no items%s\n", d->rules[i].name,
				items->residual[i] ? ", goes one by one" : ", never matches");
		for (uint32_t k = 0; k < n && is_wanted(d, i); k++)
			item_text(d, &items->v[at + k], k + 1, n);
		at += n;
	}
	return 0;
}

static bool
cluster_has(const struct dump *d, const struct cluster *c)
{
	for (uint32_t i = 0; i < c->n_items; i++)
		if (is_wanted(d, d->items.v[c->items[i]].rule))
			return true;
	return false;
}

static void
cluster_text(const struct dump *d, const struct cluster *c, uint32_t number)
{
	const char *sep = " ";
	uint32_t last = MATCH_NONE;

	sbuf_addf(d->out,
		"cluster %" PRIu32 ": %" PRIu32 " items of %" PRIu32 " rules, told apart by",
		number, c->n_items, c->n_rules);
	for (uint32_t i = 0; i < c->n_hash; i++) {
		sbuf_adds(d->out, sep);
		if (c->hash[i].win == WINDOW_OF_KEY)
			key_text(c->hash[i].mask, NULL, d->out);
		else
			place_text(d->items.windows, c->hash[i].win, c->hash[i].off,
				c->hash[i].mask, d->out);
		sep = "; ";
	}
	sbuf_adds(d->out, "\n   ");
	for (uint32_t i = 0; i < c->n_items; i++) {
		const uint32_t rule = d->items.v[c->items[i]].rule;

		if (rule != last && is_wanted(d, rule))
			sbuf_addf(d->out, " %s", d->rules[rule].name);
		last = rule;
	}
	sbuf_addc(d->out, '\n');
}

static bool
is_of_scopes(uint8_t kernel)
{
	return kernel == MATCH_KERNEL_BITS || kernel == MATCH_KERNEL_TUPLE;
}

/* Without the rules that kernels of scopes have, as the build does. */
static int
dump_clusters(struct dump *d)
{
	static const struct match_options options = {.merge = MATCH_MERGE_AUTO};
	const struct partition_limits limits = index_limits(&options, d->im->n);
	struct cluster *clusters;
	uint32_t n, kept = 0;
	int r;

	for (uint32_t i = 0; i < d->items.n; i++)
		if (!is_of_scopes(d->reports[d->items.v[i].rule].kernel))
			d->items.v[kept++] = d->items.v[i];
	d->items.n = kept;
	r = partition(&d->items, &limits, &d->mem, &clusters, &n);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		if (cluster_has(d, &clusters[i]))
			cluster_text(d, &clusters[i], i);
	return r;
}

/* The 8 bytes that start with the earlier piece of key @k of @f, under @mask of its word. */
static struct hash_word
fan_word_of(const struct hash_fan *f, uint32_t k, uint32_t mask)
{
	const uint32_t first = MIN(f->piece[k][0], f->piece[k][1]);

	return (struct hash_word){.win = f->win,
		.off = f->off + 2 * (int32_t)first,
		.mask = (uint64_t)(mask & UINT16_MAX) << 16 * (f->piece[k][0] - first) |
			(uint64_t)(mask >> 16) << 16 * (f->piece[k][1] - first)};
}

static void
fan_text(const struct match_index *ix, const struct hash_fan *f, struct sbuf *out)
{
	for (uint32_t k = 0; k < f->n; k++) {
		struct hash_word w = fan_word_of(f, k, f->mask[k]);

		sbuf_adds(out, k > 0 ? " or " : " ");
		place_text(ix->windows, w.win, w.off, w.mask, out);
		if ((f->fine >> k & 1) == 0)
			continue;
		w = fan_word_of(f, k, f->fine_mask[k]);
		sbuf_adds(out, " and finer ");
		place_text(ix->windows, w.win, w.off, w.mask, out);
	}
}

/* What is told of table @t of any @kind, up to what it hashes. */
static void
hash_text(const char *kind, uint32_t number, const struct hash_table *t, struct sbuf *out)
{
	sbuf_addf(out,
		"%s %" PRIu32 ": hash, %" PRIu32 " rules, %" PRIu32 " items, %" PRIu32
		" of them chained, %" PRIu32 " shapes, %" PRIu32 " buckets, %zu KiB, by",
		kind, number, t->n_rules, t->n_items, t->n_chained, t->n_shapes, t->n_buckets,
		t->bytes / 1024);
}

static void
table_text(
	const struct match_index *ix, const struct hash_table *t, uint32_t number, struct sbuf *out)
{
	hash_text("table", number, t, out);
	if (t->key_mask != 0) {
		sbuf_addc(out, ' ');
		key_text(t->key_mask, NULL, out);
	}
	for (uint32_t i = 0; i < t->n_words; i++) {
		sbuf_adds(out, i > 0 || t->key_mask != 0 ? "; " : " ");
		place_text(ix->windows, t->words[i].win, t->words[i].off, t->words[i].mask, out);
	}
	if (t->fan != NULL)
		fan_text(ix, t->fan, out);
	sbuf_addc(out, '\n');
}

/* The table @number of names, whose words are in front of where names end. */
static void
names_text(const struct hash_table *t, uint32_t number, struct sbuf *out)
{
	hash_text("names", number, t, out);
	for (uint32_t i = 0; i < t->n_words; i++) {
		sbuf_adds(out, i > 0 ? "; end" : " end");
		bytes_text(t->words[i].off, t->words[i].mask, out);
	}
	sbuf_addc(out, '\n');
}

static void
list_text(const struct match_index *ix, const struct list *l, uint32_t number, struct sbuf *out)
{
	const bool is_code = l->n_blocks > 0;

	sbuf_addf(out,
		"list %" PRIu32 ": %" PRIu32 " rules, %" PRIu32 " lanes, %" PRIu32
		" %s, %zu KiB, by",
		number, l->n_rules, l->n_lanes, is_code ? l->n_blocks : l->n_steps,
		is_code ? "functions" : "steps", l->bytes / 1024);
	for (uint32_t i = 0; i < l->n_values; i++) {
		sbuf_addc(out, ' ');
		window_text(ix->windows, l->values[i].at.win, out);
		sbuf_addf(out, "%s%+d:%u", l->values[i].negative ? "-" : "", l->values[i].at.off,
			l->values[i].at.size);
	}
	sbuf_addc(out, '\n');
}

static void
bits_text(const struct bits *b, struct sbuf *out)
{
	sbuf_addf(out,
		"bit vectors: %" PRIu32 " bits in %" PRIu32 " lines, %" PRIu32
		" tables of fields, %zu KiB\n",
		b->n_entries, b->n_lines, b->n_cross, b->arena.bytes / 1024);
}

static void
tuple_text(const struct tuple *t, struct sbuf *out)
{
	sbuf_addf(out,
		"five-tuples: %" PRIu32 " lanes in %" PRIu32 " blocks, %" PRIu32
		" nodes, %zu KiB\n",
		t->n_lanes, t->n_blocks, t->n_nodes, t->arena.bytes / 1024);
}

struct rule_sought {
	uint32_t rule;
	bool found;
};

static void
look_at_item(void *arg, const struct hash_table *t, const struct hash_item *it, uint32_t chain)
{
	struct rule_sought *s = arg;

	(void)t;
	(void)chain;
	s->found |= it->rule == s->rule;
}

static bool
table_has(const struct hash_table *t, uint32_t rule)
{
	struct rule_sought s = {.rule = rule};

	hash_each(t, look_at_item, &s);
	return s.found;
}

static bool
list_has(const struct list *l, uint32_t rule)
{
	for (uint32_t i = 0; i < l->n_lanes; i++)
		if (l->rules[i] == rule)
			return true;
	return false;
}

/*
 * What @im, which has no parts, consists of; @by_chain: one is asked first; @rule: the number
 * that d->only has there, MATCH_NONE: it is in another part. Returns how many tables.
 */
static uint32_t
tables_of(const struct dump *d, const struct match_image *im, bool by_chain, uint32_t before,
	uint32_t rule)
{
	/* A chain that leaves nothing to tables has none; as a part it has an index without any. */
	const struct match_index *ix = by_chain ? im->base->index : im->index;
	const struct match_rule_report *one = d->only != MATCH_NONE ? &d->reports[d->only] : NULL;
	const struct names *names;

	if (one != NULL && rule == MATCH_NONE)
		return ix != NULL ? ix->n_tables : 0;
	if (one == NULL)
		sbuf_addf(d->out, "%zu rules: ", im->n);
	if (by_chain && one == NULL)
		sbuf_adds(d->out,
			ix != NULL ? "one function, and for names of many labels "
				   : "one function\n");
	if (ix == NULL) {
		if (!by_chain && one == NULL)
			sbuf_adds(d->out, "one by one\n");
		return 0;
	}
	/* Parts are asked by tables. */
	names = d->im->parts == NULL ? ix->names : NULL;
	if (one == NULL)
		sbuf_addf(d->out, "%" PRIu32 " tables%s%s, %" PRIu32 " rules one by one, %zu KiB\n",
			ix->n_tables, ix->tuple != NULL ? " and five-tuples" : "",
			ix->bits != NULL ? " and bit vectors" : "", ix->n_residual,
			ix->bytes / 1024);
	for (uint32_t i = 0; i < ix->n_tables; i++)
		if (one == NULL || table_has(&ix->tables[i], rule))
			table_text(ix, &ix->tables[i], before + i, d->out);
	for (uint32_t i = 0; names != NULL && i < names->n; i++)
		if (one == NULL || table_has(&names->tables[i], rule))
			names_text(&names->tables[i], i, d->out);
	for (uint32_t i = 0; i < ix->n_lists; i++)
		if (one == NULL || list_has(&ix->lists[i], rule))
			list_text(ix, &ix->lists[i], i, d->out);
	if (ix->chains.n > 0 && (one == NULL || one->kernel == MATCH_KERNEL_CHAIN))
		sbuf_addf(d->out, "chains: %" PRIu32 " rules in %" PRIu32 " functions, %zu KiB\n",
			ix->chains.n_rules, ix->chains.n, ix->chains.bytes / 1024);
	if (ix->bits != NULL && (one == NULL || one->kernel == MATCH_KERNEL_BITS))
		bits_text(ix->bits, d->out);
	if (ix->tuple != NULL && (one == NULL || one->kernel == MATCH_KERNEL_TUPLE))
		tuple_text(ix->tuple, d->out);
	return ix->n_tables;
}

static int
dump_tables(struct dump *d)
{
	const struct match_parts *parts = d->im->parts;
	uint32_t tables = 0;

	if (parts == NULL) {
		(void)tables_of(d, d->im, d->im->base->chain != NULL, 0, d->only);
		return 0;
	}
	if (d->only == MATCH_NONE)
		sbuf_addf(d->out, "%zu rules in %" PRIu32 " parts\n", d->im->n, parts->n);
	for (uint32_t k = 0; k < parts->n; k++) {
		uint32_t rule = MATCH_NONE;

		if (d->only != MATCH_NONE && parts_place(parts, d->only, &rule) != k)
			rule = MATCH_NONE;
		if (d->only == MATCH_NONE)
			sbuf_addf(d->out, "part %" PRIu32 ", %" PRIu32 " rules in use of ", k,
				parts->v[k].n_live);
		tables += tables_of(d, parts->v[k].im, parts_is_chain(parts, k), tables, rule);
	}
	return 0;
}

static int
dump_kernels(struct dump *d)
{
	for (uint32_t i = 0; i < d->im->n; i++) {
		const struct match_rule_report *r = &d->reports[i];

		if (!is_wanted(d, i))
			continue;
		sbuf_addf(d->out, "rule %s: %s", d->rules[i].name, match_report_kernel(r));
		if (r->kernel == MATCH_KERNEL_HASH)
			sbuf_addf(d->out,
				", table %" PRIu32 ", %" PRIu32 " items, %" PRIu32
				" bytes, chain %" PRIu32,
				r->table, r->items, r->bytes, r->chain);
		if (r->runs > 0)
			sbuf_adds(d->out,
				r->interpreted ? ", has the program interpreted"
					       : ", asks the program");
		sbuf_addc(d->out, '\n');
	}
	return 0;
}

/* ---- all of it ---- */

int
match_dump(const struct match_image *image, const struct match_rule *rules, enum match_stage stage,
	uint32_t only, struct sbuf *out)
{
	static int (*const dumps[MATCH_STAGES])(struct dump * d) = {
		[MATCH_STAGE_PATHS] = dump_paths,
		[MATCH_STAGE_ITEMS] = dump_items,
		[MATCH_STAGE_CLUSTERS] = dump_clusters,
		[MATCH_STAGE_TABLES] = dump_tables,
		[MATCH_STAGE_KERNELS] = dump_kernels,
	};
	struct dump d = {.im = image, .rules = rules, .only = only, .mem = ARENA_INIT, .out = out};
	const bool all = stage == MATCH_STAGES;
	int r = -ENOMEM;

	d.reports = arena_zalloc(&d.mem, (image->n + 1) * sizeof(*d.reports));
	if (d.reports != NULL)
		r = match_image_report(image, d.reports);
	if (r == 0 && (all || stage == MATCH_STAGE_ITEMS || stage == MATCH_STAGE_CLUSTERS))
		r = image_items(image, rules, &d.mem, &d.items);
	for (size_t i = 0; i < MATCH_STAGES && r == 0; i++) {
		if (!all && stage != i)
			continue;
		if (all)
			sbuf_addf(out, "%s== %s: %s\n", i > 0 ? "\n" : "", stages[i].name,
				stages[i].what);
		r = dumps[i](&d);
	}
	mem_free(d.items.v);
	arena_fini(&d.mem);
	return r;
}
