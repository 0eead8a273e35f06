// SPDX-License-Identifier: BSD-3-Clause
#include "dns_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "hex.h"
#include "pkt/dns.h"

#define FIELD "                    " /* before a record's fields */
#define DETAIL FIELD "    " /* before what is told of its data */

/* In the order in which they are printed. */
static const struct {
	uint16_t bit;
	const char *name;
} header_flags[] = {
	{1 << 10, "authoritative"},
	{1 << 9, "truncated"},
	{1 << 8, "recursion_desired"},
	{1 << 7, "recursion_available"},
	{1 << 6, "z"},
	{1 << 5, "authenticated_data"},
	{1 << 4, "checking_disabled"},
};

/* What the data of a type is made of, field by field. */
enum field_kind { FIELD_NONE, FIELD_NAME, FIELD_U16, FIELD_U32, FIELD_IP4, FIELD_IP6, FIELD_TEXTS };
static const struct rdata_type {
	uint16_t type;
	struct rdata_field {
		const char *name;
		enum field_kind kind;
	} fields[8];
} rdata_types[] = {
	{PKT_DNS_A, {{"address", FIELD_IP4}}},
	{PKT_DNS_NS, {{"name", FIELD_NAME}}},
	{PKT_DNS_CNAME, {{"name", FIELD_NAME}}},
	{PKT_DNS_SOA,
		{{"mname", FIELD_NAME}, {"rname", FIELD_NAME}, {"serial", FIELD_U32},
			{"refresh", FIELD_U32}, {"retry", FIELD_U32}, {"expire", FIELD_U32},
			{"minimum", FIELD_U32}}},
	{PKT_DNS_PTR, {{"name", FIELD_NAME}}},
	{PKT_DNS_MX, {{"preference", FIELD_U16}, {"name", FIELD_NAME}}},
	{PKT_DNS_TXT, {{"text", FIELD_TEXTS}}},
	{PKT_DNS_AAAA, {{"address", FIELD_IP6}}},
	{PKT_DNS_SRV,
		{{"priority", FIELD_U16}, {"weight", FIELD_U16}, {"port", FIELD_U16},
			{"name", FIELD_NAME}}},
	{PKT_DNS_DNAME, {{"name", FIELD_NAME}}},
};

/* In quotes, as Python writes a string of bytes. */
static void
add_quoted(struct sbuf *out, const uint8_t *bytes, size_t n)
{
	static const char escaped[] = "\t\n\r\\", as[] = "tnr\\";
	const char quote = memchr(bytes, '\'', n) && !memchr(bytes, '"', n) ? '"' : '\'';

	sbuf_addc(out, quote);
	for (size_t i = 0; i < n; i++) {
		const char c = (char)bytes[i];
		const char *esc = c != '\0' ? strchr(escaped, c) : NULL;

		if (esc != NULL)
			sbuf_addf(out, "\\%c", as[esc - escaped]);
		else if (c == quote)
			sbuf_addf(out, "\\%c", c);
		else if (bytes[i] < ' ' || bytes[i] >= 0x7f)
			sbuf_addf(out, "\\x%02x", bytes[i]);
		else
			sbuf_addc(out, c);
	}
	sbuf_addc(out, quote);
}

/* As far as it can be read: 0 with the place behind it, or -EINVAL. */
static int
add_name(const struct pkt_dns *dns, uint32_t off, uint32_t *ret_end, struct sbuf *out,
	struct diag *diag)
{
	struct pkt_dns_name name;
	struct pkt_dns_label label;
	int r;

	pkt_dns_name_open(dns->msg, dns->len, off, &name);
	while ((r = pkt_dns_name_next(&name, &label, diag)) > 0) {
		if (label.bytes == NULL) {
			sbuf_addf(out, " ptr->#%u", label.target);
		} else {
			sbuf_addc(out, ' ');
			add_quoted(out, label.bytes, label.n);
		}
	}
	sbuf_adds(out, r == 0 ? " .\n" : "\n");
	if (r == 0)
		*ret_end = name.end;
	return r;
}

static void
add_address(struct sbuf *out, int family, const uint8_t *bytes)
{
	char text[INET6_ADDRSTRLEN];

	sbuf_addf(out, "%s\n", inet_ntop(family, bytes, text, sizeof(text)));
}

