// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <stdbool.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "dp/dp.h"
#include "match/image.h"
#include "rules/ruleset.h"

#include "config.h"
#include "daemon.h"
#include "log.h"
#include "names.h"
#include "stats.h"
#include "ttl.h"

/* All counters of one kind as members of the object that is open. */
static void
add_kind(struct sbuf *out, const struct dp_port_stats *st, enum dp_stat_kind kind)
{
	const char *sep = "";

	for (int i = 0; i < DP_STAT_COUNT; i++) {
		if (dp_stat_info[i].kind != kind)
			continue;
		sbuf_addf(out, "%s\"%s\":%" PRIu64, sep, dp_stat_info[i].name, st->v[i]);
		sep = ",";
	}
}

static void
add_port(struct sbuf *out, const struct daemon *d, size_t port)
{
	struct dp_port_info info;
	struct dp_port_stats st;

	dp_port_info_get(d->dp, port, &info);
	dp_port_stats_get(d->dp, port, &st);
	json_add_string(out, info.name);
	sbuf_adds(out, ":{");
	add_kind(out, &st, DP_KIND_FLOW);
	sbuf_adds(out, ",\"lost\":{");
	add_kind(out, &st, DP_KIND_LOST);
	sbuf_adds(out, "},\"notes\":{");
	add_kind(out, &st, DP_KIND_NOTE);
	sbuf_adds(out, "}}");
}

static void
add_rule(struct sbuf *out, const struct daemon *d, uint32_t slot, const char *mode,
	const char *state, const struct ruleset_info *info)
{
	struct dp_rule_stats st;

	dp_rule_stats_get(d->dp, slot, &st);
	json_add_string(out, names_rule(d->names, slot));
	sbuf_addf(out, ":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"dropped\":%" PRIu64,
		st.packets, st.bytes, st.dropped);
	sbuf_addf(
		out, ",\"limited\":%" PRIu64 ",\"would_drop\":%" PRIu64, st.limited, st.would_drop);
	sbuf_addf(out, ",\"would_drop_passed\":%" PRIu64 ",\"protected\":%" PRIu64,
		st.would_drop_passed, st.prot);
	sbuf_addf(out, ",\"last_hit_s\":%" PRIu64 ",\"mode\":\"%s\",\"state\":\"%s\",\"source\":",
		st.last_hit_s, mode, state);
	if (info != NULL) {
		struct sbuf source = SBUF_INIT;

		sbuf_addf(&source, "%s:%u", info->file, info->line);
		json_add_string(out, sbuf_str(&source));
		sbuf_fini(&source);
	} else {
		json_add_string(out, "");
	}
	sbuf_addc(out, '}');
}

/* Why a rule is in force or not. */
static const char *
rule_state(const struct daemon *d, size_t i, const struct ruleset_info *info, uint64_t now_ms)
{
	if (!info->enabled)
		return "disabled";
	if (!info->here)
		return "elsewhere";
	if (!info->armed)
		return "unarmed";
	if (now_ms >= ruleset_ttl_end_ms(d->ttl, d->config->rules, i))
		return "expired";
	return "on";
}

/*
 * Rules in effective order; behind them those that a reload took away, whose
 * counters stay, so that the sums over the rules go on to be those of the ports.
 */
static void
add_rules(struct sbuf *out, const struct daemon *d)
{
	const size_t n_rules = ruleset_count(d->config->rules);
	const uint64_t now_ms = ttl_now_ms();
	const char *sep = "";
	bool *listed = mem_calloc(d->n_slots + 1, sizeof(*listed));

	if (listed == NULL) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < n_rules; i++) {
		const struct ruleset_info *info = ruleset_info(d->config->rules, i);
		const uint32_t slot = match_image_leaf(d->image, (uint32_t)i)->slot;

		sbuf_adds(out, sep);
		add_rule(out, d, slot, info->shadow ? "shadow" : "enforce",
			rule_state(d, i, info, now_ms), info);
		sep = ",";
		listed[slot] = true;
	}
	for (uint32_t slot = 0; slot < d->n_slots; slot++) {
		if (listed[slot] || names_rule(d->names, slot) == NULL)
			continue;
		sbuf_adds(out, sep);
		add_rule(out, d, slot, "removed", "removed", NULL);
		sep = ",";
	}
	mem_free(listed);
}

void
stats_json(const struct daemon *d, struct sbuf *out)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	sbuf_addf(out, "\"version\":1,\"time_s\":%lld.%03ld,\"ports\":{", (long long)now.tv_sec,
		now.tv_nsec / 1000000);
	for (size_t i = 0; i < dp_port_count(d->dp); i++) {
		if (i > 0)
			sbuf_addc(out, ',');
		add_port(out, d, i);
	}
	sbuf_adds(out, "},\"rules\":{");
	add_rules(out, d);
	sbuf_addc(out, '}');
}

static uint64_t
lost_sum(const struct dp_port_stats *st)
{
	uint64_t sum = 0;

	for (int i = 0; i < DP_STAT_COUNT; i++)
		if (dp_stat_info[i].kind == DP_KIND_LOST)
			sum += st->v[i];
	return sum;
}

void
stats_log(const struct daemon *d)
{
	for (size_t i = 0; i < dp_port_count(d->dp); i++) {
		struct dp_port_info info;
		struct dp_port_stats st;

		dp_port_info_get(d->dp, i, &info);
		dp_port_stats_get(d->dp, i, &st);
		log_line(LOG_LEVEL_INFO,
			"port %s: rx %" PRIu64 ", dropped %" PRIu64 ", limited %" PRIu64
			", passed %" PRIu64 ", lost %" PRIu64 ", sampled %" PRIu64 ", tx %" PRIu64,
			info.name, st.v[DP_STAT_RX], st.v[DP_STAT_DROPPED], st.v[DP_STAT_LIMITED],
			st.v[DP_STAT_PASSED], lost_sum(&st), st.v[DP_STAT_SAMPLED],
			st.v[DP_STAT_TX]);
	}
}
