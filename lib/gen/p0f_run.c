// SPDX-License-Identifier: BSD-3-Clause
#include "base/util.h"
#include "cbpf/insn.h"
#include "p0f_gen.h"

void
p0f_want(struct p0f_run *run, uint32_t off, uint8_t val, uint8_t mask)
{
	if (off >= P0F_RUN_MAX)
		return; /* no TCP header is that long; p0f_opts_check() refused it */
	run->val[off] = (uint8_t)((run->val[off] & ~mask) | (val & mask));
	run->mask[off] |= mask;
}

void
p0f_want16(struct p0f_run *run, uint32_t off, uint16_t val, uint16_t mask)
{
	p0f_want(run, off, (uint8_t)(val >> 8), (uint8_t)(mask >> 8));
	p0f_want(run, off + 1, (uint8_t)val, (uint8_t)mask);
}

/* Bytes to load at @at: a whole word where three or four of its bytes are asked, else less. */
static uint32_t
width_at(const struct p0f_run *run, uint32_t at)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < 4 && at + i < P0F_RUN_MAX; i++)
		if (run->mask[at + i] != 0)
			last = i;
	return last >= 2 ? 4 : last + 1;
}

/*
 * A load of four bytes must not reach behind what is asked, or a frame that
 * ends there could not match: move the window back instead.
 */
static uint32_t
window_start(const struct p0f_run *run, uint32_t at, uint32_t width)
{
	if (width == 4 && at > 0 && (at + 3 >= P0F_RUN_MAX || run->mask[at + 3] == 0))
		return at - 1;
	return at;
}

static void
emit_window(struct p0f_gen *g, const struct p0f_run *run, uint32_t at, uint32_t width,
	uint32_t base, bool indirect)
{
	static const uint16_t codes[5][2] = {
		[1] = {CBPF_CODE_LD_B_ABS, CBPF_CODE_LD_B_IND},
		[2] = {CBPF_CODE_LD_H_ABS, CBPF_CODE_LD_H_IND},
		[4] = {CBPF_CODE_LD_W_ABS, CBPF_CODE_LD_W_IND},
	};
	const uint32_t all = width == 4 ? UINT32_MAX : (UINT32_C(1) << (width * 8)) - 1;
	uint32_t val = 0, mask = 0;

	for (uint32_t i = 0; i < width; i++) {
		val = val << 8 | run->val[at + i];
		mask = mask << 8 | run->mask[at + i];
	}
	gen_emit_op(g->e, codes[width][indirect], base + at);
	if (mask != all)
		gen_emit_op(g->e, CBPF_CODE_ALU_AND_K, mask);
	gen_emit_jump(g->e, CBPF_CODE_JEQ_K, val & mask, false, g->fail);
}

void
p0f_run_emit(struct p0f_gen *g, struct p0f_run *run, uint32_t base, bool indirect)
{
	for (uint32_t at = 0; at < P0F_RUN_MAX;) {
		uint32_t width, start;

		if (run->mask[at] == 0) {
			at++;
			continue;
		}
		width = width_at(run, at);
		start = window_start(run, at, width);
		emit_window(g, run, start, width, base, indirect);
		for (uint32_t i = start; i < start + width; i++)
			run->mask[i] = 0;
		at = start + width;
	}
	*run = (struct p0f_run){0};
}
