// SPDX-License-Identifier: BSD-3-Clause
/*
 * A path through a program as conditions of nft. Loads are raw payload
 * expressions, @nh from the IP header and @th from L4 on; one past the packet
 * makes the rule not match, also under !=, as it makes a program return 0.
 * Equalities are gathered byte by byte and come out as windows of at most 128
 * bits, which is what one expression of nft may have.
 */
#include <inttypes.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "match/sym.h"
#include "nft.h"
#include "pkt/proto.h"

#define WINDOW_MAX 16 /* bytes */
#define GAP_MAX 2 /* bytes that nobody asks of, within a window */
#define REACH 256 /* bytes; the kernel took an offset of 8 bits for most of its life */

enum base { NH, TH, BASES };
static const char *const base_names[BASES] = {"nh", "th"};

struct place {
	enum base base;
	uint32_t off;
};

struct gather {
	const struct nft_shown *shown;
	struct sbuf *out;
	uint8_t mask[BASES][REACH], val[BASES][REACH];
	uint32_t have[BASES]; /* bytes that conditions load anyway */
	bool never;
};

/* 4 * (byte 0 & 15): where L4 of an IPv4 datagram starts. */
static bool
is_header_length(const struct sym_node *n)
{
	const struct sym_node *low;

	if (n->op != SYM_ALU || n->alu != CBPF_ALU_LSH || n->b->op != SYM_CONST || n->b->k != 2)
		return false;
	low = n->a;
	return low->op == SYM_ALU && low->alu == CBPF_ALU_AND && low->b->op == SYM_CONST &&
		low->b->k == 15 && low->a->op == SYM_LOAD && low->a->a == NULL && low->a->k == 0 &&
		low->a->size == 1;
}

/*
 * Where @size bytes at @base + @off are. A generator's program sees an IPv6
 * datagram without extension headers: L4 at byte 40 is where L4 is, and the
 * length and the next header are not those of the packet.
 */
static bool
find_place(const struct gather *g, const struct sym_node *base, uint32_t off, uint32_t size,
	struct place *ret)
{
	const bool six = g->shown->family == 6;

	*ret = (struct place){NH, off};
	if (base != NULL) {
		if (six || !is_header_length(base))
			return false;
		ret->base = TH;
	} else if (six && g->shown->generated) {
		if (off >= PKT_IP6_BYTES)
			*ret = (struct place){TH, off - PKT_IP6_BYTES};
		else if (off + size > PKT_IP6_BYTES || (off < 7 && off + size > 4))
			return false;
	}
	return ret->off + size <= REACH;
}

/* "@nh,64,8", or "meta length"; a mask behind it. False: not to be said. */
static bool
add_value(struct gather *g, const struct sym_node *n, struct sbuf *out)
{
	struct place p;

	if (n->op == SYM_LEN) {
		sbuf_adds(out, "meta length");
		return !(g->shown->family == 6 && g->shown->generated);
	}
	if (n->op == SYM_ALU && n->alu == CBPF_ALU_AND && n->b->op == SYM_CONST) {
		if (n->a->op != SYM_LOAD || !add_value(g, n->a, out))
			return false;
		sbuf_addf(out, " & 0x%" PRIx32, n->b->k);
		return true;
	}
	if (n->op != SYM_LOAD || !find_place(g, n->a, n->k, n->size, &p))
		return false;
	g->have[p.base] = MAX(g->have[p.base], p.off + n->size);
	sbuf_addf(out, "@%s,%" PRIu32 ",%u", base_names[p.base], p.off * 8, n->size * 8u);
	return true;
}

static uint32_t
max_of(const struct sym_node *n)
{
	return n->op == SYM_LOAD && n->size < 4 ? (UINT32_C(1) << 8 * n->size) - 1 : UINT32_MAX;
}

