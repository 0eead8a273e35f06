// SPDX-License-Identifier: BSD-3-Clause
/*
 * The DNS message parser: names and their pointers, records of every section,
 * options; what is refused, and where; every length and random damage of a good
 * message. All messages end at an unreadable page.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/util.h"
#include "frames.h"
#include "pkt/dns.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

/* An answer with a record in each section, pointers to pointers, EDNS with two options. */
static const char good[] = "\x12\x34\x81\x80\0\1\0\2\0\1\0\1"
			   "\3www\7example\2uk\0\0\1\0\1" /* 12 */
			   "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3cdn\xc0\x10" /* 32 */
			   "\xc0\x2c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1" /* 50 */
			   "\xc0\x10\0\2\0\1\0\0\0\1\0\5\2ns\xc0\x2c" /* 66 */
			   "\0\0\x29\x10\0\0\0\x80\0\0\x0c\0\x03\0\0\0\x0a\0\4\1\2\3\4"; /* 83 */

static const uint8_t *
place(const uint8_t *bytes, size_t n)
{
	uint8_t *p = guarded(n);

	memcpy(p, bytes, n);
	return p;
}

/* "www.example.uk.", with "@N" for a pointer; "!" behind it when it broke. */
static const char *
name_text(const uint8_t *msg, uint32_t len, uint32_t off)
{
	static char text[2048];
	struct pkt_dns_name name;
	struct pkt_dns_label label;
	size_t n = 0;
	int r;

	pkt_dns_name_open(msg, len, off, &name);
	while ((r = pkt_dns_name_next(&name, &label, NULL)) > 0) {
		assert_true(n + 80 < sizeof(text));
		if (label.bytes == NULL)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "@%u", label.target);
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s.", label.n,
				(const char *)label.bytes);
	}
	(void)snprintf(text + n, sizeof(text) - n, "%s", r < 0 ? "!" : "");
	return text;
}

static void
good_message(void **state)
{
	static const struct {
		enum pkt_dns_section section;
		uint32_t index;
		const char *name;
		uint16_t type, class, rdlen;
		uint32_t ttl, rdata;
		const char *rname; /* the name in its data */
	} want[] = {
		{PKT_DNS_QUESTION, 0, "www.example.uk.", PKT_DNS_A, 1, 0, 0, 0, NULL},
		{PKT_DNS_ANSWER, 0, "@12www.example.uk.", PKT_DNS_CNAME, 1, 6, 60, 44,
			"cdn.@16example.uk."},
		{PKT_DNS_ANSWER, 1, "@44cdn.@16example.uk.", PKT_DNS_A, 1, 4, 60, 62, NULL},
		{PKT_DNS_AUTHORITY, 0, "@16example.uk.", PKT_DNS_NS, 1, 5, 1, 78,
			"ns.@44cdn.@16example.uk."},
		{PKT_DNS_ADDITIONAL, 0, "", PKT_DNS_OPT, 4096, 12, 0x8000, 94, NULL},
	};
	const uint32_t len = sizeof(good) - 1;
	const uint8_t *msg = place(BYTES(good));
	struct pkt_dns_option o;
	struct pkt_dns_record r;
	struct pkt_dns dns;
	uint32_t at = 0;

	(void)state;
	assert_int_equal(pkt_dns_open(msg, len, &dns, NULL), 0);
	assert_int_equal(dns.id, 0x1234);
	assert_int_equal(dns.flags, 0x8180);
	for (size_t i = 0; i < DIM(want); i++) {
		assert_int_equal(pkt_dns_next(&dns, &r, NULL), 1);
		assert_int_equal(r.section, want[i].section);
		assert_int_equal(r.index, want[i].index);
		assert_string_equal(name_text(msg, len, r.name), want[i].name);
		assert_int_equal(r.type, want[i].type);
		assert_int_equal(r.class, want[i].class);
		assert_int_equal(r.ttl, want[i].ttl);
		assert_int_equal(r.rdlen, want[i].rdlen);
		assert_int_equal(r.rdata, want[i].rdata);
		if (want[i].rname != NULL)
			assert_string_equal(name_text(msg, len, r.rdata), want[i].rname);
	}
	assert_int_equal(pkt_dns_next(&dns, &r, NULL), 0);
	assert_int_equal(dns.off, len);
	r = (struct pkt_dns_record){.rdata = 94, .rdlen = 12};
	assert_int_equal(pkt_dns_option_next(msg + r.rdata, r.rdlen, &at, &o, NULL), 1);
	assert_int_equal(o.code, 3);
	assert_int_equal(o.n, 0);
	assert_int_equal(pkt_dns_option_next(msg + r.rdata, r.rdlen, &at, &o, NULL), 1);
	assert_int_equal(o.code, 10);
	assert_memory_equal(o.data, "\1\2\3\4", 4);
	assert_int_equal(pkt_dns_option_next(msg + r.rdata, r.rdlen, &at, &o, NULL), 0);
}

