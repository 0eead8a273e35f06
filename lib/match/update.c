// SPDX-License-Identifier: BSD-3-Clause
/*
 * One image from another, of which few rules differ. Sets of 10,000 rules are
 * changed by one rule at a time, in the middle of an attack; so what is compiled
 * stays as it is, and what came since is compiled on its own and asked behind it:
 * SMALL rules at a time, collected in a part of up to LARGE. All else is numbers,
 * some 10 bytes a rule.
 */
#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "chain.h"
#include "image_impl.h"
#include "match/image.h"
#include "parts.h"

#define SMALL 8
#define LARGE 256
/* Images of fewer rules are built in no more time, few milliseconds, and may be one chain. */
#define UPDATE_MIN (CHAIN_MAX + 1)

/* An update on its way. */
struct update {
	const struct match_image *old;
	const struct match_rule *const *rules;
	size_t n;
	enum match_engine engine;
	const struct match_options *options;
	struct diag *diag;
	uint32_t *was; /* by rule: its place in the old image's parts; MATCH_NONE: it is added */
	uint32_t n_old; /* parts of the old image, which may be itself */
	uint32_t n_kept; /* of these, the others are collected in a new one */
	struct match_image *image;
};

static const struct match_image *
old_part(const struct update *u, uint32_t part)
{
	return u->old->parts != NULL ? u->old->parts->v[part].im : u->old;
}

static uint32_t
old_place(const struct update *u, uint32_t index)
{
	return u->old->parts != NULL ? u->old->parts->place[index] : parts_make_place(0, index);
}

static int
out_of_memory(const struct update *u)
{
	return diag_fail(u->diag, -ENOMEM, "out of memory");
}

/* ---- which rules stay ---- */

static bool
is_rising(const uint32_t *was, size_t n, size_t n_old)
{
	uint32_t next = 0;

	for (size_t i = 0; i < n; i++) {
		if (was[i] == MATCH_NONE)
			continue;
		if (was[i] < next || was[i] >= n_old)
			return false;
		next = was[i] + 1;
	}
	return true;
}

/*
 * Parts keep their rules' order. Of rules that change places the longest rising
 * sequence stays where it is, the others are taken for new ones.
 */
static int
keep_rising(struct update *u)
{
	/* end[l]: the rule that ends the best rising sequence of l + 1; before[i]: who is before i. */
	uint32_t *end = mem_calloc(u->n + 1, sizeof(*end));
	uint32_t *before = mem_calloc(u->n + 1, sizeof(*before));
	uint32_t n = 0, next;

	if (end == NULL || before == NULL) {
		mem_free(end);
		mem_free(before);
		return out_of_memory(u);
	}
	for (uint32_t i = 0; i < u->n; i++) {
		uint32_t lo = 0, hi = n;

		if (u->was[i] >= u->old->n)
			continue;
		while (lo < hi) {
			const uint32_t mid = (lo + hi) / 2;

			if (u->was[end[mid]] < u->was[i])
				lo = mid + 1;
			else
				hi = mid;
		}
		end[lo] = i;
		before[i] = lo > 0 ? end[lo - 1] : MATCH_NONE;
		n = MAX(n, lo + 1);
	}
	next = n > 0 ? end[n - 1] : MATCH_NONE;
	for (uint32_t i = (uint32_t)u->n; i-- > 0;) {
		if (i == next)
			next = before[i];
		else
			u->was[i] = MATCH_NONE;
	}
	mem_free(end);
	mem_free(before);
	return 0;
}

static int
find_kept(struct update *u, const uint32_t *was)
{
	int r = 0;

	u->was = mem_calloc(u->n + 1, sizeof(*u->was));
	if (u->was == NULL)
		return out_of_memory(u);
	memcpy(u->was, was, u->n * sizeof(*was));
	if (!is_rising(was, u->n, u->old->n))
		r = keep_rising(u);
	for (size_t i = 0; i < u->n && r == 0; i++)
		if (u->was[i] != MATCH_NONE)
			u->was[i] = old_place(u, u->was[i]);
	return r;
}

/*
 * Which parts stay, and how many rules the new one gets. What is added joins the
 * last part as long as that is small; where there is no room for one more part,
 * all but the first become one.
 */
static int
plan_parts(struct update *u, uint32_t *ret_new)
{
	const uint32_t large = u->options->update_large != 0 ? u->options->update_large : LARGE;
	uint32_t live[PARTS_MAX] = {0}, added = 0, kept;

	for (size_t i = 0; i < u->n; i++) {
		if (u->was[i] == MATCH_NONE)
			added++;
		else
			live[u->was[i] >> 24]++;
	}
	kept = u->n_old;
	if (added > 0) {
		if (kept > 1 && live[kept - 1] + added <= SMALL)
			added += live[--kept];
		while (kept == PARTS_MAX || (kept < u->n_old && kept > 1 && added > SMALL))
			added += live[--kept];
	}
	if (added > large)
		return diag_fail(u->diag, -EXFULL, "too much has changed for an update");
	u->n_kept = kept;
	*ret_new = added;
	return 0;
}

/* ---- parts ---- */

/* Rules that go to the new part: those added, and those of parts that go. */
static bool
is_new(const struct update *u, size_t i)
{
	return u->was[i] == MATCH_NONE || u->was[i] >> 24 >= u->n_kept;
}

