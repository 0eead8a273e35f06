/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_INDEX_H
#define MATCH_INDEX_H

/*
 * All rules compiled together: tables that find the first rule by what is in
 * the frame, and the rules that go one by one. Made by the passes listed in
 * index.c; immutable.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "bits.h"
#include "chains.h"
#include "cover.h"
#include "ends.h"
#include "hash.h"
#include "item.h"
#include "list.h"
#include "masks.h"
#include "names.h"
#include "place.h"
#include "sieve.h"
#include "straight.h"
#include "tuple.h"

struct match_image;
struct match_options;
struct match_rule;

#define INDEX_TABLES_MAX 48
#define INDEX_LISTS_MAX 8
#define INDEX_TESTS_MAX (INDEX_TABLES_MAX + INDEX_LISTS_MAX)

struct match_index {
	struct window windows[WINDOWS_MAX];
	uint32_t n_windows;
	/* The WINDOW_L4 and the WINDOW_TAIL of datagrams, which views may say; or 0. */
	uint8_t l4_window, tail_window;
	place_frames_fn place_frames;
	place_windows_fn place_windows;
	straight_fn straight; /* to the first match of all; NULL: it is not so simple */
	struct names *names; /* what that takes instead of tables; or NULL */
	bool any_ether; /* some table looks at whole frames */
	struct hash_table *tables; /* by first rule; from the heap */
	uint32_t n_tables;
	struct sieve *sieve; /* what is asked before some tables; or NULL; from the heap */
	sieve_fn run_sieve;
	/* What tables and lists ask of pkt_key(), each test once; and its number. */
	struct scope_test tests[INDEX_TESTS_MAX];
	uint32_t n_tests;
	uint8_t table_test[INDEX_TABLES_MAX], list_test[INDEX_LISTS_MAX];
	masks_tests_fn test_keys;
	masks_above_fn above;
	hash_probe_fn probe;
	hash_steps_fn probe_steps;
	ends_fn ends;
	struct bits *bits; /* scopes of prefixes and ports; or NULL */
	bits_probe_fn probe_bits;
	struct tuple *tuple; /* scopes of a few prefixes of IPv4; or NULL */
	tuple_probe_fn probe_tuple;
	uint32_t lanes_cost; /* as of its kernels */
	uint32_t *residual; /* rules that go one by one, in order; from the heap */
	uint32_t n_residual;
	bool *runs; /* by rule: its program may be asked; from the heap */
	bool *in_bits, *in_tuple; /* by rule: it is in bits, in tuple; from the heap */
	struct list *lists; /* what no hash tells apart; from the heap */
	uint32_t n_lists;
	struct cbpf_arena *list_code; /* or NULL */
	list_probe_fn probe_list;
	bool *in_list; /* by rule: it is in a list; from the heap */
	struct chains chains; /* what is better asked by functions of many rules */
	size_t bytes; /* of memory */
};

/* What a build leaves behind for people. */
#define BUILD_PASSES_MAX 16

struct build_notes {
	struct cover_found found;
	struct match_pass_report passes[BUILD_PASSES_MAX]; /* in the order run */
	uint32_t n_passes;
};

/* A clock for build_note_pass(). */
uint64_t build_now_us(void);

/* Note that pass @name ran from @start_us until now. */
void build_note_pass(struct build_notes *notes, const char *name, uint64_t start_us);

/*
 * Compile the rules of @im, whose entries are complete but for code, together. *@ret_index is
 * NULL where that would not be faster than one by one. @notes gets what was found on the way,
 * to be freed also after a failure. Returns 0 or -ENOMEM.
 */
int index_new(const struct match_image *im, const struct match_rule *rules,
	const struct match_options *options, struct build_notes *notes,
	struct match_index **ret_index);
void index_free(struct match_index *index);

/* What a frame costs in @index, about, in tenths of a nanosecond. */
uint32_t index_cost(const struct match_index *index);

/* Rules in lists that compute. */
uint32_t index_n_listed(const struct match_index *ix);

/* Whether some table is asked at each label of a name. */
bool index_walks(const struct match_index *ix);

/* An index without tables of @n rules that all go one by one. Returns 0 or -ENOMEM. */
int index_new_lone(size_t n, struct match_index **ret_index);

/* What the build of @n rules asks of partition(). */
struct partition_limits index_limits(const struct match_options *options, size_t n);

/* Kinds of processors for which there are kernels. */
enum isa { ISA_AUTO, ISA_C, ISA_AVX2, ISA_AVX512, ISA_VBMI };

/* The kernels of one kind of processor. */
struct isa_kernels {
	place_frames_fn place_frames;
	place_windows_fn place_windows;
	straight_fn straight;
	masks_tests_fn test_keys;
	masks_above_fn above;
	hash_probe_fn hash;
	hash_steps_fn steps;
	ends_fn ends;
	bits_probe_fn bits;
	tuple_probe_fn tuple;
	straight_fn tuple_straight;
	list_probe_fn list;
	enum cbpf_vectors vectors; /* that code may use */
	sieve_fn sieve; /* or NULL */
	straight_fn names; /* a straight way of images that have such; or NULL */
	uint32_t look_up; /* what a table costs a frame, ns, about */
	uint32_t lanes_cost; /* what eight of few five-tuples cost it, tenths of a nanosecond */
	uint32_t exact_min; /* of fewer rules that words say all of it costs more than they do */
	uint32_t fan_keys; /* that cost next to nothing if they are so many, or 0 */
};

/*
 * The kernels for @isa. ISA_AUTO is what the environment's SLUICE_ISA (c,
 * avx2, avx512, vbmi) says, else the best. What this processor cannot do is taken down
 * to what it can.
 */
const struct isa_kernels *isa_kernels(enum isa isa);

#endif
