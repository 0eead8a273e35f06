// SPDX-License-Identifier: BSD-3-Clause
#include "stats_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"

struct stats {
	json_t *root;
};

int
stats_parse(const char *answer, struct stats **ret_stats, struct diag *diag)
{
	struct stats *s = mem_zalloc(sizeof(*s));

	if (s == NULL)
		return diag_fail(diag, -ENOMEM, "out of memory");
	s->root = json_loads(answer, 0, NULL);
	if (!json_is_object(json_object_get(s->root, "ports")) ||
		!json_is_object(json_object_get(s->root, "rules")) ||
		json_integer_value(json_object_get(s->root, "version")) != 1) {
		stats_free(s);
		return diag_fail(diag, -EPROTO,
			"the daemon's statistics are not of version 1; are sluice and sluiced of one version?");
	}
	(void)json_object_del(s->root, "ok");
	*ret_stats = s;
	return 0;
}

void
stats_free(struct stats *stats)
{
	if (stats == NULL)
		return;
	json_decref(stats->root);
	mem_free(stats);
}

double
stats_time_s(const struct stats *stats)
{
	return json_number_value(json_object_get(stats->root, "time_s"));
}

int
stats_print_json(const struct stats *stats, FILE *out)
{
	/* 15 digits: milliseconds stay as they came. */
	if (json_dumpf(stats->root, out, JSON_COMPACT | JSON_REAL_PRECISION(15)) < 0)
		return ferror(out) ? 0 : -ENOMEM; /* what the stream has, its owner sees */
	(void)fputc('\n', out);
	return 0;
}

static uint64_t
count(const json_t *obj, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(obj, key));
}

/* The sum over the members of the object @obj. */
static uint64_t
sum(const json_t *obj)
{
	const char *key;
	json_t *v;
	uint64_t n = 0;

	json_object_foreach((json_t *)obj, key, v) n += (uint64_t)json_integer_value(v);
	return n;
}

/* "1234", "200.1k", "12.34M" packets a second. */
static const char *
rate_text(uint64_t now, uint64_t before, double seconds, char buf[16])
{
	double r = seconds > 0 && now >= before ? (double)(now - before) / seconds : 0;

	if (r >= 1e6)
		(void)snprintf(buf, 16, "%.2fM", r / 1e6);
	else if (r >= 1e4)
		(void)snprintf(buf, 16, "%.1fk", r / 1e3);
	else
		(void)snprintf(buf, 16, "%.0f", r);
	return buf;
}

static const char *const port_columns[] = {
	"rx", "dropped", "limited", "passed", "sampled", "tx", "lost"};

static uint64_t
port_count(const json_t *port, const char *column)
{
	return strcmp(column, "lost") == 0 ? sum(json_object_get(port, "lost"))
					   : count(port, column);
}

/* "  lost: exception_full 3, …": what is not zero. */
static void
print_reasons(const char *what, const json_t *obj, FILE *out)
{
	const char *key, *sep = "";
	json_t *v;

	if (sum(obj) == 0)
		return;
	(void)fprintf(out, "  %s: ", what);
	json_object_foreach((json_t *)obj, key, v)
	{
		if (json_integer_value(v) == 0)
			continue;
		(void)fprintf(out, "%s%s %" JSON_INTEGER_FORMAT, sep, key, json_integer_value(v));
		sep = ", ";
	}
	(void)fputc('\n', out);
}

static void
print_ports(const json_t *before, const json_t *now, double seconds, FILE *out)
{
	const char *name;
	json_t *port;

	(void)fprintf(out, "%-16s", "PORT");
	for (size_t i = 0; i < DIM(port_columns); i++)
		(void)fprintf(out, " %13s", port_columns[i]);
	(void)fputc('\n', out);
	json_object_foreach((json_t *)now, name, port)
	{
		const json_t *old = json_object_get(before, name);
		char buf[16];

		(void)fprintf(out, "%-16s", name);
		for (size_t i = 0; i < DIM(port_columns); i++)
			(void)fprintf(out, " %13" PRIu64, port_count(port, port_columns[i]));
		(void)fprintf(out, "\n%-16s", "  packets/s");
		for (size_t i = 0; i < DIM(port_columns); i++)
			(void)fprintf(out, " %13s",
				rate_text(port_count(port, port_columns[i]),
					port_count(old, port_columns[i]), seconds, buf));
		(void)fputc('\n', out);
		print_reasons("lost", json_object_get(port, "lost"), out);
		print_reasons("notes", json_object_get(port, "notes"), out);
	}
}

static const char *
text_of(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s != NULL ? s : "";
}

/* How long ago a rule last matched. */
static const char *
ago(double now_s, uint64_t then_s, char buf[16])
{
	if (then_s == 0)
		(void)snprintf(buf, 16, "never");
	else if (now_s < (double)then_s + 1)
		(void)snprintf(buf, 16, "now");
	else if (now_s < (double)then_s + 7200)
		(void)snprintf(buf, 16, "%.0f s", now_s - (double)then_s);
	else
		(void)snprintf(buf, 16, "%.0f h", (now_s - (double)then_s) / 3600);
	return buf;
}

static void
print_rules(const json_t *before, const json_t *now, double now_s, double seconds, FILE *out)
{
	const char *name;
	json_t *rule;

	if (json_object_size(now) == 0)
		return;
	(void)fprintf(out, "\n%-40s %13s %10s %13s %13s %-8s %-9s %s\n", "RULE", "packets",
		"packets/s", "dropped", "would drop", "mode", "state", "last hit");
	json_object_foreach((json_t *)now, name, rule)
	{
		const json_t *old = json_object_get(before, name);
		char rate[16], hit[16];

		(void)fprintf(out,
			"%-40s %13" PRIu64 " %10s %13" PRIu64 " %13" PRIu64 " %-8s %-9s %s\n", name,
			count(rule, "packets"),
			rate_text(count(rule, "packets"), count(old, "packets"), seconds, rate),
			count(rule, "dropped"), count(rule, "would_drop"), text_of(rule, "mode"),
			text_of(rule, "state"), ago(now_s, count(rule, "last_hit_s"), hit));
	}
}

void
stats_print_table(const struct stats *before, const struct stats *now, FILE *out)
{
	const double seconds = stats_time_s(now) - stats_time_s(before);

	print_ports(json_object_get(before->root, "ports"), json_object_get(now->root, "ports"),
		seconds, out);
	print_rules(json_object_get(before->root, "rules"), json_object_get(now->root, "rules"),
		stats_time_s(now), seconds, out);
}

static uint64_t
all_ports(const struct stats *s, const char *column)
{
	const char *name;
	json_t *port;
	uint64_t n = 0;

	json_object_foreach(json_object_get(s->root, "ports"), name, port) n +=
		port_count(port, column);
	return n;
}

void
stats_print_line(const struct stats *before, const struct stats *now, FILE *out)
{
	const double seconds = stats_time_s(now) - stats_time_s(before);
	const time_t t = (time_t)stats_time_s(now);
	char clock[16] = "", buf[16];
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	(void)fprintf(out, "%s", clock);
	for (size_t i = 0; i < DIM(port_columns); i++)
		(void)fprintf(out, "  %s %7s", port_columns[i],
			rate_text(all_ports(now, port_columns[i]),
				all_ports(before, port_columns[i]), seconds, buf));
	(void)fprintf(out, "  packets/s\n");
}
