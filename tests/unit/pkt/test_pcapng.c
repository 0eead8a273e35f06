// SPDX-License-Identifier: BSD-3-Clause
/* The pcapng writer against the format's rules; test_tshark.c has others read it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"
#include "pkt/pcapng.h"

struct sink {
	uint8_t bytes[65536];
	size_t len, room;
	unsigned int calls;
};

static int
take(void *arg, const void *bytes, size_t n)
{
	struct sink *s = arg;

	s->calls++;
	if (n > s->room - s->len)
		return -ENOSPC;
	memcpy(s->bytes + s->len, bytes, n);
	s->len += n;
	return 0;
}

static uint32_t
u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int
write_all(struct sink *s)
{
	static const uint8_t data[7] = {1, 2, 3, 4, 5, 6, 7};
	struct pcapng_packet pkt = {
		.time_ns = UINT64_C(1767225600123456789),
		.data = data,
		.wirelen = 60,
		.comment = "verdict=drop",
		.direction = 1,
		.queue = 3,
	};
	struct pcapng *p = NULL;
	int r;

	r = pcapng_new(take, s, "sluiced 0.1.0", &p);
	if (r == 0)
		r = pcapng_interface(p, "edge0", 1, 128);
	if (r == 0)
		r = pcapng_interface(p, "edge1", 12, 128);
	for (pkt.caplen = 0; r == 0 && pkt.caplen <= sizeof(data); pkt.caplen++) {
		pkt.interface = pkt.caplen & 1;
		r = pcapng_packet(p, &pkt);
	}
	pkt.comment = NULL;
	pkt.direction = 0;
	pkt.queue = -1;
	pkt.caplen = 5;
	if (r == 0)
		r = pcapng_packet(p, &pkt);
	if (r == 0)
		r = pcapng_stats(p, 1, pkt.time_ns, 100, 3);
	if (r == 0)
		assert_int_equal(pcapng_stats(p, 2, 0, 0, 0), -EINVAL);
	pkt.interface = 2;
	if (r == 0)
		assert_int_equal(pcapng_packet(p, &pkt), -EINVAL);
	pcapng_free(p);
	return r;
}

/* Blocks follow each other without gap, with the same length at both ends. */
static void
blocks(void **state)
{
	static const uint32_t types[] = {0x0a0d0d0a, 1, 1, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5};
	static struct sink s;
	size_t at = 0;

	(void)state;
	s = (struct sink){.room = sizeof(s.bytes)};
	assert_int_equal(write_all(&s), 0);
	assert_int_equal(s.calls, DIM(types));
	for (size_t i = 0; i < DIM(types); i++) {
		uint32_t n = u32(s.bytes + at + 4);

		assert_int_equal(u32(s.bytes + at), types[i]);
		assert_int_equal(n % 4, 0);
		assert_int_equal(u32(s.bytes + at + n - 4), n);
		at += n;
	}
	assert_int_equal(at, s.len);
	pcapng_free(NULL);
}

/* The sink fails at each block in turn: the error comes back, no block is half there. */
static void
write_fails(void **state)
{
	static struct sink s;
	size_t whole;

	(void)state;
	s = (struct sink){.room = sizeof(s.bytes)};
	assert_int_equal(write_all(&s), 0);
	whole = s.len;
	for (size_t room = 0; room < whole; room += 4) {
		size_t at = 0;

		s = (struct sink){.room = room};
		assert_int_equal(write_all(&s), -ENOSPC);
		while (at < s.len)
			at += u32(s.bytes + at + 4);
		assert_int_equal(at, s.len);
	}
}

static void
no_memory(void **state)
{
	static struct sink s;
	long n;

	(void)state;
	for (n = 0;; n++) {
		int r;

		s = (struct sink){.room = sizeof(s.bytes)};
		mem_fault_set(n);
		r = write_all(&s);
		mem_fault_set(-1);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(n >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks),
		cmocka_unit_test(write_fails),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("pkt pcapng", tests, NULL, NULL);
}
