// SPDX-License-Identifier: BSD-3-Clause
/* Without the kernel: what is refused, out of memory, damaged objects. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../match/world.h"
#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "xdp/xdp.h"

static struct world_rules rules;
static struct xdp_rule v[256];

static struct xdp_opts
opts_make(size_t n)
{
	world_rules_make(&rules, n);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct xdp_rule){
			.m = &rules.v[i],
			.locations = i % 3 == 0 ? "lhr, ams" : "",
			.on = true,
			.here = i % 2 == 0,
		};
	return (struct xdp_opts){.rules = v, .n_rules = n, .vital = true, .sampling = true};
}

static void
a_hook_is_a_short_name(void **state)
{
	static const char *const bad[] = {"", "/", "/sys/fs/bpf/", "a-b", "9a", "a.b",
		"/sys/fs/bpf/sixteen_letters_", "sluice_frame", "/sys/fs/bpf/x/"};
	static const char *const good[] = {
		"a", "/sys/fs/bpf/xdpcap_hook", "_9", "x/fifteen_letter"};
	static const char *const of_c[] = {"int", "x/while", "bool", "asm"};
	static const char *const of_source[] = {"u8", "walk_exts", "ctx", "HOOK", "rule_0", "t17"};
	struct xdp_opts opts = opts_make(1);
	struct xdp_plan *plan = NULL;
	struct diag diag = {0};

	(void)state;
	for (size_t i = 0; i < DIM(of_c); i++) {
		opts.hook = of_c[i];
		assert_int_equal(xdp_plan_new(&opts, &plan, &diag), -EINVAL);
		assert_non_null(strstr(diag.msg, "a word of C or of the program's source"));
	}
	for (size_t i = 0; i < DIM(of_source); i++) {
		opts.hook = of_source[i];
		opts.writer = XDP_C;
		assert_int_equal(xdp_plan_new(&opts, &plan, NULL), -EINVAL);
		opts.writer = XDP_OBJECT; /* which has no source */
		assert_int_equal(xdp_plan_new(&opts, &plan, NULL), 0);
		xdp_plan_free(plan);
		plan = NULL;
	}
	for (size_t i = 0; i < DIM(bad); i++) {
		opts.hook = bad[i];
		assert_int_equal(xdp_plan_new(&opts, &plan, NULL), -EINVAL);
		assert_null(plan);
	}
	for (size_t i = 0; i < DIM(good); i++) {
		opts.hook = good[i];
		opts.writer = i % 2 == 0 ? XDP_OBJECT : XDP_C;
		assert_int_equal(xdp_plan_new(&opts, &plan, NULL), 0);
		xdp_plan_free(plan);
		plan = NULL;
	}
	xdp_plan_free(NULL);
	world_rules_fini(&rules);
}

static void
too_many_are_refused(void **state)
{
	struct xdp_opts opts = opts_make(200);
	struct xdp_plan *plan = NULL;
	struct diag diag = {0};

	(void)state;
	opts.chunk = 100;
	assert_int_equal(xdp_plan_new(&opts, &plan, &diag), -E2BIG);
	assert_non_null(strstr(diag.msg, "tail calls"));
	opts.n_rules = XDP_RULES_MAX + 1;
	assert_int_equal(xdp_plan_new(&opts, &plan, &diag), -E2BIG);
	assert_null(plan);
	world_rules_fini(&rules);
}

/* One way through everything. Returns its error. */
static int
write_all(const struct xdp_opts *opts, struct sbuf *c, struct sbuf *object, struct diag *diag)
{
	struct xdp_plan *plan = NULL;
	int r = xdp_plan_new(opts, &plan, diag);

	if (r == 0)
		r = xdp_write_c(plan, c);
	if (r == 0)
		r = xdp_write_object(plan, object, diag);
	xdp_plan_free(plan);
	return r;
}

static void
every_allocation_may_fail(void **state)
{
	struct xdp_opts opts = opts_make(12);
	struct sbuf c = SBUF_INIT, object = SBUF_INIT;
	struct diag diag = {0};
	long n = 0;
	int r;

	(void)state;
	opts.chunk = 1500;
	for (;; n++) {
		(void)mem_fault_set(-1);
		sbuf_fini(&c);
		sbuf_fini(&object);
		(void)mem_fault_set(n);
		r = write_all(&opts, &c, &object, &diag);
		if (mem_fault_set(-1) <= n)
			break;
		if (r != -ENOMEM)
			fail_msg("allocation %ld: %d: %s", n, r, diag.msg);
	}
	assert_int_equal(r, 0);
	assert_true(n > 20);
	sbuf_fini(&c);
	sbuf_fini(&object);
	world_rules_fini(&rules);
}

static void
a_damaged_object_does_no_harm(void **state)
{
	struct xdp_opts opts = opts_make(5);
	struct sbuf c = SBUF_INIT, object = SBUF_INIT;
	struct xdp_object o;
	int opened = 0;

	(void)state;
	assert_int_equal(write_all(&opts, &c, &object, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		/* A copy of its own size, so that a sanitizer sees what is read behind it. */
		const size_t len =
			i == 0 ? object.len : rng_below(&world_rng, (uint32_t)object.len + 1);
		const size_t n = i % 2 == 0 ? object.len : len;
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, object.s, n);
		/* Headers are at both ends. */
		for (int k = 0; k < (i == 0 ? 0 : 3) && n > 0; k++) {
			const uint32_t at = rng_below(&world_rng, (uint32_t)n);

			copy[k == 0              ? at % 64 % n
					: k == 1 ? n - 1 - at % 2048 % n
						 : at] = (uint8_t)rng_next(&world_rng);
		}
		if (xdp_object_open(copy, n, &o, NULL) == 0) {
			xdp_object_move(&o, "lhr");
			(void)xdp_object_enable(&o, "r", false, NULL);
			xdp_object_sample(&o, 7, 64);
			opened++;
		}
		free(copy);
	}
	assert_true(opened > 0);
	sbuf_fini(&c);
	sbuf_fini(&object);
	world_rules_fini(&rules);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hook_is_a_short_name),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(a_damaged_object_does_no_harm),
	};
	int r;

	world_seed();
	world_init();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
