// SPDX-License-Identifier: BSD-3-Clause
#include "chain.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "search.h"

/* Room for code; memory is taken only as it is used. */
#define CODE_PER_INSN 256 /* bytes */
#define CODE_PER_LINK 1024
#define CODE_PER_CHOICE 128

#define INSNS_OF_WALK 256 /* more: it is unrolled, for each of 124 labels */

#define ASKS_MAX 5 /* protocol, ports, addresses */
#define CHOICES_MAX 8 /* of a list; longer ones are better looked up */

const struct cbpf_records chain_records = {
	.size = sizeof(struct pkt_view),
	.frame = offsetof(struct pkt_view, frame),
	.start = offsetof(struct pkt_view, l3_off),
	.caplen = offsetof(struct pkt_view, l3_caplen),
	.wirelen = offsetof(struct pkt_view, l3_len),
	.key = offsetof(struct pkt_view, key),
	.sport = offsetof(struct pkt_view, sport),
};

/* A link under construction, for frames of one family, or of any where @family is 0. */
struct draft {
	struct chain_links *links;
	uint32_t family;
	struct cbpf_ask asks[ASKS_MAX];
	size_t n_asks;
};

/* One more ask of @n choices, which are to be filled in; NULL: out of memory. */
static union cbpf_choice *
ask(struct draft *d, struct cbpf_ask what, size_t n)
{
	union cbpf_choice *v = arena_zalloc(&d->links->mem, (n + 1) * sizeof(*v));

	if (v == NULL) {
		d->links->failed = true;
		return NULL;
	}
	what.v = v;
	what.n = n;
	d->asks[d->n_asks++] = what;
	return v;
}

static void
ask_ranges(struct draft *d, struct cbpf_ask what, const struct match_ranges *list)
{
	union cbpf_choice *v = list->n > 0 ? ask(d, what, list->n) : NULL;

	for (size_t i = 0; v != NULL && i < list->n; i++) {
		v[i].lo = list->v[i].lo;
		v[i].hi = list->v[i].hi;
	}
}

/* An address at @off of the datagram, of the draft's family. */
static void
ask_prefixes(struct draft *d, uint32_t off, const struct match_prefixes *list)
{
	const uint32_t size = d->family == 4 ? 4 : 16;
	union cbpf_choice *v;
	size_t n = 0;

	for (size_t i = 0; !list->any && i < list->n; i++)
		n += list->v[i].addr.family == d->family;
	v = list->any
		? NULL
		: ask(d, (struct cbpf_ask){.of = CBPF_ASK_BYTES, .off = off, .size = size}, n);
	for (size_t i = 0; v != NULL && i < list->n; i++) {
		if (list->v[i].addr.family != d->family)
			continue;
		memcpy(v->val, list->v[i].addr.bytes, size);
		for (uint32_t bit = 0; bit < list->v[i].len; bit++)
			v->bits[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		v++;
	}
}

/* Protocols and addresses, which also later fragments have, and ports. */
static void
ask_more(struct draft *d, const struct match_entry *e, const struct match_scope *s, bool ports)
{
	const struct scope_more *more = e->scope.more;

	if (more == NULL)
		return;
	if (more->has_proto)
		ask_ranges(d, (struct cbpf_ask){.of = CBPF_ASK_KEY, .shift = 16, .mask = UINT8_MAX},
			&s->proto);
	if (ports) {
		ask_ranges(
			d, (struct cbpf_ask){.of = CBPF_ASK_KEY, .mask = UINT16_MAX}, &more->dport);
		ask_ranges(d, (struct cbpf_ask){.of = CBPF_ASK_SPORT}, &more->sport);
	}
	ask_prefixes(d, d->family == 4 ? 16 : 24, &s->dst);
	ask_prefixes(d, d->family == 4 ? 12 : 8, &s->src);
}

/* Only what is of family @family; false: nothing is. */
static bool
of_family(struct scope_test *t, uint32_t family)
{
	const struct scope_test of = {PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), PKT_KEY_FAMILY(family)};

	if (!scope_tests_meet(*t, of))
		return false;
	t->mask |= of.mask;
	t->val |= of.val;
	return true;
}

/* Frames with extension headers, which no link for IPv4 matches, are told before all others. */
static void
add_odd(struct chain_links *l, const struct scope_test *test)
{
	const uint32_t family = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);
	const struct scope_test odd = search_odd_test();

	if (!l->wants_odd || ((test->val ^ odd.val) & test->mask & family) != 0)
		return;
	l->wants_odd = false;
	l->v[l->n++] = (struct cbpf_link){.mask = odd.mask, .val = odd.val, .number = CHAIN_ODD};
}

