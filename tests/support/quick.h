/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_QUICK_H
#define TEST_QUICK_H

/*
 * Counts of the quick tier. What a test counts on is run in full by the plain
 * builds; a sanitizer takes up to ten times as long for one, and what it looks
 * for, memory and undefined behaviour, shows in a fifth of them.
 */
#ifdef __SANITIZE_ADDRESS__
#define QUICK(n) ((n) / 5)
#else
#define QUICK(n) (n)
#endif

#endif
