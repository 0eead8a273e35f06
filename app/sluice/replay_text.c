// SPDX-License-Identifier: BSD-3-Clause
/* What sluice replay says, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "replay.h"
#include "rules/ruleset.h"
#include "units.h"

static void
add_header(const struct replay *r, struct sbuf *out)
{
	const struct replay_group *all = &r->all;
	char frames[UNITS_TEXT], bytes[UNITS_TEXT], files[UNITS_TEXT], text[UNITS_TEXT];

	sbuf_addf(out, "%s frame%s, %s, in %s file%s", units_count(all->packets, frames),
		all->packets == 1 ? "" : "s", units_bytes(all->bytes, bytes),
		units_count(r->n_files, files), r->n_files == 1 ? "" : "s");
	/* Frames of hex2pcap have no time. */
	if (all->packets > 0 && all->span.last_ns > 0) {
		sbuf_addf(out, "; %s UTC", units_utc(all->span.first_ns, text));
		sbuf_addf(out, ", %s", units_seconds(all->span.first_ns, all->span.last_ns, text));
	}
	sbuf_addc(out, '\n');
}

static void
add_verdicts(const struct replay *r, struct sbuf *out)
{
	static const enum match_verdict_kind order[] = {
		MATCH_VERDICT_DROP, MATCH_VERDICT_LIMIT, MATCH_VERDICT_PASS};
	char t[4][UNITS_TEXT];

	sbuf_addf(
		out, "\n%-8s %14s %9s %10s %9s\n", "VERDICT", "frames", "share", "bytes", "share");
	for (size_t i = 0; i < DIM(order); i++) {
		const struct replay_group *g = &r->verdicts[order[i]];

		if (order[i] == MATCH_VERDICT_LIMIT && g->packets == 0)
			continue;
		sbuf_addf(out, "%-8s %14s %9s %10s %9s\n", replay_verdict_name(order[i]),
			units_count(g->packets, t[0]),
			units_share(g->packets, r->all.packets, t[1]), units_bytes(g->bytes, t[2]),
			units_share(g->bytes, r->all.bytes, t[3]));
	}
}

/* ---- the rules ---- */

static const struct match_counters *
counters_of(const struct replay *r, size_t i)
{
	return &r->counters[match_image_leaf(r->rules.image, (uint32_t)i)->slot];
}

static uint64_t
get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static const char *
action_name(enum match_action action)
{
	switch (action) {
	case MATCH_PASS: return "pass";
	case MATCH_DROP: return "drop";
	case MATCH_COUNT: return "count";
	}
	return "";
}

/* The column's width: at least its heading's, at most that of a name. */
static int
name_width(const struct replay *r)
{
	size_t width = strlen("RULE");

	for (size_t i = 0; i < r->n_rules; i++)
		width = MAX(width, strlen(ruleset_info(r->rules.rules, i)->name));
	return (int)width;
}

/* When it first and last matched, from the first frame of all on. */
static void
add_when(const struct replay *r, const struct replay_group *g, struct sbuf *out)
{
	char first[UNITS_TEXT], last[UNITS_TEXT];

	if (g->packets == 0) {
		sbuf_addf(out, " %12s %12s", "never", "-");
		return;
	}
	sbuf_addf(out, " %12s %12s", units_seconds(r->all.span.first_ns, g->span.first_ns, first),
		units_seconds(r->all.span.first_ns, g->span.last_ns, last));
}

static void
add_rule(const struct replay *r, size_t i, int width, struct sbuf *out)
{
	const struct ruleset_info *info = ruleset_info(r->rules.rules, i);
	const struct match_counters *c = counters_of(r, i);
	char t[6][UNITS_TEXT];

	sbuf_addf(out, "%-*s %-6s %-8s %-9s", width, info->name, action_name(info->action),
		info->shadow ? "shadow" : "enforce", replay_state(r, i));
	sbuf_addf(out, " %14s %9s %10s", units_count(get(&c->packets), t[0]),
		units_share(get(&c->packets), r->all.packets, t[1]),
		units_bytes(get(&c->bytes), t[2]));
	sbuf_addf(out, " %14s", units_count(get(&c->dropped), t[3]));
	if (r->verdicts[MATCH_VERDICT_LIMIT].packets > 0)
		sbuf_addf(out, " %11s", units_count(get(&c->limited), t[4]));
	sbuf_addf(out, " %11s", units_count(get(&c->would_drop), t[5]));
	add_when(r, &r->hits[i], out);
	sbuf_addc(out, '\n');
}

