// SPDX-License-Identifier: BSD-3-Clause
#include "synth.h"

#include <string.h>

#include "base/util.h"
#include "item.h"
#include "match/rule.h"
#include "match/sym.h"
#include "scope.h"

#define ETHER 14 /* bytes */
#define LEN_MIN 46 /* of a datagram: what the shortest frame holds */
#define LABEL 3 /* bytes of a label that may have any length */

/* A frame under construction. */
struct draft {
	const struct items *items;
	const struct item *it; /* or NULL */
	const struct match_rule *rule;
	struct synth *s;
	int32_t pos[WINDOWS_MAX]; /* of windows, in s->bytes */
	uint32_t l3_len; /* of the datagram */
	uint32_t end; /* the last byte that is asked for, of the datagram */
	uint8_t family;
	bool failed;
};

/* ---- what is known beforehand ---- */

static bool
key_bits(const struct item *it, uint64_t mask, uint64_t *ret)
{
	if (it == NULL || it->n_words == 0 || it->words[0].win != WINDOW_OF_KEY ||
		(it->words[0].mask & mask) != mask)
		return false;
	*ret = it->words[0].val & mask;
	return true;
}

static uint16_t
port_of(const struct item *it, const struct match_ranges *list, uint32_t shift, uint16_t any)
{
	uint64_t port;

	if (key_bits(it, UINT64_C(0xffff) << shift, &port))
		return (uint16_t)(port >> shift);
	return list->n > 0 ? list->v[0].lo : any;
}

static uint8_t
proto_of(const struct draft *d)
{
	uint64_t proto;

	if (key_bits(d->it, PKT_KEY_PROTO(0xff), &proto))
		return (uint8_t)(proto / PKT_KEY_PROTO(1));
	return d->rule->scope.proto.n > 0 ? (uint8_t)d->rule->scope.proto.v[0].lo : 17;
}

/* What the words say of byte @at of the datagram, or -1. */
static int
byte_of(const struct item *it, int32_t at)
{
	for (uint32_t i = 0; it != NULL && i < it->n_words; i++) {
		const struct item_word *w = &it->words[i];

		if (w->win == WINDOW_OF_START(SPACE_RAW) && at >= w->off && at < w->off + 8 &&
			(w->mask >> 8 * (at - w->off) & 0xf0) == 0xf0)
			return (int)(w->val >> 8 * (at - w->off) & 0xff);
	}
	return -1;
}

static const struct ip_prefix *
prefix_of(const struct match_prefixes *list, uint8_t family)
{
	for (size_t i = 0; !list->any && i < list->n; i++)
		if (list->v[i].addr.family == family)
			return &list->v[i];
	return NULL;
}

static uint8_t
family_of(const struct draft *d)
{
	const struct match_scope *s = &d->rule->scope;
	const int version = byte_of(d->it, 0);
	uint64_t family;

	if (key_bits(d->it, PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS), &family))
		return family == PKT_KEY_FAMILY(6) ? 6 : 4;
	if (version >= 0)
		return version >> 4 == 6 ? 6 : 4;
	if (s->family != 0)
		return s->family;
	if ((!s->dst.any && prefix_of(&s->dst, 4) == NULL) ||
		(!s->src.any && prefix_of(&s->src, 4) == NULL))
		return 6;
	return !d->rule->scope_only && d->rule->prog[0] == NULL ? 6 : 4;
}

/* ---- headers ---- */

static void
put_addresses(struct draft *d, uint8_t *ip)
{
	const bool is_6 = d->family == 6;
	const size_t size = is_6 ? 16 : 4;
	const struct ip_prefix *src = prefix_of(&d->rule->scope.src, d->family);
	const struct ip_prefix *dst = prefix_of(&d->rule->scope.dst, d->family);
	static const uint8_t any4[2][4] = {{192, 0, 2, 1}, {198, 51, 100, 1}};
	static const uint8_t any6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

	ip += is_6 ? 8 : 12;
	memcpy(ip, src != NULL ? src->addr.bytes : is_6 ? any6 : any4[0], size);
	memcpy(ip + size, dst != NULL ? dst->addr.bytes : is_6 ? any6 : any4[1], size);
}

