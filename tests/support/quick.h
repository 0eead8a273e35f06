/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_QUICK_H
#define TEST_QUICK_H

/*
 * Counts of the quick tier. The release build runs a test in full. A sanitizer or
 * an emulator takes up to ten times as long for one, and what is looked for there,
 * memory, undefined behaviour, another processor or compiler, shows in a fifth, in the
 * emulator a fifteenth; of hundreds of thousands in a third of that. QUICK_SHARE comes
 * from the build: 1, 5 or 15.
 */
#define QUICK(n) ((n) / QUICK_SHARE)
#define QUICK_MANY(n) (QUICK_SHARE == 1 ? (n) : (n) / QUICK_SHARE / 3)

#endif
