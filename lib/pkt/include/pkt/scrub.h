/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_SCRUB_H
#define PKT_SCRUB_H

/*
 * Take out of a frame who was in it, and keep what it is like: MAC addresses
 * become zeros; IP addresses and the labels of DNS names become others of the
 * same length. Both keep common beginnings: addresses that shared a prefix of n
 * bits share one of n bits afterwards, labels that began alike do so still, and
 * what was different stays different. Letters stay letters of their case,
 * digits digits. Lengths never change, and checksums that were right are right.
 *
 * Seen are the addresses of Ethernet, cooked headers, ARP, IPv4 and IPv6 headers,
 * the datagram in an ICMP error, neighbour discovery, and DNS (names, A, AAAA,
 * client subnets). All other payload stays as it is, and so does what stands
 * behind the place where a DNS message breaks.
 */

#include <stdint.h>

/* Who knows the key can undo it. Read-only while in use. */
struct pkt_scrub_key {
	uint64_t k[2];
};

/* The key that @text of @n bytes stands for. */
void pkt_scrub_key_text(const char *text, uint32_t n, struct pkt_scrub_key *ret_key);

/* Scrub the @caplen bytes of a frame of link type @dlt in place. */
void pkt_scrub(const struct pkt_scrub_key *key, int dlt, uint8_t *frame, uint32_t caplen,
	uint32_t wirelen);

#endif