/* Rule @rule by @prog where @test and what else @d asks hold. */
static void
add(struct draft *d, const struct cbpf_prog *prog, struct scope_test test, uint32_t rule)
{
	struct chain_links *l = d->links;
	struct cbpf_ask *asks = arena_zalloc(&l->mem, (d->n_asks + 1) * sizeof(*asks));
	size_t n = 0;

	if (asks == NULL) {
		l->failed = true;
		return;
	}
	memcpy(asks, d->asks, d->n_asks * sizeof(*asks));
	add_odd(l, &test);
	if (prog != NULL)
		(void)cbpf_prog_insns(prog, &n);
	l->v[l->n++] = (struct cbpf_link){.prog = prog,
		.mask = test.mask,
		.val = test.val,
		.asks = asks,
		.n_asks = d->n_asks,
		.number = rule};
	l->n_insns += n;
	l->room += n * CODE_PER_INSN + CODE_PER_LINK;
	for (size_t i = 0; i < d->n_asks; i++)
		l->room += asks[i].n * CODE_PER_CHOICE;
}

static bool
walks(const struct cbpf_prog *prog)
{
	size_t n = 0;

	if (prog != NULL)
		(void)cbpf_prog_insns(prog, &n);
	return n > INSNS_OF_WALK;
}

/* What of *@prog is to be in a chain, if it walks. Returns what says where that is not all, or NULL. */
static const struct cbpf_prog *
cut_walk(struct chain_links *l, const struct cbpf_prog **prog)
{
	struct cbpf_prog **cut = &l->cut[l->n_cut];
	int r;

	if (!l->cuts || !walks(*prog))
		return NULL;
	r = chain_walk_cut(*prog, &cut[0], &cut[1]);
	l->failed |= r == -ENOMEM;
	l->uncut |= r < 0;
	if (r < 0)
		return NULL;
	*prog = cut[0];
	l->n_cut += 2;
	return cut[1];
}

/* Rule @i for frames of family @family, or for all with 0. */
static void
add_links(struct chain_links *l, const struct match_entry *e, const struct match_rule *rule,
	uint32_t i, uint32_t family)
{
	const struct cbpf_prog *prog = e->run == MATCH_RUN_NONE ? NULL : rule->prog[family == 6];
	struct draft now = {.links = l, .family = family}, late = now;
	struct scope_test test = e->scope.test;

	if ((family == 0 || of_family(&test, family)) &&
		(e->run == MATCH_RUN_NONE || prog != NULL)) {
		const struct cbpf_prog *far = cut_walk(l, &prog);

		ask_more(&now, e, &rule->scope, true);
		add(&now, prog, test, i);
		if (far != NULL)
			add(&now, far, test, CHAIN_FAR);
	}
	if (e->scope.more == NULL)
		return;
	test = e->scope.more->late;
	if ((test.val & ~test.mask) == 0 && (family == 0 || of_family(&test, family))) {
		ask_more(&late, e, &rule->scope, false);
		add(&late, NULL, test, i);
	}
}

static bool
is_short(const struct match_prefixes *list)
{
	return list->any || list->n <= CHOICES_MAX;
}

bool
chain_can(const struct match_entry *e, const struct match_rule *rule)
{
	const struct match_scope *s = &rule->scope;

	return e->run != MATCH_RUN_ETHER && is_short(&s->src) && is_short(&s->dst) &&
		s->proto.n <= CHOICES_MAX && s->sport.n <= CHOICES_MAX && s->dport.n <= CHOICES_MAX;
}

bool
chain_walks(const struct match_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (walks(rules[i].prog[0]) || walks(rules[i].prog[1]))
			return true;
	return false;
}

void
chain_links_add(struct chain_links *l, const struct match_entry *e, const struct match_rule *rule,
	uint32_t number)
{
	const struct match_scope *s = &rule->scope;
	const bool one_prog = e->run == MATCH_RUN_NONE || rule->prog[0] == rule->prog[1];

	if (one_prog && s->src.any && s->dst.any) {
		add_links(l, e, rule, number, 0);
		return;
	}
	add_links(l, e, rule, number, 4);
	add_links(l, e, rule, number, 6);
}

/* Whether some links are for one family, and all for IP. */
static bool
is_mixed(const struct chain_links *l)
{
	const uint32_t one = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS);
	bool some = false;

	for (size_t i = 0; i < l->n; i++) {
		if ((l->v[i].mask & l->v[i].val & KEY_IP) == 0)
			return false;
		some |= (l->v[i].mask & one) == one;
	}
	return some;
}

/* Those of the @n links @v that are for family @family, too, for it alone. */
static void
add_family(struct chain_links *l, const struct cbpf_link *v, size_t n, uint32_t family)
{
	for (size_t i = 0; i < n; i++) {
		struct scope_test test = {v[i].mask, v[i].val};

		if (!of_family(&test, family))
			continue;
		l->v[l->n] = v[i];
		l->v[l->n].mask = test.mask;
		l->v[l->n++].val = test.val;
	}
}

