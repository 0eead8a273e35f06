// SPDX-License-Identifier: BSD-3-Clause
/*
 * The parser of the data plane (lib/pkt/view.c), in eBPF.
 *
 * R3 is what the frame says itself to be (type, then protocol), R4 where the
 * parser stands. Both go through the map's value wherever ways meet, so that
 * the verifier walks on once and not once for each way.
 */
#include "obj.h"
#include "pkt/proto.h"

/* Bits of obj_frame.flaws. */
enum { TRUNCATED = 1, MALFORMED = 2 };

#define EXT_MIN 8 /* bytes of the shortest extension header */

#define REG_WHAT EBPF_R3
#define REG_OFF EBPF_R4

/* Where ways meet. */
struct labels {
	uint32_t truncated, malformed, done, l4, ip4, ip6;
};

static void
load16(struct obj *b, enum ebpf_reg dst, enum ebpf_reg from, int32_t off)
{
	ebpf_ld(&b->a, EBPF_H, dst, from, off);
	ebpf_be(&b->a, dst, 16);
}

/* *(R9 + @off) |= @bits; @tmp is lost. */
static void
set_bits(struct obj *b, int32_t off, int32_t bits, enum ebpf_reg tmp)
{
	ebpf_ld(&b->a, EBPF_W, tmp, REG_FRAME, off);
	ebpf_alu_imm(&b->a, EBPF_OR, tmp, bits);
	ebpf_st(&b->a, EBPF_W, REG_FRAME, off, tmp);
}

/* Copy a big-endian number of the frame into the map's value, in host order. */
static void
keep(struct obj *b, enum ebpf_size size, int32_t to, enum ebpf_reg from, int32_t off)
{
	ebpf_ld(&b->a, size, EBPF_R2, from, off);
	if (size != EBPF_B)
		ebpf_be(&b->a, EBPF_R2, size == EBPF_H ? 16 : size == EBPF_W ? 32 : 64);
	/* Addresses of 4 bytes stand in fields of 8. */
	ebpf_st(&b->a, size == EBPF_W ? EBPF_DW : size, REG_FRAME, to, EBPF_R2);
}

/* The field that holds R4, and R4 from it: for the verifier another number. */
static void
keep_off(struct obj *b, int32_t to)
{
	ebpf_st(&b->a, EBPF_H, REG_FRAME, to, REG_OFF);
	ebpf_ld(&b->a, EBPF_H, REG_OFF, REG_FRAME, to);
}

/*
 * The datagram has as many bytes as R0 says, of which no more are readable than
 * the frame has behind l3. R1, R2 are lost.
 */
static void
set_l3(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t whole = ebpf_label(a);

	ebpf_st(a, EBPF_W, REG_FRAME, F(len), EBPF_R0);
	ebpf_st(a, EBPF_W, REG_FRAME, F(bytes), EBPF_R0);
	ebpf_ld(a, EBPF_W, EBPF_R1, REG_FRAME, F(wire));
	ebpf_ld(a, EBPF_H, EBPF_R2, REG_FRAME, F(l3));
	ebpf_alu(a, EBPF_SUB, EBPF_R1, EBPF_R2);
	ebpf_jmp(a, EBPF_JLE, EBPF_R0, EBPF_R1, whole);
	ebpf_mov(a, EBPF_R0, EBPF_R1);
	ebpf_here(a, whole);
	ebpf_st(a, EBPF_W, REG_FRAME, F(cap), EBPF_R0);
}

/* R0 = the frame's bytes behind l3, which end the datagram where its length cannot be. */
static void
rest_of_frame(struct obj *b)
{
	ebpf_ld(&b->a, EBPF_W, EBPF_R0, REG_FRAME, F(wire));
	ebpf_ld(&b->a, EBPF_H, EBPF_R2, REG_FRAME, F(l3));
	ebpf_alu(&b->a, EBPF_SUB, EBPF_R0, EBPF_R2);
}

/* R0 = readable bytes of the datagram behind R4; R2 is lost. */
static void
bytes_left(struct obj *b)
{
	ebpf_ld(&b->a, EBPF_W, EBPF_R0, REG_FRAME, F(cap));
	ebpf_ld(&b->a, EBPF_H, EBPF_R2, REG_FRAME, F(l3));
	ebpf_alu(&b->a, EBPF_ADD, EBPF_R0, EBPF_R2);
	ebpf_alu(&b->a, EBPF_SUB, EBPF_R0, REG_OFF);
}

