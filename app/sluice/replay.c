// SPDX-License-Identifier: BSD-3-Clause
#include "replay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "ctl/conf.h"
#include "rules/ruleset.h"

#define LINK_ETHER 1 /* pcap-linktype(7): EN10MB */
#define NS_PER_S UINT64_C(1000000000)
#define VITAL_BURST_MIN 16 /* frames that a bucket holds at least; else 100 ms' worth */
#define TRANSPARENT_MAX 16 /* as lib/match: behind so many only deciding rules are looked for */

struct replay_burst {
	struct pkt_view views[MATCH_BURST];
	uint64_t time_ns[MATCH_BURST], number[MATCH_BURST];
	uint8_t *copies[MATCH_BURST]; /* each of @caps bytes */
	uint32_t caps[MATCH_BURST];
	uint32_t n;
	bool is_ether;
};

static int
out_of_memory(struct diag *diag)
{
	return diag_fail(diag, -ENOMEM, "out of memory");
}

static void
group_init(struct replay_group *g)
{
	*g = (struct replay_group){.span = {.first_ns = UINT64_MAX}};
}

static void
group_fini(struct replay_group *g)
{
	for (size_t i = 0; i < REPLAY_KEYS; i++)
		top_fini(&g->top[i]);
}

/* Every file has a clock of its own. */
static void
clock_start(struct replay *r)
{
	const struct ctl_conf *conf = r->rules.conf;

	r->clock_ns = 0;
	for (size_t c = 0; c < PKT_VITAL_COUNT; c++)
		bucket_init(&r->buckets[c], NS_PER_S, conf->vital_pps,
			MAX(conf->vital_pps / 10, VITAL_BURST_MIN));
}

static void
protect_init(struct replay *r)
{
	const struct ctl_conf *conf = r->rules.conf;

	r->vital_conf = (struct pkt_vital_conf){
		.peers = conf->peers,
		.n_peers = conf->n_peers,
		.gtsm = conf->gtsm,
	};
}

int
replay_init(const char *path, const char *location, struct replay *ret, struct diag *diag)
{
	const struct rules_opts opts = {
		.offline = true,
		.location = location,
		.engine = MATCH_ENGINE_AUTO,
	};
	size_t n_slots;
	int r;

	*ret = (struct replay){.n_rules = 0};
	group_init(&ret->all);
	for (size_t i = 0; i < DIM(ret->verdicts); i++)
		group_init(&ret->verdicts[i]);
	r = rules_file_load(path, &opts, &ret->rules, diag);
	if (r < 0)
		return r;
	protect_init(ret);
	n_slots = rules_slots_count(ret->rules.slots);
	ret->counters = mem_zalloc_aligned(BASE_CACHE_LINE, (n_slots + 1) * sizeof(*ret->counters));
	ret->hits = mem_calloc(ruleset_count(ret->rules.rules) + 1, sizeof(*ret->hits));
	ret->burst = mem_zalloc(sizeof(*ret->burst));
	if (ret->counters == NULL || ret->hits == NULL || ret->burst == NULL)
		return out_of_memory(diag);
	ret->n_rules = ruleset_count(ret->rules.rules);
	for (size_t i = 0; i < ret->n_rules; i++)
		group_init(&ret->hits[i]);
	return 0;
}

void
replay_fini(struct replay *r)
{
	for (size_t i = 0; i < r->n_rules; i++)
		group_fini(&r->hits[i]);
	for (size_t i = 0; i < DIM(r->verdicts); i++)
		group_fini(&r->verdicts[i]);
	group_fini(&r->all);
	for (size_t i = 0; r->burst != NULL && i < MATCH_BURST; i++)
		mem_free(r->burst->copies[i]);
	mem_free(r->burst);
	mem_free(r->hits);
	mem_free(r->counters);
	rules_file_fini(&r->rules);
	*r = (struct replay){.n_rules = 0};
}

void
replay_file(struct replay *r, const char *file)
{
	r->file = file;
	r->n_files++;
	clock_start(r);
}

/* ---- who is hit ---- */

/* The frame's key of @kind into @key, zeroed before. False: it has none. */
static bool
key_of(enum replay_key kind, const struct pkt_view *v, uint8_t key[TOP_KEY_BYTES])
{
	const bool ip = v->family != 0;

	switch (kind) {
	case REPLAY_DST:
		key[0] = v->family;
		if (ip)
			memcpy(key + 4, pkt_dst(v), v->family == 4 ? 4 : 16);
		return ip;
	case REPLAY_PROTO:
		key[0] = ip;
		if (ip)
			key[1] = v->proto;
		else
			store_be16(key + 2, v->ethertype);
		return true;
	case REPLAY_DPORT:
	case REPLAY_SPORT:
		key[1] = v->proto;
		store_be16(key + 2, kind == REPLAY_DPORT ? v->dport : v->sport);
		return (v->flags & PKT_PORTS) != 0;
	case REPLAY_KEYS: break;
	}
	return false;
}

