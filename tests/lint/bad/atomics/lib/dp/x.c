// SPDX-License-Identifier: BSD-3-Clause
uint64_t
x_run(_Atomic uint64_t *n)
{
	atomic_fetch_add(n, 1);
	__sync_synchronize();
	atomic_store_explicit(n, 1, memory_order_relaxed);
	return atomic_load(n);
}
