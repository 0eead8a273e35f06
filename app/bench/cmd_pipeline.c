// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the data plane's own loop adds to receiving and freeing: rx, sample,
 * match, count, free on frames that net_pcap repeats from memory, beside bare rx
 * and free on the same device, in turns, in one process.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "bench.h"
#include "cbpf/prog.h"
#include "dp/dp.h"
#include "dp/eal.h"
#include "gen/gen.h"
#include "match/image.h"
#include "match/rule.h"
#include "pkt/savefile.h"
#include "sample/sink.h"
#include "traffic.h"

#define HELP "Time rx, sample, match, count and free beside bare rx and free."

#define FRAMES 1024 /* net_pcap holds them all in memory */
#define SAMPLE_ONE_IN 1000
/* Of 64 frames: 2 ms. So both sides of a turn see the same of whatever else runs. */
#define TURN_BURSTS 1000
#define TURNS_MAX 65536
#define RULES_MAX 10000

struct opts {
	uint64_t seconds, rules;
	bool json, no_huge;
};

struct pipeline {
	const struct opts *o;
	char dir[32], file[64], device[128];
	struct cbpf_prog **progs; /* two a rule */
	struct match_rule *rules;
	struct dp *dp;
	struct match_image *image;
	struct dp_port_info info;
	/* ns a frame, one a turn */
	double bare[TURNS_MAX], whole[TURNS_MAX], added[TURNS_MAX];
	size_t turns;
	uint64_t frames; /* through the whole loop */
	struct dp_port_stats stats;
};

/* A savefile that is one flood: every frame matches the last rule. */
static int
write_flood(struct pipeline *p)
{
	struct rng rng = {20260101};
	struct traffic_conf conf;
	struct pkt_writer *w = NULL;
	struct diag diag = {0};
	int r;

	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/sluice-bench-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return bench_fail("cannot make a directory in /tmp: %s", strerror(errno));
	(void)snprintf(p->file, sizeof(p->file), "%s/flood.pcap", p->dir);
	(void)snprintf(p->device, sizeof(p->device), "net_pcap0,rx_pcap=%s,infinite_rx=1", p->file);
	r = pkt_writer_open(p->file, 1, 65535, &w, &diag);
	if (r < 0)
		return bench_fail("%s", diag.msg);
	traffic_defaults(&conf);
	conf.random_sources = true;
	for (size_t i = 0; i < FRAMES && r == 0; i++) {
		uint8_t buf[TRAFFIC_FRAME_MAX];
		struct pkt_frame f = {.data = buf, .time_ns = i};

		f.caplen = f.wirelen = (uint32_t)traffic_frame(&conf, &rng, buf);
		r = pkt_writer_put(w, &f);
	}
	if (pkt_writer_close(w) < 0 || r < 0)
		return bench_fail("cannot write '%s'", p->file);
	return BENCH_OK;
}

static int
make_prog(const char *name, uint8_t family, struct cbpf_prog **ret)
{
	const struct gen_opts opts = {.family = family};
	struct gen_out out = {0};
	struct diag diag = {0};
	int r = gen_run("dns", &opts, 1, &name, &out, &diag);

	if (r == 0)
		r = cbpf_prog_new(out.insns, out.n, ret, &diag);
	gen_out_fini(&out);
	return r < 0 ? bench_fail("%s: %s", name, diag.msg) : BENCH_OK;
}

/* Rules of which the last matches the flood. */
static int
make_image(struct pipeline *p)
{
	static const struct u16_range udp = {17, 17}, dns = {53, 53};
	struct diag diag = {0};
	size_t n = p->o->rules;

	p->progs = mem_calloc(2 * n, sizeof(*p->progs));
	p->rules = mem_calloc(n, sizeof(*p->rules));
	if (p->progs == NULL || p->rules == NULL)
		return bench_fail("out of memory");
	for (size_t i = 0; i < n; i++) {
		char name[64];

		if (i == n - 1)
			(void)snprintf(name, sizeof(name), "*.www.example.uk");
		else
			(void)snprintf(name, sizeof(name), "*.w%zu.example.uk", i);
		if (make_prog(name, 4, &p->progs[2 * i]) != BENCH_OK ||
			make_prog(name, 6, &p->progs[2 * i + 1]) != BENCH_OK)
			return BENCH_FAILED;
		p->rules[i] = (struct match_rule){
			.name = "bench",
			.slot = (uint32_t)i,
			.action = MATCH_DROP,
			.enabled = true,
			.scope = {.proto = {&udp, 1},
				.dport = {&dns, 1},
				.src = {.any = true},
				.dst = {.any = true},
				.ports = UINT64_MAX},
			.link = MATCH_LINK_RAW,
			.prog = {p->progs[2 * i], p->progs[2 * i + 1]},
			.generated = true,
		};
	}
	if (match_image_new(p->rules, n, MATCH_ENGINE_AUTO, &p->image, &diag) < 0)
		return bench_fail("%s", diag.msg);
	return BENCH_OK;
}

