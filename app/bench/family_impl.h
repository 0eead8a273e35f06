/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_FAMILY_IMPL_H
#define BENCH_FAMILY_IMPL_H

/* What one kind of rule is to family.c: how it is drawn, compiled, hit and missed. */

#include "base/mem.h"
#include "base/parse.h"
#include "cbpf/insn.h"
#include "family.h"
#include "gen/gen.h"
#include "pkt/build.h"

enum family_way { WAY_HIT, WAY_NEAR, WAY_MISS, WAY_WORST };

/* Five-tuples; lo 0 and hi 65535: any. */
struct family_tuple {
	uint32_t src, dst; /* host order, zeros behind the prefix */
	uint8_t src_len, dst_len;
	uint8_t proto; /* 0: any */
	struct u16_range sport, dport;
};

struct family_p0f {
	uint8_t ittl, layout, scale;
	uint16_t mss, window;
	uint8_t multiple; /* of the MSS, or 0: window as it is */
};

struct family_bytes {
	uint8_t n, off; /* bytes; from the payload's start */
	uint8_t v[32], mask[32];
};

struct family_expr {
	uint8_t form;
	uint32_t net, word; /* host order */
	uint16_t port[3], n;
};

/* One rule before it is compiled. */
struct family_item {
	const struct family_ops *ops;
	const char *text;
	union {
		struct family_tuple tuple;
		struct family_p0f p0f;
		struct family_bytes bytes;
		struct family_expr expr;
	} u;
};

struct family_ops {
	/* Fill @it but for ops. 0 or -ENOMEM. */
	int (*draw)(struct family *f, struct family_item *it, struct rng *rng);
	/* Make programs and scope of @it. */
	int (*compile)(struct family *f, const struct family_item *it, struct match_rule *rule,
		struct diag *diag);
	/* Build a datagram from the IP header on. @it is never NULL, but for WAY_MISS of no meaning. */
	void (*put)(const struct family *f, const struct family_item *it, enum family_way way,
		struct rng *rng, struct pkt_build *b);
	/* Below 0: @a belongs before @b; NULL: any order. */
	int (*compare)(const struct family_item *a, const struct family_item *b);
};

extern const struct family_ops family_dns_exact, family_dns_wildcard, family_dns_ignorecase;
extern const struct family_ops family_p0f, family_suffix, family_payload, family_irregular;
extern const struct family_ops family_acl, family_fw, family_ipc, family_expressions;

struct family {
	struct arena arena;
	enum family_kind kind;
	uint32_t ipv6_percent;
	size_t n;
	struct family_item *items;
	struct match_rule *rules;
	struct cbpf_prog *(*progs)[2]; /* of each rule, owned; [1] may be the same as [0] */
	uint8_t *classes;
	struct gen_scope scopes[FAMILY_CLASSES_MAX];
	uint32_t n_scopes;
};

/* A copy of formatted text that lives as long as @f, or NULL. */
const char *family_printf(struct family *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Compile @it->text, a generator with its arguments, for both families, or for IPv4 alone. */
int family_generate(
	struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag);
int family_generate4(
	struct family *f, const struct family_item *it, struct match_rule *rule, struct diag *diag);

/* Take instructions as the program of @rule for IPv4, and with @both for IPv6, too. */
int family_take(struct family *f, struct match_rule *rule, const struct cbpf_insn *insns, size_t n,
	bool both, struct diag *diag);

/* An IP header from a host of the Internet to one of ours; IPv6 as often as @f says. */
void family_put_ip(const struct family *f, struct rng *rng, struct pkt_build *b);
void family_put_ip4(struct rng *rng, struct pkt_build *b, uint32_t src, uint32_t dst);

/* @n letters and digits. */
void family_letters(struct rng *rng, char *s, size_t n);

static inline bool
family_percent(struct rng *rng, uint32_t percent)
{
	return rng_below(rng, 100) < percent;
}

#endif
