// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lengths: a program is as long as bpftools' or shorter, and fits into xt_bpf
 * where that is possible. The counts are those of cloudflare/bpftools (its last
 * commit, bpf_asm; for p0f tcpdump 4.99.3 on what it writes). There -n and -o
 * make no difference. bpftools' p0f tests less than p0f does (no SYN, no flags,
 * one MTU); signatures for which that makes it shorter are not listed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/shrink.h"
#include "gen/gen.h"

/* clang-format off */
static const struct {
	const char *words;
	size_t theirs4, theirs6; /* instructions; 0: not asked */
} rows[] = {
	{"dns *.www.example.uk", 18, 16},
	{"dns -i *.www.example.uk", 22, 20},
	{"dns *.example.uk", 16, 14},
	{"dns -i *.example.uk", 19, 17},
	{"dns *.example.com", 18, 16},
	{"dns -i *.example.com", 21, 19},
	{"dns www.example.com", 16, 14},
	{"dns -i www.example.com", 20, 18},
	{"dns example.com", 14, 12},
	{"dns -i example.com", 17, 15},
	{"dns *.*.example.com", 22, 20},
	{"dns -i *.*.example.com", 25, 23},
	{"dns *{4-255}.example.com", 19, 17},
	{"dns -i *{4-255}.example.com", 22, 20},
	{"dns *{8-8}.example.com", 19, 17},
	{"dns -i *{8-8}.example.com", 22, 20},
	{"dns *{0-7}.a.com", 17, 15},
	{"dns -i *{0-7}.a.com", 19, 17},
	{"dns *{1-63}.example.net", 20, 18},
	{"dns -i *{1-63}.example.net", 23, 21},
	{"dns exam?le.com", 15, 13},
	{"dns -i exam?le.com", 17, 15},
	{"dns ???.example.org", 17, 15},
	{"dns -i ???.example.org", 20, 18},
	{"dns example.**", 10, 8},
	{"dns -i example.**", 12, 10},
	{"dns example**", 11, 9},
	{"dns -i example**", 12, 10},
	{"dns www.**", 8, 6},
	{"dns -i www.**", 9, 7},
	{"dns x*.example.com", 14, 12},
	{"dns -i x*.example.com", 18, 16},
	{"dns *.**", 10, 8},
	{"dns -i *.**", 10, 8},
	{"dns %2a.example.com", 16, 14},
	{"dns -i %2a.example.com", 20, 18},
	{"dns a.b.c.d.e.f.g", 16, 14},
	{"dns -i a.b.c.d.e.f.g", 20, 18},
	{"dns xn--80ak6aa92e.com", 16, 14},
	{"dns -i xn--80ak6aa92e.com", 21, 19},
	{"dns *.*.*.*.example.co.uk", 32, 30},
	{"dns -i *.*.*.*.example.co.uk", 36, 34},
	{"dns aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com", 46, 44},
	{"dns -i aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com", 65, 63},
	{"dns *", 12, 10},
	{"dns -i *", 12, 10},
	{"dns a.*.b.*.c", 28, 26},
	{"dns -i a.*.b.*.c", 31, 29},
	{"dns *.a.*{2-9}.uk", 23, 21},
	{"dns -i *.a.*{2-9}.uk", 25, 23},
	{"dns .example.com.", 14, 12},
	{"dns -i .example.com.", 17, 15},
	{"dns ns1.example.net", 16, 14},
	{"dns -i ns1.example.net", 20, 18},
	{"dns example.com example.net example.org", 35, 33},
	{"dns -i example.com example.net example.org", 44, 42},
	{"dns *.www.example.uk *.example.uk", 31, 29},
	{"dns -i *.www.example.uk *.example.uk", 38, 36},
	{"dns www.example.com *.example.com **", 36, 34},
	{"dns -i www.example.com *.example.com **", 43, 41},
	{"dns a.uk b.uk c.uk d.uk", 29, 27},
	{"dns -i a.uk b.uk c.uk d.uk", 37, 35},
	{"dns *.a0.example.com *.a1.example.com *.a2.example.com *.a3.example.com *.a4.example.com *.a5.example.com", 89, 87},
	{"dns -i *.a0.example.com *.a1.example.com *.a2.example.com *.a3.example.com *.a4.example.com *.a5.example.com", 113, 111},
	{"dns example.com *.www.fint.me", 29, 27},
	{"dns -i example.com *.www.fint.me", 35, 33},
	{"dns *.example.com example.** a.b", 31, 29},
	{"dns -i *.example.com example.** a.b", 37, 35},
	{"dns h0.example.com h1.example.com h2.example.com h3.example.com h4.example.com h5.example.com h6.example.com h7.example.com h8.example.com h9.example.com h10.example.com h11.example.com", 129, 127},
	{"dns -i h0.example.com h1.example.com h2.example.com h3.example.com h4.example.com h5.example.com h6.example.com h7.example.com h8.example.com h9.example.com h10.example.com h11.example.com", 177, 175},
	{"dns -i co.long-label-here", 21, 19},
	{"dns -i com a.*.www.co.co www.*{3-9}.**", 49, 47},
	{"dns a d?d.co.*.a.* co.example.*{3-9}", 59, 57},
	{"dns www.d?d www.*{3-9}.ns1 *.d?d.a.uk.long-label-here.**", 52, 50},
	{"dns uk.com.xyz.a.0 www.d?d", 24, 22},
	{"dns -i xyz.d?d.www.www.**", 18, 16},
	{"dns uk.co", 12, 10},
	{"dns d?d.0.q*.com.com", 17, 15},
	{"dns www.q*.www.xyz.** * long-label-here.q*.uk.xyz.ns1.**", 43, 41},
	{"dns -i uk", 9, 7},
	{"dns *.a.0.xyz", 16, 14},
	{"dns q*.uk.www.example.** *{3-9}.xyz.example.q*.**", 35, 33},
	{"dns -i com.long-label-here.co.a", 27, 25},
	{"dns long-label-here.a", 18, 16},
	{"dns xyz.xyz co.*{3-9} d?d.com.example.ns1.q*", 45, 43},
	{"dns -i co.co.co.www.** *.a.www.a.** www.com", 41, 39},
	{"dns *{3-9}.www *.www.q*.a.d?d.** long-label-here.xyz", 46, 44},
	{"dns -i www.** uk.uk.xyz.www", 26, 24},
	{"dns uk.q*.ns1", 14, 12},
	{"dns com.example.ns1.*{3-9}.*", 29, 27},
	{"dns *{3-9}.com.example", 20, 18},
	{"dns 0.*{3-9}.com.long-label-here.a q*.co *{3-9}.uk", 50, 48},
	{"dns uk.xyz.a", 12, 10},
	{"dns www.a.www", 14, 12},
	{"dns uk.d?d", 11, 9},
	{"dns q*", 8, 6},
	{"dns -i example.co.0.long-label-here", 30, 28},
	{"dns co.ns1.www.ns1 example.*", 30, 28},
	{"dns -i d?d.q*.** example.*{3-9}.*{3-9}", 41, 39},
	{"dns -i ns1.example.co.q*.a", 23, 21},
	{"dns -i *{3-9}.a.0", 17, 15},
	{"dns *.ns1 long-label-here.d?d.q*.*{3-9}.**", 41, 39},
	{"dns *{3-9}.example 0.example.d?d.* example.uk", 47, 45},
	{"dns *{3-9}.*{3-9}.uk.0.0", 22, 20},
	{"dns a.xyz", 12, 10},
	{"dns *{3-9}.*.0.www.** d?d.*{3-9}.d?d uk.*{3-9}.*{3-9}.**", 61, 59},
	{"dns xyz.*{3-9}.a.q*.uk", 23, 21},
	{"dns com.www.long-label-here.a.** a", 27, 25},
	{"dns -i example.xyz.example.**", 21, 19},
	{"dns -i uk.example.long-label-here.q*", 32, 30},
	{"dns -i co.com.co.a.com ns1", 28, 26},
	{"dns -i uk.ns1.*.co d?d.xyz.*{3-9}.www.www www", 58, 56},
	{"dns 0.example.q*.**", 14, 12},
	{"dns example.*{3-9}.*{3-9}.d?d.**", 28, 26},
	{"dns *.0.ns1", 16, 14},
	{"dns -i *.long-label-here.www", 27, 25},
	{"dns xyz", 10, 8},
	{"dns co.xyz.d?d.example.*", 28, 26},
	{"dns *.example.a", 18, 16},
	{"dns xyz.uk com.0.* *", 34, 32},
	{"dns *{3-9}.uk www.long-label-here.q*.long-label-here.** *{3-9}.q*.co.*{3-9}", 62, 60},
	{"dns a.q*.ns1", 12, 10},
	{"dns -i q*", 9, 7},
	{"dns example.*.www.long-label-here.**", 27, 25},
	{"dns -i a.ns1.xyz.*.uk", 25, 23},
	{"dns xyz *{3-9}.com.a", 25, 23},
	{"dns com.example", 14, 12},
	{"dns xyz.*{3-9}.long-label-here.a", 29, 27},
	{"dns -i xyz", 11, 9},
	{"dns co xyz.long-label-here.a *{3-9}.q*.0.example.long-label-here.**", 49, 47},
	{"suffix 5a", 7, 7},
	{"suffix 5a5a", 7, 7},
	{"suffix 5a5a5a", 9, 9},
	{"suffix 5a5a5a5a", 7, 7},
	{"suffix 5a5a5a5a5a", 9, 9},
	{"suffix 5a5a5a5a5a5a", 9, 9},
	{"suffix 5a5a5a5a5a5a5a", 11, 11},
	{"suffix 5a5a5a5a5a5a5a5a", 9, 9},
	{"suffix 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", 15, 15},
	{"suffix 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", 13, 13},
	{"suffix 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", 21, 21},
	{"suffix 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", 23, 23},
	{"suffix 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", 37, 37},
	{"dns_validate", 20, 18},
	{"dns_validate --strict", 20, 18},
	{"p0f 4:128:0:*:8192,0:mss,nop,nop,sok:df,id+:0", 46, 0},
	{"p0f 4:128:0:*:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0", 52, 0},
	{"p0f 4:128:0:*:8192,2:mss,nop,ws,sok,ts:df,id+:0", 50, 0},
	{"p0f 4:64:0:*:65535,1:mss,nop,ws,nop,nop,ts,sok,eol+1:df,id+:0", 58, 0},
	{"p0f 4:64:0:*:65535,6:mss,nop,ws,sok,ts:df,id+:0", 50, 0},
	{"p0f 4:64:0:*:16384,0:mss:df,id+:0", 40, 0},
	{"p0f 4:64:0:*:32850,1:nop,ws,nop,nop,ts,nop,nop,sok,mss:df,id+:0", 58, 0},
	{"p0f 4:64:0:*:1024,0:::0", 37, 0},
	{"p0f 4:64:0:*:%8192,0:mss,nop,ws:df,id+:+", 45, 0},
	{"p0f 4:255:0:*:4128,0:mss::0", 39, 0},
	{"p0f 4:64:0:*:mss*20,10:mss,sok,ts,nop,ws:df,id+:0", 56, 0},
	{"p0f 4:64:0:*:mss*10,4:mss,sok,ts,nop,ws:df,id+:0", 56, 0},
	{"p0f 4:64:0:*:mss*44,1:mss,sok,ts,nop,ws:df,id+,ecn:0", 59, 0},
	{"p0f 4:64:0:*:*,*:mss,sok,ts,nop,ws:df,id+,ack+,uptr+,pushf+:*", 40, 0},
};

