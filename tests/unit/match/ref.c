// SPDX-License-Identifier: BSD-3-Clause
#include "ref.h"

#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "cbpf/insn.h"
#include "cbpf/prog.h"

static unsigned int
be16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}

/* Ports, where the fixed part of the header is there. */
static void
parse_l4(struct ref_frame *f, uint32_t off)
{
	static const int with_ports[][2] = {{6, 20}, {17, 8}, {136, 8}, {132, 12}, {33, 12}};

	f->l4 = off;
	for (size_t i = 0; i < 5; i++)
		if (f->proto == with_ports[i][0] &&
			f->l3 + f->l3_cap >= off + (uint32_t)with_ports[i][1]) {
			f->ports = true;
			f->sport = (uint16_t)be16(f->data + off);
			f->dport = (uint16_t)be16(f->data + off + 2);
		}
}

static void
parse_ip4(struct ref_frame *f)
{
	const uint8_t *ip = f->data + f->l3;
	uint32_t have = f->caplen - f->l3, ihl, total;

	if (have < 20 || ip[0] / 16 != 4)
		return;
	f->family = 4;
	f->proto = ip[9];
	ihl = ip[0] % 16 * 4u;
	total = be16(ip + 2);
	f->l3_len = total < ihl || total < 20 ? f->wirelen - f->l3 : total;
	f->l3_cap = have < f->l3_len ? have : f->l3_len;
	f->later = (be16(ip + 6) & 0x1fff) != 0;
	f->fragment = f->later || (be16(ip + 6) & 0x2000) != 0;
	if (ihl >= 20 && ihl <= f->l3_cap && !f->later)
		parse_l4(f, f->l3 + ihl);
}

static void
parse_ip6(struct ref_frame *f)
{
	const uint8_t *ip = f->data + f->l3;
	uint32_t have = f->caplen - f->l3, off = 40, len;

	if (have < 40 || ip[0] / 16 != 6)
		return;
	f->family = 6;
	f->proto = ip[6];
	len = be16(ip + 4);
	f->l3_len = len == 0 && f->proto != 59 ? f->wirelen - f->l3 : 40 + len;
	f->l3_cap = have < f->l3_len ? have : f->l3_len;

	for (int i = 0;; i++) {
		const uint8_t *ext = ip + off;
		uint32_t n;

		if (f->proto != 0 && f->proto != 43 && f->proto != 44 && f->proto != 60 &&
			f->proto != 51)
			break;
		if (i == 8 || f->l3_cap - off < 8)
			return;
		n = f->proto == 44 ? 8 : f->proto == 51 ? ext[1] * 4u + 8 : ext[1] * 8u + 8;
		if (n > f->l3_cap - off)
			return;
		if (f->proto == 44) {
			f->later = (be16(ext + 2) & 0xfff8) != 0;
			f->fragment |= f->later || (ext[3] & 1);
		}
		f->proto = ext[0];
		if (f->later)
			return;
		off += n;
	}
	parse_l4(f, f->l3 + off);
}

void
ref_parse(const uint8_t *data, uint32_t caplen, uint32_t wirelen, struct ref_frame *ret)
{
	unsigned int type;
	uint32_t off = 14;

	*ret = (struct ref_frame){.data = data, .caplen = caplen, .wirelen = wirelen};
	if (caplen < 14)
		return;
	type = be16(data + 12);
	for (int tags = 0; tags < 4 && (type == 0x8100 || type == 0x88a8 || type == 0x9100);
		tags++) {
		if (caplen < off + 4)
			return;
		type = be16(data + off + 2);
		off += 4;
	}
	ret->l3 = off;
	if (type == 0x0800)
		parse_ip4(ret);
	else if (type == 0x86dd)
		parse_ip6(ret);
}

static bool
in_ranges(const struct match_ranges *r, unsigned int v)
{
	for (size_t i = 0; i < r->n; i++)
		if (v >= r->v[i].lo && v <= r->v[i].hi)
			return true;
	return r->n == 0;
}

static bool
in_prefixes(const struct match_prefixes *p, int family, const uint8_t *addr)
{
	if (p->any)
		return true;
	for (size_t i = 0; i < p->n && family != 0; i++) {
		const struct ip_prefix *x = &p->v[i];
		bool same = x->addr.family == family;

		for (unsigned int bit = 0; bit < x->len && same; bit++)
			same = ((x->addr.bytes[bit / 8] ^ addr[bit / 8]) >> (7 - bit % 8) & 1) == 0;
		if (same)
			return true;
	}
	return false;
}

static bool
run(const struct cbpf_prog *prog, const uint8_t *data, uint32_t caplen, uint32_t len)
{
	const struct cbpf_insn *insns;
	size_t n;

	if (prog == NULL)
		return false;
	insns = cbpf_prog_insns(prog, &n);
	return bpf_filter((const struct bpf_insn *)(const void *)insns, data, len, caplen) != 0;
}

/* The datagram of @f as if its extension headers had never been there. */
static bool
run_stripped(const struct cbpf_prog *prog, const struct ref_frame *f)
{
	const uint32_t exts = f->l4 - f->l3 - 40, cap = f->l3_cap - exts;
	uint8_t *copy = malloc(cap);
	unsigned int len;
	bool r;

	memcpy(copy, f->data + f->l3, 40);
	memcpy(copy + 40, f->data + f->l4, cap - 40);
	len = be16(copy + 4);
	if (len != 0)
		len -= exts;
	copy[4] = (uint8_t)(len >> 8);
	copy[5] = (uint8_t)len;
	copy[6] = (uint8_t)f->proto;
	r = run(prog, copy, cap, f->l3_len - exts);
	free(copy);
	return r;
}

