// SPDX-License-Identifier: BSD-3-Clause
#include "chain.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/diag.h"
#include "base/mem.h"
#include "cbpf/insn.h"

/* Room for code; memory is taken only as it is used. */
#define CODE_PER_INSN 256 /* bytes */
#define CODE_PER_LINK 1024

struct links {
	struct cbpf_link v[2 * CHAIN_MAX];
	size_t n;
	size_t n_insns;
	size_t room; /* bytes of code, at most */
};

static void
add(struct links *l, const struct cbpf_prog *prog, struct scope_test test, uint32_t rule)
{
	size_t n = 0;

	if (prog != NULL)
		(void)cbpf_prog_insns(prog, &n);
	l->v[l->n++] = (struct cbpf_link){prog, test.mask, test.val, rule};
	l->n_insns += n;
	l->room += n * CODE_PER_INSN + CODE_PER_LINK;
}

/* Only what is of family @family. */
static struct scope_test
of_family(struct scope_test t, uint32_t family)
{
	t.mask |= KEY_FAMILY(KEY_FAMILY_BITS);
	t.val = (t.val & ~KEY_FAMILY(KEY_FAMILY_BITS)) | KEY_FAMILY(family);
	return t;
}

/* False when a chain cannot say what rule @i asks. */
static bool
add_rule(struct links *l, const struct match_entry *e, const struct match_rule *rule, uint32_t i)
{
	if (e->scope.more != NULL || e->run == MATCH_RUN_ETHER)
		return false;
	if (e->run == MATCH_RUN_NONE) {
		add(l, NULL, e->scope.test, i);
	} else if (rule->prog[0] == rule->prog[1]) {
		add(l, rule->prog[0], e->scope.test, i);
	} else {
		if (rule->prog[0] != NULL)
			add(l, rule->prog[0], of_family(e->scope.test, 4), i);
		if (rule->prog[1] != NULL)
			add(l, rule->prog[1], of_family(e->scope.test, 6), i);
	}
	return true;
}

int
chain_new(
	const struct match_image *im, const struct match_rule *rules, size_t insns_max, bool fault)
{
	struct links links = {.room = 4096};
	struct match_base *base = im->base;
	struct diag diag = {0};
	int r;

	for (uint32_t i = 0; i < im->n; i++)
		if (!add_rule(&links, &im->entries[i], &rules[i], i))
			return -EOPNOTSUPP;
	if (links.n_insns > insns_max)
		return -EOPNOTSUPP;
	r = cbpf_arena_new(links.room, &base->chain_code, &diag);
	if (r < 0)
		return r;
	r = cbpf_jit_chain(base->chain_code, links.v, links.n - fault, &base->chain, NULL, &diag);
	if (r == 0)
		return 0;
	cbpf_arena_free(base->chain_code);
	base->chain_code = NULL;
	/* More room than any program takes: one that does not fit is a strange one. */
	return r == -ENOSPC || r == -E2BIG ? -EOPNOTSUPP : r;
}

uint32_t
chain_allowed(const struct match_image *im, uint32_t port, uint8_t want)
{
	uint32_t allowed = 0;

	for (uint32_t i = 0; i < im->n; i++) {
		/* Pairs with match_image_enable(); nothing else depends on it. */
		const uint8_t state = atomic_load_explicit(&im->state[i], memory_order_relaxed);
		const bool is = (state & want) == want && (im->entries[i].ports >> port & 1) != 0;

		allowed |= (uint32_t)is << i;
	}
	return allowed;
}
