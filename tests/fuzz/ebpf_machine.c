// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf_machine.h"

#include <string.h>

#include "base/util.h"
#include "ebpf/asm.h"

#include "fuzz.h"

/* Addresses as the program sees them; far apart, so that no sum leads from one to another. */
#define AT_DATA UINT64_C(0x100000000000)
#define AT_STACK UINT64_C(0x200000000000)
#define AT_CTX UINT64_C(0x300000000000)
#define STACK_BYTES 512

struct machine {
	uint64_t reg[11];
	uint32_t set; /* registers that hold something, as bits */
	uint8_t stack[STACK_BYTES];
	uint64_t stored[STACK_BYTES / 64]; /* bytes of the stack that do */
	const uint8_t *data;
	uint32_t size;
	bool xdp;
};

static uint64_t
get(const struct machine *m, unsigned int reg)
{
	fuzz_check(reg <= 10 && (m->set & 1u << reg) != 0);
	return m->reg[reg];
}

static void
put(struct machine *m, unsigned int reg, uint64_t value)
{
	fuzz_check(reg < 10);
	m->reg[reg] = value;
	m->set |= 1u << reg;
}

static unsigned int
bytes_of(uint8_t code)
{
	switch (code & 0x18) {
	case EBPF_W: return 4;
	case EBPF_H: return 2;
	case EBPF_B: return 1;
	}
	return 8;
}

static uint64_t
load_stack(const struct machine *m, uint64_t at, unsigned int n)
{
	uint64_t v = 0;

	fuzz_check(at + n <= STACK_BYTES);
	for (uint64_t i = at; i < at + n; i++)
		fuzz_check((m->stored[i / 64] >> i % 64 & 1) != 0);
	memcpy(&v, m->stack + at, n);
	return v;
}

/* The fields that lib/ebpf reads; the kernel turns loads of data and data_end into pointers. */
static uint64_t
load_ctx(const struct machine *m, uint64_t at, unsigned int n)
{
	fuzz_check(n == 4);
	if (!m->xdp) {
		fuzz_check(at == 0);
		return m->size;
	}
	fuzz_check(at == EBPF_XDP_MD_DATA || at == EBPF_XDP_MD_DATA_END);
	return at == EBPF_XDP_MD_DATA ? AT_DATA : AT_DATA + m->size;
}

static uint64_t
load(const struct machine *m, uint64_t at, unsigned int n)
{
	uint64_t v = 0;

	if (at >= AT_CTX)
		return load_ctx(m, at - AT_CTX, n);
	if (at >= AT_STACK)
		return load_stack(m, at - AT_STACK, n);
	fuzz_check(m->xdp && at >= AT_DATA && at - AT_DATA + n <= m->size);
	memcpy(&v, m->data + (at - AT_DATA), n);
	return v;
}

static void
store(struct machine *m, uint64_t at, unsigned int n, uint64_t v)
{
	at -= AT_STACK;
	fuzz_check(at <= STACK_BYTES - n);
	memcpy(m->stack + at, &v, n);
	for (uint64_t i = at; i < at + n; i++)
		m->stored[i / 64] |= UINT64_C(1) << i % 64;
}

static uint64_t
alu(uint8_t op, uint64_t a, uint64_t b, unsigned int bits)
{
	switch (op) {
	case EBPF_ADD: return a + b;
	case EBPF_SUB: return a - b;
	case EBPF_MUL: return a * b;
	case EBPF_DIV: return b == 0 ? 0 : a / b;
	case EBPF_MOD: return b == 0 ? a : a % b;
	case EBPF_OR: return a | b;
	case EBPF_AND: return a & b;
	case EBPF_XOR: return a ^ b;
	case EBPF_LSH: return a << (b & (bits - 1));
	case EBPF_RSH: return a >> (b & (bits - 1));
	case EBPF_NEG: return -a;
	case EBPF_MOV: return b;
	}
	fuzz_check(op == 0xd0);
	return 0;
}

static uint64_t
swapped(uint64_t v, int32_t bits)
{
	fuzz_check(bits == 16 || bits == 32);
	return bits == 16 ? __builtin_bswap16((uint16_t)v) : __builtin_bswap32((uint32_t)v);
}