/* What must hold by number. */
static const struct {
	const char *words;
	size_t n;
} exact[] = {
	{"dns *.www.example.uk", 18},
	{"dns *.example.uk", 16},
	{"dns *.example.com", 18},
};

/* Too long as they are, and made to fit. */
static const char *const fits[] = {
	"dns *.a1.example.com *.a2.example.com *.a3.example.com *.a4.example.com *.a5.example.com "
		"*.a6.example.com *.a7.example.com *.a8.example.com *.a9.example.com",
	"dns -i www.example.com mail.example.com ns1.example.com ns2.example.com ns3.example.com "
		"*.example.net",
	"dns a.uk b.uk c.uk d.uk e.uk f.uk g.uk h.uk i.uk j.uk k.uk l.uk m.uk n.uk o.uk p.uk",
	"dns *.a0.b0.c0 *.a1.b1.c1 *.a2.b2.c2 *.a3.b3.c3 *.a4.b4.c4 *.a5.b5.c5 *.a6.b6.c6 *.a7.b7.c7",
	"dns -i aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.co.uk",
	"p0f *:64:0:*:mss*20,10:mss,sok,ts,nop,ws::0",
};
/* clang-format on */

/* Instructions of @words; as short as it gets when @shrinks. */
static size_t
length_of(const char *words, const struct gen_opts *opts, bool fit)
{
	struct gen_out out = {0};
	struct diag diag = {0};
	char **argv = NULL;
	int argc = gen_split(words, &argv, &diag);
	size_t n;

	assert_true(argc > 0);
	if (gen_run(argv[0], opts, argc - 1, (const char *const *)argv + 1, &out, &diag) < 0)
		fail_msg("%s: %s", words, diag.msg);
	if (fit)
		assert_int_equal(gen_fit(&out, CBPF_XT_MAX_INSNS), 0);
	n = out.n;
	gen_out_fini(&out);
	mem_free(argv);
	return n;
}

