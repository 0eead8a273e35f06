// SPDX-License-Identifier: BSD-3-Clause
/* Vital frames (lib/pkt/vital.c), within the policer of their class, in eBPF. */
#include "base/parse.h"
#include "base/util.h"
#include "obj.h"
#include "pkt/proto.h"

/* Numbers of the classes; which bucket each has. */
enum { CLASS_ARP = 1, CLASS_LINK, CLASS_ND, CLASS_BFD, CLASS_BGP };

#define ARP_BYTES 28
#define HOPS_DIRECT 255 /* nobody forwarded it */
#define FLAW_TRUNCATED 1

struct labels {
	uint32_t none, class[CLASS_BGP + 1];
};

/* Leave for @none unless the 1-byte field @off is @value. */
static void
need_byte(struct obj *b, int32_t off, int32_t value, uint32_t none)
{
	ebpf_ld(&b->a, EBPF_B, EBPF_R0, REG_FRAME, off);
	ebpf_jmp_imm(&b->a, EBPF_JNE, EBPF_R0, value, none);
}

/* R3 = the destination address at R1, as a number. */
static void
load_mac(struct obj *b)
{
	ebpf_ld(&b->a, EBPF_W, EBPF_R3, EBPF_R1, 0);
	ebpf_be(&b->a, EBPF_R3, 32);
	ebpf_alu_imm(&b->a, EBPF_LSH, EBPF_R3, 16);
	ebpf_ld(&b->a, EBPF_H, EBPF_R2, EBPF_R1, 4);
	ebpf_be(&b->a, EBPF_R2, 16);
	ebpf_alu(&b->a, EBPF_OR, EBPF_R3, EBPF_R2);
}

static void
if_mac(struct obj *b, uint64_t mac, uint32_t label)
{
	ebpf_ld_imm64(&b->a, EBPF_R2, mac);
	ebpf_jmp(&b->a, EBPF_JEQ, EBPF_R3, EBPF_R2, label);
}

/* ARP, LACP, LLDP. */
static void
classify_link(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t arp = ebpf_label(a), slow = ebpf_label(a), lldp = ebpf_label(a);

	ebpf_mov_imm(a, EBPF_R4, 0);
	obj_at(b, EBPF_R4, 14, to->none);
	load_mac(b);
	ebpf_ld(a, EBPF_H, EBPF_R4, REG_FRAME, F(type));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R4, PKT_ETHERTYPE_ARP, arp);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R4, PKT_ETHERTYPE_SLOW, slow);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R4, PKT_ETHERTYPE_LLDP, lldp);
	ebpf_ja(a, to->none);

	ebpf_here(a, arp);
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(wire));
	ebpf_ld(a, EBPF_H, EBPF_R2, REG_FRAME, F(l3));
	ebpf_alu(a, EBPF_SUB, EBPF_R0, EBPF_R2);
	ebpf_jmp_imm(a, EBPF_JLT, EBPF_R0, ARP_BYTES, to->none);
	if_mac(b, UINT64_C(0xffffffffffff), to->class[CLASS_ARP]);
	ebpf_alu_imm(a, EBPF_RSH, EBPF_R3, 40);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R3, 1);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R3, 0, to->class[CLASS_ARP]);
	ebpf_ja(a, to->none);

	ebpf_here(a, slow);
	if_mac(b, UINT64_C(0x0180c2000002), to->class[CLASS_LINK]);
	ebpf_ja(a, to->none);

	ebpf_here(a, lldp);
	if_mac(b, UINT64_C(0x0180c200000e), to->class[CLASS_LINK]);
	if_mac(b, UINT64_C(0x0180c2000003), to->class[CLASS_LINK]);
	if_mac(b, UINT64_C(0x0180c2000000), to->class[CLASS_LINK]);
	ebpf_ja(a, to->none);
}

/* ICMPv6 133 to 137, code 0, of a neighbour, not in fragments. */
static void
classify_nd(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;

	need_byte(b, F(hops), HOPS_DIRECT, to->none);
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R0, KEY_FRAGMENT, to->none);
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(flaws));
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R0, FLAW_TRUNCATED, to->none);
	ebpf_ld(a, EBPF_H, EBPF_R4, REG_FRAME, F(l4));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R4, 0, to->none);
	obj_at(b, EBPF_R4, 8, to->none);
	ebpf_ld(a, EBPF_B, EBPF_R0, EBPF_R1, 0);
	ebpf_jmp_imm(a, EBPF_JLT, EBPF_R0, 133, to->none);
	ebpf_jmp_imm(a, EBPF_JGT, EBPF_R0, 137, to->none);
	ebpf_ld(a, EBPF_B, EBPF_R0, EBPF_R1, 1);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 0, to->class[CLASS_ND]);
	ebpf_ja(a, to->none);
}