static int
make_dp(struct pipeline *p)
{
	const char *devices[] = {p->device};
	uint16_t cpu;
	const struct dp_eal_conf eal = {
		.hugepages = p->o->no_huge ? DP_HUGE_NO : DP_HUGE_YES,
		.main_cpu = DP_CPU_ANY,
		.cpus = &cpu,
		.n_cpus = 1,
		.devices = devices,
		.n_devices = 1,
	};
	const struct dp_port_conf port = {
		.name = "bench",
		.device = p->device,
		.queues = 1,
		.exception = DP_EXC_NONE,
		.exception_uid = (uid_t)-1,
	};
	const struct dp_conf conf = {
		.ports = &port,
		.n_ports = 1,
		.sample_one_in = SAMPLE_ONE_IN,
		.sample_snaplen = 128,
		.seed = 1,
		.vital = true,
		.vital_pps = 1000,
	};
	struct diag diag = {0};

	if (dp_cpus_choose(&cpu, 1) < 0)
		return bench_fail("no CPU to run on");
	if (dp_eal_start(&eal, &diag) < 0 || dp_new(&conf, &p->dp, &diag) < 0 ||
		dp_bench_start(p->dp, p->image, &diag) < 0)
		return bench_fail("%s", diag.msg);
	dp_port_info_get(p->dp, 0, &p->info);
	return BENCH_OK;
}

static uint64_t
bare_run(const struct pipeline *p, uint64_t bursts)
{
	uint64_t frames = 0;

	for (uint64_t i = 0; i < bursts; i++) {
		struct rte_mbuf *pkts[MATCH_BURST];
		uint16_t n = rte_eth_rx_burst(p->info.ethdev, 0, pkts, MATCH_BURST);

		rte_pktmbuf_free_bulk(pkts, n);
		frames += n;
	}
	return frames;
}

/* Empty the sample ring, as the collector does beside a worker. */
static void
collect(struct pipeline *p)
{
	struct sample_ring *const *rings;
	size_t n = dp_rings(p->dp, &rings);

	(void)sample_collect(rings, n, NULL, 0, SIZE_MAX);
}

static void
one_turn(struct pipeline *p)
{
	uint64_t start = bench_now_ns(), middle, end, bare, whole;

	bare = bare_run(p, TURN_BURSTS);
	middle = bench_now_ns();
	whole = dp_bench_run(p->dp, 0, TURN_BURSTS);
	end = bench_now_ns();
	collect(p);
	p->frames += whole;
	p->bare[p->turns] = (double)(middle - start) / (double)MAX(bare, 1);
	p->whole[p->turns] = (double)(end - middle) / (double)MAX(whole, 1);
	p->added[p->turns] = p->whole[p->turns] - p->bare[p->turns];
	p->turns++;
}

static void
measure(struct pipeline *p)
{
	uint64_t end;

	one_turn(p); /* to warm up */
	p->turns = 0;
	p->frames = 0;
	dp_port_stats_get(p->dp, 0, &p->stats);
	end = bench_now_ns() + p->o->seconds * 1000000000;
	while (p->turns < TURNS_MAX && (p->turns == 0 || bench_now_ns() < end))
		one_turn(p);
}

/* Counted since the warm-up. */
static uint64_t
counted(const struct pipeline *p, const struct dp_port_stats *now, enum dp_stat which)
{
	return now->v[which] - p->stats.v[which];
}

