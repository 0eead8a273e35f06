// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
#include <string.h>

#include "base/diag.h"
#include "bench.h"
#include "pkt/savefile.h"
#include "traffic.h"

#define HELP "Write a savefile of generated frames, for tcpreplay and net_pcap."

struct frames_opts {
	const char *kind, *sources, *dst, *dst_mac, *src_mac, *name, *file;
	uint64_t count, seed, dport;
	bool edns_do;
};

static int
bad(const char *option, const char *expected, const char *value)
{
	bench_fail("frames %s: expected %s, got '%s'", option, expected, value);
	return BENCH_USAGE;
}

static int
set_kind(struct traffic_conf *conf, const char *name)
{
	for (int k = 0; k < TRAFFIC_KINDS; k++) {
		if (strcmp(traffic_kind_name((enum traffic_kind)k), name) == 0) {
			conf->kind = (enum traffic_kind)k;
			return BENCH_OK;
		}
	}
	return bad("--kind", "dns-flood, dns-mixed, tcp-syn, syn-flood or mixed", name);
}

/* "02:00:00:00:00:01": six pairs of digits. */
static bool
parse_mac(const char *text, uint8_t mac[6])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 6; i++) {
		const char *hi = text[0] != '\0' ? strchr(digits, tolower(text[0])) : NULL;
		const char *lo =
			hi != NULL && text[1] != '\0' ? strchr(digits, tolower(text[1])) : NULL;

		if (lo == NULL || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)((hi - digits) << 4 | (lo - digits));
		text += 3;
	}
	return true;
}

static int
set_mac(const char *option, const char *text, uint8_t mac[6])
{
	if (text != NULL && !parse_mac(text, mac))
		return bad(option, "a MAC address", text);
	return BENCH_OK;
}

static int
set_conf(struct traffic_conf *conf, const struct frames_opts *o)
{
	struct diag diag = {0};
	int r;

	traffic_defaults(conf);
	conf->dport = (uint16_t)o->dport;
	conf->edns_do = o->edns_do;
	if (o->name != NULL)
		conf->name = o->name;
	if (o->sources != NULL && strcmp(o->sources, "random") == 0)
		conf->random_sources = true;
	else if (o->sources != NULL && strcmp(o->sources, "few") != 0)
		return bad("--sources", "random or few", o->sources);
	if (o->dst != NULL && parse_ip_addr(o->dst, &conf->dst, &diag) < 0)
		return bad("--dst", "an IP address", o->dst);
	r = set_kind(conf, o->kind);
	if (r == BENCH_OK)
		r = set_mac("--dst-mac", o->dst_mac, conf->dst_mac);
	if (r == BENCH_OK)
		r = set_mac("--src-mac", o->src_mac, conf->src_mac);
	return r;
}

static int
write_frames(const struct traffic_conf *conf, const struct frames_opts *o)
{
	struct rng rng = {o->seed};
	struct pkt_writer *w = NULL;
	struct diag diag = {0};
	int r = 0;

	if (pkt_writer_open(o->file, 1, 65535, &w, &diag) < 0)
		return bench_fail("%s", diag.msg);
	for (uint64_t i = 0; i < o->count && r == 0; i++) {
		uint8_t buf[TRAFFIC_FRAME_MAX];
		struct pkt_frame f = {.data = buf, .time_ns = i * 1000};

		f.caplen = f.wirelen = (uint32_t)traffic_frame(conf, &rng, buf);
		if (f.caplen == 0) {
			(void)pkt_writer_close(w);
			return bad("--name", "a DNS name of at most 255 bytes", conf->name);
		}
		r = pkt_writer_put(w, &f);
	}
	if (r == 0)
		r = pkt_writer_close(w);
	else
		(void)pkt_writer_close(w);
	if (r < 0)
		return bench_fail("cannot write '%s': %s", o->file, strerror(-r));
	return BENCH_OK;
}

static int
frames_run(int argc, char **argv)
{
	struct frames_opts o = {.kind = "dns-flood", .count = 4096, .seed = 1, .dport = 53};
	const struct bench_opt opts[] = {
		{"--kind", "KIND", "dns-flood (default), dns-mixed, tcp-syn, syn-flood or mixed.",
			.text = &o.kind},
		{"--count", "N", "How many, 4096 unless told.", .number = &o.count, .min = 1,
			.max = 100000000},
		{"--seed", "S", "The same seed gives the same frames; 1 unless told.",
			.number = &o.seed, .min = 0, .max = UINT64_MAX},
		{"--sources", "WHICH", "random, or few (default).", .text = &o.sources},
		{"--dst", "ADDR", "Destination address, 192.0.2.53 unless told.", .text = &o.dst},
		{"--dport", "PORT", "Destination port, 53 unless told.", .number = &o.dport,
			.min = 0, .max = 65535},
		{"--dst-mac", "MAC", "02:00:00:00:00:02 unless told.", .text = &o.dst_mac},
		{"--src-mac", "MAC", "02:00:00:00:00:01 unless told.", .text = &o.src_mac},
		{"--edns-do", NULL, "Queries carry EDNS with the DO bit.", .flag = &o.edns_do},
		{"--name", "NAME",
			"What dns-flood asks; each label * is random (*.www.example.uk).",
			.text = &o.name},
		{"-w", "FILE", "Where to; - is standard output. Needed.", .text = &o.file},
		{0},
	};
	struct traffic_conf conf;
	bool done;
	int r = bench_opts("frames", HELP, opts, argc, argv, &done);

	if (done)
		return r;
	if (o.file == NULL) {
		bench_fail("frames: where to? -w FILE is missing");
		return BENCH_USAGE;
	}
	r = set_conf(&conf, &o);
	return r == BENCH_OK ? write_frames(&conf, &o) : r;
}

const struct bench_cmd cmd_frames = {
	.name = "frames",
	.help = HELP,
	.run = frames_run,
};
