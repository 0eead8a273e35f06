// SPDX-License-Identifier: BSD-3-Clause
/*
 * Strictness of the value parsers as one table: text, result or error. Around
 * it what must hold for any text: a failure writes nothing and says something,
 * and no valid text stays valid with garbage at its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

/* Each parser behind one signature; the result as one number. */
typedef int (*parse_fn)(const char *s, uint64_t *ret, struct diag *diag);

static int
do_u64(const char *s, uint64_t *ret, struct diag *diag)
{
	return parse_u64(s, 0, UINT64_MAX, ret, diag);
}

static int
do_10_20(const char *s, uint64_t *ret, struct diag *diag)
{
	uint32_t v = 1;
	int r = parse_u32(s, 10, 20, &v, diag);

	if (r == 0)
		*ret = v;
	else
		assert_int_equal(v, 1);
	return r;
}

static int
do_bool(const char *s, uint64_t *ret, struct diag *diag)
{
	bool v = false;
	int r = parse_bool(s, &v, diag);

	if (r == 0)
		*ret = v;
	return r;
}

static int
do_rate(const char *s, uint64_t *ret, struct diag *diag)
{
	struct parse_rate v = {UNTOUCHED, PARSE_PPS};
	int r = parse_rate(s, &v, diag);

	if (r == 0)
		*ret = v.per_s + (v.unit == PARSE_BPS);
	else
		assert_true(v.per_s == UNTOUCHED);
	return r;
}

static int
do_one_in(const char *s, uint64_t *ret, struct diag *diag)
{
	uint32_t v = 1;
	int r = parse_one_in(s, &v, diag);

	if (r == 0)
		*ret = v;
	else
		assert_int_equal(v, 1);
	return r;
}

static int
do_range(const char *s, uint64_t *ret, struct diag *diag)
{
	struct u16_range v = {1, 0};
	int r = parse_range(s, 5, 60000, &v, diag);

	if (r == 0)
		*ret = (uint64_t)v.lo * 100000 + v.hi;
	else
		assert_int_equal(v.lo, 1);
	return r;
}

