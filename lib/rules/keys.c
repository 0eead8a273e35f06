// SPDX-License-Identifier: BSD-3-Clause
/* One function per key of a rule: text to draft. What keys mean together is in scope.c. */
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"
#include "base/vec.h"

#define PIECE_MAX 128 /* bytes of one item of a list */
#define ITEMS_MAX 65536 /* items of one list */

#define X(key, tier, type, range, def, help) {"rule", #key, INI_##tier, type, range, def, help},
static const struct ini_key keys[] = {{"set", "prefixes", INI_MUST, "PREFIX, …", NULL, "",
					      "Addresses and prefixes of both families."},
	{"set", "file", INI_MUST, "PATH", NULL, "",
		"A file with one address or prefix a line, relative to this file."},
	RULE_KEYS(X)};
#undef X

#define X(key, tier, type, range, def, help) [RULE_KEY_##key] = rule_key_##key,
const rule_key_fn rule_key_fns[RULE_KEY_COUNT] = {RULE_KEYS(X)};
#undef X

const struct ini_key *
ruleset_keys(size_t *ret_n)
{
	*ret_n = DIM(keys);
	return keys;
}

int
load_out_of_memory(struct diag *diag)
{
	return diag_fail(diag, -ENOMEM, "out of memory");
}

static int
copy(struct load *l, const char *text, const char **ret, struct diag *why)
{
	*ret = arena_strndup(&l->rs->store->arena, text, strlen(text));
	return *ret != NULL ? 0 : load_out_of_memory(why);
}

/* The next item of a list in @buf. 1, 0 at the end, -EINVAL for an empty or overlong item. */
static int
next_item(const char **cursor, char buf[PIECE_MAX], struct diag *why)
{
	const char *piece;
	size_t len;

	if (!parse_next(cursor, ',', &piece, &len))
		return 0;
	if (len == 0)
		return diag_fail(why, -EINVAL, "expected a list without empty places");
	if (len >= PIECE_MAX)
		return diag_fail(why, -EINVAL,
			"expected at most %d bytes in one item, got '%.60s…'", PIECE_MAX - 1,
			piece);
	memcpy(buf, piece, len);
	buf[len] = '\0';
	return 1;
}

static size_t
count_items(const char *text)
{
	size_t n = 1;

	for (; *text != '\0'; text++)
		n += *text == ',';
	return n;
}

/* The number of @text among @n words; -EINVAL with "expected WHAT". */
static int
word(const char *text, const char *const *words, size_t n, const char *what, struct diag *why)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	return diag_fail(why, -EINVAL, "expected %s, got '%.60s'", what, text);
}

/* The four that name a program are read together, by draft_program(). */
static int
not_empty(const struct ini_entry *e, struct diag *why)
{
	return e->value[0] != '\0' ? 0 : diag_fail(why, -EINVAL, "expected a value");
}

int
rule_key_match(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	(void)l;
	d->match_all = strcmp(e->value, "all") == 0;
	return not_empty(e, why);
}

int
rule_key_expr(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	(void)l;
	(void)d;
	return not_empty(e, why);
}

int
rule_key_bytecode(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	(void)l;
	(void)d;
	return not_empty(e, why);
}

int
rule_key_file(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	(void)l;
	(void)d;
	return not_empty(e, why);
}

int
rule_key_action(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	static const char *const words[] = {
		[MATCH_PASS] = "pass", [MATCH_DROP] = "drop", [MATCH_COUNT] = "count"};
	int i;

	(void)l;
	if (strncmp(e->value, "limit", strlen("limit")) == 0)
		return diag_fail(
			why, -EINVAL, "limit is not in this version; expected pass, drop or count");
	i = word(e->value, words, DIM(words), "pass, drop or count", why);
	if (i < 0)
		return i;
	d->info.action = (enum match_action)i;
	return 0;
}

int
rule_key_mode(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	static const char *const words[] = {"enforce", "shadow"};
	int i = word(e->value, words, DIM(words), "enforce or shadow", why);

	(void)l;
	if (i < 0)
		return i;
	d->info.shadow = i == 1;
	return 0;
}

int
rule_key_when(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	static const char *const words[] = {"always", "attack"};
	int i = word(e->value, words, DIM(words), "always or attack", why);

	(void)d;
	if (i == 1 && !l->opts->offline)
		return diag_fail(why, -EINVAL,
			"when = attack needs the gate, which is not in this version; expected always");
	return i < 0 ? i : 0;
}

