// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a frame costs in match_verdicts() with many rules, compiled together and
 * one by one, all in the cache. Not a test: meson test --benchmark, or by hand
 * bench_rules [FAMILY [SIZE [merged]]].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "image_impl.h"
#include "match/verdict.h"
#include "pkt/build.h"
#include "pkt/view.h"
#include "world.h"

#define FRAMES 4096
#define BURST 32
#define ROUNDS 15
#define RULES_MAX 10000

static uint8_t frames[FRAMES][160];
static struct pkt_view views[FRAMES];

/* ---- families: rule number i, and a frame that it matches ---- */

struct family {
	const char *name;
	void (*rule)(uint32_t i, char *text, size_t size);
	void (*frame)(uint32_t i, struct pkt_build *b);
	uint16_t proto, dport;
	bool generated;
};

static const uint8_t mac[6] = {2};

static uint32_t
scramble(uint32_t i)
{
	struct rng r = {i};

	return (uint32_t)rng_next(&r);
}

static void
ip_udp(struct pkt_build *b, uint32_t dst)
{
	pkt_build_ether(b, mac, mac);
	pkt_build_ip4(
		b, &(struct pkt_ip4){.src = (uint32_t)rng_next(&world_rng), .dst = dst, .ttl = 64});
	pkt_build_udp(b, 1024, 53);
}

static const char *
name_of(uint32_t i, char *buf, size_t size)
{
	static const char *const tlds[] = {"com", "net", "org", "de", "co.uk", "example"};
	char label[32];
	uint32_t v = scramble(i), n = 0, len = 3 + v % 13;

	for (uint32_t x = scramble(v ^ 0x55); n < len; x = scramble(x))
		label[n++] = (char)('a' + x % 26);
	label[n] = '\0';
	/* The number makes names different. */
	(void)snprintf(buf, size, "%s%x.%s", label, i, tlds[v / 16 % DIM(tlds)]);
	return buf;
}

static void
exact_rule(uint32_t i, char *text, size_t size)
{
	char name[64];

	(void)snprintf(text, size, "dns %s", name_of(i, name, sizeof(name)));
}

static void
exact_frame(uint32_t i, struct pkt_build *b)
{
	char name[64];

	ip_udp(b, 0x0a000001);
	pkt_build_dns_query(b, 1, name_of(i, name, sizeof(name)), 1, false);
}

static void
wild_rule(uint32_t i, char *text, size_t size)
{
	char name[64];

	(void)snprintf(text, size, "dns *.%s", name_of(i, name, sizeof(name)));
}

static void
icase_rule(uint32_t i, char *text, size_t size)
{
	char name[64];

	(void)snprintf(text, size, "dns -i *.%s", name_of(i, name, sizeof(name)));
}

static void
wild_frame(uint32_t i, struct pkt_build *b)
{
	char name[64], whole[96];

	ip_udp(b, 0x0a000001);
	(void)snprintf(whole, sizeof(whole), "%llx.%s",
		(unsigned long long)rng_next(&world_rng) >> (24 + rng_below(&world_rng, 24)),
		name_of(i, name, sizeof(name)));
	pkt_build_dns_query(b, 1, whole, 1, false);
}

static void
suffix_rule(uint32_t i, char *text, size_t size)
{
	(void)snprintf(text, size, "suffix %08x%08x", scramble(i), i);
}

static void
suffix_frame(uint32_t i, struct pkt_build *b)
{
	uint8_t tail[20] = {0};

	ip_udp(b, 0x0a000001);
	store_be32(tail + 12, scramble(i));
	store_be32(tail + 16, i);
	pkt_build_bytes(b, tail, sizeof(tail));
}

static void
host_rule(uint32_t i, char *text, size_t size)
{
	const uint32_t a = 0x0b000000 + (scramble(i) & 0xffff0000) + i;

	(void)snprintf(text, size, "dst host %u.%u.%u.%u and udp port 53", a >> 24, a >> 16 & 255,
		a >> 8 & 255, a & 255);
}

static void
host_frame(uint32_t i, struct pkt_build *b)
{
	ip_udp(b, 0x0b000000 + (scramble(i) & 0xffff0000) + i);
	pkt_build_bytes(b, "payload", 7);
}

static void
p0f_rule(uint32_t i, char *text, size_t size)
{
	const uint32_t v = scramble(i);

	(void)snprintf(text, size, "p0f 4:%u:0:%u:%u,%u:mss,sok,ts,nop,ws:df,id+:0",
		64 + 64 * (v & 1), 500 + i % 1000, 1000 + (v >> 8) % 60000, i / 1000);
}

static void
p0f_frame(uint32_t i, struct pkt_build *b)
{
	const uint32_t v = scramble(i), mss = 500 + i % 1000;
	const uint8_t options[20] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 4, 2, 8, 10, 0, 0, 0,
		1, 0, 0, 0, 0, 1, 3, 3, (uint8_t)(i / 1000)};

	pkt_build_ether(b, mac, mac);
	pkt_build_ip4(b,
		&(struct pkt_ip4){.src = (uint32_t)rng_next(&world_rng),
			.dst = 1,
			.ttl = (uint8_t)(60 + 64 * (v & 1)),
			.id = 77,
			.frag = 0x4000});
	pkt_build_tcp(b,
		&(struct pkt_tcp){.sport = 1000,
			.dport = 80,
			.seq = 5,
			.flags = 2,
			.window = (uint16_t)(1000 + (v >> 8) % 60000),
			.options = options,
			.n_options = sizeof(options)});
}

