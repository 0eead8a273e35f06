// SPDX-License-Identifier: BSD-3-Clause
/* Growing strings and arrays: content at every length around a growth, and running out of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "base/vec.h"

static void
empty_is_an_empty_text(void **state)
{
	struct sbuf b = SBUF_INIT;
	char *s;

	(void)state;
	assert_string_equal(sbuf_str(&b), "");
	assert_true(sbuf_ok(&b));
	s = sbuf_take(&b);
	assert_non_null(s);
	assert_string_equal(s, "");
	mem_free(s);
	sbuf_fini(&b);
}

/* Each way to append, one character at a time and in one piece, past several growths. */
static void
appends_agree_at_every_length(void **state)
{
	char text[300];

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		struct sbuf a = SBUF_INIT, b = SBUF_INIT, c = SBUF_INIT, d = SBUF_INIT;

		for (size_t i = 0; i < n; i++) {
			text[i] = (char)('a' + i % 26);
			sbuf_addc(&a, text[i]);
		}
		text[n] = '\0';
		sbuf_adds(&b, text);
		sbuf_addf(&c, "%s", text);
		sbuf_add(&d, text, n);
		assert_string_equal(sbuf_str(&a), text);
		assert_string_equal(sbuf_str(&b), text);
		assert_string_equal(sbuf_str(&c), text);
		assert_string_equal(sbuf_str(&d), text);
		assert_int_equal(c.len, n);
		assert_true(sbuf_ok(&a) && sbuf_ok(&b) && sbuf_ok(&c) && sbuf_ok(&d));
		sbuf_fini(&a);
		sbuf_fini(&b);
		sbuf_fini(&c);
		sbuf_fini(&d);
	}
}

static void
bytes_may_be_zero(void **state)
{
	struct sbuf b = SBUF_INIT;

	(void)state;
	sbuf_add(&b, "a\0b", 3);
	sbuf_addf(&b, "%d", 7);
	assert_int_equal(b.len, 4);
	assert_memory_equal(sbuf_str(&b), "a\0b7", 5);
	sbuf_fini(&b);
}

static void
control_characters_are_escaped(void **state)
{
	struct sbuf b = SBUF_INIT;

	(void)state;
	sbuf_add_printable(&b, "a\n\x1b[31m\x7f \xc2\x9b!\xc3\xa9\xc2\xa0\xe2\x80\x9d\xff\\");
	assert_string_equal(
		sbuf_str(&b), "a\\x0a\\x1b[31m\\x7f \\xc2\\x9b!\xc3\xa9\xc2\xa0\xe2\x80\x9d\xff\\");
	sbuf_add_printable(&b, "\xc2");
	assert_true(sbuf_ok(&b));
	sbuf_fini(&b);
}

static bool
write_much(struct sbuf *b)
{
	for (int i = 0; i < 100; i++)
		sbuf_addf(b, "%d %s\n", i, "something to write");
	return sbuf_ok(b);
}

static void
failure_sticks_and_take_says_so(void **state)
{
	(void)state;
	for (long n = 0;; n++) {
		struct sbuf b = SBUF_INIT;
		bool ok;
		char *s;

		(void)mem_fault_set(n);
		ok = write_much(&b);
		if (mem_fault_set(-1) <= n) {
			assert_true(ok);
			assert_true(n > 3);
			sbuf_fini(&b);
			break;
		}
		assert_false(ok);
		sbuf_adds(&b, "memory is back, but text is missing before this");
		assert_false(sbuf_ok(&b));
		s = sbuf_take(&b);
		assert_null(s);
	}
}

struct pair {
	uint32_t a;
	uint64_t b;
};

static void
pushed_elements_are_zero_and_stay(void **state)
{
	struct {
		struct pair *v;
		size_t n, cap;
	} pairs = {0};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct pair *p = vec_push(&pairs);

		assert_non_null(p);
		assert_int_equal(p->a, 0);
		assert_true(p->b == 0);
		p->a = i;
		p->b = ~(uint64_t)i;
	}
	assert_int_equal(pairs.n, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(pairs.v[i].a, i);
		assert_true(pairs.v[i].b == ~(uint64_t)i);
	}
	mem_free(pairs.v);
}

static void
refused_push_leaves_the_vector(void **state)
{
	struct {
		struct pair *v;
		size_t n, cap;
	} pairs = {0};

	(void)state;
	(void)mem_fault_set(0);
	assert_null(vec_push(&pairs));
	assert_int_equal(pairs.n, 0);
	(void)mem_fault_set(-1);
	while (pairs.n < 8)
		assert_non_null(vec_push(&pairs));
	pairs.v[7].a = 77;
	(void)mem_fault_set(0);
	assert_null(vec_push(&pairs));
	(void)mem_fault_set(-1);
	assert_int_equal(pairs.n, 8);
	assert_int_equal(pairs.v[7].a, 77);
	mem_free(pairs.v);
}

static void
a_size_over_the_word_is_refused(void **state)
{
	void *v = NULL;
	size_t n = 0, cap = 0;

	(void)state;
	assert_null(vec_push_bytes(&v, &n, &cap, SIZE_MAX / 4));
	assert_int_equal(cap, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_an_empty_text),
		cmocka_unit_test(appends_agree_at_every_length),
		cmocka_unit_test(bytes_may_be_zero),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(failure_sticks_and_take_says_so),
		cmocka_unit_test(pushed_elements_are_zero_and_stay),
		cmocka_unit_test(refused_push_leaves_the_vector),
		cmocka_unit_test(a_size_over_the_word_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