int
rule_key_link(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	static const char *const words[] = {[MATCH_LINK_RAW] = "raw", [MATCH_LINK_ETHER] = "ether"};
	int i = word(e->value, words, DIM(words), "raw or ether", why);

	(void)l;
	if (i < 0)
		return i;
	d->m.link = (enum match_link)i;
	return 0;
}

int
rule_key_port(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	const struct ruleset_opts *o = l->opts;
	const char *cursor = e->value;
	char item[PIECE_MAX];
	uint64_t ports = 0;
	int r;

	while ((r = next_item(&cursor, item, why)) > 0) {
		const char *near;
		size_t i = 0;

		if (!ini_name_ok(item))
			return diag_fail(
				why, -EINVAL, "expected names of ports, got '%.60s'", item);
		while (i < o->n_ports && strcmp(o->ports[i], item) != 0)
			i++;
		if (i < o->n_ports) {
			ports |= UINT64_C(1) << i;
			continue;
		}
		if (o->n_ports == 0)
			continue;
		near = parse_nearest(item, o->ports, o->n_ports);
		if (near != NULL)
			return diag_fail(why, -EINVAL, "there is no [port %s]; did you mean '%s'?",
				item, near);
		return diag_fail(why, -EINVAL, "there is no [port %s]", item);
	}
	if (r < 0)
		return r;
	d->m.scope.ports = o->n_ports > 0 ? ports : UINT64_MAX;
	return 0;
}

int
rule_key_family(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	static const char *const words[] = {"any", "4", "6"};
	static const uint8_t families[] = {0, 4, 6};
	int i = word(e->value, words, DIM(words), "4, 6 or any", why);

	(void)l;
	if (i < 0)
		return i;
	d->m.scope.family = families[i];
	return 0;
}

/* A protocol by its name in a list, as iana.org has it. */
static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {
	{"icmp", 1},
	{"igmp", 2},
	{"ipip", 4},
	{"tcp", 6},
	{"udp", 17},
	{"dccp", 33},
	{"ipv6", 41},
	{"gre", 47},
	{"esp", 50},
	{"ah", 51},
	{"icmp6", 58},
	{"ospf", 89},
	{"pim", 103},
	{"vrrp", 112},
	{"sctp", 132},
	{"udplite", 136},
};

const char *
rules_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < DIM(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return NULL;
}

static int
proto_item(const char *item, struct u16_range *ret, struct diag *why)
{
	const char *names[DIM(protos)];
	const char *near;

	for (size_t i = 0; i < DIM(protos); i++) {
		names[i] = protos[i].name;
		if (strcmp(item, names[i]) != 0)
			continue;
		*ret = (struct u16_range){protos[i].proto, protos[i].proto};
		return 0;
	}
	if (item[0] >= '0' && item[0] <= '9')
		return parse_range(item, 0, 255, ret, why);
	near = parse_nearest(item, names, DIM(names));
	if (near != NULL)
		return diag_fail(
			why, -EINVAL, "unknown protocol '%.60s'; did you mean '%s'?", item, near);
	return diag_fail(why, -EINVAL, "expected a protocol's name or number, got '%.60s'", item);
}

static int
port_item(const char *item, struct u16_range *ret, struct diag *why)
{
	return parse_range(item, 0, UINT16_MAX, ret, why);
}

static int
ranges(struct load *l, const char *text,
	int (*parse)(const char *item, struct u16_range *ret, struct diag *why),
	struct match_ranges *ret, struct diag *why)
{
	const size_t max = count_items(text);
	const char *cursor = text;
	char item[PIECE_MAX];
	struct u16_range *v;
	size_t n = 0;
	int r;

	if (strcmp(text, "any") == 0) {
		*ret = (struct match_ranges){NULL, 0};
		return 0;
	}
	if (max > ITEMS_MAX)
		return diag_fail(why, -EINVAL, "expected at most %d items", ITEMS_MAX);
	v = arena_zalloc(&l->rs->store->arena, max * sizeof(*v));
	if (v == NULL)
		return load_out_of_memory(why);
	while ((r = next_item(&cursor, item, why)) > 0) {
		r = parse(item, &v[n], why);
		if (r < 0)
			return r;
		n++;
	}
	if (r < 0)
		return r;
	*ret = (struct match_ranges){v, n};
	return 0;
}

int
rule_key_proto(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	return ranges(l, e->value, proto_item, &d->m.scope.proto, why);
}

int
rule_key_sport(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	return ranges(l, e->value, port_item, &d->m.scope.sport, why);
}

int
rule_key_dport(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	return ranges(l, e->value, port_item, &d->m.scope.dport, why);
}

