/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_ITEM_H
#define MATCH_ITEM_H

/*
 * What the passes of the merging compiler hand on: items. A rule has one for
 * each path of its program (and each prefix of a short list in its scope): words
 * of 8 bytes at fixed places of windows, each with a mask and a value, which all
 * hold for every frame that the rule matches that way. An exact item says all;
 * else what holds has to ask the rule's program or lists, too.
 *
 * A window is a place in the frame that is found once: where the datagram or
 * frame starts, where L4 starts by the IHL, the end, behind a DNS label.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "match/sym.h"

struct lane;
struct match_image;
struct match_rule;

/* What a program of a link calls byte 0. */
enum space { SPACE_RAW, SPACE_ETHER, SPACES };

enum window_kind {
	WINDOW_KEY, /* no place: what pkt_key() gives, above it the source port */
	WINDOW_START,
	WINDOW_IHL, /* 4 * (byte at off & 15) */
	WINDOW_L4, /* behind a header of IPv4, or of IPv6 without those that extend it */
	WINDOW_TAIL, /* behind the last byte */
	WINDOW_BYTE, /* the byte at parent + off */
	WINDOW_WALK, /* parent + the byte at parent + off */
	WINDOW_STEPS, /* where one or more steps lead from parent + off: several places */
};

#define WINDOW_L4_IP6 40 /* where it is in IPv6 */

/* Frames as a program sees them; those of one family, 4 or 6, or 0: of both. */
struct sight {
	uint8_t space; /* enum space */
	uint8_t family;
};

#define ITEM_OFF_MAX 2048 /* bytes behind a window; what is further away is not looked at */

#define WINDOWS_MAX 24
#define WINDOW_OF_KEY 0
#define WINDOW_OF_START(space) (1 + (space))

struct window {
	uint8_t kind; /* enum window_kind */
	uint8_t space; /* enum space */
	uint8_t parent;
	uint8_t steps_win; /* the WINDOW_STEPS that this is, or is found from; or 0 */
	bool has_phase;
	uint8_t phase; /* where words start, modulo 8 */
	struct sym_step step; /* of WINDOW_STEPS */
	uint32_t below; /* bit w: window w is found from this one */
	uint32_t off;
};

/* 8 bytes at window + off; byte 0 is the lowest. */
struct item_word {
	uint8_t win;
	int16_t off;
	uint64_t mask, val;
};

/*
 * Bytes that there must be: @a from the window on; for WINDOW_TAIL @a in all,
 * and no more than @b of the last ones missing.
 */
struct item_need {
	uint16_t a, b;
	uint8_t win, space;
};

/*
 * The big-endian number of @size bytes at window + off, under @mask, minus @lo is
 * at most @span, modulo 2^32. WINDOW_OF_KEY: the steps made to a WINDOW_STEPS. @size
 * 0: what "ld #len" reads, where @win starts.
 */
struct item_range {
	uint8_t win, size;
	int16_t off;
	uint32_t mask, lo, span;
};

#define ITEM_RANGES_MAX 4
#define ITEM_WORDS_MAX 16
#define ITEM_NEEDS_MAX 2

enum {
	ITEM_RUN = 1 << 0, /* the program has to be asked */
	ITEM_RANGES = 1 << 1, /* the scope's lists of protocols and ports have to be asked */
	ITEM_GENERATED = 1 << 2, /* it sees the datagram without extension headers */
	ITEM_PORTS = 1 << 3, /* not every port */
	ITEM_TAIL = 1 << 4, /* some need is of a WINDOW_TAIL */
	ITEM_SPORT = 1 << 5, /* the key word's upper half is asked */
	ITEM_PLAIN =
		1 << 6, /* one run, one need of its window, which says that its bytes are there */
	ITEM_LISTS = 1 << 7, /* the scope's prefixes have to be asked */

	ITEM_MORE = ITEM_RANGES | ITEM_LISTS,
	/* Words do not say all. */
	ITEM_ASKS = ITEM_RUN | ITEM_MORE | ITEM_PORTS,
};

