// SPDX-License-Identifier: BSD-3-Clause
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "gen/gen.h"
#include "pkt/build.h"

#define SLOT ((size_t)1 << 17) /* bytes of a frame, and as many behind it that nobody may read */

struct rng world_rng;

void
world_seed(void)
{
	const char *seed = getenv("SLUICE_SEED");

	world_rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	printf("SLUICE_SEED=%llu\n", (unsigned long long)world_rng.state);
}

static uint32_t
below(uint32_t n)
{
	return rng_below(&world_rng, n);
}

/* ---- programs ---- */

static struct source {
	const char *text;
	enum match_link link;
	int families; /* 4, 6 or 0: both */
	bool generated;
	struct cbpf_prog *prog[2];
} sources[] = {
	{"udp port 53", MATCH_LINK_RAW, 0, false, {NULL}},
	{"udp", MATCH_LINK_RAW, 0, true, {NULL}},
	{"tcp[13] & 2 != 0", MATCH_LINK_RAW, 0, false, {NULL}},
	{"ip[8] > 60 or ip6[7] > 60", MATCH_LINK_RAW, 0, false, {NULL}},
	{"host 10.1.2.3", MATCH_LINK_RAW, 0, false, {NULL}},
	{"net 2001:db8:1::/48", MATCH_LINK_RAW, 0, true, {NULL}},
	{"icmp or icmp6", MATCH_LINK_RAW, 0, false, {NULL}},
	{"less 61", MATCH_LINK_RAW, 0, false, {NULL}},
	{"greater 90", MATCH_LINK_RAW, 0, true, {NULL}},
	{"not (udp[8:2] = 0x1234)", MATCH_LINK_RAW, 4, false, {NULL}},
	{"ip[ip[2:2]-4:4] = 0x7878797a", MATCH_LINK_RAW, 4, false, {NULL}},
	{"ip6[4:2] = 20", MATCH_LINK_RAW, 6, true, {NULL}},
	{"ip6[6] = 17", MATCH_LINK_RAW, 6, true, {NULL}},
	{"ip6[6] = 17", MATCH_LINK_RAW, 6, false, {NULL}},
	{"ip6[48:2] = 0x1234", MATCH_LINK_RAW, 6, true, {NULL}},
	{"dns *.www.example.uk", MATCH_LINK_RAW, 0, true, {NULL}},
	{"dns -i **.example.uk a.com", MATCH_LINK_RAW, 0, true, {NULL}},
	{"dns *.com", MATCH_LINK_RAW, 4, true, {NULL}},
	{"dns *.com", MATCH_LINK_RAW, 6, true, {NULL}},
	{"asm ld #len; sub #4; tax; ld [x + 0]; jeq #0x7878797a, y; ret #0; y: ret #1",
		MATCH_LINK_RAW, 0, false, {NULL}},
	{"asm ld #len; sub #1; tax; ldb [x + 0]; ret #1", MATCH_LINK_RAW, 0, true, {NULL}},
	{"asm ld #len; and #1; ret a", MATCH_LINK_RAW, 0, false, {NULL}},
	{"asm ldb [50]; ret #1", MATCH_LINK_RAW, 0, true, {NULL}},
	{"arp", MATCH_LINK_ETHER, 0, false, {NULL}},
	{"ether[0] & 1 != 0", MATCH_LINK_ETHER, 0, false, {NULL}},
	{"vlan", MATCH_LINK_ETHER, 0, false, {NULL}},
	{"vlan 7 and udp", MATCH_LINK_ETHER, 0, true, {NULL}},
	{"ip and greater 70", MATCH_LINK_ETHER, 0, false, {NULL}},
	{"ether[12:2] = 0x86dd", MATCH_LINK_ETHER, 0, false, {NULL}},
	{"asm ld #len; sub #1; tax; ldb [x + 0]; jeq #0, y; ret #0; y: ret #9", MATCH_LINK_ETHER, 0,
		false, {NULL}},
};

static __attribute__((format(printf, 1, 2), noreturn)) void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

