// SPDX-License-Identifier: BSD-3-Clause
#include "frames.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

#define IP4(...) (&(struct pkt_ip4){.src = 0xc0000201, .dst = 0xc6336401, .ttl = 64, __VA_ARGS__})
#define IP6(...) \
	(&(struct pkt_ip6){.src = {0x20, 1, 0xd, 0xb8, [15] = 1}, \
		.dst = {0x20, 1, 0xd, 0xb8, [15] = 2}, \
		__VA_ARGS__})

static void
ether(struct pkt_build *b)
{
	pkt_build_ether(b, mac_b, mac_a);
}

static void
query(struct pkt_build *b)
{
	pkt_build_udp(b, 4321, 53);
	pkt_build_dns_query(b, 0x1234, "a.www.example.uk", 1, true);
}

static void
ip4_udp(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.id = 7));
	query(b);
}

static void
ip4_tcp(struct pkt_build *b)
{
	static const uint8_t mss[4] = {2, 4, 5, 0xb4};

	ether(b);
	pkt_build_ip4(b, IP4(.tos = 0));
	pkt_build_tcp(b,
		&(struct pkt_tcp){.sport = 40000,
			.dport = 80,
			.seq = 1,
			.flags = 2,
			.window = 65535,
			.options = mss,
			.n_options = 4});
}

static void
ip4_icmp(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.tos = 0));
	pkt_build_icmp(b, 8, 0, 0x00010002);
	pkt_build_bytes(b, "ping", 4);
}

static void
ip4_sctp(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.proto = 132));
	pkt_build_bytes(b, "\x10\x00\x20\x00tagsCRCC", 12);
}

static void
ip4_gre(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.proto = 47));
	pkt_build_bytes(b, "\x00\x00\x08\x00", 4);
}

static void
ip4_options(struct pkt_build *b)
{
	static const uint8_t options[40] = {[0] = 1};

	ether(b);
	pkt_build_ip4(b, IP4(.options = options, .n_options = 37));
	query(b);
}

static void
ip4_first(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.frag = 0x2000, .id = 9));
	query(b);
}

static void
ip4_later(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.frag = 0x2001, .id = 9, .proto = 17));
	pkt_build_bytes(b, "\x10\xe1\x00\x35\x00\x0c\x00\x00rest", 12);
}

static void
ip4_last(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.frag = 0x1fff, .id = 9, .proto = 6));
	pkt_build_bytes(b, "rest", 4);
}

static void
ip4_dont_fragment(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip4(b, IP4(.frag = 0x4000));
	query(b);
}

static void
ip4_padded(struct pkt_build *b)
{
	static const uint8_t zero[16];

	ether(b);
	pkt_build_ip4(b, IP4(.tos = 0));
	pkt_build_udp(b, 1, 2);
	pkt_build_bytes(b, zero, 16);
}

static void
vlan(struct pkt_build *b)
{
	ether(b);
	pkt_build_vlan(b, 0x8100, 0x2007);
	pkt_build_ip4(b, IP4(.tos = 0));
	query(b);
}

static void
qinq(struct pkt_build *b)
{
	ether(b);
	pkt_build_vlan(b, 0x88a8, 100);
	pkt_build_vlan(b, 0x8100, 7);
	pkt_build_ip6(b, IP6(.hop_limit = 64));
	query(b);
}

static void
tags(struct pkt_build *b, unsigned int n)
{
	ether(b);
	for (unsigned int i = 0; i < n; i++)
		pkt_build_vlan(b, 0x9100, (uint16_t)i);
	pkt_build_ip4(b, IP4(.tos = 0));
	query(b);
}

static void
tags4(struct pkt_build *b)
{
	tags(b, 4);
}

static void
tags5(struct pkt_build *b)
{
	tags(b, 5);
}

static void
ip6_udp(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64, .class_flow = 0xb812345));
	query(b);
}

static void
ip6_none(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64, .next = 59));
}

static void
ip6_exts(struct pkt_build *b)
{
	static const uint8_t pad[6] = {1, 4}, pad14[14] = {1, 12}, route[6] = {0};

	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64));
	pkt_build_ip6_ext(b, 0, pad, 6);
	pkt_build_ip6_ext(b, 60, pad14, 14);
	pkt_build_ip6_ext(b, 43, route, 6);
	pkt_build_tcp(b, &(struct pkt_tcp){.sport = 5, .dport = 179, .flags = 0x12});
}