/* Any number of texts, each behind its length. False when the last one is cut. */
static bool
add_texts(struct sbuf *out, const uint8_t *at, const uint8_t *end)
{
	while (at < end && at[0] < end - at) {
		sbuf_addc(out, ' ');
		add_quoted(out, at + 1, at[0]);
		at += 1 + at[0];
	}
	sbuf_addc(out, '\n');
	return at == end;
}

/* One field at *@at of data that ends at @end. False when it does not fit. */
static bool
add_field(const struct pkt_dns *dns, const struct rdata_field *f, uint32_t *at, uint32_t end,
	struct sbuf *out)
{
	static const uint8_t sizes[] = {
		[FIELD_U16] = 2, [FIELD_U32] = 4, [FIELD_IP4] = 4, [FIELD_IP6] = 16};
	const uint32_t size = f->kind < DIM(sizes) ? sizes[f->kind] : 0;
	const uint8_t *p = dns->msg + *at;

	if (end - *at < size)
		return false;
	sbuf_addf(out, DETAIL "%s=", f->name);
	*at += size;
	switch (f->kind) {
	case FIELD_NONE: break;
	case FIELD_NAME: return add_name(dns, *at, at, out, NULL) == 0 && *at <= end;
	case FIELD_U16: sbuf_addf(out, "%u\n", load_be16(p)); break;
	case FIELD_U32: sbuf_addf(out, "%u\n", load_be32(p)); break;
	case FIELD_IP4: add_address(out, AF_INET, p); break;
	case FIELD_IP6: add_address(out, AF_INET6, p); break;
	case FIELD_TEXTS: *at = end; return add_texts(out, p, dns->msg + end);
	}
	return true;
}

static void
add_rdata(const struct pkt_dns *dns, const struct pkt_dns_record *rec, struct sbuf *out)
{
	const uint32_t end = rec->rdata + rec->rdlen;
	const struct rdata_type *t = rdata_types;
	uint32_t at = rec->rdata;
	bool ok = true;

	while (t < rdata_types + DIM(rdata_types) && t->type != rec->type)
		t++;
	if (t == rdata_types + DIM(rdata_types) || rec->rdlen == 0)
		return;
	for (const struct rdata_field *f = t->fields; ok && f->name != NULL; f++)
		ok = add_field(dns, f, &at, end, out);
	if (!ok || at != end)
		sbuf_adds(out, DETAIL "malformed data\n");
}

/* Client subnet (RFC 7871), also by its number from before it had one. */
static bool
add_subnet(const struct pkt_dns_option *o, struct sbuf *out)
{
	uint8_t addr[16] = {0};
	uint16_t family;

	if (o->n < 4 || o->n - 4u > sizeof(addr))
		return false;
	family = load_be16(o->data);
	sbuf_addf(out, DETAIL "family=%u mask=%u scope=%u ", family, o->data[2], o->data[3]);
	memcpy(addr, o->data + 4, o->n - 4u);
	if (family == 1 && o->n <= 8) {
		add_address(out, AF_INET, addr);
	} else if (family == 2) {
		add_address(out, AF_INET6, addr);
	} else {
		hex_add(out, o->data + 4, o->n - 4u);
		sbuf_addc(out, '\n');
	}
	return true;
}

static void
add_option(const struct pkt_dns_option *o, struct sbuf *out)
{
	enum { NSID = 3, SUBNET = 8, COOKIE = 10, SUBNET_OLD = 0x50fa };

	if ((o->code == SUBNET || o->code == SUBNET_OLD) && add_subnet(o, out))
		return;
	if (o->code == NSID && o->n == 0) {
		sbuf_adds(out, DETAIL "nsid request\n");
		return;
	}
	if (o->code == COOKIE && (o->n == 8 || (o->n >= 16 && o->n <= 40))) {
		sbuf_adds(out, DETAIL "cookie client=");
		hex_add(out, o->data, 8);
		sbuf_adds(out, o->n > 8 ? " server=" : "");
		hex_add(out, o->data + 8, o->n - 8u);
	} else {
		sbuf_addf(out, DETAIL "code=%04x data=", o->code);
		hex_add(out, o->data, o->n);
	}
	sbuf_addc(out, '\n');
}