static void
compute(struct machine *m, const struct ebpf_insn *in)
{
	const bool wide = (in->code & 7) == 7, by_reg = (in->code & 8) != 0;
	const unsigned int dst = in->regs & 15;
	const uint8_t op = in->code & 0xf0;
	uint64_t b = by_reg && op != 0xd0 ? get(m, in->regs >> 4) : (uint64_t)(int64_t)in->imm;
	uint64_t a = op == EBPF_MOV ? 0 : get(m, dst);

	if (op == 0xd0) {
		fuzz_check(!wide && by_reg);
		put(m, dst, swapped(a, in->imm));
	} else if (wide) {
		put(m, dst, alu(op, a, b, 64));
	} else {
		put(m, dst, (uint32_t)alu(op, (uint32_t)a, (uint32_t)b, 32));
	}
}

static bool
holds(uint8_t op, uint64_t a, uint64_t b, bool wide)
{
	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (op) {
	case EBPF_JEQ: return a == b;
	case EBPF_JNE: return a != b;
	case EBPF_JGT: return a > b;
	case EBPF_JGE: return a >= b;
	case EBPF_JLT: return a < b;
	case EBPF_JLE: return a <= b;
	case EBPF_JSET: return (a & b) != 0;
	case EBPF_JSLT: return wide ? (int64_t)a < (int64_t)b : (int32_t)a < (int32_t)b;
	}
	fuzz_check(op == 0);
	return true;
}

static bool
jumps(const struct machine *m, const struct ebpf_insn *in)
{
	const uint8_t op = in->code & 0xf0;

	if (op == 0)
		return true;
	return holds(op, get(m, in->regs & 15),
		in->code & 8 ? get(m, in->regs >> 4) : (uint64_t)(int64_t)in->imm,
		(in->code & 7) == 5);
}

/* The loads of classic BPF: false past the end. R1 to R5 are lost. */
static bool
load_packet(struct machine *m, const struct ebpf_insn *in)
{
	const unsigned int n = bytes_of(in->code);
	const bool indirect = (in->code & 0xe0) == 0x40;
	uint64_t at = (uint32_t)in->imm;

	fuzz_check(!m->xdp && get(m, 6) == AT_CTX && (indirect || (in->code & 0xe0) == 0x20));
	if (indirect)
		at = (uint32_t)(at + get(m, in->regs >> 4));
	fuzz_check(at <= INT32_MAX);
	m->set &= ~0x3eu;
	if (at + n > m->size)
		return false;
	put(m, 0,
		n == 4           ? load_be32(m->data + at)
			: n == 2 ? load_be16(m->data + at)
				 : m->data[at]);
	return true;
}

/* One instruction that is no exit; false when it ends the program with 0. */
static bool
step(struct machine *m, const struct ebpf_insn *in, size_t *pc)
{
	const unsigned int dst = in->regs & 15, src = in->regs >> 4;

	switch (in->code & 7) {
	case 0: return load_packet(m, in);
	case 1:
		put(m, dst, load(m, get(m, src) + (uint64_t)(int64_t)in->off, bytes_of(in->code)));
		return true;
	case 3:
		store(m, get(m, dst) + (uint64_t)(int64_t)in->off, bytes_of(in->code), get(m, src));
		return true;
	case 4:
	case 7: compute(m, in); return true;
	case 5:
	case 6:
		/* Only forward, so that it ends. */
		fuzz_check(in->off >= 0);
		if (jumps(m, in))
			*pc += (size_t)in->off;
		return true;
	}
	fuzz_check((in->code & 7) != 2);
	return false;
}

uint32_t
ebpf_machine_run(
	const struct ebpf_insn *insns, size_t n, bool xdp, const uint8_t *data, uint32_t size)
{
	struct machine m = {.data = data, .size = size, .xdp = xdp};
	size_t pc = 0;

	m.reg[1] = AT_CTX;
	m.reg[10] = AT_STACK + STACK_BYTES;
	m.set = 1u << 1 | 1u << 10;
	for (;;) {
		const struct ebpf_insn *in;

		fuzz_check(pc < n);
		in = &insns[pc++];
		if (in->code == 0x95)
			return (uint32_t)get(&m, 0);
		if (!step(&m, in, &pc))
			return 0;
	}
}
