// SPDX-License-Identifier: BSD-3-Clause
#include "base/sbuf.h"
#include "load.h"
#include "match/report.h"

static const char *
name_of(const void *ctx, uint32_t i)
{
	const struct ruleset *rs = ctx;

	return rs->rules.v[i].info.name;
}

void
ruleset_finding_text(const struct ruleset *rs, const struct match_finding *f, struct sbuf *out)
{
	const struct ruleset_info *info = ruleset_info(rs, f->rule);

	sbuf_addf(out, "%s:%u: ", info->file, info->line);
	match_finding_text(f, name_of, rs, out);
	for (uint32_t i = 0; i < f->n_by && i < MATCH_BY_MAX; i++) {
		info = ruleset_info(rs, f->by[i]);
		sbuf_addf(out, "%s%s:%u", i == 0 ? " (" : ", ", info->file, info->line);
	}
	if (f->n_by > 0)
		sbuf_addc(out, ')');
}
