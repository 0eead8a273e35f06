// SPDX-License-Identifier: BSD-3-Clause
/* The builder: checksums, names, frames that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "frames.h"

static void
checksum(void **state)
{
	/* RFC 1071, 3: the sum of these is ddf2. */
	static const uint8_t rfc[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint8_t ones[65535];

	(void)state;
	assert_int_equal(pkt_checksum(rfc, sizeof(rfc), 0), 0x220d);
	assert_int_equal(pkt_checksum(rfc + 2, 6, pkt_sum(rfc, 2, 0)), 0x220d);
	assert_int_equal(pkt_checksum("\x01", 1, 0), 0xfeff);
	assert_int_equal(pkt_checksum(NULL, 0, 0), 0xffff);
	memset(ones, 0xff, sizeof(ones));
	/* 32767 times ffff is ffff, and ff00 on top. */
	assert_int_equal(pkt_checksum(ones, sizeof(ones), 0), 0x00ff);
	assert_int_equal(pkt_checksum(ones, 65534, 0xffffffff), 0);
}

/* The receiver's side of the checksum (RFC 1071): over header and field it is 0. */
static void
checksums_in_frames(void **state)
{
	uint8_t buf[2048];
	unsigned int checked = 0;

	(void)state;
	for (size_t i = 0; i < n_frame_cases; i++) {
		const struct frame_case *c = &frame_cases[i];
		size_t len = frame_make(c, buf, sizeof(buf));
		uint32_t header, n;
		uint32_t sum;

		if (c->spoil != NULL || c->l4_off == 0 || c->flags & PKT_FRAG_LATER)
			continue;
		n = (uint32_t)len - c->l4_off;
		header = c->l4_off - c->l3_off;
		sum = c->family == 4 ? pkt_sum(buf + c->l3_off + 12, 8, c->proto + n)
				     : pkt_sum(buf + c->l3_off + 8, 32, c->proto + n);
		if (c->family == 4)
			assert_int_equal(pkt_checksum(buf + c->l3_off, header, 0), 0);
		if (c->proto == 1)
			sum = 0;
		if ((c->proto != 17 && c->proto != 6 && c->proto != 1 && c->proto != 58) ||
			strcmp(c->what, "IPv6 AH") == 0)
			continue;
		assert_int_equal(pkt_checksum(buf + c->l4_off, n, sum), 0);
		checked++;
	}
	assert_true(checked >= 12);
}

/* A buffer one byte short gives no frame, and is not written behind its end. */
static void
every_size(void **state)
{
	uint8_t buf[2048];

	(void)state;
	for (size_t i = 0; i < n_frame_cases; i++) {
		struct pkt_build b;
		size_t len;

		pkt_build_init(&b, buf, sizeof(buf));
		frame_cases[i].build(&b);
		len = pkt_build_done(&b);
		for (size_t n = 0; n <= len; n++) {
			pkt_build_init(&b, guarded(n), n);
			frame_cases[i].build(&b);
			assert_int_equal(pkt_build_done(&b), n == len ? len : 0);
		}
	}
}

static const struct {
	const char *name;
	size_t bytes; /* of the query; 0: refused */
} names[] = {
	{"", 12 + 1 + 4},
	{"a", 12 + 3 + 4},
	{"a.", 12 + 3 + 4},
	{"www.example.uk", 12 + 16 + 4},
	{"123456789012345678901234567890123456789012345678901234567890123", 12 + 65 + 4},
	{"1234567890123456789012345678901234567890123456789012345678901234", 0},
	{".", 0},
	{"a..b", 0},
	{".a", 0},
};

static void
dns_names(void **state)
{
	uint8_t buf[512];
	struct pkt_build b;
	char longest[256];

	(void)state;
	for (size_t i = 0; i < DIM(names); i++) {
		pkt_build_init(&b, buf, sizeof(buf));
		pkt_build_dns_query(&b, 1, names[i].name, 28, false);
		assert_int_equal(pkt_build_done(&b), names[i].bytes);
	}
	/* 127 labels of one byte and the root are 255 bytes; one more is too much. */
	for (size_t i = 0; i < 255; i++)
		longest[i] = i & 1 ? '.' : 'x';
	longest[253] = '\0';
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_dns_query(&b, 1, longest, 28, false);
	assert_int_equal(pkt_build_done(&b), 12 + 255 + 4);
	memcpy(longest + 253, ".x", 3);
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_dns_query(&b, 1, longest, 28, false);
	assert_int_equal(pkt_build_done(&b), 0);
}

static void
dns_query(void **state)
{
	static const uint8_t want[] = {0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 'a', 2, 'u',
		'k', 0, 0, 28, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0};
	uint8_t buf[512];
	struct pkt_build b;

	(void)state;
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_dns_query(&b, 0xabcd, "a.uk", 28, true);
	assert_int_equal(pkt_build_done(&b), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void
too_much(void **state)
{
	uint8_t buf[4096];
	const uint8_t options[44] = {1};
	struct pkt_build b;

	(void)state;
	pkt_build_init(&b, buf, sizeof(buf));
	for (int i = 0; i < PKT_BUILD_LAYERS; i++)
		pkt_build_vlan(&b, 0x8100, 1);
	assert_int_equal(pkt_build_done(&b), 4 * PKT_BUILD_LAYERS);
	pkt_build_vlan(&b, 0x8100, 1);
	assert_int_equal(pkt_build_done(&b), 0);

	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_ip4(&b, &(struct pkt_ip4){.options = options, .n_options = 41});
	assert_int_equal(pkt_build_done(&b), 0);
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_tcp(&b, &(struct pkt_tcp){.options = options, .n_options = 41});
	assert_int_equal(pkt_build_done(&b), 0);
	pkt_build_init(&b, buf, sizeof(buf));
	pkt_build_ip6_ext(&b, 0, buf, 2047);
	assert_int_equal(pkt_build_done(&b), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum),
		cmocka_unit_test(checksums_in_frames),
		cmocka_unit_test(every_size),
		cmocka_unit_test(dns_names),
		cmocka_unit_test(dns_query),
		cmocka_unit_test(too_much),
	};

	return cmocka_run_group_tests_name("pkt build", tests, NULL, NULL);
}
