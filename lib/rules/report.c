// SPDX-License-Identifier: BSD-3-Clause
/* What rules are compiled to and cost, for people: by names instead of numbers. */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/sbuf.h"
#include "load.h"
#include "match/cost.h"
#include "match/dump.h"

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

/* Rule @name, MATCH_NONE for NULL. */
static int
find_rule(const struct ruleset *rs, const char *name, uint32_t *ret, struct diag *diag)
{
	*ret = MATCH_NONE;
	if (name == NULL)
		return 0;
	for (size_t i = 0; i < rs->rules.n; i++)
		if (strcmp(rs->rules.v[i].info.name, name) == 0) {
			*ret = (uint32_t)i;
			return 0;
		}
	return diag_fail(diag, -ENOENT, "there is no rule '%.40s'", name);
}

static int
find_stage(const char *name, enum match_stage *ret, struct diag *diag)
{
	*ret = MATCH_STAGES;
	if (name == NULL)
		return 0;
	for (int i = 0; i < MATCH_STAGES; i++)
		if (strcmp(match_stage_name((enum match_stage)i), name) == 0) {
			*ret = (enum match_stage)i;
			return 0;
		}
	return diag_fail(diag, -EINVAL,
		"expected paths, items, clusters, tables or kernels, got '%.40s'", name);
}

/* The rules as the compiler takes them, mem_free() them; NULL when out of memory. */
static struct match_rule *
rules_of(const struct ruleset *rs)
{
	struct match_rule *rules = mem_calloc(rs->rules.n + 1, sizeof(*rules));

	for (size_t i = 0; rules != NULL && i < rs->rules.n; i++)
		rules[i] = rs->rules.v[i].m;
	return rules;
}

static int
cost(const struct match_image *image, const struct match_rule *rules, uint32_t only, bool json,
	struct sbuf *out)
{
	struct match_cost c;
	int r = match_cost_measure(image, rules, &c);

	if (r < 0)
		return r;
	if (json)
		match_cost_json(image, rules, &c, only, out);
	else
		match_cost_text(image, rules, &c, only, out);
	match_cost_fini(&c);
	return 0;
}

int
ruleset_report(const struct ruleset *rs, const struct match_image *image,
	const struct ruleset_report_opts *opts, struct sbuf *out, struct diag *diag)
{
	struct match_rule *rules;
	enum match_stage stage;
	uint32_t only;
	int r = find_rule(rs, opts->rule, &only, diag);

	if (r == 0)
		r = find_stage(opts->stage, &stage, diag);
	if (r < 0)
		return r;
	rules = rules_of(rs);
	if (rules == NULL)
		r = -ENOMEM;
	else if (opts->kind == RULESET_DUMP)
		r = match_dump(image, rules, stage, only, out);
	else
		r = cost(image, rules, only, opts->kind == RULESET_COST_JSON, out);
	mem_free(rules);
	if (r < 0 || !sbuf_ok(out))
		return load_out_of_memory(diag);
	return 0;
}