static const struct family families[] = {
	{"dns-exact", exact_rule, exact_frame, 17, 53, true},
	{"dns-wildcard", wild_rule, wild_frame, 17, 53, true},
	{"dns-ignorecase", icase_rule, wild_frame, 17, 53, true},
	{"suffix", suffix_rule, suffix_frame, 0, 0, true},
	{"host", host_rule, host_frame, 0, 0, false},
	{"p0f", p0f_rule, p0f_frame, 6, 0, true},
};

/* ---- measuring ---- */

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

enum traffic { TRAFFIC_FLOOD, TRAFFIC_UNIFORM, TRAFFIC_MISS };

static void
fill(const struct family *f, uint32_t n, enum traffic traffic)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		const uint32_t hit = traffic == TRAFFIC_FLOOD ? n - 1 : rng_below(&world_rng, n);
		const bool miss = traffic == TRAFFIC_MISS || world_percent(3);
		struct pkt_build b;
		size_t len;

		pkt_build_init(&b, frames[i], sizeof(frames[i]));
		f->frame(miss ? RULES_MAX + rng_below(&world_rng, 1000000) : hit, &b);
		len = pkt_build_done(&b);
		if (len == 0)
			exit(1);
		pkt_parse_ether(frames[i], (uint32_t)len, (uint32_t)len, &views[i]);
	}
}

static uint64_t dropped;

static double
once(const struct match_image *image, struct match_counters *counters)
{
	struct match_verdict v[BURST];
	struct match_notes notes = {0};
	const double start = now_ns();

	for (size_t i = 0; i < FRAMES; i += BURST) {
		match_verdicts(image, views + i, BURST, 0, 0, true, counters, 1, v, &notes);
		dropped += v[0].kind == MATCH_VERDICT_DROP;
	}
	return (now_ns() - start) / FRAMES;
}

static int
order(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct cbpf_prog *progs[RULES_MAX];
static struct match_rule rules[RULES_MAX];

static void
make_rules(const struct family *f, uint32_t n)
{
	static struct u16_range proto, dport;
	char text[256];

	proto = (struct u16_range){f->proto, f->proto};
	dport = (struct u16_range){f->dport, f->dport};
	for (uint32_t i = 0; i < n; i++) {
		f->rule(i, text, sizeof(text));
		progs[i] = world_prog(text, 12, 4);
		rules[i] = (struct match_rule){
			.name = "r",
			.slot = i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.src.any = true, .dst.any = true, .ports = UINT64_MAX},
			.prog = {progs[i], f->generated ? NULL : progs[i]},
			.generated = f->generated,
		};
		if (f->proto != 0)
			rules[i].scope.proto = (struct match_ranges){&proto, 1};
		if (f->dport != 0)
			rules[i].scope.dport = (struct match_ranges){&dport, 1};
	}
}

/* The best of some rounds: the machine is seldom ours alone. */
static double
best_of(const struct match_image *image, struct match_counters *counters, int rounds)
{
	double ns[ROUNDS];

	for (int r = 0; r < rounds; r++)
		for (int k = 0; k < 3; k++)
			ns[r] = once(image, counters);
	qsort(ns, (size_t)rounds, sizeof(*ns), order);
	return ns[0];
}

static void
measure(const struct family *f, uint32_t n, struct match_counters *counters, bool merged_only)
{
	static const struct match_options never = {.merge = MATCH_MERGE_NEVER};
	struct match_image *merged = NULL, *single = NULL;
	double start, built, ns[3], seq = 0;

	make_rules(f, n);
	if (match_image_new_with(rules, n, MATCH_ENGINE_AUTO, &never, &single, NULL) != 0)
		exit(1);
	start = now_ns();
	if (match_image_new(rules, n, MATCH_ENGINE_AUTO, &merged, NULL) != 0)
		exit(1);
	built = now_ns() - start;
	for (int t = 0; t < 3; t++) {
		fill(f, n, (enum traffic)t);
		ns[t] = best_of(merged, counters, ROUNDS);
	}
	if (!merged_only)
		seq = best_of(single, counters, n > 1000 ? 1 : 5);
	printf("%-15s %6u %4u tables %4u residual %6zu KiB build %8.1f ms | flood %6.1f uniform %6.1f "
	       "miss %6.1f | one by one, miss %8.1f\n",
		f->name, n, merged->index ? merged->index->n_tables : 0,
		merged->index ? merged->index->n_residual : n,
		merged->index ? merged->index->bytes / 1024 : 0, built / 1e6, ns[0], ns[1], ns[2],
		seq);
	fflush(stdout);
	match_image_free(merged);
	match_image_free(single);
	for (uint32_t i = 0; i < n; i++)
		cbpf_prog_free(progs[i]);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1, 2, 3, 5, 10, 100, 1000, 10000};
	struct match_counters *counters = mem_zalloc_aligned(64, RULES_MAX * sizeof(*counters));

	world_seed();
	for (size_t f = 0; f < DIM(families); f++) {
		if (argc > 1 && strcmp(argv[1], families[f].name) != 0 &&
			strcmp(argv[1], "all") != 0)
			continue;
		for (size_t s = 0; s < DIM(sizes); s++)
			if (argc < 3 || atoi(argv[2]) == (int)sizes[s])
				measure(&families[f], sizes[s], counters, argc > 3);
	}
	mem_free(counters);
	return dropped == 0;
}