static void
compare(const char *words, const struct gen_opts *opts, size_t theirs)
{
	const size_t n = length_of(words, opts, false);

	if (n > theirs)
		fail_msg("%s (IPv%u, offset %u%s): %zu instructions, bpftools has %zu", words,
			opts->family, opts->l3_off, opts->negate ? ", negated" : "", n, theirs);
}

static void
test_bpftools(void **state)
{
	size_t shorter = 0;

	(void)state;
	for (size_t i = 0; i < DIM(rows); i++)
		for (unsigned int variant = 0; variant < 8; variant++) {
			const struct gen_opts opts = {.family = (variant & 1) ? 6 : 4,
				.negate = (variant & 2) != 0,
				.l3_off = (variant & 4) ? 14 : 0};
			const size_t theirs = (variant & 1) ? rows[i].theirs6 : rows[i].theirs4;

			/* p0f's came from libpcap, whose offset and negation are others. */
			if (theirs == 0 || (rows[i].theirs6 == 0 && variant > 1))
				continue;
			compare(rows[i].words, &opts, theirs);
			shorter += length_of(rows[i].words, &opts, true) < theirs;
		}
	printf("%zu rows, %zu variants shorter\n", DIM(rows), shorter);
}

static void
test_exact(void **state)
{
	const struct gen_opts opts = {.family = 4};

	(void)state;
	for (size_t i = 0; i < DIM(exact); i++)
		assert_int_equal(length_of(exact[i].words, &opts, false), exact[i].n);
}

