// SPDX-License-Identifier: BSD-3-Clause
int x; // no
static const char url[] = "http://example.uk"; /* // fine */
