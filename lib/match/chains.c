// SPDX-License-Identifier: BSD-3-Clause
#include "chains.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "chain.h"
#include "image_impl.h"
#include "match/rule.h"
#include "merged.h"
#include "probe.h"
#include "search.h"

/* Of one rule, and of a chain: beyond it the processor's caches of instructions are too small. */
#define INSNS_OF_RULE 64
#define INSNS_OF_CHAIN 1024

static size_t
insns_of(const struct match_rule *rule)
{
	size_t all = 0;

	for (size_t f = 0; f < DIM(rule->prog); f++) {
		size_t n = 0;

		if (rule->prog[f] != NULL && (f == 0 || rule->prog[f] != rule->prog[0]))
			(void)cbpf_prog_insns(rule->prog[f], &n);
		all += n;
	}
	return all;
}

bool
chains_can(const struct match_image *im, const struct match_rule *rules, uint32_t i)
{
	/* What has more to ask also asks it of later fragments, which is rare: one by one. */
	return im->entries[i].scope.more == NULL && chain_can(&im->entries[i], &rules[i]) &&
		insns_of(&rules[i]) <= INSNS_OF_RULE;
}

/* ---- build ---- */

/* A rule on its way into a chain. */
struct candidate {
	const struct match_entry *e;
	const struct cbpf_insn *insns;
	size_t n_insns;
	uint32_t rule;
};

struct candidates {
	struct candidate *v;
	uint32_t n;
};

static int
find_candidates(struct candidates *c, const struct match_image *im, const struct match_rule *rules,
	const bool *residual)
{
	c->n = 0;
	c->v = mem_calloc(im->n + 1, sizeof(*c->v));
	if (c->v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < im->n; i++) {
		const struct cbpf_prog *prog = rules[i].prog[rules[i].prog[0] == NULL];
		struct candidate *new = &c->v[c->n];

		if (!residual[i] || !chains_can(im, rules, i))
			continue;
		*new = (struct candidate){.e = &im->entries[i], .rule = i};
		if (prog != NULL)
			new->insns = cbpf_prog_insns(prog, &new->n_insns);
		c->n++;
	}
	return 0;
}

/* Programs that begin alike stand together: they share what they load. */
static int
order_candidates(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;
	const struct scope_test *s = &a->e->scope.test, *t = &b->e->scope.test;
	const size_t n = MIN(a->n_insns, b->n_insns);
	int r = n > 0 ? memcmp(a->insns, b->insns, n * sizeof(*a->insns)) : 0;

	if (s->mask != t->mask)
		return s->mask < t->mask ? -1 : 1;
	if (s->val != t->val)
		return s->val < t->val ? -1 : 1;
	return r != 0 ? r : (a->rule > b->rule) - (a->rule < b->rule);
}