static void
test_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIM(fits); i++)
		for (uint8_t family = 4; family <= 6; family += 2) {
			const struct gen_opts opts = {.family = family};
			const size_t before = length_of(fits[i], &opts, false);
			const size_t after = length_of(fits[i], &opts, true);

			if (after > CBPF_XT_MAX_INSNS)
				fail_msg("%s: %zu instructions", fits[i], after);
			printf("IPv%u %zu -> %zu: %.60s\n", family, before, after, fits[i]);
		}
}

/* The n-th allocation fails, for every n: the program stays one, as it was or shorter. */
static void
test_memory(void **state)
{
	const struct gen_opts opts = {.family = 4};
	char **argv = NULL;
	const int argc = gen_split(fits[0], &argv, NULL);
	int r = -1;

	(void)state;
	assert_true(argc > 0);
	for (long nth = 0; r < 0; nth++) {
		struct gen_out out = {0};
		struct diag diag = {0};

		assert_int_equal(gen_run(argv[0], &opts, argc - 1, (const char *const *)argv + 1,
					 &out, &diag),
			0);
		(void)mem_fault_set(nth);
		r = gen_xt(&out, &diag);
		(void)mem_fault_set(-1);
		assert_true(out.n > 0 && out.insns != NULL && out.text != NULL);
		assert_true(r == 0 || diag.msg[0] != '\0');
		gen_out_fini(&out);
		assert_in_range(nth, 0, 1000);
	}
	mem_free(argv);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bpftools),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("gen-lengths", tests, NULL, NULL);
}
