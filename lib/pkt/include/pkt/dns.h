/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_DNS_H
#define PKT_DNS_H

/*
 * A DNS message (RFC 1035, 6891), read record by record from bytes that anybody
 * may have sent. Nothing is copied and nothing is allocated: names, records and
 * options are places in the message, which must outlive them. All work is
 * bounded: a message has at most 65,535 bytes, a name at most 255, and a
 * compression pointer may only go back behind everything its name was read from,
 * so that no name runs in circles.
 *
 * Whoever finds a message broken says at which of its bytes, counted from 0.
 * Any thread; one thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

enum pkt_dns_section {
	PKT_DNS_QUESTION,
	PKT_DNS_ANSWER,
	PKT_DNS_AUTHORITY,
	PKT_DNS_ADDITIONAL,
	PKT_DNS_SECTIONS
};

/* Types that matter here. */
enum {
	PKT_DNS_A = 1,
	PKT_DNS_NS = 2,
	PKT_DNS_CNAME = 5,
	PKT_DNS_SOA = 6,
	PKT_DNS_PTR = 12,
	PKT_DNS_MX = 15,
	PKT_DNS_TXT = 16,
	PKT_DNS_AAAA = 28,
	PKT_DNS_SRV = 33,
	PKT_DNS_DNAME = 39,
	PKT_DNS_OPT = 41,
};

#define PKT_DNS_HEADER 12 /* bytes */
#define PKT_DNS_NAME_MAX 255 /* bytes with the lengths of labels and the root */

struct pkt_dns {
	const uint8_t *msg;
	uint32_t len; /* bytes */
	uint16_t id, flags; /* host order */
	uint16_t counts[PKT_DNS_SECTIONS]; /* as the header has them */

	/* The next record: its place, section and number in it from 0. */
	uint32_t off;
	enum pkt_dns_section section; /* PKT_DNS_SECTIONS: behind the last one */
	uint32_t index;
};

/*
 * Begin to read the @len bytes at @msg. Returns 0; -EINVAL for less than a
 * header and for more than 65,535 bytes.
 */
int pkt_dns_open(const uint8_t *msg, size_t len, struct pkt_dns *ret_dns, struct diag *diag);

struct pkt_dns_record {
	enum pkt_dns_section section;
	uint32_t index; /* in the section, from 0 */
	uint32_t name; /* where its name starts */
	uint16_t type, class; /* host order */

	/* 0 for questions, which have none of them. */
	uint32_t ttl; /* seconds; flags of an OPT record */
	uint32_t rdata; /* where its data starts */
	uint16_t rdlen; /* bytes of data */
};

/*
 * The next record. Returns 1; 0 behind the last one, where @dns->off is the
 * first trailing byte; -EINVAL for a record that is broken or cut, and then
 * @dns still stands before it.
 */
int pkt_dns_next(struct pkt_dns *dns, struct pkt_dns_record *ret_record, struct diag *diag);

/* A name, read label by label. */
struct pkt_dns_name {
	const uint8_t *msg;
	uint32_t len; /* bytes of the message */
	uint32_t at; /* where the next label is */
	uint32_t below; /* pointers must go before this */
	uint32_t end; /* behind the name where it was found; 0: not reached yet */
	uint32_t bytes; /* of labels so far */
};

/* Begin with the name at @off, any number. */
void pkt_dns_name_open(
	const uint8_t *msg, uint32_t len, uint32_t off, struct pkt_dns_name *ret_name);

struct pkt_dns_label {
	const uint8_t *bytes; /* NULL: a pointer */
	uint8_t n; /* 1..63 bytes */
	uint16_t target; /* where a pointer goes */
};

/* Returns 1 with a label or a pointer; 0 at the root, where @name->end is set; -EINVAL. */
int pkt_dns_name_next(
	struct pkt_dns_name *name, struct pkt_dns_label *ret_label, struct diag *diag);

/* Walk the whole name at @off. Returns 0 with the place behind it, or -EINVAL. */
int pkt_dns_name_end(
	const uint8_t *msg, uint32_t len, uint32_t off, uint32_t *ret_end, struct diag *diag);

/* An EDNS option. */
struct pkt_dns_option {
	uint16_t code, n; /* @n: bytes of data */
	const uint8_t *data;
};

/*
 * The option at *@at of the @n bytes at @rdata, the data of an OPT record; *@at
 * starts at 0 and moves on. Returns 1, 0 at the end, -EINVAL for one that is cut.
 */
int pkt_dns_option_next(const uint8_t *rdata, uint32_t n, uint32_t *at,
	struct pkt_dns_option *ret_option, struct diag *diag);

#endif
