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
 * being found rightly: a frame that gets to the cut in the program gets there in both.
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

/* Where rounds start, how long they are, and where in one X is as the next one has it. */
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
 * Whether behind the last instruction of the round that writes X, nothing is done that the
 * next one could see: what starts with a load into A does not see what was there.
 */
static bool
find_stepped(const struct cbpf_insn *v, struct rounds *r)
{
	const struct cbpf_insn *round = &v[r->start];

	r->stepped = r->len;
	while (r->stepped > 0 && !writes_x(round[r->stepped - 1].code)) {
		r->stepped--;
		if (stores(round[r->stepped].code))
			return false;
	}
	return r->stepped > 0 && (round[0].code & 7) == 0;
}

static bool
find_rounds(const struct cbpf_insn *v, size_t n, struct rounds *r)
{
	for (r->start = 0; r->start + ROUNDS_MIN * ROUND_MIN <= n; r->start++)
		for (r->len = ROUND_MIN; r->len <= ROUND_MAX; r->len++)
			if (are_rounds(v, n, r->start, r->len))
				return find_stepped(v, r);
	return false;
}

/* Where a jump to @to goes, with all from @cut on away. */
static size_t
cut_target(const struct cbpf_insn *v, size_t to, size_t cut)
{
	if (to < cut)
		return to;
	while (v[to].code == CBPF_CODE_JA)
		to += 1 + v[to].k;
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
