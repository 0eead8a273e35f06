// SPDX-License-Identifier: BSD-3-Clause
/*
 * Interpreter = optimised graph = machine code = libpcap = Linux, on random and
 * mutated programs and on frames built to match them, or to miss by one bit or
 * one byte. Every capture length of every such frame; every frame ends at an
 * unreadable page.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "engines.h"
#include "progs.h"
#include "quick.h"

#define PAIRS ((uint64_t)QUICK(2500000))
#define KERNEL_PAIRS ((uint64_t)QUICK(300000))
#define BROKEN_PAIRS ((uint64_t)20000)
#define NEAR_MISSES 24 /* per frame that matches */

static const struct engine *const all[] = {
	&engine_interp, &engine_optimised, &engine_jit, &engine_shrunk, &engine_pcap};

struct counts {
	uint64_t pairs, programs;
	uint64_t near; /* match, or differ from a match by one bit or one byte of length */
	uint64_t kernel, kernel_differs, kernel_refused;
	uint64_t wrong;
};

struct run {
	const struct engine *const *engines;
	size_t n;
	bool expect_wrong;
	uint64_t kernel_budget;
	struct counts c;

	const struct cbpf_prog *prog;
	void *loaded[DIM(all) + 1];
	void *kernel;
};

static void
tell(const struct run *run, const char *name, const uint8_t *data, uint32_t caplen,
	uint32_t wirelen, uint32_t want, uint32_t got)
{
	struct sbuf b = SBUF_INIT;
	const struct cbpf_insn *insns;
	size_t n;

	insns = cbpf_prog_insns(run->prog, &n);
	cbpf_write_xt(insns, n, &b);
	cbpf_dis(insns, n, &b);
	printf("%s: %" PRIu32 " instead of %" PRIu32 ", caplen %u, length %u\n%sframe ", name, got,
		want, caplen, wirelen, sbuf_str(&b));
	for (uint32_t i = 0; i < caplen; i++)
		printf("%02x", data[i]);
	printf("\n");
	sbuf_fini(&b);
}

static void
ask_kernel(struct run *run, const uint8_t *data, uint32_t caplen, uint32_t want)
{
	struct trace t;
	uint32_t got;

	if (run->kernel == NULL || run->c.kernel >= run->kernel_budget)
		return;
	frame_trace(run->prog, data, caplen, caplen, &t);
	if (t.linux_differs) {
		run->c.kernel_differs++;
		return;
	}
	run->c.kernel++;
	got = engine_kernel.run(run->kernel, data, caplen, caplen);
	want = want == 0 ? 0 : MAX(MIN(want, caplen), 1u);
	if (got == want)
		return;
	if (run->c.wrong++ < 3)
		tell(run, engine_kernel.name, data, caplen, caplen, want, got);
}

/* One pair: @caplen of @wirelen bytes at @bytes. */
static void
compare(struct run *run, const uint8_t *bytes, uint32_t caplen, uint32_t wirelen, bool near)
{
	const uint8_t *data = fence_end(bytes, caplen);
	uint32_t want = cbpf_run(run->prog, data, caplen, wirelen);

	run->c.pairs++;
	run->c.near += near || want != 0;
	for (size_t i = 0; i < run->n; i++) {
		uint32_t got;

		if (run->loaded[i] == NULL)
			continue;
		got = run->engines[i]->run(run->loaded[i], data, caplen, wirelen);
		if (got == want)
			continue;
		if (run->c.wrong++ < 3 && !run->expect_wrong)
			tell(run, run->engines[i]->name, data, caplen, wirelen, want, got);
	}
	if (caplen == wirelen)
		ask_kernel(run, data, caplen, want);
}

static void
compare_lengths(struct run *run, const struct frame *f, bool matches)
{
	/* One byte less than what matches is near; the rest of the lengths need not be. */
	uint32_t shortest = f->len;

	while (matches && shortest > 0 && cbpf_run(run->prog, f->bytes, shortest - 1, f->len) != 0)
		shortest--;
	for (uint32_t len = 0; len <= f->len; len++)
		compare(run, f->bytes, len, f->len, matches && len + 1 == shortest);
	if (shortest > 0)
		compare(run, f->bytes, shortest - 1, shortest - 1, matches);
}

