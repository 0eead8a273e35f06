/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GEN_HEX_H
#define GEN_HEX_H

/*
 * Byte patterns of generators: masked bytes from hexadecimal text, and the
 * instructions that test them. Plain values, any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag;
struct gen_emit;

#define GEN_BYTES_MAX 1024 /* no frame that floods is worth a longer pattern */

struct gen_bytes {
	uint8_t val[GEN_BYTES_MAX];
	uint8_t mask[GEN_BYTES_MAX];
	size_t n;
};

/*
 * Append the hexadecimal @text to @b: two digits a byte, blanks ignored, 'x' or
 * '?' for a digit that may be anything.
 *
 * Returns 0, -EINVAL for another character or an odd number of digits
 * (diag->col in @text), -E2BIG over GEN_BYTES_MAX.
 */
int gen_hex_read(const char *text, struct gen_bytes *b, struct diag *diag);

/*
 * Emit tests of all of @b's bytes at X + @off, with as few loads as possible;
 * on the first that differs jump to @fail.
 */
void gen_bytes_emit(struct gen_emit *e, const struct gen_bytes *b, uint32_t off, int fail);

/*
 * Wildcards are not loaded by gen_bytes_emit(), yet their bytes must be there. Emit
 * a load of the first or the last byte of @b at X + @off where the tests would not
 * reach it. (An X that has wrapped must not be used behind such wildcards alone: Linux
 * would take X + k in 32 bits for a place in the packet.)
 */
void gen_bytes_reach_first(struct gen_emit *e, const struct gen_bytes *b, uint32_t off);
void gen_bytes_reach_last(struct gen_emit *e, const struct gen_bytes *b, uint32_t off);

#endif
