// SPDX-License-Identifier: BSD-3-Clause
/* The bit-vector kernel for processors with AVX2. */
#include "bits.h"

#if defined(__AVX2__)

#define BITS_PROBE bits_probe_avx2

#include "bits_probe.h"

#endif
