// SPDX-License-Identifier: BSD-3-Clause
/*
 * Chains: 1 to 12 random, real and mutated programs as one function, with keys
 * and switches, against the interpreter asked about one after another; on frames
 * made for one of them, cut at any length. Some are compiled for frames of which something
 * is known. 20,000 chains, 200,000 with SLUICE_LONG=1. A reference that forgets keys,
 * switches, what is asked besides or an order is noticed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "engines.h"
#include "progs.h"
#include "quick.h"

#define CHAINS QUICK(20000)
#define LINKS_MAX 12
#define ASKS_MAX 2
#define CHOICES_MAX 3
#define FRAMES 6 /* for each */
#define BURST 3
#define LENGTHS 2 /* for each of these, and its own */
#define ARENA_BYTES (16u << 20)

/* What the reference may do wrong, to be noticed. */
enum fault { NO_FAULT, NO_KEYS, NO_ASKS, NO_WHOLE, NO_SWITCHES, LAST_FIRST, FAULTS };

static struct {
	uint64_t asked, found, known, later, bad, noticed[FAULTS];
} count;

/* The key of frames of which something is known. */
#define KEY_KNOWN 3

/* From here on a length has another sign where it is a displacement. */
#define LENGTH_FAR (UINT32_C(1) << 31)

struct chain {
	struct cbpf_known known;
	struct cbpf_link links[LINKS_MAX];
	struct cbpf_ask asks[LINKS_MAX][ASKS_MAX];
	union cbpf_choice choices[LINKS_MAX][ASKS_MAX][CHOICES_MAX];
	size_t n;
	cbpf_chain_fn fn;
};

/* What is asked about one frame, whose data starts @start bytes behind @frame. */
struct question {
	const uint8_t *frame;
	uint16_t start, sport;
	uint32_t caplen, wirelen, key, allowed;
};

static const struct cbpf_records records = {
	.size = sizeof(struct question),
	.frame = offsetof(struct question, frame),
	.start = offsetof(struct question, start),
	.caplen = offsetof(struct question, caplen),
	.wirelen = offsetof(struct question, wirelen),
	.key = offsetof(struct question, key),
	.sport = offsetof(struct question, sport),
};

static bool
asks_hold(const struct cbpf_link *l, const struct question *q)
{
	for (size_t i = 0; i < l->n_asks; i++) {
		const struct cbpf_ask *a = &l->asks[i];
		const uint32_t v =
			a->of == CBPF_ASK_SPORT ? q->sport : q->key >> a->shift & a->mask;
		bool holds = false;

		for (size_t k = 0; k < a->n; k++)
			holds |= a->v[k].lo <= v && v <= a->v[k].hi;
		if (!holds)
			return false;
	}
	return true;
}

/* Whether @l is for whole frames, and @q is about one that was cut. */
static bool
is_cut(const struct cbpf_link *l, const struct question *q)
{
	return l->known != NULL && l->known->whole && (q->caplen < q->wirelen || q->wirelen == 0);
}

static uint32_t
reference(const struct chain *c, const struct question *q, enum fault fault)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct cbpf_link *l = &c->links[fault == LAST_FIRST ? c->n - 1 - i : i];

		if (fault != NO_KEYS && (q->key & l->mask) != l->val)
			continue;
		if (fault != NO_ASKS && !asks_hold(l, q))
			continue;
		if (fault != NO_WHOLE && is_cut(l, q))
			continue;
		if (l->number == CBPF_CHAIN_NONE)
			return CBPF_CHAIN_NONE;
		if (fault != NO_SWITCHES && (q->allowed >> l->number & 1) == 0)
			continue;
		if (l->prog == NULL ||
			cbpf_run(l->prog, q->frame + q->start, q->caplen, q->wirelen) != 0)
			return l->number;
	}
	return CBPF_CHAIN_NONE;
}

