// SPDX-License-Identifier: BSD-3-Clause
#include "match/explain.h"

#include <string.h>

#include "base/util.h"
#include "cbpf/prog.h"
#include "pkt/view.h"

#define IP6_HEADER 40

static bool
prefixes_have(const struct match_prefixes *p, uint8_t family, const uint8_t *addr)
{
	for (size_t i = 0; !p->any && i < p->n; i++)
		if (ip_prefix_has(&p->v[i], family, addr))
			return true;
	return p->any;
}

/* Whether the rule says nothing of frames that are not IP. */
static bool
needs_ip(const struct match_rule *rule)
{
	const struct match_scope *s = &rule->scope;

	return s->family != 0 || s->proto.n > 0 || !s->src.any || !s->dst.any ||
		(!rule->scope_only && rule->link == MATCH_LINK_RAW);
}

static bool
family_fits(const struct match_rule *rule, uint8_t family)
{
	if (rule->scope.family != 0 && rule->scope.family != family)
		return false;
	if (rule->scope_only)
		return true;
	if (rule->link == MATCH_LINK_ETHER)
		return rule->prog[0] != NULL;
	return rule->prog[family == 6] != NULL;
}

/* @ret_late: a later fragment that only addresses and protocol are asked of. */
static bool
fragments_fit(const struct match_rule *rule, uint16_t flags, bool *ret_late)
{
	const bool later = (flags & PKT_FRAG_LATER) != 0, any = (flags & PKT_FRAGMENT) != 0;

	*ret_late = false;
	switch (rule->scope.fragments) {
	case MATCH_FRAG_DEFAULT: return !later || !rule->generated || rule->scope_only;
	case MATCH_FRAG_MATCH: *ret_late = later; return true;
	case MATCH_FRAG_ONLY: *ret_late = later; return any;
	case MATCH_FRAG_NEVER: return !any;
	}
	return false;
}

/* The first key of the scope that does not hold, or MATCH_KEY_NONE. */
static enum match_key
ask_scope(const struct match_rule *rule, const struct pkt_view *v, uint32_t port, bool *ret_late)
{
	const struct match_scope *s = &rule->scope;
	const bool asks_ports = s->sport.n > 0 || s->dport.n > 0;

	*ret_late = false;
	if ((s->ports >> port & 1) == 0)
		return MATCH_KEY_PORT;
	if (needs_ip(rule) && v->family == 0)
		return MATCH_KEY_IP;
	if (!family_fits(rule, v->family))
		return MATCH_KEY_FAMILY;
	if (!match_ranges_have(&s->proto, v->proto))
		return MATCH_KEY_PROTO;
	if (!fragments_fit(rule, v->flags, ret_late))
		return MATCH_KEY_FRAGMENTS;
	if (asks_ports && !*ret_late && (v->flags & PKT_PORTS) == 0)
		return MATCH_KEY_HAS_PORTS;
	if (!*ret_late && !match_ranges_have(&s->sport, v->sport))
		return MATCH_KEY_SPORT;
	if (!*ret_late && !match_ranges_have(&s->dport, v->dport))
		return MATCH_KEY_DPORT;
	if (v->family != 0 && !prefixes_have(&s->src, v->family, pkt_src(v)))
		return MATCH_KEY_SRC;
	if (v->family != 0 && !prefixes_have(&s->dst, v->family, pkt_dst(v)))
		return MATCH_KEY_DST;
	return MATCH_KEY_NONE;
}

/* The datagram without its extension headers, into @buf. False: L4 could not be found. */
static bool
cut_exts(const struct pkt_view *v, uint8_t *buf, struct match_why *why)
{
	const uint32_t cut = (uint32_t)v->l4_off - v->l3_off - IP6_HEADER;
	uint16_t claimed;

	if (v->l4_off == 0)
		return false;
	why->caplen = MIN(v->l3_caplen - cut, (uint32_t)MATCH_DATAGRAM_MAX);
	why->len = v->l3_len - cut;
	why->copied = true;
	memcpy(buf, v->frame + v->l3_off, IP6_HEADER);
	memcpy(buf + IP6_HEADER, v->frame + v->l4_off, why->caplen - IP6_HEADER);
	claimed = load_be16(buf + 4);
	if (claimed >= cut)
		store_be16(buf + 4, (uint16_t)(claimed - cut));
	buf[6] = v->proto;
	why->data = buf;
	return true;
}

/* What the rule's program is shown of @v. */
static bool
show(const struct match_rule *rule, const struct pkt_view *v, uint8_t *buf, struct match_why *why)
{
	if (rule->link == MATCH_LINK_ETHER) {
		why->data = v->frame;
		why->caplen = v->caplen;
		why->len = v->wirelen;
		return true;
	}
	if (rule->generated && v->family == 6 && (v->flags & PKT_IP_OPTIONS) != 0)
		return cut_exts(v, buf, why);
	why->data = v->frame + v->l3_off;
	why->caplen = v->l3_caplen;
	why->len = v->l3_len;
	return true;
}

bool
match_rule_explain(const struct match_rule *rule, const struct pkt_view *v, uint32_t port,
	uint8_t *buf, struct match_why *ret)
{
	*ret = (struct match_why){.key = MATCH_KEY_NONE};
	ret->key = ask_scope(rule, v, port, &ret->late);
	if (ret->key != MATCH_KEY_NONE)
		return false;
	if (ret->late || rule->scope_only)
		return true;
	if (!show(rule, v, buf, ret)) {
		ret->key = MATCH_KEY_L4;
		return false;
	}
	ret->number = rule->link == MATCH_LINK_RAW && v->family == 6;
	ret->prog = rule->prog[ret->number];
	if (cbpf_run(ret->prog, ret->data, ret->caplen, ret->len) != 0)
		return true;
	ret->key = MATCH_KEY_PROGRAM;
	return false;
}
