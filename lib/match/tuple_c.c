// SPDX-License-Identifier: BSD-3-Clause
/* The five-tuple kernel for any processor. */
#include "tuple.h"

#define TUPLE_PROBE tuple_probe_c
#define TUPLE_STRAIGHT tuple_straight_c

#include "tuple_probe.h"
