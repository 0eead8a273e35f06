/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DP_EAL_PRIV_H
#define DP_EAL_PRIV_H

#include <stddef.h>

/* Workers that dp_eal_start() was given CPUs for; 0 before. */
size_t eal_workers(void);

/* Forget, and read, the last line that DPDK logged as an error; "" when there is none. */
void eal_error_clear(void);
void eal_error_get(char *buf, size_t size);

/* True for 0000:3b:00.0 and 3b:00.0, with or without arguments behind a comma. */
_Bool eal_is_pci(const char *device);

#endif
