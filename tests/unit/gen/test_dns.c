// SPDX-License-Identifier: BSD-3-Clause
/*
 * DNS patterns: what each form means, by examples, and what is refused; run by our
 * interpreter and by libpcap's. test_cases.c has random patterns.
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
#include <errno.h>
#include <pcap/pcap.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "gen/gen.h"
#include "gencase.h"

static struct rng rng;

/* ---- programs and packets ---- */

struct built {
	struct gen_out out;
	struct cbpf_prog *prog;
};

/* False when the program would be too long, as it may with "**." and much behind it. */
static bool
build(const struct gen_opts *opts, bool icase, const char *const *patterns, int n, struct built *b)
{
	const char *argv[20] = {"-i"};
	const char **words = icase ? argv : argv + 1;
	struct diag diag = {0};
	int r;

	argv[1] = "--";
	for (int i = 0; i < n; i++)
		argv[2 + i] = patterns[i];
	*b = (struct built){0};
	r = gen_run("dns", opts, n + 1 + icase, words, &b->out, &diag);
	if (r == -E2BIG)
		return false;
	if (r != 0)
		fail_msg("%s: %s", patterns[0], diag.msg);
	r = cbpf_prog_new(b->out.insns, b->out.n, &b->prog, &diag);
	if (r != 0)
		fail_msg("%s: insn %u: %s", patterns[0], diag.line, diag.msg);
	return true;
}

static void
built_fini(struct built *b)
{
	cbpf_prog_free(b->prog);
	gen_out_fini(&b->out);
}

/* Run @b with both engines on a packet in memory that ends with it. */
static uint32_t
run(const struct built *b, const uint8_t *pkt, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	uint32_t ours, theirs;

	memcpy(copy, pkt, len);
	ours = cbpf_run(b->prog, copy, (uint32_t)len, (uint32_t)len);
	/* Same layout; lib/cbpf asserts it for the kernel's struct, libpcap's is that. */
	theirs = bpf_filter(
		(const struct bpf_insn *)(const void *)b->out.insns, copy, (u_int)len, (u_int)len);
	free(copy);
	assert_int_equal(ours, theirs);
	return ours;
}

/* Headers before the name: @off bytes, IP with @ihl words for IPv4, UDP, DNS. Returns their length. */
static size_t
put_headers(uint8_t *pkt, const struct gen_opts *opts, uint32_t ihl)
{
	const size_t ip = opts->family == 4 ? 4 * ihl : 40;

	for (size_t i = 0; i < opts->l3_off + ip + 20; i++)
		pkt[i] = (uint8_t)rng_next(&rng);
	pkt[opts->l3_off] = opts->family == 4 ? (uint8_t)(0x40 | ihl) : 0x60;
	return opts->l3_off + ip + 20;
}

/* Dotted text without wildcards to the form in a message. Returns its length. */
static size_t
put_name(uint8_t *q, const char *name)
{
	size_t len = 0;

	while (*name != '\0') {
		const char *dot = strchr(name, '.');
		size_t n = dot != NULL ? (size_t)(dot - name) : strlen(name);

		q[len++] = (uint8_t)n;
		memcpy(q + len, name, n);
		len += n;
		name += dot != NULL ? n + 1 : n;
	}
	q[len++] = 0;
	return len;
}

/* ---- tests ---- */

static void
programs_have_bpftools_length(void **state)
{
	static const struct {
		const char *words[5];
		int argc;
		uint8_t family;
		size_t want;
	} cases[] = {
		{{"*.www.example.uk"}, 1, 4, 18},
		{{"*.example.uk"}, 1, 4, 16},
		{{"*.example.com"}, 1, 4, 18},
		{{"--", "*.www.example.uk"}, 2, 4, 18},
		{{"*.www.example.uk"}, 1, 6, 16},
		{{"-i", "*.www.example.uk"}, 2, 4, 22},
		{{"*.www.example.uk", "--ignorecase"}, 2, 4, 22},
		{{"example.uk", "example.com"}, 2, 4, 23},
		{{"example.**"}, 1, 4, 10},
		{{"*{4-20}.example.uk"}, 1, 4, 18},
		{{"*{0-255}.example.uk"}, 1, 4, 16},
		{{"*{7-7}.example.uk"}, 1, 4, 17},
		{{"www.*.uk"}, 1, 4, 17},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		struct gen_opts opts = {.family = cases[i].family};
		struct gen_out out = {0};

		assert_int_equal(
			gen_run("dns", &opts, cases[i].argc, cases[i].words, &out, NULL), 0);
		if (out.n != cases[i].want)
			fail_msg("%s: %zu instructions, not %zu\n%s",
				cases[i].words[cases[i].argc - 1], out.n, cases[i].want, out.text);
		assert_int_equal(out.scope.proto, 17);
		assert_int_equal(out.scope.dport, 53);
		assert_int_equal(out.scope.sport, 0);
		assert_true(out.scope.no_later_fragments);
		gen_out_fini(&out);
	}
}

