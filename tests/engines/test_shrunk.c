// SPDX-License-Identifier: BSD-3-Clause
/*
 * The shrinker on programs of every generator: what it makes returns the same on
 * frames that match or just miss, cut at any length, and is no longer. 3,000
 * programs, 30,000 with SLUICE_LONG=1; random ones are in engines-differential.
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
#include "gen/gen.h"
#include "gencase.h"
#include "quick.h"

#define PROGRAMS QUICK(3000)
#define FRAMES 10 /* for each */
#define LENGTHS 12 /* for each of these, and its own */

static struct {
	uint64_t pairs, matches, shorter, before, after, bad;
} count;

static size_t
length_of(const struct cbpf_prog *prog)
{
	size_t n;

	(void)cbpf_prog_insns(prog, &n);
	return n;
}

static void
tell(const struct gencase *c, const struct cbpf_prog *shrunk, uint32_t len)
{
	const struct cbpf_insn *insns;
	struct sbuf b = SBUF_INIT;
	size_t n;

	if (count.bad++ > 2)
		return;
	insns = cbpf_prog_insns(shrunk, &n);
	cbpf_dis(insns, n, &b);
	printf("%s, IPv%u, offset %u, length %" PRIu32 ":", c->type, c->opts.family, c->opts.l3_off,
		len);
	for (int i = 0; i < c->argc; i++)
		printf(" '%s'", c->argv[i]);
	printf("\n%s", sbuf_str(&b));
	sbuf_fini(&b);
}

static void
one_program(const struct gencase *c, const struct cbpf_prog *prog, struct rng *r)
{
	static struct gencase_frame f;
	struct cbpf_prog *shrunk = engine_shrunk.load(prog);

	count.before += length_of(prog);
	count.after += length_of(shrunk);
	count.shorter += length_of(shrunk) < length_of(prog);
	for (int i = 0; i < FRAMES; i++) {
		gencase_frame(r, c, &f);
		for (int j = 0; j <= LENGTHS; j++) {
			const uint32_t len = j == 0 ? f.len : rng_below(r, f.len + 1);
			const uint8_t *data = fence_end(f.bytes, len);
			const uint32_t want = cbpf_run(prog, data, len, f.len);

			count.pairs++;
			count.matches += want != 0;
			if (cbpf_run(shrunk, data, len, f.len) != want)
				tell(c, shrunk, len);
		}
	}
	engine_shrunk.unload(shrunk);
}

int
main(void)
{
	struct rng r = {test_seed("test_shrunk")};
	struct gencase c;
	size_t n_types = 0;
	bool ok;

	while (gencase_name(n_types) != NULL)
		n_types++;
	for (size_t i = 0; i < PROGRAMS * test_factor(); i++) {
		struct cbpf_prog *prog = NULL;
		struct gen_out out = {0};

		memset(&c, 0, sizeof(c));
		/* Lists of names are what it is for: every other one. */
		gencase_random(&r, i % 2 == 0 ? 0 : i / 2 % n_types, &c);
		if (gen_run(c.type, &c.opts, c.argc, c.argv, &out, NULL) < 0 ||
			cbpf_prog_new(out.insns, out.n, &prog, NULL) < 0)
			abort();
		one_program(&c, prog, &r);
		cbpf_prog_free(prog);
		gen_out_fini(&out);
	}
	printf("%" PRIu64 " pairs, %" PRIu64 " match; %" PRIu64 " programs got shorter, %" PRIu64
	       " instructions became %" PRIu64 "\n",
		count.pairs, count.matches, count.shorter, count.before, count.after);
	ok = count.bad == 0 && count.matches > count.pairs / 20 && count.after < count.before;
	printf("%s: shrunk programs say the same\n", ok ? "ok" : "NOT OK");
	return ok ? 0 : 1;
}
