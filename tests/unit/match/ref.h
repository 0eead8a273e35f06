/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_MATCH_REF_H
#define TEST_MATCH_REF_H

/*
 * What rules mean, once more: frame by frame and rule by rule, with a parser of
 * its own and libpcap's interpreter. Slow and plain on purpose; it shares no
 * code with lib/match or lib/pkt.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "match/rule.h"
#include "match/verdict.h"

#define REF_RULES 256 /* at most, of a set in the tests */

/* A frame as the reference reads it. */
struct ref_frame {
	const uint8_t *data;
	uint32_t caplen, wirelen;
	int family; /* 4, 6, 0 */
	int proto;
	bool fragment, later;
	bool ports;
	uint16_t sport, dport;
	uint32_t l3, l3_cap, l3_len;
	uint32_t l4; /* 0: not found */
};

void ref_parse(const uint8_t *data, uint32_t caplen, uint32_t wirelen, struct ref_frame *ret);

/* Does @rule match, but for its being in force? */
bool ref_matches(const struct match_rule *rule, const struct ref_frame *f, uint32_t port);

uint32_t ref_first(const struct match_rule *rules, size_t n, const struct ref_frame *f,
	uint32_t port, uint32_t from);

struct ref_counters {
	uint64_t packets, bytes, dropped, would_drop, would_drop_passed, prot, last_hit_s;
};

bool ref_counters_differ(const struct match_counters *a, const struct ref_counters *b);

/* As match_verdicts(), for one frame. */
void ref_verdict(const struct match_rule *rules, size_t n, const struct ref_frame *f, uint32_t port,
	bool vital, bool enforce, struct ref_counters *counters, uint64_t now_s,
	struct match_verdict *ret, struct match_notes *notes);

bool ref_verdict_differs(const struct match_verdict *a, const struct match_verdict *b);

#endif