static int
order_rules(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

/* The candidates from *@at on that go into one chain; *@at is behind them then. */
static void
take_rules(struct chains_part *part, const struct match_rule *rules, const struct candidates *c,
	uint32_t *at)
{
	const uint32_t from = *at;
	size_t n_insns = 0;

	for (; *at < c->n && *at - from < CHAIN_MAX; (*at)++) {
		n_insns += insns_of(&rules[c->v[*at].rule]);
		if (*at > from && n_insns > INSNS_OF_CHAIN)
			break;
		part->rule[*at - from] = c->v[*at].rule;
	}
	part->n = *at - from;
	qsort(part->rule, part->n, sizeof(part->rule[0]), order_rules);
}

/* Compile @part. Errors as of cbpf_jit_chain(); with @room it is only said how much that is. */
static int
make_chain(struct chains *c, struct chains_part *part, const struct match_image *im,
	const struct match_rule *rules, bool fault, size_t *room)
{
	struct chain_links links = CHAIN_LINKS_INIT;
	struct diag diag = {0};
	int r = 0;

	for (uint32_t k = 0; k < part->n; k++)
		chain_links_add(&links, &im->entries[part->rule[k]], &rules[part->rule[k]], k);
	chain_links_sort(&links);
	if (fault)
		chain_links_drop(&links, part->n - 1);
	if (links.failed)
		r = -ENOMEM;
	else if (room != NULL)
		*room += links.room;
	else
		r = cbpf_jit_chain(
			c->code, links.v, links.n, &chain_records, &part->fn, NULL, &diag);
	chain_links_fini(&links);
	return r;
}

/* As many of the candidates as go. Returns 0, -ENOMEM, -EPERM or -ENOSYS: no code. */
static int
make_chains(struct chains *c, const struct match_image *im, const struct match_rule *rules,
	const struct candidates *all, bool fault)
{
	struct chains_part part;
	struct diag diag = {0};
	size_t room = 0;
	uint32_t n = 0;
	int r = 0;

	for (uint32_t at = 0; at < all->n && r == 0; n++) {
		take_rules(&part, rules, all, &at);
		r = make_chain(c, &part, im, rules, fault, &room);
	}
	c->v = mem_calloc(n + 1, sizeof(*c->v));
	if (r == 0 && c->v == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = cbpf_arena_new(room, &c->code, &diag);
	for (uint32_t at = 0; at < all->n && r == 0;) {
		take_rules(&c->v[c->n], rules, all, &at);
		r = make_chain(c, &c->v[c->n], im, rules, fault, NULL);
		c->n += r == 0;
		/* A strange one: its rules go one by one. */
		if (r == -E2BIG || r == -ENOSPC)
			r = 0;
	}
	return r;
}

int
chains_init(struct chains *c, const struct match_image *im, const struct match_rule *rules,
	bool *residual, bool fault)
{
	struct candidates all;
	int r;

	memset(c, 0, sizeof(*c));
	r = find_candidates(&all, im, rules, residual);
	if (r < 0 || all.n == 0)
		goto out;
	qsort(all.v, all.n, sizeof(*all.v), order_candidates);
	r = make_chains(c, im, rules, &all, fault);
	for (uint32_t k = 0; k < c->n; k++) {
		c->n_rules += c->v[k].n;
		for (uint32_t j = 0; j < c->v[k].n; j++)
			residual[c->v[k].rule[j]] = false;
	}
	if (c->code != NULL)
		c->bytes = cbpf_arena_used(c->code) + c->n * sizeof(*c->v);
out:
	mem_free(all.v);
	/* Where there may be no code there are no chains. */
	return r == -ENOMEM ? r : 0;
}

void
chains_fini(struct chains *c)
{
	cbpf_arena_free(c->code);
	mem_free(c->v);
	memset(c, 0, sizeof(*c));
}

/* ---- asked of frames ---- */

/* Whether @rule is in force for frame @i. */
static bool
is_wanted(const struct probe *p, uint32_t i, uint32_t rule)
{
	/* Pairs with match_image_enable(); nothing else depends on it. */
	const uint8_t state = atomic_load_explicit(&p->im->state[rule], memory_order_relaxed);

	return (state & p->want[i]) == p->want[i] &&
		(p->im->entries[rule].ports >> p->port & 1) != 0;
}

/* The number of @part's first rule from rule @from on. */
static uint32_t
first_from(const struct chains_part *part, uint32_t from)
{
	uint32_t n = 0;

	while (n < part->n && part->rule[n] < from)
		n++;
	return n;
}

/* The frames from @i on that are in @some and whose views lie behind each other: how many. */
static uint32_t
run_from(const struct probe *p, uint32_t i, uint64_t some)
{
	uint32_t n = 1;

	while (i + n < p->n && (some >> (i + n) & 1) != 0 && p->view[i + n] == p->view[i] + n)
		n++;
	return n;
}

/* What @part finds for the frames in @some, by frame. */
static void
ask_all(const struct chains_part *part, const struct probe *p, uint64_t some, uint32_t *found)
{
	while (some != 0) {
		const uint32_t i = (uint32_t)__builtin_ctzll(some), n = run_from(p, i, some);

		part->fn(p->view[i], n, UINT32_MAX, &found[i]);
		some &= ~(search_mask(n) << i);
	}
}

/* The same for one frame, from rule number @k on. */
static uint32_t
ask_from(const struct chains_part *part, const struct probe *p, uint32_t i, uint32_t k)
{
	const uint32_t allowed = chain_from(UINT32_MAX, k);
	uint32_t found = CBPF_CHAIN_NONE;

	if (allowed != 0)
		part->fn(p->view[i], 1, allowed, &found);
	return found;
}

/* Whether a rule is in force is asked where it matches, which is seldom. */
static void
settle(const struct chains_part *part, struct probe *p, uint32_t i, uint32_t found)
{
	while (found != CBPF_CHAIN_NONE && part->rule[found] < p->best[i]) {
		if (is_wanted(p, i, part->rule[found]))
			p->best[i] = part->rule[found];
		else
			found = ask_from(part, p, i, found + 1);
	}
}

static void
probe_part(const struct chains_part *part, struct probe *p, uint64_t some)
{
	uint32_t found[MATCH_BURST];

	if (!p->again)
		ask_all(part, p, some, found);
	for (uint64_t m = some; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctzll(m);

		settle(part, p, i,
			p->again ? ask_from(part, p, i, first_from(part, p->from[i])) : found[i]);
	}
}

void
chains_probe(const struct chains *c, struct probe *p, uint64_t alive)
{
	for (uint32_t k = 0; k < c->n; k++)
		probe_part(&c->v[k], p, alive & ~merged_at_most(p, p->best, c->v[k].rule[0]));
}

void
chains_probe_odd(const struct chains *c, struct probe *p)
{
	for (uint32_t k = 0; k < c->n; k++)
		for (uint32_t j = 0; j < c->v[k].n; j++) {
			const uint32_t rule = c->v[k].rule[j];
			const struct match_entry *e = &p->im->entries[rule];

			if (rule >= p->best[0])
				return;
			if (rule >= p->from[0] && is_wanted(p, 0, rule) && probe_wants(p, e) &&
				search_one(e, p->im->is_jit, p->key[0], p->view[0]))
				p->best[0] = rule;
		}
}
