// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random rulesets on random frames in the kernel: the verifier accepts the
 * program, and it gives the reference's verdict and counters, frame by frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../match/ref.h"
#include "../match/world.h"
#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "loader.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "pkt/vital.h"
#include "xdp/xdp.h"

#define HOOK "/sys/fs/bpf/slu_xdp_hook" /* libbpf pins it */

static char temp_dir[] = "/tmp/slu-xdp-XXXXXX";
static char source[64], object[64];

static void
write_file(const char *path, const struct sbuf *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(text->s, 1, text->len, f) != text->len || fclose(f) != 0)
		fail_msg("%s: cannot be written", path);
}

/* C, through clang, into the kernel. */
static struct loaded *
load_c(const struct xdp_plan *plan)
{
	struct sbuf text = SBUF_INIT;
	char cmd[512];

	assert_int_equal(xdp_write_c(plan, &text), 0);
	write_file(source, &text);
	sbuf_fini(&text);
	snprintf(cmd, sizeof(cmd),
		"clang-14 -O2 -g -Wall -Werror -Wno-unused-function -target bpf -c %s -o %s",
		source, object);
	if (system(cmd) != 0)
		fail_msg("%s", cmd);
	return loaded_new(object);
}

/* The object as we write it. */
static struct loaded *
load_object(const struct xdp_plan *plan)
{
	struct sbuf bytes = SBUF_INIT;
	struct diag diag = {0};

	if (xdp_write_object(plan, &bytes, &diag) != 0)
		fail_msg("%s", diag.msg);
	write_file(object, &bytes);
	sbuf_fini(&bytes);
	return loaded_new(object);
}

static const struct writer {
	const char *name;
	enum xdp_writer writer;
	struct loaded *(*load)(const struct xdp_plan *plan);
} writers[] = {
	{"object", XDP_OBJECT, load_object},
	{"C through clang", XDP_C, load_c},
};

/* ---- rulesets ---- */

static struct xdp_plan *
plan_make(const struct world_rules *rules, const struct xdp_opts *how, enum xdp_writer writer)
{
	struct xdp_rule *v = calloc(rules->n + 1, sizeof(*v));
	struct xdp_opts opts = *how;
	struct xdp_plan *plan = NULL;
	struct diag diag = {0};

	for (size_t i = 0; i < rules->n; i++)
		v[i] = (struct xdp_rule){
			.m = &rules->v[i],
			.locations = "",
			.on = rules->v[i].enabled,
			.here = true,
		};
	opts.writer = writer;
	/* No more programs than the kernel follows. */
	if (rules->n > 50)
		opts.chunk *= 10;
	opts.rules = v;
	opts.n_rules = rules->n;
	if (xdp_plan_new(&opts, &plan, &diag) != 0)
		fail_msg("%s", diag.msg);
	return plan;
}

static bool
frame_is_vital(const struct world_frame *f, const struct xdp_opts *how)
{
	const struct pkt_vital_conf conf = {
		.peers = how->peers, .n_peers = how->n_peers, .gtsm = how->gtsm};
	struct pkt_view v;

	pkt_parse_ether(f->data, f->caplen, f->caplen, &v);
	return how->vital && pkt_vital_class(&v, &conf) != PKT_VITAL_NONE;
}

/* The kernel's counters of rule @i are those of @want. */
static bool
counters_agree(struct loaded *l, uint32_t i, const struct ref_counters *want)
{
	uint64_t got[6];

	assert_true(loaded_read(l, "sluice_counters", i, got, 6));
	if (got[0] == want->packets && got[1] == want->bytes && got[2] == want->dropped &&
		got[3] == want->would_drop && got[4] == want->would_drop_passed &&
		got[5] == want->prot)
		return true;
	print_error("rule %u: packets %lu, bytes %lu, dropped %lu, would_drop %lu, "
		    "would_drop_passed %lu, protected %lu; expected %lu %lu %lu %lu %lu %lu\n",
		i, got[0], got[1], got[2], got[3], got[4], got[5], want->packets, want->bytes,
		want->dropped, want->would_drop, want->would_drop_passed, want->prot);
	return false;
}

static void
print_frame(const struct world_frame *f)
{
	for (uint32_t i = 0; i < f->caplen; i++)
		fprintf(stderr, "%02x", f->data[i]);
	fprintf(stderr, "\n");
}