static void
add_rules(const struct replay *r, struct sbuf *out)
{
	const int width = name_width(r);

	if (r->n_rules == 0)
		return;
	sbuf_addf(out, "\n%-*s %-6s %-8s %-9s %14s %9s %10s %14s", width, "RULE", "action", "mode",
		"state", "packets", "share", "bytes", "dropped");
	if (r->verdicts[MATCH_VERDICT_LIMIT].packets > 0)
		sbuf_addf(out, " %11s", "over limit");
	sbuf_addf(out, " %11s %12s %12s\n", "would drop", "first hit", "last hit");
	for (size_t i = 0; i < r->n_rules; i++)
		add_rule(r, i, width, out);
}

/* ---- who is hit ---- */

#define KEY_WIDTH 40 /* of an IPv6 address */

/* The most frequent keys: as many as asked for, and of those all with a hundredth or more. */
static size_t
most_of(const struct top *t, uint64_t packets, size_t max, const struct top_entry **ret)
{
	const size_t n = top_most(t, ret, max);
	size_t told = 0;

	while (told < n && ret[told]->packets >= packets / 100)
		told++;
	return told;
}

/* What the keys that are not listed have together. */
static void
add_rest(const struct top *t, const struct top_entry *const *v, size_t n, uint64_t *ret_packets,
	size_t *ret_keys)
{
	uint64_t packets = t->other_packets;

	for (size_t i = 0; i < t->cap; i++)
		packets += t->v[i].packets;
	for (size_t i = 0; i < n; i++)
		packets -= v[i]->packets;
	*ret_packets = packets;
	*ret_keys = t->n - n;
}

static void
add_rest_line(const struct top *t, const struct top_entry *const *v, size_t n, uint64_t whole,
	const char *indent, const char *name, struct sbuf *out)
{
	char key[REPLAY_KEY_TEXT], count[UNITS_TEXT], share[UNITS_TEXT];
	uint64_t packets;
	size_t keys;

	add_rest(t, v, n, &packets, &keys);
	if (packets == 0)
		return;
	(void)snprintf(key, sizeof(key), "%zu%s %s%s", keys, t->other_packets > 0 ? "+" : "",
		n == 0 ? "different" : "other", n > 0 && keys != 1 ? "s" : "");
	sbuf_addf(out, "%s%-12s %-*s %14s %9s\n", indent, name, KEY_WIDTH, key,
		units_count(packets, count), units_share(packets, whole, share));
}

/* All traffic by who it is for, and how much of it is dropped: the collateral. */
static void
add_traffic(const struct replay *r, size_t max, struct sbuf *out)
{
	const struct replay_group *dropped = &r->verdicts[MATCH_VERDICT_DROP];
	const struct top_entry *most[REPLAY_MOST_MAX];

	if (r->all.packets == 0)
		return;
	sbuf_addf(out, "\n%-12s %-*s %14s %9s %14s %9s\n", "TRAFFIC", KEY_WIDTH, "", "frames",
		"share", "dropped", "of these");
	for (size_t kind = 0; kind < REPLAY_KEYS; kind++) {
		const struct top *t = &r->all.top[kind];
		const size_t n = most_of(t, r->all.packets, max, most);
		const char *name = replay_key_name((enum replay_key)kind);

		for (size_t i = 0; i < n; i++) {
			const struct top_entry *e = most[i];
			const struct top_entry *d = top_find(&dropped->top[kind], e->key);
			char key[REPLAY_KEY_TEXT], c[4][UNITS_TEXT];
			const uint64_t gone = d != NULL ? d->packets : 0;

			sbuf_addf(out, "%-12s %-*s %14s %9s %14s %9s\n", i == 0 ? name : "",
				KEY_WIDTH, replay_key_text((enum replay_key)kind, e, key),
				units_count(e->packets, c[0]),
				units_share(e->packets, r->all.packets, c[1]),
				units_count(gone, c[2]), units_share(gone, e->packets, c[3]));
		}
		add_rest_line(t, most, n, r->all.packets, "", n == 0 ? name : "", out);
	}
}

