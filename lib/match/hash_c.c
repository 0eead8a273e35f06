// SPDX-License-Identifier: BSD-3-Clause
/* The hash kernel in plain C. */
#include "hash.h"

#define HASH_PROBE hash_probe_c
#define HASH_STEPS hash_steps_c

#include "hash_probe.h"
