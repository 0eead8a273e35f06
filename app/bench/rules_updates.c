// SPDX-License-Identifier: BSD-3-Clause
/*
 * What it takes until a change of one rule is in force: many changes of a kind, one
 * after another, each timed from the rules as they are to be to an image of them.
 * Where an update is refused, since too much has changed, the whole build counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/util.h"
#include "match/image.h"
#include "rules.h"

#define CHANGES 31 /* of a kind */

const char *const rules_change_names[RULES_CHANGES] = {
	[RULES_ADD] = "add",
	[RULES_ADD_SHAPE] = "add_shape",
	[RULES_DELETE] = "delete",
	[RULES_SWITCH] = "switch",
};

/* Rules in order, and the image that is in force. */
struct live {
	const struct rules_input *in;
	const struct match_image *first; /* somebody else's */
	struct match_image *image; /* NULL: @first is in force */
	const struct match_rule **rules;
	uint32_t *was;
	size_t n;
	struct family *more, *other; /* rules to add: of the same kind, and of another */
	struct match_rule switched[CHANGES];
	struct rng rng;
	double ms[CHANGES];
};

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
insert(struct live *l, const struct match_rule *rule)
{
	const size_t at = rng_below(&l->rng, (uint32_t)l->n + 1);

	memmove(&l->rules[at + 1], &l->rules[at], (l->n - at) * sizeof(*l->rules));
	memmove(&l->was[at + 1], &l->was[at], (l->n - at) * sizeof(*l->was));
	l->rules[at] = rule;
	l->was[at] = MATCH_NONE;
	l->n++;
}

static void
add(struct live *l, size_t i)
{
	insert(l, &family_rules(l->more, &(size_t){0})[i]);
}

static void
add_shape(struct live *l, size_t i)
{
	insert(l, &family_rules(l->other, &(size_t){0})[i]);
}

static void
del(struct live *l, size_t i)
{
	const size_t at = rng_below(&l->rng, (uint32_t)l->n);

	(void)i;
	if (l->n == 1)
		return;
	l->n--;
	memmove(&l->rules[at], &l->rules[at + 1], (l->n - at) * sizeof(*l->rules));
	memmove(&l->was[at], &l->was[at + 1], (l->n - at) * sizeof(*l->was));
}

static void
switch_off(struct live *l, size_t i)
{
	const size_t at = rng_below(&l->rng, (uint32_t)l->n);

	l->switched[i] = *l->rules[at];
	l->switched[i].enabled = !l->switched[i].enabled;
	l->rules[at] = &l->switched[i];
}

static int
build_whole(struct live *l, struct match_image **ret_image)
{
	struct match_rule *rules = mem_calloc(l->n + 1, sizeof(*rules));
	int r;

	if (rules == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		rules[i] = *l->rules[i];
	r = match_image_new(rules, l->n, MATCH_ENGINE_AUTO, ret_image, NULL);
	mem_free(rules);
	return r;
}

static int
put_in_force(struct live *l)
{
	struct match_image *image = NULL;
	int r = match_image_update(l->image != NULL ? l->image : l->first, l->rules, l->was, l->n,
		MATCH_ENGINE_AUTO, &image, NULL);

	if (r == -EXFULL)
		r = build_whole(l, &image);
	if (r < 0)
		return r;
	/* A store and, behind the measurement, the end of the old one. */
	match_image_free(l->image);
	l->image = image;
	for (uint32_t i = 0; i < l->n; i++)
		l->was[i] = i;
	return 0;
}

static int
by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
run(struct live *l, enum rules_change kind, struct rules_updates *ret)
{
	static void (*const changes[RULES_CHANGES])(struct live * l, size_t i) = {
		[RULES_ADD] = add,
		[RULES_ADD_SHAPE] = add_shape,
		[RULES_DELETE] = del,
		[RULES_SWITCH] = switch_off,
	};
	const struct match_rule *rules = l->in->rules;

	l->n = l->in->n;
	for (uint32_t i = 0; i < l->n; i++) {
		l->rules[i] = &rules[i];
		l->was[i] = i;
	}
	for (size_t i = 0; i < CHANGES; i++) {
		double start;

		changes[kind](l, i);
		start = now_ms();
		if (put_in_force(l) < 0)
			return -ENOMEM;
		l->ms[i] = now_ms() - start;
	}
	qsort(l->ms, CHANGES, sizeof(l->ms[0]), by_value);
	ret->median_ms[kind] = l->ms[CHANGES / 2];
	ret->max_ms[kind] = l->ms[CHANGES - 1];
	match_image_free(l->image);
	l->image = NULL;
	return 0;
}

int
rules_updates_measure(const struct rules_made *m, enum family_kind kind, struct rules_updates *ret)
{
	const enum family_kind other = kind == FAMILY_P0F ? FAMILY_DNS_IGNORECASE : FAMILY_P0F;
	struct live l = {.in = m->in, .first = m->handle, .rng = {.state = 1}};
	int r = -ENOMEM;

	l.rules = mem_calloc(m->in->n + CHANGES, sizeof(*l.rules));
	l.was = mem_calloc(m->in->n + CHANGES, sizeof(*l.was));
	if (l.rules != NULL && l.was != NULL)
		r = family_new(kind, CHANGES, 4711, &l.more, NULL);
	if (r == 0)
		r = family_new(other, CHANGES, 4711, &l.other, NULL);
	for (int k = 0; k < RULES_CHANGES && r == 0; k++)
		r = run(&l, (enum rules_change)k, ret);
	match_image_free(l.image);
	family_free(l.more);
	family_free(l.other);
	mem_free(l.rules);
	mem_free(l.was);
	return r;
}
