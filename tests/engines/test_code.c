// SPDX-License-Identifier: BSD-3-Clause
/*
 * The machine code itself: it decodes to its last byte, every jump lands on an
 * instruction inside, nothing but what the emitter knows occurs, and it ends
 * with a return. And the text of the program means the same program.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/util.h"
#include "cbpf/jit.h"
#include "cbpf/prog.h"
#include "cbpf/text.h"
#include "engines.h"
#include "filters.h"
#include "progs.h"
#include "quick.h"

#define PROGRAMS QUICK(4000)

/* What may occur; jumps are told apart by their group. */
static const char *const allowed[] = {"mov", "movabs", "movzx", "lea", "bswap", "rol", "shl", "shr",
	"add", "or", "sbb", "and", "sub", "xor", "cmp", "test", "neg", "imul", "div", "push", "pop",
	"ret"};

static bool
is_allowed(const char *name)
{
	for (size_t i = 0; i < DIM(allowed); i++)
		if (strcmp(name, allowed[i]) == 0)
			return true;
	return false;
}

static bool
complain(const struct cbpf_prog *prog, const char *what, const char *name)
{
	struct sbuf b = SBUF_INIT;
	const struct cbpf_insn *insns;
	size_t n;

	insns = cbpf_prog_insns(prog, &n);
	cbpf_dis(insns, n, &b);
	printf("NOT OK: %s %s\n%s", what, name, sbuf_str(&b));
	sbuf_fini(&b);
	return false;
}

static bool
check_insns(const struct cbpf_prog *prog, const cs_insn *v, size_t n, uint64_t start, size_t bytes)
{
	bool *begins = calloc(bytes + 1, sizeof(*begins));
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		begins[v[i].address - start] = true;
	for (size_t i = 0; i < n && ok; i++) {
		const cs_detail *d = v[i].detail;
		bool jump = false;

		for (uint8_t j = 0; j < d->groups_count; j++)
			jump |= d->groups[j] == CS_GRP_JUMP;
		if (jump) {
			uint64_t to = (uint64_t)d->x86.operands[0].imm - start;

			if (d->x86.operands[0].type != X86_OP_IMM || to >= bytes || !begins[to])
				ok = complain(prog, "a jump leads nowhere:", v[i].op_str);
		} else if (!is_allowed(v[i].mnemonic)) {
			ok = complain(prog, "unexpected instruction", v[i].mnemonic);
		}
	}
	if (ok && strcmp(v[n - 1].mnemonic, "ret") != 0)
		ok = complain(prog, "the last instruction is", v[n - 1].mnemonic);
	free(begins);
	return ok;
}

static bool
check_code(csh cs, const struct cbpf_prog *prog)
{
	struct cbpf_jit *jit = NULL;
	const uint8_t *code;
	size_t bytes, n, done = 0;
	cs_insn *v;
	bool ok;

	if (cbpf_jit_new(prog, &jit, NULL) < 0)
		return complain(prog, "not compiled", "");
	code = cbpf_jit_code(jit, &bytes);
	n = cs_disasm(cs, code, bytes, (uint64_t)(uintptr_t)code, 0, &v);
	for (size_t i = 0; i < n; i++)
		done += v[i].size;
	if (n == 0 || done != bytes)
		ok = complain(prog, "not decoded to the end", "");
	else
		ok = check_insns(prog, v, n, (uint64_t)(uintptr_t)code, bytes);
	if (n > 0)
		cs_free(v, n);
	cbpf_jit_free(jit);
	return ok;
}

/* What the disassembler writes is what the assembler reads. */
static bool
check_text(const struct cbpf_prog *prog)
{
	const struct cbpf_insn *insns;
	struct cbpf_insn *back = NULL;
	struct sbuf b = SBUF_INIT;
	size_t n, m = 0;
	bool ok;

	insns = cbpf_prog_insns(prog, &n);
	cbpf_dis(insns, n, &b);
	ok = cbpf_asm(sbuf_str(&b), &back, &m, NULL) == 0 && m == n &&
		memcmp(back, insns, n * sizeof(*insns)) == 0;
	mem_free(back);
	sbuf_fini(&b);
	return ok || complain(prog, "disassembled and assembled it is", "another program");
}