static void
ip6_ext_n(struct pkt_build *b, unsigned int n)
{
	static const uint8_t pad[6] = {1, 4};

	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64));
	for (unsigned int i = 0; i < n; i++)
		pkt_build_ip6_ext(b, 60, pad, 6);
	query(b);
}

static void
ip6_ext8(struct pkt_build *b)
{
	ip6_ext_n(b, 8);
}

static void
ip6_ext9(struct pkt_build *b)
{
	ip6_ext_n(b, 9);
}

static void
ip6_ah(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64, .next = 51));
	pkt_build_bytes(b, "\x11\x04\0\0spi_seq_icv_icv_icv_", 24);
	pkt_build_bytes(b, "\x00\x07\x00\x35\x00\x08\x00\x00", 8);
}

static void
ip6_first(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64));
	pkt_build_ip6_frag(b, 0, true, 1);
	query(b);
}

static void
ip6_atomic(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64));
	pkt_build_ip6_frag(b, 0, false, 1);
	query(b);
}

static void
ip6_later(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64));
	pkt_build_ip6_frag(b, 181, false, 1);
	pkt_build_next(b, 17);
	pkt_build_bytes(b, "\x10\xe1\x00\x35\x00\x0c\x00\x00", 8);
}

static void
ip6_icmp(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 255));
	pkt_build_icmp(b, 135, 0, 0);
	pkt_build_bytes(b, IP6(.hop_limit = 0)->dst, 16);
}

static void
ip6_esp(struct pkt_build *b)
{
	ether(b);
	pkt_build_ip6(b, IP6(.hop_limit = 64, .next = 50));
	pkt_build_bytes(b, "spi_seq_secret__", 16);
}

static void
arp(struct pkt_build *b)
{
	static const uint8_t body[28] = {0, 1, 8, 0, 6, 4, 0, 1};

	ether(b);
	pkt_build_ethertype(b, 0x0806);
	pkt_build_bytes(b, body, sizeof(body));
}

static void
llc(struct pkt_build *b)
{
	ether(b);
	pkt_build_ethertype(b, 38);
	pkt_build_bytes(b, "\x42\x42\x03", 3);
}

/* What a builder does not do. Offsets are of untagged Ethernet. */
static void
pad_to_60(uint8_t *f, size_t *len)
{
	memset(f + *len, 0xee, 60 - *len);
	*len = 60;
}

static void
udp_no_payload_padded(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 16, 28);
}

static void
total_0(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 16, 0);
}

static void
total_19(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 16, 19);
}

static void
total_over(uint8_t *f, size_t *len)
{
	store_be16(f + 16, (uint16_t)(*len - 14 + 20));
}

static void
total_22(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 16, 22);
}

static void
ihl_4(uint8_t *f, size_t *len)
{
	(void)len;
	f[14] = 0x44;
}

static void
ihl_15_of_28(uint8_t *f, size_t *len)
{
	f[14] = 0x4f;
	*len = 14 + 28;
	store_be16(f + 16, 60);
}

static void
total_below_options(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 16, 40);
}

static void
version_5(uint8_t *f, size_t *len)
{
	(void)len;
	f[14] = 0x55;
}

static void
payload_0(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 18, 0);
}

static void
payload_12(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 18, 12);
}

static void
payload_over(uint8_t *f, size_t *len)
{
	(void)len;
	store_be16(f + 18, 1000);
}

static void
ext_past_end(uint8_t *f, size_t *len)
{
	(void)len;
	f[14 + 40 + 1] = 255;
}

static void
frag_reserved(uint8_t *f, size_t *len)
{
	(void)len;
	f[14 + 40 + 3] |= 6;
}

/* The query: 8 bytes of UDP, 12 + 18 + 4 of DNS, 11 of OPT. */
enum { Q = 8 + 12 + 18 + 4 + 11, E = 14 };