/* On to @label when the address at field @off is a peer's. */
static void
if_peer(struct obj *b, int32_t off, uint32_t label)
{
	const struct xdp_opts *o = &b->plan->opts;
	struct ebpf_asm *a = &b->a;

	for (int family = 4; family <= 6; family += 2) {
		const uint32_t other = ebpf_label(a);

		ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
		ebpf_alu_imm(a, EBPF_AND, EBPF_R0, KEY_V6);
		ebpf_jmp_imm(a, family == 4 ? EBPF_JNE : EBPF_JEQ, EBPF_R0, 0, other);
		ebpf_ld(a, EBPF_DW, EBPF_R1, REG_FRAME, off);
		ebpf_ld(a, EBPF_DW, EBPF_R2, REG_FRAME, off + 8);
		for (size_t i = 0; i < o->n_peers; i++) {
			const struct ip_addr *p = &o->peers[i];
			const uint32_t next = ebpf_label(a);

			if (p->family != family)
				continue;
			ebpf_ld_imm64(a, EBPF_R3,
				family == 4 ? load_be32(p->bytes) : load_be64(p->bytes));
			ebpf_jmp(a, EBPF_JNE, EBPF_R1, EBPF_R3, next);
			if (family == 6) {
				ebpf_ld_imm64(a, EBPF_R3, load_be64(p->bytes + 8));
				ebpf_jmp(a, EBPF_JNE, EBPF_R2, EBPF_R3, next);
			}
			ebpf_ja(a, label);
			ebpf_here(a, next);
		}
		ebpf_here(a, other);
	}
}

static void
classify_bfd(struct obj *b, const struct labels *to)
{
	static const uint16_t ports[] = {3784, 3785, 4784};
	struct ebpf_asm *a = &b->a;
	const uint32_t bfd = ebpf_label(a);

	ebpf_ld(a, EBPF_H, EBPF_R0, REG_FRAME, F(dport));
	for (size_t i = 0; i < DIM(ports); i++)
		ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, ports[i], bfd);
	ebpf_ja(a, to->none);
	ebpf_here(a, bfd);
	ebpf_ld(a, EBPF_B, EBPF_R0, REG_FRAME, F(hops));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, HOPS_DIRECT, to->class[CLASS_BFD]);
	if_peer(b, F(src), to->class[CLASS_BFD]);
	ebpf_ja(a, to->none);
}

static void
classify_bgp(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t bgp = ebpf_label(a);

	ebpf_ld(a, EBPF_H, EBPF_R0, REG_FRAME, F(sport));
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 179, bgp);
	ebpf_ld(a, EBPF_H, EBPF_R0, REG_FRAME, F(dport));
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R0, 179, to->none);
	ebpf_here(a, bgp);
	if (b->plan->opts.gtsm)
		need_byte(b, F(hops), HOPS_DIRECT, to->none);
	if_peer(b, F(src), to->class[CLASS_BGP]);
	if_peer(b, F(dst), to->class[CLASS_BGP]);
	ebpf_ja(a, to->none);
}

static void
classify(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t ip = ebpf_label(a), nd = ebpf_label(a), bfd = ebpf_label(a);
	const uint32_t bgp = ebpf_label(a), ports = ebpf_label(a);

	ebpf_ld(a, EBPF_W, EBPF_R5, REG_FRAME, F(key));
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R5, KEY_IP, ip);
	classify_link(b, to);
	ebpf_here(a, ip);
	ebpf_ld(a, EBPF_B, EBPF_R0, REG_FRAME, F(proto));
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R0, 58, ports);
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R5, KEY_V6, nd);
	ebpf_here(a, ports);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R5, KEY_PORTS);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R5, 0, to->none);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 17, bfd);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 6, bgp);
	ebpf_ja(a, to->none);
	ebpf_here(a, nd);
	classify_nd(b, to);
	ebpf_here(a, bfd);
	classify_bfd(b, to);
	ebpf_here(a, bgp);
	classify_bgp(b, to);
}

/*
 * A frame of the class in R6: it is vital where the class's bucket has room. The
 * bucket is the clock at which it will be full again (GCRA).
 */
static void
police(struct obj *b, uint32_t none)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t later = ebpf_label(a);
	uint64_t cost_ns, depth_ns;

	plan_vital(b->plan, &cost_ns, &depth_ns);
	if (cost_ns != 0) {
		ebpf_alu_imm(a, EBPF_AND, EBPF_R6, 7);
		ebpf_alu_imm(a, EBPF_LSH, EBPF_R6, 3);
		ebpf_alu(a, EBPF_ADD, EBPF_R6, REG_FRAME);
		ebpf_call(a, EBPF_KTIME_GET_NS);
		ebpf_ld(a, EBPF_DW, EBPF_R1, EBPF_R6, F(full_at));
		ebpf_jmp(a, EBPF_JGT, EBPF_R1, EBPF_R0, later);
		ebpf_mov(a, EBPF_R1, EBPF_R0);
		ebpf_here(a, later);
		ebpf_mov(a, EBPF_R2, EBPF_R1);
		ebpf_alu(a, EBPF_SUB, EBPF_R2, EBPF_R0);
		ebpf_ld_imm64(a, EBPF_R3, depth_ns);
		ebpf_jmp(a, EBPF_JGT, EBPF_R2, EBPF_R3, none);
		ebpf_alu_imm(a, EBPF_ADD, EBPF_R1, (int32_t)cost_ns);
		ebpf_st(a, EBPF_DW, EBPF_R6, F(full_at), EBPF_R1);
	}
	ebpf_st_imm(a, EBPF_B, REG_FRAME, F(vital), 1);
}

void
obj_vital(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t found = ebpf_label(a);
	struct labels to = {.none = ebpf_label(a)};

	if (!b->plan->opts.vital)
		return;
	for (int c = CLASS_ARP; c <= CLASS_BGP; c++)
		to.class[c] = ebpf_label(a);
	obj_load_data(b);
	classify(b, &to);
	for (int c = CLASS_ARP; c <= CLASS_BGP; c++) {
		ebpf_here(a, to.class[c]);
		ebpf_mov_imm(a, EBPF_R6, c);
		ebpf_ja(a, found);
	}
	ebpf_here(a, found);
	police(b, to.none);
	ebpf_here(a, to.none);
}