/* As a caller may: whatever is in the upper halves of the registers of 32-bit arguments. */
static void
ask(const struct chain *c, const struct question *q, uint32_t n, uint32_t *ret)
{
	const uint64_t junk = UINT64_C(0xdeadbeef) << 32;
	void (*fn)(const void *, uint64_t, uint64_t, uint32_t *) =
		(void (*)(const void *, uint64_t, uint64_t, uint32_t *))(uintptr_t)c->fn;

	fn(q, n | junk, q->allowed | junk, ret);
}

/* Ranges of small numbers, which keys and ports of questions are. */
static void
make_asks(struct chain *c, size_t i, struct rng *r)
{
	struct cbpf_link *l = &c->links[i];

	l->asks = c->asks[i];
	l->n_asks = rng_below(r, 3) == 0 ? 1 + rng_below(r, ASKS_MAX) : 0;
	for (size_t k = 0; k < l->n_asks; k++) {
		struct cbpf_ask *a = &c->asks[i][k];
		union cbpf_choice *v = c->choices[i][k];

		*a = (struct cbpf_ask){
			.of = rng_below(r, 2) ? CBPF_ASK_KEY : CBPF_ASK_SPORT, .v = v};
		if (a->of == CBPF_ASK_KEY) {
			a->shift = rng_below(r, 2);
			a->mask = 1 + rng_below(r, 3);
		}
		/* Now and then a list of none. */
		a->n = rng_below(r, 20) == 0 ? 0 : 1 + rng_below(r, CHOICES_MAX);
		for (size_t n = 0; n < a->n; n++) {
			v[n].lo = rng_below(r, 4);
			v[n].hi = v[n].lo + rng_below(r, 3);
		}
	}
}

/* An IPv4 header that is like most, or any bytes. */
static void
make_known(struct cbpf_known *k, struct rng *r)
{
	static const struct cbpf_known plain = {
		.bits = {0xff, [6] = 0x1f, 0xff, [9] = 0xff}, .val = {0x45}};

	*k = plain;
	k->val[9] = rng_below(r, 2) ? 17 : 6;
	k->there = rng_below(r, 48);
	k->whole = rng_below(r, 2) == 0;
	for (uint32_t i = rng_below(r, 2) ? 0 : CBPF_KNOWN_BYTES; i-- > 0;) {
		k->bits[i] = rng_below(r, 2) ? 0 : (uint8_t)rng_next(r);
		k->val[i] = (uint8_t)rng_next(r) & k->bits[i];
	}
}

/* Looks at the header, at what is about as far as is known to be there, and at the end. */
static struct cbpf_prog *
progs_near(struct rng *r)
{
	static const uint16_t loads[] = {CBPF_CODE_LD_B_ABS, CBPF_CODE_LD_H_ABS,
		CBPF_CODE_LD_W_ABS},
			      behind[] = {CBPF_CODE_LD_B_IND, CBPF_CODE_LD_H_IND,
				      CBPF_CODE_LD_W_IND},
			      jumps[] = {CBPF_CODE_JEQ_K, CBPF_CODE_JSET_K, CBPF_CODE_JGE_K};
	struct cbpf_insn v[32];
	struct cbpf_prog *prog = NULL;
	struct diag diag = {0};
	size_t n = 0;

	for (uint32_t i = 1 + rng_below(r, 4); i-- > 0;) {
		if (rng_below(r, 2)) {
			v[n++] = (struct cbpf_insn){loads[rng_below(r, 3)], 0, 0, rng_below(r, 50)};
		} else {
			const uint32_t near = 1 + rng_below(r, 50),
				       far = near + (rng_below(r, 4) == 0 ? LENGTH_FAR - 25 : 0);

			v[n++] = (struct cbpf_insn){CBPF_CODE_LD_LEN, 0, 0, 0};
			v[n++] = (struct cbpf_insn){CBPF_CODE_ALU_SUB_K, 0, 0, far};
			v[n++] = (struct cbpf_insn){CBPF_CODE_TAX, 0, 0, 0};
			v[n++] = (struct cbpf_insn){
				behind[rng_below(r, 3)], 0, 0, rng_below(r, near + 2)};
		}
		if (rng_below(r, 2))
			v[n++] = (struct cbpf_insn){CBPF_CODE_ALU_AND_K, 0, 0, rng_next(r) & 0xfff};
		/* Either way leads on, the next step or the one behind it. */
		v[n++] = (struct cbpf_insn){jumps[rng_below(r, 3)], 0, 1, rng_below(r, 70)};
		v[n++] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, rng_below(r, 2)};
	}
	v[n++] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 1};
	if (cbpf_prog_new(v, n, &prog, &diag) < 0)
		abort();
	return prog;
}