static long
run_frames(struct loaded *l, struct world_rules *rules, const struct xdp_opts *how, int frames)
{
	struct ref_counters want[REF_RULES] = {{0}};
	struct match_notes notes = {0};
	uint64_t stats[10], dropped = 0, before[10];
	long bad = 0;

	/* The reference counts by slot, too. */
	for (size_t i = 0; i < rules->n; i++) {
		rules->v[i].slot = (uint32_t)i;
		rules->v[i].scope.ports = UINT64_MAX;
	}
	assert_true(loaded_read(l, "sluice_stats", 0, before, 10));
	for (int i = 0; i < frames && bad == 0; i++) {
		struct world_frame f = world_frame_make();
		struct match_verdict verdict;
		struct ref_frame ref;
		bool same = false;
		int action;

		if (f.caplen < 14 || f.caplen > 3000) {
			free(f.data);
			continue;
		}
		ref_parse(f.data, f.caplen, f.caplen, &ref);
		ref_verdict(rules->v, rules->n, &ref, 0, frame_is_vital(&f, how), true, want, 1,
			&verdict, &notes);
		action = loaded_run(l, f.data, f.caplen, &same);
		dropped += verdict.kind == MATCH_VERDICT_DROP;
		if (action != (verdict.kind == MATCH_VERDICT_DROP ? 1 : 2) || !same) {
			print_error("action %d, expected verdict %d by rule %d%s\n", action,
				verdict.kind, (int)verdict.index,
				same ? "" : "; the frame was changed");
			print_frame(&f);
			bad++;
		}
		free(f.data);
	}
	for (uint32_t i = 0; i < rules->n; i++)
		bad += !counters_agree(l, i, &want[i]);
	assert_true(loaded_read(l, "sluice_stats", 0, stats, 10));
	if (stats[2] - before[2] != dropped || stats[8] - before[8] != notes.transparent_overflow ||
		stats[7] - before[7] != notes.is_protected || stats[9] != 0) {
		print_error("the books differ\n");
		bad++;
	}
	return bad;
}

static void
run_set(const struct writer *w, size_t n_rules, const struct xdp_opts *how, int frames)
{
	const unsigned long long seed = world_rng.state;
	struct world_rules *rules = malloc(sizeof(*rules));
	struct xdp_plan *plan;
	struct loaded *l;

	world_rules_make(rules, n_rules);
	plan = plan_make(rules, how, w->writer);
	l = w->load(plan);
	if (l == NULL)
		fail_msg("%s: SLUICE_SEED=%llu, %zu rules: refused by the kernel", w->name, seed,
			n_rules);
	print_message("%s: %zu rules, %zu programs, %u instructions, %u walked\n", w->name, n_rules,
		xdp_plan_programs(plan), loaded_size(l), loaded_walked(l));
	if (run_frames(l, rules, how, frames) != 0)
		fail_msg("%s: SLUICE_SEED=%llu, %zu rules", w->name, seed, n_rules);
	loaded_free(l);
	xdp_plan_free(plan);
	world_rules_fini(rules);
	free(rules);
}

/* ---- tests ---- */

static const struct ip_addr peers[] = {
	{4, {10, 1, 1, 1}},
	{4, {10, 2, 3, 1}},
	{6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1}},
};

/* Ways to make a program that must not change what it does. */
static const struct xdp_opts ways[] = {
	{0},
	{.vital = true, .peers = peers, .n_peers = DIM(peers)},
	{.vital = true,
		.peers = peers,
		.n_peers = 2,
		.gtsm = true,
		.sampling = true,
		.sample_one_in = 3,
		.snaplen = 100},
	{.chunk = 2000, .sampling = true, .hook = HOOK},
	{.vital = true, .vital_pps = 1000000000, .chunk = 500},
};

/* How many sets of which size; clang takes its time. */
static const struct tier {
	size_t writer;
	size_t rules;
	int sets, long_sets;
} tiers[] = {
	{0, 0, 2, 5},
	{0, 1, 10, 500},
	{0, 4, 10, 500},
	{0, 30, 15, 500},
	{0, 200, 3, 100},
	{1, 1, 2, 50},
	{1, 12, 3, 50},
};

static void
every_writer_gives_the_references_verdicts(void **state)
{
	const bool is_long = getenv("SLUICE_LONG") != NULL;
	size_t n = 0;

	(void)state;
	for (size_t t = 0; t < DIM(tiers); t++)
		for (int i = 0; i < (is_long ? tiers[t].long_sets : tiers[t].sets); i++)
			run_set(&writers[tiers[t].writer], tiers[t].rules, &ways[n++ % DIM(ways)],
				1000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_writer_gives_the_references_verdicts),
	};
	int r;

	if (!loader_allowed()) {
		printf("needs the right to load BPF programs\n");
		return 77;
	}
	world_seed();
	world_init();
	if (mkdtemp(temp_dir) == NULL)
		return 1;
	snprintf(source, sizeof(source), "%s/rules.c", temp_dir);
	snprintf(object, sizeof(object), "%s/rules.o", temp_dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(HOOK);
	(void)unlink(source);
	(void)unlink(object);
	(void)rmdir(temp_dir);
	world_fini();
	return r;
}