/* What was measured must be what was meant: every frame dropped, one in N sampled. */
static int
judge(struct pipeline *p, double *ret_sampled)
{
	struct dp_port_stats now;
	uint64_t rx;

	dp_port_stats_get(p->dp, 0, &now);
	rx = counted(p, &now, DP_STAT_RX);
	*ret_sampled = (double)counted(p, &now, DP_STAT_SAMPLED) / (double)MAX(rx, 1);
	if (rx == 0 || rx != p->frames)
		return bench_fail(
			"%" PRIu64 " frames came, %" PRIu64 " were counted", p->frames, rx);
	if (counted(p, &now, DP_STAT_DROPPED) != rx)
		return bench_fail("of %" PRIu64 " frames %" PRIu64 " were dropped, not all", rx,
			counted(p, &now, DP_STAT_DROPPED));
	if (counted(p, &now, DP_STAT_SAMPLE_LOST) != 0 || *ret_sampled < 0.5 / SAMPLE_ONE_IN)
		return bench_fail("samples were lost");
	return BENCH_OK;
}

static void
report(struct pipeline *p, double sampled)
{
	double bare = bench_median(p->bare, p->turns);
	double whole = bench_median(p->whole, p->turns);
	double added = bench_median(p->added, p->turns);

	if (p->o->json) {
		printf("{\"version\":1,\"hugepages\":%s,\"rules\":%" PRIu64
		       ",\"turns\":%zu,\"frames\":%" PRIu64
		       ",\"bare_ns\":%.2f,\"pipeline_ns\":%.2f,\"added_ns\":%.2f"
		       ",\"bare_mpps\":%.2f,\"mpps\":%.2f,\"sampled\":%.6f}\n",
			p->o->no_huge ? "false" : "true", p->o->rules, p->turns, p->frames, bare,
			whole, added, 1000 / bare, 1000 / whole, sampled);
		return;
	}
	printf("%" PRIu64
	       " rule%s, sampling 1/%d, all dropped, %s, one core, median of %zu turns\n",
		p->o->rules, p->o->rules == 1 ? "" : "s", SAMPLE_ONE_IN,
		p->o->no_huge ? "no hugepages" : "hugepages", p->turns);
	printf("%-32s %8s %8s\n", "", "ns/frame", "Mpps");
	printf("%-32s %8.2f %8.1f\n", "rx, free", bare, 1000 / bare);
	printf("%-32s %8.2f %8.1f\n", "rx, sample, match, count, free", whole, 1000 / whole);
	printf("%-32s %8.2f\n", "added", added);
}

static void
clean_up(struct pipeline *p)
{
	if (p->dp != NULL) {
		match_image_free(dp_stop(p->dp));
		dp_free(p->dp);
		dp_eal_stop();
	} else {
		match_image_free(p->image);
	}
	for (size_t i = 0; p->progs != NULL && i < 2 * p->o->rules; i++)
		cbpf_prog_free(p->progs[i]);
	mem_free(p->progs);
	mem_free(p->rules);
	if (p->file[0] != '\0')
		(void)unlink(p->file);
	if (p->dir[0] != '\0')
		(void)rmdir(p->dir);
	mem_free(p);
}

static int
pipeline_run(int argc, char **argv)
{
	struct opts o = {.seconds = 5, .rules = 1};
	const struct bench_opt opts[] = {
		{"--json", NULL, "One JSON object instead of the table.", .flag = &o.json},
		{"--seconds", "N", "How long to measure, 5 unless told.", .number = &o.seconds,
			.min = 1, .max = 3600},
		{"--rules", "N", "DNS rules; the last one matches. 1 unless told.",
			.number = &o.rules, .min = 1, .max = RULES_MAX},
		{"--no-huge", NULL, "Without hugepages, about half as fast.", .flag = &o.no_huge},
		{0},
	};
	struct pipeline *p;
	double sampled;
	bool done;
	int r = bench_opts("pipeline", HELP, opts, argc, argv, &done);

	if (done)
		return r;
	p = mem_zalloc(sizeof(*p));
	if (p == NULL)
		return bench_fail("out of memory");
	p->o = &o;
	r = write_flood(p);
	if (r == BENCH_OK)
		r = make_image(p);
	if (r == BENCH_OK)
		r = make_dp(p);
	if (r == BENCH_OK) {
		measure(p);
		r = judge(p, &sampled);
	}
	if (r == BENCH_OK)
		report(p, sampled);
	clean_up(p);
	return r;
}

const struct bench_cmd cmd_pipeline = {
	.name = "pipeline",
	.help = HELP,
	.run = pipeline_run,
};