/* The first byte at R1 has the version in its upper half. */
static void
need_version(struct obj *b, int32_t version, const struct labels *to)
{
	ebpf_ld(&b->a, EBPF_B, EBPF_R0, EBPF_R1, 0);
	ebpf_alu_imm(&b->a, EBPF_RSH, EBPF_R0, 4);
	ebpf_jmp_imm(&b->a, EBPF_JNE, EBPF_R0, version, to->malformed);
}

/* R5 = the header's bytes, R0 = the total length. */
static void
ip4_length(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t wrong = ebpf_label(a), end = ebpf_label(a), done = ebpf_label(a);
	const uint32_t right = ebpf_label(a);

	ebpf_jmp_imm(a, EBPF_JLT, EBPF_R5, PKT_IP4_BYTES, wrong);
	ebpf_jmp(a, EBPF_JGE, EBPF_R0, EBPF_R5, right);
	ebpf_here(a, wrong);
	set_bits(b, F(flaws), MALFORMED, EBPF_R2);
	ebpf_jmp(a, EBPF_JLT, EBPF_R0, EBPF_R5, end);
	ebpf_jmp_imm(a, EBPF_JGE, EBPF_R0, PKT_IP4_BYTES, done);
	ebpf_here(a, end);
	rest_of_frame(b);
	ebpf_ja(a, done);
	ebpf_here(a, right);
	ebpf_here(a, done);
	set_l3(b);
}

static void
parse_ip4(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t whole = ebpf_label(a), first = ebpf_label(a);

	ebpf_here(a, to->ip4);
	obj_at(b, REG_OFF, PKT_IP4_BYTES, to->truncated);
	need_version(b, 4, to);
	set_bits(b, F(key), KEY_IP, EBPF_R2);
	keep(b, EBPF_B, F(hops), EBPF_R1, 8);
	keep(b, EBPF_B, F(proto), EBPF_R1, 9);
	keep(b, EBPF_W, F(src), EBPF_R1, 12);
	keep(b, EBPF_W, F(dst), EBPF_R1, 16);
	ebpf_ld(a, EBPF_B, EBPF_R5, EBPF_R1, 0);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R5, 15);
	ebpf_alu_imm(a, EBPF_LSH, EBPF_R5, 2);
	load16(b, REG_WHAT, EBPF_R1, 6); /* the fragment's bits, for now */
	load16(b, EBPF_R0, EBPF_R1, 2);
	ip4_length(b);

	ebpf_jmp_imm(a, EBPF_JSET, REG_WHAT, 0x3fff, first);
	ebpf_ja(a, whole);
	ebpf_here(a, first);
	set_bits(b, F(key), KEY_FRAGMENT, EBPF_R2);
	ebpf_alu_imm(a, EBPF_AND, REG_WHAT, 0x1fff);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, 0, whole);
	set_bits(b, F(key), KEY_LATER, EBPF_R2);
	ebpf_here(a, whole);

	ebpf_jmp_imm(a, EBPF_JLT, EBPF_R5, PKT_IP4_BYTES, to->done);
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(cap));
	ebpf_jmp(a, EBPF_JGT, EBPF_R5, EBPF_R0, to->truncated);
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R0, KEY_LATER, to->done);
	ebpf_alu(a, EBPF_ADD, REG_OFF, EBPF_R5);
	ebpf_ja(a, to->l4);
}

/* On to @label where R3 is one of the headers that Linux walks. */
static void
if_ext(struct obj *b, uint32_t label)
{
	static const uint8_t exts[] = {PKT_PROTO_HOPOPTS, PKT_PROTO_ROUTING, PKT_PROTO_FRAGMENT,
		PKT_PROTO_AH, PKT_PROTO_DSTOPTS};

	for (size_t i = 0; i < sizeof(exts); i++)
		ebpf_jmp_imm(&b->a, EBPF_JEQ, REG_WHAT, exts[i], label);
}

/* The fragment header at R1; a later one ends the walk at @later. */
static void
fragment(struct obj *b, uint32_t whole, uint32_t later)
{
	struct ebpf_asm *a = &b->a;

	load16(b, EBPF_R5, EBPF_R1, 2);
	ebpf_alu_imm(a, EBPF_AND, EBPF_R5, 0xfff9);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R5, 0, whole);
	set_bits(b, F(key), KEY_FRAGMENT, EBPF_R2);
	ebpf_jmp_imm(a, EBPF_JSET, EBPF_R5, 0xfff8, later);
}

