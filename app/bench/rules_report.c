// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdio.h>

#include "rules.h"

const char *const rules_state_names[] = {"right", "wrong", "crashes", "absent", "-"};

const struct rules_result *
rules_find(const struct rules_report *r, enum family_kind family, size_t size,
	enum family_traffic traffic, enum rules_cache cache, size_t engine)
{
	for (size_t i = 0; i < r->n_results; i++) {
		const struct rules_result *x = &r->results[i];

		if (x->family == family && x->size == size && x->traffic == traffic &&
			x->cache == cache && x->engine == engine)
			return x;
	}
	return NULL;
}

static bool
is_timed(const struct rules_result *x)
{
	return x != NULL && x->state == RULES_RIGHT && x->ns > 0;
}

/* The fastest of the others, @engine being ours: its ns, or 0. */
static double
best_other(const struct rules_report *r, const struct rules_result *ours)
{
	double best = 0;

	for (size_t e = 0; e < r->n_engines; e++) {
		const struct rules_result *x =
			rules_find(r, ours->family, ours->size, ours->traffic, ours->cache, e);

		if (e != ours->engine && is_timed(x) && (best == 0 || x->ns < best))
			best = x->ns;
	}
	return best;
}

static void
print_ns(double ns)
{
	if (ns < 100)
		printf(" %10.2f", ns);
	else
		printf(" %10.0f", ns);
}

static void
print_row(const struct rules_report *r, const struct rules_result *first)
{
	const double best = best_other(r, first);

	printf("%8zu %6.1f%%", first->size, 100 * first->match);
	for (size_t e = 0; e < r->n_engines; e++) {
		const struct rules_result *x =
			rules_find(r, first->family, first->size, first->traffic, first->cache, e);

		if (is_timed(x))
			print_ns(x->ns);
		else
			printf(" %10s", rules_state_names[x != NULL ? x->state : RULES_LEFT_OUT]);
	}
	if (is_timed(first) && best > 0)
		printf(" %10.2f\n", first->ns / best);
	else
		printf(" %10s\n", "-");
}

static void
print_head(const struct rules_report *r, const char *second, const char *last)
{
	printf("%8s %7s", "rules", second);
	for (size_t e = 0; e < r->n_engines; e++)
		printf(" %10s", r->engines[e]->key);
	printf(last[0] != '\0' ? " %10s\n" : "%s\n", last);
}

static void
print_costs(const struct rules_report *r, enum family_kind family, enum family_traffic traffic,
	enum rules_cache cache)
{
	bool any = false;

	for (size_t i = 0; i < r->n_results; i++) {
		const struct rules_result *x = &r->results[i];

		if (x->family != family || x->traffic != traffic || x->cache != cache ||
			x->engine != 0)
			continue;
		if (!any) {
			printf("%s, %s, packets in %s: ns/packet, median of %" PRIu64 " rounds\n",
				family_name(family), family_traffic_name(traffic),
				rules_cache_names[cache], r->rounds);
			print_head(r, "match", "match/best");
		}
		any = true;
		print_row(r, x);
	}
	if (any)
		printf("\n");
}

/* What is told of a build, besides how it was. */
enum { BUILD_MS, UPDATE_MS, KIB, NUMBERS };

static const char *const number_names[NUMBERS] = {
	"build, ms", "one more rule in force, ms", "KiB of code and tables"};

static void
print_number(const struct rules_build *b, int which)
{
	const double numbers[NUMBERS] = {b->build_ms, b->update_ms, (double)b->bytes / 1024};

	if (b->state == RULES_RIGHT)
		printf(" %10.2f", numbers[which]);
	else
		printf(" %10s", rules_state_names[b->state]);
}

static void
print_builds(const struct rules_report *r, enum family_kind family, int which)
{
	size_t column = 0;

	printf("%s: %s\n", family_name(family), number_names[which]);
	print_head(r, "", "");
	for (size_t i = 0; i < r->n_builds; i++) {
		const struct rules_build *b = &r->builds[i];

		if (b->family != family)
			continue;
		if (column++ % r->n_engines == 0)
			printf("%8zu %7s", b->size, "");
		print_number(b, which);
		if (column % r->n_engines == 0)
			printf("\n");
	}
	printf("\n");
}

