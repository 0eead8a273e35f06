/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_SEARCH_H
#define MATCH_SEARCH_H

/*
 * The frames of a burst on their way through the rules, rule by rule: so a
 * rule's scope stays in registers and its code in the cache for the whole
 * burst. Frames whose datagram may have to be shown without its extension
 * headers go through the rules alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "image_impl.h"
#include "match/image.h"
#include "pkt/view.h"
#include "scope.h"

/*
 * Frames have a number in the search, by which masks name them. Those that are
 * not @alive any more are dropped from it once they are many.
 */
#define SEARCH_KEYS 16 /* keys are compared so many at a time */

struct search {
	const struct pkt_view *views;
	uint32_t n;
	bool in_order; /* frame[i] == i */
	uint64_t alive;
	/* Up to the next multiple of SEARCH_KEYS behind @n, keys are set and mean nothing. */
	uint32_t key[MATCH_BURST] __attribute__((aligned(64)));
	uint8_t frame[MATCH_BURST]; /* in views */
};

/* The numbers 0..@n - 1 as a mask, @n in 0..64. */
static inline uint64_t
search_mask(uint32_t n)
{
	return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static inline const struct pkt_view *
search_view(const struct search *s, uint32_t i)
{
	return &s->views[s->frame[i]];
}

/* Put frames 0..@n - 1 of @views into @s, all alive. */
void search_init(struct search *s, const struct pkt_view *views, uint32_t n);

/* The same for who reads no keys. */
void search_init_frames(struct search *s, const struct pkt_view *views, uint32_t n);

/* One more, alive. */
void search_add(struct search *s, uint32_t frame);

extern const uint8_t search_in_order[MATCH_BURST]; /* 0, 1, 2 ... */

/* Whether the program of @e, of kind @kind, matches the datagram. */
static inline bool
search_run_on(const struct match_entry *e, bool is_jit, size_t family, const uint8_t *data,
	uint32_t caplen, uint32_t len)
{
	if (is_jit)
		return e->code[family].fn(data, caplen, len) != 0;
	return cbpf_run(e->code[family].prog, data, caplen, len) != 0;
}

static inline bool
search_run(const struct match_entry *e, bool is_jit, enum match_run kind, const struct pkt_view *v)
{
	/* Family 4 has number 0, 6 has 1. */
	const size_t family = kind == MATCH_RUN_RAW ? v->family >> 1 & 1 : 0;

	if (kind == MATCH_RUN_ETHER)
		return search_run_on(e, is_jit, 0, v->frame, v->caplen, v->wirelen);
	return search_run_on(e, is_jit, family, v->frame + v->l3_off, v->l3_caplen, v->l3_len);
}

/* The numbers i for whose key[i] @t holds; bits from @n on mean nothing. See search.key. */
uint64_t search_keys_test(const uint32_t *key, uint32_t n, struct scope_test t);

/* IPv6 with extension headers. */
static inline struct scope_test
search_odd_test(void)
{
	return (struct scope_test){
		.mask = PKT_KEY_FAMILY(PKT_KEY_FAMILY_BITS) | PKT_KEY_FLAGS(PKT_IP_OPTIONS),
		.val = PKT_KEY_FAMILY(6) | PKT_KEY_FLAGS(PKT_IP_OPTIONS),
	};
}

/* The numbers i < @n for whose key[i] search_odd_test() holds. */
uint64_t search_keys_odd(const uint32_t *key, uint32_t n);

/* The frames of @s that @e matches. */
uint64_t search_match(const struct search *s, const struct match_entry *e, bool is_jit);

/* The frames in @gone are not to be searched for any more. Numbers may change. */
void search_remove(struct search *s, uint64_t gone);

/* Whether @e may be asked at all of frames from port @port. */
static inline bool
search_in_force(const struct match_entry *e, uint32_t port)
{
	/* Pairs with match_image_enable(); nothing else depends on it. */
	return atomic_load_explicit(&e->enabled, memory_order_relaxed) &&
		(e->ports >> port & 1) != 0;
}

/* The frames of @s that have to go through the rules of @im alone, by search_alone(). */
uint64_t search_odd(const struct search *s, const struct match_image *im);

/* The same for one frame. */
static inline bool
search_is_odd(const struct match_image *im, const struct pkt_view *v)
{
	return im->any_generated && v->family == 6 && (v->flags & PKT_IP_OPTIONS) != 0;
}

/*
 * A view of the datagram of @v without its extension headers, copied to @buf,
 * which has SEARCH_DATAGRAM_MAX bytes. False when L4 could not be found.
 */
#define SEARCH_DATAGRAM_MAX 65600 /* a parser looks at no more than 65535 bytes */
bool search_without_exts(const struct pkt_view *v, uint8_t *buf, struct pkt_view *ret_view);

/*
 * Whether @e matches the frame @v of key @key by its scope and program; later
 * fragments that it matches by its scope alone are not asked for.
 */
bool search_one(const struct match_entry *e, bool is_jit, uint32_t key, const struct pkt_view *v);

/* Whether @v is a later fragment that @e matches by its scope alone. */
bool search_late(const struct match_entry *e, const struct pkt_view *v);

/*
 * Go through the rules of @im from @from on with one frame. @hit is called for
 * each that matches, until it returns false.
 */
typedef bool (*search_hit)(void *ctx, uint32_t index);
void search_alone(const struct match_image *im, const struct pkt_view *v, uint32_t port,
	uint32_t from, search_hit hit, void *ctx);

#endif