/* What EDNS makes of class, TTL and data. */
static int
add_opt(const struct pkt_dns *dns, const struct pkt_dns_record *rec, struct sbuf *out,
	struct diag *diag)
{
	const unsigned int version = rec->ttl >> 16 & 255;
	struct pkt_dns_option option;
	uint32_t at = 0;
	int r;

	sbuf_addf(out, DETAIL "bufsize=%u\n", rec->class);
	if (rec->ttl & 0x8000)
		sbuf_adds(out, DETAIL "dnssec_ok_flag\n");
	if (version != 0)
		sbuf_addf(out, DETAIL "edns_version=%u (INVALID!)\n", version);
	if (rec->ttl & 0xff007fff)
		sbuf_addf(out, DETAIL "extra edns flags %08x\n", rec->ttl);
	while ((r = pkt_dns_option_next(dns->msg + rec->rdata, rec->rdlen, &at, &option, diag)) > 0)
		add_option(&option, out);
	return r;
}

/* Returns 1, 0 behind the last record, -EINVAL. */
static int
add_record(struct pkt_dns *dns, struct sbuf *out, struct diag *diag)
{
	static const char *const sections[] = {"", "answer", "auth", "extra"};
	const uint32_t off = dns->off;
	struct pkt_dns_record rec;
	uint32_t end;
	int r = pkt_dns_next(dns, &rec, diag);

	if (r == 0)
		return 0;
	if (r < 0) {
		/* Its number is where the reader now stands. */
		rec.section = dns->section;
		rec.index = dns->index;
	}
	if (rec.section == PKT_DNS_QUESTION)
		sbuf_addf(out, "#%3d         q[%u]:", (int)off - (int)dns->len, rec.index);
	else
		sbuf_addf(out, "%14s[%u]:", sections[rec.section], rec.index);
	(void)add_name(dns, off, &end, out, NULL);
	if (r < 0)
		return r;
	sbuf_addf(out, FIELD "type=0x%04x class=0x%04x\n", rec.type, rec.class);
	if (rec.section == PKT_DNS_QUESTION)
		return 1;
	sbuf_addf(out, FIELD "ttl=%u rrlen=%u:%s", rec.ttl, rec.rdlen, rec.rdlen > 0 ? " " : "");
	hex_add(out, dns->msg + rec.rdata, rec.rdlen);
	sbuf_addc(out, '\n');
	if (rec.type == PKT_DNS_OPT)
		return add_opt(dns, &rec, out, diag) < 0 ? -EINVAL : 1;
	add_rdata(dns, &rec, out);
	return 1;
}

static void
add_header(const struct pkt_dns *dns, struct sbuf *out)
{
	static const char *const names[] = {"questions", "answers", "auth", "extra"};

	sbuf_addf(out, "%17s: 0x%04x\n", "id", dns->id);
	sbuf_addf(out, "%17s: 0x%04x %s", "flags", dns->flags,
		dns->flags & 0x8000 ? "response" : "query");
	for (size_t i = 0; i < DIM(header_flags); i++)
		if (dns->flags & header_flags[i].bit)
			sbuf_addf(out, " %s", header_flags[i].name);
	sbuf_addf(out, " op=%x rcode=%x\n", dns->flags >> 11 & 15u, dns->flags & 15u);
	for (size_t i = 0; i < DIM(names); i++)
		sbuf_addf(out, "%17s: %u\n", names[i], dns->counts[i]);
}

int
dns_text(const uint8_t *msg, size_t n, struct sbuf *out, struct diag *diag)
{
	struct pkt_dns dns;
	int r = pkt_dns_open(msg, n, &dns, diag);

	if (r < 0)
		return r;
	add_header(&dns, out);
	while ((r = add_record(&dns, out, diag)) > 0) {
	}
	if (r < 0 || dns.off == dns.len)
		return r;
	sbuf_adds(out, "  trailing: ");
	hex_add(out, dns.msg + dns.off, dns.len - dns.off);
	sbuf_addc(out, '\n');
	return 0;
}
