// SPDX-License-Identifier: BSD-3-Clause
/* SYNs of TCP stacks: initial TTL, MSS, window, scale and order of options vary, as scanners' do. */
#include <stdio.h>

#include "family_impl.h"

#define HOPS_MAX 30 /* p0f takes a TTL for the stack's when it is up to 35 lower */

static const struct layout {
	const char *text; /* as in a signature */
	uint8_t kinds[8]; /* options in order, 0 ends */
} layouts[] = {
	{"mss,sok,ts,nop,ws", {2, 4, 8, 1, 3}},
	{"mss,nop,ws,nop,nop,sok", {2, 1, 3, 1, 1, 4}},
	{"mss,nop,ws,nop,nop,ts,sok,eol+1", {2, 1, 3, 1, 1, 8, 4}},
	{"mss,nop,nop,sok,nop,ws", {2, 1, 1, 4, 1, 3}},
	{"mss,sok,nop,nop,nop,ws", {2, 4, 1, 1, 1, 3}},
};

static int
draw(struct family *f, struct family_item *it, struct rng *rng)
{
	static const uint8_t ttls[] = {64, 128, 255};
	struct family_p0f *p = &it->u.p0f;
	char window[16];

	*p = (struct family_p0f){
		.ittl = ttls[rng_below(rng, DIM(ttls))],
		.layout = (uint8_t)rng_below(rng, DIM(layouts)),
		.scale = (uint8_t)rng_below(rng, 15),
		.mss = (uint16_t)(536 + rng_below(rng, 925)),
		.window = (uint16_t)(1 + rng_below(rng, 65535)),
	};
	if (family_percent(rng, 20)) {
		p->multiple = (uint8_t)(2 + rng_below(rng, 40));
		p->window = (uint16_t)(p->mss * p->multiple);
		(void)snprintf(window, sizeof(window), "mss*%u", p->multiple);
	} else {
		(void)snprintf(window, sizeof(window), "%u", p->window);
	}
	it->text = family_printf(f, "p0f 4:%u:0:%u:%s,%u:%s:df,id+:0", p->ittl, p->mss, window,
		p->scale, layouts[p->layout].text);
	return 0;
}

static uint8_t
put_options(const struct family_p0f *p, struct rng *rng, uint8_t o[40])
{
	uint8_t n = 0;

	for (const uint8_t *k = layouts[p->layout].kinds; *k != 0; k++) {
		switch (*k) {
		case 1: o[n++] = 1; break;
		case 2:
			o[n] = 2;
			o[n + 1] = 4;
			store_be16(o + n + 2, p->mss);
			n += 4;
			break;
		case 3:
			o[n] = 3;
			o[n + 1] = 3;
			o[n + 2] = p->scale;
			n += 3;
			break;
		case 4:
			o[n] = 4;
			o[n + 1] = 2;
			n += 2;
			break;
		default:
			o[n] = 8;
			o[n + 1] = 10;
			store_be32(o + n + 2, 1 + rng_below(rng, UINT32_MAX));
			store_be32(o + n + 6, 0);
			n += 10;
		}
	}
	while (n % 4 != 0)
		o[n++] = 0;
	return n;
}

static void
spoil(struct rng *rng, struct family_p0f *p)
{
	switch (rng_below(rng, 4)) {
	case 0: p->mss++; break;
	case 1: p->window++; break;
	case 2: p->scale ^= 1; break;
	default: p->layout = (uint8_t)((p->layout + 1) % DIM(layouts));
	}
}

static void
put(const struct family *f, const struct family_item *it, enum family_way way, struct rng *rng,
	struct pkt_build *b)
{
	struct family_p0f p = it->u.p0f;
	struct pkt_ip4 ip = {.frag = 0x4000, .dst = 0xc0000235};
	uint8_t options[40];
	struct pkt_tcp tcp = {.flags = 2, .options = options};

	(void)f;
	if (way == WAY_MISS) {
		p.mss = (uint16_t)(536 + rng_below(rng, 925));
		p.window = (uint16_t)(1 + rng_below(rng, 65535));
		p.layout = (uint8_t)rng_below(rng, DIM(layouts));
		p.scale = (uint8_t)rng_below(rng, 15);
	} else if (way != WAY_HIT) {
		spoil(rng, &p);
	}
	ip.ttl = (uint8_t)(p.ittl - rng_below(rng, HOPS_MAX));
	ip.id = (uint16_t)(1 + rng_below(rng, 65535));
	ip.src = (11 + rng_below(rng, 116)) << 24 | (uint32_t)(rng_next(rng) & 0xffffff);
	pkt_build_ip4(b, &ip);
	tcp.sport = (uint16_t)(1024 + rng_below(rng, 64512));
	tcp.dport = 80;
	tcp.seq = 1 + rng_below(rng, UINT32_MAX);
	tcp.window = p.window;
	tcp.n_options = put_options(&p, rng, options);
	pkt_build_tcp(b, &tcp);
}

const struct family_ops family_p0f = {.draw = draw, .compile = family_generate4, .put = put};
