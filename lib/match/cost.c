// SPDX-License-Identifier: BSD-3-Clause
#include "match/cost.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "image_impl.h"
#include "index.h"
#include "item.h"
#include "match/image.h"
#include "match/rule.h"
#include "match/sym.h"
#include "parts.h"
#include "pkt/view.h"
#include "synth.h"

#define BURST 32 /* what a driver gives at once */
#define BURSTS 8 /* between two looks at the clock, which costs some 20 ns */
#define ROUNDS 5
#define ROUNDS_MIN 2 /* of long ones */
#define MISSES 64 /* rules whose near misses are measured */
#define ROUND_NS 10000 /* as long as a round is to be, with BURSTS at most */
#define LONG_NS 100000 /* of a round: such a rule has no time for more of them */

/* What a measurement needs; large, so from the arena. */
struct bench {
	const struct match_image *im;
	const struct match_rule *rules;
	struct items items;
	uint32_t *first; /* by rule: its first item, n + 1 of them */
	struct match_cost *cost;
	struct synth frame;
	uint64_t deadline_ns;
};

static uint64_t
now_ns(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t
port_of(const struct match_rule *r)
{
	return r->scope.ports != 0 ? (uint32_t)__builtin_ctzll(r->scope.ports) : 0;
}

/* What a frame of @b->frame costs from port @port on; *@ret_rule is what it matches. */
static double
measure(struct bench *b, uint32_t port, uint32_t *ret_rule)
{
	struct pkt_view views[BURST];
	uint8_t which[BURST];
	uint32_t from[BURST] = {0}, got[BURST];
	uint64_t best = UINT64_MAX;
	uint32_t bursts = 1;

	pkt_parse_ether(b->frame.bytes, b->frame.len, b->frame.len, &views[0]);
	for (uint32_t i = 0; i < BURST; i++) {
		views[i] = views[0];
		which[i] = (uint8_t)i;
	}
	/* The first round brings all into the cache, and tells how long it takes. */
	for (int round = 0; round <= ROUNDS; round++) {
		const uint64_t start = now_ns();
		uint64_t took;

		for (uint32_t i = 0; i < bursts; i++)
			match_image_first(b->im, views, which, BURST, port, from, got);
		took = now_ns() - start;
		best = round > 0 ? MIN(best, took * 1000 / bursts) : UINT64_MAX;
		if (round == 0)
			bursts = (uint32_t)MAX(1, MIN(BURSTS, ROUND_NS / MAX(took, 1)));
		if (round >= ROUNDS_MIN && best / 1000 * bursts > LONG_NS)
			break;
	}
	*ret_rule = got[0];
	return (double)best / 1000 / BURST;
}

static const struct item *
item_of(const struct bench *b, uint32_t rule)
{
	return b->first[rule] < b->first[rule + 1] ? &b->items.v[b->first[rule]] : NULL;
}

/* The program of rule @i asks for more than words say: another try at it. Returns 0 or -ENOMEM. */
static int
solve(struct bench *b, uint32_t i)
{
	const struct match_rule *r = &b->rules[i];
	struct sym_pool *pool = NULL;
	struct sym_result sym;
	int e;

	if (r->scope_only)
		return 0;
	e = sym_pool_new(&pool);
	if (e == 0)
		e = sym_cover(pool, r->prog[r->prog[0] == NULL], &sym);
	if (e == 0 && sym.n_paths > 0)
		synth_solve(r, &sym.paths[0], &b->frame);
	sym_pool_free(pool);
	return e;
}

static void
measure_rule(struct bench *b, uint32_t i)
{
	const struct item *it = item_of(b, i);
	struct match_rule_cost *c = &b->cost->rules[i];
	uint32_t got;

	if (!synth_make(&b->items, it, &b->rules[i], &b->frame))
		return;
	if ((it == NULL || (it->flags & ITEM_RUN) != 0) && solve(b, i) < 0)
		return;
	c->ns = measure(b, port_of(&b->rules[i]), &got);
	c->measured = true;
	c->hit = got == i;
}

/* As far apart as can be, so that the time suffices for some of all kinds. */
static void
measure_rules(struct bench *b)
{
	for (uint32_t step = (uint32_t)power_of_2(b->im->n); step > 0; step /= 2)
		for (uint32_t i = 0; i < b->im->n; i += step) {
			if (now_ns() >= b->deadline_ns)
				return;
			if (!b->cost->rules[i].measured)
				measure_rule(b, i);
		}
}

/* What there was no time for, or no frame: the one before of the same kernel, else the one behind. */
static void
guess_rules(struct bench *b)
{
	double last[MATCH_KERNELS] = {0};
	const uint32_t n = (uint32_t)b->im->n;

	for (uint32_t k = 0; k < 2 * n; k++) {
		const uint32_t i = k < n ? k : 2 * n - 1 - k;
		struct match_rule_cost *c = &b->cost->rules[i];
		double *known = &last[b->cost->reports[i].kernel];

		if (c->measured || c->ns > 0)
			*known = c->ns;
		else
			c->ns = *known;
	}
}

static void
measure_misses(struct bench *b)
{
	const uint32_t step = MAX(1, (uint32_t)b->im->n / MISSES);
	double sum = 0;
	uint32_t n = 0, got;

	for (uint32_t i = 0; i < b->im->n; i += step) {
		const struct item *it = item_of(b, i);
		double ns;

		if (!synth_make(&b->items, it, &b->rules[i], &b->frame) ||
			!synth_spoil(&b->items, it, &b->frame))
			continue;
		ns = measure(b, port_of(&b->rules[i]), &got);
		if (got != MATCH_NONE)
			continue;
		sum += ns;
		n++;
		if (now_ns() >= b->deadline_ns)
			break;
	}
	b->cost->miss_ns = n > 0 ? sum / n : 0;
}

/* Of what @im, which has no parts, is compiled to. */
static size_t
base_bytes(const struct match_image *im)
{
	const struct match_base *base = im->base;
	size_t bytes = sizeof(*base) + im->n * sizeof(*base->entries) + base->arena.bytes;

	if (im->index != NULL)
		bytes += im->index->bytes;
	if (base->code != NULL)
		bytes += cbpf_arena_used(base->code);
	if (base->chain_code != NULL)
		bytes += cbpf_arena_used(base->chain_code);
	return bytes;
}

/* *@ret_tables is how many there are. */
static size_t
image_bytes(const struct match_image *im, uint32_t *ret_tables)
{
	size_t bytes = sizeof(*im) + im->n * (sizeof(*im->leaves) + sizeof(*im->state));

	*ret_tables = im->parts == NULL && im->index != NULL ? im->index->n_tables : 0;
	if (im->parts == NULL)
		return bytes + base_bytes(im);
	for (uint32_t k = 0; k < im->parts->n; k++) {
		const struct match_image *part = im->parts->v[k].im;

		bytes += base_bytes(part) + part->n * sizeof(uint32_t);
		*ret_tables += part->index->n_tables;
	}
	return bytes;
}

static void
sum_up(const struct match_image *im, struct match_cost *c)
{
	double sum = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		sum += c->rules[i].ns;
		if (c->rules[i].ns > c->worst_ns) {
			c->worst_ns = c->rules[i].ns;
			c->worst = i;
		}
	}
	c->mean_ns = c->n > 0 ? sum / (double)c->n : 0;
	c->bytes = image_bytes(im, &c->n_tables);
}

