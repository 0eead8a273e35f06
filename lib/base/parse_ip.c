// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"

_Static_assert(IP_PREFIX_TEXT >= INET6_ADDRSTRLEN + 4, "room for an address and /128");

int
parse_ip_addr(const char *s, struct ip_addr *ret, struct diag *diag)
{
	struct ip_addr a = {0};

	if (inet_pton(AF_INET, s, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, s, a.bytes) == 1)
		a.family = 6;
	else
		return diag_fail(diag, -EINVAL, "expected an IPv4 or IPv6 address, got '%.60s'", s);
	*ret = a;
	return 0;
}

/* Clear what lies behind the first @len bits; true when something was set there. */
static bool
clear_host_bits(uint8_t *bytes, size_t n_bytes, unsigned int len)
{
	bool was_set = false;

	for (size_t i = 0; i < n_bytes; i++) {
		unsigned int keep = len > i * 8 ? len - (unsigned int)i * 8 : 0;
		uint8_t mask = keep >= 8 ? 0xff : (uint8_t) ~(0xff >> keep);

		was_set |= (bytes[i] & ~mask) != 0;
		bytes[i] &= mask;
	}
	return was_set;
}

/* Plain decimal: what parse_u32() also takes (blanks, hexadecimal) is no prefix length. */
static int
parse_len(const char *s, uint32_t max, uint32_t *ret)
{
	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0')
		return -EINVAL;
	return parse_u32(s, 0, max, ret, NULL);
}

int
parse_ip_prefix(const char *s, struct ip_prefix *ret, struct diag *diag)
{
	char addr[IP_PREFIX_TEXT];
	const char *slash = strchr(s, '/');
	size_t n = slash != NULL ? (size_t)(slash - s) : strlen(s);
	struct ip_prefix p = {0};
	uint32_t max, len;
	int r = 0;

	if (n >= sizeof(addr))
		goto bad;
	memcpy(addr, s, n);
	addr[n] = '\0';
	if (parse_ip_addr(addr, &p.addr, NULL) < 0)
		goto bad;
	max = p.addr.family == 4 ? 32 : 128;
	len = max;
	if (slash != NULL)
		r = parse_len(slash + 1, max, &len);
	if (r < 0)
		return diag_fail(
			diag, r, "expected a prefix length from 0 to %u, got '%.60s'", max, s);
	p.len = (uint8_t)len;
	if (clear_host_bits(p.addr.bytes, max / 8, len)) {
		char text[IP_PREFIX_TEXT];

		return diag_fail(diag, -EINVAL,
			"expected no bits set behind the prefix length, got '%.60s' (did you mean %s?)",
			s, ip_prefix_text(&p, text));
	}
	*ret = p;
	return 0;
bad:
	return diag_fail(diag, -EINVAL,
		"expected an address or a prefix such as 198.51.100.0/24, got '%.60s'", s);
}

const char *
ip_prefix_text(const struct ip_prefix *p, char buf[IP_PREFIX_TEXT])
{
	char addr[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(
		p->addr.family == 4 ? AF_INET : AF_INET6, p->addr.bytes, addr, sizeof(addr));
	(void)snprintf(buf, IP_PREFIX_TEXT, "%s/%u", addr, p->len);
	return buf;
}

struct ip_addr
ip_prefix_last(const struct ip_prefix *p)
{
	struct ip_addr last = p->addr;
	const unsigned int n_bytes = p->addr.family == 4 ? 4 : 16;

	for (unsigned int i = p->len / 8u; i < n_bytes; i++)
		last.bytes[i] |= i == p->len / 8u ? 0xff >> p->len % 8 : 0xff;
	return last;
}

bool
ip_prefix_has(const struct ip_prefix *p, uint8_t family, const uint8_t *addr)
{
	size_t whole = p->len / 8;
	uint8_t mask = (uint8_t) ~(0xff >> (p->len % 8));

	if (p->addr.family != family || memcmp(p->addr.bytes, addr, whole) != 0)
		return false;
	return mask == 0 || (addr[whole] & mask) == p->addr.bytes[whole];
}