static struct cbpf_prog *
any_prog(struct rng *r)
{
	switch (rng_below(r, 3)) {
	case 0: return progs_random(r);
	case 1: return progs_real(r);
	}
	return progs_near(r);
}

static void
make_link_known(const struct chain *c, struct cbpf_link *l, struct rng *r)
{
	if (rng_below(r, 2) == 0)
		l->mask = l->val = KEY_KNOWN;
	l->gate = rng_below(r, 4) & l->mask;
	if (l->mask == KEY_KNOWN && l->val == KEY_KNOWN && rng_below(r, 4) != 0)
		l->known = &c->known;
}

static void
make(struct chain *c, struct rng *r)
{
	const bool any_known = rng_below(r, 2) == 0;
	uint32_t number = 0;

	make_known(&c->known, r);
	c->n = 1 + rng_below(r, LINKS_MAX);
	for (size_t i = 0; i < c->n; i++) {
		struct cbpf_link *l = &c->links[i];
		const bool same = i > 0 && rng_below(r, 2) == 0;

		*l = (struct cbpf_link){.mask = rng_below(r, 4), .number = number};
		l->val = rng_below(r, 4) & l->mask;
		if (same) {
			l->mask = l[-1].mask;
			l->val = l[-1].val;
		}
		if (any_known)
			make_link_known(c, l, r);
		make_asks(c, i, r);
		/* Two links of one number are a rule's programs for two families. */
		number += rng_below(r, 4) != 0;
		if (rng_below(r, 12) != 0)
			l->prog = any_prog(r);
		else if (rng_below(r, 4) == 0)
			l->number = CBPF_CHAIN_NONE;
	}
}

static void
one_answer(const struct chain *c, const struct question *q, uint32_t got)
{
	const uint32_t want = reference(c, q, NO_FAULT);

	count.asked++;
	count.found += want != CBPF_CHAIN_NONE;
	count.later += want != CBPF_CHAIN_NONE && want != c->links[0].number;
	for (enum fault f = NO_FAULT + 1; f < FAULTS; f++)
		count.noticed[f] += reference(c, q, f) != got;
	if (want != got && count.bad++ < 3)
		printf("%zu links, %" PRIu32 " bytes: %" PRIu32 ", expected %" PRIu32 "\n", c->n,
			q->caplen, got, want);
}

/* Whether what links may be compiled for holds of @q. */
static bool
is_known(const struct cbpf_known *k, const struct question *q)
{
	const uint8_t *p = q->frame + q->start;
	bool holds = q->caplen >= k->there;

	for (uint32_t i = 0; i < CBPF_KNOWN_BYTES && i < q->caplen; i++)
		holds = holds && (p[i] & k->bits[i]) == k->val[i];
	return holds;
}

/* @f as @k says frames are, as far as it goes. */
static void
make_frame_known(struct frame *f, const struct cbpf_known *k)
{
	for (uint32_t i = 0; i < CBPF_KNOWN_BYTES && i < f->len; i++)
		f->bytes[i] = (uint8_t)((f->bytes[i] & ~k->bits[i]) | k->val[i]);
}

/* @q, the first of a burst that differs in keys. Nothing is written behind the answers. */
static void
one_burst(const struct chain *c, const struct question *q, struct rng *r)
{
	const uint32_t n = 1 + rng_below(r, BURST), none = 0xabad1dea;
	struct question all[BURST];
	uint32_t got[BURST + 1];

	for (uint32_t i = 0; i < n; i++) {
		all[i] = *q;
		all[i].key = (q->key + i) & 3;
		if (all[i].key == KEY_KNOWN && !is_known(&c->known, q))
			all[i].key = 0;
		count.known += all[i].key == KEY_KNOWN;
	}
	got[n] = none;
	ask(c, all, n, got);
	for (uint32_t i = 0; i < n; i++)
		one_answer(c, &all[i], got[i]);
	count.bad += got[n] != none;
}

