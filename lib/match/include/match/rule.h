/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_RULE_H
#define MATCH_RULE_H

/*
 * What the merging compiler takes: rules as scope + program + action, all text
 * resolved. Borrowed while an image is built; the image keeps none of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"

struct cbpf_prog;

enum match_action {
	MATCH_PASS, /* decides: the frame passes */
	MATCH_DROP, /* decides: the frame is dropped */
	MATCH_COUNT, /* transparent */
};

/* What the program calls byte 0. */
enum match_link {
	MATCH_LINK_RAW, /* the IP header; padding is invisible; frames that are not IP never match */
	MATCH_LINK_ETHER, /* the frame's first byte, tags as on the wire */
};

enum match_fragments {
	MATCH_FRAG_DEFAULT, /* later fragments match only where neither ports nor l4 are asked */
	MATCH_FRAG_MATCH, /* ports and program are not asked of later fragments */
	MATCH_FRAG_ONLY, /* as MATCH, and unfragmented frames do not match */
	MATCH_FRAG_NEVER, /* neither first nor later fragments */
};

/* An inclusive range of 16-bit numbers list; n == 0 is "any". */
struct match_ranges {
	const struct u16_range *v;
	size_t n;
};

/* Whether @value is in @r, looked for one by one. */
static inline bool
match_ranges_have(const struct match_ranges *r, uint16_t value)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].lo <= value && value <= r->v[i].hi)
			return true;
	return r->n == 0;
}

/* Prefixes of both families; any == true is no condition, else an empty list never matches. */
struct match_prefixes {
	bool any;
	const struct ip_prefix *v;
	size_t n;
};

/* All keys are ANDed. */
struct match_scope {
	uint8_t family; /* 4, 6, or 0: any, also not IP */
	struct match_ranges proto; /* values 0..255 */
	struct match_ranges sport, dport;
	struct match_prefixes src, dst;
	enum match_fragments fragments;
	uint64_t ports; /* bit i: frames of port number i; UINT64_MAX: all */
};

struct match_rule {
	const char *name; /* for reports */
	uint32_t slot; /* stable number of the rule's counters */
	enum match_action action;
	bool shadow; /* transparent whatever the action */
	bool enabled; /* first state, see match_image_enable() */
	bool lasting; /* only an operator ends it: no TTL, location, "when = attack"; for reports */
	struct match_scope scope;
	enum match_link link;

	/*
	 * The program: for MATCH_LINK_RAW one per family ([0] IPv4, [1] IPv6), a
	 * missing one never matches that family; for MATCH_LINK_ETHER [0] alone.
	 * @scope_only: no program, the scope alone matches; @link and @generated
	 * say nothing then, and a scope that asks nothing matches what is not IP, too.
	 */
	const struct cbpf_prog *prog[2];
	bool scope_only;

	/*
	 * The program is a generator's: it reads L4 right behind the IPv6 header
	 * (so the engine shows it the datagram without extension headers, and
	 * nothing where L4 cannot be found) and must not see later fragments.
	 */
	bool generated;
};

#endif
