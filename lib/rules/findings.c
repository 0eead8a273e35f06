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

static void
add_place(const struct ruleset_info *info, struct sbuf *out)
{
	sbuf_add_printable(out, info->file);
	sbuf_addf(out, ":%u", info->line);
}

void
ruleset_finding_text(const struct ruleset *rs, const struct match_finding *f, struct sbuf *out)
{
	const struct ruleset_info *info = ruleset_info(rs, f->rule);

	add_place(info, out);
	sbuf_adds(out, ": ");
	match_finding_text(f, name_of, rs, out);
	for (uint32_t i = 0; i < f->n_by && i < MATCH_BY_MAX; i++) {
		info = ruleset_info(rs, f->by[i]);
		sbuf_adds(out, i == 0 ? " (" : ", ");
		add_place(info, out);
	}
	if (f->n_by > 0)
		sbuf_addc(out, ')');
}
