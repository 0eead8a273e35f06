// SPDX-License-Identifier: BSD-3-Clause
/* The bit-vector kernel for processors with AVX-512 (F, BW, VL). */
#include "bits.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#define BITS_PROBE bits_probe_avx512

#include "bits_probe.h"

#endif
