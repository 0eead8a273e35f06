/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PKT_ETHER_H
#define PKT_ETHER_H

/*
 * A frame of any link type as an untagged Ethernet frame, so that what was
 * captured on different devices looks alike.
 */

#include <stdbool.h>
#include <stdint.h>

struct pkt_view;

#define PKT_ETHER_HEAD 14 /* bytes */

/*
 * Say how the frame of @v, parsed as link type @dlt, reads as Ethernet without
 * tags: @ret_head, followed by the frame's own bytes from *@ret_skip on.
 *
 * Cooked headers give their last 14 bytes (of SLL2 the same fields in the same
 * order), so the type stands where Ethernet has it and the addresses are what
 * the cooked header knew. What has no link layer gets zeros and its type.
 *
 * Returns false, and writes nothing, when the frame ends within its link layer
 * or that has nothing to make a type of.
 */
bool pkt_to_ether(
	int dlt, const struct pkt_view *v, uint8_t ret_head[PKT_ETHER_HEAD], uint32_t *ret_skip);

#endif