/* Bits that must be as they are: noted by byte. */
static bool
gather_equal(struct gather *g, const struct sym_atom *a)
{
	const struct sym_node *n = a->node;
	struct place p;

	if (!find_place(g, n->a, n->k, n->size, &p))
		return false;
	for (uint32_t i = 0; i < n->size; i++) {
		const unsigned int shift = 8 * (n->size - 1 - i);
		const uint8_t mask = (uint8_t)(a->mask >> shift), val = (uint8_t)(a->val >> shift);
		uint8_t *old_mask = &g->mask[p.base][p.off + i], *old = &g->val[p.base][p.off + i];

		g->never |= ((*old ^ val) & *old_mask & mask) != 0 || (val & ~mask) != 0;
		*old_mask |= mask;
		*old |= val;
	}
	return true;
}

static bool
say_equal(struct gather *g, const struct sym_atom *a)
{
	const uint32_t max = max_of(a->node);

	if (a->node->op == SYM_LOAD && !a->neg)
		return true; /* gathered before */
	/* A mask of the length would be one of the machine's byte order. */
	if (a->node->op == SYM_LEN && a->mask != UINT32_MAX)
		return false;
	sbuf_addc(g->out, ' ');
	if (!add_value(g, a->node, g->out))
		return false;
	/*
	 * nft 1.0.6 makes one of neighbouring loads: "a != 1 b != 2" becomes
	 * "(a, b) != (1, 2)", which is another thing. Behind a mask it does not.
	 */
	if (a->node->op == SYM_LOAD)
		sbuf_addf(g->out, " & 0x%" PRIx32, a->mask & max);
	sbuf_addf(g->out, " %s 0x%" PRIx32, a->neg ? "!=" : "==", a->val);
	return a->node->op != SYM_ALU || a->mask == UINT32_MAX;
}

/* node + mask <= val, modulo 2^32: from -mask to val - mask, or all but what lies between. */
static bool
say_range(struct gather *g, const struct sym_atom *a)
{
	const uint32_t lo = 0 - a->mask, hi = a->val - a->mask, max = max_of(a->node);

	sbuf_addc(g->out, ' ');
	if (!add_value(g, a->node, g->out))
		return false;
	if (lo <= hi) {
		if (hi >= max)
			sbuf_addf(g->out, " >= %" PRIu32, lo);
		else if (lo == 0)
			sbuf_addf(g->out, " <= %" PRIu32, hi);
		else
			sbuf_addf(g->out, " %" PRIu32 "-%" PRIu32, lo, hi);
	} else if (lo > max) {
		sbuf_addf(g->out, " <= %" PRIu32, MIN(hi, max));
	} else if (hi + 1 == lo) {
		sbuf_adds(g->out, " >= 0");
	} else {
		sbuf_addf(g->out, " != %" PRIu32 "-%" PRIu32, hi + 1, lo - 1);
	}
	return true;
}

static bool
say_atom(struct gather *g, const struct sym_atom *a)
{
	switch ((enum sym_atom_kind)a->kind) {
	case SYM_EQ: return say_equal(g, a);
	case SYM_RANGE: return say_range(g, a);
	case SYM_REL_EQ:
	case SYM_REL_GT:
	case SYM_REL_GE:
	case SYM_REL_SET: break;
	}
	return false;
}

static void
add_hex(struct sbuf *out, const uint8_t *bytes, uint32_t n)
{
	sbuf_adds(out, "0x");
	for (uint32_t i = 0; i < n; i++)
		sbuf_addf(out, "%02x", bytes[i]);
}

/* Bytes @from to @to - 1 of @base as one comparison. */
static void
say_window(struct gather *g, enum base base, uint32_t from, uint32_t to)
{
	const uint8_t *mask = &g->mask[base][from], *val = &g->val[base][from];
	const uint32_t n = to - from;
	bool whole = true;

	for (uint32_t i = 0; i < n; i++)
		whole &= mask[i] == 0xff;
	sbuf_addf(g->out, " @%s,%" PRIu32 ",%" PRIu32, base_names[base], from * 8, n * 8);
	if (!whole) {
		sbuf_adds(g->out, " & ");
		add_hex(g->out, mask, n);
	}
	sbuf_adds(g->out, " == ");
	add_hex(g->out, val, n);
	g->have[base] = MAX(g->have[base], to);
}