static void
put_headers(struct draft *d)
{
	uint8_t *ip = d->s->bytes + ETHER, *l4 = ip + (d->family == 6 ? 40 : 20);
	const uint8_t proto = proto_of(d);

	memset(d->s->bytes, 0, sizeof(d->s->bytes));
	store_be16(d->s->bytes + 12, d->family == 6 ? 0x86dd : 0x0800);
	if (d->family == 6) {
		ip[0] = 0x60;
		store_be16(ip + 4, (uint16_t)(d->l3_len - 40));
		ip[6] = proto;
		ip[7] = 64;
	} else {
		ip[0] = 0x45;
		store_be16(ip + 2, (uint16_t)d->l3_len);
		ip[8] = 64;
		ip[9] = proto;
	}
	put_addresses(d, ip);
	store_be16(l4, port_of(d->it, &d->rule->scope.sport, 32, 1024));
	store_be16(l4 + 2, port_of(d->it, &d->rule->scope.dport, 0, 53));
	if (proto == 6)
		l4[12] = 0x50;
	else
		store_be16(l4 + 4, (uint16_t)(d->l3_len - (uint32_t)(l4 - ip)));
}

/* ---- windows and words ---- */

/* Bytes of the space of window @w before its first. */
static int32_t
space_start(const struct window *w)
{
	return w->space == SPACE_RAW ? ETHER : 0;
}

/* Of the places of a WINDOW_STEPS the first. */
static void
find_step(struct draft *d, uint32_t i)
{
	const struct window *w = &d->items->windows[i];
	const int32_t from = d->pos[w->parent] + (int32_t)w->off, at = from + w->step.at;
	uint8_t *byte;

	if (at < 0 || at >= SYNTH_MAX) {
		d->failed = true;
		return;
	}
	byte = &d->s->bytes[at];
	if (*byte < w->step.lo || *byte > w->step.hi || *byte == 0)
		*byte = MAX(w->step.lo, MIN(LABEL, w->step.hi));
	d->pos[i] = from + w->step.behind + *byte;
}

static void
find_window(struct draft *d, uint32_t i)
{
	const struct window *w = &d->items->windows[i];
	int32_t at, byte;

	switch ((enum window_kind)w->kind) {
	case WINDOW_KEY: return;
	case WINDOW_START: d->pos[i] = space_start(w); return;
	case WINDOW_TAIL: d->pos[i] = ETHER + (int32_t)d->l3_len; return;
	case WINDOW_STEPS: find_step(d, i); return;
	case WINDOW_IHL:
	case WINDOW_L4:
	case WINDOW_BYTE:
	case WINDOW_WALK: break;
	}
	at = d->pos[w->parent] + (int32_t)w->off;
	if (at < 0 || at >= SYNTH_MAX) {
		d->failed = true;
		return;
	}
	byte = d->s->bytes[at];
	if (w->kind == WINDOW_L4 && byte >> 4 == 6) {
		d->pos[i] = space_start(w) + WINDOW_L4_IP6;
		return;
	}
	if (w->kind == WINDOW_IHL || w->kind == WINDOW_L4) {
		d->pos[i] = space_start(w) + 4 * (byte & 15);
		return;
	}
	/* A label's length is the rule's or any; 0 would end the name. */
	if (byte == 0)
		byte = d->s->bytes[at] = LABEL;
	d->pos[i] = byte + (w->kind == WINDOW_WALK ? d->pos[w->parent] : space_start(w));
}

static void
put_word(struct draft *d, const struct item_word *w)
{
	for (int b = 0; b < 8; b++) {
		const uint8_t mask = (uint8_t)(w->mask >> 8 * b);
		const int32_t at = d->pos[w->win] + w->off + b;

		if (mask == 0)
			continue;
		if (at < 0 || at >= SYNTH_MAX) {
			d->failed = true;
			return;
		}
		d->s->bytes[at] = (uint8_t)((d->s->bytes[at] & ~mask) | (w->val >> 8 * b & 0xff));
		d->end = MAX(d->end, (uint32_t)MAX(at + 1 - ETHER, 0));
	}
}

/* The first number of a range, where what is there is not in it. */
static void
put_range(struct draft *d, const struct item_range *r)
{
	const int32_t at = d->pos[r->win] + r->off;
	uint32_t v = 0;

	if (at < 0 || at + r->size > SYNTH_MAX) {
		d->failed = true;
		return;
	}
	for (int b = 0; b < r->size; b++)
		v = v << 8 | d->s->bytes[at + b];
	d->end = MAX(d->end, (uint32_t)MAX(at + r->size - ETHER, 0));
	if ((v & r->mask) - r->lo <= r->span)
		return;
	v = (v & ~r->mask) | (r->lo & r->mask);
	for (int b = 0; b < r->size; b++)
		d->s->bytes[at + b] = (uint8_t)(v >> 8 * (r->size - 1 - b));
}

