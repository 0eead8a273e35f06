/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_BITS_H
#define MATCH_BITS_H

/*
 * The bit-vector kernel, for rules that are scopes of prefixes, ports and
 * protocols and nothing else. Each axis is looked up alone and gives a row: a bit
 * for each rule whose range on that axis holds. A rule matches when all rows have
 * its bit. Rows are kept as lines of 512 bits, those without a bit left out, equal
 * ones shared, so that a frame reads few lines: the rules are placed in an order in
 * which neighbours share addresses. Axes that tell little apart are crossed into one
 * when the kernel is built.
 *
 * After Lakshman and Stiliadis, High-speed policy-based packet forwarding using
 * efficient multi-dimensional range matching, SIGCOMM 1998; the aggregation of
 * Baboescu and Varghese, Scalable packet classification, SIGCOMM 2001; and the
 * crossing of Gupta and McKeown, Packet classification on multiple fields, SIGCOMM
 * 1999.
 *
 * The cost hardly depends on the traffic: a few lines of each axis, at most
 * BITS_LINES_MAX. Immutable.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "prefixes_impl.h"
#include "scope.h"

struct match_image;
struct match_rule;
struct probe;

#define BITS_OF_LINE 512
#define BITS_LINES_MAX 32
#define BITS_ENTRIES_MAX (BITS_OF_LINE * BITS_LINES_MAX)

struct bits_line {
	uint64_t w[BITS_OF_LINE / 64];
} __attribute__((aligned(64)));

/* What is a number in a table: the upper half of pkt_key(), and the ports. */
enum bits_field { BITS_META, BITS_SPORT, BITS_DPORT, BITS_FIELDS };

/*
 * A row is where its words start in bits.rows[]: first which lines it has, bit by
 * bit, then the numbers of these lines.
 */
struct bits_cross {
	/* Of rows: row[sum of a field's class times times[field]]. */
	const uint32_t *row;
	uint32_t times[BITS_FIELDS];
};

/*
 * From an address to its row, by how many ends are at or below it. Of IPv4 the ends
 * that share the address's first bits are 16 at most, and compared at once. Where they
 * are more, the start has BITS_PAGE and the number of a page of 256 starts by the 8
 * bits behind the first 16; where these are more again, it is BITS_MANY, and the tree
 * is asked.
 */
#define BITS_PAGE (UINT32_C(1) << 31)
#define BITS_MANY UINT32_MAX
struct bits_address {
	const uint32_t *start; /* by the first bits: how many ends are below all that have them */
	const uint32_t *pages; /* 256 each */
	uint32_t shift; /* leaves the first bits of 32, 16 at most */
	uint32_t n4;
	const int32_t *ends4; /* keys of the tree, and 16 more */
	bool paged; /* there are pages */
	struct tree v4;
	struct ends6 v6;
	const uint32_t *row4, *row6;
};

#define BITS_ADDRESSES 2 /* source, destination */
#define BITS_AXES (BITS_FIELDS + BITS_ADDRESSES)

/* Of bits.rule[]: it is not for every port of the device. */
#define BITS_ASK_PORT (UINT32_C(1) << 31)

struct bits {
	const struct bits_line *lines;
	const uint32_t *rows;
	const uint16_t *class[BITS_FIELDS]; /* by the field's value */
	struct bits_cross cross[BITS_FIELDS];
	uint32_t n_cross; /* of them, 1 at least */
	struct bits_address address[BITS_ADDRESSES];
	const uint32_t *rule; /* by bit: the rule */
	struct scope_test test; /* which no frame fails that some rule could match */
	uint32_t n_lines; /* of a whole row */
	uint32_t first_rule;
	uint32_t line_first[BITS_LINES_MAX]; /* the first rule of each line */
	uint32_t n_entries;
	struct arena arena; /* all of it */
};

/*
 * Build the kernel of the rules i with @take[i], whose entries are complete.
 * At most BITS_ENTRIES_MAX bits: a rule has one, or two with fragments = match. With
 * @fault it is spoilt on purpose, to see that tests notice.
 *
 * Returns 0, -ENOMEM, or -E2BIG: these rules would take too much memory, or are too many.
 */
int bits_new(const struct match_image *im, const struct match_rule *rules, const bool *take,
	bool fault, struct bits **ret_bits);
void bits_free(struct bits *bits);

/*
 * Choose which rules the kernel is to have, in @ret_take: all it can have, where
 * they are @min or more and hash tables would be slower, since they have ranges of
 * ports or prefixes of many lengths. With @min 1 that is not asked. Rules i with @taken[i]
 * are another's. Returns how many.
 */
uint32_t bits_choose(const struct match_image *im, const struct match_rule *rules, uint32_t min,
	const bool *taken, bool *ret_take);

/* Whether the rules of @take are of a few shapes, each a matter of one look-up by hash. */
bool bits_hash_is_better(const struct match_rule *rules, size_t n, const bool *take);

/* The kernel: lower @p->best for the frames in @some. One for each kind of processor. */
typedef void (*bits_probe_fn)(const struct bits *b, struct probe *p, uint64_t some);
void bits_probe_c(const struct bits *b, struct probe *p, uint64_t some);
void bits_probe_avx2(const struct bits *b, struct probe *p, uint64_t some);
void bits_probe_avx512(const struct bits *b, struct probe *p, uint64_t some);

#endif
