// SPDX-License-Identifier: BSD-3-Clause
#include "progs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "filters.h"
#include "oracle_pcap.h"

static const uint16_t codes[] = {
#define X(id, code, name, form) code,
	CBPF_OPCODES(X)
#undef X
};

/* Numbers at which arithmetic and bounds have their edges, and small ones. */
static uint32_t
random_k(struct rng *r)
{
	static const uint32_t edges[] = {0, 1, 2, 4, 14, 20, 31, 32, 60, 0x7f, 0x80, 0xff, 0x100,
		0x800, 0x1fff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffc,
		0xfffffffe, 0xffffffff};

	switch (rng_below(r, 4)) {
	case 0: return edges[rng_below(r, DIM(edges))];
	case 1: return (uint32_t)rng_next(r);
	default: return rng_below(r, 80);
	}
}

/* A load from somewhere in a frame of usual size. */
static uint32_t
random_offset(struct rng *r)
{
	return rng_below(r, 40) == 0 ? random_k(r) : rng_below(r, 60);
}

static void
fill(struct rng *r, struct cbpf_insn *in, size_t left)
{
	uint32_t reach = (uint32_t)MIN(left, (size_t)255);

	in->k = random_k(r);
	switch (in->code & 7) {
	case 0:
	case 1:
		if ((in->code & 0xe0) == 0x20 || (in->code & 0xe0) == 0x40 || in->code == 0xb1)
			in->k = random_offset(r);
		else if ((in->code & 0xe0) == 0x60)
			in->k = rng_below(r, 3);
		break;
	case 2:
	case 3: in->k = rng_below(r, 3); break;
	case 4:
		if (in->code == CBPF_CODE_ALU_LSH_K || in->code == CBPF_CODE_ALU_RSH_K)
			in->k = rng_below(r, 32);
		break;
	case 5:
		if (in->code == CBPF_CODE_JA) {
			in->k = rng_below(r, MIN(reach, 4u));
			break;
		}
		/* Far and near, and often the same exit as others. */
		in->jt = (uint8_t)rng_below(r, rng_below(r, 2) ? MIN(reach, 3u) : reach);
		in->jf = (uint8_t)(rng_below(r, 3) == 0 ? reach - 1 : rng_below(r, MIN(reach, 4u)));
		break;
	default:
		if (rng_below(r, 2))
			in->k = rng_below(r, 2) ? 0xffff : 0;
		break;
	}
}

/* Loads and tests are what programs mostly consist of. */
static uint16_t
random_code(struct rng *r)
{
	static const uint16_t common[] = {CBPF_CODE_LD_W_ABS, CBPF_CODE_LD_H_ABS,
		CBPF_CODE_LD_B_ABS, CBPF_CODE_LD_W_IND, CBPF_CODE_LD_H_IND, CBPF_CODE_LD_B_IND,
		CBPF_CODE_LDX_MSH, CBPF_CODE_JEQ_K, CBPF_CODE_JEQ_K, CBPF_CODE_JSET_K,
		CBPF_CODE_JGT_K, CBPF_CODE_ALU_AND_K, CBPF_CODE_ALU_OR_K, CBPF_CODE_TAX,
		CBPF_CODE_ALU_ADD_X, CBPF_CODE_ALU_ADD_K};

	for (;;) {
		uint16_t code = rng_below(r, 2) ? common[rng_below(r, DIM(common))]
						: codes[rng_below(r, DIM(codes))];

		if ((code & 7) != 6 || rng_below(r, 4) == 0)
			return code;
	}
}

struct cbpf_prog *
progs_random(struct rng *r)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn insns[64];

	for (;;) {
		size_t n = 3 + rng_below(r, rng_below(r, 4) == 0 ? 60 : 16), i = 0;

		/* Stores first, so that most reads of M[] are legal. */
		for (; rng_below(r, 3) == 0 && i < 3 && i < n - 1; i++)
			insns[i] = (struct cbpf_insn){CBPF_CODE_ST, 0, 0, (uint32_t)i};
		for (; i < n - 1; i++) {
			insns[i] = (struct cbpf_insn){random_code(r), 0, 0, 0};
			fill(r, &insns[i], n - 1 - i);
		}
		insns[n - 1] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, rng_below(r, 3) ? 0 : 7};
		if (rng_below(r, 8) == 0)
			insns[n - 1].code = CBPF_CODE_RET_A;
		else
			insns[n - 2] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 0xffff};
		if (cbpf_prog_new(insns, n, &prog, NULL) == 0)
			return prog;
	}
}

