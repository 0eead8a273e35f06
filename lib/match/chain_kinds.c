// SPDX-License-Identifier: BSD-3-Clause
/*
 * Links for frames of one kind. What nearly all frames are, TCP or UDP in IPv4 without options
 * and not in fragments, the key says in one comparison; and then the first byte is 0x45, so that
 * what lies behind the header is at fixed places, a protocol need not be asked for, and what
 * a whole header has need not be checked. Rules for other protocols are not there. All other
 * frames are asked by links for any, which stand behind.
 */
#include <string.h>

#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "chain.h"
#include "item.h"
#include "pkt/proto.h"

#define FAMILY(f) PKT_KEY_FAMILY(f)
#define FLAGS(f) PKT_KEY_FLAGS(f)
#define WHAT (FAMILY(PKT_KEY_FAMILY_BITS) | PKT_KEY_PROTO(0xff))

/* Of all programs: with more, as of those that walk over labels, copies take long to compile. */
#define INSNS_MAX 2048

#define ANY_PROTO 0 /* which IPv4 does not use */

/*
 * A kind, and what is known of its frames, as lib/pkt/view.c makes views: that there is
 * PKT_PORTS of IPv4 without PKT_IP_OPTIONS is said where the header has 20 bytes and all
 * of the one behind it is captured; a family where the fixed header is. Nothing is
 * captured that is not of the datagram's length.
 */
struct kind {
	struct scope_test test;
	uint8_t proto; /* or ANY_PROTO */
	uint8_t proto_at; /* byte of the header */
	struct cbpf_known known[2]; /* the second: of datagrams that are not cut */
};

/* The same for both. */
#define KNOWN(...) \
	{ \
		{__VA_ARGS__}, {.whole = true, __VA_ARGS__}, \
	}

#define PLAIN4 WHAT | FLAGS(PKT_FRAG_LATER | PKT_PORTS | PKT_IP_OPTIONS)
#define KIND4(p, size) \
	{ \
		.test = {PLAIN4, FAMILY(4) | PKT_KEY_PROTO(p) | FLAGS(PKT_PORTS)}, .proto = (p), \
		.proto_at = 9, \
		.known = KNOWN(.there = 20 + (size), .bits = {0xff, [6] = 0x1f, 0xff, [9] = 0xff}, \
			.val = {0x45, [9] = (p)}) \
	}

/* Extension headers are PKT_IP_OPTIONS, too: without them the protocol is the header's. */
#define PLAIN6 WHAT | FLAGS(PKT_PORTS | PKT_IP_OPTIONS)
#define KIND6(p, size) \
	{ \
		.test = {PLAIN6, FAMILY(6) | PKT_KEY_PROTO(p) | FLAGS(PKT_PORTS)}, .proto = (p), \
		.proto_at = 6, \
		.known = KNOWN(.there = 40 + (size), .bits = {0xf0, [6] = 0xff}, \
			.val = {0x60, [6] = (p)}) \
	}

static const struct kind kinds[] = {
	KIND4(PKT_PROTO_UDP, 8),
	KIND4(PKT_PROTO_TCP, 20),
	{
		.test = {WHAT | FLAGS(PKT_FRAG_LATER), FAMILY(4) | PKT_KEY_PROTO(PKT_PROTO_ICMP)},
		.proto = PKT_PROTO_ICMP,
		.proto_at = 9,
		.known = KNOWN(.there = 20, .bits = {0xf0, [6] = 0x1f, 0xff, [9] = 0xff},
			.val = {0x40, [9] = PKT_PROTO_ICMP}),
	},
	{
		.test = {FAMILY(PKT_KEY_FAMILY_BITS) | FLAGS(PKT_FRAG_LATER), FAMILY(4)},
		.proto = ANY_PROTO,
		.known = KNOWN(.there = 20, .bits = {0xf0, [6] = 0x1f, 0xff}, .val = {0x40}),
	},
	KIND6(PKT_PROTO_UDP, 8),
	KIND6(PKT_PROTO_TCP, 20),
	{
		.test = {FAMILY(PKT_KEY_FAMILY_BITS) | FLAGS(PKT_IP_OPTIONS), FAMILY(6)},
		.proto = ANY_PROTO,
		.known = KNOWN(.there = 40, .bits = {0xf0}, .val = {0x60}),
	},
};
_Static_assert(DIM(kinds) == CHAIN_KINDS, "room");

/* Whether frames of kind @k may be asked by @link. */
static bool
is_of(const struct cbpf_link *link, const struct kind *k)
{
	return scope_tests_meet((struct scope_test){link->mask, link->val}, k->test);
}

/* Whether @prog loads the protocol of kind @k, and compares it with that. */
static bool
asks_proto(const struct cbpf_prog *prog, const struct kind *k)
{
	size_t n = 0;
	const struct cbpf_insn *v = prog != NULL ? cbpf_prog_insns(prog, &n) : NULL;

	for (size_t i = 0; i + 1 < n; i++)
		if (v[i].code == CBPF_CODE_LD_B_ABS && v[i].k == k->proto_at &&
			v[i + 1].code == CBPF_CODE_JEQ_K && v[i + 1].k == k->proto)
			return true;
	return false;
}

