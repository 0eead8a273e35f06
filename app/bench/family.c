// SPDX-License-Identifier: BSD-3-Clause
#include "family.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "cbpf/prog.h"
#include "family_impl.h"
#include "pkt/view.h"

#define FLOOD_PERCENT 97

static const struct kind {
	const char *name;
	/* What its rules are drawn from, each as often. */
	const struct family_ops *ops[10];
	uint32_t n;
} kinds[FAMILY_KINDS] = {
	[FAMILY_DNS_EXACT] = {"dns-exact", {&family_dns_exact}, 1},
	[FAMILY_DNS_WILDCARD] = {"dns-wildcard", {&family_dns_wildcard}, 1},
	[FAMILY_DNS_IGNORECASE] = {"dns-ignorecase", {&family_dns_ignorecase}, 1},
	[FAMILY_P0F] = {"p0f", {&family_p0f}, 1},
	[FAMILY_SUFFIX] = {"suffix", {&family_suffix}, 1},
	[FAMILY_PAYLOAD] = {"payload", {&family_payload}, 1},
	[FAMILY_TUPLE_ACL] = {"five-tuple-acl", {&family_acl}, 1},
	[FAMILY_TUPLE_FW] = {"five-tuple-fw", {&family_fw}, 1},
	[FAMILY_TUPLE_IPC] = {"five-tuple-ipc", {&family_ipc}, 1},
	[FAMILY_EXPRESSIONS] = {"expressions", {&family_expressions}, 1},
	[FAMILY_IRREGULAR] = {"irregular", {&family_irregular}, 1},
	[FAMILY_MIXED] = {"mixed",
		{&family_dns_exact, &family_dns_wildcard, &family_dns_ignorecase, &family_p0f,
			&family_suffix, &family_payload, &family_expressions},
		7},
	[FAMILY_MIXED_RANGES] = {"mixed-ranges",
		{&family_dns_exact, &family_dns_wildcard, &family_dns_ignorecase, &family_p0f,
			&family_suffix, &family_payload, &family_expressions, &family_acl,
			&family_fw, &family_ipc},
		10},
};

const char *
family_name(enum family_kind kind)
{
	return kind < FAMILY_KINDS ? kinds[kind].name : NULL;
}

const char *
family_traffic_name(enum family_traffic traffic)
{
	switch (traffic) {
	case FAMILY_FLOOD: return "flood";
	case FAMILY_UNIFORM: return "uniform";
	case FAMILY_MISS: return "all-miss";
	case FAMILY_HALF: return "mixed";
	case FAMILY_ADVERSARIAL: return "adversarial";
	case FAMILY_TRAFFICS: break;
	}
	return NULL;
}

/* ---- what the kinds of rules share ---- */

const char *
family_printf(struct family *f, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return arena_strndup(&f->arena, buf, strlen(buf));
}

/* The class of @scope; one that is new is added. */
static int
class_of(struct family *f, const struct gen_scope *scope)
{
	for (uint32_t i = 0; i < f->n_scopes; i++) {
		const struct gen_scope *s = &f->scopes[i];

		if (s->proto == scope->proto && s->sport == scope->sport &&
			s->dport == scope->dport &&
			s->no_later_fragments == scope->no_later_fragments)
			return (int)i;
	}
	if (f->n_scopes == FAMILY_CLASSES_MAX)
		return -E2BIG;
	f->scopes[f->n_scopes] = *scope;
	return (int)f->n_scopes++;
}

