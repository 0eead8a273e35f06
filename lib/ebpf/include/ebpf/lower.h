/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EBPF_LOWER_H
#define EBPF_LOWER_H

/*
 * Classic programs as eBPF that the verifier accepts. Meaning as in cbpf/prog.h:
 * loads past the end, division by 0 and X + k beyond 2^32 end without a match,
 * shifts by 32 or more give 0.
 *
 * Many programs can be put into one function: each begins where the one before
 * it ended, and leaves by one of two labels.
 */

#include <stdint.h>

#include "ebpf/asm.h"

struct cbpf_prog;
struct diag;
struct sbuf;

/*
 * Bytes of the packet that a program can see in XDP. The verifier follows
 * offsets up to 65,535, which the width of a load is part of, and what is in front
 * of @start: up to 16,383 bytes of link layer and IPv6 extension headers.
 */
#define EBPF_WINDOW_MAX 49024

#define EBPF_MEM_BYTES 128 /* of stack, for M[0] to M[15] */

/*
 * Where an XDP function keeps the packet that its programs see. All registers
 * are among R6 to R9: R0 to R5 are the programs' own.
 *
 * A program sees the bytes from @start up to @end, but no more than @avail of
 * them: behind an IP datagram may be padding. For the whole frame, @avail is
 * EBPF_NO_REG.
 */
struct ebpf_pkt {
	enum ebpf_reg start; /* packet pointer: the byte that programs call 0 */
	enum ebpf_reg end; /* data_end */
	enum ebpf_reg avail; /* bytes, at most what is in front of @end; or EBPF_NO_REG */
	enum ebpf_reg len; /* what "ld #len" gives, below 2^32; EBPF_NO_REG: at @len_slot */
	int16_t len_slot; /* 8 bytes on the stack, as an offset from EBPF_FP; multiple of 8 */
	int16_t mem_slot; /* the lowest of EBPF_MEM_BYTES on the stack; likewise */
	uint16_t checked; /* so many bytes at @start were compared with @end and @avail */
};

/*
 * Append @prog. It leaves to @match where it returns anything but 0, else to
 * @nomatch, and does not fall through. R0 to R5 and the memory words are
 * changed, nothing else; @start keeps its value.
 */
void ebpf_lower(struct ebpf_asm *a, const struct cbpf_prog *prog, const struct ebpf_pkt *pkt,
	uint32_t match, uint32_t nomatch);

/*
 * Append what finds the IP datagram behind Ethernet and up to four VLAN tags,
 * as "link = raw" means it: @pkt's registers, and @len_slot if it has no register
 * for it, are set, 20 bytes (IPv4) or 40 (IPv6) are known to be there, and R0 is
 * 4 or 6. What is not IP, or too short for its fixed header, goes to @not_ip.
 *
 * @ctx:	register that has the context (struct xdp_md); not R0 to R5 unless
 *		it need not be kept
 */
void ebpf_xdp_datagram(
	struct ebpf_asm *a, enum ebpf_reg ctx, const struct ebpf_pkt *pkt, uint32_t not_ip);

/* The same for the frame as it is: @pkt is all of it; @avail is not set. Never leaves. */
void ebpf_xdp_frame(struct ebpf_asm *a, enum ebpf_reg ctx, const struct ebpf_pkt *pkt);

/*
 * @dst = 0, which the verifier takes for any number: what is xored with it is
 * unknown afterwards and the same as before. The verifier walks what follows a
 * meeting of ways once for each different state; with this the states are made
 * one. @tmp is lost.
 */
void ebpf_zero(
	struct ebpf_asm *a, enum ebpf_reg dst, const struct ebpf_pkt *pkt, enum ebpf_reg tmp);

/*
 * Append @prog as a whole socket filter: R1 is the context on entry, byte 0 is
 * the socket buffer's first (what xt_bpf shows is the network header), "ld #len"
 * its length, and R0 what @prog returns.
 */
void ebpf_lower_socket(struct ebpf_asm *a, const struct cbpf_prog *prog);

/* What a program of its own sees in XDP; its byte 0. */
enum ebpf_sees {
	EBPF_SEES_FRAME, /* the frame's first */
	EBPF_SEES_DATAGRAM, /* the IP header's, see ebpf_xdp_datagram(); other frames do not match */
	EBPF_SEES_IP4, /* the same, and no IPv6 */
	EBPF_SEES_IP6, /* the same, and no IPv4 */
};

/* Append @prog as a whole XDP function that returns @match or @pass. */
void ebpf_lower_xdp(struct ebpf_asm *a, const struct cbpf_prog *prog, enum ebpf_sees sees,
	enum ebpf_xdp_action match, enum ebpf_xdp_action pass);

/*
 * Append to @out the object file of @prog as two programs: "socket_filter" in
 * section socket, what xt_bpf's --object-pinned and SO_ATTACH_BPF take, and
 * "xdp_drop" in section xdp, which drops what matches. Returns 0, -E2BIG,
 * -ENOMEM.
 */
int ebpf_write_filter(
	const struct cbpf_prog *prog, enum ebpf_sees sees, struct sbuf *out, struct diag *diag);

#endif
