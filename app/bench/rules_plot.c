// SPDX-License-Identifier: BSD-3-Clause
/* Charts of cost over the number of rules, both logarithmic, one a family. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "bench.h"
#include "rules.h"

#define COLUMNS 3
#define CHART_W 360
#define CHART_H 280
#define LEFT 52 /* of a chart, for the numbers */
#define TOP 28
#define RIGHT 14
#define BOTTOM 34
#define LEGEND_H 56

/* Distinct also for those who do not see red and green (Okabe and Ito). */
static const char *const colours[] = {
	"#d55e00", "#0072b2", "#999999", "#cc79a7", "#009e73", "#e69f00", "#56b4e9", "#000000"};

/* Powers of ten that the axes span. */
struct range {
	int x0, x1, y0, y1;
};

static bool
belongs(const struct rules_result *x, enum family_traffic traffic, enum rules_cache cache)
{
	return x->traffic == traffic && x->cache == cache && x->state == RULES_RIGHT && x->ns > 0;
}

static struct range
range_of(const struct rules_report *r, enum family_traffic traffic, enum rules_cache cache)
{
	struct range g = {0, 1, 0, 1};

	for (size_t i = 0; i < r->n_results; i++) {
		const struct rules_result *x = &r->results[i];

		if (!belongs(x, traffic, cache))
			continue;
		g.x1 = MAX(g.x1, (int)ceil(log10((double)x->size)));
		g.y0 = MIN(g.y0, (int)floor(log10(x->ns)));
		g.y1 = MAX(g.y1, (int)ceil(log10(x->ns)));
	}
	return g;
}

static double
at_x(const struct range *g, double size)
{
	return LEFT + (log10(size) - g->x0) / (g->x1 - g->x0) * (CHART_W - LEFT - RIGHT);
}

static double
at_y(const struct range *g, double ns)
{
	return CHART_H - BOTTOM - (log10(ns) - g->y0) / (g->y1 - g->y0) * (CHART_H - TOP - BOTTOM);
}

static void
put_axes(FILE *f, const struct range *g, const char *title)
{
	(void)fprintf(f, "<text x=\"%d\" y=\"18\" class=\"t\">%s</text>\n", LEFT, title);
	for (int p = g->x0; p <= g->x1; p++) {
		const double x = at_x(g, pow(10, p));

		(void)fprintf(f,
			"<path class=\"g\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
			"text-anchor=\"middle\">%.0f</text>\n",
			x, TOP, CHART_H - BOTTOM, x, CHART_H - BOTTOM + 14, pow(10, p));
	}
	for (int p = g->y0; p <= g->y1; p++) {
		const double y = at_y(g, pow(10, p));

		(void)fprintf(f,
			"<path class=\"g\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
			"text-anchor=\"end\">%g</text>\n",
			LEFT, y, CHART_W - RIGHT, LEFT - 5, y + 4, pow(10, p));
	}
}

static void
put_line(FILE *f, const struct rules_report *r, const struct range *g, enum family_kind family,
	enum family_traffic traffic, enum rules_cache cache, size_t engine)
{
	const char *colour = colours[engine % DIM(colours)];
	bool begun = false;

	(void)fprintf(f, "<path class=\"l\" stroke=\"%s\" d=\"", colour);
	for (size_t i = 0; i < r->n_results; i++) {
		const struct rules_result *x = &r->results[i];

		if (x->family != family || x->engine != engine || !belongs(x, traffic, cache))
			continue;
		(void)fprintf(f, "%c%.1f %.1f", begun ? 'L' : 'M', at_x(g, (double)x->size),
			at_y(g, x->ns));
		begun = true;
	}
	(void)fprintf(f, "\"/>\n");
	for (size_t i = 0; i < r->n_results; i++) {
		const struct rules_result *x = &r->results[i];

		if (x->family == family && x->engine == engine && belongs(x, traffic, cache))
			(void)fprintf(f,
				"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\">"
				"<title>%s, %zu rules: %.2f ns</title></circle>\n",
				at_x(g, (double)x->size), at_y(g, x->ns), colour,
				r->engines[engine]->key, x->size, x->ns);
	}
}

static bool
has_engine(const struct rules_report *r, size_t engine)
{
	for (size_t i = 0; i < r->n_results; i++)
		if (r->results[i].engine == engine && r->results[i].state == RULES_RIGHT &&
			r->results[i].ns > 0)
			return true;
	return false;
}

static void
put_legend(
	FILE *f, const struct rules_report *r, enum family_traffic traffic, enum rules_cache cache)
{
	(void)fprintf(f,
		"<text x=\"%d\" y=\"18\" class=\"t\">ns/packet over the number of rules; traffic %s, "
		"packets in %s</text>\n",
		LEFT, family_traffic_name(traffic), rules_cache_names[cache]);
	for (size_t e = 0, n = 0; e < r->n_engines; e++) {
		if (!has_engine(r, e))
			continue;
		(void)fprintf(f,
			"<circle cx=\"%zu\" cy=\"36\" r=\"4\" fill=\"%s\"/>"
			"<text x=\"%zu\" y=\"40\">%s</text>\n",
			LEFT + 100 * n, colours[e % DIM(colours)], LEFT + 8 + 100 * n,
			r->engines[e]->key);
		n++;
	}
}

static bool
has_results(const struct rules_report *r, enum family_kind family)
{
	for (size_t i = 0; i < r->n_results; i++)
		if (r->results[i].family == family)
			return true;
	return false;
}

int
rules_plot(const struct rules_report *r, enum family_traffic traffic, enum rules_cache cache,
	const char *path)
{
	const struct range g = range_of(r, traffic, cache);
	size_t n = 0, charts = 0;
	FILE *f = fopen(path, "we");

	if (f == NULL)
		return bench_fail("cannot write '%s': %s", path, strerror(errno));
	for (int k = 0; k < FAMILY_KINDS; k++)
		charts += has_results(r, (enum family_kind)k);
	(void)fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
		"font-family=\"sans-serif\" font-size=\"11\">\n<style>.g{stroke:#ddd;fill:none}"
		".l{fill:none;stroke-width:1.6}.t{font-weight:bold;font-size:13px}</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		COLUMNS * CHART_W, LEGEND_H + (charts + COLUMNS - 1) / COLUMNS * CHART_H);
	put_legend(f, r, traffic, cache);
	for (int k = 0; k < FAMILY_KINDS; k++) {
		if (!has_results(r, (enum family_kind)k))
			continue;
		(void)fprintf(f, "<g transform=\"translate(%zu %zu)\">\n", n % COLUMNS * CHART_W,
			LEGEND_H + n / COLUMNS * CHART_H);
		n++;
		put_axes(f, &g, family_name((enum family_kind)k));
		for (size_t e = 0; e < r->n_engines; e++)
			put_line(f, r, &g, (enum family_kind)k, traffic, cache, e);
		(void)fprintf(f, "</g>\n");
	}
	(void)fprintf(f, "</svg>\n");
	return fclose(f) == 0 ? BENCH_OK : bench_fail("cannot write '%s'", path);
}
