// SPDX-License-Identifier: BSD-3-Clause
/* Every engine runs every case: edges of arithmetic, of bounds, of control flow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/util.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "engines.h"

static const struct engine *const engines[] = {
	&engine_interp, &engine_optimised, &engine_jit, &engine_pcap, &engine_kernel};

/* Bytes 0, 1, 2, ... up to caplen. */
#define COUNTING NULL

static const struct engine_case {
	const char *what;
	const char *prog;
	const char *pkt; /* caplen bytes */
	uint32_t caplen, wirelen;
	uint32_t want;
	bool linux_differs; /* X + k wraps, or is negative there */
} cases[] = {
	{"return constant", "ret #7", COUNTING, 0, 0, 7, false},
	{"A starts at 0", "ret a", COUNTING, 4, 4, 0, false},
	{"X starts at 0", "txa ret a", COUNTING, 4, 4, 0, false},
	{"word", "ld [1] ret a", COUNTING, 5, 5, 0x01020304, false},
	{"half", "ldh [1] ret a", COUNTING, 3, 3, 0x0102, false},
	{"byte", "ldb [2] ret a", COUNTING, 3, 3, 2, false},
	{"word, one byte short", "ld [1] ret #1", COUNTING, 4, 4, 0, false},
	{"half, one byte short", "ldh [1] ret #1", COUNTING, 2, 2, 0, false},
	{"byte, one byte short", "ldb [2] ret #1", COUNTING, 2, 2, 0, false},
	{"word by X", "ldx #2 ld [x + 1] ret a", COUNTING, 7, 7, 0x03040506, false},
	{"half by X", "ldx #2 ldh [x + 1] ret a", COUNTING, 5, 5, 0x0304, false},
	{"byte by X", "ldx #2 ldb [x + 1] ret a", COUNTING, 4, 4, 3, false},
	{"by loaded X", "ldb [3] tax ldb [x + 2] ret a", COUNTING, 6, 6, 5, false},
	{"by loaded X, short", "ldb [3] tax ldb [x + 3] ret #1", COUNTING, 6, 6, 0, false},
	{"X + k wraps", "ldx #0xfffffffe ldb [x + 3] ret #1", COUNTING, 9, 9, 0, true},
	{"X + k wraps, loaded X", "ldb [1] sub #2 tax ldb [x + 3] ret #1", COUNTING, 9, 9, 0, true},
	{"X = A + k wraps, then fits", "ldb [1] sub #1 tax ldb [x + 3] ret a", COUNTING, 9, 9, 3,
		false},
	{"offset beyond 2^31", "ldx #1 ldb [x + 0x80000000] ret #1", COUNTING, 9, 9, 0, true},
	{"offset 2^31 - 1", "ldb [0x7fffffff] ret #1", COUNTING, 9, 9, 0, false},
	{"header length", "ldx 4*([5]&0xf) txa ret a", COUNTING, 6, 6, 20, false},
	{"header length, masked", "ldx 4*([0]&0xf) txa ret a", "\x45", 1, 1, 20, false},
	{"header length, short", "ldx 4*([5]&0xf) ret #1", COUNTING, 5, 5, 0, false},
	{"length", "ld #len ret a", COUNTING, 9, 9, 9, false},
	{"length in X", "ldx #len txa ret a", COUNTING, 9, 9, 9, false},
	{"length on the wire", "ld #len ret a", COUNTING, 9, 1500, 1500, false},
	{"last byte by length", "ld #len sub #1 tax ldb [x + 0] ret a", COUNTING, 9, 9, 8, false},
	{"behind the end by length", "ldx #len ldb [x + 0] ret #1", COUNTING, 9, 9, 0, false},
	{"length survives a division",
		"ldb [6] ldx #4 div x add #7 st M[0] ld #len ldx M[0] add x ret a", COUNTING, 9, 9,
		17, false},
	{"add", "ldb [7] add #0xfffffffc ret a", COUNTING, 9, 9, 3, false},
	{"add X", "ldb [7] tax ldb [8] add x ret a", COUNTING, 9, 9, 15, false},
	{"sub", "ldb [7] sub #3 ret a", COUNTING, 9, 9, 4, false},
	{"sub X", "ldb [3] tax ldb [8] sub x ret a", COUNTING, 9, 9, 5, false},
	{"sub X, below 0", "ldb [8] tax ldb [3] sub x rsh #28 ret a", COUNTING, 9, 9, 15, false},
	{"mul", "ldb [7] mul #3 ret a", COUNTING, 9, 9, 21, false},
	{"mul X", "ldb [7] tax mul x ret a", COUNTING, 9, 9, 49, false},
	{"mul wraps", "ld [0] mul #0x10000 ret a", COUNTING, 4, 4, 0x02030000, false},
	{"div", "ldb [8] div #3 ret a", COUNTING, 9, 9, 2, false},
	{"div, word by 7", "ld [5] div #7 rsh #8 ret a", COUNTING, 9, 9, 0x05060708 / 7 >> 8,
		false},
	{"div, largest by 3", "ld #0 sub #1 st M[0] ldb [0] ldx M[0] add x div #3 rsh #16 ret a",
		COUNTING, 9, 9, 0x5555, false},
	{"div X", "ldb [3] tax ldb [8] div x ret a", COUNTING, 9, 9, 2, false},
	{"div by X = 0", "ldb [0] tax ldb [8] div x ret #1", COUNTING, 9, 9, 0, false},
	{"div by constant X = 0", "ldx #0 ldb [8] div x ret #1", COUNTING, 9, 9, 0, false},
	{"mod", "ldb [8] mod #3 ret a", COUNTING, 9, 9, 2, false},
	{"mod, word by 1000", "ld [5] mod #1000 ret a", COUNTING, 9, 9, 0x05060708 % 1000, false},
	{"mod X", "ldb [5] tax ldb [8] mod x ret a", COUNTING, 9, 9, 3, false},
	{"mod by X = 0", "ldb [0] tax ldb [8] mod x ret #1", COUNTING, 9, 9, 0, false},
	{"unused quotient still ends it", "ldb [0] tax ldb [8] div x ld #1 ret a", COUNTING, 9, 9,
		0, false},
	{"unused load still ends it", "ld [8] ld #1 ret a", COUNTING, 9, 9, 0, false},
	{"and", "ldb [7] and #5 ret a", COUNTING, 9, 9, 5, false},
	{"or", "ldb [5] or #2 ret a", COUNTING, 9, 9, 7, false},
	{"xor", "ldb [5] xor #6 ret a", COUNTING, 9, 9, 3, false},
	{"and X", "ldb [6] tax ldb [5] and x ret a", COUNTING, 9, 9, 4, false},
	{"or X", "ldb [6] tax ldb [5] or x ret a", COUNTING, 9, 9, 7, false},
	{"xor X", "ldb [6] tax ldb [5] xor x ret a", COUNTING, 9, 9, 3, false},
	{"xor itself", "ldb [6] tax xor x add #1 ret a", COUNTING, 9, 9, 1, false},
	{"neg", "ldb [6] neg neg ret a", COUNTING, 9, 9, 6, false},
	{"neg of 1", "ldb [1] neg rsh #31 ret a", COUNTING, 9, 9, 1, false},
	{"lsh", "ldb [1] lsh #4 ret a", COUNTING, 9, 9, 16, false},
	{"rsh", "ld [0] rsh #16 ret a", COUNTING, 9, 9, 1, false},
	{"lsh X", "ldb [3] tax ldb [1] lsh x ret a", COUNTING, 9, 9, 8, false},
	{"rsh X", "ldb [1] tax ldb [8] rsh x ret a", COUNTING, 9, 9, 4, false},
	{"lsh by X = 31", "ldx #31 ldb [1] lsh x rsh #30 ret a", COUNTING, 9, 9, 2, false},
	{"lsh by X = 32", "ldb [0] tax ld #32 add x tax ldb [1] lsh x ret a", "\0\1", 2, 2, 0,
		false},
	{"rsh by X = 33", "ldb [0] tax ld #33 add x tax ldb [1] rsh x ret a", "\0\x7f", 2, 2, 0,
		false},
	{"rsh by X = 2^32 - 1", "ldx #0xffffffff ldb [1] rsh x ret a", "\0\xff", 2, 2, 0, false},
	{"jeq", "ldb [5] jeq #5, y ret #0 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jeq, no", "ldb [5] jeq #6, y ret #2 y: ret #1", COUNTING, 9, 9, 2, false},
	{"jeq with more than the byte holds", "ldb [5] jeq #0x105, y ret #2 y: ret #1", COUNTING, 9,
		9, 2, false},
	{"jneq", "ldh [4] jneq #0x0405, y ret #2 y: ret #1", COUNTING, 9, 9, 2, false},
	{"jgt, equal", "ldb [5] jgt #5, y ret #2 y: ret #1", COUNTING, 9, 9, 2, false},
	{"jgt, unsigned", "ld #0xffffffff jgt #5, y ret #2 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jgt, half", "ldh [0] jgt #0x00ff, y ret #2 y: ret #1", "\1\0", 2, 2, 1, false},
	{"jge, equal", "ldb [5] jge #5, y ret #2 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jge X", "ldb [6] tax ldb [5] jge x, y ret #2 y: ret #1", COUNTING, 9, 9, 2, false},
	{"jgt X", "ldb [4] tax ldb [5] jgt x, y ret #2 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jeq X", "ldb [5] tax ldb [5] jeq x, y ret #2 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jset", "ldb [5] jset #4, y ret #2 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jset, no", "ldb [5] jset #0xfa, y ret #2 y: ret #1", COUNTING, 9, 9, 2, false},
	{"jset, -128 <= k <= 127", "tax ldb [5] jset #0xffffff80, y ret #2 y: ret #1", COUNTING, 9,
		9, 2, false},
	{"jset X", "ldb [4] tax ldb [5] jset x, y ret #2 y: ret #1", COUNTING, 9, 9, 1, false},
	{"jset all ones is not always", "ldb [0] jset #0xffffffff, y ret #2 y: ret #1", COUNTING, 9,
		9, 2, false},
	{"masked equality", "ld [0] and #0x00ff00ff jeq #0x00010003, y ret #2 y: ret #1", COUNTING,
		4, 4, 1, false},
	{"masked equality that cannot be", "ldb [0] and #0xf0 jeq #0x01, y ret #2 y: ret #1", "\1",
		1, 1, 2, false},
	{"ignore-case mask", "ld [0] or #0x20202020 jeq #0x61626364, y ret #2 y: ret #1", "AbCd", 4,
		4, 1, false},
	{"or that cannot be", "ldb [0] or #0x20 jeq #0x41, y ret #2 y: ret #1", "A", 1, 1, 2,
		false},
	{"shifted equality", "ldb [0] rsh #4 jeq #4, y ret #2 y: ret #1", "\x45", 1, 1, 1, false},
	{"run over 8 bytes",
		"ld [0] jneq #0x00010203, n ld [4] jneq #0x04050607, n ret #1 n: ret #0", COUNTING,
		8, 8, 1, false},
	{"run, last bit wrong",
		"ld [0] jneq #0x00010203, n ld [4] jneq #0x04050606, n ret #1 n: ret #0", COUNTING,
		8, 8, 0, false},
	{"run, first byte wrong",
		"ld [0] jneq #0x01010203, n ld [4] jneq #0x04050607, n ret #1 n: ret #0", COUNTING,
		8, 8, 0, false},
	{"run, one byte short",
		"ld [0] jneq #0x00010203, n ld [4] jneq #0x04050607, n ret #1 n: ret #0", COUNTING,
		7, 7, 0, false},
	{"failed test before a short load", "ldb [0] jeq #0, y ld [20] y: ret #3", COUNTING, 4, 4,
		3, false},
	{"contradiction", "ldb [0] jneq #0, n ldb [0] jneq #1, n ret #1 n: ret #2", COUNTING, 4, 4,
		2, false},
	{"scratch", "ldb [3] st M[15] ldb [4] tax stx M[0] ldx M[15] ld M[0] sub x ret a", COUNTING,
		9, 9, 1, false},
	{"scratch from two ways",
		"ldb [0] jeq #9, o ldb [3] st M[2] ja e o: ldb [4] st M[2] e: ld M[2] ret a",
		COUNTING, 9, 9, 3, false},
	{"A and X from two ways",
		"ldb [0] jeq #0, o ldb [3] ldx #7 ja e o: ldb [4] ldx #8 e: add x ret a", COUNTING,
		9, 9, 12, false},
	{"exchange through scratch",
		"ldb [1] st M[0] ldb [2] st M[1] ldb [0] jeq #1, e "
		"ld M[0] ldx M[1] st M[1] stx M[0] e: ld M[0] lsh #8 ldx M[1] or x ret a",
		COUNTING, 9, 9, 0x0201, false},
	{"a value computed between two tests, used behind the first",
		"ldb [1] lsh #2 tax ldb [0] jneq #9, n ld #1 lsh x jneq #16, n ret #1 "
		"n: ldb [2] add x ret a",
		COUNTING, 9, 9, 6, false},
	{"return A of many", "ld [0] ret a", "\xff\xff\xff\xff", 4, 4, 0xffffffff, false},
	{"jump over everything", "ja e ret #1 ret #2 e: ret #3", COUNTING, 0, 0, 3, false},
};