struct cbpf_prog *
world_prog(const char *text, int dlt, int family)
{
	struct gen_opts opts = {.family = (uint8_t)family};
	struct gen_out out = {0};
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	struct diag diag = {0};
	char asm_text[512];
	char **words = NULL;
	size_t n = 0;
	int r;

	if (strncmp(text, "dns ", 4) == 0 || strncmp(text, "suffix ", 7) == 0 ||
		strncmp(text, "p0f ", 4) == 0) {
		r = gen_split(text, &words, &diag);
		if (r > 0)
			r = gen_run(words[0], &opts, r - 1, (const char *const *)words + 1, &out,
				&diag);
		insns = out.insns;
		n = out.n;
	} else if (strncmp(text, "asm ", 4) == 0) {
		size_t i;

		for (i = 0; text[i + 4] != '\0'; i++)
			asm_text[i] = text[i + 4] == ';' ? '\n' : text[i + 4];
		asm_text[i] = '\0';
		r = cbpf_asm(asm_text, &insns, &n, &diag);
	} else {
		r = gen_expr(text, dlt, &insns, &n, &diag);
	}
	if (r == 0)
		r = cbpf_prog_new(insns, n, &prog, &diag);
	if (r != 0)
		die("%s: %s", text, diag.msg);
	mem_free(words);
	mem_free(out.text);
	mem_free(insns);
	return prog;
}

void
world_init(void)
{
	for (size_t i = 0; i < DIM(sources); i++) {
		struct source *s = &sources[i];
		const bool is_dns = strncmp(s->text, "dns ", 4) == 0;

		if (s->link == MATCH_LINK_ETHER) {
			s->prog[0] = world_prog(s->text, 1, 4);
			continue;
		}
		if (s->families != 6)
			s->prog[0] = world_prog(s->text, 12, 4);
		if (s->families == 6 || (s->families == 0 && is_dns))
			s->prog[1] = world_prog(s->text, 12, 6);
		else if (s->families == 0)
			s->prog[1] = s->prog[0]; /* one program for both, as expressions are */
	}
}

void
world_fini(void)
{
	for (size_t i = 0; i < DIM(sources); i++) {
		if (sources[i].prog[1] != sources[i].prog[0])
			cbpf_prog_free(sources[i].prog[1]);
		cbpf_prog_free(sources[i].prog[0]);
		sources[i].prog[0] = sources[i].prog[1] = NULL;
	}
}

/* ---- rules ---- */

static const uint16_t some_ports[] = {53, 53, 80, 1234, 5353, 0, 65535};

static uint16_t
a_port(void)
{
	return world_percent(80) ? some_ports[below(DIM(some_ports))] : (uint16_t)below(65536);
}

static void *
keep(struct world_rules *r, size_t bytes)
{
	void *p = malloc(bytes > 0 ? bytes : 1);

	r->memory[r->n_memory++] = p;
	return p;
}

static struct match_ranges
some_ranges(struct world_rules *r, bool is_proto)
{
	static const uint16_t protos[] = {17, 17, 6, 1, 58, 44, 0, 132};
	struct match_ranges list = {.n = 1 + below(world_percent(70) ? 1 : 6)};
	struct u16_range *v = keep(r, list.n * sizeof(*v));

	for (size_t i = 0; i < list.n; i++) {
		v[i].lo = is_proto ? protos[below(DIM(protos))] : a_port();
		v[i].hi = v[i].lo;
		if (world_percent(30))
			v[i].hi = (uint16_t)(v[i].lo + below((is_proto ? 256u : 65536u) - v[i].lo));
	}
	list.v = v;
	return list;
}

/* The addresses of the world: 10.1-3.1-3.1-3 and 2001:db8:1-3::1-3. */
static void
an_address(int family, uint8_t *a)
{
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8};

	if (family == 4) {
		a[0] = 10;
		for (int i = 1; i < 4; i++)
			a[i] = (uint8_t)(1 + below(3));
		return;
	}
	memcpy(a, v6, 16);
	a[5] = (uint8_t)(1 + below(3));
	a[15] = (uint8_t)(1 + below(3));
}

static struct ip_prefix
a_prefix(void)
{
	struct ip_prefix p = {.addr.family = world_percent(60) ? 4 : 6};
	const uint32_t bits = p.addr.family == 4 ? 32 : 128;

	an_address(p.addr.family, p.addr.bytes);
	p.len = (uint8_t)(world_percent(50) ? bits - below(bits / 2) : below(bits + 1));
	for (uint32_t bit = p.len; bit < bits; bit++)
		p.addr.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return p;
}