static void
add_hits(const struct replay *r, size_t rule, size_t max, struct sbuf *out)
{
	const struct replay_group *g = &r->hits[rule];
	const struct ruleset_info *info = ruleset_info(r->rules.rules, rule);
	const struct match_counters *c = counters_of(r, rule);
	const struct top_entry *most[REPLAY_MOST_MAX];
	char t[2][UNITS_TEXT];

	sbuf_addf(out, "\n%s (", info->name);
	sbuf_add_printable(out, info->file);
	sbuf_addf(out, ":%u), first at ", info->line);
	sbuf_add_printable(out, g->file);
	sbuf_addf(out, ":%" PRIu64 "\n", g->number);
	if (get(&c->prot) > 0)
		sbuf_addf(
			out, "  %s of them are vital and pass\n", units_count(get(&c->prot), t[0]));
	if (get(&c->would_drop) > 0)
		sbuf_addf(out, "  %s of %s that it would drop pass now\n",
			units_count(get(&c->would_drop_passed), t[0]),
			units_count(get(&c->would_drop), t[1]));
	for (size_t kind = 0; kind < REPLAY_KEYS; kind++) {
		const size_t n = most_of(&g->top[kind], g->packets, max, most);

		for (size_t i = 0; i < n; i++) {
			char key[REPLAY_KEY_TEXT];

			sbuf_addf(out, "  %-12s %-*s %14s %9s\n",
				i == 0 ? replay_key_name((enum replay_key)kind) : "", KEY_WIDTH,
				replay_key_text((enum replay_key)kind, most[i], key),
				units_count(most[i]->packets, t[0]),
				units_share(most[i]->packets, g->packets, t[1]));
		}
		add_rest_line(&g->top[kind], most, n, g->packets, "  ",
			n == 0 ? replay_key_name((enum replay_key)kind) : "", out);
	}
}

/* ---- notes ---- */

static void
add_note(uint64_t n, const char *what, struct sbuf *out)
{
	char count[UNITS_TEXT];

	if (n > 0)
		sbuf_addf(out, "  %14s %s\n", units_count(n, count), what);
}

static void
add_notes(const struct replay *r, struct sbuf *out)
{
	struct sbuf notes = SBUF_INIT;
	char what[80];

	for (size_t c = 0; c < PKT_VITAL_COUNT; c++) {
		(void)snprintf(what, sizeof(what), "vital: %s, which no rule drops",
			pkt_vital_name((enum pkt_vital)c));
		add_note(r->notes.vital[c], what, &notes);
	}
	add_note(r->notes.vital_over, "vital but over the rate of their class", &notes);
	add_note(r->notes.fragments, "fragments", &notes);
	add_note(r->notes.not_ip, "not IP", &notes);
	add_note(r->notes.unknown_link, "of a link type that no IP is looked for in", &notes);
	add_note(r->notes.truncated, "with a truncated header", &notes);
	add_note(r->notes.malformed, "malformed", &notes);
	add_note(r->notes.transparent_overflow,
		"matched so many transparent rules that only deciding ones were asked", &notes);
	if (notes.len > 0)
		sbuf_addf(out, "\nNOTES\n%s", sbuf_str(&notes));
	out->failed |= !sbuf_ok(&notes);
	sbuf_fini(&notes);
}

void
replay_text(const struct replay *r, size_t max, struct sbuf *out)
{
	add_header(r, out);
	add_verdicts(r, out);
	add_rules(r, out);
	add_traffic(r, max, out);
	for (size_t i = 0; i < r->n_rules; i++)
		if (r->hits[i].packets > 0)
			add_hits(r, i, max, out);
	add_notes(r, out);
}