static void
say_windows(struct gather *g, enum base base)
{
	const uint8_t *mask = g->mask[base];
	uint32_t from = 0;

	while (from < REACH) {
		uint32_t to = from + 1;

		if (mask[from] == 0) {
			from++;
			continue;
		}
		for (uint32_t i = to; i < MIN(from + WINDOW_MAX, (uint32_t)REACH); i++)
			if (mask[i] != 0 && i - to <= GAP_MAX)
				to = i + 1;
		say_window(g, base, from, to);
		from = to;
	}
}

/* Bytes that the program loads and asks nothing of must be there. */
static bool
say_need(struct gather *g, const struct sym_need *need)
{
	struct place p;

	if (need->end == 0)
		return true;
	if (!find_place(g, need->base, need->end - 1, 1, &p)) {
		/* Of IPv6's own header every byte is there, whatever it says. */
		return need->base == NULL && g->shown->family == 6 && need->end <= PKT_IP6_BYTES;
	}
	/* So are the fixed bytes of both headers. */
	if (p.off < g->have[p.base] ||
		(p.base == NH && p.off < (g->shown->family == 4 ? 20u : PKT_IP6_BYTES)))
		return true;
	if (p.base == NH)
		sbuf_addf(g->out, " meta length >= %" PRIu32, p.off + 1);
	else
		sbuf_addf(g->out, " @th,%" PRIu32 ",8 >= 0", p.off * 8);
	g->have[p.base] = p.off + 1;
	return true;
}

/* Bytes 6 and 7 of IPv4 say that the fragment's offset is 0. */
static bool
asks_no_late(const struct gather *g)
{
	return g->shown->family == 4 && (g->mask[NH][6] & 0x1f) == 0x1f && g->mask[NH][7] == 0xff &&
		(g->val[NH][6] & 0x1f) == 0 && g->val[NH][7] == 0;
}

/*
 * All equalities. A packet of the family has its version in byte 0: a path for
 * the other one is none, whatever else it asks, and of this one nobody asks.
 */
static bool
gather_all(struct gather *g, const struct sym_path *path)
{
	const uint8_t version = (uint8_t)(g->shown->family << 4);
	bool all = true;

	for (uint32_t i = 0; i < path->n_atoms; i++) {
		const struct sym_atom *a = &path->atoms[i];

		if (a->kind == SYM_EQ && !a->neg && a->node->op == SYM_LOAD)
			all &= gather_equal(g, a);
	}
	g->never |= ((g->val[NH][0] ^ version) & g->mask[NH][0] & 0xf0) != 0;
	g->mask[NH][0] &= 0x0f;
	g->val[NH][0] &= 0x0f;
	return all;
}

enum nft_path_kind
nft_path(const struct sym_path *path, const struct nft_shown *shown, struct sbuf *out,
	uint32_t *ret_th, bool *ret_no_late)
{
	struct gather g = {.shown = shown, .out = out};
	bool all;

	if (!path->exact)
		return NFT_PATH_UNSAID;
	all = gather_all(&g, path);
	if (g.never)
		return NFT_PATH_NEVER;
	for (uint32_t i = 0; all && i < path->n_atoms; i++)
		all = say_atom(&g, &path->atoms[i]);
	for (size_t base = 0; all && base < BASES; base++)
		say_windows(&g, (enum base)base);
	for (uint32_t i = 0; all && i < path->n_needs; i++)
		all = say_need(&g, &path->needs[i]);
	*ret_th = g.have[TH];
	*ret_no_late = asks_no_late(&g);
	return all ? NFT_PATH_SAID : NFT_PATH_UNSAID;
}
