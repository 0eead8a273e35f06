// SPDX-License-Identifier: BSD-3-Clause
#include "maybe_vital.h"

/* clang-format takes designators in a header for Objective-C; hence a file for the table. */
const uint8_t maybe_vital_bits[256] = {
	[179 & 255] = 1 | 2,
	[3784 & 255] = 1,
	[3785 & 255] = 1,
	[4784 & 255] = 1,
	[58] = 4,
};