/* A program of the largest size in which jumps are long and registers run out. */
static struct cbpf_prog *
largest(struct rng *r)
{
	static struct cbpf_insn insns[CBPF_MAX_INSNS];
	struct cbpf_prog *prog = NULL;
	size_t n = DIM(insns), i;

	for (i = 0; i < CBPF_MEM_WORDS * 2; i += 2) {
		insns[i] = (struct cbpf_insn){CBPF_CODE_LD_W_ABS, 0, 0, rng_below(r, 60)};
		insns[i + 1] = (struct cbpf_insn){CBPF_CODE_ST, 0, 0, (uint32_t)i / 2};
	}
	for (; i < n - 2; i++) {
		uint32_t k = rng_below(r, CBPF_MEM_WORDS);
		uint8_t far = (uint8_t)MIN((size_t)255, n - 2 - i);

		switch (i % 5) {
		case 0: insns[i] = (struct cbpf_insn){CBPF_CODE_LDX_MEM, 0, 0, k}; break;
		case 1: insns[i] = (struct cbpf_insn){CBPF_CODE_LD_MEM, 0, 0, k}; break;
		case 2: insns[i] = (struct cbpf_insn){CBPF_CODE_ALU_MUL_X, 0, 0, 0}; break;
		case 3:
			insns[i] = (struct cbpf_insn){CBPF_CODE_JGT_X, (uint8_t)rng_below(r, far),
				(uint8_t)rng_below(r, MIN(far, 3)), 0};
			break;
		default: insns[i] = (struct cbpf_insn){CBPF_CODE_ST, 0, 0, k}; break;
		}
	}
	insns[n - 2] = (struct cbpf_insn){CBPF_CODE_LD_MEM, 0, 0, 3};
	insns[n - 1] = (struct cbpf_insn){CBPF_CODE_RET_A, 0, 0, 0};
	if (cbpf_prog_new(insns, n, &prog, NULL) < 0)
		abort();
	return prog;
}

/* As large, and every value depends on the one before. */
static struct cbpf_prog *
deepest(void)
{
	static struct cbpf_insn insns[CBPF_MAX_INSNS];
	struct cbpf_prog *prog = NULL;
	size_t n = DIM(insns);

	for (size_t i = 0; i < n; i++)
		insns[i].code = i % 2 ? CBPF_CODE_ALU_MUL_X : CBPF_CODE_ALU_XOR_X;
	insns[0] = (struct cbpf_insn){CBPF_CODE_LDX_MSH, 0, 0, 0};
	insns[1] = (struct cbpf_insn){CBPF_CODE_LD_W_IND, 0, 0, 4};
	insns[n - 1] = (struct cbpf_insn){CBPF_CODE_RET_A, 0, 0, 0};
	if (cbpf_prog_new(insns, n, &prog, NULL) < 0)
		abort();
	return prog;
}

/* Decoded and run: register pressure shows only in results. */
static bool
check_large(csh cs, struct cbpf_prog *prog, struct rng *r)
{
	bool ok = check_code(cs, prog) && check_text(prog);
	void *jit = engine_jit.load(prog);

	for (int i = 0; i < 200 && ok; i++) {
		struct frame f;
		const uint8_t *p;

		frame_random(r, &f);
		p = fence_end(f.bytes, f.len);
		if (engine_jit.run(jit, p, f.len, f.len) != cbpf_run(prog, p, f.len, f.len))
			ok = complain(prog, "wrong result of", "a large program");
	}
	cbpf_prog_free(prog);
	return ok;
}

int
main(void)
{
	struct rng r = {test_seed("test_code")};
	unsigned int programs = PROGRAMS * test_factor();
	bool ok = true;
	csh cs;

	if (!cbpf_jit_available())
		return 77;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return 1;
	(void)cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	for (unsigned int i = 0; i < programs && ok; i++) {
		struct cbpf_prog *prog = i % 2 ? progs_random(&r) : progs_real(&r);

		ok = check_code(cs, prog) && check_text(prog);
		cbpf_prog_free(prog);
	}
	for (int i = 0; i < 3 && ok; i++)
		ok = check_large(cs, largest(&r), &r);
	ok = ok && check_large(cs, deepest(), &r);
	(void)cs_close(&cs);
	printf("%s: %u programs decoded\n", ok ? "ok" : "NOT OK", programs);
	return !ok;
}
