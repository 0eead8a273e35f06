// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cli.h"
#include "dns_text.h"
#include "hex.h"
#include "pkt/proto.h"
#include "pkt/view.h"

#define LINK_MAX 40 /* bytes; behind them no IP header is looked for */

enum { UDP_BYTES = 8, TCP_BYTES = 20 };

/* A frame of a link layer that its bytes alone have to tell. */
struct frame {
	uint8_t *bytes;
	size_t n;
	uint32_t l3; /* where IP starts */
	struct pkt_view v; /* of the datagram: from @l3 on */
};

static int
read_hex(const char *text, struct frame *f, struct diag *diag)
{
	const char *c = text;
	int high, low;

	f->bytes = mem_alloc(strlen(text) / 2 + 1);
	if (f->bytes == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	while ((high = parse_hex_digit(*c)) >= 0) {
		low = parse_hex_digit(*++c);
		if (low < 0)
			return diag_fail(diag, -EINVAL,
				"column %zu: expected the second digit of a byte",
				(size_t)(c - text) + 1);
		f->bytes[f->n++] = (uint8_t)(high << 4 | low);
		c++;
	}
	/* What pcap2hex --ascii prints behind the bytes does no harm. */
	if (*c != '\0' && *c != '\t')
		return diag_fail(diag, -EINVAL, "column %zu: expected hexadecimal digits, got '%c'",
			(size_t)(c - text) + 1, *c);
	return 0;
}

/* True when the datagram at @off has ports. */
static bool
try_at(struct frame *f, size_t off)
{
	const uint32_t n = (uint32_t)MIN(f->n - off, (size_t)UINT16_MAX);

	pkt_parse_ip(f->bytes + off, n, n, &f->v);
	f->l3 = (uint32_t)off;
	return f->v.family != 0 && (f->v.flags & PKT_PORTS) && !(f->v.flags & PKT_MALFORMED);
}

/* Ethernet with or without tags; else behind the first type of IP; else the first that looks so. */
static int
find_ip(struct frame *f, struct diag *diag)
{
	const size_t max = MIN(f->n, LINK_MAX);
	struct pkt_view ether;

	pkt_parse_ether(f->bytes, (uint32_t)MIN(f->n, (size_t)UINT16_MAX), 0, &ether);
	if (ether.family != 0 && try_at(f, ether.l3_off))
		return 0;
	for (size_t off = 2; off <= max; off += 2) {
		const uint16_t type = load_be16(f->bytes + off - 2);

		if ((type == 0x0800 || type == 0x86dd) && try_at(f, off))
			return 0;
	}
	for (size_t off = 0; off < max; off += 2)
		if (try_at(f, off))
			return 0;
	/* Whatever else it is, it is told. */
	if (ether.family != 0) {
		(void)try_at(f, ether.l3_off);
		return 0;
	}
	(void)try_at(f, 0);
	if (f->v.family == 0)
		return diag_fail(diag, -EINVAL, "no IP header within the first %d bytes", LINK_MAX);
	return 0;
}

static void
add_layer(struct sbuf *out, const char *name, const uint8_t *bytes, size_t n)
{
	sbuf_addf(out, "[.] %s:%s", name, n > 0 ? " " : "");
	hex_add(out, bytes, n);
	sbuf_addc(out, '\n');
}

/* "0x7b1e34ca 123.30.52.202"; of IPv6 without "0x". */
static void
add_address(struct sbuf *out, const char *name, int family, const uint8_t *bytes, size_t n)
{
	char text[INET6_ADDRSTRLEN];

	sbuf_addf(out, "%17s: %s", name, family == AF_INET ? "0x" : "");
	hex_add(out, bytes, n);
	sbuf_addf(out, " %s\n", inet_ntop(family, bytes, text, sizeof(text)));
}

static void
add_ip4(struct sbuf *out, const uint8_t *ip)
{
	sbuf_addf(out, "%17s: 0x%02x\n", "ver", ip[0] >> 4);
	sbuf_addf(out, "%17s: 0x%02x\n", "hdl", ip[0] & 15u);
	sbuf_addf(out, "%17s: 0x%04x\n", "ip_id", load_be16(ip + 4));
	sbuf_addf(out, "%17s: 0x%04x\n", "fragment", load_be16(ip + 6));
	sbuf_addf(out, "%17s: 0x%02x (%u)\n", "ttl", ip[8], ip[8]);
	sbuf_addf(out, "%17s: 0x%02x\n", "protocol", ip[9]);
	add_address(out, "source", AF_INET, ip + 12, 4);
	add_address(out, "destination", AF_INET, ip + 16, 4);
}

static void
add_ip6(struct sbuf *out, const uint8_t *ip)
{
	sbuf_addf(out, "%17s: 0x%02x\n", "ver", ip[0] >> 4);
	sbuf_addf(out, "%17s: 0x%04x\n", "payload_length", load_be16(ip + 4));
	sbuf_addf(out, "%17s: 0x%02x\n", "next_header", ip[6]);
	sbuf_addf(out, "%17s: 0x%02x\n", "ttl", ip[7]);
	add_address(out, "source", AF_INET6, ip + 8, 16);
	add_address(out, "destination", AF_INET6, ip + 24, 16);
}

/* Link layer and IP, with what follows its fixed header: options, extension headers. */
static void
add_ip(struct sbuf *out, const struct frame *f)
{
	const uint32_t fixed = f->v.family == 4 ? PKT_IP4_BYTES : PKT_IP6_BYTES;
	const uint32_t len = f->v.l4_off != 0 ? f->v.l4_off : fixed;
	const uint8_t *ip = f->v.frame;

	add_layer(out, "l2", f->bytes, f->l3);
	add_layer(out, "l3", ip, len);
	if (f->v.family == 4)
		add_ip4(out, ip);
	else
		add_ip6(out, ip);
	if (len > fixed) {
		sbuf_addf(out, "%17s: ", "ip_extra");
		hex_add(out, ip + fixed, len - fixed);
		sbuf_addc(out, '\n');
	}
}

/* Returns bytes of the payload, from @ret_payload on. */
static uint32_t
add_udp(struct sbuf *out, const struct pkt_view *v, const uint8_t **ret_payload)
{
	const uint8_t *udp = v->frame + v->l4_off;
	const uint32_t have = v->l3_caplen - v->l4_off, len = load_be16(udp + 4);

	add_layer(out, "l4", udp, UDP_BYTES);
	sbuf_addf(out, "%17s: 0x%04x (%u)\n", "source port", v->sport, v->sport);
	sbuf_addf(out, "%17s: %u\n", "destination port", v->dport);
	sbuf_addf(out, "%17s: %u\n", "length", len);
	*ret_payload = udp + UDP_BYTES;
	/* A length that cannot be is no reason to see less. */
	return (len < UDP_BYTES ? have : MIN(len, have)) - UDP_BYTES;
}

static uint32_t
add_tcp(struct sbuf *out, const struct pkt_view *v, const uint8_t **ret_payload)
{
	const uint8_t *tcp = v->frame + v->l4_off;
	const uint32_t have = v->l3_caplen - v->l4_off;
	const uint32_t len = MIN(MAX((tcp[12] >> 4) * 4u, TCP_BYTES), have);

	add_layer(out, "l4", tcp, len);
	sbuf_addf(out, "%17s: 0x%04x (%u)\n", "source port", v->sport, v->sport);
	sbuf_addf(out, "%17s: %u\n", "destination port", v->dport);
	sbuf_addf(out, "%17s: 0x%08x\n", "sequence", load_be32(tcp + 4));
	sbuf_addf(out, "%17s: 0x%02x\n", "tcp_flags", tcp[13]);
	*ret_payload = tcp + len;
	return have - len;
}

/* Messages in a stream, each behind its length; the last may go on in the next segment. */
static int
add_stream(struct sbuf *out, const uint8_t *p, uint32_t n, struct diag *diag)
{
	int r = 0;

	while (r == 0 && n > 0) {
		uint32_t len, have;

		if (n < 2)
			return diag_fail(
				diag, -EINVAL, "the segment ends within a message's length");
		len = load_be16(p);
		have = MIN(len, n - 2);
		sbuf_addf(out, "%17s: %u\n", "message length", len);
		r = dns_text(p + 2, have, out, diag);
		p += 2 + have;
		n -= 2 + have;
	}
	return r;
}

static int
add_frame(struct sbuf *out, const struct frame *f, struct diag *diag)
{
	const struct pkt_view *v = &f->v;
	const bool tcp = v->proto == PKT_PROTO_TCP;
	const uint8_t *payload, *end = f->bytes + f->n;
	uint32_t n;
	int r;

	add_ip(out, f);
	if (v->flags & PKT_FRAG_LATER)
		return diag_fail(diag, -EINVAL, "a later fragment, which has no UDP or TCP header");
	if (!tcp && v->proto != PKT_PROTO_UDP)
		return diag_fail(
			diag, -EINVAL, "expected UDP or TCP in IP, got protocol %u", v->proto);
	if (!(v->flags & PKT_PORTS))
		return diag_fail(
			diag, -EINVAL, "the frame ends within its %s header", tcp ? "TCP" : "UDP");
	n = tcp ? add_tcp(out, v, &payload) : add_udp(out, v, &payload);
	add_layer(out, "l5", payload, n);
	r = tcp ? add_stream(out, payload, n, diag) : dns_text(payload, n, out, diag);
	if (payload + n < end) {
		sbuf_adds(out, "   padding: ");
		hex_add(out, payload + n, (size_t)(end - payload) - n);
		sbuf_addc(out, '\n');
	}
	return r;
}

/* One string. Exit status, or 0. */
static int
parse_one(const char *text, int number)
{
	struct sbuf out = SBUF_INIT;
	struct diag diag = {0};
	struct frame f = {0};
	int r = read_hex(text, &f, &diag);

	if (r == 0)
		r = find_ip(&f, &diag);
	if (r == 0)
		r = add_frame(&out, &f, &diag);
	sbuf_addc(&out, '\n');
	if (!sbuf_ok(&out))
		r = diag_fail(&diag, -ENOMEM, "out of memory");
	else if (out.len > 1)
		(void)fputs(sbuf_str(&out), stdout);
	sbuf_fini(&out);
	mem_free(f.bytes);
	if (r == 0)
		return 0;
	return cli_fail(r == -ENOMEM ? CLI_FAILED : CLI_USAGE, "string %d: %s", number, diag.msg);
}

static int
parsedns_run(int argc, char **argv)
{
	int status = 0;

	for (int i = 0; i < argc && cli_stdout_check() == 0; i++) {
		const int r = parse_one(argv[i], i + 1);

		status = MAX(status, r);
	}
	return status;
}

static const struct cli_opt parsedns_opts[] = {{0}};

static const struct cli_example parsedns_examples[] = {
	{"sluice parsedns $(sluice pcap2hex example.pcap | head -n 1)",
		"The first query of a capture."},
	{0},
};

const struct cli_cmd cmd_parsedns = {
	.name = "parsedns",
	.args = "HEX…",
	.help = "Print all of the DNS messages of frames given in hexadecimal.",
	.more = "HEX is a frame as pcap2hex prints it: Ethernet with or without VLAN tags, cooked, or\n"
		"from its IP header on; IPv4 or IPv6; UDP or TCP. The ports do not matter. What is read\n"
		"before a message breaks is printed.",
	.examples = parsedns_examples,
	.opts = parsedns_opts,
	.min_args = 1,
	.max_args = -1,
	.run = parsedns_run,
};
