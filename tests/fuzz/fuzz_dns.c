// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a DNS message: it ends, no place is outside of it, and what is
 * read again is the same. Every byte is tried as the start of a name as well.
 */
#include "base/diag.h"
#include "pkt/dns.h"

#include "fuzz.h"

/* Labels, and where the name ends. */
static void
walk_name(const uint8_t *msg, uint32_t len, uint32_t off)
{
	struct pkt_dns_name name;
	struct pkt_dns_label label;
	struct diag d = {0};
	uint32_t steps = 0, bytes = 0, end = 0;
	int r;

	pkt_dns_name_open(msg, len, off, &name);
	while ((r = pkt_dns_name_next(&name, &label, &d)) > 0) {
		fuzz_check(++steps <= len + PKT_DNS_NAME_MAX);
		if (label.bytes == NULL)
			continue;
		fuzz_check(label.n >= 1 && label.n <= 63);
		fuzz_check(label.bytes > msg && label.bytes + label.n <= msg + len);
		fuzz_check(label.bytes[-1] == label.n);
		bytes += 1u + label.n;
	}
	fuzz_check(bytes < PKT_DNS_NAME_MAX);
	fuzz_check((r == 0) == (d.msg[0] == '\0'));
	fuzz_check(pkt_dns_name_end(msg, len, off, &end, NULL) == r);
	fuzz_check(r < 0 || (end == name.end && end > off && end <= len));
}

static void
walk_options(const uint8_t *rdata, uint32_t n)
{
	struct pkt_dns_option o;
	uint32_t at = 0, before = 0;

	while (pkt_dns_option_next(rdata, n, &at, &o, NULL) > 0) {
		fuzz_check(at > before && at <= n && o.data + o.n == rdata + at);
		before = at;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_dns_record rec;
	struct pkt_dns dns;
	struct diag d = {0};
	uint32_t off = PKT_DNS_HEADER, records = 0;
	int r;

	if (size > 4096)
		return 0;
	for (size_t i = 0; i < size; i++)
		walk_name(data, (uint32_t)size, (uint32_t)i);
	if (pkt_dns_open(data, size, &dns, &d) < 0) {
		fuzz_check(size < PKT_DNS_HEADER && d.msg[0] != '\0');
		return 0;
	}
	while ((r = pkt_dns_next(&dns, &rec, &d)) > 0) {
		fuzz_check(rec.name == off && dns.off > off && dns.off <= size);
		fuzz_check(rec.section < PKT_DNS_SECTIONS);
		fuzz_check(rec.index < dns.counts[rec.section]);
		if (rec.section != PKT_DNS_QUESTION)
			fuzz_check(rec.rdata + rec.rdlen == dns.off);
		walk_options(data + rec.rdata, rec.rdlen);
		off = dns.off;
		records++;
	}
	fuzz_check(records <= size / 5);
	fuzz_check((r == 0) == (d.msg[0] == '\0') && dns.off == off);
	return 0;
}
