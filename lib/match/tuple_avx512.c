// SPDX-License-Identifier: BSD-3-Clause
/* The five-tuple kernel for processors with AVX-512 (F, BW, VL). */
#include "tuple.h"

#if defined(__AVX512BW__) && defined(__AVX512VL__)

#define TUPLE_PROBE tuple_probe_avx512
#define TUPLE_STRAIGHT tuple_straight_avx512

#include "tuple_probe.h"

#endif