static int
one_port(struct family *f, uint16_t port, struct match_ranges *ret)
{
	struct u16_range *r;

	if (port == 0)
		return 0;
	r = arena_zalloc(&f->arena, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = (struct u16_range){port, port};
	*ret = (struct match_ranges){r, 1};
	return 0;
}

/* A generator's scope, as lib/rules makes it of the same line in a file. */
static int
take_scope(struct family *f, struct match_rule *rule, const struct gen_scope *scope)
{
	const int class = class_of(f, scope);
	struct u16_range *proto;
	int r = 0;

	if (class < 0)
		return class;
	f->classes[rule - f->rules] = (uint8_t) class;
	if (scope->proto != 0) {
		proto = arena_zalloc(&f->arena, sizeof(*proto));
		if (proto == NULL)
			return -ENOMEM;
		*proto = (struct u16_range){scope->proto, scope->proto};
		rule->scope.proto = (struct match_ranges){proto, 1};
	}
	r = one_port(f, scope->sport, &rule->scope.sport);
	return r < 0 ? r : one_port(f, scope->dport, &rule->scope.dport);
}

static int
generate(struct family *f, const struct family_item *it, struct match_rule *rule, int which,
	struct diag *diag)
{
	struct gen_opts opts = {.family = which == 0 ? 4 : 6};
	struct gen_out out = {0};
	char **words = NULL;
	int n, r;

	n = gen_split(it->text, &words, diag);
	if (n < 1)
		return n < 0 ? n : -EINVAL;
	r = gen_run(words[0], &opts, n - 1, (const char *const *)words + 1, &out, diag);
	if (r == 0)
		r = cbpf_prog_new(out.insns, out.n, &f->progs[rule - f->rules][which], diag);
	if (r == 0 && which == 0)
		r = take_scope(f, rule, &out.scope);
	mem_free(words);
	gen_out_fini(&out);
	return r;
}

int
family_generate(
	struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag)
{
	int r = generate(f, it, rule, 0, diag);

	rule->generated = true;
	return r < 0 ? r : generate(f, it, rule, 1, diag);
}

int
family_generate4(
	struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag)
{
	rule->generated = true;
	rule->scope.family = 4;
	return generate(f, it, rule, 0, diag);
}

int
family_take(struct family *f, struct match_rule *rule, const struct cbpf_insn *insns, size_t n,
	bool both, struct diag *diag)
{
	struct cbpf_prog **progs = f->progs[rule - f->rules];
	int r = cbpf_prog_new(insns, n, &progs[0], diag);

	if (r < 0)
		return r;
	if (both)
		progs[1] = progs[0];
	return take_scope(f, rule, &(struct gen_scope){0});
}

void
family_letters(struct rng *rng, char *s, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < n; i++)
		s[i] = letters[rng_below(rng, sizeof(letters) - 1)];
}

void
family_put_ip4(struct rng *rng, struct pkt_build *b, uint32_t src, uint32_t dst)
{
	pkt_build_ip4(b,
		&(struct pkt_ip4){.src = src,
			.dst = dst,
			.ttl = (uint8_t)(40 + rng_below(rng, 80)),
			.id = (uint16_t)rng_next(rng)});
}

void
family_put_ip(const struct family *f, struct rng *rng, struct pkt_build *b)
{
	struct pkt_ip6 ip = {
		.src = {0x2a}, .dst = {0x20, 1, 0xd, 0xb8, [15] = 0x53}, .hop_limit = 57};

	if (!family_percent(rng, f->ipv6_percent)) {
		family_put_ip4(rng, b,
			(11 + rng_below(rng, 116)) << 24 | (uint32_t)(rng_next(rng) & 0xffffff),
			0xc0000235);
		return;
	}
	for (size_t i = 1; i < 16; i++)
		ip.src[i] = (uint8_t)rng_next(rng);
	pkt_build_ip6(b, &ip);
}

/* ---- rules ---- */

