// SPDX-License-Identifier: BSD-3-Clause
/* What sluice replay says, for programs: the members of a rule are those of sluice stats --json. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "replay.h"
#include "rules/ruleset.h"

#define NS_PER_S UINT64_C(1000000000)

static void
add_number(struct sbuf *out, const char *name, uint64_t n)
{
	sbuf_addf(out, "\"%s\":%" PRIu64 ",", name, n);
}

static void
add_time(struct sbuf *out, const char *name, uint64_t packets, uint64_t time_ns)
{
	if (packets == 0)
		sbuf_addf(out, "\"%s\":null,", name);
	else
		sbuf_addf(out, "\"%s\":%" PRIu64 ".%09" PRIu64 ",", name, time_ns / NS_PER_S,
			time_ns % NS_PER_S);
}

/* A member was the last of its object: the comma behind it has nothing to separate. */
static void
close_with(struct sbuf *out, char c)
{
	if (sbuf_ok(out) && out->len > 0 && out->s[out->len - 1] == ',')
		out->s[--out->len] = '\0';
	sbuf_addc(out, c);
}

static const char *const key_members[] = {
	[REPLAY_DST] = "destination",
	[REPLAY_PROTO] = "protocol",
	[REPLAY_DPORT] = "dport",
	[REPLAY_SPORT] = "sport",
};

/* "destination":[{"key":…,"packets":…,"bytes":…,"dropped":…},…] for each kind. */
static void
add_tops(const struct replay *r, const struct replay_group *g, size_t max, bool dropped,
	struct sbuf *out)
{
	const struct replay_group *gone = &r->verdicts[MATCH_VERDICT_DROP];
	const struct top_entry *most[REPLAY_MOST_MAX];
	char key[REPLAY_KEY_TEXT];

	for (size_t kind = 0; kind < REPLAY_KEYS; kind++) {
		const size_t n = top_most(&g->top[kind], most, max);

		sbuf_addf(out, "\"%s\":[", key_members[kind]);
		for (size_t i = 0; i < n; i++) {
			const struct top_entry *d = top_find(&gone->top[kind], most[i]->key);

			sbuf_adds(out, "{\"key\":");
			json_add_string(out, replay_key_text((enum replay_key)kind, most[i], key));
			sbuf_addc(out, ',');
			add_number(out, "packets", most[i]->packets);
			add_number(out, "bytes", most[i]->bytes);
			if (dropped)
				add_number(out, "dropped", d != NULL ? d->packets : 0);
			close_with(out, '}');
			sbuf_addc(out, ',');
		}
		close_with(out, ']');
		sbuf_addc(out, ',');
	}
}

static uint64_t
get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static void
add_rule(const struct replay *r, size_t i, size_t max, struct sbuf *out)
{
	static const char *const actions[] = {
		[MATCH_PASS] = "pass", [MATCH_DROP] = "drop", [MATCH_COUNT] = "count"};
	const struct ruleset_info *info = ruleset_info(r->rules.rules, i);
	const struct match_counters *c =
		&r->counters[match_image_leaf(r->rules.image, (uint32_t)i)->slot];
	const struct replay_group *g = &r->hits[i];
	struct sbuf source = SBUF_INIT;

	json_add_string(out, info->name);
	sbuf_adds(out, ":{");
	add_number(out, "packets", get(&c->packets));
	add_number(out, "bytes", get(&c->bytes));
	add_number(out, "dropped", get(&c->dropped));
	add_number(out, "limited", get(&c->limited));
	add_number(out, "would_drop", get(&c->would_drop));
	add_number(out, "would_drop_passed", get(&c->would_drop_passed));
	add_number(out, "protected", get(&c->prot));
	add_time(out, "first_hit_s", g->packets, g->span.first_ns);
	add_time(out, "last_hit_s", g->packets, g->span.last_ns);
	sbuf_addf(out, "\"action\":\"%s\",\"mode\":\"%s\",\"state\":\"%s\",\"source\":",
		actions[info->action], info->shadow ? "shadow" : "enforce", replay_state(r, i));
	sbuf_addf(&source, "%s:%u", info->file, info->line);
	json_add_string(out, sbuf_str(&source));
	out->failed |= !sbuf_ok(&source);
	sbuf_fini(&source);
	sbuf_adds(out, ",\"example\":");
	if (g->file != NULL) {
		sbuf_adds(out, "{\"file\":");
		json_add_string(out, g->file);
		sbuf_addf(out, ",\"frame\":%" PRIu64 "},", g->number);
	} else {
		sbuf_adds(out, "null,");
	}
	add_tops(r, g, max, false, out);
	close_with(out, '}');
	sbuf_addc(out, ',');
}

static void
add_notes(const struct replay_notes *n, struct sbuf *out)
{
	sbuf_adds(out, "\"notes\":{");
	add_number(out, "not_ip", n->not_ip);
	add_number(out, "unknown_link", n->unknown_link);
	add_number(out, "fragments", n->fragments);
	add_number(out, "truncated", n->truncated);
	add_number(out, "malformed", n->malformed);
	add_number(out, "transparent_overflow", n->transparent_overflow);
	sbuf_adds(out, "\"vital\":{");
	for (size_t c = PKT_VITAL_NONE + 1; c < PKT_VITAL_COUNT; c++)
		add_number(out, pkt_vital_name((enum pkt_vital)c), n->vital[c]);
	close_with(out, '}');
	sbuf_addc(out, ',');
	add_number(out, "vital_over_rate", n->vital_over);
	close_with(out, '}');
}

void
replay_json(const struct replay *r, size_t max, struct sbuf *out)
{
	sbuf_adds(out, "{\"version\":1,");
	add_number(out, "files", r->n_files);
	add_number(out, "frames", r->all.packets);
	add_number(out, "bytes", r->all.bytes);
	add_time(out, "first_s", r->all.packets, r->all.span.first_ns);
	add_time(out, "last_s", r->all.packets, r->all.span.last_ns);
	sbuf_adds(out, "\"verdicts\":{");
	for (size_t kind = 0; kind < DIM(r->verdicts); kind++) {
		sbuf_addf(out, "\"%s\":{", replay_verdict_name((enum match_verdict_kind)kind));
		add_number(out, "frames", r->verdicts[kind].packets);
		add_number(out, "bytes", r->verdicts[kind].bytes);
		close_with(out, '}');
		sbuf_addc(out, ',');
	}
	close_with(out, '}');
	sbuf_adds(out, ",\"rules\":{");
	for (size_t i = 0; i < r->n_rules; i++)
		add_rule(r, i, max, out);
	close_with(out, '}');
	sbuf_adds(out, ",\"traffic\":{");
	add_tops(r, &r->all, max, true, out);
	close_with(out, '}');
	sbuf_addc(out, ',');
	add_notes(&r->notes, out);
	sbuf_adds(out, "}\n");
}