static bool
program_matches(const struct match_rule *rule, const struct ref_frame *f)
{
	const struct cbpf_prog *prog;

	if (rule->link == MATCH_LINK_ETHER)
		return run(rule->prog[0], f->data, f->caplen, f->wirelen);
	if (f->family == 0)
		return false;
	prog = rule->prog[f->family == 6];
	if (rule->generated && f->family == 6) {
		if (f->l4 == 0)
			return false;
		if (f->l4 != f->l3 + 40)
			return prog != NULL && run_stripped(prog, f);
	}
	return run(prog, f->data + f->l3, f->l3_cap, f->l3_len);
}

bool
ref_matches(const struct match_rule *rule, const struct ref_frame *f, uint32_t port)
{
	const struct match_scope *s = &rule->scope;
	const uint8_t *ip = f->data + f->l3;
	const bool asks_ports = s->sport.n > 0 || s->dport.n > 0;
	bool only_addresses = false;

	if (!(s->ports >> port & 1))
		return false;
	if (s->family != 0 && s->family != f->family)
		return false;
	if (s->proto.n > 0 && (f->family == 0 || !in_ranges(&s->proto, (unsigned int)f->proto)))
		return false;
	if (!in_prefixes(&s->src, f->family, f->family == 4 ? ip + 12 : ip + 8) ||
		!in_prefixes(&s->dst, f->family, f->family == 4 ? ip + 16 : ip + 24))
		return false;

	switch (s->fragments) {
	case MATCH_FRAG_NEVER:
		if (f->fragment)
			return false;
		break;
	case MATCH_FRAG_ONLY:
		if (!f->fragment)
			return false;
		only_addresses = f->later;
		break;
	case MATCH_FRAG_MATCH: only_addresses = f->later; break;
	case MATCH_FRAG_DEFAULT:
		if (f->later && (asks_ports || (rule->generated && !rule->scope_only)))
			return false;
		break;
	}
	if (only_addresses) {
		if (rule->scope_only)
			return true;
		/* A family without a program never matches. */
		return rule->prog[rule->link == MATCH_LINK_RAW && f->family == 6] != NULL;
	}
	if (asks_ports &&
		(!f->ports || !in_ranges(&s->sport, f->sport) || !in_ranges(&s->dport, f->dport)))
		return false;
	return rule->scope_only || program_matches(rule, f);
}

uint32_t
ref_first(const struct match_rule *rules, size_t n, const struct ref_frame *f, uint32_t port,
	uint32_t from)
{
	for (size_t i = from; i < n; i++)
		if (rules[i].enabled && ref_matches(&rules[i], f, port))
			return (uint32_t)i;
	return MATCH_NONE;
}

void
ref_verdict(const struct match_rule *rules, size_t n, const struct ref_frame *f, uint32_t port,
	bool vital, bool enforce, struct ref_counters *counters, uint64_t now_s,
	struct match_verdict *ret, struct match_notes *notes)
{
	uint32_t would[REF_RULES];
	size_t n_would = 0;
	int transparent = 0;

	*ret = (struct match_verdict){MATCH_NONE, MATCH_NONE, MATCH_NONE, MATCH_VERDICT_PASS, 0};
	for (size_t i = 0; i < n; i++) {
		const struct match_rule *r = &rules[i];
		const bool decides = enforce && !r->shadow && r->action != MATCH_COUNT;
		struct ref_counters *c = &counters[r->slot];

		if (!r->enabled || (transparent == 16 && !decides) || !ref_matches(r, f, port))
			continue;
		c->packets++;
		c->bytes += f->family != 0 ? f->l3_len : f->wirelen;
		c->last_hit_s = now_s;
		if (!decides) {
			const bool shadow = r->shadow || r->action != MATCH_COUNT;

			if (shadow && ret->shadow_slot == MATCH_NONE)
				ret->shadow_slot = r->slot;
			if (shadow && r->action == MATCH_DROP) {
				c->would_drop++;
				would[n_would++] = r->slot;
			}
			transparent++;
			notes->transparent_overflow += transparent == 16 && i + 1 < n;
			continue;
		}
		ret->slot = r->slot;
		ret->index = (uint32_t)i;
		if (r->action == MATCH_DROP && vital) {
			ret->is_protected = 1;
			notes->is_protected++;
			c->prot++;
		} else if (r->action == MATCH_DROP) {
			ret->kind = MATCH_VERDICT_DROP;
			c->dropped++;
		}
		break;
	}
	for (size_t i = 0; i < n_would && ret->kind == MATCH_VERDICT_PASS; i++)
		counters[would[i]].would_drop_passed++;
}

bool
ref_counters_differ(const struct match_counters *a, const struct ref_counters *b)
{
	return a->packets != b->packets || a->bytes != b->bytes || a->dropped != b->dropped ||
		a->would_drop != b->would_drop || a->would_drop_passed != b->would_drop_passed ||
		a->prot != b->prot || a->last_hit_s != b->last_hit_s || a->limited != 0;
}

bool
ref_verdict_differs(const struct match_verdict *a, const struct match_verdict *b)
{
	return a->slot != b->slot || a->shadow_slot != b->shadow_slot || a->index != b->index ||
		a->kind != b->kind || a->is_protected != b->is_protected;
}
