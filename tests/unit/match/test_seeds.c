// SPDX-License-Identifier: BSD-3-Clause
/*
 * Somebody who knows the rules, this program and the seeds of an image that was in
 * force before: frames that collide there do not collide in the next image, and no
 * change of a frame keeps its tag more often than by luck, whatever the seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "judge.h"

#define RULES 200
#define DRAWN 2000000 /* keys, of which some collide with a known seed */
#define SEEDS 3000
#define TAGS 256 /* that there are */

/* Tables of two images of the same rules that have a seed word in common. */
static uint32_t
shared_seeds(struct rng *rng)
{
	uint32_t shared = 0, tables = 0;

	for (int k = 0; k < FAMILY_KINDS; k++) {
		struct match_image *a, *b;
		const struct match_rule *rules;
		struct family *f = NULL;
		struct diag diag = {0};
		size_t n;

		if (family_new((enum family_kind)k, RULES, rng_next(rng), &f, &diag) < 0)
			abort();
		rules = family_rules(f, &n);
		a = judge_image(rules, n, &judge_ways[0]);
		b = judge_image(rules, n, &judge_ways[0]);
		for (uint32_t t = 0; a->index != NULL && t < a->index->n_tables; t++, tables++)
			for (uint32_t u = 0; u < b->index->n_tables; u++)
				for (size_t i = 0; i < DIM(a->index->tables[t].seed); i++)
					shared += a->index->tables[t].seed[i] ==
						b->index->tables[u].seed[i];
		match_image_free(a);
		match_image_free(b);
		family_free(f);
	}
	printf("# %u tables twice, %u words of their seeds are the same\n", tables, shared);
	return tables < 5 ? UINT32_MAX : shared;
}

struct key {
	uint64_t w[HASH_DATA_WORDS];
};

static struct key
random_key(struct rng *rng, uint32_t words)
{
	struct key k = {{0}};

	for (uint32_t i = 0; i < words; i++)
		k.w[i] = rng_next(rng);
	return k;
}

static void
random_seed(struct rng *rng, uint64_t seed[HASH_DATA_WORDS + 1])
{
	for (int i = 0; i <= HASH_DATA_WORDS; i++)
		seed[i] = rng_next(rng);
}

/* Keys of @words words that share a tag with one seed; how many still do, at most, with others. */
static bool
collisions_are_gone(struct rng *rng, uint32_t words, bool has_key)
{
	struct key *kept = calloc(DRAWN / 1000, sizeof(*kept));
	uint32_t n = 0, most = 0;
	uint64_t seed[HASH_DATA_WORDS + 1];

	if (kept == NULL)
		abort();
	random_seed(rng, seed);
	for (uint32_t i = 0; i < DRAWN && n < DRAWN / 1000; i++) {
		const struct key k = random_key(rng, words);

		if (hash_tag(hash_words(seed, k.w, words, 0, has_key)) == 0x5b)
			kept[n++] = k;
	}
	for (int s = 0; s < 50; s++) {
		uint16_t tags[TAGS] = {0};

		random_seed(rng, seed);
		for (uint32_t i = 0; i < n; i++) {
			const uint16_t tag =
				hash_tag(hash_words(seed, kept[i].w, words, 0, has_key));

			tags[tag]++;
			most = MAX(most, tags[tag]);
		}
	}
	printf("# %u words, key %d: %u keys collide with a known seed, with others %u at most\n",
		words, has_key, n, most);
	free(kept);
	return n >= 1000 && most <= 3 * (n / TAGS + 4);
}

/* How often, at most, a change of one or two bits keeps the tag, of SEEDS seeds. */
static bool
changes_show(struct rng *rng, uint32_t words, bool has_key)
{
	uint32_t most = 0;

	for (uint32_t change = 0; change < 192; change++) {
		const struct key k = random_key(rng, words);
		struct key other = k;
		uint32_t same = 0;

		other.w[rng_below(rng, words)] ^= UINT64_C(1) << change % 64;
		if (change >= 64)
			other.w[rng_below(rng, words)] ^= UINT64_C(1) << rng_below(rng, 64);
		if (memcmp(&k, &other, sizeof(k)) == 0)
			continue;
		for (uint32_t s = 0; s < SEEDS; s++) {
			uint64_t seed[HASH_DATA_WORDS + 1];

			random_seed(rng, seed);
			same += hash_tag(hash_words(seed, k.w, words, 0, has_key)) ==
				hash_tag(hash_words(seed, other.w, words, 0, has_key));
		}
		most = MAX(most, same);
	}
	printf("# %u words, key %d: a change keeps the tag with %u of %d seeds, at most\n", words,
		has_key, most, SEEDS);
	return most <= SEEDS / 85;
}

int
main(void)
{
	static const struct {
		uint32_t words;
		bool has_key;
	} forms[] = {{1, false}, {1, true}, {2, false}, {2, true}, {3, true}};
	const char *text = getenv("SLUICE_SEED");
	struct rng rng = {text != NULL ? strtoull(text, NULL, 0) : 11};
	bool gone = true, show = true, own;

	printf("SLUICE_SEED=%llu\n1..3\n", (unsigned long long)rng.state);
	own = shared_seeds(&rng) == 0;
	printf("%s 1 - every table has seeds of its own\n", own ? "ok" : "not ok");
	for (size_t i = 0; i < DIM(forms); i++) {
		gone &= collisions_are_gone(&rng, forms[i].words, forms[i].has_key);
		show &= changes_show(&rng, forms[i].words, forms[i].has_key);
	}
	printf("%s 2 - what collided before does not collide again\n", gone ? "ok" : "not ok");
	printf("%s 3 - no change of a frame keeps its tag\n", show ? "ok" : "not ok");
	return own && gone && show ? 0 : 1;
}