static void
the_walk_throughs_program(void **state)
{
	static const char *const words[] = {"*.www.example.uk"};
	struct gen_opts opts = {.family = 4};
	struct sbuf xt = SBUF_INIT;
	struct gen_out out = {0};

	(void)state;
	assert_int_equal(gen_run("dns", &opts, 1, words, &out, NULL), 0);
	cbpf_write_xt(out.insns, out.n, &xt);
	assert_string_equal(sbuf_str(&xt),
		"18,177 0 0 0,0 0 0 20,12 0 0 0,7 0 0 0,80 0 0 0,12 0 0 0,4 0 0 1,7 0 0 0,"
		"64 0 0 0,21 0 7 58161015,64 0 0 4,21 0 5 124090465,64 0 0 8,21 0 3 1836084325,"
		"64 0 0 12,21 0 1 41249536,6 0 0 65535,6 0 0 0\n");
	sbuf_fini(&xt);
	gen_out_fini(&out);
}

/* What the matcher that judges random patterns says. */
static bool
reference(const struct gen_opts *opts, const char *pattern, const uint8_t *pkt, size_t len)
{
	struct gencase c = {.type = "dns", .opts = *opts, .argc = 2, .argv = {"--", pattern}};
	struct gencase_frame f = {.len = (uint32_t)len};

	while (strcmp(gencase_name(c.index), c.type) != 0)
		c.index++;
	memcpy(f.bytes, pkt, len);
	return gencase_wants(&c, &f);
}

static void
patterns_mean_what_they_say(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} cases[] = {
		{"example.com", "example.com", true},
		{".example.com.", "example.com", true},
		{"example.com", "www.example.com", false},
		{"example.com", "example.co", false},
		{"*.www.fint.me", "blah.www.fint.me", true},
		{"*.www.fint.me", "www.fint.me", false},
		{"*.www.fint.me", "blah.blah.www.fint.me", false},
		{"fin?.me", "finX.me", true},
		{"fin?.me", "fin.me", false},
		{"fin?.me", "finXX.me", false},
		{"x*.me", "x*.me", true},
		{"x*.me", "xy.me", false},
		{"*x.me", "yx.me", false},
		{"a.*.me", "a.b.me", true},
		{"%2a.me", "*.me", true},
		{"%2a.me", "x.me", false},
		{"%3f.me", "?.me", true},
		{"%3f.me", "x.me", false},
		{"example.**", "example.co.uk", true},
		{"example.**", "example", true},
		{"example.**", "examples.com", false},
		{"example**", "examples.com", true},
		{"example**", "myexample.com", false},
		{"a.exa**", "a.example.com", true},
		{"*{4-255}.a", "abc.a", false},
		{"*{4-255}.a", "abcd.a", true},
		{"*{2-3}.a", "abcd.a", false},
		{"**.example.com", "example.com", false},
		{"**.example.com", "a.example.com", true},
		{"**.example.com", "a.b.c.d.e.f.g.h.example.com", true},
		{"**.example.com", "a.xexample.com", false},
		{"**.example.com", "a.example.com.org", false},
		{"**.*.com", "a.com", false},
		{"**.*.com", "a.b.com", true},
		{"**", "anything.at.all", true},
		{"**.", "com", true},
		{"**.", "", false},
		{".", "", true},
		{".", "com", false},
		{"EXAMPLE.com", "example.com", false},
	};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++)
		for (int fam = 4; fam <= 6; fam += 2) {
			struct gen_opts opts = {.family = (uint8_t)fam};
			uint8_t pkt[1024] = {0};
			struct built b;
			size_t len;

			assert_true(build(&opts, false, &cases[i].pattern, 1, &b));
			len = put_headers(pkt, &opts, 5);
			len += put_name(pkt + len, cases[i].name);
			memcpy(pkt + len, "\0\1\0\1", 4);
			len += 4;
			if ((run(&b, pkt, len) != 0) != cases[i].want)
				fail_msg("%s on %s:\n%s", cases[i].pattern, cases[i].name,
					b.out.text);
			/* The table also judges the reference. */
			assert_int_equal(
				reference(&opts, cases[i].pattern, pkt, len), cases[i].want);
			built_fini(&b);
		}
}

