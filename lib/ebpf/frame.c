// SPDX-License-Identifier: BSD-3-Clause
/*
 * From an XDP context to what programs see. The verifier walks all that follows
 * once for each different state it arrives in, so that the ways through tags and
 * families are made to end in the same one.
 */
#include "base/util.h"
#include "ebpf/lower.h"

enum {
	ETHER_BYTES = 14,
	ETHER_TYPE = 12,
	TAG_BYTES = 4,
	MAX_TAGS = 4,
	TAGS_MASK = 0x1c, /* all numbers of tags, in bytes */
	IP4_BYTES = 20,
	IP6_BYTES = 40,
	IP4_LEN = 2,
	IP6_LEN = 4,
	IP6_NEXT = 6,
	NO_NEXT = 59,
};

/* As a little-endian machine loads them. */
#define TYPE_IP4 0x0008
#define TYPE_IP6 0xdd86

static const uint16_t tag_types[] = {0x0081, 0xa888, 0x0091};

#define REG_DATA EBPF_R1 /* the frame's first byte */
#define REG_TMP EBPF_R2
#define REG_TYPE EBPF_R3 /* then the datagram's length */
#define REG_TAGS EBPF_R4 /* bytes of tags */
#define REG_HEADER EBPF_R5
#define REG_HAVE EBPF_R2 /* bytes from the datagram's start to the frame's end */
#define REG_LEN EBPF_R3

/* Leave for @label unless @n bytes at @from are there. */
static void
need(struct ebpf_asm *a, const struct ebpf_pkt *pkt, enum ebpf_reg from, int32_t n, uint32_t label)
{
	ebpf_mov(a, REG_TMP, from);
	ebpf_alu_imm(a, EBPF_ADD, REG_TMP, n);
	ebpf_jmp(a, EBPF_JGT, REG_TMP, pkt->end, label);
}

/* One more tag, or on to @done. */
static void
step_over_tag(
	struct ebpf_asm *a, const struct ebpf_pkt *pkt, int32_t off, uint32_t done, uint32_t not_ip)
{
	uint32_t tag = ebpf_label(a);

	for (size_t i = 0; i + 1 < DIM(tag_types); i++)
		ebpf_jmp_imm(a, EBPF_JEQ, REG_TYPE, tag_types[i], tag);
	ebpf_jmp_imm(a, EBPF_JNE, REG_TYPE, tag_types[DIM(tag_types) - 1], done);
	ebpf_here(a, tag);
	need(a, pkt, REG_DATA, off + TAG_BYTES, not_ip);
	ebpf_ld(a, EBPF_H, REG_TYPE, REG_DATA, off + 2);
	ebpf_alu_imm(a, EBPF_ADD, REG_TAGS, TAG_BYTES);
}

/*
 * start = the first byte behind the link layer, REG_TYPE its type. A number xor
 * itself is 0, which the verifier does not see: with it start is a pointer plus
 * something between 0 and 28, however many tags there were, and not five
 * different pointers.
 */
static void
skip_link(struct ebpf_asm *a, const struct ebpf_pkt *pkt, uint32_t not_ip)
{
	uint32_t done = ebpf_label(a);

	need(a, pkt, REG_DATA, ETHER_BYTES, not_ip);
	ebpf_ld(a, EBPF_H, REG_TYPE, REG_DATA, ETHER_TYPE);
	ebpf_mov(a, REG_TAGS, REG_TYPE);
	ebpf_alu(a, EBPF_XOR, REG_TAGS, REG_TYPE);
	ebpf_alu_imm(a, EBPF_AND, REG_TAGS, TAGS_MASK);
	for (int32_t i = 0; i < MAX_TAGS; i++)
		step_over_tag(a, pkt, ETHER_BYTES + TAG_BYTES * i, done, not_ip);
	ebpf_here(a, done);
	ebpf_alu_imm(a, EBPF_AND, REG_TAGS, TAGS_MASK);
	ebpf_mov(a, pkt->start, REG_DATA);
	ebpf_alu(a, EBPF_ADD, pkt->start, REG_TAGS);
	ebpf_alu_imm(a, EBPF_ADD, pkt->start, ETHER_BYTES);
}

