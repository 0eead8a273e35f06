/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_DNS_PATTERN_H
#define GEN_DNS_PATTERN_H

/*
 * A DNS name pattern, read into what has to be compared: runs of bytes of the
 * name as it stands in a message (RFC 1035 section 3.1: a length before each
 * label, 0 at the end), and labels of which only the length matters.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

#define DNS_NAME_MAX 255 /* bytes in a message, RFC 1035 section 2.3.4 */
#define DNS_LABEL_MAX 63
#define DNS_PARTS_MAX 129 /* "**", at most 127 labels, and the root */

enum dns_part_kind {
	DNS_BYTES, /* n bytes of val and mask from first on */
	DNS_STAR, /* one label of min..max bytes */
	DNS_MANY, /* one or more labels; only the first part */
};

struct dns_part {
	enum dns_part_kind kind;
	uint8_t min, max; /* DNS_STAR; 0..255 asks nothing */
	uint16_t first, n; /* DNS_BYTES */
};

/* A byte of the name matches when (byte | mask) == val. */
struct dns_pattern {
	uint8_t val[DNS_NAME_MAX + 1];
	uint8_t mask[DNS_NAME_MAX + 1];
	uint16_t n_bytes;
	struct dns_part parts[DNS_PARTS_MAX];
	uint16_t n_parts;
	bool open_end; /* a trailing "**": the name need not end here */
	uint16_t min_len; /* bytes of the shortest name that matches, without DNS_MANY */
};

/*
 * Read @text.
 *
 * @ignore_case: characters of the name are compared without bit 0x20
 * @diag:	col is the byte in @text
 *
 * Returns 0 or -EINVAL.
 */
int dns_pattern_parse(
	const char *text, bool ignore_case, struct dns_pattern *ret_pattern, struct diag *diag);

#endif
