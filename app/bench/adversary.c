// SPDX-License-Identifier: BSD-3-Clause
#include "adversary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/util.h"
#include "family.h"
#include "match/image.h"
#include "pkt/view.h"

#define POOL 16384 /* frames that are tried */
#define KEEP 2048 /* the worst of them */
#define BURST 32
#define TRIES 3 /* of each, the fastest counts: others use this machine, too */
#define SEARCH_NS 1000000000u /* for all, about; the slowest rulesets show fewer */
#define MIX_BURSTS 64
#define MIX_TRIES 5

struct candidate {
	uint8_t *bytes; /* of the arena */
	uint32_t len;
	uint8_t aim;
	double ns;
};

enum aim { AIM_WORST, AIM_NEAR, AIM_HIT, AIM_MISS, AIMS };

/* What is sent: of each hundred, so many from the worst found, and of each aim. */
static const struct mix {
	const char *name;
	uint32_t worst, of[AIMS];
} mixes[] = {
	{"the slowest frames found", 100, {0}},
	{"the slowest frames and hits", 50, {[AIM_HIT] = 50}},
	{"the slowest frames and misses", 50, {[AIM_MISS] = 50}},
	{"made to be slow", 0, {[AIM_WORST] = 100}},
	{"near misses", 0, {[AIM_NEAR] = 100}},
	{"hits", 0, {[AIM_HIT] = 100}},
	{"of all kinds", 25, {[AIM_WORST] = 25, [AIM_NEAR] = 25, [AIM_HIT] = 25}},
};

struct adversary {
	struct arena arena;
	struct candidate *pool; /* the slowest first; @tried of them have a time */
	uint32_t n, tried;
	uint32_t *by_aim[AIMS], n_aim[AIMS];
	const struct mix *mix;
	double ns;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
make_pool(struct adversary *a, struct family *f, struct rng *rng)
{
	size_t n_rules;

	(void)family_rules(f, &n_rules);
	a->pool = mem_calloc(POOL, sizeof(*a->pool));
	for (int k = 0; k < AIMS; k++)
		if ((a->by_aim[k] = mem_calloc(POOL, sizeof(*a->by_aim[k]))) == NULL)
			return -ENOMEM;
	for (; a->pool != NULL && a->n < POOL; a->n++) {
		struct candidate *c = &a->pool[a->n];
		uint8_t buf[FAMILY_FRAME_MAX];
		/* All rules have their turn, as far as the pool goes. */
		const size_t rule =
			n_rules > POOL ? rng_below(rng, (uint32_t)n_rules) : a->n / AIMS % n_rules;

		c->aim = (uint8_t)(a->n % AIMS);
		switch ((enum aim)c->aim) {
		case AIM_NEAR: c->len = (uint32_t)family_near(f, rule, rng, buf); break;
		case AIM_HIT: c->len = (uint32_t)family_hit(f, rule, rng, buf); break;
		case AIM_WORST:
			c->len = (uint32_t)family_frame(f, FAMILY_ADVERSARIAL, rng, buf);
			break;
		case AIM_MISS:
		case AIMS: c->len = (uint32_t)family_frame(f, FAMILY_MISS, rng, buf); break;
		}
		c->bytes = arena_zalloc(&a->arena, c->len);
		if (c->bytes == NULL)
			return -ENOMEM;
		memcpy(c->bytes, buf, c->len);
	}
	return a->pool == NULL ? -ENOMEM : 0;
}

/* What a burst of @views takes, the fastest of @tries. */
static double
time_burst(const struct match_image *image, const struct pkt_view *views, int tries)
{
	static const uint32_t from[BURST];
	uint8_t which[BURST];
	uint32_t ret[BURST];
	uint64_t best = UINT64_MAX;

	for (uint32_t i = 0; i < BURST; i++)
		which[i] = (uint8_t)i;
	for (int k = 0; k < tries; k++) {
		const uint64_t start = now_ns();

		match_image_first(image, views, which, BURST, 0, from, ret);
		best = MIN(best, now_ns() - start);
	}
	return (double)best / BURST;
}

static void
view_of(const struct candidate *c, struct pkt_view *ret)
{
	pkt_parse_ether(c->bytes, c->len, c->len, ret);
}

static int
by_ns(const void *x, const void *y)
{
	const double a = ((const struct candidate *)x)->ns, b = ((const struct candidate *)y)->ns;

	return (a < b) - (a > b);
}

/* Time each candidate, until time is up, and put the slowest first. */
static void
try_each(struct adversary *a, const struct match_image *image)
{
	const uint64_t end = now_ns() + SEARCH_NS;

	for (uint32_t i = 0; i < a->n; i++, a->tried++) {
		struct pkt_view views[BURST];

		if (i % 64 == 0 && now_ns() > end)
			break;
		view_of(&a->pool[i], &views[0]);
		for (uint32_t k = 1; k < BURST; k++)
			views[k] = views[0];
		/* Once for the caches. */
		(void)time_burst(image, views, 1);
		a->pool[i].ns = time_burst(image, views, TRIES);
	}
	qsort(a->pool, a->n, sizeof(*a->pool), by_ns);
	for (uint32_t i = 0; i < a->n; i++) {
		const uint8_t aim = a->pool[i].aim;

		a->by_aim[aim][a->n_aim[aim]++] = i;
	}
}

static const struct candidate *
draw(const struct adversary *a, const struct mix *mix, struct rng *rng)
{
	uint32_t dice = rng_below(rng, 100);

	if (dice < mix->worst)
		return &a->pool[rng_below(rng, MIN((uint32_t)KEEP, MAX(1, a->tried / 8)))];
	dice -= mix->worst;
	for (int k = 0; k < AIMS; k++) {
		if (dice < mix->of[k])
			return &a->pool[a->by_aim[k][rng_below(rng, a->n_aim[k])]];
		dice -= mix->of[k];
	}
	return &a->pool[rng_below(rng, a->n)];
}

/* A frame of @mix costs that much on average, in caches that have seen others since. */
static double
try_mix(struct adversary *a, const struct match_image *image, const struct mix *mix,
	struct rng *rng)
{
	static struct pkt_view views[MIX_BURSTS][BURST];
	double best = 0;

