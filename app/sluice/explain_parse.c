// SPDX-License-Identifier: BSD-3-Clause
/* How a frame is parsed, as facts. */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "explain.h"
#include "pkt/savefile.h"
#include "rules/ruleset.h"

enum { LINK_ETHER = 1, TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58 };

static void add_text(struct explain_facts *f, const char *layer, const char *name, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static struct explain_fact *
add(struct explain_facts *f, const char *layer, const char *name)
{
	/* There is room for all that a frame can have; more would be left out. */
	struct explain_fact *fact = &f->v[f->n < EXPLAIN_FACTS_MAX ? f->n++ : f->n - 1];

	fact->layer = layer;
	fact->name = name;
	return fact;
}

static void
add_text(struct explain_facts *f, const char *layer, const char *name, const char *fmt, ...)
{
	struct explain_fact *fact = add(f, layer, name);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(fact->text, sizeof(fact->text), fmt, ap);
	va_end(ap);
	fact->number = false;
}

static void
add_number(struct explain_facts *f, const char *layer, const char *name, uint64_t n)
{
	struct explain_fact *fact = add(f, layer, name);

	(void)snprintf(fact->text, sizeof(fact->text), "%" PRIu64, n);
	fact->number = true;
}

static void
add_mac(struct explain_facts *f, const char *name, const uint8_t *mac)
{
	add_text(f, "link", name, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
}

static void
add_ether(struct explain_facts *f, const struct pkt_view *v)
{
	if (v->caplen < 14)
		return;
	add_mac(f, "destination", v->frame);
	add_mac(f, "source", v->frame + 6);
	/* The parser has walked them: only what it took for tags stands before L3. */
	for (uint32_t off = 12; (v->flags & PKT_VLAN) != 0 && off + 4 <= v->caplen; off += 4) {
		const uint16_t type = load_be16(v->frame + off);

		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
		if (v->l3_off != 0 && off + 2 >= v->l3_off)
			break;
		add_text(f, "link", "tag", "%u (0x%04x)", load_be16(v->frame + off + 2) & 0xfff,
			type);
	}
	if ((v->flags & PKT_LLC) != 0)
		add_text(f, "link", "type", "802.3 length");
	else if (v->ethertype != 0)
		add_text(f, "link", "type", "0x%04x", v->ethertype);
}

static const char *
proto_text(uint8_t proto, char buf[24])
{
	const char *name = rules_proto_name(proto);

	if (name != NULL)
		(void)snprintf(buf, 24, "%s", name);
	else
		(void)snprintf(buf, 24, "%u", proto);
	return buf;
}

static void
add_address(struct explain_facts *f, const char *name, const struct pkt_view *v, const uint8_t *a)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(v->family == 4 ? AF_INET : AF_INET6, a, text, sizeof(text));
	add_text(f, "ip", name, "%s", text);
}

static void
add_fragment(struct explain_facts *f, const struct pkt_view *v)
{
	const uint8_t *ip = v->frame + v->l3_off;

	if ((v->flags & PKT_FRAGMENT) == 0)
		return;
	if ((v->flags & PKT_FRAG_LATER) == 0)
		add_text(f, "ip", "fragment", "first");
	else if (v->family == 4)
		add_text(f, "ip", "fragment", "later, from byte %u",
			(load_be16(ip + 6) & 0x1fff) * 8);
	else
		add_text(f, "ip", "fragment", "later");
}

static void
add_ip(struct explain_facts *f, const struct pkt_view *v)
{
	const uint8_t *ip = v->frame + v->l3_off;
	char proto[24];

	add_number(f, "ip", "version", v->family);
	add_address(f, "source", v, pkt_src(v));
	add_address(f, "destination", v, pkt_dst(v));
	add_text(f, "ip", "protocol", "%s", proto_text(v->proto, proto));
	add_number(f, "ip", v->family == 4 ? "TTL" : "hop limit", v->hop_limit);
	add_number(f, "ip", "at byte", v->l3_off);
	add_number(f, "ip", "length", v->l3_len);
	if (v->l3_caplen != v->l3_len)
		add_number(f, "ip", "captured", v->l3_caplen);
	if (v->family == 4) {
		add_number(f, "ip", "header", (ip[0] & 15) * 4u);
		add_text(f, "ip", "id", "0x%04x", load_be16(ip + 4));
	}
	if ((v->flags & PKT_IP_OPTIONS) != 0 && v->family == 4)
		add_text(f, "ip", "options", "yes");
	if ((v->flags & PKT_IP_OPTIONS) != 0 && v->family == 6) {
		if (v->l4_off != 0)
			add_number(f, "ip", "extension headers", v->l4_off - v->l3_off - 40u);
		else
			add_text(f, "ip", "extension headers", "yes");
	}
	add_fragment(f, v);
}

static void
add_tcp(struct explain_facts *f, const struct pkt_view *v, const uint8_t *tcp)
{
	static const char letters[] = "FSRPAUEC";
	char flags[sizeof(letters)];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		if ((v->tcp_flags >> i & 1) != 0)
			flags[n++] = letters[i];
	flags[n] = '\0';
	add_text(f, "tcp", "flags", "0x%02x%s%s", v->tcp_flags, n > 0 ? " " : "", flags);
	add_number(f, "tcp", "header", (tcp[12] >> 4) * 4u);
	add_number(f, "tcp", "window", load_be16(tcp + 14));
}

static void
add_l4(struct explain_facts *f, const struct pkt_view *v)
{
	const uint8_t *l4 = v->frame + v->l4_off;
	const char *layer = v->proto == UDP ? "udp" : (v->proto == TCP ? "tcp" : "l4");
	uint32_t have;

	if (v->l4_off == 0 || v->l4_off > v->l3_off + v->l3_caplen)
		return;
	have = v->l3_off + v->l3_caplen - v->l4_off;
	if ((v->flags & PKT_PORTS) != 0) {
		add_number(f, layer, "source port", v->sport);
		add_number(f, layer, "destination port", v->dport);
	} else if (v->proto == ICMP || v->proto == ICMP6) {
		layer = "icmp";
		if (have >= 2) {
			add_number(f, layer, "type", l4[0]);
			add_number(f, layer, "code", l4[1]);
		}
	}
	add_number(f, layer, "at byte", v->l4_off);
	if (v->proto == UDP && (v->flags & PKT_PORTS) != 0)
		add_number(f, layer, "length", load_be16(l4 + 4));
	if (v->proto == TCP && (v->flags & PKT_PORTS) != 0)
		add_tcp(f, v, l4);
	add_number(f, layer, "captured", have);
}

static void
add_notes(struct explain_facts *f, const struct pkt_view *v)
{
	const uint32_t end = (uint32_t)v->l3_off + v->l3_caplen;

	if (v->family != 0 && v->caplen > end)
		add_number(f, "notes",
			"bytes behind the datagram, which rules of link raw do not see",
			v->caplen - end);
	if ((v->flags & PKT_TRUNCATED) != 0)
		add_text(f, "notes", "truncated", "a header ends behind what was captured");
	if ((v->flags & PKT_MALFORMED) != 0)
		add_text(f, "notes", "malformed",
			"a length or version that cannot be; the frame's end counts");
	if ((v->flags & PKT_EXT_UNKNOWN) != 0)
		add_text(f, "notes", "extension headers", "too many to be walked");
}

void
explain_parse(int dlt, const struct pkt_view *v, struct explain_facts *ret)
{
	ret->n = 0;
	add_text(ret, "frame", "link type", "%s", pkt_link_name(dlt));
	add_number(ret, "frame", "captured", v->caplen);
	add_number(ret, "frame", "on the wire", v->wirelen);
	if (dlt == LINK_ETHER)
		add_ether(ret, v);
	else if (v->family == 0 && v->ethertype != 0)
		add_text(ret, "link", "type", "0x%04x", v->ethertype);
	if (v->family != 0) {
		add_ip(ret, v);
		add_l4(ret, v);
	} else {
		add_text(ret, "ip", "version", "none");
	}
	if (!pkt_link_known(dlt))
		add_text(ret, "notes", "link type", "one that no IP is looked for in");
	add_notes(ret, v);
}

void
explain_facts_text(const struct explain_facts *facts, struct sbuf *out)
{
	const char *layer = "";

	for (size_t i = 0; i < facts->n; i++) {
		const struct explain_fact *f = &facts->v[i];

		if (strcmp(f->layer, layer) != 0)
			sbuf_addf(out, "%s%-8s ", i > 0 ? "\n" : "", f->layer);
		else
			sbuf_adds(out, ", ");
		sbuf_addf(out, "%s %s", f->name, f->text);
		layer = f->layer;
	}
	sbuf_addc(out, '\n');
}

/* "bytes behind the datagram, which …" is bytes_behind_the_datagram. */
static void
add_member(struct sbuf *out, const char *name)
{
	sbuf_addc(out, '"');
	for (; *name != '\0' && *name != ','; name++)
		sbuf_addc(out, *name == ' ' ? '_' : (char)tolower((unsigned char)*name));
	sbuf_adds(out, "\":");
}

void
explain_facts_json(const struct explain_facts *facts, struct sbuf *out)
{
	const char *layer = "";

	for (size_t i = 0; i < facts->n; i++) {
		const struct explain_fact *f = &facts->v[i];
		const bool again = i > 0 && strcmp(f->layer, layer) == 0 &&
			strcmp(f->name, facts->v[i - 1].name) == 0;
		const bool many = strcmp(f->name, "tag") == 0;

		if (strcmp(f->layer, layer) != 0) {
			sbuf_adds(out, i > 0 ? "}," : "");
			json_add_string(out, f->layer);
			sbuf_adds(out, ":{");
		} else if (!again) {
			sbuf_addc(out, ',');
		}
		if (again) {
			/* Tags are a list. */
			out->len -= out->len > 0;
			sbuf_addc(out, ',');
		} else {
			add_member(out, f->name);
			sbuf_adds(out, many ? "[" : "");
		}
		if (f->number)
			sbuf_adds(out, f->text);
		else
			json_add_string(out, f->text);
		if (many)
			sbuf_addc(out, ']');
		layer = f->layer;
	}
	sbuf_adds(out, facts->n > 0 ? "}" : "");
}

/* ---- fields ---- */

enum layer { ETHER, IP4, IP6, PORTS, L4_TCP, L4_UDP, L4_ICMP };

static const struct {
	enum layer layer;
	uint8_t off, size;
	const char *name;
} fields[] = {
	{ETHER, 0, 6, "destination MAC"},
	{ETHER, 6, 6, "source MAC"},
	{ETHER, 12, 2, "type"},
	{IP4, 0, 1, "version and header length"},
	{IP4, 1, 1, "TOS"},
	{IP4, 2, 2, "total length"},
	{IP4, 4, 2, "IP id"},
	{IP4, 6, 2, "fragment flags and offset"},
	{IP4, 8, 1, "TTL"},
	{IP4, 9, 1, "protocol"},
	{IP4, 10, 2, "IP checksum"},
	{IP4, 12, 4, "source address"},
	{IP4, 16, 4, "destination address"},
	{IP6, 0, 4, "version, class and flow"},
	{IP6, 4, 2, "payload length"},
	{IP6, 6, 1, "next header"},
	{IP6, 7, 1, "hop limit"},
	{IP6, 8, 16, "source address"},
	{IP6, 24, 16, "destination address"},
	{PORTS, 0, 2, "source port"},
	{PORTS, 2, 2, "destination port"},
	{L4_TCP, 4, 4, "sequence number"},
	{L4_TCP, 8, 4, "acknowledgement number"},
	{L4_TCP, 12, 1, "data offset"},
	{L4_TCP, 13, 1, "TCP flags"},
	{L4_TCP, 14, 2, "window"},
	{L4_TCP, 16, 2, "TCP checksum"},
	{L4_TCP, 18, 2, "urgent pointer"},
	{L4_UDP, 4, 2, "UDP length"},
	{L4_UDP, 6, 2, "UDP checksum"},
	{L4_ICMP, 0, 1, "ICMP type"},
	{L4_ICMP, 1, 1, "ICMP code"},
	{L4_ICMP, 2, 2, "ICMP checksum"},
};

static const char *
field_at(enum layer layer, uint64_t off)
{
	for (size_t i = 0; i < DIM(fields); i++)
		if (fields[i].layer == layer && off >= fields[i].off &&
			off < (uint64_t)fields[i].off + fields[i].size)
			return fields[i].name;
	return NULL;
}

static const char *
l4_field_at(const struct pkt_view *v, uint64_t off)
{
	const char *name = NULL;

	if (v->proto == ICMP || v->proto == ICMP6)
		return field_at(L4_ICMP, off);
	if ((v->flags & PKT_PORTS) == 0)
		return NULL;
	name = field_at(PORTS, off);
	if (name == NULL && v->proto == TCP)
		name = field_at(L4_TCP, off);
	if (name == NULL && v->proto == UDP)
		name = field_at(L4_UDP, off);
	return name;
}

const char *
explain_field(const struct pkt_view *v, const struct match_why *why, uint64_t off)
{
	uint32_t l4 = v->l4_off - (v->l4_off != 0 ? v->l3_off : 0u);
	const char *name;

	/* From the frame's first byte, or from the IP header's. */
	if (why->data == v->frame && v->l3_off > 0) {
		if (off < v->l3_off || v->family == 0)
			return field_at(ETHER, off);
		off -= v->l3_off;
	}
	if (v->family == 0)
		return NULL;
	if (why->copied)
		l4 = 40;
	name = field_at(v->family == 4 ? IP4 : IP6, off);
	if (name == NULL && l4 != 0 && off >= l4)
		name = l4_field_at(v, off - l4);
	return name;
}