/* Flip one bit of a byte that the program read, or of any. */
static void
compare_flips(struct run *run, struct frame *f, struct rng *r)
{
	struct trace t;

	frame_trace(run->prog, f->bytes, f->len, f->len, &t);
	for (int i = 0; i < NEAR_MISSES; i++) {
		uint32_t at = rng_below(r, MAX(f->len, 1u));
		uint8_t bit = (uint8_t)(1u << rng_below(r, 8));

		if (t.nread > 0 && i % 8 != 0)
			at = t.read[rng_below(r, t.nread)];
		f->bytes[at] ^= bit;
		compare(run, f->bytes, f->len, f->len, true);
		f->bytes[at] ^= bit;
	}
}

static void
one_frame(struct run *run, struct rng *r, bool lengths)
{
	struct frame f;
	bool matches;

	frame_random(r, &f);
	matches = frame_solve(run->prog, r, &f);
	compare(run, f.bytes, f.len, f.len, false);
	if (matches)
		compare_flips(run, &f, r);
	if (lengths)
		compare_lengths(run, &f, matches);
}

static void
one_program(struct run *run, struct cbpf_prog *prog, struct rng *r)
{
	run->prog = prog;
	run->c.programs++;
	for (size_t i = 0; i < run->n; i++)
		run->loaded[i] = run->engines[i]->load(prog);
	run->kernel = NULL;
	if (run->c.kernel < run->kernel_budget) {
		run->kernel = engine_kernel.load(prog);
		run->c.kernel_refused += run->kernel == NULL;
	}
	for (int i = 0; i < 6; i++)
		one_frame(run, r, i == 0);
	for (size_t i = 0; i < run->n; i++)
		if (run->loaded[i] != NULL)
			run->engines[i]->unload(run->loaded[i]);
	if (run->kernel != NULL)
		engine_kernel.unload(run->kernel);
	cbpf_prog_free(prog);
}

static void
many(struct run *run, uint64_t pairs, struct rng *r)
{
	while (run->c.pairs < pairs && (run->c.wrong < 3 || run->expect_wrong))
		one_program(run, rng_below(r, 2) ? progs_random(r) : progs_real(r), r);
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
	static const struct engine *const broken[] = {&engine_broken};
	struct rng r = {test_seed("test_diff")};
	unsigned int factor = test_factor();
	struct run run = {all, DIM(all), false, KERNEL_PAIRS * factor, {0}, NULL, {NULL}, NULL};
	struct run bad = {broken, 1, true, 0, {0}, NULL, {NULL}, NULL};
	double share;
	bool ok = true;

	many(&run, PAIRS * factor, &r);
	many(&bad, BROKEN_PAIRS, &r);
	share = (double)run.c.near / (double)run.c.pairs;
	printf("%" PRIu64 " pairs of %" PRIu64 " programs, %.3f near a match; %" PRIu64
	       " judged by Linux too, %" PRIu64 " where it means something else, %" PRIu64
	       " programs refused by it\n",
		run.c.pairs, run.c.programs, share, run.c.kernel, run.c.kernel_differs,
		run.c.kernel_refused);
	printf("the broken engine: %" PRIu64 " of %" PRIu64 " pairs noticed\n", bad.c.wrong,
		bad.c.pairs);
	ok &= check(run.c.wrong == 0, "all engines agree");
	ok &= check(run.c.pairs >= QUICK(1000000) || run.c.wrong > 0, "enough pairs");
	ok &= check(share >= 0.5, "at least half of the pairs match or just miss");
	ok &= check(run.c.kernel >= QUICK(200000) || run.c.wrong > 0, "Linux judged enough");
	ok &= check(bad.c.wrong > 0, "a broken engine is noticed");
	return ok ? 0 : 1;
}