static int
build_new(struct update *u, uint32_t n, struct match_part *part)
{
	struct match_rule *rules = mem_calloc(n, sizeof(*rules));
	struct match_options options = *u->options;
	uint32_t k = 0;
	int r;

	if (rules == NULL)
		return out_of_memory(u);
	options.is_part = true;
	for (size_t i = 0; i < u->n; i++)
		if (is_new(u, i))
			rules[k++] = *u->rules[i];
	r = match_image_new_with(rules, n, u->engine, &options, &part->im, u->diag);
	mem_free(rules);
	if (r == 0 && part->im->index == NULL) {
		/* As a part it needs an index, if only one of rules one by one. */
		r = index_new_lone(n, &part->im->base->lone_index);
		part->im->index = part->im->base->lone_index;
		if (r < 0)
			r = out_of_memory(u);
	}
	return r;
}

static int
make_parts(struct update *u, uint32_t n_new)
{
	struct match_parts *parts = mem_zalloc(sizeof(*parts));
	int r = 0;

	u->image->parts = parts;
	if (parts == NULL)
		return out_of_memory(u);
	for (; parts->n < u->n_kept && r == 0; parts->n++)
		if (image_share(old_part(u, parts->n), &parts->v[parts->n].im) < 0)
			r = out_of_memory(u);
	if (r == 0 && n_new > 0)
		r = build_new(u, n_new, &parts->v[parts->n++]);
	for (uint32_t k = 0; k < parts->n && r == 0; k++) {
		parts->v[k].rank = mem_calloc(parts->v[k].im->n + 1, sizeof(*parts->v[k].rank));
		if (parts->v[k].rank == NULL)
			r = out_of_memory(u);
	}
	parts->place = mem_calloc(u->n + 1, sizeof(*parts->place));
	if (r == 0 && parts->place == NULL)
		r = out_of_memory(u);
	return r;
}

/* ---- numbers ---- */

/* Rule @i of the caller's is rule @number of @part. */
static void
put_rule(struct update *u, uint32_t i, uint32_t k, uint32_t number)
{
	struct match_part *part = &u->image->parts->v[k];
	const struct match_rule *rule = u->rules[i];
	const struct match_leaf leaf = image_leaf(rule);

	u->image->parts->place[i] = parts_make_place(k, number);
	u->image->leaves[i] = leaf;
	part->rank[number] = i;
	if (u->options->rank_fault && part->n_live > 0 && k == 0)
		part->rank[number] = number;
	part->n_live++;
	part->first = MIN(part->first, i);
	atomic_store_explicit(&part->im->state[number],
		image_state(image_decides(&leaf), rule->enabled), memory_order_relaxed);
}

/* What is gone has no rank yet: that of the next one, so that ranks rise. */
static void
fill_ranks(struct match_part *part)
{
	uint32_t next = MATCH_NONE;

	for (size_t i = part->im->n; i-- > 0;) {
		if (part->rank[i] == MATCH_NONE)
			part->rank[i] = next;
		next = part->rank[i];
	}
}

static void
number_rules(struct update *u)
{
	struct match_parts *parts = u->image->parts;
	uint32_t n_new = 0;

	for (uint32_t k = 0; k < parts->n; k++) {
		parts->v[k].first = MATCH_NONE;
		memset(parts->v[k].rank, 0xff, parts->v[k].im->n * sizeof(*parts->v[k].rank));
		u->image->any_generated |= parts->v[k].im->any_generated;
	}
	for (uint32_t i = 0; i < u->n; i++) {
		if (is_new(u, i))
			put_rule(u, i, u->n_kept, n_new++);
		else
			put_rule(u, i, u->was[i] >> 24, u->was[i] & 0xffffff);
	}
	for (uint32_t k = 0; k < parts->n; k++)
		fill_ranks(&parts->v[k]);
}

static int
make_image(struct update *u, uint32_t n_new)
{
	int r;

	u->image = mem_zalloc(sizeof(*u->image));
	if (u->image == NULL)
		return out_of_memory(u);
	u->image->n = u->n;
	u->image->leaves = mem_calloc(u->n + 1, sizeof(*u->image->leaves));
	if (u->image->leaves == NULL)
		return out_of_memory(u);
	r = make_parts(u, n_new);
	if (r < 0)
		return r;
	number_rules(u);
	u->image->index = u->image->parts->v[0].im->index;
	return 0;
}

int
match_image_update_with(const struct match_image *old, const struct match_rule *const *rules,
	const uint32_t *was, size_t n, enum match_engine engine,
	const struct match_options *options, struct match_image **ret_image, struct diag *diag)
{
	struct update u = {
		.old = old,
		.rules = rules,
		.n = n,
		.engine = engine,
		.options = options,
		.diag = diag,
		.n_old = old->parts != NULL ? old->parts->n : 1,
	};
	uint32_t n_new = 0;
	int r;

	if (n > MATCH_RULES_MAX)
		return diag_fail(
			diag, -E2BIG, "%zu rules, at most %d are allowed", n, MATCH_RULES_MAX);
	if (n < UPDATE_MIN && !options->update_always)
		return diag_fail(diag, -EXFULL, "too few rules for an update");
	r = find_kept(&u, was);
	if (r == 0)
		r = plan_parts(&u, &n_new);
	if (r == 0)
		r = make_image(&u, n_new);
	mem_free(u.was);
	if (r < 0) {
		match_image_free(u.image);
		return r;
	}
	*ret_image = u.image;
	return 0;
}

int
match_image_update(const struct match_image *old, const struct match_rule *const *rules,
	const uint32_t *was, size_t n, enum match_engine engine, struct match_image **ret_image,
	struct diag *diag)
{
	static const struct match_options options = {
		.merge = MATCH_MERGE_AUTO,
		.no_findings = true,
	};

	return match_image_update_with(old, rules, was, n, engine, &options, ret_image, diag);
}

bool
match_image_is_updated(const struct match_image *image)
{
	return image->parts != NULL;
}