int
match_cost_measure(
	const struct match_image *image, const struct match_rule *rules, struct match_cost *ret)
{
	struct match_cost cost = {.n = image->n};
	struct arena mem = ARENA_INIT;
	struct bench *b = arena_zalloc(&mem, sizeof(*b));
	int r = -ENOMEM;

	cost.reports = mem_calloc(image->n + 1, sizeof(*cost.reports));
	cost.rules = mem_calloc(image->n + 1, sizeof(*cost.rules));
	if (b == NULL || cost.reports == NULL || cost.rules == NULL)
		goto out;
	b->im = image;
	b->rules = rules;
	b->cost = &cost;
	b->first = arena_zalloc(&mem, (image->n + 2) * sizeof(*b->first));
	if (b->first == NULL)
		goto out;
	r = image_items(image, rules, &mem, &b->items);
	if (r == 0)
		r = match_image_report(image, cost.reports);
	if (r < 0)
		goto out;
	for (uint32_t i = 0, at = 0; i <= image->n; i++) {
		b->first[i] = at;
		while (at < b->items.n && b->items.v[at].rule == i)
			at++;
	}
	/* A tenth of the time is the misses', which are measured last. */
	b->deadline_ns = now_ns() + MATCH_COST_MS * UINT64_C(900000);
	measure_rules(b);
	guess_rules(b);
	b->deadline_ns = now_ns() + MATCH_COST_MS * UINT64_C(100000);
	measure_misses(b);
	sum_up(image, &cost);
	*ret = cost;
	cost = (struct match_cost){0};
out:
	if (b != NULL)
		mem_free(b->items.v);
	arena_fini(&mem);
	match_cost_fini(&cost);
	return r;
}

