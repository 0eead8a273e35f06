// SPDX-License-Identifier: BSD-3-Clause
/*
 * Paths by symbolic execution against libpcap's verdict: what matches holds some
 * path; what holds an exact path matches. Real, mutated and random programs,
 * frames that match or just miss, every capture length.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "engines.h"
#include "match/sym.h"
#include "progs.h"
#include "quick.h"

#define PAIRS ((uint64_t)QUICK_MANY(1000000))
#define PROGRAMS_MANY 1000 /* one in 14 walks: fewer say nothing about shares */
#define BROKEN_PAIRS ((uint64_t)QUICK(50000))
#define FLIPS 24 /* per frame that matches */

enum fault { FAULT_NONE, FAULT_ATOM, FAULT_NEED, FAULT_PATH };

struct counts {
	uint64_t pairs, matches, programs, exact, blind, walks, exact_walks, wrong;
};

/* Paths that no packet holds two of, or such that may overlap. */
typedef int (*sym_fn)(
	struct sym_pool *pool, const struct cbpf_prog *prog, struct sym_result *ret_result);

struct run {
	sym_fn sym_run;
	enum fault fault;
	struct counts c;
	const struct cbpf_prog *prog;
	void *oracle;
	struct sym_result sym;
};

static void
tell(const struct run *run, const uint8_t *data, uint32_t caplen, uint32_t wirelen, bool want)
{
	struct sbuf b = SBUF_INIT;
	const struct cbpf_insn *insns;
	size_t n;

	insns = cbpf_prog_insns(run->prog, &n);
	cbpf_dis(insns, n, &b);
	for (uint32_t i = 0; i < run->sym.n_paths; i++) {
		sbuf_addf(&b, "path %u\n", i);
		sym_path_text(&run->sym.paths[i], "    ", &b);
	}
	printf("libpcap says %s, caplen %u, length %u\n%sframe ", want ? "yes" : "no", caplen,
		wirelen, sbuf_str(&b));
	for (uint32_t i = 0; i < caplen; i++)
		printf("%02x", data[i]);
	printf("\n");
	sbuf_fini(&b);
}

/* @path without what a broken engine would forget. */
static struct sym_path
broken(const struct sym_path *path, enum fault fault)
{
	struct sym_path p = *path;

	if (fault == FAULT_ATOM && p.n_atoms > 0)
		p.n_atoms--;
	if (fault == FAULT_NEED)
		p.n_needs = 0;
	return p;
}

static void
compare(struct run *run, const uint8_t *bytes, uint32_t caplen, uint32_t wirelen)
{
	const uint8_t *data = fence_end(bytes, caplen);
	const bool want = engine_pcap.run(run->oracle, data, caplen, wirelen) != 0;
	bool some = false, sure = false;

	for (uint32_t i = run->fault == FAULT_PATH; i < run->sym.n_paths; i++) {
		const struct sym_path p = broken(&run->sym.paths[i], run->fault);

		if (!sym_path_holds(&p, data, caplen, wirelen))
			continue;
		some = true;
		sure |= p.exact;
	}
	run->c.pairs++;
	run->c.matches += want;
	if ((want && !some) || (!want && sure))
		if (run->c.wrong++ < 3 && run->fault == FAULT_NONE)
			tell(run, data, caplen, wirelen, want);
}

static void
one_frame(struct run *run, struct rng *r, bool lengths)
{
	struct trace t;
	struct frame f;
	bool matches;

	frame_random(r, &f);
	matches = frame_solve(run->prog, r, &f);
	compare(run, f.bytes, f.len, f.len);
	frame_trace(run->prog, f.bytes, f.len, f.len, &t);
	for (int i = 0; i < FLIPS && matches; i++) {
		uint32_t at = rng_below(r, MAX(f.len, 1u));
		const uint8_t bit = (uint8_t)(1u << rng_below(r, 8));

		if (t.nread > 0 && i % 8 != 0)
			at = t.read[rng_below(r, t.nread)];
		f.bytes[at] ^= bit;
		compare(run, f.bytes, f.len, f.len);
		f.bytes[at] ^= bit;
	}
	for (uint32_t len = 0; lengths && len <= f.len; len++) {
		compare(run, f.bytes, len, f.len);
		compare(run, f.bytes, len, len);
	}
}

/* ---- walks over labels ---- */

static void
jump_unless(struct sbuf *b, const char *test, uint32_t k, uint32_t round, const char *to)
{
	sbuf_addf(b, "%s #%u, %s", test, k, to);
	if (to[0] == 'f')
		sbuf_addf(b, "%u", round + 1);
	sbuf_adds(b, "\n");
}

/*
 * Rounds that step over a label and look at what is behind it, as of "**.name",
 * of small numbers, so that packets of small numbers match.
 */