/* Several names in one program, each query well formed and no byte longer than it must be. */
static void
no_pattern_hides_the_next(void **state)
{
	static const char *const names[] = {"", "a", "b.c", "a.b.c.d", "example.com"};
	static const uint16_t qtypes[] = {1, 28, 255, 257, 65535};
	static const char *const first[] = {"*.*.example.com", "*.*.*.*.*.*.*.*.example.com",
		"**.*.*.example.com", "a.*.*.*", "*.example.com", "**.example.com"};
	struct gen_opts opts = {.family = 4};

	(void)state;
	for (size_t i = 0; i < DIM(first); i++)
		for (size_t j = 0; j < DIM(names); j++)
			for (size_t k = 0; k < DIM(qtypes); k++) {
				const char *patterns[] = {first[i], names[j]};
				uint8_t pkt[512];
				struct built b;
				size_t len;

				assert_true(build(&opts, false, patterns, 2, &b));
				len = put_headers(pkt, &opts, 5);
				len += put_name(pkt + len, names[j]);
				store_be16(pkt + len, qtypes[k]);
				store_be16(pkt + len + 2, 1);
				assert_int_equal(run(&b, pkt, len + 4), 65535);
				built_fini(&b);
			}
}

/* A pattern so long that a branch cannot reach its end. */
static void
far_branches_arrive(void **state)
{
	struct gen_opts opts = {.family = 4};
	char pattern[512] = "";
	const char *patterns[] = {"uk", pattern}; /* the last is not made shorter */
	uint8_t pkt[1024];
	struct built b;
	size_t len, q;

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(pattern, i % 2 ? "*." : "?.");
	assert_true(build(&opts, true, patterns, 2, &b));
	assert_true(b.out.n > 300);
	for (int miss = 0; miss < 120; miss++) {
		q = len = put_headers(pkt, &opts, 5);
		for (int i = 0; i < 60; i++) {
			pkt[len++] = 1;
			pkt[len++] = 'a';
		}
		memset(pkt + len, 0, 5);
		len += 5;
		assert_int_equal(run(&b, pkt, len), 65535);
		pkt[q + (size_t)miss / 4 * 4] = 3; /* a length that must be 1 */
		assert_int_equal(run(&b, pkt, len), 0);
	}
	len = put_headers(pkt, &opts, 5);
	memcpy(pkt + len, "\2uk\0\0\1\0\1", 8);
	assert_int_equal(run(&b, pkt, len + 8), 65535);
	built_fini(&b);
}

static void
bad_patterns_are_refused_with_their_column(void **state)
{
	static const struct {
		const char *pattern;
		unsigned int col;
		const char *says;
	} cases[] = {
		{"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.uk", 64,
			"63 bytes"},
		{"a..b", 3, "empty"},
		{"a.%2.b", 3, "hexadecimal"},
		{"a.%", 3, "hexadecimal"},
		{"%zz", 1, "hexadecimal"},
		{"*{4-}.a", 5, "length"},
		{"*{-4}.a", 3, "length"},
		{"*{4}.a", 4, "'-'"},
		{"*{4-256}.a", 5, "255"},
		{"*{9-4}.a", 3, "smaller"},
		{"*{4-9.a", 6, "'}'"},
		{"*{4-9}x.a", 7, "ends"},
		{"a.**.b", 3, "first or last"},
		{"**.**.b", 4, "first or last"},
		{"a.***", 3, "*.**"},
		{"a b", 2, "blanks"},
		{"a\x01z", 2, "blanks"},
	};
	struct gen_opts opts = {.family = 4};
	char lengthy[600] = "";
	const char *words[2] = {lengthy, NULL};
	struct gen_out out = {0};
	struct diag diag = {0};

	(void)state;
	for (size_t i = 0; i < DIM(cases); i++) {
		diag = (struct diag){0};
		words[0] = cases[i].pattern;
		assert_int_equal(gen_run("dns", &opts, 1, words, &out, &diag), -EINVAL);
		if (diag.col != cases[i].col || strstr(diag.msg, cases[i].says) == NULL)
			fail_msg("'%s': column %u: %s", cases[i].pattern, diag.col, diag.msg);
	}
	/* 127 labels of one byte fill a name; the 128th does not fit. */
	for (int i = 0; i < 127; i++)
		strcat(lengthy, "a.");
	words[0] = lengthy;
	assert_int_equal(gen_run("dns", &opts, 1, words, &out, NULL), 0);
	gen_out_fini(&out);
	strcat(lengthy, "b");
	assert_int_equal(gen_run("dns", &opts, 1, words, &out, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "255"));
	for (int i = 0; i < 128; i++)
		memcpy(lengthy + 2 * i, "*.", 3);
	assert_int_equal(gen_run("dns", &opts, 1, words, &out, &diag), -EINVAL);
	memcpy(lengthy, "**.", 3);
	lengthy[2 * 127] = '\0';
	assert_int_equal(gen_run("dns", &opts, 1, words, &out, &diag), -EINVAL);
	memmove(lengthy + 3, lengthy + 4, 252);
	(void)gen_run("dns", &opts, 1, words, &out, &diag);
	gen_out_fini(&out);
}

