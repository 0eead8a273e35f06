// SPDX-License-Identifier: BSD-3-Clause
/* The five-tuple kernel for processors with AVX2. */
#include "tuple.h"

#if defined(__AVX2__)

#define TUPLE_PROBE tuple_probe_avx2
#define TUPLE_STRAIGHT tuple_straight_avx2

#include "tuple_probe.h"

#endif