static uint32_t
ip_bytes(const struct pkt_view *v)
{
	return v->family != 0 ? v->l3_len : v->wirelen;
}

/* Frame @i of the burst belongs to @g. */
static void
group_add(struct replay_group *g, const struct replay *r, uint32_t i)
{
	const struct replay_burst *b = r->burst;
	const struct pkt_view *v = &b->views[i];
	const uint64_t bytes = ip_bytes(v), t = b->time_ns[i];

	/* Frames of one burst do not come in their order. */
	if (g->packets == 0 || (g->file == r->file && b->number[i] < g->number)) {
		g->file = r->file;
		g->number = b->number[i];
	}
	g->packets++;
	g->bytes += bytes;
	g->span.first_ns = MIN(g->span.first_ns, t);
	g->span.last_ns = MAX(g->span.last_ns, t);
	for (size_t kind = 0; kind < REPLAY_KEYS; kind++) {
		uint8_t key[TOP_KEY_BYTES] = {0};

		if (key_of((enum replay_key)kind, v, key))
			top_add(&g->top[kind], key, bytes);
	}
}

/* ---- verdicts ---- */

/* Of the burst's frames those that are vital and within their class's rate. */
static uint64_t
find_vital(struct replay *r)
{
	const struct replay_burst *b = r->burst;
	uint64_t vital = 0;

	if (!r->rules.conf->vital)
		return 0;
	for (uint32_t i = 0; i < b->n; i++) {
		enum pkt_vital c;

		/* What is not IP is told by its Ethernet addresses. */
		if (b->views[i].family == 0 && !b->is_ether)
			continue;
		c = pkt_vital_class(&b->views[i], &r->vital_conf);
		if (c == PKT_VITAL_NONE)
			continue;
		r->clock_ns = MAX(r->clock_ns, b->time_ns[i]);
		/* Frames without a time cannot come too fast. */
		if (r->clock_ns != 0 && !bucket_take(&r->buckets[c], r->clock_ns)) {
			r->notes.vital_over++;
			continue;
		}
		r->notes.vital[c]++;
		vital |= UINT64_C(1) << i;
	}
	return vital;
}

/*
 * Which rules each frame reached and matched: the first match, and behind one
 * that is transparent the next. The counts are match_verdicts()'s own; this is
 * for what it does not tell, which frames they were.
 */
static void
find_hits(struct replay *r)
{
	const struct match_image *image = r->rules.image;
	uint32_t from[MATCH_BURST] = {0}, found[MATCH_BURST], n = r->burst->n;
	uint8_t which[MATCH_BURST], seen[MATCH_BURST] = {0};

	for (uint32_t i = 0; i < n; i++)
		which[i] = (uint8_t)i;
	while (n > 0) {
		uint32_t left = 0;

		match_image_first(image, r->burst->views, which, n, 0, from, found);
		for (uint32_t i = 0; i < n; i++) {
			const uint8_t frame = which[i];
			const struct match_leaf *leaf;
			bool decides;

			if (found[i] == MATCH_NONE)
				continue;
			leaf = match_image_leaf(image, found[i]);
			decides = leaf->action != MATCH_COUNT && !leaf->shadow;
			if (decides || seen[frame] < TRANSPARENT_MAX)
				group_add(&r->hits[found[i]], r, frame);
			if (decides)
				continue;
			seen[frame] += seen[frame] < TRANSPARENT_MAX;
			which[left] = frame;
			from[left++] = found[i] + 1;
		}
		n = left;
	}
}

const char *
replay_verdict_name(enum match_verdict_kind kind)
{
	switch (kind) {
	case MATCH_VERDICT_PASS: return "pass";
	case MATCH_VERDICT_DROP: return "drop";
	case MATCH_VERDICT_LIMIT: return "limit";
	}
	return "";
}

/* "drop NAME", "pass -"; what else is to be said of it behind. */
static void
add_line(const struct replay *r, const struct match_verdict *v, struct sbuf *lines)
{
	const struct rules_slots *slots = r->rules.slots;

	sbuf_adds(lines, replay_verdict_name((enum match_verdict_kind)v->kind));
	sbuf_addc(lines, ' ');
	sbuf_adds(lines, v->slot != MATCH_NONE ? rules_slots_name(slots, v->slot) : "-");
	if (v->shadow_slot != MATCH_NONE) {
		sbuf_adds(lines, " shadow=");
		sbuf_adds(lines, rules_slots_name(slots, v->shadow_slot));
	}
	if (v->is_protected)
		sbuf_adds(lines, " protected");
	sbuf_addc(lines, '\n');
}

