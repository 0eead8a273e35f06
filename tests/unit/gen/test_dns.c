// SPDX-License-Identifier: BSD-3-Clause
/*
 * DNS patterns against a matcher that was written from their description, on
 * names that hit or miss by little, run by our interpreter and by libpcap's.
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

static struct rng rng;

/* ---- the description, executed ---- */

static int
hex(char c)
{
	const char *digits = "0123456789abcdef";

	return (int)(strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) - digits);
}

/* Does the text @label, of @n bytes, begin the bytes at @q? -1 when @q is too short to say. */
static bool
ref_chars(const char *label, size_t n, bool icase, const uint8_t *q, size_t len, size_t *ret_used)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++, used++) {
		uint8_t c = (uint8_t)label[i];
		const bool any = c == '?';

		if (c == '%') {
			c = (uint8_t)(hex(label[i + 1]) * 16 + hex(label[i + 2]));
			i += 2;
		}
		if (used >= len)
			return false;
		if (any)
			continue;
		if (icase ? (q[used] | 0x20) != (c | 0x20) : q[used] != c)
			return false;
	}
	*ret_used = used;
	return true;
}

/*
 * The end of a name is no label. One star alone may take it for one, as in
 * bpftools; no query has a name that goes on behind its end.
 */
static bool ref_stops;

static bool
stops(const char *s, bool is_last)
{
	int n = 0;

	for (const char *c = s; *c != '\0'; c++)
		n += (c == s || c[-1] == '.') && *c == '*' &&
			(c[1] == '\0' || c[1] == '.' || c[1] == '{');
	return n > 1 && !is_last;
}

static bool
ref_labels(const char *s, bool icase, const uint8_t *q, size_t len)
{
	const char *dot;
	size_t n, used;

	if (s[0] == '\0')
		return len >= 1 && q[0] == 0; /* the root */
	if (strcmp(s, "**") == 0)
		return true;
	dot = strchr(s, '.');
	n = dot != NULL ? (size_t)(dot - s) : strlen(s);

	if (s[0] == '*' && (n == 1 || s[1] == '{')) {
		int min = 0, max = 255;

		if (n > 1)
			(void)sscanf(s, "*{%d-%d}", &min, &max);
		if (len < 1 || q[0] < min || q[0] > max || (ref_stops && q[0] == 0))
			return false;
		used = MIN(len, q[0] + 1u);
		return ref_labels(dot != NULL ? dot + 1 : "", icase, q + used, len - used);
	}
	if (dot == NULL && n >= 2 && strcmp(s + n - 2, "**") == 0)
		return len >= 1 && ref_chars(s, n - 2, icase, q + 1, len - 1, &used);
	if (len < 1 || !ref_chars(s, n, icase, q + 1, len - 1, &used) || q[0] != used)
		return false;
	return ref_labels(dot != NULL ? dot + 1 : "", icase, q + 1 + used, len - 1 - used);
}

/* @q: @len bytes from where the first question's name starts. */
static bool
ref_match(const char *pattern, bool icase, const uint8_t *q, size_t len)
{
	char s[1024];
	size_t n;

	while (*pattern == '.')
		pattern++;
	(void)snprintf(s, sizeof(s), "%s", pattern);
	n = strlen(s);
	if (strcmp(s, "**") == 0)
		return len >= 1;
	while (n > 0 && s[n - 1] == '.')
		s[--n] = '\0';

	if (strncmp(s, "**", 2) == 0 && (s[2] == '.' || s[2] == '\0')) {
		const char *rest = s[2] == '.' ? s + 3 : "";

		for (size_t at = 0; at < len && q[at] >= 1 && q[at] <= 63;) {
			at += q[at] + 1u;
			if (at <= len ? ref_labels(rest, icase, q + at, len - at)
				      : strcmp(rest, "**") == 0)
				return true;
		}
		return false;
	}
	return ref_labels(s, icase, q, len);
}

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
			size_t len, q;

			assert_true(build(&opts, false, &cases[i].pattern, 1, &b));
			q = len = put_headers(pkt, &opts, 5);
			len += put_name(pkt + len, cases[i].name);
			memcpy(pkt + len, "\0\1\0\1", 4);
			len += 4;
			if ((run(&b, pkt, len) != 0) != cases[i].want)
				fail_msg("%s on %s:\n%s", cases[i].pattern, cases[i].name,
					b.out.text);
			/* The table also judges the reference. */
			assert_int_equal(ref_match(cases[i].pattern, false, pkt + q, len - q),
				cases[i].want);
			built_fini(&b);
		}
}