void
chain_links_sort(struct chain_links *l)
{
	struct cbpf_link was[CHAIN_LINKS_PLAIN];
	const size_t n = l->n;

	if (is_mixed(l)) {
		memcpy(was, l->v, n * sizeof(*was));
		l->n = 0;
		add_family(l, was, n, 4);
		add_family(l, was, n, 6);
		l->room *= 2; /* what is for both stands there twice */
	}
	chain_kinds_add(l);
}

void
chain_links_drop(struct chain_links *l, uint32_t number)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].number != number)
			l->v[kept++] = l->v[i];
	l->n = kept;
}

void
chain_links_fini(struct chain_links *l)
{
	for (size_t i = 0; i < l->n_cut; i++)
		cbpf_prog_free(l->cut[i]);
	arena_fini(&l->mem);
}

/* All of @im, or an error as of chain_new(). */
static int
add_rules(struct chain_links *l, const struct match_image *im, const struct match_rule *rules,
	size_t insns_max)
{
	l->wants_odd = im->any_generated;
	l->cuts = im->index != NULL;
	for (uint32_t i = 0; i < im->n && l->n_insns <= insns_max; i++) {
		if (!chain_can(&im->entries[i], &rules[i]))
			return -EOPNOTSUPP;
		chain_links_add(l, &im->entries[i], &rules[i], i);
	}
	if (l->failed)
		return -ENOMEM;
	/* What is long and no walk is as good whole; walks are the tables', where these walk. */
	if (l->uncut && index_walks(im->index))
		return -EOPNOTSUPP;
	return l->n_insns > insns_max ? -EOPNOTSUPP : 0;
}

/* The rules that are not for all ports. */
static uint32_t
some_ports(const struct match_image *im)
{
	uint32_t some = 0;

	for (uint32_t i = 0; i < im->n; i++)
		some |= (uint32_t)(im->entries[i].ports != UINT64_MAX) << i;
	return some;
}

/* Whether frames are left to others by @l. */
static bool
leaves(const struct chain_links *l)
{
	bool any = false;

	for (size_t i = 0; i < l->n; i++)
		any |= l->v[i].number == CHAIN_ODD || l->v[i].number == CHAIN_FAR;
	return any;
}

int
chain_new(const struct match_image *im, const struct match_rule *rules, size_t insns_max,
	uint32_t fault, bool *ret_whole)
{
	struct chain_links links = CHAIN_LINKS_INIT;
	struct match_base *base = im->base;
	struct diag diag = {0};
	int r = add_rules(&links, im, rules, insns_max);

	chain_links_sort(&links);
	if (fault != CBPF_CHAIN_NONE)
		chain_links_drop(&links, fault);
	if (r == 0)
		r = cbpf_arena_new(links.room, &base->chain_code, &diag);
	if (r == 0)
		r = cbpf_jit_chain(base->chain_code, links.v, links.n, &chain_records, &base->chain,
			NULL, &diag);
	if (r == 0) {
		base->chain_some_ports = some_ports(im);
		base->chain_leaves = leaves(&links);
		*ret_whole = links.n_cut == 0;
	}
	chain_links_fini(&links);
	if (r == 0)
		return 0;
	cbpf_arena_free(base->chain_code);
	base->chain_code = NULL;
	/* More room than any program takes: one that does not fit is a strange one. */
	return r == -ENOSPC || r == -E2BIG ? -EOPNOTSUPP : r;
}

/* States of eight rules. */
typedef _Atomic uint64_t state_word __attribute__((may_alias));

/* The ones of the eight rules from rule @i on whose state has the bits @want. */
static uint32_t
have_state(const struct match_image *im, uint32_t i, uint8_t want)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	/* Pairs with match_image_enable(), which writes a byte; nothing else depends on it. */
	const uint64_t state =
		atomic_load_explicit((const state_word *)&im->state[i], memory_order_relaxed);
	const uint64_t lacks = (state & want * ones) ^ want * ones;

	_Static_assert(MATCH_STATE_DECIDING == 2 && MATCH_STATE_ENABLED == 1, "two bits");
	/* Bit 8 k goes to bit 56 + k, and nothing else gets there. */
	return (uint32_t)((~(lacks | lacks >> 1) & ones) * UINT64_C(0x0102040810204080) >> 56);
}

uint32_t
chain_allowed(const struct match_image *im, uint32_t port, uint8_t want)
{
	uint32_t allowed = 0;

	for (uint32_t i = 0; i < im->n; i += 8)
		allowed |= have_state(im, i, want) << i;
	for (uint32_t m = im->base->chain_some_ports; m != 0; m &= m - 1) {
		const uint32_t i = (uint32_t)__builtin_ctz(m);

		allowed &= ~((uint32_t)(~im->entries[i].ports >> port & 1) << i);
	}
	return allowed;
}
