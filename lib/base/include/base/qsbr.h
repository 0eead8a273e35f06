/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BASE_QSBR_H
#define BASE_QSBR_H

/*
 * Who may free what readers use without a lock: quiescent states. A reader says
 * now and then that it holds no pointer of those that are replaced; a writer that
 * has replaced one waits until every reader has said so since, and frees. A reader
 * that sleeps goes offline, and is not waited for.
 *
 * For a reader that is two loads a round, and a store after something was replaced.
 *
 * Threads: each reader's number is one thread's; writers take turns, since they
 * wait.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "base/util.h"

struct qsbr_reader {
	/*
	 * Its reader writes, the writer reads: the epoch in which the reader held nothing,
	 * 0: offline.
	 */
	_Atomic uint64_t seen;
} __attribute__((aligned(BASE_CACHE_LINE)));

struct qsbr {
	_Atomic uint64_t epoch; /* from 1 on; the writer adds, readers look */
	uint32_t n;
	struct qsbr_reader readers[] __attribute__((aligned(BASE_CACHE_LINE)));
};

/* For @n readers, all offline. Returns 0 or -ENOMEM. */
int qsbr_new(uint32_t n, struct qsbr **ret_qsbr);
void qsbr_free(struct qsbr *q); /* NULL is allowed */

/* Wait until no reader holds what it took before the call. Looks again every 20 µs. */
void qsbr_wait(struct qsbr *q);

/*
 * From here on reader @i may take pointers; with seq_cst loads, or after qsbr_quiescent()
 * with acquire: either the load sees what the writer stored, or the writer, who looks
 * behind its store, sees the reader. (Store and load of two places: seq_cst on all four.)
 */
static inline void
qsbr_online(struct qsbr *q, uint32_t i)
{
	atomic_store_explicit(&q->readers[i].seen,
		atomic_load_explicit(&q->epoch, memory_order_seq_cst), memory_order_seq_cst);
}

/* Release pairs with the acquire in qsbr_wait(): all that was read is behind us. */
static inline void
qsbr_offline(struct qsbr *q, uint32_t i)
{
	atomic_store_explicit(&q->readers[i].seen, 0, memory_order_release);
}

/*
 * Reader @i, online, holds nothing. Acquire pairs with the writer's addition: whoever sees
 * the new epoch sees what was stored before it. Release as in qsbr_offline().
 */
static inline void
qsbr_quiescent(struct qsbr *q, uint32_t i)
{
	const uint64_t epoch = atomic_load_explicit(&q->epoch, memory_order_acquire);
	_Atomic uint64_t *seen = &q->readers[i].seen;

	if (atomic_load_explicit(seen, memory_order_relaxed) != epoch)
		atomic_store_explicit(seen, epoch, memory_order_release);
}

#endif
