/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_TUPLE_H
#define MATCH_TUPLE_H

/*
 * The five-tuple kernel, for rules that are scopes of a few IPv4 prefixes, port
 * ranges and protocols and nothing else. A rule is a lane, or some of them where it
 * has lists. A lane stands at one of its two prefixes, the narrower, so that wide
 * prefixes are not copied into all that lies below them: of a frame the source
 * address leads to lanes, the destination to others. These are few, and compared
 * with all else that the frame has, eight at once, in a block.
 *
 * An address is looked up by its first 16, the next 8 and the last 8 bits. What is
 * found there has the lanes of all prefixes around, up to TUPLE_MERGE; beyond that it
 * goes on where those of the prefix around are. Of a very small set all lanes are
 * compared. So memory is bounded by the number of
 * rules, and what a frame costs by TUPLE_BELOW: rules of which more hold for one
 * address are left to other kernels.
 *
 * Rules kept apart by which field is narrow: Vamanan, Voskuilen and Vijaykumar,
 * EffiCuts, SIGCOMM 2010; Li et al., CutSplit, INFOCOM 2018. The tables: Srinivasan
 * and Varghese, Fast address lookups using controlled prefix expansion, 1999.
 *
 * Immutable.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct match_image;
struct match_rule;
struct pkt_view;
struct probe;

#define TUPLE_LANES 8
#define TUPLE_MERGE 24 /* lanes that are copied together, so that they lie side by side */
#define TUPLE_WIDE 8 /* prefixes shorter than that hold for much of the traffic */
#define TUPLE_BELOW_WIDE 16 /* lanes of these that an address may have at most */
#define TUPLE_BELOW 64 /* lanes of all prefixes that an address may have at most */
#define TUPLE_NODES_MAX (UINT32_C(1) << 16) /* of 1 KiB, both tries */

enum tuple_side { TUPLE_SRC, TUPLE_DST, TUPLE_SIDES };

/* As they lie in a view. */
struct tuple_ports {
	uint16_t src, dst;
};

/*
 * Lane i holds for a frame when the address of the other side, its ports and the
 * upper half of its key are those of the lane. Addresses are as they lie in frames.
 * Lanes are in the order of their rules; those that only fill up never hold.
 */
struct tuple_block {
	uint32_t addr[TUPLE_LANES], mask[TUPLE_LANES];
	struct tuple_ports ports_lo[TUPLE_LANES], ports_hi[TUPLE_LANES];
	uint16_t meta[TUPLE_LANES], meta_mask[TUPLE_LANES];
	uint32_t rule[TUPLE_LANES];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct tuple_block) == 3 * 64, "three lines");

/*
 * An entry leads to the block with its number, with TUPLE_MORE not to the only one; in
 * a trie with TUPLE_NODE to the node with its number. 0 is the block of no lane.
 */
#define TUPLE_NODE (UINT32_C(1) << 31)
#define TUPLE_MORE (UINT32_C(1) << 30)

struct tuple_more {
	uint32_t entry; /* behind a block; 0: nothing */
	uint32_t first; /* the first rule of all that is behind, or MATCH_NONE */
};

struct tuple_trie {
	const uint32_t *root; /* by the first 16 bits */
	const uint32_t *nodes; /* 256 entries each */
};

/*
 * Lanes of a set that is so small that nothing is looked up: each is compared with each
 * frame. As in struct tuple_block, but for both addresses.
 */
#define TUPLE_FEW 16 /* lanes */
#define TUPLE_ALL_FEW UINT16_MAX

struct tuple_few {
	uint32_t addr[TUPLE_SIDES][TUPLE_FEW], mask[TUPLE_SIDES][TUPLE_FEW];
	struct tuple_ports ports_lo[TUPLE_FEW], ports_hi[TUPLE_FEW];
	uint16_t meta[TUPLE_FEW], meta_mask[TUPLE_FEW];
	uint32_t rule[TUPLE_FEW];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct tuple_few) == 8 * 64, "eight lines");

struct tuple {
	const struct tuple_few *few; /* where there is it, there is nothing else */
	struct tuple_trie trie[TUPLE_SIDES];
	const struct tuple_block *blocks;
	const struct tuple_more *more; /* by block */
	uint32_t first_rule;
	uint32_t n_lanes, n_blocks, n_nodes;
	struct arena arena; /* all of it */
};

/*
 * Build the kernel of the rules i with @take[i], whose entries are complete; of those it
 * cannot have @take[i] is cleared. With @fault it is spoilt on purpose, to see that tests
 * notice.
 *
 * Returns 0, -ENOMEM, or -E2BIG: these rules would take too much memory.
 */
int tuple_new(const struct match_image *im, const struct match_rule *rules, bool *take, bool fault,
	struct tuple **ret_tuple);
void tuple_free(struct tuple *tuple);

/*
 * Choose which rules the kernel is to have, in @ret_take: all it can have, where hash
 * tables would be slower, and one by one, too: they are @min or more, or some ask for
 * prefixes or ranges. With @min 1 that is not asked. Returns how many.
 */
uint32_t tuple_choose(
	const struct match_image *im, const struct match_rule *rules, uint32_t min, bool *ret_take);

/* The kernel: lower @p->best for the frames in @some. One for each kind of processor. */
typedef void (*tuple_probe_fn)(const struct tuple *t, struct probe *p, uint64_t some);
void tuple_probe_c(const struct tuple *t, struct probe *p, uint64_t some);
void tuple_probe_avx2(const struct tuple *t, struct probe *p, uint64_t some);
void tuple_probe_avx512(const struct tuple *t, struct probe *p, uint64_t some);

/* The straight way of images that have nothing but @few lanes. */
uint64_t tuple_straight_c(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);
uint64_t tuple_straight_avx2(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);
uint64_t tuple_straight_avx512(const struct match_image *im, const struct pkt_view *views,
	const uint8_t *which, uint32_t n, uint32_t *ret);

#endif