static void
note_frame(struct replay_notes *notes, const struct pkt_view *v)
{
	notes->truncated += (v->flags & PKT_TRUNCATED) != 0;
	notes->malformed += (v->flags & PKT_MALFORMED) != 0;
	notes->fragments += (v->flags & PKT_FRAGMENT) != 0;
	notes->not_ip += v->family == 0;
}

void
replay_flush(struct replay *r, struct sbuf *lines)
{
	struct match_verdict verdicts[MATCH_BURST];
	struct match_notes notes = {0};
	struct replay_burst *b = r->burst;

	if (b->n == 0)
		return;
	match_verdicts(r->rules.image, b->views, b->n, 0, find_vital(r), true, r->counters,
		b->time_ns[b->n - 1] / NS_PER_S, verdicts, &notes);
	r->notes.transparent_overflow += notes.transparent_overflow;
	find_hits(r);
	for (uint32_t i = 0; i < b->n; i++) {
		note_frame(&r->notes, &b->views[i]);
		group_add(&r->all, r, i);
		group_add(&r->verdicts[verdicts[i].kind], r, i);
		if (lines != NULL)
			add_line(r, &verdicts[i], lines);
	}
	b->n = 0;
}

int
replay_frame(struct replay *r, int dlt, const struct pkt_frame *frame, struct sbuf *lines)
{
	struct replay_burst *b = r->burst;
	const uint32_t i = b->n;

	if (frame->caplen > b->caps[i] || b->copies[i] == NULL) {
		uint8_t *p = mem_alloc((size_t)frame->caplen + 1);

		if (p == NULL)
			return -ENOMEM;
		mem_free(b->copies[i]);
		b->copies[i] = p;
		b->caps[i] = frame->caplen;
	}
	if (frame->caplen > 0)
		memcpy(b->copies[i], frame->data, frame->caplen);
	b->is_ether = dlt == LINK_ETHER;
	r->notes.unknown_link += !pkt_link_known(dlt);
	b->time_ns[i] = frame->time_ns;
	b->number[i] = frame->number;
	pkt_parse_link(dlt, b->copies[i], frame->caplen, frame->wirelen, &b->views[i]);
	if (++b->n == MATCH_BURST)
		replay_flush(r, lines);
	return 0;
}

const char *
replay_state(const struct replay *r, size_t i)
{
	const struct ruleset_info *info = ruleset_info(r->rules.rules, i);

	if (!info->enabled)
		return "disabled";
	if (!info->here)
		return "elsewhere";
	return info->armed ? "on" : "unarmed";
}

/* ---- names ---- */

const char *
replay_key_name(enum replay_key kind)
{
	switch (kind) {
	case REPLAY_DST: return "destination";
	case REPLAY_PROTO: return "protocol";
	case REPLAY_DPORT: return "to port";
	case REPLAY_SPORT: return "from port";
	case REPLAY_KEYS: break;
	}
	return "";
}

static void
proto_text(uint8_t proto, char *buf, size_t size)
{
	const char *name = rules_proto_name(proto);

	if (name != NULL)
		(void)snprintf(buf, size, "%s", name);
	else
		(void)snprintf(buf, size, "protocol %u", proto);
}

static void
type_text(uint16_t type, char *buf, size_t size)
{
	if (type == 0x0806)
		(void)snprintf(buf, size, "arp");
	else if (type == 0)
		(void)snprintf(buf, size, "not IP");
	else
		(void)snprintf(buf, size, "type 0x%04x", type);
}

const char *
replay_key_text(enum replay_key kind, const struct top_entry *e, char buf[REPLAY_KEY_TEXT])
{
	char proto[24];

	buf[0] = '\0';
	switch (kind) {
	case REPLAY_DST:
		(void)inet_ntop(e->key[0] == 4 ? AF_INET : AF_INET6, e->key + 4, buf, 46);
		break;
	case REPLAY_PROTO:
		if (e->key[0] == 0)
			type_text(load_be16(e->key + 2), buf, REPLAY_KEY_TEXT);
		else
			proto_text(e->key[1], buf, REPLAY_KEY_TEXT);
		break;
	case REPLAY_DPORT:
	case REPLAY_SPORT:
		proto_text(e->key[1], proto, sizeof(proto));
		(void)snprintf(buf, REPLAY_KEY_TEXT, "%s/%u", proto, load_be16(e->key + 2));
		break;
	case REPLAY_KEYS: break;
	}
	return buf;
}
