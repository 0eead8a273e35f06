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
	if (fault)
		chain_links_drop(&links, part->n - 1);
	if (links.failed)
		r = -ENOMEM;
	else if (room != NULL)
		*room += links.room;
	else
		r = cbpf_jit_chain(c->code, links.v, links.n, &part->fn, NULL, &diag);
	arena_fini(&links.mem);
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

/* Those of @part's rules from rule @from on, as bits. */
static uint32_t
allowed_from(const struct chains_part *part, uint32_t from)
{
	uint32_t n = 0;

	while (n < part->n && part->rule[n] < from)
		n++;
	return chain_from(UINT32_MAX, n);
}

static void
ask(const struct chains_part *part, struct probe *p, uint32_t i, uint32_t allowed)
{
	const struct pkt_view *v = p->view[i];

	/* Whether a rule is in force is asked where it matches, which is seldom. */
	while (allowed != 0) {
		const uint32_t k = part->fn(v->frame + v->l3_off, v->l3_caplen, v->l3_len,
			p->key[i], allowed, v->sport);

		if (k == CBPF_CHAIN_NONE || part->rule[k] >= p->best[i])
			return;
		if (is_wanted(p, i, part->rule[k])) {
			p->best[i] = part->rule[k];
			return;
		}
		allowed &= chain_from(UINT32_MAX, k + 1);
	}
}

void
chains_probe(const struct chains *c, struct probe *p, uint64_t alive)
{
	for (uint32_t k = 0; k < c->n; k++) {
		const struct chains_part *part = &c->v[k];

		for (uint64_t m = alive & ~merged_at_most(p, p->best, part->rule[0]); m != 0;
			m &= m - 1) {
			const uint32_t i = (uint32_t)__builtin_ctzll(m);

			ask(part, p, i, p->again ? allowed_from(part, p->from[i]) : UINT32_MAX);
		}
	}
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