static struct match_prefixes
some_prefixes(struct world_rules *r)
{
	struct match_prefixes list = {.n = below(world_percent(90) ? 5 : 60)};
	struct ip_prefix *v;

	/* Now and then one large enough for an index, of addresses that are elsewhere. */
	if (world_percent(1))
		list.n = 6000;
	v = keep(r, list.n * sizeof(*v));
	for (size_t i = 0; i < list.n; i++) {
		v[i] = a_prefix();
		if (i >= 60)
			v[i] = (struct ip_prefix){
				.addr = {4,
					{(uint8_t)below(256), (uint8_t)below(256),
						(uint8_t)below(256), (uint8_t)below(256)}},
				.len = 32};
	}
	list.v = v;
	return list;
}

static void
a_scope(struct world_rules *r, struct match_scope *s)
{
	static const enum match_fragments modes[] = {
		MATCH_FRAG_DEFAULT, MATCH_FRAG_MATCH, MATCH_FRAG_ONLY, MATCH_FRAG_NEVER};
	const struct match_rule *before = r->n > 0 ? &r->v[below((uint32_t)r->n)] : NULL;

	s->src.any = s->dst.any = true;
	s->ports = UINT64_MAX;
	if (world_percent(25))
		s->family = world_percent(50) ? 4 : 6;
	if (world_percent(40))
		s->proto = some_ranges(r, true);
	if (world_percent(20))
		s->sport = some_ranges(r, false);
	if (world_percent(30))
		s->dport = some_ranges(r, false);
	if (world_percent(20))
		s->src = some_prefixes(r);
	if (world_percent(30))
		s->dst = before != NULL && world_percent(50) ? before->scope.dst : some_prefixes(r);
	if (world_percent(40))
		s->fragments = modes[below(DIM(modes))];
	if (world_percent(20))
		s->ports = below(16);
}

void
world_rules_make(struct world_rules *r, size_t n)
{
	uint32_t shift = below(256);

	memset(r, 0, sizeof(*r));
	while (r->n < n) {
		struct match_rule *rule = &r->v[r->n];
		const struct source *src = &sources[below(DIM(sources))];

		a_scope(r, &rule->scope);
		rule->name = "r";
		rule->slot = ((uint32_t)r->n * 7 + shift) % 256;
		rule->action = (enum match_action)below(3);
		/* Long lists decide seldom, or their ends would never be asked. */
		if (n > 20 && world_percent(80))
			rule->action = MATCH_COUNT;
		rule->shadow = world_percent(25);
		rule->enabled = world_percent(85);
		rule->scope_only = world_percent(25);
		if (!rule->scope_only) {
			rule->link = src->link;
			rule->generated = src->generated;
			rule->prog[0] = src->prog[0];
			rule->prog[1] = src->prog[1];
		} else {
			rule->link = world_percent(50) ? MATCH_LINK_RAW : MATCH_LINK_ETHER;
			rule->generated = world_percent(10);
		}
		r->n++;
	}
}

void
world_rules_fini(struct world_rules *r)
{
	for (size_t i = 0; i < r->n_memory; i++)
		free(r->memory[i]);
	r->n_memory = 0;
}

/* ---- frames ---- */

static void
put_payload(struct pkt_build *b)
{
	static const char *const names[] = {"x.www.example.uk", "www.example.uk", "a.b.example.uk",
		"a.com", "x.com", "example.com"};
	uint8_t bytes[64];
	uint32_t n = below(40);

	if (world_percent(50)) {
		pkt_build_dns_query(b, (uint16_t)(world_percent(50) ? 0x1234 : below(65536)),
			names[below(DIM(names))], 1, world_percent(30));
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)below(256);
	memcpy(bytes + n, "xxyz", 4);
	pkt_build_bytes(b, bytes, n + 4);
}

static void
put_l4(struct pkt_build *b)
{
	const struct pkt_tcp tcp = {
		.sport = a_port(), .dport = a_port(), .flags = (uint8_t)below(64), .window = 1000};

	switch (below(8)) {
	case 0: pkt_build_icmp(b, (uint8_t)below(140), 0, below(1000)); break;
	case 1: pkt_build_tcp(b, &tcp); break;
	case 2: return put_payload(b);
	default: pkt_build_udp(b, a_port(), a_port()); break;
	}
	put_payload(b);
}

static void
put_ip4(struct pkt_build *b)
{
	static const uint8_t options[40] = {1, 1, 1, 1};
	struct pkt_ip4 ip = {.ttl = (uint8_t)(world_percent(50) ? 64 : 30)};
	uint8_t a[4];

	an_address(4, a);
	ip.src = load_be32(a);
	an_address(4, a);
	ip.dst = load_be32(a);
	if (world_percent(20)) {
		ip.options = options;
		ip.n_options = (uint8_t)(4 * below(11));
	}
	if (world_percent(20))
		ip.frag = (uint16_t)((world_percent(60) ? 0x2000 : 0) |
			(world_percent(60) ? below(9) : 0));
	pkt_build_ip4(b, &ip);
}

