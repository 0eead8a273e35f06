// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every generator against the matcher in plain C that was written from its
 * description (tests/support/gencase.h), on frames that hit or just miss, run by our
 * interpreter and by libpcap's. The text of each program must assemble to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "check.h"
#include "gencase.h"
#include "quick.h"

#define FRAMES 12 /* for each pattern */

static struct rng rng;

static void
print_case(const struct gencase *c, const struct gencase_frame *f, const char *text)
{
	print_error("%s, IPv%u, offset %u%s:", c->type, c->opts.family, c->opts.l3_off,
		c->opts.negate ? ", negated" : "");
	for (int i = 0; i < c->argc; i++)
		print_error(" '%s'", c->argv[i]);
	print_error("\n%s\n%u bytes:", text, f->len);
	for (uint32_t i = 0; i < f->len && i < 300; i++)
		print_error("%s%02x", i % 4 == 0 ? " " : "", f->bytes[i]);
	print_error("\n");
}

/* Both engines, on memory that ends with the frame. */
static void
check_frame(const struct gencase *c, const struct gen_out *out, const struct cbpf_prog *prog,
	const struct gencase_frame *f, bool want)
{
	uint8_t *copy = malloc(f->len > 0 ? f->len : 1);
	uint32_t ours, theirs;

	memcpy(copy, f->bytes, f->len);
	ours = cbpf_run(prog, copy, f->len, f->len);
	/* The same layout: lib/cbpf asserts it for the kernel's struct, libpcap's is that. */
	theirs =
		bpf_filter((const struct bpf_insn *)(const void *)out->insns, copy, f->len, f->len);
	free(copy);
	if (ours != theirs || (ours != (want ? 65535 : 0) && !gencase_excused(c, f))) {
		print_case(c, f, out->text);
		fail_msg("wanted %d, the interpreter says %u, libpcap %u", want, ours, theirs);
	}
}

/* A pattern and its frames; how many match. */
static unsigned int
check_pattern(size_t type)
{
	unsigned int hits = 0;
	struct gencase c;
	struct gencase_frame f;
	struct cbpf_prog *prog = NULL;
	struct gen_out out = {0};
	struct diag diag = {0};

	gencase_random(&rng, type, &c);
	assert_int_equal(gen_run(c.type, &c.opts, c.argc, c.argv, &out, &diag), 0);
	assert_int_equal(cbpf_prog_new(out.insns, out.n, &prog, &diag), 0);
	/* Long ones are of one make; assembling each would take most of the time. */
	if (out.n < 500 || rng_below(&rng, 16) == 0)
		check_text(&out);
	for (int i = 0; i < FRAMES; i++) {
		bool want;

		gencase_frame(&rng, &c, &f);
		want = gencase_wants(&c, &f);
		check_frame(&c, &out, prog, &f, want);
		hits += want;
	}
	cbpf_prog_free(prog);
	gen_out_fini(&out);
	return hits;
}

static void
test_all(void **state)
{
	const unsigned int patterns = getenv("SLUICE_LONG") != NULL ? 20000 : QUICK(2000);

	(void)state;
	for (size_t t = 0; gencase_name(t) != NULL; t++) {
		const unsigned int frames = patterns * FRAMES;
		unsigned int hits = 0;

		for (unsigned int i = 0; i < patterns; i++)
			hits += check_pattern(t);
		print_message("%-14s %u patterns, %u frames, %u match\n", gencase_name(t), patterns,
			frames, hits);
		assert_in_range(hits, frames / 8, frames - frames / 8);
	}
}

/* A frame that libpcap's optimised program takes and should not: that is excused, no other is. */
static void
test_excused(void **state)
{
	struct gencase c = {.type = "tcpdump",
		.opts = {.family = 4},
		.seed = 0xfb5ed29661029f83, /* of this expression */
		.argc = 1,
		.argv = {"((less 70) or (ip)) and ((ip proto 17) and (greater 117))"}};
	struct gencase_frame f = {.bytes = {0x45, [3] = 88, [9] = 17}, .len = 88};
	struct cbpf_prog *prog = NULL;
	struct gen_out out = {0};
	struct diag diag = {0};

	(void)state;
	while (strcmp(gencase_name(c.index), c.type) != 0)
		c.index++;
	assert_int_equal(gen_run(c.type, &c.opts, c.argc, c.argv, &out, &diag), 0);
	assert_int_equal(cbpf_prog_new(out.insns, out.n, &prog, &diag), 0);
	assert_false(gencase_wants(&c, &f));
	check_frame(&c, &out, prog, &f, false);
	f.bytes[9] = 6; /* TCP */
	assert_false(gencase_wants(&c, &f));
	assert_false(gencase_excused(&c, &f));
	cbpf_prog_free(prog);
	gen_out_fini(&out);
}

/* No generator is forgotten. */
static void
test_complete(void **state)
{
	(void)state;
	for (size_t i = 0; gen_name(i) != NULL; i++) {
		bool found = false;

		for (size_t t = 0; gencase_name(t) != NULL; t++)
			found |= strcmp(gencase_name(t), gen_name(i)) == 0;
		if (!found)
			fail_msg("%s has no cases", gen_name(i));
	}
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_excused),
		cmocka_unit_test(test_complete),
	};

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("SLUICE_SEED=%llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests_name("gen-cases", tests, NULL, NULL);
}
