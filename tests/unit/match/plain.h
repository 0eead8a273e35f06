/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_MATCH_PLAIN_H
#define TEST_MATCH_PLAIN_H

/* Images against their rules' programs, run one by one by the interpreter. */

#include <stdint.h>

#include "base/util.h"
#include "match/image.h"
#include "match/rule.h"
#include "pkt/view.h"

struct cbpf_prog;

/* A rule for all frames, that drops; of ten one is off. @ip4 and @ip6, NULL: none, stay the caller's. */
struct match_rule plain_rule(
	uint32_t slot, const struct cbpf_prog *ip4, const struct cbpf_prog *ip6, struct rng *rng);

/* The first of @n @rules, from @from on, of which the program matches: scopes are not asked. */
uint32_t plain_first(
	const struct match_rule *rules, uint32_t n, const struct pkt_view *v, uint32_t from);

/* A burst: @which of @views, each asked from its place of @from on. */
struct plain_burst {
	const struct pkt_view *views;
	const uint8_t *which;
	const uint32_t *from;
	uint32_t n;
};

/* Fail unless @image, said to be @name, says of @b what @n @rules say. Returns the matches. */
uint32_t plain_check(const struct match_image *image, const char *name,
	const struct match_rule *rules, uint32_t n, const struct plain_burst *b);

#endif