static struct cbpf_prog *
walk_prog(struct rng *r)
{
	const uint32_t rounds = 2 + rng_below(r, 12), n_tests = 1 + rng_below(r, 3);
	const uint32_t odd = rng_below(r, 4) == 0 ? rng_below(r, rounds) : UINT32_MAX;
	const uint64_t seed = rng_next(r);
	struct cbpf_insn *insns = NULL;
	struct cbpf_prog *prog = NULL;
	struct sbuf b = SBUF_INIT;
	size_t n;

	sbuf_addf(&b, rng_below(r, 2) ? "ldx #%u\n" : "ldx #%u\nldb [0]\nadd x\ntax\n",
		rng_below(r, 4));
	for (uint32_t i = 0; i < rounds; i++) {
		static const char *const tests[] = {"jneq", "jneq", "jneq", "jset", "jlt"};
		struct rng same = {i == odd ? rng_next(r) : seed};
		const char *out = rng_below(&same, 4) == 0 ? "second" : "no";

		sbuf_addf(&b, "r%u: ldb [x + %u]\n", i, rng_below(&same, 6) == 0);
		switch (rng_below(&same, 4)) {
		case 0: break;
		case 1: jump_unless(&b, "jeq", 0, i, out); break;
		case 2: jump_unless(&b, "jgt", 1 + rng_below(&same, 3), i, out); break;
		default:
			sbuf_adds(&b, "sub #1\n");
			jump_unless(&b, "jgt", 2, i, out);
			sbuf_adds(&b, "add #1\n");
			break;
		}
		sbuf_adds(&b, "add x\n");
		/* Something that must be there, and does not matter. */
		if (rng_below(&same, 6) == 0)
			sbuf_addf(&b, "tax\nldb [x + %u]\ntxa\n", rng_below(&same, 3));
		sbuf_addf(&b, "add #%u\ntax\n",
			rng_below(&same, 6) > 0 ? 1 : 2 * rng_below(&same, 2));
		for (uint32_t k = 0; k < n_tests; k++) {
			sbuf_addf(&b, "ld%s [x + %u]\n", rng_below(&same, 2) ? "b" : "h",
				rng_below(&same, 4));
			jump_unless(&b, tests[rng_below(&same, DIM(tests))],
				rng_below(&same, 4) << 8 * rng_below(&same, 2), i, "f");
		}
		if (rng_below(&same, 6) == 0)
			sbuf_addf(&b, "ldb [x + %u]\n", rng_below(&same, 12));
		sbuf_adds(&b, "ret #1\n");
		/* Those that go on may need more than those that match. */
		if (rng_below(&same, 4) == 0)
			sbuf_addf(&b, "f%u: ldb [x + %u]\n", i + 1, rng_below(&same, 12));
		else
			sbuf_addf(&b, "f%u: ld #0\n", i + 1);
	}
	sbuf_addf(&b, "r%u: %sno: ret #0\n", rounds,
		rng_below(r, 3) ? "ja no\n" : "ldb [3]\njeq #2, second, no\n");
	sbuf_adds(&b, "second: ldb [1]\njeq #3, yes, end\nyes: ret #1\nend: ret #0\n");
	if (cbpf_asm(sbuf_str(&b), &insns, &n, NULL) == 0)
		(void)cbpf_prog_new(insns, n, &prog, NULL);
	mem_free(insns);
	sbuf_fini(&b);
	return prog;
}

static void
walk_frames(struct run *run, struct rng *r)
{
	for (int i = 0; i < 12; i++) {
		uint8_t bytes[48];
		const uint32_t len = 8 + rng_below(r, (uint32_t)sizeof(bytes) - 8);

		for (uint32_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)rng_below(r, rng_below(r, 8) == 0 ? 8 : 4);
		for (uint32_t cut = i < 2 ? 0 : len; cut <= len; cut++)
			compare(run, bytes, cut, len);
	}
}

/*
 * @prog with other numbers to compare with: what is known of its shape is said of it.
 * Equal ones mostly stay equal, as rounds of a loop need it.
 */
static struct cbpf_prog *
sibling(const struct cbpf_prog *prog, struct rng *r)
{
	const uint32_t flip = rng_below(r, 3) == 0 ? rng_below(r, 256) : rng_below(r, 4);
	const uint32_t place = 8 * rng_below(r, 4) * rng_below(r, 2), odd = rng_below(r, 4);
	struct cbpf_prog *other = NULL;
	struct cbpf_insn *insns;
	size_t n;

	(void)cbpf_prog_insns(prog, &n);
	insns = mem_calloc(n, sizeof(*insns));
	if (insns == NULL)
		return NULL;
	memcpy(insns, cbpf_prog_insns(prog, &n), n * sizeof(*insns));
	for (size_t i = 0; i < n; i++)
		if (insns[i].code == CBPF_CODE_JEQ_K && (odd != 0 || rng_below(r, 3) > 0))
			insns[i].k ^= flip << place;
	(void)cbpf_prog_new(insns, n, &other, NULL);
	mem_free(insns);
	return other;
}