struct item {
	uint32_t rule;
	uint8_t flags;
	uint8_t n_words, n_needs, n_ranges;
	uint8_t steps_win; /* the WINDOW_STEPS that is asked about, or 0; one at most */
	uint8_t steps; /* to it, at most */
	bool prog_says_all; /* the program asks all that the words do but the key */
	bool lane_says_all; /* with @lane the words, needs and ranges say all of the program */
	struct item_need needs[ITEM_NEEDS_MAX];
	const struct item_word *words; /* by window and offset */
	const struct lane *lane; /* of the arithmetic that words do not say; or NULL */
	const struct item_range *ranges;
};

/* Where @node was found to be, @back bytes before window @win; for windows.c. */
struct node_place {
	const struct sym_node *node;
	struct sight sight;
	int8_t win;
	uint32_t back;
};

#define ITEMS_PLACES 16 /* a power of two */

/* The items of all rules, and the windows they use. */
struct items {
	struct item *v;
	uint32_t n, cap;
	struct window windows[WINDOWS_MAX];
	uint32_t n_windows;
	struct node_place places[ITEMS_PLACES]; /* by their numbers, while there are nodes */
	bool *residual; /* by rule: it goes one by one */
};

/*
 * Items in one table: looked up by the words @hash, whose masks all of them
 * have. Equal keys, and keys of which the hash knows no difference, are chained.
 */
#define HASH_WORDS_MAX 4

struct cluster {
	struct item_word hash[HASH_WORDS_MAX]; /* values mean nothing */
	uint32_t n_hash;
	uint32_t *items; /* numbers in items.v, by rule */
	uint32_t n_items, n_rules;
	uint32_t first_rule;
	/*
	 * Of a fan, which has no hash: 8 bytes each, whole words of 4 bytes apart, of which two pieces
	 * have bits, as of FAN_PIECES. items[i] has key_of[i].
	 */
	struct item_word *keys;
	uint8_t *key_of;
	uint8_t *coarse; /* by key: the one whose bucket it shares, which asks less; or itself */
	uint32_t n_keys;
};

/* How the passes are to work; for tests. */
struct partition_limits {
	uint32_t rules_min; /* a cluster of fewer rules is dissolved */
	uint32_t exact_min; /* the same where all items say all */
	uint32_t clusters_max;
	bool few_to_lists; /* dissolve clusters of few items for which a list is faster */
	uint32_t look_up; /* what a table costs a frame, ns, about */
};

/*
 * The pass: items to clusters, @ret_clusters in the order of their first rule.
 * Rules of which an item found no cluster become residual. Memory of @arena.
 * Returns 0 or -ENOMEM.
 */
int partition(struct items *items, const struct partition_limits *limits, struct arena *arena,
	struct cluster **ret_clusters, uint32_t *ret_n);

/* The pass: paths of programs and scopes to items. Memory of @arena but for v. Returns 0, -ENOMEM. */
int canon(const struct match_image *im, const struct match_rule *rules, struct arena *arena,
	struct items *items);

/* The L4 protocol that @it asks of the key, or -1. */
int item_proto(const struct item *it);

/* Whether item number @i of @items, or another one of its rule, is one of a walk. */
bool item_of_walk(const struct items *items, uint32_t i);

/* For qsort() of their numbers. */
static inline int
item_order_numbers(const void *pa, const void *pb)
{
	const uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return (a > b) - (a < b);
}

/* Of @bits, which are those of the 8 bytes of @w, the ones in the 8 bytes at @off, as these have them. */
static inline uint64_t
item_bits_at(const struct item_word *w, uint64_t bits, int32_t off)
{
	const int32_t by = w->off - off;

	if (by <= -8 || by >= 8)
		return 0;
	return by >= 0 ? bits << 8 * by : bits >> 8 * -by;
}

static inline bool
item_word_before(const struct item_word *a, const struct item_word *b)
{
	return a->win != b->win ? a->win < b->win : a->off < b->off;
}

#endif
