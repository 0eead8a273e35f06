// SPDX-License-Identifier: BSD-3-Clause
/*
 * Five-tuples in the shapes of ClassBench's seeds (Taylor and Turner, 2005): an
 * access list names servers and their ports, a firewall has many wildcards, an IP
 * chain both ends of many pairs. Prefix lengths and port classes are drawn with
 * their shares, addresses from few networks, so that prefixes nest; the specific
 * stand before the general, as people write them.
 */
#include <stdio.h>

#include "cbpf/insn.h"
#include "family_impl.h"

#define NETWORKS 48 /* /16s that all addresses are from */

/* Shares in percent; what is left to 100 is the last of the kind. */
struct shape {
	uint8_t src_any, src_host, src_24; /* /24 to /31; left: /16 to /23 */
	uint8_t dst_any, dst_host, dst_24;
	uint8_t sport_any, sport_one, sport_high; /* 1024-65535; left: a range */
	uint8_t dport_any, dport_one, dport_high;
	uint8_t tcp, udp, icmp; /* left: any protocol */
};

static const struct shape acl = {20, 25, 40, 5, 50, 35, 98, 1, 1, 15, 65, 5, 65, 25, 3};
static const struct shape fw = {45, 20, 20, 25, 35, 25, 70, 15, 14, 30, 40, 15, 55, 30, 5};
static const struct shape ipc = {10, 50, 30, 10, 45, 35, 75, 15, 2, 45, 40, 3, 45, 35, 2};

static uint32_t
network(struct rng *rng)
{
	const uint32_t k = rng_below(rng, NETWORKS);

	/* Spread over the unicast space, the same ones in every ruleset. */
	return (11 + k * 37 % 180) << 24 | (k * 101 % 256) << 16;
}

