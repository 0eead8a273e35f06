// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdatomic.h>

#include "base/vec.h"
#include "cbpf/prog.h"
#include "load.h"

int
rules_store_new(struct rules_store **ret_store)
{
	struct rules_store *store = mem_zalloc(sizeof(*store));

	if (store == NULL)
		return -ENOMEM;
	atomic_init(&store->refs, 1);
	*ret_store = store;
	return 0;
}

void
rules_store_drop(struct rules_store *store)
{
	/* Release and acquire pair with each other: who frees comes after all who used it. */
	if (store == NULL || atomic_fetch_sub_explicit(&store->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < store->progs.n; i++)
		cbpf_prog_free(store->progs.v[i]);
	mem_free(store->progs.v);
	arena_fini(&store->arena);
	mem_free(store);
}

int
load_use_store(struct load *l, struct rules_store *store)
{
	struct rules_store **slot;

	/* A handful: a new one is begun only when much of the last is of no use. */
	for (size_t i = l->rs->stores.n; i-- > 0;)
		if (l->rs->stores.v[i] == store)
			return 0;
	slot = vec_push(&l->rs->stores);
	if (slot == NULL)
		return -ENOMEM;
	*slot = store;
	/* Nothing is ordered by taking one more; see rules_store_drop() for the last one. */
	(void)atomic_fetch_add_explicit(&store->refs, 1, memory_order_relaxed);
	return 0;
}