static void
one_program(
	struct run *run, struct sym_pool *pool, struct cbpf_prog *prog, bool walks, struct rng *r)
{
	run->prog = prog;
	run->oracle = engine_pcap.load(prog);
	if (run->oracle != NULL && run->sym_run(pool, prog, &run->sym) == 0) {
		bool exact = true;

		for (uint32_t i = 0; i < run->sym.n_paths; i++) {
			const struct sym_path *p = &run->sym.paths[i];

			exact &= p->exact;
			run->c.walks += p->steps > 0;
			run->c.exact_walks += p->steps > 0 && p->exact;
			run->c.blind += p->n_atoms == 0 && p->n_needs == 0 && !p->exact;
		}
		run->c.programs++;
		run->c.exact += exact;
		for (int i = 0; i < 6 && !walks; i++)
			one_frame(run, r, i == 0);
		if (walks)
			walk_frames(run, r);
	}
	if (run->oracle != NULL)
		engine_pcap.unload(run->oracle);
	cbpf_prog_free(prog);
}

static int
many(struct run *run, uint64_t pairs, struct rng *r)
{
	struct cbpf_prog *prog, *next = NULL;
	struct sym_pool *pool = NULL;
	bool walks = false;

	while (run->c.pairs < pairs && (run->c.wrong < 3 || run->fault != FAULT_NONE)) {
		/* Some hundred programs share their nodes. */
		if (run->c.programs % 256 == 0) {
			sym_pool_free(pool);
			pool = NULL;
			if (sym_pool_new(&pool) < 0)
				return -1;
		}
		if (next == NULL) {
			const uint32_t kind = rng_below(r, 3);

			walks = kind == 2;
			next = kind == 0 ? progs_random(r) : walks ? walk_prog(r) : progs_real(r);
		}
		prog = next;
		next = rng_below(r, 2) ? sibling(prog, r) : NULL;
		one_program(run, pool, prog, walks, r);
	}
	cbpf_prog_free(next);
	sym_pool_free(pool);
	return 0;
}

/* ---- programs of which the paths are known ---- */

static const struct known {
	const char *prog, *want;
	bool conjunction;
} known[] = {
	{"ldb [9]\njneq #17, no\nldh [6]\njset #0x1fff, no\nldxb 4*([0]&0xf)\nldh [x + 2]\n"
	 "jneq #53, no\nret #1\nno: ret #0",
		"10 bytes from 0\n4 bytes from (([0:1] & 15) << 2)\n[9:1] & 0xff == 0x11\n"
		"[6:2] & 0x1fff == 0x0\n[(([0:1] & 15) << 2) + 2:2] & 0xffff == 0x35\n",
		true},
	/* One label is skipped. */
	{"ldx #60\nldb [x + 0]\nadd x\nadd #1\ntax\nld [x + 0]\nor #0x20202020\n"
	 "jneq #0x22756b20, no\nret #1\nno: ret #0",
		"61 bytes from 0\n65 bytes from [60:1]\n[[60:1] + 61:4] & 0xdfdfdfdf == 0x2554b00\n",
		true},
	{"ld #len\nsub #4\ntax\nld [x + 0]\njneq #5, no\nret #1\nno: ret #0",
		"4 bytes from (len - 4)\n[(len - 4) + 0:4] == 0x5\n", true},
	/* Tests that follow from others are left out. */
	{"ldb [8]\njgt #64, no\njeq #7, yes\njgt #30, no\njge #31, no\nyes: ret #1\nno: ret #0",
		"9 bytes from 0\nnot [8:1] & 0xff == 0x7\n[8:1] in 0..30\n"
		"9 bytes from 0\n[8:1] & 0xff == 0x7\n",
		false},
	{"ldb [0]\nsub #1\njgt #62, no\nret #1\nno: ret #0", "1 bytes from 0\n[0:1] in 1..63\n",
		false},
	/* What cannot be has no path. */
	{"ldb [0]\njneq #300, no\nret #1\nno: ret #0", "", false},
	{"ldb [0]\njneq #3, no\nldh [0]\njge #0x400, yes\nret #0\nyes: ret #1\nno: ret #0", "",
		false},
};

