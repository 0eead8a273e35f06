// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plain.h"

#include "cbpf/prog.h"

struct match_rule
plain_rule(uint32_t slot, const struct cbpf_prog *ip4, const struct cbpf_prog *ip6, struct rng *rng)
{
	return (struct match_rule){.name = "r",
		.slot = slot,
		.action = MATCH_DROP,
		.enabled = rng_below(rng, 10) != 0,
		.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
		.prog = {ip4, ip6}};
}

uint32_t
plain_first(const struct match_rule *rules, uint32_t n, const struct pkt_view *v, uint32_t from)
{
	for (uint32_t i = from; i < n && v->family != 0; i++) {
		const struct cbpf_prog *prog = rules[i].prog[v->family == 6];

		if (rules[i].enabled && prog != NULL &&
			cbpf_run(prog, v->frame + v->l3_off, v->l3_caplen, v->l3_len) != 0)
			return i;
	}
	return MATCH_NONE;
}

uint32_t
plain_check(const struct match_image *image, const char *name, const struct match_rule *rules,
	uint32_t n, const struct plain_burst *b)
{
	uint32_t got[MATCH_BURST], hits = 0;

	match_image_first(image, b->views, b->which, b->n, 0, b->from, got);
	for (uint32_t i = 0; i < b->n; i++) {
		const uint32_t want = plain_first(rules, n, &b->views[b->which[i]], b->from[i]);

		if (got[i] != want)
			print_error(
				"%s: frame %u: rule %d, not %d\n", name, i, (int)got[i], (int)want);
		assert_int_equal(got[i], want);
		hits += want != MATCH_NONE;
	}
	return hits;
}
