/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_DNS_QTYPE_H
#define GEN_DNS_QTYPE_H

/* Types that a DNS question asks for. Plain values. */

#include <stddef.h>
#include <stdint.h>

struct diag;

#define DNS_QTYPES_MAX 32

struct dns_qtypes {
	uint16_t v[DNS_QTYPES_MAX];
	size_t n; /* 0: any type */
};

/*
 * Read a list: names (in either case), TYPE65 or numbers, with commas between.
 * Returns 0, -EINVAL, -E2BIG; diag->col is the place in @text.
 */
int dns_qtypes_parse(const char *text, struct dns_qtypes *ret_types, struct diag *diag);

#endif
