// SPDX-License-Identifier: BSD-3-Clause
/*
 * Programs that walk over labels, cut for chains. They write a round for each label there may
 * be, 124 of them, and who sends as many makes a chain go through all, for each rule. So a
 * chain has the first rounds, which do for the names of hosts, and says of a frame that gets
 * behind them that tables are to be asked, which walk in vectors.
 *
 * That is two links. One is the program up to the cut, where it does not match. Behind it one
 * that matches at the cut, by the same steps without what else rounds ask:
 *
 *	ldb [x + 0]				ldb [x + 0]
 *	sub #1					sub #1
 *	jgt #62, no				jgt #62, no
 *	add x					add x
 *	add #2					add #2
 *	tax					tax
 *	ld [x + 0]			->	ja next
 *	jneq #..., next				...
 *	ret #1
 *	next: ...				next: ...
 *
 * What it asks the first one has asked, so that both are one walk. Nothing depends on rounds
 * being found rightly: what a round leaves out is left out only where all that leads out of it
 * leads to the next round, or returns, which the first link has. So a frame that gets to the cut
 * in the program gets there in the second.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "chain.h"

#define STEPS 8 /* names of hosts have no more labels */
#define ROUNDS_MIN (STEPS + 2) /* of fewer a chain may have all */
#define ROUND_MIN 3 /* instructions */
#define ROUND_MAX 256

/*
 * Where rounds start, how long they are, and where in one X is as the next one has it: what is
 * behind may be left out. The length: nothing may.
 */
struct rounds {
	size_t start, len, stepped;
};

/* Returns, behind the last instruction that is kept. */
enum { AT_CUT, AT_ZERO, AT_MATCH, ENDS };

static bool
is_jump(const struct cbpf_insn *in)
{
	return (in->code & 7) == 5;
}

/* Whether two instructions of rounds do alike; how far exits of rounds are depends on the round. */
static bool
is_like(const struct cbpf_insn *a, const struct cbpf_insn *b)
{
	if (a->code != b->code)
		return false;
	return a->code == CBPF_CODE_JA || (a->k == b->k && a->jt == b->jt && a->jf == b->jf);
}

static bool
are_rounds(const struct cbpf_insn *v, size_t n, size_t start, size_t len)
{
	size_t i = start;

	if (start + ROUNDS_MIN * len > n)
		return false;
	while (i < start + (ROUNDS_MIN - 1) * len && is_like(&v[i], &v[i + len]))
		i++;
	return i == start + (ROUNDS_MIN - 1) * len;
}

static bool
writes_x(uint16_t code)
{
	return code == CBPF_CODE_TAX || (code & 7) == 1;
}

static bool
stores(uint16_t code)
{
	return (code & 7) == 2 || (code & 7) == 3;
}

/*
 * Behind the last instruction of a round that writes X, where behind it nothing is done that the
 * next one could see: what starts with a load into A does not see what was there.
 */
static size_t
find_stepped(const struct cbpf_insn *round, size_t len)
{
	size_t stepped = len;

	while (stepped > 0 && !writes_x(round[stepped - 1].code))
		if (stores(round[--stepped].code))
			return len;
	return (round[0].code & 7) == 0 ? stepped : len;
}

/* Where one comes by a jump to @to, behind what only leads on. */
static size_t
past_jumps(const struct cbpf_insn *v, size_t to)
{
	while (v[to].code == CBPF_CODE_JA)
		to += 1 + v[to].k;
	return to;
}

/* Whether a jump to @to stays in the round that ends at @end, leads to the next one, or returns. */
static bool
stays(const struct cbpf_insn *v, size_t to, size_t end)
{
	const size_t at = past_jumps(v, to);

	return to <= end || at == end || v[at].code == CBPF_CODE_RET_K;
}

/* Whether what the round from @start on may leave out leads nowhere else. */
static bool
all_stay(const struct cbpf_insn *v, size_t start, const struct rounds *r)
{
	const size_t end = start + r->len;
	bool all = true;

	for (size_t i = start + r->stepped; i < end; i++)
		if (v[i].code == CBPF_CODE_JA)
			all = all && stays(v, i + 1 + v[i].k, end);
		else if (is_jump(&v[i]))
			all = all && stays(v, i + 1 + v[i].jt, end) &&
				stays(v, i + 1 + v[i].jf, end);
	return all;
}