static int
draw_all(struct family *f, struct rng *rng)
{
	const struct kind *k = &kinds[f->kind];

	for (size_t i = 0; i < f->n; i++) {
		f->items[i].ops = k->ops[rng_below(rng, k->n)];
		if (f->items[i].ops->draw(f, &f->items[i], rng) < 0 || f->items[i].text == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int
by_order(const void *a, const void *b)
{
	const struct family_item *x = a;

	return x->ops->compare(a, b);
}

static int
compile_all(struct family *f, struct diag *diag)
{
	for (size_t i = 0; i < f->n; i++) {
		struct match_rule *rule = &f->rules[i];
		int r;

		*rule = (struct match_rule){.slot = (uint32_t)i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.link = MATCH_LINK_RAW};
		rule->name = family_printf(f, "r%zu", i);
		if (rule->name == NULL)
			return diag_fail(diag, -ENOMEM, "out of memory");
		r = f->items[i].ops->compile(f, &f->items[i], rule, diag);
		if (r < 0)
			return r;
		if (!rule->scope_only) {
			rule->prog[0] = f->progs[i][0];
			rule->prog[1] = f->progs[i][1];
		}
	}
	return 0;
}

int
family_new(enum family_kind kind, size_t n, uint64_t seed, struct family **ret_family,
	struct diag *diag)
{
	struct family *f = mem_zalloc(sizeof(*f));
	struct rng rng = {seed};
	int r = -ENOMEM;

	if (f == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	f->kind = kind;
	f->n = n;
	f->items = mem_calloc(n, sizeof(*f->items));
	f->rules = mem_calloc(n, sizeof(*f->rules));
	f->progs = mem_calloc(n, sizeof(*f->progs));
	f->classes = mem_calloc(n, sizeof(*f->classes));
	if (f->items != NULL && f->rules != NULL && f->progs != NULL && f->classes != NULL)
		r = draw_all(f, &rng);
	if (r < 0) {
		(void)diag_fail(diag, r, "out of memory");
		goto out;
	}
	if (kinds[kind].n == 1 && kinds[kind].ops[0]->compare != NULL)
		qsort(f->items, n, sizeof(*f->items), by_order);
	r = compile_all(f, diag);
	if (r < 0)
		goto out;
	*ret_family = f;
	f = NULL;
out:
	family_free(f);
	return r;
}

void
family_free(struct family *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; f->progs != NULL && i < f->n; i++) {
		if (f->progs[i][1] != f->progs[i][0])
			cbpf_prog_free(f->progs[i][1]);
		cbpf_prog_free(f->progs[i][0]);
	}
	mem_free(f->items);
	mem_free(f->rules);
	mem_free(f->progs);
	mem_free(f->classes);
	arena_fini(&f->arena);
	mem_free(f);
}

const struct match_rule *
family_rules(const struct family *f, size_t *ret_n)
{
	*ret_n = f->n;
	return f->rules;
}

const char *
family_text(const struct family *f, size_t i)
{
	return f->items[i].text;
}

const struct cbpf_prog *
family_prog(const struct family *f, size_t i, uint8_t ip_version)
{
	return f->progs[i][ip_version == 6];
}

uint32_t
family_class(const struct family *f, size_t i)
{
	return f->classes[i];
}

uint32_t
family_classes(const struct family *f, const struct pkt_view *v)
{
	uint32_t bits = 0;

	if (v->family == 0)
		return 0;
	for (uint32_t i = 0; i < f->n_scopes; i++) {
		const struct gen_scope *s = &f->scopes[i];

		if ((s->proto == 0 || s->proto == v->proto) &&
			(s->sport == 0 || s->sport == v->sport) &&
			(s->dport == 0 || s->dport == v->dport) &&
			!(s->no_later_fragments && (v->flags & PKT_FRAG_LATER) != 0))
			bits |= UINT32_C(1) << i;
	}
	return bits;
}

const struct gen_scope *
family_scope(const struct family *f, uint32_t class)
{
	return class < f->n_scopes ? &f->scopes[class] : NULL;
}

void
family_set_ipv6(struct family *f, uint32_t percent)
{
	f->ipv6_percent = percent;
}

/* ---- frames ---- */

static size_t
frame(const struct family *f, size_t i, enum family_way way, struct rng *rng, uint8_t *buf)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2}, src[6] = {2, 0, 0, 0, 0, 1};
	struct pkt_build b;

	pkt_build_init(&b, buf, FAMILY_FRAME_MAX);
	pkt_build_ether(&b, dst, src);
	f->items[i].ops->put(f, &f->items[i], way, rng, &b);
	return pkt_build_done(&b);
}

size_t
family_hit(struct family *f, size_t i, struct rng *rng, uint8_t *buf)
{
	return frame(f, i, WAY_HIT, rng, buf);
}

size_t
family_near(struct family *f, size_t i, struct rng *rng, uint8_t *buf)
{
	return frame(f, i, WAY_NEAR, rng, buf);
}

size_t
family_frame(struct family *f, enum family_traffic traffic, struct rng *rng, uint8_t *buf)
{
	const size_t any = rng_below(rng, (uint32_t)f->n);
	const uint32_t dice = rng_below(rng, 100);

	switch (traffic) {
	case FAMILY_FLOOD:
		return dice < FLOOD_PERCENT ? frame(f, f->n - 1, WAY_HIT, rng, buf)
					    : frame(f, any, WAY_MISS, rng, buf);
	case FAMILY_UNIFORM: return frame(f, any, WAY_HIT, rng, buf);
	case FAMILY_HALF:
		return frame(f, any,
			dice < 40           ? WAY_HIT
				: dice < 70 ? WAY_NEAR
					    : WAY_MISS,
			rng, buf);
	case FAMILY_ADVERSARIAL: return frame(f, any, WAY_WORST, rng, buf);
	case FAMILY_MISS:
	case FAMILY_TRAFFICS: break;
	}
	return frame(f, any, WAY_MISS, rng, buf);
}