/* How many prefixes @text stands for; whether one set is all there is, then that set. */
static int
addrs_size(const struct load *l, const char *text, size_t *ret_n, const struct set **ret_only,
	struct diag *why)
{
	const char *cursor = text;
	char item[PIECE_MAX];
	size_t n = 0, items = 0;
	int r;

	*ret_only = NULL;
	while ((r = next_item(&cursor, item, why)) > 0) {
		const struct set *set = NULL;

		if (ini_name_ok(item)) {
			set = load_set_find(l, item, why);
			if (set == NULL)
				return -EINVAL;
		}
		n += set != NULL ? set->n : 1;
		*ret_only = items++ == 0 ? set : NULL;
	}
	*ret_n = n;
	return r;
}

static int
addrs_fill(struct load *l, const char *text, struct ip_prefix *v, bool *ret_named, struct diag *why)
{
	const char *cursor = text;
	char item[PIECE_MAX];
	int r;

	while ((r = next_item(&cursor, item, why)) > 0) {
		if (ini_name_ok(item)) {
			const struct set *set = load_set_find(l, item, why);

			if (set == NULL)
				return -EINVAL;
			if (set->n > 0)
				memcpy(v, set->v, set->n * sizeof(*v));
			v += set->n;
			*ret_named = true;
			continue;
		}
		r = parse_ip_prefix(item, v, why);
		if (r < 0)
			return r;
		v++;
	}
	return r;
}

/* Sets and prefixes as one list. One set alone is not copied: it may be large, its rules many. */
static int
addrs(struct load *l, const char *text, struct rule_addrs *a, struct diag *why)
{
	const struct set *only;
	struct ip_prefix *v;
	size_t n;
	int r;

	if (strcmp(text, "any") == 0)
		return 0;
	r = addrs_size(l, text, &n, &only, why);
	if (r < 0)
		return r;
	if (only != NULL) {
		a->named = true;
		a->p = (struct match_prefixes){false, only->v, only->n};
		return copy(l, text, &a->set, why);
	}
	v = arena_zalloc(&l->rs->store->arena, (n + 1) * sizeof(*v));
	if (v == NULL)
		return load_out_of_memory(why);
	r = addrs_fill(l, text, v, &a->named, why);
	if (r == 0)
		a->p = (struct match_prefixes){false, v, n};
	return r;
}

int
rule_key_src(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	return addrs(l, e->value, &d->src, why);
}

int
rule_key_dst(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	return addrs(l, e->value, &d->dst, why);
}

int
rule_key_fragments(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	static const char *const words[] = {"match", "only", "never"};
	static const enum match_fragments values[] = {
		MATCH_FRAG_MATCH, MATCH_FRAG_ONLY, MATCH_FRAG_NEVER};
	int i = word(e->value, words, DIM(words), "match, only or never", why);

	(void)l;
	if (i < 0)
		return i;
	d->m.scope.fragments = values[i];
	return 0;
}

int
rule_key_locations(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	const char *cursor = e->value;
	char item[PIECE_MAX];
	bool here = false;
	int r;

	while ((r = next_item(&cursor, item, why)) > 0)
		here |= strcmp(item, l->location) == 0;
	d->info.here = here;
	return r < 0 ? r : copy(l, e->value, &d->info.locations, why);
}

int
rule_key_ttl(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	const uint64_t max_ms = UINT64_C(3650) * 86400000;
	uint64_t ms = 0;
	int r = parse_duration_ms(e->value, &ms, why);

	(void)l;
	if (r < 0)
		return r;
	if (ms < 1000 || ms > max_ms)
		return diag_fail(why, -ERANGE, "expected 1 s to 3650 d, got '%.60s'", e->value);
	d->info.ttl_ms = ms;
	return 0;
}

int
rule_key_enabled(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	(void)l;
	return parse_bool(e->value, &d->info.enabled, why);
}

int
rule_key_order(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	uint32_t v = 0;
	int r = parse_u32(e->value, 0, UINT16_MAX, &v, why);

	(void)l;
	if (r == 0)
		d->info.order = (uint16_t)v;
	return r;
}

int
rule_key_sample(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	uint32_t n = 0;
	int r = parse_one_in(e->value, &n, NULL);

	(void)l;
	if (r < 0 || n == 0)
		return diag_fail(why, -EINVAL,
			"expected '1/N' with N from 1 to 2147483648, got '%.60s'", e->value);
	d->info.sample_one_in = n;
	return 0;
}

int
rule_key_comment(struct load *l, struct draft *d, const struct ini_entry *e, struct diag *why)
{
	return copy(l, e->value, &d->info.comment, why);
}