/* Step over the extension header at R4, which is of type R3. */
static void
step_over_ext(struct obj *b, const struct labels *to, uint32_t later)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t is_ext = ebpf_label(a), ah = ebpf_label(a), frag = ebpf_label(a);
	const uint32_t sized = ebpf_label(a), next = ebpf_label(a);

	ebpf_ld(a, EBPF_B, REG_WHAT, REG_FRAME, F(proto));
	if_ext(b, is_ext);
	ebpf_ja(a, to->l4);
	ebpf_here(a, is_ext);
	ebpf_ld(a, EBPF_B, REG_WHAT, REG_FRAME, F(proto));
	bytes_left(b);
	ebpf_jmp_imm(a, EBPF_JLT, EBPF_R0, EXT_MIN, to->truncated);
	obj_at(b, REG_OFF, EXT_MIN, to->truncated);
	ebpf_ld(a, EBPF_B, EBPF_R5, EBPF_R1, 1);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, PKT_PROTO_AH, ah);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, PKT_PROTO_FRAGMENT, frag);
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R5, 1);
	ebpf_alu_imm(a, EBPF_LSH, EBPF_R5, 3);
	ebpf_ja(a, sized);
	ebpf_here(a, ah);
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R5, 2);
	ebpf_alu_imm(a, EBPF_LSH, EBPF_R5, 2);
	ebpf_here(a, sized);
	ebpf_jmp(a, EBPF_JGT, EBPF_R5, EBPF_R0, to->truncated);
	keep(b, EBPF_B, F(proto), EBPF_R1, 0);
	ebpf_alu(a, EBPF_ADD, REG_OFF, EBPF_R5);
	ebpf_ja(a, next);
	ebpf_here(a, frag);
	keep(b, EBPF_B, F(proto), EBPF_R1, 0);
	ebpf_alu_imm(a, EBPF_ADD, REG_OFF, EXT_MIN);
	fragment(b, next, later);
	ebpf_here(a, next);
	keep_off(b, F(off));
}

static void
parse_ip6(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t usual = ebpf_label(a), set = ebpf_label(a), exts = ebpf_label(a);

	ebpf_here(a, to->ip6);
	obj_at(b, REG_OFF, PKT_IP6_BYTES, to->truncated);
	need_version(b, 6, to);
	set_bits(b, F(key), KEY_IP | KEY_V6, EBPF_R2);
	keep(b, EBPF_H, F(paylen), EBPF_R1, 4);
	keep(b, EBPF_B, F(proto), EBPF_R1, 6);
	keep(b, EBPF_B, F(hops), EBPF_R1, 7);
	for (int i = 0; i < 2; i++) {
		keep(b, EBPF_DW, F(src) + 8 * i, EBPF_R1, 8 + 8 * i);
		keep(b, EBPF_DW, F(dst) + 8 * i, EBPF_R1, 24 + 8 * i);
	}
	ebpf_ld(a, EBPF_B, REG_WHAT, REG_FRAME, F(proto));
	ebpf_ld(a, EBPF_H, EBPF_R0, REG_FRAME, F(paylen));
	ebpf_jmp_imm(a, EBPF_JNE, EBPF_R0, 0, usual);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, PKT_PROTO_NONE, usual);
	set_bits(b, F(flaws), MALFORMED, EBPF_R2);
	rest_of_frame(b);
	ebpf_ja(a, set);
	ebpf_here(a, usual);
	ebpf_alu_imm(a, EBPF_ADD, EBPF_R0, PKT_IP6_BYTES);
	ebpf_here(a, set);
	set_l3(b);
	ebpf_alu_imm(a, EBPF_ADD, REG_OFF, PKT_IP6_BYTES);
	keep_off(b, F(off));
	ebpf_ld(a, EBPF_B, REG_WHAT, REG_FRAME, F(proto));
	if_ext(b, exts);
	ebpf_ja(a, to->l4);

	ebpf_here(a, exts);
	set_bits(b, F(key), KEY_EXTS, EBPF_R2);
	for (int i = 0; i < PKT_EXTS_MAX; i++) {
		const uint32_t later = ebpf_label(a), next = ebpf_label(a);

		step_over_ext(b, to, later);
		ebpf_ja(a, next);
		ebpf_here(a, later);
		set_bits(b, F(key), KEY_LATER, EBPF_R2);
		ebpf_ja(a, to->done);
		ebpf_here(a, next);
	}
	/* Another one: nobody looks further. */
	ebpf_ld(a, EBPF_B, REG_WHAT, REG_FRAME, F(proto));
	if_ext(b, to->done);
}

