/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_FAMILY_H
#define BENCH_FAMILY_H

/*
 * Rulesets of one shape and any size, and frames for them: what hits a given
 * rule, what misses it by a bit, what has nothing to do with any. All from a
 * seed, for the benchmark of rules and for tests; the same seed gives the same.
 *
 * A rule is there twice: as the merging compiler takes it, and as a bare program
 * behind a scope of its class, for engines that know nothing but programs. Both
 * mean the same for frames that family_frame() makes.
 *
 * One thread per object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "match/rule.h"

#define FAMILY_FRAME_MAX 640 /* bytes */
#define FAMILY_CLASSES_MAX 32

struct cbpf_prog;
struct diag;
struct family;
struct pkt_view;

enum family_kind {
	FAMILY_DNS_EXACT,
	FAMILY_DNS_WILDCARD,
	FAMILY_DNS_IGNORECASE,
	FAMILY_P0F,
	FAMILY_SUFFIX,
	FAMILY_PAYLOAD,
	FAMILY_TUPLE_ACL,
	FAMILY_TUPLE_FW,
	FAMILY_TUPLE_IPC,
	FAMILY_EXPRESSIONS,
	FAMILY_IRREGULAR,
	FAMILY_MIXED, /* of all above but five-tuples and irregular ones */
	FAMILY_MIXED_RANGES, /* with five-tuples */
	FAMILY_KINDS
};

enum family_traffic {
	FAMILY_FLOOD, /* 97 % hit the last rule, the rest no rule */
	FAMILY_UNIFORM, /* each frame hits a rule drawn at random */
	FAMILY_MISS, /* of the family's protocol, hitting none but by chance */
	FAMILY_HALF, /* hits, near misses and misses ("mixed") */
	FAMILY_ADVERSARIAL, /* misses that take an engine as far as they can */
	FAMILY_TRAFFICS
};

/* Names as in the command line ("dns-exact", "all-miss"); NULL behind the last. */
const char *family_name(enum family_kind kind);
const char *family_traffic_name(enum family_traffic traffic);

/*
 * Make @n rules, 1..MATCH_RULES_MAX. Returns 0, -ENOMEM, or what a generator
 * said of a rule, which is a fault of ours.
 */
int family_new(enum family_kind kind, size_t n, uint64_t seed, struct family **ret_family,
	struct diag *diag);
void family_free(struct family *f);

/* The rules, *@ret_n of them, each with its index as slot; they live as long as @f. */
const struct match_rule *family_rules(const struct family *f, size_t *ret_n);

/* What rule @i is, as a user would write it. */
const char *family_text(const struct family *f, size_t i);

/* Its bare program for IPv4 (4) or IPv6 (6), from the IP header on; NULL: never matches there. */
const struct cbpf_prog *family_prog(const struct family *f, size_t i, uint8_t ip_version);

/* The class of rule @i, below FAMILY_CLASSES_MAX, and the classes whose scopes hold, as bits. */
uint32_t family_class(const struct family *f, size_t i);
uint32_t family_classes(const struct family *f, const struct pkt_view *v);

/* What class @class tests, or NULL past the last: for engines that test it by themselves. */
struct gen_scope;
const struct gen_scope *family_scope(const struct family *f, uint32_t class);

/* How many of 100 frames are IPv6, where the rule can be hit by one; 0 unless said. */
void family_set_ipv6(struct family *f, uint32_t percent);

/* Make one Ethernet frame in @buf, of FAMILY_FRAME_MAX bytes. Returns its bytes. */
size_t family_frame(struct family *f, enum family_traffic traffic, struct rng *rng, uint8_t *buf);

/* One that hits rule @i, if no rule before does; and one that misses it by little. */
size_t family_hit(struct family *f, size_t i, struct rng *rng, uint8_t *buf);
size_t family_near(struct family *f, size_t i, struct rng *rng, uint8_t *buf);

#endif