static const char *const plain_labels[] = {"a", "ab", "www", "example", "Exa-m_p1e", "x*", "uk",
	"com", "a?c", "??", "%2a", "%00%ff", "%2e", "abcdefghijklmnop", "*x", "z?"};
static const char *const stars[] = {"*", "*", "*{2-4}", "*{1-63}", "*{3-3}", "*{0-9}"};

static void
random_pattern(char *s)
{
	uint32_t n = rng_below(&rng, 5);

	*s = '\0';
	if (rng_below(&rng, 6) == 0)
		strcat(s, "**.");
	for (uint32_t i = 0; i < n; i++) {
		strcat(s,
			rng_below(&rng, 4) == 0 ? stars[rng_below(&rng, DIM(stars))]
						: plain_labels[rng_below(&rng, DIM(plain_labels))]);
		strcat(s, i + 1 < n || rng_below(&rng, 3) == 0 ? "." : "");
	}
	if (n == 0 && s[0] != '\0')
		strcat(s, "uk");
	n = (uint32_t)strlen(s);
	if (rng_below(&rng, 5) == 0 && (n == 0 || s[n - 1] == '.'))
		strcat(s, "**");
	else if (rng_below(&rng, 8) == 0 && n > 0 && s[n - 1] >= 'a' && s[n - 1] <= 'z')
		strcat(s, "**");
}

/* A name that @pattern should match: wildcards filled in. Returns its length. */
static size_t
satisfy(const char *pattern, uint8_t *q)
{
	size_t len = 0;

	while (*pattern == '.')
		pattern++;
	while (*pattern != '\0') {
		const char *dot = strchr(pattern, '.');
		size_t n = dot != NULL ? (size_t)(dot - pattern) : strlen(pattern), start = len++;
		uint32_t k = 1 + rng_below(&rng, 5);

		if (pattern[0] == '*' && (n == 1 || pattern[1] == '{' || pattern[1] == '*')) {
			int min = 1, max = 63;

			(void)sscanf(pattern, "*{%d-%d}", &min, &max);
			k = n > 2 ? (uint32_t)min + rng_below(&rng, (uint32_t)(max - min + 1)) : k;
			for (uint32_t i = 0; i < k; i++)
				q[len++] = (uint8_t)('a' + rng_below(&rng, 26));
		} else {
			for (size_t i = 0; i < n; i++) {
				if (pattern[i] == '%') {
					q[len++] = (uint8_t)(hex(pattern[i + 1]) * 16 +
						hex(pattern[i + 2]));
					i += 2;
				} else if (pattern[i] != '*' || i == 0 || i + 2 < n ||
					dot != NULL || n < 3) {
					q[len++] = (uint8_t)pattern[i];
				}
			}
		}
		q[start] = (uint8_t)(len - start - 1);
		pattern += dot != NULL ? n + 1 : n;
	}
	q[len++] = 0;
	return len;
}

/* Change the name in @q a little: a bit, a length, a case, a label more or less. */
static size_t
mutate(uint8_t *q, size_t len)
{
	const uint32_t at = rng_below(&rng, (uint32_t)len);

	switch (rng_below(&rng, 6)) {
	case 0: break;
	case 1: q[at] ^= (uint8_t)(1u << rng_below(&rng, 8)); break;
	case 2: q[at] ^= 0x20; break;
	case 3: q[at]++; break;
	case 4: /* a label before */
		memmove(q + 3, q, len);
		memcpy(q, "\2qq", 3);
		len += 3;
		break;
	case 5: /* without the first label */
		if (q[0] + 1u < len) {
			len -= q[0] + 1u;
			memmove(q, q + q[0] + 1, len);
		}
		break;
	}
	return len;
}

