// SPDX-License-Identifier: BSD-3-Clause
#include "judge.h"

#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "../match/ref.h"
#include "base/diag.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "loader.h"
#include "match/verdict.h"
#include "pkt/view.h"
#include "pkt/vital.h"

#define BPFFS "/sys/fs/bpf"

static char temp_dir[] = "/tmp/slu-xdp-XXXXXX";
static char source[64], object[64];
char judge_hook[64]; /* libbpf pins it */

#define FRAME_MAX 3000 /* bytes; a page holds more than that beside */

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

const struct judge_writer judge_writers[] = {
	{"object", XDP_OBJECT, load_object},
	{"C through clang", XDP_C, load_c},
};

/* ---- rulesets ---- */

/* @v: room for as many as there are rules; the plan borrows it. */
static struct xdp_plan *
plan_make(const struct world_rules *rules, const struct xdp_opts *how, enum xdp_writer writer,
	struct xdp_rule *v)
{
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

/* One frame: in the kernel, by the reference. */
static long
run_frame(struct loaded *l, const struct world_rules *rules, const struct xdp_opts *how,
	const struct world_frame *f, struct ref_counters *want, struct match_notes *notes,
	uint64_t *dropped)
{
	struct match_verdict verdict;
	struct ref_frame ref;
	bool same = false;
	int action;

	ref_parse(f->data, f->caplen, f->caplen, &ref);
	ref_verdict(rules->v, rules->n, &ref, 0, frame_is_vital(f, how), true, want, 1, &verdict,
		notes);
	action = loaded_run(l, f->data, f->caplen, &same);
	*dropped += verdict.kind == MATCH_VERDICT_DROP;
	if (action == (verdict.kind == MATCH_VERDICT_DROP ? 1 : 2) && same)
		return 0;
	print_error("action %d, expected verdict %d by rule %d%s\n", action, verdict.kind,
		(int)verdict.index, same ? "" : "; the frame was changed");
	print_frame(f);
	return 1;
}

static long
run_frames(struct loaded *l, struct world_rules *rules, const struct xdp_opts *how, judge_next next,
	void *ctx)
{
	struct ref_counters want[REF_RULES] = {{0}};
	struct match_notes notes = {0};
	uint64_t stats[10], dropped = 0;
	struct world_frame f;
	long bad = 0;

	while (bad == 0 && next(ctx, &f)) {
		if (f.caplen >= 14 && f.caplen <= FRAME_MAX)
			bad += run_frame(l, rules, how, &f, want, &notes, &dropped);
	}
	for (uint32_t i = 0; i < rules->n; i++)
		bad += !counters_agree(l, i, &want[i]);
	assert_true(loaded_read(l, "sluice_stats", 0, stats, 10));
	if (stats[2] != dropped || stats[8] != notes.transparent_overflow ||
		stats[7] != notes.is_protected || stats[9] != 0) {
		print_error("the books differ\n");
		bad++;
	}
	return bad;
}

long
judge_set(const struct judge_writer *w, size_t n_rules, const struct xdp_opts *how, judge_next next,
	void *ctx, bool wrong)
{
	const unsigned long long seed = world_rng.state;
	struct world_rules *rules = malloc(sizeof(*rules));
	struct xdp_rule *v = calloc(n_rules + 1, sizeof(*v));
	struct xdp_plan *plan;
	struct loaded *l;
	long bad;

	world_rules_make(rules, n_rules);
	/* The reference counts by slot, too. */
	for (size_t i = 0; i < rules->n; i++) {
		rules->v[i].slot = (uint32_t)i;
		rules->v[i].scope.ports = UINT64_MAX;
	}
	plan = plan_make(rules, how, w->writer, v);
	l = w->load(plan);
	if (l == NULL)
		fail_msg("%s: SLUICE_SEED=%llu, %zu rules: refused by the kernel", w->name, seed,
			n_rules);
	print_message("%s: %zu rules, %zu programs, %u instructions, %u walked\n", w->name, n_rules,
		xdp_plan_programs(plan), loaded_size(l), loaded_walked(l));
	for (size_t i = 0; i < rules->n && wrong; i += 2)
		rules->v[i].enabled = !rules->v[i].enabled;
	bad = run_frames(l, rules, how, next, ctx);
	if (bad != 0 && !wrong)
		fail_msg("%s: SLUICE_SEED=%llu, %zu rules", w->name, seed, n_rules);
	loaded_free(l);
	xdp_plan_free(plan);
	world_rules_fini(rules);
	free(v);
	free(rules);
	return bad;
}

/* What pins needs the BPF file system, which systemd mounts; others may not. */
static void
mount_bpffs(void)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC)
		return;
	(void)mkdir(BPFFS, 0700);
	if (mount("bpf", BPFFS, "bpf", 0, "mode=0700") != 0)
		perror(BPFFS);
}

bool
judge_init(void)
{
	if (!loader_allowed()) {
		printf("needs the right to load BPF programs\n");
		return false;
	}
	mount_bpffs();
	if (mkdtemp(temp_dir) == NULL)
		exit(1);
	snprintf(source, sizeof(source), "%s/rules.c", temp_dir);
	snprintf(object, sizeof(object), "%s/rules.o", temp_dir);
	snprintf(judge_hook, sizeof(judge_hook), BPFFS "/slu_%d", (int)getpid());
	world_seed();
	world_init();
	return true;
}

void
judge_fini(void)
{
	(void)unlink(judge_hook);
	(void)unlink(source);
	(void)unlink(object);
	(void)rmdir(temp_dir);
	world_fini();
}