/* Bytes of the fixed part of each header; where they are not there, it is truncated. */
static const struct {
	uint8_t proto, bytes, ports;
} l4_headers[] = {
	{PKT_PROTO_UDP, 8, 1},
	{PKT_PROTO_TCP, 20, 1},
	{PKT_PROTO_ICMP, 8, 0},
	{PKT_PROTO_ICMP6, 8, 0},
	{PKT_PROTO_UDPLITE, 8, 1},
	{PKT_PROTO_SCTP, 12, 1},
	{PKT_PROTO_DCCP, 12, 1},
};

/*
 * The IPv6 header as if there were no extension headers, where there are some.
 * L4 is found; R4 is where.
 */
static void
make_head(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t short_ = ebpf_label(a);

	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
	ebpf_alu_imm(a, EBPF_AND, EBPF_R0, KEY_EXTS);
	ebpf_jmp_imm(a, EBPF_JEQ, EBPF_R0, 0, to->done);
	ebpf_ld(a, EBPF_H, EBPF_R5, REG_FRAME, F(l3));
	obj_at(b, EBPF_R5, PKT_IP6_BYTES, to->done);
	for (int i = 0; i < 5; i++) {
		ebpf_ld(a, EBPF_DW, EBPF_R2, EBPF_R1, 8 * i);
		ebpf_st(a, EBPF_DW, REG_FRAME, F(head) + 8 * i, EBPF_R2);
	}
	/* What was cut out is missing in the length, too, unless that says nothing. */
	ebpf_ld(a, EBPF_H, EBPF_R2, REG_FRAME, F(bare));
	ebpf_alu(a, EBPF_SUB, EBPF_R2, EBPF_R5);
	ebpf_ld(a, EBPF_H, EBPF_R0, REG_FRAME, F(paylen));
	ebpf_jmp(a, EBPF_JLT, EBPF_R0, EBPF_R2, short_);
	ebpf_alu(a, EBPF_SUB, EBPF_R0, EBPF_R2);
	ebpf_here(a, short_);
	ebpf_be(a, EBPF_R0, 16);
	ebpf_st(a, EBPF_H, REG_FRAME, F(head) + 4, EBPF_R0);
	ebpf_ld(a, EBPF_B, EBPF_R0, REG_FRAME, F(proto));
	ebpf_st(a, EBPF_B, REG_FRAME, F(head) + 6, EBPF_R0);
}

/* L4 begins at R4. */
static void
parse_l4(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t ports = ebpf_label(a), head = ebpf_label(a), cut = ebpf_label(a);

	ebpf_here(a, to->l4);
	keep_off(b, F(l4));
	ebpf_mov(a, EBPF_R0, REG_OFF);
	ebpf_alu_imm(a, EBPF_SUB, EBPF_R0, PKT_IP6_BYTES);
	ebpf_st(a, EBPF_H, REG_FRAME, F(bare), EBPF_R0);
	ebpf_ld(a, EBPF_B, REG_WHAT, REG_FRAME, F(proto));
	bytes_left(b);
	for (size_t i = 0; i < sizeof(l4_headers) / sizeof(l4_headers[0]); i++) {
		const uint32_t other = ebpf_label(a);

		ebpf_jmp_imm(a, EBPF_JNE, REG_WHAT, l4_headers[i].proto, other);
		ebpf_jmp_imm(a, EBPF_JLT, EBPF_R0, l4_headers[i].bytes, cut);
		ebpf_ja(a, l4_headers[i].ports ? ports : head);
		ebpf_here(a, other);
	}
	ebpf_ja(a, head);
	ebpf_here(a, cut);
	set_bits(b, F(flaws), TRUNCATED, EBPF_R2);
	ebpf_ja(a, head);
	ebpf_here(a, ports);
	obj_at(b, REG_OFF, 8, to->done);
	keep(b, EBPF_H, F(sport), EBPF_R1, 0);
	keep(b, EBPF_H, F(dport), EBPF_R1, 2);
	set_bits(b, F(key), KEY_PORTS, EBPF_R2);
	ebpf_here(a, head);
	make_head(b, to);
}

static void
skip_tags(struct obj *b, const struct labels *to)
{
	static const uint16_t tags[] = {
		PKT_ETHERTYPE_TAG, PKT_ETHERTYPE_TAG_S, PKT_ETHERTYPE_TAG_OLD};
	struct ebpf_asm *a = &b->a;
	const uint32_t done = ebpf_label(a);

	for (int i = 0; i < PKT_TAGS_MAX; i++) {
		const uint32_t tag = ebpf_label(a);

		for (size_t t = 0; t < sizeof(tags) / sizeof(tags[0]); t++)
			ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, tags[t], tag);
		ebpf_ja(a, done);
		ebpf_here(a, tag);
		obj_at(b, REG_OFF, PKT_TAG_BYTES, to->truncated);
		load16(b, REG_WHAT, EBPF_R1, 2);
		ebpf_alu_imm(a, EBPF_ADD, REG_OFF, PKT_TAG_BYTES);
	}
	ebpf_here(a, done);
}

