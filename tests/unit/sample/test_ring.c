// SPDX-License-Identifier: BSD-3-Clause
/* The ring: order, loss only when full, and two threads at once. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/util.h"
#include "sample/ring.h"

static void
push(struct sample_ring *ring, uint64_t n, bool want)
{
	struct sample_rec *rec = sample_ring_reserve(ring);

	assert_int_equal(rec != NULL, want);
	if (rec == NULL)
		return;
	rec->time_ns = n;
	memset(rec->data, (int)n, sample_ring_snaplen(ring));
	sample_ring_commit(ring);
}

static void
pop(struct sample_ring *ring, uint64_t n)
{
	const struct sample_rec *rec = sample_ring_peek(ring);

	assert_non_null(rec);
	assert_ptr_equal(rec, sample_ring_peek(ring));
	assert_true(rec->time_ns == n);
	assert_int_equal(rec->data[0], (uint8_t)n);
	assert_int_equal(rec->data[sample_ring_snaplen(ring) - 1], (uint8_t)n);
	sample_ring_release(ring);
}

static void
order_and_loss(void **state)
{
	struct sample_ring *ring = NULL;
	uint64_t in = 0, out = 0;

	(void)state;
	assert_int_equal(sample_ring_new(8, 100, &ring), 0);
	assert_int_equal(sample_ring_snaplen(ring), 100);
	assert_null(sample_ring_peek(ring));
	for (unsigned int round = 0; round < 100; round++) {
		for (unsigned int i = 0; i < 8; i++)
			push(ring, in++, true);
		push(ring, in, false);
		assert_int_equal(sample_ring_lost(ring), round + 1);
		for (unsigned int i = 0; i < 8; i++)
			pop(ring, out++);
		assert_null(sample_ring_peek(ring));
		/* Out of step with the ring's size. */
		push(ring, in++, true);
		pop(ring, out++);
	}
	/* A reservation that is not committed is not seen, and is the next one again. */
	assert_ptr_equal(sample_ring_reserve(ring), sample_ring_reserve(ring));
	assert_null(sample_ring_peek(ring));
	sample_ring_free(ring);
}

static void
refuses(void **state)
{
	static const struct {
		size_t n_slots;
		uint32_t snaplen;
	} bad[] = {{0, 128}, {3, 128}, {1000, 128}, {8, 63}, {8, 65536}, {(size_t)1 << 62, 128}};
	struct sample_ring *ring = NULL;

	(void)state;
	for (size_t i = 0; i < DIM(bad); i++)
		assert_int_equal(sample_ring_new(bad[i].n_slots, bad[i].snaplen, &ring), -EINVAL);
	for (long n = 0; n < 2; n++) {
		mem_fault_set(n);
		assert_int_equal(sample_ring_new(8, 128, &ring), -ENOMEM);
		mem_fault_set(-1);
	}
	assert_null(ring);
	sample_ring_free(NULL);
}

#define PER_THREAD 200000

/* Numbers the records, some lost; the data must be whole. */
static void *
produce(void *arg)
{
	struct sample_ring *ring = arg;

	for (uint64_t i = 1; i <= PER_THREAD; i++) {
		struct sample_rec *rec = sample_ring_reserve(ring);

		if (rec == NULL) {
			sched_yield();
			continue;
		}
		rec->time_ns = i;
		rec->caplen = (uint32_t)(i % 64) + 1;
		memset(rec->data, (int)i, rec->caplen);
		sample_ring_commit(ring);
	}
	return NULL;
}

static void
two_threads(void **state)
{
	struct sample_ring *ring = NULL;
	uint64_t last = 0, seen = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(sample_ring_new(64, 64, &ring), 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, ring), 0);
	while (seen + sample_ring_lost(ring) < PER_THREAD) {
		const struct sample_rec *rec = sample_ring_peek(ring);

		if (rec == NULL) {
			sched_yield();
			continue;
		}
		assert_true(rec->time_ns > last);
		last = rec->time_ns;
		assert_int_equal(rec->caplen, last % 64 + 1);
		for (uint32_t i = 0; i < rec->caplen; i++)
			assert_int_equal(rec->data[i], (uint8_t)last);
		sample_ring_release(ring);
		seen++;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(seen + sample_ring_lost(ring), PER_THREAD);
	assert_null(sample_ring_peek(ring));
	assert_true(seen > 1000);
	sample_ring_free(ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_loss),
		cmocka_unit_test(refuses),
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests_name("sample ring", tests, NULL, NULL);
}
