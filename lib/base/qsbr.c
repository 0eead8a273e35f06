// SPDX-License-Identifier: BSD-3-Clause
#include "base/qsbr.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "base/mem.h"

/* Between looks at the readers; a round takes some microseconds. */
#define LOOK_AGAIN_NS 20000

int
qsbr_new(uint32_t n, struct qsbr **ret_qsbr)
{
	struct qsbr *q =
		mem_zalloc_aligned(BASE_CACHE_LINE, sizeof(*q) + n * sizeof(struct qsbr_reader));

	if (q == NULL)
		return -ENOMEM;
	atomic_init(&q->epoch, 1);
	q->n = n;
	*ret_qsbr = q;
	return 0;
}

void
qsbr_free(struct qsbr *q)
{
	mem_free(q);
}

static bool
is_past(const struct qsbr *q, uint32_t i, uint64_t epoch)
{
	/* Sequentially consistent with qsbr_online(); acquire for the other two. */
	const uint64_t seen = atomic_load_explicit(&q->readers[i].seen, memory_order_seq_cst);

	return seen == 0 || seen >= epoch;
}

void
qsbr_wait(struct qsbr *q)
{
	const struct timespec again = {.tv_nsec = LOOK_AGAIN_NS};
	const uint64_t epoch = atomic_fetch_add_explicit(&q->epoch, 1, memory_order_seq_cst) + 1;

	for (uint32_t i = 0; i < q->n; i++)
		while (!is_past(q, i, epoch))
			(void)nanosleep(&again, NULL);
}