/* Whether @prog looks where the datagram ends. */
static bool
asks_end(const struct cbpf_prog *prog)
{
	size_t n = 0;
	const struct cbpf_insn *v = prog != NULL ? cbpf_prog_insns(prog, &n) : NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].code == CBPF_CODE_LD_LEN || v[i].code == CBPF_CODE_LDX_LEN)
			return true;
	return false;
}

/* Whether @link, whose frames may be of kind @k, is for that protocol. */
static bool
is_for(const struct cbpf_link *link, const struct kind *k)
{
	if (k->proto == ANY_PROTO || link->prog == NULL)
		return false;
	return (link->mask & PKT_KEY_PROTO(0xff)) == PKT_KEY_PROTO(0xff) ||
		asks_proto(link->prog, k);
}

/* Of the @n links @v that are for frames of kind @k. */
struct wanted {
	bool proto; /* some are for its protocol */
	bool end; /* some look at the end */
};

static struct wanted
wanted_of(const struct cbpf_link *v, size_t n, const struct kind *k)
{
	struct wanted w = {false, false};

	for (size_t i = 0; i < n; i++) {
		if (!is_of(&v[i], k))
			continue;
		w.proto |= is_for(&v[i], k);
		w.end |= asks_end(v[i].prog);
	}
	return w;
}

/* Whether what @w asks holds for all frames of kind @k. */
static bool
says_word(const struct kind *k, const struct item_word *w)
{
	const struct cbpf_known *known = &k->known[0];

	for (int b = 0; b < 8; b++) {
		const uint8_t mask = (uint8_t)(w->mask >> 8 * b), val = (uint8_t)(w->val >> 8 * b);
		const int at = w->off + b;

		if (mask == 0)
			continue;
		if (w->win != WINDOW_OF_START(SPACE_RAW) || at < 0 || at >= CBPF_KNOWN_BYTES ||
			(mask & ~known->bits[at]) != 0 || ((val ^ known->val[at]) & mask) != 0)
			return false;
	}
	return true;
}

/* Whether all that @it asks of the start of datagrams but of the key holds for kind @k. */
static bool
says_item(const struct kind *k, const struct item *it, uint32_t first_word)
{
	bool all = true;

	for (uint32_t i = first_word; i < it->n_words; i++)
		all = all && says_word(k, &it->words[i]);
	for (uint32_t i = 0; i < it->n_needs; i++)
		all = all &&
			(it->needs[i].win != WINDOW_OF_START(SPACE_RAW) ||
				it->needs[i].a <= k->known[0].there);
	return all;
}

bool
chain_kinds_say(const struct item *it, struct scope_test *ret)
{
	const bool has_key = it->n_words > 0 && it->words[0].win == WINDOW_OF_KEY;
	const uint64_t mask = has_key ? it->words[0].mask : 0;
	const struct scope_test key = {(uint32_t)mask, has_key ? (uint32_t)it->words[0].val : 0};

	for (size_t i = 0; i < DIM(kinds) && mask <= UINT32_MAX; i++) {
		const struct kind *k = &kinds[i];

		if (!scope_tests_meet(key, k->test) || !says_item(k, it, has_key))
			continue;
		*ret = (struct scope_test){key.mask | k->test.mask, key.val | k->test.val};
		return true;
	}
	return false;
}

/* Those of the @n links @v that are for frames of kind @k, for these alone, and an end. */
static void
add_kind(struct chain_links *l, const struct cbpf_link *v, size_t n, const struct kind *k,
	bool whole)
{
	struct cbpf_link *to = &l->v[l->n];
	struct scope_test all = {UINT32_MAX, 0}; /* what all of them ask */
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_of(&v[i], k))
			continue;
		to[kept] = v[i];
		to[kept].mask |= k->test.mask;
		to[kept].val |= k->test.val;
		all.val = kept == 0 ? to[kept].val : all.val;
		all.mask &= to[kept].mask & ~(to[kept].val ^ all.val);
		kept++;
	}
	to[kept++] = (struct cbpf_link){
		.mask = all.mask, .val = all.val & all.mask, .number = CBPF_CHAIN_NONE};
	for (size_t i = 0; i < kept; i++) {
		to[i].gate = all.mask;
		to[i].known = &k->known[whole];
	}
	l->n += kept;
}

void
chain_kinds_add(struct chain_links *l)
{
	struct cbpf_link was[CHAIN_LINKS_PLAIN];
	const size_t n = l->n, room = l->room;
	uint32_t had = 0; /* the family of the last kind */

	if (l->n_insns > INSNS_MAX)
		return;
	memcpy(was, l->v, n * sizeof(*was));
	l->n = 0;
	for (size_t i = 0; i < DIM(kinds); i++) {
		const struct wanted w = wanted_of(was, n, &kinds[i]);
		const uint32_t family = kinds[i].test.val & FAMILY(PKT_KEY_FAMILY_BITS);

		/* Rules for the end alone get one kind of a family, which is quick to compile. */
		if (kinds[i].proto == ANY_PROTO ? !w.end || had == family : !w.proto)
			continue;
		add_kind(l, was, n, &kinds[i], w.end);
		l->room += room;
		had = family;
	}
	memcpy(&l->v[l->n], was, n * sizeof(*was));
	l->n += n;
}
