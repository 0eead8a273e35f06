// SPDX-License-Identifier: BSD-3-Clause
/* The bit-vector kernel for any processor. */
#include "bits.h"

#define BITS_PROBE bits_probe_c

#include "bits_probe.h"
