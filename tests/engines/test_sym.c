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

#define PAIRS ((uint64_t)1000000)
#define BROKEN_PAIRS ((uint64_t)50000)
#define FLIPS 24 /* per frame that matches */

enum fault { FAULT_NONE, FAULT_ATOM, FAULT_NEED, FAULT_PATH };

struct counts {
	uint64_t pairs, matches, programs, exact, blind, wrong;
};

struct run {
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

static void
one_program(struct run *run, struct sym_pool *pool, struct cbpf_prog *prog, struct rng *r)
{
	run->prog = prog;
	run->oracle = engine_pcap.load(prog);
	if (run->oracle != NULL && sym_run(pool, prog, &run->sym) == 0) {
		bool exact = true;

		for (uint32_t i = 0; i < run->sym.n_paths; i++) {
			const struct sym_path *p = &run->sym.paths[i];

			exact &= p->exact;
			run->c.blind += p->n_atoms == 0 && p->n_needs == 0 && !p->exact;
		}
		run->c.programs++;
		run->c.exact += exact;
		for (int i = 0; i < 6; i++)
			one_frame(run, r, i == 0);
	}
	if (run->oracle != NULL)
		engine_pcap.unload(run->oracle);
	cbpf_prog_free(prog);
}

static int
many(struct run *run, uint64_t pairs, struct rng *r)
{
	struct sym_pool *pool = NULL;

	while (run->c.pairs < pairs && (run->c.wrong < 3 || run->fault != FAULT_NONE)) {
		/* Some hundred programs share their nodes. */
		if (run->c.programs % 256 == 0) {
			sym_pool_free(pool);
			pool = NULL;
			if (sym_pool_new(&pool) < 0)
				return -1;
		}
		one_program(run, pool, rng_below(r, 2) ? progs_random(r) : progs_real(r), r);
	}
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
	struct rng r = {test_seed("test_sym")};
	struct run run = {.fault = FAULT_NONE};
	bool ok = true;

	for (size_t i = 0; i < DIM(known); i++)
		ok &= check(paths_are_as_known(&known[i]), "paths of a program that is known");
	if (many(&run, PAIRS * test_factor(), &r) < 0)
		return 1;
	printf("%" PRIu64 " pairs, %" PRIu64 " matches, %" PRIu64 " programs, %" PRIu64
	       " of them exact, %" PRIu64 " blind paths\n",
		run.c.pairs, run.c.matches, run.c.programs, run.c.exact, run.c.blind);
	ok &= check(run.c.wrong == 0, "paths say what libpcap says");
	ok &= check(run.c.wrong > 0 || run.c.exact * 10 > run.c.programs * 6,
		"most programs have exact paths");
	for (size_t i = 0; i < DIM(faults); i++) {
		struct run bad = {.fault = faults[i].fault};

		if (many(&bad, BROKEN_PAIRS, &r) < 0)
			return 1;
		printf("%" PRIu64 " of %" PRIu64 " pairs: ", bad.c.wrong, bad.c.pairs);
		ok &= check(bad.c.wrong > 0, faults[i].what);
	}
	return ok ? 0 : 1;
}
