/* SPDX-License-Identifier: BSD-3-Clause */
static const int bits[256] = {
	[179 & 255] = 1 | 2,
	[3784 & 255] = 1,
    [58] = 4,
};