static struct cbpf_prog *
assemble(const char *text)
{
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns;
	struct diag d = {0};
	size_t n;

	if (cbpf_asm(text, &insns, &n, &d) < 0 || cbpf_prog_new(insns, n, &prog, &d) < 0) {
		printf("%s: %u:%u: %s\n", text, d.line, d.col, d.msg);
		exit(1);
	}
	mem_free(insns);
	return prog;
}

/* The kernel tells only the length that is left of the packet. */
static uint32_t
seen_by(const struct engine *e, uint32_t want, uint32_t caplen)
{
	if (e != &engine_kernel || want == 0)
		return want;
	return MAX(MIN(want, caplen), 1u);
}

static bool
agrees(const struct engine *e, const struct engine_case *c)
{
	static const uint8_t counting[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	const uint8_t *pkt = c->pkt != NULL ? (const uint8_t *)c->pkt : counting;
	struct cbpf_prog *prog;
	uint32_t got;
	void *loaded;

	if (e == &engine_kernel && (c->linux_differs || c->wirelen != c->caplen))
		return true;
	prog = assemble(c->prog);
	loaded = e->load(prog);
	if (loaded == NULL) {
		cbpf_prog_free(prog);
		return e == &engine_jit;
	}
	got = e->run(loaded, fence_end(pkt, c->caplen), c->caplen, c->wirelen);
	e->unload(loaded);
	cbpf_prog_free(prog);
	return got == seen_by(e, c->want, c->caplen);
}

int
main(void)
{
	const struct engine_case notice = {
		"noticed", "ldb [5] jeq #5, y ret #0 y: ret #1", COUNTING, 9, 9, 1, false};
	unsigned int failed = 0;

	for (size_t i = 0; i < DIM(cases); i++)
		for (size_t j = 0; j < DIM(engines); j++)
			if (!agrees(engines[j], &cases[i])) {
				printf("NOT OK: %s: %s\n", engines[j]->name, cases[i].what);
				failed++;
			}
	/* A comparison that cannot fail proves nothing: it must catch this one. */
	if (agrees(&engine_broken, &notice)) {
		printf("NOT OK: a broken engine is not noticed\n");
		failed++;
	}
	printf("%zu cases, %zu engines, %u failed\n", DIM(cases), DIM(engines), failed);
	return failed > 0;
}