/* clang-format off */
static const struct row {
	parse_fn fn;
	const char *text;
	int err;
	uint64_t want;
} rows[] = {
	{ do_u64, "0", 0, 0 },
	{ do_u64, "42", 0, 42 },
	{ do_u64, " \t42\t ", 0, 42 },
	{ do_u64, "007", 0, 7 },
	{ do_u64, "0x1F", 0, 31 },
	{ do_u64, "0Xff", 0, 255 },
	{ do_u64, "18446744073709551615", 0, UINT64_MAX },
	{ do_u64, "0xffffffffffffffff", 0, UINT64_MAX },
	{ do_u64, "18446744073709551616", -ERANGE, 0 },
	{ do_u64, "0x10000000000000000", -ERANGE, 0 },
	{ do_u64, "99999999999999999999999999999999999", -ERANGE, 0 },
	{ do_u64, "18446744073709551616x", -EINVAL, 0 },
	{ do_u64, "", -EINVAL, 0 },
	{ do_u64, " ", -EINVAL, 0 },
	{ do_u64, "-1", -EINVAL, 0 },
	{ do_u64, "+1", -EINVAL, 0 },
	{ do_u64, "1 2", -EINVAL, 0 },
	{ do_u64, "1,000", -EINVAL, 0 },
	{ do_u64, "1.5", -EINVAL, 0 },
	{ do_u64, "1e3", -EINVAL, 0 },
	{ do_u64, "0x", -EINVAL, 0 },
	{ do_u64, "0xg", -EINVAL, 0 },
	{ do_u64, "x1", -EINVAL, 0 },
	{ do_u64, "1\n", -EINVAL, 0 },
	{ do_u64, "\xd9\xa1", -EINVAL, 0 },
	{ do_10_20, "10", 0, 10 },
	{ do_10_20, "20", 0, 20 },
	{ do_10_20, "9", -ERANGE, 0 },
	{ do_10_20, "21", -ERANGE, 0 },
	{ do_10_20, "4294967306", -ERANGE, 0 },	/* 10 + 2^32 */
	{ do_bool, "yes", 0, 1 },
	{ do_bool, "no", 0, 0 },
	{ do_bool, "Yes", -EINVAL, 0 },
	{ do_bool, "true", -EINVAL, 0 },
	{ do_bool, "1", -EINVAL, 0 },
	{ do_bool, "", -EINVAL, 0 },
	{ parse_duration_ms, "30 s", 0, 30000 },
	{ parse_duration_ms, "30s", 0, 30000 },
	{ parse_duration_ms, " 250\tms ", 0, 250 },
	{ parse_duration_ms, "2 min", 0, 120000 },
	{ parse_duration_ms, "6 h", 0, 21600000 },
	{ parse_duration_ms, "1 d", 0, 86400000 },
	{ parse_duration_ms, "0 s", 0, 0 },
	{ parse_duration_ms, "213503982334 d", 0, UINT64_C(213503982334) * 86400000 },
	{ parse_duration_ms, "213503982335 d", -ERANGE, 0 },
	{ parse_duration_ms, "18446744073709551616 ms", -ERANGE, 0 },
	{ parse_duration_ms, "18446744073709551616 lightyears", -EINVAL, 0 },
	{ parse_duration_ms, "30", -EINVAL, 0 },
	{ parse_duration_ms, "30 S", -EINVAL, 0 },
	{ parse_duration_ms, "30 sec", -EINVAL, 0 },
	{ parse_duration_ms, "1 h 30 min", -EINVAL, 0 },
	{ parse_duration_ms, "-1 s", -EINVAL, 0 },
	{ parse_duration_ms, "s", -EINVAL, 0 },
	{ parse_duration_ms, "", -EINVAL, 0 },
	{ parse_bytes, "100 B", 0, 100 },
	{ parse_bytes, "10 KiB", 0, 10240 },
	{ parse_bytes, "64 MiB", 0, 67108864 },
	{ parse_bytes, "1GiB", 0, 1073741824 },
	{ parse_bytes, "17179869183 GiB", 0, UINT64_C(17179869183) << 30 },
	{ parse_bytes, "17179869184 GiB", -ERANGE, 0 },
	{ parse_bytes, "64 MB", -EINVAL, 0 },
	{ parse_bytes, "64", -EINVAL, 0 },
	{ parse_bytes, "64 mib", -EINVAL, 0 },
	{ do_rate, "500k pps", 0, 500000 },
	{ do_rate, "500 k pps", 0, 500000 },
	{ do_rate, "500kpps", 0, 500000 },
	{ do_rate, "1M pps", 0, 1000000 },
	{ do_rate, "2 Gbps", 0, UINT64_C(2000000001) },
	{ do_rate, "7 bps", 0, 8 },
	{ do_rate, "0 pps", 0, 0 },
	{ do_rate, "18446744073709551615 pps", 0, UINT64_MAX },
	{ do_rate, "18446744074G pps", -ERANGE, 0 },
	{ do_rate, "18446744073709551616 pps", -ERANGE, 0 },
	{ do_rate, "500k", -EINVAL, 0 },
	{ do_rate, "500", -EINVAL, 0 },
	{ do_rate, "500 K pps", -EINVAL, 0 },
	{ do_rate, "500 m pps", -EINVAL, 0 },
	{ do_rate, "500 kk pps", -EINVAL, 0 },
	{ do_rate, "500 pp", -EINVAL, 0 },
	{ do_rate, "500 pps pps", -EINVAL, 0 },
	{ do_rate, "500 packets a second", -EINVAL, 0 },
	{ do_rate, "pps", -EINVAL, 0 },
	{ do_one_in, "1/1000", 0, 1000 },
	{ do_one_in, " 1/1 ", 0, 1 },
	{ do_one_in, "1/2147483648", 0, UINT32_C(1) << 31 },
	{ do_one_in, "off", 0, 0 },
	{ do_one_in, " off ", 0, 0 },
	{ do_one_in, "0", 0, 0 },
	{ do_one_in, "1/0", -ERANGE, 0 },
	{ do_one_in, "1/2147483649", -ERANGE, 0 },
	{ do_one_in, "1/", -EINVAL, 0 },
	{ do_one_in, "1/ 5", -EINVAL, 0 },
	{ do_one_in, "2/5", -EINVAL, 0 },
	{ do_one_in, "1000", -EINVAL, 0 },
	{ do_one_in, "1/-5", -EINVAL, 0 },
	{ do_one_in, "offf", -EINVAL, 0 },
	{ do_one_in, "", -EINVAL, 0 },
	{ do_range, "53", 0, 5300053 },
	{ do_range, "5-60000", 0, 560000 },
	{ do_range, " 7 - 9 ", 0, 700009 },
	{ do_range, "9-9", 0, 900009 },
	{ do_range, "4", -ERANGE, 0 },
	{ do_range, "60001", -ERANGE, 0 },
	{ do_range, "5-60001", -ERANGE, 0 },
	{ do_range, "9-7", -ERANGE, 0 },
	{ do_range, "65589", -ERANGE, 0 },	/* 53 + 2^16 */
	{ do_range, "18446744073709551669", -ERANGE, 0 },	/* 53 + 2^64 */
	{ do_range, "7-18446744073709551669", -ERANGE, 0 },
	{ do_range, "18446744073709551669-x", -EINVAL, 0 },
	{ do_range, "7-", -EINVAL, 0 },
	{ do_range, "-7", -EINVAL, 0 },
	{ do_range, "7-9-11", -EINVAL, 0 },
	{ do_range, "7..9", -EINVAL, 0 },
	{ do_range, "7,9", -EINVAL, 0 },
	{ do_range, "http", -EINVAL, 0 },
	{ do_range, "", -EINVAL, 0 },
};
/* clang-format on */