static void
parse_ether(struct obj *b, const struct labels *to)
{
	struct ebpf_asm *a = &b->a;
	const uint32_t known = ebpf_label(a);

	ebpf_mov_imm(a, REG_OFF, 0);
	obj_at(b, REG_OFF, PKT_ETHER_BYTES, to->truncated);
	load16(b, REG_WHAT, EBPF_R1, 12);
	ebpf_mov_imm(a, REG_OFF, PKT_ETHER_BYTES);
	skip_tags(b, to);
	keep_off(b, F(l3));
	ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, PKT_ETHERTYPE_IP4, to->ip4);
	ebpf_jmp_imm(a, EBPF_JEQ, REG_WHAT, PKT_ETHERTYPE_IP6, to->ip6);
	/* Below is a length. */
	ebpf_jmp_imm(a, EBPF_JGE, REG_WHAT, PKT_ETHERTYPE_MIN, known);
	ebpf_mov_imm(a, REG_WHAT, 0);
	ebpf_here(a, known);
	ebpf_st(a, EBPF_H, REG_FRAME, F(type), REG_WHAT);
	ebpf_ja(a, to->done);
}

static void
forget_last_frame(struct obj *b)
{
	static const struct {
		int32_t off;
		enum ebpf_size size;
		int32_t value;
	} fields[] = {
		{F(key), EBPF_W, 0}, {F(cap), EBPF_DW, 0}, /* and len */
		{F(slot), EBPF_DW, -1}, /* and shadow */
		{F(n_seen), EBPF_DW, 0}, /* and n_would */
		{F(flaws), EBPF_DW, 0}, /* and overflow */
		{F(l3), EBPF_DW, 0}, /* and bare, sport, dport */
		{F(type), EBPF_DW, 0}, /* and l4, off, paylen */
		{F(proto), EBPF_W, 0}, /* and hops, vital, sampled */
	};
	_Static_assert(offsetof(struct obj_frame, l3) % 8 == 0 &&
			offsetof(struct obj_frame, cap) % 8 == 0 &&
			offsetof(struct obj_frame, flaws) % 8 == 0,
		"fields that are written as one word");

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		ebpf_st_imm(&b->a, fields[i].size, REG_FRAME, fields[i].off, fields[i].value);
}

void
obj_parse(struct obj *b)
{
	struct ebpf_asm *a = &b->a;
	const struct labels to = {ebpf_label(a), ebpf_label(a), ebpf_label(a), ebpf_label(a),
		ebpf_label(a), ebpf_label(a)};

	obj_load_data(b);
	forget_last_frame(b);
	ebpf_mov(a, EBPF_R5, REG_END);
	ebpf_alu(a, EBPF_SUB, EBPF_R5, REG_DATA);
	ebpf_st(a, EBPF_W, REG_FRAME, F(wire), EBPF_R5);
	ebpf_st(a, EBPF_W, REG_FRAME, F(bytes), EBPF_R5);
	parse_ether(b, &to);
	parse_ip4(b, &to);
	parse_ip6(b, &to);
	parse_l4(b, &to);
	ebpf_ja(a, to.done);
	ebpf_here(a, to.malformed);
	set_bits(b, F(flaws), MALFORMED, EBPF_R2);
	ebpf_ja(a, to.done);
	ebpf_here(a, to.truncated);
	set_bits(b, F(flaws), TRUNCATED, EBPF_R2);
	ebpf_here(a, to.done);
	/* The key has protocol and port beside its flags. */
	ebpf_ld(a, EBPF_W, EBPF_R0, REG_FRAME, F(key));
	ebpf_ld(a, EBPF_B, EBPF_R1, REG_FRAME, F(proto));
	ebpf_alu_imm(a, EBPF_LSH, EBPF_R1, 16);
	ebpf_alu(a, EBPF_OR, EBPF_R0, EBPF_R1);
	ebpf_ld(a, EBPF_H, EBPF_R1, REG_FRAME, F(dport));
	ebpf_alu(a, EBPF_OR, EBPF_R0, EBPF_R1);
	ebpf_st(a, EBPF_W, REG_FRAME, F(key), EBPF_R0);
}
