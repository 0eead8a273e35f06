// SPDX-License-Identifier: BSD-3-Clause
/*
 * Any bytes as a program and a frame, see fuzz_prog.h. Machine code and
 * interpreter agree on it at every length; the frame ends at an unreadable page.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"

#include "fuzz.h"
#include "fuzz_prog.h"

#define FRAME_MAX 512 /* bytes */
#define PAGE 4096
#define ARENA_BYTES ((size_t)8 << 20)

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cbpf_prog *prog;
	const uint8_t *frame;
	cbpf_fn fn = NULL;
	size_t len, bytes;

	if (!cbpf_jit_available())
		return 0;
	prog = fuzz_prog(data, size, &frame, &len);
	if (prog == NULL)
		return 0;
	len = MIN(len, (size_t)FRAME_MAX);
	fuzz_check(cbpf_jit_into(arena_with_room(), prog, &fn, &bytes, NULL) == 0);
	for (size_t i = 0; i <= len; i++) {
		const uint8_t *p = before_fence(frame, i);

		fuzz_check(fn(p, (uint32_t)i, (uint32_t)len) ==
			cbpf_run(prog, p, (uint32_t)i, (uint32_t)len));
	}
	cbpf_prog_free(prog);
	return 0;
}