/* The fixed header of @family must be there and say so; REG_LEN = its length field. */
static void
need_header(struct ebpf_asm *a, const struct ebpf_pkt *pkt, int32_t family, int32_t bytes,
	int32_t len_at, uint32_t not_ip)
{
	need(a, pkt, pkt->start, bytes, not_ip);
	ebpf_ld(a, EBPF_B, REG_HEADER, pkt->start, 0);
	ebpf_mov(a, EBPF_R0, REG_HEADER);
	ebpf_alu_imm(a, EBPF_RSH, EBPF_R0, 4);
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R0, family, not_ip);
	ebpf_ld(a, EBPF_H, REG_LEN, pkt->start, len_at);
	ebpf_be(a, REG_LEN, 16);
	ebpf_mov(a, REG_HAVE, pkt->end);
	ebpf_alu(a, EBPF_SUB, REG_HAVE, pkt->start);
}

/* A length below the header's is nonsense: the frame's own end counts. */
static void
ip4_length(struct ebpf_asm *a, uint32_t done)
{
	uint32_t nonsense = ebpf_label(a);

	ebpf_alu_imm(a, EBPF_AND, REG_HEADER, 15);
	ebpf_alu_imm(a, EBPF_LSH, REG_HEADER, 2);
	ebpf_jmp(a, EBPF_JLT, REG_LEN, REG_HEADER, nonsense);
	ebpf_jmp_imm(a, EBPF_JGE, REG_LEN, IP4_BYTES, done);
	ebpf_here(a, nonsense);
	ebpf_mov(a, REG_LEN, REG_HAVE);
	ebpf_ja(a, done);
}

/* So is none, where something follows: a jumbogram, or nonsense. */
static void
ip6_length(struct ebpf_asm *a, const struct ebpf_pkt *pkt, uint32_t done)
{
	uint32_t usual = ebpf_label(a);

	ebpf_jmp_imm(a, EBPF_JNE, REG_LEN, 0, usual);
	ebpf_ld(a, EBPF_B, REG_HEADER, pkt->start, IP6_NEXT);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_HEADER, NO_NEXT, usual);
	ebpf_mov(a, REG_LEN, REG_HAVE);
	ebpf_ja(a, done);
	ebpf_here(a, usual);
	ebpf_alu_imm(a, EBPF_ADD, REG_LEN, IP6_BYTES);
}

static void
keep_len(struct ebpf_asm *a, const struct ebpf_pkt *pkt, enum ebpf_reg len)
{
	if (pkt->len != EBPF_NO_REG)
		ebpf_mov(a, pkt->len, len);
	else
		ebpf_st(a, EBPF_DW, EBPF_FP, pkt->len_slot, len);
}

/* IPv4 comes first: the verifier, too, finds fewer checked bytes first, and is content with more. */
void
ebpf_xdp_datagram(
	struct ebpf_asm *a, enum ebpf_reg ctx, const struct ebpf_pkt *pkt, uint32_t not_ip)
{
	uint32_t six = ebpf_label(a), done = ebpf_label(a), cut = ebpf_label(a);

	ebpf_ld(a, EBPF_W, pkt->end, ctx, EBPF_XDP_MD_DATA_END);
	ebpf_ld(a, EBPF_W, REG_DATA, ctx, EBPF_XDP_MD_DATA);
	skip_link(a, pkt, not_ip);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_TYPE, TYPE_IP6, six);
	ebpf_jmp_imm(a, EBPF_JNE, REG_TYPE, TYPE_IP4, not_ip);
	need_header(a, pkt, 4, IP4_BYTES, IP4_LEN, not_ip);
	ip4_length(a, done);
	ebpf_here(a, six);
	need_header(a, pkt, 6, IP6_BYTES, IP6_LEN, not_ip);
	ip6_length(a, pkt, done);
	ebpf_here(a, done);
	ebpf_mov(a, pkt->avail, REG_LEN);
	ebpf_jmp(a, EBPF_JLE, REG_LEN, REG_HAVE, cut);
	ebpf_mov(a, pkt->avail, REG_HAVE);
	ebpf_here(a, cut);
	ebpf_zero(a, REG_TAGS, pkt, REG_HEADER);
	ebpf_alu(a, EBPF_XOR, pkt->avail, REG_TAGS);
	ebpf_alu(a, EBPF_XOR, REG_LEN, REG_TAGS);
	keep_len(a, pkt, REG_LEN);
}

void
ebpf_xdp_frame(struct ebpf_asm *a, enum ebpf_reg ctx, const struct ebpf_pkt *pkt)
{
	ebpf_ld(a, EBPF_W, pkt->end, ctx, EBPF_XDP_MD_DATA_END);
	ebpf_ld(a, EBPF_W, pkt->start, ctx, EBPF_XDP_MD_DATA);
	ebpf_mov(a, REG_TMP, pkt->end);
	ebpf_alu(a, EBPF_SUB, REG_TMP, pkt->start);
	keep_len(a, pkt, REG_TMP);
}
