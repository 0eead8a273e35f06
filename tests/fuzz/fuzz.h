/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_H
#define FUZZ_H

/*
 * What every target offers, to libFuzzer and to replay.c alike: survive any
 * @size bytes at @data, and end with fuzz_check() when a promise was broken.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End with the input on record: libFuzzer and replay.c both report an abort. */
#define fuzz_check(promise) \
	do { \
		if (!(promise)) { \
			(void)fprintf( \
				stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
			abort(); \
		} \
	} while (0)

#endif
