/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_WORKER_H
#define DP_WORKER_H

/*
 * One worker: all that the loop over one receive queue touches. It shares with
 * others only the read-mostly words of struct shared, and its counters, which
 * it alone writes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/qsbr.h"
#include "base/util.h"
#include "dp/stats.h"
#include "match/image.h"
#include "match/slot.h"
#include "match/verdict.h"
#include "pkt/vital.h"
#include "sample/sampler.h"

#include "exception.h"
#include "idle.h"

struct dp_protect;
struct rte_mempool;
struct sample_ring;

#define WORKER_BURST MATCH_BURST
#define WORKER_FDS 2

/* Control writes, every worker reads, once a burst. */
struct shared {
	struct match_slot slot; /* dp_publish() puts; with NULL everything passes */
	/* Stored by dp_protect_publish(), loaded as the image is; never NULL while workers run. */
	struct dp_protect *_Atomic protect;
	atomic_bool stop; /* relaxed: orders nothing */
	atomic_bool enforce; /* relaxed */
} __attribute__((aligned(BASE_CACHE_LINE)));

/* By enum dp_stat. One writer, plain adds; read by anybody. Relaxed: they order nothing. */
struct counters {
	_Atomic uint64_t v[DP_STAT_COUNT];
} __attribute__((aligned(BASE_CACHE_LINE)));

/* Wall clock from cycles, set anew now and then. */
struct worker_clock {
	uint64_t cycles, ns; /* the same moment */
	uint64_t s; /* ns in seconds */
	uint64_t renew_at; /* cycles */
	uint64_t renew_cycles; /* constant */
	uint64_t ns_per_cycle_q32; /* constant */
};

struct worker {
	/* Constant while it runs. */
	struct shared *shared;
	struct qsbr *qsbr;
	unsigned int id; /* at qsbr */
	uint16_t ethdev, queue, port; /* port: number in the configuration */
	uint16_t peer; /* port that the exception path leads to, else port */
	bool to_wire; /* the exception path is another port's wire, or our own */
	bool drain; /* when told to stop, empty the ring first */
	bool intr; /* the driver has receive interrupts: enable around waiting */
	int rx_fd; /* readable when frames wait; -1: none */
	struct wire wire; /* our own way out */
	_Atomic uint32_t *sample_one_in; /* control writes, relaxed */
	struct sample_ring *ring;
	uint8_t *scratch; /* WORKER_SCRATCH bytes, for frames in several pieces */
	struct match_counters *rules; /* DP_SLOTS_MAX of them, mapped where touched */
	struct rte_mempool *pool;

	/* Its own. */
	struct exc exc __attribute__((aligned(BASE_CACHE_LINE)));
	struct sampler sampler;
	struct bucket vital[PKT_VITAL_COUNT];
	uint64_t vital_generation; /* of the struct dp_protect that the buckets belong to */
	struct bucket policer;
	struct worker_clock clock;
	struct idle idle;
	uint64_t back_at; /* cycles: when to look for frames of the kernel again */
	uint64_t back_gap, back_gap_max; /* cycles */

	/* It writes, others read. */
	struct counters own; /* of its port */
	struct counters out; /* of the port its exception path leads to */
	_Atomic uint32_t dry; /* receive bursts since the last frame, saturating; relaxed */
};

#define WORKER_FRAME_MAX 65536u /* bytes of a frame in pieces that are looked at */
#define WORKER_SCRATCH ((size_t)WORKER_BURST * WORKER_FRAME_MAX)
#define WORKER_DRY_MAX 1000u

/* The loop. Returns when shared->stop is set. For rte_eal_remote_launch(). */
int worker_main(void *worker);

/* @bursts rounds of it without sleeping; returns the frames received. */
uint64_t worker_run(struct worker *w, uint64_t bursts);

/* Set up clock, idling and back path; what is constant must be set. */
void worker_init(struct worker *w, uint64_t cycles_per_s, uint32_t idle_max_ns);

#endif
