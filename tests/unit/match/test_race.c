// SPDX-License-Identifier: BSD-3-Clause
/*
 * Images changed while workers match against them: worker threads take the image for
 * every burst as those of the data plane do (match/slot.h, base/qsbr.h), a builder
 * updates and rebuilds it, switches rules, frees what it replaced. No frame goes
 * without a verdict, none is counted twice. Built with ThreadSanitizer this is the
 * test of all that threads share; there, a builder that does not wait must be noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/qsbr.h"
#include "base/util.h"
#include "image_impl.h"
#include "match/image.h"
#include "match/slot.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "world.h"

#ifdef __SANITIZE_THREAD__
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

#define POOL 200 /* rules, the last of which drops all that is left */
#define WORKERS 3
#define BURSTS 8 /* of different frames */
#define UPDATES_MIN 40 /* however slow the machine is */

static struct match_slot slot;
static struct qsbr *qsbr;
static _Atomic bool stop; /* relaxed */

struct worker {
	pthread_t thread;
	uint32_t id;
	struct pkt_view *views; /* the same of all */
	struct match_counters *counters;
	uint64_t frames, undecided;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct match_verdict v[MATCH_BURST];
	struct match_notes notes = {0};

	qsbr_online(qsbr, w->id);
	for (uint64_t round = 0; !atomic_load_explicit(&stop, memory_order_relaxed); round++) {
		const struct pkt_view *views = w->views + round % BURSTS * MATCH_BURST;
		const struct match_image *image = match_slot_get(&slot);

		match_verdicts(
			image, views, MATCH_BURST, 0, 0, true, w->counters, round, v, &notes);
		w->frames += MATCH_BURST;
		for (uint32_t i = 0; i < MATCH_BURST; i++)
			w->undecided += v[i].index == MATCH_NONE || v[i].kind != MATCH_VERDICT_DROP;
		qsbr_quiescent(qsbr, w->id);
		/* Now and then it is away, as the idle are. */
		if (round % 64 == w->id) {
			const struct timespec some = {.tv_nsec = 50000};

			qsbr_offline(qsbr, w->id);
			/* lint: sleep: sleeping is what is tested */
			(void)nanosleep(&some, NULL);
			qsbr_online(qsbr, w->id);
		}
	}
	qsbr_offline(qsbr, w->id);
	return NULL;
}

/* The rules in force, and what makes the next ones. */
struct builder {
	struct world_rules pool;
	const struct match_rule *rules[POOL];
	uint32_t was[POOL];
	size_t n;
	bool broken; /* does not wait for workers */
	long updates, whole;
};

static struct match_image *
build_whole(struct builder *b)
{
	struct match_rule rules[POOL];
	struct match_image *image = NULL;

	for (size_t i = 0; i < b->n; i++)
		rules[i] = *b->rules[i];
	assert_int_equal(match_image_new(rules, b->n, MATCH_ENGINE_AUTO, &image, NULL), 0);
	b->whole++;
	return image;
}

static void
put(struct builder *b, struct match_image *image)
{
	if (b->broken)
		match_image_free(
			atomic_exchange_explicit(&slot.image, image, memory_order_acq_rel));
	else
		match_image_free(match_slot_put(&slot, image, qsbr));
	for (uint32_t i = 0; i < b->n; i++)
		b->was[i] = i;
}

/* Put in a rule or take one out; the last one stays. */
static void
change(struct builder *b)
{
	const size_t at = rng_below(&world_rng, (uint32_t)b->n - 1);
	const struct match_rule *rule = &b->pool.v[rng_below(&world_rng, POOL - 1)];

	if (b->n > 100 && (b->n + 1 >= POOL || world_percent(40))) {
		b->n--;
		memmove(&b->rules[at], &b->rules[at + 1], (b->n - at) * sizeof(b->rules[0]));
		memmove(&b->was[at], &b->was[at + 1], (b->n - at) * sizeof(b->was[0]));
		return;
	}
	memmove(&b->rules[at + 1], &b->rules[at], (b->n - at) * sizeof(b->rules[0]));
	memmove(&b->was[at + 1], &b->was[at], (b->n - at) * sizeof(b->was[0]));
	b->rules[at] = rule;
	b->was[at] = MATCH_NONE;
	b->n++;
}