/* A length on the wire, of @f or of one of which @f is what was captured. */
static uint32_t
any_length(const struct frame *f, struct rng *r)
{
	return f->len + (rng_below(r, 8) == 0 ? LENGTH_FAR - rng_below(r, 64) : 0);
}

static void
one_chain(const struct chain *c, struct rng *r)
{
	static struct frame f;

	for (int i = 0; i < FRAMES; i++) {
		const struct cbpf_link *l = &c->links[rng_below(r, (uint32_t)c->n)];

		frame_random(r, &f);
		if (l->prog != NULL)
			(void)frame_solve(l->prog, r, &f);
		if (rng_below(r, 2) == 0)
			make_frame_known(&f, &c->known);
		for (int j = 0; j <= LENGTHS; j++) {
			struct question q = {.wirelen = any_length(&f, r),
				.key = rng_below(r, 4),
				.sport = (uint16_t)rng_below(r, 4)};

			q.caplen = j == 0 ? f.len : rng_below(r, f.len + 1);
			q.start = (uint16_t)rng_next(r);
			q.frame = fence_end(f.bytes, q.caplen) - q.start;
			q.allowed = rng_below(r, 2) ? UINT32_MAX : (uint32_t)rng_next(r);
			if (rng_below(r, 2)) /* so that programs are asked, too */
				q.key = (q.key & ~l->mask) | l->val;
			one_burst(c, &q, r);
		}
	}
}

int
main(void)
{
	struct rng r = {test_seed("test_chain")};
	struct cbpf_arena *arena = NULL;
	struct chain c;
	bool ok;

	if (!cbpf_jit_available())
		return 77;
	for (size_t i = 0; i < CHAINS * test_factor(); i++) {
		struct diag diag = {0};

		if (arena != NULL && cbpf_arena_used(arena) > ARENA_BYTES / 2) {
			cbpf_arena_free(arena);
			arena = NULL;
		}
		if (arena == NULL && cbpf_arena_new(ARENA_BYTES, &arena, NULL) < 0)
			abort();
		make(&c, &r);
		if (cbpf_jit_chain(arena, c.links, c.n, &records, &c.fn, NULL, &diag) < 0) {
			printf("NOT OK: %s\n", diag.msg);
			return 1;
		}
		one_chain(&c, &r);
		for (size_t k = 0; k < c.n; k++)
			cbpf_prog_free((struct cbpf_prog *)(uintptr_t)c.links[k].prog);
	}
	cbpf_arena_free(arena);
	printf("%" PRIu64 " questions, %" PRIu64 " found, %" PRIu64 " of them behind the first; "
	       "%" PRIu64 " about frames that are known; "
	       "faults noticed: keys %" PRIu64 ", asks %" PRIu64 ", cut frames %" PRIu64
	       ", switches %" PRIu64 ", order %" PRIu64 "\n",
		count.asked, count.found, count.later, count.known, count.noticed[NO_KEYS],
		count.noticed[NO_ASKS], count.noticed[NO_WHOLE], count.noticed[NO_SWITCHES],
		count.noticed[LAST_FIRST]);
	ok = count.bad == 0 && count.found > count.asked / 10 && count.later > count.asked / 20 &&
		count.known > count.asked / 20 && count.noticed[NO_KEYS] > 0 &&
		count.noticed[NO_ASKS] > 0 && count.noticed[NO_WHOLE] > 0 &&
		count.noticed[NO_SWITCHES] > 0 && count.noticed[LAST_FIRST] > 0;
	printf("%s: chains say what their programs do\n", ok ? "ok" : "NOT OK");
	return ok ? 0 : 1;
}
