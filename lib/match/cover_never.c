// SPDX-License-Identifier: BSD-3-Clause
/* Rules that never match, and why. */
#include "cover.h"
#include "image_impl.h"
#include "match/rule.h"
#include "match/sym.h"

static bool
is_never(const struct scope_test *t)
{
	return (t->val & ~t->mask) != 0;
}

static bool
is_empty(const struct match_prefixes *p)
{
	return !p->any && p->n == 0;
}

bool
cover_is_never(const struct match_rule *rule, const struct scope *s, bool no_items)
{
	return is_empty(&rule->scope.src) || is_empty(&rule->scope.dst) || no_items ||
		(is_never(&s->test) && (s->more == NULL || is_never(&s->more->late)));
}

/* Whether no program of the rule has a way to a match. */
static int
returns_0(const struct match_rule *r, bool *ret)
{
	const size_t n = r->link == MATCH_LINK_ETHER || r->prog[0] == r->prog[1] ? 1 : 2;
	struct sym_pool *pool = NULL;
	struct sym_result sym;
	bool any = false;
	int e = sym_pool_new(&pool);

	for (size_t i = 0; i < n && e == 0; i++) {
		if (r->prog[i] == NULL)
			continue;
		e = sym_run(pool, r->prog[i], &sym);
		any |= e == 0 && sym.n_paths > 0;
	}
	sym_pool_free(pool);
	*ret = !any && (r->prog[0] != NULL || r->prog[n - 1] != NULL);
	return e;
}

int
cover_why_never(const struct match_rule *r, bool ask_program, enum match_why_never *ret)
{
	bool zero = false;
	int e = 0;

	if (is_empty(&r->scope.src) || is_empty(&r->scope.dst)) {
		*ret = is_empty(&r->scope.src) ? MATCH_NEVER_SRC : MATCH_NEVER_DST;
		return 0;
	}
	if (!r->scope_only && ask_program)
		e = returns_0(r, &zero);
	if (zero)
		*ret = MATCH_NEVER_PROGRAM;
	else
		*ret = r->scope_only ? MATCH_NEVER_SCOPE : MATCH_NEVER_BOTH;
	return e;
}
