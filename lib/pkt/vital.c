// SPDX-License-Identifier: BSD-3-Clause
#include "pkt/vital.h"

#include <string.h>

#include "base/util.h"
#include "pkt/proto.h"

static bool
is_peer(const struct pkt_vital_conf *conf, uint8_t family, const uint8_t *addr)
{
	size_t n = family == 4 ? 4 : 16;

	for (size_t i = 0; i < conf->n_peers; i++)
		if (conf->peers[i].family == family && memcmp(conf->peers[i].bytes, addr, n) == 0)
			return true;
	return false;
}

/* 01:80:c2:00:00:@last, the addresses no bridge forwards (802.1Q 8.6.3). */
static bool
is_link_local_group(const uint8_t *mac, uint8_t last)
{
	static const uint8_t base[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

	return memcmp(mac, base, sizeof(base)) == 0 && mac[5] == last;
}

/* A whole request or reply for IPv4, to everybody or to one station. */
static bool
is_arp(const struct pkt_view *v)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t *dst = v->frame;

	if (v->caplen - v->l3_off < 28)
		return false;
	return (dst[0] & 1) == 0 || memcmp(dst, broadcast, sizeof(broadcast)) == 0;
}

/* Nearest bridge, nearest non-TPMR bridge, nearest customer bridge (802.1AB 7.1). */
static bool
is_lldp(const uint8_t *dst)
{
	return is_link_local_group(dst, 0x0e) || is_link_local_group(dst, 0x03) ||
		is_link_local_group(dst, 0x00);
}

/* RFC 4861: hop limit 255 and code 0; RFC 6980: not in fragments. */
static bool
is_nd(const struct pkt_view *v)
{
	const uint8_t *icmp = v->frame + v->l4_off;

	if (v->hop_limit != 255 || v->l4_off == 0 || v->flags & (PKT_FRAGMENT | PKT_TRUNCATED))
		return false;
	return icmp[0] >= 133 && icmp[0] <= 137 && icmp[1] == 0;
}

static bool
is_bfd(const struct pkt_view *v, const struct pkt_vital_conf *conf)
{
	if (v->dport != 3784 && v->dport != 3785 && v->dport != 4784)
		return false;
	return v->hop_limit == 255 || is_peer(conf, v->family, pkt_src(v));
}

static bool
is_bgp(const struct pkt_view *v, const struct pkt_vital_conf *conf)
{
	if (v->sport != 179 && v->dport != 179)
		return false;
	if (conf->gtsm && v->hop_limit != 255)
		return false;
	return is_peer(conf, v->family, pkt_src(v)) || is_peer(conf, v->family, pkt_dst(v));
}

static enum pkt_vital
class_ip(const struct pkt_view *v, const struct pkt_vital_conf *conf)
{
	if (v->proto == PKT_PROTO_ICMP6 && v->family == 6)
		return is_nd(v) ? PKT_VITAL_ND : PKT_VITAL_NONE;
	if (!(v->flags & PKT_PORTS))
		return PKT_VITAL_NONE;
	if (v->proto == PKT_PROTO_UDP && is_bfd(v, conf))
		return PKT_VITAL_BFD;
	if (v->proto == PKT_PROTO_TCP && is_bgp(v, conf))
		return PKT_VITAL_BGP;
	return PKT_VITAL_NONE;
}

enum pkt_vital
pkt_vital_class(const struct pkt_view *v, const struct pkt_vital_conf *conf)
{
	if (v->family != 0)
		return class_ip(v, conf);
	/* An ethertype means that the Ethernet header is there. */
	if (v->ethertype == PKT_ETHERTYPE_ARP)
		return is_arp(v) ? PKT_VITAL_ARP : PKT_VITAL_NONE;
	if (v->ethertype == PKT_ETHERTYPE_SLOW && is_link_local_group(v->frame, 0x02))
		return PKT_VITAL_LINK;
	if (v->ethertype == PKT_ETHERTYPE_LLDP && is_lldp(v->frame))
		return PKT_VITAL_LINK;
	return PKT_VITAL_NONE;
}

const char *
pkt_vital_name(enum pkt_vital c)
{
	switch (c) {
	case PKT_VITAL_NONE:
	case PKT_VITAL_COUNT: break;
	case PKT_VITAL_ARP: return "arp";
	case PKT_VITAL_LINK: return "link";
	case PKT_VITAL_ND: return "nd";
	case PKT_VITAL_BFD: return "bfd";
	case PKT_VITAL_BGP: return "bgp";
	}
	return "none";
}