static void
put_item(struct draft *d)
{
	const struct items *items = d->items;
	bool used[WINDOWS_MAX] = {false};

	for (uint32_t i = 0; i < d->it->n_words; i++)
		used[d->it->words[i].win] = true;
	for (uint32_t i = 0; i < d->it->n_needs; i++)
		used[d->it->needs[i].win] = true;
	for (uint32_t i = 0; i < d->it->n_ranges; i++)
		used[d->it->ranges[i].win] = true;
	/* Windows come behind those that they are found by. */
	for (uint32_t i = items->n_windows; i-- > 0;)
		if (used[i] && items->windows[i].kind > WINDOW_START &&
			items->windows[i].kind != WINDOW_TAIL)
			used[items->windows[i].parent] = true;
	for (uint32_t i = WINDOW_OF_START(0); i < items->n_windows && !d->failed; i++) {
		if (!used[i])
			continue;
		find_window(d, i);
		for (uint32_t k = 0; k < d->it->n_words && !d->failed; k++)
			if (d->it->words[k].win == i)
				put_word(d, &d->it->words[k]);
		for (uint32_t k = 0; k < d->it->n_ranges && !d->failed; k++)
			if (d->it->ranges[k].win == i)
				put_range(d, &d->it->ranges[k]);
	}
	for (uint32_t i = 0; i < d->it->n_needs; i++) {
		const struct item_need *n = &d->it->needs[i];
		const bool tail = items->windows[n->win].kind == WINDOW_TAIL;
		const int32_t from = tail ? ETHER : d->pos[n->win];

		d->end = MAX(d->end, (uint32_t)MAX(from + n->a - ETHER, 0));
	}
}

bool
synth_make(const struct items *items, const struct item *it, const struct match_rule *rule,
	struct synth *ret)
{
	struct draft d = {.items = items, .it = it, .rule = rule, .s = ret, .l3_len = 2 * LEN_MIN};

	d.family = family_of(&d);
	/* Twice: what is asked says how long the frame is, which headers say. */
	for (int round = 0; round < 2 && !d.failed; round++) {
		d.end = 0;
		put_headers(&d);
		if (it != NULL)
			put_item(&d);
		if (round == 0)
			d.l3_len = MAX(d.end, LEN_MIN + (d.family == 6 ? 20 : 0));
		d.failed |= d.l3_len > SYNTH_MAX - ETHER;
	}
	ret->len = ETHER + d.l3_len;
	return !d.failed;
}

/* Where in @s the load @n is; -1: at no fixed place. */
static int32_t
place_of(const struct synth *s, const struct sym_node *n, int32_t start)
{
	int32_t at = start + (int32_t)n->k;

	if (n->op != SYM_LOAD || n->k > SYNTH_MAX)
		return -1;
	/* 4 * (byte & 15): the IHL. */
	if (n->a != NULL && (n->a->op != SYM_ALU || n->a->alu != CBPF_ALU_LSH))
		return -1;
	if (n->a != NULL)
		at += 4 * (s->bytes[start] & 15);
	return at + n->size <= (int32_t)s->len ? at : -1;
}

static bool
holds(const struct sym_atom *a, const struct synth *s, uint32_t start)
{
	const struct sym_path one = {.atoms = a, .n_atoms = 1, .exact = true};

	return sym_path_holds(&one, s->bytes + start, s->len - start, s->len - start);
}

void
synth_solve(const struct match_rule *rule, const struct sym_path *path, struct synth *s)
{
	const int32_t start = rule->link == MATCH_LINK_ETHER ? 0 : ETHER;

	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const struct sym_atom *a = &path->atoms[i];
		const int32_t at = place_of(s, a->node, start);
		uint32_t v = 0;

		if (at < 0 || holds(a, s, (uint32_t)start))
			continue;
		/* The first number of a range; any other one where one is not allowed. */
		if (a->kind == SYM_RANGE)
			v = 0 - a->mask;
		else if (a->kind == SYM_EQ && a->neg)
			v = a->val ^ (a->mask & (0 - a->mask));
		else
			continue;
		for (int b = 0; b < a->node->size; b++)
			s->bytes[at + b] = (uint8_t)(v >> 8 * (a->node->size - 1 - b));
	}
}

bool
synth_spoil(const struct items *items, const struct item *it, struct synth *s)
{
	struct draft d = {.items = items, .it = it, .s = s, .l3_len = s->len - ETHER};

	if (it == NULL || it->n_words == 0)
		return false;
	for (uint32_t i = WINDOW_OF_START(0); i < items->n_windows; i++)
		find_window(&d, i);
	/* The last byte that is asked for: few other rules ask for the same. */
	for (uint32_t k = it->n_words; k-- > 0;) {
		const struct item_word *w = &it->words[k];

		for (int b = 8; b-- > 0 && w->win != WINDOW_OF_KEY;) {
			const int32_t at = d.pos[w->win] + w->off + b;
			const uint8_t mask = (uint8_t)(w->mask >> 8 * b);

			if (mask == 0 || at < ETHER || at >= (int32_t)s->len)
				continue;
			s->bytes[at] ^= (uint8_t)(mask & -mask);
			return true;
		}
	}
	return false;
}
