// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a frame costs in match_verdicts(), all in the cache: medians of rounds
 * taken in turn. Not a test: meson test --benchmark.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/build.h"
#include "pkt/view.h"
#include "world.h"

#define FRAMES 2048
#define BURST 32
#define ROUNDS 41

static uint8_t frames[FRAMES][128];
static struct pkt_view views[FRAMES];

/* DNS queries, @percent of them for a name below www.example.uk. */
static void
fill(uint32_t percent)
{
	static const uint8_t mac[6] = {2};

	for (size_t i = 0; i < FRAMES; i++) {
		char name[64];
		struct pkt_build b;
		size_t len;

		(void)snprintf(name, sizeof(name), "%llx.%s",
			(unsigned long long)rng_next(&world_rng) >> 24,
			world_percent(percent) ? "www.example.uk" : "example.uk");
		pkt_build_init(&b, frames[i], sizeof(frames[i]));
		pkt_build_ether(&b, mac, mac);
		pkt_build_ip4(&b,
			&(struct pkt_ip4){.src = (uint32_t)rng_next(&world_rng),
				.dst = 0x0a000001 + rng_below(&world_rng, 1000),
				.ttl = 64});
		pkt_build_udp(&b, 1024, 53);
		pkt_build_dns_query(&b, 1, name, 1, false);
		len = pkt_build_done(&b);
		pkt_parse_ether(frames[i], (uint32_t)len, (uint32_t)len, &views[i]);
	}
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static double
once(const struct match_image *image, struct match_counters *counters)
{
	struct match_verdict v[BURST];
	struct match_notes notes = {0};
	const double start = now_ns();

	for (size_t i = 0; i < FRAMES; i += BURST)
		match_verdicts(image, views + i, BURST, 0, 0, true, counters, 1, v, &notes);
	return (now_ns() - start) / FRAMES;
}

static int
order(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct setup {
	const char *what;
	size_t n;
	bool program, prefixes;
	enum match_engine engine;
	struct match_image *image;
	double ns[ROUNDS];
};

static struct match_image *
image_for(const struct setup *s, struct cbpf_prog *hit, struct cbpf_prog *miss)
{
	static const struct u16_range udp = {17, 17}, dns = {53, 53};
	static struct ip_prefix prefixes[100000];
	struct match_rule *rules = calloc(s->n, sizeof(*rules));
	struct match_image *image = NULL;

	for (size_t i = 0; i < DIM(prefixes); i++)
		prefixes[i] = (struct ip_prefix){
			.addr = {4, {11, (uint8_t)(i >> 15), (uint8_t)(i >> 7), (uint8_t)(i << 1)}},
			.len = 32};
	for (size_t i = 0; i < s->n; i++) {
		rules[i] = (struct match_rule){
			.name = "r",
			.slot = (uint32_t)i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.scope_only = !s->program,
			.prog = {i + 1 == s->n ? hit : miss, NULL},
			.generated = true,
		};
		rules[i].scope.proto = (struct match_ranges){&udp, 1};
		rules[i].scope.dport = (struct match_ranges){&dns, 1};
		if (s->prefixes)
			rules[i].scope.dst =
				(struct match_prefixes){false, prefixes, DIM(prefixes)};
	}
	if (match_image_new(rules, s->n, s->engine, &image, NULL) != 0)
		exit(1);
	free(rules);
	return image;
}

int
main(void)
{
	struct setup setups[] = {
		{"no rule", 0, false, false, MATCH_ENGINE_AUTO, NULL, {0}},
		{"1 scope, udp dport 53", 1, false, false, MATCH_ENGINE_AUTO, NULL, {0}},
		{"1 scope, 100,000 prefixes", 1, false, true, MATCH_ENGINE_AUTO, NULL, {0}},
		{"1 dns rule, auto", 1, true, false, MATCH_ENGINE_AUTO, NULL, {0}},
		{"1 dns rule, interpreter", 1, true, false, MATCH_ENGINE_INTERP, NULL, {0}},
		{"10 dns rules, last hits", 10, true, false, MATCH_ENGINE_AUTO, NULL, {0}},
		{"100 dns rules, last hits", 100, true, false, MATCH_ENGINE_AUTO, NULL, {0}},
	};
	struct match_counters *counters = mem_zalloc_aligned(64, 1000 * sizeof(*counters));
	struct cbpf_prog *hit = world_prog("dns *.www.example.uk", 12, 4);
	struct cbpf_prog *miss = world_prog("dns *.www.example.com", 12, 4);

	world_seed();
	for (uint32_t percent = 97; percent <= 97; percent += 50) {
		fill(percent);
		for (size_t i = 0; i < DIM(setups); i++)
			setups[i].image = image_for(&setups[i], hit, miss);
		for (int r = 0; r < ROUNDS; r++)
			for (size_t i = 0; i < DIM(setups); i++) {
				/* The first time brings code and tables into the cache. */
				for (int k = 0; k < 3; k++)
					setups[i].ns[r] = once(setups[i].image, counters);
			}
		for (size_t i = 0; i < DIM(setups); i++) {
			qsort(setups[i].ns, ROUNDS, sizeof(double), order);
			printf("%-28s %3u %% hit: %7.2f ns a frame (best %.2f)\n", setups[i].what,
				percent, setups[i].ns[ROUNDS / 2], setups[i].ns[0]);
			match_image_free(setups[i].image);
		}
	}
	cbpf_prog_free(hit);
	cbpf_prog_free(miss);
	mem_free(counters);
	return 0;
}