void
match_cost_fini(struct match_cost *cost)
{
	mem_free(cost->reports);
	mem_free(cost->rules);
	*cost = (struct match_cost){0};
}

/* ---- text ---- */

static void
image_text(const struct match_image *im, const struct match_rule *rules, const struct match_cost *c,
	struct sbuf *out)
{
	size_t n;
	const struct match_pass_report *p = match_image_passes(im, &n);

	sbuf_addf(out, "%zu rules: %" PRIu32 " tables, %zu KiB\n", c->n, c->n_tables,
		(c->bytes + 1023) / 1024);
	sbuf_adds(out, "ns a frame: ");
	if (c->miss_ns > 0)
		sbuf_addf(out, "%.1f where no rule matches, ", c->miss_ns);
	if (c->n > 0)
		sbuf_addf(out, "%.1f on average, %.1f at worst (%s)", c->mean_ns, c->worst_ns,
			rules[c->worst].name);
	sbuf_adds(out, "\nbuild:");
	for (size_t i = 0; i < n; i++)
		sbuf_addf(out, "%s %s %" PRIu64 ".%03" PRIu64 " ms", i > 0 ? "," : "", p[i].name,
			p[i].us / 1000, p[i].us % 1000);
	sbuf_addc(out, '\n');
}

void
match_cost_text(const struct match_image *image, const struct match_rule *rules,
	const struct match_cost *cost, uint32_t only, struct sbuf *out)
{
	if (only == MATCH_NONE) {
		image_text(image, rules, cost, out);
		sbuf_addc(out, '\n');
	}
	sbuf_addf(out, "%-40s %-11s %5s %5s %7s %5s %5s %8s\n", "RULE", "kernel", "table", "items",
		"bytes", "chain", "asks", "ns");
	for (uint32_t i = 0; i < cost->n; i++) {
		const struct match_rule_report *r = &cost->reports[i];
		const struct match_rule_cost *c = &cost->rules[i];

		if (only != MATCH_NONE && only != i)
			continue;
		sbuf_addf(out, "%-40s %-11s ", rules[i].name, match_report_kernel(r));
		if (r->kernel == MATCH_KERNEL_HASH)
			sbuf_addf(out,
				"%5" PRIu32 " %5" PRIu32 " %7" PRIu32 " %5" PRIu32 " %5" PRIu32,
				r->table, r->items, r->bytes, r->chain, r->runs);
		else
			sbuf_addf(out, "%5s %5s %7s %5s %5s", "-", "-", "-", "-", "-");
		sbuf_addf(out, " %s%7.1f%s\n", c->measured ? " " : "~", c->ns,
			c->hit || !c->measured ? "" : " (found another or none)");
	}
}

void
match_cost_json(const struct match_image *image, const struct match_rule *rules,
	const struct match_cost *cost, uint32_t only, struct sbuf *out)
{
	const char *sep = "";
	size_t n;
	const struct match_pass_report *p = match_image_passes(image, &n);

	sbuf_addf(out,
		"\"image\":{\"rules\":%zu,\"tables\":%" PRIu32
		",\"bytes\":%zu,\"miss_ns\":%.1f,\"mean_ns\":%.1f,\"worst_ns\":%.1f,\"worst\":\"%s\"",
		cost->n, cost->n_tables, cost->bytes, cost->miss_ns, cost->mean_ns, cost->worst_ns,
		cost->n > 0 ? rules[cost->worst].name : "");
	sbuf_adds(out, ",\"build_us\":{");
	for (size_t i = 0; i < n; i++)
		sbuf_addf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", p[i].name, p[i].us);
	sbuf_adds(out, "}},\"rules\":{");
	for (uint32_t i = 0; i < cost->n; i++) {
		const struct match_rule_report *r = &cost->reports[i];
		const struct match_rule_cost *c = &cost->rules[i];

		if (only != MATCH_NONE && only != i)
			continue;
		sbuf_addf(out,
			"%s\"%s\":{\"kernel\":\"%s\",\"table\":%" PRIu32 ",\"items\":%" PRIu32
			",\"bytes\":%" PRIu32 ",\"chain\":%" PRIu32 ",\"asks\":%" PRIu32,
			sep, rules[i].name, match_report_kernel(r), r->table, r->items, r->bytes,
			r->chain, r->runs);
		sbuf_addf(out, ",\"ns\":%.1f,\"measured\":%s,\"hit\":%s}", c->ns,
			c->measured ? "true" : "false", c->hit ? "true" : "false");
		sep = ",";
	}
	sbuf_addc(out, '}');
}
