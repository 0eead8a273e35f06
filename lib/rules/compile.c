// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "base/diag.h"
#include "load.h"

int
ruleset_compile(const struct ruleset *rs, struct rules_slots *slots, enum match_engine engine,
	struct match_image **ret_image, struct diag *diag)
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
	if (r == -ENOSPC)
		r = diag_fail(diag, r,
			"over %u names of rules since the start; restart to forget those that are gone",
			UINT32_C(1) << 20);
	else if (r < 0)
		r = load_out_of_memory(diag);
	if (r == 0)
		r = match_image_new(rules, n, engine, ret_image, diag);
	mem_free(rules);
	return r;
}