static void
names(void **state)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t n;
		uint32_t off;
		const char *text;
		uint32_t end; /* 0: refused */
		const char *why;
	} rows[] = {
#define ROW(what, s, off, text, end, why) {what, s, sizeof(s) - 1, off, text, end, why}
		ROW("root", "\0", 0, "", 1, NULL),
		ROW("two labels", "\1a\2bc\0x", 0, "a.bc.", 6, NULL),
		ROW("pointer", "\1a\0\xc0\0", 3, "@0a.", 5, NULL),
		ROW("label, pointer", "\1a\0\1b\xc0\0x", 3, "b.@0a.", 7, NULL),
		ROW("pointer to a pointer", "\1a\0\xc0\0\xc0\3", 5, "@3@0a.", 7, NULL),
		ROW("pointer into a label", "\3\1a\0\0\xc0\1", 5, "@1a.", 7, NULL),
		ROW("pointer to itself", "\xc0\0", 0, "!", 0,
			"byte 0 of the message: a compression pointer to byte 0, which is not before its name"),
		ROW("loop over a label", "\1a\xc0\0", 0, "a.!", 0, "byte 2 of the message: a "),
		ROW("two that point at each other", "\xc0\2\xc0\0", 2, "@0!", 0,
			"byte 0 of the message: a "),
		ROW("loop behind a pointer", "\1a\xc0\0\xc0\0", 4, "@0a.!", 0,
			"byte 2 of the message: a "),
		ROW("forward", "\xc0\2\0", 0, "!", 0, "byte 0 of the message: a "),
		ROW("into its own label", "\1\0\xc0\1", 0, NULL, 0, "byte 2 of the message: a "),
		ROW("reserved 01",
			"\1a\x41"
			"a\0",
			0, "a.!", 0, "byte 2 of the message: a label of the reserved kind 0x40"),
		ROW("reserved 10", "\x80\0", 0, "!", 0,
			"byte 0 of the message: a label of the reserved kind 0x80"),
		ROW("nothing", "", 0, "!", 0, "byte 0 of the message: it ends within a name"),
		ROW("behind the end", "\0", 7, "!", 0,
			"byte 1 of the message: it ends within a name"),
		ROW("no root", "\1a", 0, "a.!", 0, "byte 2 of the message: it ends within a name"),
		ROW("half a label", "\3ab", 0, "!", 0,
			"byte 0 of the message: it ends within a label"),
		ROW("half a pointer", "\1a\xc0", 0, "a.!", 0,
			"byte 2 of the message: it ends within a compression pointer"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < DIM(rows); i++) {
		const uint8_t *msg = place((const uint8_t *)rows[i].bytes, rows[i].n);
		uint32_t end = 0;
		struct diag d = {0};
		int r;

		print_message("%s\n", rows[i].what);
		if (rows[i].text != NULL)
			assert_string_equal(
				name_text(msg, (uint32_t)rows[i].n, rows[i].off), rows[i].text);
		r = pkt_dns_name_end(msg, (uint32_t)rows[i].n, rows[i].off, &end, &d);
		assert_int_equal(r == 0, rows[i].end != 0);
		assert_int_equal(end, rows[i].end);
		if (r < 0)
			assert_memory_equal(d.msg, rows[i].why, strlen(rows[i].why));
	}
}

/* 255 bytes with lengths and root are a name, 256 are none; also when pointers put it together. */
static void
longest_name(void **state)
{
	uint8_t msg[300] = {0};
	uint32_t end;

	(void)state;
	for (uint32_t last = 61; last <= 62; last++) {
		const int want = last == 61 ? 0 : -EINVAL;

		memset(msg, 'a', sizeof(msg));
		msg[0] = msg[64] = msg[128] = 63;
		msg[192] = (uint8_t)last;
		msg[193 + last] = 0;
		assert_int_equal(pkt_dns_name_end(msg, sizeof(msg), 0, &end, NULL), want);
		if (want == 0)
			assert_int_equal(end, 255);
		/* The first label last, with a pointer to the others. */
		memcpy(msg + 260,
			"\x1f"
			"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\xc0\x20",
			34);
		msg[32] = 31;
		assert_int_equal(pkt_dns_name_end(msg, sizeof(msg), 260, &end, NULL), want);
		msg[32] = 'a';
	}
}

