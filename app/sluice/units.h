/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SLUICE_UNITS_H
#define SLUICE_UNITS_H

/* Numbers for people. All return @buf. */

#include <stdint.h>

#define UNITS_TEXT 32 /* bytes of any of these texts, with the NUL */

/* "1,234,567". */
const char *units_count(uint64_t n, char buf[UNITS_TEXT]);

/* "999 B", "12.3 kB", "4.56 MB": powers of 1000, three digits. */
const char *units_bytes(uint64_t n, char buf[UNITS_TEXT]);

/* "97.3 %"; "-" of nothing; never 100.0 or 0.0 where it is not all or nothing. */
const char *units_share(uint64_t part, uint64_t whole, char buf[UNITS_TEXT]);

/* "1.234 s" between two times in ns, "-0.5 s" where the second is earlier. */
const char *units_seconds(uint64_t from_ns, uint64_t to_ns, char buf[UNITS_TEXT]);

/* "2023-11-14 22:13:20.123" in UTC. */
const char *units_utc(uint64_t time_ns, char buf[UNITS_TEXT]);

#endif
