// SPDX-License-Identifier: BSD-3-Clause
#include "pkt/ether.h"

#include <string.h>

#include "base/util.h"
#include "linktype.h"
#include "pkt/proto.h"
#include "pkt/view.h"

enum { TYPE_AT = 12, SLL_BYTES = 16, SLL2_BYTES = 20 };

_Static_assert(PKT_ETHER_HEAD == PKT_ETHER_BYTES, "one Ethernet header");

/* Where the link layer of @n bytes and the tags behind it end. The type is right before. */
static uint32_t
behind_tags(const struct pkt_view *v, uint32_t n)
{
	return (v->flags & PKT_VLAN) && v->l3_off >= n + PKT_TAG_BYTES ? v->l3_off : n;
}

static bool
from_ether(const struct pkt_view *v, uint8_t *head, uint32_t *skip)
{
	if (v->caplen < PKT_ETHER_BYTES)
		return false;
	*skip = behind_tags(v, PKT_ETHER_BYTES);
	memcpy(head, v->frame, TYPE_AT);
	memcpy(head + TYPE_AT, v->frame + *skip - 2, 2);
	return true;
}

static bool
from_sll(const struct pkt_view *v, uint8_t *head, uint32_t *skip)
{
	if (v->caplen < SLL_BYTES)
		return false;
	*skip = behind_tags(v, SLL_BYTES);
	memcpy(head, v->frame + 2, TYPE_AT);
	memcpy(head + TYPE_AT, v->frame + *skip - 2, 2);
	return true;
}

/* The fields of SLL in SLL's order: device type, address length, address, type. */
static bool
from_sll2(const struct pkt_view *v, uint8_t *head, uint32_t *skip)
{
	if (v->caplen < SLL2_BYTES)
		return false;
	*skip = behind_tags(v, SLL2_BYTES);
	memcpy(head, v->frame + 8, 2);
	head[2] = 0;
	head[3] = v->frame[11];
	memcpy(head + 4, v->frame + 12, 8);
	memcpy(head + TYPE_AT, *skip == SLL2_BYTES ? v->frame : v->frame + *skip - 2, 2);
	return true;
}

/* No addresses: a type is all there is to tell. */
static bool
from_bare(const struct pkt_view *v, uint8_t *head, uint32_t *skip)
{
	if (v->ethertype == 0)
		return false;
	*skip = v->l3_off;
	memset(head, 0, TYPE_AT);
	store_be16(head + TYPE_AT, v->ethertype);
	return true;
}

bool
pkt_to_ether(
	int dlt, const struct pkt_view *v, uint8_t ret_head[PKT_ETHER_HEAD], uint32_t *ret_skip)
{
	switch (dlt) {
	case LINK_EN10MB: return from_ether(v, ret_head, ret_skip);
	case LINK_SLL: return from_sll(v, ret_head, ret_skip);
	case LINK_SLL2: return from_sll2(v, ret_head, ret_skip);
	case LINK_NULL:
	case LINK_LOOP:
	case LINK_RAW_LINUX:
	case LINK_RAW_OPENBSD:
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6: return from_bare(v, ret_head, ret_skip);
	}
	return false;
}