static const struct {
	const char *expr;
	bool raw;
} exprs[] = {
	{"ip and udp port 53", false},
	{"udp port 53 or tcp port 80", false},
	{"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", false},
	{"src net 192.0.2.0/24 and not icmp", false},
	{"ip6 and udp dst port 53", false},
	{"host 198.51.100.7 or host 2001:db8::1", false},
	{"vlan 5 and ip and tcp dst portrange 1000-2000", false},
	{"ether host 02:00:00:00:00:01 or arp", false},
	{"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", false},
	{"ip[8] > 60 and ip[8] <= 64 and ip[6:2] & 0x3fff = 0", true},
	{"udp[8:4] & 0xdfdfdfdf = 0x41424344 and len >= 60", true},
	{"ip[0] >> 4 = 4 and ip[2:2] % 8 = 3", true},
	{"udp[4:2] * 4 > ip[2:2] + 8 and greater 30", true},
	{"dst port 53 or 123 or 161 or 389 or 1900 or 11211", true},
	{"ip proto 17 and ip[4:2] ^ 0x5555 = 0x1234", true},
};

static struct cbpf_insn *
real_insns(struct rng *r, size_t *n)
{
	uint32_t i = rng_below(r, (uint32_t)(DIM(exprs) + FILTERS_COUNT));
	struct cbpf_insn *insns = NULL;

	if (i >= DIM(exprs)) {
		if (cbpf_asm(filters[i - DIM(exprs)].text, &insns, n, NULL) < 0)
			abort();
		return insns;
	}
	insns = mem_calloc(PROGS_MAX_INSNS, sizeof(*insns));
	if (insns == NULL)
		abort();
	*n = oracle_compile(
		exprs[i].expr, exprs[i].raw, rng_below(r, 3) > 0, insns, PROGS_MAX_INSNS);
	if (*n == 0)
		abort();
	return insns;
}

static void
mutate(struct rng *r, struct cbpf_insn *insns, size_t n)
{
	struct cbpf_insn *in = &insns[rng_below(r, (uint32_t)n)];

	switch (rng_below(r, 6)) {
	case 0: in->k ^= 1u << rng_below(r, 32); break;
	case 1: in->k += rng_below(r, 9) - 4; break;
	case 2: in->code = codes[rng_below(r, DIM(codes))]; break;
	case 3: in->jt = (uint8_t)rng_below(r, (uint32_t)MIN(n, (size_t)255)); break;
	case 4: in->jf = (uint8_t)rng_below(r, (uint32_t)MIN(n, (size_t)255)); break;
	default: in->k = random_k(r); break;
	}
}

struct cbpf_prog *
progs_real(struct rng *r)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns, *copy;
	size_t n;

	insns = real_insns(r, &n);
	copy = malloc(n * sizeof(*copy));
	if (copy == NULL)
		abort();
	do {
		memcpy(copy, insns, n * sizeof(*copy));
		for (uint32_t i = rng_below(r, 5); i > 0; i--)
			mutate(r, copy, n);
	} while (cbpf_prog_new(copy, n, &prog, NULL) < 0);
	free(copy);
	mem_free(insns);
	return prog;
}

void
frame_random(struct rng *r, struct frame *f)
{
	static const uint8_t eth_ip_udp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0,
		60, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7, 0x30, 0x39, 0, 53};
	uint32_t kind = rng_below(r, 3);

	f->len = rng_below(r, 8) == 0 ? rng_below(r, 300) : 40 + rng_below(r, 60);
	for (uint32_t i = 0; i < FRAME_MAX; i += 8) {
		uint64_t v = rng_next(r);

		memcpy(f->bytes + i, &v, 8);
	}
	if (kind == 1)
		memcpy(f->bytes, eth_ip_udp, sizeof(eth_ip_udp));
	else if (kind == 2)
		memcpy(f->bytes, eth_ip_udp + 14, sizeof(eth_ip_udp) - 14);
}
