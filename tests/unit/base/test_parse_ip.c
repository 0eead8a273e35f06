// SPDX-License-Identifier: BSD-3-Clause
/* Addresses and prefixes: a table of strictness, round trips, and membership against plain bits. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"

/* clang-format off */
static const struct row {
	const char *text;
	int err;
	const char *want;	/* as text; NULL: as it came */
} rows[] = {
	{ "198.51.100.0/24", 0, NULL },
	{ "0.0.0.0/0", 0, NULL },
	{ "192.0.2.1/32", 0, NULL },
	{ "192.0.2.1", 0, "192.0.2.1/32" },
	{ "128.0.0.0/1", 0, NULL },
	{ "192.0.2.128/025", 0, "192.0.2.128/25" },
	{ "::/0", 0, NULL },
	{ "2001:db8::/32", 0, NULL },
	{ "2001:DB8:0::/32", 0, "2001:db8::/32" },
	{ "2001:db8::1", 0, "2001:db8::1/128" },
	{ "8000::/1", 0, NULL },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 0, NULL },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", 0,
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	{ "198.51.100.1/24", -EINVAL, NULL },
	{ "198.51.100.0/23x", -EINVAL, NULL },
	{ "128.0.0.0/0", -EINVAL, NULL },
	{ "2001:db8::1/127", -EINVAL, NULL },
	{ "198.51.100.0/33", -ERANGE, NULL },
	{ "198.51.100.0/4294967320", -ERANGE, NULL },	/* 24 + 2^32 */
	{ "2001:db8::/129", -ERANGE, NULL },
	{ "198.51.100.0/", -EINVAL, NULL },
	{ "198.51.100.0/ 24", -EINVAL, NULL },
	{ "198.51.100.0/24 ", -EINVAL, NULL },
	{ "198.51.100.0/0x18", -EINVAL, NULL },
	{ "198.51.100.0/+24", -EINVAL, NULL },
	{ "198.51.100.0/-1", -EINVAL, NULL },
	{ "198.51.100.0/255.255.255.0", -EINVAL, NULL },
	{ "198.51.100.0/24/24", -EINVAL, NULL },
	{ "198.51.100/24", -EINVAL, NULL },
	{ "198.51.100.256", -EINVAL, NULL },
	{ "198.051.100.0", -EINVAL, NULL },	/* octal to some, decimal to others */
	{ "0xc6336400", -EINVAL, NULL },
	{ "1", -EINVAL, NULL },
	{ "fe80::1%eth0", -EINVAL, NULL },
	{ "2001:db8:::1", -EINVAL, NULL },
	{ "[2001:db8::1]", -EINVAL, NULL },
	{ "www.example.uk", -EINVAL, NULL },
	{ "/24", -EINVAL, NULL },
	{ "", -EINVAL, NULL },
	{ "1111111111111111111111111111111111111111111111111111111111111111/8", -EINVAL, NULL },
};
/* clang-format on */

static void
row_holds(void **state)
{
	const struct row *row = *state;
	struct ip_prefix p, untouched;
	struct diag d = {0};
	char text[IP_PREFIX_TEXT];

	memset(&untouched, 0x5a, sizeof(untouched));
	p = untouched;
	assert_int_equal(parse_ip_prefix(row->text, &p, &d), row->err);
	if (row->err < 0) {
		assert_memory_equal(&p, &untouched, sizeof(p));
		assert_int_equal(strncmp(d.msg, "expected ", 9), 0);
		return;
	}
	assert_string_equal(ip_prefix_text(&p, text), row->want != NULL ? row->want : row->text);
	assert_string_equal(d.msg, "");
}

static void
host_bits_name_the_prefix_that_was_meant(void **state)
{
	struct ip_prefix p;
	struct diag d = {0};

	(void)state;
	assert_int_equal(parse_ip_prefix("198.51.100.77/24", &p, &d), -EINVAL);
	assert_non_null(strstr(d.msg, "did you mean 198.51.100.0/24?"));
}

