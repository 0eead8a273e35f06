// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every allocation of a build fails once, for rulesets of every family and every
 * kernel: there is no image then, a sentence says why, nothing is left behind (the
 * sanitizers' build looks), and the image that is in force answers as before.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "judge.h"

#define RULES 12

struct asked {
	struct judge_burst burst;
	uint32_t first[MATCH_BURST];
};

static void
ask(const struct match_image *image, const struct asked *a, uint32_t *ret)
{
	static const uint32_t from[MATCH_BURST];
	uint8_t which[MATCH_BURST];

	for (uint32_t i = 0; i < MATCH_BURST; i++)
		which[i] = (uint8_t)i;
	match_image_first(image, a->burst.views, which, a->burst.n, 0, from, ret);
}

static void
frames(struct family *f, struct rng *rng, struct asked *a)
{
	uint8_t buf[FAMILY_FRAME_MAX];
	enum judge_aim aim;

	judge_begin(&a->burst);
	while (a->burst.n < MATCH_BURST) {
		const size_t len = judge_frame(f, a->burst.n % RULES, rng, buf, &aim);

		judge_add(&a->burst, buf, len, len);
	}
}

/* How many allocations a build takes; 0 after a line where one that failed did harm. */
static long
fail_each(const struct match_rule *rules, const struct judge_way *way,
	const struct match_image *old, const struct asked *asked)
{
	struct match_image *image = NULL;
	uint32_t now[MATCH_BURST];
	long n = 0;

	for (;; n++) {
		struct diag diag = {0};
		int r;

		(void)mem_fault_set(n);
		r = match_image_new_with(rules, RULES, way->engine, &way->options, &image, &diag);
		(void)mem_fault_set(-1);
		ask(old, asked, now);
		if (memcmp(now, asked->first, sizeof(now)) != 0) {
			printf("# allocation %ld: the old image has changed\n", n);
			return 0;
		}
		if (r == 0)
			break;
		if (r != -ENOMEM || image != NULL || diag.msg[0] == '\0') {
			printf("# allocation %ld: %d, '%s'\n", n, r, diag.msg);
			return 0;
		}
	}
	ask(image, asked, now);
	match_image_free(image);
	if (memcmp(now, asked->first, sizeof(now)) != 0) {
		printf("# the new image differs from the old one\n");
		return 0;
	}
	return n;
}

int
main(void)
{
	const char *seed = getenv("SLUICE_SEED");
	struct rng rng = {seed != NULL ? strtoull(seed, NULL, 0) : 7};
	int failed = 0;

	printf("SLUICE_SEED=%llu\n1..%d\n", (unsigned long long)rng.state, FAMILY_KINDS);
	for (int k = 0; k < FAMILY_KINDS; k++) {
		struct match_rule *rules;
		struct match_image *old;
		struct family *f = NULL;
		struct diag diag = {0};
		struct asked asked;
		long all = 0;
		bool ok = true;

		if (family_new((enum family_kind)k, RULES, rng_next(&rng), &f, &diag) < 0)
			abort();
		rules = judge_rules(f, &rng);
		frames(f, &rng, &asked);
		old = judge_image(rules, RULES, &judge_ways[0]);
		ask(old, &asked, asked.first);
		for (size_t w = 0; w < JUDGE_WAYS && ok; w++) {
			long n;

			if (!judge_way_is_new(w))
				continue;
			n = fail_each(rules, &judge_ways[w], old, &asked);
			/* One by one there is little to allocate. */
			ok = n > 3;
			all += n;
		}
		printf("%s %d - %s: %ld allocations\n", ok ? "ok" : "not ok", k + 1,
			family_name((enum family_kind)k), all);
		failed += !ok;
		match_image_free(old);
		free(rules);
		family_free(f);
	}
	return failed != 0;
}
