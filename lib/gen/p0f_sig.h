/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_P0F_SIG_H
#define GEN_P0F_SIG_H

/*
 * A p0f 3 TCP signature (p0f's docs/README, "TCP signatures"):
 * ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass. A plain value.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;

#define P0F_OPTS_MAX 24 /* p0f stops looking at options after so many */
#define P0F_DIST_MAX 35 /* hops from the initial TTL that p0f believes */

enum p0f_win { P0F_WIN_ANY, P0F_WIN_VALUE, P0F_WIN_MOD, P0F_WIN_MSS, P0F_WIN_MTU };

/*
 * X(id, text, families that know it: 4, 6 or 46). "linux" is not p0f's but bpftools':
 * an IP id that is the low half of the sequence number XOR the own timestamp. It is
 * asked where it is named, and may be there where it is not.
 */
#define P0F_QUIRKS(X) \
	X(DF, "df", 4) \
	X(NZ_ID, "id+", 4) \
	X(ZERO_ID, "id-", 4) \
	X(ECN, "ecn", 46) \
	X(NZ_MBZ, "0+", 4) \
	X(FLOW, "flow", 6) \
	X(ZERO_SEQ, "seq-", 46) \
	X(NZ_ACK, "ack+", 46) \
	X(ZERO_ACK, "ack-", 46) \
	X(NZ_URG, "uptr+", 46) \
	X(URG, "urgf+", 46) \
	X(PUSH, "pushf+", 46) \
	X(ZERO_TS1, "ts1-", 46) \
	X(NZ_TS2, "ts2+", 46) \
	X(EOL_NZ, "opt+", 46) \
	X(EXWS, "exws", 46) \
	X(BAD, "bad", 46) \
	X(LINUX, "linux", 4)

#define X(id, text, families) P0F_QUIRK_BIT_##id,
enum p0f_quirk_bit { P0F_QUIRKS(X) P0F_QUIRK_COUNT };
#undef X
#define X(id, text, families) P0F_Q_##id = 1 << P0F_QUIRK_BIT_##id,
enum p0f_quirk { P0F_QUIRKS(X) };
#undef X

struct p0f_sig {
	uint8_t ver; /* 4, 6, or 0: both */
	uint8_t ttl; /* initial */
	bool ttl_any_below; /* "64-": any TTL up to it */
	uint8_t olen; /* bytes of IPv4 options */
	int32_t mss; /* -1: any */
	enum p0f_win win_type;
	uint16_t win; /* value, modulus or factor */
	int16_t wscale; /* -1: any */
	uint8_t opts[P0F_OPTS_MAX]; /* kinds in order */
	size_t n_opts;
	uint8_t eol_pad; /* bytes behind EOL */
	uint32_t quirks; /* set of enum p0f_quirk */
	int8_t payload; /* 0: none, 1: some, -1: any */
};

/*
 * Parse @text. p0f's own output "54+10" (observed TTL and distance) gives the
 * sum; "54+?", which p0f prints when it cannot guess the distance, gives 54.
 *
 * Returns 0, -EINVAL with diag->col in @text.
 */
int p0f_sig_parse(const char *text, struct p0f_sig *ret_sig, struct diag *diag);

#endif
