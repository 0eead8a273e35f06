// SPDX-License-Identifier: BSD-3-Clause
#include "pkt/dns.h"

#include <errno.h>

#include "base/diag.h"
#include "base/util.h"

enum {
	LABEL_KIND = 0xc0, /* the two bits of a length that say what it is */
	QUESTION_BYTES = 4, /* type and class */
	RECORD_BYTES = 10, /* type, class, TTL, length of data */
	OPTION_BYTES = 4, /* code and length */
};

/* @what ends behind the message, or starts there. */
static int
cut(struct diag *diag, uint32_t at, const char *what)
{
	return diag_fail(diag, -EINVAL, "byte %u of the message: it ends within %s", at, what);
}

int
pkt_dns_open(const uint8_t *msg, size_t len, struct pkt_dns *ret_dns, struct diag *diag)
{
	if (len > UINT16_MAX)
		return diag_fail(
			diag, -EINVAL, "a DNS message has at most 65535 bytes, got %zu", len);
	if (len < PKT_DNS_HEADER)
		return diag_fail(diag, -EINVAL,
			"expected the 12 bytes of a DNS message's header, got %zu", len);
	*ret_dns = (struct pkt_dns){
		.msg = msg,
		.len = (uint32_t)len,
		.id = load_be16(msg),
		.flags = load_be16(msg + 2),
		.off = PKT_DNS_HEADER,
	};
	for (size_t i = 0; i < PKT_DNS_SECTIONS; i++)
		ret_dns->counts[i] = load_be16(msg + 4 + 2 * i);
	return 0;
}

void
pkt_dns_name_open(const uint8_t *msg, uint32_t len, uint32_t off, struct pkt_dns_name *ret_name)
{
	*ret_name = (struct pkt_dns_name){.msg = msg, .len = len, .at = off, .below = off};
}

/* Go where the pointer at @n->at points. */
static int
follow(struct pkt_dns_name *n, struct pkt_dns_label *ret_label, struct diag *diag)
{
	uint16_t target;

	if (n->len - n->at < 2)
		return cut(diag, n->at, "a compression pointer");
	target = load_be16(n->msg + n->at) & 0x3fff;
	if (target >= n->below)
		return diag_fail(diag, -EINVAL,
			"byte %u of the message: a compression pointer to byte %u, which is not before its name",
			n->at, target);
	if (n->end == 0)
		n->end = n->at + 2;
	n->at = target;
	n->below = target;
	*ret_label = (struct pkt_dns_label){.target = target};
	return 1;
}

int
pkt_dns_name_next(struct pkt_dns_name *n, struct pkt_dns_label *ret_label, struct diag *diag)
{
	uint8_t len;

	if (n->at >= n->len)
		return cut(diag, n->len, "a name");
	len = n->msg[n->at];
	if ((len & LABEL_KIND) == LABEL_KIND)
		return follow(n, ret_label, diag);
	if ((len & LABEL_KIND) != 0)
		return diag_fail(diag, -EINVAL,
			"byte %u of the message: a label of the reserved kind 0x%02x", n->at,
			len & (unsigned int)LABEL_KIND);
	if (n->bytes + 1u + len > PKT_DNS_NAME_MAX - (len > 0))
		return diag_fail(diag, -EINVAL,
			"byte %u of the message: a name of more than 255 bytes", n->at);
	if (len == 0) {
		if (n->end == 0)
			n->end = n->at + 1;
		return 0;
	}
	if (n->len - n->at - 1 < len)
		return cut(diag, n->at, "a label");
	*ret_label = (struct pkt_dns_label){.bytes = n->msg + n->at + 1, .n = len};
	n->at += 1u + len;
	n->bytes += 1u + len;
	return 1;
}

int
pkt_dns_name_end(
	const uint8_t *msg, uint32_t len, uint32_t off, uint32_t *ret_end, struct diag *diag)
{
	struct pkt_dns_name name;
	struct pkt_dns_label label;
	int r;

	pkt_dns_name_open(msg, len, off, &name);
	do
		r = pkt_dns_name_next(&name, &label, diag);
	while (r > 0);
	if (r == 0)
		*ret_end = name.end;
	return r;
}

/* Step over sections that have no more records. False behind the last one. */
static bool
find_section(struct pkt_dns *dns)
{
	while (dns->section < PKT_DNS_SECTIONS && dns->index >= dns->counts[dns->section]) {
		dns->section++;
		dns->index = 0;
	}
	return dns->section < PKT_DNS_SECTIONS;
}

int
pkt_dns_next(struct pkt_dns *dns, struct pkt_dns_record *ret_record, struct diag *diag)
{
	struct pkt_dns_record rec;
	const uint8_t *fixed;
	uint32_t at, n;
	int r;

	if (!find_section(dns))
		return 0;
	r = pkt_dns_name_end(dns->msg, dns->len, dns->off, &at, diag);
	if (r < 0)
		return r;
	n = dns->section == PKT_DNS_QUESTION ? QUESTION_BYTES : RECORD_BYTES;
	if (dns->len - at < n)
		return cut(diag, at,
			dns->section == PKT_DNS_QUESTION ? "a question" : "a record's header");
	fixed = dns->msg + at;
	rec = (struct pkt_dns_record){
		.section = dns->section,
		.index = dns->index,
		.name = dns->off,
		.type = load_be16(fixed),
		.class = load_be16(fixed + 2),
	};
	at += n;
	if (dns->section != PKT_DNS_QUESTION) {
		rec.ttl = load_be32(fixed + 4);
		rec.rdlen = load_be16(fixed + 8);
		rec.rdata = at;
		if (dns->len - at < rec.rdlen)
			return cut(diag, at, "a record's data");
		at += rec.rdlen;
	}
	dns->off = at;
	dns->index++;
	*ret_record = rec;
	return 1;
}

int
pkt_dns_option_next(const uint8_t *rdata, uint32_t n, uint32_t *at,
	struct pkt_dns_option *ret_option, struct diag *diag)
{
	uint32_t off = *at, len;

	if (off >= n)
		return 0;
	if (n - off < OPTION_BYTES)
		return diag_fail(diag, -EINVAL, "byte %u of the options: they end within one", off);
	len = load_be16(rdata + off + 2);
	if (n - off - OPTION_BYTES < len)
		return diag_fail(diag, -EINVAL,
			"byte %u of the options: one of %u bytes, of which there are %u", off, len,
			n - off - OPTION_BYTES);
	*ret_option = (struct pkt_dns_option){
		.code = load_be16(rdata + off),
		.n = (uint16_t)len,
		.data = rdata + off + OPTION_BYTES,
	};
	*at = off + OPTION_BYTES + len;
	return 1;
}
