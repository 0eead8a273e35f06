/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef XDP_OBJ_H
#define XDP_OBJ_H

/*
 * The object writer: what skeleton.inc says in C, in eBPF. All that is known of
 * a frame is kept in the value of map sluice_frame: it is there in the next
 * program of the chain, and since the verifier does not follow what a map
 * holds, each rule is walked once, whatever came before it.
 *
 * R9 is that value and FP - 8 the context, everywhere. R6 to R8 are free
 * between two of the functions here.
 */

#include <stddef.h>
#include <stdint.h>

#include "ebpf/asm.h"
#include "ebpf/object.h"
#include "plan.h"

#define REG_FRAME EBPF_R9
#define REG_DATA EBPF_R6 /* the frame's first byte, where it is loaded */
#define REG_END EBPF_R7
#define REG_AVAIL EBPF_R8

/* The stack, from its top. */
enum {
	STACK_CTX = -8,
	STACK_LEN = -16,
	STACK_MEM = -144, /* EBPF_MEM_BYTES */
	STACK_KEY = -152, /* of a map */
	STACK_SAMPLE = -192,
};

/* A frame, as it stands in map sluice_frame. */
struct obj_frame {
	uint64_t full_at[8]; /* buckets of the vital classes, in ns; outlives a frame */
	uint64_t head[5]; /* the IPv6 header without extension headers */
	uint64_t src[2], dst[2]; /* host order; IPv4 in [0] */
	uint32_t key, wire;
	uint32_t cap, len;
	uint32_t slot, shadow;
	uint32_t n_seen, n_would;
	uint32_t bytes, index; /* index: where a search in a table is */
	uint32_t flaws, overflow;
	uint32_t would[PLAN_SEEN_MAX];
	uint16_t l3, bare, sport, dport;
	uint16_t type, l4, off, paylen;
	uint8_t proto, hops, vital, sampled;
	uint8_t hit, pad[3];
};

#define F(field) ((int32_t)offsetof(struct obj_frame, field))

struct obj_counters {
	uint64_t packets, bytes, dropped, would_drop, would_drop_passed, protected;
};

struct obj_stats {
	uint64_t rx, rx_bytes, dropped, passed, sampled, truncated, malformed, protected;
	uint64_t transparent_overflow, chain_broken;
};

/* In front of a sample's bytes. */
struct obj_sample {
	uint64_t time_ns;
	uint32_t wirelen, caplen, slot, shadow_slot, weight, action;
};

/* Fields of the object under construction. */
struct obj {
	const struct xdp_plan *plan;
	struct ebpf_object *o;
	struct ebpf_asm a;
	uint32_t frame, counters, switches, stats, samples, hook, chain; /* maps */
	uint32_t on, sample; /* in .rodata */
	uint32_t *tables; /* in .rodata, by number */
	uint32_t end_pass, end_drop, end_none; /* labels of the ends that come next */
	size_t ends_at; /* instruction at which the last ones ended */
};

/* R0 = the value for the 4-byte key at STACK_KEY of @map; 0 goes to @none. */
void obj_lookup(struct obj *b, uint32_t map, uint32_t none);

/* The same for a constant key. */
void obj_lookup_at(struct obj *b, uint32_t map, uint32_t key, uint32_t none);

/* *(@reg + @off) += @n, or R1, in 64 bits; R1 is lost. */
void obj_add(struct obj *b, enum ebpf_reg reg, int32_t off, int32_t n);
void obj_add_reg(struct obj *b, enum ebpf_reg reg, int32_t off);

/* R6 and R7 are the frame's first byte and its end; R1 is lost. */
void obj_load_data(struct obj *b);

/*
 * R1 = the @n bytes at the frame's byte @off (a register, which is kept), of
 * which as many as @n are there, else on to @none. R2 is lost.
 */
void obj_at(struct obj *b, enum ebpf_reg off, int32_t n, uint32_t none);

/* obj_parse.c: what the frame is, into the map's value. */
void obj_parse(struct obj *b);

/* obj_vital.c: whether it is vital and within its class's policer. */
void obj_vital(struct obj *b);

/* obj_books.c: totals and whether the frame is sampled; the ends of a program. */
void obj_begin_books(struct obj *b);
void obj_count(struct obj *b, uint32_t none); /* slot at STACK_KEY; R0 = its counters */
void obj_ends(struct obj *b); /* of all rules since the last ones */

/* obj_rule.c: rule @i; on to what follows, or to an end. */
void obj_rule(struct obj *b, size_t i);

/* Exchange 40 bytes of the frame with the header that programs are to see; R0 to R7 are lost. */
void obj_swap_head(struct obj *b, uint32_t none);

#endif
