// SPDX-License-Identifier: BSD-3-Clause
#include "dns_qtype.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"

/* IANA's registry, as far as queries ask for it. */
static const struct {
	const char *name;
	uint16_t type;
} names[] = {
	{"A", 1},
	{"AAAA", 28},
	{"ANY", 255},
	{"AXFR", 252},
	{"CAA", 257},
	{"CDNSKEY", 60},
	{"CDS", 59},
	{"CNAME", 5},
	{"DNAME", 39},
	{"DNSKEY", 48},
	{"DS", 43},
	{"HINFO", 13},
	{"HTTPS", 65},
	{"IXFR", 251},
	{"LOC", 29},
	{"MX", 15},
	{"NAPTR", 35},
	{"NS", 2},
	{"NSEC", 47},
	{"NSEC3", 50},
	{"NSEC3PARAM", 51},
	{"NULL", 10},
	{"OPENPGPKEY", 61},
	{"PTR", 12},
	{"RP", 17},
	{"RRSIG", 46},
	{"SOA", 6},
	{"SPF", 99},
	{"SRV", 33},
	{"SSHFP", 44},
	{"SVCB", 64},
	{"TLSA", 52},
	{"TXT", 16},
	{"URI", 256},
};

static bool
same(const char *s, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (name[i] == '\0' || toupper((unsigned char)s[i]) != name[i])
			return false;
	return name[n] == '\0';
}

/* "257" or, RFC 3597, "TYPE257". */
static bool
read_number(const char *s, size_t n, uint16_t *ret)
{
	uint32_t v = 0;

	if (n > 4 && same(s, 4, "TYPE")) {
		s += 4;
		n -= 4;
	}
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		v = v * 10 + (uint32_t)(s[i] - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*ret = (uint16_t)v;
	return n > 0;
}

static bool
read_type(const char *s, size_t n, uint16_t *ret)
{
	for (size_t i = 0; i < DIM(names); i++)
		if (same(s, n, names[i].name)) {
			*ret = names[i].type;
			return true;
		}
	return read_number(s, n, ret);
}

int
dns_qtypes_parse(const char *text, struct dns_qtypes *ret_types, struct diag *diag)
{
	struct dns_qtypes t = {.n = 0};
	const char *p = text;

	for (;;) {
		const size_t n = strcspn(p, ",");
		const unsigned int col = (unsigned int)(p - text) + 1;

		if (t.n == DNS_QTYPES_MAX)
			return diag_fail_at(
				diag, -E2BIG, 0, col, "expected at most %d types", DNS_QTYPES_MAX);
		if (!read_type(p, n, &t.v[t.n]))
			return diag_fail_at(diag, -EINVAL, 0, col,
				"expected a DNS type, as in A,AAAA,TYPE65 or 257, got '%.40s'", p);
		t.n++;
		if (p[n] == '\0')
			break;
		p += n + 1;
	}
	*ret_types = t;
	return 0;
}