static void
row_holds(void **state)
{
	const struct row *row = *state;
	struct diag d = {0};
	uint64_t v = UNTOUCHED;

	assert_int_equal(row->fn(row->text, &v, &d), row->err);
	if (row->err == 0) {
		assert_true(v == row->want);
		assert_string_equal(d.msg, "");
	} else {
		assert_true(v == UNTOUCHED);
		assert_int_equal(strncmp(d.msg, "expected ", 9), 0);
		assert_non_null(strstr(d.msg, "got '"));
		assert_int_equal(row->fn(row->text, &v, NULL), row->err);
	}
}

static void
garbage_behind_a_value_is_refused(void **state)
{
	static const char *const garbage[] = {"x", " x", "-", "/", "\n", ";", "#", " 1 1", "\x80"};

	(void)state;
	for (size_t i = 0; i < DIM(rows); i++) {
		if (rows[i].err != 0)
			continue;
		for (size_t j = 0; j < DIM(garbage); j++) {
			uint64_t v = UNTOUCHED;
			char text[64];

			(void)snprintf(text, sizeof(text), "%s%s", rows[i].text, garbage[j]);
			assert_int_equal(rows[i].fn(text, &v, NULL), -EINVAL);
			assert_true(v == UNTOUCHED);
		}
	}
}

static uint64_t
seed(void)
{
	const char *s = getenv("SLUICE_SEED");
	uint64_t v = 20261121;

	if (s != NULL)
		(void)parse_u64(s, 0, UINT64_MAX, &v, NULL);
	print_message("seed %" PRIu64 "\n", v);
	return v;
}

static void
any_number_comes_back(void **state)
{
	struct rng r = {seed()};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t want = rng_next(&r) >> rng_below(&r, 64);
		uint64_t v = UNTOUCHED;
		char text[32];

		(void)snprintf(text, sizeof(text), i % 2 ? "%" PRIu64 : "0x%" PRIx64, want);
		assert_int_equal(do_u64(text, &v, NULL), 0);
		assert_true(v == want);
		assert_int_equal(parse_u64(text, want + (want < UINT64_MAX), UINT64_MAX, &v, NULL),
			want < UINT64_MAX ? -ERANGE : 0);
	}
}

