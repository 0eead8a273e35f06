/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_EXPLAIN_H
#define MATCH_EXPLAIN_H

/*
 * One rule and one frame, for people who ask why it does not match: the scope
 * key by key, as rule.h states it and not as an image compiles it, and what the
 * program is shown. Agrees with match_image_first(). Any thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "match/rule.h"

struct cbpf_prog;
struct pkt_view;

/* What a rule asks for, in the order asked. */
enum match_key {
	MATCH_KEY_NONE, /* it matches */
	MATCH_KEY_PORT, /* the port it came from */
	MATCH_KEY_IP, /* to be IP */
	MATCH_KEY_FAMILY, /* the scope's family, or one that the rule has a program for */
	MATCH_KEY_PROTO,
	MATCH_KEY_FRAGMENTS,
	MATCH_KEY_HAS_PORTS, /* a whole header with ports */
	MATCH_KEY_SPORT,
	MATCH_KEY_DPORT,
	MATCH_KEY_SRC,
	MATCH_KEY_DST,
	MATCH_KEY_L4, /* a generator's program: L4 behind the extension headers */
	MATCH_KEY_PROGRAM, /* it returned 0 */
};

struct match_why {
	enum match_key key; /* the first that does not hold */
	bool late; /* a later fragment, which neither ports nor program were asked of */

	/* The program that was asked, or NULL; and what it was shown, valid as long as the frame. */
	const struct cbpf_prog *prog;
	uint8_t number; /* of the program in struct match_rule */
	const uint8_t *data;
	uint32_t caplen, len; /* as for cbpf_run() */
	bool copied; /* without extension headers, in the caller's buffer */
};

#define MATCH_DATAGRAM_MAX 65600

/*
 * @port:	number of the port the frame came from, 0..63
 * @buf:	MATCH_DATAGRAM_MAX bytes for a datagram without extension headers
 *
 * Returns true when @rule matches. Whether the rule is enabled is not asked.
 */
bool match_rule_explain(const struct match_rule *rule, const struct pkt_view *v, uint32_t port,
	uint8_t *buf, struct match_why *ret);

#endif
