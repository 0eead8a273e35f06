// SPDX-License-Identifier: BSD-3-Clause
/* The event loop: timers, descriptors, signals, its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/mem.h"

#include "loop.h"

struct count {
	struct loop *loop;
	int fd;
	int n, stop_at;
};

static void
count_up(void *arg)
{
	struct count *c = arg;

	if (++c->n == c->stop_at)
		loop_stop(c->loop);
}

static void
count_event(void *arg)
{
	struct count *c = arg;
	uint64_t value;

	assert_int_equal(read(c->fd, &value, sizeof(value)), sizeof(value));
	count_up(c);
}

static struct loop *
new_loop(void)
{
	struct loop *loop = NULL;
	struct diag d = {0};

	loop_block_signals();
	assert_int_equal(loop_new(&loop, &d), 0);
	return loop;
}

static void
timers_and_descriptors(void **state)
{
	struct loop *loop = new_loop();
	struct count ticks = {.loop = loop, .stop_at = 3}, events = {.loop = loop};
	const uint64_t one = 1;
	struct diag d = {0};

	(void)state;
	events.fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(loop_add(loop, events.fd, count_event, &events, &d), 0);
	assert_int_equal(loop_every(loop, 1, count_up, &ticks, &d), 0);
	assert_int_equal(write(events.fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(ticks.n, 3);
	assert_int_equal(events.n, 1);

	loop_remove(loop, events.fd);
	loop_remove(loop, events.fd);
	close(events.fd);
	loop_free(loop);
}

static void
signals_wait_until_asked(void **state)
{
	struct loop *loop = new_loop();
	struct count hangups = {.loop = loop};

	(void)state;
	loop_on_hangup(loop, count_up, &hangups);
	assert_false(loop_pending_stop(loop));
	assert_int_equal(raise(SIGHUP), 0);
	assert_false(loop_pending_stop(loop));
	assert_int_equal(hangups.n, 1);
	loop_on_hangup(loop, NULL, NULL);
	assert_int_equal(raise(SIGHUP), 0);
	assert_false(loop_pending_stop(loop));
	loop_on_hangup(loop, count_up, &hangups);
	assert_int_equal(hangups.n, 2);
	assert_int_equal(raise(SIGTERM), 0);
	assert_true(loop_pending_stop(loop));
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

static void
sources_are_bounded(void **state)
{
	struct loop *loop = new_loop();
	struct diag d = {0};
	struct count c = {.loop = loop};
	int r = 0;

	(void)state;
	for (int i = 0; i < 64 && r == 0; i++)
		r = loop_every(loop, 1000, count_up, &c, &d);
	assert_int_equal(r, -ENOSPC);
	assert_true(d.msg[0] != '\0');
	assert_true(loop_add(loop, -1, count_up, &c, &d) < 0);
	loop_free(loop);
	loop_free(NULL);
}

static void
memory_may_fail(void **state)
{
	struct loop *loop = NULL;
	struct diag d = {0};

	(void)state;
	mem_fault_set(0);
	assert_int_equal(loop_new(&loop, &d), -ENOMEM);
	mem_fault_set(-1);
	assert_null(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_and_descriptors),
		cmocka_unit_test(signals_wait_until_asked),
		cmocka_unit_test(sources_are_bounded),
		cmocka_unit_test(memory_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