static void
addresses_are_not_prefixes(void **state)
{
	struct ip_addr a;

	(void)state;
	assert_int_equal(parse_ip_addr("192.0.2.1/32", &a, NULL), -EINVAL);
	assert_int_equal(parse_ip_addr("192.0.2.1", &a, NULL), 0);
	assert_int_equal(a.family, 4);
	assert_memory_equal(a.bytes, "\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(parse_ip_addr("::1", &a, NULL), 0);
	assert_int_equal(a.family, 6);
	assert_int_equal(a.bytes[15], 1);
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

/* A prefix of random bits and length, host bits cleared one by one. */
static struct ip_prefix
random_prefix(struct rng *r)
{
	struct ip_prefix p = {0};
	unsigned int bits;

	p.addr.family = rng_below(r, 2) ? 4 : 6;
	bits = p.addr.family == 4 ? 32 : 128;
	p.len = (uint8_t)rng_below(r, bits + 1);
	for (unsigned int i = 0; i < p.len; i++)
		if (rng_below(r, 2))
			p.addr.bytes[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	return p;
}

static void
any_prefix_comes_back(void **state)
{
	struct rng r = {seed()};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct ip_prefix p = random_prefix(&r), q;
		char text[IP_PREFIX_TEXT];

		assert_int_equal(parse_ip_prefix(ip_prefix_text(&p, text), &q, NULL), 0);
		assert_memory_equal(&p, &q, sizeof(p));
	}
}

/* Flip any one bit of an address inside: it is outside exactly when the bit is in the prefix. */
static void
membership_is_about_the_first_bits(void **state)
{
	struct rng r = {seed()};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct ip_prefix p = random_prefix(&r);
		unsigned int bits = p.addr.family == 4 ? 32 : 128;
		struct ip_addr a = p.addr;

		for (unsigned int b = p.len; b < bits; b++)
			if (rng_below(&r, 2))
				a.bytes[b / 8] |= (uint8_t)(0x80 >> (b % 8));
		assert_true(ip_prefix_has(&p, a.family, a.bytes));
		assert_false(ip_prefix_has(&p, a.family == 4 ? 6 : 4, a.bytes));
		for (unsigned int b = 0; b < bits; b++) {
			a.bytes[b / 8] ^= (uint8_t)(0x80 >> (b % 8));
			assert_int_equal(ip_prefix_has(&p, a.family, a.bytes), b >= p.len);
			a.bytes[b / 8] ^= (uint8_t)(0x80 >> (b % 8));
		}
	}
}

/* All bits behind the prefix are set, and no other byte of the union is touched. */
static void
last_address_has_all_host_bits(void **state)
{
	struct rng r = {seed()};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		const struct ip_prefix p = random_prefix(&r);
		const struct ip_addr last = ip_prefix_last(&p);
		const unsigned int bits = p.addr.family == 4 ? 32 : 128;
		struct ip_addr a = p.addr;

		for (unsigned int b = p.len; b < bits; b++)
			a.bytes[b / 8] |= (uint8_t)(0x80 >> (b % 8));
		assert_int_equal(last.family, a.family);
		assert_memory_equal(last.bytes, a.bytes, sizeof(a.bytes));
	}
}

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(host_bits_name_the_prefix_that_was_meant),
		cmocka_unit_test(addresses_are_not_prefixes),
		cmocka_unit_test(any_prefix_comes_back),
		cmocka_unit_test(membership_is_about_the_first_bits),
		cmocka_unit_test(last_address_has_all_host_bits),
	};
	struct CMUnitTest tests[DIM(rows) + DIM(others)] = {0};

	for (size_t i = 0; i < DIM(rows); i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].text,
			.test_func = row_holds,
			.initial_state = (void *)(uintptr_t)&rows[i]};
	memcpy(tests + DIM(rows), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