static bool
paths_are_as_known(const struct known *k)
{
	struct sbuf text = SBUF_INIT;
	struct sym_pool *pool = NULL;
	struct cbpf_insn *insns = NULL;
	struct cbpf_prog *prog = NULL;
	struct sym_result sym;
	bool ok = false;
	size_t n;

	if (cbpf_asm(k->prog, &insns, &n, NULL) == 0 && cbpf_prog_new(insns, n, &prog, NULL) == 0 &&
		sym_pool_new(&pool) == 0 && sym_run(pool, prog, &sym) == 0) {
		/* In no order that matters. */
		for (uint32_t i = 0; i < sym.n_paths; i++)
			sym_path_text(&sym.paths[i], "", &text);
		ok = strcmp(sbuf_ok(&text) && text.len > 0 ? sbuf_str(&text) : "", k->want) == 0 &&
			(sym_conjunction(&sym) != NULL) == k->conjunction;
		if (!ok)
			printf("%s\ngives\n%swhere this was expected:\n%s\n", k->prog,
				sbuf_str(&text), k->want);
	}
	sbuf_fini(&text);
	sym_pool_free(pool);
	cbpf_prog_free(prog);
	mem_free(insns);
	return ok;
}

/*
 * Long programs, each of another shape, are run until that is enough: nothing is said of a program
 * then. None has a branch or repeats itself, so that their steps take little time.
 */
static bool
work_is_bounded(void)
{
	struct cbpf_insn insns[CBPF_MAX_INSNS];
	struct sym_pool *pool = NULL;
	struct sym_result sym = {0};
	bool nothing = false;

	for (uint32_t i = 0; i < DIM(insns); i++)
		insns[i] = (struct cbpf_insn){.code = CBPF_CODE_LD_IMM, .k = i};
	insns[DIM(insns) - 1].code = CBPF_CODE_RET_K;
	if (sym_pool_new(&pool) < 0)
		return false;
	for (uint32_t i = 0; i < 4000 && !nothing; i++) {
		struct cbpf_prog *prog = NULL;

		insns[0] = (struct cbpf_insn){.code = CBPF_CODE_LD_B_ABS, .k = i};
		if (cbpf_prog_new(insns, DIM(insns), &prog, NULL) < 0 ||
			sym_cover(pool, prog, &sym) < 0)
			break;
		nothing = sym.n_paths == 1 && sym.paths[0].n_atoms == 0 &&
			sym.paths[0].n_needs == 0 && !sym.paths[0].exact;
		cbpf_prog_free(prog);
	}
	sym_pool_free(pool);
	return nothing;
}

static bool
check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "NOT OK", what);
	return ok;
}

int
main(void)
{
	static const struct {
		enum fault fault;
		const char *what;
	} faults[] = {
		{FAULT_ATOM, "a forgotten condition is noticed"},
		{FAULT_NEED, "a forgotten length is noticed"},
		{FAULT_PATH, "a forgotten path is noticed"},
	};
	static const struct {
		sym_fn run;
		const char *what;
	} kinds[] = {
		{sym_run, "paths say what libpcap says"},
		{sym_cover, "paths that may overlap say what libpcap says"},
	};
	struct rng r = {test_seed("test_sym")};
	bool ok = true;

	for (size_t i = 0; i < DIM(known); i++)
		ok &= check(paths_are_as_known(&known[i]), "paths of a program that is known");
	ok &= check(work_is_bounded(), "work of many programs is bounded");
	for (size_t i = 0; i < DIM(kinds); i++) {
		struct run run = {.sym_run = kinds[i].run, .fault = FAULT_NONE};

		if (many(&run, PAIRS / DIM(kinds) * test_factor(), &r) < 0)
			return 1;
		printf("%" PRIu64 " pairs, %" PRIu64 " matches, %" PRIu64 " programs, %" PRIu64
		       " of them exact, %" PRIu64 " blind paths, %" PRIu64 " walks, %" PRIu64
		       " of them exact\n",
			run.c.pairs, run.c.matches, run.c.programs, run.c.exact, run.c.blind,
			run.c.walks, run.c.exact_walks);
		ok &= check(run.c.wrong == 0, kinds[i].what);
		ok &= check(run.c.wrong > 0 || run.c.exact * 10 > run.c.programs * 5,
			"most programs have exact paths");
		ok &= check((run.c.walks * 20 > run.c.programs &&
				    run.c.exact_walks * 2 > run.c.walks) ||
				kinds[i].run == sym_run || run.c.programs < PROGRAMS_MANY,
			"walks are found, and most of them are exact");
	}
	for (size_t i = 0; i < DIM(faults); i++) {
		struct run bad = {.sym_run = kinds[i % DIM(kinds)].run, .fault = faults[i].fault};

		if (many(&bad, BROKEN_PAIRS, &r) < 0)
			return 1;
		printf("%" PRIu64 " of %" PRIu64 " pairs: ", bad.c.wrong, bad.c.pairs);
		ok &= check(bad.c.wrong > 0, faults[i].what);
	}
	return ok ? 0 : 1;
}
