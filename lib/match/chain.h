/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MATCH_CHAIN_H
#define MATCH_CHAIN_H

/*
 * A few rules as one function of machine code, asked frame by frame: no table
 * is as fast as two or three comparisons. What a rule's scope asks is part of
 * it; whether a rule is in force is a bit of an argument, so that switching
 * rebuilds nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image_impl.h"
#include "match/image.h"
#include "pkt/view.h"
#include "scope.h"

/* What chains are asked about: struct pkt_view. */
extern const struct cbpf_records chain_records;

/* The most rules that a chain can have. */
#define CHAIN_MAX CBPF_CHAIN_NUMBERS

/* What is found for frames that are search_is_odd(), where they have to go alone. */
#define CHAIN_ODD CBPF_CHAIN_NUMBERS

/* What is found for frames that tables are to be asked about: see chain_walk.c. */
#define CHAIN_FAR (CBPF_CHAIN_NUMBERS + 1)

/* Of each rule for each family, for later fragments, and for CHAIN_FAR; and one for CHAIN_ODD. */
#define CHAIN_LINKS_PLAIN (6 * CHAIN_MAX + 1)
/* The same again, and an end, for each of the kinds of frames that have links of their own. */
#define CHAIN_KINDS 7
#define CHAIN_LINKS_MAX ((1 + CHAIN_KINDS) * (CHAIN_LINKS_PLAIN + 1))

/* Links under construction. */
struct chain_links {
	struct cbpf_link v[CHAIN_LINKS_MAX];
	size_t n;
	size_t n_insns;
	size_t room; /* bytes of code, at most */
	struct arena mem;
	struct cbpf_prog *cut[4 * CHAIN_MAX]; /* made for links, of programs that walk */
	size_t n_cut;
	bool wants_odd; /* CHAIN_ODD is yet to be asked, before a link that could match such frames */
	bool cuts; /* programs that walk are cut */
	bool uncut; /* there is one that cannot be */
	bool failed; /* out of memory */
};

#define CHAIN_LINKS_INIT ((struct chain_links){.room = 4096, .mem = ARENA_INIT})

/* Whether a chain can say what @rule, of which @e was made, asks: no long lists, nor whole frames. */
bool chain_can(const struct match_entry *e, const struct match_rule *rule);

/* Whether some of @n rules is so long that it steps over labels, which tables do once for all. */
bool chain_walks(const struct match_rule *rules, size_t n);

/* Add @rule, which chain_can(), as number @number; at most CHAIN_MAX of them. */
void chain_links_add(struct chain_links *l, const struct match_entry *e,
	const struct match_rule *rule, uint32_t number);

/*
 * First the frames of which most is known, see chain_kinds.c, kind by kind. Then those for
 * IPv4 before those for IPv6, where some are for one of them: no frame is asked by
 * both, and what is asked behind each other then stands behind each other.
 */
void chain_links_sort(struct chain_links *l);

/* The links before those of @l that are for kinds of frames of their own. */
void chain_kinds_add(struct chain_links *l);

/*
 * Cut @prog, which walks, behind so many labels as most names have. Where it matches, *@ret_near
 * does, or otherwise *@ret_far; both are the caller's. Returns 0, -EOPNOTSUPP: it has no rounds
 * that are alike, -ENOMEM.
 */
int chain_walk_cut(
	const struct cbpf_prog *prog, struct cbpf_prog **ret_near, struct cbpf_prog **ret_far);

/* Free what @l holds. */
void chain_links_fini(struct chain_links *l);

struct item;

/*
 * A test of the key for which all holds that words of @it say, and its needs of the datagram's
 * start. False: there is none that is known.
 */
bool chain_kinds_say(const struct item *it, struct scope_test *ret);

/* Leave number @number out: for tests. */
void chain_links_drop(struct chain_links *l, uint32_t number);

/*
 * Compile the rules of @im, whose entries are complete but for code, of which
 * there are at most CHAIN_MAX, into @im->base.
 *
 * Programs that walk are cut where @im has tables, to which the chain then leaves frames.
 *
 * @insns_max:	instructions of all programs; with more it is not worth it
 * @fault:	for tests: leave rule or link number so and so out, or CBPF_CHAIN_NONE
 * @ret_whole:	nothing is left to tables
 *
 * Returns 0; -EOPNOTSUPP where a chain cannot say what a rule asks: long
 * lists, whole frames; or it is not worth it; -EPERM, -ENOSYS: no machine code; -ENOMEM.
 */
int chain_new(const struct match_image *im, const struct match_rule *rules, size_t insns_max,
	uint32_t fault, bool *ret_whole);

/* The rules in force for frames from @port whose state has the bits @want, as bits. */
uint32_t chain_allowed(const struct match_image *im, uint32_t port, uint8_t want);

/* Those of @allowed from rule @from on. */
static inline uint32_t
chain_from(uint32_t allowed, uint32_t from)
{
	return from < CHAIN_MAX ? allowed & UINT32_MAX << from : 0;
}

/*
 * For each of @n views, 1 at least, the first rule of @allowed that it matches, or
 * MATCH_NONE; CHAIN_ODD for those that are search_is_odd(), CHAIN_FAR for those that tables are
 * to be asked about.
 */
static inline void
chain_ask_all(const struct match_image *im, const struct pkt_view *views, uint32_t n,
	uint32_t allowed, uint32_t *ret)
{
	_Static_assert(CBPF_CHAIN_NONE == MATCH_NONE, "handed on");
	im->base->chain(views, n, allowed, ret);
}

/* The same for one. */
static inline uint32_t
chain_ask(const struct match_image *im, const struct pkt_view *v, uint32_t allowed)
{
	uint32_t found;

	chain_ask_all(im, v, 1, allowed, &found);
	return found;
}

#endif