/* clang-format off */
const struct frame_case frame_cases[] = {
	{"IPv4 UDP", ip4_udp, NULL, PKT_PORTS, 0x800, 4, 17, E, E + 20, 4321, 53, 20 + Q, 20 + Q},
	{"IPv4 TCP", ip4_tcp, NULL, PKT_PORTS, 0x800, 4, 6, E, E + 20, 40000, 80, 44, 44},
	{"IPv4 TCP padded", ip4_tcp, pad_to_60, PKT_PORTS, 0x800, 4, 6, E, E + 20, 40000, 80, 44, 44},
	{"IPv4 ICMP", ip4_icmp, NULL, 0, 0x800, 4, 1, E, E + 20, 0, 0, 32, 32},
	{"IPv4 ICMP padded", ip4_icmp, pad_to_60, 0, 0x800, 4, 1, E, E + 20, 0, 0, 32, 32},
	{"IPv4 SCTP", ip4_sctp, NULL, PKT_PORTS, 0x800, 4, 132, E, E + 20, 4096, 8192, 32, 32},
	{"IPv4 GRE", ip4_gre, NULL, 0, 0x800, 4, 47, E, E + 20, 0, 0, 24, 24},
	{"IPv4 options", ip4_options, NULL, PKT_PORTS | PKT_IP_OPTIONS, 0x800, 4, 17, E, E + 60, 4321, 53, 60 + Q, 60 + Q},
	{"IPv4 first fragment", ip4_first, NULL, PKT_PORTS | PKT_FRAGMENT, 0x800, 4, 17, E, E + 20, 4321, 53, 20 + Q, 20 + Q},
	{"IPv4 later fragment", ip4_later, NULL, PKT_FRAGMENT | PKT_FRAG_LATER, 0x800, 4, 17, E, 0, 0, 0, 32, 32},
	{"IPv4 last fragment", ip4_last, NULL, PKT_FRAGMENT | PKT_FRAG_LATER, 0x800, 4, 6, E, 0, 0, 0, 24, 24},
	{"IPv4 don't fragment", ip4_dont_fragment, NULL, PKT_PORTS, 0x800, 4, 17, E, E + 20, 4321, 53, 20 + Q, 20 + Q},
	{"IPv4 trailer", ip4_padded, udp_no_payload_padded, PKT_PORTS, 0x800, 4, 17, E, E + 20, 1, 2, 28, 28},
	{"IPv4 length 0", ip4_padded, total_0, PKT_PORTS | PKT_MALFORMED, 0x800, 4, 17, E, E + 20, 1, 2, 44, 44},
	{"IPv4 length below the header", ip4_padded, total_19, PKT_PORTS | PKT_MALFORMED, 0x800, 4, 17, E, E + 20, 1, 2, 44, 44},
	{"IPv4 length ends in UDP", ip4_padded, total_22, PKT_TRUNCATED, 0x800, 4, 17, E, E + 20, 0, 0, 22, 22},
	{"IPv4 length beyond the frame", ip4_padded, total_over, PKT_PORTS, 0x800, 4, 17, E, E + 20, 1, 2, 64, 44},
	{"IPv4 header length 16", ip4_udp, ihl_4, PKT_MALFORMED, 0x800, 4, 17, E, 0, 0, 0, 20 + Q, 20 + Q},
	{"IPv4 options cut", ip4_udp, ihl_15_of_28, PKT_TRUNCATED | PKT_IP_OPTIONS, 0x800, 4, 17, E, 0, 0, 0, 60, 28},
	{"IPv4 length below the options", ip4_options, total_below_options, PKT_PORTS | PKT_MALFORMED | PKT_IP_OPTIONS, 0x800, 4, 17, E, E + 60, 4321, 53, 60 + Q, 60 + Q},
	{"IPv4 type, version 5", ip4_udp, version_5, PKT_MALFORMED, 0x800, 0, 0, E, 0, 0, 0, 0, 0},
	{"VLAN", vlan, NULL, PKT_PORTS | PKT_VLAN, 0x800, 4, 17, E + 4, E + 24, 4321, 53, 20 + Q, 20 + Q},
	{"QinQ, IPv6", qinq, NULL, PKT_PORTS | PKT_VLAN, 0x86dd, 6, 17, E + 8, E + 48, 4321, 53, 40 + Q, 40 + Q},
	{"4 tags", tags4, NULL, PKT_PORTS | PKT_VLAN, 0x800, 4, 17, E + 16, E + 36, 4321, 53, 20 + Q, 20 + Q},
	{"5 tags", tags5, NULL, PKT_VLAN, 0x9100, 0, 0, E + 16, 0, 0, 0, 0, 0},
	{"IPv6 UDP", ip6_udp, NULL, PKT_PORTS, 0x86dd, 6, 17, E, E + 40, 4321, 53, 40 + Q, 40 + Q},
	{"IPv6 nothing", ip6_none, NULL, 0, 0x86dd, 6, 59, E, E + 40, 0, 0, 40, 40},
	{"IPv6 nothing padded", ip6_none, pad_to_60, 0, 0x86dd, 6, 59, E, E + 40, 0, 0, 40, 40},
	{"IPv6 three headers", ip6_exts, NULL, PKT_PORTS | PKT_IP_OPTIONS, 0x86dd, 6, 6, E, E + 72, 5, 179, 92, 92},
	{"IPv6 8 headers", ip6_ext8, NULL, PKT_PORTS | PKT_IP_OPTIONS, 0x86dd, 6, 17, E, E + 104, 4321, 53, 104 + Q, 104 + Q},
	{"IPv6 9 headers", ip6_ext9, NULL, PKT_EXT_UNKNOWN | PKT_IP_OPTIONS, 0x86dd, 6, 60, E, 0, 0, 0, 112 + Q, 112 + Q},
	{"IPv6 AH", ip6_ah, NULL, PKT_PORTS | PKT_IP_OPTIONS, 0x86dd, 6, 17, E, E + 64, 7, 53, 72, 72},
	{"IPv6 first fragment", ip6_first, NULL, PKT_PORTS | PKT_FRAGMENT | PKT_IP_OPTIONS, 0x86dd, 6, 17, E, E + 48, 4321, 53, 48 + Q, 48 + Q},
	{"IPv6 atomic fragment", ip6_atomic, NULL, PKT_PORTS | PKT_IP_OPTIONS, 0x86dd, 6, 17, E, E + 48, 4321, 53, 48 + Q, 48 + Q},
	{"IPv6 atomic fragment, reserved bits", ip6_atomic, frag_reserved, PKT_PORTS | PKT_IP_OPTIONS, 0x86dd, 6, 17, E, E + 48, 4321, 53, 48 + Q, 48 + Q},
	{"IPv6 later fragment", ip6_later, NULL, PKT_FRAGMENT | PKT_FRAG_LATER | PKT_IP_OPTIONS, 0x86dd, 6, 17, E, 0, 0, 0, 56, 56},
	{"IPv6 ICMP", ip6_icmp, NULL, 0, 0x86dd, 6, 58, E, E + 40, 0, 0, 64, 64},
	{"IPv6 ESP", ip6_esp, NULL, 0, 0x86dd, 6, 50, E, E + 40, 0, 0, 56, 56},
	{"IPv6 payload 0", ip6_udp, payload_0, PKT_PORTS | PKT_MALFORMED, 0x86dd, 6, 17, E, E + 40, 4321, 53, 40 + Q, 40 + Q},
	{"IPv6 payload 12", ip6_udp, payload_12, PKT_PORTS, 0x86dd, 6, 17, E, E + 40, 4321, 53, 52, 52},
	{"IPv6 payload beyond the frame", ip6_udp, payload_over, PKT_PORTS, 0x86dd, 6, 17, E, E + 40, 4321, 53, 1040, 40 + Q},
	{"IPv6 header beyond the datagram", ip6_ext8, ext_past_end, PKT_TRUNCATED | PKT_IP_OPTIONS, 0x86dd, 6, 60, E, 0, 0, 0, 104 + Q, 104 + Q},
	{"IPv6 type, version 5", ip6_udp, version_5, PKT_MALFORMED, 0x86dd, 0, 0, E, 0, 0, 0, 0, 0},
	{"ARP", arp, NULL, 0, 0x806, 0, 0, E, 0, 0, 0, 0, 0},
	{"LLC", llc, NULL, PKT_LLC, 0, 0, 0, E, 0, 0, 0, 0, 0},
};
/* clang-format on */
const size_t n_frame_cases = DIM(frame_cases);

size_t
frame_make(const struct frame_case *c, uint8_t *buf, size_t cap)
{
	struct pkt_build b;
	size_t len;

	pkt_build_init(&b, buf, cap);
	c->build(&b);
	len = pkt_build_done(&b);
	if (c->spoil != NULL)
		c->spoil(buf, &len);
	return len;
}

uint8_t *
guarded(size_t n)
{
	enum { ROOM = 1 << 19 }; /* more than any frame of a savefile */
	static uint8_t *end;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (end == NULL) {
		uint8_t *p = mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || mprotect(p + ROOM, page, PROT_NONE) != 0)
			return NULL;
		end = p + ROOM;
	}
	return n <= ROOM ? end - n : NULL;
}