static void
broken_messages(void **state)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t n;
		unsigned int records; /* before it breaks */
		const char *why; /* NULL: it does not */
	} rows[] = {
#define ROW(what, s, records, why) {what, s, sizeof(s) - 1, records, why}
		ROW("no header", "\0\0\0\0\0\0\0\0\0\0\0", 0,
			"expected the 12 bytes of a DNS message's header, got 11"),
		ROW("empty", "\0\0\0\0\0\0\0\0\0\0\0\0", 0, NULL),
		ROW("question missing", "\0\0\0\0\0\1\0\0\0\0\0\0", 0,
			"byte 12 of the message: it ends within a name"),
		ROW("question cut", "\0\0\0\0\0\1\0\0\0\0\0\0\0\0\1\0", 0,
			"byte 13 of the message: it ends within a question"),
		ROW("65535 questions", "\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0\1\0\1\0\0\1\0\1", 2,
			"byte 22 of the message: it ends within a name"),
		ROW("record cut", "\0\0\0\0\0\0\0\0\0\0\0\1\0\0\1\0\1\0\0\0\0\0", 0,
			"byte 13 of the message: it ends within a record's header"),
		ROW("data cut", "\0\0\0\0\0\0\0\0\0\1\0\0\0\0\1\0\1\0\0\0\0\0\2x", 0,
			"byte 23 of the message: it ends within a record's data"),
		ROW("pointer into the header", "\0\0\0\0\0\1\0\0\0\0\0\0\xc0\0\0\1\0\1", 1, NULL),
		ROW("trailing bytes", "\0\0\0\0\0\1\0\0\0\0\0\0\0\0\1\0\1xyz", 1, NULL),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < DIM(rows); i++) {
		const uint8_t *msg = place((const uint8_t *)rows[i].bytes, rows[i].n);
		struct pkt_dns_record rec;
		struct pkt_dns dns;
		struct diag d = {0};
		unsigned int n = 0;
		int r;

		print_message("%s\n", rows[i].what);
		r = pkt_dns_open(msg, rows[i].n, &dns, &d);
		if (r == 0)
			while ((r = pkt_dns_next(&dns, &rec, &d)) > 0)
				n++;
		assert_int_equal(n, rows[i].records);
		assert_int_equal(r < 0, rows[i].why != NULL);
		assert_string_equal(d.msg, rows[i].why != NULL ? rows[i].why : "");
	}
}

static void
options(void **state)
{
	struct pkt_dns_option o;
	struct diag d = {0};
	uint32_t at = 0;

	(void)state;
	assert_int_equal(pkt_dns_option_next(place(BYTES("\0\3\0")), 3, &at, &o, &d), -EINVAL);
	assert_string_equal(d.msg, "byte 0 of the options: they end within one");
	assert_int_equal(pkt_dns_option_next(place(BYTES("\0\3\0\2x")), 5, &at, &o, &d), -EINVAL);
	assert_string_equal(d.msg, "byte 0 of the options: one of 2 bytes, of which there are 1");
	assert_int_equal(at, 0);
	at = UINT32_MAX;
	assert_int_equal(pkt_dns_option_next(place(BYTES("\0")), 1, &at, &o, &d), 0);
}

/* Records read of @n bytes; -1 - records when they broke off. */
static int
count(const uint8_t *msg, size_t n)
{
	struct pkt_dns_record rec;
	struct pkt_dns dns;
	int r, records = 0;

	if (pkt_dns_open(msg, n, &dns, NULL) < 0)
		return -1;
	while ((r = pkt_dns_next(&dns, &rec, NULL)) > 0) {
		(void)name_text(msg, (uint32_t)n, rec.name);
		(void)name_text(msg, (uint32_t)n, rec.rdata);
		assert_true(rec.rdata + rec.rdlen <= n && dns.off <= n);
		records++;
	}
	return r < 0 ? -1 - records : records;
}

static void
every_length(void **state)
{
	static const uint32_t ends[] = {32, 50, 66, 83, 106}; /* of its records */

	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		int whole = 0;

		while (n >= ends[whole])
			whole++;
		assert_int_equal(count(place((const uint8_t *)good, n), n), -1 - whole);
	}
	assert_int_equal(count(place(BYTES(good)), sizeof(good) - 1), 5);
}

static void
damage(void **state)
{
	const char *seed = getenv("SLUICE_SEED");
	const char *all = getenv("SLUICE_LONG");
	struct rng rng = {.state = seed != NULL ? strtoull(seed, NULL, 0) : 1};
	uint8_t bytes[sizeof(good) - 1];

	(void)state;
	print_message("seed %llu\n", (unsigned long long)rng.state);
	for (size_t i = 0; i < (all != NULL && all[0] == '1' ? 2000000 : 50000); i++) {
		size_t n = rng_below(&rng, 4) > 0 ? sizeof(bytes) : rng_below(&rng, sizeof(bytes));

		memcpy(bytes, good, sizeof(bytes));
		for (uint32_t k = 1 + rng_below(&rng, 6); k > 0; k--)
			bytes[rng_below(&rng, sizeof(bytes))] = rng_below(&rng, 2)
				? (uint8_t)(0xc0 | rng_below(&rng, 2))
				: (uint8_t)rng_next(&rng);
		(void)count(place(bytes, n), n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_message),
		cmocka_unit_test(names),
		cmocka_unit_test(longest_name),
		cmocka_unit_test(broken_messages),
		cmocka_unit_test(options),
		cmocka_unit_test(every_length),
		cmocka_unit_test(damage),
	};

	return cmocka_run_group_tests_name("pkt dns", tests, NULL, NULL);
}