	for (uint32_t i = 0; i < MIX_BURSTS * BURST; i++)
		view_of(draw(a, mix, rng), &views[i / BURST][i % BURST]);
	for (int k = 0; k < MIX_TRIES; k++) {
		double sum = 0;

		for (uint32_t i = 0; i < MIX_BURSTS; i++)
			sum += time_burst(image, views[i], 1);
		if (k == 0 || sum < best)
			best = sum;
	}
	return best / MIX_BURSTS;
}

int
adversary_new(struct family *f, uint64_t seed, struct adversary **ret_adversary)
{
	struct adversary *a = mem_zalloc(sizeof(*a));
	struct match_image *image = NULL;
	struct rng rng = {seed};
	const struct match_rule *rules;
	size_t n;
	int r;

	if (a == NULL)
		return -ENOMEM;
	rules = family_rules(f, &n);
	r = make_pool(a, f, &rng);
	if (r == 0)
		r = match_image_new(rules, n, MATCH_ENGINE_AUTO, &image, NULL);
	if (r < 0)
		goto out;
	try_each(a, image);
	for (size_t i = 0; i < DIM(mixes); i++) {
		const double ns = try_mix(a, image, &mixes[i], &rng);

		if (a->mix == NULL || ns > a->ns) {
			a->mix = &mixes[i];
			a->ns = ns;
		}
	}
	*ret_adversary = a;
	a = NULL;
out:
	match_image_free(image);
	adversary_free(a);
	return r;
}

void
adversary_free(struct adversary *a)
{
	if (a == NULL)
		return;
	for (int k = 0; k < AIMS; k++)
		mem_free(a->by_aim[k]);
	mem_free(a->pool);
	arena_fini(&a->arena);
	mem_free(a);
}

size_t
adversary_frame(const struct adversary *a, struct rng *rng, uint8_t *buf)
{
	const struct candidate *c = draw(a, a->mix, rng);

	memcpy(buf, c->bytes, c->len);
	return c->len;
}

const char *
adversary_choice(const struct adversary *a, double *ret_ns)
{
	*ret_ns = a->ns;
	return a->mix->name;
}