static void
random_patterns_match_as_described(void **state)
{
	const long rounds = getenv("SLUICE_LONG") != NULL ? 50000 : 4000;
	long pairs = 0, hits = 0, negated = 0, too_long = 0;

	(void)state;
	for (long round = 0; round < rounds; round++) {
		static const uint32_t offs[] = {0, 14, 18, 5};
		struct gen_opts opts = {
			.family = rng_below(&rng, 2) ? 4 : 6,
			.l3_off = offs[rng_below(&rng, DIM(offs))],
			.negate = rng_below(&rng, 4) == 0,
		};
		const bool icase = rng_below(&rng, 2);
		const int n = rng_below(&rng, 2) ? 1 : 1 + (int)rng_below(&rng, 4);
		char text[4][256];
		const char *patterns[4];
		struct built b;
		struct cbpf_insn *back = NULL;
		struct diag diag = {0};
		size_t n_back = 0;

		for (int i = 0; i < n; i++) {
			random_pattern(text[i]);
			patterns[i] = text[i];
		}
		if (!build(&opts, icase, patterns, n, &b)) {
			too_long++;
			continue;
		}
		if (cbpf_asm(b.out.text, &back, &n_back, &diag) != 0)
			fail_msg("line %u: %s\n%s", diag.line, diag.msg, b.out.text);
		assert_int_equal(n_back, b.out.n);
		assert_memory_equal(back, b.out.insns, n_back * sizeof(*back));
		mem_free(back);

		for (int frame = 0; frame < 20; frame++) {
			uint8_t pkt[4096];
			const size_t q = put_headers(pkt, &opts, 5 + rng_below(&rng, 11));
			size_t len = q + satisfy(patterns[rng_below(&rng, (uint32_t)n)], pkt + q);
			bool want = false, valid;

			len = q + mutate(pkt + q, len - q);
			if (rng_below(&rng, 3) == 0)
				len = q + mutate(pkt + q, len - q);
			if (len - q > 255)
				continue;
			memcpy(pkt + len, "\0\1\0\1", 4);
			len += 4;
			/*
			 * A load outside the packet gives 0, whatever stands under the
			 * negation or in the next pattern: there is room for it, or
			 * one pattern without negation and any length.
			 */
			valid = n == 1 && !opts.negate;
			if (valid && rng_below(&rng, 2)) {
				len = q + rng_below(&rng, (uint32_t)(len - q + 1));
			} else if (!valid) {
				memset(pkt + len, 0, 2000);
				len += 2000;
			}
			for (int i = 0; i < n; i++) {
				ref_stops = stops(patterns[i], i + 1 == n);
				want |= ref_match(patterns[i], icase, pkt + q, len - q);
			}
			pairs++;
			hits += want;
			negated += opts.negate;
			if ((run(&b, pkt, len) == 65535) != (want != opts.negate))
				fail_msg("round %ld frame %d: '%s'%s wants %d\n%s", round, frame,
					patterns[0], icase ? " -i" : "", want, b.out.text);
		}
		built_fini(&b);
	}
	ref_stops = false;
	print_message("%ld pairs, %ld match, %ld negated\n", pairs, hits, negated);
	assert_true(too_long < rounds / 10);
	assert_true(hits > pairs / 5 && hits < pairs * 4 / 5);
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
	const char *patterns[] = {pattern, "uk"};
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
	struct gen_opts opts = {.family = 4}, bad = {.family = 5};
	struct gen_out out = {0};
	struct diag diag = {0};

	(void)state;
	assert_int_equal(gen_run("dns", &opts, 0, none, &out, &diag), -EINVAL);
	assert_int_equal(gen_run("dns", &opts, 1, none, &out, &diag), -EINVAL);
	assert_int_equal(gen_run("dns", &opts, 2, option, &out, &diag), -EINVAL);
	assert_non_null(strstr(diag.msg, "--ignorcase"));
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
		cmocka_unit_test(random_patterns_match_as_described),
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