/* What rounds from @start on, of @len instructions, may leave out. */
static struct rounds
rounds_of(const struct cbpf_insn *v, size_t start, size_t len)
{
	struct rounds r = {start, len, find_stepped(&v[start], len)};

	/* How far jumps go differs from one to the other. */
	for (size_t i = 0; i < STEPS; i++)
		if (!all_stay(v, start + i * len, &r))
			r.stepped = len;
	return r;
}

static bool
find_rounds(const struct cbpf_insn *v, size_t n, struct rounds *r)
{
	for (size_t start = 0; start + ROUNDS_MIN * ROUND_MIN <= n; start++)
		for (size_t len = ROUND_MIN; len <= ROUND_MAX; len++)
			if (are_rounds(v, n, start, len)) {
				*r = rounds_of(v, start, len);
				return true;
			}
	return false;
}

/* Where a jump to @to goes, with all from @cut on away. */
static size_t
cut_target(const struct cbpf_insn *v, size_t to, size_t cut)
{
	if (to < cut)
		return to;
	to = past_jumps(v, to);
	if (v[to].code == CBPF_CODE_RET_K && to != cut)
		return cut + (v[to].k == 0 ? AT_ZERO : AT_MATCH);
	return cut + AT_CUT;
}

/* Let the jump at @at of @out go to where it does in @v, cut. False: that is too far. */
static bool
cut_jump(struct cbpf_insn *out, const struct cbpf_insn *v, size_t at, size_t cut)
{
	const size_t yes = cut_target(v, at + 1 + v[at].jt, cut) - at - 1;
	const size_t no = cut_target(v, at + 1 + v[at].jf, cut) - at - 1;

	if (v[at].code == CBPF_CODE_JA) {
		out[at].k = (uint32_t)(cut_target(v, at + 1 + v[at].k, cut) - at - 1);
		return true;
	}
	out[at].jt = (uint8_t)yes;
	out[at].jf = (uint8_t)no;
	return MAX(yes, no) <= UINT8_MAX;
}

/* The first @cut instructions of @v, which return @at_cut and @at_match; or a round is missing. */
static int
cut_prog(const struct cbpf_insn *v, size_t cut, uint32_t at_cut, uint32_t at_match,
	const struct rounds *only_steps, struct cbpf_prog **ret)
{
	struct cbpf_insn out[CBPF_MAX_INSNS + ENDS];

	memcpy(out, v, cut * sizeof(*out));
	for (size_t i = 0; i < cut; i++)
		if (is_jump(&v[i]) && !cut_jump(out, v, i, cut))
			return -EOPNOTSUPP;
	out[cut + AT_CUT] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, at_cut};
	out[cut + AT_ZERO] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, 0};
	out[cut + AT_MATCH] = (struct cbpf_insn){CBPF_CODE_RET_K, 0, 0, at_match};
	for (size_t i = 0; only_steps != NULL && i < STEPS; i++) {
		const size_t round = only_steps->start + i * only_steps->len;
		const size_t left = only_steps->len - only_steps->stepped;

		if (left > 0)
			out[round + only_steps->stepped] =
				(struct cbpf_insn){CBPF_CODE_JA, 0, 0, (uint32_t)(left - 1)};
	}
	return cbpf_prog_new(out, cut + ENDS, ret, NULL) == -ENOMEM ? -ENOMEM : 0;
}

int
chain_walk_cut(
	const struct cbpf_prog *prog, struct cbpf_prog **ret_near, struct cbpf_prog **ret_far)
{
	size_t n, cut;
	const struct cbpf_insn *v = cbpf_prog_insns(prog, &n);
	struct cbpf_prog *near = NULL, *far = NULL;
	struct rounds rounds;
	int r;

	if (!find_rounds(v, n, &rounds))
		return -EOPNOTSUPP;
	cut = rounds.start + STEPS * rounds.len;
	r = cut_prog(v, cut, 0, 1, NULL, &near);
	if (r == 0)
		r = cut_prog(v, cut, 1, 0, &rounds, &far);
	if (r == 0 && (near == NULL || far == NULL))
		r = -EOPNOTSUPP;
	if (r < 0) {
		cbpf_prog_free(near);
		cbpf_prog_free(far);
		return r;
	}
	*ret_near = near;
	*ret_far = far;
	return 0;
}