/* Random texts of the characters that matter, through every parser: no surprise under sanitizers. */
static void
any_text_is_survived(void **state)
{
	static const char alphabet[] = "0123456789xX kMGpbsmindhKiBof/-. \t\xff";
	struct rng r = {seed()};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[24];
		size_t n = rng_below(&r, sizeof(text));

		for (size_t j = 0; j < n; j++)
			text[j] = alphabet[rng_below(&r, sizeof(alphabet) - 1)];
		text[n] = '\0';
		for (size_t j = 0; j < DIM(rows); j += 4) {
			uint64_t v = UNTOUCHED;
			struct diag d = {0};
			int err = rows[j].fn(text, &v, &d);

			assert_true(err == 0 || err == -EINVAL || err == -ERANGE);
			assert_true((err == 0) == (d.msg[0] == '\0'));
			assert_true(err == 0 || v == UNTOUCHED);
		}
	}
}

static void
messages_quote_a_bounded_piece(void **state)
{
	char text[5000];
	struct diag d = {0};
	uint64_t v;

	(void)state;
	memset(text, 'z', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(do_u64(text, &v, &d), -EINVAL);
	assert_true(strlen(d.msg) < 120);
}

static void
pieces_of_a_list(void **state)
{
	static const struct {
		const char *list;
		const char *pieces; /* each in brackets */
	} lists[] = {
		{"", "[]"},
		{"a", "[a]"},
		{"a,b", "[a][b]"},
		{" a , b c ,", "[a][b c][]"},
		{",,", "[][][]"},
		{" \t ", "[]"},
	};

	(void)state;
	for (size_t i = 0; i < DIM(lists); i++) {
		const char *cursor = lists[i].list, *piece;
		char got[64] = "";
		size_t len;

		while (parse_next(&cursor, ',', &piece, &len)) {
			size_t n = strlen(got);

			(void)snprintf(got + n, sizeof(got) - n, "[%.*s]", (int)len, piece);
		}
		assert_string_equal(got, lists[i].pieces);
	}
}

static void
nearest_name(void **state)
{
	static const char *const names[] = {"action", "mode", "when", "ttl", "locations", "order"};
	static const struct {
		const char *name, *want;
	} near[] = {
		{"action", "action"},
		{"acton", "action"},
		{"actoin", "action"},
		{"modes", "mode"},
		{"location", "locations"},
		{"lcoatoins", NULL}, /* four edits, a third of nine is three */
		{"oder", "order"},
		{"tt", "ttl"},
		{"frobnicate", NULL},
		{"", NULL},
	};
	char longest[500];

	(void)state;
	for (size_t i = 0; i < DIM(near); i++) {
		const char *got = parse_nearest(near[i].name, names, DIM(names));

		if (near[i].want == NULL) {
			assert_null(got);
		} else {
			assert_non_null(got);
			assert_string_equal(got, near[i].want);
		}
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	(void)parse_nearest(longest, names, DIM(names)); /* bounded: sanitizers watch */
	assert_null(parse_nearest("action", names, 0));
}

static void
digits(void **state)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

	(void)state;
	for (int c = -1; c < 256; c++) {
		const char *at = c > 0 ? strchr(lower, c) : NULL;
		int want;

		if (at == NULL)
			at = c > 0 ? strchr(upper, c) : NULL;
		want = at == NULL ? -1
				  : (int)(at - (at >= upper && at < upper + 16 ? upper : lower));
		assert_int_equal(parse_hex_digit(c), want);
		for (int base = 2; base <= 16; base++)
			assert_int_equal(parse_is_digit(c, base), want >= 0 && want < base);
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(garbage_behind_a_value_is_refused),
		cmocka_unit_test(any_number_comes_back),
		cmocka_unit_test(any_text_is_survived),
		cmocka_unit_test(messages_quote_a_bounded_piece),
		cmocka_unit_test(pieces_of_a_list),
		cmocka_unit_test(nearest_name),
		cmocka_unit_test(digits),
	};
	struct CMUnitTest tests[DIM(rows) + DIM(others)] = {0};

	for (size_t i = 0; i < DIM(rows); i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].text,
			.test_func = row_holds,
			.initial_state = (void *)(uintptr_t)&rows[i]};
	memcpy(tests + DIM(rows), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