static void
step(struct builder *b)
{
	struct match_image *now = match_slot_get(&slot), *next = NULL;
	int r;

	for (uint32_t i = 0; i < 8; i++)
		match_image_enable(
			now, rng_below(&world_rng, (uint32_t)b->n - 1), world_percent(50));
	for (uint32_t i = 0; i < 3; i++)
		change(b);
	r = match_image_update(now, b->rules, b->was, b->n, MATCH_ENGINE_AUTO, &next, NULL);
	if (r == -EXFULL) {
		next = build_whole(b);
	} else {
		assert_int_equal(r, 0);
		b->updates++;
	}
	put(b, next);
	/* What builds in the background do. */
	if (b->updates % 16 == 0)
		put(b, build_whole(b));
}

static struct pkt_view *
make_views(struct world_frame *frames)
{
	struct pkt_view *views = calloc((size_t)BURSTS * MATCH_BURST, sizeof(*views));

	for (size_t i = 0; i < (size_t)BURSTS * MATCH_BURST; i++) {
		frames[i] = world_frame_make();
		pkt_parse_ether(frames[i].data, frames[i].caplen, frames[i].wirelen, &views[i]);
	}
	return views;
}

static struct builder *
builder_new(bool broken)
{
	struct builder *b = calloc(1, sizeof(*b));
	struct match_rule *all;

	b->broken = broken;
	world_rules_make(&b->pool, POOL);
	for (b->n = 0; b->n < 120; b->n++)
		b->rules[b->n] = &b->pool.v[b->n];
	for (size_t i = 0; i < POOL; i++) {
		/* All drop, so that dropped frames can be counted. */
		b->pool.v[i].action = MATCH_DROP;
		b->pool.v[i].shadow = false;
	}
	all = &b->pool.v[POOL - 1];
	*all = (struct match_rule){
		.name = "all",
		.slot = all->slot,
		.action = MATCH_DROP,
		.enabled = true,
		.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
		.scope_only = true,
	};
	b->rules[b->n++] = all;
	return b;
}

static uint64_t
dropped(const struct match_counters *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < 256; i++)
		n += atomic_load_explicit(&c[i].dropped, memory_order_relaxed);
	return n;
}

static void
race(bool broken, double seconds)
{
	struct world_frame *frames = calloc((size_t)BURSTS * MATCH_BURST, sizeof(*frames));
	struct builder *b = builder_new(broken);
	struct pkt_view *views = make_views(frames);
	struct worker w[WORKERS];
	uint64_t total = 0, seen = 0;
	struct timespec start, now;
	double elapsed;

	atomic_store_explicit(&stop, false, memory_order_relaxed);
	assert_int_equal(qsbr_new(WORKERS, &qsbr), 0);
	put(b, build_whole(b));
	for (uint32_t i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){.id = i, .views = views};
		w[i].counters = mem_zalloc_aligned(64, 256 * sizeof(*w[i].counters));
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		step(b);
		/* Somebody reads counters meanwhile. */
		seen = dropped(w[0].counters);
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		elapsed = (double)(now.tv_sec - start.tv_sec) +
			(double)(now.tv_nsec - start.tv_nsec) / 1e9;
	} while (elapsed < seconds || b->updates < UPDATES_MIN);
	atomic_store_explicit(&stop, true, memory_order_relaxed);
	for (uint32_t i = 0; i < WORKERS; i++) {
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
		assert_int_equal(w[i].undecided, 0);
		assert_int_equal(dropped(w[i].counters), w[i].frames);
		total += w[i].frames;
		mem_free(w[i].counters);
	}
	assert_true(seen <= total);
	print_message("%ld updates and %ld whole builds under %llu frames\n", b->updates, b->whole,
		(unsigned long long)total);
	put(b, NULL);
	qsbr_free(qsbr);
	free(frames);
	free(views);
	world_rules_fini(&b->pool);
	free(b);
}

static void
images_change_under_workers(void **state)
{
	(void)state;
	race(false, getenv("SLUICE_LONG") != NULL ? 60 : 4);
}

static const char *self;

#if TSAN
/* In a process of its own, which ThreadSanitizer ends. */
static void
a_builder_that_does_not_wait_is_noticed(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		(void)setenv("TSAN_OPTIONS", "halt_on_error=1:exitcode=66", 1);
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		execl(self, self, "broken", (char *)NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 66);
}
#endif

static void
broken(void **state)
{
	(void)state;
	race(true, 5);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_change_under_workers),
#if TSAN
		cmocka_unit_test(a_builder_that_does_not_wait_is_noticed),
#endif
	};
	static const struct CMUnitTest bad[] = {
		cmocka_unit_test(broken),
	};
	int r;

	self = argv[0];
	world_seed();
	world_init();
	r = argc > 1 ? cmocka_run_group_tests(bad, NULL, NULL)
		     : cmocka_run_group_tests(tests, NULL, NULL);
	world_fini();
	return r;
}
