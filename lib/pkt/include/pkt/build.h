/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_BUILD_H
#define PKT_BUILD_H

/*
 * Frames to order, for the generator of lab traffic and for tests: headers in
 * the order they are called, then pkt_build_done() sets lengths and checksums
 * from the inside out. Errors are sticky, as in struct sbuf: a frame that does
 * not fit has len 0 at the end.
 *
 *	struct pkt_build b;
 *	pkt_build_init(&b, buf, sizeof(buf));
 *	pkt_build_ether(&b, dst_mac, src_mac);
 *	pkt_build_vlan(&b, 0x8100, 7);
 *	pkt_build_ip4(&b, &(struct pkt_ip4){.src = ..., .dst = ..., .ttl = 64});
 *	pkt_build_udp(&b, 1234, 53);
 *	pkt_build_dns_query(&b, 0x1234, "a.www.example.uk", 1, true);
 *	len = pkt_build_done(&b);
 *
 * One thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PKT_BUILD_LAYERS 16

struct pkt_build {
	uint8_t *buf;
	size_t len, cap; /* bytes */
	bool failed;
	uint8_t n_layers;
	struct {
		uint8_t kind; /* enum in build.c */
		uint16_t off; /* bytes from buf */
	} layers[PKT_BUILD_LAYERS];
};

void pkt_build_init(struct pkt_build *b, uint8_t *buf, size_t cap);
void pkt_build_ether(struct pkt_build *b, const uint8_t dst[6], const uint8_t src[6]);
/* @tpid: 0x8100, 0x88a8 or 0x9100; @tci: priority, DEI and VLAN id */
void pkt_build_vlan(struct pkt_build *b, uint16_t tpid, uint16_t tci);
/* What pkt_build_bytes() behind Ethernet or a tag is; the other layers say it themselves. */
void pkt_build_ethertype(struct pkt_build *b, uint16_t ethertype);
/* The same behind an IPv6 extension header: the protocol of the bytes, 59 (none) unless said. */
void pkt_build_next(struct pkt_build *b, uint8_t proto);

struct pkt_ip4 {
	uint32_t src, dst; /* host order */
	uint8_t ttl, tos;
	uint8_t proto; /* 0: from the layer that follows */
	uint16_t id;
	uint16_t frag; /* flags and offset as in the header, host order */
	const uint8_t *options; /* @n_options bytes, padded with EOL to a multiple of 4 */
	uint8_t n_options; /* 0..40 */
};
void pkt_build_ip4(struct pkt_build *b, const struct pkt_ip4 *ip);

struct pkt_ip6 {
	uint8_t src[16], dst[16];
	uint8_t hop_limit;
	uint8_t next; /* 0: from the layer that follows */
	uint32_t class_flow; /* traffic class and flow label, 28 bits */
};
void pkt_build_ip6(struct pkt_build *b, const struct pkt_ip6 *ip);
/* An extension header of type @next (0, 43, 60) with @n bytes of body, 0..2046, padded to 8. */
void pkt_build_ip6_ext(struct pkt_build *b, uint8_t next, const uint8_t *body, size_t n);
/* A fragment header (type 44); @off in units of 8 bytes. */
void pkt_build_ip6_frag(struct pkt_build *b, uint16_t off, bool more, uint32_t id);

void pkt_build_udp(struct pkt_build *b, uint16_t sport, uint16_t dport);

struct pkt_tcp {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	const uint8_t *options;
	uint8_t n_options; /* 0..40 */
};
void pkt_build_tcp(struct pkt_build *b, const struct pkt_tcp *tcp);
void pkt_build_icmp(struct pkt_build *b, uint8_t type, uint8_t code, uint32_t rest);
void pkt_build_bytes(struct pkt_build *b, const void *bytes, size_t n);

/*
 * A DNS query with one question. @name: dotted text, labels of 1..63 bytes, "" is the root;
 * @edns_do: an OPT record with the DO bit (RFC 6891, 3225).
 */
void pkt_build_dns_query(
	struct pkt_build *b, uint16_t id, const char *name, uint16_t qtype, bool edns_do);

/* Lengths and checksums. Returns the frame's bytes; 0 when something did not fit. */
size_t pkt_build_done(struct pkt_build *b);

/*
 * The Internet checksum (RFC 1071) of @n bytes, folded and complemented, in host
 * order, on top of @sum: what pkt_sum() gave for what is also covered, or 0.
 */
uint16_t pkt_checksum(const void *bytes, size_t n, uint32_t sum);

/* The sum of @n bytes as 16-bit words, not folded, on top of @sum; @n even but for the last. */
uint32_t pkt_sum(const void *bytes, size_t n, uint32_t sum);

#endif
