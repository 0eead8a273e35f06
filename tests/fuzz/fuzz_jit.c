// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a program and a frame: one byte of length, instructions of eight
 * bytes made valid as far as that is cheap, the frame. Machine code and
 * interpreter agree on it at every length; the frame ends at an unreadable page.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "cbpf/insn.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"

#include "fuzz.h"

#define FRAME_MAX 512 /* bytes */
#define PAGE 4096
#define ARENA_BYTES ((size_t)8 << 20)

static const uint16_t codes[] = {
#define X(id, code, name, form) code,
	CBPF_OPCODES(X)
#undef X
};

static struct cbpf_arena *
arena_with_room(void)
{
	static struct cbpf_arena *arena;

	if (arena != NULL && cbpf_arena_used(arena) > ARENA_BYTES - (1 << 20)) {
		cbpf_arena_free(arena);
		arena = NULL;
	}
	if (arena == NULL)
		fuzz_check(cbpf_arena_new(ARENA_BYTES, &arena, NULL) == 0);
	return arena;
}

static uint8_t *
before_fence(const uint8_t *bytes, size_t n)
{
	static uint8_t *map;

	if (map == NULL) {
		map = mmap(
			NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		fuzz_check(map != MAP_FAILED && mprotect(map + PAGE, PAGE, PROT_NONE) == 0);
	}
	if (n > 0)
		memcpy(map + PAGE - n, bytes, n);
	return map + PAGE - n;
}

/* A known opcode, jumps inside, offsets that packets have; the rest is left to luck. */
static struct cbpf_insn
repaired(const uint8_t *p, size_t left)
{
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cbpf_insn insns[256];
	struct cbpf_prog *prog = NULL;
	cbpf_fn fn = NULL;
	size_t n, len, bytes;

	if (size < 1 || size < 1 + 8 * (size_t)data[0] || !cbpf_jit_available())
		return 0;
	n = data[0];
	for (size_t i = 0; i < n; i++)
		insns[i] = repaired(data + 1 + 8 * i, n - i);
	insns[n] = (struct cbpf_insn){CBPF_CODE_RET_A, 0, 0, 0};
	data += 1 + 8 * n;
	len = MIN(size - 1 - 8 * n, (size_t)FRAME_MAX);
	if (cbpf_prog_new(insns, n + 1, &prog, NULL) < 0)
		return 0;
	fuzz_check(cbpf_jit_into(arena_with_room(), prog, &fn, &bytes, NULL) == 0);
	for (size_t i = 0; i <= len; i++) {
		const uint8_t *p = before_fence(data, i);

		fuzz_check(fn(p, (uint32_t)i, (uint32_t)len) ==
			cbpf_run(prog, p, (uint32_t)i, (uint32_t)len));
	}
	cbpf_prog_free(prog);
	return 0;
}