/* Changes of one rule, in an image that is built for them. */
static void
print_updates(const struct rules_report *r, enum family_kind family)
{
	printf("%s: a changed rule in force, ms (median, longest)\n%8s", family_name(family),
		"rules");
	for (int k = 0; k < RULES_CHANGES; k++)
		printf(" %18s", rules_change_names[k]);
	printf("\n");
	for (size_t i = 0; i < r->n_builds; i++) {
		const struct rules_build *b = &r->builds[i];

		if (b->family != family || b->state != RULES_RIGHT ||
			r->engines[b->engine]->updates == NULL)
			continue;
		printf("%8zu", b->size);
		for (int k = 0; k < RULES_CHANGES; k++)
			printf(" %8.3f %9.3f", b->updates.median_ms[k], b->updates.max_ms[k]);
		printf("\n");
	}
	printf("\n");
}

void
rules_print_family(const struct rules_report *r, enum family_kind family)
{
	for (int t = 0; t < FAMILY_TRAFFICS; t++)
		for (int c = 0; c < RULES_CACHES; c++)
			print_costs(r, family, (enum family_traffic)t, (enum rules_cache)c);
	for (int which = 0; which < NUMBERS; which++)
		print_builds(r, family, which);
	print_updates(r, family);
	for (size_t i = 0; i < r->n_builds; i++) {
		const struct rules_build *b = &r->builds[i];

		if (b->family == family && b->state == RULES_ABSENT)
			printf("%s is absent at %zu rules: %s\n", r->engines[b->engine]->key,
				b->size, b->why);
	}
}

static void
json_updates(const struct rules_updates *u)
{
	printf(",\"updates_ms\":{");
	for (int k = 0; k < RULES_CHANGES; k++)
		printf("%s\"%s\":{\"median\":%.4f,\"max\":%.4f}", k > 0 ? "," : "",
			rules_change_names[k], u->median_ms[k], u->max_ms[k]);
	printf("}");
}

static void
json_builds(const struct rules_report *r)
{
	const char *comma = "";

	printf("\"builds\":[");
	for (size_t i = 0; i < r->n_builds; i++) {
		const struct rules_build *b = &r->builds[i];

		if (b->state == RULES_LEFT_OUT)
			continue;
		printf("%s{\"family\":\"%s\",\"rules\":%zu,\"engine\":\"%s\",\"state\":\"%s\","
		       "\"build_ms\":%.3f,\"update_ms\":%.4f,\"bytes\":%zu",
			comma, family_name(b->family), b->size, r->engines[b->engine]->key,
			rules_state_names[b->state], b->build_ms, b->update_ms, b->bytes);
		if (r->engines[b->engine]->updates != NULL)
			json_updates(&b->updates);
		printf("}");
		comma = ",";
	}
	printf("],");
}

void
rules_print_json(const struct rules_report *r)
{
	const char *comma = "";

	printf("{\"version\":1,\"unit\":\"ns/packet\",\"rounds\":%" PRIu64 ",\"seed\":%" PRIu64 ",",
		r->rounds, r->seed);
	json_builds(r);
	printf("\"results\":[");
	for (size_t i = 0; i < r->n_results; i++) {
		const struct rules_result *x = &r->results[i];

		if (x->state == RULES_LEFT_OUT)
			continue;
		printf("%s{\"family\":\"%s\",\"rules\":%zu,\"traffic\":\"%s\",\"cache\":\"%s\","
		       "\"engine\":\"%s\",\"state\":\"%s\",\"match\":%.4f,\"ns\":",
			comma, family_name(x->family), x->size, family_traffic_name(x->traffic),
			rules_cache_names[x->cache], r->engines[x->engine]->key,
			rules_state_names[x->state], x->match);
		if (is_timed(x))
			printf("%.3f}", x->ns);
		else
			printf("null}");
		comma = ",";
	}
	printf("]}\n");
}
