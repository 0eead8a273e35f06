// SPDX-License-Identifier: BSD-3-Clause
/*
 * Traces: the same result as the interpreter's, and the step that is named as
 * the one that decided did so: behind its way taken nothing matches, and with
 * its jump turned round a program that asks for one thing after another gets on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "cbpf/trace.h"
#include "engines.h"
#include "match/sym.h"
#include "progs.h"
#include "quick.h"

#define PAIRS ((uint64_t)QUICK(100000))

static struct {
	uint64_t pairs, matches, tests, loads, other, turned, again, wrong;
} c;

static void
wrong(const struct cbpf_prog *prog, const uint8_t *data, uint32_t len, const char *what)
{
	struct sbuf b = SBUF_INIT;
	const struct cbpf_insn *insns;
	size_t n;

	if (c.wrong++ >= 3)
		return;
	insns = cbpf_prog_insns(prog, &n);
	cbpf_dis(insns, n, &b);
	printf("%s\n%sframe ", what, sbuf_str(&b));
	for (uint32_t i = 0; i < len; i++)
		printf("%02x", data[i]);
	printf("\n");
	sbuf_fini(&b);
}

static bool
is_test(const struct cbpf_insn *in)
{
	return (in->code & 7) == 5 && (in->code & 0xf0) != 0;
}

/* Whether a match may be returned from instruction @at on, found another way than the library's. */
static bool
may(const struct cbpf_insn *insns, uint32_t at)
{
	const struct cbpf_insn *in = &insns[at];

	if ((in->code & 7) == 6)
		return in->code != CBPF_CODE_RET_K || in->k != 0;
	if (in->code == CBPF_CODE_JA)
		return may(insns, at + 1 + in->k);
	if (is_test(in))
		return may(insns, at + 1 + in->jt) ||
			(in->jt != in->jf && may(insns, at + 1 + in->jf));
	return may(insns, at + 1);
}

/* How many conditions of the only way to a match do not hold; -1: there are other ways. */
static int
violated(struct sym_pool *pool, const struct cbpf_prog *prog, const uint8_t *data, uint32_t len)
{
	const struct sym_path *path;
	struct sym_result r;
	int n = 0;

	if (sym_run(pool, prog, &r) < 0)
		abort();
	path = sym_conjunction(&r);
	if (path == NULL)
		return -1;
	for (uint32_t i = 0; i < path->n_atoms; i++) {
		struct sym_path one = *path;

		one.atoms = &path->atoms[i];
		one.n_atoms = 1;
		n += !sym_path_holds(&one, data, len, len);
	}
	return n;
}

/*
 * With the jump of @at turned round and all else as it is, does the frame match?
 * Not where a program asks for one thing twice, or for what cannot be.
 */
static void
turn(const struct cbpf_prog *prog, uint32_t at, const uint8_t *data, uint32_t len)
{
	struct cbpf_insn copy[CBPF_MAX_INSNS];
	const struct cbpf_insn *insns;
	struct cbpf_prog *other;
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	memcpy(copy, insns, n * sizeof(*copy));
	copy[at].jt = insns[at].jf;
	copy[at].jf = insns[at].jt;
	if (cbpf_prog_new(copy, n, &other, NULL) < 0)
		return;
	c.turned++;
	c.again += cbpf_run(other, data, len, len) == 0;
	cbpf_prog_free(other);
}

static void
check(struct sym_pool *pool, const struct cbpf_prog *prog, const uint8_t *data, uint32_t len,
	bool small)
{
	const struct cbpf_insn *insns;
	const struct cbpf_step *step;
	struct cbpf_trace t;
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	if (cbpf_trace(prog, data, len, len, &t) < 0)
		abort();
	c.pairs++;
	if (t.result != cbpf_run(prog, data, len, len))
		wrong(prog, data, len, "another result");
	c.matches += t.result != 0;
	if (t.result != 0)
		goto out;
	step = &t.steps[t.decided];
	if (is_test(&insns[step->at])) {
		const uint8_t yes = insns[step->at].jt, no = insns[step->at].jf;

		c.tests++;
		if (small && may(insns, step->at + 1 + (step->taken ? yes : no)))
			wrong(prog, data, len, "a match is left behind the test that decided");
		if (small && !may(insns, step->at + 1 + (step->taken ? no : yes)))
			wrong(prog, data, len, "no match either way of the test that decided");
		if (step->origin.kind == CBPF_ORIGIN_LOAD && step->origin.n_ops == 0 &&
			step->a != step->origin.loaded)
			wrong(prog, data, len, "a value that is not what was loaded");
		if (violated(pool, prog, data, len) == 1)
			turn(prog, step->at, data, len);
	} else if (t.end == CBPF_END_LOAD) {
		c.loads++;
		if (t.off + t.size <= len || t.decided != t.n - 1)
			wrong(prog, data, len, "a load that lies inside");
	} else {
		c.other++;
	}
out:
	cbpf_trace_fini(&t);
}

static void
one_program(struct rng *r)
{
	struct cbpf_prog *prog = rng_below(r, 4) == 0 ? progs_random(r) : progs_real(r);
	struct sym_pool *pool;
	struct frame f;
	size_t n;

	(void)cbpf_prog_insns(prog, &n);
	for (int i = 0; i < 4; i++) {
		if (sym_pool_new(&pool) < 0)
			abort();
		frame_random(r, &f);
		(void)frame_solve(prog, r, &f);
		check(pool, prog, f.bytes, f.len, n <= 24);
		for (int j = 0; j < 8 && f.len > 0; j++) {
			const uint32_t at = rng_below(r, MIN(f.len, 80u));
			const uint8_t bit = (uint8_t)(1u << rng_below(r, 8));

			f.bytes[at] ^= bit;
			check(pool, prog, f.bytes, f.len, n <= 24);
			f.bytes[at] ^= bit;
		}
		check(pool, prog, f.bytes, rng_below(r, f.len + 1), n <= 24);
		sym_pool_free(pool);
	}
	cbpf_prog_free(prog);
}

int
main(void)
{
	struct rng r = {.state = test_seed("trace")};
	const uint64_t pairs = test_factor() * PAIRS;

	while (c.pairs < pairs)
		one_program(&r);
	printf("%" PRIu64 " pairs: %" PRIu64 " match, %" PRIu64 " tests, %" PRIu64
	       " loads, %" PRIu64 " others; %" PRIu64 " jumps turned round, of which %" PRIu64
	       " asked again; %" PRIu64 " wrong\n",
		c.pairs, c.matches, c.tests, c.loads, c.other, c.turned, c.again, c.wrong);
	return c.wrong != 0 || c.matches == 0 || c.tests == 0 || c.loads == 0 || c.turned == 0 ||
		c.again * 2 > c.turned;
}
