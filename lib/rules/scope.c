// SPDX-License-Identifier: BSD-3-Clause
/* What the keys of one rule mean together: what could never match is refused, not loaded. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "keys.h"

bool
proto_has_ports(uint8_t proto)
{
	static const uint8_t with_ports[] = {6, 17, 33, 132, 136}; /* TCP UDP DCCP SCTP UDP-Lite */

	return memchr(with_ports, proto, sizeof(with_ports)) != NULL;
}

/* Whether any protocol of the scope has ports. */
static bool
any_has_ports(const struct match_ranges *proto)
{
	if (proto->n == 0)
		return true;
	for (size_t i = 0; i < proto->n; i++)
		for (unsigned int p = proto->v[i].lo; p <= proto->v[i].hi; p++)
			if (proto_has_ports((uint8_t)p))
				return true;
	return false;
}

static int
check_ports(struct load *l, struct draft *d)
{
	static const enum rule_key port_keys[] = {RULE_KEY_sport, RULE_KEY_dport};
	const struct match_scope *s = &d->m.scope;

	for (size_t i = 0; i < DIM(port_keys); i++) {
		const struct ini_entry *e = d->given[port_keys[i]];
		const struct match_ranges *r = i == 0 ? &s->sport : &s->dport;

		if (e != NULL && r->n > 0 && !any_has_ports(&s->proto))
			return draft_fail(l, d, e,
				"%s: contradicts proto = %.40s, which has no ports", e->key,
				d->given[RULE_KEY_proto]->value);
	}
	return 0;
}

static bool
has_family(const struct match_prefixes *p, uint8_t family)
{
	if (p->any)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].addr.family == family)
			return true;
	return false;
}

/* Families that @d can match, as bits: 1 is IPv4, 2 is IPv6. */
static unsigned int
families(const struct draft *d, const struct match_prefixes *p)
{
	unsigned int f = (has_family(p, 4) ? 1u : 0u) | (has_family(p, 6) ? 2u : 0u);

	if (d->m.scope.family == 4)
		f &= 1;
	else if (d->m.scope.family == 6)
		f &= 2;
	return f;
}

/* Written prefixes of the wrong family are an error; a set's are not, since sets change. */
static int
check_addrs(struct load *l, struct draft *d)
{
	const struct ini_entry *src = d->given[RULE_KEY_src], *dst = d->given[RULE_KEY_dst];

	if (!d->src.named && families(d, &d->src.p) == 0)
		return draft_fail(l, d, src, "src: '%.60s' contradicts family = %u", src->value,
			d->m.scope.family);
	if (!d->dst.named && families(d, &d->dst.p) == 0)
		return draft_fail(l, d, dst, "dst: '%.60s' contradicts family = %u", dst->value,
			d->m.scope.family);
	if (!d->src.named && !d->dst.named &&
		(families(d, &d->src.p) & families(d, &d->dst.p)) == 0)
		return draft_fail(l, d, dst,
			"dst: '%.60s' contradicts src = %.60s of the other family", dst->value,
			src->value);
	return 0;
}

/* A rule that says nothing about frames is more likely a slip than "drop all". */
static int
check_says_something(struct load *l, struct draft *d)
{
	static const enum rule_key conditions[] = {
		RULE_KEY_match,
		RULE_KEY_expr,
		RULE_KEY_bytecode,
		RULE_KEY_file,
		RULE_KEY_port,
		RULE_KEY_family,
		RULE_KEY_proto,
		RULE_KEY_sport,
		RULE_KEY_dport,
		RULE_KEY_src,
		RULE_KEY_dst,
		RULE_KEY_fragments,
	};

	for (size_t i = 0; i < DIM(conditions); i++) {
		const struct ini_entry *e = d->given[conditions[i]];

		if (e != NULL && strcmp(e->value, "any") != 0)
			return 0;
	}
	return draft_fail(l, d, NULL,
		"[rule %s] matches every frame; if that is meant, say match = all", d->s->name);
}

int
draft_check(struct load *l, struct draft *d)
{
	int r = check_says_something(l, d);

	if (r == 0)
		r = check_ports(l, d);
	if (r == 0)
		r = check_addrs(l, d);
	return r;
}

bool
draft_armed(const struct draft *d)
{
	return (families(d, &d->src.p) & families(d, &d->dst.p)) != 0;
}
