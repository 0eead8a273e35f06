// SPDX-License-Identifier: BSD-3-Clause
#include "hex.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/parse.h"
#include "base/util.h"
#include "cbpf/insn.h"
#include "emit.h"

/* One digit's value and mask. False for a character that is none. */
static bool
read_digit(char c, uint8_t *ret_val, uint8_t *ret_mask)
{
	const int digit = parse_hex_digit(c);

	*ret_mask = digit >= 0 ? 0xf : 0;
	*ret_val = digit >= 0 ? (uint8_t)digit : 0;
	return digit >= 0 || c == 'x' || c == 'X' || c == '?';
}

int
gen_hex_read(const char *text, struct gen_bytes *b, struct diag *diag)
{
	size_t n_digits = 0;

	for (const char *p = text; *p != '\0'; p++) {
		const unsigned int col = (unsigned int)(p - text) + 1;
		uint8_t val, mask;

		if (*p == ' ' || *p == '\t')
			continue;
		if (!read_digit(*p, &val, &mask))
			return diag_fail_at(diag, -EINVAL, 0, col,
				"expected hexadecimal digits, got '%.40s'", p);
		if (n_digits % 2 == 0) {
			if (b->n == GEN_BYTES_MAX)
				return diag_fail_at(diag, -E2BIG, 0, col,
					"expected at most %d bytes", GEN_BYTES_MAX);
			b->val[b->n] = (uint8_t)(val << 4);
			b->mask[b->n++] = (uint8_t)(mask << 4);
		} else {
			b->val[b->n - 1] |= val;
			b->mask[b->n - 1] |= mask;
		}
		n_digits++;
	}
	if (n_digits % 2 != 0)
		return diag_fail_at(diag, -EINVAL, 0, (unsigned int)strlen(text) + 1,
			"expected two hexadecimal digits for each byte, got %zu in '%.40s'",
			n_digits, text);
	return 0;
}

/* The widest load that starts at @at and asks only bytes of the pattern. */
static size_t
width_at(const struct gen_bytes *b, size_t at)
{
	const size_t left = b->n - at;

	if (left >= 4)
		return 4;
	return left >= 2 ? 2 : 1;
}

void
gen_bytes_emit(struct gen_emit *e, const struct gen_bytes *b, uint32_t off, int fail)
{
	static const uint16_t loads[] = {
		[1] = CBPF_CODE_LD_B_IND, [2] = CBPF_CODE_LD_H_IND, [4] = CBPF_CODE_LD_W_IND};

	for (size_t at = 0; at < b->n;) {
		const size_t width = width_at(b, at);
		const uint32_t all = width == 4 ? UINT32_MAX : (UINT32_C(1) << (width * 8)) - 1;
		uint32_t val = 0, mask = 0;

		for (size_t i = at; i < at + width; i++) {
			val = val << 8 | b->val[i];
			mask = mask << 8 | b->mask[i];
		}
		if (mask == 0) {
			at += width;
			continue;
		}
		gen_emit_op(e, loads[width], off + (uint32_t)at);
		if (mask != all)
			gen_emit_op(e, CBPF_CODE_ALU_AND_K, mask);
		gen_emit_jump(e, CBPF_CODE_JEQ_K, val & mask, false, fail);
		at += width;
	}
}

/* True when gen_bytes_emit() loads nothing of bytes @at .. @at + @width. */
static bool
is_wild(const struct gen_bytes *b, size_t at, size_t width)
{
	for (size_t i = at; i < at + width; i++)
		if (b->mask[i] != 0)
			return false;
	return true;
}

void
gen_bytes_reach_first(struct gen_emit *e, const struct gen_bytes *b, uint32_t off)
{
	if (is_wild(b, 0, width_at(b, 0)))
		gen_emit_op(e, CBPF_CODE_LD_B_IND, off);
}

void
gen_bytes_reach_last(struct gen_emit *e, const struct gen_bytes *b, uint32_t off)
{
	size_t at = 0;

	while (at + width_at(b, at) < b->n)
		at += width_at(b, at);
	if (is_wild(b, at, b->n - at))
		gen_emit_op(e, CBPF_CODE_LD_B_IND, off + (uint32_t)b->n - 1);
}
