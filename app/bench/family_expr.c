// SPDX-License-Identifier: BSD-3-Clause
/* tcpdump expressions as people write them against floods: ports, nets, flags, lengths. */
#include "base/diag.h"
#include "family_impl.h"

enum form { NET_PORT_LENGTH, SYN_WINDOW, PING_TTL, HOST_PORTS, LENGTH_MAGIC, FLAGS_NET, FORMS };

#define ADDR(a) (a) >> 24, (a) >> 16 & 255, (a) >> 8 & 255, (a)&255

static const char *
text_of(struct family *f, const struct family_expr *e)
{
	switch ((enum form)e->form) {
	case NET_PORT_LENGTH:
		return family_printf(f,
			"udp and src net %u.%u.%u.0/24 and dst port %u and greater %u",
			e->net >> 24, e->net >> 16 & 255, e->net >> 8 & 255, e->port[0], e->n);
	case SYN_WINDOW:
		return family_printf(f,
			"tcp dst port %u and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and tcp[14:2] == %u",
			e->port[0], e->port[1]);
	case PING_TTL:
		return family_printf(f, "icmp[0] == 8 and ip[8] < %u and src net %u.%u.0.0/16",
			e->n, e->net >> 24, e->net >> 16 & 255);
	case HOST_PORTS:
		return family_printf(f,
			"ip src host %u.%u.%u.%u and udp and (dst port %u or dst port %u or dst port %u)",
			ADDR(e->net), e->port[0], e->port[1], e->port[2]);
	case LENGTH_MAGIC:
		return family_printf(f, "udp and ip[2:2] == %u and udp[8:4] == %u", e->n, e->word);
	case FLAGS_NET:
		return family_printf(f,
			"tcp src port %u and dst net %u.%u.%u.0/24 and tcp[13] == %u", e->port[0],
			e->net >> 24, e->net >> 16 & 255, e->net >> 8 & 255, e->word & 0x3f);
	case FORMS: break;
	}
	return NULL;
}

static int
draw(struct family *f, struct family_item *it, struct rng *rng)
{
	struct family_expr *e = &it->u.expr;

	e->form = (uint8_t)rng_below(rng, FORMS);
	e->net = (11 + rng_below(rng, 116)) << 24 | rng_below(rng, 1 << 24);
	if (e->form == NET_PORT_LENGTH || e->form == FLAGS_NET)
		e->net &= 0xffffff00;
	e->word = (uint32_t)rng_next(rng);
	for (int i = 0; i < 3; i++)
		e->port[i] = (uint16_t)(1 + rng_below(rng, 65535));
	e->n = (uint16_t)(60 + rng_below(rng, 60));
	it->text = text_of(f, e);
	return 0;
}

static int
compile(struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag)
{
	struct cbpf_insn *insns = NULL;
	size_t n;
	int r = gen_expr(it->text, 12, &insns, &n, diag);

	if (r == 0)
		r = family_take(f, rule, insns, n, true, diag);
	mem_free(insns);
	return r;
}

/* @n bytes behind UDP or TCP, the first four of them @word. */
static void
put_bytes(struct pkt_build *b, uint32_t word, uint32_t n)
{
	uint8_t bytes[128] = {0};

	store_be32(bytes, word);
	pkt_build_bytes(b, bytes, n);
}

static void
put(const struct family *f, const struct family_item *it, enum family_way way, struct rng *rng,
	struct pkt_build *b)
{
	struct family_expr e = it->u.expr;
	const uint32_t host = rng_below(rng, 256);
	struct pkt_tcp tcp = {.sport = 4000, .dport = e.port[0], .flags = 2};
	struct pkt_ip4 ip = {.src = e.net | (e.form == NET_PORT_LENGTH ? host : 0),
		.dst = 0xc0000235,
		.ttl = 50};

	(void)f;
	if (way == WAY_MISS) {
		e.word = (uint32_t)rng_next(rng);
		e.port[0] = tcp.dport = (uint16_t)rng_next(rng);
		ip.src = (11 + rng_below(rng, 116)) << 24 | rng_below(rng, 1 << 24);
		e.net = ip.src;
	} else if (way != WAY_HIT) {
		e.word ^= 1;
		e.port[1] ^= 1;
		e.port[0] ^= e.form == NET_PORT_LENGTH || e.form == HOST_PORTS;
		ip.ttl = e.form == PING_TTL ? 255 : 50;
	}
	switch ((enum form)e.form) {
	case NET_PORT_LENGTH:
	case HOST_PORTS:
		pkt_build_ip4(b, &ip);
		pkt_build_udp(b, 4000, e.port[0]);
		put_bytes(b, e.word, e.n);
		return;
	case LENGTH_MAGIC:
		pkt_build_ip4(b, &ip);
		pkt_build_udp(b, 4000, 123);
		put_bytes(b, e.word, e.n - 28u);
		return;
	case PING_TTL:
		pkt_build_ip4(b, &ip);
		pkt_build_icmp(b, 8, 0, 0);
		return;
	case FLAGS_NET:
		ip.dst = e.net | host;
		ip.src = 0x0b000001 + host;
		tcp.sport = it->u.expr.port[0];
		tcp.flags = e.word & 0x3f;
		break;
	case SYN_WINDOW: tcp.window = e.port[1]; break;
	case FORMS: break;
	}
	pkt_build_ip4(b, &ip);
	pkt_build_tcp(b, &tcp);
}

const struct family_ops family_expressions = {.draw = draw, .compile = compile, .put = put};