static void
put_ip6(struct pkt_build *b)
{
	static const uint8_t types[] = {0, 43, 60};
	static const uint8_t body[64] = {1, 4};
	struct pkt_ip6 ip = {.hop_limit = (uint8_t)(world_percent(50) ? 64 : 30)};
	uint32_t n = world_percent(40) ? below(4) : 0;

	if (world_percent(2))
		n = 9;
	an_address(6, ip.src);
	an_address(6, ip.dst);
	pkt_build_ip6(b, &ip);
	for (uint32_t i = 0; i < n; i++)
		pkt_build_ip6_ext(b, types[below(3)], body, below(sizeof(body)));
	if (world_percent(15))
		pkt_build_ip6_frag(b, (uint16_t)(world_percent(50) ? below(9) : 0),
			world_percent(50), below(99));
}

/* Small lies in lengths and headers, of which some cancel out. */
static void
spoil(uint8_t *p, uint32_t len, uint32_t l3)
{
	const uint32_t at = p[l3] >> 4 == 6 ? l3 + 4 : l3 + 2;

	switch (below(4)) {
	case 0: /* total length or payload length a little off */
		if (at + 2 <= len)
			store_be16(p + at, (uint16_t)(load_be16(p + at) + below(41) - 20));
		break;
	case 1:
		if (at + 2 <= len)
			store_be16(p + at, (uint16_t)(world_percent(50) ? below(48) : 0));
		break;
	case 2: p[below(len)] = (uint8_t)below(256); break;
	case 3: p[l3 + below(MIN(40u, len - l3))] ^= (uint8_t)(1 << below(8)); break;
	}
}

struct world_frame
world_frame_copy(const uint8_t *bytes, uint32_t caplen, uint32_t wirelen)
{
	static uint8_t *slots;
	static uint32_t next;
	struct world_frame f = {.caplen = caplen, .wirelen = wirelen};

	if (slots == NULL) {
		slots = mmap(NULL, (size_t)WORLD_FRAMES * 2 * SLOT, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (slots == MAP_FAILED)
			die("no memory");
		for (size_t i = 0; i < WORLD_FRAMES; i++)
			if (mprotect(slots + (2 * i + 1) * SLOT, SLOT, PROT_NONE) < 0)
				die("no unreadable memory");
	}
	if (caplen > SLOT)
		die("a frame of %u bytes", caplen);
	f.data = slots + (2 * (size_t)(next++ % WORLD_FRAMES) + 1) * SLOT - caplen;
	memcpy(f.data, bytes, caplen);
	return f;
}

struct world_frame
world_frame_make(void)
{
	static const uint16_t tpids[] = {0x8100, 0x88a8, 0x9100};
	uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, buf[2048];
	struct pkt_build b;
	uint32_t tags, l3, len, caplen;

	mac[0] |= (uint8_t)below(2);
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_ether(&b, mac, mac);
	tags = world_percent(25) ? below(3) : world_percent(2) ? 5 : 0;
	for (uint32_t i = 0; i < tags; i++)
		pkt_build_vlan(&b, tpids[below(DIM(tpids))], (uint16_t)(5 + below(4)));
	l3 = (uint32_t)b.len;
	if (world_percent(4)) {
		pkt_build_ethertype(&b, world_percent(50) ? 0x0806 : (uint16_t)below(65536));
		pkt_build_bytes(&b, "\0\1\10\0\6\4\0\1", 8);
	} else {
		if (world_percent(60))
			put_ip4(&b);
		else
			put_ip6(&b);
		put_l4(&b);
	}
	len = (uint32_t)pkt_build_done(&b);
	if (len == 0)
		return world_frame_make(); /* more layers than the builder takes, which is rare */

	while (len < 60)
		buf[len++] = 0;
	if (world_percent(15)) {
		for (uint32_t n = 1 + below(20); n > 0; n--)
			buf[len++] = (uint8_t)(world_percent(50) ? 'z' : below(256));
	}
	if (world_percent(20) && l3 < len)
		spoil(buf, len, l3);
	caplen = world_percent(15) ? below(len + 1) : len;
	return world_frame_copy(buf, caplen, world_percent(95) ? len : len + below(1000));
}
