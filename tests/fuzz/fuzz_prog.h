/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_PROG_H
#define FUZZ_PROG_H

/*
 * Any bytes as a program and a frame: one byte of length, instructions of eight
 * bytes made valid as far as that is cheap, the frame.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/prog.h"

/* A known opcode, jumps inside, offsets that packets have; the rest is left to luck. */
static inline struct cbpf_insn
fuzz_insn(const uint8_t *p, size_t left)
{
	static const uint16_t codes[] = {
#define X(id, code, name, form) code,
		CBPF_OPCODES(X)
#undef X
	};
	struct cbpf_insn in;

	memcpy(&in, p, sizeof(in));
	in.code = codes[in.code % DIM(codes)];
	if (left > 0) {
		in.jt = (uint8_t)(in.jt % left);
		in.jf = (uint8_t)(in.jf % left);
	}
	if (in.code == CBPF_CODE_JA && left > 0)
		in.k %= (uint32_t)left;
	if ((in.code & 7) < 2 && (in.code & 0xe0) != 0 && in.k >= 0xff000000)
		in.k &= 0x7f;
	if ((in.code & 7) < 4 && ((in.code & 0xe0) == 0x60 || (in.code & 7) > 1))
		in.k %= CBPF_MEM_WORDS;
	return in;
}

/* The program of @data, or NULL; what follows it is the *@ret_len bytes at *@ret_frame. */
static inline struct cbpf_prog *
fuzz_prog(const uint8_t *data, size_t size, const uint8_t **ret_frame, size_t *ret_len)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn insns[256];
	size_t n;

	if (size < 1 || size < 1 + 8 * (size_t)data[0])
		return NULL;
	n = data[0];
	for (size_t i = 0; i < n; i++)
		insns[i] = fuzz_insn(data + 1 + 8 * i, n - i);
	insns[n] = (struct cbpf_insn){CBPF_CODE_RET_A, 0, 0, 0};
	*ret_frame = data + 1 + 8 * n;
	*ret_len = size - 1 - 8 * n;
	return cbpf_prog_new(insns, n + 1, &prog, NULL) == 0 ? prog : NULL;
}

#endif
