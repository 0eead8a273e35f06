/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

/*
 * Ways to run one program on one frame, ours and others', behind one interface:
 * a row per engine. Adding one here subjects it to the comparison and the clock.
 */

#include <stddef.h>
#include <stdint.h>

#include "cbpf/prog.h"

#define ENGINE_FRAMES 4096

struct rte_mbuf;

/* One frame as a program sees it: byte 0 is at data. */
struct engine_frame {
	const uint8_t *data;
	uint32_t caplen, wirelen; /* bytes */
};

struct engine_frames {
	struct engine_frame v[ENGINE_FRAMES];
	struct rte_mbuf *mbufs; /* ENGINE_FRAMES of them around the same bytes, or NULL */
};

/* A program made ready by an engine; which fields it uses is its own affair. */
struct engine_prog {
	const struct cbpf_prog *prog; /* borrowed */
	cbpf_fn fn;
	void *handle;
	uint64_t (*rte_fn)(void *mbuf);
};

struct engine {
	const char *name; /* for the table */
	const char *key; /* for JSON */
	/* 0, or -errno with a sentence in @why: the engine is absent here. */
	int (*make)(const struct cbpf_prog *prog, struct engine_prog *ret, char why[128]);
	uint32_t (*one)(const struct engine_prog *p, const struct engine_frames *f, size_t i);
	/* All frames once; returns how many match. */
	uint32_t (*all)(const struct engine_prog *p, const struct engine_frames *f);
	void (*fini)(struct engine_prog *p);
};

extern const struct engine engine_interp, engine_jit, engine_pcap, engine_clang;
extern const struct engine engine_rte_interp, engine_rte_jit;

struct rte_bpf;

/* @prog as rte_bpf should have converted it. 0 or -errno with a sentence in @why. */
int engine_rte_load(const struct cbpf_prog *prog, struct rte_bpf **ret_bpf, char why[128]);

/* Descriptors around @f's bytes for the rte engines; needs no pool. 0 or -ENOMEM. */
int engine_mbufs_new(struct engine_frames *f);
void engine_mbufs_free(struct engine_frames *f);

/*
 * The body of an engine's all(): its own copy of the loop, with @CALL inlined,
 * so that every engine pays for its call alone.
 */
#define ENGINE_LOOP(f, CALL) \
	do { \
		uint32_t matches = 0; \
		for (size_t i = 0; i < ENGINE_FRAMES; i++) { \
			const struct engine_frame *const frame = &(f)->v[i]; \
			(void)frame; \
			matches += (CALL) != 0; \
		} \
		return matches; \
	} while (0)

#endif
