/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_RULES_H
#define BENCH_RULES_H

/*
 * The parts of "sluice-bench rules": many rules at once on frames that wait in a
 * cache, in bursts, by engines of ours and of others, each a row of a table. All
 * get frames that are parsed already and test the scopes of rules by themselves,
 * so that what is timed is the filter and nothing else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family.h"
#include "pkt/view.h"

#define RULES_BURST 32 /* frames */
#define RULES_NONE UINT32_MAX
#define RULES_SIZES_MAX 16
#define RULES_WHY 128 /* bytes of a reason */

struct rte_mbuf;

enum rules_cache { RULES_L2, RULES_L3, RULES_CACHES };

/* A datagram as a program sees it. */
struct rules_datagram {
	const uint8_t *data;
	uint32_t caplen, wirelen; /* bytes */
};

/* Frames of one traffic, all IPv4, each beginning a cache line. */
struct rules_frames {
	uint32_t n; /* a multiple of RULES_BURST */
	uint8_t *bytes;
	struct pkt_view *views;
	struct rules_datagram *datagrams;
	struct rte_mbuf *mbufs; /* around the datagrams */
};

/* Returns 0 or -ENOMEM. */
int rules_frames_new(struct family *f, enum family_traffic traffic, uint32_t n, uint64_t seed,
	struct rules_frames **ret_frames);
void rules_frames_free(struct rules_frames *f);

/* A class of rules as one masked comparison of what a frame is (struct pkt_view from family on). */
struct rules_class {
	uint64_t mask, value;
	bool no_later; /* nor a later fragment */
};

/* What engines are made of. */
struct rules_input {
	const struct family *family;
	const struct match_rule *rules;
	size_t n;
	struct rules_class classes[FAMILY_CLASSES_MAX];
	uint32_t n_classes;
	bool tuples; /* all rules are five-tuples of IPv4 */
	uint32_t clang_s; /* seconds of the CPU that it may take */
};

void rules_input_init(struct rules_input *in, const struct family *f, bool tuples);

static inline uint64_t
rules_what(const struct pkt_view *v)
{
	uint64_t what;

	memcpy(&what, &v->family, sizeof(what));
	return what;
}

/* Classes whose scopes hold for @v, as bits. */
static inline uint32_t
rules_classes(const struct rules_input *in, const struct pkt_view *v)
{
	const uint64_t what = rules_what(v);
	const bool later = (v->flags & PKT_FRAG_LATER) != 0;
	uint32_t bits = 0;

	for (uint32_t i = 0; i < in->n_classes; i++)
		bits |= (uint32_t)((what & in->classes[i].mask) == in->classes[i].value &&
				!(later && in->classes[i].no_later))
			<< i;
	return bits;
}

/* A ruleset made ready by an engine. */
struct rules_made {
	const struct rules_input *in;
	void *handle;
	size_t bytes; /* of code and tables */
};

/* Changes of one rule. */
enum rules_change {
	RULES_ADD, /* other constants in a shape that is there */
	RULES_ADD_SHAPE, /* of another kind */
	RULES_DELETE,
	RULES_SWITCH, /* in or out of force */
	RULES_CHANGES
};

/* Until a change is in force. */
struct rules_updates {
	double median_ms[RULES_CHANGES], max_ms[RULES_CHANGES];
};

extern const char *const rules_change_names[RULES_CHANGES];

/* Measure @m, which is one of rules_match. Returns 0 or -ENOMEM. */
int rules_updates_measure(
	const struct rules_made *m, enum family_kind kind, struct rules_updates *ret);

struct rules_engine {
	const char *key; /* as in the command line and in JSON */
	const char *help;
	size_t max_rules; /* more are not tried */
	bool tuples_only;
	/* 0, or -errno with a sentence in @why: the engine cannot here. */
	int (*make)(const struct rules_input *in, struct rules_made *ret, char why[RULES_WHY]);
	/* The first match of each of @n frames (whole bursts) from @from on, or RULES_NONE. */
	void (*run)(const struct rules_made *m, const struct rules_frames *f, uint32_t from,
		uint32_t n, uint32_t *ret);
	/* Do what one more rule asks for, the last one again; NULL: all is made anew. 0 or -errno. */
	int (*update)(struct rules_made *m);
	/* Instead: measure changes of all kinds. 0 or -errno. */
	int (*updates)(
		const struct rules_made *m, enum family_kind kind, struct rules_updates *ret);
	void (*fini)(struct rules_made *m);
};

extern const struct rules_engine rules_match, rules_jit, rules_libpcap, rules_rte_bpf;
extern const struct rules_engine rules_rte_packed, rules_c, rules_rte_acl;

/* What came out. */
enum rules_state { RULES_RIGHT, RULES_WRONG, RULES_CRASHES, RULES_ABSENT, RULES_LEFT_OUT };

struct rules_build {
	enum family_kind family;
	size_t size, engine;
	enum rules_state state;
	double build_ms, update_ms;
	struct rules_updates updates; /* of engines that have them, else 0 */
	size_t bytes;
	char why[RULES_WHY];
};

struct rules_result {
	enum family_kind family;
	size_t size, engine; /* engine: number in the table */
	enum family_traffic traffic;
	enum rules_cache cache;
	enum rules_state state;
	double ns; /* per packet, the median */
	double match; /* share of frames that match a rule */
};

struct rules_report {
	const struct rules_engine *const *engines;
	size_t n_engines;
	uint64_t rounds, seed;
	struct rules_build *builds;
	size_t n_builds;
	struct rules_result *results;
	size_t n_results;
};

extern const char *const rules_cache_names[RULES_CACHES];
extern const char *const rules_state_names[];

/* The result of one cell, or NULL. */
const struct rules_result *rules_find(const struct rules_report *r, enum family_kind family,
	size_t size, enum family_traffic traffic, enum rules_cache cache, size_t engine);

void rules_print_json(const struct rules_report *r);

/* One family's tables, once its results are there. */
void rules_print_family(const struct rules_report *r, enum family_kind family);

/*
 * Cost over the number of rules, a chart a family, as SVG, to the file @path. BENCH_OK or
 * BENCH_FAILED.
 */
int rules_plot(const struct rules_report *r, enum family_traffic traffic, enum rules_cache cache,
	const char *path);

#endif