static void
bad_arguments_are_refused(void **state)
{
	static const char *const none[] = {"--", NULL};
	static const char *const option[] = {"--ignorcase", "a", NULL};
	static const char *const name[] = {"a", NULL};
	static const struct {
		const char *list, *name;
		unsigned int col;
	} qtypes[] = {
		{"", "a", 1},
		{"A,", "a", 3},
		{"A,AAA", "a", 3},
		{"MX,65536", "a", 4},
		{"TYPE", "a", 1},
		{"TYPEx", "a", 1},
		{"A;B", "a", 1},
		{"A", "a.**", 4},
		{"1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "a", 65},
	};
	struct gen_opts opts = {.family = 4}, bad = {.family = 5};
	struct gen_out out = {0};
	struct diag diag = {0};

	(void)state;
	assert_int_equal(gen_run("dns", &opts, 0, none, &out, &diag), -EINVAL);
	assert_int_equal(gen_run("dns", &opts, 1, none, &out, &diag), -EINVAL);
	assert_int_equal(gen_run("dns", &opts, 2, option, &out, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "--ignorcase"));
	for (size_t i = 0; i < DIM(qtypes); i++) {
		const char *const words[] = {"--qtype", qtypes[i].list, qtypes[i].name};

		diag = (struct diag){0};
		assert_true(gen_run("dns", &opts, 3, words, &out, &diag) < 0);
		if (diag.col != qtypes[i].col || diag.msg[0] == '\0')
			fail_msg("--qtype %s: column %u: %s", qtypes[i].list, diag.col, diag.msg);
	}
	assert_int_equal(gen_run("dnss", &opts, 1, name, &out, &diag), -ENOENT);
	assert_non_null(strstr(diag.msg, "'dns'"));
	assert_int_equal(gen_run("dns", &bad, 1, name, &out, &diag), -EINVAL);
	for (size_t i = 0; gen_name(i) != NULL; i++) {
		const char *help = gen_help(i);

		assert_int_equal(help[strlen(help) - 1], '.');
		assert_ptr_equal(strstr(gen_usage(i), gen_name(i)), gen_usage(i));
	}
	assert_null(gen_help(99));
}

static void
every_allocation_may_fail(void **state)
{
	static const char *const words[] = {"-i", "*.www.example.uk", "**.example.com"};
	struct gen_opts opts = {.family = 4};
	struct gen_out out = {0};

	(void)state;
	for (long n = 0;; n++) {
		int r;

		mem_fault_set(n);
		r = gen_run("dns", &opts, 3, words, &out, NULL);
		if (mem_fault_set(-1) <= n) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(out.insns);
	}
	gen_out_fini(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_have_bpftools_length),
		cmocka_unit_test(the_walk_throughs_program),
		cmocka_unit_test(patterns_mean_what_they_say),
		cmocka_unit_test(no_pattern_hides_the_next),
		cmocka_unit_test(far_branches_arrive),
		cmocka_unit_test(bad_patterns_are_refused_with_their_column),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(every_allocation_may_fail),
	};
	const char *seed = getenv("SLUICE_SEED");

	rng.state = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	print_message("SLUICE_SEED=%llu\n", (unsigned long long)rng.state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