static uint32_t
mask_of(uint8_t len)
{
	return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

static void
draw_prefix(
	struct rng *rng, uint8_t any, uint8_t host, uint8_t narrow, uint32_t *addr, uint8_t *len)
{
	const int dice = (int)rng_below(rng, 100);

	if (dice < any)
		*len = 0;
	else if (dice < any + host)
		*len = 32;
	else if (dice < any + host + narrow)
		*len = (uint8_t)(24 + rng_below(rng, 8));
	else
		*len = (uint8_t)(16 + rng_below(rng, 8));
	*addr = (network(rng) | rng_below(rng, 24) << 8 | rng_below(rng, 256)) & mask_of(*len);
}

static struct u16_range
draw_ports(struct rng *rng, uint8_t any, uint8_t one, uint8_t high)
{
	static const uint16_t services[] = {
		80, 443, 53, 22, 25, 123, 389, 1433, 1521, 3306, 3389, 5060, 8080, 161, 110, 143};
	const int dice = (int)rng_below(rng, 100);
	uint16_t lo;

	if (dice < any)
		return (struct u16_range){0, UINT16_MAX};
	if (dice < any + one) {
		lo = family_percent(rng, 60) ? services[rng_below(rng, DIM(services))]
					     : (uint16_t)(1 + rng_below(rng, 65535));
		return (struct u16_range){lo, lo};
	}
	if (dice < any + one + high)
		return (struct u16_range){1024, UINT16_MAX};
	lo = (uint16_t)(1 + rng_below(rng, 60000));
	return (struct u16_range){lo, (uint16_t)(lo + 1 + rng_below(rng, 2000))};
}

static bool
is_any(const struct u16_range *r)
{
	return r->lo == 0 && r->hi == UINT16_MAX;
}

static int
draw(struct family *f, struct family_item *it, struct rng *rng, const struct shape *s)
{
	struct family_tuple *t = &it->u.tuple;
	const int dice = (int)rng_below(rng, 100);

	draw_prefix(rng, s->src_any, s->src_host, s->src_24, &t->src, &t->src_len);
	draw_prefix(rng, s->dst_any, s->dst_host, s->dst_24, &t->dst, &t->dst_len);
	/* What would match nearly all says at least where to. */
	if (t->src_len + t->dst_len == 0)
		draw_prefix(rng, 0, 50, 30, &t->dst, &t->dst_len);
	t->sport = t->dport = (struct u16_range){0, UINT16_MAX};
	if (dice < s->tcp)
		t->proto = 6;
	else if (dice < s->tcp + s->udp)
		t->proto = 17;
	else if (dice < s->tcp + s->udp + s->icmp)
		t->proto = 1;
	if (t->proto == 6 || t->proto == 17) {
		t->sport = draw_ports(rng, s->sport_any, s->sport_one, s->sport_high);
		t->dport = draw_ports(rng, s->dport_any, s->dport_one, s->dport_high);
	}
	it->text = family_printf(f, "proto %u src %#x/%u dst %#x/%u sport %u-%u dport %u-%u",
		t->proto, t->src, t->src_len, t->dst, t->dst_len, t->sport.lo, t->sport.hi,
		t->dport.lo, t->dport.hi);
	return 0;
}

static int
draw_acl(struct family *f, struct family_item *it, struct rng *rng)
{
	return draw(f, it, rng, &acl);
}

static int
draw_fw(struct family *f, struct family_item *it, struct rng *rng)
{
	return draw(f, it, rng, &fw);
}

static int
draw_ipc(struct family *f, struct family_item *it, struct rng *rng)
{
	return draw(f, it, rng, &ipc);
}

static int
compare(const struct family_item *a, const struct family_item *b)
{
	const int x = a->u.tuple.src_len + a->u.tuple.dst_len;
	const int y = b->u.tuple.src_len + b->u.tuple.dst_len;

	return x != y ? y - x : strcmp(a->text, b->text);
}

/* A program under construction; tests jump to a "ret #0" at the end. */
struct tests {
	struct cbpf_insn v[32];
	size_t n;
};

static void
add(struct tests *t, uint16_t code, uint32_t k)
{
	t->v[t->n++] = (struct cbpf_insn){.code = code, .k = k};
}

static void
add_prefix(struct tests *t, uint32_t off, uint32_t addr, uint8_t len)
{
	if (len == 0)
		return;
	add(t, CBPF_CODE_LD_W_ABS, off);
	if (len < 32)
		add(t, CBPF_CODE_ALU_AND_K, mask_of(len));
	add(t, CBPF_CODE_JEQ_K, addr);
}

static void
add_range(struct tests *t, uint32_t off, const struct u16_range *r)
{
	if (is_any(r))
		return;
	add(t, CBPF_CODE_LD_H_IND, off);
	if (r->lo == r->hi) {
		add(t, CBPF_CODE_JEQ_K, r->lo);
		return;
	}
	add(t, CBPF_CODE_JGE_K, r->lo);
	if (r->hi < UINT16_MAX) {
		add(t, CBPF_CODE_JGT_K, r->hi);
		/* The only test that must not hold. */
		t->v[t->n - 1].jt = 1;
	}
}

static void
finish(struct tests *t)
{
	const size_t no = t->n + 1;

	for (size_t i = 0; i < t->n; i++) {
		struct cbpf_insn *in = &t->v[i];

		if (in->code == CBPF_CODE_JGT_K || in->code == CBPF_CODE_JSET_K)
			in->jt = (uint8_t)(no - i - 1);
		else if (in->code == CBPF_CODE_JEQ_K || in->code == CBPF_CODE_JGE_K)
			in->jf = (uint8_t)(no - i - 1);
	}
	add(t, CBPF_CODE_RET_K, 65535);
	add(t, CBPF_CODE_RET_K, 0);
}

static struct match_ranges *
keep_range(struct family *f, struct match_ranges *ret, uint16_t lo, uint16_t hi)
{
	struct u16_range *r = arena_zalloc(&f->arena, sizeof(*r));

	if (r == NULL)
		return NULL;
	*r = (struct u16_range){lo, hi};
	*ret = (struct match_ranges){r, 1};
	return ret;
}

static struct match_prefixes *
keep_prefix(struct family *f, struct match_prefixes *ret, uint32_t addr, uint8_t len)
{
	struct ip_prefix *p = arena_zalloc(&f->arena, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->addr.family = 4;
	store_be32(p->addr.bytes, addr);
	p->len = len;
	*ret = (struct match_prefixes){false, p, 1};
	return ret;
}

/* The same as a scope, without a program: what a user would write. */
static int
scope(struct family *f, const struct family_tuple *t, struct match_scope *s)
{
	bool ok = true;

	s->family = 4;
	if (t->proto != 0)
		ok &= keep_range(f, &s->proto, t->proto, t->proto) != NULL;
	if (!is_any(&t->sport))
		ok &= keep_range(f, &s->sport, t->sport.lo, t->sport.hi) != NULL;
	if (!is_any(&t->dport))
		ok &= keep_range(f, &s->dport, t->dport.lo, t->dport.hi) != NULL;
	if (t->src_len > 0)
		ok &= keep_prefix(f, &s->src, t->src, t->src_len) != NULL;
	if (t->dst_len > 0)
		ok &= keep_prefix(f, &s->dst, t->dst, t->dst_len) != NULL;
	return ok ? 0 : -1;
}

static int
compile(struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag)
{
	const struct family_tuple *t = &it->u.tuple;
	struct tests tests = {.n = 0};
	int r;

	if (t->proto != 0) {
		add(&tests, CBPF_CODE_LD_B_ABS, 9);
		add(&tests, CBPF_CODE_JEQ_K, t->proto);
	}
	add_prefix(&tests, 12, t->src, t->src_len);
	add_prefix(&tests, 16, t->dst, t->dst_len);
	if (!is_any(&t->sport) || !is_any(&t->dport)) {
		add(&tests, CBPF_CODE_LD_H_ABS, 6);
		add(&tests, CBPF_CODE_JSET_K, 0x1fff);
		add(&tests, CBPF_CODE_LDX_MSH, 0);
		add_range(&tests, 0, &t->sport);
		add_range(&tests, 2, &t->dport);
	}
	finish(&tests);
	r = family_take(f, rule, tests.v, tests.n, false, diag);
	rule->scope_only = true;
	return r < 0 ? r : scope(f, t, &rule->scope);
}

static uint16_t
port_in(struct rng *rng, const struct u16_range *r)
{
	return (uint16_t)(r->lo + rng_below(rng, r->hi - r->lo + 1u));
}

/* One address or port lies just outside. */
static void
spoil(struct rng *rng, const struct family_tuple *t, uint32_t *src, uint32_t *dst, uint16_t *dport)
{
	if (!is_any(&t->dport) && family_percent(rng, 50))
		*dport = (uint16_t)(t->dport.hi == UINT16_MAX ? t->dport.lo - 1 : t->dport.hi + 1);
	else if (t->dst_len > 0)
		*dst ^= UINT32_C(1) << (32 - t->dst_len);
	else
		*src ^= UINT32_C(1) << (32 - t->src_len);
}

/* Each field lies in some rule's, all together in none by design. */
static struct family_tuple
cross(const struct family *f, const struct family_item *it, struct rng *rng)
{
	struct family_tuple t = it->u.tuple;

	for (int k = 0; k < 3; k++) {
		const struct family_item *other = &f->items[rng_below(rng, (uint32_t)f->n)];

		if (other->ops->put != it->ops->put)
			continue;
		if (k == 0) {
			t.src = other->u.tuple.src;
			t.src_len = other->u.tuple.src_len;
		} else if (k == 1) {
			t.dst = other->u.tuple.dst;
			t.dst_len = other->u.tuple.dst_len;
		} else {
			t.dport = other->u.tuple.dport;
		}
	}
	return t;
}

static void
put(const struct family *f, const struct family_item *it, enum family_way way, struct rng *rng,
	struct pkt_build *b)
{
	const bool crossed = way == WAY_WORST && family_percent(rng, 60);
	const struct family_tuple some = crossed ? cross(f, it, rng) : it->u.tuple, *t = &some;
	uint32_t src = t->src | (rng_below(rng, UINT32_MAX) & ~mask_of(t->src_len));
	uint32_t dst = t->dst | (rng_below(rng, UINT32_MAX) & ~mask_of(t->dst_len));
	uint16_t sport = port_in(rng, &t->sport), dport = port_in(rng, &t->dport);
	uint8_t proto = t->proto;

	if (way == WAY_MISS) {
		src = rng_below(rng, UINT32_MAX);
		dst = rng_below(rng, UINT32_MAX);
		dport = (uint16_t)rng_next(rng);
	} else if (way != WAY_HIT && !crossed) {
		spoil(rng, t, &src, &dst, &dport);
	}
	if (proto == 0)
		proto = family_percent(rng, 50) ? 6 : 17;
	family_put_ip4(rng, b, src, dst);
	if (proto == 6)
		pkt_build_tcp(b, &(struct pkt_tcp){.sport = sport, .dport = dport, .flags = 0x10});
	else if (proto == 17)
		pkt_build_udp(b, sport, dport);
	else
		pkt_build_icmp(b, 8, 0, 0);
	pkt_build_bytes(b, "0123456789abcdef", 16);
}

const struct family_ops family_acl = {
	.draw = draw_acl, .compile = compile, .put = put, .compare = compare};
const struct family_ops family_fw = {
	.draw = draw_fw, .compile = compile, .put = put, .compare = compare};
const struct family_ops family_ipc = {
	.draw = draw_ipc, .compile = compile, .put = put, .compare = compare};
