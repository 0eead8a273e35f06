// SPDX-License-Identifier: BSD-3-Clause
/* What "sluice-bench tools" measured, in words and for machines. Medians throughout. */
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "bench.h"
#include "tools.h"

struct figures {
	double s, cpu_s, gb_s, gb_cpu_s, ns, mib;
};

static struct figures
figures(const struct tools *b, const struct tools_on *c, struct tools_times *t)
{
	const double s = bench_median(t->wall_s, b->rounds);
	const double cpu_s = bench_median(t->cpu_s, b->rounds);
	const double gb = (double)c->made.bytes / 1e9;

	return (struct figures){
		.s = s,
		.cpu_s = cpu_s,
		.gb_s = gb / s,
		.gb_cpu_s = cpu_s > 0 ? gb / cpu_s : 0,
		.ns = s * 1e9 / (double)c->made.frames,
		.mib = (double)t->rss_kib / 1024,
	};
}

static bool
has_peer(const struct tools *b, size_t cell)
{
	return tools_cells[cell].peer[0] != NULL && !b->no_tcpdump;
}

static void
print_line(const char *what, const struct figures *f)
{
	printf("  %-36s %7.3f %7.3f %7.2f %10.2f %9.1f %5.1f\n", what, f->s, f->cpu_s, f->gb_s,
		f->gb_cpu_s, f->ns, f->mib);
}

static void
print_capture(const struct tools *b, struct tools_on *c)
{
	printf("%s.%s: %.0f MB, %.2f M frames, %.0f bytes each on average\n",
		tools_frames_name(c->kind), c->ng ? "pcapng" : "pcap", (double)c->made.bytes / 1e6,
		(double)c->made.frames / 1e6, (double)c->made.frame_bytes / (double)c->made.frames);
	printf("  %-36s %7s %7s %7s %10s %9s %5s\n", "", "s", "CPU s", "GB/s", "GB/CPU s",
		"ns/frame", "MiB");
	for (size_t i = 0; i < TOOLS_CELLS; i++) {
		struct figures f = figures(b, c, &c->own[i]);

		print_line(tools_cells[i].what, &f);
		if (!has_peer(b, i))
			continue;
		f = figures(b, c, &c->peer[i]);
		print_line("  tcpdump -r IN -w OUT ip", &f);
		printf("  %-36s %7.2f\n", "  time to tcpdump's",
			bench_median(c->ratios, b->rounds));
	}
	printf("  at most %.1f MiB for a capture of a sixteenth\n\n",
		(double)c->small_rss_kib / 1024);
}

void
tools_report(struct tools *b)
{
	const struct tools_command *slowest = &b->commands[0];

	printf("%s, captures in the page cache, median of %" PRIu64
	       " rounds; MiB at the peak, of which %.1f are the bench's own\n\n",
		b->sluice, b->rounds, (double)b->floor_kib / 1024);
	for (size_t i = 0; i < b->n_captures; i++)
		print_capture(b, &b->captures[i]);
	if (b->no_tcpdump)
		printf("There is no tcpdump here to compare with.\n\n");
	printf("From start to end, ms:\n");
	for (size_t i = 0; i < b->n_commands; i++) {
		printf("  %-28s %6.2f\n", b->commands[i].name, b->commands[i].ms);
		if (b->commands[i].ms > slowest->ms)
			slowest = &b->commands[i];
	}
	printf("Slowest: %s, %.2f ms\n", slowest->name, slowest->ms);
}

static void
json_figures(const char *key, const struct figures *f)
{
	printf("\"%s\":{\"s\":%.4f,\"cpu_s\":%.4f,\"gb_per_s\":%.3f,\"ns_per_frame\":%.2f,"
	       "\"rss_mib\":%.2f}",
		key, f->s, f->cpu_s, f->gb_s, f->ns, f->mib);
}

static void
json_capture(const struct tools *b, struct tools_on *c)
{
	printf("{\"frames_of\":\"%s\",\"format\":\"%s\",\"bytes\":%" PRIu64 ",\"frames\":%" PRIu64
	       ",\"frame_bytes\":%.1f,\"small_rss_mib\":%.2f",
		tools_frames_name(c->kind), c->ng ? "pcapng" : "pcap", c->made.bytes,
		c->made.frames, (double)c->made.frame_bytes / (double)c->made.frames,
		(double)c->small_rss_kib / 1024);
	for (size_t i = 0; i < TOOLS_CELLS; i++) {
		struct figures f = figures(b, c, &c->own[i]);

		printf(",");
		json_figures(tools_cells[i].key, &f);
		if (!has_peer(b, i))
			continue;
		f = figures(b, c, &c->peer[i]);
		printf(",");
		json_figures("tcpdump", &f);
		printf(",\"to_tcpdump\":%.3f", bench_median(c->ratios, b->rounds));
	}
	printf("}");
}

void
tools_report_json(struct tools *b)
{
	printf("{\"version\":1,\"rounds\":%" PRIu64 ",\"captures\":[", b->rounds);
	for (size_t i = 0; i < b->n_captures; i++) {
		printf("%s", i > 0 ? "," : "");
		json_capture(b, &b->captures[i]);
	}
	printf("],\"start_ms\":{");
	for (size_t i = 0; i < b->n_commands; i++)
		printf("%s\"%s\":%.3f", i > 0 ? "," : "", b->commands[i].name, b->commands[i].ms);
	printf("}}\n");
}
