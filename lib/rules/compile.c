// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "base/diag.h"
#include "load.h"

/* All rules as the compiler takes them, with their slots; mem_free() them. */
static int
make_rules(const struct ruleset *rs, struct rules_slots *slots, struct match_rule **ret_rules,
	struct diag *diag)
{
	const size_t n = rs->rules.n;
	struct match_rule *rules = mem_calloc(n + 1, sizeof(*rules));
	int r = 0;

	if (rules == NULL)
		return load_out_of_memory(diag);
	for (size_t i = 0; r == 0 && i < n; i++) {
		rules[i] = rs->rules.v[i].m;
		r = rules_slots_get(slots, rules[i].name, &rules[i].slot);
	}
	if (r == 0) {
		*ret_rules = rules;
		return 0;
	}
	mem_free(rules);
	if (r == -ENOSPC)
		return diag_fail(diag, r,
			"over %u names of rules since the start; restart to forget those that are gone",
			UINT32_C(1) << 20);
	return load_out_of_memory(diag);
}

int
ruleset_compile(const struct ruleset *rs, struct rules_slots *slots, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag)
{
	struct match_rule *rules;
	int r = make_rules(rs, slots, &rules, diag);

	if (r < 0)
		return r;
	r = match_image_new(rules, rs->rules.n, engine, ret_image, diag);
	mem_free(rules);
	return r;
}

static int
update(const struct ruleset *rs, const struct match_rule *rules, const struct match_image *image,
	enum match_engine engine, struct match_image **ret_image, struct diag *diag)
{
	const size_t n = rs->rules.n;
	const struct match_rule **list = mem_calloc(n + 1, sizeof(*list));
	uint32_t *was = mem_calloc(n + 1, sizeof(*was));
	int r = 0;

	if (list == NULL || was == NULL)
		r = load_out_of_memory(diag);
	for (size_t i = 0; i < n && r == 0; i++) {
		list[i] = &rules[i];
		was[i] = rs->rules.v[i].was;
	}
	if (r == 0)
		r = match_image_update(image, list, was, n, engine, ret_image, diag);
	mem_free(list);
	mem_free(was);
	return r;
}

int
ruleset_recompile(const struct ruleset *rs, const struct ruleset *prev,
	const struct match_image *image, struct rules_slots *slots, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag)
{
	struct match_rule *rules;
	struct diag why = {0};
	int r;

	if (rs->prev == NULL || rs->prev != prev || image == NULL)
		return ruleset_compile(rs, slots, engine, ret_image, diag);
	r = make_rules(rs, slots, &rules, diag);
	if (r < 0)
		return r;
	r = update(rs, rules, image, engine, ret_image, &why);
	if (r == -EXFULL)
		r = match_image_new(rules, rs->rules.n, engine, ret_image, diag);
	else if (r < 0)
		r = diag_fail(diag, r, "%s", why.msg);
	mem_free(rules);
	return r;
}
