// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every capture in SLUICE_CORPUS, most of them malformed, through random
 * rulesets: each engine gives the reference's verdicts. What is not Ethernet
 * gets an Ethernet header in place of its own link layer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "match/image.h"
#include "match/verdict.h"
#include "pkt/savefile.h"
#include "pkt/view.h"
#include "ref.h"
#include "world.h"

#define SETS 4
#define ENGINES 2
#define FRAME_MAX 65535 /* bytes; parsers look at no more */
#define SLOTS 256

static struct {
	struct world_rules rules[SETS];
	struct match_image *images[SETS][ENGINES]; /* NULL: no such engine here */
	struct match_counters *counters;
	unsigned long files, frames, ip, verdicts, drops;
} all;

struct burst {
	struct world_frame frames[MATCH_BURST];
	struct pkt_view views[MATCH_BURST];
	struct ref_frame refs[MATCH_BURST];
	uint32_t n;
};

static int
setup(void)
{
	static const enum match_engine engines[ENGINES] = {MATCH_ENGINE_INTERP, MATCH_ENGINE_JIT};

	all.counters = mem_zalloc_aligned(64, SLOTS * sizeof(*all.counters));
	for (size_t s = 0; s < SETS; s++) {
		world_rules_make(&all.rules[s], 60);
		for (size_t e = 0; e < ENGINES; e++) {
			if (engines[e] == MATCH_ENGINE_JIT && !cbpf_jit_available())
				continue;
			if (match_image_new(all.rules[s].v, all.rules[s].n, engines[e],
				    &all.images[s][e], NULL) != 0)
				return -1;
		}
	}
	return all.counters != NULL ? 0 : -1;
}

static void
teardown(void)
{
	for (size_t s = 0; s < SETS; s++) {
		for (size_t e = 0; e < ENGINES; e++)
			match_image_free(all.images[s][e]);
		world_rules_fini(&all.rules[s]);
	}
	mem_free(all.counters);
}

/* The frame of number @i of @b by one ruleset: -1 when @got is not the reference's. */
static int
check_frame(const struct burst *b, uint32_t i, size_t set, const struct match_verdict *got)
{
	static struct ref_counters counters[SLOTS];
	struct match_notes notes = {0};
	struct match_verdict want;

	ref_verdict(all.rules[set].v, all.rules[set].n, &b->refs[i], 1, false, true, counters, 9,
		&want, &notes);
	all.verdicts++;
	all.drops += want.kind == MATCH_VERDICT_DROP;
	return got->slot == want.slot && got->shadow_slot == want.shadow_slot &&
			got->index == want.index && got->kind == want.kind
		? 0
		: -1;
}

static int
judge(struct burst *b, const char *path)
{
	struct match_verdict got[MATCH_BURST];
	struct match_notes notes = {0};
	int r = 0;

	for (size_t s = 0; s < SETS; s++)
		for (size_t e = 0; e < ENGINES; e++) {
			if (all.images[s][e] == NULL)
				continue;
			match_verdicts(all.images[s][e], b->views, b->n, 1, 0, true, all.counters,
				9, got, &notes);
			for (uint32_t i = 0; i < b->n; i++)
				if (check_frame(b, i, s, &got[i]) < 0) {
					printf("%s: set %zu, engine %zu: not the reference's verdict\n",
						path, s, e);
					r = -1;
				}
		}
	b->n = 0;
	return r;
}

static void
add(struct burst *b, int dlt, const struct pkt_frame *f)
{
	static uint8_t buf[FRAME_MAX];
	const uint32_t caplen = MIN(f->caplen, FRAME_MAX - 14u);
	struct pkt_view v = {.family = 0};
	uint32_t at = 0, head = 0;

	if (dlt != 1 && pkt_link_known(dlt))
		pkt_parse_link(dlt, f->data, caplen, MAX(f->wirelen, caplen), &v);
	if (v.family != 0) {
		memset(buf, 2, 12);
		store_be16(buf + 12, v.family == 4 ? 0x0800 : 0x86dd);
		at = v.l3_off;
		head = 14;
	}
	memcpy(buf + head, f->data + at, caplen - at);
	b->frames[b->n] =
		world_frame_copy(buf, head + caplen - at, head + MAX(f->wirelen, caplen) - at);
	pkt_parse_ether(b->frames[b->n].data, b->frames[b->n].caplen, b->frames[b->n].wirelen,
		&b->views[b->n]);
	ref_parse(b->frames[b->n].data, b->frames[b->n].caplen, b->frames[b->n].wirelen,
		&b->refs[b->n]);
	all.frames++;
	all.ip += b->views[b->n].family != 0;
	b->n++;
}

static int
read_file(const char *path)
{
	static struct burst b;
	struct pkt_reader *reader = NULL;
	struct pkt_frame f;
	int r = 0;

	if (pkt_reader_open(path, &reader, NULL) < 0)
		return 0; /* what the reader refuses is test_corpus of lib/pkt */
	all.files++;
	while (pkt_reader_next(reader, &f, NULL) == 1) {
		add(&b, pkt_reader_dlt(reader), &f);
		if (b.n == MATCH_BURST)
			r |= judge(&b, path);
	}
	r |= judge(&b, path);
	pkt_reader_close(reader);
	return r;
}

int
main(void)
{
	const char *folder = getenv("SLUICE_CORPUS");
	struct dirent *entry;
	DIR *dir;
	int r;

	if (folder == NULL) {
		printf("SLUICE_CORPUS does not name a folder of captures\n");
		return 77;
	}
	dir = opendir(folder);
	if (dir == NULL) {
		perror(folder);
		return 1;
	}
	world_seed();
	world_init();
	r = setup();
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			r = read_file(path);
	}
	closedir(dir);
	teardown();
	world_fini();
	printf("%lu files, %lu frames, %lu of them IP, %lu verdicts, %lu drops\n", all.files,
		all.frames, all.ip, all.verdicts, all.drops);
	/* A folder without captures shows nothing. */
	return r != 0 || all.frames == 0;
}
