// SPDX-License-Identifier: BSD-3-Clause
#include "match/report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "image_impl.h"
#include "index.h"
#include "parts.h"

static const char *const kernel_names[] = {
	[MATCH_KERNEL_NEVER] = "never",
	[MATCH_KERNEL_ONE_BY_ONE] = "one by one",
	[MATCH_KERNEL_HASH] = "hash",
	[MATCH_KERNEL_BITS] = "bits",
	[MATCH_KERNEL_TUPLE] = "tuple",
	[MATCH_KERNEL_LIST] = "list",
	[MATCH_KERNEL_CHAIN] = "chain",
};

const char *
match_kernel_name(enum match_kernel kernel)
{
	return kernel_names[kernel];
}

const char *
match_report_kernel(const struct match_rule_report *report)
{
	if (report->interpreted && report->kernel == MATCH_KERNEL_ONE_BY_ONE)
		return "interpreted";
	return match_kernel_name((enum match_kernel)report->kernel);
}

struct report_of_table {
	uint32_t number;
	struct match_rule_report *ret;
};

static void
report_item(void *arg, const struct hash_table *t, const struct hash_item *it, uint32_t chain)
{
	const struct report_of_table *of = arg;
	struct match_rule_report *r = &of->ret[it->rule];

	if (r->items++ == 0) {
		r->kernel = MATCH_KERNEL_HASH;
		r->table = of->number;
	}
	r->bytes += hash_item_bytes(&t->shapes[it->shape]);
	r->runs += (it->flags & ITEM_RUN) != 0;
	r->chain = MAX(r->chain, chain);
}

/* @by_chain: it is asked first; what it leaves to tables is not told. */
static void
report_kernels(const struct match_image *image, bool by_chain, struct match_rule_report *ret)
{
	const struct match_index *ix = image->index;

	memset(ret, 0, image->n * sizeof(*ret));
	for (size_t i = 0; i < image->n; i++)
		if (by_chain)
			ret[i].kernel = MATCH_KERNEL_CHAIN;
		else if (ix == NULL)
			ret[i].kernel = MATCH_KERNEL_ONE_BY_ONE;
		else if (ix->in_bits[i])
			ret[i].kernel = MATCH_KERNEL_BITS;
		else if (ix->in_tuple[i])
			ret[i].kernel = MATCH_KERNEL_TUPLE;
	if (ix == NULL || by_chain)
		return;
	for (uint32_t k = 0; k < ix->n_tables; k++) {
		struct report_of_table of = {k, ret};

		hash_each(&ix->tables[k], report_item, &of);
	}
	for (size_t i = 0; i < image->n; i++)
		if (ix->in_list[i])
			ret[i].kernel = MATCH_KERNEL_LIST;
	for (uint32_t k = 0; k < ix->chains.n; k++)
		for (uint32_t j = 0; j < ix->chains.v[k].n; j++)
			ret[ix->chains.v[k].rule[j]].kernel = MATCH_KERNEL_CHAIN;
	for (uint32_t i = 0; i < ix->n_residual; i++)
		ret[ix->residual[i]].kernel = MATCH_KERNEL_ONE_BY_ONE;
}

/* Which of the rules whose programs are asked have no code of their own. */
static void
report_interpreted(const struct match_image *image, struct match_rule_report *ret)
{
	const struct match_index *ix = image->index;

	for (size_t i = 0; i < image->n; i++)
		ret[i].interpreted = image->is_jit && i >= image->base->interpreted &&
			(ix == NULL || ix->runs[i]);
}

static void
report_one(const struct match_image *image, bool by_chain, struct match_rule_report *ret)
{
	report_kernels(image, by_chain, ret);
	report_interpreted(image, ret);
}

/* Tables are numbered through all parts. */
static int
report_parts(const struct match_image *image, struct match_rule_report *ret)
{
	const struct match_parts *parts = image->parts;
	uint32_t tables = 0;

	for (uint32_t k = 0; k < parts->n; k++) {
		const struct match_image *im = parts->v[k].im;
		struct match_rule_report *own = mem_calloc(im->n + 1, sizeof(*own));

		if (own == NULL)
			return -ENOMEM;
		report_one(im, parts_is_chain(parts, k), own);
		for (uint32_t i = 0; i < image->n; i++) {
			uint32_t number;

			if (parts_place(parts, i, &number) != k)
				continue;
			ret[i] = own[number];
			ret[i].table += tables;
		}
		mem_free(own);
		tables += im->index->n_tables;
	}
	return 0;
}

int
match_image_report(const struct match_image *image, struct match_rule_report *ret)
{
	if (image->parts != NULL)
		return report_parts(image, ret);
	report_one(image, image->base->chain != NULL, ret);
	return 0;
}

/* ---- findings ---- */

const struct match_finding *
match_image_findings(const struct match_image *image, size_t *ret_n, bool *ret_cut)
{
	const struct cover_found *found = image->base != NULL ? &image->base->notes.found : NULL;

	*ret_n = found != NULL ? found->n : 0;
	*ret_cut = found != NULL && found->cut;
	return found != NULL ? found->v : NULL;
}

void
match_finding_text(const struct match_finding *f,
	const char *(*name_of)(const void *ctx, uint32_t index), const void *ctx, struct sbuf *out)
{
	static const char *const whys[] = {
		[MATCH_NEVER_SCOPE] = "its scope contradicts itself",
		[MATCH_NEVER_SRC] = "its list of sources is empty",
		[MATCH_NEVER_DST] = "its list of destinations is empty",
		[MATCH_NEVER_PROGRAM] = "its program returns 0 for every packet",
		[MATCH_NEVER_BOTH] = "its program and scope contradict each other",
	};
	const uint32_t n = MIN(f->n_by, MATCH_BY_MAX);

	sbuf_addf(out, "rule %s can never ", name_of(ctx, f->rule));
	if (f->kind == MATCH_FINDING_NEVER) {
		sbuf_addf(out, "match: %s", whys[f->why]);
		return;
	}
	sbuf_addf(out, "%s: rule%s ", f->decides ? "decide" : "count", n > 1 ? "s" : "");
	for (uint32_t i = 0; i < n; i++)
		sbuf_addf(out, "%s%s",
			i == 0                     ? ""
				: i + 1 == f->n_by ? " and "
						   : ", ",
			name_of(ctx, f->by[i]));
	if (f->n_by > n)
		sbuf_addf(out, " and %" PRIu32 " more", f->n_by - n);
	sbuf_adds(out, n > 1 ? " cover it" : " covers it");
}

const struct match_pass_report *
match_image_passes(const struct match_image *image, size_t *ret_n)
{
	*ret_n = image->base != NULL ? image->base->notes.n_passes : 0;
	return image->base != NULL ? image->base->notes.passes : NULL;
}

/* ---- items, once more ---- */

int
image_items(const struct match_image *image, const struct match_rule *rules, struct arena *arena,
	struct items *items)
{
	static const struct match_options options = {.merge = MATCH_MERGE_NEVER};
	struct match_image *plain = NULL;
	int r = 0;

	/* An image with parts has no entries of its own. */
	if (image->parts != NULL)
		r = match_image_new_with(
			rules, image->n, MATCH_ENGINE_INTERP, &options, &plain, NULL);
	if (r == 0)
		r = canon(plain != NULL ? plain : image, rules, arena, items);
	match_image_free(plain);
	return r < 0 ? -ENOMEM : 0;
}
